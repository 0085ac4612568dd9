"""Execution quality from a job's counters. Pure."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from hedgerow.domain.execution import HedgeExecution
from hedgerow.domain.execution_quality import ExecutionQuality, LegQuality
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.money import ONE, ZERO
from hedgerow.strategy.hedging.orders import side_of

__all__ = ["quality_of"]

SHARE_GRID = Decimal("0.0001")


def quality_of(job: HedgeExecution, at: datetime) -> ExecutionQuality:
    """Return the quality of a job that ends at ``at``."""
    spot, perp = job.spot, job.perp
    traded = spot.notional + job.unwound_notional + job.follower_unwound_notional + perp.notional
    rested = spot.maker_notional + perp.maker_notional
    running = (at - job.naked_since).total_seconds() if job.naked_since else 0.0
    return ExecutionQuality(
        spot=LegQuality.of(job.spot_arrival, *_trades(job, Market.SPOT)),
        perp=LegQuality.of(job.perp_arrival, *_trades(job, Market.PERP)),
        fill_ratio=_fill_ratio(job),
        seconds=(at - job.started_at).total_seconds(),
        worst_naked_seconds=max(job.worst_naked_seconds, running),
        naked_seconds=job.naked_seconds + running,
        largest_exposure=job.worst_naked_notional,
        orders=job.orders,
        maker_share=_share(rested, traded) if traded else ZERO,
    )


def _trades(job: HedgeExecution, market: Market) -> Iterator[tuple[Side, Decimal, Decimal]]:
    side, leg = side_of(job, market), job.leg(market)
    yield side, leg.filled, leg.notional
    if market is job.lead:
        yield side.opposite, job.unwound, job.unwound_notional
    else:
        yield side.opposite, job.follower_unwound, job.follower_unwound_notional


def _fill_ratio(job: HedgeExecution) -> Decimal:
    planned, done = job.plan.perp_quantity, job.net_perp
    if not planned:
        planned, done = job.plan.spot_quantity, job.spot.filled
    return min(ONE, _share(done, planned))


def _share(part: Decimal, whole: Decimal) -> Decimal:
    return (part / whole).quantize(SHARE_GRID)
