"""``hedgerow watchdog``: a bot killed as a process over the wire, and what it left resting."""

import asyncio
import json
import signal
import subprocess
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from hedgerow.app.commands.books import read_events
from hedgerow.app.commands.watchdog import Watchdog, WatchdogLog
from hedgerow.app.heartbeat import Beat, BeatingClock, Heartbeat, read_beat
from hedgerow.app.venues.live import live_exchange
from hedgerow.app.venues.select import environment_of
from hedgerow.clock import SystemClock, VirtualClock, run_virtual
from hedgerow.config import Home
from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.events import CommandIssued
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import OrderRequest, TimeInForce
from hedgerow.engine.runner import StopSignal
from hedgerow.store.sqlite import SqliteStore
from support.command_runner import COMMAND, EAGER, Shell, process, write_config
from support.local_aster import LocalAster, local_aster

PATIENCE = 60.0
CONFIG = "config_volume_farming_strategy.json"


@pytest.fixture
def aster(monkeypatch: pytest.MonkeyPatch, place: Path) -> Iterator[LocalAster]:
    write_config(place / CONFIG, {**EAGER, "position_management": {"loop_interval_seconds": 1}})
    with local_aster() as exchange:
        for name, value in exchange.variables.items():
            monkeypatch.setenv(name, value)
        yield exchange


def wait_until(true: Callable[[], bool]) -> None:
    clock = SystemClock()
    deadline = clock.monotonic() + PATIENCE
    while not true():
        assert clock.monotonic() < deadline, "it never came"
        Event().wait(0.05)


@contextmanager
def bot_that_beats(place: Path) -> "Generator[subprocess.Popen[str]]":
    """A live bot as a process, once it has given a second sign of life."""
    bot = process(COMMAND, "run", home=place)
    try:

        def beats() -> bool:
            assert bot.poll() is None, bot.communicate()
            return (beat_of(place) or Beat(pid=0, number=0)).number >= 3

        wait_until(beats)
        yield bot
    finally:
        bot.kill()
        bot.communicate()


def beat_of(place: Path) -> Beat | None:
    return read_beat(Home(folder=place).heartbeat)


def leave_resting(aster: LocalAster, place: Path) -> str:
    """Leave two resting buys far below the market: one that is in the log, as a killed maker's is, and the owner's."""
    world = aster.world
    held = world.account().positions
    pair = next(pair for pair in world.market(1).pairs if pair.symbol not in held)
    quote = world.market(1).quote(Market.SPOT, pair.symbol)
    assert quote is not None
    assert quote.bid is not None
    price = pair.spot.round_price(quote.bid * 9 / 10, Side.BUY)
    quantity = pair.spot.floor_quantity(10 / price + pair.spot.lot)
    mine, theirs = (
        OrderRequest(
            client_id=client_id,
            market=Market.SPOT,
            symbol=pair.symbol,
            side=Side.BUY,
            quantity=quantity,
            price=price,
            time_in_force=TimeInForce.GTC,
        )
        for client_id in ("killed-s-1", "the-owners")
    )

    async def log() -> None:
        store = SqliteStore(Home(folder=place).events)
        command = PlaceOrder(order=mine, hedge_id="killed", fee_rate=pair.spot.fees.maker)
        await store.append([CommandIssued(at=world.now, command=command)], durable=True)
        await store.close()
        environment = environment_of(Home(folder=place))
        live = live_exchange(environment, environment.credentials())
        async with live.connected(stay=False):
            for request in (mine, theirs):
                await live.client.place(request)

    asyncio.run(log())
    return pair.symbol


def ids(place: Path, symbol: str) -> set[str]:
    """Return what rests on the spot market, as the exchange tells it."""

    async def ask() -> set[str]:
        environment = environment_of(Home(folder=place))
        live = live_exchange(environment, environment.credentials())
        async with live.connected(stay=False):
            return {row.client_order_id for row in await live.client.open_orders(Market.SPOT, symbol)}

    return asyncio.run(ask())


def test_a_killed_bots_resting_spot_orders_are_cancelled_and_no_others(
    aster: LocalAster, shell: Shell, place: Path
) -> None:
    with bot_that_beats(place) as bot:
        assert shell("watchdog", "--once", "--after", 60).out == "The bot is alive.\n"
        bot.kill()
        bot.communicate()
    symbol = leave_resting(aster, place)
    assert ids(place, symbol) == {"killed-s-1", "the-owners"}
    before = asyncio.run(read_events(Home(folder=place)))
    said = shell("watchdog", "--once", "--after", 5)
    assert said.code == 1, said
    assert f"ALARM: the bot (process {bot.pid}) has been silent for 5 s" in said.out
    assert ids(place, symbol) == {"the-owners"}
    reported = (place / "hedgerow.watchdog.log").read_text()
    assert reported.index(f"cancelling spot order killed-s-1 on {symbol}") < reported.index("killed-s-1: cancelled")
    assert "the-owners" not in reported
    assert asyncio.run(read_events(Home(folder=place))) == before, "the log has one writer"


def catches_signals(pid: int) -> bool:
    """Tell whether a process has a handler for SIGTERM by now."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) & 1 << signal.SIGTERM - 1)


def test_a_bot_that_ended_tidily_needs_no_watchdog(aster: LocalAster, shell: Shell, place: Path) -> None:
    dog = process(COMMAND, "watchdog", "--after", 60, home=place)
    try:
        with bot_that_beats(place) as bot:
            bot.send_signal(signal.SIGTERM)
            bot.communicate(timeout=PATIENCE)
            assert bot.returncode == 0
        wait_until(lambda: catches_signals(dog.pid))
        dog.send_signal(signal.SIGTERM)
        assert dog.communicate(timeout=PATIENCE) == ("", "")
        assert dog.returncode == 0
    finally:
        dog.kill()
        dog.communicate()
    assert beat_of(place) is None
    symbol = leave_resting(aster, place)
    assert shell("watchdog", "--once", "--after", 5).out == "The bot is absent.\n"
    assert ids(place, symbol) == {"killed-s-1", "the-owners"}


class HurriedClock(SystemClock):
    """The wall clock for the signatures of requests; durations pass twenty times as fast."""

    HURRY = 20

    def monotonic(self) -> float:
        return super().monotonic() * self.HURRY

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / self.HURRY)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        return super().call_later(seconds / self.HURRY, callback)


def test_an_exchange_that_does_not_answer_is_alarmed_and_tried_again(
    aster: LocalAster, shell: Shell, place: Path
) -> None:
    Heartbeat(Home(folder=place).heartbeat).beat()
    assert shell("run", "--once").code == 0
    Heartbeat(Home(folder=place).heartbeat).beat()
    symbol = leave_resting(aster, place)
    aster.fail("openOrders", "503_before")
    received: list[str] = []

    async def watch() -> None:
        stop, clock = StopSignal(), HurriedClock()

        def on_notice(line: str) -> None:
            received.append(line)
            if "could not be read" in line:
                aster.venue.faults.requests.clear()
            if ": cancelled" in line:
                stop.set()

        home = Home(folder=place)
        dog = Watchdog(home, clock, WatchdogLog(home.watchdog, clock, on_notice), after_seconds=5)
        async with SystemClock().timeout(PATIENCE):
            await dog.run(stop)

    asyncio.run(watch())
    assert len(received) == 4, received
    assert "has been silent for 5 s" in received[0]
    assert "could not be read" in received[1]
    assert "killed-s-1: cancelled" in received[3]
    assert ids(place, symbol) == {"the-owners"}


def test_what_the_watchdog_cannot_use_is_one_line(shell: Shell, place: Path) -> None:
    assert "no credentials" in shell.refused("watchdog")
    assert "--after 1: allowed is a number from 5 to 86400" in shell.refused("watchdog", "--after", 1)
    assert not (place / "hedgerow.watchdog.log").exists()


def test_a_beat_is_no_oftener_than_once_a_second_and_a_folder_in_its_place_stops_nothing(place: Path) -> None:
    path = place / "beat"
    heart = Heartbeat(path)
    heart.beat()
    heart.beat()
    assert json.loads(path.read_text())["number"] == 1
    (place / "folder").mkdir()
    Heartbeat(place / "folder").beat()
    assert read_beat(place / "folder") is None


def test_a_bot_that_waits_on_purpose_beats(place: Path) -> None:
    clock = VirtualClock(datetime(2026, 1, 5, tzinfo=UTC))
    beating = BeatingClock(clock, Heartbeat(place / "beat", clock))

    async def settlement_passes() -> list[int]:
        started, counts = clock.monotonic(), []
        for seconds in (0.5, 120.0):
            await beating.sleep(seconds)
            beat = read_beat(place / "beat")
            counts.append(beat.number if beat else 0)
        assert clock.monotonic() - started == pytest.approx(120.5)
        return counts

    assert run_virtual(clock, settlement_passes()) == [1, 60]
