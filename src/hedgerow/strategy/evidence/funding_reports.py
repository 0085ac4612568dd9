"""What a funding row must agree with before it is booked. Pure.

A payment is booked once and for ever, counts towards what has to cover the fees and towards the stop, and a reply may
be wrong. A row that cannot be so by the settled rates and the size of the hedge waits for later readings.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from hedgerow.domain.funding import FundingPayment, FundingRate, last_settlement
from hedgerow.domain.money import ZERO, plain
from hedgerow.domain.position import HedgedPosition

__all__ = ["OFF_STAMP", "doubt_of"]

OFF_STAMP = timedelta(minutes=1)
"""A payment belongs to the settlement that its stamp is so near: it is charged up to 15 s off."""
AHEAD = timedelta(minutes=5)
"""How far ahead of the bot's clock the exchange's may be."""
MOST_WITHOUT_RATE = Decimal("0.15")
"""Of the notional, while the settled rate is not known: five times the venue's cap of a rate (3 %)."""
LARGEST_FACTOR = 20
"""How many times the payment may be larger than rate and notional make it: when it was charged, the perpetual may have
had the prices of another coin with its ticker."""


def doubt_of(
    payment: FundingPayment,
    hedges: Iterable[HedgedPosition],
    rates: Sequence[FundingRate],
    *,
    beside: Sequence[FundingPayment] = (),
    worth: Decimal = ZERO,
    now: datetime,
) -> str | None:
    """Return why a payment of a hedge's symbol cannot be so; None for one that can be, or of another symbol.

    Args:
        payment: The row.
        hedges: Those of the ledger, ended ones included.
        rates: Settled rates, as far as they are known.
        beside: Payments that are booked with it.
        worth: What the account last showed of the symbol's position in quote units at mark; 0 = unknown.
        now: Time of the bot.
    """
    own = [hedge for hedge in hedges if hedge.symbol == payment.symbol]
    if not own:
        return None
    notional = max(worth, *(hedge.entry_notional for hedge in own))
    if not notional:
        return None
    said = _stamp_doubt(payment, own, beside, now) or _amount_doubt(payment, rates, notional)
    return said and f"funding of {plain(payment.amount)} is listed for {payment.at:%Y-%m-%d %H:%M:%S} UTC, {said}"


def _stamp_doubt(
    payment: FundingPayment, own: Iterable[HedgedPosition], beside: Sequence[FundingPayment], now: datetime
) -> str | None:
    if payment.at > now + AHEAD:
        return "which is to come"
    latest = payment.at + OFF_STAMP
    if latest - last_settlement(latest, 1) > 2 * OFF_STAMP:
        return "which is no time of a settlement"
    paid = [at for hedge in own for at in hedge.paid_at]
    paid += [each.at for each in beside if each.symbol == payment.symbol]
    return "and that settlement is paid" if any(abs(at - payment.at) <= OFF_STAMP for at in paid) else None


def _amount_doubt(payment: FundingPayment, rates: Sequence[FundingRate], notional: Decimal) -> str | None:
    rate = next((r.rate for r in rates if r.symbol == payment.symbol and abs(r.at - payment.at) <= OFF_STAMP), None)
    if rate is None:
        too_much = abs(payment.amount) > MOST_WITHOUT_RATE * notional
        return f"and a hedge of {notional:.2f} USDT earns no such sum" if too_much else None
    wrong = rate and (payment.amount * rate <= 0 or abs(payment.amount) > LARGEST_FACTOR * abs(rate) * notional)
    return f"and the settled rate is {rate:.4%} of {notional:.2f} USDT" if wrong else None
