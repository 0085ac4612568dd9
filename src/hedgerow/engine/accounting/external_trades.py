"""External trades: fills on the bot's instruments that no order of the bot made; they replace placeholder fills."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.errors import VenueError
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import Fill
from hedgerow.domain.position import ClosedHedge, HedgedPosition
from hedgerow.engine.accounting.failure_lines import FailureLines
from hedgerow.engine.journal import Journal
from hedgerow.ports import Clock, Venue

__all__ = ["ExternalTrades", "Missing", "newest"]

PATIENCE = timedelta(days=1)
"""How long trades are searched for a placeholder fill: coins that were moved away never had a trade."""


class Missing(Struct, frozen=True, kw_only=True):
    """When two readings have shown that a part of a leg is missing."""

    first_at: datetime
    went_on: bool
    """Whether the second one lacks more: that is the next reading's to explain."""

    def explaining(self, fills: Sequence[Fill], quantity: Decimal) -> list[Fill]:
        """Return the trades that may have taken ``quantity``: those from before the first reading, if they suffice.

        The account may show a trade later than the list of trades does.
        """
        before = [fill for fill in fills if fill.at <= self.first_at]
        suffice = sum((fill.quantity for fill in before), ZERO) >= quantity
        return before if self.went_on or suffice else list(fills)


class ExternalTrades:
    """Looks for liquidations, ADL and trades by hand among the account's trades."""

    def __init__(self, *, venue: Venue, clock: Clock, journal: Journal) -> None:
        self._venue = venue
        self._clock = clock
        self._journal = journal
        self._unreadable = {market: FailureLines(journal=journal, clock=clock) for market in Market}

    async def unknown(self, hedge: HedgedPosition, market: Market, side: Side) -> list[Fill] | None:
        """Return one side's trades since the first order that are not in the log; None when they cannot be read."""
        try:
            fills = await self._venue.fills(market, hedge.symbol, hedge.begun_at)
        except VenueError as unreadable:
            self._unreadable[market].warn(text=f"Could not fetch trades: {unreadable}")
            return None
        self._unreadable[market].over()
        seen = self._journal.ledger.trades_seen
        own = {record.request.client_id for record in hedge.orders}
        return [
            hedge.in_present_coins(fill)
            for fill in fills
            if fill.side is side and fill.client_id not in own and not seen.knows(fill.key, fill.at)
        ]

    async def true_up(self) -> None:
        """Book the real trades where a change had to be booked without them."""
        since, ledger = self._clock.now() - PATIENCE, self._journal.ledger
        lately = _closed_since(ledger, since)
        for hedge, market, side, quantity in _placeholders(ledger, lately, since):
            until = max(r.issued_at for r in hedge.assumed if r.request.market is market)
            known = [fill for fill in await self.unknown(hedge, market, side) or () if fill.at <= until]
            fills = tuple(newest(known, quantity))
            if fills:
                now = self._clock.now()
                await self._journal.record(
                    ev.ExternalFills(at=now, hedge_id=hedge.hedge_id, fills=fills, cause="read late", late=True)
                )
        if self._journal.ledger is not ledger:
            lately = _closed_since(self._journal.ledger, since)
        for closed in lately:
            if closed.hedge.short > 0:
                await self._taken_while_closing(closed)

    async def _taken_while_closing(self, closed: ClosedHedge) -> None:
        """Book what the venue took of a short while it was being closed: that part was not there to be bought back."""
        known = await self.unknown(closed.hedge, Market.PERP, Side.BUY) or []
        fills = tuple(newest([fill for fill in known if fill.at <= closed.closed_at], closed.hedge.short))
        if fills:
            taken = ev.ExternalFills(at=self._clock.now(), hedge_id=closed.hedge_id, fills=fills, cause="while closing")
            await self._journal.record(taken)


def _closed_since(ledger: Ledger, since: datetime) -> list[ClosedHedge]:
    """Return the hedges that were closed after then, oldest first."""
    return [closed for closed in ledger.closed if closed.closed_at > since]


def _placeholders(
    ledger: Ledger, lately: Sequence[ClosedHedge], since: datetime
) -> list[tuple[HedgedPosition, Market, Side, Decimal]]:
    """Return the changes that were booked without trades since then, by hedge and leg."""
    found: list[tuple[HedgedPosition, Market, Side, Decimal]] = []
    for hedge in (*ledger.open_hedges, *(closed.hedge for closed in lately)):
        recent = [r for r in hedge.assumed if r.issued_at > since]
        for market, side in ((Market.SPOT, Side.SELL), (Market.PERP, Side.BUY)) if recent else ():
            assumed = [r for r in recent if r.request.market is market]
            if assumed:
                found.append((hedge, market, side, sum((r.filled_quantity for r in assumed), ZERO)))
    return found


def newest(fills: Sequence[Fill], quantity: Decimal) -> list[Fill]:
    """Return the newest fills that make up ``quantity``; the oldest of them is cut to fit."""
    taken: list[Fill] = []
    left = quantity
    for fill in reversed(fills):
        if left <= 0:
            break
        part = min(fill.quantity, left)
        share = part / fill.quantity
        cut = replace(fill, quantity=part, fee=fill.fee * share, realized_pnl=fill.realized_pnl * share)
        taken.append(fill if part == fill.quantity else cut)
        left -= part
    return taken[::-1]
