from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from hedgerow.domain.account import QUOTE_ASSET, AccountView, PerpPosition
from hedgerow.domain.events import Wallet
from hedgerow.domain.ledger.books import BookLine, Books
from hedgerow.strategy.evaluation.margin_evidence import (
    ALONE_SECONDS,
    may_be_of_before,
    needs_second_source,
    with_margin_proven,
)
from support.views import NOW, hedge, holding, ledger_of, short_of

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


@pytest.mark.parametrize(
    ("ago", "short", "margin", "before"),
    [
        pytest.param(10, "10", "100", False, id="shown"),
        pytest.param(10, "11", "100", True, id="more-of-the-short"),
        pytest.param(10, "10", "99.99", True, id="less-margin"),
        pytest.param(10, "9", "101", False, id="less-of-the-short-and-more-margin"),
        pytest.param(120, "11", "99", False, id="two-minutes-later"),
        pytest.param(None, "11", "99", False, id="nothing-was-traded"),
    ],
)
def test_a_reply_with_less_margin_or_more_short_than_the_log_may_be_of_before_the_last_own_order(
    ago: int | None, short: str, margin: str, *, before: bool
) -> None:
    seen = holding(short_of(quantity=short), coins="10", perp=margin)
    line = {f"{Wallet.PERP}:{QUOTE_ASSET}": BookLine(opening=Decimal(100))}
    ledger = replace(ledger_of(hedge("10")), books=Books(lines=line))
    traded = None if ago is None else NOW - timedelta(seconds=ago)
    assert may_be_of_before(replace(ledger, traded_at=traded), seen) is before


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
