"""Every test has a folder of its own to stand in, locks of its own, and no exchange but those it starts."""

from pathlib import Path

import pytest

from support.command_runner import Shell

NOBODY = "http://127.0.0.1:9"
"""Where no exchange listens: what forgets ``--paper`` must not find the real one."""
HOSTS = ("FUTURES_REST", "SPOT_REST", "FUTURES_MARKET_WS", "FUTURES_USER_WS", "SPOT_MARKET_WS", "SPOT_USER_WS")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "locks"))
    for name in HOSTS:
        monkeypatch.setenv(f"HEDGEROW_{name}", NOBODY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)
