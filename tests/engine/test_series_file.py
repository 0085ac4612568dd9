"""The files that screens read are written beside the trading path: the event log is the same, whatever fails."""

import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from hedgerow.app.background import Background
from hedgerow.app.outlook_file import OutlookFile, read_outlook
from hedgerow.app.series_file import SeriesFile
from hedgerow.dashboard.outlook import Outlook, OutlookBuilder
from hedgerow.domain.errors import StoreError
from hedgerow.domain.records.time_series import MarkKind, SeriesBatch
from hedgerow.engine.notices import Notice, Observer
from hedgerow.store.codec import encode_event
from hedgerow.store.timeseries import SqliteTimeSeries, TimeSeriesReader
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from support.bot_harness import OPENED, BotHarness
from support.worlds import SYMBOL, Listing, ScriptedMarketData

HOURS = 9.0


def harness() -> BotHarness:
    listed = [Listing(rate="0.0004"), Listing("BTCUSDT", spot=200, rate="0.0001"), Listing("CCCUSDT", rate="-0.0001")]
    return BotHarness(ScriptedMarketData(listed))


def log_of(observers: Sequence[Observer] = ()) -> list[bytes]:
    bot = harness()
    bot.listeners_may_fail = True
    bot.run(HOURS, observers=observers)
    assert bot.store is not None
    return [encode_event(event) for event in bot.store.log]


def builder() -> OutlookBuilder:
    return OutlookBuilder(VolumeFarming(StrategyParameters()))


class Raising:
    """Fails at every so many notices."""

    def __init__(self, every: int) -> None:
        self._every, self._count = every, 0

    def on_notice(self, notice: Notice) -> None:
        self._count += 1
        if self._count % self._every == 0:
            raise RuntimeError(type(notice).__name__)


@pytest.mark.parametrize("every", [1, 2, 7])
def test_a_listener_that_raises_changes_nothing_of_the_log(every: int) -> None:
    assert log_of([Raising(every), Raising(every + 1)]) == log_of()


def test_a_locked_series_delays_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "series.db"
    SqliteTimeSeries(path).close()
    outlook = OutlookFile(tmp_path / "outlook.json", builder())
    series = SeriesFile(path, outlook.latest)
    background = Background((outlook.flush, series.flush), series.close, seconds=0.05)
    outlook.wake = series.wake = background.wake
    with closing(sqlite3.connect(path)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        observed = log_of([outlook, series])
        series.wake = None
        with pytest.raises(StoreError, match="locked"):
            SqliteTimeSeries(path)
    background.close()
    assert observed == log_of()
    assert background.failures > 0
    with closing(TimeSeriesReader(path)) as reader:
        assert len(reader.points(OPENED)) > 100


def test_a_run_is_kept_with_its_checks_decisions_payments_and_rates(tmp_path: Path) -> None:
    path = tmp_path / "series.db"
    outlook = OutlookFile(tmp_path / "outlook.json", builder())
    series = SeriesFile(path, outlook.latest)
    bot = harness()
    bot.run(HOURS, observers=(outlook, series))
    series.flush()
    series.flush()
    series.close()
    with closing(TimeSeriesReader(path)) as reader:
        _check(reader)


def _check(reader: TimeSeriesReader) -> None:
    points = reader.points(OPENED - timedelta(seconds=1))
    assert points[0].kind is MarkKind.TRADING
    assert {point.kind for point in points[1:-1]} == {MarkKind.HEDGED}
    assert points[-2].symbols == SYMBOL
    assert points[-2].covered_seconds == pytest.approx(300, abs=5)
    assert points[-2].net == pytest.approx(points[-2].funding + (points[-2].basis or 0) - points[-2].fees)
    assert points[-2].equity is not None
    (held,) = [each for each in reader.decisions(50) if each.symbol == SYMBOL and each.reason == "position healthy"]
    assert held.count > 100
    assert [each.symbol for each in reader.payments(10)] == [SYMBOL]
    assert {each.symbol for each in reader.rates(OPENED)} == {SYMBOL, "BTCUSDT", "CCCUSDT"}
    assert {each.symbol for each in reader.costs()} == {SYMBOL, "BTCUSDT", "CCCUSDT"}


def test_what_cannot_be_written_waits_and_the_oldest_is_lost_first(tmp_path: Path) -> None:
    class Refusing:
        def __init__(self, path: Path) -> None:
            raise StoreError(str(path))

    bot = harness()
    outlook = OutlookFile(tmp_path / "outlook.json", builder())
    series = SeriesFile(tmp_path / "series.db", outlook.latest, open_store=Refusing)  # type: ignore[arg-type] # it never opens
    bot.run(0.5, observers=(outlook, series))
    with pytest.raises(StoreError):
        series.flush()
    kept: list[SeriesBatch] = []

    class Keeping:
        def __init__(self, _path: Path) -> None:
            return

        def add(self, batch: SeriesBatch) -> None:
            kept.append(batch)

    series._open_store = Keeping  # type: ignore[assignment]
    series.flush()
    assert len(kept) == 1
    assert kept[0].points
    series.flush()
    assert len(kept) == 1


def test_the_outlook_is_published_at_a_change_by_the_thread_that_was_woken(tmp_path: Path) -> None:
    path = tmp_path / "outlook.json"
    outlook, woken = OutlookFile(path, builder()), list[Outlook | None]()
    outlook.wake = lambda: woken.append(read_outlook(path))
    harness().run(HOURS, observers=(outlook,))
    assert len(woken) > 200
    written = {found.checked_at for found in woken if found is not None}
    assert written == {None}
    last = read_outlook(path)
    assert last is not None
    assert last.stopped_at is not None
    outlook.flush()
    assert read_outlook(path) == last


def test_one_round_writes_the_newest_outlook_once(tmp_path: Path) -> None:
    path = tmp_path / "outlook.json"
    outlook = OutlookFile(path, builder())
    outlook.wake = lambda: None
    bot = harness()
    bot.run(0.5, observers=(outlook,), at={0.4: lambda _bot: outlook.flush()})
    found = read_outlook(path)
    assert found is not None
    path.unlink()
    outlook.flush()
    assert not path.exists()


def test_a_job_that_raises_ends_neither_the_others_nor_the_rounds() -> None:
    done: list[str] = []

    def broken() -> None:
        raise ValueError("broken")

    background = Background((broken, lambda: done.append("job")), lambda: done.append("ended"), seconds=0.01)
    background.wake()
    background.close()
    background.close()
    assert done[-1] == "ended"
    assert "job" in done
    assert background.failures >= 1


def test_there_is_at_most_one_round_in_the_time_between_two() -> None:
    rounds: list[int] = []
    first = threading.Event()

    def job() -> None:
        rounds.append(1)
        first.set()

    background = Background((job,), seconds=3600)
    background.wake()
    assert first.wait(10)
    for _ in range(100):
        background.wake()
    assert len(rounds) == 1
    background.close()
    assert len(rounds) == 2


def test_a_background_that_was_never_needed_has_no_thread() -> None:
    called: list[int] = []
    Background((lambda: called.append(1),)).close()
    assert called == []
