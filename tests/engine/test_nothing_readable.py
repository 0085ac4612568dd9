"""A bot that cannot read the exchange: it says so once, looks again soon, and claims nothing about the account."""

from datetime import timedelta

import pytest

from hedgerow.dashboard.narration.wording import narrate
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault
from hedgerow.engine.notices import CycleBegan, NothingRead, Notice, ReadFailed, Stopped
from hedgerow.engine.runner import RunOptions
from support.bot_harness import OPENED, BotHarness

DEFAULT = RunOptions(interval_seconds=300)


def unread(*reads: Read, minutes: float) -> FaultPlan:
    until = OPENED + timedelta(minutes=minutes)
    return FaultPlan(reads=tuple(ReadFault(read=read, until=until) for read in reads))


def texts(*notices: Notice) -> list[str]:
    return [line.text for notice in notices for line in narrate(notice)]


def test_the_next_look_is_not_a_whole_interval_away() -> None:
    harness = BotHarness(faults=unread(Read.MARKET, Read.ACCOUNT, minutes=1))
    harness.run(0.1, options=DEFAULT)
    assert [notice.retry_seconds for notice in harness.notices_of(NothingRead)] == [5, 10, 20, 40]
    assert harness.ledger.largest is not None, "it opens as soon as it can see"
    begun = [notice.at - OPENED for notice in harness.notices_of(CycleBegan)]
    assert begun[4] < timedelta(seconds=80)
    assert texts(harness.notices_of(NothingRead)[1]) == ["Nothing could be read from the exchange: next try in 10.0 s"]


def test_the_pauses_grow_to_the_interval_and_no_further() -> None:
    harness = BotHarness(faults=unread(Read.MARKET, Read.ACCOUNT, minutes=60))
    harness.run(0.5, options=RunOptions(interval_seconds=60))
    assert [notice.retry_seconds for notice in harness.notices_of(NothingRead)][:6] == [5, 10, 20, 40, 60, 60]


def test_an_account_alone_that_cannot_be_read_changes_no_rhythm() -> None:
    harness = BotHarness(faults=unread(Read.ACCOUNT, minutes=60))
    harness.run(0.1, options=DEFAULT)
    assert len(harness.notices_of(CycleBegan)) == 2
    assert harness.notices_of(NothingRead) == []


def test_one_reason_for_market_and_account_is_said_once() -> None:
    missing = ("market: the exchange cannot be reached: refused", "account: the exchange cannot be reached: refused")
    failed = ReadFailed(at=OPENED, missing=missing)
    assert texts(failed)[0] == "Could not read: market and account: the exchange cannot be reached: refused"


def test_the_decision_does_not_repeat_why_nothing_could_be_read() -> None:
    harness = BotHarness(faults=unread(Read.MARKET, Read.ACCOUNT, minutes=60))
    harness.run(0, options=RunOptions(once=True))
    said = texts(*harness.notices)
    reason = next(text for text in said if text.startswith("Could not read")).rpartition(": ")[2]
    assert sum(reason in text for text in said) == 2, "at start and in the cycle"
    assert "No action: the observation is incomplete" in said


class StopAt:
    """Ask for a stop as soon as a notice of some type comes."""

    def __init__(self, harness: BotHarness, kind: type[Notice]) -> None:
        self._harness, self._kind = harness, kind

    def on_notice(self, notice: Notice) -> None:
        if isinstance(notice, self._kind):
            self._harness.bot.stop.set()


@pytest.mark.parametrize("stop_at", [ReadFailed, CycleBegan], ids=["before the first cycle", "after a cycle"])
@pytest.mark.parametrize("reads", [(Read.MARKET, Read.ACCOUNT), (Read.ACCOUNT,)], ids=["nothing", "no account"])
def test_a_bot_that_has_not_read_the_account_does_not_say_that_nothing_is_open(
    reads: tuple[Read, ...], stop_at: type[Notice]
) -> None:
    harness = BotHarness(faults=unread(*reads, minutes=60))
    harness.run(0.1, options=DEFAULT, observers=[StopAt(harness, stop_at)])
    (stopped,) = harness.notices_of(Stopped)
    assert stopped.cycles == (stop_at is CycleBegan)
    said = texts(stopped)
    assert "No position open" not in said
    assert "No position in the log; the account could not be read, so one may be open on the exchange" in said


def test_a_bot_that_has_read_an_empty_account_says_that_nothing_is_open() -> None:
    harness = BotHarness(usdt=1, perp=1)
    harness.run(0, options=RunOptions(once=True))
    assert "No position open" in texts(*harness.notices_of(Stopped))
