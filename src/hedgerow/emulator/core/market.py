"""The emulated market: shocks, changes and own trades applied to its prices, books and listings.

``Conditions`` is an immutable value replaced at each change, so that a view of the past keeps what was true then.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache

from msgspec import Struct, field
from msgspec.structs import replace

from hedgerow.domain.funding import FundingRate
from hedgerow.domain.instrument import BasisPair, Instrument, Market, Side, TradingStatus
from hedgerow.domain.market import Depth, Level, MarkPrice, Quote
from hedgerow.domain.money import ONE, ZERO
from hedgerow.emulator.core.error_codes import Code, rejected
from hedgerow.emulator.core.market_changes import Bracket, MarketChange, boundaries, ended
from hedgerow.emulator.core.order_book import (
    BOTTOMLESS,
    FORGOTTEN_HALF_LIVES,
    BookGaps,
    Ladder,
    Taken,
    after_taking,
    best,
    bottomless,
    ladder,
)
from hedgerow.emulator.core.overrides import (
    bracket_under,
    index_of,
    liquidity_under,
    pair_under,
    prices_under,
    shift_under,
    side_missing_under,
)
from hedgerow.ports import Liquidity, MarketData, MarketPrices

__all__ = ["Conditions", "Marketplace", "Shock", "mark_price"]


OPEN_INTEREST_SHARE = Decimal("0.3")
"""Open interest as a part of the volume of a day."""


class Shock(Struct, frozen=True, kw_only=True):
    """A jump that the tape does not know: all prices of a symbol are multiplied by ``factor`` from ``at`` on."""

    symbol: str
    factor: Decimal
    at: datetime


class Conditions(Struct, frozen=True, kw_only=True, dict=True):
    """Everything about the market that is not on the tape."""

    shocks: tuple[Shock, ...] = ()
    changes: tuple[MarketChange, ...] = ()
    """Those in force, those that are over, and those that are to come, in the order in which they were made."""
    taken: Mapping[str, Taken] = field(default_factory=dict[str, Taken])
    """By ``market:symbol:side``."""

    @cached_property
    def last_taken(self) -> datetime:
        """When own trades took from a book last; asked only where they did."""
        return max(taken.at for taken in self.taken.values())


class Marketplace:
    """Prices, books and listings at any time up to the world's."""

    def __init__(
        self,
        market_data: MarketData,
        *,
        endless: bool,
        half_life_seconds: float,
        conditions: Conditions | None = None,
        now: datetime | None = None,
    ) -> None:
        """``now`` is the time whose listings are shown first: the tape's start without it."""
        self.market_data = market_data
        self.conditions = conditions or Conditions()
        self._endless = endless
        self._half_life = half_life_seconds
        self._refilled_after = timedelta(seconds=FORGOTTEN_HALF_LIVES * half_life_seconds)
        self._gaps = market_data if isinstance(market_data, BookGaps) else None
        self._listed = {pair.symbol: pair for pair in market_data.pairs}
        self._pairs: Mapping[str, BasisPair] = self._listed
        self._order: tuple[BasisPair, ...] = tuple(self._pairs.values())
        self._alone = frozenset(pair.symbol for pair in market_data.pairs if pair.spot.status is TradingStatus.CLOSED)
        """Perpetuals that the tape lists with a closed spot market: there never was one."""
        self._on_both = self._with_spot()
        self.brackets: Mapping[str, Bracket] = {}
        """By symbol, those that differ from the venue's common one."""
        self._grouped: tuple[tuple[MarketChange, ...], dict[str, tuple[MarketChange, ...]]] = (), {}
        """All changes, and the same by symbol."""
        self._passed = market_data.start if now is None else now
        """The time whose listings are shown."""
        self._next_boundary: datetime | None = None
        self._ladders: dict[str, tuple[tuple[Decimal, Liquidity, Decimal, Decimal], Ladder]] = {}
        """By ``market:symbol:side``: what the newest ladder was built from, and the ladder."""
        self._quotes: dict[tuple[Market, str], tuple[MarketPrices, Conditions, Liquidity, Quote]] = {}
        """By instrument: its newest quote of a whole book, and what it was made from."""
        self._newest_shocked: dict[str, tuple[MarketPrices, Decimal, MarketPrices]] = {}
        """By symbol: the tape's newest prices, the product of its shocks, and the prices with them."""
        if self.conditions.changes:
            self._relist()

    @property
    def pairs(self) -> Sequence[BasisPair]:
        """Every pair, in the tape's order, with its present status; perpetuals without a spot market too."""
        return self._order

    @property
    def on_both(self) -> Sequence[BasisPair]:
        """Those whose coin has a spot market."""
        return self._on_both

    def pair(self, symbol: str) -> BasisPair | None:
        """Return one pair, or None when it is not listed."""
        return self._pairs.get(symbol)

    def pair_on_both(self, symbol: str) -> BasisPair | None:
        """Return one pair whose coin has a spot market, or None; one that closed meanwhile still has it."""
        return None if symbol in self._alone else self._pairs.get(symbol)

    def instrument(self, market: Market, symbol: str) -> Instrument:
        """Return one instrument.

        Raises:
            Rejected: the symbol is not listed (-1121).
        """
        pair = self._pairs.get(symbol)
        if pair is None or (market is Market.SPOT and symbol in self._alone):
            raise rejected(Code.BAD_SYMBOL, f"Invalid symbol: {symbol}.")
        return pair.instrument(market)

    def snapshot(self) -> "Marketplace":
        """Return the marketplace under the present conditions; later changes do not reach it."""
        seen = Marketplace.__new__(Marketplace)
        seen.__dict__.update(self.__dict__)
        return seen

    def add_change(self, change: MarketChange) -> None:
        """Let a change happen, at its time.

        Raises:
            Rejected: the symbol is not listed (-1121).
        """
        self.instrument(Market.PERP, change.symbol)
        self.conditions = replace(self.conditions, changes=(*self.conditions.changes, change))
        self._relist()

    def adopt(self, conditions: Conditions) -> None:
        """Take over the conditions of another place with the same tape, and list what they list."""
        relisted = conditions.changes is not self.conditions.changes
        self.conditions = conditions
        if relisted:
            self._relist()

    def end_changes(self) -> None:
        """Let no change be in force any more, nor come; a redenomination stays."""
        left = (ended(change, self._passed) for change in self.conditions.changes)
        self.conditions = replace(self.conditions, changes=tuple(change for change in left if change is not None))
        self._relist()

    def pass_to(self, now: datetime) -> tuple[MarketChange, ...]:
        """Show the listings of ``now``; return the changes that began since the time that was shown before."""
        since, self._passed = self._passed, max(now, self._passed)
        if self._next_boundary is None or now < self._next_boundary:
            return ()
        self._relist()
        begun = (change for change in self.conditions.changes if change.at is not None and since < change.at <= now)
        return tuple(sorted(begun, key=lambda change: change.at or now))

    @property
    def next_boundary(self) -> datetime | None:
        """When the next change begins or ends; None = no change is known."""
        return self._next_boundary

    def forget_taken(self, symbol: str) -> None:
        """Fill both books of a symbol up again."""
        taken = {key: each for key, each in self.conditions.taken.items() if key.split(":")[1] != symbol}
        self.conditions = replace(self.conditions, taken=taken)

    def add_shock(self, shock: Shock) -> None:
        """Let a symbol's prices jump."""
        self.conditions = replace(self.conditions, shocks=(*self.conditions.shocks, shock))

    def take(self, market: Market, symbol: str, side: Side, quantity: Decimal, *, at: datetime) -> None:
        """Note that an order took ``quantity`` from a book."""
        if self._endless or not quantity:
            return
        key = _side_key(market, symbol, side)
        missing = self._missing(key, at) + quantity
        taken = {**self.conditions.taken, key: Taken(quantity=missing, at=at)}
        self.conditions = replace(self.conditions, taken=taken)

    def prices(self, symbol: str, at: datetime) -> MarketPrices | None:
        """Return the prices at ``at``, shocks and changes included; None where the tape has none."""
        prices, conditions = self.market_data.prices(symbol, at), self.conditions
        if prices is None or not (conditions.shocks or conditions.changes):
            return prices
        if conditions.shocks:
            prices = self._shocked(symbol, prices, at)
        changes = self._changes_of(symbol)
        return prices_under(prices, changes, at, self.market_data) if changes else prices

    def _shocked(self, symbol: str, prices: MarketPrices, at: datetime) -> MarketPrices:
        factor = ONE
        for shock in self.conditions.shocks:
            if shock.symbol == symbol and shock.at <= at:
                factor *= shock.factor
        if factor is ONE:
            return prices
        known = self._newest_shocked.get(symbol)
        if known is None or known[0] is not prices or known[1] != factor:
            shocked = MarketPrices(
                spot=prices.spot * factor,
                perp=prices.perp * factor,
                mark=prices.mark * factor,
                index=None if prices.index is None else prices.index * factor,
            )
            known = self._newest_shocked[symbol] = prices, factor, shocked
        return known[2]

    def middle(self, market: Market, symbol: str, at: datetime) -> Decimal | None:
        """Return the middle of one book; None where the tape has no price."""
        prices = self.prices(symbol, at)
        return None if prices is None else self._middle(prices, market, symbol, at)

    def _middle(self, prices: MarketPrices, market: Market, symbol: str, at: datetime) -> Decimal:
        middle = prices.spot if market is Market.SPOT else prices.perp
        return middle * shift_under(self._changes_of(symbol), market, at) if self.conditions.changes else middle

    def levels(self, market: Market, symbol: str, side: Side, at: datetime) -> Iterator[Level]:
        """Return the levels that an order of ``side`` would take, best first."""
        return iter(self._levels(market, symbol, side, at, self.middle(market, symbol, at)))

    def _levels(
        self, market: Market, symbol: str, side: Side, at: datetime, middle: Decimal | None
    ) -> Iterator[Level] | Ladder:
        """Return one side of a book; the kept ladder itself as long as nothing is missing from it."""
        if middle is None or self._is_missing(market, symbol, side, at):
            return iter(())
        if self._endless:
            return bottomless(middle)
        key, instrument = _side_key(market, symbol, side), self._pairs[symbol].instrument(market)
        liquidity = self._liquidity(market, symbol, at)
        made_of = (middle, liquidity, instrument.tick, instrument.lot)
        known = self._ladders.get(key)
        if known is None or known[0] != made_of:  # as long as these stay, it is not computed again
            known = self._ladders[key] = made_of, Ladder(ladder(instrument, side, middle, liquidity))
        missing = self._missing(key, at)
        return after_taking(known[1], missing, instrument.lot) if missing else known[1]

    def _liquidity(self, market: Market, symbol: str, at: datetime) -> Liquidity:
        liquidity = self.market_data.liquidity(market, symbol, at)
        if not self.conditions.changes:
            return liquidity
        return liquidity_under(liquidity, self._changes_of(symbol), market, at)

    def _is_missing(self, market: Market, symbol: str, side: Side, at: datetime) -> bool:
        if self._gaps and self._gaps.missing_side(market, symbol, at) is side:
            return True
        changes = self._changes_of(symbol) if self.conditions.changes else ()
        return bool(changes) and side_missing_under(changes, market, side, at)

    def _best(self, market: Market, symbol: str, side: Side, at: datetime, middle: Decimal | None) -> Level | None:
        if self._endless:
            if middle is None or self._is_missing(market, symbol, side, at):
                return None
            return Level(middle, BOTTOMLESS)
        levels = self._levels(market, symbol, side, at, middle)
        return levels.first if isinstance(levels, Ladder) else best(levels)

    def _whole(
        self, market: Market, symbol: str, side: Side, at: datetime, middle: Decimal | None
    ) -> tuple[Level, ...]:
        levels = self._levels(market, symbol, side, at, middle)
        return levels.whole if isinstance(levels, Ladder) else tuple(levels)

    def touch(self, market: Market, symbol: str, side: Side, at: datetime) -> Decimal | None:
        """Return the best price that an order of ``side`` could take; None for an empty side."""
        level = self._best(market, symbol, side, at, self.middle(market, symbol, at))
        return level.price if level else None

    def listed_prices(self, symbol: str, at: datetime) -> MarketPrices | None:
        """Return the prices at ``at``; None where the tape has none, or does not list the symbol."""
        return self.prices(symbol, at) if symbol in self._listed else None

    def quote(self, market: Market, symbol: str, at: datetime) -> Quote | None:
        """Return best bid and ask; None where the tape has no price."""
        prices = self.listed_prices(symbol, at)
        return None if prices is None else self.quote_of(prices, market, symbol, at)

    def quote_of(self, prices: MarketPrices, market: Market, symbol: str, at: datetime) -> Quote:
        """Return best bid and ask where ``prices`` are those of ``listed_prices``."""
        conditions = self.conditions
        if self._endless or self._gaps is not None or conditions.changes or self._is_taken_from(market, symbol, at):
            return self._quote(market, symbol, at, self._middle(prices, market, symbol, at))
        # As long as prices, liquidity and conditions stay and nothing is missing from the book, only its time changes.
        liquidity, known = self.market_data.liquidity(market, symbol, at), self._quotes.get((market, symbol))
        if known and known[0] is prices and known[1] is conditions and known[2] is liquidity:
            return replace(known[3], at=at)
        quote = self._quote(market, symbol, at, self._middle(prices, market, symbol, at))
        self._quotes[market, symbol] = prices, conditions, liquidity, quote
        return quote

    def _quote(self, market: Market, symbol: str, at: datetime, middle: Decimal) -> Quote:
        bid = self._best(market, symbol, Side.SELL, at, middle)
        ask = self._best(market, symbol, Side.BUY, at, middle)
        return Quote(
            market=market,
            symbol=symbol,
            bid=bid.price if bid else None,
            bid_quantity=bid.quantity if bid else ZERO,
            ask=ask.price if ask else None,
            ask_quantity=ask.quantity if ask else ZERO,
            at=at,
        )

    def depth(self, market: Market, symbol: str, at: datetime) -> Depth:
        """Return the whole book; both sides are empty where the tape has no price."""
        middle = self.middle(market, symbol, at)
        return Depth(
            market=market,
            symbol=symbol,
            bids=self._whole(market, symbol, Side.SELL, at, middle),
            asks=self._whole(market, symbol, Side.BUY, at, middle),
            at=at,
        )

    def mark(self, symbol: str, at: datetime) -> MarkPrice | None:
        """Return mark and index; None where the tape has no price."""
        prices = self.listed_prices(symbol, at)
        return None if prices is None else mark_price(prices, symbol, at)

    def reference(self, market: Market, symbol: str, at: datetime) -> Decimal | None:
        """Return the price that a price band is measured from: the mark, for spot the price of the coin elsewhere."""
        prices = self.listed_prices(symbol, at)
        if prices is None:
            return None
        return prices.spot if market is Market.SPOT else prices.mark

    def predicted(self, symbol: str, at: datetime) -> FundingRate | None:
        """Return the running estimate of the next settlement; None where it cannot be known."""
        return self.market_data.predicted(symbol, at) if symbol in self._listed else None

    def volume(self, symbol: str, at: datetime) -> Decimal | None:
        """Return the perpetual's 24 h quote volume; None for a symbol that is not listed."""
        return self.market_data.volume(symbol, at) if symbol in self._listed else None

    def open_interest(self, symbol: str, at: datetime) -> Decimal:
        """Return how much of a perpetual is held open, base units; zero while nothing has a price."""
        mark, volume = self.mark(symbol, at), self.volume(symbol, at) or ZERO
        return volume * OPEN_INTEREST_SHARE / mark.mark if mark else ZERO

    def _is_taken_from(self, market: Market, symbol: str, at: datetime) -> bool:
        """Return whether own trades took from either side of a book what is not back yet."""
        if not self.conditions.taken or at - self.conditions.last_taken > self._refilled_after:
            return False
        sides = (_side_key(market, symbol, Side.BUY), _side_key(market, symbol, Side.SELL))
        return bool(self._missing(sides[0], at) or self._missing(sides[1], at))

    def _missing(self, key: str, at: datetime) -> Decimal:
        taken = self.conditions.taken.get(key)
        return taken.left(at, self._half_life) if taken else ZERO

    def _changes_of(self, symbol: str) -> tuple[MarketChange, ...]:
        if self._grouped[0] is not self.conditions.changes:
            grouped: dict[str, tuple[MarketChange, ...]] = {}
            for change in self.conditions.changes:
                grouped[change.symbol] = (*grouped.get(change.symbol, ()), change)
            self._grouped = self.conditions.changes, grouped
        return self._grouped[1].get(symbol, ())

    def _with_spot(self) -> tuple[BasisPair, ...]:
        return tuple(pair for pair in self._order if pair.symbol not in self._alone) if self._alone else self._order

    def _relist(self) -> None:
        """Apply the changes in force now to what the tape lists."""
        now, pairs, brackets = self._passed, dict(self._listed), dict[str, Bracket]()
        for symbol in {change.symbol for change in self.conditions.changes} & pairs.keys():
            changes = self._changes_of(symbol)
            pairs[symbol] = pair_under(pairs[symbol], changes, now, self.market_data)
            bracket = bracket_under(changes, now)
            if bracket is not None:
                brackets[symbol] = bracket
        self._pairs, self._order, self.brackets = pairs, tuple(pairs.values()), brackets
        self._on_both = self._with_spot()
        ahead = (at for change in self.conditions.changes for at in boundaries(change) if at > now)
        self._next_boundary = min(ahead, default=None)


def mark_price(prices: MarketPrices, symbol: str, at: datetime) -> MarkPrice:
    """Return mark and index as the venue shows them."""
    return MarkPrice(symbol=symbol, mark=prices.mark, index=index_of(prices), at=at)


@lru_cache(maxsize=4096)
def _side_key(market: Market, symbol: str, side: Side) -> str:
    return f"{market}:{symbol}:{side}"
