"""Account history: trades, funding payments and statement rows, paged back to a given time."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from hedgerow.aster.account.own_activity import TRANSFER_SLACK, OwnActivity, OwnTransfer
from hedgerow.aster.account.pagination import all_pages
from hedgerow.aster.client import AsterClient
from hedgerow.aster.schema.account_rows import IncomeRow, TradeRow, TransactionRow
from hedgerow.aster.schema.convert import fill_of
from hedgerow.aster.schema.market_rows import from_millis
from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.errors import OrderNotFound, OutcomeUnknown
from hedgerow.domain.events import FlowKind, Wallet
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import Fill
from hedgerow.ports import AccountHistory, Clock, StatementRow
from hedgerow.tasks import all_of

__all__ = ["AsterAccountHistory"]

LONG = timedelta(days=21)
"""Paged over a longer time, funding payments take a notable part of the limits."""
TRADE_SLACK = timedelta(minutes=1)
"""A trade's report and the rows of its fee and profit carry nearly the same time."""
FUNDING, COMMISSION, REALIZED = "FUNDING_FEE", "COMMISSION", "REALIZED_PNL"
RECENT = timedelta(minutes=15)
"""An older trade whose order is not found is one of an order that the venue does not keep any more."""
LISTED_WITHIN_SECONDS = 10.0
"""How long look-ups may not find the order of a recent trade before it counts as not kept."""
_INCOME_KINDS = {
    "TRANSFER": FlowKind.USER_TRANSFER,
    "INSURANCE_CLEAR": FlowKind.LIQUIDATION_FEE,
    "AUTO_EXCHANGE": FlowKind.AUTO_EXCHANGE,
    **dict.fromkeys(
        (
            "REFERRAL_KICKBACK",
            "COMMISSION_REBATE",
            "MARKET_MAKER_REBATE",
            "API_REBATE",
            "MARKET_MERCHANT_RETURN_REWARD",
        ),
        FlowKind.REBATE,
    ),
}
_SPOT_KINDS = {
    **dict.fromkeys(("TRANSFER_SPOT_TO_FUTURE", "TRANSFER_FUTURE_TO_SPOT"), FlowKind.USER_TRANSFER),
    **dict.fromkeys(("COMMISSION_REBATE", "CASH_BACK"), FlowKind.REBATE),
    "SWAP": FlowKind.AUTO_EXCHANGE,
}
_MOVES = {"TRANSFER", "INTERNAL_TRANSFER", "TRANSFER_SPOT_TO_SPOT", "TRANSFER_REFUND", "DEPOSIT", "WITHDRAW"}
"""Types that bring or take money from outside; the sign says which."""
_SPOT_TRADES = {"TRADE_TARGET", "TRADE_SOURCE"}


class AsterAccountHistory:
    """What the venue wrote down about the account."""

    def __init__(self, client: AsterClient, clock: Clock, own: OwnActivity) -> None:
        self._client = client
        self._clock = clock
        self._own = own

    async def fills(
        self, market: Market, symbol: str | None, since: datetime, until: datetime | None = None
    ) -> tuple[Fill, ...]:
        """Return our trades with the client ids of their orders, as far as the venue still knows them.

        Raises:
            OutcomeUnknown: the order behind a trade is not listed yet; whose trade it is, or whether the venue forced
                it, cannot be known before.
        """
        rows = await all_pages(
            lambda start, end: self._client.trades(market, symbol, start=start, end=end),
            since=since,
            now=self._client.rest.time.now(),
            key=lambda row: (row.symbol, row.id, row.order_id),
            until=until,
        )
        names = await self._client_ids(market, rows)
        return tuple(fill_of(market, row, names[row.order_id]) for row in rows)

    async def funding_payments(self, since: datetime) -> tuple[FundingPayment, ...]:
        """Return the funding payments; orders and reads that safety needs go before those of a long time."""
        long = self._client.rest.time.now() - since > LONG
        reader = AsterAccountHistory(self._client.giving_way(), self._clock, self._own) if long else self
        return _payments(await reader.income(since, FUNDING))

    async def statement(self, since: datetime, until: datetime | None = None) -> tuple[StatementRow, ...]:
        """Return the rows that are no trade, fee, funding or transfer of the bot's, oldest first.

        Trades the venue forced (liquidation, ADL) are not here: they are fills of their own. Orders and reads that
        safety needs go first.
        """
        patient = AsterAccountHistory(self._client.giving_way(), self._clock, self._own)
        rows: Iterable[StatementRow] = (await patient.record(since, until)).rows
        for wallet in Wallet:
            rows = _without_own(rows, wallet, self._own.transfers(wallet))
        return tuple(rows)

    async def record(self, since: datetime, until: datetime | None = None) -> AccountHistory:
        """Return everything that the venue wrote down since a time."""
        income, transactions, spot_fills = await all_of(
            self.income(since, None, until),
            self._transactions(since, until),
            self.fills(Market.SPOT, None, since, until),
        )
        fills = (*spot_fills, *await self._fills_behind(income))
        rows = [
            *(row for row in map(_perp_row, income) if row),
            *(row for row in map(_spot_row, transactions) if row),
            *_by_hand((fill for fill in fills if not self._own.is_own_order(fill.order_id)), _settled_in(income)),
        ]
        return AccountHistory(
            fills=tuple(sorted(fills, key=lambda fill: fill.at)),
            payments=_payments(income),
            rows=tuple(sorted(rows, key=lambda row: row.at)),
        )

    async def income(self, since: datetime, kind: str | None, until: datetime | None = None) -> tuple[IncomeRow, ...]:
        """Return the rows of the perpetual wallet, of one kind or of all."""
        return await all_pages(
            lambda start, end: self._client.income(start=start, end=end, kind=kind),
            since=since,
            now=self._client.rest.time.now(),
            key=lambda row: (row.income_type, row.tran_id, row.asset),
            until=until,
        )

    async def _transactions(self, since: datetime, until: datetime | None) -> tuple[TransactionRow, ...]:
        return await all_pages(
            lambda start, end: self._client.transactions(start=start, end=end),
            since=since,
            now=self._client.rest.time.now(),
            key=lambda row: (row.type, row.tran_id, row.asset),
            until=until,
        )

    async def _fills_behind(self, income: Iterable[IncomeRow]) -> list[Fill]:
        """Return the trades of each perpetual that fees or profits were booked on, over the time of these rows only."""
        times: dict[str, list[datetime]] = {}
        for row in income:
            if row.symbol and row.income_type in {COMMISSION, REALIZED} and row.time:
                times.setdefault(row.symbol, []).append(from_millis(row.time))
        pages = await all_of(
            *(
                self.fills(Market.PERP, symbol, min(traded) - TRADE_SLACK, max(traded) + TRADE_SLACK)
                for symbol, traded in sorted(times.items())
            )
        )
        return [fill for page in pages for fill in page]

    async def _client_ids(self, market: Market, rows: Iterable[TradeRow]) -> dict[int, str]:
        """Return the client id of each trade's order; trades do not carry it, so unknown orders are looked up."""
        orders = {row.order_id: row for row in rows}
        unknown = [order_id for order_id in orders if self._own.client_id(order_id) is None]
        found = await all_of(*(self._look_up(market, orders[order_id]) for order_id in unknown))
        for order_id, client_id in zip(unknown, found, strict=True):
            self._own.accepted(client_id, order_id)
        return {order_id: self._own.client_id(order_id) or "" for order_id in orders}

    async def _look_up(self, market: Market, row: TradeRow) -> str:
        """Return the client id of the order behind a trade; empty for one that the venue does not know any more.

        Raises:
            OutcomeUnknown: it does not know it yet: look-ups may lag behind trades.
        """
        try:
            return (await self._client.order(market, row.symbol, order_id=row.order_id)).client_order_id
        except OrderNotFound as missing:
            recent = abs(self._client.rest.time.now() - from_millis(row.time)) < RECENT
            seconds = self._own.missing_for(row.order_id, self._clock.monotonic())
            if recent and seconds < LISTED_WITHIN_SECONDS:
                text = f"order {row.order_id} of {row.symbol} has traded and is not listed yet"
                raise OutcomeUnknown(text) from missing
            return ""


def _payments(rows: Iterable[IncomeRow]) -> tuple[FundingPayment, ...]:
    """Return what was paid in USDT: funding of a perpetual that is settled in another asset is a row of the statement.

    That of one settled in USDT is nothing before it is listed in USDT.
    """
    return tuple(
        FundingPayment(symbol=row.symbol or "", amount=row.income, tran_id=row.tran_id, at=from_millis(row.time))
        for row in rows
        if row.income_type == FUNDING and row.asset == QUOTE_ASSET
    )


def _settled_in(income: Iterable[IncomeRow]) -> dict[str, str]:
    """Return the asset of profits by perpetual, of those that are not settled in USDT."""
    return {
        row.symbol: row.asset
        for row in income
        if row.income_type == REALIZED and row.symbol and not row.symbol.endswith(QUOTE_ASSET)
    }


def _by_hand(fills: Iterable[Fill], settled_in: Mapping[str, str]) -> list[StatementRow]:
    rows: list[StatementRow] = []
    for fill in fills:
        if not fill.forced:
            rows.extend(_changes(fill, settled_in.get(fill.symbol, QUOTE_ASSET)))
    return rows


def _changes(fill: Fill, profit_asset: str) -> list[StatementRow]:
    """Return what one trade changed, asset by asset, the fee apart; a perpetual's profit is in ``profit_asset``."""
    spot = fill.market is Market.SPOT
    base = fill.symbol.removesuffix(QUOTE_ASSET)
    signed = fill.quantity if fill.side is Side.BUY else -fill.quantity
    trade = [(base, signed), (QUOTE_ASSET, -signed * fill.price)] if spot else [(profit_asset, fill.realized_pnl)]
    return [
        StatementRow(
            row_id=f"{fill.market}-trade-{fill.symbol}-{fill.trade_id}-{number}",
            wallet=Wallet.SPOT if spot else Wallet.PERP,
            asset=asset,
            amount=amount,
            kind=FlowKind.USER_TRADE,
            at=fill.at,
        )
        for number, (asset, amount) in enumerate([*trade, (fill.fee_asset, -fill.fee)])
        if amount
    ]


def _perp_row(row: IncomeRow) -> StatementRow | None:
    if not row.income or _is_of_trade_or_funding(row):
        return None
    kind = _INCOME_KINDS.get(row.income_type) or _outside(row.income_type, row.income)
    return StatementRow(
        row_id=f"perp-{row.income_type}-{row.tran_id}-{row.asset}",
        wallet=Wallet.PERP,
        asset=row.asset,
        amount=row.income,
        kind=kind,
        at=from_millis(row.time),
        symbol=row.symbol or "",
        tran_id=row.tran_id,
        trade_id=int(trade) if (trade := str(row.trade_id)).isdecimal() else 0,
    )


def _is_of_trade_or_funding(row: IncomeRow) -> bool:
    """Return whether a row is that of a trade or payment, or cannot be so: USDT funds a perpetual settled in USDT."""
    if row.income_type == FUNDING:
        return row.asset == QUOTE_ASSET or (row.symbol or "").endswith(QUOTE_ASSET)
    return row.income_type in {COMMISSION, REALIZED}


def _spot_row(row: TransactionRow) -> StatementRow | None:
    if row.type in _SPOT_TRADES or not row.balance_delta:
        return None
    return StatementRow(
        row_id=f"spot-{row.type}-{row.tran_id}-{row.asset}",
        wallet=Wallet.SPOT,
        asset=row.asset,
        amount=row.balance_delta,
        kind=_SPOT_KINDS.get(row.type) or _outside(row.type, row.balance_delta),
        at=from_millis(row.time),
    )


def _outside(name: str, amount: Decimal) -> FlowKind:
    if name not in _MOVES:
        return FlowKind.OTHER
    return FlowKind.DEPOSIT if amount > 0 else FlowKind.WITHDRAWAL


def _distance_to(transfer: OwnTransfer) -> Callable[[StatementRow], tuple[timedelta, timedelta]]:
    """Return the order of nearness: outside the transfer's time, then from its confirmation."""
    return lambda row: (transfer.apart(row.at), abs(row.at - transfer.at))


def _without_own(
    rows: Iterable[StatementRow], wallet: Wallet, own: Iterable[tuple[OwnTransfer, str, Decimal]]
) -> list[StatementRow]:
    """Leave out one row per transfer of ours: the one of its asset and amount that is nearest in time."""
    left = list(rows)
    for transfer, asset, amount in own:
        alike = [
            row
            for row in left
            if row.kind is FlowKind.USER_TRANSFER and (row.wallet, row.asset, row.amount) == (wallet, asset, amount)
        ]
        near = [row for row in alike if transfer.apart(row.at) <= TRANSFER_SLACK]
        if near:
            left.remove(min(near, key=_distance_to(transfer)))
    return left
