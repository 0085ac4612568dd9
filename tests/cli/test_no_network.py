"""``hedgerow run --once`` where no exchange can be reached."""

from pathlib import Path

import pytest

from support.command_runner import Shell, write_config
from support.local_aster import KEY, SIGNER, USER

NOWHERE = "127.0.0.1:9"


@pytest.fixture
def home(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    hosts = {"FUTURES_REST": "http", "SPOT_REST": "http", "FUTURES_MARKET_WS": "ws", "FUTURES_USER_WS": "ws"}
    for name, scheme in {**hosts, "SPOT_MARKET_WS": "ws", "SPOT_USER_WS": "ws"}.items():
        monkeypatch.setenv(f"HEDGEROW_{name}", f"{scheme}://{NOWHERE}")
    for name, value in (("API_USER", USER), ("API_SIGNER", SIGNER), ("API_PRIVATE_KEY", KEY)):
        monkeypatch.setenv(name, value)
    write_config(place / "config_volume_farming_strategy.json", {"capital_management": {"max_capital_usd": 100}})
    return place


def test_a_timer_is_reported_that_a_check_could_read_nothing(home: Path, shell: Shell) -> None:
    said = shell("run", "--once", "--home", home)
    assert said.code == 1
    log = (home / "volume_farming.log").read_text(encoding="utf-8")
    assert "Could not read: market and account: the exchange cannot be reached" in log
    assert "No position open" not in log
    assert "next try in" not in log, "there is none"
