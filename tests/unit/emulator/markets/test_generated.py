"""The generated market: the same for a seed in any order, and calibrated."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import mean

import pytest

from hedgerow.domain.funding import HOURS_PER_YEAR, FundingRate, last_settlement
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.money import is_on_grid
from hedgerow.emulator import GeneratedMarketData
from hedgerow.emulator.markets.generated import rate_of

START = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def market_data() -> GeneratedMarketData:
    return GeneratedMarketData(7, START)


def per_eight_hours(rate: FundingRate) -> float:
    return float(rate.rate) * 1e4 * 8 / rate.interval_hours


def apr(rates: tuple[FundingRate, ...]) -> float:
    return float(sum(rate.rate for rate in rates)) / sum(rate.interval_hours for rate in rates) * HOURS_PER_YEAR


@pytest.mark.parametrize(
    ("premium", "hours", "rate"),
    [
        (0.0, 8, "0.0001"),
        (-4.0, 8, "0.0001"),
        (6.0, 8, "0.0001"),
        (8.0, 8, "0.0003"),
        (8.0, 4, "0.00015"),
        (0.0, 1, "0.0000125"),
        (-7.0, 8, "-0.0002"),
        (900.0, 8, "0.02"),
        (-900.0, 8, "-0.02"),
    ],
)
def test_a_rate_follows_the_documented_formula(premium: float, hours: int, rate: str) -> None:
    assert rate_of(premium, hours) == Decimal(rate)


def test_answers_do_not_depend_on_the_order_of_asking() -> None:
    times = [START + timedelta(minutes=m) for m in (0, 100_000, 3, 55, 100_005, 0)]
    forward, backward = GeneratedMarketData(3, START), GeneratedMarketData(3, START)
    asked = [(symbol, at) for at in times for symbol in ("BTCUSDT", "FORMUSDT")]
    first = {question: forward.prices(*question) for question in asked}
    second = {question: backward.prices(*question) for question in reversed(asked)}
    assert first == second
    assert forward.predicted("FORMUSDT", times[1]) == backward.predicted("FORMUSDT", times[1])


def test_another_seed_is_another_market(market_data: GeneratedMarketData) -> None:
    other = GeneratedMarketData(8, START)
    assert market_data.prices("BTCUSDT", START) != other.prices("BTCUSDT", START)


def test_a_long_run_has_no_end_and_stays_in_sight(market_data: GeneratedMarketData) -> None:
    prices = market_data.prices("BTCUSDT", START + 800 * DAY)
    assert prices is not None
    assert 10_000 < prices.spot < 1_000_000
    assert GeneratedMarketData(7, START, days=3).prices("BTCUSDT", START + 3 * DAY + HOUR) is None


def test_prices_change_only_at_steps(market_data: GeneratedMarketData) -> None:
    at = START + timedelta(hours=5, minutes=35)
    assert market_data.prices("ETHUSDT", at) == market_data.prices("ETHUSDT", at + timedelta(minutes=4, seconds=59))
    assert market_data.prices("ETHUSDT", at) != market_data.prices("ETHUSDT", at + market_data.step)


def test_every_symbol_has_sixty_settled_rates_before_the_start(market_data: GeneratedMarketData) -> None:
    for pair in market_data.pairs:
        rates = market_data.newest_settled(pair.symbol, START, 60)
        assert len(rates) == 60
        assert rates[-1].at == START
        assert all(rate.settled for rate in rates)


def test_settled_rates_lie_at_multiples_of_their_interval_without_a_hole(market_data: GeneratedMarketData) -> None:
    for pair in market_data.pairs:
        rates = market_data.settled(pair.symbol, START - 10 * DAY, START + 15 * DAY)
        assert all(last_settlement(rate.at, rate.interval_hours) == rate.at for rate in rates)
        assert sum(rate.interval_hours for rate in rates) == 25 * 24


def test_intervals_are_mixed_and_two_of_them_change_on_the_way(market_data: GeneratedMarketData) -> None:
    seen = {
        pair.symbol: [rate.interval_hours for rate in market_data.settled(pair.symbol, START, START + 14 * DAY)]
        for pair in market_data.pairs
    }
    assert {hours[0] for hours in seen.values()} == {8, 4, 1}
    assert {symbol for symbol, hours in seen.items() if len(set(hours)) > 1} == {"FORMUSDT", "SKYAIUSDT"}
    assert seen["FORMUSDT"] == [8] * 15 + [4] * 54


def test_the_estimate_becomes_the_rate_and_knows_nothing_beyond_its_time(market_data: GeneratedMarketData) -> None:
    stamp = START + 8 * HOUR
    last = market_data.predicted("BTCUSDT", stamp - timedelta(seconds=1))
    (settled,) = market_data.settled("BTCUSDT", START, stamp)
    assert last is not None
    assert (last.settled, last.at, last.rate) == (False, stamp, settled.rate)
    following = market_data.predicted("BTCUSDT", stamp)
    assert following is not None
    assert following.at == stamp + 8 * HOUR


def test_names_and_grids_are_realistic(market_data: GeneratedMarketData) -> None:
    assert len(market_data.pairs) == 20
    assert {"BTCUSDT", "ETHUSDT", "BNBUSDT", "ASTERUSDT"} <= {pair.symbol for pair in market_data.pairs}
    for pair in market_data.pairs:
        assert pair.spot.lot < pair.perp.lot
        assert pair.spot.tick < pair.perp.tick
        assert is_on_grid(pair.perp.lot, pair.spot.lot)
        assert pair.min_notional == 5
        prices = market_data.prices(pair.symbol, START)
        assert prices is not None
        assert pair.perp.tick / prices.perp < Decimal("0.0002")
        assert pair.perp.lot * prices.perp < 200


def test_the_market_can_be_smaller_or_larger_than_its_catalogue() -> None:
    assert [pair.base for pair in GeneratedMarketData(1, START, pairs=3).pairs] == ["BTC", "ETH", "BNB"]
    assert len({pair.symbol for pair in GeneratedMarketData(1, START, pairs=25).pairs}) == 25
    with pytest.raises(ValueError, match="at least one"):
        GeneratedMarketData(1, START, pairs=0)


def test_most_pairs_pass_the_filters_and_a_few_do_not(market_data: GeneratedMarketData) -> None:
    volumes = [market_data.volume(pair.symbol, START + 3 * DAY) for pair in market_data.pairs]
    assert 2 <= sum(volume < 5_000_000 for volume in volumes) <= 5
    spreads = [2 * market_data.liquidity(Market.SPOT, pair.symbol, START).half_spread_bps for pair in market_data.pairs]
    assert 1 <= sum(spread > 15 for spread in spreads) <= 2


def test_one_pair_loses_its_offers_for_an_hour_a_day(market_data: GeneratedMarketData) -> None:
    hours = [START + hour * HOUR for hour in range(72)]
    empty = [at for at in hours if market_data.missing_side(Market.SPOT, "HEMIUSDT", at)]
    assert len(empty) == 3
    assert market_data.missing_side(Market.SPOT, "HEMIUSDT", empty[0]) is Side.BUY
    assert not any(market_data.missing_side(Market.PERP, "HEMIUSDT", at) for at in hours)
    assert not any(market_data.missing_side(Market.SPOT, "BTCUSDT", at) for at in hours)


@pytest.mark.parametrize("seed", range(1, 6))
def test_rates_are_calibrated_on_the_venue(seed: int) -> None:
    market_data = GeneratedMarketData(seed, START)
    rates = [
        per_eight_hours(rate)
        for pair in market_data.pairs
        for rate in market_data.settled(pair.symbol, START - 45 * DAY, START + 45 * DAY)
    ]
    at_base = mean(abs(rate - 1.0) < 1e-9 for rate in rates)
    negative = mean(rate < 0 for rate in rates)
    assert 0.40 < at_base < 0.70
    assert 0.05 < negative < 0.25
    assert 0.5 < mean(rates) < 3.5


@pytest.mark.parametrize("seed", range(1, 6))
def test_two_weeks_always_offer_something_that_pays_and_never_the_same_thing(seed: int) -> None:
    market_data = GeneratedMarketData(seed, START)
    best = []
    for day in range(14):
        at = START + day * DAY + HOUR
        ranked = max(market_data.pairs, key=lambda pair: apr(market_data.newest_settled(pair.symbol, at, 10)))
        best.append((ranked.symbol, apr(market_data.newest_settled(ranked.symbol, at, 10))))
    assert sum(paid >= 0.15 for _, paid in best) >= 12
    assert len({symbol for symbol, _ in best}) >= 3
    assert max(paid for _, paid in best) < 6.0


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_month_has_one_crash_that_takes_the_basis_with_it(seed: int) -> None:
    market_data = GeneratedMarketData(seed, START)
    hourly = []
    for hour in range(30 * 24):
        prices = market_data.prices("ASTERUSDT", START + hour * HOUR)
        assert prices is not None
        hourly.append(prices)
    falls = [float(later.spot / now.spot) - 1 for now, later in zip(hourly, hourly[2:], strict=False)]
    worst = falls.index(min(falls))
    assert falls[worst] < -0.12
    basis = [float(prices.perp / prices.spot - 1) * 1e4 for prices in hourly]
    assert min(basis[worst : worst + 4]) < -15
    after = market_data.settled("ASTERUSDT", START + worst * HOUR, START + (worst + 12) * HOUR)
    assert min(rate.rate for rate in after) < 0


def test_the_basis_is_small_and_its_noise_smaller_on_liquid_pairs(market_data: GeneratedMarketData) -> None:
    def changes(symbol: str) -> float:
        steps = [market_data.prices(symbol, START + step * market_data.step) for step in range(288)]
        basis = [float(prices.perp / prices.spot - 1) * 1e4 for prices in steps if prices]
        return mean(abs(later - now) for now, later in pairwise(basis))

    assert changes("BTCUSDT") < 2.0 < changes("CYSUSDT") < 15.0
