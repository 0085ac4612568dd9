"""The books as one value: hedges, equity, wallets and the comparison with the venue; its JSON and its tables."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct, field

from hedgerow.dashboard.books.matching import AuditLine, MatchStatus, pending_changes
from hedgerow.dashboard.books.statement import HedgeStatement, Statement
from hedgerow.domain.account import QUOTE_ASSET, AccountView
from hedgerow.domain.ledger.books import BookLine, held_of
from hedgerow.domain.money import ZERO, plain_or_none, sum_or_none
from hedgerow.strategy.hedge_result import ExitPrices, StrategyResult, strategy_result

__all__ = [
    "CSV_COLUMNS",
    "BooksReport",
    "BooksTotals",
    "Row",
    "VenueSide",
    "WalletLine",
    "as_json",
    "csv_rows",
    "wallet_lines",
]

Row = dict[str, object]

CSV_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "hedges": (
        *("hedge", "symbol", "adopted", "opened_at", "ended_at", "reason", "notional"),
        *("funding", "spot_pnl", "perp_pnl", "basis_pnl", "fees", "fees_estimated", "net_profit"),
        *("exit_fees", "exit_spread", "net_if_closed"),
    ),
    "fees": ("hedge", "symbol", "market", "asset", "amount", "value", "estimated"),
    "funding": ("at", "symbol", "amount", "tran_id", "hedge"),
    "rows": ("at", "wallet", "asset", "amount", "class", "row_id"),
    "wallets": (
        *("wallet", "asset", "opening", "trades", "fees", "funding", "transfers", "external"),
        *("expected", "not_booked_yet", "exchange", "difference"),
    ),
    "lines": (
        *("at", "kind", "standing", "wallet", "symbol", "asset", "log", "exchange"),
        *("key", "hedge", "label", "detail"),
    ),
}
"""Names and order of the columns of every table; only ever added to, at the end."""


class WalletLine(Struct, frozen=True, kw_only=True):
    """One asset of one wallet: what the books expect, and what the venue has."""

    wallet: str
    asset: str
    booked: BookLine
    pending: Decimal = ZERO
    """What the venue's newest rows change, which the bot books at its next check."""
    venue: Decimal | None = None
    """None when the venue was not asked."""

    @property
    def difference(self) -> Decimal | None:
        """Venue minus books; zero = they agree."""
        return None if self.venue is None else self.venue - self.booked.balance - self.pending


class VenueSide(Struct, frozen=True, kw_only=True):
    """What the venue reported."""

    name: str
    at: datetime
    account: AccountView
    lines: tuple[AuditLine, ...]
    prices: Mapping[str, ExitPrices] = field(default_factory=dict[str, ExitPrices])
    """By symbol; only what could be read."""
    quiet: bool = True
    """False when a trade was in flight at every reading: then the balances cannot be compared."""


class BooksTotals(Struct, frozen=True, kw_only=True):
    """Sums over hedges, quote units."""

    funding: Decimal
    basis: Decimal | None
    """None while something open has no price."""
    fees: Decimal
    fees_estimated: Decimal
    net: Decimal | None
    """Funding + basis - fees."""
    net_if_closed: Decimal | None
    """After closing now what is open."""

    @staticmethod
    def of(hedges: Sequence[HedgeStatement]) -> "BooksTotals":
        """Return the sums; a part that is unknown makes its sum unknown."""
        results = [each.result for each in hedges]
        return BooksTotals(
            funding=sum((result.funding for result in results), ZERO),
            basis=sum_or_none(result.basis for result in results),
            fees=sum((result.fees_paid for result in results), ZERO),
            fees_estimated=sum((each.hedge.tally.fees_estimated for each in hedges), ZERO),
            net=sum_or_none(result.net_so_far for result in results),
            net_if_closed=sum_or_none(result.net_if_closed for result in results),
        )


class BooksReport(Struct, frozen=True, kw_only=True):
    """The content of ``hedgerow books``; ``hedges`` and the venue's lines are those that were asked for."""

    statement: Statement
    hedges: tuple[HedgeStatement, ...]
    wallets: tuple[WalletLine, ...]
    venue: VenueSide | None = None
    """None when only the log was read."""
    since: datetime | None = None
    hedge_id: str | None = None

    @property
    def totals(self) -> BooksTotals:
        """Sums over the hedges shown."""
        return BooksTotals.of(self.hedges)

    @property
    def ended(self) -> BooksTotals:
        """Sums over the hedges shown that ended: known also while something open has no price."""
        return BooksTotals.of([each for each in self.hedges if each.ended_at is not None])

    @property
    def since_start(self) -> StrategyResult:
        """What all hedges of the log made, also those that are not shown."""
        ledger = self.statement.ledger
        held = [each.result for each in self.statement.hedges if each.hedge.hedge_id in ledger.hedges]
        priced = self.venue.prices.items() if self.venue else ()
        coins = {symbol.removesuffix(QUOTE_ASSET): prices.spot for symbol, prices in priced if prices.spot is not None}
        return strategy_result(ledger, next(iter(held), None), coins, held[1:])

    @property
    def unmatched(self) -> tuple[AuditLine, ...]:
        """Lines that one side lacks, or that differ."""
        return tuple(line for line in self.venue.lines if not line.standing.sound) if self.venue else ()

    @property
    def differences(self) -> dict[str, Decimal]:
        """Venue minus books per ``wallet:asset``, where they differ; none while a trade is in flight."""
        if self.venue is None or not self.venue.quiet:
            return {}
        return {f"{line.wallet}:{line.asset}": line.difference for line in self.wallets if line.difference}

    @property
    def agrees(self) -> bool:
        """Whether every line is matched and every wallet is what the books expect."""
        return not self.unmatched and not self.differences

    @property
    def equity(self) -> Decimal | None:
        """Strategy equity in quote units: the USDT of both wallets, unrealised PnL and the bot's own coins."""
        return self._value(own=True)

    @property
    def account_value(self) -> Decimal | None:
        """Value of the whole account in quote units, the owner's coins included."""
        return self._value(own=False)

    def _value(self, *, own: bool) -> Decimal | None:
        """Return the value in quote units; None without the venue, or without a price of something held."""
        if self.venue is None:
            return None
        account, ledger = self.venue.account, self.statement.ledger
        value = account.coin(QUOTE_ASSET).total + account.perp.balance
        for position in account.positions.values():
            prices = self.venue.prices.get(position.symbol)
            price = prices.perp if prices else None
            value += position.quantity * ((price or position.mark_price) - position.entry_price)
        for asset in account.spot:
            held = ZERO if asset == QUOTE_ASSET else ledger.owned(asset) if own else account.coin(asset).total
            prices = self.venue.prices.get(f"{asset}{QUOTE_ASSET}")
            if held and (prices is None or prices.spot is None):
                return None
            value += held * (prices.spot or ZERO) if prices else ZERO
        return value


def wallet_lines(
    statement: Statement, account: AccountView | None, lines: Sequence[AuditLine] = ()
) -> tuple[WalletLine, ...]:
    """Return one line per wallet and asset that either side knows."""
    booked, pending = statement.ledger.books.lines, pending_changes(lines)
    held = held_of(account) if account else {}
    known = sorted({*booked, *held, *pending})
    rows = [
        WalletLine(
            wallet=key.partition(":")[0],
            asset=key.partition(":")[2],
            booked=booked.get(key, BookLine()),
            pending=pending.get(key, ZERO),
            venue=None if account is None else held.get(key, ZERO),
        )
        for key in known
    ]
    return tuple(line for line in rows if line.venue or line.booked != BookLine() or line.pending)


# --- tables ----------------------------------------------------------------------------------------------------------


def csv_rows(report: BooksReport) -> dict[str, list[Row]]:
    """Return every table as rows of plain values, columns as in ``CSV_COLUMNS``; money as decimal strings."""
    return {
        "hedges": [_hedge_row(each) for each in report.hedges],
        "fees": [_fee_row(each, index) for each in report.hedges for index in range(len(each.fee_lines))],
        "funding": _funding_rows(report),
        "rows": [_external_row(report, index) for index in range(len(report.statement.rows))],
        "wallets": [_wallet_row(line) for line in report.wallets],
        "lines": [_line_row(line) for line in report.venue.lines] if report.venue else [],
    }


def as_json(report: BooksReport) -> Row:
    """Return the whole report for ``--json``: money as decimal strings, times ISO 8601 UTC."""
    totals, ended, venue, whole = report.totals, report.ended, report.venue, report.since_start
    lines = venue.lines if venue else ()
    tables = csv_rows(report)
    return {
        "since": report.since or report.statement.ledger.books_since,
        "until": venue.at if venue else report.statement.last_at,
        "hedge": report.hedge_id,
        "exchange": venue.name if venue else None,
        "agrees": report.agrees if venue else None,
        "trade_under_way": not venue.quiet if venue else None,
        "totals": {
            "funding": plain_or_none(totals.funding),
            "basis_pnl": plain_or_none(totals.basis),
            "fees": plain_or_none(totals.fees),
            "fees_estimated": plain_or_none(totals.fees_estimated),
            "net_profit": plain_or_none(totals.net),
            "net_if_closed": plain_or_none(totals.net_if_closed),
            "ended": {
                "funding": plain_or_none(ended.funding),
                "basis_pnl": plain_or_none(ended.basis),
                "fees": plain_or_none(ended.fees),
                "net_profit": plain_or_none(ended.net),
            },
            "unattributed_funding": plain_or_none(report.statement.ledger.unattributed_funding),
        },
        "since_start": {
            "ended": plain_or_none(whole.ended.net_profit),
            "dust_gain": plain_or_none(whole.dust_gain),
            "net_so_far": plain_or_none(whole.net_so_far),
            "net_if_closed": plain_or_none(whole.net_if_closed),
            "cumulative": plain_or_none(whole.cumulative),
        },
        "strategy_equity": plain_or_none(report.equity),
        "account_value": plain_or_none(report.account_value),
        "books_difference": {key: plain_or_none(value) for key, value in report.differences.items()},
        "standings": {s.value: sum(line.standing is s for line in lines) for s in MatchStatus} if venue else None,
        **tables,
    }


def _row(table: str, *values: Any) -> Row:
    return dict(zip(CSV_COLUMNS[table], values, strict=True))


def _hedge_row(statement: HedgeStatement) -> Row:
    hedge = statement.hedge
    result = statement.result
    money = (
        *(result.funding, result.spot_pnl, result.perp_pnl, result.basis, result.fees_paid),
        *(hedge.tally.fees_estimated, result.net_so_far),
        *(result.exit_fees, result.exit_spread, result.net_if_closed),
    )
    return _row(
        "hedges",
        *(hedge.hedge_id, hedge.symbol, hedge.adopted, hedge.opened_at, statement.ended_at, statement.reason),
        plain_or_none(hedge.entry_notional),
        *(plain_or_none(part) for part in money),
    )


def _fee_row(statement: HedgeStatement, index: int) -> Row:
    line, hedge = statement.fee_lines[index], statement.hedge
    where = (hedge.hedge_id, hedge.symbol, line.market.value, line.asset)
    return _row("fees", *where, plain_or_none(line.amount), plain_or_none(line.value), line.estimated)


def _funding_rows(report: BooksReport) -> list[Row]:
    paid = [(payment, each.hedge.hedge_id) for each in report.hedges for payment in each.payments]
    if report.hedge_id is None:
        paid += [(payment, "") for payment in report.statement.unattributed if _after(payment.at, report.since)]
    paid.sort(key=lambda pair: (pair[0].at, pair[0].tran_id))
    return [_row("funding", p.at, p.symbol, plain_or_none(p.amount), str(p.tran_id), hedge_id) for p, hedge_id in paid]


def _after(at: datetime, since: datetime | None) -> bool:
    return since is None or at >= since


def _external_row(report: BooksReport, index: int) -> Row:
    row = report.statement.rows[index]
    return _row("rows", row.at, row.wallet.value, row.asset, plain_or_none(row.amount), row.kind.value, row.row_id)


def _wallet_row(line: WalletLine) -> Row:
    booked = line.booked
    parts = (booked.opening, booked.trades, booked.fees, booked.funding, booked.transfers, booked.external)
    ends = (booked.balance, line.pending, line.venue, line.difference)
    return _row("wallets", line.wallet, line.asset, *(plain_or_none(part) for part in (*parts, *ends)))


def _line_row(line: AuditLine) -> Row:
    where = (line.at, line.kind.value, line.standing.value, line.wallet.value, line.symbol, line.asset)
    sides = (plain_or_none(line.log_amount), plain_or_none(line.venue_amount))
    return _row("lines", *where, *sides, line.key, line.hedge_id, line.label, line.detail)
