"""Cooldowns: how long a pair rests after it ended badly, longer each time in a row."""

from datetime import datetime, timedelta
from typing import Final

from hedgerow.domain.ledger.state import Cooldown, Ledger
from hedgerow.domain.position import Reason
from hedgerow.strategy.observation import Refusal, RefusalKind

__all__ = ["avoided", "cooldown_refusal", "ends_at"]

FIRST: Final = {
    Reason.REFUSED: timedelta(minutes=15),
    Reason.EMERGENCY_STOP: timedelta(hours=4),
}
FIRST_OTHERWISE: Final = timedelta(hours=1)
_NOT_OPENED: Final = frozenset({Reason.REFUSED, Reason.UNWOUND})
LONGEST: Final = timedelta(days=1)
MOST_DOUBLINGS: Final = 10
"""More than it takes from the shortest cooldown to the longest."""


def ends_at(cooldown: Cooldown) -> datetime:
    """Return when the pair may be opened again."""
    first = FIRST.get(cooldown.reason, FIRST_OTHERWISE)
    doublings: int = min(cooldown.count - 1, MOST_DOUBLINGS)
    return cooldown.since + min(LONGEST, first * (1 << doublings))


def avoided(ledger: Ledger, at: datetime) -> frozenset[str]:
    """Return the pairs for which no position is left: those that rest, and those whose last opening failed.

    Leaving costs a round trip, and the one that refused may refuse again; it is tried again when nothing is held.
    """
    return frozenset(
        symbol
        for symbol, cooldown in ledger.cooldowns.items()
        if cooldown.reason in _NOT_OPENED or at < ends_at(cooldown)
    )


def cooldown_refusal(symbol: str, ledger: Ledger, at: datetime) -> Refusal | None:
    """Return why the pair may not be opened at ``at`` because of how it ended before; None = it may."""
    cooldown = ledger.cooldowns.get(symbol)
    if cooldown is None or at >= ends_at(cooldown):
        return None
    times = "" if cooldown.count == 1 else f", {cooldown.count} times in a row"
    why = f"{cooldown.reason}{f' ({cooldown.detail})' if cooldown.detail else ''}{times}"
    return Refusal(kind=RefusalKind.COOLDOWN, detail=f"rests until {ends_at(cooldown):%Y-%m-%d %H:%M} UTC: {why}")
