"""An account that shows the bot's own trades late, on every endpoint alike: nothing is sold because of it."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.commands import TransferDirection
from hedgerow.domain.events import (
    ExecutionStarted,
    ExecutionStepped,
    ExternalFills,
    FlowKind,
    FundsTransferred,
    Halted,
    HaltReason,
    HedgeAborted,
    HedgeAdopted,
    HedgeLost,
    HedgeOpened,
    Lifted,
    OrderEnded,
    Wallet,
)
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.operator_requests import CloseRequested
from hedgerow.domain.position import Reason
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, LaggingBalances, SubmitFault
from hedgerow.strategy.evidence.absence import OWN_TRADE_LAG
from hedgerow.strategy.observation import Reduce
from hedgerow.strategy.parameters import CapitalManagement, PositionManagement, StrategyParameters
from support.bot_harness import BotHarness
from support.worlds import SYMBOL, Listing, ScriptedMarketData

OTHERS = ("BBBUSDT", "CCCUSDT")
ADL = timedelta(seconds=3)
BY_HAND = timedelta(seconds=4)
"""How soon others' trades are booked: a look, a check, and a second reading two seconds later."""


def lagging(
    seconds: float,
    *,
    slots: int = 1,
    hours: float = 87_600,
    notifications: bool = True,
    poll_seconds: float = 0.0,
    faults: tuple[SubmitFault, ...] = (),
) -> BotHarness:
    """Return a bot whose account is shown as it was so long ago; ``hours`` is the greatest age of a hedge."""
    management = PositionManagement(
        fee_coverage_multiplier=1000, max_position_age_hours=hours, max_positions=slots, loop_interval_seconds=60
    )
    rates = ("0.009", "0.008", "0.007")
    listings = [Listing(symbol, rate=rate) for symbol, rate in zip((SYMBOL, *OTHERS), rates, strict=True)]
    return BotHarness(
        ScriptedMarketData(listings),
        usdt=2000,
        perp=2000,
        parameters=StrategyParameters(position_management=management),
        faults=FaultPlan(submits=faults, lagging=LaggingBalances(seconds=seconds)),
        notifications=notifications,
        poll_seconds=poll_seconds,
        latency_seconds=0.05,
    )


def untouched(bot: BotHarness) -> None:
    """Check that nothing was taken for lost, found again or left behind."""
    bot.check()
    assert not bot.logged(HedgeLost)
    assert not bot.logged(ExternalFills)
    assert not bot.logged(HedgeAdopted)
    held = {hedge.symbol: -hedge.short for hedge in bot.ledger.open_hedges}
    assert {each.symbol: each.quantity for each in bot.world.account().positions.values() if each.quantity} == held


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("seconds", [14, 25, 40, 90])
@pytest.mark.parametrize("notifications", [True, False], ids=["streams", "polls"])
def test_an_opening_that_the_account_shows_late_stays_as_it_is(
    seconds: float,
    slots: int,
    notifications: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    bot = lagging(seconds, slots=slots, notifications=notifications, poll_seconds=0 if notifications else 12)
    bot.run(0.25)
    untouched(bot)
    assert len(bot.ledger.open_hedges) == slots
    assert bot.ledger.closed == ()
    halts = bot.logged(Halted)
    assert len(halts) <= slots, "said once of each opening"
    assert {halt.reason for halt in halts} <= {HaltReason.ACCOUNT_IN_DOUBT}
    assert len(bot.logged(Lifted)) == len(halts)
    assert halts or seconds < 25, "the doubt is said"


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("seconds", [14, 40, 90])
def test_hedges_that_are_closed_and_opened_in_turn_are_neither_lost_nor_adopted(seconds: float, slots: int) -> None:
    bot = lagging(seconds, slots=slots, hours=1 / 60)
    bot.run(0.3)
    untouched(bot)
    assert len(bot.ledger.closed) >= 3
    assert {closed.reason for closed in bot.ledger.closed} == {Reason.MAX_AGE}


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("seconds", [11, 12, 25, 90])
def test_money_of_before_a_closing_is_neither_moved_nor_traded_with(seconds: float, slots: int) -> None:
    bot = lagging(seconds, slots=slots, hours=1 / 30)
    bot.parameters = replace(bot.parameters, capital_management=CapitalManagement(max_capital_usd=Decimal(100_000)))
    bot.run(0.4)
    assert len(bot.ledger.closed) >= 3
    aborted = [event for event in bot.logged(HedgeAborted) if event.reason is not Reason.SHUTDOWN]
    assert aborted == [], "no opening lacks what the account only seemed to have"
    assert [event for event in bot.logged(OrderEnded) if event.reject] == []
    moved = [event for event in bot.logged(FundsTransferred) if event.direction is TransferDirection.SPOT_TO_PERP]
    assert len(moved) <= len(bot.logged(HedgeOpened)), "levelled for an opening, and not again for each closing"


def test_an_opening_that_waits_for_the_account_follows_within_seconds() -> None:
    bot = lagging(25, hours=1 / 30)
    bot.parameters = replace(
        bot.parameters,
        position_management=replace(bot.parameters.position_management, loop_interval_seconds=300),
    )
    bot.run(0.4)
    closed, opened = bot.ledger.closed[0].closed_at, bot.logged(HedgeOpened)[1].at
    assert timedelta(seconds=25) < opened - closed < timedelta(seconds=60)


def test_a_naked_closing_does_not_take_a_short_for_gone_that_the_account_does_not_show_yet() -> None:
    refused = SubmitFault(fault=FaultKind.REJECT, command="place_order", market=Market.PERP, side=Side.BUY, code=-4140)
    bot = lagging(40, faults=(refused,))
    bot.run(20 / 3600)
    assert "refused with -4140" in bot.ask(CloseRequested()).text
    bot.run(0.05)
    bot.check_whole()
    details = {event.change.detail for event in bot.logged(ExecutionStepped) if event.change is not None}
    assert "the exchange closed the short itself" not in details
    assert bot.ledger.max_naked_seconds < 2, "bought back at once, by the next order"


@pytest.mark.parametrize("seconds", [14, 56])
def test_what_others_take_of_an_older_hedge_is_found_at_once_where_the_bot_has_not_traded(seconds: float) -> None:
    bot = lagging(seconds)
    bot.run(0.5)
    taken = bot.clock.now() + timedelta(minutes=3)
    bot.run(0.2, at={0.05: lambda bot: bot.world.deleverage(SYMBOL, bot.short())})
    assert bot.logged(ExternalFills)[0].at - taken < BY_HAND
    assert bot.ledger.max_naked_seconds < 10


def test_a_person_closes_what_the_account_does_not_show_yet() -> None:
    bot = lagging(40)
    bot.run(20 / 3600)
    assert bot.hedge.symbol == SYMBOL
    assert bot.ask(CloseRequested()).done
    bot.check_flat()


def test_an_account_that_never_shows_the_short_is_believed_after_two_minutes() -> None:
    bot = lagging(10_000)
    bot.run(0.25)
    opened = bot.logged(HedgeOpened)[0].at
    booked = bot.logged(ExternalFills)
    assert opened + OWN_TRADE_LAG <= booked[0].at < opened + OWN_TRADE_LAG + timedelta(seconds=70)


def test_the_leverage_of_before_an_adoption_closes_nothing() -> None:
    bot = lagging(25)
    bot.parameters = StrategyParameters(position_management=PositionManagement(loop_interval_seconds=10))
    bot.world.set_leverage(SYMBOL, 5)
    bot.world.trade_by_hand(Market.SPOT, SYMBOL, Side.BUY, Decimal("2.001"))
    bot.world.trade_by_hand(Market.PERP, SYMBOL, Side.SELL, Decimal(2))
    bot.run(0.1)
    assert bot.logged(HedgeAdopted)
    assert bot.ledger.closed == ()
    assert bot.world.account().positions[SYMBOL].leverage == 1


# --- what others take meanwhile --------------------------------------------------------------------------------------


def short_taken(bot: BotHarness) -> None:
    bot.world.deleverage(SYMBOL, bot.short())


def part_of_the_short_taken(bot: BotHarness) -> None:
    bot.world.deleverage(SYMBOL, (bot.short() / 3).quantize(Decimal("0.01")))


def short_bought_back(bot: BotHarness) -> None:
    bot.world.trade_by_hand(Market.PERP, SYMBOL, Side.BUY, bot.short(), reduce_only=True)


def coins_sold(bot: BotHarness) -> None:
    bot.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, bot.hedge.pair.spot.floor_quantity(bot.coins()))


def part_of_the_coins_sold(bot: BotHarness) -> None:
    bot.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, bot.hedge.pair.spot.floor_quantity(bot.coins() / 3))


@pytest.mark.parametrize(
    ("taken", "within"),
    [
        (short_taken, ADL),
        (part_of_the_short_taken, ADL),
        (short_bought_back, BY_HAND),
        (coins_sold, BY_HAND),
        (part_of_the_coins_sold, BY_HAND),
    ],
)
@pytest.mark.parametrize("seconds", [0.5, 40, 90])
@pytest.mark.parametrize("after", [20, 70])
def test_what_others_take_soon_after_an_opening_is_found_by_their_trades(
    taken: Callable[[BotHarness], None], within: timedelta, seconds: float, after: float
) -> None:
    bot = lagging(seconds)
    began = bot.world.now
    bot.run(0.03, at={after / 3600: taken})
    first = bot.logged(ExternalFills)[0]
    assert all(fill.trade_id > 0 for fill in first.fills), "by their trades, not by an assumption"
    assert first.at - began - timedelta(seconds=after) < within
    bot.check()
    assert bot.ledger.max_naked_seconds < 10
    assert bot.short(SYMBOL) == 0, "what was left of it is closed"


@pytest.mark.parametrize("seconds", [0, 6, 14, 40, 90])
@pytest.mark.parametrize("notifications", [True, False], ids=["streams", "polls"])
def test_a_near_liquidation_is_answered_by_one_transfer_however_late_it_is_shown(
    seconds: float,
    notifications: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    bot = lagging(seconds, notifications=notifications, poll_seconds=0 if notifications else 12)
    bot.parameters = replace(bot.parameters, capital_management=CapitalManagement(max_capital_usd=Decimal(1000)))
    bot.run(0.2)
    bot.world.transfer_by_hand(Decimal(1400), TransferDirection.PERP_TO_SPOT)
    bot.run(0.1)
    bot.world.shock(SYMBOL, Decimal("1.78"))
    bot.run(0.3)
    assert len(bot.logged(FundsTransferred)) == 1
    assert bot.decisions(Reduce) == []
    untouched(bot)


@pytest.mark.parametrize("seconds", [0, 6, 14, 40, 90])
@pytest.mark.parametrize("notifications", [True, False], ids=["streams", "polls"])
def test_a_near_liquidation_without_idle_money_is_answered_by_one_reduction_however_late_it_is_shown(
    seconds: float,
    notifications: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    bot = lagging(seconds, notifications=notifications, poll_seconds=0 if notifications else 12)
    bot.run(0.2)
    bot.world.deposit(Wallet.SPOT, "USDT", -bot.world.account().spot_usdt, FlowKind.WITHDRAWAL)
    bot.run(0.1)
    jobs, transfers = len(bot.logged(ExecutionStarted)), len(bot.logged(FundsTransferred))
    bot.world.shock(SYMBOL, Decimal("1.75"))
    bot.run(0.3)
    assert [event.execution.kind for event in bot.logged(ExecutionStarted)[jobs:]] == [ExecutionKind.REDUCE]
    assert len(bot.logged(FundsTransferred)) == transfers + 1, "what its coins brought becomes margin, once"
    bot.check_whole()
