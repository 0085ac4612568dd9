from datetime import UTC, datetime, timedelta

import pytest

from hedgerow.domain.funding import last_settlement, next_settlement, seconds_to_settlement, settlements


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 1, 5, hour, minute, second, tzinfo=UTC)


@pytest.mark.parametrize(("interval", "last", "following"), [(1, 13, 14), (2, 12, 14), (4, 12, 16), (8, 8, 16)])
def test_b7_every_symbol_settles_at_multiples_of_its_own_interval(interval: int, last: int, following: int) -> None:
    assert last_settlement(at(13, 30), interval) == at(last)
    assert next_settlement(at(13, 30), interval) == at(following)


def test_a_settlement_itself_is_the_last_one_not_the_next() -> None:
    assert last_settlement(at(16), 8) == at(16)
    assert next_settlement(at(16), 8) == at(16) + timedelta(hours=8)


@pytest.mark.parametrize("interval", [1, 2, 4, 8])
def test_a_settlement_has_no_fractions_of_a_second(interval: int) -> None:
    time = at(8) + timedelta(microseconds=123_456)
    assert last_settlement(time, interval) == at(8)
    assert next_settlement(time, interval) == at(8) + timedelta(hours=interval)
    assert settlements(time, time + timedelta(hours=interval), interval) == (at(8) + timedelta(hours=interval),)


def test_settlements_of_a_window_leave_out_its_start_and_include_its_end() -> None:
    assert settlements(at(8), at(16), 4) == (at(12), at(16))
    assert settlements(at(8, 1), at(11), 4) == ()


@pytest.mark.parametrize(("time", "seconds"), [(at(15, 59, 30), 30), (at(16, 0, 30), 30), (at(16), 0)])
def test_the_distance_to_a_settlement_counts_both_ways(time: datetime, seconds: float) -> None:
    assert seconds_to_settlement(time, 8) == seconds


def test_the_distance_is_at_most_half_an_interval() -> None:
    assert seconds_to_settlement(at(12), 8) == 4 * 3600
