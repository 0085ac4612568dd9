"""The lines of status claim no more than the log knows."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.dashboard.bot_state import Process, ProcessState, bot_state
from hedgerow.dashboard.outlook import Outlook
from hedgerow.dashboard.status_lines import BotView, since_the_start, status_lines
from hedgerow.dashboard.view import view_of_bot
from hedgerow.domain.execution import ExecutionState
from hedgerow.domain.position import DustLot
from hedgerow.domain.run_identity import RunIdentity, RunMode
from support.toy_venue import new_job
from support.views import NOW, hedge, ledger_of, opening_of, pair_of

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


def test_a_trade_does_not_make_the_whole_result_unknown_because_of_kept_dust() -> None:
    """Between a trade and the next reading the dust is valued at the prices that were read last."""
    ledger = ledger_of(None, dust={"AAA": DustLot(asset="AAA", quantity=Decimal(1), cost=Decimal(2))})
    process = Process(state=ProcessState.RUNNING, pid=7, last_beat=NOW)
    outlook = Outlook(at=NOW, written_at=NOW, pid=7, started_at=NOW, strategy=None, coin_prices={"AAA": Decimal(3)})
    view = BotView(
        ledger=ledger, process=process, outlook=outlook, report=bot_state(ledger, process, outlook, NOW), now=NOW
    )
    assert since_the_start(view).net_if_closed == Decimal(1)
    shown = view_of_bot(view).totals
    assert (shown.net_if_closed, shown.unpriced_dust) == (Decimal(1), ())
    unread = replace(view, outlook=replace(outlook, coin_prices={}))
    shown = view_of_bot(unread).totals
    assert (shown.net_if_closed, shown.unpriced_dust) == (Decimal(0), ("AAA",)), (
        "the rest is known, and says without what"
    )
    assert since_the_start(unread).net_if_closed is None
