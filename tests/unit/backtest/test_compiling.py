"""Compiled code is kept for other processes; what several need at once is compiled by one of them."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hedgerow.backtest.compiling import COMPILING

pytestmark = pytest.mark.slow
MODULE = """
from hedgerow.backtest.compiling import compiled_in_place

@compiled_in_place
def double(number):
    return number + number
"""
PROGRAM = """
import sys
from numba.core import event
from doubling import double

class Listener(event.Listener):
    def on_start(self, event):
        print("compiles", flush=True)
        sys.stdin.readline()

    def on_end(self, event):
        pass

event.register("numba:compile", Listener())
print("begins", flush=True)
assert double(3) == 6
print("loaded", sum(double.stats.cache_hits.values()), flush=True)
"""


@contextmanager
def program(folder: Path) -> Generator["subprocess.Popen[str]"]:
    """Run the program above, with a cache of its own in a folder."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder), "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    environment.pop("NUMBA_CACHE_DIR", None)
    running = subprocess.Popen(  # noqa: S603 - ours
        [sys.executable, "-c", PROGRAM],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with running:
        try:
            yield running
        finally:
            running.kill()


def said(running: "subprocess.Popen[str]") -> str:
    assert running.stdout
    return running.stdout.readline().strip()


def test_a_second_process_waits_for_what_a_first_one_compiles(tmp_path: Path) -> None:
    (tmp_path / "doubling.py").write_text(MODULE)
    with program(tmp_path) as first:
        assert [said(first), said(first)] == ["begins", "compiles"]
        with program(tmp_path) as second:
            assert said(second) == "begins"
            assert first.stdin
            first.stdin.write("\n")
            first.stdin.flush()
            assert said(first) == "loaded 0"
            assert said(second) == "loaded 1"
    with program(tmp_path) as third:
        assert [said(third), said(third)] == ["begins", "loaded 1"]


def test_what_takes_long_is_said_once_and_not_on_standard_output(tmp_path: Path) -> None:
    (tmp_path / "doubling.py").write_text(MODULE)
    outputs: list[tuple[str, str]] = []
    for _ in range(2):
        with program(tmp_path) as running:
            outputs.append(running.communicate("\n"))
    assert outputs[0] == ("begins\ncompiles\nloaded 0\n", COMPILING)
    assert outputs[1] == ("begins\nloaded 1\n", "")
