"""A real companion, killed with SIGKILL again and again while Telegram is down, limits, and loses answers."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from socket import gethostname

import msgspec
import pytest

from hedgerow.app.heartbeat import Beat
from hedgerow.clock import SystemClock
from hedgerow.config import Home, HomeMode
from hedgerow.domain.events import Event
from hedgerow.domain.operator_requests import Answer, HaltRequested, RequestOrigin
from hedgerow.notify.alerts import AlertKind
from hedgerow.notify.texts import REPEATED
from hedgerow.store.mailbox import FolderMailbox
from hedgerow.store.sqlite import SqliteStore
from support.alert_scenarios import events_of, expected_texts, played
from support.command_runner import COMMAND
from support.telegram_server import ADMIN, GROUP, STRANGER, TOKEN, TelegramServer

PATIENCE_SECONDS = 60.0
TOLD = (AlertKind.OPENED, AlertKind.HALTED, AlertKind.HALF_OPEN, AlertKind.CLOSED)


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    with TelegramServer() as served:
        yield served


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(folder=tmp_path / "bot", mode=HomeMode.PAPER)


class LiveCompanion:
    """``hedgerow notify`` as a process."""

    def __init__(self, home: Home, server: TelegramServer) -> None:
        self._home = home
        self._variables = {
            **os.environ,
            "HEDGEROW_TELEGRAM_TOKEN": TOKEN,
            "HEDGEROW_TELEGRAM_CHATS": str(GROUP),
            "HEDGEROW_TELEGRAM_USERS": str(ADMIN),
            "HEDGEROW_TELEGRAM_API": server.address,
        }
        self.said = home.folder / "said.txt"
        self._said_before = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.said.open("ab") as said:
            self._said_before = self.said.stat().st_size
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [COMMAND, "notify", "--paper", "--home", str(self._home.folder)],
                env=self._variables,
                stdout=said,
                stderr=said,
            )

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(PATIENCE_SECONDS)

    def stop(self) -> int:
        assert self._process is not None
        wait_for(lambda: b"Alerts go to" in self.said.read_bytes()[self._said_before :])
        self._process.terminate()
        return self._process.wait(PATIENCE_SECONDS)


def append(home: Home, events: Sequence[Event]) -> None:
    async def write() -> None:
        store = SqliteStore(home.events, SystemClock())
        try:
            await store.load()
            await store.append(events, durable=True)
        finally:
            await store.close()

    asyncio.run(write())


def wait_for(done: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    clock = SystemClock()
    until = clock.monotonic() + seconds
    while not done():
        assert clock.monotonic() < until, "nothing came"
        asyncio.run(clock.sleep(0.05))


def beat(home: Home, pid: int, number: int = 1) -> None:
    home.heartbeat.write_bytes(msgspec.json.encode(Beat(pid=pid, number=number, host=gethostname())))


def test_a_companion_that_is_killed_while_telegram_fails_tells_everything_once(
    home: Home, server: TelegramServer, tmp_path: Path
) -> None:
    events, chance = events_of(TOLD, tmp_path), Random(3)
    expected = expected_texts(events, "bot-paper")
    home.prepare()
    companion = LiveCompanion(home, server)
    companion.start()
    wait_for(home.notify.exists)
    server.stop()
    parts = [events[at : at + len(events) // 4 + 1] for at in range(0, len(events), len(events) // 4 + 1)]
    for number, part in enumerate(parts):
        append(home, part)
        if number == 1:
            server.limit_next, server.retry_after, server.drop_after = 1, 1, 1
            server.start()
        asyncio.run(SystemClock().sleep(chance.uniform(0.8, 2.5)))
        companion.kill()
        companion.start()
    wait_for(lambda: {text.removesuffix(f"\n{REPEATED}") for _, text in server.texts} >= set(expected))
    assert companion.stop() == 0
    arrived = [text for _, text in server.texts]
    assert {text.removesuffix(f"\n{REPEATED}") for text in arrived} == set(expected), "none is lost, none is invented"
    assert all(count == 1 for count in Counter(text for text in arrived if REPEATED not in text).values())
    assert sum(REPEATED in text for text in arrived) <= len(parts) + 1, "one for each kill and for each lost answer"
    assert TOKEN not in companion.said.read_text(encoding="utf-8") + home.notify_log.read_text(encoding="utf-8")
    assert TOKEN not in home.notify.read_text(encoding="utf-8")
    assert home.notify.stat().st_mode & 0o077 == 0


def test_a_bot_that_dies_is_told_by_the_companion_and_its_return_too(
    home: Home, server: TelegramServer, tmp_path: Path
) -> None:
    home.prepare()
    append(home, [step.event for step in played(AlertKind.OPENED, tmp_path).steps if step.event is not None])
    bot = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    companion = LiveCompanion(home, server)
    try:
        beat(home, bot.pid)
        companion.start()
        wait_for(lambda: home.notify.exists() and b'"process":"running"' in home.notify.read_bytes())
        bot.kill()
        bot.wait()
        wait_for(lambda: any("The bot is dead" in text for _, text in server.texts))
        beat(home, os.getpid(), 2)
        wait_for(lambda: any("The bot was restarted" in text for _, text in server.texts))
    finally:
        bot.kill()
        bot.wait()
        companion.stop()
    dead, restarted = (text for _, text in server.texts)
    assert dead.startswith("[bot-paper] PAGE The bot is dead: process")
    assert "AAAUSDT stays on the exchange, unwatched" in dead
    assert "the process before it had died" in restarted


def test_a_second_companion_of_one_bot_is_refused_and_a_halt_reaches_the_mailbox_once(
    home: Home, server: TelegramServer
) -> None:
    home.prepare()
    companion = LiveCompanion(home, server)
    companion.start()
    try:
        wait_for(home.notify.exists)
        beat(home, os.getpid())
        wait_for(lambda: b'"process":"running"' in home.notify.read_bytes())
        second = LiveCompanion(home, server)
        second.said = home.folder / "second.txt"
        second.start()
        assert second._process is not None
        assert second._process.wait(PATIENCE_SECONDS) != 0
        assert "already sends the alerts of this bot" in second.said.read_text(encoding="utf-8")
        now = int(SystemClock().now().timestamp())
        server.say("/halt", user=STRANGER, at=now)
        server.say("/halt too risky", at=now)
        wait_for(lambda: list(home.requests.glob("*.request.json")) != [])
        mailbox = FolderMailbox(home.requests, SystemClock())
        [request] = mailbox.take()
        assert (request.origin, request.action) == (RequestOrigin.TELEGRAM, HaltRequested(detail="too risky"))
        mailbox.claim(request.request_id)
        mailbox.answer(request.request_id, Answer(done=True, text="Openings are halted."))
        wait_for(lambda: (GROUP, "Done: Openings are halted.") in server.texts)
        assert mailbox.take() == ()
    finally:
        companion.stop()
    log = home.notify_log.read_text(encoding="utf-8")
    assert f"Ignored a command of user {STRANGER}" in log
    assert max(server.offsets) > 1_002


def test_the_update_offset_is_kept_over_a_kill(home: Home, server: TelegramServer) -> None:
    home.prepare()
    companion = LiveCompanion(home, server)
    companion.start()
    number = server.say("/mute 2h", at=int(SystemClock().now().timestamp()))
    wait_for(lambda: any("held back until" in text for _, text in server.texts))
    wait_for(lambda: f'"offset":{number + 1}'.encode() in home.notify.read_bytes())
    companion.kill()
    server.offsets.clear()
    companion.start()
    wait_for(lambda: server.offsets != [])
    companion.stop()
    assert set(server.offsets) == {number + 1}
    assert len(server.texts) == 1


def test_without_a_target_it_ends_in_one_line(home: Home) -> None:
    done = subprocess.run(  # noqa: S603 - our own command
        [COMMAND, "notify", "--home", str(home.folder)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("hedgerow: no target: set HEDGEROW_TELEGRAM_TOKEN")
    assert done.stderr.count("\n") == 1


def test_a_test_message_arrives_and_a_wrong_token_fails(home: Home, server: TelegramServer) -> None:
    variables = {**os.environ, "HEDGEROW_TELEGRAM_CHATS": str(GROUP), "HEDGEROW_TELEGRAM_API": server.address}
    for token, code in ((TOKEN, 0), (TOKEN.replace("nobody", "nobodY"), 1)):
        done = subprocess.run(  # noqa: S603 - our own command
            [COMMAND, "notify", "--test", "--home", str(home.folder)],
            env={**variables, "HEDGEROW_TELEGRAM_TOKEN": token},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code
        assert token not in done.stdout + done.stderr
    assert server.texts == [(GROUP, "Hedgerow: this is a test message. Alerts arrive here.")]
