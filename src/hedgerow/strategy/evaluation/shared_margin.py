"""Margin that several hedges share: how far all marks may rise together before the cross wallet is liquidated.

The liquidation price that the venue shows of one position holds every other mark still. In a market that rises as a
whole all shorts lose at once, so that liquidation is nearer than each of these prices says.
"""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from hedgerow.domain.account import AccountView, PerpPosition
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO

__all__ = ["shared_distance", "shared_margin_wanted"]

UNSHOWN_MAINTENANCE: Final = Decimal("0.05")
"""Fraction of the notional that counts as maintenance margin where the venue shows none: more than a position that one
book carries needs."""
_NO_MARKS: Final[Mapping[str, Decimal]] = MappingProxyType({})


def shared_distance(ledger: Ledger, account: AccountView, marks: Mapping[str, Decimal] = _NO_MARKS) -> float | None:
    """Return by which fraction all marks may rise together until liquidation.

    margin - d x notional = maintenance x (1 + d), with the maintenance margin that the venue's brackets ask for now.
    Longs are not the bot's: what they would gain is not counted. ``marks`` are newer ones than the account's. None
    with one hedge alone, which the venue's own price judges, and where the short of a hedge cannot be read.
    """
    unread = account.unreadable_positions.intersection(hedge.symbol for hedge in ledger.hedges.values())
    if len(ledger.hedges) <= 1 or unread:
        return None
    margin, notional, maintenance = account.perp.margin_balance, ZERO, ZERO
    for position in account.positions.values():
        mark = marks.get(position.symbol, position.mark_price)
        margin += position.quantity * (mark - position.mark_price)
        notional += max(ZERO, -position.quantity) * mark
        maintenance += _maintenance(position, mark)
    return float((margin - maintenance) / (notional + maintenance)) if notional > 0 else None


def shared_margin_wanted(account: AccountView, distance: float, target: Decimal) -> Decimal:
    """Return the USDT with which all shorts together are ``target`` of their marks away from liquidation."""
    shorts = sum((max(ZERO, -each.quantity) * each.mark_price for each in account.positions.values()), ZERO)
    return (target - Decimal(str(distance))) * shorts


def _maintenance(position: PerpPosition, mark: Decimal) -> Decimal:
    if position.maintenance is None or position.mark_price <= 0:
        return abs(position.quantity) * mark * UNSHOWN_MAINTENANCE
    return position.maintenance * mark / position.mark_price
