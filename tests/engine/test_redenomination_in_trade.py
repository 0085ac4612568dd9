"""The exchange exchanges a thousand old coins for a new one while a naked leg waits for its orders to be taken."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.events import Halted, HaltReason, HedgeClosed, HedgeRedenominated
from hedgerow.domain.execution import ExecutionState
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.books import books_difference
from hedgerow.domain.ledger.reducers import fold
from hedgerow.domain.operator_requests import HaltRequested
from hedgerow.domain.order import OrderRequest
from hedgerow.emulator.core.market_changes import Redenomination
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault, SubmitFault
from hedgerow.engine.notices import Warned
from hedgerow.strategy.hedging.machine import OTHER_UNITS_DETAIL
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.worlds import SYMBOL, Listing, ScriptedMarketData, make_pair

REDENOMINATED_AT = 0.1
"""Hours after the start: the leg is naked since about five minutes."""


def naked_opening(refused: int, *reads: ReadFault) -> BotHarness:
    """Return a farm whose shorts, and whose sales of the coins, are refused so often each."""
    faults = [
        SubmitFault(fault=FaultKind.REJECT, command="place_order", market=Market.PERP, code=-4131, times=999),
        SubmitFault(
            fault=FaultKind.REJECT, command="place_order", market=Market.SPOT, side=Side.SELL, code=-2010, times=refused
        ),
    ]
    return BotHarness(ScriptedMarketData([Listing(SYMBOL)]), faults=FaultPlan(submits=tuple(faults), reads=reads))


def redenominated(harness: BotHarness, hours: float = 0.5) -> list[OrderRequest]:
    """Redenominate the coin in mid-job; returns the orders sent from then on."""
    sent: list[int] = []

    def act(bot: BotHarness) -> None:
        job = bot.ledger.execution
        assert job is not None
        assert (job.state, job.net_spot > 0, job.net_perp) == (ExecutionState.NAKED, True, Decimal(0))
        sent.append(len(bot.venue.orders))
        bot.world.change_market(Redenomination(symbol=SYMBOL))

    harness.run(hours, at={REDENOMINATED_AT: act})
    return [command.order for command in harness.venue.orders[sent[0] :]]


def test_a_naked_leg_is_counted_in_new_coins_and_no_order_exceeds_what_is_there() -> None:
    harness = naked_opening(refused=40)
    orders = redenominated(harness)
    largest = max(command.order.quantity for command in harness.venue.orders)
    assert [event.factor for event in harness.logged(HedgeRedenominated)] == [1000]
    assert orders
    assert all(order.quantity <= largest / 1000 for order in orders if order.symbol == SYMBOL)
    said = [notice.text for notice in harness.notices_of(Warned) if OTHER_UNITS_DETAIL in notice.text]
    assert said == [f"{SYMBOL}: {OTHER_UNITS_DETAIL}"]
    assert fold(harness.log) == harness.ledger


def test_without_the_statement_a_naked_leg_of_old_coins_waits_and_stays_halted() -> None:
    unread = ReadFault(read=Read.STATEMENT, after=OPENED, until=OPENED.replace(hour=OPENED.hour + 2))
    harness = naked_opening(40, unread)
    assert redenominated(harness) == []
    assert harness.logged(HedgeRedenominated) == []
    assert harness.ledger.execution is not None
    assert harness.ledger.execution.state is ExecutionState.NAKED
    assert [event.reason for event in harness.logged(Halted)] == [HaltReason.NAKED]
    assert 0 < harness.coins() * 999 < harness.ledger.owned(SYMBOL.removesuffix("USDT"))


@pytest.mark.parametrize("coins", ["0", "0.0005", "2"], ids=["none", "a remainder", "of the owner"])
def test_a_short_whose_coins_are_sold_is_counted_in_new_ones_and_bought_back(coins: str) -> None:
    """A coin that leaves no remainder leaves no row of the statement: the entry price of the short says it then."""
    refused = SubmitFault(fault=FaultKind.REJECT, command="place_order", market=Market.PERP, side=Side.BUY, code=-4131)
    harness = BotHarness(
        ScriptedMarketData([Listing(make_pair(SYMBOL, fee_in_quote=True))]),
        coins={"AAA": Decimal(coins)},
        faults=FaultPlan(submits=(replace(refused, times=30),)),
    )
    harness.run(0.3)
    harness.ask(HaltRequested())
    harness.parameters = StrategyParameters(position_management=PositionManagement(max_position_age_hours=0.1))

    def exchange(bot: BotHarness) -> None:
        assert bot.ledger.execution is not None
        assert bot.ledger.execution.state is ExecutionState.NAKED
        bot.world.change_market(Redenomination(symbol=SYMBOL))

    harness.run(0.6, at={REDENOMINATED_AT: exchange})
    assert [event.factor for event in harness.logged(HedgeRedenominated)] == [1000]
    assert harness.logged(HedgeClosed)
    assert harness.short() == 0
    assert books_difference(harness.ledger.books, harness.world.account()) == {}
