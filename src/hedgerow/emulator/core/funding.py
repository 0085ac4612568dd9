"""Funding settlement: when a rate is charged, and what a position pays or receives."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from msgspec import Struct

from hedgerow.domain.funding import EPOCH, FundingRate
from hedgerow.emulator.core.wallets import to_row
from hedgerow.ports import MarketData

__all__ = ["Charge", "charges", "may_settle", "payment_amount"]

SLACK = timedelta(seconds=60)
"""How far from a full hour a settlement may lie: Aster charges up to 15 s off (docs/aster-api.md 11)."""
HOUR = timedelta(hours=1)


class Charge(Struct, frozen=True, kw_only=True):
    """A settled rate and the time at which positions are charged."""

    at: datetime
    symbol: str
    rate: FundingRate


def payment_amount(quantity: Decimal, mark: Decimal, rate: Decimal) -> Decimal:
    """Return -position x mark x rate in quote units, as a row: positive = received (docs/aster-api.md 11)."""
    return to_row(-quantity * mark * rate)


def may_settle(after: datetime, until: datetime) -> bool:
    """Return whether any rate can settle in ``(after, until]``: settlements lie within ``SLACK`` of full hours."""
    # Both well within the same hour: by far most questions, and expensive to compute.
    if after.hour == until.hour and after.minute >= 1 and until.minute < 59 and until - after < HOUR:  # noqa: PLR2004
        return False
    return (until + SLACK - EPOCH) // HOUR > (after - SLACK - EPOCH) // HOUR


def charges(
    market_data: MarketData,
    symbols: Iterable[str],
    after: datetime,
    until: datetime,
    *,
    longest_delay: timedelta,
    longest_lead: timedelta = timedelta(0),
) -> list[Charge]:
    """Return the charges of ``symbols`` due in ``(after, until]``, oldest first."""
    due = [
        Charge(at=rate.at + _delay(rate, longest_delay, longest_lead), symbol=symbol, rate=rate)
        for symbol in symbols
        for rate in market_data.settled(symbol, after - longest_delay, until + longest_lead)
    ]
    return sorted((charge for charge in due if after < charge.at <= until), key=lambda c: (c.at, c.symbol))


def _delay(rate: FundingRate, longest: timedelta, lead: timedelta) -> timedelta:
    """Return how late (negative = early) this settlement is charged: drawn from its name, the same in every run."""
    if not longest and not lead:
        return longest
    return (longest + lead) * Random(f"{rate.symbol}@{rate.at.isoformat()}").random() - lead  # noqa: S311 - not for secrets
