"""The decisive arithmetic as leaf functions on plain numbers, every input explicit.

Each function is plain arithmetic and ``if``: no globals, no calls of one another, no objects, so that it can be judged
and tested by its numbers alone. Ratios are fractions.

Codes of ``first_exit``: 0 hold, 1 emergency, 2 health, 3 fees covered, 4 age, 5 better pair, 6 negative funding.
Codes of ``health_class``: 0 OK, 1 repair, 2 close, 3 critical.
"""

__all__ = [
    "admits",
    "agrees",
    "better_pair",
    "exit_cost",
    "fees_covered",
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
    "reduction",
    "stop_hit",
    "too_old",
]


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
    """Tell whether funding is enough to enter; a strict limit is ``nextafter(min_apr, inf)``."""
    return apr >= min_apr


def stop_hit(pnl: float, loss_limit: float) -> bool:
    """Tell whether PnL fell below the limit, both in the same unit; ``loss_limit`` is negative."""
    return pnl < loss_limit


def fees_covered(funding: float, multiplier: float, entry_fee: float, exit_fee: float) -> bool:
    """Tell whether funding paid for the round trip ``multiplier`` times; never before any funding arrived."""
    return funding > 0.0 and funding >= multiplier * (entry_fee + exit_fee)


def too_old(age: float, max_age: float) -> bool:
    """Tell whether a position reached its maximum age, both in the same unit."""
    return age >= max_age


def better_pair(held_apr: float, best_apr: float, min_gain: float, age: float, min_age: float) -> bool:
    """Tell whether another pair pays enough more, and the held one was held long enough."""
    return age >= min_age and best_apr - held_apr >= min_gain


def funding_turned(apr: float, exit_apr: float) -> bool:
    """Tell whether the held pair's funding fell below the level at which holding ends."""
    return apr < exit_apr


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


def health_class(balance: int, *, leg_gone: bool, distance: float, min_distance: float, sound: bool) -> int:
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
    """Tell whether two positive prices differ by at most ``bound``, as a fraction of the smaller one."""
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
