"""Filters that change while a hedge is held, while it is opened, and in the middle of its closing."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.events import CommandIssued, HedgeClosed, OrderEnded
from hedgerow.domain.instrument import Market, Side, TradingStatus
from hedgerow.domain.money import is_on_grid
from hedgerow.domain.operator_requests import CloseRequested, HaltRequested
from hedgerow.domain.order import OrderRequest, RejectKind
from hedgerow.domain.position import Reason
from hedgerow.emulator.core.market_changes import FeeChange, FilterChange, StatusChange
from hedgerow.engine.runner import RunOptions
from hedgerow.strategy.parameters import PositionManagement, RiskManagement, StrategyParameters
from support.bot_harness import BotHarness
from support.worlds import SYMBOL, Listing, ScriptedMarketData

SPOT, PERP = Market.SPOT, Market.PERP
COARSER = {
    "tick of the perpetual": {"market": PERP, "tick": Decimal("0.1")},
    "lot of the perpetual": {"market": PERP, "lot": Decimal("0.1"), "min_quantity": Decimal("0.1")},
    "large lot of the perpetual": {"market": PERP, "lot": Decimal(1), "min_quantity": Decimal(1)},
    "tick of spot": {"market": SPOT, "tick": Decimal("0.5")},
    "lot of spot": {"market": SPOT, "lot": Decimal("0.1"), "min_quantity": Decimal("0.1")},
    "minimum of spot": {"market": SPOT, "min_notional": Decimal(12)},
    "largest order of the perpetual": {"market": PERP, "max_quantity": Decimal("0.3")},
    "largest order of spot": {"market": SPOT, "max_quantity": Decimal("0.3")},
    "price band of the perpetual": {
        "market": PERP,
        "price_down": Decimal("0.9995"),
        "price_up": Decimal("1.0005"),
    },
}


def aged(hours: float) -> StrategyParameters:
    return StrategyParameters(
        position_management=PositionManagement(max_position_age_hours=hours, fee_coverage_multiplier=1000)
    )


def harness(hours: float = 1000) -> BotHarness:
    market_data = ScriptedMarketData([Listing(spot="100.03", perp="100.03")])
    return BotHarness(market_data, parameters=aged(hours), latency_seconds=0.02)


def holding() -> BotHarness:
    """Return a bot that holds a hedge, closes it at the next check, and opens nothing after it."""
    bot = harness()
    bot.run(0.5)
    bot.check_whole()
    bot.ask(HaltRequested())
    bot.parameters = aged(0.1)
    return bot


def changing(**filters: object) -> Callable[[BotHarness], None]:
    """Return an action that changes filters of the symbol."""
    return lambda bot: bot.world.change_market(FilterChange(symbol=SYMBOL, **filters))  # type: ignore[arg-type] # a test's shorthand


def refusals(bot: BotHarness) -> int:
    return sum(1 for end in bot.logged(OrderEnded) if end.reject is RejectKind.FILTER)


def closed_first(bot: BotHarness) -> HedgeClosed:
    return bot.logged(HedgeClosed)[0]


def assert_closed(bot: BotHarness, *, dust: str = "15") -> None:
    """The first hedge is gone on both legs, but for coins of at most ``dust`` quote units that the ledger owns."""
    bot.check()
    assert bot.logged(HedgeClosed), "never closed"
    assert bot.ledger.foremost is None
    assert bot.short() == 0
    assert bot.coins() == bot.ledger.owned("AAA")
    assert bot.coins() * 100 <= Decimal(dust)


@pytest.mark.parametrize("filters", list(COARSER.values()), ids=list(COARSER))
def test_a_hedge_is_closed_on_filters_that_became_coarser_while_it_was_held(filters: dict[str, object]) -> None:
    bot = holding()
    changing(**filters)(bot)
    bot.run(0.2)
    assert_closed(bot)
    assert refusals(bot) <= 1, "the listing is read before anything else"
    assert bot.ledger.max_naked_seconds < 5


def test_a_finer_lot_of_spot_sells_what_the_coarser_one_would_leave() -> None:
    bot = holding()
    changing(market=SPOT, lot=Decimal("0.00001"), min_quantity=Decimal("0.00001"))(bot)
    bot.run(0.2)
    assert_closed(bot, dust="0.002")


@pytest.mark.parametrize("filters", list(COARSER.values()), ids=list(COARSER))
def test_filters_that_change_between_the_two_legs_of_a_closing_do_not_leave_one_open(
    filters: dict[str, object],
) -> None:
    bot = holding()
    sold: list[str] = []

    class AfterTheFirstSale:
        def on_notice(self, notice: object) -> None:
            order = _ordered(notice)
            if order and order.market is SPOT and order.side is Side.SELL and not sold:
                sold.append(order.client_id)
                changing(**filters)(bot)

    bot.run(0.2, observers=(AfterTheFirstSale(),))
    assert sold
    assert_closed(bot)
    assert bot.ledger.max_naked_seconds < 20


def _ordered(notice: object) -> OrderRequest | None:
    """Return the order whose intent a notice reports."""
    event = getattr(notice, "event", None)
    command = event.command if isinstance(event, CommandIssued) else None
    return command.order if isinstance(command, PlaceOrder) else None


@pytest.mark.parametrize("filters", list(COARSER.values()), ids=list(COARSER))
def test_a_job_that_is_taken_up_after_a_restart_goes_by_the_present_filters(filters: dict[str, object]) -> None:
    bot = holding()

    class Stop:
        def on_notice(self, notice: object) -> None:
            event = getattr(notice, "event", None)
            if isinstance(event, OrderEnded) and event.client_id.split("-")[1] == "s":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bot.run(0.5, observers=(Stop(),))
    assert bot.ledger.execution is not None
    changing(**filters)(bot)
    bot.run(0.2)
    assert_closed(bot)


def test_closing_by_hand_goes_by_the_present_filters() -> None:
    bot = harness()
    bot.run(0.5)
    changing(market=PERP, tick=Decimal("0.1"), lot=Decimal("0.1"), min_quantity=Decimal("0.1"))(bot)
    changing(market=SPOT, tick=Decimal("0.1"))(bot)
    answer = bot.ask(CloseRequested())
    assert answer.done, answer.text
    assert_closed(bot)


def test_an_emergency_stop_goes_by_the_present_filters() -> None:
    bot = harness()
    bot.run(0.5)
    changing(market=PERP, lot=Decimal("0.1"), min_quantity=Decimal("0.1"))(bot)
    changing(market=SPOT, tick=Decimal("0.25"))(bot)
    bot.parameters = StrategyParameters(risk_management=RiskManagement(emergency_stop_loss=-0.0001))
    bot.run(0.1, options=RunOptions(once=True))
    assert bot.reasons[:1] == [Reason.EMERGENCY_STOP]
    assert bot.short() == 0


def test_an_opening_goes_on_when_the_grid_changes_in_its_middle() -> None:
    bot = harness()
    bought: list[str] = []

    class AfterTheFirstBuy:
        def on_notice(self, notice: object) -> None:
            if _ordered(notice) and not bought:
                bought.append("one")
                changing(market=PERP, tick=Decimal("0.1"), lot=Decimal("0.1"), min_quantity=Decimal("0.1"))(bot)

    bot.run(0.3, observers=(AfterTheFirstBuy(),))
    bot.check()
    hedge = bot.hedge
    assert is_on_grid(hedge.short, Decimal("0.1"))
    assert abs(hedge.spot_quantity - hedge.short) <= Decimal("0.1")
    assert hedge.short > 4


def test_coins_that_a_higher_minimum_keeps_from_being_sold_stay_hedged() -> None:
    bot = holding()
    changing(market=SPOT, min_notional=Decimal(1000))(bot)
    bot.run(1)
    bot.check()
    assert not bot.logged(HedgeClosed)
    assert bot.short() > 4
    assert abs(bot.coins() - bot.short()) < Decimal("0.01")


def test_the_fees_of_an_opening_are_those_that_each_order_was_sent_with() -> None:
    bot = harness()
    changed: list[str] = []

    class AfterTwoBuys:
        def on_notice(self, notice: object) -> None:
            event = getattr(notice, "event", None)
            if isinstance(event, OrderEnded) and event.client_id.endswith("s-2") and not changed:
                changed.append("dearer")
                bot.world.change_market(FeeChange(symbol=SYMBOL, market=SPOT, taker=Decimal("0.01")))

    bot.run(0.3, observers=(AfterTwoBuys(),))
    assert changed
    bot.check()
    assert abs(bot.coins() - bot.short()) <= Decimal("0.06"), "one slice at the fee that was not known yet"


def test_markets_that_take_no_orders_are_not_asked_every_few_seconds() -> None:
    bot = holding()

    class AfterTheFirstSale:
        def on_notice(self, notice: object) -> None:
            event = getattr(notice, "event", None)
            if isinstance(event, OrderEnded) and "-s-" in event.client_id and not bot.world.changes:
                for market in Market:
                    bot.world.change_market(StatusChange(symbol=SYMBOL, market=market, status=TradingStatus.CLOSED))

    bot.run(3, at={2: lambda b: b.world.end_changes()}, observers=(AfterTheFirstSale(),))
    refused = [end for end in bot.logged(OrderEnded) if end.reject]
    assert 3 <= len(refused) <= 130, "each minute of the two hours, and some more at their beginning"
    closed = closed_first(bot)
    assert closed.reason is Reason.MAX_AGE
    reopened = refused[0].at + timedelta(hours=2)
    assert abs((closed.at - reopened).total_seconds()) < 120, "the listing says when it takes orders again"
