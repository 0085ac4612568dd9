"""Orders as REST replies carry them (docs/aster-api.md 5.2 and 6.2)."""

from typing import Any

from hedgerow.domain.instrument import Instrument, Market
from hedgerow.domain.order import OrderStatus
from hedgerow.emulator.wire.protocol.number_format import chain_hash, fixed, price_text, quantity_text, short, to_ms
from hedgerow.emulator.wire.protocol.order_records import Ticket

__all__ = ["order_row"]


def order_row(instrument: Instrument, ticket: Ticket, *, looked_up: bool = False) -> dict[str, Any]:
    """Return an order; a look-up also says when it was made."""
    row = _perp_row(instrument, ticket) if instrument.market is Market.PERP else _spot_row(instrument, ticket)
    return row | ({"time": to_ms(ticket.created_at)} if looked_up else {})


def _perp_row(instrument: Instrument, ticket: Ticket) -> dict[str, Any]:
    executed = quantity_text(instrument, ticket.executed)
    row: dict[str, Any] = {
        "orderId": ticket.order_id,
        "symbol": ticket.symbol,
        "status": ticket.status.value,
        "clientOrderId": ticket.client_id,
        "price": price_text(instrument, ticket.price),
        "avgPrice": fixed(ticket.average, 5),
        "origQty": quantity_text(instrument, ticket.quantity),
        "executedQty": executed,
        "cumQty": executed,
        "cumQuote": short(ticket.spent),
        "timeInForce": ticket.time_in_force,
        "type": ticket.kind,
        "reduceOnly": ticket.reduce_only,
        "closePosition": ticket.close_position,
        "side": ticket.side.value,
        "positionSide": "BOTH",
        "stopPrice": price_text(instrument, ticket.stop_price),
        "workingType": ticket.working_type,
        "priceProtect": ticket.price_protect,
        "origType": ticket.original_kind,
        "updateTime": to_ms(ticket.updated_at),
        "pegPriceType": "",
        "stpMode": "",
    }
    if ticket.original_kind == "TRAILING_STOP_MARKET":
        row |= {
            "activatePrice": price_text(instrument, ticket.activation_price),
            "priceRate": short(ticket.callback_rate),
        }
    chain = "cancelChainData" if ticket.status is OrderStatus.CANCELED else "newChainData"
    return row | {chain: {"hash": chain_hash(ticket.order_id, chain)}}


def _spot_row(instrument: Instrument, ticket: Ticket) -> dict[str, Any]:
    executed = quantity_text(instrument, ticket.executed)
    return {
        "orderId": ticket.order_id,
        "symbol": ticket.symbol,
        "status": ticket.status.value,
        "clientOrderId": ticket.client_id,
        "price": price_text(instrument, ticket.price),
        "avgPrice": fixed(ticket.average, 6),
        "origQty": quantity_text(instrument, ticket.quantity),
        "executedQty": executed,
        "cumQty": executed,
        "cumQuote": short(ticket.spent),
        "timeInForce": ticket.time_in_force,
        "type": ticket.kind,
        "side": ticket.side.value,
        "stopPrice": price_text(instrument, ticket.stop_price),
        "origType": ticket.original_kind,
        "updateTime": to_ms(ticket.updated_at),
        "orderListId": -1,
    }
