"""Has the exchange exchanged the coins of a hedge for fewer new ones that are worth as much more? Pure.

A venue that redenominates a coin (one new for 1,000 old ones) multiplies all prices and divides all quantities, without
a trade. Balance and position then look as if nearly all of both legs had gone.
"""

from decimal import Decimal
from math import log10
from typing import Final

from hedgerow.domain.account import AccountView, PerpPosition
from hedgerow.domain.instrument import Market
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import HedgedPosition

__all__ = ["LEAST", "looks_redenominated", "redenomination", "short_redenomination"]

LEAST: Final = 5
"""How many times fewer coins there must be before a redenomination is looked for; the smallest is 1 to 10."""
COINS_WITHIN: Final = Decimal("0.002")
"""Fraction within which as many coins must be left as the factor says."""
COIN_STEP: Final = Decimal("1e-8")
"""Balances have eight decimals: of a few coins, the new count is rounded."""
PRICED_WITHIN: Final = 3
"""Factor within which the price must have risen as the coins have become fewer: it moves on since the opening."""
SHORT_WITHIN: Final = Decimal("0.01")
"""Fraction within which the short must have become smaller alike, unless it was settled."""
ENTRY_WITHIN: Final = Decimal("0.01")
"""Fraction within which the exchange's entry price of the short must have risen exactly by the factor."""


def looks_redenominated(hedge: HedgedPosition, account: AccountView, booked: Decimal = ZERO) -> bool:
    """Return whether so few coins are left, by a readable balance, that the statement is to be asked why.

    ``booked`` is what the whole wallet should have of the coin, the owner's beside the hedge included: with many of
    those, as many new coins are left as the hedge had old ones.
    """
    base = hedge.pair.base
    if base in account.unreadable_balances or hedge.spot_quantity <= 0:
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
    factor = _factor(price, hedge.entry_price)
    if factor is None or exchanged <= 0 or hedge.symbol in account.unreadable_positions:
        return None
    left = account.coin(hedge.pair.base).total
    due = (left + exchanged) / factor
    exact = abs(left - due) <= due * COINS_WITHIN
    if not exact and abs(left - due) > COIN_STEP:
        return None
    short, whole = account.short(hedge.symbol), hedge.short / factor
    if short == 0:
        return factor if exact else None  # so few coins that their number is rounded prove nothing alone
    expected = max(ZERO, whole - bought_before / factor - bought_since)
    return factor if min(abs(short - expected), abs(short - whole)) <= whole * SHORT_WITHIN else None


def short_redenomination(
    hedge: HedgedPosition, first: PerpPosition, second: PerpPosition, price: Decimal | None
) -> Decimal | None:
    """Return the factor of a redenomination that only the short can prove: no coins are left that would leave a row.

    ``first`` and ``second`` are the position as two endpoints show it. Trades of others, a liquidation and another coin
    with the same ticker make a short smaller or its price higher, but none of them changes the entry price that the
    exchange keeps of it.
    """
    factor = _factor(price, hedge.entry_price)
    sold = [record for record in hedge.orders if record.request.market is Market.PERP and record.opens]
    quantity = sum((record.filled_quantity for record in sold), ZERO)
    notional = sum((record.filled_notional for record in sold), ZERO)
    if factor is None or quantity <= 0:
        return None
    entry, whole = notional / quantity * factor, hedge.short / factor
    shown = all(
        abs(row.entry_price - entry) <= entry * ENTRY_WITHIN and abs(-row.quantity - whole) <= whole * SHORT_WITHIN
        for row in (first, second)
    )
    return factor if shown else None


def _factor(price: Decimal | None, entry_price: Decimal) -> Decimal | None:
    """Return the power of ten by which a price has risen since ``entry_price``; None = by none, or not as one would."""
    if price is None or price <= 0 or entry_price <= 0:
        return None
    factor = Decimal(10) ** round(log10(price / entry_price))
    risen = price / (entry_price * factor)
    return factor if factor >= LEAST and 1 <= risen * PRICED_WITHIN <= PRICED_WITHIN**2 else None
