from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.money import ceil_to_step, common_step, floor_to_step, is_on_grid, nearest_step, plain
from support.toy_venue import depth_of, toy_pair

STEPS = st.sampled_from(
    [Decimal(text) for text in ("0.00000001", "0.00100000", "0.01", "0.05", "0.25", "0.3", "1", "5", "10", "1E+2")]
)
VALUES = st.decimals(min_value=-(10**9), max_value=10**9, places=10, allow_nan=False)
PRICES = st.decimals(min_value=Decimal("0.01"), max_value=10**6, places=6, allow_nan=False)
LOTS = st.sampled_from(["0.001", "0.01", "0.1", "1", "10", "0.3", "0.2"])


@given(VALUES, STEPS)
def test_rounding_lands_on_the_grid_within_one_step_on_the_right_side(value: Decimal, step: Decimal) -> None:
    floor, ceil, nearest = floor_to_step(value, step), ceil_to_step(value, step), nearest_step(value, step)
    assert floor <= value <= ceil
    assert value - floor < step
    assert ceil - value < step
    assert abs(value - nearest) * 2 <= step
    for rounded in (floor, ceil, nearest):
        assert is_on_grid(rounded, step)


@given(VALUES, STEPS)
def test_rounding_twice_changes_nothing(value: Decimal, step: Decimal) -> None:
    for rounded in (floor_to_step(value, step), ceil_to_step(value, step), nearest_step(value, step)):
        assert floor_to_step(rounded, step) == ceil_to_step(rounded, step) == rounded


@given(STEPS, STEPS)
def test_the_common_step_is_the_least_that_lies_on_both_grids(first: Decimal, second: Decimal) -> None:
    step = common_step(first, second)
    assert is_on_grid(step, first)
    assert is_on_grid(step, second)
    assert step == common_step(second, first)
    smaller = [n * max(first, second) for n in range(1, min(200, int(step / max(first, second))))]
    assert not any(is_on_grid(value, min(first, second)) for value in smaller)


@given(VALUES)
def test_plain_notation_says_the_same_number(value: Decimal) -> None:
    text = plain(value)
    assert Decimal(text) == value
    assert "E" not in text
    assert not ("." in text and text.endswith(("0", ".")))


@given(
    st.decimals(min_value=Decimal("0.001"), max_value=10**5, places=3), LOTS, st.sampled_from(["0", "0.0004", "0.1"])
)
def test_what_is_bought_for_a_short_covers_it_with_less_than_a_lot_too_many(net: Decimal, lot: str, fee: str) -> None:
    pair = toy_pair(spot_lot=lot, fee=fee)
    gross = pair.gross_spot_for(net)
    kept = 1 - Decimal(fee)
    assert is_on_grid(gross, pair.spot.lot)
    assert gross * kept >= net - Decimal("1E-20")
    assert (gross - pair.spot.lot) * kept < net


@given(PRICES, st.decimals(min_value=0, max_value=200, places=1), st.sampled_from(Side))
def test_a_capped_price_on_the_grid_is_never_beyond_the_cap(touch: Decimal, cap: Decimal, side: Side) -> None:
    spot = toy_pair().spot
    book = depth_of(Market.SPOT, [(touch, "1")], [(touch, "1")])
    limit = book.capped_price(side, cap)
    assert limit is not None
    price = spot.round_price(limit, side)
    assert is_on_grid(price, spot.tick)
    assert (price - limit) * side.sign <= 0
    assert abs(price - limit) < spot.tick
