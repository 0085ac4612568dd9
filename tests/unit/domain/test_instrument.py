from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.instrument import BasisPair, Market, Side, TradingStatus, Violation
from support.toy_venue import toy_pair

PAIR = toy_pair(spot_lot="0.01", perp_lot="0.1", tick="0.05", max_quantity="100")


def test_prices_are_rounded_away_from_the_market() -> None:
    assert PAIR.spot.round_price(Decimal("100.12"), Side.BUY) == Decimal("100.10")
    assert PAIR.spot.round_price(Decimal("100.12"), Side.SELL) == Decimal("100.15")
    assert PAIR.spot.round_price(Decimal("100.10"), Side.SELL) == Decimal("100.10")


def test_quantities_are_rounded_to_the_lot() -> None:
    assert PAIR.perp.floor_quantity(Decimal("1.99")) == Decimal("1.9")
    assert PAIR.perp.ceil_quantity(Decimal("1.91")) == Decimal("2.0")


@pytest.mark.parametrize(
    ("quantity", "price", "violation"),
    [
        ("1", "100", None),
        ("0", "100", Violation.QUANTITY_TOO_SMALL),
        ("0.009", "1000", Violation.QUANTITY_TOO_SMALL),
        ("100.01", "100", Violation.QUANTITY_TOO_LARGE),
        ("1.001", "100", Violation.QUANTITY_STEP),
        ("1", "0", Violation.PRICE_NOT_POSITIVE),
        ("1", "100.01", Violation.PRICE_TICK),
        ("0.04", "100", Violation.NOTIONAL_TOO_SMALL),
        ("0.05", "100", None),
    ],
)
def test_an_order_is_accepted_or_the_filter_is_named(quantity: str, price: str, violation: Violation | None) -> None:
    assert PAIR.spot.accepts(quantity=Decimal(quantity), price=Decimal(price)) is violation


def test_a_reduce_only_order_may_be_below_the_minimum_notional() -> None:
    assert PAIR.spot.accepts(quantity=Decimal("0.04"), price=Decimal(100), reduce_only=True) is None


@pytest.mark.parametrize("name", ["tick", "lot", "max_quantity"])
def test_a_grid_that_is_not_positive_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"spot ABCUSDT: {name} must be positive"):
        replace(PAIR.spot, **{name: Decimal(0)})


@pytest.mark.parametrize("name", ["min_quantity", "min_notional"])
def test_a_negative_minimum_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        replace(PAIR.spot, **{name: Decimal(-1)})


def test_a_pair_is_one_spot_and_one_perpetual_of_one_underlying() -> None:
    with pytest.raises(ValueError, match="one spot and one perpetual"):
        BasisPair(spot=PAIR.perp, perp=PAIR.spot)
    with pytest.raises(ValueError, match="one spot and one perpetual"):
        BasisPair(spot=PAIR.spot, perp=PAIR.spot)
    for other in (replace(PAIR.perp, symbol="XUSDT"), replace(PAIR.perp, base="X")):
        with pytest.raises(ValueError, match="not one underlying"):
            BasisPair(spot=PAIR.spot, perp=other)


def test_a_pair_knows_its_common_lot_its_larger_minimum_and_its_instruments() -> None:
    pair = toy_pair(spot_lot="0.3", perp_lot="0.2", spot_minimum="5", perp_minimum="20")
    assert (pair.lot_step, pair.min_notional, pair.base, pair.symbol) == (Decimal("0.6"), Decimal(20), "ABC", "ABCUSDT")
    assert pair.instrument(Market.SPOT) is pair.spot
    assert pair.instrument(Market.PERP) is pair.perp


def test_a_pair_is_tradable_only_while_both_markets_trade() -> None:
    assert PAIR.tradable
    for closed in (TradingStatus.PENDING, TradingStatus.SETTLING, TradingStatus.CLOSED):
        assert not replace(PAIR, spot=replace(PAIR.spot, status=closed)).tradable
        assert not replace(PAIR, perp=replace(PAIR.perp, status=closed)).tradable


def test_enough_is_bought_that_the_fee_in_coin_leaves_the_short_covered() -> None:
    gross = PAIR.gross_spot_for(Decimal(10))
    assert gross == Decimal("10.01")
    assert gross * (1 - PAIR.spot.fees.taker) >= 10
    assert (gross - PAIR.spot.lot) * (1 - PAIR.spot.fees.taker) < 10


def test_sides_have_signs_and_opposites() -> None:
    assert (Side.BUY.sign, Side.SELL.sign) == (1, -1)
    assert Side.BUY.opposite is Side.SELL
    assert Side.SELL.opposite is Side.BUY
