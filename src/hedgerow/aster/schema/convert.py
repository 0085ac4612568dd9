"""Converts rows of the venue to domain values."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from hedgerow.aster.rules import forced_trade
from hedgerow.aster.schema.account_rows import (
    AccountPosition,
    OrderRow,
    PerpAccountReply,
    PositionRow,
    SpotAccount,
    SymbolBrackets,
    TradeRow,
)
from hedgerow.aster.schema.market_rows import BookTicker, CommissionRow, DepthReply, PremiumRow, SymbolRow, from_millis
from hedgerow.domain.account import QUOTE_ASSET, Balance, MarginTier, MarginType, PerpPosition, PerpWallet
from hedgerow.domain.errors import OutcomeUnknown
from hedgerow.domain.events import OrderEnded, OrderProgressed
from hedgerow.domain.funding import FundingRate
from hedgerow.domain.instrument import FeeRates, Instrument, Market, Side, TradingStatus
from hedgerow.domain.market import Depth, Quote
from hedgerow.domain.money import ZERO, plain
from hedgerow.domain.order import Fill, OrderRequest, OrderStatus, TimeInForce

__all__ = [
    "DOCUMENTED_FEES",
    "SidedPosition",
    "depth_of",
    "doubts_in",
    "fees_of",
    "fill_of",
    "instrument_of",
    "mistaken",
    "order_report",
    "perp_wallet_of",
    "position_of",
    "positions_in",
    "predicted_of",
    "quote_of",
    "sided_position_of",
    "spot_balances_of",
    "tiers_of",
]

DOCUMENTED_FEES = {
    Market.SPOT: FeeRates(maker=Decimal("0.00005"), taker=Decimal("0.0004")),
    Market.PERP: FeeRates(maker=Decimal("0.0001"), taker=Decimal("0.00035")),
}
"""Base fees by the venue's fee pages (docs/aster-api.md 12), until the account's own are read."""
_STATUSES = {
    "TRADING": TradingStatus.TRADING,
    **dict.fromkeys(("PENDING_TRADING", "PRE_TRADING"), TradingStatus.PENDING),
    **dict.fromkeys(("PRE_SETTLE", "SETTLING", "PRE_DELIVERING", "DELIVERING"), TradingStatus.SETTLING),
    **dict.fromkeys(("CLOSE", "DELIVERED", "POST_TRADING", "END_OF_DAY", "HALT", "BREAK"), TradingStatus.CLOSED),
}
_END_WORDS = {"EXPIRED_IN_MATCH": OrderStatus.EXPIRED, "PENDING_CANCEL": OrderStatus.PARTIALLY_FILLED}
_PRICE_STEP = Decimal("1e-8")
"""Digits of marks and liquidation prices on the wire."""
_HIGHEST_PRICE = Decimal(10) ** 15
"""A price above this is out of every reach; below it, the digits of the wire fit."""
_MARGIN_TOLERANCE, _MARGIN_SLACK = Decimal("1.01"), Decimal("0.01")
"""How far totals may lie from the sum of their rows: prices move between two fields, and digits are cut."""


def instrument_of(market: Market, row: SymbolRow, fees: FeeRates) -> Instrument | None:
    """Return a symbol as an instrument; None for one whose status or filters cannot be read.

    Every symbol has the four filters: price, lot, least notional and price band (docs/aster-api.md, section 7).
    """
    price, lot, band = row.filter("PRICE_FILTER"), row.filter("LOT_SIZE"), row.filter("PERCENT_PRICE")
    status, min_notional = _STATUSES.get(row.status), _min_notional(row)
    if price is None or lot is None or band is None or status is None or min_notional is None:
        return None
    tick, step, least, most = price.tick_size, lot.step_size, lot.min_qty, lot.max_qty
    down, up = band.multiplier_down, band.multiplier_up
    if not tick or not step or least is None or not most or down is None or not up:
        return None
    if min(tick, step, least, most, min_notional, down, up) < 0 or least > most or down >= up:
        return None
    return Instrument(
        market=market,
        symbol=row.symbol,
        base=row.base_asset,
        quote=row.quote_asset,
        tick=tick,
        lot=step,
        min_quantity=least,
        max_quantity=most,
        min_notional=min_notional,
        fees=fees,
        status=status,
        price_down=down,
        price_up=up,
    )


def _min_notional(row: SymbolRow) -> Decimal | None:
    """Perpetuals call it ``notional``, spot ``minNotional``, in one or two filters; None where one is unreadable."""
    rows = [found for found in (row.filter("MIN_NOTIONAL"), row.filter("NOTIONAL")) if found]
    order_report = [row.notional if row.notional is not None else row.min_notional for row in rows]
    known = [value for value in order_report if value is not None]
    return max(known) if known and len(known) == len(order_report) else None


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
    """Return the running estimate; None where rate, time or interval is unknown."""
    if row.last_funding_rate is None or row.next_funding_time is None or not interval_hours:
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


def perp_wallet_of(account: PerpAccountReply) -> PerpWallet:
    """Return the USDT side of the perpetual wallet.

    Raises:
        OutcomeUnknown: the exchange shows no USDT, or its row cannot be read.
    """
    row = next((row for row in account.assets if row.asset == QUOTE_ASSET), None)
    if row is None:
        unreadable = QUOTE_ASSET in account.unreadable_assets
        shown = f"a row of {QUOTE_ASSET} that cannot be read" if unreadable else f"no {QUOTE_ASSET}"
        raise OutcomeUnknown(f"the exchange lists {shown} in the perpetual wallet")
    return PerpWallet(
        balance=row.wallet_balance,
        unrealized_pnl=row.cross_un_pnl,
        available=row.available_balance,
        transferable=row.max_withdraw_amount,
    )


class SidedPosition(Struct, frozen=True, kw_only=True):
    """A position and its side, as in hedge mode, where a symbol has two."""

    position: PerpPosition
    side: str
    """BOTH, LONG or SHORT; BOTH in one-way mode."""

    @property
    def symbol(self) -> str:
        """Symbol of the perpetual."""
        return self.position.symbol

    @property
    def key(self) -> tuple[str, str]:
        """What it is a position of."""
        return self.symbol, self.side


def positions_in(account: PerpAccountReply) -> tuple[SidedPosition, ...]:
    """Return the positions of the account's reply, with marks and liquidation prices worked out.

    They hold for crossed positions in one-way, single-asset mode at their present margin rate. A position whose mark
    works out as no price is left out: its row contradicts itself.
    """
    rows = ((row, _mark_of(row)) for row in account.positions)
    return tuple(
        SidedPosition(position=_position_in(account, row, mark), side=row.position_side)
        for row, mark in rows
        if mark is not None
    )


def doubts_in(account: PerpAccountReply, *, multi_assets: bool, complete: bool) -> tuple[str, ...]:
    """Return what of an account reply contradicts itself, one sentence each.

    Totals are compared only in single-asset mode, where they count USDT alone or everything at its price in USDT, and
    the margin only where the positions are ``complete``: one that is known to be hidden explains the difference.
    """
    found = [
        f"{row.symbol} is shown flat with a maintenance margin of {plain(row.maint_margin)}"
        for row in account.positions
        if row.maint_margin > 0 and not row.position_amt
    ]
    if multi_assets:
        return tuple(found)
    margins = sum((row.maint_margin for row in account.positions), ZERO)
    if complete and account.total_maint_margin > margins * _MARGIN_TOLERANCE + _MARGIN_SLACK:
        found.append(
            f"the account's maintenance margin is {plain(account.total_maint_margin)},"
            f" and its positions account for {plain(margins)}"
        )
    balance = _wallet_doubt(account)
    return (*found, balance) if balance else tuple(found)


def _wallet_doubt(account: PerpAccountReply) -> str | None:
    """Return what is wrong between the wallet's total and its USDT."""
    total = account.total_wallet_balance
    balances = {row.asset: row.wallet_balance for row in account.assets}
    usdt = balances.get(QUOTE_ASSET)
    if total is None or usdt is None or min(balances.values()) < 0 or account.unreadable_assets:
        return None
    slack = usdt * (_MARGIN_TOLERANCE - 1) + _MARGIN_SLACK
    alone = not any(amount for asset, amount in balances.items() if asset != QUOTE_ASSET)
    if usdt - total > slack or (alone and total - usdt > slack):
        return f"the perpetual wallet's total is {plain(total)}, and its {QUOTE_ASSET} is {plain(usdt)}"
    return None


def _mark_of(row: AccountPosition) -> Decimal | None:
    """Return the mark that a position's profit shows, 0 for a flat one, or None where it is no price."""
    if not row.position_amt:
        return ZERO
    mark = row.entry_price + row.unrealized_profit / row.position_amt
    return mark.quantize(_PRICE_STEP) if _PRICE_STEP <= mark < _HIGHEST_PRICE else None


def _position_in(account: PerpAccountReply, row: AccountPosition, mark: Decimal) -> PerpPosition:
    return PerpPosition(
        symbol=row.symbol,
        quantity=row.position_amt,
        entry_price=row.entry_price,
        mark_price=mark,
        unrealized_pnl=row.unrealized_profit,
        leverage=row.leverage,
        margin_type=MarginType.ISOLATED if row.isolated else MarginType.CROSSED,
        liquidation_price=_liquidation_price(account, row, mark) if mark > 0 else None,
        maintenance=row.maint_margin,
    )


def _liquidation_price(account: PerpAccountReply, row: AccountPosition, mark: Decimal) -> Decimal | None:
    """Return the mark at which margin balance and maintenance margin meet, all else unchanged; None out of reach."""
    margin = sum((a.wallet_balance + a.cross_un_pnl for a in account.assets if a.asset == QUOTE_ASSET), ZERO)
    slope = row.maint_margin / mark - row.position_amt
    rest = margin - row.unrealized_profit - (account.total_maint_margin - row.maint_margin)
    if slope == 0:
        return None
    price = (rest - row.entry_price * row.position_amt) / slope
    rounded = price.quantize(_PRICE_STEP) if ZERO < price < _HIGHEST_PRICE else ZERO
    return rounded if rounded > 0 else None


def tiers_of(listed: SymbolBrackets) -> tuple[MarginTier, ...]:
    """Return the tiers of a perpetual, smallest first; none where its brackets do not begin at zero."""
    rows = sorted(listed.brackets, key=lambda row: row.notional_floor)
    if not rows or rows[0].notional_floor:
        return ()
    return tuple(MarginTier(floor=row.notional_floor, rate=row.maint_margin_ratio, cumulative=row.cum) for row in rows)


def sided_position_of(row: PositionRow) -> SidedPosition:
    """Return a position and its side."""
    return SidedPosition(position=position_of(row), side=row.position_side)


def position_of(row: PositionRow) -> PerpPosition:
    """Return a position; a liquidation price of 0 means none."""
    return PerpPosition(
        symbol=row.symbol,
        quantity=row.position_amt,
        entry_price=row.entry_price,
        mark_price=row.mark_price,
        unrealized_pnl=row.pnl,
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
        fee_asset=row.commission_asset,
        realized_pnl=_realized(market, row),
        maker=row.maker,
        at=from_millis(row.time),
        forced_trade=forced_trade(client_id),
    )


def _realized(market: Market, row: TradeRow) -> Decimal:
    """Return the profit that a trade of the perpetual realised; the spot market has none.

    Raises:
        OutcomeUnknown: the perpetual's trade does not say.
    """
    if market is Market.SPOT:
        return ZERO
    if row.realized_pnl is None:
        raise OutcomeUnknown(f"the exchange lists trade {row.id} of {row.symbol} without its realised profit")
    return row.realized_pnl


def mistaken(row: OrderRow, request: OrderRequest) -> str | None:
    """Return why a reply cannot be the state of an order, None where it may be.

    It names its order, and executes at most the order's quantity, exactly that where it says FILLED. Its own quantity
    counts where it has one, and no more than was ordered of an order that does not rest: the account's owner may have
    amended the order.
    """
    if (row.symbol, row.client_order_id) != (request.symbol, request.client_id):
        return f"the exchange answered with order {row.client_order_id} of {row.symbol}"
    if row.side is not None and row.side != request.side:
        return f"the exchange calls the order a {row.side}"
    quantity = request.quantity if row.orig_qty is None else row.orig_qty
    if request.time_in_force is TimeInForce.IOC and row.executed_qty > request.quantity:
        quantity = request.quantity
    if row.executed_qty > quantity or (row.status == OrderStatus.FILLED and row.executed_qty != quantity):
        return f"the exchange says {row.status} with {plain(row.executed_qty)} of {plain(quantity)} executed"
    return None


def order_report(row: OrderRow, client_id: str, now: datetime) -> OrderEnded | OrderProgressed:
    """Return an order's present state as an event, timed by the venue where it names a time.

    Raises:
        OutcomeUnknown: the venue uses a state that is not known here.
    """
    status = _END_WORDS.get(row.status) or _status(row.status)
    stamp = row.update_time or row.time
    at = from_millis(stamp) if stamp else now
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
