"""An order is looked up by its id; where that is not answered, trades may prove that it was filled."""

from datetime import timedelta
from decimal import Decimal

from hedgerow.domain.events import HedgeOpened, NakedAlarmed, OrderOutcomeUnknown
from hedgerow.domain.instrument import Market
from hedgerow.emulator.inprocess.faults import FaultPlan, Outcome, Read, ReadFault, SubmitFault
from support.bot_harness import OPENED, Farm

MINUTES = timedelta(minutes=10)


def unanswered(*reads: Read, submits: tuple[SubmitFault, ...] = ()) -> Farm:
    """Return a farm whose spot orders are acknowledged only, and where these reads fail for ten minutes."""
    faults = tuple(ReadFault(read=read, after=OPENED, until=OPENED + MINUTES) for read in reads)
    plan = FaultPlan(reads=faults, submits=submits)
    return Farm(latency_seconds=0.05, delayed_spot_ack=True, faults=plan)


def test_an_order_that_cannot_be_looked_up_is_known_by_its_trades() -> None:
    farm = unanswered(Read.RESOLVE)
    farm.run(0.1)
    farm.check_whole()
    assert farm.logged(HedgeOpened)
    assert not farm.logged(NakedAlarmed)


def test_an_order_whose_answer_was_lost_is_known_by_its_trades_too() -> None:
    lost = SubmitFault(outcome=Outcome.LOST_AFTER, command="place_order", market=Market.PERP)
    farm = unanswered(Read.RESOLVE, submits=(lost,))
    farm.run(0.1)
    farm.check_whole()
    assert not farm.logged(NakedAlarmed)


def test_a_part_proves_nothing_and_the_bot_asks_less_and_less_often() -> None:
    part = SubmitFault(outcome=Outcome.PARTIAL, command="place_order", market=Market.SPOT, fraction=Decimal("0.5"))
    farm = unanswered(Read.RESOLVE, submits=(part,))
    farm.run(0.2)
    assert len(farm.logged(NakedAlarmed)) == 1
    assert farm.ledger.max_naked_seconds > 590
    assert 60 < len(farm.logged(OrderOutcomeUnknown)) < 300, "asking five times a second would make 3,000 of them"
    farm.check_whole()


def test_without_trades_to_read_it_is_unknown_until_one_of_both_is_readable() -> None:
    farm = unanswered(Read.RESOLVE, Read.FILLS)
    farm.run(0.2)
    assert len(farm.logged(NakedAlarmed)) == 1
    assert 590 < farm.ledger.max_naked_seconds < 610
    assert len(farm.logged(HedgeOpened)) == 1
    farm.check_whole()
