"""Time windows of history endpoints (docs/aster-api.md 5.2, 5.3 and 6.2)."""

from datetime import UTC, datetime, timedelta

from msgspec import Struct

from hedgerow.domain.funding import EPOCH
from hedgerow.emulator.wire.protocol.errors import WireError
from hedgerow.emulator.wire.protocol.params import Params

__all__ = ["WEEK", "HistoryWindow", "open_window_of", "window_of"]

WEEK = timedelta(days=7)
ROUNDING = timedelta(milliseconds=1)
"""Times are reported in whole milliseconds: a row belongs to the millisecond that it is reported with."""


class HistoryWindow(Struct, frozen=True, kw_only=True):
    """A stretch of time, both ends included."""

    start: datetime
    end: datetime

    @classmethod
    def always(cls) -> "HistoryWindow":
        """Return the window that holds every time."""
        return cls(start=EPOCH, end=datetime.max.replace(tzinfo=UTC) - WEEK)

    @property
    def earliest(self) -> datetime:
        """The first time whose millisecond may be inside."""
        return max(EPOCH + ROUNDING, self.start) - ROUNDING

    def holds(self, at: datetime) -> bool:
        """Return whether a row of that time is inside."""
        return self.start <= at + ROUNDING - timedelta(microseconds=1) and at < self.end + ROUNDING


def window_of(params: Params, now: datetime) -> HistoryWindow:
    """Return the window asked for, at most a week; without times the last week.

    Raises:
        WireError: the start is after the end (-1023), in the future (-4181), or the window too long (-4165).
    """
    start, end = params.time("startTime"), params.time("endTime")
    _check_order(start, end)
    if start is not None and start > now:
        raise WireError(-4181, "Invalid start time.")
    if start is None:
        return HistoryWindow(start=max(EPOCH + WEEK, end or now) - WEEK, end=end or now)
    if end is None:
        return HistoryWindow(start=start, end=start + WEEK)
    if end - start > WEEK:
        raise WireError(-4165, "Invalid time interval: at most 7 days.")
    return HistoryWindow(start=start, end=end)


def open_window_of(params: Params, now: datetime) -> HistoryWindow:
    """Return the window asked for, of any length; without a start the week before its end.

    Raises:
        WireError: the start is after the end (-1023).
    """
    start, end = params.time("startTime"), params.time("endTime")
    _check_order(start, end)
    until = end or now
    return HistoryWindow(start=max(EPOCH + WEEK, until) - WEEK if start is None else start, end=until)


def _check_order(start: datetime | None, end: datetime | None) -> None:
    if start is not None and end is not None and start > end:
        raise WireError(-1023, "Start time is greater than end time.")
