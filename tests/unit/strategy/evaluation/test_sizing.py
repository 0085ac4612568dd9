from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.account import Balance
from hedgerow.domain.execution import ExecutionLimits, ExecutionPlan
from hedgerow.domain.funding import FundingSignal
from hedgerow.domain.instrument import BasisPair, FeeRates, Market
from hedgerow.domain.market import Depth
from hedgerow.strategy.evaluation.sizing import (
    Funds,
    closing_plan,
    funds_of,
    leg_capital,
    opening_plan,
    slice_notional,
    slice_refusal,
    trimming_plan,
)
from hedgerow.strategy.observation import Opportunity, Refusal, RefusalKind
from hedgerow.strategy.parameters import CapitalManagement
from support.views import account, depth, hedge, holding, instrument, pair_of, short_of

LIMITS = ExecutionLimits()
SIGNAL = FundingSignal(symbol="AAAUSDT", mean=0.0002, stdev=0.0, apr=0.219, periods=10, interval_hours=4)
RICH = Funds(spot=Decimal(1000), perp=Decimal(1000), equity=Decimal(2000))


def plan(
    capital: str = "900",
    *,
    pair: BasisPair | None = None,
    funds: Funds = RICH,
    spot: Depth | None = None,
    perp: Depth | None = None,
    limits: ExecutionLimits = LIMITS,
) -> ExecutionPlan | Refusal:
    return opening_plan(
        Opportunity(pair=pair or pair_of(), signal=SIGNAL),
        funds,
        Decimal(capital),
        spot_depth=spot or depth(Market.SPOT),
        perp_depth=perp or depth(Market.PERP),
        limits=limits,
    )


def sized(found: ExecutionPlan | Refusal) -> ExecutionPlan:
    assert isinstance(found, ExecutionPlan)
    return found


def refused(found: ExecutionPlan | Refusal) -> Refusal:
    assert isinstance(found, Refusal)
    return found


def test_an_opening_keeps_how_far_apart_its_books_were() -> None:
    found = sized(plan(perp=depth(Market.PERP, "99.8")))
    assert found.entry_discount == Decimal("0.002004")


# --- the largest order -----------------------------------------------------------------------------------------------


def test_slices_are_no_larger_than_the_largest_order() -> None:
    limits = ExecutionLimits(max_order_usd=Decimal(60))
    assert sized(plan(limits=limits)).slice_notional <= 60
    closing = closing_plan(
        hedge(), None, price=Decimal(100), limits=limits, interval_hours=8, urgent=False, dust=Decimal(0)
    )
    assert closing.slice_notional <= 60


@pytest.mark.parametrize("known", [True, False], ids=["account read", "account unreadable"])
def test_a_closing_exposes_no_more_at_once_than_the_fraction_of_equity(known: bool) -> None:  # noqa: FBT001 - parametrized
    limits = ExecutionLimits(max_naked_equity_fraction=Decimal("0.1"))
    seen = holding(short_of(quantity="10"), coins="10", usdt="0") if known else None
    found = closing_plan(hedge("10"), seen, price=Decimal(100), limits=limits, interval_hours=8, urgent=False)
    equity = Decimal(2000)  # 1,000 of coins and as much margin; twice the notional where the account is unreadable
    assert Decimal(10) <= found.slice_notional <= equity * limits.max_naked_equity_fraction


def test_a_pair_whose_smallest_slice_is_larger_than_the_largest_order_is_refused() -> None:
    coarse = pair_of(perp=instrument(Market.PERP, lot=Decimal("0.5"), min_quantity=Decimal("0.5")))
    refusal = refused(plan(pair=coarse, limits=ExecutionLimits(max_order_usd=Decimal(99))))
    assert refusal.kind is RefusalKind.FILTER
    assert refusal.detail == "max_order_usd is $99.00, the smallest slice of AAAUSDT is $100.00"
    assert isinstance(plan(pair=coarse, limits=ExecutionLimits(max_order_usd=Decimal(100))), ExecutionPlan)


def test_a_pair_whose_smallest_slice_is_larger_than_the_exposure_allowed_is_refused_with_the_arithmetic() -> None:
    coarse = pair_of(perp=instrument(Market.PERP, lot=Decimal("0.6"), min_quantity=Decimal("0.6")))
    refusal = refused(plan(pair=coarse))
    assert refusal.kind is RefusalKind.FILTER
    assert refusal.detail == (
        "the smallest slice of AAAUSDT is $120.00, max_naked_equity_fraction 0.05 of $2000.00 allows $100.00 unhedged"
    )
    assert isinstance(
        plan(pair=coarse, limits=ExecutionLimits(max_naked_equity_fraction=Decimal("0.06"))), ExecutionPlan
    )


def test_twice_the_minimum_of_the_exchange_may_be_unhedged_whatever_the_equity() -> None:
    limits, least = ExecutionLimits(), Decimal("0.1")
    assert slice_refusal(pair_of(), Decimal(100), least, equity=Decimal(1), limits=limits) is None
    above = slice_refusal(pair_of(), Decimal(100), least + Decimal("0.001"), equity=Decimal(1), limits=limits)
    assert above is not None
    assert above.detail.endswith("max_naked_equity_fraction 0.05 of $1.00 allows $0.05 unhedged")


@pytest.mark.parametrize(("equity", "allowed"), [("5000", "250"), ("6000", "300"), ("10000", "500")])
def test_slices_of_few_lots_stay_within_the_exposure_allowed(equity: str, allowed: str) -> None:
    pair = pair_of(perp=instrument(Market.PERP, lot=Decimal("0.001"), min_quantity=Decimal("0.001")))
    size = slice_notional(pair, Decimal(equity) * Decimal("0.475"), Decimal(102306), Decimal(allowed))
    assert Decimal("204.6") <= size <= Decimal(allowed)


# --- capital --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spot", "perp", "capital"),
    [("100", "200", "95"), ("25", "25", "23.75"), ("24.99", "100", "0"), ("-1", "100", "0")],
)
def test_the_smaller_wallet_times_the_fraction_is_used_and_nothing_below_the_minimum(
    spot: str, perp: str, capital: str
) -> None:
    assert leg_capital(Decimal(spot), Decimal(perp), CapitalManagement()) == Decimal(capital)


def test_the_maximum_is_shared_by_both_legs() -> None:
    limits = CapitalManagement(max_capital_usd=Decimal(500))
    assert leg_capital(Decimal(1000), Decimal(1000), limits) == 250
    assert leg_capital(Decimal(100), Decimal(100), limits) == 95


def test_funds_are_counted_after_rebalancing() -> None:
    funds = funds_of(account(usdt="100", perp="500"))
    assert [funds.spot, funds.perp, funds.equity] == [300, 300, 600]
    assert funds.rebalance is not None
    level = funds_of(account(usdt="100", perp="100.5"))
    assert (level.spot, level.perp, level.rebalance) == (Decimal(100), Decimal("100.5"), None)


# --- opening --------------------------------------------------------------------------------------------------------


def test_the_short_is_sized_by_capital_and_the_spot_grossed_up_for_its_fee_in_coin() -> None:
    found = sized(plan())
    assert found.perp_quantity == Decimal("9.000")
    assert found.spot_quantity == Decimal("9.010")
    assert found.spot_quantity * (1 - Decimal("0.001")) >= found.perp_quantity


def test_a_plan_carries_the_signal_it_was_made_on() -> None:
    found = sized(plan())
    assert (found.entry_rate, found.entry_apr, found.interval_hours, found.leverage) == (0.0002, 0.219, 4, 1)
    assert not found.urgent


def test_a5_the_size_follows_the_capital_and_never_the_coins_of_the_user() -> None:
    rich_in_coins = account(usdt="200", perp="200", coins={"AAA": "4000"})
    funds = funds_of(rich_in_coins)
    capital = leg_capital(funds.spot, funds.perp, CapitalManagement())
    assert sized(plan(str(capital), funds=funds)).perp_quantity == Decimal("1.9")


def test_padded_and_odd_steps_end_on_both_grids() -> None:
    spot, perp = instrument(Market.SPOT, lot=Decimal("0.00100000")), instrument(Market.PERP, lot=Decimal("0.005"))
    found = sized(plan("900.7", pair=pair_of(spot=spot, perp=perp)))
    assert found.perp_quantity == Decimal("9.005")
    assert found.spot_quantity % spot.lot == 0


def test_without_reserve_the_wallets_themselves_are_the_limit() -> None:
    funds = Funds(spot=Decimal(500), perp=Decimal(500), equity=Decimal(1000))
    found = sized(plan("500", funds=funds))
    assert found.spot_quantity * Decimal("100.1") <= 500
    assert found.perp_quantity * 100 * (1 + Decimal("0.001") + Decimal("0.0005") + Decimal("0.005")) <= 500
    assert found.perp_quantity > Decimal("4.9")


def test_less_than_a_lot_is_refused() -> None:
    pair = pair_of(perp=instrument(Market.PERP, lot=Decimal(10)))
    assert refused(plan(pair=pair)).kind is RefusalKind.CAPITAL


@pytest.mark.parametrize("market", list(Market))
def test_an_order_that_a_filter_would_refuse_is_not_planned(market: Market) -> None:
    strict = instrument(market, min_notional=Decimal(901))
    pair = pair_of(spot=strict) if market is Market.SPOT else pair_of(perp=strict)
    # The spot leg is a little larger than the short, hence just large enough for its own minimum.
    found = plan("900", pair=pair)
    if market is Market.SPOT:
        assert sized(found).spot_quantity == Decimal("9.010")
    else:
        assert refused(found).kind is RefusalKind.FILTER


def test_a_spot_minimum_is_a_filter_too() -> None:
    found = refused(plan(pair=pair_of(spot=instrument(Market.SPOT, min_notional=Decimal(1000)))))
    assert found.kind is RefusalKind.FILTER
    assert found.detail.startswith("spot")


def test_the_largest_quantity_of_one_order_is_no_obstacle() -> None:
    pair = pair_of(perp=instrument(Market.PERP, max_quantity=Decimal(1)))
    assert sized(plan(pair=pair)).perp_quantity == 9


def test_a_book_that_does_not_carry_the_size_is_refused() -> None:
    assert refused(plan(spot=depth(Market.SPOT, quantity="8"))).kind is RefusalKind.DEPTH
    assert refused(plan(perp=depth(Market.PERP, quantity="8"))).kind is RefusalKind.DEPTH


def test_an_unreadable_or_empty_book_is_refused() -> None:
    opportunity = Opportunity(pair=pair_of(), signal=SIGNAL)
    empty = Depth(market=Market.PERP, symbol="AAAUSDT", bids=(), asks=(), at=depth(Market.PERP).at)
    for spot, perp in ((None, depth(Market.PERP)), (depth(Market.SPOT), None), (depth(Market.SPOT), empty)):
        found = opening_plan(opportunity, RICH, Decimal(900), spot_depth=spot, perp_depth=perp, limits=LIMITS)
        assert refused(found).kind is RefusalKind.DEPTH


# --- slices ---------------------------------------------------------------------------------------------------------


def test_a_slice_is_at_most_a_share_of_equity_and_of_the_visible_depth() -> None:
    assert sized(plan()).slice_notional <= 100
    thin = sized(plan(spot=depth(Market.SPOT, quantity="10")))
    assert thin.slice_notional <= 200
    shallow = sized(plan("100", spot=depth(Market.SPOT, quantity="2"), perp=depth(Market.PERP, quantity="2")))
    assert shallow.slice_notional <= 40


def test_slices_are_equal_so_that_no_small_remainder_is_left() -> None:
    size = slice_notional(pair_of(), Decimal(901), Decimal(100), Decimal(100))
    count = -(-901 // size)
    assert 901 - (count - 1) * size > 10


def test_a_slice_is_never_below_twice_the_larger_minimum() -> None:
    assert slice_notional(pair_of(), Decimal(95), Decimal(100), Decimal(1)) >= 10
    whole = slice_notional(pair_of(), Decimal(15), Decimal(100), Decimal(1))
    assert whole >= 10


def test_a_lot_worth_more_than_the_ceiling_is_traded_at_least_two_at_a_time() -> None:
    pair = pair_of(perp=instrument(Market.PERP, lot=Decimal(1)))
    assert slice_notional(pair, Decimal(1000), Decimal(100), Decimal(50)) >= 200


# --- closing and trimming -------------------------------------------------------------------------------------------


def closing(coins: str, short: str = "1", *, urgent: bool = False) -> ExecutionPlan:
    seen = holding(short_of(quantity=short), coins=coins)
    return closing_plan(hedge(), seen, price=Decimal(100), limits=LIMITS, interval_hours=8, urgent=urgent)


def test_a5_closing_sells_what_the_ledger_owns_and_never_the_coins_beside_it() -> None:
    found = closing("2000")
    assert found.spot_quantity == found.perp_quantity == 1


def test_closing_sells_the_dust_of_earlier_hedges_of_the_coin_with_it() -> None:
    seen, kept = holding(short_of(quantity="1"), coins="2000"), Decimal("0.0307")
    found = closing_plan(hedge(), seen, price=Decimal(100), limits=LIMITS, interval_hours=8, urgent=False, dust=kept)
    assert (found.spot_quantity, found.perp_quantity) == (Decimal("1.030"), Decimal(1))


def test_closing_sells_no_more_than_the_balance_holds_and_on_the_lot() -> None:
    assert closing("0.9996").spot_quantity == Decimal("0.999")


def test_closing_counts_coins_that_are_still_locked_in_an_order() -> None:
    seen = holding(short_of(quantity="1"), coins="1")
    locked = Balance(asset="AAA", free=Decimal("0.8"), locked=Decimal("0.2"))
    lagging = replace(seen, spot={**seen.spot, "AAA": locked})
    found = closing_plan(hedge(), lagging, price=Decimal(100), limits=LIMITS, interval_hours=8, urgent=False)
    assert found.spot_quantity == found.perp_quantity == 1, "nothing of the short is bought back ahead of the coins"


def test_closing_buys_back_no_more_than_the_account_is_short() -> None:
    assert closing("1", short="0.4").perp_quantity == Decimal("0.4")
    assert closing("1", short="5").perp_quantity == 1


def test_closing_without_a_readable_account_trusts_the_ledger() -> None:
    found = closing_plan(hedge(), None, price=Decimal(100), limits=LIMITS, interval_hours=4, urgent=True)
    assert found.spot_quantity == found.perp_quantity == 1
    assert (found.urgent, found.interval_hours) == (True, 4)
    assert found.slice_notional <= Decimal("10.1")


@pytest.mark.parametrize(
    ("coins", "short", "sold"), [("5.97", "0", "5.97"), ("5.97", "5", "5.97"), ("5.2", "0", "5"), ("0.97", "0", "0")]
)
def test_coins_worth_a_trade_that_an_old_lot_leaves_over_are_not_left_as_dust(
    coins: str, short: str, sold: str
) -> None:
    pair = pair_of(spot=instrument(Market.SPOT, lot=Decimal(1), min_quantity=Decimal(1)))
    seen = holding(short_of(quantity=short), coins=coins)
    held = hedge(coins, pair=pair)
    found = closing_plan(held, seen, price=Decimal(100), limits=LIMITS, interval_hours=8, urgent=True)
    assert found.spot_quantity == Decimal(sold)


def test_a_trim_moves_one_leg_in_one_slice() -> None:
    found = trimming_plan(pair_of(), spot=Decimal("0.05"), price=Decimal(100))
    assert (found.spot_quantity, found.perp_quantity, found.urgent) == (Decimal("0.05"), Decimal(0), True)
    assert found.slice_notional >= 5


def test_a_coin_fee_of_zero_needs_no_gross_up() -> None:
    free = instrument(Market.SPOT, fees=FeeRates(maker=Decimal(0), taker=Decimal(0)))
    assert sized(plan(pair=pair_of(spot=free))).spot_quantity == 9
