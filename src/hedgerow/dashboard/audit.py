"""The log against the venue's own record, line by line: what each side says of one fill, fee, payment, transfer or row.

Pure: both sides are given. A line is matched, differs, or stands on one side alone; there is no other way out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.dashboard.statement import HedgeStatement, Statement
from hedgerow.domain import events as ev
from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.commands import PlaceOrder, TransferDirection, TransferFunds
from hedgerow.domain.events import FlowKind, Wallet
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import Market
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import Fill
from hedgerow.ports import AccountRecord, StatementRow

__all__ = ["LATE", "AuditLine", "LineKind", "Standing", "audit", "pending_changes"]

LATE = timedelta(minutes=5)
"""Rows may be told so much later than they happened (API reference 11); so far apart may two clocks time a transfer."""


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


OWN = {LineKind.FILL, LineKind.PNL, LineKind.FEE, LineKind.TRANSFER}
"""Kinds of which only the bot's own are listed."""


class Standing(StrEnum):
    """How the two sides stand to each other on one line."""

    MATCHED = "matched"
    PENDING = "not booked yet"
    """The venue's row is newer than the log's last look; the bot books it at its next check."""
    DIFFERS = "differs"
    ONLY_LOG = "only in the log"
    ONLY_VENUE = "only at the exchange"

    @property
    def sound(self) -> bool:
        """Whether the line needs no explanation."""
        return self in {Standing.MATCHED, Standing.PENDING}


class _Entry(Struct, frozen=True, kw_only=True):
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
        return self.kind.value, self.key

    @property
    def changes(self) -> tuple[tuple[Wallet, str, Decimal], ...]:
        """What it changes in the wallets; quantities of the perpetual are in none."""
        if self.kind is not LineKind.FILL:
            return ((self.wallet, self.asset, self.amount),)
        if self.wallet is Wallet.PERP or self.price is None:
            return ()
        return ((Wallet.SPOT, self.asset, self.amount), (Wallet.SPOT, QUOTE_ASSET, -self.amount * self.price))


class AuditLine(Struct, frozen=True, kw_only=True):
    """One line of the comparison."""

    at: datetime
    kind: LineKind
    standing: Standing
    wallet: Wallet
    symbol: str
    asset: str
    log_amount: Decimal | None
    """Signed, units of ``asset``; None where the log has no such line."""
    venue_amount: Decimal | None
    key: str
    hedge_id: str
    label: str
    """Class of a row (deposit, rebate, ...), else empty or what is special."""
    detail: str = ""
    changes: tuple[tuple[Wallet, str, Decimal], ...] = ()
    """What the line changes in the wallets, by the venue where it has it."""


def audit(
    statement: Statement, events: Sequence[ev.Event], record: AccountRecord, since: datetime | None = None
) -> tuple[AuditLine, ...]:
    """Return every line since a time, oldest first; what came before the books were opened is in their opening."""
    opened = statement.ledger.books_since
    if opened is None:
        return ()
    own = _own_orders(events)

    def within(entry: _Entry) -> bool:
        # The bot's own trades and transfers came after the opening, even where clocks say the same instant.
        counts = entry.kind in OWN or entry.at > opened
        return counts and (since is None or entry.at >= since)

    said = list(_from_log(statement, events, own))
    told = _with_transfers_named(said, list(_from_venue(record, own, _order_ids(events))))
    said, awaited = _without_awaited(said, told)
    log = {entry.name: entry for entry in said if within(entry)}
    venue = {entry.name: entry for entry in told if within(entry)}
    looked = (statement.last_at or opened) - LATE
    lines = [_line(log.get(name), venue.get(name), looked, awaited) for name in {**log, **venue}]
    return tuple(sorted(lines, key=lambda line: (line.at, line.kind, line.key)))


def pending_changes(lines: Iterable[AuditLine]) -> dict[str, Decimal]:
    """Return what rows that are not booked yet change, per ``wallet:asset``."""
    sums: dict[str, Decimal] = {}
    for line in lines:
        for wallet, asset, amount in line.changes if line.standing is Standing.PENDING else ():
            key = f"{wallet}:{asset}"
            sums[key] = sums.get(key, ZERO) + amount
    return sums


def _line(log: _Entry | None, venue: _Entry | None, looked: datetime, awaited: frozenset[str]) -> AuditLine:
    found = venue or log
    if found is None:
        raise ValueError("a line has at least one side")
    standing, detail = _compared(log, venue)
    if standing is Standing.ONLY_VENUE and (found.at > looked or found.order in awaited):
        standing = Standing.PENDING
    return AuditLine(
        at=found.at,
        kind=found.kind,
        standing=standing,
        wallet=found.wallet,
        symbol=found.symbol,
        asset=found.asset,
        log_amount=log.amount if log else None,
        venue_amount=venue.amount if venue else None,
        key=found.key,
        hedge_id=(log and log.hedge_id) or found.hedge_id,
        label=(log and log.label) or found.label,
        detail=detail,
        changes=found.changes,
    )


def _compared(log: _Entry | None, venue: _Entry | None) -> tuple[Standing, str]:
    if log is None or venue is None:
        return (Standing.ONLY_VENUE if log is None else Standing.ONLY_LOG), ""
    unlike = [
        f"{what}: {mine} in the log, {theirs} at the exchange"
        for what, mine, theirs in (
            ("amount", log.amount, venue.amount),
            ("price", log.price, venue.price),
            ("asset", log.asset, venue.asset),
            ("symbol", log.symbol, venue.symbol),
        )
        if mine != theirs
    ]
    return (Standing.DIFFERS, "; ".join(unlike)) if unlike else (Standing.MATCHED, "")


# --- the log's side --------------------------------------------------------------------------------------------------


def _own_orders(events: Iterable[ev.Event]) -> dict[str, str]:
    """Return the hedge of every order that the log meant to send, by client id."""
    commands = (event.command for event in events if isinstance(event, ev.CommandIssued))
    return {command.order.client_id: command.hedge_id for command in commands if isinstance(command, PlaceOrder)}


def _order_ids(events: Iterable[ev.Event]) -> dict[int, str]:
    return {event.order_id: event.client_id for event in events if isinstance(event, ev.OrderAccepted)}


def _from_log(statement: Statement, events: Iterable[ev.Event], own: Mapping[str, str]) -> Iterator[_Entry]:
    sent: dict[str, datetime] = {}
    for event in events:
        match event:
            case ev.CommandIssued(command=TransferFunds(transfer_id=transfer_id)):
                sent.setdefault(transfer_id, event.at)
            case ev.FeeBooked():
                yield from _of_fill(event.fill, own.get(event.client_id, ""))
            case ev.FillsElsewhere():
                forced = (fill for fill in event.fills if fill.forced)
                yield from (entry for fill in forced for entry in _of_fill(fill, event.hedge_id, event.cause))
            case ev.FundsTransferred():
                yield from _of_transfer(event, sent.get(event.transfer_id))
            case _:
                pass
    yield from map(_of_row, statement.rows)
    yield from map(_of_payment, statement.unattributed)
    for told in statement.hedges:
        yield from (_of_payment(payment, told.hedge.hedge_id) for payment in told.payments)
        yield from _without_trades(told)


def _of_fill(fill: Fill, hedge_id: str, label: str = "", order: str = "") -> Iterator[_Entry]:
    wallet = Wallet.SPOT if fill.market is Market.SPOT else Wallet.PERP
    base = fill.symbol.removesuffix(QUOTE_ASSET)
    parts = [(LineKind.FILL, base, fill.side.sign * fill.quantity), (LineKind.FEE, fill.fee_asset, -fill.fee)]
    if wallet is Wallet.PERP:
        parts.append((LineKind.PNL, QUOTE_ASSET, fill.realized_pnl))
    for kind, asset, amount in parts:
        yield _Entry(
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


def _of_payment(payment: FundingPayment, hedge_id: str = "") -> _Entry:
    return _Entry(
        kind=LineKind.FUNDING,
        key=str(payment.tran_id),
        at=payment.at,
        wallet=Wallet.PERP,
        asset=QUOTE_ASSET,
        amount=payment.amount,
        symbol=payment.symbol,
        hedge_id=hedge_id,
    )


def _of_transfer(event: ev.FundsTransferred, sent_at: datetime | None) -> Iterator[_Entry]:
    to_perp = event.amount if event.direction is TransferDirection.SPOT_TO_PERP else -event.amount
    for wallet, amount in ((Wallet.SPOT, -to_perp), (Wallet.PERP, to_perp)):
        yield _Entry(
            kind=LineKind.TRANSFER,
            key=f"{wallet}:{event.transfer_id}",
            at=event.at,
            wallet=wallet,
            asset=event.asset,
            amount=amount,
            sent_at=sent_at,
        )


def _of_row(row: ev.ExternalFlow | StatementRow) -> _Entry:
    return _Entry(
        kind=LineKind.ROW,
        key=row.row_id,
        at=row.at,
        wallet=row.wallet,
        asset=row.asset,
        amount=row.amount,
        label=row.kind.value,
    )


def _without_trades(told: HedgeStatement) -> Iterator[_Entry]:
    """Yield what the log believes in without a trade report: stand-ins, and fills whose report did not come yet."""
    for record in told.hedge.orders:
        request = record.request
        unreported = record.filled_quantity if record.assumed else record.filled_quantity - record.booked_quantity
        if unreported <= 0:
            continue
        yield _Entry(
            kind=LineKind.FILL,
            key=f"order:{request.client_id}",
            at=record.issued_at,
            wallet=Wallet.SPOT if request.market is Market.SPOT else Wallet.PERP,
            asset=told.hedge.pair.base,
            amount=request.side.sign * unreported,
            symbol=request.symbol,
            hedge_id=record.hedge_id,
            label="assumed, no trade was found" if record.assumed else "no trade report yet",
            order="" if record.assumed else request.client_id,
        )


# --- the venue's side ------------------------------------------------------------------------------------------------


def _from_venue(record: AccountRecord, own: Mapping[str, str], ids: Mapping[int, str]) -> Iterator[_Entry]:
    """Yield the venue's lines; what trades by hand changed is in its rows already."""
    for fill in record.fills:
        client_id = fill.client_id if fill.client_id in own else ids.get(fill.order_id, "")
        if client_id in own or fill.forced:
            yield from _of_fill(fill, own.get(client_id, ""), order=client_id if client_id in own else "")
    yield from map(_of_payment, record.payments)
    yield from map(_of_row, record.rows)


def _with_transfers_named(said: Iterable[_Entry], told: Sequence[_Entry]) -> list[_Entry]:
    """Give the venue's rows of the bot's transfers the log's names: transfers carry no id of ours at the venue."""
    known = {entry.name for entry in said}
    free = [e for e in told if e.label == FlowKind.USER_TRANSFER.value and e.name not in known]
    named: dict[tuple[str, str], str] = {}
    for entry in (entry for entry in said if entry.kind is LineKind.TRANSFER):
        alike = [e for e in free if (e.wallet, e.asset, e.amount) == (entry.wallet, entry.asset, entry.amount)]
        nearest = _nearest(alike, entry)
        if nearest is not None:
            free.remove(nearest)
            named[nearest.name] = entry.key
    return [replace(e, kind=LineKind.TRANSFER, key=named[e.name], label="") if e.name in named else e for e in told]


def _nearest(rows: Iterable[_Entry], transfer: _Entry) -> _Entry | None:
    """Return the row nearest in time, if it is near enough."""
    near = [row for row in rows if transfer.apart(row.at)[0] <= LATE]
    return min(near, key=lambda row: transfer.apart(row.at), default=None)


def _without_awaited(said: Sequence[_Entry], told: Iterable[_Entry]) -> tuple[list[_Entry], frozenset[str]]:
    """Leave out fills whose trades the venue shows and the log does not yet; returns the orders they belong to."""
    known = {entry.name for entry in said}
    shown: dict[str, Decimal] = {}
    for entry in told:
        if entry.kind is LineKind.FILL and entry.order and entry.name not in known:
            shown[entry.order] = shown.get(entry.order, ZERO) + entry.amount
    found = frozenset(e.order for e in said if e.key == f"order:{e.order}" and shown.get(e.order) == e.amount)
    return [e for e in said if e.key != f"order:{e.order}" or e.order not in found], found
