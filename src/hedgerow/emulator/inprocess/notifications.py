"""Notifications of an emulated account: each change, at its time.

Changes are found by comparing the account with how it was when last compared, so that no false one is reported.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime

from hedgerow.domain.funding import EPOCH
from hedgerow.domain.instrument import Market
from hedgerow.domain.notifications import Notification, NotificationKind
from hedgerow.emulator.core.account import Followed
from hedgerow.emulator.core.world import World
from hedgerow.ports import Clock
from hedgerow.subscribers import Subscribers

__all__ = ["VenueNotifications"]


class VenueNotifications:
    """Notifies listeners about one world while a symbol is followed; otherwise it costs nothing."""

    def __init__(self, world: Callable[[], World], clock: Clock) -> None:
        self._world = world
        self._clock = clock
        self._subscribers: Subscribers[Notification] = Subscribers()
        self._known: dict[str, Followed] = {}
        """How each followed symbol stood when it was compared last."""
        self._last_trade = self._reported_until = 0
        self._since = EPOCH
        self._expected = False
        self._ticking: asyncio.Task[None] | None = None

    def subscribe(self, listener: Callable[[Notification], None]) -> Callable[[], None]:
        """Call ``listener`` with every notification; return what ends that."""
        return self._subscribers.add(listener)

    def follow(self, *symbols: str) -> None:
        """Watch these symbols from now on; to be called inside the event loop."""
        self._world().on_change(self._expect if symbols else None)
        if set(symbols) == set(self._known):
            return
        if self._known and set(symbols) > set(self._known):
            self._compare()  # nothing of those that were followed before gets lost
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        self._known = {symbol: self._known.get(symbol) or self._world().followed(symbol) for symbol in symbols}
        if symbols:
            trades = (trade for symbol in symbols for trade in self._trades(symbol, EPOCH))
            self._since, self._last_trade = self._world().now, max(trades, default=0)
            self._ticking = asyncio.create_task(self._tick())

    async def _tick(self) -> None:
        """Let the world live on while nobody asks it anything: prices change at the steps of its tape."""
        while True:
            step = self._world().market_data.step
            await self._clock.sleep((step - (self._clock.now() - EPOCH) % step).total_seconds())
            self._world().advance(self._clock.now())
            self._compare()

    def _expect(self) -> None:
        """Compare as soon as the change under way is complete."""
        if not self._expected:
            with suppress(RuntimeError):  # no event loop runs: the caller that advances the world has no listeners
                asyncio.get_running_loop().call_soon(self._compare)
                self._expected = True

    def _compare(self) -> None:
        self._expected = False
        if not self._known:
            return
        before, self._known = self._known, {symbol: self._world().followed(symbol) for symbol in self._known}
        found: list[Notification] = []
        self._reported_until = self._last_trade
        for symbol, now in self._known.items():
            found += [*self._traded(symbol), *_differences(before[symbol], now, symbol, self._world().now)]
        self._since = self._world().now
        for notification in dict.fromkeys(found):  # what changed of the account is reported once
            self._subscribers.publish(notification)

    def _trades(self, symbol: str, since: datetime) -> list[int]:
        return [fill.trade_id for market in Market for fill in self._world().fills(market, symbol, since)]

    def _traded(self, symbol: str) -> Iterator[Notification]:
        world, known = self._world(), self._reported_until
        for market in Market:
            for fill in world.fills(market, symbol, self._since):
                if fill.trade_id > known:
                    self._last_trade = max(self._last_trade, fill.trade_id)
                    yield Notification(
                        at=world.now,
                        kind=NotificationKind.FORCED if fill.forced else NotificationKind.ORDER,
                        market=market,
                        symbol=symbol,
                        client_id=fill.client_id,
                        forced_trade=fill.forced_trade or None,
                    )


def _differences(before: Followed, now: Followed, symbol: str, at: datetime) -> Iterator[Notification]:
    if now.payments > before.payments:
        yield Notification(at=at, kind=NotificationKind.FUNDING, symbol=symbol)
    elif now.wallets != before.wallets:
        market = Market.SPOT if now.wallets[0] != before.wallets[0] else Market.PERP
        yield Notification(at=at, kind=NotificationKind.BALANCE, market=market)
    if now.leverage != before.leverage and now.leverage and before.leverage:
        yield Notification(
            at=at, kind=NotificationKind.LEVERAGE, symbol=symbol, detail=f"its leverage is {now.leverage}x now"
        )
    if now.modes != before.modes:
        yield Notification(at=at, kind=NotificationKind.MODES)
    if now.status != before.status:
        yield Notification(at=at, kind=NotificationKind.STATUS, symbol=symbol)
    if now.interval not in {before.interval, None} and before.interval is not None:
        yield Notification(
            at=at, kind=NotificationKind.INTERVAL, symbol=symbol, detail=f"it settles every {now.interval} h now"
        )
    if now.mark is not None and now.mark != before.mark:
        yield Notification(at=at, kind=NotificationKind.MARK, symbol=symbol, mark=now.mark)
