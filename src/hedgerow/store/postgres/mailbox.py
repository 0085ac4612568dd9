"""Requests of operators in the database: posted by anyone who may, carried out by the bot that holds the fence."""

from collections.abc import Callable
from contextlib import suppress

import msgspec
from psycopg import errors

from hedgerow.domain.errors import MailboxError, StoreError
from hedgerow.domain.operator_requests import Answer, Claim, OperatorRequest
from hedgerow.store.postgres.connection import Connection
from hedgerow.store.postgres.publisher import Posted, Publisher, waiting_requests

__all__ = ["PostgresMailbox"]

DECODER = msgspec.json.Decoder(OperatorRequest)
SILENT_SECONDS = 15.0
"""How long requests may not have been read before that is reported."""


class PostgresMailbox:
    """The requests to one bot, for those who ask and for the bot.

    How long a request is valid is judged by the clock of the database alone, whatever the clocks of the two are.
    """

    def __init__(
        self, connection: Connection, account: str, *, epoch: int = 0, publisher: Publisher | None = None
    ) -> None:
        """``epoch`` is the bot's fence; ``publisher`` reads what waits in a thread, so that the bot does not wait."""
        self._connection = connection
        self._account = account
        self._epoch = epoch
        self._publisher = publisher
        self._claimed: set[str] = set()
        self._settled: set[str] = set()
        """Requests that are not to be taken again whatever the database says."""
        self._report: Callable[[str], None] = lambda _text: None
        self._silent = False
        """Whether it was reported that requests are not read."""

    def report_to(self, report: Callable[[str], None]) -> None:
        """Pass to ``report`` the requests that are refused unread."""
        self._report = report

    def release(self) -> None:
        """Close the connection; may be called twice."""
        self._connection.close()

    # --- who asks ----------------------------------------------------------------------------------------------------

    def post(self, request: OperatorRequest) -> None:
        """Leave a request for the bot.

        Raises:
            MailboxError: the database does not answer or does not take it.
        """
        valid = request.valid_until - request.asked_at
        terms = (self._account, request.request_id, msgspec.json.encode(request), valid)
        try:
            self._connection.write(
                "INSERT INTO hedgerow.requests (account, request_id, request, valid) VALUES (%s, %s, %s, %s)", terms
            )
        except errors.UniqueViolation:
            raise MailboxError(f"{self._connection.shown}: the request {request.request_id} is there already") from None
        except StoreError as error:
            raise MailboxError(str(error)) from None

    def waits(self, request_id: str) -> bool:
        """Return whether a request was neither begun nor answered."""
        return self._is(request_id, begun=False)

    def begun(self, request_id: str) -> bool:
        """Return whether a bot is carrying a request out."""
        return self._is(request_id, begun=True)

    def _is(self, request_id: str, *, begun: bool) -> bool:
        try:
            return bool(
                self._connection.rows(
                    "SELECT 1 FROM hedgerow.requests WHERE account = %s AND request_id = %s"
                    " AND answered_at IS NULL AND withdrawn_at IS NULL AND (begun_at IS NOT NULL) = %s",
                    (self._account, request_id, begun),
                )
            )
        except StoreError as error:
            raise MailboxError(str(error)) from None

    def collect(self, request_id: str) -> Answer | None:
        """Return the answer to a request; None while there is none."""
        try:
            found = self._connection.row(
                "SELECT answer FROM hedgerow.requests WHERE account = %s AND request_id = %s AND answer IS NOT NULL",
                (self._account, request_id),
            )
        except StoreError as error:
            raise MailboxError(str(error)) from None
        return None if found is None else msgspec.json.decode(found[0], type=Answer)

    def withdraw(self, request_id: str) -> bool:
        """Withdraw a request; return whether nothing had begun it yet."""
        with suppress(StoreError):
            return bool(
                self._connection.write(
                    "UPDATE hedgerow.requests SET withdrawn_at = clock_timestamp() WHERE account = %s"
                    " AND request_id = %s AND begun_at IS NULL AND answered_at IS NULL AND withdrawn_at IS NULL",
                    (self._account, request_id),
                )
            )
        return False

    # --- the bot -----------------------------------------------------------------------------------------------------

    def take(self) -> tuple[OperatorRequest, ...]:
        """Return the requests that nobody has begun or answered, in the order in which they were posted.

        One that cannot be read is answered so and reported.

        Raises:
            StoreError: another bot has taken over the account.
        """
        if self._publisher is not None and self._publisher.replaced:
            shown = self._connection.shown
            raise StoreError(f"{shown}: another bot has taken over this account; this one sends nothing more and ends")
        return self._read([each for each in self._waiting() if not each.begun and each.request_id not in self._claimed])

    def abandoned(self) -> tuple[OperatorRequest, ...]:
        """Return the requests that an earlier process claimed and never answered, in the order of their posting."""
        try:
            found = waiting_requests(self._connection, self._account)
        except StoreError as error:
            self._report(f"{error}: requests that an earlier bot had begun are not answered")
            return ()
        finally:
            self._rest()
        return self._read([each for each in found if each.begun and each.request_id not in self._claimed])

    def claim(self, request_id: str) -> Claim:
        """Make a request this bot's to carry out, if it is still valid and this bot still holds the fence.

        Raises:
            MailboxError: the database does not answer; the request is not taken again.
        """
        try:
            taken = self._connection.write(
                "UPDATE hedgerow.requests SET begun_at = clock_timestamp() WHERE account = %s AND request_id = %s"
                " AND begun_at IS NULL AND answered_at IS NULL AND withdrawn_at IS NULL"
                " AND clock_timestamp() < posted_at + valid"
                " AND EXISTS (SELECT FROM hedgerow.bots WHERE account = %s AND epoch = %s)",
                (self._account, request_id, self._account, self._epoch),
            )
            late = not taken and bool(
                self._connection.rows(
                    "SELECT 1 FROM hedgerow.requests WHERE account = %s AND request_id = %s AND begun_at IS NULL"
                    " AND answered_at IS NULL AND withdrawn_at IS NULL AND clock_timestamp() >= posted_at + valid",
                    (self._account, request_id),
                )
            )
        except StoreError as error:
            self._settled.add(request_id)
            raise MailboxError(f"a request cannot be taken: {error}") from None
        if not taken:
            return Claim.EXPIRED if late else Claim.WITHDRAWN
        self._claimed.add(request_id)
        return Claim.TAKEN

    def answer(self, request_id: str, answer: Answer) -> None:
        """Say how a request ended; it is not taken again, whatever of this fails.

        Raises:
            MailboxError: the answer cannot be written.
        """
        self._settled.add(request_id)
        try:
            self._connection.write(
                "UPDATE hedgerow.requests SET answer = %s, answered_at = clock_timestamp()"
                " WHERE account = %s AND request_id = %s AND answered_at IS NULL",
                (msgspec.json.encode(answer), self._account, request_id),
            )
        except StoreError as error:
            raise MailboxError(f"the answer to a request cannot be written: {error}") from None
        finally:
            self._rest()

    def _rest(self) -> None:
        """Close the connection of a running bot: requests are rare, and a database has few connections."""
        if self._publisher is not None:
            self._connection.close()

    def _waiting(self) -> list[Posted]:
        if self._publisher is not None:
            silent = self._publisher.silent_seconds > SILENT_SECONDS
            if silent and not self._silent:
                self._report(f"{self._connection.shown} does not answer: requests are not read until it does")
            self._silent = silent
            return self._publisher.waiting
        try:
            return waiting_requests(self._connection, self._account)
        except StoreError:
            return []

    def _read(self, posted: list[Posted]) -> tuple[OperatorRequest, ...]:
        found: list[OperatorRequest] = []
        for each in posted:
            if each.request_id in self._settled:
                continue
            try:
                found.append(_decoded(each))
            except (msgspec.MsgspecError, ArithmeticError, ValueError, RecursionError) as error:
                self._report(f"A request could not be read and is not carried out ({each.request_id}): {error}")
                with suppress(MailboxError):
                    self.answer(each.request_id, Answer(done=False, text=f"unreadable request: {error}"))
        return tuple(found)


def _decoded(posted: Posted) -> OperatorRequest:
    """Return a request as it was posted.

    Raises:
        ValueError: it cannot be read, or is filed under another number or time than it says.
    """
    request = DECODER.decode(posted.request)
    if request.request_id != posted.request_id or request.valid_until - request.asked_at != posted.valid:
        raise ValueError("it is not the request it is filed as")
    return request
