"""Order parameters, with the rules of each order type (docs/aster-api.md 5.2 and 6.2)."""

import re
from decimal import Decimal

from hedgerow.domain.instrument import Instrument, Market, Side
from hedgerow.domain.money import ZERO
from hedgerow.emulator.wire.protocol.errors import WireError, duplicate_order, missing
from hedgerow.emulator.wire.protocol.number_format import chain_hash
from hedgerow.emulator.wire.protocol.order_records import CONDITIONAL, ExchangeOrder, Stage
from hedgerow.emulator.wire.protocol.params import Params
from hedgerow.emulator.wire.rest.call import RestCall

__all__ = ["check_order", "read_order"]

CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
TYPES = ("LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
TERMS = {Market.PERP: ("GTC", "IOC", "FOK", "GTX", "HIDDEN", "RPI"), Market.SPOT: ("GTC", "IOC", "GTX", "HIDDEN")}
"""FOK is refused on spot (docs/aster-api.md 6.2)."""
MAX_OPEN, MAX_CONDITIONAL = 200, 10
LIKE_LIMIT = ("LIMIT", "STOP", "TAKE_PROFIT")
PERP_ONLY = ("reduceOnly", "closePosition", "positionSide", "workingType", "priceProtect")
CALLBACKS = (Decimal("0.1"), Decimal(5))


def read_order(call: RestCall, params: Params) -> ExchangeOrder:
    """Return what a request asks for; nothing is placed yet.

    Raises:
        WireError: a parameter is missing, malformed, or not for this type.
        Rejected: the symbol is not listed.
    """
    instrument = call.exchange.market.instrument(call.market, params.text("symbol"))
    side = Side(params.choice("side", ("BUY", "SELL"), code=-1117))
    kinds = TYPES[:-1] if call.market is Market.SPOT else TYPES
    kind = params.choice("type", kinds, code=-1116)
    _refuse_strangers(params, call.market, kind)
    order_id = call.exchange_account.next_id()
    return ExchangeOrder(
        order_id=order_id,
        client_id=_client_id(params, call, order_id),
        market=call.market,
        symbol=instrument.symbol,
        side=side,
        kind=kind,
        original_kind=kind,
        time_in_force=_terms(params, call.market, kind),
        quantity=_quantity(params, call.market, kind),
        price=_positive(params, "price") if kind in LIKE_LIMIT else ZERO,
        quote_quantity=_positive(params, "quoteOrderQty") if params.has("quoteOrderQty") else ZERO,
        stop_price=_positive(params, "stopPrice") if kind in CONDITIONAL and kind != TYPES[-1] else ZERO,
        activation_price=params.number("activationPrice", ZERO),
        callback_rate=_callback(params) if kind == TYPES[-1] else ZERO,
        reduce_only=params.flag("reduceOnly", default=False),
        close_position=params.flag("closePosition", default=False),
        working_type=params.choice("workingType", ("CONTRACT_PRICE", "MARK_PRICE"), default="CONTRACT_PRICE"),
        price_protect=params.flag("priceProtect", default=False),
        stage=Stage.OVER,
        fill_share=call.fill_share,
        created_at=call.now,
        updated_at=call.now,
    )


def check_order(call: RestCall, exchange_order: ExchangeOrder, params: Params) -> None:
    """Check what only the account and the listing can show.

    Raises:
        WireError: as the venue refuses it.
    """
    exchange_account = call.exchange_account
    known = exchange_account.exchange_orders.find(
        exchange_order.market, exchange_order.symbol, exchange_order.client_id
    )
    if known is not None and known.open:
        raise duplicate_order(exchange_order.client_id)
    if exchange_order.market is Market.PERP:
        _check_side_of_position(call, params)
    waiting = exchange_account.exchange_orders.open(exchange_order.market, exchange_order.symbol)
    if len(waiting) >= MAX_OPEN:
        raise WireError(-2025, "Reach max open order limit.")
    conditional = sum(order.stage is Stage.ARMED for order in waiting)
    if exchange_order.kind in CONDITIONAL and conditional >= MAX_CONDITIONAL:
        raise WireError(-4045, "Reach max stop order limit.")
    instrument = call.exchange.market.instrument(exchange_order.market, exchange_order.symbol)
    if exchange_order.kind == "MARKET" and exchange_order.quantity > call.exchange.profile.market_maximum(instrument):
        raise WireError(-4005, "Quantity greater than max quantity.")
    if exchange_order.kind in CONDITIONAL:
        _check_grid(instrument, exchange_order)


def _check_side_of_position(call: RestCall, params: Params) -> None:
    side = params.choice("positionSide", ("BOTH", "LONG", "SHORT"), default="BOTH")
    one_way = call.exchange_account.world.parts.one_way
    if one_way != (side == "BOTH"):
        raise WireError(-4061, "Order's position side does not match user's setting.")
    if not one_way and params.has("reduceOnly"):
        raise WireError(-4062, "Invalid or improper reduceOnly value.")


def _check_grid(instrument: Instrument, exchange_order: ExchangeOrder) -> None:
    """Check a conditional order as far as it can be before its trigger."""
    for price in (exchange_order.price, exchange_order.stop_price, exchange_order.activation_price):
        if price % instrument.tick:
            raise WireError(-4014, "Price not increased by tick size.")
    if exchange_order.quantity % instrument.lot:
        raise WireError(-4023, "Qty not increased by step size.")
    if not exchange_order.close_position and exchange_order.quantity < instrument.min_quantity:
        raise WireError(-4004, "Quantity less than min quantity.")


def _refuse_strangers(params: Params, market: Market, kind: str) -> None:
    """Refuse parameters that do not go with the type (-1106)."""
    if market is Market.SPOT:
        params.refuse(*PERP_ONLY, "activationPrice", "callbackRate")
    else:
        params.refuse("quoteOrderQty")
    if kind == "MARKET":
        params.refuse("price", "timeInForce", "stopPrice")
    if kind != "MARKET":
        params.refuse("quoteOrderQty")
    if kind not in CONDITIONAL:
        params.refuse("stopPrice", "activationPrice", "callbackRate")
    if params.flag("closePosition", default=False):
        _check_closing(params, kind)


def _check_closing(params: Params, kind: str) -> None:
    if kind not in {"STOP_MARKET", "TAKE_PROFIT_MARKET"}:
        raise WireError(-4136, "Target strategy invalid for orderType with closePosition true.")
    if params.has("quantity"):
        raise WireError(-4137, "Quantity must be zero with closePosition equals true.")
    if params.has("reduceOnly"):
        raise WireError(-4138, "Reduce only must be true with closePosition equals true.")


def _terms(params: Params, market: Market, kind: str) -> str:
    if kind == "LIMIT" or params.has("timeInForce"):
        return params.choice("timeInForce", TERMS[market], code=-1115)
    return "GTC"


def _quantity(params: Params, market: Market, kind: str) -> Decimal:
    if params.flag("closePosition", default=False):
        return ZERO
    if market is Market.SPOT and kind == "MARKET" and params.has("quoteOrderQty"):
        params.refuse("quantity")
        return ZERO
    quantity = params.number("quantity")
    if quantity <= 0:
        raise WireError(-4003, "Quantity less than or equal to zero.")
    return quantity


def _positive(params: Params, name: str) -> Decimal:
    value = params.number(name)
    if value <= 0:
        raise WireError(-4001 if name == "price" else -4006, f"{name} less than or equal to zero.")
    return value


def _callback(params: Params) -> Decimal:
    rate = params.number("callbackRate")
    if not CALLBACKS[0] <= rate <= CALLBACKS[1]:
        raise missing("callbackRate")
    return rate


def _client_id(params: Params, call: RestCall, order_id: int) -> str:
    if not params.has("newClientOrderId"):
        return chain_hash(call.exchange_account.user, order_id)[2:24]
    client_id = params.text("newClientOrderId")
    if not CLIENT_ID.fullmatch(client_id):
        raise WireError(-4015, "Client order id is not valid.")
    return client_id
