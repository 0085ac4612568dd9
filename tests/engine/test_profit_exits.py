"""The guide, decided: fee coverage, better pair, age and negative funding, through the whole bot."""

from datetime import timedelta
from decimal import Decimal

import pytest

from hedgerow.domain.events import HedgeRolled, TargetDecided
from hedgerow.domain.instrument import Market
from hedgerow.domain.position import Reason
from hedgerow.engine.notices import Evaluated
from hedgerow.strategy.observation import Close, Open, Roll
from hedgerow.strategy.parameters import (
    FundingRateStrategy,
    PositionManagement,
    RiskManagement,
    SamePair,
    StopOn,
    StrategyParameters,
)
from support.bot_harness import OPENED, BotHarness
from support.worlds import START, SYMBOL, Listing, ScriptedMarketData

OTHER, THIRD = "BBBUSDT", "CCCUSDT"
COVERS = "0.004"
"""A rate of which one payment covers the fees of a round trip 1.5 times."""


def _parameters(**management: object) -> StrategyParameters:
    return StrategyParameters(position_management=PositionManagement(**management))  # type: ignore[arg-type] # a test's shorthand


def _opened(harness: BotHarness) -> list[str]:
    """Return the symbols of all openings, oldest first."""
    return [decision.opportunity.symbol for decision in harness.decisions(Open)]


# --- fee coverage ----------------------------------------------------------------------------------------------------


def test_covered_fees_close_the_hedge_and_the_line_says_what_reopening_costs() -> None:
    harness = BotHarness(ScriptedMarketData([Listing(rate=COVERS)]))
    harness.run(7.2)
    assert harness.reasons == [Reason.FEES_COVERED]
    closing = harness.decisions(Close)[0]
    assert closing.reopening_cost is not None
    assert closing.reopening_cost > 0
    closed = harness.ledger.closed[0]
    assert closed.funding >= Decimal("1.5") * closed.fees
    assert _opened(harness) == [SYMBOL, SYMBOL]  # the guide's own way: the same pair is opened again
    harness.check_whole()


def test_funding_of_less_than_the_multiple_of_all_fees_keeps_the_hedge() -> None:
    market_data = ScriptedMarketData([Listing(rate="0.002")])
    harness = BotHarness(market_data, parameters=_parameters(fee_coverage_multiplier=1.5))
    harness.run(8)
    evaluation = harness.notices_of(Evaluated)[-1].evaluation
    assert evaluation.coverage == pytest.approx(float(evaluation.funding_received / (evaluation.total_fees or 0)))
    assert evaluation.coverage is not None
    assert 1 < evaluation.coverage < 1.5
    assert harness.reasons == []
    harness.parameters = _parameters(fee_coverage_multiplier=1.2)
    harness.run(0.2)
    assert harness.reasons == [Reason.FEES_COVERED]


def test_coverage_counts_real_entry_fees_and_expected_exit_fees() -> None:
    harness = BotHarness()
    harness.run(0.5)
    evaluation, fills = harness.notices_of(Evaluated)[-1].evaluation, []
    for market in Market:
        fills += [*harness.world.fills(market, SYMBOL, START)]
    paid = sum(fill.fee_in_quote("AAA", "USDT") for fill in fills)
    assert evaluation.entry_fees == paid
    hedge = harness.hedge
    expected = hedge.spot_quantity * 100 * Decimal("0.0004") + hedge.short * 100 * Decimal("0.00035")
    assert evaluation.exit_fees == pytest.approx(expected, rel=Decimal("1e-4"))


def test_roll_keeps_a_covered_pair_that_is_still_the_best_and_restarts_the_counters() -> None:
    harness = BotHarness(ScriptedMarketData([Listing(rate=COVERS)]), parameters=_parameters(same_pair=SamePair.ROLL))
    harness.run(10)
    assert len(harness.logged(HedgeRolled)) == 1
    assert harness.reasons == []
    assert len(_opened(harness)) == 1
    orders = len(harness.venue.orders)
    evaluation = harness.notices_of(Evaluated)[-1].evaluation
    assert evaluation.funding_received == 0
    assert evaluation.counted_hours == pytest.approx(3, abs=0.1)
    assert evaluation.age_hours == pytest.approx(10, abs=0.1)
    assert harness.hedge.funding_received > 0  # what was received stays received
    harness.run(22)  # rolled again at 16:00, 00:00 and 08:00: never as old as 24 h by its counters
    assert len(harness.venue.orders) == orders
    assert len(harness.logged(HedgeRolled)) == 4
    harness.check_whole()


def test_roll_closes_when_another_pair_has_become_the_best() -> None:
    market_data = ScriptedMarketData([Listing(rate=COVERS), Listing(OTHER, rate="0.0039")])
    market_data.set_rate(OPENED, "0.006", symbol=OTHER)
    harness = BotHarness(market_data, parameters=_parameters(same_pair=SamePair.ROLL, better_opportunity_apr=99.0))
    harness.run(7.2)
    assert harness.reasons == [Reason.FEES_COVERED]
    assert harness.decisions(Roll) == []
    assert _opened(harness) == [SYMBOL, OTHER]
    harness.check_whole()


# --- better pair -----------------------------------------------------------------------------------------------------


def _with_better(gain_rate: str, *, since_hours: float = 0.0) -> ScriptedMarketData:
    """Return a tape on which, with one print per signal, OTHER settles ``gain_rate`` from a time after the start on."""
    market_data = ScriptedMarketData(
        [Listing(rate="0.0003", interval_hours=1), Listing(OTHER, rate="0.0002", interval_hours=1)]
    )
    market_data.set_rate(OPENED + timedelta(hours=since_hours, minutes=1), gain_rate, symbol=OTHER)
    return market_data


def _one_print(**management: object) -> StrategyParameters:
    chosen: dict[str, object] = {"fee_coverage_multiplier": 1000, **management}
    return StrategyParameters(
        funding_rate_strategy=FundingRateStrategy(funding_ma_periods=1),
        position_management=PositionManagement(**chosen),  # type: ignore[arg-type] # a test's shorthand
    )


def test_another_pair_that_pays_ten_points_more_is_taken_after_four_hours_not_before() -> None:
    harness = BotHarness(_with_better("0.0004"), parameters=_one_print())
    harness.run(3.9)
    assert harness.reasons == []
    harness.run(0.4)
    assert harness.reasons == [Reason.BETTER_PAIR]
    assert harness.ledger.closed[0].closed_at >= harness.ledger.closed[0].hedge.opened_at + timedelta(hours=4)
    assert _opened(harness) == [SYMBOL, OTHER]
    assert harness.logged(TargetDecided)[0].symbol == OTHER
    assert harness.ledger.target is None
    harness.check_whole()


def test_a_gain_of_less_than_ten_points_is_not_worth_it() -> None:
    harness = BotHarness(_with_better("0.000311"), parameters=_one_print())  # 9.6 points more
    harness.run(6)
    assert harness.reasons == []


def test_the_held_pair_itself_is_never_the_better_one() -> None:
    harness = BotHarness(
        ScriptedMarketData([Listing(interval_hours=1)]), parameters=_one_print(better_opportunity_apr=0.0)
    )
    harness.run(6)
    assert harness.reasons == []


def test_the_held_pairs_present_signal_counts_not_that_of_its_entry() -> None:
    market_data = _with_better("0.0004")
    market_data.set_rate(OPENED + timedelta(minutes=1), "0.0004")  # the held pair pays more too, since its entry
    harness = BotHarness(market_data, parameters=_one_print())
    harness.run(6)
    assert harness.reasons == []
    market_data.set_rate(OPENED + timedelta(hours=6, minutes=1), "0.00025")
    harness.run(1.5)
    assert harness.reasons == [Reason.BETTER_PAIR]


def test_a_better_pair_that_an_entry_filter_refuses_is_no_reason_to_leave() -> None:
    market_data = _with_better("0.0009")
    market_data.set_volume(1_000, symbol=OTHER)
    harness = BotHarness(market_data, parameters=_one_print())
    harness.run(6)
    assert harness.reasons == []
    harness.check_whole()


def _delayed_opening(*, third_rate: str, pause_hours: float) -> BotHarness:
    """Leave for OTHER while the account's mode forbids to open it, and make THIRD better still before it is allowed."""
    market_data = ScriptedMarketData(
        [
            Listing(rate="0.0003", interval_hours=1),
            Listing(OTHER, rate="0.0002", interval_hours=1),
            Listing(THIRD, rate="0.0001", interval_hours=1),
        ]
    )
    market_data.set_rate(OPENED + timedelta(minutes=1), "0.0005", symbol=OTHER)
    market_data.set_rate(OPENED + timedelta(hours=5, minutes=1), third_rate, symbol=THIRD)
    harness = BotHarness(market_data, parameters=_one_print())
    harness.run(0.5)
    harness.run(3.8, at={3.3: lambda f: f.world.set_modes(single_asset=False)})
    assert harness.reasons == [Reason.BETTER_PAIR]
    assert harness.ledger.foremost is None
    harness.run(pause_hours)
    harness.world.set_modes(single_asset=True)
    harness.run(0.2)
    return harness


def test_the_decided_target_is_opened_though_a_later_scan_ranks_another_first() -> None:
    harness = _delayed_opening(third_rate="0.0007", pause_hours=1.6)
    assert _opened(harness) == [SYMBOL, OTHER]
    assert harness.decisions(Open)[-1].opportunity.targeted
    harness.check_whole()


def test_the_decided_target_expires_after_two_of_its_intervals() -> None:
    harness = _delayed_opening(third_rate="0.0007", pause_hours=2.6)
    assert _opened(harness) == [SYMBOL, THIRD]
    harness.check_whole()


# --- age and negative funding ----------------------------------------------------------------------------------------


def test_a_hedge_is_closed_24_hours_after_its_opening() -> None:
    harness = BotHarness()
    harness.run(23.9)
    assert harness.reasons == []
    harness.run(0.3)
    assert harness.reasons == [Reason.MAX_AGE]
    closed = harness.ledger.closed[0]
    held = closed.closed_at - closed.hedge.opened_at
    assert timedelta(hours=24) <= held <= timedelta(hours=24, minutes=6)


def test_the_age_goes_on_while_the_bot_is_stopped() -> None:
    harness = BotHarness()
    harness.run(1)
    harness.wait(23.5)
    harness.run(0.1)
    assert harness.reasons == [Reason.MAX_AGE]
    assert harness.ledger.closed[0].hedge.funding_payments == 3  # those of the hours without a bot are booked
    harness.check_whole()


def test_a_pair_whose_signal_turned_negative_is_left() -> None:
    market_data = ScriptedMarketData([Listing(rate="0.0003", interval_hours=1)])
    market_data.set_predicted(START, "0.0003")
    market_data.set_rate(OPENED + timedelta(minutes=1), "-0.0001")
    harness = BotHarness(market_data, parameters=_one_print())
    harness.run(1.2)
    assert harness.reasons == [Reason.NEGATIVE_FUNDING]
    assert harness.ledger.closed[0].funding < 0
    harness.check_flat()


def test_a_signal_below_the_entry_threshold_but_not_negative_is_held() -> None:
    market_data = ScriptedMarketData([Listing(rate="0.0003", interval_hours=1)])
    market_data.set_rate(OPENED + timedelta(minutes=1), "0.000001")
    harness = BotHarness(market_data, parameters=_one_print())
    harness.run(5)
    assert harness.reasons == []


# --- order of reasons ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("out_of_reach", "expected"),
    [
        (0, Reason.EMERGENCY_STOP),
        (1, Reason.HEALTH),
        (2, Reason.FEES_COVERED),
        (3, Reason.MAX_AGE),
        (4, Reason.BETTER_PAIR),
        (5, Reason.NEGATIVE_FUNDING),
    ],
)
def test_of_several_reasons_the_first_of_the_guides_order_is_given(out_of_reach: int, expected: Reason) -> None:
    market_data = ScriptedMarketData(
        [Listing(rate=COVERS, interval_hours=1), Listing(OTHER, rate="0.0039", interval_hours=1)]
    )
    market_data.set_rate(OPENED + timedelta(hours=3), "0.009", symbol=OTHER)
    harness = BotHarness(market_data, parameters=_one_print(max_position_age_hours=87_600, better_opportunity_apr=100))
    harness.run(0.5)
    harness.wait(6)
    harness.world.shock(SYMBOL, Decimal("1.01"))
    if out_of_reach < 2:
        harness.world.set_leverage(SYMBOL, 2)
    harness.parameters = StrategyParameters(
        funding_rate_strategy=FundingRateStrategy(funding_ma_periods=1, exit_funding_apr=99.0),
        position_management=PositionManagement(
            fee_coverage_multiplier=1.5 if out_of_reach < 3 else 1000,
            max_position_age_hours=5 if out_of_reach < 4 else 87_600,
            better_opportunity_apr=0.1 if out_of_reach < 5 else 100,
        ),
        risk_management=RiskManagement(
            emergency_stop_loss=-0.005 if out_of_reach < 1 else -0.9, stop_on=StopOn.PERP_LEG
        ),
    )
    harness.run(0.05)
    assert harness.reasons == [expected]
    harness.check()
