from statistics import fmean, pstdev

import pytest
from msgspec.structs import replace

from hedgerow.strategy.evaluation.ranking import Ranker, rank, signal_of
from hedgerow.strategy.parameters import FundingRateStrategy
from support.views import FixedMarket, listing, market_of, pair_of, prints

GUIDE = FundingRateStrategy()
THREE = FundingRateStrategy(funding_ma_periods=3)


def three_pairs() -> FixedMarket:
    return market_of(
        listing(pair=pair_of("AAAUSDT"), rate="0.0002"),
        listing(pair=pair_of("BBBUSDT"), rate="0.0005"),
        listing(pair=pair_of("CCCUSDT"), rate="0.0003"),
    )


def test_the_signal_is_the_mean_of_the_newest_settled_rates() -> None:
    rates = ("0.01", "0.0001", "0.0002", "0.0006")
    signal = signal_of(prints("AAAUSDT", *rates), THREE)
    assert signal is not None
    newest = [float(rate) for rate in rates[1:]]
    assert signal.mean == pytest.approx(fmean(newest))
    assert signal.stdev == pytest.approx(pstdev(newest))
    assert signal.apr == pytest.approx(fmean(newest) * 1095)
    assert signal.periods == 3
    assert signal.moving_average


def test_b7_an_interval_change_inside_the_window_weighs_by_hours() -> None:
    window = (*prints("AAAUSDT", "0.0008", interval=8), *prints("AAAUSDT", "0.0001", "0.0001", interval=1))
    signal = signal_of(window, THREE)
    assert signal is not None
    assert signal.interval_hours == 1
    assert signal.apr == pytest.approx(0.001 / 10 * 8760)
    assert signal.mean == pytest.approx(0.0001)
    assert signal.stdev == pytest.approx(0.0, abs=1e-12)


def test_without_the_moving_average_the_predicted_rate_is_the_signal() -> None:
    settings = FundingRateStrategy(use_funding_ma=False)
    predicted = prints("AAAUSDT", "0.0004", interval=4)[0]
    signal = signal_of(prints("AAAUSDT", "0.1"), settings, predicted)
    assert signal is not None
    assert (signal.mean, signal.periods, signal.moving_average) == (0.0004, 1, False)
    assert signal_of(prints("AAAUSDT", "0.1"), settings, None) is None


def test_no_print_is_no_signal() -> None:
    assert signal_of((), GUIDE) is None


def test_pairs_are_ordered_by_apr() -> None:
    ranking = rank(three_pairs(), GUIDE)
    assert [signal.symbol for signal in ranking.ordered] == ["BBBUSDT", "CCCUSDT", "AAAUSDT"]


def test_equal_pairs_keep_the_order_of_the_venue() -> None:
    market = market_of(*(listing(pair=pair_of(symbol)) for symbol in ("CCCUSDT", "AAAUSDT", "BBBUSDT")))
    assert [signal.symbol for signal in rank(market, GUIDE).ordered] == ["CCCUSDT", "AAAUSDT", "BBBUSDT"]


def test_a_pair_with_too_few_prints_is_not_eligible_but_a_held_one_uses_what_it_has() -> None:
    market = market_of(listing(pair=pair_of(), prints=4), listing(pair=pair_of("BBBUSDT"), prints=0))
    ranking = rank(market, GUIDE)
    assert ranking.ordered == ()
    assert ranking.signal("AAAUSDT") is None
    held = ranking.held_signal("AAAUSDT")
    assert held is not None
    assert held.periods == 4
    assert ranking.missing == {"AAAUSDT": "4 of 10 settled rates", "BBBUSDT": "no settled rate"}


def test_an_unreadable_predicted_rate_is_said_when_it_is_the_signal() -> None:
    market = market_of(listing(pair=pair_of(), predicted=None))
    assert rank(market, FundingRateStrategy(use_funding_ma=False)).missing == {"AAAUSDT": "predicted rate unreadable"}


def test_a_ranking_is_kept_until_a_new_board_or_pair_appears() -> None:
    market, ranker = three_pairs(), Ranker(GUIDE)
    first = ranker.rank(market)
    assert ranker.rank(replace(market, volumes={})) is first
    assert ranker.rank(replace(market, rates=replace(market.rates))) is not first
    assert len(ranker.rank(replace(market, pairs=market.pairs[:1])).ordered) == 1


def test_a_ranking_of_predicted_rates_is_never_kept() -> None:
    market = three_pairs()
    ranker = Ranker(FundingRateStrategy(use_funding_ma=False))
    before = ranker.rank(market)
    after = ranker.rank(replace(market, predictions={}))
    assert len(before.ordered) == 3
    assert after.ordered == ()


def test_a_ranking_can_be_ordered_by_another_score_and_keeps_everything_else() -> None:
    ranking = rank(three_pairs(), GUIDE)
    turned = ranking.by(lambda signal: -signal.mean)
    assert [signal.symbol for signal in turned.ordered] == ["AAAUSDT", "CCCUSDT", "BBBUSDT"]
    assert turned.signal("BBBUSDT") is ranking.signal("BBBUSDT")


def test_a_pair_whose_newest_rate_is_not_listed_is_not_eligible_and_a_held_one_is_judged_by_what_it_has() -> None:
    market = three_pairs()
    late = replace(market.rates, overdue={"BBBUSDT": market.at})
    ranking = rank(replace(market, rates=late), GUIDE)
    assert [signal.symbol for signal in ranking.ordered] == ["CCCUSDT", "AAAUSDT"]
    assert ranking.held_signal("BBBUSDT") == rank(market, GUIDE).signal("BBBUSDT")
    assert ranking.missing["BBBUSDT"] == f"the rate settled at {market.at:%Y-%m-%d %H:%M} UTC is not listed yet"
