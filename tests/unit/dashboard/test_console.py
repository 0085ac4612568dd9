"""Console and log file: what is written where, when, and what a failing destination may not do."""

import io
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest

from hedgerow.dashboard.console import FILE_BYTES, FILES_KEPT, LogObserver, close_logging, configure_logging
from hedgerow.domain import events as ev
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.ledger.state import Ledger
from hedgerow.engine import notices as mo
from support.golden_cases import AT, GOLDEN_CASES, notice_of


@pytest.fixture(autouse=True)
def _closed_afterwards() -> Iterator[None]:
    yield
    close_logging()


def warned(text: str, at: datetime = AT) -> mo.Warned:
    return mo.Warned(at=at, text=text)


def show(*notices: mo.Notice) -> None:
    observer = LogObserver()
    for notice in notices:
        observer.on_notice(notice)


class CountedText(str):
    """A text that counts how often it was worded."""

    __slots__ = ("looked_at",)

    def __init__(self, _text: str) -> None:
        self.looked_at = 0

    def isprintable(self) -> bool:
        self.looked_at += 1
        return super().isprintable()

    def __format__(self, spec: str) -> str:
        self.looked_at += 1
        return super().__format__(spec)


class BrokenStream(io.StringIO):
    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")


# --- what is written -------------------------------------------------------------------------------------------------


def test_the_file_has_the_notices_own_time_and_level_before_the_guides_line(tmp_path: Path) -> None:
    log = tmp_path / "deep" / "volume_farming.log"
    configure_logging(log, console=False)
    show(*GOLDEN_CASES["cycle"], warned("careful"))
    close_logging()
    lines = log.read_text(encoding="utf-8").splitlines()
    assert lines[0] == ""
    assert lines[2] == "2025-01-15 18:45:10,789 - INFO - CYCLE #12 - 2025-01-15 18:45:10"
    assert lines[-1] == "2025-01-15 18:45:10,789 - WARNING - careful"


def test_the_files_times_are_utc_and_simulated_where_the_run_is(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    configure_logging(log, console=False)
    show(warned("then", datetime(2031, 6, 1, 9, 0, tzinfo=timezone(timedelta(hours=9)))))
    assert log.read_text(encoding="utf-8") == "2031-06-01 00:00:00,000 - WARNING - then\n"


def test_a_row_of_old_is_logged_at_the_time_it_was_received(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    configure_logging(log, console=False)
    flow = ev.ExternalFlow(
        at=datetime(2020, 1, 1, tzinfo=UTC),
        row_id="1",
        wallet=ev.Wallet.SPOT,
        asset="USDT",
        amount=Decimal(5),
        kind=ev.FlowKind.DEPOSIT,
    )
    show(warned("first"), notice_of(flow))
    assert [line[:19] for line in log.read_text(encoding="utf-8").splitlines()] == ["2025-01-15 18:45:10"] * 2


def test_a_console_that_is_no_terminal_gets_the_bare_lines_of_any_length() -> None:
    stream = io.StringIO()
    configure_logging(None, console=True, stream=stream)
    show(*GOLDEN_CASES["cycle"][:1], warned("w" * 500))
    assert stream.getvalue().splitlines()[1:] == [
        "=" * 80,
        "CYCLE #12 - 2025-01-15 18:45:10",
        "=" * 80,
        "w" * 500,
    ]


def test_the_console_is_standard_output_unless_given_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(None, console=True)
    show(warned("here"))
    assert capsys.readouterr().out == "here\n"


def test_colour_goes_by_level_to_the_console_and_never_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    log, stream = tmp_path / "x.log", io.StringIO()
    configure_logging(log, console=True, colour=True, stream=stream)
    show(warned("yellow [red]not markup[/red]"), mo.BalancesRead(at=AT, spot_usdt=Decimal(1), perp_usdt=Decimal(2)))
    logging.getLogger("hedgerow.aster").error("from a part without words")
    logging.getLogger("hedgerow.aster").info("plain")
    shown = stream.getvalue().splitlines()
    assert shown[0] == "\x1b[33myellow [red]not markup[/red]\x1b[0m"
    assert shown[1] == "Performing health check..."
    assert shown[-2:] == ["\x1b[1;31mfrom a part without words\x1b[0m", "plain"]
    assert "\x1b" not in log.read_text(encoding="utf-8")


def test_colour_can_be_switched_off_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.StringIO()
    configure_logging(None, console=True, colour=False, stream=stream)
    show(warned("plain"))
    assert stream.getvalue() == "plain\n"


def test_a_line_that_a_terminal_cannot_encode_is_escaped() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
    configure_logging(None, console=True, stream=stream)
    show(warned("symbol 币USDT"))
    assert raw.getvalue() == b"symbol \\u5e01USDT\n"


def test_hostile_text_stays_on_its_line_in_both(tmp_path: Path) -> None:
    log, stream = tmp_path / "x.log", io.StringIO()
    configure_logging(log, console=True, stream=stream)
    show(mo.CycleFailed(at=AT, error="x\n2025 - INFO - Position closed\x1b[2J", retry_seconds=5))
    logging.getLogger("hedgerow").warning("a\nb %s", "signature=abc")
    assert stream.getvalue().splitlines()[0] == "Cycle failed: x\\n2025 - INFO - Position closed\\x1b[2J"
    assert stream.getvalue().splitlines()[-1] == "a\\nb signature=***"
    assert len(log.read_text(encoding="utf-8").splitlines()) == 3


def test_a_traceback_of_another_part_is_kept_line_by_line(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    configure_logging(log, console=False)
    try:
        raise ValueError("listenKey=abc")  # noqa: TRY301 - the traceback is the point
    except ValueError:
        logging.getLogger("hedgerow.part").exception("it failed")
    text = log.read_text(encoding="utf-8")
    assert "ERROR - it failed\nTraceback (most recent call last):\n" in text
    assert text.endswith("ValueError: listenKey=***\n")


# --- how much, and for whom ------------------------------------------------------------------------------------------


def test_the_file_rotates_and_keeps_five(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    configure_logging(log, console=False)
    (handler,) = logging.getLogger("hedgerow").handlers
    assert isinstance(handler, logging.handlers.RotatingFileHandler)
    assert (handler.maxBytes, handler.backupCount) == (FILE_BYTES, FILES_KEPT) == (10 * 1024 * 1024, 5)
    handler.maxBytes = 100
    show(*(warned(f"line {number} {'x' * 60}") for number in range(20)))
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["x.log", *(f"x.log.{number}" for number in range(1, 6))]


def test_nothing_is_worded_when_nobody_reads() -> None:
    text = CountedText("x")
    configure_logging(None, console=False)
    show(warned(text), mo.NoOpportunity(at=AT, why=text))
    assert text.looked_at == 0
    configure_logging(None, console=True, level=logging.WARNING, stream=io.StringIO())
    show(mo.NoOpportunity(at=AT, why=text))
    assert text.looked_at == 0
    show(warned(text))
    assert text.looked_at > 0


def test_without_any_destination_ever_configured_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    present, root.handlers = root.handlers, []
    try:
        show(warned("unheard"))
    finally:
        root.handlers = present
    assert capsys.readouterr() == ("", "")


def test_with_warnings_only_the_routine_is_left_out() -> None:
    stream = io.StringIO()
    configure_logging(None, console=True, level=logging.WARNING, stream=stream)
    show(*GOLDEN_CASES["cycle"], *GOLDEN_CASES["rotation"], warned("shown"))
    assert stream.getvalue() == "shown\n"


def test_a_second_configuration_replaces_the_first(tmp_path: Path) -> None:
    first, second = tmp_path / "a.log", tmp_path / "b.log"
    configure_logging(first, console=False)
    configure_logging(second, console=False)
    show(warned("x"))
    assert (first.read_text(encoding="utf-8"), len(second.read_text(encoding="utf-8").splitlines())) == ("", 1)


def test_closing_leaves_the_handlers_of_others_alone() -> None:
    other = logging.NullHandler()
    logger = logging.getLogger("hedgerow")
    logger.addHandler(other)
    try:
        configure_logging(None, console=True, stream=io.StringIO())
        close_logging()
        assert logger.handlers == [other]
    finally:
        logger.removeHandler(other)


# --- what may not happen ---------------------------------------------------------------------------------------------


def test_a_log_file_that_cannot_be_opened_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^log file .*x\.log cannot be written: "):
        configure_logging(tmp_path / "file" / "x.log", console=False)


def test_a_stream_that_fails_is_reported_once_and_never_reaches_the_engine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "x.log"
    configure_logging(log, console=True, stream=BrokenStream())
    show(warned("one"), warned("two"))
    assert capsys.readouterr().err == (
        "hedgerow: the console cannot be written ([Errno 28] No space left on device); continuing\n"
    )
    assert len(log.read_text(encoding="utf-8").splitlines()) == 2


def test_a_failing_standard_error_is_survived_too(monkeypatch: pytest.MonkeyPatch) -> None:
    configure_logging(None, console=True, stream=BrokenStream())
    monkeypatch.setattr(sys, "stderr", BrokenStream())
    show(warned("one"))


def test_a_fault_in_the_wording_is_an_error_in_the_log_and_nowhere_else() -> None:
    stream = io.StringIO()
    configure_logging(None, console=True, stream=stream)
    show(mo.Warned(at=AT, text=None), warned("still here"))  # type: ignore[arg-type]
    first, second = stream.getvalue().splitlines()
    assert first.startswith("A notice could not be logged: AttributeError(")
    assert second == "still here"


def test_silent_notices_write_nothing() -> None:
    stream = io.StringIO()
    configure_logging(None, console=True, stream=stream)
    show(mo.CycleEnded(at=AT, ledger=Ledger(), evaluation=None, equity=None))
    assert stream.getvalue() == ""
