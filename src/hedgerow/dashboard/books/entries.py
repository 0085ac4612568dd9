"""Entries of both sides of the books: a fill, fee, payment, transfer or statement row."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.dashboard.books.statement import HedgeStatement, Statement
from hedgerow.domain import events as ev
from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.commands import PlaceOrder, TransferDirection, TransferFunds
from hedgerow.domain.events import FlowKind, Wallet
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import Market
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import Fill
from hedgerow.ports import AccountHistory, StatementRow

__all__ = [
    "LATE",
    "Entry",
    "LineKind",
    "from_log",
    "from_venue",
    "order_ids",
    "own_orders",
    "with_transfers_named",
    "without_awaited",
]

LATE = timedelta(minutes=5)
"""Rows may be listed so late (docs/aster-api.md 11); so far apart may two clocks time a transfer."""


class LineKind(StrEnum):
    """What a line is about."""

    FILL = "fill"
    """Quantity and price of a trade."""
    PNL = "realised pnl"
    """What a perpetual's trade realised."""
    FEE = "fee"
    FUNDING = "funding"
    TRANSFER = "transfer"
    ROW = "row"
    """Anything else that changed a wallet."""


class Entry(Struct, frozen=True, kw_only=True):
    """One side of a line."""

    kind: LineKind
    key: str
    """The venue's identity of it, unique for its kind."""
    at: datetime
    wallet: Wallet
    asset: str
    amount: Decimal
    """Signed; of a fill the base units, else what changed in the wallet."""
    symbol: str = ""
    price: Decimal | None = None
    hedge_id: str = ""
    label: str = ""
    """Class of a row, or what is special."""
    order: str = ""
    """Client id of the order of ours behind a trade."""
    sent_at: datetime | None = None
    """When a transfer was first sent: it may have been confirmed long after it happened."""

    def apart(self, at: datetime) -> tuple[timedelta, timedelta]:
        """Return how far a time lies outside the one in which this must have happened, and from its confirmation."""
        return max((self.sent_at or self.at) - at, at - self.at, timedelta(0)), abs(at - self.at)

    @property
    def name(self) -> tuple[str, str]:
        """What identifies it among the entries of its side."""
        return self.kind.value, self.key

    @property
    def changes(self) -> tuple[tuple[Wallet, str, Decimal], ...]:
        """What it changes in the wallets; quantities of the perpetual are in none."""
        if self.kind is not LineKind.FILL:
            return ((self.wallet, self.asset, self.amount),)
        if self.wallet is Wallet.PERP or self.price is None:
            return ()
        return ((Wallet.SPOT, self.asset, self.amount), (Wallet.SPOT, QUOTE_ASSET, -self.amount * self.price))


# --- the log's side --------------------------------------------------------------------------------------------------


def own_orders(events: Iterable[ev.Event]) -> dict[str, str]:
    """Return the hedge of every order that the log meant to send, by client id."""
    commands = (event.command for event in events if isinstance(event, ev.CommandIssued))
    return {command.order.client_id: command.hedge_id for command in commands if isinstance(command, PlaceOrder)}


def order_ids(events: Iterable[ev.Event]) -> dict[int, str]:
    """Return the client id of every order that the venue accepted, by the venue's id."""
    return {event.order_id: event.client_id for event in events if isinstance(event, ev.OrderAccepted)}


def from_log(statement: Statement, events: Iterable[ev.Event], own: Mapping[str, str]) -> Iterator[Entry]:
    """Yield the log's entries; ``own`` maps client ids to hedges."""
    sent: dict[str, datetime] = {}
    for event in events:
        match event:
            case ev.CommandIssued(command=TransferFunds(transfer_id=transfer_id)):
                sent.setdefault(transfer_id, event.at)
            case ev.FeeBooked():
                yield from _of_fill(event.fill, own.get(event.client_id, ""))
            case ev.ExternalFills():
                forced = (fill for fill in event.fills if fill.forced)
                yield from (entry for fill in forced for entry in _of_fill(fill, event.hedge_id, event.cause))
            case ev.FundsTransferred():
                yield from _of_transfer(event, sent.get(event.transfer_id))
            case _:
                pass
    yield from map(_of_row, statement.rows)
    yield from map(_of_payment, statement.unattributed)
    for each in statement.hedges:
        yield from (_of_payment(payment, each.hedge.hedge_id) for payment in each.payments)
        yield from _without_trades(each)


def _of_fill(fill: Fill, hedge_id: str, label: str = "", order: str = "") -> Iterator[Entry]:
    wallet = Wallet.SPOT if fill.market is Market.SPOT else Wallet.PERP
    base = fill.symbol.removesuffix(QUOTE_ASSET)
    parts = [(LineKind.FILL, base, fill.side.sign * fill.quantity), (LineKind.FEE, fill.fee_asset, -fill.fee)]
    if wallet is Wallet.PERP:
        parts.append((LineKind.PNL, QUOTE_ASSET, fill.realized_pnl))
    for kind, asset, amount in parts:
        yield Entry(
            kind=kind,
            key=fill.key,
            at=fill.at,
            wallet=wallet,
            asset=asset,
            amount=amount,
            symbol=fill.symbol,
            price=fill.price if kind is LineKind.FILL else None,
            hedge_id=hedge_id,
            label=label,
            order=order,
        )


def _of_payment(payment: FundingPayment, hedge_id: str = "") -> Entry:
    return Entry(
        kind=LineKind.FUNDING,
        key=str(payment.tran_id),
        at=payment.at,
        wallet=Wallet.PERP,
        asset=QUOTE_ASSET,
        amount=payment.amount,
        symbol=payment.symbol,
        hedge_id=hedge_id,
    )


def _of_transfer(event: ev.FundsTransferred, sent_at: datetime | None) -> Iterator[Entry]:
    to_perp = event.amount if event.direction is TransferDirection.SPOT_TO_PERP else -event.amount
    for wallet, amount in ((Wallet.SPOT, -to_perp), (Wallet.PERP, to_perp)):
        yield Entry(
            kind=LineKind.TRANSFER,
            key=f"{wallet}:{event.transfer_id}",
            at=event.at,
            wallet=wallet,
            asset=event.asset,
            amount=amount,
            sent_at=sent_at,
        )


def _of_row(row: ev.ExternalFlow | StatementRow) -> Entry:
    return Entry(
        kind=LineKind.ROW,
        key=row.row_id,
        at=row.at,
        wallet=row.wallet,
        asset=row.asset,
        amount=row.amount,
        label=row.kind.value,
    )


def _without_trades(statement: HedgeStatement) -> Iterator[Entry]:
    """Yield fills without a trade report: placeholder fills, and those whose report has not arrived yet."""
    for record in statement.hedge.orders:
        request = record.request
        unreported = record.filled_quantity if record.assumed else record.filled_quantity - record.booked_quantity
        if unreported <= 0:
            continue
        yield Entry(
            kind=LineKind.FILL,
            key=f"order:{request.client_id}",
            at=record.issued_at,
            wallet=Wallet.SPOT if request.market is Market.SPOT else Wallet.PERP,
            asset=statement.hedge.pair.base,
            amount=request.side.sign * unreported,
            symbol=request.symbol,
            hedge_id=record.hedge_id,
            label="assumed, no trade was found" if record.assumed else "no trade report yet",
            order="" if record.assumed else request.client_id,
        )


# --- the venue's side ------------------------------------------------------------------------------------------------


def from_venue(record: AccountHistory, own: Mapping[str, str], ids: Mapping[int, str]) -> Iterator[Entry]:
    """Yield the venue's lines; what manual trades changed is in its rows already."""
    for fill in record.fills:
        client_id = fill.client_id if fill.client_id in own else ids.get(fill.order_id, "")
        if client_id in own or fill.forced:
            yield from _of_fill(fill, own.get(client_id, ""), order=client_id if client_id in own else "")
    yield from map(_of_payment, record.payments)
    yield from map(_of_row, record.rows)


def with_transfers_named(booked: Iterable[Entry], listed: Sequence[Entry]) -> list[Entry]:
    """Give the venue's rows of the bot's transfers the log's names: transfers carry no id of ours at the venue."""
    known = {entry.name for entry in booked}
    free = [e for e in listed if e.label == FlowKind.USER_TRANSFER.value and e.name not in known]
    named: dict[tuple[str, str], str] = {}
    for entry in (entry for entry in booked if entry.kind is LineKind.TRANSFER):
        alike = [e for e in free if (e.wallet, e.asset, e.amount) == (entry.wallet, entry.asset, entry.amount)]
        nearest = _nearest(alike, entry)
        if nearest is not None:
            free.remove(nearest)
            named[nearest.name] = entry.key
    return [replace(e, kind=LineKind.TRANSFER, key=named[e.name], label="") if e.name in named else e for e in listed]


def _nearest(rows: Iterable[Entry], transfer: Entry) -> Entry | None:
    """Return the row nearest in time, if it is near enough."""
    near = [row for row in rows if transfer.apart(row.at)[0] <= LATE]
    return min(near, key=lambda row: transfer.apart(row.at), default=None)


def without_awaited(booked: Sequence[Entry], listed: Iterable[Entry]) -> tuple[list[Entry], frozenset[str]]:
    """Leave out fills whose trades the venue shows and the log does not yet; returns the orders they belong to."""
    known = {entry.name for entry in booked}
    shown: dict[str, Decimal] = {}
    for entry in listed:
        if entry.kind is LineKind.FILL and entry.order and entry.name not in known:
            shown[entry.order] = shown.get(entry.order, ZERO) + entry.amount
    found = frozenset(e.order for e in booked if e.key == f"order:{e.order}" and shown.get(e.order) == e.amount)
    return [e for e in booked if e.key != f"order:{e.order}" or e.order not in found], found
