"""Which prices confirm one another, and what bounds a sale."""

from decimal import Decimal

import pytest

from hedgerow.domain.instrument import Market
from hedgerow.strategy.evidence.prices import Prices, less_bad, prices_of, sale_bounds, support_bound, unsupported
from support.views import depth, holding, listing, market_of, pair_of, short_of


def seen(spot: str | None, perp: str | None, mark: str | None, index: str | None) -> Prices:
    spot_, perp_, mark_, index_ = (None if price is None else Decimal(price) for price in (spot, perp, mark, index))
    return Prices(spot=spot_, perp=perp_, mark=mark_, index=index_)


def test_books_read_later_take_the_place_of_quotes() -> None:
    market, account = market_of(listing(pair=pair_of(), spot=("80", "80"))), holding(short_of())
    assert prices_of("AAAUSDT", market, account) == seen("80", "100", "100", "100")
    books = depth(Market.SPOT, "99"), None
    assert prices_of("AAAUSDT", market, account, books) == seen("99", None, "100", "100")
    assert prices_of("AAAUSDT", None, account) == seen(None, None, "100", None)
    assert prices_of("AAAUSDT", None, None) == seen(None, None, None, None)
    assert prices_of("AAAUSDT", None, holding(short_of(mark_price=Decimal(0)))).mark is None


@pytest.mark.parametrize(
    ("prices", "alone"),
    [
        (seen("100", "100", "100", "100"), ()),
        (seen("80", "100", "100", "100"), ("spot 80",)),
        (seen("80", "100", "100", "80"), ()),
        (seen("100", "120", "100", "100"), ("perpetual 120",)),
        (seen("100", "120", "120", "100"), ()),
        (seen("100", "100", "80", "80"), ()),
        (seen(None, "100", "100", "80"), ("spot 80",)),
        (seen(None, None, "100", None), ("perpetual 100",)),
        (seen(None, None, None, None), ()),
    ],
)
def test_a_price_of_one_source_is_not_confirmed(prices: Prices, alone: tuple[str, ...]) -> None:
    assert unsupported(prices, 0.02) == alone
    assert unsupported(prices, 0.02, short_alone=True) == tuple(text for text in alone if "perpetual" in text)


@pytest.mark.parametrize(("limit", "bound"), [(-0.1, 0.02), (-0.04, 0.01), (-0.001, 0.002), (-1.0, 0.02)])
def test_a_nearer_stop_needs_prices_that_agree_better(limit: float, bound: float) -> None:
    assert support_bound(limit) == bound


@pytest.mark.parametrize(
    ("prices", "floor", "ceiling"),
    [
        (seen("100", "100", "100", "100"), "95", "105"),
        (seen("80", "100", "100", "100"), "95", "105"),
        (seen("100", "120", "120", "100"), "95", "126"),
        (seen("100", "100", "100", "200"), "95", "105"),
        (seen("100", "100", "200", "100"), "95", "105"),
        (seen("100", "300", "200", "400"), None, None),
        (seen(None, None, "100", None), None, None),
    ],
)
def test_a_sale_is_bounded_by_what_two_sources_confirm(prices: Prices, floor: str | None, ceiling: str | None) -> None:
    bounds = sale_bounds(prices)
    assert bounds.spot_floor == (None if floor is None else Decimal(floor))
    assert bounds.perp_ceiling == (None if ceiling is None else Decimal(ceiling))


@pytest.mark.parametrize(
    ("prices", "taken"),
    [
        (seen("100", "100", "100", "100"), ("100", "100")),
        (seen("80", "100", "100", "100"), ("100", "100")),
        (seen("100", "103.24", "102.59", "100"), ("100", "102.59")),
        (seen("100", "150", "150", "150"), ("150", "150")),
        (seen(None, "103", "103", "100"), None),
        (seen("80", "100", "100", None), None),
        (seen("100", None, "103", "100"), None),
        (seen("100", "103", None, "100"), None),
        (seen(None, None, None, None), None),
        (seen("100", None, None, "100"), None),
    ],
)
def test_a_loss_is_judged_by_the_less_bad_of_two_sources(prices: Prices, taken: tuple[str, str] | None) -> None:
    assert less_bad(prices, 0.0025) == (None if taken is None else tuple(Decimal(price) for price in taken))
