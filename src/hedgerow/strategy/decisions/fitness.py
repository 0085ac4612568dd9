"""Whether a position found on the venue can be adopted as it is: account modes, margin, one underlying."""

from hedgerow.domain.account import AccountView, MarginType
from hedgerow.domain.market import MarketView
from hedgerow.strategy.decisions.verdicts import Candidate
from hedgerow.strategy.evidence.underlying import HELD_BOUND, divergence, mismatch

__all__ = ["unfit"]


def unfit(candidate: Candidate, account: AccountView, market: MarketView) -> str | None:
    """Return why a position may not be adopted; None = it may.

    The sentences name no prices, so that two readings of the same state are equal. Leverage is not judged here: it is
    set to 1 before the position is adopted.
    """
    position = account.positions.get(candidate.symbol)
    if not account.one_way:
        return "hedge mode is on; one-way position mode is needed"
    if not account.single_asset:
        return "multi-assets mode is on; single-asset mode is needed"
    if position is not None and position.margin_type is not MarginType.CROSSED:
        return "its margin is isolated, and cannot be changed while it is open; crossed margin is needed"
    apart = mismatch(candidate.pair, market, HELD_BOUND) or divergence(candidate.symbol, market)
    if apart is not None:
        bound = f"{HELD_BOUND:.0%}"
        return f"its legs may not be one coin: spot, perpetual and a readable index price must agree within {bound}"
    return None
