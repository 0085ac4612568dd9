from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from hedgerow.domain.execution import ExecutionLimits, ExecutionPlan
from hedgerow.domain.funding import FundingSignal
from hedgerow.domain.instrument import BasisPair, FeeRates, Market
from hedgerow.domain.money import BPS, is_on_grid
from hedgerow.strategy.evaluation.sizing import MARGIN_DRIFT, Funds, opening_plan, slice_notional
from hedgerow.strategy.observation import Opportunity
from support.views import depth, instrument, pair_of

LOTS = st.sampled_from([Decimal(text) for text in ("0.00001", "0.001", "0.00500000", "0.02", "0.1", "1", "5", "10")])
FEES = st.decimals(Decimal(0), Decimal("0.002"), places=5)
PRICES = st.decimals(Decimal("0.01"), Decimal(90_000), places=2)
MONEY = st.decimals(Decimal(25), Decimal(50_000), places=8)
LIMITS = ExecutionLimits()
SIGNAL = FundingSignal(symbol="AAAUSDT", mean=0.0002, stdev=0.0, apr=0.219, periods=10, interval_hours=8)
CAP = LIMITS.price_cap_bps * BPS


@st.composite
def pairs(draw: st.DrawFn) -> BasisPair:
    legs = {
        market: instrument(
            market,
            lot=draw(LOTS),
            min_notional=draw(st.sampled_from([Decimal(1), Decimal(5)])),
            min_quantity=Decimal(0),
            fees=FeeRates(maker=Decimal(0), taker=draw(FEES)),
        )
        for market in Market
    }
    return pair_of(spot=legs[Market.SPOT], perp=legs[Market.PERP])


@given(
    pair=pairs(),
    price=PRICES,
    premium=st.decimals(Decimal("0.99"), Decimal("1.02"), places=4),
    spot=MONEY,
    perp=MONEY,
    fraction=st.sampled_from([Decimal("0.1"), Decimal("0.95"), Decimal(1)]),
)
def test_a_plan_fits_capital_and_wallets_lies_on_the_grids_and_leaves_no_naked_surplus(
    pair: BasisPair, price: Decimal, premium: Decimal, spot: Decimal, perp: Decimal, fraction: Decimal
) -> None:
    capital, bid = min(spot, perp) * fraction, max(price * premium, Decimal("0.01"))
    plan = opening_plan(
        Opportunity(pair=pair, signal=SIGNAL),
        Funds(spot=spot, perp=perp, equity=spot + perp),
        capital,
        spot_depth=depth(Market.SPOT, str(price), quantity="1e9"),
        perp_depth=depth(Market.PERP, str(bid), quantity="1e9"),
        limits=LIMITS,
    )
    if not isinstance(plan, ExecutionPlan):
        return
    short, gross = plan.perp_quantity, plan.spot_quantity
    assert short > 0
    assert short * price <= capital
    assert gross * price * (1 + CAP) <= spot
    assert short * bid * (1 + CAP + pair.perp.fees.taker + MARGIN_DRIFT) <= perp
    assert is_on_grid(short, pair.perp.lot)
    assert is_on_grid(short, pair.spot.lot)
    assert is_on_grid(gross, pair.spot.lot)
    net = gross * (1 - pair.spot.fees.taker)
    assert short <= net < short + pair.spot.lot


@given(
    pair=pairs(),
    price=PRICES,
    notional=st.decimals(Decimal(1), Decimal(100_000), places=2),
    ceiling=st.decimals(Decimal(0), Decimal(5000), places=2),
)
def test_slices_add_up_without_a_remainder_below_the_minimum(
    pair: BasisPair, price: Decimal, notional: Decimal, ceiling: Decimal
) -> None:
    size, lot = slice_notional(pair, notional, price, ceiling), pair.lot_step * price
    least = max(2 * pair.min_notional, 2 * lot)
    assert size >= min(least, notional)
    # Every slice but the last is rounded down to a lot, so the last one is what the others leave.
    whole = size - size % lot
    count = -(-notional // whole)
    last = notional - (count - 1) * whole
    assert last >= min(notional, pair.min_notional) or count == 1
