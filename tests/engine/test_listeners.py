"""Whatever only displays or keeps what the bot does cannot interrupt it: each listener's errors are its own."""

import pytest

from hedgerow.dashboard.narration.wording import narrate
from hedgerow.engine.notices import CycleFailed, Notice, ObserverFailed, Stopped
from hedgerow.store.codec import events_sha256
from support.bot_harness import BotHarness


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
