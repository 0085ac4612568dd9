"""``hedgerow status`` beside real processes that run, hang, were killed, stopped in order, or never started."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hedgerow.clock import SystemClock
from support.command_runner import COMMAND, EAGER, Shell, process, write_config

PATIENCE_SECONDS = 60.0
CLOCK = SystemClock()


@pytest.fixture
def running(place: Path) -> Iterator["subprocess.Popen[str]"]:
    """Return a paper bot that runs until the test ends it."""
    write_config(place / "config_volume_farming_strategy.json", EAGER)
    bot = process(COMMAND, "run", "--paper", home=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield bot
    bot.send_signal(signal.SIGCONT)
    bot.kill()
    bot.wait()


def until(shell: Shell, state: str) -> dict[str, Any]:
    """Look again and again until a state is shown, and return the document."""
    began = CLOCK.monotonic()
    while True:
        document: dict[str, Any] = shell("status", "--paper", "--json", "-").document
        if document["state"] == state:
            return document
        assert CLOCK.monotonic() - began < PATIENCE_SECONDS, document


def aged(place: Path, seconds: float) -> None:
    """Let the heartbeat be from a while ago."""
    path = place / "hedgerow-paper.heartbeat"
    at = path.stat().st_mtime - seconds
    os.utime(path, (at, at))


def test_running_hanging_and_killed_do_not_look_the_same(
    running: "subprocess.Popen[str]", shell: Shell, place: Path
) -> None:
    document = until(shell, "hedged")
    assert (document["pid"], document["process"], document["hedged"]) == (running.pid, "running", True)
    assert document["result"]["net_if_closed"] is not None
    assert document["next_payment"]["amount"] is not None
    assert document["exits"][0]["left"] is not None
    assert document["checked_at"] < document["next_check_at"]
    assert shell("status", "--paper").code == 0
    running.send_signal(signal.SIGSTOP)
    aged(place, 20)
    said = shell("status", "--paper")
    assert (said.code, until(shell, "down")["process"]) == (1, "silent")
    assert "does not answer" in said.out
    running.send_signal(signal.SIGCONT)
    until(shell, "hedged")
    running.kill()
    running.wait()
    said = shell("status", "--paper")
    assert (said.code, until(shell, "down")["process"]) == (1, "gone")
    assert f"Bot crashed: process {running.pid} is gone" in said.out
    assert "as of " in said.out, "figures of a dead bot say when they were read"


def test_a_bot_that_was_stopped_in_order_is_stopped(running: "subprocess.Popen[str]", shell: Shell) -> None:
    until(shell, "hedged")
    running.send_signal(signal.SIGTERM)
    assert running.wait(PATIENCE_SECONDS) == 0
    document = until(shell, "stopped")
    assert (document["process"], document["pid"], document["hedged"]) == ("stopped", None, True)
    assert shell("status", "--paper").code == 1


def test_halted_openings_are_the_exit_code_of_a_running_bot_and_not_of_a_dead_one(
    running: "subprocess.Popen[str]", shell: Shell
) -> None:
    until(shell, "hedged")
    assert shell("halt", "--paper", "--reason", "lunch").code == 0
    until(shell, "halted, hedged")
    assert shell("status", "--paper").code == 3
    running.kill()
    running.wait()
    assert shell("status", "--paper").code == 1


def test_a_look_writes_nothing(shell: Shell, place: Path) -> None:
    write_config(place / "config_volume_farming_strategy.json", EAGER)
    shell("run", "--paper", "--once")
    before = {each.name: (each.read_bytes(), each.stat().st_mtime_ns) for each in place.iterdir() if each.is_file()}
    assert shell("status", "--paper").code == 1
    after = {each.name: (each.read_bytes(), each.stat().st_mtime_ns) for each in place.iterdir() if each.is_file()}
    assert after == before


def test_a_home_on_a_read_only_disk_is_looked_at(running: "subprocess.Popen[str]", shell: Shell, place: Path) -> None:
    until(shell, "hedged")
    script = f'mount --bind {place} {place} && mount -o remount,ro,bind {place} && cd {place} && exec "$@"'
    command = ["unshare", "-rm", "sh", "-c", script, "sh"]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:  # noqa: S603 - our own script
        pytest.skip("this system lets no user mount a folder read-only")
    for state in ("Hedged on", "Bot crashed"):
        words = [sys.executable, "-m", "hedgerow", "status", "--paper"]
        said = subprocess.run([*command, *words], capture_output=True, text=True, check=False)  # noqa: S603 - ours
        assert state in said.stdout, said.stderr
        running.kill()
        running.wait()


def test_a_demo_that_was_kept_is_looked_at(shell: Shell) -> None:
    shell("demo", "--days", "0.5", "--home", "kept", "--report", "report.html")
    said = shell("status", "--demo", "--home", "kept")
    assert "by ended hedges" in said.out
    document = shell("status", "--demo", "--home", "kept", "--json", "-").document
    assert (document["mode"], document["process"]) == ("DEMO", "stopped")
    assert document["cycles"] > 100
    assert "give one of them" in shell.refused("status", "--demo", "--paper")


def test_watching_needs_a_terminal(shell: Shell) -> None:
    assert "draws on a terminal" in shell.refused("status", "--paper", "--watch")
