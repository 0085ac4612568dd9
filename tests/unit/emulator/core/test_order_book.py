from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from hedgerow.domain.instrument import Side
from hedgerow.domain.market import Level
from hedgerow.domain.money import is_on_grid
from hedgerow.emulator.core.order_book import Ladder, Taken, after_taking, best, ladder, sweep
from hedgerow.ports import Liquidity
from support.worlds import START, make_pair

BOOK = Liquidity(half_spread_bps=Decimal(2), depth_notional=Decimal(100_000))


def asks(tick: str = "0.01") -> list[Level]:
    return list(ladder(make_pair(tick=tick).spot, Side.BUY, Decimal(100), BOOK))


@pytest.mark.parametrize("side", list(Side))
def test_the_touch_is_half_a_spread_from_the_middle_and_prices_worsen_from_there(side: Side) -> None:
    levels = list(ladder(make_pair().spot, side, Decimal(100), BOOK))
    assert levels[0].price == Decimal(100) + side.sign * Decimal("0.02")
    distances = [(level.price - 100) * side.sign for level in levels]
    assert distances == sorted(set(distances))


def test_quantities_grow_with_the_distance_and_lie_on_the_grid() -> None:
    instrument = make_pair().spot
    quantities = [level.quantity for level in asks()]
    assert quantities == sorted(quantities)
    assert len(quantities) == 11
    assert all(is_on_grid(quantity, instrument.lot) for quantity in quantities)


def test_the_notional_within_ten_basis_points_is_the_declared_depth() -> None:
    levels = asks()
    near = [level for level in levels if level.price <= levels[0].price * Decimal("1.001")]
    assert float(sum(level.price * level.quantity for level in near)) == pytest.approx(100_000, rel=1e-3)


def test_levels_that_fall_on_one_tick_become_one() -> None:
    coarse = asks(tick="1")
    assert [level.price for level in coarse] == [101, 102]
    together, apart = (float(sum(level.quantity for level in levels)) for levels in (coarse, asks()))
    assert together == pytest.approx(apart, rel=0.02)


def test_an_order_takes_the_best_prices_first_and_never_beyond_its_limit() -> None:
    levels = [Level(Decimal(100), Decimal(1)), Level(Decimal(101), Decimal(2)), Level(Decimal(102), Decimal(9))]
    assert sweep(levels, Side.BUY, Decimal(101), Decimal("2.5")) == (
        Level(Decimal(100), Decimal(1)),
        Level(Decimal(101), Decimal("1.5")),
    )
    assert sweep(levels, Side.BUY, Decimal(101), Decimal(50))[-1] == levels[1]
    assert sweep(levels, Side.BUY, Decimal(99), Decimal(1)) == ()


def test_what_was_taken_is_missing_from_the_best_levels() -> None:
    levels = [Level(Decimal(100), Decimal(1)), Level(Decimal(101), Decimal(2))]
    assert list(after_taking(levels, Decimal("1.5"), Decimal("0.1"))) == [Level(Decimal(101), Decimal("1.5"))]


def test_half_of_what_was_taken_is_back_after_the_half_life() -> None:
    taken = Taken(quantity=Decimal(8), at=START)
    assert [taken.left(START + timedelta(seconds=30 * n), 30.0) for n in range(4)] == [8, 4, 2, 1]


def test_a_ladder_is_computed_as_far_as_somebody_looked_and_once() -> None:
    computed: list[Level] = []

    def levels() -> Iterator[Level]:
        for number in range(3):
            computed.append(Level(Decimal(number), Decimal(1)))
            yield computed[-1]

    kept = Ladder(levels())
    assert best(iter(kept)) == Level(Decimal(0), Decimal(1))
    assert len(computed) == 1
    assert list(kept) == list(kept) == computed
    assert len(computed) == 3


def test_what_was_taken_is_forgotten_when_nothing_can_be_left_of_it() -> None:
    taken = Taken(quantity=Decimal(10) ** 12, at=START)
    assert taken.left(START + timedelta(seconds=30 * 99), 30.0) == 0
    assert taken.left(START + timedelta(seconds=30 * 101), 30.0) == 0
    assert taken.left(START + timedelta(seconds=30), 30.0) == Decimal(10) ** 12 / 2
