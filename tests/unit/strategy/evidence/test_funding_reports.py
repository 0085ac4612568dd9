"""Which funding rows are booked at once, and which have to be read again first."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from hedgerow.domain.funding import FundingPayment, FundingRate, last_settlement
from hedgerow.strategy.evidence.funding_reports import doubt_of, is_due
from support.views import NOW, hedge

STAMP = last_settlement(NOW, 8) + timedelta(hours=4)
HEDGE = hedge("10")
RATE = FundingRate(symbol=HEDGE.symbol, rate=Decimal("0.0001"), interval_hours=8, at=STAMP)
OTHER = replace(RATE, symbol="OTHERUSDT", rate=Decimal("-0.0001"))
SECOND = timedelta(seconds=1)


def payment(amount: str = "0.1", at: datetime = STAMP, symbol: str = HEDGE.symbol) -> FundingPayment:
    return FundingPayment(symbol=symbol, amount=Decimal(amount), tran_id=7, at=at)


def doubt(row: FundingPayment, **changes: Any) -> str | None:
    known: dict[str, Any] = {"hedges": [HEDGE], "rates": [OTHER, RATE], "now": NOW}
    return doubt_of(row, **(known | changes))


@pytest.mark.parametrize(
    "row",
    [
        payment(),
        payment("2"),
        payment("0.00000001"),
        payment(at=STAMP - 59 * SECOND),
        payment(at=STAMP + 59 * SECOND),
        payment("7000", symbol="OTHERUSDT", at=NOW - timedelta(minutes=61)),
    ],
)
def test_what_can_be_so_is_booked_at_once(row: FundingPayment) -> None:
    assert doubt(row) is None


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (payment("-0.1"), "the settled rate is 0.0100% of 1000.00 USDT"),
        (payment("0"), "the settled rate is 0.0100%"),
        (payment("2.01"), "the settled rate is 0.0100%"),
        (payment("100"), "funding of 100 is listed for"),
        (payment(at=STAMP + 61 * SECOND), "no time of a settlement"),
        (payment(at=STAMP - 61 * SECOND), "no time of a settlement"),
        (payment(at=NOW + timedelta(hours=1)), "which is to come"),
    ],
)
def test_what_cannot_be_so_is_doubted(row: FundingPayment, said: str) -> None:
    assert said in (doubt(row) or "")


def test_a_settlement_is_paid_once() -> None:
    paid = replace(HEDGE, paid_at=(STAMP - timedelta(hours=8), STAMP + 15 * SECOND))
    assert "that settlement is paid" in (doubt(payment(), hedges=[paid]) or "")
    assert "that settlement is paid" in (doubt(payment(), beside=[payment(at=STAMP + SECOND)]) or "")
    assert doubt(payment(), beside=[payment(symbol="OTHERUSDT")]) is None
    assert doubt(payment(), hedges=[replace(paid, paid_at=paid.paid_at[:1])]) is None


def test_without_a_settled_rate_the_highest_one_is_the_limit() -> None:
    for amount in ("150", "-150"):
        assert doubt(payment(amount), rates=[OTHER]) is None
        assert doubt(payment(amount), rates=[replace(RATE, at=STAMP - timedelta(hours=8))]) is None
    for amount in ("151", "-151"):
        assert "earns no such sum" in (doubt(payment(amount), rates=[OTHER]) or "")


def test_a_rate_of_zero_says_nothing_of_the_amount() -> None:
    assert doubt(payment("-3"), rates=[replace(RATE, rate=Decimal(0))]) is None


def test_what_the_account_holds_at_mark_counts_where_it_is_more() -> None:
    assert doubt(payment("20"), worth=Decimal(10_000)) is None
    assert doubt(payment("20.1"), worth=Decimal(10_000)) is not None
    assert doubt(payment("2.01"), worth=Decimal(10)) is not None


def test_nothing_is_doubted_of_a_hedge_whose_size_is_unknown() -> None:
    assert doubt(payment("5"), hedges=[replace(HEDGE, entry_notional=Decimal(0))]) is None


def test_a_payment_that_names_no_symbol_or_one_that_is_not_held_is_doubted() -> None:
    lately = NOW - timedelta(minutes=59)
    assert "without a symbol" in (doubt(payment("1", symbol="", at=NOW - timedelta(days=9))) or "")
    assert "holds nothing" in (doubt(payment("1", symbol="OTHERUSDT", at=lately)) or "")
    assert doubt(payment("1", symbol="OTHERUSDT", at=lately), worth=Decimal(5)) is None


def test_a_hedge_is_due_a_payment_at_each_settlement_since_it_was_begun_that_is_not_paid() -> None:
    paid = replace(HEDGE, paid_at=(STAMP - 15 * SECOND,))
    assert is_due(HEDGE.symbol, STAMP + 59 * SECOND, [HEDGE])
    assert is_due(HEDGE.symbol, STAMP + timedelta(hours=1), [paid])
    assert not is_due(HEDGE.symbol, STAMP + 2 * SECOND, [paid])
    assert not is_due(HEDGE.symbol, STAMP + timedelta(minutes=30), [HEDGE])
    assert not is_due("OTHERUSDT", STAMP, [HEDGE])
    assert not is_due(HEDGE.symbol, HEDGE.begun_at.replace(minute=0, second=0) - timedelta(hours=1), [HEDGE])
