from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.funding import FundingSignal
from hedgerow.domain.market import MarketView
from hedgerow.strategy.evaluation.exits import PROFIT_ORDER, REASONS, SAFETY_ORDER, ExitCode, emergency, evaluate, flags
from hedgerow.strategy.observation import Evaluation, Observation
from hedgerow.strategy.parameters import PositionManagement, RiskManagement, StopOn
from support.views import NOW, FixedMarket, account, hedge, holding, listing, market_of, pair_of, short_of

SIGNAL = FundingSignal(symbol="AAAUSDT", mean=0.0002, stdev=0.0, apr=0.219, periods=10, interval_hours=8)
GUIDE = PositionManagement()


def seen(market: MarketView | None, **changes: object) -> Observation:
    return Observation(at=NOW, market=market, account=changes.get("account", holding()))  # type: ignore[arg-type] # as named


def at(spot: str, perp: str, *, interval: int = 8) -> FixedMarket:
    return market_of(listing(pair=pair_of(), spot=(spot, spot), perp=(perp, perp), mark=perp, interval=interval))


def judged(spot: str = "100", perp: str = "100", *, stop_on: StopOn = StopOn.PAIR, **changes: object) -> Evaluation:
    return evaluate(hedge(**changes), seen(at(spot, perp)), SIGNAL, stop_on)  # type: ignore[arg-type] # as in hedge()


# --- the numbers ----------------------------------------------------------------------------------------------------


def test_unrealized_pnl_is_both_legs_plus_funding_less_entry_fees_on_the_entry_notional() -> None:
    found = judged("103", "102", funding="0.5")
    assert found.unrealized_pnl == Decimal(103 - 102) + Decimal("0.5") - Decimal("0.15")
    assert found.pnl_fraction == pytest.approx(0.0135)
    assert found.position_value == 103


def test_coverage_is_funding_over_entry_and_expected_exit_fees() -> None:
    found = judged(funding="0.45")
    assert found.exit_fees == Decimal("0.15")
    assert found.total_fees == Decimal("0.30")
    assert found.coverage == pytest.approx(1.5)


def test_exit_fees_follow_the_commission_in_force_now() -> None:
    market = at("100", "100")
    pair = market.pairs[0]
    dearer = replace(pair, spot=replace(pair.spot, fees=replace(pair.spot.fees, taker=Decimal("0.01"))))
    found = evaluate(hedge(), seen(replace(market, pairs=(dearer,))), SIGNAL)
    assert found.exit_fees == Decimal("1.05")


def test_a_pair_without_any_fee_has_no_coverage_ratio() -> None:
    market = at("100", "100")
    pair = market.pairs[0]
    none = replace(pair.spot.fees, taker=Decimal(0))
    free = replace(pair, spot=replace(pair.spot, fees=none), perp=replace(pair.perp, fees=none))
    found = evaluate(hedge(fees="0"), seen(replace(market, pairs=(free,))), SIGNAL)
    assert found.coverage is None


def test_b7_funding_periods_use_the_interval_in_force_even_when_it_changed_while_held() -> None:
    found = evaluate(hedge(hours=6), seen(at("100", "100", interval=4)), SIGNAL)
    assert (found.interval_hours, found.funding_periods) == (4, 1.5)
    unannounced = replace(at("100", "100"), predictions={})
    assert evaluate(hedge(hours=6), seen(unannounced), SIGNAL).interval_hours == 8
    assert evaluate(hedge(hours=6), seen(None), None).interval_hours == 8


def test_counters_start_again_with_a_roll_but_the_age_does_not() -> None:
    rolled = hedge(hours=30, funding="2", funding_before_roll=Decimal("1.5"), counted_from=NOW - timedelta(hours=2))
    found = evaluate(rolled, seen(at("100", "100")), SIGNAL)
    assert (found.age_hours, found.counted_hours, found.funding_received) == (30, 2, Decimal("0.5"))


# --- what cannot be seen --------------------------------------------------------------------------------------------


def test_a_one_sided_spot_book_falls_back_on_the_index_and_says_so() -> None:
    market = market_of(listing(pair=pair_of(), spot=("90", None), mark="91"))
    found = evaluate(hedge(), seen(market), SIGNAL)
    assert found.spot_price == 91
    assert found.unseen == ("spot book (index price used)",)


def test_an_unreadable_perpetual_book_falls_back_on_the_mark() -> None:
    market = market_of(listing(pair=pair_of(), perp=None, mark="91"))
    found = evaluate(hedge(), seen(market), SIGNAL)
    assert found.perp_price == 91
    assert found.unseen == ("perpetual book (mark price used)",)


def test_without_a_market_pnl_is_unknown_and_never_zero() -> None:
    found = evaluate(hedge(), seen(None), None)
    assert found.perp_price == 100
    unknown = (found.unrealized_pnl, found.pnl_fraction, found.exit_fees, found.total_fees, found.coverage)
    assert unknown == (None,) * 5
    assert found.unseen == ("spot book", "perpetual book (mark price used)")
    assert not emergency(found, RiskManagement())


@pytest.mark.parametrize("blind", [None, account(), account(short_of(mark_price=Decimal(0)))])
def test_nothing_seen_is_said(blind: object) -> None:
    found = evaluate(hedge(), seen(None, account=blind), None, StopOn.PERP_LEG)
    assert found.unseen == ("spot book", "perpetual book")
    assert found.stop_pnl is None


# --- the emergency stop ---------------------------------------------------------------------------------------------


def test_a4_the_stop_fires_at_its_own_level_at_one_x() -> None:
    # Entry 100 per leg, fee 0.15: the pair loses 10 % when the basis moved by 9.85.
    assert not emergency(judged("100", "109.85"), RiskManagement())
    assert emergency(judged("100", "109.86"), RiskManagement())


def test_a4_a_short_that_doubles_while_the_hedge_is_flat_stops_nothing() -> None:
    assert not emergency(judged("195", "195"), RiskManagement())


def test_the_literal_reading_watches_the_short_alone() -> None:
    assert not emergency(judged("110", "110", stop_on=StopOn.PERP_LEG), RiskManagement())
    assert emergency(judged("110.01", "110.01", stop_on=StopOn.PERP_LEG), RiskManagement())


def test_a6_the_denominator_of_the_stop_is_fixed_at_entry() -> None:
    # At a price of 300 a denominator that drifts with the value would let the pair lose three times as much.
    assert emergency(judged("300", "310"), RiskManagement())
    assert judged("300", "310").entry_notional == 100


# --- the ordered reasons --------------------------------------------------------------------------------------------


def holds(found: Evaluation, *, best: float | None = None, exit_apr: float = 0.0) -> set[ExitCode]:
    return {ExitCode(i) for i, held in enumerate(flags(found, GUIDE, best_apr=best, exit_apr=exit_apr)) if held}


def test_a_young_pair_that_earns_has_no_reason_to_leave() -> None:
    assert holds(judged()) == set()


def test_fees_covered_is_exact() -> None:
    assert holds(judged(funding="0.4499")) == set()
    assert holds(judged(funding="0.45")) == {ExitCode.FEES_COVERED}


def test_a11_unknown_history_never_counts_as_covered() -> None:
    assert holds(judged(funding="9", history_known=False)) == set()


def test_fees_are_not_covered_when_exit_fees_are_unknown() -> None:
    assert holds(evaluate(hedge(funding="9"), seen(None), SIGNAL)) == set()


def test_a_day_is_old() -> None:
    assert holds(judged(hours=23.99)) == set()
    assert holds(judged(hours=24)) == {ExitCode.AGE}


def test_ten_points_more_after_four_hours_is_better() -> None:
    assert holds(judged(hours=4), best=0.3191) == {ExitCode.BETTER_PAIR}
    assert holds(judged(hours=3.9), best=0.9) == set()
    assert holds(judged(hours=4), best=0.318) == set()


def test_b3_funding_that_turned_negative_is_left() -> None:
    negative = replace(SIGNAL, mean=-0.0001, apr=-0.1)
    found = evaluate(hedge(), seen(at("100", "100")), negative)
    assert holds(found) == {ExitCode.NEGATIVE_FUNDING}
    assert holds(found, exit_apr=-0.2) == set()


def test_without_a_signal_neither_a_better_pair_nor_negative_funding_is_decided() -> None:
    found = evaluate(hedge(hours=10), seen(at("100", "100")), None)
    assert holds(found, best=5.0) == set()


def test_the_order_of_reasons_is_the_guides() -> None:
    assert [REASONS[code].value for code in (*SAFETY_ORDER, *PROFIT_ORDER)] == [
        "emergency stop",
        "health",
        "fees covered",
        "maximum age",
        "better pair",
        "negative funding",
    ]


@pytest.mark.parametrize("stop_on", list(StopOn))
def test_a_hedge_whose_entry_value_is_unknown_has_no_profit_and_is_not_stopped(stop_on: StopOn) -> None:
    found = judged("50", "150", stop_on=stop_on, entry_notional=Decimal(0))
    assert (found.unrealized_pnl, found.pnl_fraction, found.stop_pnl) == (None, None, None)
    assert found.unseen == ("the price of own fills (profit unknown)",)
    assert not found.history_known
    assert not emergency(found, RiskManagement())
    assert found.age_hours == 1
