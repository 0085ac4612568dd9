"""Market data last read from another venue, so that an emulated account can trade on it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hedgerow.domain.funding import FundingRate
from hedgerow.domain.instrument import BasisPair, Market, Side
from hedgerow.domain.market import Depth, MarketView, Quote
from hedgerow.domain.money import BPS, ZERO
from hedgerow.ports import Liquidity, MarketPrices

__all__ = ["LiveMarketData"]

STEP = timedelta(minutes=5)
NEAR_BPS = Decimal(10)
KEPT_ESTIMATES = 2


class LiveMarketData:
    """A ``MarketData`` that knows what was last read of another venue, and nothing older but settled rates.

    A settlement is charged at the estimate before it until its own rate is listed: rows come late.
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

    def prices(self, symbol: str, at: datetime) -> MarketPrices | None:  # noqa: ARG002 - only the newest reading is kept
        """Return the newest prices; None where a book or the mark could not be read."""
        mark = self._view.mark(symbol)
        spot, perp = (self._middle(market, symbol) for market in (Market.SPOT, Market.PERP))
        if mark is None or spot is None or perp is None:
            return None
        return MarketPrices(spot=spot, perp=perp, mark=mark.mark, index=mark.index)

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
        """Return the 24 h quote volume; zero where it is not reported."""
        return self._view.volume(symbol) or ZERO

    def settled(self, symbol: str, after: datetime, until: datetime) -> tuple[FundingRate, ...]:
        """Return the rates settled in ``(after, until]``, with estimates for those not listed yet."""
        listed = {rate.at: rate for rate in self._view.rates.settled.get(symbol, ())}
        guessed = {at: _as_settled(rate) for at, rate in self._estimates.get(symbol, {}).items()}
        found = {at: rate for at, rate in {**guessed, **listed}.items() if after < at <= until}
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
