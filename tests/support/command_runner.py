"""The command line as a user has it: words in, words and an exit code out."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from hedgerow.cli import main

__all__ = ["COMMAND", "EAGER", "CommandResult", "Shell", "ended_once_it_answers", "process", "write_config"]

COMMAND = str(Path(sys.executable).with_name("hedgerow"))
EAGER: dict[str, Any] = {
    "funding_rate_strategy": {
        "min_funding_apr": 0,
        "min_volume_usd": 0,
        "max_spread_bps": 10000,
        "max_entry_discount_bps": 10000,
    },
    "execution": {"settlement_guard_seconds": 0},
}
"""A configuration that opens something at any hour of any market with one positive rate."""


class CommandResult(Struct, frozen=True):
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output, which must be JSON and nothing else."""
        return json.loads(self.out)


class Shell:
    """Runs commands in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: object) -> CommandResult:
        self._capsys.readouterr()
        code = main([str(word) for word in words])
        out, err = self._capsys.readouterr()
        return CommandResult(code, out, err)

    def refused(self, *words: object) -> str:
        """Run what must be refused: exit code 2 and one line on standard error, nothing else. Returns the line."""
        said = self(*words)
        assert (said.code, said.out) == (2, ""), said
        assert said.err.startswith("hedgerow: ")
        assert said.err.count("\n") == 1
        assert said.err.endswith("\n")
        return said.err.removeprefix("hedgerow: ").strip()


def write_config(path: Path, document: Mapping[str, Any]) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def process(*words: object, home: Path, **more: Any) -> "subprocess.Popen[str]":
    """Start a command as a process of its own, with pipes for what it says."""
    environment = {**os.environ, "XDG_STATE_HOME": str(home / "locks"), "PYTHONUNBUFFERED": "1"}
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    return subprocess.Popen(  # noqa: S603 - our own command
        [str(word) for word in words], text=True, cwd=home, env=environment, **{**options, **more}
    )


@contextmanager
def ended_once_it_answers(port: int) -> Generator[None]:
    """Send this process SIGTERM, which a server of it takes as its end, once the port answers.

    Without a handler the signal ends this process: a server may listen a moment before it has one.
    """
    never = threading.Event()

    def watch() -> None:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                never.wait(0.1)
            else:
                if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
                    os.kill(os.getpid(), signal.SIGTERM)
                    return
                never.wait(0.1)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        watching.join()
