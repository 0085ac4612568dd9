"""Market data with frozen prices or changed funding: rates, intervals, or both."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from zlib import crc32

from msgspec import Struct

from hedgerow.domain.funding import EPOCH, FundingRate, next_settlement, settlements
from hedgerow.domain.instrument import Market, Side
from hedgerow.emulator.core.order_book import BookGapsProxy
from hedgerow.ports import Liquidity, MarketData, MarketPrices

__all__ = ["AmendedMarketData", "FundingChange"]

INTERVALS = (1, 2, 4, 8)
"""Hours between settlements (docs/aster-api.md 11)."""
LARGEST_RATE = Decimal("0.03")
"""``fundingFeeCap`` as sampled."""


BOOKS_STEP = timedelta(seconds=1)
"""How often books move by themselves."""


class FundingChange(Struct, frozen=True, kw_only=True):
    """Funding of one symbol from a time on, until the next change of it."""

    symbol: str
    at: datetime
    rate: Decimal | None
    """Fraction per interval; None = the market's own, in proportion to the interval."""
    interval_hours: int


class AmendedMarketData(BookGapsProxy):
    """A tape under changes. With ``still_at`` its prices stay what they were then, with ``restless`` its books move."""

    def __init__(
        self,
        market_data: MarketData,
        *,
        changes: Sequence[FundingChange] = (),
        still_at: datetime | None = None,
        restless: bool = False,
    ) -> None:
        super().__init__(market_data)
        self._restless = restless
        self._still_at = still_at
        self._changes: dict[str, tuple[FundingChange, ...]] = {}
        for change in changes:
            self._keep(change)

    @property
    def changes(self) -> tuple[FundingChange, ...]:
        """Every change, those of one symbol in the order of time."""
        return tuple(change for changes in self._changes.values() for change in changes)

    @property
    def still_at(self) -> datetime | None:
        """Time whose prices stand; None = they move."""
        return self._still_at

    @property
    def books_step(self) -> timedelta:
        """Books that nobody trades on change only at multiples of this."""
        return BOOKS_STEP if self._restless else self._market_data.step

    def change_funding(
        self, symbol: str, at: datetime, *, rate: Decimal | None = None, interval_hours: int | None = None
    ) -> FundingChange:
        """Let another rate or interval hold from ``at`` on; what is not given stays as it is.

        Raises:
            ValueError: no such interval, or a rate beyond 3 %.
        """
        before = self._changes.get(symbol, ())
        last = before[-1] if before else None
        if interval_hours is None:
            interval_hours = last.interval_hours if last else self._own_interval(symbol, at)
        if interval_hours not in INTERVALS:
            raise ValueError(f"a funding interval is one of {', '.join(map(str, INTERVALS))} hours")
        if rate is not None and not (rate.is_finite() and abs(rate) <= LARGEST_RATE):
            raise ValueError(f"a funding rate is between -{LARGEST_RATE} and {LARGEST_RATE}")
        if rate is None and last:
            rate = last.rate
        change = FundingChange(symbol=symbol, at=at, rate=rate, interval_hours=interval_hours)
        self._keep(change)
        return change

    def prices(self, symbol: str, at: datetime) -> MarketPrices | None:
        """Return the newest prices known."""
        return self._market_data.prices(symbol, self._seen(at))

    def liquidity(self, market: Market, symbol: str, at: datetime) -> Liquidity:
        """Return the shape of the book."""
        shape = self._market_data.liquidity(market, symbol, at)
        return _moved(shape, f"{market}:{symbol}", at) if self._restless else shape

    def missing_side(self, market: Market, symbol: str, at: datetime) -> Side | None:
        """Return the side of a book that is empty."""
        return super().missing_side(market, symbol, self._seen(at))

    def settled(self, symbol: str, after: datetime, until: datetime) -> tuple[FundingRate, ...]:
        """Return the rates settled in ``(after, until]``."""
        changes = self._changes.get(symbol)
        if not changes or until <= changes[0].at:
            return self._market_data.settled(symbol, after, until)
        own = self._market_data.settled(symbol, after, changes[0].at) if after < changes[0].at else ()
        return (*own, *self._changed(changes, after, until))

    def newest_settled(self, symbol: str, at: datetime, count: int) -> tuple[FundingRate, ...]:
        """Return the newest settled rates."""
        changes = self._changes.get(symbol)
        if not changes or at <= changes[0].at:
            return self._market_data.newest_settled(symbol, at, count)
        longest = timedelta(hours=max(INTERVALS)) * count
        new = tuple(self._changed(changes, max(changes[0].at, at - longest), at))[-count:]
        own = self._market_data.newest_settled(symbol, changes[0].at, count - len(new)) if len(new) < count else ()
        return (*own, *new)

    def predicted(self, symbol: str, at: datetime) -> FundingRate | None:
        """Return the estimate for the next settlement."""
        now = [change for change in self._changes.get(symbol, ()) if change.at <= at]
        if not now:
            return self._market_data.predicted(symbol, at)
        return self._rate(now[-1], at, next_settlement(at, now[-1].interval_hours), settled=False)

    def _keep(self, change: FundingChange) -> None:
        others = (each for each in self._changes.get(change.symbol, ()) if each.at < change.at)
        self._changes[change.symbol] = (*others, change)

    def _seen(self, at: datetime) -> datetime:
        return at if self._still_at is None else min(at, self._still_at)

    def _changed(self, changes: Sequence[FundingChange], after: datetime, until: datetime) -> Iterator[FundingRate]:
        """Yield what settles under changes in ``(after, until]``."""
        ends = [change.at for change in changes[1:]]
        for change, end in zip(changes, [*ends, until], strict=True):
            for stamp in settlements(max(after, change.at), min(until, end), change.interval_hours):
                rate = self._rate(change, stamp, stamp, settled=True)
                if rate is not None:
                    yield rate

    def _rate(self, change: FundingChange, at: datetime, stamp: datetime, *, settled: bool) -> FundingRate | None:
        """Return the rate of a change: its own, or the market's in proportion to the interval."""
        rate, hours = change.rate, change.interval_hours
        if rate is None:
            own = self._market_data.predicted(change.symbol, min(at, stamp - timedelta(seconds=1)))
            if own is None:
                return None
            rate = (own.rate * hours / own.interval_hours).quantize(Decimal("0.00000001"))
        return FundingRate(symbol=change.symbol, rate=rate, interval_hours=hours, at=stamp, settled=settled)

    def _own_interval(self, symbol: str, at: datetime) -> int:
        own = self._market_data.predicted(symbol, at) or next(
            iter(self._market_data.newest_settled(symbol, at, 1)), None
        )
        return own.interval_hours if own else max(INTERVALS)


def _moved(shape: Liquidity, key: str, at: datetime) -> Liquidity:
    """Return a book as others leave it in this second: up to a fifth thinner, deeper, or wider at the touch."""
    drawn = crc32(f"{key}:{(at - EPOCH) // BOOKS_STEP}".encode())
    deeper = Decimal(800 + drawn % 401) / 1000
    wider = Decimal(1000 + drawn // 401 % 201) / 1000
    return Liquidity(half_spread_bps=shape.half_spread_bps * wider, depth_notional=shape.depth_notional * deeper)
