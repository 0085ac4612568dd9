"""Nonces of orders and transfers: taken before the intent is logged, used once, burnt when the outcome is unknown.

A request whose nonce is known can be made worthless at once, so that nobody has to wait for its end, not even the run
after a crash, which finds the nonce in the log.
"""

from hedgerow.aster.client import AsterClient
from hedgerow.aster.own import OwnActs, id_of
from hedgerow.domain.commands import Command
from hedgerow.domain.errors import NotSent, VenueError
from hedgerow.domain.instrument import Market

__all__ = ["Reservations"]


class Reservations:
    """The nonces of one account's acts, by client id or transfer id."""

    def __init__(self, client: AsterClient, own: OwnActs) -> None:
        self._client = client
        self._own = own
        self._reserved: dict[str, int] = {}
        self._burnt: set[str] = set()

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
        except VenueError:
            return False
        self._burnt.add(act_id)
        return True
