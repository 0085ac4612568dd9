"""The dashboard as a user has it: beside a bot, after its death, and with ten readers who change nothing."""

import asyncio
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from hedgerow.app.commands.dashboard import make_link, serving_dashboard
from hedgerow.app.commands.demo import DemoPlan, demo_market_data, play_demo
from hedgerow.clock import SystemClock
from hedgerow.config import Home, HomeMode, load_settings
from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.events import (
    CommandIssued,
    Event,
    Halted,
    HaltReason,
    OrderEnded,
    RequestHandled,
    SettingChange,
    SettingsChanged,
)
from hedgerow.domain.operator_requests import (
    CloseRequested,
    HaltRequested,
    RequestOrigin,
    ResumeRequested,
    SettingsRequested,
)
from hedgerow.store.sqlite_reader import SqliteReader
from hedgerow.web.access import Role, csrf_of
from hedgerow.web.server import ServerOptions
from support.asked import Reply, ask
from support.command_runner import COMMAND, process
from support.telegram_server import ADMIN, GROUP, STRANGER, TOKEN, TelegramServer

PATIENCE = 40.0
AGE = "position_management.max_position_age_hours"
DAYS = 0.6
READERS = 10


class Browser:
    """A signed-in user without a browser."""

    def __init__(self, port: int, code: str) -> None:
        self.port = port
        self.origin = f"http://127.0.0.1:{port}"
        self.cookie = self.post("/login", f"secret={code}").cookie
        assert self.cookie

    def get(self, path: str) -> Reply:
        return ask(self.port, "GET", path, {"Host": f"127.0.0.1:{self.port}", "Cookie": self.cookie})

    def post(self, path: str, body: str) -> Reply:
        headers = {
            "Host": f"127.0.0.1:{self.port}",
            "Origin": self.origin,
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": getattr(self, "cookie", ""),
        }
        return ask(self.port, "POST", path, headers, body)

    def act(self, path: str, body: str = "") -> Reply:
        return self.post(path, f"csrf={csrf_of(self.cookie.partition('=')[2])}&{body}")

    def state(self) -> str:
        return str(msgspec.json.decode(self.get("/api/view").text)["report"]["state"])


def until(found: Callable[[], bool]) -> None:
    clock, pause = SystemClock(), threading.Event()
    end = clock.monotonic() + PATIENCE
    while not found():
        assert clock.monotonic() < end, "not in time"
        pause.wait(0.1)


@contextmanager
def serving(folder: Path, *words: object) -> Iterator[tuple["subprocess.Popen[str]", int, list[str]]]:
    """Start a command that shows a dashboard; yield its process, the port, and what it prints."""
    running = process(COMMAND, *words, home=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = running.stdout
    assert output is not None
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(iter(output.readline, "")), daemon=True)
    reader.start()

    def port() -> int | None:
        return next((int(found[1]) for line in list(lines) if (found := re.search(r"127\.0\.0\.1:(\d+)/", line))), None)

    try:
        until(lambda: port() is not None or running.poll() is not None)
        number = port()
        assert number is not None, "".join(lines)
        yield running, number, lines
    finally:
        running.kill()
        running.wait()
        reader.join(10)
        output.close()


def events_of(home: Home) -> list[Event]:
    async def read() -> list[Event]:
        reader = SqliteReader(home.events)
        try:
            return list(await reader.events())
        finally:
            await reader.close()

    return asyncio.run(read())


def order_times(home: Home) -> list[tuple[str, datetime]]:
    """Return when each order of a log was sent and when it ended."""
    found: list[tuple[str, datetime]] = []
    for event in events_of(home):
        if isinstance(event, CommandIssued) and isinstance(event.command, PlaceOrder):
            found.append((event.command.order.client_id, event.at))
        elif isinstance(event, OrderEnded):
            found.append((event.client_id, event.at))
    return found


def test_a_running_bot_is_shown_and_halted_from_the_dashboard_and_outlived_by_a_companion(tmp_path: Path) -> None:
    home = Home(folder=tmp_path, mode=HomeMode.PAPER)
    with serving(tmp_path, "run", "--paper", "--dashboard", "--port", 0) as (bot, port, _):
        browser = Browser(port, make_link(tmp_path, Role.OPERATOR, SystemClock()))
        until(lambda: browser.state() in {"hedged", "flat"})
        assert browser.get("/healthz").status == 200
        until(lambda: browser.get("/readyz").status == 200)
        slug = browser.get("/").text.partition('data-stream="/bots/')[2].partition("/")[0]
        asked = browser.act(f"/bots/{slug}/settings/preview", f"set.{AGE}=12").text
        assert f"{AGE}: 24 becomes 12" in asked
        assert "By a reading of " in asked
        assert not home.config.exists()
        assert browser.act(f"/bots/{slug}/settings", f"set.{AGE}=12").status == 303
        assert "in force at the next check" in browser.get(f"/bots/{slug}").text
        assert load_settings(home.config, named=True).parameters.position_management.max_position_age_hours == 12
        assert browser.act(f"/bots/{slug}/halt").status == 303
        assert "Openings are halted" in browser.get(f"/bots/{slug}").text
        until(lambda: browser.state().startswith("halted"))
        bot.send_signal(signal.SIGKILL)
        bot.wait()
    handled = [event for event in events_of(home) if isinstance(event, RequestHandled)]
    assert [(each.request.origin, each.request.action) for each in handled] == [
        (RequestOrigin.WEB, SettingsRequested(changes=((AGE, "12"),))),
        (RequestOrigin.WEB, HaltRequested(detail="halted on the dashboard")),
    ]
    (changed,) = [event for event in events_of(home) if isinstance(event, SettingsChanged)]
    assert changed.changes == (SettingChange(name=AGE, before="24", after="12"),)
    assert any(isinstance(event, Halted) and event.reason is HaltReason.USER for event in events_of(home))
    with serving(tmp_path, "dashboard", "--home", tmp_path, "--port", 0) as (_, port, _):
        browser = Browser(port, make_link(tmp_path, Role.OPERATOR, SystemClock()))
        assert browser.state() == "down"
        page = browser.get("/").text
        assert "is gone" in page
        assert "as of" in page
        assert browser.get("/readyz").status == 503
        browser.act(f"/bots/{slug}/halt")
        assert "No bot runs" in browser.get("/").text


class Phone:
    """A user of the group, who waits for each answer."""

    def __init__(self, server: TelegramServer) -> None:
        self.server = server

    def say(self, text: str, user: int = ADMIN, seconds_ago: int = 0) -> None:
        self.server.say(text, user=user, at=int(SystemClock().now().timestamp()) - seconds_ago)

    def read(self, *parts: str) -> None:
        until(lambda: any(all(part in text for part in parts) for _, text in list(self.server.texts)))

    def ask(self, text: str, *parts: str) -> None:
        self.say(text)
        self.read(*parts)

    def ask_for_button(self, text: str, *parts: str) -> tuple[str, str]:
        known = len(self.server.buttons)
        self.ask(text, *parts)
        until(lambda: len(self.server.buttons) > known)
        return self.server.buttons[-1]


def commanded(phone: Phone) -> None:
    """Command a bot that holds a hedge, as one may and as one may not."""
    server, void = phone.server, "This button is no longer valid: nothing was done."
    phone.say("/halt", user=STRANGER)
    phone.say("/halt", seconds_ago=90)
    phone.read("/halt came more than 60 s late: nothing was done")
    phone.ask("/status", "Hedged on")
    phone.ask("/why", "what would make it act, nearest first")
    phone.ask("/halt too wild", "Done: Openings are halted")
    label, resume = phone.ask_for_button("/resume", "too wild")
    assert label == "Allow openings"
    server.press(resume)
    server.press(resume)
    phone.read("Done: Openings are allowed")
    until(lambda: server.presses_answered.count(void) == 1)
    label, close = phone.ask_for_button("/close", "60 s", "as the bot read them for this question")
    assert label.startswith("Close ")
    server.press(close, user=STRANGER)
    server.press(close)
    server.press(close)
    phone.read("Done: Closed ", ": net ")
    until(lambda: server.presses_answered.count(void) == 2)


def test_telegram_commands_a_running_bot_through_the_companion_in_the_dashboard_each_once(tmp_path: Path) -> None:
    with TelegramServer() as server, serving(tmp_path, "run", "--paper", "--dashboard", "--port", 0) as (_, _, log):
        targets = f"HEDGEROW_TELEGRAM_CHATS={GROUP}\nHEDGEROW_TELEGRAM_USERS={ADMIN}\n"
        secrets = f"HEDGEROW_TELEGRAM_TOKEN={TOKEN}\nHEDGEROW_TELEGRAM_API={server.address}\n"
        (tmp_path / ".env").write_text(targets + secrets, encoding="utf-8")
        (tmp_path / ".env").chmod(0o600)
        until(lambda: any("Position opened successfully" in line for line in list(log)))
        words = ("dashboard", "--home", tmp_path, "--notify", "--port", 0)
        with serving(tmp_path, *words) as (companion, port, lines):
            browser = Browser(port, make_link(tmp_path, Role.OPERATOR, SystemClock()))
            until(lambda: browser.state() == "hedged")  # until its first check has ended, a bot is starting
            commanded(Phone(server))
            server.stop()
            assert ask(port, "GET", "/healthz", {"Host": f"127.0.0.1:{port}"}).status == 200
            companion.send_signal(signal.SIGTERM)
            assert companion.wait(PATIENCE) == 0
    assert any(f"Alerts go to telegram:{GROUP}; 1 user may command" in line for line in lines)
    assert not any(TOKEN in line for line in lines)
    handled = [
        each for each in events_of(Home(folder=tmp_path, mode=HomeMode.PAPER)) if isinstance(each, RequestHandled)
    ]
    assert {each.request.origin for each in handled} == {RequestOrigin.TELEGRAM}
    assert [type(each.request.action) for each in handled] == [HaltRequested, ResumeRequested, CloseRequested]


def test_the_demo_is_served_while_it_runs_and_after_it_until_it_is_interrupted(tmp_path: Path) -> None:
    words = ("demo", "--days", "0.3", "--pairs", "6", "--home", tmp_path, "--report", tmp_path / "r.html", "--serve")
    with serving(tmp_path, *words, "--port", 0) as (demo, port, lines):
        browser = Browser(port, make_link(tmp_path, Role.VIEWER, SystemClock()))
        until(lambda: any("goes on until Ctrl-C" in line for line in list(lines)))
        assert browser.state() == "stopped"
        assert demo.poll() is None
        assert "DEMO" in browser.get("/").text
        demo.send_signal(signal.SIGINT)
        assert demo.wait(PATIENCE) == 0


@pytest.fixture
def plan(tmp_path: Path) -> DemoPlan:
    market = demo_market_data(None, seed=3, pairs=6, start=datetime(2025, 1, 1, tzinfo=UTC), days=DAYS)
    return DemoPlan(market_data=market, days=DAYS, seed=3, home=Home(folder=tmp_path / "alone", mode=HomeMode.DEMO))


def test_ten_readers_leave_the_event_log_of_a_seeded_run_byte_for_byte_the_same(plan: DemoPlan, tmp_path: Path) -> None:
    plan.home.prepare()
    alone = play_demo(plan, ()).events_sha256
    home, clock, ended = Home(folder=tmp_path / "read", mode=HomeMode.DEMO), SystemClock(), threading.Event()
    home.prepare()
    seen: list[str] = []

    def read(browser: Browser) -> None:
        while not ended.is_set():
            seen.append(browser.get("/").text)
            browser.get("/api/view")

    usual = sys.getswitchinterval()
    with serving_dashboard((home,), ServerOptions(port=0), clock) as server:
        assert sys.getswitchinterval() <= 0.001, "the server's thread lets the bot's go on soon"
        browsers = [Browser(server.port, make_link(home.folder, Role.VIEWER, clock)) for _ in range(READERS)]
        threads = [threading.Thread(target=read, args=(browser,)) for browser in browsers]
        for thread in threads:
            thread.start()
        try:
            watched = play_demo(replace(plan, home=home, shown=True), ()).events_sha256
        finally:
            ended.set()
            for thread in threads:
                thread.join()
    assert sys.getswitchinterval() == usual
    assert watched == alone
    assert order_times(home) == order_times(plan.home), "no order is sent or ends a microsecond later"
    assert len(order_times(home)) > 8
    assert len(seen) >= READERS
