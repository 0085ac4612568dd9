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

__all__ = ["OFF_STAMP", "doubt_of", "is_due"]

OFF_STAMP = timedelta(minutes=1)
"""A payment belongs to the settlement that its stamp is so near: it is charged up to 15 s off."""
AHEAD = timedelta(minutes=5)
"""How far ahead of the bot's clock the exchange's may be."""
MOST_WITHOUT_RATE = Decimal("0.15")
"""Of the notional, while the settled rate is not known: five times the venue's cap of a rate (3 %)."""
STRANGE = timedelta(hours=1)
"""How old a payment may be whose position the account must still show: an older one may have been closed since."""
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
    """Return why a payment cannot be so, or is not of what it says; None for one that can be.

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
        return _stranger_doubt(payment, worth, now)
    notional = max(worth, *(hedge.entry_notional for hedge in own))
    if not notional:
        return None
    said = _stamp_doubt(payment, own, beside, now) or _amount_doubt(payment, rates, notional)
    return said and f"funding of {plain(payment.amount)} is listed for {payment.at:%Y-%m-%d %H:%M:%S} UTC, {said}"


def is_due(symbol: str, at: datetime, hedges: Iterable[HedgedPosition]) -> bool:
    """Return whether a hedge of a symbol may be paid at a time, and is not: a row of that time may be its payment."""
    own = [hedge for hedge in hedges if hedge.symbol == symbol and hedge.begun_at <= at + OFF_STAMP]
    return bool(own) and _is_stamp(at) and not _is_paid(at, own)


def _stranger_doubt(payment: FundingPayment, worth: Decimal, now: datetime) -> str | None:
    """Return the doubt about a payment of a symbol that no hedge has."""
    if not payment.symbol:
        return f"funding of {plain(payment.amount)} is listed for {payment.at:%Y-%m-%d %H:%M:%S} UTC without a symbol"
    if worth or now - payment.at > STRANGE:
        return None
    return f"funding of {plain(payment.amount)} is listed, and the account holds nothing of that symbol"


def _stamp_doubt(
    payment: FundingPayment, own: Iterable[HedgedPosition], beside: Sequence[FundingPayment], now: datetime
) -> str | None:
    if payment.at > now + AHEAD:
        return "which is to come"
    if not _is_stamp(payment.at):
        return "which is no time of a settlement"
    others = (each.at for each in beside if each.symbol == payment.symbol)
    paid = _is_paid(payment.at, own) or any(abs(at - payment.at) <= OFF_STAMP for at in others)
    return "and that settlement is paid" if paid else None


def _is_stamp(at: datetime) -> bool:
    latest = at + OFF_STAMP
    return latest - last_settlement(latest, 1) <= 2 * OFF_STAMP


def _is_paid(stamp: datetime, hedges: Iterable[HedgedPosition]) -> bool:
    return any(abs(at - stamp) <= OFF_STAMP for hedge in hedges for at in hedge.paid_at)


def _amount_doubt(payment: FundingPayment, rates: Sequence[FundingRate], notional: Decimal) -> str | None:
    rate = next((r.rate for r in rates if r.symbol == payment.symbol and abs(r.at - payment.at) <= OFF_STAMP), None)
    if rate is None:
        too_much = abs(payment.amount) > MOST_WITHOUT_RATE * notional
        return f"and a hedge of {notional:.2f} USDT earns no such sum" if too_much else None
    wrong = rate and (payment.amount * rate <= 0 or abs(payment.amount) > LARGEST_FACTOR * abs(rate) * notional)
    return f"and the settled rate is {rate:.4%} of {notional:.2f} USDT" if wrong else None
