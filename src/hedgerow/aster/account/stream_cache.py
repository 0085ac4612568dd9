"""The account cached from the user streams: a REST reading that is valid until a stream reports a change.

Events only end a reading's life or report an order's fills; balances and positions always come from REST, because
events may be missed, repeated or out of order, and never carry the available balance (docs/aster-api.md 10.2). The
perpetual account is one request and changes with every mark: it is never kept.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct

from hedgerow.aster.cached_read import is_recent
from hedgerow.aster.schema.account_rows import OrderRow
from hedgerow.domain.account import Balance
from hedgerow.domain.instrument import Market
from hedgerow.domain.notifications import Notification, NotificationKind
from hedgerow.ports import Clock
from hedgerow.subscribers import Subscribers

__all__ = ["AccountCache", "Holdings"]

VERIFIED_FOR = timedelta(seconds=60)
"""REST is asked again after this, however quiet the streams are."""
SETTLING = timedelta(seconds=10)
"""REST may lag behind the streams: a reading so soon after a change may show what was before it, and is not kept."""
KEPT_REPORTS = 500


class Holdings(Struct, frozen=True, kw_only=True):
    """The spot wallet, read by REST."""

    asked_at: datetime
    spot: Mapping[str, Balance]
    unreadable: frozenset[str] = frozenset()
    """Assets whose balance is not known."""


class AccountCache:
    """Keeps the last holdings while both user data streams are open and silent about them."""

    def __init__(self, clock: Clock, report: Callable[[str], None] = lambda _: None) -> None:
        self._clock = clock
        self._subscribers: Subscribers[Notification] = Subscribers(report)
        self._open: set[Market] = set()
        self._holdings: Holdings | None = None
        self._changed_at: datetime | None = None
        self._reports: dict[str, OrderRow] = {}
        self._report_received = asyncio.Event()

    def subscribe(self, listener: Callable[[Notification], None]) -> None:
        """Call ``listener`` with every notification; it must not wait."""
        self._subscribers.add(listener)

    def holdings(self, now: datetime) -> Holdings | None:
        """Return the holdings, or None when they are not certainly true."""
        kept = self._holdings
        if kept is None or kept.unreadable or len(self._open) < len(Market):
            return None
        if not is_recent(kept.asked_at, now, VERIFIED_FOR):
            return None
        unsettled = self._changed_at is not None and kept.asked_at <= self._changed_at + SETTLING
        return None if unsettled else kept

    def verify(self, holdings: Holdings) -> None:
        """Take over a REST reading."""
        self._holdings = holdings

    def touch(self) -> None:
        """Something changes the account: readings from before do not count."""
        self._changed_at = self._clock.now()

    def on_notification(self, notification: Notification) -> None:
        """Take over what a stream reported."""
        if notification.kind is NotificationKind.CONNECTED:
            self._open.add(notification.market)
        elif notification.kind is NotificationKind.LOST:
            self._open.discard(notification.market)
        if notification.kind is not NotificationKind.FUNDING:
            self.touch()
        self._subscribers.publish(notification)

    def reported(self, row: OrderRow) -> None:
        """Take over an order's state; an older or smaller one is ignored."""
        known = self._reports.get(row.client_order_id)
        if known is not None and _standing(row) < _standing(known):
            return
        self._reports[row.client_order_id] = row
        while len(self._reports) > KEPT_REPORTS:
            del self._reports[next(iter(self._reports))]
        self._report_received.set()
        self._report_received = asyncio.Event()

    def is_open(self, market: Market) -> bool:
        """Return whether a market's user data stream is open."""
        return market in self._open

    async def report(self, client_id: str, seconds: float, *, final: Callable[[OrderRow], bool]) -> OrderRow | None:
        """Wait until an order's report is final, at most so long; returns the newest one received, or None."""
        try:
            async with self._clock.timeout(seconds):
                while (row := self._reports.get(client_id)) is None or not final(row):
                    await self._report_received.wait()
        except TimeoutError:
            return self._reports.get(client_id)
        return row


def _standing(row: OrderRow) -> tuple[Decimal, int]:
    """Return what a later report of an order never has less of."""
    return row.executed_qty, row.update_time or 0
