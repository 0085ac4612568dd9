"""The next funding payment of a held hedge, as the exchange announces it. Pure."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from hedgerow.domain.market import MarketView
from hedgerow.domain.money import sum_or_none
from hedgerow.domain.position import HedgedPosition

__all__ = ["NextPayment", "earliest_of", "next_payment_of"]


class NextPayment(Struct, frozen=True, kw_only=True):
    """The next funding payment of the held hedge, as announced."""

    at: datetime
    rate: float
    """Fraction of notional; positive = received."""
    amount: Decimal | None
    """Quote units at the present mark; None without one."""
    interval_hours: int


def next_payment_of(hedge: HedgedPosition, market: MarketView) -> NextPayment | None:
    """Return the payment that a hedge gets at the next settlement; None while no rate is announced."""
    predicted, mark = market.predicted(hedge.symbol), market.mark(hedge.symbol)
    if predicted is None:
        return None
    amount = None if mark is None else hedge.short * mark.mark * predicted.rate
    return NextPayment(
        at=predicted.at, rate=float(predicted.rate), amount=amount, interval_hours=predicted.interval_hours
    )


def earliest_of(payments: Iterable[NextPayment | None]) -> tuple[datetime | None, Decimal | None]:
    """Return the earliest next settlement of several hedges and the sum of what is due then; None where not known."""
    known = [payment for payment in payments if payment is not None]
    at = min((payment.at for payment in known), default=None)
    return at, sum_or_none(payment.amount for payment in known if payment.at == at) if known else None
