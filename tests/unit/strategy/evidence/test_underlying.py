"""Whether both legs of a pair are one coin, by name and by value."""

from typing import Any

import pytest

from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.strategy import rules
from hedgerow.strategy.evidence.underlying import contract_multiplier, divergence, is_one_price, mismatch
from support.views import instrument, listing, market_of, pair_of


@pytest.mark.parametrize(
    ("ticker", "multiplier"),
    [
        ("1000PEPE", 1000),
        ("10000SATS", 10_000),
        ("1000000MOGUSDT", 1_000_000),
        ("1MBABYDOGE", 1_000_000),
        ("kPEPE", 1000),
        ("BTC", 1),
        ("1INCH", 1),
        ("100", 1),
        ("KAVA", 1),
        ("ksm", 1),
        ("1M", 1),
    ],
)
def test_a_contract_multiplier_is_read_from_the_ticker(ticker: str, multiplier: int) -> None:
    assert contract_multiplier(ticker) == multiplier


def _pair(symbol: str, base: str) -> BasisPair:
    return BasisPair(spot=instrument(Market.SPOT, symbol, base=base), perp=instrument(Market.PERP, symbol, base=base))


def test_a_symbol_and_a_coin_of_different_multipliers_are_not_one_thing() -> None:
    pair = _pair("1000PEPEUSDT", "PEPE")
    assert mismatch(pair, market_of(listing(pair=pair))) == (
        "1000PEPEUSDT is named after 1000 coins a unit, PEPE after 1"
    )
    same = _pair("1000PEPEUSDT", "1000PEPE")
    assert mismatch(same, market_of(listing(pair=same))) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"index": "102"}, None),
        ({"index": "102.1"}, "index 102.1 is +2.1% from spot 100, at most 2%"),
        ({"index": "97"}, "index 97 is -3.0% from spot 100, at most 2%"),
        ({"index": "105000"}, "index 105000 beside spot 100: one unit of the perpetual is about 1000 of the spot"),
        ({"index": "0.0101"}, "index 0.0101 beside spot 100: one unit of the spot is about 10000 of the perpetual"),
        ({"index": "0"}, "index price unreadable"),
        ({"index": "NaN"}, "index price unreadable"),
        ({"mark": None}, "index price unreadable"),
        ({"spot": None}, None),
        ({"spot": ("101", "100")}, None),
    ],
)
def test_spot_and_index_that_differ_are_not_one_thing(changes: dict[str, Any], said: str | None) -> None:
    pair = pair_of()
    assert mismatch(pair, market_of(listing(**{"pair": pair, **changes}))) == said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"index": "104.9"}, None),
        ({"index": "120"}, "index 120 is +20.0% from spot 100, at most 5%"),
        ({"perp": ("80", "80")}, "perpetual 80 is -20.0% from spot 100, at most 5%"),
        ({"spot": None, "perp": ("80", "80")}, None),
        ({"mark": None, "perp": None}, None),
    ],
)
def test_legs_that_come_apart_while_held_are_seen(changes: dict[str, Any], said: str | None) -> None:
    assert divergence("AAAUSDT", market_of(listing(**{"pair": pair_of(), **changes}))) == said
    assert divergence("AAAUSDT", None) is None


@pytest.mark.parametrize(
    ("changes", "is_one"),
    [({}, True), ({"index": "120"}, False), ({"spot": None}, False), ({"perp": None}, False), ({"mark": None}, False)],
)
def test_legs_follow_one_price_where_all_of_them_can_be_read_and_agree(
    changes: dict[str, Any], *, is_one: bool
) -> None:
    assert is_one_price("AAAUSDT", market_of(listing(**{"pair": pair_of(), **changes}))) is is_one
    assert not is_one_price("AAAUSDT", None)


@pytest.mark.parametrize(("price", "other"), [(0.0, 1.0), (1.0, 0.0), (-1.0, -1.0)])
def test_a_price_that_is_not_positive_agrees_with_nothing(price: float, other: float) -> None:
    assert not rules.agrees(price, other, 1.0)
    assert rules.agrees(100.0, 102.0, 0.02)
    assert not rules.agrees(100.0, 102.1, 0.02)
    assert not rules.agrees(102.1, 100.0, 0.02)
