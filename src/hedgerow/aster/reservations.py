"""Nonces of orders and transfers: taken before the intent is logged, used once, burnt when the outcome is unknown.

A request whose nonce is known can be made worthless at once, so that nobody has to wait for its end, not even the run
after a crash, which finds the nonce in the log.
"""

from datetime import datetime, timedelta

from hedgerow.aster.client import AsterClient
from hedgerow.aster.codes import NonceRefused
from hedgerow.aster.own import OwnActs, id_of
from hedgerow.domain.commands import Command
from hedgerow.domain.errors import NotSent, VenueError
from hedgerow.domain.instrument import Market
from hedgerow.ports import Clock

__all__ = ["Reservations"]

SHOWN_SECONDS = 5.0
"""An order that was taken is shown by then, whatever was not told of it at once."""
SHOWN = timedelta(seconds=SHOWN_SECONDS)


class Reservations:
    """The nonces of one account's acts, by client id or transfer id."""

    def __init__(self, client: AsterClient, own: OwnActs, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._own = own
        self._reserved: dict[str, int] = {}
        self._burnt: set[str] = set()
        self._refused: dict[str, int] = {}
        self._spent: dict[str, datetime] = {}
        """When it was known that a request itself had used its nonce."""

    def reserve(self, command: Command) -> int | None:
        """Return the nonce that a command will be sent with; None for a setting, for V1, and when none can be kept."""
        act_id = id_of(command)
        if act_id is None:
            return None
        try:
            nonce = self._client.reserve()
        except NotSent:
            return None  # signing will fail in the same way, and say so where it is heard
        if nonce is not None:
            self._reserved[act_id] = nonce
        return nonce

    def take(self, act_id: str) -> int | None:
        """Return what was reserved for an act, once; None takes a new one."""
        return self._reserved.pop(act_id, None)

    def is_burnt(self, act_id: str) -> bool:
        """Tell whether an act's request was made worthless here."""
        return act_id in self._burnt

    async def burn(self, market: Market, act_id: str) -> bool:
        """Try to make an act's request worthless by using its nonce up; refused when the request itself used it."""
        sent = self._own.sent(act_id)
        if sent is None or sent.nonce is None:
            return False
        try:
            await self._client.noop(market, sent.nonce)
        except NonceRefused:
            self._refused[act_id] = sent.nonce
            return False
        except VenueError:
            return False
        self._burnt.add(act_id)
        return True

    async def is_spent(self, market: Market, act_id: str) -> bool:
        """Tell whether an act's nonce could not be burnt because its request had used it, ``SHOWN_SECONDS`` ago.

        What the request did is shown by now; where nothing is, it was refused, and nobody heard of that.
        """
        if act_id in self._refused and act_id not in self._spent:
            await self._look_closer(market, act_id, self._refused[act_id])
        spent = self._spent.get(act_id)
        return act_id in self._burnt or (spent is not None and self._clock.now() > spent + SHOWN)

    async def _look_closer(self, market: Market, act_id: str, nonce: int) -> None:
        """Find out whether a refused nonce was used up, or whether the venue refuses every nonce now.

        A venue that takes a later one, and refuses this one before and after, will not take this one any more.
        """
        try:
            later = self._client.reserve()
            if later is None:
                return
            await self._client.noop(market, later)
        except VenueError:
            return
        try:
            await self._client.noop(market, nonce)
        except NonceRefused:
            self._spent[act_id] = self._clock.now()
        except VenueError:
            return
        else:
            self._burnt.add(act_id)
