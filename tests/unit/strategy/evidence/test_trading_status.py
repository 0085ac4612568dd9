from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.instrument import Market, Side, TradingStatus
from hedgerow.domain.position import HedgedPosition, OrderRecord
from hedgerow.strategy.evidence.trading_status import may_ask, takes_reducing_orders, took_an_order
from support.views import NOW, fill, hedge, listing, market_of, pair_of

SEEN = market_of(listing(pair=pair_of()))
MINUTE = timedelta(minutes=1)


def bought(ago: timedelta, quantity: str = "1", **changes: object) -> OrderRecord:
    """Return an order that bought a part of the short back some time ago; none filled where ``quantity`` is zero."""
    record = OrderRecord.of_fill(
        fill(Market.PERP, Side.BUY, "1", at=NOW - ago), hedge_id="h1", base="AAA", fee_quote=Decimal(0)
    )
    return replace(record, filled_quantity=Decimal(quantity), **changes)


def after(*orders: OrderRecord) -> HedgedPosition:
    held = hedge("10")
    return replace(held, orders=(*held.orders, *orders))


@pytest.mark.parametrize(
    ("status", "takes"),
    [(status, status in {TradingStatus.TRADING, TradingStatus.SETTLING}) for status in TradingStatus],
)
def test_a_market_that_trades_or_settles_takes_reducing_orders_as_the_listing_says(
    status: TradingStatus, *, takes: bool
) -> None:
    pair = pair_of()
    stopped = replace(pair, perp=replace(pair.perp, status=status))
    assert takes_reducing_orders(stopped, Market.PERP) is takes
    assert takes_reducing_orders(stopped, Market.SPOT)


@pytest.mark.parametrize(
    ("orders", "taken"),
    [
        pytest.param((), False, id="none"),
        pytest.param((bought(5 * MINUTE),), True, id="filled-five-minutes-ago"),
        pytest.param((bought(5 * MINUTE + timedelta(seconds=1)),), False, id="filled-longer-ago"),
        pytest.param((bought(MINUTE, forced=True),), False, id="the-exchange-bought"),
        pytest.param((bought(MINUTE, "0"),), False, id="refused"),
        pytest.param((bought(2 * MINUTE), bought(MINUTE, "0")), False, id="the-last-was-refused"),
        pytest.param((bought(2 * MINUTE, "0"), bought(MINUTE)), True, id="the-last-filled"),
    ],
)
def test_a_market_took_an_order_where_the_last_that_reduced_its_leg_filled_lately(
    orders: tuple[OrderRecord, ...], *, taken: bool
) -> None:
    assert took_an_order(after(*orders), Market.PERP, NOW) is taken
    assert not took_an_order(after(*orders), Market.SPOT, NOW)


@pytest.mark.parametrize(("refused", "pause"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (8, 60), (200, 60)])
def test_each_refused_order_doubles_the_pause_before_the_next_asks_up_to_an_hour(refused: int, pause: int) -> None:
    before = [bought(timedelta(days=1), "0")] * (refused - 1)
    early = after(bought(timedelta(days=2)), *before, bought(pause * MINUTE - timedelta(seconds=1), "0"))
    assert not may_ask(early, Market.PERP, SEEN, NOW)
    assert may_ask(after(*before, bought(pause * MINUTE, "0")), Market.PERP, SEEN, NOW)
    assert may_ask(early, Market.SPOT, SEEN, NOW), "the other leg was not asked"


@pytest.mark.parametrize("market", list(Market))
def test_a_market_without_two_sided_books_is_not_asked(market: Market) -> None:
    quotes = {**SEEN.quotes}
    assert may_ask(after(), market, SEEN, NOW)
    for one_sided in (None, replace(quotes[market, pair_of().symbol], ask=None)):
        shown = {key: quote for key, quote in quotes.items() if key[0] is not market}
        if one_sided is not None:
            shown[market, pair_of().symbol] = one_sided
        assert not may_ask(after(), Market.PERP, replace(SEEN, quotes=shown), NOW)
