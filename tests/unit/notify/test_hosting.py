"""Companions beside a server: where they cannot begin, whose commands are read, and one that fails."""

import threading
from pathlib import Path

import pytest

from hedgerow.app.companion.hosting import HostedCompanion, companions_beside, hosted_home
from hedgerow.clock import SystemClock
from hedgerow.config import Home
from hedgerow.domain.errors import AccountBusy, ConfigError
from support.telegram_server import ADMIN, GROUP, TOKEN, TelegramServer

pytestmark = pytest.mark.slow


def hosted(folder: Path, lines: list[str], *variables: str) -> HostedCompanion:
    folder.mkdir(exist_ok=True)
    (folder / ".env").write_text("\n".join(variables), encoding="utf-8")
    return hosted_home(Home(folder=folder), log=lines.append, login=lambda _: None)


def telegram(server: TelegramServer) -> tuple[str, ...]:
    targets = (f"HEDGEROW_TELEGRAM_CHATS={GROUP}", f"HEDGEROW_TELEGRAM_USERS={ADMIN}")
    return (f"HEDGEROW_TELEGRAM_TOKEN={TOKEN}", f"HEDGEROW_TELEGRAM_API={server.address}", *targets)


def until_called(server: TelegramServer, method: str) -> None:
    clock, pause = SystemClock(), threading.Event()
    end = clock.monotonic() + 30
    while method not in server.calls:
        assert clock.monotonic() < end, server.calls
        pause.wait(0.05)


def test_of_bots_with_one_token_the_first_alone_reads_commands(tmp_path: Path) -> None:
    first, second, silent = list[str](), list[str](), list[str]()
    with TelegramServer() as server:
        homes = [hosted(tmp_path / name, said, *telegram(server)) for name, said in (("a", first), ("b", second))]
        with companions_beside([*homes, hosted(tmp_path / "c", silent)]):
            until_called(server, "getUpdates")
            with pytest.raises(AccountBusy), companions_beside(homes[1:]):
                pass
    assert first == [f"Alerts go to telegram:{GROUP}; 1 user may command"]
    assert second[1:] == ["Its commands from Telegram are not read: another bot here has the same token"]
    assert silent == []
    assert server.calls.count("getUpdates") == 1


def test_a_companion_that_fails_says_so_and_the_server_goes_on(tmp_path: Path) -> None:
    lines: list[str] = []
    with TelegramServer() as server:
        companion = hosted(tmp_path / "a", lines, *telegram(server))
        companion.state.write_text("nonsense", encoding="utf-8")
        with companions_beside([companion]):
            clock, pause = SystemClock(), threading.Event()
            end = clock.monotonic() + 30
            while len(lines) < 2 and clock.monotonic() < end:
                pause.wait(0.05)
    assert lines[1].startswith("The companion failed and begins again in 10 s: ")
    assert "cannot be read" in lines[1]


def test_without_a_target_nothing_is_served(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no target"), companions_beside([hosted(tmp_path / "a", [])]):
        pass
