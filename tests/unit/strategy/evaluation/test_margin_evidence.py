from decimal import Decimal
from typing import Any

import pytest

from hedgerow.domain.account import AccountView, PerpPosition
from hedgerow.strategy.evaluation.margin_evidence import ALONE_SECONDS, needs_second_source, with_margin_proven
from support.views import holding, short_of

SYMBOL = "AAAUSDT"


def row(liquidation: str | None = "198", **changes: Any) -> PerpPosition:
    """Return a short at a mark of 100."""
    price = None if liquidation is None else Decimal(liquidation)
    return short_of(quantity="10", mark_price=Decimal(100), liquidation_price=price, **changes)


def proven(first: PerpPosition, second: PerpPosition | None, seconds: float = 0.0) -> tuple[AccountView, PerpPosition]:
    found = with_margin_proven(holding(first, coins="10"), first, second, seconds)
    return found, found.positions[SYMBOL]


def test_only_another_leverage_or_a_near_liquidation_needs_a_second_source() -> None:
    assert not needs_second_source(row())
    assert not needs_second_source(row(None))
    assert not needs_second_source(row("125"))
    assert needs_second_source(row("124.9"))
    assert needs_second_source(row(leverage=2))


def test_a_leverage_that_both_show_stays() -> None:
    account, left = proven(row(leverage=3), row(leverage=5))
    assert (left.leverage, account.doubts) == (3, ())


def test_a_leverage_that_both_show_of_before_it_was_set_is_not_believed() -> None:
    first = row("105", leverage=5)
    account = with_margin_proven(holding(first, coins="10"), first, first, 0.0, lagging=True)
    left = account.positions[SYMBOL]
    assert (left.leverage, left.liquidation_price, account.doubts) == (1, Decimal(105), ())


@pytest.mark.parametrize(("second", "shown"), [(row(), "shows 1x"), (None, "cannot be read")])
def test_a_leverage_that_one_alone_shows_is_a_doubt(second: PerpPosition | None, shown: str) -> None:
    account, left = proven(row(leverage=3), second, ALONE_SECONDS)
    assert left.leverage == 1
    assert account.doubts == (f"the account's reply shows {SYMBOL} at leverage 3x, positionRisk {shown}",)


@pytest.mark.parametrize(
    ("second", "shown"), [(row("111"), "shows 111"), (row(None), "shows none"), (None, "cannot be read")]
)
def test_a_liquidation_that_one_alone_shows_near_is_a_doubt(second: PerpPosition | None, shown: str) -> None:
    account, left = proven(row("105"), second, ALONE_SECONDS - 1)
    assert left.liquidation_price is None
    assert account.doubts == (f"the account's reply shows the liquidation of {SYMBOL} at 105, positionRisk {shown}",)


def test_a_near_liquidation_is_believed_after_a_minute_without_a_second_source() -> None:
    account, left = proven(row("105"), None, ALONE_SECONDS)
    assert (left.liquidation_price, account.doubts) == (Decimal(105), ())


@pytest.mark.parametrize(("second", "used"), [("109", 109), ("103", 105), ("105", 105)])
def test_of_two_near_liquidations_the_farther_one_counts(second: str, used: int) -> None:
    account, left = proven(row("105"), row(second))
    assert (left.liquidation_price, account.doubts) == (Decimal(used), ())
