"""Late fills: fills of the bot's own orders found after the order had ended.

An order that was given up as never arrived may still be executed. Its client id is in the log, so that what it trades
is the bot's: it joins the hedge held, or becomes one of a single leg, which the next decision closes. A client id of
the bot's own form that the log does not have is another bot's.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from hedgerow.domain import events as ev
from hedgerow.domain.account import AccountView
from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.errors import VenueError
from hedgerow.domain.events import Wallet
from hedgerow.domain.formats import log_money
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.books import books_difference
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO, plain
from hedgerow.domain.order import Fill
from hedgerow.domain.position import HedgedPosition, OrderRecord
from hedgerow.engine.accounting.external_trades import newest
from hedgerow.engine.accounting.failure_lines import FailureLines
from hedgerow.engine.ids import IdSource
from hedgerow.engine.journal import Journal
from hedgerow.engine.notices import Warned
from hedgerow.ports import Clock, Venue
from hedgerow.strategy.decisions.verdicts import ClosedExternally, Consistent, HalfOpen, Replaced, Verdict, symbols_of
from hedgerow.strategy.evidence.absence import is_in_doubt
from hedgerow.strategy.evidence.own_fills import shows_further

__all__ = ["LateFills"]

LISTED_SECONDS = 60.0
"""Trades that can be read for so long and show no more of an order prove that there is no more."""
CAUSE = "an order of the bot's that counted as ended"
OWN_FORM = re.compile(r"[0-9a-v]{13}-[sp]-[0-9]+")
"""Client ids of orders: the hedge's id, the leg, the attempt (``engine/ids.py``)."""


class _Late(Struct, frozen=True):
    """What one order of a known hedge traded beyond what the log has of it."""

    hedge: HedgedPosition
    record: OrderRecord
    fills: tuple[Fill, ...]
    excess: Decimal
    """Base units; ``fills`` may be more, where not all that the log has of the order is booked."""


class LateFills:
    """Looks for own fills where the account holds what the log does not know; asks nothing otherwise."""

    def __init__(self, *, venue: Venue, clock: Clock, journal: Journal, ids: IdSource) -> None:
        self._venue = venue
        self._clock = clock
        self._journal = journal
        self._ids = ids
        self._read_since: dict[str, float] = {}
        """Since when trades have been read of an order that may have filled further, by the monotonic clock and id."""
        self._said: set[str] = set()
        self._unreadable = FailureLines(journal=journal, clock=clock)

    async def book(self, verdicts: Sequence[Verdict], account: AccountView, *, slots: int = 1) -> bool:
        """Book late fills of own orders on what a verdict calls foreign, or on coins that the books lack.

        ``slots`` is how many hedges may be held. Returns whether the ledger changed.
        """
        before = self._journal.ledger.events
        if self._journal.ledger.orders_in_doubt:
            await self._confirm()
        suspicious, doubtful = _suspicious(verdicts, account, self._journal.ledger), self._doubtful()
        if not suspicious and not doubtful:  # as at most checks
            return self._journal.ledger.events != before
        for symbol in sorted(suspicious | {hedge.symbol for hedge, _ in doubtful}):
            fills = await self._fills(symbol)
            if fills is not None:
                await self._book_symbol(symbol, fills, slots, None if symbol in suspicious else account)
                await self._halt_for_another_bot(symbol, fills)
            for client_id in (record.request.client_id for hedge, record in doubtful if hedge.symbol == symbol):
                if fills is None:
                    self._read_since.pop(client_id, None)
                else:
                    self._read_since.setdefault(client_id, self._clock.monotonic())
        self._say_doubtful()
        return self._journal.ledger.events != before

    def doubts(self) -> dict[str, str]:
        """Return which own orders may have filled further than the log has it, in words, by symbol."""
        doubtful = self._doubtful()
        return {hedge.symbol: _doubt(hedge, record) for hedge, record in doubtful} if doubtful else {}

    def _doubtful(self) -> list[tuple[HedgedPosition, OrderRecord]]:
        """Return the orders that may have filled further, until their trades have been read for a while."""
        doubtful = self._journal.ledger.orders_in_doubt
        if not doubtful:
            return []
        now = self._clock.monotonic()
        return [
            (hedge, record)
            for hedge, record in doubtful
            if now - self._read_since.get(record.request.client_id, now) < LISTED_SECONDS
        ]

    async def _confirm(self) -> None:
        """Log that an order's end is confirmed: its trades have been read for long enough, and show no more of it."""
        now = self._clock.monotonic()
        for _, record in self._journal.ledger.orders_in_doubt:
            client_id = record.request.client_id
            if record.unconfirmed and now - self._read_since.get(client_id, now) >= LISTED_SECONDS:
                confirmed = ev.OrderEnded(
                    at=self._clock.now(),
                    client_id=client_id,
                    order_id=record.order_id,
                    status=record.status,
                    filled_quantity=record.filled_quantity,
                    filled_notional=record.filled_notional,
                )
                await self._journal.record(confirmed)

    def _say_doubtful(self) -> None:
        """Say once of each order that may have filled further that openings wait for its trades."""
        for hedge, record in self._doubtful():
            if record.request.client_id not in self._said:
                self._said.add(record.request.client_id)
                doubt = _doubt(hedge, record)
                self._journal.say(Warned(at=self._clock.now(), text=f"{doubt}; openings wait until that is read"))

    async def _fills(self, symbol: str) -> list[Fill] | None:
        """Return the account's trades on a symbol since its oldest hedge that is known; None = unreadable."""
        known = _known(self._journal.ledger, symbol)
        since = min((hedge.begun_at for hedge in known), default=self._journal.ledger.started_at)
        if since is None:
            return None
        try:
            pages = [await self._venue.fills(market, symbol, since) for market in Market]
        except VenueError as unreadable:
            self._unreadable.warn(text=f"Could not fetch trades: {unreadable}")
            return None
        self._unreadable.over()
        return [fill for page in pages for fill in page]

    async def _book_symbol(self, symbol: str, fills: Sequence[Fill], slots: int, account: AccountView | None) -> None:
        """Book late fills; those of which nothing but trades speaks yet only where ``account`` shows them, too."""
        ledger = self._journal.ledger
        if ledger.execution is not None or ledger.job_of(symbol) is not None:
            return
        late = [
            each
            for each in _late(ledger, symbol, fills)
            if account is None or shows_further(ledger, each.hedge, each.record, account, each.excess)
        ]
        reports = [entry for entry in late if _is_report(ledger, entry.hedge, entry.record)]
        for entry in reports:
            await self._journal.record(*self._reports(entry))
        strays = [entry for entry in late if entry not in reports]
        if strays:
            await self._own(symbol, strays, slots)

    def _reports(self, entry: _Late) -> list[ev.FeeBooked]:
        """Return late fills as reports of their own order: it belongs to the hedge held, or reduced one that ended."""
        now, client_id = self._clock.now(), entry.record.request.client_id
        return [
            ev.FeeBooked(at=now, client_id=client_id, fill=fill, fee_quote=_fee(fill, entry)) for fill in entry.fills
        ]

    async def _own(self, symbol: str, strays: Sequence[_Late], slots: int) -> None:
        """Make a position of what orders of hedges that ended have opened late."""
        ledger, now = self._journal.ledger, self._clock.now()
        fills = tuple(sorted((fill for entry in strays for fill in entry.fills), key=lambda fill: fill.at))
        names = ", ".join(f"{fill.market} {fill.side} {plain(fill.quantity)}" for fill in fills)
        text = f"{symbol}: {names} of {CAUSE} filled late"
        held = ledger.held(symbol)
        if held is None and len(ledger.hedges) >= slots:
            if ledger.standing_halt is None:
                others = ", ".join(hedge.symbol for hedge in ledger.open_hedges)
                detail = f"{text}; it is closed when {others} is"
                await self._journal.record(ev.Halted(at=now, reason=ev.HaltReason.NAKED, detail=detail))
            return
        self._journal.say(Warned(at=now, text=f"{text}: it is the bot's"))
        hedge_id = held.hedge_id if held else self._ids.next()
        booked = ev.ExternalFills(at=now, hedge_id=hedge_id, fills=fills, cause=CAUSE, own=True)
        if held is not None:
            await self._journal.record(booked)
            return
        hedge = HedgedPosition(
            hedge_id=hedge_id,
            pair=strays[0].hedge.pair,
            opened_at=fills[0].at,
            counted_from=fills[0].at,
            adopted=True,
            entry_rate=0.0,
            entry_apr=0.0,
            entry_notional=sum((fill.notional for fill in fills), ZERO),
        )
        await self._journal.record(ev.HedgeAdopted(at=now, hedge=hedge), booked)

    async def _halt_for_another_bot(self, symbol: str, fills: Sequence[Fill]) -> None:
        """Halt openings, once, where another bot of this kind trades on the account."""
        standing = self._journal.ledger.standing_halt
        if standing is None and await self._is_of_another_bot(fills):
            detail = f"{symbol}: orders with client ids of this program that are not in this log; stop one of the two"
            reason, now = ev.HaltReason.ANOTHER_BOT, self._clock.now()
            await self._journal.record(ev.Halted(at=now, reason=reason, detail=detail, symbols=(symbol,)))

    async def _is_of_another_bot(self, fills: Iterable[Fill]) -> bool:
        """Return whether trades since the log began bear client ids of the bot's form that no order of its log has.

        Trades from before a person lifted such a halt do not count: they are known, as after a restored backup.
        Nor do those of the time at which the log began: an emulated exchange stands still between runs, at its last
        trade.
        """
        began = self._journal.ledger.started_at
        known = {record.request.client_id for hedge in _all(self._journal.ledger) for record in hedge.orders}
        strange = [f for f in fills if began and f.at > began and OWN_FORM.fullmatch(f.client_id)]
        if all(fill.client_id in known for fill in strange):
            return False
        log = await self._journal.events()
        placed = (event.command for event in log if isinstance(event, ev.CommandIssued))
        known |= {command.order.client_id for command in placed if isinstance(command, PlaceOrder)}
        allowed = _allowed_since(log)
        return any(fill.client_id not in known and (allowed is None or fill.at > allowed) for fill in strange)


def _allowed_since(log: Iterable[ev.Event]) -> datetime | None:
    """Return when a person lifted a halt because of another bot last; None = never."""
    allowed, halted = None, False
    for event in log:
        if isinstance(event, ev.Halted):
            halted = event.reason is ev.HaltReason.ANOTHER_BOT
        elif isinstance(event, ev.Lifted):
            allowed, halted = (event.at if halted else allowed), False
    return allowed


def _suspicious(verdicts: Sequence[Verdict], account: AccountView, ledger: Ledger) -> set[str]:
    """Return the symbols of which the account holds what the ledger does not know, or shows less and nothing why."""
    symbols = {hedge.symbol for hedge in ledger.open_hedges if is_in_doubt(hedge, account)}
    for verdict in verdicts:
        if isinstance(verdict, Consistent):
            symbols.update(each.symbol for each in verdict.foreign)
            continue
        symbols.update(symbols_of(verdict))
        if isinstance(verdict, HalfOpen | ClosedExternally | Replaced):
            symbols.add(verdict.symbol)
    if not ledger.books.opened or ledger.transfer is not None or account.unreadable_balances:
        return symbols
    difference = books_difference(ledger.books, account)
    if not difference:
        return symbols
    surplus = {key for key, value in difference.items() if value > 0}
    known = {hedge.symbol: hedge.pair.base for hedge in _all(ledger) if not hedge.unsettled}
    return symbols | {symbol for symbol, base in known.items() if f"{Wallet.SPOT}:{base}" in surplus}


def _all(ledger: Ledger) -> list[HedgedPosition]:
    return [*ledger.open_hedges, *(closed.hedge for closed in ledger.closed)]


def _known(ledger: Ledger, symbol: str) -> list[HedgedPosition]:
    return [hedge for hedge in _all(ledger) if hedge.symbol == symbol]


def _late(ledger: Ledger, symbol: str, fills: Sequence[Fill]) -> Iterable[_Late]:
    """Yield every order of a known hedge whose trades are more than its log has, with those that are not booked.

    Of one whose hedge ended they are cut to what the log does not have: the rest was closed with the hedge.
    """
    for hedge in _known(ledger, symbol):
        for record in hedge.orders:
            own = [fill for fill in fills if fill.client_id == record.request.client_id]
            excess = sum((fill.quantity for fill in own), ZERO) - record.filled_quantity
            fresh = [fill for fill in own if not ledger.trades_seen.knows(fill.key, fill.at)]
            if excess > 0 and fresh:
                whole = _is_report(ledger, hedge, record)
                yield _Late(hedge, record, tuple(fresh if whole else newest(fresh, excess)), excess)


def _doubt(hedge: HedgedPosition, record: OrderRecord) -> str:
    """Return what of an order's fills is not known, in words."""
    order, filled = record.request, record.filled_quantity
    left = order.quantity - filled
    more = f"{plain(left)} ({log_money(left * order.price)})"
    said = f"{hedge.symbol}: {order.market} {order.side} {plain(order.quantity)} is said to have ended with"
    return f"{said} {plain(filled)} filled, its trades are not known: up to {more} may be unhedged"


def _is_report(ledger: Ledger, hedge: HedgedPosition, record: OrderRecord) -> bool:
    held = ledger.open_hedge(hedge.hedge_id) is not None
    return held or not record.opens


def _fee(fill: Fill, entry: _Late) -> Decimal:
    base, quote = entry.hedge.pair.base, entry.hedge.pair.perp.quote
    if fill.fee_asset in {base, quote}:
        return fill.fee_in_quote(base, quote)
    return fill.notional * entry.record.fee_rate
