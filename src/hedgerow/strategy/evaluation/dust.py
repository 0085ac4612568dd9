"""How much of a coin may stay unsold at the end of a hedge. Pure."""

from decimal import Decimal

__all__ = ["dust_limit"]

DUST_FRACTION = Decimal("0.05")
DUST_USD = Decimal(25)


def dust_limit(notional: Decimal) -> Decimal:
    """Return the quote units that may stay unsold of a hedge of ``notional``; more than that stays hedged instead.

    Filters may change while a hedge is held: a lot or a minimum that is larger than before leaves coins that cannot be
    sold. A few of them are kept as dust; a naked leg is none.
    """
    return max(DUST_USD, notional * DUST_FRACTION)
