"""Keeps the time series of a running bot: an observer that hands rows to a background thread, which writes them.

``published`` is everything that a running bot keeps in its home for screens.
"""

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hedgerow.app.background import Background
from hedgerow.app.heartbeat import Publish, unpublished
from hedgerow.app.outlook_file import OutlookFile, read_outlook
from hedgerow.config import Home
from hedgerow.config.table import settings_in_words
from hedgerow.dashboard.outlook import Outlook, OutlookBuilder, ProcessHealth
from hedgerow.dashboard.series import SeriesRecorder
from hedgerow.domain.errors import StoreError
from hedgerow.domain.records.time_series import SeriesBatch
from hedgerow.domain.run_identity import RunIdentity
from hedgerow.engine.notices import Notice, Observer
from hedgerow.ports import TimeSeriesStore
from hedgerow.store.timeseries import SqliteTimeSeries
from hedgerow.strategy.policy import Policy

__all__ = ["SeriesFile", "published"]

MOST_WAITING: Final = 5_000
"""Batches that wait for a file that cannot be written; of more the oldest are lost."""


class SeriesFile:
    """An observer that never waits: what cannot be written now is tried again with the next batch."""

    def __init__(
        self,
        path: Path,
        outlook: Callable[[], Outlook | None],
        *,
        open_store: Callable[[Path], TimeSeriesStore] = SqliteTimeSeries,
    ) -> None:
        """``outlook`` returns the newest one; ``flush`` is to be called on another thread, ``wake`` asks for it."""
        self._path = path
        self._outlook = outlook
        self._open_store = open_store
        self._recorder = SeriesRecorder()
        self._waiting: deque[SeriesBatch] = deque(maxlen=MOST_WAITING)
        self._store: TimeSeriesStore | None = None
        self.wake: Callable[[], None] | None = None
        """Called when there is something to write."""

    def on_notice(self, notice: Notice) -> None:
        """Keep what one notice adds."""
        batch = self._recorder.on_notice(notice, self._outlook())
        if batch is None:
            return
        self._waiting.append(batch)
        if self.wake is not None:
            self.wake()

    def flush(self) -> None:
        """Write what waits; on the thread that owns the file alone.

        Raises:
            StoreError: it could not be written now; it is kept, unless the file was damaged.
        """
        batches: list[SeriesBatch] = []
        while self._waiting:
            batches.append(self._waiting.popleft())
        if not batches:
            return
        try:
            if self._store is None:
                self._store = self._open_store(self._path)
            self._store.add(_joined(batches))
        except StoreError:
            room = max(0, MOST_WAITING - len(self._waiting))
            self._waiting.extendleft(reversed(batches[-room:] if room else []))
            raise

    def close(self) -> None:
        """Release the file."""
        if self._store is not None:
            self._store.close()


def _joined(batches: list[SeriesBatch]) -> SeriesBatch:
    return SeriesBatch(
        points=tuple(each for batch in batches for each in batch.points),
        decisions=tuple(each for batch in batches for each in batch.decisions),
        payments=tuple(each for batch in batches for each in batch.payments),
        rates=tuple(each for batch in batches for each in batch.rates),
        costs=tuple(each for batch in batches for each in batch.costs),
    )


def published(
    home: Home,
    policy: Policy,
    identity: RunIdentity | None,
    *,
    process: Callable[[], ProcessHealth] = ProcessHealth,
    publish: Publish = unpublished,
    open_series: Callable[[Path], TimeSeriesStore] = SqliteTimeSeries,
) -> tuple[tuple[Observer, ...], Background]:
    """Return what keeps the files that screens read, and the thread that writes them.

    ``process`` is asked how the connection is; ``publish`` gets the outlook as well; ``open_series`` opens the time
    series on that thread.
    """
    builder = OutlookBuilder(
        policy,
        identity,
        settings=settings_in_words(policy.parameters),
        previous=read_outlook(home.outlook),
        process=process,
    )
    outlook = OutlookFile(home.outlook, builder, publish=publish)
    series = SeriesFile(home.series, outlook.latest, open_store=open_series)
    background = Background((outlook.flush, series.flush), series.close)
    outlook.wake = series.wake = background.wake
    return (outlook, series), background
