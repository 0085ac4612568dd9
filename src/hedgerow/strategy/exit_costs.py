"""Exit costs: the spread of closing now, and how long an exit that is not urgent waits for it to fall."""

from datetime import timedelta
from decimal import Decimal
from math import inf
from typing import Final

from hedgerow.domain.execution import ExecutionPlan
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.market import Depth, MarketView
from hedgerow.domain.money import BPS, ONE, ZERO
from hedgerow.domain.position import HedgedPosition
from hedgerow.strategy import rules

__all__ = ["LONGEST_WAIT", "average_price", "exit_cost", "quoted_exit_cost"]

LONGEST_WAIT: Final = timedelta(hours=8)
"""Then it is closed whatever it costs: one settlement of the slowest pairs has passed."""


def exit_cost(
    hedge: HedgedPosition, plan: ExecutionPlan, spot: Depth | None, perp: Depth | None, cap_bps: Decimal
) -> float | None:
    """Return the cost of closing on these books, as a fraction of one leg; None when one of them shows no price."""
    if spot is None or perp is None or spot.mid is None or perp.mid is None:
        return None
    bid = average_price(spot, Side.SELL, plan.spot_quantity, cap_bps) or spot.mid
    ask = average_price(perp, Side.BUY, plan.perp_quantity, cap_bps) or perp.mid
    basis = float((perp.mid - spot.mid) / spot.mid)
    entry_basis = _entry_basis(hedge)
    return rules.exit_cost(
        float((spot.mid - bid) / spot.mid),
        float((ask - perp.mid) / perp.mid),
        basis,
        basis if entry_basis is None else entry_basis,
    )


def quoted_exit_cost(hedge: HedgedPosition, market: MarketView | None) -> float:
    """Return what closing costs at the quotes, fees included, as a fraction of one leg; infinite without a quote."""
    spot = market.quote(Market.SPOT, hedge.symbol) if market else None
    perp = market.quote(Market.PERP, hedge.symbol) if market else None
    bid, ask = spot.touch(Side.SELL) if spot else None, perp.touch(Side.BUY) if perp else None
    if spot is None or perp is None or not bid or not ask or not spot.mid or not perp.mid:
        return inf
    prices = (spot.mid - bid) / spot.mid + (ask - perp.mid) / perp.mid
    return float(prices + hedge.pair.spot.fees.taker + hedge.pair.perp.fees.taker)


def average_price(depth: Depth, side: Side, quantity: Decimal, cap_bps: Decimal | None = None) -> Decimal | None:
    """Return the average price of ``quantity``, of what is visible within the cap; None for nothing."""
    touch = depth.touch(side)
    if touch is None or quantity <= 0:
        return None
    limit = None if cap_bps is None else touch * (ONE + side.sign * cap_bps * BPS)
    taken = cost = ZERO
    for level in depth.levels(side):
        part = min(level.quantity, quantity - taken)
        if part <= 0 or (limit is not None and (level.price - limit) * side.sign > 0):
            break
        taken, cost = taken + part, cost + part * level.price
    return cost / taken if taken else None


def _entry_basis(hedge: HedgedPosition) -> float | None:
    """Return the basis between the middles of both books at the opening; None for a hedge that was adopted."""
    quality = hedge.opening_quality
    if quality is None or not quality.spot.arrival or not quality.perp.arrival:
        return None
    return float((quality.perp.arrival - quality.spot.arrival) / quality.spot.arrival)
