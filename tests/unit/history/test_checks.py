"""What the check of a folder finds, and what it leaves alone."""

from datetime import timedelta
from pathlib import Path

import pytest

from hedgerow.domain.errors import HistoryError
from hedgerow.history.checks import FindingKind, check_folder, inventory
from support.archives import START, Row, hours, millis, prints, write_archive

HOUR = 3_600_000
NAN = float("nan")


def found(
    folder: Path, prices: list[Row] | None = None, funding: list[Row] | None = None
) -> list[tuple[str, int, str]]:
    """Return kind, hours after the start, and text of each finding."""
    write_archive(folder, hours(48) if prices is None else prices, prints(6) if funding is None else funding)
    return [(each.kind.value, (each.at_ms - millis(START)) // HOUR, each.detail) for each in check_folder(folder)]


def changed(index: int, *values: float | None) -> list[Row]:
    rows = hours(48)
    rows[index] = (*rows[index][:3], *values)
    return rows


def test_history_without_a_fault_has_no_finding(tmp_path: Path) -> None:
    assert found(tmp_path) == []


def test_a_gap_names_the_prices_that_have_it(tmp_path: Path) -> None:
    rows = [row for index, row in enumerate(hours(48)) if index not in {10, 11}]
    assert found(tmp_path, rows) == [("gap", 10, "spot_close, perp_close, mark_close: 2 h missing")]
    assert found(tmp_path, changed(20, None, 1020.2, 1020.1)) == [("gap", 20, "spot_close: 1 h missing")]


def test_a_pair_without_spot_closes_is_named_once(tmp_path: Path) -> None:
    rows = [(*row[:3], None, *row[4:]) for row in hours(48)]
    assert found(tmp_path, rows) == [("gap", 0, "spot_close: no value at all; the pair cannot be replayed")]


def test_a_row_that_is_there_twice_is_named_with_whether_it_agrees(tmp_path: Path) -> None:
    rows = hours(48)
    assert found(tmp_path, [*rows, rows[7]]) == [("duplicate", 7, "the hour is there twice, alike")]
    other = (*rows[7][:3], 1007.5, 1007.6, 1007.4)
    assert found(tmp_path, [*rows, other]) == [("duplicate", 7, "the hour is there twice, with two readings")]
    twice = [*prints(6), ("binance", "BTCUSDT", millis(START) + 8 * HOUR + 40, 0.5e-5, 8.0, None)]
    assert found(tmp_path, None, twice)[0] == ("duplicate", 8, "the settlement is there twice, with two readings")


@pytest.mark.parametrize("value", [NAN, 0.0, -5.0, float("inf"), 1e300, 1e-300])
def test_a_value_that_is_no_price_is_unusable(tmp_path: Path, value: float) -> None:
    assert ("unusable", 20, "spot_close: 1 value is no price") in found(tmp_path, changed(20, value, 1020.2, 1020.1))


def test_a_row_beside_the_full_hour_is_unusable(tmp_path: Path) -> None:
    rows = [*hours(48), ("binance", "BTCUSDT", millis(START) + 1, 1.0, 1.0, 1.0)]
    assert found(tmp_path, rows) == [("unusable", 0, "1 hour is not on the full hour")]


def test_a_price_that_jumps_alone_is_an_outlier_and_a_market_that_moves_is_not(tmp_path: Path) -> None:
    spike = found(tmp_path, changed(20, 1300.0, 1020.2, 1020.1))
    assert ("outlier", 20, "spot_close: +27.6% in one hour, to 1300") in spike
    assert ("outlier", 20, "perp_close -21.5% from spot_close") in spike
    moved = [
        row if index < 20 else (*row[:3], *(value * 1.3 for value in row[3:])) for index, row in enumerate(hours(48))
    ]
    assert found(tmp_path, moved) == []


def test_a_split_is_an_outlier_even_if_every_price_shares_it(tmp_path: Path) -> None:
    split = [
        row if index < 20 else (*row[:3], *(value / 1000 for value in row[3:])) for index, row in enumerate(hours(48))
    ]
    assert [kind for kind, _, _ in found(tmp_path, split)] == ["outlier"] * 3


def test_prices_that_stand_still_are_frozen(tmp_path: Path) -> None:
    rows = [row if not 10 <= index < 17 else (*row[:3], *hours(11)[10][3:]) for index, row in enumerate(hours(48))]
    assert found(tmp_path, rows) == [
        ("frozen", 10, "mark_close: 1010.101 for 7 h"),
        ("frozen", 10, "perp_close: 1010.202 for 7 h"),
        ("frozen", 10, "spot_close: 1010 for 7 h"),
    ]
    rows = [row if not 10 <= index < 15 else (*row[:3], *hours(11)[10][3:]) for index, row in enumerate(hours(48))]
    assert found(tmp_path, rows) == []


def test_missing_settlements_and_changed_intervals_are_distinguished(tmp_path: Path) -> None:
    rates = prints(6)
    assert found(tmp_path, None, [*rates[:2], *rates[3:]]) == [("gap", 16, "1 of the settlements every 8 h missing")]
    later = prints(4, first=START + timedelta(hours=20), interval=4)
    assert found(tmp_path, None, [*prints(3), *later]) == [("interval change", 20, "every 4 h, before every 8 h")]


def test_a_rate_beyond_what_venues_pay_is_an_outlier(tmp_path: Path) -> None:
    rates = prints(6)
    rates[3] = (*rates[3][:3], 5.0, *rates[3][4:])
    assert found(tmp_path, None, rates) == [("unusable", 24, "rate: +500.000% of notional for one interval is no rate")]
    rates[3] = (*rates[3][:3], -0.015, *rates[3][4:])
    assert found(tmp_path, None, rates) == [("outlier", 24, "rate: -1.500% of notional for one interval")]
    rates[3] = (*rates[3][:3], NAN, 0.5, None)
    assert found(tmp_path, None, rates) == [
        ("unusable", 24, "interval_hours: 0.5, and not 1, 2, 4 or 8"),
        ("unusable", 24, "rate: nan is no number"),
    ]


def test_a_factor_of_two_in_one_hour_is_an_outlier_however_much_prices_move(tmp_path: Path) -> None:
    rows = [(*row[:3], *(value * (1.3 if n % 2 else 1.0) for value in row[3:])) for n, row in enumerate(hours(48))]
    assert found(tmp_path, rows, None) == []
    rows[21:] = [(*row[:3], *(value * 3 for value in row[3:])) for row in rows[21:]]
    assert [each[:2] for each in found(tmp_path, rows, None)] == [("outlier", 21)] * 3


def test_findings_and_holdings_say_where_they_are(tmp_path: Path) -> None:
    write_archive(tmp_path, [*hours(5), *hours(4, symbol="AAAUSDT")][:-1], prints(1))
    assert [(each.symbol, each.rows) for each in inventory(tmp_path)] == [
        ("AAAUSDT", 3),
        ("BTCUSDT", 5),
        ("BTCUSDT", 1),
    ]
    write_archive(tmp_path, [row for row in hours(6) if row[2] != millis(START) + 3 * HOUR], prints(1))
    (finding,) = check_folder(tmp_path)
    assert (finding.file, finding.exchange, finding.symbol) == ("prices_hourly.parquet", "binance", "BTCUSDT")
    assert finding.kind is FindingKind.GAP


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="no such file"):
        check_folder(tmp_path)
