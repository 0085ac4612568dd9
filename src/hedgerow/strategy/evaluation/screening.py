"""Entry filters: why a pair may not be entered now. What cannot be read is refused."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from math import nan

from msgspec import Struct

from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.execution import ExecutionLimits
from hedgerow.domain.formats import whole_amount
from hedgerow.domain.funding import FundingRate, FundingSignal
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
    seen = _look(pair.symbol, signal, market)
    refused = _refused(seen, parameters)
    return (
        *_listing(pair),
        *_funding(seen, refused, parameters, missing),
        *_volume(seen, refused, parameters),
        *_books(seen, refused, parameters),
        *_underlying(pair, market),
    )


def basis_of(symbol: str, market: MarketView) -> Decimal | None:
    """Return (perp bid - spot ask) / spot ask, what entering at the touch earns; None when a side is missing.

    A premium of the perpetual is income for long spot, short perpetual, and a discount costs; a large one of either
    sign says that the legs are not one coin.
    """
    return _basis(market.quote(Market.SPOT, symbol), market.quote(Market.PERP, symbol))


def _basis(spot: Quote | None, perp: Quote | None) -> Decimal | None:
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


class _Seen(Struct, frozen=True, kw_only=True):
    """What the numbers of one pair are judged by; None = it cannot be read."""

    signal: FundingSignal | None
    predicted: FundingRate | None
    volume: Decimal | None
    spot: Quote | None
    perp: Quote | None
    spread: Decimal | None
    """Of the spot book, basis points."""
    basis: Decimal | None


def _look(symbol: str, signal: FundingSignal | None, market: MarketView) -> _Seen:
    spot, perp = market.quote(Market.SPOT, symbol), market.quote(Market.PERP, symbol)
    return _Seen(
        signal=signal,
        predicted=market.predicted(symbol),
        volume=market.volume(symbol),
        spot=spot,
        perp=perp,
        spread=spot.spread_bps if spot else None,
        basis=_basis(spot, perp),
    )


def _refused(seen: _Seen, parameters: FundingRateStrategy) -> int:
    """Return the filters that the numbers do not pass, as the bits of ``rules.entry_refusals``."""
    signal, predicted = seen.signal, seen.predicted
    return rules.entry_refusals(
        nan if signal is None else signal.mean,
        nan if signal is None else signal.apr,
        parameters.min_funding_apr,
        _number(None if predicted is None else predicted.rate),
        _number(seen.volume),
        float(parameters.min_volume_usd),
        _number(seen.spread),
        float(parameters.max_spread_bps),
        _number(seen.basis),
        float(parameters.max_entry_discount_bps * BPS),
        float(parameters.max_entry_premium_bps * BPS),
    )


def _number(value: Decimal | None) -> float:
    return nan if value is None else float(value)


def _funding(seen: _Seen, refused: int, parameters: FundingRateStrategy, missing: str) -> Iterator[Refusal]:
    signal, predicted = seen.signal, seen.predicted
    if signal is None:
        yield Refusal(kind=RefusalKind.SIGNAL, detail=missing)
    elif refused & rules.NO_FUNDING:
        yield Refusal(kind=RefusalKind.SIGNAL, detail=f"funding {signal.mean:.4%} is not positive")
    elif refused & rules.NO_EDGE:
        text = f"APR {signal.apr:.2%} below {parameters.min_funding_apr:.2%}"
        yield Refusal(kind=RefusalKind.APR, detail=text)
    if predicted is None:
        yield Refusal(kind=RefusalKind.PREDICTED, detail="predicted rate unreadable")
    elif refused & rules.NO_PREDICTED:
        yield Refusal(kind=RefusalKind.PREDICTED, detail=f"predicted rate {predicted.rate:.4%} is not positive")


def _volume(seen: _Seen, refused: int, parameters: FundingRateStrategy) -> Iterator[Refusal]:
    if seen.volume is None:
        yield Refusal(kind=RefusalKind.VOLUME, detail="24 h volume unreadable")
    elif refused & rules.NO_VOLUME:
        text = f"24 h volume {whole_amount(seen.volume)} below {whole_amount(parameters.min_volume_usd)}"
        yield Refusal(kind=RefusalKind.VOLUME, detail=text)


def _books(seen: _Seen, refused: int, parameters: FundingRateStrategy) -> Iterator[Refusal]:
    for leg, quote in ((Market.SPOT, seen.spot), (Market.PERP, seen.perp)):
        if quote is None or not quote.two_sided:
            state = "unreadable" if quote is None else "crossed" if quote.crossed else "one-sided"
            yield Refusal(kind=RefusalKind.BOOK, detail=f"{leg} book {state}")
    if refused & rules.TOO_WIDE and seen.spread is not None:
        text = f"spot spread {seen.spread:.1f} bp above {parameters.max_spread_bps}"
        yield Refusal(kind=RefusalKind.SPREAD, detail=text)
    basis = seen.basis
    if basis is None:
        return
    if refused & rules.TOO_CHEAP:
        text = f"perpetual bid {-basis / BPS:.1f} bp below spot ask, at most {parameters.max_entry_discount_bps}"
        yield Refusal(kind=RefusalKind.BASIS, detail=text)
    elif refused & rules.TOO_RICH:
        text = f"perpetual bid {basis / BPS:.1f} bp above spot ask, at most {parameters.max_entry_premium_bps}"
        yield Refusal(kind=RefusalKind.BASIS, detail=text)


def _underlying(pair: BasisPair, market: MarketView) -> Iterator[Refusal]:
    found = mismatch(pair, market)
    if found is not None:
        yield Refusal(kind=RefusalKind.UNDERLYING, detail=found)
