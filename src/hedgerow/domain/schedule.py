"""Funding times: settlements at UTC multiples of a symbol's own interval (Aster: 1, 2, 4 or 8 hours)."""

from datetime import UTC, datetime, timedelta

__all__ = ["EPOCH", "HOURS_PER_YEAR", "last_settlement", "next_settlement", "seconds_to_settlement", "settlements"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOURS_PER_YEAR = 8760


def last_settlement(at: datetime, interval_hours: int) -> datetime:
    """Return the newest settlement that is not after ``at``."""
    interval = timedelta(hours=interval_hours)
    return at - (at - EPOCH) % interval


def next_settlement(at: datetime, interval_hours: int) -> datetime:
    """Return the first settlement strictly after ``at``."""
    return last_settlement(at, interval_hours) + timedelta(hours=interval_hours)


def settlements(after: datetime, until: datetime, interval_hours: int) -> tuple[datetime, ...]:
    """Return the settlement times in ``(after, until]``, oldest first."""
    interval = timedelta(hours=interval_hours)
    found: list[datetime] = []
    stamp = next_settlement(after, interval_hours)
    while stamp <= until:
        found.append(stamp)
        stamp += interval
    return tuple(found)


def seconds_to_settlement(at: datetime, interval_hours: int) -> float:
    """Return the distance in seconds to the nearest settlement, before or after ``at``."""
    since = (at - last_settlement(at, interval_hours)).total_seconds()
    until = (next_settlement(at, interval_hours) - at).total_seconds()
    return min(since, until)
