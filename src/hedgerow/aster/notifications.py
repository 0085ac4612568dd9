"""Notifications of the venue from its streams: account changes at once, market changes of one subscribed symbol."""

from collections.abc import Callable

from hedgerow.aster.account.stream_cache import AccountCache
from hedgerow.aster.market.stream_cache import MarketCache
from hedgerow.aster.schema.market_rows import PremiumRow
from hedgerow.domain.instrument import Market
from hedgerow.domain.notifications import Notification, NotificationKind
from hedgerow.ports import Clock
from hedgerow.subscribers import Subscribers

__all__ = ["AsterNotifications"]

HOUR_MS = 3_600_000


class AsterNotifications:
    """A ``ports.NotificationSource`` over both caches; without streams it reports nothing, and says so."""

    def __init__(
        self,
        clock: Clock,
        accounts: AccountCache,
        markets: MarketCache,
        interval: Callable[[str], int | None],
        *,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``interval`` returns a symbol's funding interval in hours as it was last read; None = not known."""
        self._clock = clock
        self._accounts = accounts
        self._markets = markets
        self._interval = interval
        self._subscribers: Subscribers[Notification] = Subscribers(report)
        self._symbols: frozenset[str] = frozenset()
        self._last: dict[str, PremiumRow] = {}
        accounts.subscribe(self._publish)
        markets.subscribe(self._premium, self._lost)

    @property
    def streaming(self) -> bool:
        """Whether both accounts' streams are open and mark prices arrived just now."""
        return all(map(self._accounts.is_open, Market)) and self._markets.beats(self._clock.now())

    def subscribe(self, listener: Callable[[Notification], None]) -> Callable[[], None]:
        """Call ``listener`` with every notification; return what ends that."""
        return self._subscribers.add(listener)

    def follow(self, *symbols: str) -> None:
        """Report mark, interval and status of these symbols alone."""
        self._symbols = frozenset(symbols)
        self._last = {symbol: row for symbol, row in self._last.items() if symbol in self._symbols}

    def _premium(self, row: PremiumRow) -> None:
        if row.symbol not in self._symbols:
            return
        before, self._last[row.symbol] = self._last.get(row.symbol), row
        trades = row.mark_price > 0
        if before is not None and trades != (before.mark_price > 0):
            detail = "it has a mark price again" if trades else "it has no mark price any more"
            self._publish(self._notifications(NotificationKind.STATUS, row.symbol, detail=detail))
        if before is not None and _rhythm_changed(before, row, self._interval(row.symbol)):
            self._publish(self._notifications(NotificationKind.INTERVAL, row.symbol))
        if trades:
            self._publish(
                Notification(
                    at=self._clock.now(),
                    kind=NotificationKind.MARK,
                    symbol=row.symbol,
                    mark=row.mark_price,
                )
            )

    def _lost(self, market: Market) -> None:
        self._publish(Notification(at=self._clock.now(), kind=NotificationKind.LOST, market=market))

    def _notifications(self, kind: NotificationKind, symbol: str, *, detail: str = "") -> Notification:
        return Notification(at=self._clock.now(), kind=kind, symbol=symbol, detail=detail)

    def _publish(self, notification: Notification) -> None:
        self._subscribers.publish(notification)


def _rhythm_changed(before: PremiumRow, now: PremiumRow, hours: int | None) -> bool:
    """Whether the next settlement moved by anything but the symbol's interval."""
    if not before.next_funding_time or not now.next_funding_time:
        return False
    moved = now.next_funding_time - before.next_funding_time
    if not moved:
        return False
    return moved < 0 or (hours is not None and moved != hours * HOUR_MS)
