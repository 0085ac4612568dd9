"""Matches the log with the venue's statement line by line.

Pure: both sides are given. A line is matched, differs, or is on one side only.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from hedgerow.dashboard.books.entries import (
    LATE,
    Entry,
    LineKind,
    from_log,
    from_venue,
    order_ids,
    own_orders,
    with_transfers_named,
    without_awaited,
)
from hedgerow.dashboard.books.statement import Statement
from hedgerow.domain import events as ev
from hedgerow.domain.events import Wallet
from hedgerow.domain.money import ZERO
from hedgerow.ports import AccountHistory

__all__ = ["AuditLine", "MatchStatus", "audit", "pending_changes"]

OWN = {LineKind.FILL, LineKind.PNL, LineKind.FEE, LineKind.TRANSFER}
"""Kinds of which only the bot's own are listed."""


class MatchStatus(StrEnum):
    """How the two sides of one line compare."""

    MATCHED = "matched"
    PENDING = "not booked yet"
    """The venue's row is newer than the log's last reading; the bot books it at its next check."""
    DIFFERS = "differs"
    ONLY_LOG = "only in the log"
    ONLY_VENUE = "only at the exchange"

    @property
    def sound(self) -> bool:
        """Whether the line needs no explanation."""
        return self in {MatchStatus.MATCHED, MatchStatus.PENDING}


class AuditLine(Struct, frozen=True, kw_only=True):
    """One line of the comparison."""

    at: datetime
    kind: LineKind
    standing: MatchStatus
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
    statement: Statement, events: Sequence[ev.Event], record: AccountHistory, since: datetime | None = None
) -> tuple[AuditLine, ...]:
    """Return every line since a time, oldest first; what came before the books were opened is in their opening."""
    opened = statement.ledger.books_since
    if opened is None:
        return ()
    own = own_orders(events)

    def within(entry: Entry) -> bool:
        # The bot's own trades and transfers came after the opening, even where clocks say the same instant.
        counts = entry.kind in OWN or entry.at > opened
        return counts and (since is None or entry.at >= since)

    booked = list(from_log(statement, events, own))
    listed = with_transfers_named(booked, list(from_venue(record, own, order_ids(events))))
    booked, awaited = without_awaited(booked, listed)
    log = {entry.name: entry for entry in booked if within(entry)}
    venue = {entry.name: entry for entry in listed if within(entry)}
    looked = (statement.last_at or opened) - LATE
    lines = [_line(log.get(name), venue.get(name), looked, awaited) for name in {**log, **venue}]
    return tuple(sorted(lines, key=lambda line: (line.at, line.kind, line.key)))


def pending_changes(lines: Iterable[AuditLine]) -> dict[str, Decimal]:
    """Return what rows that are not booked yet change, per ``wallet:asset``."""
    sums: dict[str, Decimal] = {}
    for line in lines:
        for wallet, asset, amount in line.changes if line.standing is MatchStatus.PENDING else ():
            key = f"{wallet}:{asset}"
            sums[key] = sums.get(key, ZERO) + amount
    return sums


def _line(log: Entry | None, venue: Entry | None, looked: datetime, awaited: frozenset[str]) -> AuditLine:
    found = venue or log
    if found is None:
        raise ValueError("a line has at least one side")
    standing, detail = _compared(log, venue)
    if standing is MatchStatus.ONLY_VENUE and (found.at > looked or found.order in awaited):
        standing = MatchStatus.PENDING
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


def _compared(log: Entry | None, venue: Entry | None) -> tuple[MatchStatus, str]:
    if log is None or venue is None:
        return (MatchStatus.ONLY_VENUE if log is None else MatchStatus.ONLY_LOG), ""
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
    return (MatchStatus.DIFFERS, "; ".join(unlike)) if unlike else (MatchStatus.MATCHED, "")
