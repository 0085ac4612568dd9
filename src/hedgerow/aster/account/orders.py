"""Sends orders and resolves their outcomes. Every outcome is an event; nothing is raised.

An order without an answer is never sent again. It is absent only when every look-up was readable and negative after
the window of its nonce was over: until then its request may be executed, whatever a ``noop`` answered.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from hedgerow.aster.account.nonce_reservations import Reservations
from hedgerow.aster.account.own_activity import OwnActivity
from hedgerow.aster.account.pagination import all_pages
from hedgerow.aster.account.stream_cache import AccountCache
from hedgerow.aster.client import AsterClient
from hedgerow.aster.http.error_codes import NO_SUCH_ORDER, TIMEOUT, NonceRefused, reject_kind
from hedgerow.aster.rules import is_before_execution
from hedgerow.aster.schema.account_rows import OrderRow, TradeRow
from hedgerow.aster.schema.convert import mistaken, order_report
from hedgerow.domain.commands import CancelOrder
from hedgerow.domain.errors import NotSent, OrderNotFound, OutcomeUnknown, RateLimited, Rejected, VenueError
from hedgerow.domain.events import (
    CommandRefused,
    Event,
    OrderAccepted,
    OrderEnded,
    OrderOutcomeUnknown,
    OrderProgressed,
)
from hedgerow.domain.instrument import Market
from hedgerow.domain.order import OrderRequest, OrderStatus, RejectKind, TimeInForce
from hedgerow.ports import Clock
from hedgerow.tasks import all_of

__all__ = ["OrderClient"]

POLL_SECONDS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Pauses before looking again at a spot order, which is acknowledged before it is matched (docs/aster-api.md 6.2)."""
REPORT_SECONDS = 0.25
"""Wait for the report of an open stream before asking."""
WATCH_POLL_SECONDS = 0.25
"""Between two looks at a resting order while no stream reports it."""
RESTING_POLLS = 2
"""Looks at an order that may rest: enough to see one that expires on arrival."""
NOT_SENT_PAUSE_SECONDS = 0.5
"""Before saying that an order never left, so that nobody tries again in the same instant."""
LOOK_BACK = timedelta(hours=24)
"""How far back to look for an order whose time of sending is not known."""
CLOCK_SLACK = timedelta(seconds=30)


class OrderClient:
    """Orders of one account."""

    def __init__(
        self, client: AsterClient, clock: Clock, own: OwnActivity, *, cache: AccountCache, reservations: Reservations
    ) -> None:
        self._client = client
        self._clock = clock
        self._own = own
        self._cache = cache
        self._reservations = reservations
        self._started_at = clock.now()

    # --- sending -----------------------------------------------------------------------------------------------------

    async def place(self, request: OrderRequest) -> tuple[Event, ...]:
        """Send an order; return its acceptance and its end where that is known, or why there is none."""
        try:
            row = await self._client.place(
                request,
                nonce=self._reservations.take(request.client_id),
                on_signed=lambda nonce: self._own.sending(request.client_id, self._clock.now(), nonce),
            )
        except VenueError as error:
            return await self._not_placed(request, error)
        wrong = mistaken(row, request)
        if wrong is not None:
            return (self._unknown(request.client_id, wrong),)
        self._own.accepted(request.client_id, row.order_id)
        accepted = OrderAccepted(at=self._clock.now(), client_id=request.client_id, order_id=row.order_id)
        if request.market is Market.SPOT:
            row = await self._matched(request, row)
        return (accepted, *self._progress(row, request))

    async def cancel(self, command: CancelOrder) -> tuple[Event, ...]:
        """Cancel an order by client id."""
        try:
            row = await self._client.cancel(command.market, command.symbol, command.client_id)
            if row.symbol != command.symbol:
                return (self._unknown(command.client_id, f"the exchange answered with an order of {row.symbol}"),)
            return (order_report(row, command.client_id, self._clock.now()),)
        except OutcomeUnknown as unknown:
            return (self._unknown(command.client_id, str(unknown)),)
        except VenueError as error:
            code = error.code if isinstance(error, Rejected) else TIMEOUT
            return (
                CommandRefused(
                    at=self._clock.now(),
                    command=command,
                    code=code,
                    detail=str(error),
                    before_execution=is_before_execution(code),
                ),
            )

    async def _not_placed(self, request: OrderRequest, error: VenueError) -> tuple[Event, ...]:
        match error:
            case OutcomeUnknown():
                return (self._unknown(request.client_id, str(error)),)
            case NonceRefused():
                await self._measure_clocks()
                return (self._ended(request, None, None, str(error)),)
            case RateLimited():
                await self._clock.sleep(NOT_SENT_PAUSE_SECONDS)
                refused = self._ended(request, None, None, str(error))
                return (replace(refused, retry_after_seconds=error.retry_after_seconds),)
            case NotSent():
                await self._clock.sleep(NOT_SENT_PAUSE_SECONDS)
                return (self._ended(request, None, None, str(error)),)
            case Rejected():
                return (self._ended(request, reject_kind(error.code), error.code, str(error)),)
            case _:
                return (self._ended(request, RejectKind.PERMISSION, None, str(error)),)

    async def _measure_clocks(self) -> None:
        """After a refused nonce: another one may pass, unless the clocks are apart."""
        await self._clock.sleep(NOT_SENT_PAUSE_SECONDS)
        try:
            await self._client.synchronise()
        except VenueError:
            return

    async def _matched(self, request: OrderRequest, row: OrderRow) -> OrderRow:
        """Wait until a spot order is final, for as long as its matching may take: by its report, else by asking."""
        if not _moves(row):
            return row
        if self._cache.is_open(request.market):
            reported = await self._cache.report(request.client_id, REPORT_SECONDS, final=lambda row: not _moves(row))
            if reported is not None and not _moves(reported) and mistaken(reported, request) is None:
                return reported
        immediate = request.time_in_force is TimeInForce.IOC
        for pause in POLL_SECONDS if immediate else POLL_SECONDS[:RESTING_POLLS]:
            await self._clock.sleep(pause)
            try:
                row = await self._client.order(request.market, request.symbol, order_id=row.order_id)
            except OrderNotFound:
                continue
            except VenueError:
                break
            if not _moves(row):
                break
        return row

    def _progress(self, row: OrderRow, request: OrderRequest) -> tuple[Event, ...]:
        """Return what is known beyond the acceptance; nothing for an order that has not moved."""
        try:
            event = self._event_of(row, request)
        except OutcomeUnknown as unknown:
            return (self._unknown(request.client_id, str(unknown)),)
        return () if row.status == OrderStatus.NEW else (event,)

    def _event_of(self, row: OrderRow, request: OrderRequest) -> OrderEnded | OrderProgressed:
        """Return an order's present state.

        Raises:
            OutcomeUnknown: the reply cannot be the state of this order.
        """
        wrong = mistaken(row, request)
        if wrong is not None:
            raise OutcomeUnknown(wrong)
        return order_report(row, request.client_id, self._clock.now())

    # --- watching ----------------------------------------------------------------------------------------------------

    async def watch(self, request: OrderRequest, filled: Decimal, seconds: float) -> tuple[Event, ...]:
        """Wait until a resting order moved beyond ``filled`` or ended, at most so long: by its report, else by asking.

        A report may be lost: the order is asked for once more when none was received.
        """
        until = self._clock.monotonic() + seconds
        while (left := until - self._clock.monotonic()) > 0:
            row = await self._reported_row(request, filled, left)
            try:
                row = row or await self._client.order(request.market, request.symbol, client_id=request.client_id)
            except VenueError as error:
                return (self._unknown(request.client_id, str(error)),)
            if _beyond(row, filled):
                if mistaken(row, request) is None:
                    self._own.accepted(request.client_id, row.order_id)
                return self._progress(row, request)
        return ()

    async def _reported_row(self, request: OrderRequest, filled: Decimal, seconds: float) -> OrderRow | None:
        """Wait for an open stream's report that the order moved; without a stream, until it is time to ask again."""
        if not self._cache.is_open(request.market):
            await self._clock.sleep(min(seconds, WATCH_POLL_SECONDS))
            return None
        row = await self._cache.report(request.client_id, seconds, final=lambda row: _beyond(row, filled))
        return row if row is not None and _beyond(row, filled) else None

    # --- finding out -------------------------------------------------------------------------------------------------

    async def resolve(self, request: OrderRequest) -> tuple[Event, ...]:
        """Find out what became of an order: in one round trip when the venue knows it, else in two.

        One that no look-up shows is absent once its nonce is dead. Before that its request may be under way: the venue
        is asked to make the nonce worthless, which may fail although it answers success (docs/aster-api.md section 3),
        so that the answer is only that the order may land until then.
        """
        client_id, tried = request.client_id, False
        dead = self._reservations.is_dead(client_id)
        try:
            row = None
            if not dead:
                row, tried = await asyncio.gather(
                    self._named(request), self._reservations.burn(request.market, client_id)
                )
            row = row or await self._find(request)
            if row is not None:
                event = self._event_of(row, request)
                self._own.accepted(client_id, row.order_id)
                return (event,)
        except VenueError as error:
            return (self._unknown(client_id, str(error)),)
        if not dead:
            return (self._absent_so_far(client_id, tried=tried),)
        return (self._ended(request, reject_kind(NO_SUCH_ORDER), NO_SUCH_ORDER, "the exchange never got it"),)

    def _absent_so_far(self, client_id: str, *, tried: bool) -> OrderOutcomeUnknown:
        """Return that an order is not there; that it may land, once that is all that is left to wait for."""
        unknown = self._unknown(client_id, "not there yet, and it could still arrive")
        shown = self._reservations.is_shown_by_now(client_id)
        return replace(unknown, may_land_until=self._reservations.dead_at(client_id)) if tried or shown else unknown

    async def _named(self, request: OrderRequest) -> OrderRow | None:
        """Return the order by its client id, or None when the venue knows none, or not yet."""
        try:
            return await self._client.order(request.market, request.symbol, client_id=request.client_id)
        except OrderNotFound:
            return None

    async def _find(self, request: OrderRequest) -> OrderRow | None:
        """Return the order, or None when order, open orders, all orders and trades agree that there is none.

        Raises:
            VenueError: a look-up failed, or there are trades of an order that the venue does not name.
        """
        market, symbol, since = request.market, request.symbol, self._looked_for_since(request.client_id)
        now = self._client.rest.time.now()
        row, resting, placed, trades = await all_of(
            self._named(request),
            self._client.open_orders(market, symbol),
            all_pages(
                lambda start, end: self._client.all_orders(market, symbol, start=start, end=end),
                since=since,
                now=now,
                key=lambda row: row.order_id,
            ),
            all_pages(
                lambda start, end: self._client.trades(market, symbol, start=start, end=end),
                since=since,
                now=now,
                key=lambda row: (row.id, row.order_id),
            ),
        )
        listed = (*resting, *placed)
        found = row or next((other for other in listed if other.client_order_id == request.client_id), None)
        if found is None:
            self._refuse_unnamed(request, listed, trades)
        return found

    def _refuse_unnamed(self, request: OrderRequest, listed: Iterable[OrderRow], trades: Iterable[TradeRow]) -> None:
        """Raise OutcomeUnknown for trades that may be the order's: the venue does not show theirs yet."""
        named = {row.order_id for row in listed}
        if any(
            trade.side == request.side and trade.order_id not in named and self._own.client_id(trade.order_id) is None
            for trade in trades
        ):
            raise OutcomeUnknown(f"{request.symbol}: there are trades of an order that the exchange does not show yet")

    def _looked_for_since(self, client_id: str) -> datetime:
        sent = self._own.sent(client_id)
        return sent.at + self._client.rest.time.offset - CLOCK_SLACK if sent else self._started_at - LOOK_BACK

    # --- words -------------------------------------------------------------------------------------------------------

    def _unknown(self, client_id: str, detail: str) -> OrderOutcomeUnknown:
        return OrderOutcomeUnknown(at=self._clock.now(), client_id=client_id, detail=detail)

    def _ended(self, request: OrderRequest, reject: RejectKind | None, code: int | None, detail: str) -> OrderEnded:
        return OrderEnded(
            at=self._clock.now(),
            client_id=request.client_id,
            order_id=None,
            status=OrderStatus.REJECTED,
            reject=reject,
            code=code,
            detail=detail,
        )


def _beyond(row: OrderRow, filled: Decimal) -> bool:
    """Return whether an order filled more than ``filled``, or ended."""
    return row.executed_qty > filled or not _moves(row)


def _moves(row: OrderRow) -> bool:
    """Return whether an order can still change."""
    return row.status in {OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED}
