"""A listing that says for hours that a market of a held pair takes no orders, while the exchange takes them.

Nothing is closed for that alone. What is to be closed for another reason is closed: one order of the smallest size that
only reduces the short asks the exchange first.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from msgspec.structs import replace

from hedgerow.dashboard.narration.wording import narrate
from hedgerow.domain.commands import TransferDirection
from hedgerow.domain.events import OrderEnded
from hedgerow.domain.instrument import BasisPair, Market, Side, TradingStatus
from hedgerow.domain.operator_requests import CloseRequested
from hedgerow.domain.order import OrderStatus
from hedgerow.domain.position import Reason
from hedgerow.emulator.inprocess.readings import FalseMarketView
from hedgerow.strategy.observation import Close, TopUpMargin
from hedgerow.strategy.parameters import CapitalManagement, PositionManagement, StrategyParameters
from support.bot_harness import BotHarness
from support.worlds import SYMBOL

STOPPED = [TradingStatus.CLOSED, TradingStatus.PENDING, TradingStatus.UNLISTED]
HALF = CapitalManagement(max_capital_usd=Decimal(500))
AGED = StrategyParameters(capital_management=HALF, position_management=PositionManagement(max_position_age_hours=0.1))


def holding() -> BotHarness:
    harness = BotHarness(parameters=StrategyParameters(capital_management=HALF), poll_seconds=30)
    harness.run(0.5)
    harness.check_whole()
    return harness


def listed_as(harness: BotHarness, market: Market, status: TradingStatus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every reading of the listing show one market of the pair in another state."""
    read = harness.venue.pair

    def false(pair: BasisPair) -> BasisPair:
        return replace(pair, **{market.value: replace(pair.instrument(market), status=status)})

    async def pair(symbol: str, *, fresh: bool = False) -> BasisPair:
        return false(await read(symbol, fresh=fresh))

    class Shown(FalseMarketView):
        def pair(self, symbol: str) -> BasisPair | None:
            found = super().pair(symbol)
            return false(found) if found else None

    monkeypatch.setattr(harness.venue, "pair", pair)
    harness.venue.shown = Shown


@pytest.mark.parametrize("market", list(Market))
@pytest.mark.parametrize("status", STOPPED)
def test_nothing_is_traded_for_hours_because_the_listing_alone_says_that_a_market_has_stopped(
    market: Market, status: TradingStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = holding()
    sent = len(harness.venue.orders)
    listed_as(harness, market, status, monkeypatch)
    harness.run(3)
    assert len(harness.venue.orders) == sent
    assert harness.decisions(Close) == []
    harness.check_whole()


@pytest.mark.parametrize("market", list(Market))
@pytest.mark.parametrize("status", [TradingStatus.CLOSED, TradingStatus.PENDING])
def test_an_old_hedge_is_closed_though_the_listing_says_that_a_market_has_stopped(
    market: Market, status: TradingStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = holding()
    listed_as(harness, market, status, monkeypatch)
    harness.parameters = AGED
    harness.run(0.3)
    assert harness.reasons == [Reason.MAX_AGE]
    assert harness.ledger.max_naked_seconds < 1
    harness.check_flat()


def test_a_short_that_lost_coins_is_bought_back_though_the_listing_says_that_the_perpetual_has_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    harness = holding()
    listed_as(harness, Market.PERP, TradingStatus.CLOSED, monkeypatch)
    harness.run(0.2)
    harness.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, Decimal("0.1"))
    harness.run(0.1)
    harness.check_whole()
    assert harness.reasons == []


def test_coins_that_lost_their_short_are_sold_though_the_listing_says_that_spot_has_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    harness = holding()
    listed_as(harness, Market.SPOT, TradingStatus.CLOSED, monkeypatch)
    harness.run(0.2)
    harness.world.deleverage(SYMBOL, harness.short() * Decimal("0.05"))
    harness.run(0.1)
    harness.check_whole()
    assert harness.reasons == []


@pytest.mark.parametrize("status", STOPPED)
def test_a_person_closes_a_hedge_though_the_listing_says_that_the_perpetual_has_stopped(
    status: TradingStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = holding()
    listed_as(harness, Market.PERP, status, monkeypatch)
    sent, perp = len(harness.venue.orders), harness.hedge.pair.perp
    answer = harness.ask(CloseRequested())
    assert answer.done, answer.text
    first = harness.venue.orders[sent].order
    assert (first.market, first.side, first.reduce_only) == (Market.PERP, Side.BUY, True)
    assert first.quantity == max(perp.lot, perp.min_quantity), "the smallest order asks"
    harness.check_flat()
    assert harness.ledger.max_naked_seconds < 1


def refused(harness: BotHarness) -> list[datetime]:
    return [each.at for each in harness.logged(OrderEnded) if each.status is OrderStatus.REJECTED]


def test_a_perpetual_that_takes_no_orders_is_asked_with_growing_pauses_and_keeps_the_hedge_whole() -> None:
    harness = holding()
    harness.world.set_status(SYMBOL, TradingStatus.CLOSED, (Market.PERP,))
    harness.parameters = AGED
    sent = len(harness.venue.orders)
    harness.run(10)
    asked = refused(harness)
    pauses = [after - before for before, after in pairwise(asked)]
    assert 10 < len(asked) < 17
    assert pauses[:4] == sorted(pauses[:4])
    assert all(timedelta(minutes=1) <= pause <= timedelta(minutes=66) for pause in pauses)
    assert {each.order.market for each in harness.venue.orders[sent:]} == {Market.PERP}
    assert harness.ledger.max_naked_seconds == 0
    harness.check_whole()
    said = [line.text for notice in harness.notices for line in narrate(notice)]
    assert any(text.startswith("Nothing was trimmed, the position is kept: Symbol is closed") for text in said)
    assert "Both legs match again" not in said
    harness.world.set_status(SYMBOL, TradingStatus.TRADING, (Market.PERP,))
    harness.parameters = StrategyParameters(capital_management=HALF)
    harness.run(0.2)
    harness.check_whole()


def test_margin_is_topped_up_though_the_listing_says_that_the_perpetual_has_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    harness = holding()
    harness.world.transfer_by_hand(Decimal(240), TransferDirection.PERP_TO_SPOT)
    listed_as(harness, Market.PERP, TradingStatus.CLOSED, monkeypatch)
    harness.run(0.2)
    harness.world.shock(SYMBOL, Decimal("1.65"))
    harness.run(0.2)
    assert len(harness.decisions(TopUpMargin)) >= 1
    assert harness.reasons == []
    position = harness.world.account().positions[SYMBOL]
    assert position.liquidation_price is not None
    assert position.liquidation_price / position.mark_price - 1 > Decimal("0.25")
