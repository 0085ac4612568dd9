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
from support.bot_harness import OPENED, Farm
from support.worlds import START, SYMBOL, Listing, ScriptedTape

OTHER, THIRD = "BBBUSDT", "CCCUSDT"
COVERS = "0.004"
"""A rate of which one payment covers the fees of a round trip 1.5 times."""


def _parameters(**management: object) -> StrategyParameters:
    return StrategyParameters(position_management=PositionManagement(**management))  # type: ignore[arg-type] # a test's shorthand


def _opened(farm: Farm) -> list[str]:
    """Return the symbols of all openings, oldest first."""
    return [decision.opportunity.symbol for decision in farm.decisions(Open)]


# --- fee coverage ----------------------------------------------------------------------------------------------------


def test_covered_fees_close_the_hedge_and_the_line_says_what_reopening_costs() -> None:
    farm = Farm(ScriptedTape([Listing(rate=COVERS)]))
    farm.run(7.2)
    assert farm.reasons == [Reason.FEES_COVERED]
    closing = farm.decisions(Close)[0]
    assert closing.reopening_cost is not None
    assert closing.reopening_cost > 0
    closed = farm.ledger.closed[0]
    assert closed.funding >= Decimal("1.5") * closed.fees
    assert _opened(farm) == [SYMBOL, SYMBOL]  # the guide's own way: the same pair is opened again
    farm.check_whole()


def test_funding_of_less_than_the_multiple_of_all_fees_keeps_the_hedge() -> None:
    tape = ScriptedTape([Listing(rate="0.002")])
    farm = Farm(tape, parameters=_parameters(fee_coverage_multiplier=1.5))
    farm.run(8)
    evaluation = farm.heard(Evaluated)[-1].evaluation
    assert evaluation.coverage == pytest.approx(float(evaluation.funding_received / (evaluation.total_fees or 0)))
    assert evaluation.coverage is not None
    assert 1 < evaluation.coverage < 1.5
    assert farm.reasons == []
    farm.parameters = _parameters(fee_coverage_multiplier=1.2)
    farm.run(0.2)
    assert farm.reasons == [Reason.FEES_COVERED]


def test_coverage_counts_real_entry_fees_and_expected_exit_fees() -> None:
    farm = Farm()
    farm.run(0.5)
    evaluation, fills = farm.heard(Evaluated)[-1].evaluation, []
    for market in Market:
        fills += [*farm.world.fills(market, SYMBOL, START)]
    paid = sum(fill.fee_in_quote("AAA", "USDT") for fill in fills)
    assert evaluation.entry_fees == paid
    hedge = farm.hedge
    expected = hedge.spot_quantity * 100 * Decimal("0.0004") + hedge.short * 100 * Decimal("0.00035")
    assert evaluation.exit_fees == pytest.approx(expected, rel=Decimal("1e-4"))


def test_roll_keeps_a_covered_pair_that_is_still_the_best_and_restarts_the_counters() -> None:
    farm = Farm(ScriptedTape([Listing(rate=COVERS)]), parameters=_parameters(same_pair=SamePair.ROLL))
    farm.run(10)
    assert len(farm.logged(HedgeRolled)) == 1
    assert farm.reasons == []
    assert len(_opened(farm)) == 1
    orders = len(farm.venue.orders)
    evaluation = farm.heard(Evaluated)[-1].evaluation
    assert evaluation.funding_received == 0
    assert evaluation.counted_hours == pytest.approx(3, abs=0.1)
    assert evaluation.age_hours == pytest.approx(10, abs=0.1)
    assert farm.hedge.funding_received > 0  # what was received stays received
    farm.run(22)  # rolled again at 16:00, 00:00 and 08:00: never as old as 24 h by its counters
    assert len(farm.venue.orders) == orders
    assert len(farm.logged(HedgeRolled)) == 4
    farm.check_whole()


def test_roll_closes_when_another_pair_has_become_the_best() -> None:
    tape = ScriptedTape([Listing(rate=COVERS), Listing(OTHER, rate="0.0039")])
    tape.set_rate(OPENED, "0.006", symbol=OTHER)
    farm = Farm(tape, parameters=_parameters(same_pair=SamePair.ROLL, better_opportunity_apr=99.0))
    farm.run(7.2)
    assert farm.reasons == [Reason.FEES_COVERED]
    assert farm.decisions(Roll) == []
    assert _opened(farm) == [SYMBOL, OTHER]
    farm.check_whole()


# --- better pair -----------------------------------------------------------------------------------------------------


def _with_better(gain_rate: str, *, since_hours: float = 0.0) -> ScriptedTape:
    """Return a tape on which, with one print per signal, OTHER settles ``gain_rate`` from a time after the start on."""
    tape = ScriptedTape([Listing(rate="0.0003", interval_hours=1), Listing(OTHER, rate="0.0002", interval_hours=1)])
    tape.set_rate(OPENED + timedelta(hours=since_hours, minutes=1), gain_rate, symbol=OTHER)
    return tape


def _one_print(**management: object) -> StrategyParameters:
    chosen: dict[str, object] = {"fee_coverage_multiplier": 1e6, **management}
    return StrategyParameters(
        funding_rate_strategy=FundingRateStrategy(funding_ma_periods=1),
        position_management=PositionManagement(**chosen),  # type: ignore[arg-type] # a test's shorthand
    )


def test_another_pair_that_pays_ten_points_more_is_taken_after_four_hours_not_before() -> None:
    farm = Farm(_with_better("0.0004"), parameters=_one_print())
    farm.run(3.9)
    assert farm.reasons == []
    farm.run(0.4)
    assert farm.reasons == [Reason.BETTER_PAIR]
    assert farm.ledger.closed[0].closed_at >= farm.ledger.closed[0].hedge.opened_at + timedelta(hours=4)
    assert _opened(farm) == [SYMBOL, OTHER]
    assert farm.logged(TargetDecided)[0].symbol == OTHER
    assert farm.ledger.target is None
    farm.check_whole()


def test_a_gain_of_less_than_ten_points_is_not_worth_it() -> None:
    farm = Farm(_with_better("0.000311"), parameters=_one_print())  # 9.6 points more
    farm.run(6)
    assert farm.reasons == []


def test_the_held_pair_itself_is_never_the_better_one() -> None:
    farm = Farm(ScriptedTape([Listing(interval_hours=1)]), parameters=_one_print(better_opportunity_apr=0.0))
    farm.run(6)
    assert farm.reasons == []


def test_the_held_pairs_present_signal_counts_not_that_of_its_entry() -> None:
    tape = _with_better("0.0004")
    tape.set_rate(OPENED + timedelta(minutes=1), "0.0004")  # the held pair pays more too, since its entry
    farm = Farm(tape, parameters=_one_print())
    farm.run(6)
    assert farm.reasons == []
    tape.set_rate(OPENED + timedelta(hours=6, minutes=1), "0.00025")
    farm.run(1.5)
    assert farm.reasons == [Reason.BETTER_PAIR]


def test_a_better_pair_that_an_entry_filter_refuses_is_no_reason_to_leave() -> None:
    tape = _with_better("0.0009")
    tape.set_volume(1_000, symbol=OTHER)
    farm = Farm(tape, parameters=_one_print())
    farm.run(6)
    assert farm.reasons == []
    farm.check_whole()


def _delayed_opening(*, third_rate: str, pause_hours: float) -> Farm:
    """Leave for OTHER while the account's mode forbids to open it, and make THIRD better still before it is allowed."""
    tape = ScriptedTape(
        [
            Listing(rate="0.0003", interval_hours=1),
            Listing(OTHER, rate="0.0002", interval_hours=1),
            Listing(THIRD, rate="0.0001", interval_hours=1),
        ]
    )
    tape.set_rate(OPENED + timedelta(minutes=1), "0.0005", symbol=OTHER)
    tape.set_rate(OPENED + timedelta(hours=5, minutes=1), third_rate, symbol=THIRD)
    farm = Farm(tape, parameters=_one_print())
    farm.run(0.5)
    farm.run(3.8, at={3.3: lambda f: f.world.set_modes(single_asset=False)})
    assert farm.reasons == [Reason.BETTER_PAIR]
    assert farm.ledger.active is None
    farm.run(pause_hours)
    farm.world.set_modes(single_asset=True)
    farm.run(0.2)
    return farm


def test_the_decided_target_is_opened_though_a_later_scan_ranks_another_first() -> None:
    farm = _delayed_opening(third_rate="0.0007", pause_hours=1.6)
    assert _opened(farm) == [SYMBOL, OTHER]
    assert farm.decisions(Open)[-1].opportunity.targeted
    farm.check_whole()


def test_the_decided_target_expires_after_two_of_its_intervals() -> None:
    farm = _delayed_opening(third_rate="0.0007", pause_hours=2.6)
    assert _opened(farm) == [SYMBOL, THIRD]
    farm.check_whole()


# --- age and negative funding ----------------------------------------------------------------------------------------


def test_a_hedge_is_closed_24_hours_after_its_opening() -> None:
    farm = Farm()
    farm.run(23.9)
    assert farm.reasons == []
    farm.run(0.3)
    assert farm.reasons == [Reason.MAX_AGE]
    closed = farm.ledger.closed[0]
    held = closed.closed_at - closed.hedge.opened_at
    assert timedelta(hours=24) <= held <= timedelta(hours=24, minutes=6)


def test_the_age_goes_on_while_the_bot_is_stopped() -> None:
    farm = Farm()
    farm.run(1)
    farm.wait(23.5)
    farm.run(0.1)
    assert farm.reasons == [Reason.MAX_AGE]
    assert farm.ledger.closed[0].hedge.funding_payments == 3  # those of the hours without a bot are booked
    farm.check_whole()


def test_a_pair_whose_signal_turned_negative_is_left() -> None:
    tape = ScriptedTape([Listing(rate="0.0003", interval_hours=1)])
    tape.set_predicted(START, "0.0003")
    tape.set_rate(OPENED + timedelta(minutes=1), "-0.0001")
    farm = Farm(tape, parameters=_one_print())
    farm.run(1.2)
    assert farm.reasons == [Reason.NEGATIVE_FUNDING]
    assert farm.ledger.closed[0].funding < 0
    farm.check_flat()


def test_a_signal_below_the_entry_threshold_but_not_negative_is_held() -> None:
    tape = ScriptedTape([Listing(rate="0.0003", interval_hours=1)])
    tape.set_rate(OPENED + timedelta(minutes=1), "0.000001")
    farm = Farm(tape, parameters=_one_print())
    farm.run(5)
    assert farm.reasons == []


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
    tape = ScriptedTape([Listing(rate=COVERS, interval_hours=1), Listing(OTHER, rate="0.0039", interval_hours=1)])
    tape.set_rate(OPENED + timedelta(hours=3), "0.009", symbol=OTHER)
    farm = Farm(tape, parameters=_one_print(max_position_age_hours=1e6, better_opportunity_apr=1e6))
    farm.run(0.5)
    farm.wait(6)
    farm.world.shock(SYMBOL, Decimal("1.01"))
    if out_of_reach < 2:
        farm.world.set_leverage(SYMBOL, 2)
    farm.parameters = StrategyParameters(
        funding_rate_strategy=FundingRateStrategy(funding_ma_periods=1, exit_funding_apr=99.0),
        position_management=PositionManagement(
            fee_coverage_multiplier=1.5 if out_of_reach < 3 else 1e6,
            max_position_age_hours=5 if out_of_reach < 4 else 1e6,
            better_opportunity_apr=0.1 if out_of_reach < 5 else 1e6,
        ),
        risk_management=RiskManagement(
            emergency_stop_loss=-0.005 if out_of_reach < 1 else -0.9, stop_on=StopOn.PERP_LEG
        ),
    )
    farm.run(0.05)
    assert farm.reasons == [expected]
    farm.check()
