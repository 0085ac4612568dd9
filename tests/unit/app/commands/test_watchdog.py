"""The watchdog's eye: it compares a file with itself, on one clock of its own."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from hedgerow.app.commands.watchdog import Pulse, Watchdog, WatchdogLog, resting_candidates
from hedgerow.app.heartbeat import Beat
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.config import Home
from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.errors import StoreError
from hedgerow.domain.events import CommandIssued, Event, OrderEnded
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import OrderRequest, OrderStatus
from hedgerow.engine.runner import StopSignal

NOW = datetime(2026, 1, 5, tzinfo=UTC)


class WatchdogHarness:
    def __init__(self, folder: Path) -> None:
        self.home, self.clock = Home(folder=folder), VirtualClock(NOW)
        self.said: list[str] = []
        log = WatchdogLog(self.home.watchdog, self.clock, self.said.append)
        self.dog = Watchdog(self.home, self.clock, log, after_seconds=60)

    def beat(self, number: int) -> None:
        self.home.heartbeat.write_bytes(msgspec.json.encode(Beat(pid=7, number=number)))

    def run(self, acts: dict[float, Callable[[], object]]) -> None:
        async def script() -> None:
            stop = StopSignal()
            watching = asyncio.ensure_future(self.dog.run(stop))
            began = self.clock.monotonic()
            for when, act in acts.items():
                await self.clock.sleep(began + when - self.clock.monotonic())
                act()
            stop.set()
            await watching

        run_virtual(self.clock, script())


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WatchdogHarness:
    user, key = f"0x{'1' * 40}", f"{1:064x}"
    signer = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
    for name, value in (("API_USER", user), ("API_SIGNER", signer), ("API_PRIVATE_KEY", key)):
        monkeypatch.setenv(name, value)
    return WatchdogHarness(tmp_path)


def test_silence_is_counted_from_the_last_change_and_a_beat_ends_it(harness: WatchdogHarness) -> None:
    assert harness.dog.look() is Pulse.ABSENT
    harness.beat(1)
    assert harness.dog.look() is Pulse.ALIVE
    for seconds, expected in ((59, Pulse.QUIET), (1, Pulse.DEAD), (1000, Pulse.DEAD)):
        harness.clock.advance_time(seconds)
        assert harness.dog.look() is expected
    harness.beat(2)
    assert harness.dog.look() is Pulse.ALIVE
    harness.home.heartbeat.unlink()
    assert harness.dog.look() is Pulse.ABSENT


def test_a_file_that_says_nothing_is_silence_and_no_tidy_end(harness: WatchdogHarness) -> None:
    harness.beat(1)
    harness.dog.look()
    harness.home.heartbeat.write_bytes(b"\xff")
    assert harness.dog.look() is Pulse.ALIVE
    harness.clock.advance_time(60)
    assert harness.dog.look() is Pulse.DEAD


def test_a_crash_is_alarmed_once_and_a_restart_is_reported(harness: WatchdogHarness) -> None:
    harness.beat(1)
    harness.run({400: lambda: harness.beat(2), 440: lambda: harness.beat(3), 480: lambda: None})
    assert [line.partition(" ")[2].partition(" ")[2] for line in harness.said] == [
        "ALARM: the bot (process 7) has been silent for 60 s",
        "the bot's heartbeat is back, or the bot ended regularly",
    ]
    assert harness.home.watchdog.read_text(encoding="utf-8").splitlines() == harness.said


def test_a_log_that_cannot_be_written_ends_the_watch_before_anything_is_sent(harness: WatchdogHarness) -> None:
    harness.home.watchdog.mkdir()
    harness.beat(1)
    with pytest.raises(StoreError, match="cannot be written"):
        harness.run({400: lambda: None})


def test_only_spot_orders_of_the_log_are_candidates_and_only_unfinished_ones_point_at_a_symbol() -> None:
    def sent(client_id: str, market: Market, symbol: str) -> Event:
        order = OrderRequest(
            client_id=client_id, market=market, symbol=symbol, side=Side.BUY, quantity=Decimal(1), price=Decimal(1)
        )
        return CommandIssued(at=NOW, command=PlaceOrder(order=order, hedge_id="h", fee_rate=Decimal(0)))

    events = (
        sent("a", Market.SPOT, "AAAUSDT"),
        OrderEnded(at=NOW, client_id="a", order_id=1, status=OrderStatus.FILLED),
        sent("b", Market.SPOT, "BBBUSDT"),
        sent("c", Market.PERP, "CCCUSDT"),
    )
    assert resting_candidates(events) == (("BBBUSDT",), frozenset({"a", "b"}))
