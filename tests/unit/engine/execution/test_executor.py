"""The one writer: switches disarmed, client ids never used again, transfers in doubt."""

import asyncio
import re
from decimal import Decimal
from itertools import pairwise

from hedgerow.clock import run_virtual
from hedgerow.dashboard.narration.wording import narrate, time_of
from hedgerow.domain.commands import ArmDeadMan, TransferDirection, TransferFunds
from hedgerow.domain.events import (
    CommandIssued,
    CommandRefused,
    ExecutionStarted,
    FundsTransferred,
    HedgeOpened,
    OrderAccepted,
    OrderEnded,
    OrderOutcomeUnknown,
    OrderProgressed,
)
from hedgerow.domain.execution import ExecutionLimits, ExecutionStyle
from hedgerow.domain.instrument import Market, Side
from hedgerow.emulator.core.error_codes import Code
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, SubmitFault
from hedgerow.engine.execution.executor import _attempts
from hedgerow.engine.notices import OrderRests, Recorded
from hedgerow.strategy.parameters import FundingRateStrategy, PositionManagement, StrategyParameters
from support.bot_harness import BotHarness
from support.ledger_builder import LedgerBuilder
from support.worlds import SYMBOL

HOLD = StrategyParameters(
    execution=ExecutionLimits(style=ExecutionStyle.MAKER, max_naked_equity_fraction=Decimal("0.2")),
    funding_rate_strategy=FundingRateStrategy(funding_ma_periods=1),
    position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=87_600),
)


def test_the_dead_mans_switch_is_disarmed_when_a_job_that_rested_has_ended() -> None:
    harness = BotHarness(parameters=HOLD, latency_seconds=0.1)
    harness.run(0.5)
    armed = [command for command in harness.venue.sent if isinstance(command, ArmDeadMan)]
    assert harness.logged(HedgeOpened)
    assert [command.seconds > 0 for command in armed[:1]] == [True], "nothing rested: the test shows nothing"
    assert armed[-1].seconds == 0


def test_a_trade_whose_orders_rest_for_minutes_is_not_silent() -> None:
    harness = BotHarness(parameters=HOLD, latency_seconds=0.1)
    harness.run(0.5)
    begun, ended = harness.logged(ExecutionStarted)[0].at, harness.logged(HedgeOpened)[0].at
    assert (ended - begun).total_seconds() > 120, "it was quick: the test shows nothing"
    resting = harness.notices_of(OrderRests)
    said = [at for notice in harness.notices if narrate(notice) and (at := time_of(notice))]
    received = [begun, *(at for at in said if begun <= at <= ended), ended]
    longest = max((later - earlier).total_seconds() for earlier, later in pairwise(received))
    assert 30 <= longest < 35
    text = narrate(resting[0])[0].text
    pattern = rf"  Still opening {SYMBOL} after 30\.\d s: 0 of [\d.]+ filled; Spot BUY [\d.]+ rests at \$[\d.]+"
    assert re.fullmatch(pattern, text), text


def test_a_resting_order_that_is_found_after_a_crash_is_said_to_be_found_at_once() -> None:
    harness = BotHarness(parameters=HOLD, latency_seconds=0.1)

    async def killed() -> None:
        running = asyncio.ensure_future(harness.wire().runner.run())
        await harness.clock.sleep(20)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run_virtual(harness.clock, killed())
    harness.run(0.5)
    lines = [
        (notice.event.at, line.text)
        for notice in harness.notices_of(Recorded)
        if isinstance(notice.event, OrderOutcomeUnknown | OrderAccepted | OrderProgressed | OrderEnded)
        for line in narrate(notice)
        if line.text.startswith("  Outcome of order")
    ]
    (asked, unknown), (answered, found) = lines[:2]
    assert "is unknown (taken up again after a stop)" in unknown
    assert found == f"{unknown.partition(' is unknown')[0]} is known: it is working, nothing filled so far"
    assert (answered - asked).total_seconds() < 5
    harness.check()


def test_a_trade_that_takes_says_nothing_about_resting() -> None:
    harness = BotHarness(latency_seconds=0.1)
    harness.run(0.5)
    assert harness.logged(HedgeOpened)
    assert harness.notices_of(OrderRests) == []


def test_an_attempt_that_left_no_order_behind_does_not_make_the_next_client_id_an_old_one() -> None:
    builder = LedgerBuilder().begin().trade("s-1", Side.BUY, 4, 100).trade("s-3", Side.BUY, 6, 100)
    hedge = builder.trade("p-1", Side.SELL, 10, 101).opened().ledger.largest
    assert hedge is not None
    assert (_attempts(hedge, Market.SPOT), _attempts(hedge, Market.PERP)) == (3, 1)


def test_a_transfer_that_landed_before_a_crash_is_not_taken_for_refused_when_its_repetition_is() -> None:
    flat = StrategyParameters(funding_rate_strategy=FundingRateStrategy(min_funding_apr=100.0))
    refused = SubmitFault(fault=FaultKind.REJECT, command="transfer_funds", nth=2, code=Code.UNKNOWN)
    harness = BotHarness(usdt=500, perp=500, parameters=flat, faults=FaultPlan(submits=(refused,)))
    harness.run(0.1)
    moved = TransferFunds(transfer_id="h1-t", amount=Decimal(100), direction=TransferDirection.SPOT_TO_PERP)

    async def crash_after_sending() -> None:
        assert harness.store is not None
        await harness.store.append((CommandIssued(at=harness.clock.now(), command=moved),), durable=True)
        await harness.venue.submit(moved)

    run_virtual(harness.clock, crash_after_sending())
    harness.run(0.5)
    assert harness.logged(CommandRefused)
    assert [event.transfer_id for event in harness.logged(FundsTransferred)] == ["h1-t"]
    harness.check()
