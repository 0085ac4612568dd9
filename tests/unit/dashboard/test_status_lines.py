"""The lines of status claim no more than the log knows."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.dashboard.bot_state import Process, ProcessState, bot_state
from hedgerow.dashboard.status_lines import BotView, status_lines
from hedgerow.domain.execution import ExecutionState
from hedgerow.domain.run_identity import RunIdentity, RunMode
from support.toy_venue import new_job
from support.views import NOW, hedge, opening_of, pair_of

IDENTITY = RunIdentity(
    mode=RunMode.PAPER,
    network=None,
    account=None,
    home=None,
    config_file=None,
    version="1",
    capital_fraction=Decimal(1),
    max_capital_usd=None,
)
HELD = hedge("1")
NOTHING = replace(HELD, tally=replace(HELD.tally, spot_quantity=Decimal(0), perp_quantity=Decimal(0)))


@pytest.mark.parametrize(
    ("process", "state", "certain"),
    [
        (ProcessState.RUNNING, ExecutionState.RESTING, True),
        (ProcessState.RUNNING, ExecutionState.RESOLVING, False),
        (ProcessState.GONE, ExecutionState.RESTING, False),
        (ProcessState.SILENT, ExecutionState.RESTING, False),
    ],
)
def test_an_order_that_nobody_looks_at_may_have_been_filled(
    process: ProcessState, state: ExecutionState, *, certain: bool
) -> None:
    job = replace(new_job(pair=pair_of(), at=NOW - timedelta(seconds=9)), state=state)
    ledger = opening_of(NOTHING, job)
    seen = Process(state=process, pid=7, last_beat=NOW)
    report = bot_state(ledger, seen, None, NOW)
    view = BotView(ledger=ledger, process=seen, outlook=None, report=report, now=NOW)
    position = status_lines(view, IDENTITY)[0].text
    assert position.endswith("nothing filled yet") is certain
    assert ("an order may have been filled since" in position) is not certain
