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
COUNTABLE: Final = 10 * COIN_STEP
"""Of so many new coins at least, the rounded number shows the power of ten without the short."""
MOST_DIGITS: Final = 9
"""The largest factor has so many zeros."""
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
    if exchanged <= 0 or hedge.symbol in account.unreadable_positions:
        return None
    left, short = account.coin(hedge.pair.base).total, account.short(hedge.symbol)
    for factor in _factors(price, hedge.entry_price):
        due, whole = (left + exchanged) / factor, hedge.short / factor
        exact = abs(left - due) <= due * COINS_WITHIN
        if not exact and abs(left - due) > COIN_STEP:
            continue
        expected = max(ZERO, whole - bought_before / factor - bought_since)
        settled = short == 0 and (exact or left >= COUNTABLE)
        converted = short != 0 and min(abs(short - expected), abs(short - whole)) <= whole * SHORT_WITHIN
        if settled or converted:
            return factor
    return None


def short_redenomination(
    hedge: HedgedPosition, first: PerpPosition, second: PerpPosition, price: Decimal | None
) -> Decimal | None:
    """Return the factor of a redenomination that only the short can prove: no coins are left that would leave a row.

    ``first`` and ``second`` are the position as two endpoints show it. Trades of others, a liquidation and another coin
    with the same ticker make a short smaller or its price higher, but none of them changes the entry price that the
    exchange keeps of it.
    """
    sold = [record for record in hedge.orders if record.request.market is Market.PERP and record.opens]
    quantity = sum((record.filled_quantity for record in sold), ZERO)
    notional = sum((record.filled_notional for record in sold), ZERO)
    if quantity <= 0:
        return None
    for factor in _factors(price, hedge.entry_price):
        entry, whole = notional / quantity * factor, hedge.short / factor
        if all(
            abs(row.entry_price - entry) <= entry * ENTRY_WITHIN and abs(-row.quantity - whole) <= whole * SHORT_WITHIN
            for row in (first, second)
        ):
            return factor
    return None


def _factors(price: Decimal | None, entry_price: Decimal) -> tuple[Decimal, ...]:
    """Return the powers of ten that the rise of a price since ``entry_price`` may show, the likeliest first.

    Prices move on while a hedge is held: a factor is possible while the price is nearer to as many times the entry
    price than to the entry price itself, by their ratios.
    """
    if price is None or price <= 0 or entry_price <= 0:
        return ()
    risen = log10(price / entry_price)
    powers = (power for power in range(1, MOST_DIGITS + 1) if power / 2 <= risen <= power * 1.5)
    return tuple(Decimal(10) ** power for power in sorted(powers, key=lambda power: abs(power - risen)))
