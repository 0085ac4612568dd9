"""The decisive arithmetic as functions on plain numbers, every input explicit.

Each function is plain arithmetic and ``if`` over numbers and sequences of numbers: no state, no objects, no other calls
than of the functions above it, so that it can be judged by its numbers alone, and compiled as it stands
(``hedgerow.backtest`` does). Ratios are fractions. A number that is not known is NaN: nothing that depends on it holds.

Codes of ``first_exit``: 0 hold, 1 emergency, 2 health, 3 fees covered, 4 age, 5 better pair, 6 negative funding.
Codes of ``health_class``: 0 OK, 1 repair, 2 close, 3 critical.
"""

from collections.abc import Sequence
from typing import Final

__all__ = [
    "NO_EDGE",
    "NO_FUNDING",
    "NO_PREDICTED",
    "NO_VOLUME",
    "PROFIT_ORDER",
    "SAFETY_ORDER",
    "TOO_CHEAP",
    "TOO_RICH",
    "TOO_WIDE",
    "admits",
    "agrees",
    "better_pair",
    "entry_refusals",
    "exit_cost",
    "fees_covered",
    "first_admitted",
    "first_better",
    "first_exit",
    "floor_lots",
    "funding_apr",
    "funding_turned",
    "health_class",
    "imbalance",
    "imbalance_class",
    "liquidation_distance",
    "pair_fee",
    "pair_pnl",
    "profit_reasons",
    "reduction",
    "stop_hit",
    "too_old",
    "window_sums",
]

SAFETY_ORDER: Final = (1, 2)
"""Order of the exits that are decided on whatever could be seen."""
PROFIT_ORDER: Final = (3, 4, 5, 6)
"""Order of the exits that are decided on complete observations only."""
NO_FUNDING, NO_EDGE, NO_PREDICTED, NO_VOLUME, TOO_WIDE, TOO_CHEAP, TOO_RICH = 1, 2, 4, 8, 16, 32, 64
"""Bits of ``entry_refusals``."""


def window_sums(rates: Sequence[float], hours: Sequence[float], end: int, count: int) -> tuple[float, float]:
    """Return the sum of the ``count`` rates before index ``end``, and of their hours; oldest first, in this order."""
    rate_sum, hours_sum = 0.0, 0.0
    for index in range(end - count, end):
        rate_sum += rates[index]
        hours_sum += hours[index]
    return rate_sum, hours_sum


def funding_apr(rate_sum: float, hours_sum: float) -> float:
    """Annualise rates that together cover ``hours_sum`` hours: sum / hours x 8760.

    Counted in units of 8 h (1095 a year): the division by 8 is exact, so that a window of 8 h prints gives bit for
    bit the mean rate x 1095.
    """
    return rate_sum / (hours_sum / 8.0) * 1095.0


def pair_pnl(quantity: float, basis: float, entry_basis: float, funding: float, fees: float) -> float:
    """Return marked PnL of long spot, short perpetual; basis = spot - perp in quote units per base unit."""
    return quantity * (basis - entry_basis) + funding - fees


def pair_fee(quantity: float, spot: float, spot_rate: float, perp: float, perp_rate: float) -> float:
    """Return the commission of trading both legs once, in quote units; prices and rates per leg."""
    return quantity * (spot * spot_rate + perp * perp_rate)


def admits(apr: float, min_apr: float) -> bool:
    """Return whether funding is enough to enter; a strict limit is ``nextafter(min_apr, inf)``."""
    return apr >= min_apr


def stop_hit(pnl: float, loss_limit: float) -> bool:
    """Return whether PnL fell below the limit, both in the same unit; ``loss_limit`` is negative."""
    return pnl < loss_limit


def fees_covered(funding: float, multiplier: float, entry_fee: float, exit_fee: float) -> bool:
    """Return whether funding paid for the round trip ``multiplier`` times; never before any funding arrived."""
    return funding > 0.0 and funding >= multiplier * (entry_fee + exit_fee)


def too_old(age: float, max_age: float) -> bool:
    """Return whether a position reached its maximum age, both in the same unit."""
    return age >= max_age


def better_pair(held_apr: float, best_apr: float, min_gain: float, age: float, min_age: float) -> bool:
    """Return whether another pair pays enough more, and the held one was held long enough."""
    return age >= min_age and best_apr - held_apr >= min_gain


def funding_turned(apr: float, exit_apr: float) -> bool:
    """Return whether the held pair's funding fell below the level at which holding ends."""
    return apr < exit_apr


def profit_reasons(  # noqa: PLR0913, PLR0917 - every input of four rules
    funding: float,
    multiplier: float,
    entry_fee: float,
    exit_fee: float,
    age: float,
    max_age: float,
    apr: float,
    exit_apr: float,
    best_apr: float,
    min_gain: float,
    min_age: float,
) -> tuple[bool, bool, bool, bool, bool, bool, bool]:
    """Return which reasons to end a hedge hold, indexed by the codes of ``first_exit``; 0 to 2 are not judged here.

    ``best_apr`` is that of the best other pair that may be entered.
    """
    covered = fees_covered(funding, multiplier, entry_fee, exit_fee)
    better = better_pair(apr, best_apr, min_gain, age, min_age)
    return False, False, False, covered, too_old(age, max_age), better, funding_turned(apr, exit_apr)


def entry_refusals(  # noqa: PLR0913, PLR0917 - every input of seven filters
    mean: float,
    apr: float,
    min_apr: float,
    predicted: float,
    volume: float,
    min_volume: float,
    spread: float,
    max_spread: float,
    basis: float,
    max_discount: float,
    max_premium: float,
) -> int:
    """Return the entry filters that a pair does not pass, as bits; 0 = it passes them.

    ``spread`` (of the spot book, in basis points) and ``basis`` ((perpetual bid - spot ask) / spot ask) that are not
    known refuse nothing here: a book that cannot be read is refused by itself. The others refuse when not known.
    """
    refused = 0
    if not mean > 0.0:
        refused |= NO_FUNDING
    elif not admits(apr, min_apr):
        refused |= NO_EDGE
    if not predicted > 0.0:
        refused |= NO_PREDICTED
    if not volume >= min_volume:
        refused |= NO_VOLUME
    if spread > max_spread:
        refused |= TOO_WIDE
    if basis < -max_discount:
        refused |= TOO_CHEAP
    elif basis > max_premium:
        refused |= TOO_RICH
    return refused


def first_admitted(admitted: Sequence[bool]) -> int:
    """Return the index of the first pair, best first, that may be entered; -1 = none."""
    for index in range(len(admitted)):
        if admitted[index]:
            return index
    return -1


def first_better(  # noqa: PLR0913, PLR0917 - every input of one search
    aprs: Sequence[float],
    admitted: Sequence[bool],
    held: int,
    held_apr: float,
    min_gain: float,
    age: float,
    min_age: float,
) -> int:
    """Return the index of the first pair, best first, that pays enough more than the held one and may be entered.

    ``held`` is the held pair's own index, -1 when it is not among them; -1 = there is none.
    """
    for index in range(len(aprs)):
        if not better_pair(held_apr, aprs[index], min_gain, age, min_age):
            return -1
        if index != held and admitted[index]:
            return index
    return -1


def imbalance(spot: float, short: float) -> float:
    """Return the signed difference of the legs as a fraction of the larger one; positive = more spot."""
    larger = max(spot, short)
    if larger <= 0.0:
        return 0.0
    return (spot - short) / larger


def liquidation_distance(mark: float, liquidation: float) -> float:
    """Return how far the mark may rise before the short is liquidated, as a fraction of the mark."""
    return (liquidation - mark) / mark


def reduction(distance: float, target: float, kept: float) -> float:
    """Return the fraction of both legs to close, so that the short's liquidation is ``target`` away again.

    Buying back f of a short of one coin at price 1 leaves 1 - f of it against the same margin, and the coins sold add
    f x ``kept`` (what fees and slippage leave of their price): (distance + f kept) / (1 - f) = target. Maintenance
    margin shortens both distances alike and is left out.
    """
    return (target - distance) / (target + kept)


def imbalance_class(difference: float, repair: float, close: float) -> int:
    """Grade an imbalance: 0 OK, 1 above ``repair``, 2 above ``close``; its sign does not matter."""
    if abs(difference) > close:
        return 2
    return 1 if abs(difference) > repair else 0


def health_class(balance: int, leg_gone: bool, distance: float, min_distance: float, sound: bool) -> int:  # noqa: FBT001 - compiled code passes no keywords
    """Grade a hedge: 0 OK, 1 repair, 2 close, 3 critical; ``balance`` is its ``imbalance_class``.

    ``sound`` is False for a leverage other than 1 or a symbol that leaves trading.
    """
    if distance < min_distance or not sound:
        return 3
    return 2 if leg_gone else balance


def floor_lots(quantity: float, lot: float) -> float:
    """Return the largest whole number of lots within a positive quantity."""
    return int(quantity / lot) * lot


def agrees(price: float, reference: float, bound: float) -> bool:
    """Return whether two positive prices differ by at most ``bound``, as a fraction of the smaller one."""
    if price <= 0.0 or reference <= 0.0:
        return False
    difference = abs(price - reference)
    return difference <= bound * price and difference <= bound * reference


def exit_cost(spot_spread: float, perp_spread: float, basis: float, entry_basis: float) -> float:
    """Return what closing now costs in prices, as a fraction of one leg; fees are not in it.

    The spreads are what each order pays from the middle of its book; a basis (perp - spot) / spot that grew since the
    opening costs its growth, one that shrank is no gain here.
    """
    return spot_spread + perp_spread + max(0.0, basis - entry_basis)


def first_exit(order: tuple[int, ...], holds: tuple[bool, ...]) -> int:
    """Return the first code of ``order`` whose reason holds, or 0; ``holds`` is indexed by code."""
    for code in order:
        if holds[code]:
            return code
    return 0
