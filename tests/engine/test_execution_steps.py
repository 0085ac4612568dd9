"""What the log holds of a job: its constants once, and of every step what changed."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hedgerow.domain.events import Event, ExecutionStarted, ExecutionStepped
from hedgerow.domain.execution import HedgeExecution, change_between, changed
from hedgerow.domain.ledger.reducers import apply, fold
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.operator_requests import CloseRequested
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, SubmitFault
from hedgerow.store.codec import decode_event, encode_event
from support.bot_harness import BotHarness
from support.drawing import examples

COMPACT_BYTES = 700
"""Most that a step takes on average; with the whole job in it, it took 2,200."""


def events_of_a_run(*, nth: int = 1, outcome: FaultKind = FaultKind.SILENT_AFTER) -> list[Event]:
    """Return the log of a bot that opened and closed a hedge, with one fault."""
    fault = SubmitFault(fault=outcome, command="place_order", nth=nth, times=2)
    harness = BotHarness(faults=FaultPlan(submits=(fault,)), latency_seconds=0.05, certain_after_seconds=60)
    harness.run(0.3)
    harness.ask(CloseRequested())
    harness.check()
    return list(harness.log)


def in_the_old_form(events: list[Event]) -> list[Event]:
    """Return the log as it was written when every step held the whole job."""
    ledger, old = Ledger(), list[Event]()
    for event in events:
        ledger = apply(ledger, event)
        whole = ExecutionStepped(at=event.at, execution=ledger.execution)
        old.append(whole if isinstance(event, ExecutionStepped) else event)
    return old


@settings(max_examples=examples(12), deadline=None)
@given(
    nth=st.integers(1, 12),
    outcome=st.sampled_from([FaultKind.SILENT_AFTER, FaultKind.SILENT_BEFORE, FaultKind.NOT_SENT]),
)
def test_both_forms_of_a_step_fold_to_the_same_ledger(nth: int, outcome: FaultKind) -> None:
    events = events_of_a_run(nth=nth, outcome=outcome)
    old = in_the_old_form(events)
    assert fold(decode_event(encode_event(event)) for event in events) == fold(old)
    assert fold(decode_event(encode_event(event)) for event in old) == fold(events)


def test_a_step_does_not_repeat_what_is_constant() -> None:
    events = events_of_a_run()
    steps = [encode_event(event) for event in events if isinstance(event, ExecutionStepped)]
    whole = [encode_event(event) for event in in_the_old_form(events) if isinstance(event, ExecutionStepped)]
    assert len(steps) == len(whole) > 20
    assert sum(map(len, steps)) / len(steps) < COMPACT_BYTES
    assert sum(map(len, steps)) * 3 < sum(map(len, whole))


def test_a_step_of_another_job_changes_nothing() -> None:
    started = next(event for event in events_of_a_run() if isinstance(event, ExecutionStarted))
    ledger = fold([started])
    job = started.execution
    change = change_between(job, replace(job, orders=7))
    assert apply(ledger, ExecutionStepped(at=started.at, hedge_id="other", change=change)).execution == job
    assert apply(Ledger(), ExecutionStepped(at=started.at, hedge_id=job.hedge_id, change=change)).execution is None
    assert apply(ledger, ExecutionStepped(at=started.at, hedge_id=job.hedge_id)).execution == job
    after = apply(ledger, ExecutionStepped(at=started.at, hedge_id=job.hedge_id, change=change)).execution
    assert after is not None
    assert after.orders == 7


def test_a_field_that_goes_back_to_nothing_is_a_change() -> None:
    started = next(event for event in events_of_a_run() if isinstance(event, ExecutionStarted))
    job: HedgeExecution = replace(started.execution, naked_since=started.at, detail="refused")
    cleared = replace(job, naked_since=None, detail="")
    step = ExecutionStepped(at=started.at, hedge_id=job.hedge_id, change=change_between(job, cleared))
    read = decode_event(encode_event(step))
    assert isinstance(read, ExecutionStepped)
    assert read.change is not None
    assert changed(job, read.change) == cleared
