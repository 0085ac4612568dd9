"""Whatever only displays or keeps what the bot does cannot interrupt it: each listener's errors are its own."""

import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from hedgerow.app.series_file import published
from hedgerow.config import Home, HomeMode
from hedgerow.dashboard.narration.wording import narrate
from hedgerow.domain.commands import Command, PlaceOrder
from hedgerow.domain.events import CommandIssued, Event
from hedgerow.engine.notices import CycleFailed, Notice, ObserverFailed, Recorded, Stopped
from hedgerow.store.codec import events_sha256
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from support.bot_harness import BotHarness, WatchedVenue


class Broken:
    """Raises at every k-th notice."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._received = 0

    def on_notice(self, notice: Notice) -> None:
        self._received += 1
        if self._received % self._every == 0:
            raise KeyError(f"no panel for {type(notice).__name__}")


class Panel(Broken):
    """Another kind of listener."""


class Alerts(Broken):
    """A third one."""


def _run(*observers: Broken) -> BotHarness:
    harness = BotHarness(latency_seconds=0.05)
    harness.listeners_may_fail = True
    harness.run(30, observers=observers)
    return harness


@pytest.mark.parametrize("every", [1, 2, 3, 7])
def test_a_listener_that_raises_changes_no_event_of_the_log(every: int) -> None:
    calm = _run()
    disturbed = _run(Broken(every), Panel(every + 1), Alerts(1))
    assert disturbed.ledger.totals.closed > 0, "trades happened in both directions"
    assert events_sha256(disturbed.log) == events_sha256(calm.log)
    assert not disturbed.notices_of(CycleFailed)
    assert disturbed.ledger.max_naked_seconds == calm.ledger.max_naked_seconds
    disturbed.check()


class TimedVenue(WatchedVenue):
    """Keeps when each order was sent and when it was answered, by the clock of the exchange."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.times: list[tuple[str, datetime, datetime]] = []

    async def submit(self, command: Command) -> tuple[Event, ...]:
        sent_at = self.clock.now()
        events = await super().submit(command)
        if isinstance(command, PlaceOrder):
            self.times.append((command.order.client_id, sent_at, self.clock.now()))
        return events


class Slow:
    """Blocks the thread of the bot for a while at each order, as a disk that is busy does."""

    def __init__(self) -> None:
        self._never = threading.Event()

    def on_notice(self, notice: Notice) -> None:
        if isinstance(notice, Recorded) and isinstance(notice.event, CommandIssued):
            self._never.wait(0.02)


def _order_times(*observers: Any) -> list[tuple[str, datetime, datetime]]:
    harness = BotHarness(latency_seconds=0.05, venue_kind=TimedVenue)
    harness.listeners_may_fail = True
    harness.run(30, observers=observers)
    assert isinstance(harness.venue, TimedVenue)
    return harness.venue.times


@pytest.mark.parametrize("who", ["raises", "is slow", "publishes"])
def test_a_listener_that_raises_or_is_slow_or_publishes_delays_no_order_by_a_microsecond(
    who: str, tmp_path: Path
) -> None:
    """Real time that a listener takes is not time of the virtual clock: only what waits in the bot could delay it."""
    alone = _order_times()
    assert len(alone) > 10
    assert all(answered_at > sent_at for _, sent_at, answered_at in alone), "an order takes time on its way"
    if who == "publishes":
        home = Home(folder=tmp_path, mode=HomeMode.PAPER)
        screens, background = published(home, VolumeFarming(StrategyParameters()), None)
        assert _order_times(*screens) == alone
        background.close()
        assert home.outlook.exists()
        assert home.series.exists()
    else:
        assert _order_times(*([Broken(1), Panel(2), Alerts(3)] if who == "raises" else [Slow()])) == alone


def test_the_first_failure_of_a_listener_is_one_line_and_the_others_are_counted() -> None:
    harness = _run(Panel(5), Alerts(1))
    failed = harness.notices_of(ObserverFailed)
    assert [said.observer for said in failed] == ["Alerts", "Panel"]
    assert failed[0].error == "KeyError: 'no panel for Started'"
    counts = harness.bot.journal.listener_failures
    assert set(counts) == {"Panel", "Alerts"}
    assert counts["Alerts"] > counts["Panel"] > 10
    said = [line.text for notice in harness.notices for line in narrate(notice)]
    assert sum(" failed: " in text for text in said) == 2
    stopped = harness.notices_of(Stopped)[-1]
    assert stopped.listener_failures["Panel"] == counts["Panel"]
    assert f"  Panel failed {counts['Panel']} times" in [line.text for line in narrate(stopped)]


def test_two_listeners_of_one_class_that_fail_are_both_said() -> None:
    harness = _run(Panel(3), Panel(4))
    assert [said.observer for said in harness.notices_of(ObserverFailed)] == ["Panel", "Panel"]
