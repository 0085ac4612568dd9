"""Who may sign for whom: agents, V1 keys, and used nonces (docs/aster-api.md 2 and 3)."""

from bisect import bisect_left, insort
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from hedgerow.emulator.wire.protocol.errors import WireError, nonce_expired
from hedgerow.emulator.wire.protocol.number_format import to_ms, to_us

__all__ = ["Agent", "ApiKey", "NonceWindow", "agent_row", "check_timestamp"]

KEPT = 100
"""How many newest nonces of a signer the venue remembers."""
FUTURE_MS = 1000
"""How far a V1 timestamp may run ahead."""


class Agent(Struct, frozen=True, kw_only=True):
    """An API wallet that may sign for an account."""

    signer: str
    """Lower-case address."""
    name: str = "agent"
    """Its display name."""
    can_spot_trade: bool = True
    """Whether it may trade on spot."""
    can_perp_trade: bool = True
    """Whether it may trade perpetuals."""
    can_withdraw: bool = False
    """Whether it may withdraw: listed, and never needed here."""
    expires_at: datetime | None = None
    """When it ends; None = in a hundred years."""
    ip_whitelist: tuple[str, ...] = ()
    """From which addresses; empty = from any."""

    def valid(self, now: datetime) -> bool:
        """Return whether it has not expired."""
        return self.expires_at is None or now < self.expires_at


class ApiKey(Struct, frozen=True, kw_only=True):
    """A key of the old kind: an identifier and a shared secret."""

    key: str
    """What ``X-MBX-APIKEY`` says."""
    secret: str
    """What signs."""
    can_spot_trade: bool = True
    """Whether it may trade on spot."""
    can_perp_trade: bool = True
    """Whether it may trade perpetuals."""
    ip_whitelist: tuple[str, ...] = ()
    """From which addresses; empty = from any."""


class NonceWindow:
    """The newest nonces of one signer, ascending, in microseconds."""

    def __init__(self, used: Sequence[int] = ()) -> None:
        self._used = sorted(used)

    @property
    def used(self) -> tuple[int, ...]:
        """What is remembered."""
        return tuple(self._used)

    def burn(self, nonce: int, now: datetime, window_seconds: float | None) -> None:
        """Take a nonce.

        Raises:
            WireError: it is outside the window of time, was used, or is older than all that are remembered (-4225).
        """
        if window_seconds is not None and abs(to_us(now) - nonce) > window_seconds * 1e6:
            raise nonce_expired()
        place = bisect_left(self._used, nonce)
        if place < len(self._used) and self._used[place] == nonce:
            raise nonce_expired()
        if len(self._used) >= KEPT:
            if place == 0:
                raise nonce_expired()
            del self._used[0]
        insort(self._used, nonce)


def agent_row(agent: Agent, now: datetime) -> dict[str, Any]:
    """Return an agent as ``GET agent`` lists it."""
    far = to_ms(now.replace(year=now.year + 100, month=1, day=1))
    return {
        "agentAddress": agent.signer,
        "agentName": agent.name,
        "ipWhitelist": ",".join(agent.ip_whitelist),
        "expired": far if agent.expires_at is None else to_ms(agent.expires_at),
        "source": "api",
        "canRead": True,
        "canSpotTrade": agent.can_spot_trade,
        "canPerpTrade": agent.can_perp_trade,
        "canWithdraw": agent.can_withdraw,
    }


def check_timestamp(sent_ms: int, window_ms: int, now: datetime) -> None:
    """Refuse a V1 request that is too old or from the future (-1021)."""
    ahead = sent_ms - to_ms(now)
    if ahead >= FUTURE_MS:
        raise WireError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if -ahead > window_ms:
        raise WireError(-1021, "Timestamp for this request is outside of the recvWindow.")
