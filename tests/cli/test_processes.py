"""The command as a process: signals, pipes, terminals, two at once."""

import fcntl
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from hedgerow.cli.codes import ExitCode
from support.command_runner import COMMAND, EAGER, Shell, process, write_config

CONFIG = "config_volume_farming_strategy.json"
START_FILE = Path(__file__).parents[2] / "volume_farming_strategy.py"
PATIENCE = 60


def read_until(bot: "subprocess.Popen[str]", wanted: str) -> str:
    """Read what a process says up to a line that holds ``wanted``."""
    assert bot.stdout is not None
    received = ""
    for line in bot.stdout:
        received += line
        if wanted in line:
            return received
    raise AssertionError(f"it ended without saying {wanted!r}:\n{received}")


@contextmanager
def running(place: Path, *words: object, before: tuple[str, ...] = ()) -> Iterator["subprocess.Popen[str]"]:
    """A paper bot that has opened something and now waits."""
    write_config(place / CONFIG, EAGER)
    bot = process(*before, COMMAND, "run", "--paper", *words, home=place)
    try:
        read_until(bot, "Total positions opened: 1")
        yield bot
    finally:
        if bot.poll() is None:
            bot.kill()
        bot.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=["Ctrl-C", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_bot_tidily_and_the_position_stays(number: signal.Signals, shell: Shell, place: Path) -> None:
    with running(place) as bot:
        bot.send_signal(number)
        out, err = bot.communicate(timeout=PATIENCE)
        assert (bot.returncode, err) == (0, "")
    assert "Shutdown requested: the position is kept, then the bot stops" in out
    assert "Final statistics:" in out
    assert shell("status", "--paper", "--json", "-").document["position"] is not None
    assert "confirmed on exchange" in shell("run", "--paper", "--once").out


def test_a_closing_terminal_does_not_end_a_bot_that_nohup_started(place: Path) -> None:
    with running(place, "--speed", "300", before=("nohup",)) as bot:
        bot.send_signal(signal.SIGHUP)
        read_until(bot, "CYCLE #4 ")
        bot.send_signal(signal.SIGTERM)
        bot.communicate(timeout=PATIENCE)
        assert bot.returncode == 0


def test_a_bot_whose_console_no_one_reads_goes_on_answers_and_stops(shell: Shell, place: Path) -> None:
    with running(place, "--speed", "3000") as bot:
        assert bot.stdout is not None
        pipe = bot.stdout.fileno()
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4096)
        log = place / "volume_farming-paper.log"
        before = log.stat().st_size
        while log.stat().st_size < before + 3 * 4096:
            Event().wait(0.05)
        assert shell("halt", "--paper").code == 0
        bot.send_signal(signal.SIGTERM)
        assert bot.wait(PATIENCE) == ExitCode.HALTED


def test_a_close_with_another_lock_folder_reaches_the_running_bot(
    shell: Shell, place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with running(place) as bot:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
        assert "already trades with this event log" in shell.refused("run", "--paper")
        assert shell("close", "--paper", "--yes").out.startswith("Closed ")
        bot.send_signal(signal.SIGINT)
        bot.communicate(timeout=PATIENCE)
        assert bot.returncode == 3


def test_a_running_bot_answers_while_others_are_kept_out(shell: Shell, place: Path) -> None:
    with running(place) as bot:
        symbol = shell("status", "--paper", "--json", "-").document["position"]["symbol"]
        for word in ("run", "reconcile"):
            assert f"process {bot.pid} already trades this account" in shell.refused(word, "--paper")
        assert shell("scan", "--paper").code == 0
        assert shell("halt", "--paper", "--reason", "lunch").code == 0
        assert shell("status", "--paper").code == 3
        assert shell("resume", "--paper").out == "Openings are allowed again.\n"
        assert shell("adopt", "BTCUSDT", "--paper").code == 1
        assert shell("close", "--paper", "--yes").out.startswith(f"Closed {symbol}: net $")
        assert shell("status", "--paper", "--json", "-").document["position"] is None
        bot.send_signal(signal.SIGINT)
        out, _ = bot.communicate(timeout=PATIENCE)
        assert bot.returncode == 3, "openings are still halted"
    assert "OPENINGS HALTED: asked by the user (lunch)" in out
    assert list((place / "hedgerow-paper.requests").iterdir()) == []


def test_the_position_is_closed_on_the_way_out_when_that_was_asked(shell: Shell, place: Path) -> None:
    with running(place, "--close-on-exit") as bot:
        bot.send_signal(signal.SIGTERM)
        out, _ = bot.communicate(timeout=PATIENCE)
        assert bot.returncode == 0
    assert "the position is closed first" in out
    assert "Position closed successfully!" in out
    assert shell("status", "--paper", "--json", "-").document["position"] is None


def test_a_bot_that_was_killed_is_taken_up_again(shell: Shell, place: Path) -> None:
    with running(place) as bot:
        bot.kill()
        bot.communicate()
    said = shell("run", "--paper", "--once")
    assert said.code == 0
    assert "confirmed on exchange" in said.out


def test_the_file_of_the_guide_starts_the_same_bot(place: Path) -> None:
    write_config(place / "home.json", EAGER)
    words = (sys.executable, START_FILE, "--once", "--paper", "--home", place / "home", "--config", "home.json")
    bot = process(*words, home=place)
    out, err = bot.communicate(timeout=PATIENCE)
    assert (bot.returncode, err) == (0, "")
    assert out.count("CYCLE #1 ") == 1
    assert (place / "home" / "volume_farming-paper.log").exists()


def test_ctrl_c_ends_the_demo_with_a_report_of_what_was_played_and_leaves_nothing_else(place: Path) -> None:
    temporary = place / "temporary"
    temporary.mkdir()
    os.environ["TMPDIR"] = str(temporary)
    try:
        bot = process(COMMAND, "demo", "--pairs", 4, "--speed", 60, home=place)
    finally:
        del os.environ["TMPDIR"]
    read_until(bot, "CYCLE #1 ")
    bot.send_signal(signal.SIGINT)
    _, err = bot.communicate(timeout=PATIENCE)
    assert bot.returncode == 1
    assert err == ""
    assert list(temporary.iterdir()) == []
    assert (place / "demo-report.html").exists()


def test_a_reader_that_goes_away_is_no_reason_for_a_traceback(place: Path) -> None:
    bot = process(COMMAND, "demo", "--days", 0.3, "--pairs", 4, home=place)
    assert bot.stdout is not None
    bot.stdout.readline()
    bot.stdout.close()
    assert bot.stderr is not None
    err = bot.stderr.read()
    bot.stderr.close()
    assert bot.wait(timeout=PATIENCE) == 1
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    assert (place / "demo-report.html").exists(), "the run itself went on"


def test_a_table_can_be_cut_off_by_its_reader(place: Path) -> None:
    shell = f"{COMMAND} config | head -1"
    piped = subprocess.run(  # noqa: S602 - a pipeline is the point
        shell, shell=True, cwd=place, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert piped.stdout == "Configuration\n"
    assert piped.stderr == ""


def on_terminal(place: Path, *words: object) -> str:
    """Run a command on a terminal and return all it wrote."""
    main, other = pty.openpty()
    bot = process(*words, home=place, stdin=other, stdout=other, stderr=other)
    os.close(other)
    received = b""
    while True:
        try:
            part = os.read(main, 65536)
        except OSError:  # the other end is closed: on Linux that is how a terminal ends
            break
        if not part:
            break
        received += part
    os.close(main)
    assert bot.wait(timeout=PATIENCE) == 0
    return received.decode()


def test_colours_are_for_terminals_alone(shell: Shell, place: Path) -> None:
    os.environ["TERM"] = "xterm-256color"
    received = on_terminal(place, COMMAND, "demo", "--days", 0.2, "--pairs", 4)
    assert "\x1b[1;36mCYCLE #1 " in received
    assert "\x1b" not in shell("demo", "--days", 0.2, "--pairs", 4).out
    assert re.search(r"\x1b\[1m.*setting", on_terminal(place, COMMAND, "config"))


def test_a_bar_shows_the_progress_where_no_words_stand_beside_it(place: Path) -> None:
    main, other = pty.openpty()
    bot = process(COMMAND, "demo", "--days", 0.5, "--pairs", 4, "--json", "-", home=place, stderr=other)
    os.close(other)
    assert bot.stdout is not None
    out = bot.stdout.read()
    bot.stdout.close()
    drawn = os.read(main, 65536).decode()
    os.close(main)
    assert bot.wait(timeout=PATIENCE) == 0
    assert out.startswith("{")
    assert "━" in drawn


def test_a_broken_configuration_keeps_nobody_from_the_bot_that_runs(shell: Shell, place: Path) -> None:
    with running(place, "--speed", "60"):
        before = shell("status", "--paper", "--json", "-").document
        (place / CONFIG).write_text("{", encoding="utf-8")
        said = shell("status", "--paper", "--json", "-")
        assert said.document["max_capital_usd"] == before["max_capital_usd"]
        assert said.document["config_file"] == before["config_file"]
        assert said.code == 0
        assert f"{CONFIG}: not JSON" in said.err
        assert "this command goes on without it" in said.err
        assert said.err.count("\n") == 1
        for words in (["halt"], ["resume"], ["close", "--yes"]):
            done = shell(*words, "--paper")
            assert done.code == 0, done
            assert "this command goes on without it" in done.err
        assert shell("books", "--paper", "--offline").code == 0
    refused = shell.refused("resume", "--paper")
    assert "not JSON" in refused
    assert refused.endswith("no bot runs that could be asked: correct the file, or name another with --config")
    assert "not JSON" in shell("status", "--paper").err
