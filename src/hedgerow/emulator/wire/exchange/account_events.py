"""Events of the user stream (docs/aster-api.md 10.2)."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from hedgerow.domain.account import MarginType
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import Fill
from hedgerow.emulator.core.world import World
from hedgerow.emulator.wire.protocol.number_format import (
    chain_hash,
    fixed,
    money,
    quantity_text,
    short,
    to_ms,
    traded_price_text,
)
from hedgerow.emulator.wire.protocol.order_records import ExchangeOrder

__all__ = [
    "FIRST_TRADE_ID",
    "account_config",
    "funding_update",
    "leverage_config",
    "listen_key_expired",
    "margin_call",
    "order_event",
    "spot_position",
    "wallet_update",
]

FIRST_TRADE_ID = 2_583_000
"""Trade ids of the wire begin here."""
ENGINE_NAMES = {
    "STOP_MARKET": "STOP_LOSS",
    "STOP": "STOP_LOSS_LIMIT",
    "TAKE_PROFIT_MARKET": "TAKE_PROFIT",
    "TAKE_PROFIT": "TAKE_PROFIT_LIMIT",
}
"""Spot reports use the engine's names of order types."""


def wallet_update(
    world: World, reason: str, changes: Iterable[tuple[str, Decimal]], symbol: str | None = None
) -> dict[str, Any]:
    """Return ACCOUNT_UPDATE: balances, and the position of ``symbol`` when it is given."""
    balance = money(world.parts.perp.balance)
    content: dict[str, Any] = {
        "m": reason,
        "B": [{"a": asset, "wb": balance, "cw": balance, "bc": money(change)} for asset, change in changes],
    }
    if symbol is not None:
        content["P"] = [_position(world, symbol)]
    return {"e": "ACCOUNT_UPDATE", "E": to_ms(world.now), "T": to_ms(world.now), "a": content}


def funding_update(world: World, payment: FundingPayment) -> dict[str, Any]:
    """Return ACCOUNT_UPDATE of a funding payment: a cross position is not named."""
    isolated = world.parts.perp.margin_type(payment.symbol) is MarginType.ISOLATED
    symbol = payment.symbol if isolated else None
    event = wallet_update(world, "FUNDING_FEE", (("USDT", payment.amount),), symbol)
    return {**event, "T": to_ms(payment.at)}


def order_event(
    world: World, exchange_order: ExchangeOrder, execution: str, fill: Fill | None = None
) -> dict[str, Any]:
    """Return the report of one order: ORDER_TRADE_UPDATE, or executionReport on spot."""
    build = _spot_report if exchange_order.market is Market.SPOT else _perp_report
    return build(world, exchange_order, execution, fill)


def spot_position(world: World, reason: str, assets: Iterable[str]) -> dict[str, Any]:
    """Return outboundAccountPosition; its times are seconds for deposits and withdrawals."""
    now_ms = to_ms(world.now)
    stamp = now_ms if reason == "ORDER" else now_ms // 1000
    held = (world.parts.spot.of(asset) for asset in assets)
    return {
        "e": "outboundAccountPosition",
        "E": now_ms,
        "T": stamp,
        "u": stamp,
        "m": reason,
        "B": [{"a": balance.asset, "f": short(balance.free), "l": short(balance.locked)} for balance in held],
    }


def margin_call(world: World) -> dict[str, Any]:
    """Return MARGIN_CALL with every position."""
    parts = world.parts
    rows = [
        {
            "s": symbol,
            "ps": "BOTH",
            "pa": short(held.quantity),
            "mt": parts.perp.margin_type(symbol).value,
            "iw": "0",
            "mp": money(parts.mark(symbol)),
            "up": money(held.unrealized(parts.mark(symbol))),
            "mm": money(parts.perp.maintenance(symbol, parts.mark(symbol))),
        }
        for symbol, held in parts.perp.holdings.items()
    ]
    return {"e": "MARGIN_CALL", "E": to_ms(world.now), "cw": money(parts.perp.balance), "p": rows}


def leverage_config(world: World, symbol: str) -> dict[str, Any]:
    """Return ACCOUNT_CONFIG_UPDATE of one symbol's leverage."""
    leverage = world.parts.perp.leverage(symbol)
    return _config(world, {"ac": {"s": symbol, "l": leverage}})


def account_config(world: World, *, fee_burn: bool) -> dict[str, Any]:
    """Return ACCOUNT_CONFIG_UPDATE of the account's modes."""
    parts = world.parts
    return _config(world, {"ai": {"j": not parts.single_asset, "f": fee_burn, "d": not parts.one_way}})


def listen_key_expired(world: World) -> dict[str, Any]:
    """Return the last event of a user stream."""
    return {"e": "listenKeyExpired", "E": to_ms(world.now)}


def _config(world: World, content: dict[str, Any]) -> dict[str, Any]:
    return {"e": "ACCOUNT_CONFIG_UPDATE", "E": to_ms(world.now), "T": to_ms(world.now), **content}


def _position(world: World, symbol: str) -> dict[str, Any]:
    parts = world.parts
    held = parts.perp.holdings.get(symbol)
    instrument = parts.marketplace.instrument(Market.PERP, symbol)
    crossed = parts.perp.margin_type(symbol) is MarginType.CROSSED
    return {
        "s": symbol,
        "pa": quantity_text(instrument, held.quantity if held else ZERO),
        "ep": short(held.entry_price) if held else "0",
        "cr": short(parts.journal.realized(symbol)),
        "up": money(held.unrealized(parts.mark(symbol))) if held else "0",
        "mt": "cross" if crossed else "isolated",
        "iw": "0",
        "ps": "BOTH",
        "ma": "USDT",
    }


def _perp_report(world: World, exchange_order: ExchangeOrder, execution: str, fill: Fill | None) -> dict[str, Any]:
    instrument = world.parts.marketplace.instrument(exchange_order.market, exchange_order.symbol)
    now_ms = to_ms(world.now)
    order: dict[str, Any] = {
        "s": exchange_order.symbol,
        "c": exchange_order.client_id,
        "S": exchange_order.side.value,
        "o": exchange_order.kind,
        "f": exchange_order.time_in_force,
        "q": quantity_text(instrument, exchange_order.quantity),
        "p": traded_price_text(instrument, exchange_order.price),
        "ap": fixed(exchange_order.average, 5),
        "sp": traded_price_text(instrument, exchange_order.stop_price),
        "x": execution,
        "X": exchange_order.status.value,
        "i": exchange_order.order_id,
        "l": quantity_text(instrument, fill.quantity if fill else ZERO),
        "z": quantity_text(instrument, exchange_order.executed),
        "L": traded_price_text(instrument, fill.price if fill else ZERO),
        "T": to_ms(fill.at if fill else exchange_order.updated_at),
        "t": FIRST_TRADE_ID + fill.trade_id if fill else 0,
        **_waiting_notional(exchange_order),
        "m": fill.maker if fill else False,
        "R": exchange_order.reduce_only,
        "wt": exchange_order.working_type,
        "ot": exchange_order.original_kind,
        "ps": "BOTH",
        "cp": exchange_order.close_position,
        "rp": short(fill.realized_pnl if fill else ZERO),
        "pP": exchange_order.price_protect,
        "si": 0,
        "ss": 0,
        "st": "",
        "h": chain_hash(exchange_order.order_id, execution, exchange_order.executed),
    }
    if fill is not None:
        order |= {"N": fill.fee_asset, "n": short(fill.fee)}
    if exchange_order.original_kind == "TRAILING_STOP_MARKET":
        order |= {
            "AP": traded_price_text(instrument, exchange_order.activation_price),
            "cr": short(exchange_order.callback_rate),
        }
    return {"e": "ORDER_TRADE_UPDATE", "E": now_ms, "T": now_ms, "o": order}


def _waiting_notional(exchange_order: ExchangeOrder) -> dict[str, str]:
    waiting = (
        (exchange_order.quantity - exchange_order.executed) * exchange_order.price if exchange_order.open else ZERO
    )
    return {
        "b": short(waiting) if exchange_order.side is Side.BUY else "0",
        "a": short(waiting) if exchange_order.side is Side.SELL else "0",
    }


def _spot_report(world: World, exchange_order: ExchangeOrder, execution: str, fill: Fill | None) -> dict[str, Any]:
    instrument = world.parts.marketplace.instrument(exchange_order.market, exchange_order.symbol)
    report: dict[str, Any] = {
        "e": "executionReport",
        "E": to_ms(world.now),
        "s": exchange_order.symbol,
        "ba": instrument.base,
        "qa": instrument.quote,
        "c": exchange_order.client_id,
        "S": exchange_order.side.value,
        "o": ENGINE_NAMES.get(exchange_order.kind, exchange_order.kind),
        "f": exchange_order.time_in_force,
        "q": quantity_text(instrument, exchange_order.quantity),
        "p": traded_price_text(instrument, exchange_order.price),
        "ap": fixed(exchange_order.average, 6),
        "P": traded_price_text(instrument, exchange_order.stop_price),
        "x": execution,
        "X": exchange_order.status.value,
        "i": exchange_order.order_id,
        "l": quantity_text(instrument, fill.quantity if fill else ZERO),
        "z": quantity_text(instrument, exchange_order.executed),
        "L": traded_price_text(instrument, fill.price if fill else ZERO),
        "T": to_ms(fill.at if fill else exchange_order.updated_at),
        "t": FIRST_TRADE_ID + fill.trade_id if fill else 0,
        "m": fill.maker if fill else False,
        "ot": ENGINE_NAMES.get(exchange_order.original_kind, exchange_order.original_kind),
        "O": to_ms(exchange_order.created_at),
        "Z": short(exchange_order.spent),
        "Y": short(fill.notional if fill else ZERO),
        "Q": short(exchange_order.quote_quantity),
        "u": to_ms(exchange_order.updated_at),
        "h": chain_hash(exchange_order.order_id, execution, exchange_order.executed),
    }
    return report | ({"N": fill.fee_asset, "n": short(fill.fee)} if fill else {})
