"""An account with a long history: a trade, an event and a page of it cost what they cost a new account."""

import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.instrument import Market, Side
from hedgerow.emulator.wire.exchange.state import ExchangeAccountState
from support.wire import WireClient, account_of, make_wired
from support.worlds import START, SYMBOL

pytestmark = pytest.mark.slow

LONG = 20_000
"""A copy of so many rows takes at least eight bytes each."""
SLACK_BYTES = 40_000


def account_with(trades: int) -> WireClient:
    """Return a client whose account made so many trades on both markets, a minute apart, most of them long ago."""
    client = make_wired()
    client.buy_spot()
    client.order("SELL")
    client.advance_time(1)
    client.order("BUY")
    state = account_of(client).state()
    world, last = state.world, state.world.journal.last_id
    models, orders = world.journal.fills, world.orders
    fills = [
        replace(models[number % len(models)], trade_id=last + 2 * number, order_id=last + 2 * number + 1)
        for number in range(trades)
    ]
    entered = [
        replace(
            orders[number % len(orders)],
            order=replace(
                orders[number % len(orders)].order,
                order_id=last + 2 * number + 1,
                request=replace(orders[number % len(orders)].order.request, client_id=f"old-{number}"),
            ),
        )
        for number in range(trades)
    ]
    exchange_orders = [
        replace(
            state.exchange_orders[0],
            order_id=state.exchange_orders[-1].order_id + 1 + number,
            client_id=f"old-{number}",
        )
        for number in range(trades)
    ]
    journal = replace(world.journal, fills=(*models, *fills), last_id=last + 2 * trades + 2)
    aged = replace(
        state,
        world=replace(world, journal=journal, orders=(*orders, *entered)),
        exchange_orders=(*state.exchange_orders, *exchange_orders),
    )
    return restored(client, aged, trades)


def restored(client: WireClient, state: ExchangeAccountState, numbers: int) -> WireClient:
    exchange = client.venue.exchange
    exchange.restore(state)
    for _ in range(numbers):
        exchange.next_id()
    client.advance_time(timedelta(days=30).total_seconds())
    client.order("BUY")
    return client


def peak_of(act: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def trade(client: WireClient) -> None:
    world = account_of(client).world
    world.trade_by_hand(Market.PERP, SYMBOL, Side.BUY, Decimal(1))
    account_of(client).sync()


ACTS: dict[str, Callable[[WireClient], object]] = {
    "a trade by hand": trade,
    "an order": lambda client: client.order("BUY"),
    "a page of trades": lambda client: client.perp("GET", "userTrades", symbol=SYMBOL),
    "a page of income": lambda client: client.perp("GET", "income"),
    "a page of transactions": lambda client: client.spot("GET", "transactionHistory"),
    "a page of orders": lambda client: client.perp("GET", "allOrders", symbol=SYMBOL),
    "a rehearsal": lambda client: client.perp(
        "POST", "order/test", symbol=SYMBOL, side="BUY", type="MARKET", quantity="1"
    ),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
def test_nothing_copies_the_history_of_an_account(act: Callable[[WireClient], object]) -> None:
    young, old = account_with(10), account_with(LONG)
    for client in (young, old):
        act(client)
    assert peak_of(lambda: act(old)) < peak_of(lambda: act(young)) + SLACK_BYTES


def test_what_a_page_leaves_out_by_its_window_is_what_it_left_out_before() -> None:
    client = account_with(50)
    newest = client.perp("GET", "userTrades", symbol=SYMBOL).json
    assert len(newest) == 1
    first = {"symbol": SYMBOL, "startTime": int(START.timestamp() * 1000)}
    assert len(client.perp("GET", "userTrades", **first).json) > 20
    by_number = client.perp("GET", "userTrades", symbol=SYMBOL, fromId=0, limit=1000).json
    assert len(by_number) == len(client.perp("GET", "userTrades", **first).json) + 1
    orders = client.perp("GET", "allOrders", symbol=SYMBOL, orderId=by_number[-1]["orderId"]).json
    assert [row["orderId"] for row in orders] == [by_number[-1]["orderId"]]
