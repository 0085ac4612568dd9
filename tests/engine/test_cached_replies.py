"""Every reading is answered from a cache, up to a minute old, while a hedge is turned: its legs are still matched."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

import pytest

from hedgerow.domain.account import AccountView, PerpPosition
from hedgerow.domain.events import Event, HedgeOpened
from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.market import Depth, MarketView
from hedgerow.domain.order import Fill, OrderRequest
from hedgerow.engine.notices import CycleFailed
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from support.bot_harness import BotHarness, WatchedVenue
from support.worlds import Listing, ScriptedMarketData

CACHED_SECONDS = 60.0
Reply = TypeVar("Reply")
SHORT_LIVED = StrategyParameters(
    position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=0.5)
)


class CachingVenue(WatchedVenue):
    """A venue that gives the first reply to a question again for a minute."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.seconds: Callable[[], float] | None = None
        """The time by which replies are kept; None = none is."""
        self._kept: dict[tuple[object, ...], tuple[float, Any]] = {}

    async def _cached(self, question: tuple[object, ...], ask: Callable[[], Awaitable[Reply]]) -> Reply:
        if self.seconds is None:
            return await ask()
        asked_at, reply = self._kept.get(question, (-CACHED_SECONDS, None))
        if self.seconds() - asked_at >= CACHED_SECONDS:
            asked_at = self.seconds()
            reply = await ask()
            self._kept[question] = (asked_at, reply)
        return reply  # type: ignore[no-any-return] # kept under its question

    async def account(self) -> AccountView:
        return await self._cached(("account",), super().account)

    async def position(self, symbol: str) -> PerpPosition:
        ask = super().position
        return await self._cached(("position", symbol), lambda: ask(symbol))

    async def market(self, periods: int) -> MarketView:
        ask = super().market
        return await self._cached(("market", periods), lambda: ask(periods))

    async def depth(self, market: Market, symbol: str) -> Depth:
        ask = super().depth
        return await self._cached(("depth", market, symbol), lambda: ask(market, symbol))

    async def fills(self, market: Market, symbol: str, since: datetime) -> tuple[Fill, ...]:
        ask = super().fills
        return await self._cached(("fills", market, symbol), lambda: ask(market, symbol, since))

    async def resolve(self, request: OrderRequest) -> tuple[Event, ...]:
        ask = super().resolve
        return await self._cached(("resolve", request.client_id), lambda: ask(request))

    async def pair(self, symbol: str, *, fresh: bool = False) -> BasisPair:
        ask = super().pair
        return await self._cached(("pair", symbol), lambda: ask(symbol, fresh=fresh))


@pytest.mark.parametrize("delayed_spot_ack", [False, True], ids=["at once", "matched later"])
def test_legs_are_matched_within_seconds_while_every_reading_is_a_minute_old(*, delayed_spot_ack: bool) -> None:
    bot = BotHarness(
        ScriptedMarketData([Listing(rate="0.0004")]),
        usdt=1000,
        perp=1000,
        parameters=SHORT_LIVED,
        poll_seconds=30,
        venue_kind=CachingVenue,
        latency_seconds=0.2,
        delayed_spot_ack=delayed_spot_ack,
    )

    def cache(bot: BotHarness) -> None:
        assert isinstance(bot.venue, CachingVenue)
        bot.venue.seconds = bot.clock.monotonic

    bot.run(1.2, at={0.4: cache})
    assert bot.ledger.totals.closed >= 1
    assert bot.ledger.max_naked_seconds < 10
    assert len(bot.logged(HedgeOpened)) >= 1
    assert bot.notices_of(CycleFailed) == []
    assert bot.venue.crimes == []
