"""Position sizing: capital per leg, quantities on the grids, margin, slices."""

from collections.abc import Collection
from decimal import ROUND_CEILING, Decimal

from msgspec import Struct

from hedgerow.domain.account import AccountView
from hedgerow.domain.execution import ExecutionLimits, ExecutionPlan
from hedgerow.domain.formats import log_money
from hedgerow.domain.instrument import BasisPair, Instrument, Market, Side
from hedgerow.domain.market import Depth
from hedgerow.domain.money import BPS, ONE, ZERO, floor_to_step
from hedgerow.domain.position import HedgedPosition
from hedgerow.strategy.evaluation.dust import dust_limit
from hedgerow.strategy.evaluation.rebalancing import rebalance
from hedgerow.strategy.evaluation.screening import depth_refusal
from hedgerow.strategy.evidence.absence import at_most_shown, shown_coins, shown_short
from hedgerow.strategy.evidence.prices import SaleBounds
from hedgerow.strategy.observation import Opportunity, Rebalance, Refusal, RefusalKind
from hedgerow.strategy.parameters import LEVERAGE, CapitalManagement

__all__ = [
    "MARGIN_DRIFT",
    "Funds",
    "closing_plan",
    "funds_of",
    "leg_capital",
    "opening_plan",
    "reducing_plan",
    "slice_notional",
    "slice_refusal",
    "trimming_plan",
]

MARGIN_DRIFT = Decimal("0.005")
"""Part of the notional kept free as margin for a move of the mark between sizing and fill."""
CENT = Decimal("0.01")
BASIS_STEP = Decimal("0.000001")


class Funds(Struct, frozen=True, kw_only=True):
    """Money of both wallets once the transfer went through, quote units."""

    spot: Decimal
    perp: Decimal
    equity: Decimal
    """USDT of both wallets with the result of the shorts, and the coins of held hedges at the marks of their shorts."""
    rebalance: Rebalance | None = None


def funds_of(account: AccountView, hedged: Collection[str] = ()) -> Funds:
    """Return what is free in both wallets after rebalancing beside ``hedged``, the symbols of hedges."""
    move = rebalance(account, hedged)
    to_perp = move.to_perp if move else ZERO
    return Funds(
        spot=account.spot_usdt - to_perp,
        perp=account.perp.transferable + to_perp,
        equity=account.spot_usdt + account.perp.margin_balance,
        rebalance=move,
    )


def leg_capital(spot: Decimal, perp: Decimal, limits: CapitalManagement) -> Decimal:
    """Return the quote units to commit per leg; zero when both legs together are below the minimum."""
    smaller = min(spot, perp)
    if smaller <= 0 or 2 * smaller < limits.min_capital_usd:
        return ZERO
    capital = smaller * limits.capital_fraction
    return capital if limits.max_capital_usd is None else min(capital, limits.max_capital_usd / 2)


def opening_plan(
    opportunity: Opportunity,
    funds: Funds,
    capital: Decimal,
    *,
    spot_depth: Depth | None,
    perp_depth: Depth | None,
    limits: ExecutionLimits,
) -> ExecutionPlan | Refusal:
    """Size a hedge of ``capital`` quote units per leg, or say why it cannot be opened."""
    pair, signal = opportunity.pair, opportunity.signal
    ask = spot_depth.touch(Side.BUY) if spot_depth else None
    bid = perp_depth.touch(Side.SELL) if perp_depth else None
    if spot_depth is None or perp_depth is None or ask is None or bid is None:
        unreadable = depth_refusal(spot_depth, perp_depth, capital, limits)
        return unreadable or Refusal(kind=RefusalKind.DEPTH, detail="a book is empty")
    quantity = _quantity(pair, funds, capital, ask=ask, bid=bid, limits=limits)
    gross = pair.gross_spot_for(quantity)
    refusal = (
        _too_small(pair, quantity, capital)
        or _filter_refusal(pair.spot, gross, ask)
        or _filter_refusal(pair.perp, quantity, bid)
        or depth_refusal(spot_depth, perp_depth, quantity * ask, limits)
        or slice_refusal(pair, ask, min(2 * pair.lot_step, quantity), equity=funds.equity, limits=limits)
    )
    if refusal:
        return refusal
    spot_shown = spot_depth.notional_within(Side.BUY, limits.price_cap_bps)
    perp_shown = perp_depth.notional_within(Side.SELL, limits.price_cap_bps)
    visible = min(spot_shown, perp_shown) * limits.slice_depth_fraction
    exposed = min(funds.equity * limits.max_naked_equity_fraction, visible)
    ceiling = _at_most(exposed, limits.max_order_usd)
    return ExecutionPlan(
        spot_quantity=gross,
        perp_quantity=quantity,
        slice_notional=slice_notional(pair, gross * ask, ask, ceiling),
        lead=Market.PERP if perp_shown < spot_shown else Market.SPOT,
        leverage=LEVERAGE,
        entry_rate=signal.mean,
        entry_apr=signal.apr,
        interval_hours=signal.interval_hours,
        entry_discount=(ask / bid - 1).quantize(BASIS_STEP),
    )


def closing_plan(  # noqa: PLR0913 - keyword-only, and each is one fact of the closing
    hedge: HedgedPosition,
    account: AccountView | None,
    *,
    price: Decimal,
    limits: ExecutionLimits,
    interval_hours: int,
    urgent: bool,
    dust: Decimal = ZERO,
    bounds: SaleBounds | None = None,
    others: Decimal = ZERO,
) -> ExecutionPlan:
    """Plan to sell the hedge's own coins and buy back its own short, never more than the account still has.

    ``hedge`` carries the pair as it is listed now: see ``Observation.as_listed``. ``dust`` are coins that the ledger
    kept of earlier hedges of the same coin: they are sold with these. ``bounds`` are the worst prices; None = only the
    caps count. ``others`` is what the coins of other hedges are worth, quote units: they are equity as well.
    """
    spot, short = hedge.spot_quantity + dust, hedge.short
    if account is not None:
        # Coins locked in an order are held: a balance that lags shows those of our own last one, and a plan without
        # them would buy back their part of the short first.
        spot = at_most_shown(spot, shown_coins(hedge, account))
        short = at_most_shown(short, shown_short(hedge, account))
    seen = shown_short(hedge, account) if account is not None else None
    whole = seen is not None and seen <= hedge.short
    spot = _to_sell(hedge.pair.spot, max(ZERO, spot), price=price, hedged=short > 0)
    notional = max(spot, short) * price
    equity = hedge.entry_notional * 2
    if account is not None:
        equity = account.spot_usdt + account.perp.margin_balance + hedge.spot_quantity * price + others
    return ExecutionPlan(
        spot_quantity=spot,
        perp_quantity=short,
        slice_notional=slice_notional(
            hedge.pair, notional, price, _at_most(equity * limits.max_naked_equity_fraction, limits.max_order_usd)
        ),
        interval_hours=interval_hours,
        whole_short=whole,
        urgent=urgent,
        spot_floor=bounds.spot_floor if bounds else None,
        perp_ceiling=bounds.perp_ceiling if bounds else None,
    )


def _to_sell(spot: Instrument, coins: Decimal, *, price: Decimal, hedged: bool) -> Decimal:
    """Return the coins that a closing plans to sell: what the lot leaves over is dust, unless that is a naked leg.

    The lot may be finer than the listing that is known says; a plan of less than a lot needs a short beside it.
    """
    sellable = spot.floor_quantity(coins)
    naked = (coins - sellable) * price > dust_limit(coins * price)
    return coins if naked and (hedged or sellable > 0) else sellable


def trimming_plan(
    pair: BasisPair,
    *,
    spot: Decimal = ZERO,
    perp: Decimal = ZERO,
    price: Decimal,
    bounds: SaleBounds | None = None,
) -> ExecutionPlan:
    """Plan to reduce one leg by a quantity on its lot, in one slice."""
    return ExecutionPlan(
        spot_quantity=spot,
        perp_quantity=perp,
        slice_notional=slice_notional(pair, (spot + perp) * price, price, (spot + perp) * price),
        urgent=True,
        spot_floor=bounds.spot_floor if bounds else None,
    )


def reducing_plan(
    hedge: HedgedPosition, quantity: Decimal, *, price: Decimal, equity: Decimal, limits: ExecutionLimits
) -> ExecutionPlan:
    """Plan to close ``quantity`` of both legs, in slices of at most the exposure allowed of ``equity``."""
    return ExecutionPlan(
        spot_quantity=quantity,
        perp_quantity=quantity,
        slice_notional=slice_notional(hedge.pair, quantity * price, price, equity * limits.max_naked_equity_fraction),
        urgent=True,
    )


def slice_notional(pair: BasisPair, notional: Decimal, price: Decimal, ceiling: Decimal) -> Decimal:
    """Return the size of equal slices: at most ``ceiling``, at least twice the larger minimum, no small remainder.

    One lot is kept aside, so that slices rounded down to the lot still add up in the same number.
    """
    lot = pair.lot_step * price
    least = max(2 * pair.min_notional, 2 * lot)
    largest = max(ceiling, least) - lot
    count = max(1, min(_ceil(notional / largest), int(notional / least)))
    size = (notional / count + lot).quantize(CENT, rounding=ROUND_CEILING)
    return max(min(size, max(ceiling, least).quantize(CENT, rounding=ROUND_CEILING)), CENT)


def _at_most(value: Decimal, limit: Decimal | None) -> Decimal:
    return value if limit is None else min(value, limit)


def slice_refusal(
    pair: BasisPair, price: Decimal, quantity: Decimal, *, equity: Decimal, limits: ExecutionLimits
) -> Refusal | None:
    """Return why a slice of ``quantity``, the smallest there can be, is above what the settings allow.

    Twice the exchange's minimum may always be unhedged: nothing smaller can be traded on both markets.
    """
    least = 2 * max(pair.min_notional, pair.lot_step * price)
    if limits.max_order_usd is not None and limits.max_order_usd < least:
        most = log_money(limits.max_order_usd)
        text = f"max_order_usd is {most}, the smallest slice of {pair.symbol} is {log_money(least)}"
        return Refusal(kind=RefusalKind.FILTER, detail=text)
    exposed, allowed = quantity * price, equity * limits.max_naked_equity_fraction
    if exposed <= max(allowed, 2 * pair.min_notional):
        return None
    text = (
        f"the smallest slice of {pair.symbol} is {log_money(exposed)}, max_naked_equity_fraction"
        f" {limits.max_naked_equity_fraction} of {log_money(equity)} allows {log_money(allowed)} unhedged"
    )
    return Refusal(kind=RefusalKind.FILTER, detail=text)


def _ceil(value: Decimal) -> int:
    return int(value.to_integral_value(rounding=ROUND_CEILING))


def _quantity(
    pair: BasisPair, funds: Funds, capital: Decimal, *, ask: Decimal, bid: Decimal, limits: ExecutionLimits
) -> Decimal:
    """Return the largest quantity on both grids that capital, spot money and margin allow."""
    cap = limits.price_cap_bps * BPS
    dearest = ask * (ONE + cap)
    affordable = (funds.spot / dearest - pair.spot.lot) * (ONE - pair.spot.fees.taker)
    margin_each = bid / LEVERAGE * (ONE + cap + pair.perp.fees.taker + MARGIN_DRIFT)
    quantity = min(capital / ask, affordable, funds.perp / margin_each)
    return floor_to_step(max(ZERO, quantity), pair.lot_step)


def _too_small(pair: BasisPair, quantity: Decimal, capital: Decimal) -> Refusal | None:
    if quantity > 0:
        return None
    text = f"{log_money(capital)} per leg is less than one lot of {pair.lot_step}"
    return Refusal(kind=RefusalKind.CAPITAL, detail=text)


def _filter_refusal(leg: Instrument, quantity: Decimal, price: Decimal) -> Refusal | None:
    # Slices may be smaller than the whole, so the maximum per order is no obstacle here.
    slice_quantity = min(quantity, leg.floor_quantity(leg.max_quantity))
    violation = leg.accepts(quantity=slice_quantity, price=leg.round_price(price, Side.BUY))
    return Refusal(kind=RefusalKind.FILTER, detail=f"{leg.market}: {violation}") if violation else None
