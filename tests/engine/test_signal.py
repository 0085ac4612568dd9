"""The guide, decided: which number a pair is judged by, through the whole bot."""

from datetime import timedelta

import pytest

from hedgerow.engine.notices import Evaluated, NoOpportunity, OpportunityFound
from hedgerow.strategy.parameters import FundingRateStrategy, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.worlds import START, Listing, ScriptedMarketData

OTHER = "BBBUSDT"


def _parameters(**funding: object) -> StrategyParameters:
    return StrategyParameters(funding_rate_strategy=FundingRateStrategy(**funding))  # type: ignore[arg-type] # a test's shorthand


def _with_prints(*rates: str, interval_hours: int = 8) -> ScriptedMarketData:
    """Return a tape whose newest settled rates are these, oldest first, and whose older ones are absurdly high."""
    market_data = ScriptedMarketData([Listing(rate="0.01", interval_hours=interval_hours)])
    for back, rate in enumerate(reversed(rates)):
        market_data.set_rate(START - timedelta(hours=interval_hours * back), rate)
    return market_data


def test_the_mean_of_the_last_n_settled_rates_and_its_spread_decide() -> None:
    harness = BotHarness(_with_prints("0.0002", "0.0003", "0.0007"), parameters=_parameters(funding_ma_periods=3))
    harness.run(0.5)
    found = harness.notices_of(OpportunityFound)[0].opportunity.signal
    assert found.mean == pytest.approx(0.0004)
    assert found.stdev == pytest.approx(((4 + 1 + 9) / 3) ** 0.5 * 1e-4)
    assert found.apr == pytest.approx(0.0004 * 1095)
    assert harness.hedge.entry_apr == pytest.approx(found.apr)
    harness.check_whole()


def test_rates_over_different_intervals_weigh_by_their_hours() -> None:
    market_data = ScriptedMarketData([Listing(rate="0.0008")])
    market_data.set_interval(START - timedelta(hours=8), 4)
    market_data.set_rate(START - timedelta(hours=4), "0.0001")  # the two newest prints cover 4 h each
    harness = BotHarness(market_data, parameters=_parameters(funding_ma_periods=3))
    harness.run(0.5)
    found = harness.notices_of(OpportunityFound)[0].opportunity.signal
    assert found.apr == pytest.approx((0.0008 + 0.0001 + 0.0001) / 16 * 8760)
    assert found.interval_hours == 4
    assert found.mean == pytest.approx(0.001 / 16 * 4)


def test_a_pair_with_fewer_prints_than_asked_for_is_not_eligible_and_says_so() -> None:
    harness = BotHarness(parameters=_parameters(funding_ma_periods=100))
    harness.run(0.5)
    assert "of 100 settled rates" in harness.notices_of(NoOpportunity)[0].why
    harness.check_flat()


def test_a_held_pair_with_too_few_prints_is_judged_by_what_it_has() -> None:
    harness = BotHarness()
    harness.run(0.5)
    harness.parameters = _parameters(funding_ma_periods=100)
    harness.run(0.5)
    signal = harness.notices_of(Evaluated)[-1].evaluation.signal
    assert signal is not None
    assert 0 < signal.periods < 100
    assert signal.mean == pytest.approx(0.0003)
    harness.check_whole()


def test_without_the_moving_average_the_predicted_rate_alone_decides() -> None:
    market_data = ScriptedMarketData([Listing(rate="0.0009"), Listing(OTHER, rate="0.0001")])
    market_data.set_predicted(START, "0.0002")
    market_data.set_predicted(START, "0.0005", symbol=OTHER)
    harness = BotHarness(market_data, parameters=_parameters(use_funding_ma=False))
    harness.run(0.5)
    assert harness.hedge.symbol == OTHER
    assert harness.hedge.entry_rate == pytest.approx(0.0005)
    assert not harness.notices_of(OpportunityFound)[0].opportunity.signal.moving_average


def test_the_signal_is_renewed_while_holding() -> None:
    market_data = ScriptedMarketData()
    market_data.set_rate(OPENED, "0.0013")
    harness = BotHarness(market_data)
    harness.run(8)
    signal = harness.notices_of(Evaluated)[-1].evaluation.signal
    assert signal is not None
    assert signal.mean == pytest.approx(0.0004)  # nine prints of 0.03 %, one of 0.13 %
    assert harness.hedge.entry_rate == pytest.approx(0.0003)


def test_the_interval_may_change_while_a_pair_is_held() -> None:
    market_data = ScriptedMarketData()
    market_data.set_interval(START + timedelta(hours=8), 4)
    harness = BotHarness(market_data)
    harness.run(12)
    assert harness.hedge.funding_payments == 2  # at 08:00 and 12:00
    evaluation = harness.notices_of(Evaluated)[-1].evaluation
    assert evaluation.interval_hours == 4
    assert evaluation.funding_periods == pytest.approx(evaluation.age_hours / 4)
    harness.check_whole()
