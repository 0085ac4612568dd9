"""Reads the past of a position that is found on the venue: its trades back to the opening, and its payments."""

from datetime import datetime, timedelta
from typing import Final

from hedgerow.domain.instrument import Market
from hedgerow.domain.order import Fill
from hedgerow.ports import Venue
from hedgerow.strategy.decisions.adoption import PositionHistory, opening_fills
from hedgerow.strategy.decisions.verdicts import Candidate

__all__ = ["read_history"]

HISTORY_DAYS: Final = (7, 30, 90, 365)
"""How far back the trades are searched, in turn, until the opening is found."""


async def read_history(venue: Venue, candidate: Candidate, now: datetime) -> PositionHistory:
    """Return the trades back to the opening, and the payments since.

    Raises:
        VenueError: they cannot be read.
    """
    since: datetime = now
    perp: tuple[Fill, ...] = ()
    for days in HISTORY_DAYS:
        since = now - timedelta(days=days)
        perp = await venue.fills(Market.PERP, candidate.symbol, since)
        if opening_fills(candidate.short, perp) is not None:
            break
    spot = await venue.fills(Market.SPOT, candidate.symbol, since)
    payments = await venue.funding_payments(since)
    return PositionHistory(spot_fills=spot, perp_fills=perp, payments=payments)
