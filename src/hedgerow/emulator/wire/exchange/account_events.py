"""User-stream events as the venue words them (docs/aster-api.md 10.2)."""

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
    price_text,
    quantity_text,
    short,
    to_ms,
)
from hedgerow.emulator.wire.protocol.order_records import Ticket

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


def order_event(world: World, ticket: Ticket, execution: str, fill: Fill | None = None) -> dict[str, Any]:
    """Return the report of one order: ORDER_TRADE_UPDATE, or executionReport on spot."""
    build = _spot_report if ticket.market is Market.SPOT else _perp_report
    return build(world, ticket, execution, fill)


def spot_position(world: World, reason: str, assets: Iterable[str]) -> dict[str, Any]:
    """Return outboundAccountPosition; its times are seconds for deposits and withdrawals."""
    moment = to_ms(world.now)
    stamp = moment if reason == "ORDER" else moment // 1000
    held = (world.parts.spot.of(asset) for asset in assets)
    return {
        "e": "outboundAccountPosition",
        "E": moment,
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


def _perp_report(world: World, ticket: Ticket, execution: str, fill: Fill | None) -> dict[str, Any]:
    instrument = world.parts.marketplace.instrument(ticket.market, ticket.symbol)
    moment = to_ms(world.now)
    order: dict[str, Any] = {
        "s": ticket.symbol,
        "c": ticket.client_id,
        "S": ticket.side.value,
        "o": ticket.kind,
        "f": ticket.time_in_force,
        "q": quantity_text(instrument, ticket.quantity),
        "p": price_text(instrument, ticket.price),
        "ap": fixed(ticket.average, 5),
        "sp": price_text(instrument, ticket.stop_price),
        "x": execution,
        "X": ticket.status.value,
        "i": ticket.order_id,
        "l": quantity_text(instrument, fill.quantity if fill else ZERO),
        "z": quantity_text(instrument, ticket.executed),
        "L": price_text(instrument, fill.price if fill else ZERO),
        "T": to_ms(fill.at if fill else ticket.updated_at),
        "t": FIRST_TRADE_ID + fill.trade_id if fill else 0,
        **_waiting_notional(ticket),
        "m": fill.maker if fill else False,
        "R": ticket.reduce_only,
        "wt": ticket.working_type,
        "ot": ticket.original_kind,
        "ps": "BOTH",
        "cp": ticket.close_position,
        "rp": short(fill.realized_pnl if fill else ZERO),
        "pP": ticket.price_protect,
        "si": 0,
        "ss": 0,
        "st": "",
        "h": chain_hash(ticket.order_id, execution, ticket.executed),
    }
    if fill is not None:
        order |= {"N": fill.fee_asset, "n": short(fill.fee)}
    if ticket.original_kind == "TRAILING_STOP_MARKET":
        order |= {"AP": price_text(instrument, ticket.activation_price), "cr": short(ticket.callback_rate)}
    return {"e": "ORDER_TRADE_UPDATE", "E": moment, "T": moment, "o": order}


def _waiting_notional(ticket: Ticket) -> dict[str, str]:
    waiting = (ticket.quantity - ticket.executed) * ticket.price if ticket.open else ZERO
    return {
        "b": short(waiting) if ticket.side is Side.BUY else "0",
        "a": short(waiting) if ticket.side is Side.SELL else "0",
    }


def _spot_report(world: World, ticket: Ticket, execution: str, fill: Fill | None) -> dict[str, Any]:
    instrument = world.parts.marketplace.instrument(ticket.market, ticket.symbol)
    report: dict[str, Any] = {
        "e": "executionReport",
        "E": to_ms(world.now),
        "s": ticket.symbol,
        "ba": instrument.base,
        "qa": instrument.quote,
        "c": ticket.client_id,
        "S": ticket.side.value,
        "o": ENGINE_NAMES.get(ticket.kind, ticket.kind),
        "f": ticket.time_in_force,
        "q": quantity_text(instrument, ticket.quantity),
        "p": price_text(instrument, ticket.price),
        "ap": fixed(ticket.average, 6),
        "P": price_text(instrument, ticket.stop_price),
        "x": execution,
        "X": ticket.status.value,
        "i": ticket.order_id,
        "l": quantity_text(instrument, fill.quantity if fill else ZERO),
        "z": quantity_text(instrument, ticket.executed),
        "L": price_text(instrument, fill.price if fill else ZERO),
        "T": to_ms(fill.at if fill else ticket.updated_at),
        "t": FIRST_TRADE_ID + fill.trade_id if fill else 0,
        "m": fill.maker if fill else False,
        "ot": ENGINE_NAMES.get(ticket.original_kind, ticket.original_kind),
        "O": to_ms(ticket.created_at),
        "Z": short(ticket.spent),
        "Y": short(fill.notional if fill else ZERO),
        "Q": short(ticket.quote_quantity),
        "u": to_ms(ticket.updated_at),
        "h": chain_hash(ticket.order_id, execution, ticket.executed),
    }
    return report | ({"N": fill.fee_asset, "n": short(fill.fee)} if fill else {})
