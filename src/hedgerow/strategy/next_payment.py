"""The next funding payment of a held hedge, as the exchange announces it. Pure."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from hedgerow.domain.market import MarketView
from hedgerow.domain.position import HedgedPosition

__all__ = ["NextPayment", "next_payment_of"]


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
