"""An order is looked up by its id; where that is not answered, trades may prove that it was filled."""

from datetime import timedelta
from decimal import Decimal

from hedgerow.domain.events import HedgeOpened, NakedAlarmed, OrderOutcomeUnknown
from hedgerow.domain.instrument import Market
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault, SubmitFault
from support.bot_harness import OPENED, BotHarness

MINUTES = timedelta(minutes=10)


def unanswered(*reads: Read, submits: tuple[SubmitFault, ...] = ()) -> BotHarness:
    """Return a farm whose spot orders are acknowledged only, and where these reads fail for ten minutes."""
    faults = tuple(ReadFault(read=read, after=OPENED, until=OPENED + MINUTES) for read in reads)
    plan = FaultPlan(reads=faults, submits=submits)
    return BotHarness(latency_seconds=0.05, delayed_spot_ack=True, faults=plan)


def test_an_order_that_cannot_be_looked_up_is_known_by_its_trades() -> None:
    harness = unanswered(Read.RESOLVE)
    harness.run(0.1)
    harness.check_whole()
    assert harness.logged(HedgeOpened)
    assert not harness.logged(NakedAlarmed)


def test_an_order_whose_answer_was_lost_is_known_by_its_trades_too() -> None:
    lost = SubmitFault(fault=FaultKind.SILENT_AFTER, command="place_order", market=Market.PERP)
    harness = unanswered(Read.RESOLVE, submits=(lost,))
    harness.run(0.1)
    harness.check_whole()
    assert not harness.logged(NakedAlarmed)


def test_a_part_proves_nothing_and_the_bot_asks_less_and_less_often() -> None:
    part = SubmitFault(fault=FaultKind.PARTIAL, command="place_order", market=Market.SPOT, fraction=Decimal("0.5"))
    harness = unanswered(Read.RESOLVE, submits=(part,))
    harness.run(0.2)
    assert len(harness.logged(NakedAlarmed)) == 1
    assert harness.ledger.max_naked_seconds > 590
    assert 60 < len(harness.logged(OrderOutcomeUnknown)) < 300, "asking five times a second would make 3,000 of them"
    harness.check_whole()


def test_without_trades_to_read_it_is_unknown_until_one_of_both_is_readable() -> None:
    harness = unanswered(Read.RESOLVE, Read.FILLS)
    harness.run(0.2)
    assert len(harness.logged(NakedAlarmed)) == 1
    assert 590 < harness.ledger.max_naked_seconds < 610
    assert len(harness.logged(HedgeOpened)) == 1
    harness.check_whole()
