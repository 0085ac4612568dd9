"""How the venue writes numbers and times: decimal strings of the instrument, milliseconds."""

from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from functools import lru_cache
from hashlib import sha256

from hedgerow.domain.funding import EPOCH
from hedgerow.domain.instrument import Instrument
from hedgerow.domain.money import plain

__all__ = [
    "at_ms",
    "chain_hash",
    "decimals_of",
    "fixed",
    "floored",
    "money",
    "price_text",
    "quantity_text",
    "short",
    "to_ms",
    "to_us",
    "traded_price_text",
]

MONEY_PLACES = 8
MILLISECOND = timedelta(milliseconds=1)
MICROSECOND = timedelta(microseconds=1)
LAST_MS = 253_402_214_400_000
"""The last day of the calendar: later times mean "no bound"."""


def fixed(value: Decimal, places: int) -> str:
    """Return plain notation with exactly so many decimals, never a negative zero."""
    text = f"{value:.{places}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


def floored(value: Decimal, places: int) -> Decimal:
    """Return ``value`` cut to so many decimals."""
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_DOWN)


def money(value: Decimal) -> str:
    """Return an amount with eight decimals."""
    return fixed(value, MONEY_PLACES)


def short(value: Decimal) -> str:
    """Return an amount as order replies carry it: no trailing zeros, at most eight decimals."""
    return plain(Decimal(money(value)))


@lru_cache(maxsize=1024)
def decimals_of(step: Decimal) -> int:
    """Return how many decimals multiples of ``step`` need."""
    return max(0, -int(step.normalize().as_tuple().exponent))


def price_text(instrument: Instrument, price: Decimal) -> str:
    """Return a price on the tick; a price of nothing is "0"."""
    return fixed(price, decimals_of(instrument.tick)) if price else "0"


def traded_price_text(instrument: Instrument, price: Decimal) -> str:
    """Return the price of an order or a trade: on the tick of its time, where a finer one was valid then."""
    return fixed(price, max(decimals_of(instrument.tick), decimals_of(price))) if price else "0"


def quantity_text(instrument: Instrument, quantity: Decimal) -> str:
    """Return a quantity with the decimals of the lot, or with its own where a finer lot was once valid; zero is "0"."""
    return fixed(quantity, max(decimals_of(instrument.lot), decimals_of(quantity))) if quantity else "0"


def to_ms(at: datetime) -> int:
    """Return whole milliseconds since the epoch."""
    return (at - EPOCH) // MILLISECOND


def to_us(at: datetime) -> int:
    """Return microseconds since the epoch."""
    return (at - EPOCH) // MICROSECOND


def at_ms(milliseconds: int) -> datetime:
    """Return the time of ``milliseconds`` since the epoch; beyond the calendar, its last day."""
    return EPOCH + timedelta(milliseconds=min(max(0, milliseconds), LAST_MS))


def chain_hash(*parts: object) -> str:
    """Return a transaction hash that says nothing but is always the same for the same thing."""
    return "0x" + sha256("/".join(map(str, parts)).encode()).hexdigest()
