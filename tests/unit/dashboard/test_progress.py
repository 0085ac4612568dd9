"""Progress of a simulated run, with and without a terminal."""

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from hedgerow.dashboard.progress import STEPS, ProgressObserver, SeriesProgress
from hedgerow.engine.notices import CycleEnded, Warned
from support.golden_cases import HEDGE
from support.views import ledger_of

START = datetime(2026, 1, 1, tzinfo=UTC)


def cycle(hours: float, *, equity: str | None = "1000", held: bool = False) -> CycleEnded:
    return CycleEnded(
        at=START + timedelta(hours=hours),
        ledger=ledger_of(HEDGE if held else None),
        evaluation=None,
        equity=None if equity is None else Decimal(equity),
    )


def progress(stream: io.StringIO, *, days: float = 10, terminal: bool = False) -> ProgressObserver:
    return ProgressObserver(
        start=START, end=START + timedelta(days=days), every_days=2, stream=stream, terminal=terminal
    )


def test_off_a_terminal_a_line_appears_every_few_simulated_days() -> None:
    stream = io.StringIO()
    with progress(stream) as observer:
        for hour in range(1, 121):
            observer.on_notice(cycle(hour, held=hour > 90, equity=None if hour > 90 else "1000.5"))
    assert stream.getvalue().splitlines() == [
        "2026-01-03 00:00 ( 20%) cycles 48, equity $1,000.50, position none",
        "2026-01-05 00:00 ( 40%) cycles 96, equity unknown, position BTCUSDT",
    ]


def test_a_run_longer_than_planned_stays_at_the_whole() -> None:
    stream = io.StringIO()
    progress(stream).on_notice(cycle(24 * 30))
    assert "(100%)" in stream.getvalue()


def test_only_ended_cycles_count() -> None:
    stream = io.StringIO()
    progress(stream).on_notice(Warned(at=START + timedelta(days=5), text="x"))
    assert stream.getvalue() == ""


def test_on_a_terminal_a_bar_shows_time_equity_and_position(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    stream = io.StringIO()
    with progress(stream, terminal=True) as observer:
        observer.on_notice(cycle(120, held=True))
    shown = stream.getvalue()
    assert "2026-01-06 00:00" in shown
    assert "50%" in shown
    assert "cycles 1, equity $1,000, position BTCUSDT" in shown.replace("$1,000.00", "$1,000")


def test_a_bar_is_asked_to_move_a_bounded_number_of_times() -> None:
    stream = io.StringIO()
    moved = 0
    with progress(stream, days=365, terminal=True) as observer:
        assert observer._bar is not None
        (task,) = observer._bar.tasks
        seen = task.completed
        for hour in range(365 * 24):
            observer.on_notice(cycle(hour))
            moved, seen = moved + (task.completed != seen), task.completed
    assert 0 < moved <= STEPS


def test_a_bar_that_was_not_started_shows_nothing() -> None:
    stream = io.StringIO()
    progress(stream, terminal=True).on_notice(cycle(48))
    assert stream.getvalue() == ""


def test_a_broken_stream_does_not_stop_the_run() -> None:
    stream = io.StringIO()
    observer = progress(stream)
    stream.close()
    observer.on_notice(cycle(48))


# --- a download ------------------------------------------------------------------------------------------------------


def test_off_a_terminal_a_download_is_a_line_for_each_tenth() -> None:
    stream = io.StringIO()
    with SeriesProgress(stream=stream) as download:
        for done in range(101):
            download.show("BTCUSDT perp", done, 100)
        download.say("BTCUSDT has no spot market")
    assert stream.getvalue().splitlines() == [
        *(f"{done} of 100 series" for done in range(10, 101, 10)),
        "BTCUSDT has no spot market",
    ]


def test_a_download_of_nothing_shows_nothing() -> None:
    stream = io.StringIO()
    with SeriesProgress(stream=stream) as download:
        download.show("", 0, 0)
    assert stream.getvalue() == ""


def test_a_terminal_that_went_away_does_not_end_a_download() -> None:
    stream = io.StringIO()
    download = SeriesProgress(stream=stream)
    stream.close()
    download.show("BTCUSDT perp", 1, 1)
    download.say("on it goes")
