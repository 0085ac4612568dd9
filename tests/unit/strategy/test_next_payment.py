"""The announced payment of a held hedge."""

from datetime import timedelta
from decimal import Decimal

import pytest

from hedgerow.strategy.next_payment import NextPayment, next_payment_of
from support.views import NOW, hedge, listing, market_of, pair_of


@pytest.mark.parametrize(("mark", "amount"), [("90", Decimal("0.18")), (None, None)])
def test_the_payment_is_of_the_short_at_the_present_mark(mark: str | None, amount: Decimal | None) -> None:
    market = market_of(listing(pair=pair_of(), mark=mark, predicted="0.0002"))
    assert next_payment_of(hedge("10"), market) == NextPayment(
        at=NOW + timedelta(hours=8), rate=0.0002, amount=amount, interval_hours=8
    )


def test_without_an_announced_rate_no_payment_is_known() -> None:
    assert next_payment_of(hedge("10"), market_of(listing(pair=pair_of(), predicted=None))) is None
