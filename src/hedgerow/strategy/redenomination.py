"""Has the exchange exchanged the coins of a hedge for fewer new ones that are worth as much more? Pure.

A venue that redenominates a coin (one new for 1,000 old ones) multiplies all prices and divides all quantities, without
a trade. Balance and position then look as if nearly all of both legs had gone.
"""

from decimal import Decimal
from math import log10
from typing import Final

from hedgerow.domain.account import AccountView
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import HedgedPosition

__all__ = ["looks_redenominated", "redenomination"]

LEAST: Final = 5
"""How many times fewer coins there must be before a redenomination is looked for; the smallest is 1 to 10."""
EXACT_WITHIN: Final = 0.001
"""How near a power of ten the ratio of the coins must be, as a part of a power."""
PRICED_WITHIN: Final = 3
"""Factor within which the price must have risen as the coins have become fewer: it moves on since the opening."""
SHORT_WITHIN: Final = Decimal("0.01")
"""Fraction within which the short must have become smaller alike, unless it was settled."""


def looks_redenominated(hedge: HedgedPosition, account: AccountView, booked: Decimal = ZERO) -> bool:
    """Return whether so few coins are left, by a readable balance, that the statement is to be asked why.

    ``booked`` is what the whole wallet should have of the coin, the owner's beside the hedge included: with many of
    those, as many new coins are left as the hedge had old ones.
    """
    base = hedge.pair.base
    if base in account.unreadable_balances or hedge.spot_quantity <= 0 or hedge.unsettled:
        return False
    return ZERO < account.coin(base).total * LEAST <= max(hedge.spot_quantity, booked)


def redenomination(
    hedge: HedgedPosition,
    account: AccountView,
    exchanged: Decimal,
    price: Decimal | None,
    *,
    bought_before: Decimal = ZERO,
    bought_since: Decimal = ZERO,
) -> Decimal | None:
    """Return how many old coins one new coin stands for, a power of ten; None = nothing proves a redenomination.

    Args:
        hedge: in old coins.
        account: shows new coins, and the short in new units, or settled by the exchange.
        exchanged: coins that rows of the statement took out of the wallet without a trade or a transfer; positive.
        price: of one new coin, quote units; None = unreadable.
        bought_before: what trades of others bought back of the short before the exchange, in old coins.
        bought_since: the same since then, in new ones.
    """
    left = account.coin(hedge.pair.base).total
    if price is None or left <= 0 or exchanged <= 0 or hedge.symbol in account.unreadable_positions:
        return None
    power = log10((left + exchanged) / left)
    factor = Decimal(10) ** round(power)
    if abs(power - round(power)) > EXACT_WITHIN or factor < LEAST:
        return None
    risen = price / (hedge.entry_price * factor) if hedge.entry_price > 0 else ZERO
    if not 1 <= risen * PRICED_WITHIN <= PRICED_WITHIN**2:
        return None
    short, whole = account.short(hedge.symbol), hedge.short / factor
    due = max(ZERO, whole - bought_before / factor - bought_since)
    return factor if short == 0 or min(abs(short - due), abs(short - whole)) <= whole * SHORT_WITHIN else None
