"""Conditional orders: stops, take-profits and trailing stops (docs/aster-api.md 8)."""

from decimal import Decimal

from msgspec.structs import replace

from hedgerow.domain.errors import Rejected
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.money import ONE, ZERO
from hedgerow.domain.order import OrderStatus
from hedgerow.emulator.wire.exchange.account import ExchangeAccount
from hedgerow.emulator.wire.exchange.order_lifecycle import enter
from hedgerow.emulator.wire.protocol.order_records import ExchangeOrder, Stage

__all__ = ["already_triggered", "fire_triggers"]

PERCENT = Decimal("0.01")


def already_triggered(exchange_account: ExchangeAccount, exchange_order: ExchangeOrder) -> bool:
    """Return whether a conditional order would fire at once."""
    price = _watched(exchange_account, exchange_order)
    return (
        price is not None and exchange_order.original_kind != "TRAILING_STOP_MARKET" and _reached(exchange_order, price)
    )


def fire_triggers(exchange_account: ExchangeAccount) -> None:
    """Turn every armed order whose price was reached into a limit or market order."""
    for exchange_order in exchange_account.exchange_orders.staged(Stage.ARMED):
        price = _watched(exchange_account, exchange_order)
        if price is None:
            continue
        followed = _followed(exchange_order, price)
        if followed != exchange_order:
            exchange_account.keep(followed)
        if _reached(followed, price):
            _fire(exchange_account, followed)


def _fire(exchange_account: ExchangeAccount, exchange_order: ExchangeOrder) -> None:
    kind = "LIMIT" if exchange_order.original_kind in {"STOP", "TAKE_PROFIT"} else "MARKET"
    try:
        enter(exchange_account, replace(exchange_order, kind=kind), announce=False)
    except Rejected:
        exchange_account.keep(exchange_order.ended(OrderStatus.EXPIRED, exchange_account.now), "EXPIRED")


def _watched(exchange_account: ExchangeAccount, exchange_order: ExchangeOrder) -> Decimal | None:
    """Return the price that a conditional order watches; None in a gap of the tape."""
    market = exchange_account.world.parts.marketplace
    if exchange_order.market is Market.PERP and exchange_order.working_type == "MARK_PRICE":
        mark = market.mark(exchange_order.symbol, exchange_account.now)
        return mark.mark if mark else None
    return market.middle(exchange_order.market, exchange_order.symbol, exchange_account.now)


def _reached(exchange_order: ExchangeOrder, price: Decimal) -> bool:
    if exchange_order.original_kind == "TRAILING_STOP_MARKET":
        if not exchange_order.extreme:
            return False
        turn = exchange_order.extreme * (ONE + exchange_order.side.sign * exchange_order.callback_rate * PERCENT)
        return (price - turn) * exchange_order.side.sign >= 0
    rising = (exchange_order.side is Side.BUY) == exchange_order.original_kind.startswith("STOP")
    return price >= exchange_order.stop_price if rising else price <= exchange_order.stop_price


def _followed(exchange_order: ExchangeOrder, price: Decimal) -> ExchangeOrder:
    """Return a trailing order after it saw ``price``: a sell follows the highest, a buy the lowest."""
    if exchange_order.original_kind != "TRAILING_STOP_MARKET":
        return exchange_order
    sign = exchange_order.side.sign
    activated = (
        exchange_order.extreme > ZERO
        or not exchange_order.activation_price
        or (price - exchange_order.activation_price) * sign <= 0
    )
    if not activated:
        return exchange_order
    best = (
        price if not exchange_order.extreme or (price - exchange_order.extreme) * sign < 0 else exchange_order.extreme
    )
    return replace(exchange_order, extreme=best)
