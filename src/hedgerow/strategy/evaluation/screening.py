"""Entry filters: why a pair may not be entered now. What cannot be read is refused."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.execution import ExecutionLimits
from hedgerow.domain.formats import whole_amount
from hedgerow.domain.funding import FundingSignal
from hedgerow.domain.instrument import BasisPair, Market, Side
from hedgerow.domain.market import Depth, MarketView, Quote
from hedgerow.domain.money import BPS
from hedgerow.strategy import rules
from hedgerow.strategy.evidence.underlying import ENTRY_BOUND, mismatch
from hedgerow.strategy.observation import Refusal, RefusalKind
from hedgerow.strategy.parameters import FundingRateStrategy

__all__ = ["basis_of", "contradiction_refusal", "depth_refusal", "refusals", "staleness_refusal"]

TEST_PREFIX = "TEST"
"""The venue lists instruments of its own for trials under this prefix."""


def refusals(
    pair: BasisPair,
    signal: FundingSignal | None,
    market: MarketView,
    parameters: FundingRateStrategy,
    *,
    missing: str = "no settled rate",
) -> tuple[Refusal, ...]:
    """Return every entry filter that ``pair`` does not pass; empty = it may be entered, if its depth allows.

    ``missing`` says why there is no signal.
    """
    return (
        *_listing(pair),
        *_funding(pair.symbol, signal, market, parameters, missing),
        *_volume(pair.symbol, market, parameters),
        *_books(pair.symbol, market, parameters),
        *_underlying(pair, market),
    )


def basis_of(symbol: str, market: MarketView) -> Decimal | None:
    """Return (perp bid - spot ask) / spot ask, what entering at the touch earns; None when a side is missing.

    A premium of the perpetual is income for long spot, short perpetual, and a discount costs; a large one of either
    sign says that the legs are not one coin.
    """
    spot, perp = market.quote(Market.SPOT, symbol), market.quote(Market.PERP, symbol)
    ask = spot.touch(Side.BUY) if spot else None
    bid = perp.touch(Side.SELL) if perp else None
    return None if ask is None or bid is None else (bid - ask) / ask


def depth_refusal(
    spot_depth: Depth | None, perp_depth: Depth | None, notional: Decimal, limits: ExecutionLimits
) -> Refusal | None:
    """Return why the books cannot take ``notional`` quote units per leg within the price cap, or None."""
    for depth, side, name in ((spot_depth, Side.BUY, "spot"), (perp_depth, Side.SELL, "perpetual")):
        if depth is None:
            return Refusal(kind=RefusalKind.DEPTH, detail=f"{name} depth unreadable")
        touch = depth.touch(side)
        if touch is None or not depth.two_sided:
            state = "crossed" if depth.crossed else "one-sided"
            return Refusal(kind=RefusalKind.DEPTH, detail=f"{name} book is {state}")
        visible = depth.notional_within(side, limits.price_cap_bps)
        if visible < notional:
            text = f"{name} book shows {whole_amount(visible)} within {limits.price_cap_bps} bp,"
            text += f" {whole_amount(notional)} needed"
            return Refusal(kind=RefusalKind.DEPTH, detail=text)
    return None


LONGEST_READING_SECONDS = 60.0
"""A book is read after the observation, but not by more than this: a later stamp is of a clock that was set."""


def staleness_refusal(
    spot_depth: Depth | None, perp_depth: Depth | None, at: datetime, limits: ExecutionLimits
) -> Refusal | None:
    """Return why the books, read at or after ``at``, are too old to be traded on, or None."""
    for depth, name in ((spot_depth, "spot"), (perp_depth, "perpetual")):
        age = (at - depth.at).total_seconds() if depth else 0.0
        if age > limits.book_stale_seconds:
            return Refusal(kind=RefusalKind.DEPTH, detail=f"{name} book is {age:.0f} s old")
        if age < -LONGEST_READING_SECONDS:
            return Refusal(kind=RefusalKind.DEPTH, detail=f"{name} book is stamped {-age:.0f} s ahead")
    return None


def contradiction_refusal(
    symbol: str, spot_depth: Depth | None, perp_depth: Depth | None, market: MarketView | None
) -> Refusal | None:
    """Return why the books contradict the best prices that the pair was chosen by, or None.

    What is missing contradicts nothing: ``depth_refusal`` refuses it.
    """
    for depth, leg, name in ((spot_depth, Market.SPOT, "spot"), (perp_depth, Market.PERP, "perpetual")):
        quote = market.quote(leg, symbol) if market else None
        shown, chosen = depth.mid if depth else None, quote.mid if quote else None
        if shown is None or chosen is None or rules.agrees(float(shown), float(chosen), ENTRY_BOUND):
            continue
        text = f"{name} book at {shown:f} contradicts its best prices at {chosen:f}"
        return Refusal(kind=RefusalKind.BOOK, detail=text)
    return None


def _listing(pair: BasisPair) -> Iterator[Refusal]:
    if pair.symbol.startswith(TEST_PREFIX) or pair.base.startswith(TEST_PREFIX):
        yield Refusal(kind=RefusalKind.TEST_SYMBOL, detail="an instrument for trials")
    for leg in (pair.spot, pair.perp):
        if leg.quote != QUOTE_ASSET:
            yield Refusal(kind=RefusalKind.QUOTE_ASSET, detail=f"{leg.market} is quoted in {leg.quote}")
    if not pair.tradable:
        text = f"spot {pair.spot.status}, perpetual {pair.perp.status}"
        yield Refusal(kind=RefusalKind.NOT_TRADING, detail=text)


def _funding(
    symbol: str, signal: FundingSignal | None, market: MarketView, parameters: FundingRateStrategy, missing: str
) -> Iterator[Refusal]:
    if signal is None:
        yield Refusal(kind=RefusalKind.SIGNAL, detail=missing)
    elif signal.mean <= 0:
        yield Refusal(kind=RefusalKind.SIGNAL, detail=f"funding {signal.mean:.4%} is not positive")
    elif not rules.admits(signal.apr, parameters.min_funding_apr):
        text = f"APR {signal.apr:.2%} below {parameters.min_funding_apr:.2%}"
        yield Refusal(kind=RefusalKind.APR, detail=text)
    predicted = market.predicted(symbol)
    if predicted is None:
        yield Refusal(kind=RefusalKind.PREDICTED, detail="predicted rate unreadable")
    elif predicted.rate <= 0:
        yield Refusal(kind=RefusalKind.PREDICTED, detail=f"predicted rate {predicted.rate:.4%} is not positive")


def _volume(symbol: str, market: MarketView, parameters: FundingRateStrategy) -> Iterator[Refusal]:
    volume = market.volume(symbol)
    if volume is None:
        yield Refusal(kind=RefusalKind.VOLUME, detail="24 h volume unreadable")
    elif volume < parameters.min_volume_usd:
        text = f"24 h volume {whole_amount(volume)} below {whole_amount(parameters.min_volume_usd)}"
        yield Refusal(kind=RefusalKind.VOLUME, detail=text)


def _books(symbol: str, market: MarketView, parameters: FundingRateStrategy) -> Iterator[Refusal]:
    quotes = {leg: market.quote(leg, symbol) for leg in Market}
    for leg, quote in quotes.items():
        if quote is None or not quote.two_sided:
            state = "unreadable" if quote is None else "crossed" if quote.crossed else "one-sided"
            yield Refusal(kind=RefusalKind.BOOK, detail=f"{leg} book {state}")
    yield from _spread(quotes[Market.SPOT], parameters)
    basis = basis_of(symbol, market)
    if basis is None:
        return
    if basis < -parameters.max_entry_discount_bps * BPS:
        text = f"perpetual bid {-basis / BPS:.1f} bp below spot ask, at most {parameters.max_entry_discount_bps}"
        yield Refusal(kind=RefusalKind.BASIS, detail=text)
    elif basis > parameters.max_entry_premium_bps * BPS:
        text = f"perpetual bid {basis / BPS:.1f} bp above spot ask, at most {parameters.max_entry_premium_bps}"
        yield Refusal(kind=RefusalKind.BASIS, detail=text)


def _underlying(pair: BasisPair, market: MarketView) -> Iterator[Refusal]:
    found = mismatch(pair, market)
    if found is not None:
        yield Refusal(kind=RefusalKind.UNDERLYING, detail=found)


def _spread(spot: Quote | None, parameters: FundingRateStrategy) -> Iterator[Refusal]:
    spread = spot.spread_bps if spot else None
    if spread is not None and spread > parameters.max_spread_bps:
        text = f"spot spread {spread:.1f} bp above {parameters.max_spread_bps}"
        yield Refusal(kind=RefusalKind.SPREAD, detail=text)
