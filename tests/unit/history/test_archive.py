"""The tape over an archive: what it tells, and that it never tells it early."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from hedgerow.domain.funding import FundingRate
from hedgerow.domain.instrument import Market
from hedgerow.history.archive import ArchiveMarketData
from hedgerow.ports import MarketData, MarketPrices
from support.archives import START, Row, hours, millis, prints, write_archive

HOUR = timedelta(hours=1)
SYMBOL = "BTCUSDT"


def loaded(
    directory: Path, prices: list[Row], funding: list[Row], *, start: datetime = START, days: float = 2
) -> ArchiveMarketData:
    return ArchiveMarketData.load(write_archive(directory, prices, funding), start=start, days=days)


def spot(market_data: MarketData, at: datetime) -> Decimal | None:
    prices = market_data.prices(SYMBOL, at)
    return prices.spot if prices else None


def everything_known(market_data: MarketData, at: datetime) -> tuple[object, ...]:
    return (
        market_data.prices(SYMBOL, at),
        market_data.newest_settled(SYMBOL, at, 100),
        market_data.settled(SYMBOL, START - timedelta(days=9), at),
        market_data.predicted(SYMBOL, at),
        market_data.volume(SYMBOL, at),
        market_data.liquidity(Market.PERP, SYMBOL, at),
    )


def test_a_close_is_known_from_the_end_of_its_hour_and_held(tmp_path: Path) -> None:
    market_data = loaded(tmp_path, hours(48), prints(7))
    assert spot(market_data, START + HOUR) == 1000
    assert spot(market_data, START + 2 * HOUR - timedelta(milliseconds=1)) == 1000
    assert spot(market_data, START + 2 * HOUR) == 1001


def test_nothing_is_known_before_the_first_hour_ended(tmp_path: Path) -> None:
    market_data = loaded(tmp_path, hours(48), prints(7))
    assert market_data.start == START + HOUR
    assert market_data.prices(SYMBOL, market_data.start - timedelta(seconds=1)) is None


def test_prices_are_the_files_numbers_digit_for_digit(tmp_path: Path) -> None:
    row = ("binance", SYMBOL, millis(START), 94172.01, 94125.1, 94131.02071739)
    market_data = loaded(tmp_path, [(*row[:2], row[2] + n * 3_600_000, *row[3:]) for n in range(48)], prints(7))
    expected = MarketPrices(spot=Decimal("94172.01"), perp=Decimal("94125.1"), mark=Decimal("94131.02071739"))
    assert market_data.prices(SYMBOL, START + HOUR) == expected


def test_the_perpetual_stands_in_for_a_mark_that_is_not_known(tmp_path: Path) -> None:
    rows = [(*row[:5], None) for row in hours(48)]
    prices = loaded(tmp_path, rows, prints(7)).prices(SYMBOL, START + HOUR)
    assert prices is not None
    assert prices.mark == prices.perp == Decimal("1000.2")


@pytest.mark.parametrize("day", range(2))
def test_no_answer_depends_on_a_row_that_was_not_known_yet(tmp_path: Path, day: int) -> None:
    asked = START + timedelta(hours=17 + day, minutes=29, milliseconds=3)
    prices, funding = hours(60), prints(9, jitter_ms=7)
    before = everything_known(loaded(tmp_path, prices, funding), asked)
    later_prices = [
        row if row[2] + 3_600_000 <= millis(asked) else (*row[:3], row[3] * 3, row[4] * 2, 1.0) for row in prices
    ]
    later_funding = [row if row[2] <= millis(asked) else (*row[:3], -0.01, 4.0, None) for row in funding]
    assert later_prices != prices
    assert later_funding != funding
    assert everything_known(loaded(tmp_path, later_prices, later_funding), asked) == before


def test_an_altered_row_changes_the_answer_once_it_is_known(tmp_path: Path) -> None:
    rows = hours(48)
    changed = [*rows[:20], (*rows[20][:3], 500.0, 500.0, 500.0), *rows[21:]]
    at = START + 21 * HOUR
    assert spot(loaded(tmp_path, changed, prints(7)), at) == 500
    assert spot(loaded(tmp_path, rows, prints(7)), at) == 1020


def test_one_missing_hour_is_bridged_and_a_longer_gap_is_unreadable(tmp_path: Path) -> None:
    rows = hours(48)
    short = [row for n, row in enumerate(rows) if n != 10]
    market_data = loaded(tmp_path, short, prints(7))
    assert spot(market_data, START + 12 * HOUR - timedelta(seconds=1)) == 1009
    assert spot(market_data, START + 12 * HOUR) == 1011
    assert market_data.gaps(SYMBOL) == []
    long = [row for n, row in enumerate(rows) if n not in {10, 11, 12}]
    market_data = loaded(tmp_path, long, prints(7))
    assert spot(market_data, START + 12 * HOUR - timedelta(seconds=1)) == 1009
    assert spot(market_data, START + 12 * HOUR) is None
    assert spot(market_data, START + 14 * HOUR - timedelta(seconds=1)) is None
    assert spot(market_data, START + 14 * HOUR) == 1013
    assert market_data.notes[1:] == [f"{SYMBOL}: no readable price for 2 h from 2025-03-01 12:00 UTC"]


@pytest.mark.parametrize("value", [None, 0.0, -1.0, float("nan"), float("inf")])
def test_an_hour_without_both_prices_is_a_hole(tmp_path: Path, value: float | None) -> None:
    rows = hours(48)
    rows[10] = (*rows[10][:3], value, *rows[10][4:])
    market_data = loaded(tmp_path, rows, prints(7))
    assert spot(market_data, START + 11 * HOUR) == 1009


def test_a_settlement_is_known_at_its_real_time_with_its_jitter(tmp_path: Path) -> None:
    market_data = loaded(tmp_path, hours(48), prints(7, jitter_ms=11))
    stamp = START + 8 * HOUR
    real = stamp + timedelta(milliseconds=11)
    assert market_data.settled(SYMBOL, stamp - HOUR, stamp) == ()
    (found,) = market_data.settled(SYMBOL, stamp, stamp + HOUR)
    expected = FundingRate(symbol=SYMBOL, rate=Decimal("0.000002"), interval_hours=8, at=real)
    assert found == expected
    assert market_data.newest_settled(SYMBOL, real - timedelta(microseconds=1), 1)[0].rate == Decimal("0.000001")
    assert market_data.newest_settled(SYMBOL, real, 1) == (expected,)
    assert market_data.settled(SYMBOL, real, real + HOUR) == ()


def test_the_newest_rates_come_oldest_first_and_no_more_than_there_are(tmp_path: Path) -> None:
    market_data = loaded(tmp_path, hours(48), prints(7))
    at = START + 17 * HOUR
    assert [rate.rate for rate in market_data.newest_settled(SYMBOL, at, 2)] == [
        Decimal("0.000002"),
        Decimal("0.000003"),
    ]
    assert len(market_data.newest_settled(SYMBOL, at, 99)) == 3
    assert market_data.newest_settled(SYMBOL, START - HOUR, 5) == ()


def test_sixty_prints_before_the_start_are_read(tmp_path: Path) -> None:
    early = START - timedelta(days=30)
    market_data = loaded(tmp_path, hours(48), prints(97, first=early))
    assert len(market_data.newest_settled(SYMBOL, market_data.start, 60)) == 60


def test_every_print_keeps_its_own_interval(tmp_path: Path) -> None:
    funding = [*prints(3), *prints(8, first=START + 20 * HOUR, interval=4)]
    market_data = loaded(tmp_path, hours(48), funding)
    assert [r.interval_hours for r in market_data.settled(SYMBOL, START - HOUR, START + 24 * HOUR)] == [8, 8, 8, 4, 4]
    before, after = (market_data.predicted(SYMBOL, START + at * HOUR) for at in (17, 21))
    assert before is not None
    assert after is not None
    assert (before.interval_hours, before.at) == (8, START + 24 * HOUR)
    assert (after.interval_hours, after.at) == (4, START + 24 * HOUR)


def test_the_prediction_is_the_formula_on_the_premium_held_since_the_last_settlement(tmp_path: Path) -> None:
    calm, wild = 1.0002, 1.0020
    rows: list[Row] = [
        (venue, symbol, opened, price, price * (calm if n < 8 else wild), None)
        for n, (venue, symbol, opened, price, _, _) in enumerate(hours(48))
    ]
    market_data = loaded(tmp_path, rows, prints(7))
    settled = market_data.predicted(SYMBOL, START + 8 * HOUR)
    assert settled is not None
    assert settled.rate == Decimal("0.0001")
    assert not settled.settled
    later = market_data.predicted(SYMBOL, START + timedelta(hours=10, minutes=30))
    assert later is not None
    mean = (0.0002 + 0.0020 + 0.0020) / 3
    assert float(later.rate) == pytest.approx(mean - 0.0005, abs=1e-8)


def test_another_venues_premium_is_not_used_to_predict(tmp_path: Path) -> None:
    market_data = loaded(tmp_path, hours(48), prints(7, venue="aster"))
    found = market_data.predicted(SYMBOL, START + 10 * HOUR)
    assert found == FundingRate(
        symbol=SYMBOL, rate=Decimal("0.000002"), interval_hours=8, at=START + 16 * HOUR, settled=False
    )


def test_nothing_is_predicted_without_a_price_a_print_or_a_living_series(tmp_path: Path) -> None:
    rows = [row for n, row in enumerate(hours(72)) if not 30 <= n < 34]
    market_data = loaded(tmp_path, rows, prints(4, first=START + 4 * HOUR), days=3)
    assert market_data.predicted(SYMBOL, START + 3 * HOUR) is None
    assert market_data.predicted(SYMBOL, START + 5 * HOUR) is not None
    assert market_data.predicted(SYMBOL, START + 33 * HOUR) is None
    assert market_data.predicted(SYMBOL, START + 51 * HOUR) is not None
    assert market_data.predicted(SYMBOL, START + 52 * HOUR) is None


def test_asters_funding_is_preferred_where_it_covers_the_window(tmp_path: Path) -> None:
    funding = [*prints(7), *prints(7, venue="aster", jitter_ms=3)]
    market_data = loaded(tmp_path, hours(48), funding)
    assert market_data.sources == {SYMBOL: "funding aster, prices binance"}
    assert market_data.newest_settled(SYMBOL, START + HOUR, 1)[0].at == START + timedelta(milliseconds=3)


def test_funding_that_ends_inside_the_window_yields_to_a_venue_that_covers_it(tmp_path: Path) -> None:
    funding = [*prints(16), *prints(4, venue="aster")]
    market_data = loaded(tmp_path, hours(120), funding, days=5)
    assert market_data.sources == {SYMBOL: "funding binance, prices binance"}
    alone = loaded(tmp_path, hours(120), prints(4, venue="aster"), days=5)
    assert alone.sources == {SYMBOL: "funding aster, prices binance"}


def test_pairs_without_data_are_skipped_with_their_reason(tmp_path: Path) -> None:
    prices = [
        *hours(48),
        *hours(48, symbol="NOFUNDUSDT"),
        *[(*row[:3], None, *row[4:]) for row in hours(48, symbol="NOSPOTUSDT")],
        *hours(48, symbol="ETHBTC"),
        *hours(48, symbol="LATERUSDT", first=START + timedelta(days=90)),
    ]
    symbols = (SYMBOL, "NOSPOTUSDT", "ETHBTC", "LATERUSDT", "ONLYFUNDUSDT")
    market_data = loaded(tmp_path, prices, [row for symbol in symbols for row in prints(7, symbol=symbol)])
    assert [pair.symbol for pair in market_data.pairs] == [SYMBOL]
    assert market_data.skipped == {
        "ETHBTC": "not quoted in USDT",
        "LATERUSDT": "no spot and perpetual prices in the window",
        "NOFUNDUSDT": "no funding in the window",
        "NOSPOTUSDT": "no spot and perpetual prices in the window",
        "ONLYFUNDUSDT": "no spot and perpetual prices in the window",
    }
    assert "NOFUNDUSDT skipped: no funding in the window" in market_data.notes


def test_a_pair_whose_rows_contradict_each_other_is_skipped(tmp_path: Path) -> None:
    twice = hours(48, symbol="AUSDT")
    clash = [(*row[:3], row[3] + 1, *row[4:]) for row in twice[:1]]
    rates = prints(7, symbol="BUSDT")
    conflict = [("binance", "BUSDT", rates[1][2] + 5, 0.5, 8.0, None)]
    odd = [(*row[:4], 1.5, None) for row in prints(7, symbol="CUSDT")]
    prices = [*hours(48), *twice, *clash, *hours(48, symbol="BUSDT"), *hours(48, symbol="CUSDT")]
    market_data = loaded(tmp_path, prices, [*prints(7), *prints(7, symbol="AUSDT"), *rates, *conflict, *odd])
    assert market_data.skipped == {
        "AUSDT": "two different closes for the hour from 2025-03-01 00:00",
        "BUSDT": "two different funding rates for the settlement of 2025-03-01 08:00",
        "CUSDT": "funding interval of 2025-03-01 00:00 must be 1, 2, 4 or 8 hours, not 1.5",
    }


def test_rows_listed_twice_alike_and_out_of_order_count_once(tmp_path: Path) -> None:
    funding = [*prints(7), *prints(7, jitter_ms=4)]
    market_data = loaded(tmp_path, [*reversed(hours(48)), *hours(48)], list(reversed(funding)))
    assert len(market_data.settled(SYMBOL, START - HOUR, market_data.end)) == 7
    assert spot(market_data, START + 5 * HOUR) == 1004
    stamps = [rate.at for rate in market_data.newest_settled(SYMBOL, market_data.end, 9)]
    assert all(a < b for a, b in pairwise(stamps))


def test_a_window_past_the_data_is_shortened_and_says_so(tmp_path: Path) -> None:
    market_data = loaded(tmp_path, hours(48), prints(7), start=START - timedelta(days=3), days=30)
    assert (market_data.start, market_data.end) == (START + HOUR, START + 48 * HOUR)
    reach = "2025-03-01 01:00 to 2025-03-03 00:00 UTC"
    assert market_data.notes == [f"the data reach only part of the window asked for; it runs from {reach}"]


def test_the_window_asked_for_is_the_window_given(tmp_path: Path) -> None:
    begin = START + timedelta(days=1)
    market_data = loaded(tmp_path, hours(96), prints(13), start=begin, days=1.5)
    assert (market_data.start, market_data.end, market_data.step) == (begin, begin + timedelta(days=1.5), HOUR)
    assert spot(market_data, begin) == 1023
    assert market_data.notes == []


def test_times_in_another_zone_mean_the_same_time(tmp_path: Path) -> None:
    market_data = loaded(tmp_path, hours(48), prints(7))
    at = START + 5 * HOUR
    elsewhere = at.astimezone(timezone(timedelta(hours=-7)))
    assert spot(market_data, elsewhere) == spot(market_data, at) == 1004


def test_an_estimate_asked_for_often_is_that_of_market_data_asked_once(tmp_path: Path) -> None:
    rows: list[Row] = [
        (venue, symbol, opened, price, price * (1.0002 if n % 3 else 1.0030), None)
        for n, (venue, symbol, opened, price, _, _) in enumerate(hours(48))
        if not 20 <= n < 26
    ]
    funding = [*prints(3), *prints(4, first=START + 20 * HOUR + timedelta(milliseconds=9), interval=4)]
    often = loaded(tmp_path, rows, funding)
    moments = [START + minutes * timedelta(minutes=1) for minutes in range(30, 47 * 60, 7)]
    moments += [START + hour * HOUR + timedelta(milliseconds=ms) for hour in range(1, 47) for ms in (0, 9, 10)]
    found: set[object] = set()
    for at in sorted(moments):
        fresh = ArchiveMarketData.load(tmp_path, start=START, days=2) if at.hour % 3 == at.minute == 0 else None
        estimate = often.predicted(SYMBOL, at)
        found.add(estimate.rate if estimate else None)
        assert fresh is None or estimate == fresh.predicted(SYMBOL, at)
    assert None in found, "or no hour is without prices"
    assert len(found) > 3


@pytest.mark.parametrize(("minutes", "ends"), [(4, 4), (60, 60), (90, 90)])
def test_a_window_that_ends_within_an_hour_is_played_to_its_end(tmp_path: Path, minutes: int, ends: int) -> None:
    begin = START + 5 * HOUR
    days = timedelta(minutes=minutes) / timedelta(days=1)
    market_data = loaded(tmp_path, hours(48), prints(7), start=begin, days=days)
    assert (market_data.start, market_data.end) == (begin, begin + timedelta(minutes=ends))
    assert market_data.notes == []


def test_a_window_that_runs_past_the_prices_ends_with_the_newest_one(tmp_path: Path) -> None:
    market_data = loaded(tmp_path, hours(48), prints(7), start=START + 5 * HOUR, days=2.01)
    assert market_data.end == START + 48 * HOUR
