"""Orders as rows of REST replies (docs/aster-api.md 5.2 and 6.2)."""

from typing import Any

from hedgerow.domain.instrument import Instrument, Market
from hedgerow.domain.order import OrderStatus
from hedgerow.emulator.wire.protocol.number_format import (
    chain_hash,
    fixed,
    quantity_text,
    short,
    to_ms,
    traded_price_text,
)
from hedgerow.emulator.wire.protocol.order_records import ExchangeOrder

__all__ = ["order_row"]


def order_row(instrument: Instrument, exchange_order: ExchangeOrder, *, looked_up: bool = False) -> dict[str, Any]:
    """Return an order; a look-up also says when it was made."""
    row = (
        _perp_row(instrument, exchange_order)
        if instrument.market is Market.PERP
        else _spot_row(instrument, exchange_order)
    )
    return row | ({"time": to_ms(exchange_order.created_at)} if looked_up else {})


def _perp_row(instrument: Instrument, exchange_order: ExchangeOrder) -> dict[str, Any]:
    executed = quantity_text(instrument, exchange_order.executed)
    row: dict[str, Any] = {
        "orderId": exchange_order.order_id,
        "symbol": exchange_order.symbol,
        "status": exchange_order.status.value,
        "clientOrderId": exchange_order.client_id,
        "price": traded_price_text(instrument, exchange_order.price),
        "avgPrice": fixed(exchange_order.average, 5),
        "origQty": quantity_text(instrument, exchange_order.quantity),
        "executedQty": executed,
        "cumQty": executed,
        "cumQuote": short(exchange_order.spent),
        "timeInForce": exchange_order.time_in_force,
        "type": exchange_order.kind,
        "reduceOnly": exchange_order.reduce_only,
        "closePosition": exchange_order.close_position,
        "side": exchange_order.side.value,
        "positionSide": "BOTH",
        "stopPrice": traded_price_text(instrument, exchange_order.stop_price),
        "workingType": exchange_order.working_type,
        "priceProtect": exchange_order.price_protect,
        "origType": exchange_order.original_kind,
        "updateTime": to_ms(exchange_order.updated_at),
        "pegPriceType": "",
        "stpMode": "",
    }
    if exchange_order.original_kind == "TRAILING_STOP_MARKET":
        row |= {
            "activatePrice": traded_price_text(instrument, exchange_order.activation_price),
            "priceRate": short(exchange_order.callback_rate),
        }
    chain = "cancelChainData" if exchange_order.status is OrderStatus.CANCELED else "newChainData"
    return row | {chain: {"hash": chain_hash(exchange_order.order_id, chain)}}


def _spot_row(instrument: Instrument, exchange_order: ExchangeOrder) -> dict[str, Any]:
    executed = quantity_text(instrument, exchange_order.executed)
    return {
        "orderId": exchange_order.order_id,
        "symbol": exchange_order.symbol,
        "status": exchange_order.status.value,
        "clientOrderId": exchange_order.client_id,
        "price": traded_price_text(instrument, exchange_order.price),
        "avgPrice": fixed(exchange_order.average, 6),
        "origQty": quantity_text(instrument, exchange_order.quantity),
        "executedQty": executed,
        "cumQty": executed,
        "cumQuote": short(exchange_order.spent),
        "timeInForce": exchange_order.time_in_force,
        "type": exchange_order.kind,
        "side": exchange_order.side.value,
        "stopPrice": traded_price_text(instrument, exchange_order.stop_price),
        "origType": exchange_order.original_kind,
        "updateTime": to_ms(exchange_order.updated_at),
        "orderListId": -1,
    }
