"""One state for every ledger, process and outlook: never hedged beyond tolerance, never less naked time than known."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hedgerow.dashboard.bot_state import (
    BotState,
    Process,
    ProcessState,
    Severity,
    StateReport,
    bot_state,
)
from hedgerow.dashboard.outlook import Outlook, held_outlook
from hedgerow.domain.events import HaltReason
from hedgerow.domain.execution import ExecutionKind, ExecutionState, HedgeExecution
from hedgerow.domain.ledger.state import Apart, Ledger, StandingHalt
from hedgerow.domain.position import Reason
from hedgerow.strategy.evaluation.health import Legs, leg_difference, leg_grade
from hedgerow.strategy.grades import FindingKind, HealthFinding
from hedgerow.strategy.observation import Observation
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from support.drawing import examples
from support.strategies import any_ledger
from support.toy_venue import new_job
from support.views import NOW, hedge, holding, ledger_of, listing, market_of, opening_of, pair_of, several_of, short_of

SECOND = timedelta(seconds=1)
TEN = ledger_of(hedge("10"))
RUNNING = Process(state=ProcessState.RUNNING, pid=7, last_beat=NOW)
HALT = StandingHalt(since=NOW - 60 * SECOND, reason=HaltReason.USER, detail="by hand")
SEEN = Observation(
    at=NOW, market=market_of(listing(pair=pair_of())), account=holding(short_of(quantity="10"), coins="10")
)
HELD = held_outlook(TEN, SEEN, VolumeFarming(StrategyParameters()))
OUTLOOK = Outlook(
    at=NOW,
    written_at=NOW,
    pid=7,
    started_at=NOW - timedelta(hours=1),
    checked_at=NOW,
    read_at=NOW,
    next_check_at=NOW + timedelta(minutes=5),
    held=HELD,
)
JOB = replace(new_job(pair=pair_of(), at=NOW - 9 * SECOND), state=ExecutionState.LEADING)
CLOSING = replace(JOB, kind=ExecutionKind.CLOSE, reason=Reason.BETTER_PAIR)


def report_of(
    ledger: Ledger, process: Process = RUNNING, outlook: Outlook | None = OUTLOOK, now: datetime = NOW
) -> StateReport:
    return bot_state(ledger, process, outlook, now)


def alone(job: HedgeExecution, seconds: float) -> HedgeExecution:
    return replace(job, naked_since=NOW - seconds * SECOND)


def lopsided(spot: str, short: str) -> Ledger:
    held = hedge("10")
    return ledger_of(
        replace(held, tally=replace(held.tally, spot_quantity=Decimal(spot), perp_quantity=-Decimal(short)))
    )


def process(state: ProcessState) -> Process:
    return Process(state=state, pid=7, last_beat=NOW - timedelta(minutes=3))


CASES: dict[str, tuple[BotState, Ledger, Process, Outlook | None]] = {
    "hedged": (BotState.HEDGED, TEN, RUNNING, OUTLOOK),
    "flat": (BotState.FLAT, Ledger(), RUNNING, replace(OUTLOOK, held=None, reason="too little capital")),
    "opening": (BotState.OPENING, opening_of(hedge("1"), alone(JOB, 2)), RUNNING, OUTLOOK),
    "closing": (BotState.CLOSING, replace(TEN, execution=CLOSING), RUNNING, OUTLOOK),
    "reducing": (
        BotState.CLOSING,
        replace(TEN, execution=replace(CLOSING, kind=ExecutionKind.REDUCE)),
        RUNNING,
        OUTLOOK,
    ),
    "trimming": (BotState.REPAIRING, replace(TEN, execution=replace(JOB, kind=ExecutionKind.TRIM)), RUNNING, OUTLOOK),
    "the follower is late": (
        BotState.REPAIRING,
        opening_of(hedge("1"), replace(alone(JOB, 3), state=ExecutionState.REPAIRING)),
        RUNNING,
        OUTLOOK,
    ),
    "an order in doubt": (
        BotState.REPAIRING,
        opening_of(hedge("1"), replace(JOB, state=ExecutionState.IN_DOUBT)),
        RUNNING,
        OUTLOOK,
    ),
    "naked for longer than allowed": (BotState.NAKED, replace(TEN, execution=alone(CLOSING, 6)), RUNNING, OUTLOOK),
    "given up for now": (
        BotState.NAKED,
        replace(TEN, execution=replace(alone(JOB, 1), state=ExecutionState.NAKED)),
        RUNNING,
        OUTLOOK,
    ),
    "given up, and no time known": (
        BotState.NAKED,
        replace(TEN, execution=replace(JOB, state=ExecutionState.NAKED)),
        RUNNING,
        OUTLOOK,
    ),
    "a leg taken just now": (
        BotState.REPAIRING,
        replace(lopsided("0", "10"), apart={"h1": Apart(hedge_id="h1", since=NOW - SECOND, price=Decimal(100))}),
        RUNNING,
        OUTLOOK,
    ),
    "a leg taken a minute ago": (
        BotState.NAKED,
        replace(lopsided("0", "10"), apart={"h1": Apart(hedge_id="h1", since=NOW - 60 * SECOND, price=Decimal(100))}),
        RUNNING,
        OUTLOOK,
    ),
    "legs that differ and nobody says why": (BotState.REPAIRING, lopsided("10", "8"), RUNNING, None),
    "halted with a hedge": (BotState.HALTED_HEDGED, replace(TEN, halt=HALT), RUNNING, OUTLOOK),
    "halted without": (BotState.HALTED_FLAT, Ledger(halt=HALT), RUNNING, OUTLOOK),
    "blind with a hedge": (
        BotState.BLIND,
        TEN,
        RUNNING,
        replace(OUTLOOK, blind_since=NOW - 60 * SECOND, unread=("x",)),
    ),
    "blind and halted": (BotState.BLIND, replace(TEN, halt=HALT), RUNNING, replace(OUTLOOK, blind_since=NOW)),
    "blind without": (BotState.BLIND, Ledger(), RUNNING, replace(OUTLOOK, blind_since=NOW, failure="HTTP 500")),
    "no check for long": (
        BotState.BLIND,
        TEN,
        RUNNING,
        replace(OUTLOOK, next_check_at=NOW - timedelta(minutes=11), checked_at=NOW - timedelta(minutes=16)),
    ),
    "a check that does not end": (
        BotState.BLIND,
        TEN,
        RUNNING,
        replace(OUTLOOK, checking_since=NOW - timedelta(hours=1)),
    ),
    "starting": (BotState.STARTING, TEN, RUNNING, replace(OUTLOOK, checked_at=None)),
    "starting, an older outlook": (BotState.STARTING, TEN, RUNNING, replace(OUTLOOK, pid=6)),
    "starting, no outlook yet": (BotState.STARTING, TEN, RUNNING, None),
    "starting again in a process of the same number": (
        BotState.STARTING,
        TEN,
        RUNNING,
        replace(OUTLOOK, stopped_at=NOW),
    ),
    "stopped with a hedge": (BotState.STOPPED, TEN, process(ProcessState.STOPPED), replace(OUTLOOK, stopped_at=NOW)),
    "stopped flat": (BotState.STOPPED, Ledger(), process(ProcessState.STOPPED), None),
    "never started": (BotState.STOPPED, Ledger(), process(ProcessState.NEVER), None),
    "stopped in a trade": (BotState.DOWN, replace(TEN, execution=CLOSING), process(ProcessState.STOPPED), None),
    "killed": (BotState.DOWN, TEN, process(ProcessState.GONE), OUTLOOK),
    "killed while flat": (BotState.DOWN, Ledger(), process(ProcessState.GONE), OUTLOOK),
    "killed while naked": (
        BotState.DOWN,
        replace(TEN, execution=alone(CLOSING, 60)),
        process(ProcessState.GONE),
        OUTLOOK,
    ),
    "hanging": (BotState.DOWN, TEN, process(ProcessState.SILENT), OUTLOOK),
}


@pytest.mark.parametrize("case", CASES)
def test_a_state_is_what_its_name_says(case: str) -> None:
    expected, ledger, running, outlook = CASES[case]
    report = report_of(ledger, running, outlook)
    assert report.state is expected
    assert report.title
    assert report.does.endswith(".")
    assert report.can_do.endswith(".")


def test_every_state_has_a_case() -> None:
    assert {state for state, *_ in CASES.values()} == set(BotState)


@pytest.mark.parametrize(
    ("case", "title"),
    [
        ("hedged", "Hedged on AAAUSDT"),
        ("closing", "Closing AAAUSDT: better pair"),
        ("reducing", "Reducing AAAUSDT: better pair"),
        ("halted with a hedge", "Openings halted; AAAUSDT stays hedged"),
        ("blind with a hedge", "Exchange not read for 1 min"),
        ("no check for long", "No check has ended for 16 min"),
        ("hanging", "The bot does not answer for 3 min"),
        ("killed", "Bot crashed: process 7 is gone"),
        ("stopped with a hedge", "Stopped; AAAUSDT is held unwatched"),
        ("never started", "Never started here"),
        ("stopped in a trade", "No bot runs and a trade is half done"),
        ("a leg taken a minute ago", "Naked on AAAUSDT: $1,000.00 without a coin against it for 1 min"),
    ],
)
def test_a_title_says_it_in_one_line(case: str, title: str) -> None:
    _, ledger, running, outlook = CASES[case]
    assert report_of(ledger, running, outlook).title == title


def test_several_positions_are_several_in_what_is_said_and_advised() -> None:
    other = replace(hedge("10"), hedge_id="h2", pair=pair_of("BBBUSDT"))
    report = report_of(several_of(hedge("10"), other), RUNNING, OUTLOOK)
    assert "`hedgerow close SYMBOL`" in report.can_do
    assert "`hedgerow close --all`" in report.can_do
    halted = report_of(several_of(hedge("10"), other, halt=HALT), RUNNING, OUTLOOK)
    assert halted.title == "Openings halted; AAAUSDT, BBBUSDT stay hedged"
    assert "The positions are watched" in halted.does
    stopped = report_of(several_of(hedge("10"), other), process(ProcessState.STOPPED))
    assert stopped.title == "Stopped; AAAUSDT, BBBUSDT are held unwatched"
    assert stopped.can_do == "`hedgerow run` resumes watching the positions."
    gone = report_of(several_of(hedge("10"), other), process(ProcessState.GONE))
    assert "AAAUSDT, BBBUSDT stay on the exchange" in gone.does
    naked = report_of(several_of(hedge("10"), other, execution=alone(CLOSING, 6)), RUNNING, OUTLOOK)
    assert "`hedgerow close --all`" in naked.can_do


def test_a_bot_that_crashed_finishes_a_trade_only_where_one_is_open() -> None:
    gone = process(ProcessState.GONE)
    assert report_of(Ledger(), gone).can_do == "`hedgerow run` restarts it."
    assert report_of(ledger_of(hedge("10")), gone).can_do == (
        "`hedgerow run` restarts it; it resumes watching the position."
    )
    assert report_of(ledger_of(hedge("10"), execution=alone(CLOSING, 6)), gone).can_do == (
        "`hedgerow run` restarts it; it finishes the open trade."
    )


def test_a_liquidation_is_called_that_in_the_title() -> None:
    held = hedge("10")
    bought = replace(
        held.orders[1], request=replace(held.orders[1].request, side=held.orders[0].request.side), forced=True
    )
    gone = replace(held, orders=(*held.orders, bought), tally=replace(held.tally, perp_quantity=Decimal(0)))
    ledger = replace(ledger_of(gone), apart={"h1": Apart(hedge_id="h1", since=NOW - 9 * SECOND, price=Decimal(100))})
    report = report_of(ledger)
    assert report.state is BotState.NAKED
    assert "the short of AAAUSDT was liquidated" in report.title
    assert report.severity is Severity.ALARM


def test_coins_without_a_short_are_worth_what_they_cost_when_it_was_taken() -> None:
    apart = Apart(hedge_id="h1", since=NOW - SECOND, price=Decimal(205))
    report = report_of(replace(lopsided("10", "0"), apart={apart.hedge_id: apart}), outlook=None)
    assert report.naked is not None
    assert report.naked.notional == 2050


def test_a_leg_that_is_gone_is_reported_though_no_bot_runs() -> None:
    apart = Apart(hedge_id="h1", since=NOW - 60 * SECOND, price=Decimal(100))
    ledger = replace(lopsided("0", "10"), apart={apart.hedge_id: apart})
    report = report_of(ledger, process(ProcessState.STOPPED))
    assert report.title == "Stopped; AAAUSDT is held unwatched, $1,000.00 of it unhedged"
    assert report.severity is Severity.ALARM
    assert report_of(ledger, process(ProcessState.GONE)).title.endswith("is gone, $1,000.00 of it unhedged")


def test_a_reading_of_legs_that_differ_is_not_hedged_though_the_log_has_them_whole() -> None:
    assert HELD is not None
    missing = HealthFinding(kind=FindingKind.LEG_GONE, text="the spot leg is gone")
    seen = replace(HELD, spot_quantity=Decimal(0), health=replace(HELD.health, findings=(missing,)))
    report = report_of(TEN, outlook=replace(OUTLOOK, held=seen), now=NOW + 2 * SECOND)
    assert report.state is BotState.REPAIRING
    assert report.naked is not None
    assert report.naked.notional == 1000
    later = report_of(TEN, outlook=replace(OUTLOOK, held=seen), now=NOW + 20 * SECOND)
    assert (later.state, later.longest_naked_seconds) == (BotState.NAKED, 20)
    traded = replace(TEN, traded_at=NOW + SECOND)
    assert report_of(traded, outlook=replace(OUTLOOK, held=seen)).state is BotState.HEDGED
    other = replace(OUTLOOK, held=replace(seen, hedge_id="h0"))
    assert report_of(TEN, outlook=other).state is BotState.HEDGED


def test_the_longest_naked_time_counts_the_present_stretch() -> None:
    known = replace(TEN, execution=alone(CLOSING, 60), max_naked_seconds=7.0)
    assert report_of(known).longest_naked_seconds == 60
    assert report_of(replace(known, max_naked_seconds=70.0)).longest_naked_seconds == 70
    assert report_of(known, process(ProcessState.GONE)).longest_naked_seconds == 60


PROCESSES = st.builds(
    Process,
    state=st.sampled_from(ProcessState),
    pid=st.sampled_from([None, 6, 7]),
    last_beat=st.sampled_from([None, NOW, NOW - timedelta(hours=1)]),
)
TIMES = st.sampled_from([None, NOW, NOW - timedelta(days=1), NOW + timedelta(days=1)])
OUTLOOKS = st.builds(
    lambda held, **given: replace(OUTLOOK, held=HELD if held else None, **given),
    held=st.booleans(),
    pid=st.sampled_from([6, 7]),
    checked_at=TIMES,
    checking_since=TIMES,
    next_check_at=TIMES,
    blind_since=TIMES,
    stopped_at=TIMES,
    failure=st.sampled_from(["", "HTTP 500"]),
    reason=st.sampled_from(["", "halted"]),
)
DRAWN = settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.too_slow])


@DRAWN
@given(any_ledger(), PROCESSES, st.none() | OUTLOOKS)
def test_any_ledger_process_and_outlook_give_one_state(
    ledger: Ledger, running: Process, outlook: Outlook | None
) -> None:
    report = bot_state(ledger, running, outlook, NOW)
    assert report.longest_naked_seconds >= ledger.max_naked_seconds
    assert (report.title, report.does) != ("", "")


LEGS = st.decimals("0", "12", places=2)


@settings(max_examples=examples(400), deadline=None)
@given(LEGS, LEGS, PROCESSES, st.none() | OUTLOOKS)
def test_hedged_is_never_said_of_legs_that_differ_beyond_the_tolerance(
    spot: Decimal, short: Decimal, running: Process, outlook: Outlook | None
) -> None:
    ledger = lopsided(str(spot), str(short))
    assert ledger.largest is not None
    legs = Legs(spot=spot, short=short)
    beyond = leg_grade(leg_difference(ledger.largest, legs, Decimal(100))) > 0 or not spot or not short
    report = bot_state(ledger, running, outlook, NOW)
    if beyond:
        assert report.state not in {BotState.HEDGED, BotState.HALTED_HEDGED, BotState.FLAT}
        assert report.naked is not None
