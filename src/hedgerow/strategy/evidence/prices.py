"""Prices that decide: which sources of one pair agree, and what bounds a sale.

A price is a claim of one source. Books of one market can be empty for seconds, an index can be wrong; two of the spot
book, the perpetual's book, mark and index that agree are taken for the price.
"""

from decimal import Decimal
from typing import Final

from msgspec import Struct

from hedgerow.domain.account import AccountView
from hedgerow.domain.instrument import Market
from hedgerow.domain.market import Depth, MarketView, MarkPrice
from hedgerow.domain.money import ONE
from hedgerow.strategy import rules

__all__ = [
    "SALE_BOUND",
    "Prices",
    "SaleBounds",
    "index_of",
    "less_bad",
    "prices_of",
    "sale_bounds",
    "support_bound",
    "unsupported",
]

SUPPORTED_WITHIN: Final = 0.02
"""Largest difference of two readings that support each other, as a fraction."""
LEAST_SUPPORTED_WITHIN: Final = 0.002
"""Spot and index of one coin differ by so much on any day."""
SALE_BOUND: Final = Decimal("0.05")
"""A closing sells no coins further below their reference price, and buys no short back further above it."""


class Prices(Struct, frozen=True, kw_only=True):
    """What each source shows of one pair, quote units; None = nothing, or nothing that can be a price."""

    spot: Decimal | None
    """Middle of the spot book."""
    perp: Decimal | None
    """Middle of the perpetual's book."""
    mark: Decimal | None
    index: Decimal | None


class SaleBounds(Struct, frozen=True, kw_only=True):
    """The worst prices of a closing; None = no bound."""

    spot_floor: Decimal | None = None
    perp_ceiling: Decimal | None = None


def prices_of(
    symbol: str,
    market: MarketView | None,
    account: AccountView | None,
    books: tuple[Depth | None, Depth | None] | None = None,
) -> Prices:
    """Return what can be seen; ``books`` (spot, perpetual), where given, take the place of the market's quotes."""
    mark = market.mark(symbol) if market else None
    position = account.positions.get(symbol) if account else None
    shown = mark.mark if mark else position.mark_price if position else None
    if books is None:
        spot, perp = _mid(market, Market.SPOT, symbol), _mid(market, Market.PERP, symbol)
    else:
        spot, perp = (depth.mid if depth else None for depth in books)
    return Prices(
        spot=spot,
        perp=perp,
        mark=shown if shown is not None and shown > 0 else None,
        index=_index(mark),
    )


def index_of(symbol: str, market: MarketView | None) -> Decimal | None:
    """Return the perpetual's index price; None when it is unreadable."""
    return _index(market.mark(symbol) if market else None)


def _index(mark: MarkPrice | None) -> Decimal | None:
    return mark.index if mark and mark.index.is_finite() and mark.index > 0 else None


def support_bound(loss_limit: float) -> float:
    """Return within which fraction two prices must agree for a stop at ``loss_limit`` (negative, a fraction)."""
    return max(LEAST_SUPPORTED_WITHIN, min(SUPPORTED_WITHIN, -loss_limit / 4))


def unsupported(prices: Prices, bound: float, *, short_alone: bool = False) -> tuple[str, ...]:
    """Return which of the two prices that a hedge is valued at no other source confirms; of the short's alone if asked.

    A leg whose book shows nothing is valued at the index or the mark; that then needs another source too.
    """
    spot, perp, mark, index = prices.spot, prices.perp, prices.mark, prices.index
    coins, short = spot or index, perp or mark
    others = (index, perp, mark) if spot is not None else (perp, mark)
    doubtful = not short_alone and coins is not None and not _confirmed(coins, others, bound)
    found = (f"spot {coins:f}",) if doubtful else ()
    others = (mark, index, spot) if perp is not None else (index, spot)
    if short is None or _confirmed(short, others, bound):
        return found
    return (*found, f"perpetual {short:f}")


def less_bad(prices: Prices, bound: float) -> tuple[Decimal, Decimal] | None:
    """Return spot and perpetual at which a hedge loses least, where a book is not confirmed within ``bound``.

    Such a book gives way to the index, or the mark, when that shows less of a loss: a loss beyond a limit at both is
    real. None for a leg that only one source shows.
    """
    spot, perp = prices.spot or prices.index, prices.perp or prices.mark
    if spot is None or perp is None:
        return None
    if not _confirmed(spot, (prices.index, prices.perp, prices.mark)[prices.spot is None :], bound):
        if prices.spot is None or prices.index is None:
            return None
        spot = max(prices.spot, prices.index)
    if not _confirmed(perp, (prices.mark, prices.index, prices.spot)[prices.perp is None :], bound):
        if prices.perp is None or prices.mark is None:
            return None
        perp = min(prices.perp, prices.mark)
    return spot, perp


def sale_bounds(prices: Prices) -> SaleBounds:
    """Return how far a closing may go: from the index for coins, from the mark for the short.

    Each counts only when another source confirms it; where both are alone, nothing is bounded by them.
    """
    index, mark, bound = prices.index, prices.mark, SUPPORTED_WITHIN
    coins = _first_confirmed((index, (prices.spot, prices.perp, mark)), (mark, (prices.perp, index)), bound)
    short = _first_confirmed((mark, (prices.perp, index, prices.spot)), (index, (prices.spot, mark)), bound)
    return SaleBounds(
        spot_floor=None if coins is None else coins * (ONE - SALE_BOUND),
        perp_ceiling=None if short is None else short * (ONE + SALE_BOUND),
    )


def _first_confirmed(
    first: tuple[Decimal | None, tuple[Decimal | None, ...]],
    second: tuple[Decimal | None, tuple[Decimal | None, ...]],
    bound: float,
) -> Decimal | None:
    for price, others in (first, second):
        if price is not None and _confirmed(price, others, bound):
            return price
    return None


def _confirmed(price: Decimal, others: tuple[Decimal | None, ...], bound: float) -> bool:
    own = float(price)
    for other in others:  # noqa: SIM110 - asked several times at each check
        if other is not None and rules.agrees(own, float(other), bound):
            return True
    return False


def _mid(market: MarketView | None, leg: Market, symbol: str) -> Decimal | None:
    quote = market.quote(leg, symbol) if market else None
    return quote.mid if quote else None
