"""Account history routes: trades, income, transactions, forced orders (docs/aster-api.md 5.3 and 6.2)."""

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct

from hedgerow.domain.events import FlowKind, Wallet
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.money import ZERO, plain
from hedgerow.domain.order import Fill, ForcedTrade
from hedgerow.emulator.core.account_records import FIRST_TRAN_ID, rows_since
from hedgerow.emulator.forced_orders import FORCED_CLIENT_IDS
from hedgerow.emulator.wire.exchange.account import ExchangeAccount
from hedgerow.emulator.wire.exchange.account_events import FIRST_TRADE_ID
from hedgerow.emulator.wire.protocol.errors import malformed
from hedgerow.emulator.wire.protocol.history_window import HistoryWindow, open_window_of, window_of
from hedgerow.emulator.wire.protocol.number_format import money, quantity_text, short, to_ms, traded_price_text
from hedgerow.emulator.wire.protocol.order_records import ExchangeOrder
from hedgerow.emulator.wire.protocol.order_rows import order_row
from hedgerow.emulator.wire.protocol.params import Params
from hedgerow.emulator.wire.rest.call import RestCall, Route, Security

__all__ = ["ROUTES", "force_orders", "income", "transactions", "user_trades"]

TRADE_TRAN_ID = FIRST_TRAN_ID + 10**15
"""Transaction ids of trades lie apart from those of funding and transfers."""
AUTO_CLOSE_TYPES = {
    "LIQUIDATION": (FORCED_CLIENT_IDS[ForcedTrade.LIQUIDATION],),
    "ADL": (FORCED_CLIENT_IDS[ForcedTrade.AUTO_DELEVERAGING],),
    "": tuple(FORCED_CLIENT_IDS.values()),
}
"""Client ids by the type asked for; none asked for = all that the venue forced."""
INCOME_OF = {
    FlowKind.LIQUIDATION_FEE: "INSURANCE_CLEAR",
    FlowKind.REBATE: "COMMISSION_REBATE",
    FlowKind.AUTO_EXCHANGE: "AUTO_EXCHANGE",
    FlowKind.OTHER: "INSURANCE_CLEAR",
}
"""Everything else that reaches the perpetual wallet is a TRANSFER."""


class _Entry(Struct, frozen=True, kw_only=True):
    """One change of a wallet."""

    kind: str
    asset: str
    amount: Decimal
    tran_id: int
    at_ms: int
    symbol: str = ""
    trade_id: str = ""


def user_trades(call: RestCall) -> list[dict[str, Any]]:
    """GET userTrades."""
    params = call.params
    named = call.market is Market.PERP or params.has("symbol") or params.has("orderId")
    wanted = call.symbol() if named else None
    limit = params.whole("limit", 500, least=1, most=1000)
    from_id = params.whole("fromId", 0)
    if params.has("fromId") and (params.has("startTime") or params.has("endTime")):
        raise malformed("fromId", "it cannot be combined with startTime or endTime")
    by_number = params.has("fromId") or params.has("orderId")
    window = HistoryWindow.always() if by_number else window_of(params, call.now)
    order_id = params.whole("orderId", 0)
    journal = call.exchange_account.world.parts.journal
    found = [
        fill
        for fill in (
            journal.all_fills(window.earliest)
            if wanted is None
            else journal.fills(call.market, wanted, window.earliest)
        )
        if fill.market is call.market
        and wanted in {None, fill.symbol}
        and fill.trade_id + FIRST_TRADE_ID >= from_id
        and order_id in {0, call.exchange_account.order_number(fill)}
        and window.holds(fill.at)
    ]
    chosen = found[:limit] if params.has("fromId") or params.has("startTime") else found[-limit:]
    row = _spot_trade if call.market is Market.SPOT else _perp_trade
    return [row(call, fill) for fill in chosen]


def income(call: RestCall) -> list[dict[str, Any]]:
    """GET income: one row per change of the perpetual wallet."""
    symbol = call.symbol() if call.params.has("symbol") else ""
    kind = call.params.text("incomeType", "")
    found = _paged(call, _income, lambda e: symbol in {"", e.symbol} and kind in {"", e.kind})
    return [
        {
            "symbol": entry.symbol,
            "incomeType": entry.kind,
            "income": money(entry.amount),
            "asset": entry.asset,
            "info": entry.kind,
            "time": entry.at_ms,
            "tranId": entry.tran_id,
            "tradeId": entry.trade_id,
        }
        for entry in found
    ]


def transactions(call: RestCall) -> list[dict[str, Any]]:
    """GET transactionHistory: one row per change of the spot wallet."""
    asset, kind = call.params.text("asset", ""), call.params.text("type", "")
    found = _paged(call, _transactions, lambda e: asset in {"", e.asset} and kind in {"", e.kind})
    return [
        {
            "tranId": entry.tran_id,
            "tradeId": None,
            "asset": entry.asset,
            "symbol": entry.symbol,
            "balanceDelta": short(entry.amount),
            "balanceInfo": entry.kind,
            "time": entry.at_ms,
            "type": entry.kind,
        }
        for entry in found
    ]


def force_orders(call: RestCall) -> list[dict[str, Any]]:
    """GET forceOrders: liquidations, deleveraging, and settlements of symbols that were taken down."""
    symbol = call.symbol() if call.params.has("symbol") else None
    kind = call.params.choice("autoCloseType", tuple(AUTO_CLOSE_TYPES), default="")
    limit = call.params.whole("limit", 50, least=1, most=100)
    window = open_window_of(call.params, call.now)

    def wanted(exchange_order: ExchangeOrder) -> bool:
        return exchange_order.client_id.startswith(AUTO_CLOSE_TYPES[kind]) and window.holds(exchange_order.created_at)

    found = [
        exchange_order
        for exchange_order in call.exchange_account.exchange_orders.since(Market.PERP, symbol, window.earliest)
        if wanted(exchange_order)
    ][-limit:]
    return [
        order_row(call.exchange.market.instrument(Market.PERP, exchange_order.symbol), exchange_order, looked_up=True)
        for exchange_order in found
    ]


def _paged(
    call: RestCall, entries: Callable[[ExchangeAccount, datetime], Iterator[_Entry]], wanted: Callable[[_Entry], bool]
) -> list[_Entry]:
    """Return a page of entries, oldest first; with a start the first of the window, else the newest."""
    limit = call.params.whole("limit", 100, least=1, most=1000)
    window = open_window_of(call.params, call.now)
    first, last = to_ms(window.start), to_ms(window.end)
    found = sorted(
        (e for e in entries(call.exchange_account, window.earliest) if first <= e.at_ms <= last and wanted(e)),
        key=lambda e: (e.at_ms, e.tran_id, e.kind),
    )
    return found[:limit] if call.params.has("startTime") else found[-limit:]


def _income(exchange_account: ExchangeAccount, since: datetime) -> Iterator[_Entry]:
    journal = exchange_account.world.parts.journal
    for payment in journal.payments(since):
        at = to_ms(payment.at)
        entry = _Entry(
            kind="FUNDING_FEE",
            asset="USDT",
            amount=payment.amount,
            tran_id=payment.tran_id,
            at_ms=at,
            symbol=payment.symbol,
        )
        yield entry
    for fill in journal.all_fills(since):
        if fill.market is Market.PERP:
            yield from (e for e in _trade_income(fill) if e.amount)
    for transfer in rows_since(exchange_account.transfers, since):
        yield _Entry(
            kind="TRANSFER",
            asset=transfer.asset,
            amount=transfer.to_perp,
            tran_id=transfer.tran_id,
            at_ms=to_ms(transfer.at),
        )
    for row in journal.rows(since):
        if row.wallet is Wallet.PERP and row.kind is not FlowKind.USER_TRADE:
            kind = INCOME_OF.get(row.kind, "TRANSFER")
            yield _Entry(
                kind=kind, asset=row.asset, amount=row.amount, tran_id=_row_number(row.row_id), at_ms=to_ms(row.at)
            )


def _trade_income(fill: Fill) -> Iterator[_Entry]:
    for kind, amount in (("REALIZED_PNL", fill.realized_pnl), ("COMMISSION", -fill.fee)):
        yield _Entry(
            kind=kind,
            asset=fill.fee_asset,
            amount=amount,
            tran_id=TRADE_TRAN_ID + fill.trade_id,
            at_ms=to_ms(fill.at),
            symbol=fill.symbol,
            trade_id=str(FIRST_TRADE_ID + fill.trade_id),
        )


def _transactions(exchange_account: ExchangeAccount, since: datetime) -> Iterator[_Entry]:
    journal = exchange_account.world.parts.journal
    for fill in journal.all_fills(since):
        if fill.market is Market.SPOT:
            yield from _trade_legs(exchange_account, fill)
    for transfer in rows_since(exchange_account.transfers, since):
        kind = "TRANSFER_SPOT_TO_FUTURE" if transfer.to_perp > 0 else "TRANSFER_FUTURE_TO_SPOT"
        yield _Entry(
            kind=kind,
            asset=transfer.asset,
            amount=-transfer.to_perp,
            tran_id=transfer.tran_id,
            at_ms=to_ms(transfer.at),
        )
    for row in journal.rows(since):
        if row.wallet is Wallet.SPOT and row.kind is not FlowKind.USER_TRADE:
            kind = {FlowKind.REBATE: "COMMISSION_REBATE", FlowKind.AUTO_EXCHANGE: "SWAP"}.get(row.kind, "TRANSFER")
            if row.kind is FlowKind.USER_TRANSFER:
                kind = "TRANSFER_FUTURE_TO_SPOT" if row.amount > 0 else "TRANSFER_SPOT_TO_FUTURE"
            yield _Entry(
                kind=kind, asset=row.asset, amount=row.amount, tran_id=_row_number(row.row_id), at_ms=to_ms(row.at)
            )


def _trade_legs(exchange_account: ExchangeAccount, fill: Fill) -> Iterator[_Entry]:
    """Yield what was given and what was received, net of the fee; both under one number."""
    instrument = exchange_account.world.parts.marketplace.instrument(fill.market, fill.symbol)
    fee_in_quote = fill.fee if fill.fee_asset == instrument.quote else ZERO
    base, quote = fill.net_base(instrument.base), -fill.side.sign * fill.notional - fee_in_quote
    for asset, amount in ((instrument.base, base), (instrument.quote, quote)):
        received = (asset == instrument.base) == (fill.side is Side.BUY)
        yield _Entry(
            kind="TRADE_TARGET" if received else "TRADE_SOURCE",
            asset=asset,
            amount=amount,
            tran_id=TRADE_TRAN_ID + fill.trade_id,
            at_ms=to_ms(fill.at),
        )


def _row_number(row_id: str) -> int:
    return FIRST_TRAN_ID + int(row_id.rpartition("-")[2])


def _perp_trade(call: RestCall, fill: Fill) -> dict[str, Any]:
    instrument = call.exchange.market.instrument(fill.market, fill.symbol)
    return {
        "symbol": fill.symbol,
        "id": FIRST_TRADE_ID + fill.trade_id,
        "orderId": call.exchange_account.order_number(fill),
        "side": fill.side.value,
        "price": traded_price_text(instrument, fill.price),
        "qty": quantity_text(instrument, fill.quantity),
        "realizedPnl": short(fill.realized_pnl),
        "marginAsset": instrument.quote,
        "quoteQty": plain(fill.notional),
        "commission": short(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": to_ms(fill.at),
        "positionSide": "BOTH",
        "maker": fill.maker,
        "buyer": fill.side is Side.BUY,
    }


def _spot_trade(call: RestCall, fill: Fill) -> dict[str, Any]:
    instrument = call.exchange.market.instrument(fill.market, fill.symbol)
    return {
        "symbol": fill.symbol,
        "id": FIRST_TRADE_ID + fill.trade_id,
        "orderId": call.exchange_account.order_number(fill),
        "side": fill.side.value,
        "price": traded_price_text(instrument, fill.price),
        "qty": quantity_text(instrument, fill.quantity),
        "quoteQty": money(fill.notional),
        "commission": money(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": to_ms(fill.at),
        "counterpartyId": 19,
        "createUpdateId": None,
        "maker": fill.maker,
        "buyer": fill.side is Side.BUY,
    }


def _twenty_for_one(params: Params) -> int:
    return 20 if params.has("symbol") else 50


ROUTES = {
    Market.PERP: (
        Route(method="GET", name="income", handler=income, weight=30, security=Security.DATA),
        Route(method="GET", name="forceOrders", handler=force_orders, weight=_twenty_for_one, security=Security.DATA),
    ),
    Market.SPOT: (
        Route(method="GET", name="transactionHistory", handler=transactions, weight=30, security=Security.DATA),
    ),
    None: (Route(method="GET", name="userTrades", handler=user_trades, weight=5, security=Security.DATA),),
}
"""By market; None = both."""
