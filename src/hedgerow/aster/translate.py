"""Rows of the venue as values of the domain."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from hedgerow.aster.wire import BookTicker, CommissionRow, DepthReply, PremiumRow, SymbolRow, from_millis
from hedgerow.aster.wire_account import (
    AccountPosition,
    BalanceRow,
    OrderRow,
    PerpAccount,
    PositionRow,
    SpotAccount,
    TradeRow,
)
from hedgerow.domain.account import QUOTE_ASSET, Balance, MarginType, PerpPosition, PerpWallet
from hedgerow.domain.errors import OutcomeUnknown
from hedgerow.domain.events import OrderEnded, OrderProgressed
from hedgerow.domain.funding import FundingRate
from hedgerow.domain.instrument import FeeRates, Instrument, Market, Side, TradingStatus
from hedgerow.domain.market import Depth, Quote
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import Fill, OrderStatus

__all__ = [
    "DOCUMENTED_FEES",
    "balances_in",
    "depth_of",
    "fees_of",
    "fill_of",
    "instrument_of",
    "perp_wallet_of",
    "position_of",
    "positions_in",
    "predicted_of",
    "quote_of",
    "spot_balances_of",
    "told",
]

DOCUMENTED_FEES = {
    Market.SPOT: FeeRates(maker=Decimal("0.00005"), taker=Decimal("0.0004")),
    Market.PERP: FeeRates(maker=Decimal("0.0001"), taker=Decimal("0.00035")),
}
"""Base fees by the venue's fee pages (API reference 12), until the account's own are read."""
_STATUSES = {
    "TRADING": TradingStatus.TRADING,
    "PENDING_TRADING": TradingStatus.PENDING,
    "PRE_SETTLE": TradingStatus.SETTLING,
    "SETTLING": TradingStatus.SETTLING,
}
_END_WORDS = {"EXPIRED_IN_MATCH": OrderStatus.EXPIRED, "PENDING_CANCEL": OrderStatus.PARTIALLY_FILLED}
_UNLIMITED = Decimal(10) ** 12
_PRICE_STEP = Decimal("1e-8")
"""Digits of marks and liquidation prices on the wire."""


def instrument_of(market: Market, row: SymbolRow, fees: FeeRates) -> Instrument | None:
    """Return a symbol as an instrument; None for one without usable price and lot filters."""
    price, lot = row.filter("PRICE_FILTER"), row.filter("LOT_SIZE")
    if price is None or lot is None or not price.tick_size or not lot.step_size:
        return None
    band = row.filter("PERCENT_PRICE")
    return Instrument(
        market=market,
        symbol=row.symbol,
        base=row.base_asset,
        quote=row.quote_asset,
        tick=price.tick_size,
        lot=lot.step_size,
        min_quantity=lot.min_qty or ZERO,
        max_quantity=lot.max_qty or _UNLIMITED,
        min_notional=_min_notional(row),
        fees=fees,
        status=_STATUSES.get(row.status, TradingStatus.CLOSED),
        price_down=(band.multiplier_down if band else None) or ZERO,
        price_up=(band.multiplier_up if band else None) or ZERO,
    )


def _min_notional(row: SymbolRow) -> Decimal:
    """Perpetuals call it ``notional``, spot ``minNotional``, in one or two filters."""
    rows = [found for found in (row.filter("MIN_NOTIONAL"), row.filter("NOTIONAL")) if found]
    return max((f.notional or f.min_notional or ZERO for f in rows), default=ZERO)


def fees_of(row: CommissionRow) -> FeeRates:
    """Return the account's commission."""
    return FeeRates(maker=row.maker_commission_rate, taker=row.taker_commission_rate)


def quote_of(market: Market, row: BookTicker, at: datetime) -> Quote:
    """Return best bid and ask as read at ``at``; price 0 means an empty side."""
    return Quote(
        market=market,
        symbol=row.symbol,
        bid=row.bid_price or None,
        bid_quantity=row.bid_qty,
        ask=row.ask_price or None,
        ask_quantity=row.ask_qty,
        at=at,
    )


def depth_of(market: Market, symbol: str, row: DepthReply, at: datetime) -> Depth:
    """Return a book as read at ``at``."""
    return Depth(market=market, symbol=symbol, bids=row.bids, asks=row.asks, at=at)


def predicted_of(row: PremiumRow, interval_hours: int | None) -> FundingRate | None:
    """Return the running estimate; None where rate, time or interval is not told."""
    if row.last_funding_rate is None or row.next_funding_time <= 0 or not interval_hours:
        return None
    return FundingRate(
        symbol=row.symbol,
        rate=row.last_funding_rate,
        interval_hours=interval_hours,
        at=from_millis(row.next_funding_time),
        settled=False,
    )


def spot_balances_of(account: SpotAccount) -> dict[str, Balance]:
    """Return the spot wallet; assets with nothing are left out."""
    rows = (row for row in account.balances if row.free or row.locked)
    return {row.asset: Balance(asset=row.asset, free=row.free, locked=row.locked) for row in rows}


def perp_wallet_of(rows: Iterable[BalanceRow]) -> PerpWallet:
    """Return the USDT side of the perpetual wallet.

    Raises:
        OutcomeUnknown: the venue lists no USDT.
    """
    row = next((row for row in rows if row.asset == QUOTE_ASSET), None)
    if row is None:
        raise OutcomeUnknown(f"the exchange lists no {QUOTE_ASSET} in the perpetual wallet")
    return PerpWallet(
        balance=row.balance,
        unrealized_pnl=row.cross_un_pnl,
        available=row.available_balance,
        transferable=row.max_withdraw_amount,
    )


def balances_in(account: PerpAccount) -> tuple[BalanceRow, ...]:
    """Return the margin assets as the list of balances shows them."""
    return tuple(
        BalanceRow(
            asset=row.asset,
            balance=row.wallet_balance,
            cross_un_pnl=row.cross_un_pnl,
            available_balance=row.available_balance,
            max_withdraw_amount=row.max_withdraw_amount,
        )
        for row in account.assets
    )


def positions_in(account: PerpAccount) -> tuple[PositionRow, ...]:
    """Return the positions as the list of positions shows them, with marks and liquidation prices worked out.

    They hold for crossed positions in one-way, single-asset mode at their present margin rate.
    """
    return tuple(_position_in(account, row) for row in account.positions)


def _position_in(account: PerpAccount, row: AccountPosition) -> PositionRow:
    mark = ZERO
    if row.position_amt:
        mark = (row.entry_price + row.unrealized_profit / row.position_amt).quantize(_PRICE_STEP)
    return PositionRow(
        symbol=row.symbol,
        position_amt=row.position_amt,
        entry_price=row.entry_price,
        mark_price=mark,
        un_realized_profit=row.unrealized_profit,
        liquidation_price=_liquidation_price(account, row, mark) if mark > 0 else ZERO,
        leverage=row.leverage,
        margin_type="isolated" if row.isolated else "cross",
        position_side=row.position_side,
    )


def _liquidation_price(account: PerpAccount, row: AccountPosition, mark: Decimal) -> Decimal:
    """Return the mark at which margin balance and maintenance margin meet, all else unchanged; 0 when out of reach."""
    margin = sum((a.wallet_balance + a.cross_un_pnl for a in account.assets if a.asset == QUOTE_ASSET), ZERO)
    slope = row.maint_margin / mark - row.position_amt
    rest = margin - row.unrealized_profit - (account.total_maint_margin - row.maint_margin)
    if slope == 0:
        return ZERO
    return max(ZERO, ((rest - row.entry_price * row.position_amt) / slope).quantize(_PRICE_STEP))


def position_of(row: PositionRow) -> PerpPosition:
    """Return a position; a liquidation price of 0 means none."""
    pnl = row.un_realized_profit if row.un_realized_profit is not None else row.unrealized_profit
    return PerpPosition(
        symbol=row.symbol,
        quantity=row.position_amt,
        entry_price=row.entry_price,
        mark_price=row.mark_price,
        unrealized_pnl=pnl or ZERO,
        leverage=row.leverage,
        margin_type=MarginType.ISOLATED if row.margin_type.lower() == "isolated" else MarginType.CROSSED,
        liquidation_price=row.liquidation_price if row.liquidation_price > 0 else None,
    )


def fill_of(market: Market, row: TradeRow, client_id: str) -> Fill:
    """Return a trade of ours."""
    return Fill(
        market=market,
        symbol=row.symbol,
        trade_id=row.id,
        order_id=row.order_id,
        client_id=client_id,
        side=Side(row.side),
        quantity=row.qty,
        price=row.price,
        fee=row.commission,
        fee_asset=row.commission_asset or QUOTE_ASSET,
        realized_pnl=row.realized_pnl,
        maker=row.maker,
        at=from_millis(row.time),
    )


def told(row: OrderRow, client_id: str, now: datetime) -> OrderEnded | OrderProgressed:
    """Return an order's present state as an event, timed by the venue where it names a time.

    Raises:
        OutcomeUnknown: the venue uses a state that is not known here.
    """
    status = _END_WORDS.get(row.status) or _status(row.status)
    at = from_millis(row.update_time or row.time) if row.update_time or row.time else now
    if status.done:
        return OrderEnded(
            at=at,
            client_id=client_id,
            order_id=row.order_id,
            status=status,
            filled_quantity=row.executed_qty,
            filled_notional=row.filled_notional,
        )
    return OrderProgressed(
        at=at,
        client_id=client_id,
        order_id=row.order_id,
        filled_quantity=row.executed_qty,
        filled_notional=row.filled_notional,
    )


def _status(text: str) -> OrderStatus:
    try:
        return OrderStatus(text)
    except ValueError as unknown:
        raise OutcomeUnknown(f"the exchange calls an order {text!r}, which is not known here") from unknown
