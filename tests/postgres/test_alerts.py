"""Alerts of every bot of a database by one process: each is sent once, none is lost; a cursor for each account."""

import asyncio
import os
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from socket import gethostname

import msgspec
import pytest

from hedgerow.app.companion.fleet import hosted_bots
from hedgerow.app.companion.hosting import companions_beside
from hedgerow.app.companion.parts import TEST_TEXT
from hedgerow.app.heartbeat import Beat
from hedgerow.app.storage.database import BEAT
from hedgerow.cli import main
from hedgerow.clock import SystemClock
from hedgerow.config import Home
from hedgerow.domain.events import Event
from hedgerow.domain.operator_requests import Answer, HaltRequested, Request
from hedgerow.notify.alerts import AlertKind
from hedgerow.notify.texts import REPEATED
from hedgerow.store.postgres.connection import Connection
from hedgerow.store.postgres.log import BotRow, PostgresStore
from hedgerow.store.postgres.mailbox import PostgresMailbox
from hedgerow.store.postgres.publisher import Publisher
from support.alert_scenarios import events_of, expected_texts
from support.command_runner import ended_once_it_answers
from support.postgres import PostgresServer, new_bot
from support.telegram_server import ADMIN, GROUP, TOKEN, TelegramServer

CLOCK = SystemClock()


def until(done: Callable[[], bool]) -> None:
    deadline = CLOCK.monotonic() + 30
    while not done():
        assert CLOCK.monotonic() < deadline, "nothing came"
        asyncio.run(CLOCK.sleep(0.05))


def more_calls(telegram: TelegramServer, calls: int) -> bool:
    return len(telegram.calls) > calls + 1


class _Fleet:
    """Bots of one database, and the process that sends their alerts."""

    def __init__(self, folder: Path, server: PostgresServer, telegram: TelegramServer) -> None:
        self.address = server.new_database()
        self.home = Home(folder=folder)
        self.lines: list[str] = []
        variables = {"TOKEN": TOKEN, "CHATS": GROUP, "USERS": ADMIN, "API": telegram.address}
        text = "".join(f"HEDGEROW_TELEGRAM_{name}={value}\n" for name, value in variables.items())
        self.home.secrets.write_text(text, encoding="utf-8")
        self.home.secrets.chmod(0o600)

    def append(self, bot: BotRow, events: Sequence[Event]) -> None:
        store = PostgresStore(self.address, "the database", bot)
        try:
            asyncio.run(store.append(events, durable=True))
        finally:
            store.release()

    def connection(self) -> Connection:
        return Connection(self.address, "the database", writes=True)

    def send(self, done: Callable[[], bool]) -> None:
        """Send alerts until something is done, then end."""

        def log(name: str, text: str) -> None:
            self.lines.append(f"{name}: {text}")

        found = hosted_bots(self.home, self.address, log=log, login=lambda _: None)
        with found as companions, companions_beside(companions):
            until(done)


def test_alerts_of_two_bots_are_sent_once_and_none_is_lost_while_telegram_is_down_and_the_sender_restarts(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    alpha, beta = new_bot("alpha"), new_bot("beta")
    with TelegramServer() as telegram:
        fleet = _Fleet(tmp_path, postgres_server, telegram)
        logs = {
            alpha: events_of([AlertKind.OPENED, AlertKind.CLOSED], tmp_path),
            beta: events_of([AlertKind.HALTED, AlertKind.HALF_OPEN], tmp_path),
        }
        expected = [text for bot, events in logs.items() for text in expected_texts(events, bot.name)]
        for bot in logs:
            fleet.append(bot, ())
        states = [fleet.home.notify_of(bot.account) for bot in logs]
        fleet.send(lambda: all(state.exists() and state.read_bytes().startswith(b"{") for state in states))
        before = len(telegram.texts)
        telegram.status = 502
        for part in (slice(0, 40), slice(40, None)):
            for bot, events in logs.items():
                fleet.append(bot, events[part])
            fleet.send(partial(more_calls, telegram, len(telegram.calls)))
        telegram.status = 0
        fleet.send(lambda: {text.removesuffix(f"\n{REPEATED}") for _, text in telegram.texts} >= set(expected))
        fleet.send(lambda: fleet.lines.count(f"beta: Alerts go to telegram:{GROUP}; 1 user may command") == 5)
    arrived = [text.removesuffix(f"\n{REPEATED}") for _, text in telegram.texts[before:]]
    found = Counter(text for text in arrived if text in expected)
    assert found == Counter(expected)
    assert {text.partition(" ")[0] for text in expected} == {"[alpha]", "[beta]"}
    assert all(state.stat().st_mode & 0o077 == 0 for state in states)
    assert not fleet.home.notify.exists()


def test_commands_are_read_where_the_database_has_one_bot(postgres_server: PostgresServer, tmp_path: Path) -> None:
    bot = new_bot("alpha")
    with TelegramServer() as telegram, ExitStack() as closing:
        fleet = _Fleet(tmp_path, postgres_server, telegram)
        store = PostgresStore(fleet.address, "the database", bot)
        closing.callback(store.release)
        publisher = Publisher(fleet.connection(), bot.account, store.epoch, CLOCK)
        publisher.sink(BEAT)(msgspec.json.encode(Beat(pid=os.getpid(), number=1, host=gethostname())))
        publisher.start()
        closing.callback(publisher.close)
        box = PostgresMailbox(fleet.connection(), bot.account, epoch=store.epoch)
        closing.callback(box.release)
        asked: list[Request] = []

        def answered() -> bool:
            for request in box.take():
                asked.append(request.action)
                box.claim(request.request_id)
                box.answer(request.request_id, Answer(done=True, text="Openings are halted."))
            return (GROUP, "Done: Openings are halted.") in telegram.texts

        telegram.say("/halt too risky", at=int(CLOCK.now().timestamp()))
        fleet.send(answered)
    assert asked == [HaltRequested(detail="too risky")]


def test_commands_are_not_read_where_it_has_several_of_which_none_is_named(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    with TelegramServer() as telegram:
        fleet = _Fleet(tmp_path, postgres_server, telegram)
        fleet.append(new_bot("alpha"), ())
        fleet.append(new_bot("beta"), ())
        fleet.send(lambda: len(fleet.lines) == 4)
    assert "getUpdates" not in telegram.calls
    assert "a command names no bot" in fleet.lines[1]


def test_one_process_sends_the_alerts_of_an_account_and_a_database_without_bots_has_none(
    postgres_server: PostgresServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with TelegramServer() as telegram:
        fleet = _Fleet(tmp_path, postgres_server, telegram)
        words = ["dashboard", "--notify", "--port", "0", "--home", str(tmp_path), "--store", fleet.address]
        assert main(words) == 2
        assert "no bot has run on this database yet" in capsys.readouterr().err
        fleet.append(new_bot("alpha"), ())
        fleet.send(lambda: main(words) == 2)
        assert "already sends the alerts of this bot" in capsys.readouterr().err
    fleet.home.secrets.unlink()
    assert main(words) == 2
    assert "no target: set HEDGEROW_TELEGRAM_TOKEN" in capsys.readouterr().err


def test_the_companions_of_a_database_are_served_and_send_a_test_message(
    postgres_server: PostgresServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with TelegramServer() as telegram, socket.create_server(("127.0.0.1", 0)) as free:
        fleet, port = _Fleet(tmp_path, postgres_server, telegram), free.getsockname()[1]
        free.close()
        fleet.append(new_bot("alpha"), ())
        for words in (["--notify"], []):
            with ended_once_it_answers(port):
                given = ["dashboard", *words, "--port", str(port), "--home", str(tmp_path), "--store", fleet.address]
                assert main(given) == 0
            said = capsys.readouterr()
            assert f"http://127.0.0.1:{port}/" in said.out + said.err
        assert main(["notify", "--test", "--home", str(tmp_path), "--store", fleet.address]) == 0
    assert telegram.texts == [(GROUP, TEST_TEXT)]
