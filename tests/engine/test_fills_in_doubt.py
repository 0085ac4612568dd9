"""Orders that a reply calls half filled and dead while their trades cannot be read: more may have been filled."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.events import ExecutionStarted, FeeBooked, HedgeOpened, OrderEnded
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.instrument import Market
from hedgerow.domain.order import Fill
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, SubmitFault
from hedgerow.engine.notices import CycleFailed
from hedgerow.strategy.parameters import CapitalManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.misreported_orders import PATIENT, doubts, kinds, misreported_opening, unread_trades
from support.worlds import Listing, ScriptedMarketData

OTHER = "BBBUSDT"


def half_of(event: OrderEnded) -> tuple[Decimal, Decimal]:
    return (event.filled_quantity / 2).quantize(Decimal("0.01")), event.filled_notional / 2


def opening(leg: str, *, blind_seconds: float, parameters: StrategyParameters = PATIENT) -> BotHarness:
    """Return a bot that is to open, of whose first order of a leg half is reported, and no trade for so long."""
    market_data = ScriptedMarketData([Listing(rate="0.0004"), Listing(OTHER, spot=20, rate="0.0003")])
    return misreported_opening(market_data, leg, half_of, blind_seconds=blind_seconds, parameters=parameters)


@pytest.mark.parametrize("blind_seconds", [5, 130, 400])
@pytest.mark.parametrize("leg", ["s", "p"])
def test_what_an_order_filled_further_is_matched_soon_after_trades_can_be_read(leg: str, blind_seconds: float) -> None:
    bot = opening(leg, blind_seconds=blind_seconds)
    bot.run(0.3)
    bot.check_whole()
    trimmed = [event.at for event in bot.logged(ExecutionStarted) if event.execution.kind is ExecutionKind.TRIM]
    assert len(trimmed) == 1
    assert (trimmed[0] - OPENED).total_seconds() < blind_seconds + 60
    assert len(doubts(bot)) == (1 if blind_seconds > 60 else 0), "nothing was in doubt that was known at once"
    assert bot.notices_of(CycleFailed) == []


def test_the_time_in_which_nobody_knew_of_the_fill_counts_as_unhedged() -> None:
    bot = opening("s", blind_seconds=130)
    bot.run(0.3)
    assert bot.ledger.max_naked_seconds > 100
    assert bot.ledger.max_naked_notional > 40
    assert bot.ledger.apart == {}


def test_openings_wait_for_the_trades_of_an_order_in_doubt() -> None:
    several = replace(
        PATIENT,
        position_management=replace(PATIENT.position_management, max_positions=2),
        capital_management=CapitalManagement(max_capital_usd=Decimal(300)),
    )
    bot = opening("s", blind_seconds=400, parameters=several)
    bot.run(0.3)
    first, second = (event.at for event in bot.logged(HedgeOpened))
    assert first < OPENED + timedelta(seconds=30)
    assert OPENED + timedelta(seconds=400) < second < OPENED + timedelta(seconds=460)
    assert len(doubts(bot)) == 1


def partial(*, blind_seconds: float) -> BotHarness:
    """Return a bot that is to open, of whose first purchase half is filled indeed."""
    blind = unread_trades(OPENED, blind_seconds)
    part = SubmitFault(fault=FaultKind.PARTIAL, command="place_order", market=Market.SPOT, fraction=Decimal("0.5"))
    market_data = ScriptedMarketData([Listing(rate="0.0004")])
    plan = FaultPlan(submits=(part,), reads=(blind,))
    return BotHarness(market_data, usdt=1000, perp=1000, parameters=PATIENT, faults=plan)


def test_an_order_that_filled_half_indeed_changes_nothing_once_its_trades_say_so() -> None:
    bot = partial(blind_seconds=130)
    bot.run(0.3)
    bot.check_whole()
    assert kinds(bot) == [ExecutionKind.OPEN]
    assert len(doubts(bot)) == 1
    assert bot.hedge.unsettled == []
    assert bot.ledger.totals.cycles < 20, "checks have their usual distance again"


@pytest.mark.parametrize("leg", list(Market))
def test_trades_that_the_account_does_not_show_are_not_believed(leg: Market) -> None:
    part = SubmitFault(fault=FaultKind.PARTIAL, command="place_order", market=leg, fraction=Decimal("0.5"))
    blind = unread_trades(OPENED, 20)
    bot = BotHarness(parameters=PATIENT, faults=FaultPlan(submits=(part,), reads=(blind,)))
    truth = bot.venue.fills

    async def doubled(market: Market, symbol: str, since: datetime) -> tuple[Fill, ...]:
        fills = await truth(market, symbol, since)
        more = [replace(fill, trade_id=fill.trade_id + 10**9) for fill in fills[:1] if market is leg]
        return (*fills, *more)

    bot.venue.fills = doubled  # type: ignore[method-assign] # what the exchange lists
    bot.run(0.5)
    assert kinds(bot) == [ExecutionKind.OPEN]
    assert all(event.fill.trade_id < 10**9 for event in bot.logged(FeeBooked))
    assert bot.short() == bot.hedge.short
    assert bot.ledger.totals.cycles < 20, "checks have their usual distance again"
