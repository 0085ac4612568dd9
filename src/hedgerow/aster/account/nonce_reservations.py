"""Nonces of orders and transfers: reserved before the intent is logged, used once, spent when the outcome is unknown.

A request whose nonce is known can be made worthless at once, so that nobody has to wait for its end, not even the run
after a crash, which finds the nonce in the log.
"""

from datetime import datetime, timedelta

from hedgerow.aster.account.own_activity import OwnActivity, id_of
from hedgerow.aster.client import AsterClient
from hedgerow.domain.commands import Command
from hedgerow.domain.errors import NotSent, VenueError
from hedgerow.domain.funding import EPOCH
from hedgerow.domain.instrument import Market
from hedgerow.ports import Clock

__all__ = ["Reservations"]

SHOWN = timedelta(seconds=5)
"""An order that was taken is shown by then, whatever was not reported at once."""
LANDING_MARGIN = timedelta(seconds=5)
"""Added to the life of a request: the venue's clock and ours may differ, and it may be slow."""


class Reservations:
    """The nonces of one account's acts, by client id or transfer id."""

    def __init__(self, client: AsterClient, own: OwnActivity, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._own = own
        self._began_at = clock.now()
        self._reserved: dict[str, int] = {}
        self._burnt: set[str] = set()
        """Acts whose nonce the venue says it has made worthless."""

    def reserve(self, command: Command) -> int | None:
        """Return the nonce that a command will be sent with; None for a setting, for V1, and when none can be kept."""
        act_id = id_of(command)
        if act_id is None:
            return None
        try:
            nonce = self._client.reserve()
        except NotSent:
            return None  # signing will fail in the same way, and report it to the caller
        if nonce is not None:
            self._reserved[act_id] = nonce
        return nonce

    def take(self, act_id: str) -> int | None:
        """Return what was reserved for an act, once; None takes a new one."""
        return self._reserved.pop(act_id, None)

    async def burn(self, market: Market, act_id: str) -> bool:
        """Try to make an act's request worthless by using its nonce up; True = the venue says so, which is no proof.

        Refused when the request itself has used it.
        """
        sent = self._own.sent(act_id)
        if sent is None or sent.nonce is None:
            return False
        if act_id in self._burnt:
            return True
        try:
            await self._client.noop(market, sent.nonce)
        except VenueError:
            return False
        self._burnt.add(act_id)
        return True

    def is_dead(self, act_id: str) -> bool:
        """Return whether an act's request can no longer be executed.

        One that is not known here may have been sent until this began, unless the log says it was not.
        """
        if self._own.sent(act_id) is None and self._own.complete:
            return True
        return self._clock.now() > self.dead_at(act_id)

    def dead_at(self, act_id: str) -> datetime:
        """Return when an act's request can no longer be executed, by our clock: the window of its nonce is over.

        The window stands around the venue's time (docs/aster-api.md section 2).
        """
        signer, sent = self._client.signer, self._own.sent(act_id)
        life = timedelta(seconds=signer.lifetime_seconds) if signer else timedelta(0)
        if sent is None:
            return self._began_at + life + LANDING_MARGIN
        offset = self._client.rest.time.offset
        stamped = EPOCH + timedelta(microseconds=sent.nonce) - offset if sent.nonce is not None else sent.at
        return max(sent.at, stamped) + life + LANDING_MARGIN

    def is_shown_by_now(self, act_id: str) -> bool:
        """Return whether an act was sent so long ago that what was taken of it is shown."""
        sent = self._own.sent(act_id)
        return sent is not None and self._clock.now() > sent.at + SHOWN
