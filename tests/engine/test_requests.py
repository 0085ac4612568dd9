"""What a person asks of a running bot, and how it ends: between two cycles, tidily, with the last word said."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hedgerow.dashboard.narration.wording import narrate
from hedgerow.domain.errors import InvariantBroken
from hedgerow.domain.events import CommandIssued, ExecutionStepped, Halted, HaltReason, HedgeOpened, Lifted
from hedgerow.domain.execution import ExecutionState
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.operator_requests import (
    AdoptRequested,
    CloseOnExitRequested,
    CloseRequested,
    HaltRequested,
    Request,
    ResumeRequested,
)
from hedgerow.domain.position import Reason
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault, SubmitFault
from hedgerow.engine.notices import (
    CycleBegan,
    CycleFailed,
    Decided,
    Notice,
    ReconcileStarted,
    Recorded,
    Stopped,
    StoppedByUser,
    Warned,
)
from hedgerow.engine.runner import RunOptions
from hedgerow.store.mailbox import FolderMailbox
from hedgerow.strategy.observation import Close, Hold, HoldReason
from hedgerow.strategy.parameters import FundingRateStrategy, PositionManagement, StrategyParameters
from support.bot_harness import OPENED, Action, BotHarness
from support.mail import asked, mailbox_in
from support.worlds import SYMBOL

CALM = StrategyParameters(funding_rate_strategy=FundingRateStrategy(min_funding_apr=5.0))


def _post(mailbox: FolderMailbox, request_id: str, request: Request) -> Action:
    return lambda _: mailbox.post(asked(request_id, request))


class _Trap:
    """Does something once, the first time a notice fits."""

    def __init__(self, fits: Callable[[Notice], bool], act: Callable[[], object]) -> None:
        self._fits, self._act = fits, act
        self.sprung = 0

    def on_notice(self, notice: Notice) -> None:
        if not self.sprung and self._fits(notice):
            self.sprung += 1
            self._act()


# --- requests --------------------------------------------------------------------------------------------------------


def test_a_running_bot_closes_on_request_and_opens_nothing_until_resumed(tmp_path: Path) -> None:
    harness, mailbox = BotHarness(), mailbox_in(tmp_path)
    harness.run(2, mailbox=mailbox, at={0.52: _post(mailbox, "1", CloseRequested(symbol=SYMBOL))})
    answer = mailbox.collect("1")
    assert answer is not None
    assert answer.done
    assert "hedgerow resume" in answer.text
    assert harness.reasons == [Reason.USER]
    assert harness.ledger.closed[0].closed_at < OPENED + (harness.clock.now() - OPENED) * 0.3  # not at the next cycle
    assert harness.ledger.halt is not None
    assert harness.ledger.halt.reason is HaltReason.USER
    assert len(harness.logged(HedgeOpened)) == 1
    harness.check_flat()
    harness.run(0.3, mailbox=mailbox, at={0.02: _post(mailbox, "2", ResumeRequested())})
    assert len(harness.logged(Lifted)) == 1
    harness.check_whole()


@pytest.mark.parametrize(("usual", "asked_for"), [(False, True), (True, False)])
def test_a_person_says_what_becomes_of_positions_when_the_bot_stops(
    tmp_path: Path, *, usual: bool, asked_for: bool
) -> None:
    harness, mailbox = BotHarness(), mailbox_in(tmp_path)
    request = CloseOnExitRequested(on=asked_for)
    harness.run(1, mailbox=mailbox, options=RunOptions(close_on_exit=usual), at={0.52: _post(mailbox, "1", request)})
    answer = mailbox.collect("1")
    assert answer is not None
    assert answer.done
    assert asked("2", request).text == f"close on exit: {'yes' if asked_for else 'no'}"
    if asked_for:
        harness.check_flat()
    else:
        assert harness.hedge.symbol == SYMBOL


def test_an_answer_that_cannot_be_written_is_a_warning_and_the_bot_goes_on(tmp_path: Path) -> None:
    harness, mailbox = BotHarness(), mailbox_in(tmp_path)
    (tmp_path / "1.answer.json").mkdir()
    harness.run(2, mailbox=mailbox, at={0.52: _post(mailbox, "1", CloseRequested(symbol=SYMBOL))})
    (warning,) = [said for said in harness.notices_of(Warned) if "the answer to a request" in said.text]
    assert "Closed AAAUSDT" in warning.text
    assert harness.reasons == [Reason.USER], "carried out once"
    assert not harness.notices_of(CycleFailed)
    harness.check_flat()


def test_a_close_of_another_symbol_is_refused(tmp_path: Path) -> None:
    harness, mailbox = BotHarness(), mailbox_in(tmp_path)
    harness.run(0.5, mailbox=mailbox, at={0.2: _post(mailbox, "1", CloseRequested(symbol="BBBUSDT"))})
    answer = mailbox.collect("1")
    assert answer is not None
    assert not answer.done
    assert "AAAUSDT is" in answer.text
    assert harness.logged(Halted) == []
    harness.check_whole()


def test_a_close_with_nothing_held_says_so() -> None:
    answer = BotHarness(parameters=CALM).ask(CloseRequested())
    assert not answer.done


def test_a_halt_blocks_openings_and_leaves_the_held_position_to_its_rules(tmp_path: Path) -> None:
    brief = StrategyParameters(position_management=PositionManagement(max_position_age_hours=1.5))
    harness, mailbox = BotHarness(parameters=brief), mailbox_in(tmp_path)
    harness.run(2, mailbox=mailbox, at={0.52: _post(mailbox, "1", HaltRequested(detail="holiday"))})
    assert harness.reasons == [Reason.MAX_AGE]
    assert len(harness.logged(HedgeOpened)) == 1
    blocked = [hold for hold in harness.decisions(Hold) if hold.reason is HoldReason.HALTED]
    assert blocked[-1].detail == "holiday"
    harness.check_flat()


def test_a_halt_outlives_a_restart() -> None:
    harness = BotHarness()
    assert harness.ask(HaltRequested()).done
    harness.run(0.5)
    harness.check_flat()
    assert harness.ask(ResumeRequested()).done
    harness.run(0.2)
    harness.check_whole()


def test_a_halt_without_a_reason_keeps_the_reason_of_the_one_before() -> None:
    harness = BotHarness()
    since = harness.clock.now()
    assert "already" not in harness.ask(HaltRequested(detail="the tax office is here")).text
    harness.wait(0.5)
    answer = harness.ask(HaltRequested())
    assert answer.done
    reason = "asked by the user (the tax office is here)"
    assert answer.text == f"Openings are halted already, since {since:%Y-%m-%d %H:%M:%S} UTC: {reason}."
    assert harness.ledger.halt is not None
    assert harness.ledger.halt.detail == "the tax office is here"
    assert len(harness.logged(Halted)) == 1
    assert "already" not in harness.ask(HaltRequested(detail="exams")).text
    assert harness.ledger.halt.detail == "exams"


def test_a_closing_keeps_the_reason_of_the_halt_before_it() -> None:
    harness = BotHarness()
    harness.run(0.2)
    assert harness.ask(HaltRequested(detail="the tax office is here")).done
    assert harness.ask(CloseRequested()).done
    assert harness.ledger.halt is not None
    assert harness.ledger.halt.detail == "the tax office is here"


def test_a_running_bot_adopts_by_name(tmp_path: Path) -> None:
    harness, mailbox = BotHarness(parameters=CALM), mailbox_in(tmp_path)

    def by_hand(desk: BotHarness) -> None:
        desk.world.trade_by_hand(Market.SPOT, SYMBOL, Side.BUY, Decimal(3))
        desk.world.trade_by_hand(Market.PERP, SYMBOL, Side.SELL, Decimal(2))

    harness.run(1, mailbox=mailbox, at={0.2: by_hand, 0.5: _post(mailbox, "1", AdoptRequested(symbol=SYMBOL))})
    answer = mailbox.collect("1")
    assert answer is not None
    assert answer.done
    assert harness.hedge.spot_quantity == 2
    assert len(harness.logged(Halted)) == len(harness.logged(Lifted)) == 1  # held back until it was adopted
    harness.check_whole()


def test_an_unreadable_request_is_answered_and_stops_nothing(tmp_path: Path) -> None:
    harness, mailbox = BotHarness(), mailbox_in(tmp_path)
    (tmp_path / "9.request.json").write_text("{nonsense")
    harness.run(0.3, mailbox=mailbox)
    answer = mailbox.collect("9")
    assert answer is not None
    assert not answer.done
    harness.check_whole()


def test_a_request_during_an_outage_is_answered_and_stops_nothing(tmp_path: Path) -> None:
    gone = tuple(ReadFault(read=read, after=OPENED + timedelta(minutes=30)) for read in Read)
    harness, mailbox = BotHarness(faults=FaultPlan(reads=gone)), mailbox_in(tmp_path)
    harness.run(
        1.2,
        mailbox=mailbox,
        at={0.6: _post(mailbox, "1", AdoptRequested(symbol=SYMBOL)), 0.7: _post(mailbox, "2", CloseRequested())},
    )
    for request_id in ("1", "2"):
        answer = mailbox.collect(request_id)
        assert answer is not None
        assert not answer.done
    assert harness.short() == harness.hedge.short
    assert harness.notices_of(Stopped)
    assert harness.ledger.max_naked_seconds == 0


# --- a cycle that failed in the middle of a trade ---------------------------------------------------------------------


def _fail(harness: BotHarness) -> Callable[[], object]:
    """Return what lets the next call of the venue fail by a bug of ours."""

    def fail() -> None:
        harness.venue.bug = RuntimeError("a bug of ours")

    return fail


def test_a_close_while_the_exchange_answers_nothing_says_that_nothing_was_closed(tmp_path: Path) -> None:
    asked, over = OPENED + timedelta(hours=0.52), OPENED + timedelta(hours=1.5)
    outage = tuple(ReadFault(read=read, after=asked, until=over) for read in Read)
    unsent = SubmitFault(fault=FaultKind.NOT_SENT, nth=100, times=10_000)
    harness = BotHarness(faults=FaultPlan(reads=outage, submits=(unsent,)))
    mailbox = mailbox_in(tmp_path)
    harness.run(1, mailbox=mailbox, at={0.52: _post(mailbox, "1", CloseRequested(symbol=SYMBOL))})
    answer = mailbox.collect("1")
    assert answer is not None
    assert not answer.done
    assert answer.text.startswith(f"{SYMBOL} could not be closed: nothing was closed: ")
    said = [line.text for notice in harness.notices for line in narrate(notice)]
    assert any(text.startswith("Nothing was closed, the position is kept: ") for text in said)
    assert "Both legs match again" not in said
    assert harness.hedge.symbol == SYMBOL


def test_a_job_that_a_failed_cycle_left_behind_is_finished_by_the_next() -> None:
    harness = BotHarness()
    harness.run(0.2, observers=[_Trap(_first_leg_filled, _fail(harness))])
    assert [failed.error for failed in harness.notices_of(CycleFailed)] == ["RuntimeError: a bug of ours"]
    assert len(harness.logged(HedgeOpened)) == 1
    harness.check_whole()


def test_a_close_asked_for_while_a_job_is_left_behind_finishes_it_first(tmp_path: Path) -> None:
    harness, mailbox = BotHarness(), mailbox_in(tmp_path)

    def fail_and_ask() -> None:
        _fail(harness)()
        mailbox.post(asked("1", CloseRequested()))

    harness.run(0.2, mailbox=mailbox, observers=[_Trap(_first_leg_filled, fail_and_ask)])
    answer = mailbox.collect("1")
    assert answer is not None
    assert answer.done
    assert harness.reasons == [Reason.USER]
    harness.check_flat()


@pytest.mark.parametrize("close", [False, True])
def test_a_stop_right_after_a_failed_cycle_leaves_nothing_half_done(close: bool) -> None:  # noqa: FBT001 - a parameter of the test
    harness = BotHarness()

    def stop_and_fail() -> None:
        harness.bot.stop.set()
        _fail(harness)()

    trap = _Trap(_first_leg_filled, stop_and_fail)
    harness.run(0.2, observers=[trap], options=RunOptions(close_on_exit=close))
    assert harness.notices_of(CycleFailed)
    if close:
        harness.check_flat()
    else:
        harness.check_whole()
    assert isinstance(harness.notices[-1], Stopped)


def test_a_failure_at_start_is_said_and_the_cycles_take_over() -> None:
    harness = BotHarness()
    harness.run(0.2, observers=[_Trap(lambda notice: isinstance(notice, ReconcileStarted), _fail(harness))])
    assert len(harness.notices_of(CycleFailed)) == 1
    harness.check_whole()


def test_a_request_that_fails_is_answered_once_and_the_bot_runs_on(tmp_path: Path) -> None:
    harness, mailbox = BotHarness(), mailbox_in(tmp_path)

    def break_a_rule() -> None:
        harness.venue.bug = InvariantBroken("two and two are five")

    trap = _Trap(lambda m: isinstance(m, Decided) and isinstance(m.decision, Close), break_a_rule)
    harness.run(0.5, mailbox=mailbox, at={0.2: _post(mailbox, "1", CloseRequested())}, observers=[trap])
    answer = mailbox.collect("1")
    assert answer is not None
    assert not answer.done
    assert "two and two are five" in answer.text
    assert len(harness.notices_of(CycleFailed)) == 1
    harness.check_whole()


# --- stopping --------------------------------------------------------------------------------------------------------


def test_a_stop_keeps_the_position_and_says_the_last_lines() -> None:
    harness = BotHarness()
    harness.run(0.5)
    assert [said.closing for said in harness.notices_of(StoppedByUser)] == [False]
    stopped = harness.notices_of(Stopped)[-1]
    assert stopped is harness.notices[-1]
    assert stopped.ledger == harness.ledger
    assert stopped.cycles == len(harness.notices_of(CycleBegan)) == harness.ledger.totals.cycles
    harness.check_whole()


def test_close_on_exit_closes_before_the_last_lines() -> None:
    harness = BotHarness()
    harness.run(0.5, options=RunOptions(close_on_exit=True))
    assert harness.reasons == [Reason.SHUTDOWN]
    assert [said.closing for said in harness.notices_of(StoppedByUser)] == [True]
    assert harness.notices_of(Stopped)[-1].ledger.largest is None
    harness.check_flat()


def test_close_on_exit_with_nothing_held_just_exits() -> None:
    harness = BotHarness(parameters=CALM)
    harness.run(0.2, options=RunOptions(close_on_exit=True))
    assert [said.closing for said in harness.notices_of(StoppedByUser)] == [False]
    harness.check_flat()


def test_once_is_one_cycle_and_no_words_of_a_user() -> None:
    harness = BotHarness()
    harness.run(5, options=RunOptions(once=True))
    assert harness.ledger.totals.cycles == 1
    assert harness.notices_of(StoppedByUser) == []
    assert len(harness.notices_of(Stopped)) == 1
    harness.check_whole()


def _first_leg_filled(notice: Notice) -> bool:
    if not isinstance(notice, Recorded) or not isinstance(notice.event, ExecutionStepped):
        return False
    job = notice.after.execution
    return job is not None and job.state is ExecutionState.FOLLOWING


def _stop(harness: BotHarness) -> Callable[[], object]:
    """Return what stops the bot of the life that is running when it is called."""

    def stop() -> None:
        harness.bot.stop.set()

    return stop


def test_a_stop_between_the_two_legs_of_an_opening_still_ends_hedged() -> None:
    harness = BotHarness(latency_seconds=0.05)
    trap = _Trap(_first_leg_filled, _stop(harness))
    harness.run(0.5, observers=[trap])
    assert trap.sprung
    assert len(harness.notices_of(CycleBegan)) == 1
    harness.check_whole()


def test_a_stop_between_the_two_legs_of_a_closing_still_ends_flat() -> None:
    harness = BotHarness(latency_seconds=0.05)
    harness.run(0.5)
    harness.wait(24)
    trap = _Trap(_first_leg_filled, _stop(harness))
    harness.run(0.5, observers=[trap])
    assert trap.sprung
    assert harness.reasons[0] is Reason.MAX_AGE
    harness.check_whole() if harness.ledger.largest else harness.check_flat()


def test_a_stop_between_the_legs_when_the_second_is_refused_still_ends_flat() -> None:
    refused = SubmitFault(fault=FaultKind.REJECT, market=Market.PERP, side=Side.SELL, code=-2019, times=50)
    harness = BotHarness(latency_seconds=0.05, faults=FaultPlan(submits=(refused,)))
    trap = _Trap(_first_leg_filled, _stop(harness))
    harness.run(0.5, observers=[trap])
    assert trap.sprung
    assert len(harness.notices_of(CycleBegan)) == 1
    harness.check_flat()
    assert harness.coins() < Decimal("0.06")


@pytest.mark.parametrize("steps", [1, 3, 6])
def test_a_stop_at_any_command_of_an_opening_ends_hedged_or_flat(steps: int) -> None:
    harness = BotHarness(latency_seconds=0.05)
    counted = [0]

    def reached(notice: Notice) -> bool:
        counted[0] += isinstance(notice, Recorded) and isinstance(notice.event, CommandIssued)
        return counted[0] >= steps

    harness.run(0.5, observers=[_Trap(reached, _stop(harness))])
    assert harness.ledger.execution is None
    if harness.ledger.largest:
        harness.check_whole()
    else:
        harness.check_flat()
    assert harness.notices_of(CycleFailed) == []


def test_a_closing_by_hand_that_leaves_a_leg_naked_is_gone_on_with_within_a_minute(tmp_path: Path) -> None:
    absorbed = SubmitFault(fault=FaultKind.ABSORB, market=Market.PERP, reduce_only=True, times=9)
    harness, mailbox = BotHarness(faults=FaultPlan(submits=(absorbed,))), mailbox_in(tmp_path)
    harness.run(2, mailbox=mailbox, at={0.51: _post(mailbox, "1", CloseRequested(symbol=SYMBOL))})
    assert 30 < harness.ledger.max_naked_seconds < 100
