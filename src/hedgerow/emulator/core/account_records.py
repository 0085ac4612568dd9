"""Records of one account: trades, funding, statement rows, and their ids."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Protocol, TypeVar

from msgspec import UNSET, Struct
from msgspec.structs import replace

from hedgerow.domain.events import FlowKind, Wallet
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import Market
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import Fill
from hedgerow.emulator.forced_orders import forced_trade
from hedgerow.ports import AccountHistory, StatementRow

__all__ = ["AccountJournal", "JournalState", "rows_since"]


class _Timed(Protocol):
    @property
    def at(self) -> datetime: ...


Row = TypeVar("Row", bound=_Timed)

FIRST_TRAN_ID = 4_480_321_991_774_044_580
"""Aster's transaction ids have nineteen digits and do not fit a float (docs/aster-api.md 5.3)."""


class JournalState(Struct, frozen=True, kw_only=True):
    """A journal as one value."""

    fills: tuple[Fill, ...] = ()
    payments: tuple[FundingPayment, ...] = ()
    rows: tuple[StatementRow, ...] = ()
    transfers: tuple[StatementRow, ...] = ()
    """What the bot's own transfers changed; the statement is without them."""
    last_id: int = 0


class AccountJournal:
    """Append-only rows in the order of their times; ids are never given twice."""

    def __init__(self, state: JournalState) -> None:
        self._fills: dict[tuple[Market, str], list[Fill]] = {}
        self._all_fills = list[Fill]()
        self._realized: dict[str, Decimal] = {}
        for fill in state.fills:
            kind = forced_trade(fill.client_id)  # states of older versions do not say it
            self.book_fill(fill if kind is UNSET else replace(fill, forced_trade=kind))
        self._payments = list(state.payments)
        self._rows = list(state.rows)
        self._transfers = list(state.transfers)
        self._last_id = state.last_id

    def state(self) -> JournalState:
        """Return everything as one value."""
        return JournalState(
            fills=tuple(self._all_fills),
            payments=tuple(self._payments),
            rows=tuple(self._rows),
            transfers=tuple(self._transfers),
            last_id=self._last_id,
        )

    @property
    def paid(self) -> int:
        """How many funding payments were written down."""
        return len(self._payments)

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many trades, funding payments and statement rows were written down."""
        return len(self._all_fills), len(self._payments), len(self._rows)

    def written_after(
        self, counts: tuple[int, int, int]
    ) -> tuple[Sequence[Fill], Sequence[FundingPayment], Sequence[StatementRow]]:
        """Return what was written down since there were so many trades, payments and rows."""
        fills, payments, rows = counts
        return self._all_fills[fills:], self._payments[payments:], self._rows[rows:]

    def realized(self, symbol: str) -> Decimal:
        """Return the profit that all trades of a perpetual realised."""
        return self._realized.get(symbol, ZERO)

    def all_fills(self, since: datetime) -> tuple[Fill, ...]:
        """Return the trades of all instruments at or after ``since``."""
        return rows_since(self._all_fills, since)

    @property
    def last_id(self) -> int:
        """The newest id that was given."""
        return self._last_id

    def next_id(self) -> int:
        """Return an id that no order, trade or row had before."""
        self._last_id += 1
        return self._last_id

    def book_fill(self, fill: Fill) -> None:
        """Write a trade down."""
        self._all_fills.append(fill)
        self._fills.setdefault((fill.market, fill.symbol), []).append(fill)
        if fill.realized_pnl:
            self._realized[fill.symbol] = self._realized.get(fill.symbol, ZERO) + fill.realized_pnl

    def book_funding(self, symbol: str, amount: Decimal, at: datetime) -> FundingPayment:
        """Write a funding payment down under a transaction id of its own."""
        payment = FundingPayment(symbol=symbol, amount=amount, tran_id=FIRST_TRAN_ID + self.next_id(), at=at)
        self._payments.append(payment)
        return payment

    def book_row(self, wallet: Wallet, asset: str, amount: Decimal, kind: FlowKind, at: datetime) -> None:
        """Write a statement row down; nothing for an amount of zero."""
        if amount:
            row_id = f"{kind}-{self.next_id()}"
            self._rows.append(StatementRow(row_id=row_id, wallet=wallet, asset=asset, amount=amount, kind=kind, at=at))

    def book_transfer(self, transfer_id: str, asset: str, to_perp: Decimal, at: datetime) -> None:
        """Write a transfer of the bot down, wallet by wallet."""
        for wallet, amount in ((Wallet.SPOT, -to_perp), (Wallet.PERP, to_perp)):
            row = StatementRow(
                row_id=f"{wallet}-transfer-{transfer_id}",
                wallet=wallet,
                asset=asset,
                amount=amount,
                kind=FlowKind.USER_TRANSFER,
                at=at,
            )
            self._transfers.append(row)

    def record(self, since: datetime) -> AccountHistory:
        """Return everything at or after ``since``, oldest first."""
        rows = (*rows_since(self._rows, since), *rows_since(self._transfers, since))
        return AccountHistory(
            fills=rows_since(self._all_fills, since),
            payments=rows_since(self._payments, since),
            rows=tuple(sorted(rows, key=attrgetter("at"))),
        )

    def fills(self, market: Market, symbol: str, since: datetime) -> tuple[Fill, ...]:
        """Return the trades of one instrument at or after ``since``."""
        return rows_since(self._fills.get((market, symbol), ()), since)

    def payments(self, since: datetime) -> tuple[FundingPayment, ...]:
        """Return the funding payments at or after ``since``."""
        return rows_since(self._payments, since)

    def rows(self, since: datetime) -> tuple[StatementRow, ...]:
        """Return the statement rows at or after ``since``."""
        return rows_since(self._rows, since)

    def book_rows(self, wallet: Wallet, changes: Iterable[tuple[str, Decimal]], kind: FlowKind, at: datetime) -> None:
        """Write one statement row per asset and amount."""
        for asset, amount in changes:
            self.book_row(wallet, asset, amount, kind, at)


def rows_since(rows: Sequence[Row], since: datetime) -> tuple[Row, ...]:
    """Return the rows at or after ``since`` of a sequence in the order of time."""
    if not rows or rows[-1].at < since:
        return ()  # most look for what is new
    return tuple(rows[bisect_left(rows, since, key=attrgetter("at")) :])
