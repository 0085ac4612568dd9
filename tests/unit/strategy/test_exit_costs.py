"""What closing costs in prices: both spreads at the size, and the basis that grew since the opening."""

from decimal import Decimal

import pytest

from hedgerow.domain.execution import ExecutionPlan
from hedgerow.domain.execution_quality import ExecutionQuality, LegQuality
from hedgerow.domain.instrument import Market
from hedgerow.domain.market import Depth, Level
from hedgerow.strategy.exit_costs import exit_cost
from support.views import NOW, hedge

CAP = Decimal(10)
PLAN = ExecutionPlan(spot_quantity=Decimal(10), perp_quantity=Decimal(10), slice_notional=Decimal(1000))


def book(market: Market, bid: str, ask: str, *deeper: tuple[str, str], quantity: str = "100") -> Depth:
    """Return a book; ``deeper`` are further levels, bid and ask."""
    levels = ((bid, ask), *deeper)
    return Depth(
        market=market,
        symbol="AAAUSDT",
        bids=tuple(Level(Decimal(low), Decimal(quantity)) for low, _ in levels),
        asks=tuple(Level(Decimal(high), Decimal(quantity)) for _, high in levels),
        at=NOW,
    )


SPOT, PERP = book(Market.SPOT, "99.9", "100.1"), book(Market.PERP, "99.8", "100.2")


def cost(spot: Depth | None = SPOT, perp: Depth | None = PERP, **changes: object) -> float | None:
    return exit_cost(hedge("10", **changes), PLAN, spot, perp, CAP)  # type: ignore[arg-type]


def arrived(spot: str, perp: str) -> ExecutionQuality:
    return ExecutionQuality(spot=LegQuality(arrival=Decimal(spot)), perp=LegQuality(arrival=Decimal(perp)))


def test_both_half_spreads_are_paid() -> None:
    assert cost() == pytest.approx(0.001 + 0.002)


def test_a_book_that_shows_no_price_has_no_cost() -> None:
    assert cost(spot=None) is None
    assert cost(perp=None) is None
    assert cost(spot=book(Market.SPOT, "101", "100")) is None
    assert cost(perp=book(Market.PERP, "101", "100")) is None


def test_what_the_best_level_cannot_take_is_paid_at_the_next_within_the_cap() -> None:
    thin = book(Market.SPOT, "99.9", "100.1", ("99.85", "100.2"), ("50", "150"), quantity="5")
    assert cost(spot=thin) == pytest.approx(0.00125 + 0.002)
    thinner = book(Market.SPOT, "99.9", "100.1", ("50", "150"), quantity="5")
    assert cost(spot=thinner) == pytest.approx(0.001 + 0.002), "beyond the cap no order goes"


def test_a_basis_that_grew_costs_its_growth_and_one_that_shrank_is_no_gain() -> None:
    assert cost(opening_quality=arrived("100", "99")) == pytest.approx(0.003 + 0.01)
    assert cost(opening_quality=arrived("100", "101")) == pytest.approx(0.003)
    assert cost(opening_quality=ExecutionQuality()) == pytest.approx(0.003)


def test_a_leg_that_is_gone_costs_nothing() -> None:
    short_alone = ExecutionPlan(spot_quantity=Decimal(0), perp_quantity=Decimal(10), slice_notional=Decimal(1000))
    assert exit_cost(hedge("10"), short_alone, SPOT, PERP, CAP) == pytest.approx(0.002)
    empty = book(Market.SPOT, "99.9", "100.1", quantity="0")
    assert cost(spot=empty) == pytest.approx(0.002)
