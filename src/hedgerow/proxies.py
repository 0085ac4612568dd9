"""Proxies of ports: every call is passed on; a subclass overrides what it changes."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from hedgerow.domain.account import AccountView, OpenOrder, PerpPosition
from hedgerow.domain.commands import Command
from hedgerow.domain.events import Event
from hedgerow.domain.funding import FundingPayment, FundingRate
from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.market import Depth, MarketView
from hedgerow.domain.order import Fill, OrderRequest
from hedgerow.ports import Liquidity, MarketData, MarketPrices, StatementRow, Venue, VenueRules

__all__ = ["MarketDataProxy", "VenueProxy"]

Answer = TypeVar("Answer")


class VenueProxy:
    """Implements ``ports.Venue`` by another venue; ``_call`` surrounds every call that waits."""

    def __init__(self, inner: Venue) -> None:
        self._inner = inner

    async def _call(self, what: str, call: Callable[[Venue], Awaitable[Answer]]) -> Answer:
        """Make one call; ``what`` names it."""
        del what
        return await call(self._inner)

    @property
    def name(self) -> str:
        """Display name."""
        return self._inner.name

    @property
    def rules(self) -> VenueRules:
        """What the venue accepts."""
        return self._inner.rules

    async def market(self, periods: int) -> MarketView:
        """Read the market."""
        return await self._call("market", lambda venue: venue.market(periods))

    async def account(self) -> AccountView:
        """Read the account."""
        return await self._call("account", lambda venue: venue.account())

    async def position(self, symbol: str) -> PerpPosition:
        """Read one position."""
        return await self._call("position", lambda venue: venue.position(symbol))

    async def depth(self, market: Market, symbol: str) -> Depth:
        """Read an order book."""
        return await self._call("depth", lambda venue: venue.depth(market, symbol))

    async def open_interest(self, symbol: str) -> Decimal:
        """Read the open interest of a perpetual."""
        return await self._call("open interest", lambda venue: venue.open_interest(symbol))

    async def pair(self, symbol: str, *, fresh: bool = False) -> BasisPair:
        """Read a pair."""
        return await self._call("pair", lambda venue: venue.pair(symbol, fresh=fresh))

    async def open_orders(self, symbol: str) -> tuple[OpenOrder, ...]:
        """Read resting orders."""
        return await self._call("open orders", lambda venue: venue.open_orders(symbol))

    def blocked_seconds(self, market: Market) -> float:
        """Return for how long the venue refuses every order of one market."""
        return self._inner.blocked_seconds(market)

    def reserve(self, command: Command) -> int | None:
        """Reserve the number that a command is sent with."""
        return self._inner.reserve(command)

    async def submit(self, command: Command) -> tuple[Event, ...]:
        """Carry out a command."""
        return await self._call(f"submit {type(command).__name__}", lambda venue: venue.submit(command))

    async def resolve(self, request: OrderRequest) -> tuple[Event, ...]:
        """Find out what became of an order."""
        return await self._call("resolve", lambda venue: venue.resolve(request))

    async def watch(self, request: OrderRequest, filled: Decimal, seconds: float) -> tuple[Event, ...]:
        """Wait for a resting order."""
        return await self._call("watch", lambda venue: venue.watch(request, filled, seconds))

    async def fills(self, market: Market, symbol: str, since: datetime) -> tuple[Fill, ...]:
        """Read trades."""
        return await self._call("fills", lambda venue: venue.fills(market, symbol, since))

    async def funding_payments(self, since: datetime) -> tuple[FundingPayment, ...]:
        """Read funding payments."""
        return await self._call("funding payments", lambda venue: venue.funding_payments(since))

    async def statement(self, since: datetime, until: datetime | None = None) -> tuple[StatementRow, ...]:
        """Read statement rows."""
        return await self._call("statement", lambda venue: venue.statement(since, until))


class MarketDataProxy:
    """Implements ``ports.MarketData`` by another one."""

    def __init__(self, market_data: MarketData) -> None:
        self._market_data = market_data

    @property
    def start(self) -> datetime:
        """First time that can be asked for."""
        return self._market_data.start

    @property
    def end(self) -> datetime:
        """Last time that can be asked for."""
        return self._market_data.end

    @property
    def step(self) -> timedelta:
        """Prices change only at multiples of this."""
        return self._market_data.step

    @property
    def pairs(self) -> Sequence[BasisPair]:
        """Pairs with data, in a stable order."""
        return self._market_data.pairs

    @property
    def sources(self) -> Mapping[str, str]:
        """Where each symbol's series come from."""
        return self._market_data.sources

    def prices(self, symbol: str, at: datetime) -> MarketPrices | None:
        """Return the newest prices known."""
        return self._market_data.prices(symbol, at)

    def liquidity(self, market: Market, symbol: str, at: datetime) -> Liquidity:
        """Return the shape of the book."""
        return self._market_data.liquidity(market, symbol, at)

    def volume(self, symbol: str, at: datetime) -> Decimal:
        """Return the 24 h quote volume."""
        return self._market_data.volume(symbol, at)

    def settled(self, symbol: str, after: datetime, until: datetime) -> tuple[FundingRate, ...]:
        """Return the rates settled in ``(after, until]``."""
        return self._market_data.settled(symbol, after, until)

    def newest_settled(self, symbol: str, at: datetime, count: int) -> tuple[FundingRate, ...]:
        """Return the newest settled rates."""
        return self._market_data.newest_settled(symbol, at, count)

    def predicted(self, symbol: str, at: datetime) -> FundingRate | None:
        """Return the estimate for the next settlement."""
        return self._market_data.predicted(symbol, at)
