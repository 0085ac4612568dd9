"""Programs of this repository, run beside a benchmark as a user would run them."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

__all__ = [
    "COMMAND",
    "PATIENCE_SECONDS",
    "exchange_variables",
    "processor_seconds",
    "resident_megabytes",
    "started",
    "wait_for",
]

COMMAND = str(Path(sys.executable).with_name("hedgerow"))
PATIENCE_SECONDS, ENDING_SECONDS = 60.0, 15.0


def wait_for(output: IO[str], words: str) -> None:
    """Read lines until one holds these words."""
    for line in output:
        if words in line:
            return
    raise SystemExit(f"the program ended before it said {words!r}")


@contextmanager
def started(*command: str, variables: dict[str, str] | None = None) -> Iterator["subprocess.Popen[str]"]:
    """Run a program for a while."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", **(variables or {})}
    program = subprocess.Popen(  # noqa: S603 - our own
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        cwd=tempfile.gettempdir(),
    )
    try:
        yield program
    finally:
        program.send_signal(signal.SIGTERM)
        try:
            program.communicate(timeout=ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            program.kill()
            program.communicate()


def resident_megabytes(program: "subprocess.Popen[str]") -> float:
    """Return the most memory that a program had resident."""
    lines = Path(f"/proc/{program.pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def processor_seconds(program: "subprocess.Popen[str]") -> float:
    """Return the processor time of a running program up to now."""
    fields = Path(f"/proc/{program.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def exchange_variables(port: int) -> dict[str, str]:
    """Return what leads a bot to the emulator on this port."""
    variables = {
        f"HEDGEROW_{name}": f"{scheme}://127.0.0.1:{port + offset}"
        for name, scheme, offset in (
            ("FUTURES_REST", "http", 0),
            ("SPOT_REST", "http", 1),
            ("FUTURES_MARKET_WS", "ws", 0),
            ("SPOT_MARKET_WS", "ws", 1),
            ("FUTURES_USER_WS", "ws", 0),
            ("SPOT_USER_WS", "ws", 1),
        )
    }
    account = {
        "API_USER": "0x1111111111111111111111111111111111111111",
        "API_SIGNER": "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf",
        "API_PRIVATE_KEY": "0x" + "1".zfill(64),
    }
    return {**variables, **account, "XDG_STATE_HOME": tempfile.gettempdir()}
