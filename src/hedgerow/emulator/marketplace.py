"""The tape as the emulated exchange shows it: shocks, delistings and own trades laid over its prices and books.

``Conditions`` is an immutable value replaced at each change, so that a view of the past keeps what was true then.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import Struct, field
from msgspec.structs import replace

from hedgerow.domain.funding import FundingRate
from hedgerow.domain.instrument import BasisPair, Instrument, Market, Side, TradingStatus
from hedgerow.domain.market import Depth, Level, MarkPrice, Quote
from hedgerow.domain.money import ONE, ZERO
from hedgerow.emulator.book import BookGaps, Ladder, Taken, after_taking, best, bottomless, ladder
from hedgerow.emulator.refusals import Code, rejected
from hedgerow.ports import Liquidity, Tape, TapePrices

__all__ = ["Conditions", "Marketplace", "Shock"]


class Shock(Struct, frozen=True, kw_only=True):
    """A jump that the tape does not know: all prices of a symbol are multiplied by ``factor`` from ``at`` on."""

    symbol: str
    factor: Decimal
    at: datetime


class Conditions(Struct, frozen=True, kw_only=True):
    """Everything about the market that is not on the tape."""

    shocks: tuple[Shock, ...] = ()
    statuses: Mapping[str, TradingStatus] = field(default_factory=dict[str, TradingStatus])
    """By ``market:symbol``; the others are as the tape lists them."""
    taken: Mapping[str, Taken] = field(default_factory=dict[str, Taken])
    """By ``market:symbol:side``."""


class Marketplace:
    """Prices, books and listings at any time up to the world's."""

    def __init__(
        self, tape: Tape, *, endless: bool, half_life_seconds: float, conditions: Conditions | None = None
    ) -> None:
        self.tape = tape
        self.conditions = conditions or Conditions()
        self._endless = endless
        self._half_life = half_life_seconds
        self._gaps = tape if isinstance(tape, BookGaps) else None
        self._listed = {pair.symbol: pair for pair in tape.pairs}
        self._pairs: Mapping[str, BasisPair] = self._listed
        self._ladders: dict[str, tuple[tuple[Decimal, Liquidity], Ladder]] = {}
        """By ``market:symbol:side``: what the newest ladder was built from, and the ladder."""
        self._shocked: dict[str, tuple[TapePrices, Decimal, TapePrices]] = {}
        """By symbol: the tape's newest prices, the product of its shocks, and the prices with them."""
        self._relist()

    @property
    def pairs(self) -> Sequence[BasisPair]:
        """Every pair, in the tape's order, with its present status."""
        return self._order

    def pair(self, symbol: str) -> BasisPair | None:
        """Return one pair, or None when it is not listed."""
        return self._pairs.get(symbol)

    def instrument(self, market: Market, symbol: str) -> Instrument:
        """Return one instrument.

        Raises:
            Rejected: the symbol is not listed (-1121).
        """
        pair = self._pairs.get(symbol)
        if pair is None:
            raise rejected(Code.BAD_SYMBOL, f"Invalid symbol: {symbol}.")
        return pair.instrument(market)

    def snapshot(self) -> "Marketplace":
        """Return the marketplace under the present conditions; later changes do not reach it."""
        seen = Marketplace.__new__(Marketplace)
        seen.__dict__.update(self.__dict__)
        return seen

    def change_status(self, market: Market, symbol: str, status: TradingStatus) -> None:
        """Open, close or delist one market."""
        self.instrument(market, symbol)
        statuses = {**self.conditions.statuses, f"{market}:{symbol}": status}
        self.conditions = replace(self.conditions, statuses=statuses)
        self._relist()

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

    def prices(self, symbol: str, at: datetime) -> TapePrices | None:
        """Return the prices at ``at``, shocks included; None where the tape has none."""
        prices = self.tape.prices(symbol, at)
        if prices is None or not self.conditions.shocks:
            return prices
        factor = ONE
        for shock in self.conditions.shocks:
            if shock.symbol == symbol and shock.at <= at:
                factor *= shock.factor
        if factor is ONE:
            return prices
        known = self._shocked.get(symbol)
        if known is None or known[0] is not prices or known[1] != factor:
            shocked = TapePrices(spot=prices.spot * factor, perp=prices.perp * factor, mark=prices.mark * factor)
            known = self._shocked[symbol] = prices, factor, shocked
        return known[2]

    def middle(self, market: Market, symbol: str, at: datetime) -> Decimal | None:
        """Return the middle of one book; None where the tape has no price."""
        prices = self.prices(symbol, at)
        if prices is None:
            return None
        return prices.spot if market is Market.SPOT else prices.perp

    def levels(self, market: Market, symbol: str, side: Side, at: datetime) -> Iterator[Level]:
        """Return the levels that an order of ``side`` would take, best first."""
        return iter(self._levels(market, symbol, side, at, self.middle(market, symbol, at)))

    def _levels(
        self, market: Market, symbol: str, side: Side, at: datetime, middle: Decimal | None
    ) -> Iterator[Level] | Ladder:
        """Return one side of a book; the kept ladder itself as long as nothing is missing from it."""
        if middle is None or (self._gaps and self._gaps.missing_side(market, symbol, at) is side):
            return iter(())
        if self._endless:
            return bottomless(middle)
        key, instrument = _side_key(market, symbol, side), self._listed[symbol].instrument(market)
        made_of = (middle, self.tape.liquidity(market, symbol, at))
        known = self._ladders.get(key)
        if known is None or known[0] != made_of:  # as long as middle and liquidity stay, it is not computed again
            known = self._ladders[key] = made_of, Ladder(ladder(instrument, side, *made_of))
        missing = self._missing(key, at)
        return after_taking(known[1], missing, instrument.lot) if missing else known[1]

    def _best(self, market: Market, symbol: str, side: Side, at: datetime, middle: Decimal | None) -> Level | None:
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

    def quote(self, market: Market, symbol: str, at: datetime) -> Quote | None:
        """Return best bid and ask; None where the tape has no price."""
        middle = self.middle(market, symbol, at) if symbol in self._listed else None
        if middle is None:
            return None
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
        """Return mark and index (the spot middle); None where the tape has no price."""
        prices = self.prices(symbol, at) if symbol in self._listed else None
        if prices is None:
            return None
        return MarkPrice(symbol=symbol, mark=prices.mark, index=prices.spot, at=at)

    def predicted(self, symbol: str, at: datetime) -> FundingRate | None:
        """Return the running estimate of the next settlement; None where it cannot be known."""
        return self.tape.predicted(symbol, at) if symbol in self._listed else None

    def volume(self, symbol: str, at: datetime) -> Decimal | None:
        """Return the perpetual's 24 h quote volume; None for a symbol that is not listed."""
        return self.tape.volume(symbol, at) if symbol in self._listed else None

    def _missing(self, key: str, at: datetime) -> Decimal:
        taken = self.conditions.taken.get(key)
        return taken.left(at, self._half_life) if taken else ZERO

    def _relist(self) -> None:
        statuses = self.conditions.statuses
        if statuses:
            self._pairs = {symbol: _with_status(pair, statuses) for symbol, pair in self._listed.items()}
        self._order = tuple(self._pairs.values())


def _with_status(pair: BasisPair, statuses: Mapping[str, TradingStatus]) -> BasisPair:
    spot, perp = (
        replace(leg, status=statuses.get(f"{leg.market}:{leg.symbol}", leg.status)) for leg in (pair.spot, pair.perp)
    )
    return BasisPair(spot=spot, perp=perp)


def _side_key(market: Market, symbol: str, side: Side) -> str:
    return f"{market}:{symbol}:{side}"
