"""Orders of the wire protocol: what was asked for, the order id, and the status.

The world keeps limit orders only; a ticket also stands for what has not reached its book yet (a spot order between
acknowledgement and matching, a conditional order before its trigger) and outlives its client id's second use.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import takewhile

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import OrderStatus

__all__ = ["CONDITIONAL", "ExchangeOrder", "ExchangeOrders", "Stage"]

CONDITIONAL = frozenset({"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"})
"""Types that wait for a price."""


class Stage(StrEnum):
    """Where an order is."""

    QUEUED = "queued"
    """Acknowledged, not matched yet."""
    ARMED = "armed"
    """Waits for its trigger."""
    BOOK = "book"
    """Reached the world's book."""
    OVER = "over"


class ExchangeOrder(Struct, frozen=True, kw_only=True):
    """One order of one account."""

    order_id: int
    client_id: str
    market: Market
    symbol: str
    side: Side
    kind: str
    """Type of the order now; a triggered conditional order becomes LIMIT or MARKET."""
    original_kind: str
    time_in_force: str
    quantity: Decimal
    price: Decimal = ZERO
    """As sent; zero for a market order."""
    quote_quantity: Decimal = ZERO
    """``quoteOrderQty`` of a spot market order."""
    stop_price: Decimal = ZERO
    activation_price: Decimal = ZERO
    callback_rate: Decimal = ZERO
    """Percent, of a trailing order."""
    extreme: Decimal = ZERO
    """Best price that a trailing order has seen since its activation; zero before it."""
    reduce_only: bool = False
    close_position: bool = False
    working_type: str = "CONTRACT_PRICE"
    price_protect: bool = False
    stage: Stage
    status: OrderStatus = OrderStatus.NEW
    executed: Decimal = ZERO
    spent: Decimal = ZERO
    """Cumulative quote units."""
    entries: int = 0
    """How often it was put into the world's book: once, and once more per amendment."""
    created_at: datetime
    updated_at: datetime
    due_at: datetime | None = None
    """When a queued order is matched."""
    fill_share: Decimal | None = None
    """Part of its quantity that matching may give: a fault; None = all."""

    @property
    def world_id(self) -> str:
        """Client id under which the world knows its present entry."""
        return f"{self.order_id}.{self.entries}"

    @property
    def average(self) -> Decimal:
        """Average price of what was executed."""
        return self.spent / self.executed if self.executed else ZERO

    @property
    def open(self) -> bool:
        """Whether it can still fill."""
        return self.stage is not Stage.OVER

    def filled(self, quantity: Decimal, notional: Decimal, at: datetime) -> "ExchangeOrder":
        """Return the ticket after one trade."""
        executed = self.executed + quantity
        whole = executed >= self.quantity
        return replace(
            self,
            executed=executed,
            spent=self.spent + notional,
            status=OrderStatus.FILLED if whole else OrderStatus.PARTIALLY_FILLED,
            stage=Stage.OVER if whole else self.stage,
            updated_at=at,
        )

    def ended(self, status: OrderStatus, at: datetime) -> "ExchangeOrder":
        """Return the ticket at its end."""
        return replace(self, status=status, stage=Stage.OVER, updated_at=at)


class ExchangeOrders:
    """All tickets of one account, by number and by client id."""

    def __init__(self, exchange_orders: Iterable[ExchangeOrder] = ()) -> None:
        self._all: dict[int, ExchangeOrder] = {}
        self._open: dict[int, ExchangeOrder] = {}
        self._by_client: dict[tuple[Market, str, str], int] = {}
        for exchange_order in exchange_orders:
            self.keep(exchange_order)

    @property
    def all(self) -> tuple[ExchangeOrder, ...]:
        """Every ticket, in the order of arrival."""
        return tuple(self._all.values())

    def keep(self, exchange_order: ExchangeOrder) -> ExchangeOrder:
        """Remember the present state of an order."""
        self._all[exchange_order.order_id] = exchange_order
        self._by_client[exchange_order.market, exchange_order.symbol, exchange_order.client_id] = (
            exchange_order.order_id
        )
        if exchange_order.open:
            self._open[exchange_order.order_id] = exchange_order
        else:
            self._open.pop(exchange_order.order_id, None)
        return exchange_order

    def get(self, order_id: int) -> ExchangeOrder | None:
        """Return an order by its number."""
        return self._all.get(order_id)

    def find(self, market: Market, symbol: str, client_id: str) -> ExchangeOrder | None:
        """Return the newest order with a client id."""
        order_id = self._by_client.get((market, symbol, client_id))
        return None if order_id is None else self._all[order_id]

    def of(self, market: Market, symbol: str | None = None) -> Iterator[ExchangeOrder]:
        """Yield the orders of one market, and of one symbol when given, oldest first."""
        return _chosen(self._all.values(), market, symbol)

    def since(
        self, market: Market, symbol: str | None, created: datetime, *, order_id: int = 0
    ) -> tuple[ExchangeOrder, ...]:
        """Return the orders that were created at or after a time, from a number on, oldest first."""
        newest = takewhile(lambda t: t.created_at >= created and t.order_id >= order_id, reversed(self._all.values()))
        return tuple(_chosen(newest, market, symbol))[::-1]

    def open(self, market: Market, symbol: str | None = None) -> tuple[ExchangeOrder, ...]:
        """Return what can still fill, oldest first."""
        return tuple(
            sorted(_chosen(self._open.values(), market, symbol), key=lambda exchange_order: exchange_order.order_id)
        )

    @property
    def any_open(self) -> bool:
        """Whether anything can still fill."""
        return bool(self._open)

    def staged(self, stage: Stage) -> tuple[ExchangeOrder, ...]:
        """Return the open orders of one stage, oldest first."""
        return tuple(exchange_order for exchange_order in self._open.values() if exchange_order.stage is stage)


def _chosen(exchange_orders: Iterable[ExchangeOrder], market: Market, symbol: str | None) -> Iterator[ExchangeOrder]:
    return (
        exchange_order
        for exchange_order in exchange_orders
        if exchange_order.market is market and symbol in {None, exchange_order.symbol}
    )
