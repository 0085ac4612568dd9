"""Requests of persons during a trade: read between two slices, in order, once, in time, or plainly refused."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from hedgerow.clock import SystemClock
from hedgerow.dashboard.narration.wording import narrate
from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.events import CommandIssued, HedgeAborted, HedgeClosed, HedgeOpened, Lifted, RequestHandled
from hedgerow.domain.execution import ExecutionKind, ExecutionLimits, ExecutionStyle
from hedgerow.domain.instrument import Side
from hedgerow.domain.operator_requests import (
    AdoptRequested,
    CloseRequested,
    HaltRequested,
    HedgeSeen,
    Request,
    RequestOutcome,
    ResumeRequested,
)
from hedgerow.domain.position import Reason
from hedgerow.engine.notices import CycleBegan, CycleFailed, Notice, ObserverFailed, Recorded, ScanStarted, Stopped
from hedgerow.engine.runner import RunOptions
from hedgerow.strategy.parameters import FundingRateStrategy, PositionManagement, StrategyParameters
from support.bot_harness import OPENED, Action, BotHarness
from support.mail import asked, mailbox_in
from support.worlds import SYMBOL

MAKER = StrategyParameters(
    execution=ExecutionLimits(style=ExecutionStyle.MAKER, max_naked_equity_fraction=Decimal("0.1")),
    funding_rate_strategy=FundingRateStrategy(funding_ma_periods=1),
    position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=87_600),
)
"""An opening of several slices, each of which rests for 45 s before it is taken."""
RESTS = 20 / 3600
"""Hours since the start: the first slice rests, and nothing is filled."""
PARTLY = 100 / 3600
"""Hours since the start: some slices are filled on both legs, and the next one rests."""


def _maker(**options: object) -> BotHarness:
    return BotHarness(parameters=MAKER, latency_seconds=0.05, **options)  # type: ignore[arg-type]


def _leading(harness: BotHarness, after_seconds: float) -> list[PlaceOrder]:
    """Return the orders that bought coins later than so long after the start."""
    since = OPENED + timedelta(seconds=after_seconds)
    issued = [event for event in harness.logged(CommandIssued) if event.at > since]
    orders = [event.command for event in issued if isinstance(event.command, PlaceOrder)]
    return [order for order in orders if order.order.side is Side.BUY and not order.order.reduce_only]


def _handled(harness: BotHarness) -> list[tuple[str, RequestOutcome]]:
    return [(event.request.request_id, event.outcome) for event in harness.logged(RequestHandled)]


def _seconds(harness: BotHarness, request_id: str) -> float:
    """Return when a request was answered, seconds since the start."""
    (at,) = [event.at for event in harness.logged(RequestHandled) if event.request.request_id == request_id]
    return (at - OPENED).total_seconds()


def test_the_scene_rests_and_has_filled_a_part_when_the_tests_ask() -> None:
    seen: list[tuple[bool, bool]] = []

    def note(harness: BotHarness) -> None:
        job = harness.ledger.execution
        assert job is not None
        seen.append((job.working is not None, job.perp.filled > 0))

    harness = _maker()
    harness.run(0.5, at={RESTS: note, PARTLY: note})
    assert seen == [(True, False), (True, True)]
    assert len(_leading(harness, PARTLY * 3600)) >= 3, "there was more to lead"


def test_a_halt_in_the_middle_of_an_opening_leads_no_further_slice(tmp_path: Path) -> None:
    harness, mailbox = _maker(), mailbox_in(tmp_path / "r")
    harness.run(0.5, mailbox=mailbox, at={PARTLY: lambda _: mailbox.post(asked("1", HaltRequested(detail="enough")))})
    answer = mailbox.collect("1")
    assert answer is not None
    assert answer.done
    assert "leads no further" in answer.text
    assert _seconds(harness, "1") <= PARTLY * 3600 + 2
    assert _leading(harness, PARTLY * 3600 + 2) == []
    assert harness.logged(HedgeOpened)
    assert harness.ledger.halt is not None
    assert harness.ledger.halt.detail == "enough"
    harness.check_whole()
    assert Decimal(50) < harness.hedge.entry_notional < 300, "a part was filled, and it is held hedged"
    said = [line.text for notice in harness.notices for line in narrate(notice)]
    assert f"  The opening of {SYMBOL} starts no further slice: asked by the user" in said
    assert any(text.startswith("Request of anna (cli): halt: done. Openings are halted;") for text in said)


def test_a_halt_of_an_opening_with_nothing_filled_ends_flat_and_lets_no_pair_rest(tmp_path: Path) -> None:
    harness, mailbox = _maker(), mailbox_in(tmp_path / "r")
    harness.run(0.5, mailbox=mailbox, at={RESTS: lambda _: mailbox.post(asked("1", HaltRequested()))})
    assert [event.reason for event in harness.logged(HedgeAborted)] == [Reason.USER]
    assert harness.ledger.cooldowns == {}, "the pair did nothing wrong"
    assert _handled(harness) == [("1", RequestOutcome.DONE)]
    harness.check_flat()
    assert harness.coins() == 0


@pytest.mark.parametrize("when", [RESTS, PARTLY])
def test_a_close_in_the_middle_of_an_opening_ends_it_and_closes_what_was_filled(tmp_path: Path, when: float) -> None:
    harness, mailbox = _maker(), mailbox_in(tmp_path / "r")
    harness.run(0.5, mailbox=mailbox, at={when: lambda _: mailbox.post(asked("1", CloseRequested()))})
    answer = mailbox.collect("1")
    assert answer is not None
    assert answer.done
    assert "hedgerow resume" in answer.text
    assert _handled(harness) == [("1", RequestOutcome.DONE)]
    assert _seconds(harness, "1") <= when * 3600 + 15
    assert _leading(harness, when * 3600 + 2) == []
    assert harness.ledger.halt is not None
    harness.check_flat()
    if when == PARTLY:
        assert harness.reasons == [Reason.USER]
        assert answer.text.startswith(f"Closed {SYMBOL}: net $")
    else:
        assert harness.logged(HedgeClosed) == []
        assert answer.text.startswith(f"Nothing of {SYMBOL} is held.")


def test_a_close_during_a_closing_by_rule_opens_nothing_after_it(tmp_path: Path) -> None:
    young = StrategyParameters(
        execution=MAKER.execution,
        funding_rate_strategy=MAKER.funding_rate_strategy,
        position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=0.4),
    )
    harness, mailbox = BotHarness(parameters=young, latency_seconds=0.05), mailbox_in(tmp_path / "r")
    began: list[bool] = []

    def ask(desk: BotHarness) -> None:
        job = desk.ledger.execution
        if job is None or job.kind is not ExecutionKind.CLOSE or began:
            return
        began.append(True)
        mailbox.post(asked("1", CloseRequested()))

    harness.run(2, mailbox=mailbox, at={0.3 + step / 360: ask for step in range(400)})
    assert began
    assert _handled(harness) == [("1", RequestOutcome.DONE)]
    assert len(harness.logged(HedgeOpened)) == 1
    assert harness.ledger.halt is not None
    harness.check_flat()


def test_of_requests_that_wait_together_the_last_one_is_the_last_word(tmp_path: Path) -> None:
    harness, mailbox = _maker(), mailbox_in(tmp_path / "r")

    def ask(_: BotHarness) -> None:
        mailbox.post(asked("z", ResumeRequested()))
        mailbox.post(asked("a", HaltRequested()))

    harness.run(0.5, mailbox=mailbox, at={0.3: ask})
    assert _handled(harness) == [("z", RequestOutcome.DONE), ("a", RequestOutcome.DONE)]
    assert harness.ledger.halt is not None


def test_a_hundred_requests_at_once_are_each_answered_once_in_order(tmp_path: Path) -> None:
    harness, mailbox, random = _maker(), mailbox_in(tmp_path / "r"), Random(7)
    names = [f"{random.getrandbits(64):016x}" for _ in range(100)]
    actions = [random.choice((HaltRequested(), ResumeRequested())) for _ in names]

    def ask(_: BotHarness) -> None:
        for name, action in zip(names, actions, strict=True):
            mailbox.post(asked(name, action))

    harness.run(0.5, mailbox=mailbox, at={PARTLY: ask})
    assert [name for name, _ in _handled(harness)] == names
    assert {outcome for _, outcome in _handled(harness)} == {RequestOutcome.DONE}
    assert all(mailbox.collect(name) for name in names)
    assert (harness.ledger.halt is not None) is isinstance(actions[-1], HaltRequested)
    assert not harness.notices_of(CycleFailed)
    harness.check_whole()


def test_a_halt_while_a_failed_cycle_has_left_an_opening_behind_leads_no_further(tmp_path: Path) -> None:
    harness, mailbox = _maker(), mailbox_in(tmp_path / "r")

    def fail_and_ask(desk: BotHarness) -> None:
        desk.venue.bug = RuntimeError("a bug of ours")
        mailbox.post(asked("1", HaltRequested()))

    harness.run(0.5, mailbox=mailbox, at={PARTLY: fail_and_ask})
    assert harness.notices_of(CycleFailed)
    assert _handled(harness) == [("1", RequestOutcome.DONE)]
    assert _leading(harness, PARTLY * 3600 + 0.1) == []
    assert harness.logged(HedgeOpened)
    harness.check_whole()


def test_the_same_request_twice_is_carried_out_once_and_answered_alike(tmp_path: Path) -> None:
    harness, mailbox = _maker(), mailbox_in(tmp_path / "r")
    answers: list[str] = []

    def ask(name: str, action: Request) -> Action:
        return lambda _: mailbox.post(asked(name, action))

    def collect(_: BotHarness) -> None:
        answer = mailbox.collect("1")
        assert answer is not None
        answers.append(answer.text)

    script: dict[float, Action] = {
        0.1: ask("0", HaltRequested()),
        0.2: ask("1", ResumeRequested()),
        0.25: collect,
        0.3: ask("2", HaltRequested()),
        0.4: ask("1", ResumeRequested()),
        0.45: collect,
    }
    harness.run(0.5, mailbox=mailbox, at=script)
    assert [name for name, _ in _handled(harness)] == ["0", "1", "2"]
    assert answers[0] == answers[1] == "Openings are allowed again."
    assert harness.ledger.halt is not None, "the second one came after the halt, and was carried out before"


def test_the_same_request_is_carried_out_once_over_a_restart(tmp_path: Path) -> None:
    harness, mailbox = _maker(), mailbox_in(tmp_path / "r")
    mailbox.post(asked("1", HaltRequested()))
    harness.run(0.1, mailbox=mailbox)
    harness.ask(ResumeRequested())
    mailbox.post(asked("1", HaltRequested()))
    harness.run(0.1, mailbox=mailbox_in(tmp_path / "r"))
    assert harness.ledger.halt is None
    assert [name for name, _ in _handled(harness)] == ["1"]


class _Clock(SystemClock):
    """The clock of those who ask, put forward by hand."""

    ahead = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead)

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


@pytest.mark.parametrize("action", [HaltRequested(), CloseRequested(), AdoptRequested(symbol=SYMBOL)])
@pytest.mark.parametrize("when", [PARTLY, 0.4])
def test_a_request_that_waited_for_longer_than_it_is_valid_is_refused(
    tmp_path: Path, action: Request, when: float
) -> None:
    clock = _Clock()
    harness, mailbox = _maker(), mailbox_in(tmp_path / "r", clock)

    def ask(_: BotHarness) -> None:
        mailbox.post(asked("1", action, clock=clock))
        clock.ahead += 61

    harness.run(0.6, mailbox=mailbox, at={when: ask})
    answer = mailbox.collect("1")
    assert answer is not None
    assert answer.text.startswith("Expired: it was valid until ")
    assert _handled(harness) == [("1", RequestOutcome.EXPIRED)]
    assert harness.ledger.halt is None
    harness.check_whole()


@pytest.mark.parametrize("when", [PARTLY, 0.4])
def test_a_close_of_a_hedge_that_is_not_the_one_that_was_seen_is_refused(tmp_path: Path, when: float) -> None:
    harness, mailbox = _maker(), mailbox_in(tmp_path / "r")
    seen = HedgeSeen(hedge_id="another", symbol=SYMBOL)
    harness.run(0.6, mailbox=mailbox, at={when: lambda _: mailbox.post(asked("1", CloseRequested(), hedge=seen))})
    answer = mailbox.collect("1")
    assert answer is not None
    assert answer.text == (
        f"The position on {SYMBOL} is not held any more; another position on {SYMBOL} is. Nothing was done."
    )
    assert _handled(harness) == [("1", RequestOutcome.REFUSED)]
    assert harness.ledger.halt is None
    harness.check_whole()


def test_a_close_of_a_hedge_that_ended_meanwhile_is_refused(tmp_path: Path) -> None:
    harness, mailbox = _maker(), mailbox_in(tmp_path / "r")
    mailbox.post(asked("0", HaltRequested()))
    seen = HedgeSeen(hedge_id="another", symbol="BBBUSDT")
    harness.run(0.6, mailbox=mailbox, at={0.4: lambda _: mailbox.post(asked("1", CloseRequested(), hedge=seen))})
    answer = mailbox.collect("1")
    assert answer is not None
    assert answer.text == "BBBUSDT is not held any more. Nothing was done."


def test_the_hedge_that_was_seen_is_closed(tmp_path: Path) -> None:
    harness, mailbox = _maker(), mailbox_in(tmp_path / "r")

    def ask(desk: BotHarness) -> None:
        seen = HedgeSeen(hedge_id=desk.hedge.hedge_id, symbol=SYMBOL)
        mailbox.post(asked("1", CloseRequested(symbol=SYMBOL), hedge=seen))

    harness.run(0.8, mailbox=mailbox, at={0.4: ask})
    assert _handled(harness) == [("1", RequestOutcome.DONE)]
    harness.check_flat()


@pytest.mark.parametrize("action", [AdoptRequested(symbol="BBBUSDT"), CloseRequested(symbol="BBBUSDT")])
def test_what_cannot_be_done_during_a_trade_is_refused_at_once(tmp_path: Path, action: Request) -> None:
    harness, mailbox = _maker(), mailbox_in(tmp_path / "r")
    harness.run(0.5, mailbox=mailbox, at={PARTLY: lambda _: mailbox.post(asked("1", action))})
    assert _handled(harness) == [("1", RequestOutcome.REFUSED)]
    assert _seconds(harness, "1") <= PARTLY * 3600 + 2
    harness.check_whole()


def test_requests_after_a_close_wait_for_it(tmp_path: Path) -> None:
    harness, mailbox = _maker(), mailbox_in(tmp_path / "r")

    def ask(_: BotHarness) -> None:
        mailbox.post(asked("1", CloseRequested()))
        mailbox.post(asked("2", ResumeRequested()))

    harness.run(0.05, mailbox=mailbox, at={PARTLY: ask})
    assert _handled(harness) == [("1", RequestOutcome.DONE), ("2", RequestOutcome.DONE)]
    assert harness.logged(Lifted)[-1].at >= harness.logged(HedgeClosed)[-1].at
    assert harness.ledger.halt is None


def test_what_a_bot_began_and_did_not_end_is_answered_by_the_next_and_not_begun_again(tmp_path: Path) -> None:
    dead, harness = mailbox_in(tmp_path / "r"), _maker()
    dead.post(asked("1", CloseRequested()))
    dead.take()
    dead.claim("1")
    mailbox = mailbox_in(tmp_path / "r")
    harness.run(0.5, mailbox=mailbox)
    answer = mailbox.collect("1")
    assert answer is not None
    assert not answer.done
    assert "ended while it carried this out" in answer.text
    assert _handled(harness) == [("1", RequestOutcome.INTERRUPTED)]
    harness.check_whole()


def test_an_answer_that_a_crash_kept_from_who_asked_is_given_by_the_next_bot(tmp_path: Path) -> None:
    harness, mailbox = _maker(), mailbox_in(tmp_path / "r")
    mailbox.post(asked("1", HaltRequested()))
    harness.run(0.1, mailbox=mailbox)
    first = mailbox.collect("1")
    dead = mailbox_in(tmp_path / "r")
    dead.post(asked("1", HaltRequested()))
    dead.take()
    dead.claim("1")
    following = mailbox_in(tmp_path / "r")
    harness.run(0.1, mailbox=following)
    assert following.collect("1") == first
    assert len(_handled(harness)) == 1


def test_a_request_is_answered_by_a_bot_that_checks_once(tmp_path: Path) -> None:
    harness, mailbox = BotHarness(), mailbox_in(tmp_path / "r")

    class AsksAtTheEnd:
        def on_notice(self, notice: Notice) -> None:
            if isinstance(notice, Recorded) and isinstance(notice.event, HedgeOpened):
                mailbox.post(asked("1", HaltRequested()))

    harness.run(1, mailbox=mailbox, options=RunOptions(once=True), observers=[AsksAtTheEnd()])
    assert _handled(harness) == [("1", RequestOutcome.DONE)]


def test_resume_begins_the_next_check_at_once(tmp_path: Path) -> None:
    harness, mailbox = BotHarness(), mailbox_in(tmp_path / "r")
    mailbox.post(asked("1", HaltRequested()))
    harness.run(0.05, mailbox=mailbox, at={0.02: lambda _: mailbox.post(asked("2", ResumeRequested()))})
    resumed = harness.logged(Lifted)[0].at
    assert min(each.at for each in harness.notices_of(CycleBegan) if each.at >= resumed) - resumed < timedelta(
        seconds=2
    )
    harness.check_whole()


# --- the bot is stopped ----------------------------------------------------------------------------------------------


def _stop(harness: BotHarness) -> None:
    harness.bot.stop.set()


def test_a_stop_while_nothing_of_an_opening_is_filled_ends_flat() -> None:
    harness = _maker()
    harness.run(0.5, at={RESTS: _stop})
    assert [event.reason for event in harness.logged(HedgeAborted)] == [Reason.SHUTDOWN]
    assert harness.ledger.cooldowns == {}
    assert harness.ledger.halt is None
    assert _leading(harness, RESTS * 3600 + 0.1) == [], "the rest is not bought"
    assert (harness.clock.now() - OPENED).total_seconds() < RESTS * 3600 + 3
    harness.check_flat()
    assert harness.coins() == 0
    assert harness.notices_of(Stopped)


def test_a_stop_in_the_middle_of_an_opening_holds_what_is_filled_and_buys_no_more() -> None:
    harness = _maker()
    harness.run(0.5, at={PARTLY: _stop})
    assert _leading(harness, PARTLY * 3600 + 0.1) == []
    assert harness.logged(HedgeOpened)
    harness.check_whole()
    harness.run(0.1)
    harness.check_whole()


def test_a_stop_during_the_wait_for_a_settlement_ends_at_once(tmp_path: Path) -> None:
    harness = BotHarness(start=OPENED + timedelta(hours=6, minutes=59, seconds=10), latency_seconds=0.05)
    began = harness.clock.now()
    harness.run(0.5, mailbox=mailbox_in(tmp_path / "r"), at={10 / 3600: _stop})
    assert (harness.clock.now() - began).total_seconds() < 15
    assert harness.logged(HedgeOpened) == []
    harness.check_flat()


def test_a_stop_lets_no_other_pair_be_tried() -> None:
    harness = _maker()
    harness.run(0.5, at={RESTS: _stop})
    assert len(harness.notices_of(ScanStarted)) == 1
    assert len(harness.logged(HedgeAborted)) == 1


def test_requests_that_wait_while_the_bot_stops_are_answered(tmp_path: Path) -> None:
    harness, mailbox = _maker(), mailbox_in(tmp_path / "r")

    def ask(desk: BotHarness) -> None:
        desk.bot.stop.set()
        mailbox.post(asked("1", CloseRequested()))
        mailbox.post(asked("2", HaltRequested()))

    harness.run(0.8, mailbox=mailbox, at={0.6: ask})
    assert _handled(harness) == [("1", RequestOutcome.REFUSED), ("2", RequestOutcome.DONE)]
    assert harness.ledger.halt is not None
    harness.check_whole()


def test_a_close_that_was_begun_when_the_bot_is_stopped_is_carried_out(tmp_path: Path) -> None:
    harness, mailbox = _maker(), mailbox_in(tmp_path / "r")
    script: dict[float, Action] = {PARTLY: lambda _: mailbox.post(asked("1", CloseRequested()))}
    stopping: Callable[[BotHarness], object] = _stop
    script[PARTLY + 1.2 / 3600] = stopping
    harness.run(0.8, mailbox=mailbox, at=script)
    assert _handled(harness) == [("1", RequestOutcome.DONE)]
    harness.check_flat()
    assert not harness.notices_of(ObserverFailed)
