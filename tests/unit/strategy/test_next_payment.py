"""The announced payment of a held hedge."""

from datetime import timedelta
from decimal import Decimal

import pytest

from hedgerow.strategy.next_payment import NextPayment, earliest_of, next_payment_of
from support.views import NOW, hedge, listing, market_of, pair_of


@pytest.mark.parametrize(("mark", "amount"), [("90", Decimal("0.18")), (None, None)])
def test_the_payment_is_of_the_short_at_the_present_mark(mark: str | None, amount: Decimal | None) -> None:
    market = market_of(listing(pair=pair_of(), mark=mark, predicted="0.0002"))
    assert next_payment_of(hedge("10"), market) == NextPayment(
        at=NOW + timedelta(hours=8), rate=0.0002, amount=amount, interval_hours=8
    )


def test_without_an_announced_rate_no_payment_is_known() -> None:
    assert next_payment_of(hedge("10"), market_of(listing(pair=pair_of(), predicted=None))) is None


def due(hours: int, amount: str | None) -> NextPayment:
    at = NOW + timedelta(hours=hours)
    return NextPayment(at=at, rate=0.0, amount=None if amount is None else Decimal(amount), interval_hours=8)


def test_of_several_hedges_the_payments_of_the_earliest_settlement_are_summed() -> None:
    assert earliest_of([due(4, "0.2"), None, due(8, "5"), due(4, "-0.3")]) == (
        NOW + timedelta(hours=4),
        Decimal("-0.1"),
    )
    assert earliest_of([due(4, "0.2"), due(4, None)]) == (NOW + timedelta(hours=4), None)
    assert earliest_of([None]) == (None, None)
