"""Ids of booked rows: each known once booked, none copied per booking, and none kept for ever."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hedgerow.domain.ledger.booked import BookedIds

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def test_an_id_is_known_from_its_booking_on() -> None:
    ids = BookedIds().adding(7, START)
    assert 7 in ids
    assert ids.knows(7, START)
    assert not ids.knows(8, START)
    assert not BookedIds().knows(7, START)
    assert (list(ids), len(ids)) == (["7"], 1)


def test_an_id_is_known_whatever_time_a_second_report_gives_it() -> None:
    ids = BookedIds().adding("transfer:1", START)
    assert ids.knows("transfer:1", START + 3 * DAY)


def test_what_is_older_than_the_watermark_counts_as_booked_and_takes_no_room() -> None:
    ids = BookedIds().adding(1, START - 2 * DAY).adding(2, START).forgetting(START - DAY)
    assert set(ids) == {"2"}
    assert ids.knows(1, START - 2 * DAY)
    assert ids.knows(99, START - 2 * DAY)
    assert ids.adding(3, START - 2 * DAY) is ids


def test_the_watermark_never_sinks() -> None:
    ids = BookedIds().adding(1, START).forgetting(START)
    assert ids.forgetting(START - 9 * DAY) is ids
    assert ids.forgetting(START) is ids


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 5)), max_size=300))
def test_it_is_the_set_of_what_was_added(rows: list[tuple[int, int]]) -> None:
    ids = BookedIds()
    for row_id, day in rows:
        if row_id not in ids:
            ids = ids.adding(row_id, START + day * DAY)
    assert sorted(ids) == sorted({str(row_id) for row_id, _ in rows})
    assert all(len(parts) <= 12 for parts in ids.days.values())


def test_adding_does_not_copy_all_of_a_day() -> None:
    ids, copied = BookedIds(), 0
    for row_id in range(20_000):
        before = {id(part) for parts in ids.days.values() for part in parts}
        ids = ids.adding(row_id, START)
        copied += sum(len(part) for parts in ids.days.values() for part in parts if id(part) not in before)
    assert copied <= 20_000 * 16
