"""Another venue's market, traded on an emulated account: real books and rates, no order ever leaves."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hedgerow.domain.account import AccountView, OpenOrder
from hedgerow.domain.commands import Command
from hedgerow.domain.events import Event
from hedgerow.domain.funding import FundingPayment, FundingRate
from hedgerow.domain.instrument import BasisPair, Market, Side
from hedgerow.domain.market import Depth, MarketView, Quote
from hedgerow.domain.money import BPS, ZERO
from hedgerow.domain.news import News, NewsKind
from hedgerow.domain.order import Fill, OrderRequest
from hedgerow.emulator.venue import EmulatedVenue
from hedgerow.emulator.world import World
from hedgerow.ports import AccountRecord, Clock, Liquidity, NewsSource, StatementRow, Tape, TapePrices, Venue

__all__ = ["MirrorTape", "MirroredVenue"]

STEP = timedelta(minutes=5)
NEAR_BPS = Decimal(10)
KEPT_ESTIMATES = 2
OF_THE_MARKET = {NewsKind.MARK, NewsKind.INTERVAL, NewsKind.STATUS, NewsKind.CONNECTED, NewsKind.LOST}
"""News of the other venue that concern an emulated account too."""


class MirrorTape:
    """A ``Tape`` that knows what was last read of another venue, and nothing older but settled rates.

    A settlement is charged at the estimate that stood before it until its own rate is told: rows come late.
    """

    def __init__(self, view: MarketView) -> None:
        self._start = view.at
        self._view = view
        self._depths: dict[tuple[Market, str], Depth] = {}
        self._estimates: dict[str, dict[datetime, FundingRate]] = {}
        self.take(view)

    def take(self, view: MarketView) -> None:
        """Take over a newer reading of the whole market."""
        self._view = view
        for pair in view.pairs:
            estimate = view.predicted(pair.symbol)
            if estimate is not None:
                known = self._estimates.setdefault(pair.symbol, {})
                known[estimate.at] = estimate
                while len(known) > KEPT_ESTIMATES:
                    del known[min(known)]

    def take_depth(self, depth: Depth) -> None:
        """Take over a newer reading of one book."""
        self._depths[depth.market, depth.symbol] = depth

    @property
    def start(self) -> datetime:
        """When it was first read."""
        return self._start

    @property
    def end(self) -> datetime:
        """Never."""
        return datetime.max.replace(tzinfo=UTC)

    @property
    def step(self) -> timedelta:
        """How often what is held is looked at while no reading comes in."""
        return STEP

    @property
    def pairs(self) -> Sequence[BasisPair]:
        """Every pair of the newest reading."""
        return self._view.pairs

    @property
    def sources(self) -> Mapping[str, str]:
        """Say of each symbol that it is another venue's."""
        return dict.fromkeys((pair.symbol for pair in self._view.pairs), "read live")

    def prices(self, symbol: str, at: datetime) -> TapePrices | None:  # noqa: ARG002 - only the newest reading is kept
        """Return the newest prices; None where a book or the mark could not be read."""
        mark = self._view.mark(symbol)
        spot, perp = (self._middle(market, symbol) for market in (Market.SPOT, Market.PERP))
        if mark is None or spot is None or perp is None:
            return None
        return TapePrices(spot=spot, perp=perp, mark=mark.mark)

    def liquidity(self, market: Market, symbol: str, at: datetime) -> Liquidity:  # noqa: ARG002 - as above
        """Return the shape of the newest book: the thinner side's, and of the touch alone where no depth was read."""
        depth = self._newer_depth(market, symbol)
        bid, ask = self._touches(market, symbol)
        middle = self._middle(market, symbol)
        half = (ask - bid) / 2 / middle / BPS if bid and ask and middle else ZERO
        if depth is not None:
            notional = min(_near(depth, side) for side in Side)
        else:
            notional = _at_touch(self._view.quote(market, symbol))
        return Liquidity(half_spread_bps=max(ZERO, half), depth_notional=notional)

    def missing_side(self, market: Market, symbol: str, at: datetime) -> Side | None:  # noqa: ARG002 - as above
        """Return the side nobody offers on."""
        bid, ask = self._touches(market, symbol)
        if ask is None:
            return Side.BUY
        return Side.SELL if bid is None else None

    def volume(self, symbol: str, at: datetime) -> Decimal:  # noqa: ARG002 - as above
        """Return the 24 h quote volume; zero where it is not told."""
        return self._view.volume(symbol) or ZERO

    def settled(self, symbol: str, after: datetime, until: datetime) -> tuple[FundingRate, ...]:
        """Return the rates settled in ``(after, until]``, estimates standing in for those not told yet."""
        told = {rate.at: rate for rate in self._view.rates.settled.get(symbol, ())}
        guessed = {at: _as_settled(rate) for at, rate in self._estimates.get(symbol, {}).items()}
        found = {at: rate for at, rate in {**guessed, **told}.items() if after < at <= until}
        return tuple(found[at] for at in sorted(found))

    def newest_settled(self, symbol: str, at: datetime, count: int) -> tuple[FundingRate, ...]:
        """Return at most ``count`` newest rates settled at or before ``at``."""
        return tuple(rate for rate in self._view.rates.settled.get(symbol, ()) if rate.at <= at)[-count:]

    def predicted(self, symbol: str, at: datetime) -> FundingRate | None:  # noqa: ARG002 - as above
        """Return the running estimate."""
        return self._view.predicted(symbol)

    def _newer_depth(self, market: Market, symbol: str) -> Depth | None:
        depth = self._depths.get((market, symbol))
        return depth if depth is not None and depth.at >= self._view.at else None

    def _touches(self, market: Market, symbol: str) -> tuple[Decimal | None, Decimal | None]:
        """Return best bid and ask."""
        depth = self._newer_depth(market, symbol)
        if depth is not None:
            return depth.touch(Side.SELL), depth.touch(Side.BUY)
        quote = self._view.quote(market, symbol)
        return (quote.bid, quote.ask) if quote else (None, None)

    def _middle(self, market: Market, symbol: str) -> Decimal | None:
        prices = [price for price in self._touches(market, symbol) if price is not None]
        return sum(prices, ZERO) / len(prices) if prices else None


class MirroredVenue:
    """Market and books of ``market``, read as they are; everything else from an emulated account on them.

    ``opening`` makes the world at the first reading, from its tape: new, or as it was kept.
    """

    def __init__(
        self,
        market: Venue,
        clock: Clock,
        opening: Callable[[Tape], Awaitable[World]],
        *,
        on_change: Callable[[World], None] | None = None,
        news: NewsSource | None = None,
        name: str = "dry run",
    ) -> None:
        """``news`` is what the other venue tells of its market by itself."""
        self._market = market
        self._clock = clock
        self._opening = opening
        self._on_change = on_change
        self._name = name
        self._news = news
        self._listeners: list[Callable[[News], None]] = []
        self._reading = asyncio.Lock()
        if news is not None:
            news.subscribe(self._market_told)
        self._tape: MirrorTape | None = None
        self._account: EmulatedVenue | None = None

    @property
    def name(self) -> str:
        """Name for people."""
        return self._name

    @property
    def telling(self) -> bool:
        """Whether the other venue tells its market; the emulated account always tells."""
        return self._news is not None and self._news.telling

    def subscribe(self, listener: Callable[[News], None]) -> Callable[[], None]:
        """Call ``listener`` with news of the other venue's market and of the emulated account."""
        self._listeners.append(listener)

        def end() -> None:
            with suppress(ValueError):
                self._listeners.remove(listener)

        return end

    def follow(self, symbol: str | None) -> None:
        """Tell of this symbol; None = of none."""
        if self._news is not None:
            self._news.follow(symbol)
        if self._account is not None:
            self._account.follow(symbol)

    def _market_told(self, news: News) -> None:
        if news.kind in OF_THE_MARKET:
            self._told(news)

    def _told(self, news: News) -> None:
        for listener in tuple(self._listeners):
            listener(news)

    async def market(self, periods: int) -> MarketView:
        """Read the whole market of the other venue."""
        async with self._reading:
            return await self._read(periods)

    async def depth(self, market: Market, symbol: str) -> Depth:
        """Read the visible book of one instrument of the other venue."""
        depth = await self._market.depth(market, symbol)
        if self._tape is not None:
            self._tape.take_depth(depth)
        return depth

    async def account(self) -> AccountView:
        """Read the emulated account, at the prices of a reading under way."""
        return await (await self._emulated()).account()

    async def open_orders(self, symbol: str) -> tuple[OpenOrder, ...]:
        """Read what rests on either market of ``symbol``."""
        return await (await self._emulated()).open_orders(symbol)

    def reserve(self, command: Command) -> None:
        """Reserve nothing: no command is signed here."""

    async def submit(self, command: Command) -> tuple[Event, ...]:
        """Carry out one command on the emulated account."""
        return await (await self._emulated()).submit(command)

    async def resolve(self, request: OrderRequest) -> tuple[Event, ...]:
        """Find out what became of an order."""
        return await (await self._emulated()).resolve(request)

    async def watch(self, request: OrderRequest, filled: Decimal, seconds: float) -> tuple[Event, ...]:
        """Wait until a resting order moved, at most so long."""
        return await (await self._emulated()).watch(request, filled, seconds)

    async def fills(self, market: Market, symbol: str, since: datetime) -> tuple[Fill, ...]:
        """Read the emulated account's trades on one instrument."""
        return await (await self._emulated()).fills(market, symbol, since)

    async def funding_payments(self, since: datetime) -> tuple[FundingPayment, ...]:
        """Read the emulated account's funding payments."""
        return await (await self._emulated()).funding_payments(since)

    async def statement(self, since: datetime) -> tuple[StatementRow, ...]:
        """Read the rows that the bot did not cause."""
        return await (await self._emulated()).statement(since)

    async def record(self, since: datetime) -> AccountRecord:
        """Read everything that was written down about the emulated account."""
        return await (await self._emulated()).record(since)

    async def _emulated(self) -> EmulatedVenue:
        """Return the account, opened by a reading of the market if there was none yet."""
        async with self._reading:
            if self._account is None:
                await self._read(1)
        if self._account is None:
            raise LookupError("a reading of the market opens the account")
        return self._account

    async def _read(self, periods: int) -> MarketView:
        view = await self._market.market(periods)
        tape = self._tape
        if tape is None or self._account is None:
            tape = MirrorTape(view)
            world = await self._opening(tape)
            self._tape = tape
            self._account = EmulatedVenue(world, self._clock, on_change=self._on_change, name=self._name)
            self._account.subscribe(self._told)
            return view
        listed = tape.pairs
        tape.take(view)
        if tape.pairs is not listed and tuple(tape.pairs) != tuple(listed):
            # The emulated exchange lists what its tape lists at its opening: a change of the list opens it anew.
            self._account.world = World.load(tape, self._account.world.dump())
        return view


def _as_settled(rate: FundingRate) -> FundingRate:
    return FundingRate(symbol=rate.symbol, rate=rate.rate, interval_hours=rate.interval_hours, at=rate.at)


def _near(depth: Depth, side: Side) -> Decimal:
    """Return the quote units that an order of ``side`` finds within 10 bp of the touch."""
    limit = depth.capped_price(side, NEAR_BPS)
    if limit is None:
        return ZERO
    return sum((lv.price * lv.quantity for lv in depth.levels(side) if (lv.price - limit) * side.sign <= 0), ZERO)


def _at_touch(quote: Quote | None) -> Decimal:
    if quote is None or quote.bid is None or quote.ask is None:
        return ZERO
    return min(quote.bid * quote.bid_quantity, quote.ask * quote.ask_quantity)
