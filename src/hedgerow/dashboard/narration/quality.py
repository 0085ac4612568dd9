"""Log lines of execution quality, at the end of the guide's blocks."""

from hedgerow.dashboard.narration.formats import Lines, info
from hedgerow.domain.execution_quality import ExecutionQuality, LegQuality
from hedgerow.domain.formats import log_funding, log_money, log_percent, seconds

__all__ = ["executed"]


def executed(quality: ExecutionQuality | None) -> Lines:
    """Return what trading cost beside fees and how long the legs differed; nothing of a job that traded nothing."""
    if quality is None or not quality.orders:
        return ()
    parts = [f"{quality.orders} orders", f"{log_percent(float(quality.fill_ratio))} filled"]
    if quality.maker_share:
        parts.append(f"{log_percent(float(quality.maker_share))} by resting")
    naked = f"{seconds(quality.worst_naked_seconds)} at worst, {seconds(quality.naked_seconds)} in all"
    return info(
        f"  Execution: {', '.join(parts)} in {seconds(quality.seconds)}",
        f"  Slippage from arrival: spot {_cost(quality.spot)}, perp {_cost(quality.perp)}",
        f"  Unhedged: {naked}, at most {log_money(quality.largest_exposure)}",
    )


def _cost(leg: LegQuality) -> str:
    if not leg.filled:
        return "not traded"
    if leg.shortfall is None or leg.shortfall_bps is None:
        return "unknown"
    return f"{log_funding(leg.shortfall)} ({leg.shortfall_bps:z.2f} bp)"
