"""The pair as the venue lists it now: before each order, and again after a filter refusal."""

from hedgerow.domain.errors import VenueError
from hedgerow.domain.events import OrderEnded
from hedgerow.domain.execution import ExecutionState, HedgeExecution
from hedgerow.domain.instrument import BasisPair
from hedgerow.domain.order import RejectKind
from hedgerow.ports import Clock, Venue
from hedgerow.strategy.hedging.machine import Happening

__all__ = ["PairListing"]

PATIENCE_SECONDS = 2.0
"""Longest wait for the listing: a naked leg does not wait for it, and the job's own pair counts meanwhile."""
AGAIN_SECONDS = 30.0
"""Pause before a listing that could not be read, or of a market that takes no orders, is read again."""


class PairListing:
    """Reads one pair from the venue; what cannot be read in time is None, and not asked for again at once."""

    def __init__(self, venue: Venue, clock: Clock) -> None:
        self._venue = venue
        self._clock = clock
        self._failed_until = 0.0
        self._fresh_after = 0.0

    async def pair(self, symbol: str) -> BasisPair | None:
        """Return the pair as it is listed, or None while that cannot be read."""
        if self._clock.monotonic() < self._failed_until:
            return None
        return await self._read(symbol, fresh=False)

    async def for_job(self, job: HedgeExecution, event: Happening) -> BasisPair | None:
        """Return the pair before the job's next step.

        The listing is read again after every refusal by a filter, and now and then after one by a price or a closed
        market, and while a naked leg cannot be traded.
        """
        reject = event.reject if isinstance(event, OrderEnded) else None
        doubtful = reject in {RejectKind.PRICE, RejectKind.PERMISSION}
        waits = job.state is ExecutionState.NAKED and (doubtful or not job.pair.tradable or job.refusals > 1)
        due = self._clock.monotonic() >= self._fresh_after
        if reject is RejectKind.FILTER or ((doubtful or waits) and due):
            self._fresh_after = self._clock.monotonic() + AGAIN_SECONDS
            return await self._read(job.symbol, fresh=True)
        return await self.pair(job.symbol)

    async def _read(self, symbol: str, *, fresh: bool) -> BasisPair | None:
        try:
            async with self._clock.timeout(PATIENCE_SECONDS):
                return await self._venue.pair(symbol, fresh=fresh)
        except (VenueError, TimeoutError):
            self._failed_until = self._clock.monotonic() + AGAIN_SECONDS
            return None
