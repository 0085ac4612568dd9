"""The past of a bot as screens show it, read from its time series, and read again when it is due."""

from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from datetime import datetime, timedelta
from typing import Final

from hedgerow.app.storage.select import open_series
from hedgerow.config import Home
from hedgerow.dashboard.report.alternatives import CASH_APR
from hedgerow.dashboard.series import series_of
from hedgerow.dashboard.status_lines import BotView
from hedgerow.dashboard.view import Series
from hedgerow.domain.errors import StoreError
from hedgerow.domain.records.time_series import SeriesPoint
from hedgerow.ports import Clock, TimeSeriesStore

__all__ = ["CASH_RATE", "HomePast", "SeriesPast"]

CASH_RATE: Final = float(CASH_APR)
"""What cash is compared at unless the user says otherwise, a fraction a year."""

AGE_SECONDS: Final = 30.0
"""Real time for which what was read counts as new: a check adds to it every few minutes."""


class SeriesPast:
    """The time series of one bot, for one reader; None where there is none or it cannot be read now."""

    def __init__(
        self,
        opened: Callable[[], AbstractContextManager[TimeSeriesStore]],
        clock: Clock,
        *,
        cash_rate: float = CASH_RATE,
    ) -> None:
        """``clock`` is real time; ``cash_rate`` is what cash is compared at, a fraction a year."""
        self._opened = opened
        self._clock = clock
        self._cash_rate = cash_rate
        self._read_at: float | None = None
        self._known: Series | None = None
        self._events = -1

    def of(self, bot: BotView) -> Series | None:
        """Return the past of a bot that was read just now."""
        now, events = self._clock.monotonic(), bot.ledger.totals.closed + bot.ledger.totals.opened
        if self._read_at is None or now - self._read_at >= AGE_SECONDS or events != self._events:
            held = [hedge.symbol for hedge in bot.ledger.live_hedges]
            self._known = self._read(bot.now, held)
            self._read_at, self._events = now, events
        return self._known

    def points(self, since: datetime) -> tuple[SeriesPoint, ...]:
        """Return what the bot was worth after ``since``, oldest first, for curves; empty where nothing can be read."""
        try:
            with self._opened() as store:
                return store.points(since - timedelta(seconds=1))
        except StoreError:
            return ()

    def _read(self, now: datetime, held: list[str]) -> Series | None:
        try:
            with self._opened() as store:
                return series_of(store, now, cash_rate=self._cash_rate, held=held)
        except StoreError:
            return None


class HomePast(SeriesPast):
    """That of the bot of a home."""

    def __init__(self, home: Home, clock: Clock, *, cash_rate: float = CASH_RATE) -> None:
        """``clock`` is real time; ``cash_rate`` is what cash is compared at, a fraction a year."""
        super().__init__(lambda: closing(open_series(home)), clock, cash_rate=cash_rate)
