"""What a signal to stop says: what is finished first, and what a stop at once leaves behind."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.dashboard.narration.wording import narrate
from hedgerow.domain.commands import TransferDirection, TransferFunds
from hedgerow.domain.execution import ExecutionKind, ExecutionLimits, ExecutionStyle, HedgeExecution
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.order import TimeInForce
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, SubmitFault
from hedgerow.engine.notices import Notice, StoppedAtOnce, StopRequested
from hedgerow.strategy.parameters import FundingRateStrategy, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.worlds import SYMBOL

MAKER = StrategyParameters(
    execution=ExecutionLimits(style=ExecutionStyle.MAKER, max_naked_equity_fraction=Decimal("0.1")),
    funding_rate_strategy=FundingRateStrategy(funding_ma_periods=1),
)


def said(notice: Notice) -> list[str]:
    return [line.text for line in narrate(notice)]


def in_flight(seconds: float = 20, **options: object) -> Ledger:
    """Return the ledger of a bot in the middle of an opening."""
    seen: list[Ledger] = []
    harness = BotHarness(parameters=MAKER, latency_seconds=0.05, **options)  # type: ignore[arg-type]
    harness.run(0.2, at={seconds / 3600: lambda desk: seen.append(desk.ledger)})
    assert seen[0].execution is not None
    return seen[0]


def job_of(ledger: Ledger) -> HedgeExecution:
    assert ledger.execution is not None
    return ledger.execution


def test_the_first_signal_says_what_is_finished_first() -> None:
    assert said(StopRequested(at=OPENED, ledger=Ledger())) == ["Stopping (again = stop at once)"]
    ledger = in_flight()
    rest = "starts no further slice; what has filled ends hedged or flat (again = stop at once)"
    assert said(StopRequested(at=OPENED, ledger=ledger)) == [f"Stopping: the opening of {SYMBOL} {rest}"]
    closing = replace(ledger, execution=replace(job_of(ledger), kind=ExecutionKind.CLOSE))
    assert said(StopRequested(at=OPENED, ledger=closing)) == [
        f"Stopping: the closing of {SYMBOL} is finished first (again = stop at once)"
    ]


def test_the_second_signal_names_the_order_that_rests() -> None:
    head, order = said(StoppedAtOnce(at=OPENED, ledger=in_flight()))
    assert head == "Stopped at once. Left behind:"
    assert "Spot BUY" in order
    assert "the next start or a running hedgerow watchdog cancels it, or you on the exchange" in order


def test_of_a_resting_perpetual_order_the_exchanges_own_switch_is_named() -> None:
    ledger = in_flight()
    job = job_of(ledger)
    assert job.working is not None
    order = replace(job.working.order, market=Market.PERP, side=Side.SELL)
    moved = replace(job, working=replace(job.working, order=order), dead_man_at=OPENED)
    (_, line) = said(StoppedAtOnce(at=OPENED, ledger=replace(ledger, execution=moved)))
    assert "the exchange cancels it within two minutes" in line
    sent = replace(order, time_in_force=TimeInForce.IOC)
    taken = replace(job, working=replace(job.working, order=sent))
    (_, line) = said(StoppedAtOnce(at=OPENED, ledger=replace(ledger, execution=taken)))
    assert "sent and not answered: the next start looks it up" in line


def test_the_second_signal_names_the_leg_that_is_open() -> None:
    unsent = SubmitFault(fault=FaultKind.NOT_SENT, market=Market.PERP, side=Side.SELL, nth=1, times=100)
    ledger = in_flight(49, faults=FaultPlan(submits=(unsent,)))
    job = job_of(ledger)
    assert job.exposure > 0
    assert job.naked_since is not None
    lines = said(StoppedAtOnce(at=OPENED, ledger=ledger))
    assert lines[0] == "Stopped at once. Left behind:"
    assert "coins without a short: the next start makes the legs equal" in lines[-1]
    assert f"hedgerow close {SYMBOL} closes both" in lines[-1]
    closing = replace(job, kind=ExecutionKind.CLOSE, working=None)
    assert "not closed on one leg" in said(StoppedAtOnce(at=OPENED, ledger=replace(ledger, execution=closing)))[-1]


def test_a_transfer_whose_outcome_is_not_known_is_named() -> None:
    transfer = TransferFunds(transfer_id="t", amount=Decimal(12), direction=TransferDirection.SPOT_TO_PERP)
    assert said(StoppedAtOnce(at=OPENED, ledger=Ledger(transfer=transfer)))[1] == (
        "  a transfer of $12.00 USDT (SPOT_TO_PERP) with an unknown outcome: the next start looks it up"
    )


@pytest.mark.parametrize("held", [False, True])
def test_a_stop_that_leaves_nothing_half_done_says_so(held: bool) -> None:  # noqa: FBT001 - a parameter of the test
    ledger = Ledger()
    if held:
        harness = BotHarness()
        ledger = harness.run(0.2)
    (line,) = said(StoppedAtOnce(at=OPENED, ledger=ledger))
    rest = f"nothing watches {SYMBOL} until a bot is started" if held else "no position is open"
    assert line == f"Stopped at once: no order is working, {rest}"
