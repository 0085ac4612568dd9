"""Margin that several hedges share: how far all marks may rise together before the cross wallet is liquidated.

The liquidation price that the venue shows of one position holds every other mark still. In a market that rises as a
whole all shorts lose at once, so that liquidation is nearer than each of these prices says.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from hedgerow.domain.account import AccountView, MarginTier, PerpPosition, tier_of
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO
from hedgerow.strategy.evidence.absence import OWN_TRADE_LAG, traded_lately

__all__ = ["shared_distance", "shared_margin_wanted"]

UNSHOWN_MAINTENANCE: Final = Decimal("0.05")
"""Fraction of the notional that counts as maintenance margin where the venue shows none: more than a position that one
book carries needs."""
_NO_MARKS: Final[Mapping[str, Decimal]] = MappingProxyType({})


def shared_distance(ledger: Ledger, account: AccountView, marks: Mapping[str, Decimal] = _NO_MARKS) -> float | None:
    """Return by which fraction all marks may rise together until liquidation.

    margin - d x notional = maintenance, with the maintenance margin that the venue's tiers ask for at the raised marks:
    a larger notional may be of a tier that asks for more. Where the tiers are not known, that of now grows in step.
    Longs are not the bot's: what they would gain is not counted. ``marks`` are newer ones than the account's. While the
    reply contradicts itself, or may be of before a short was bought back, the short of a hedge is at most what the log
    has of it. None with one hedge alone, which the venue's own price judges, and where the short of a hedge cannot be
    read.
    """
    if len(ledger.hedges) <= 1:
        return None
    if account.unreadable_positions.intersection(hedge.symbol for hedge in ledger.hedges.values()):
        return None
    margin, shorts, sizes = account.perp.margin_balance, ZERO, list[tuple[Decimal, tuple[MarginTier, ...]]]()
    for position in _believed(ledger, account):
        mark = marks.get(position.symbol, position.mark_price)
        margin += position.quantity * (mark - position.mark_price)
        shorts += max(ZERO, -position.quantity) * mark
        sizes.append((abs(position.quantity) * mark, _tiers(position)))
    return float(_distance(margin, shorts, sizes)) if shorts > 0 else None


def _believed(ledger: Ledger, account: AccountView) -> Iterable[PerpPosition]:
    """Yield the rows of an account, none with more of a hedge's short than the log where the log knows better."""
    for row in account.positions.values():
        known = _known_short(ledger, account, row) if row.quantity < 0 else None
        yield row if known is None else replace(row, quantity=-known)


def _known_short(ledger: Ledger, account: AccountView, row: PerpPosition) -> Decimal | None:
    """Return what the log has left of a short of which a reply shows more, falsely or as it was before; else None."""
    hedge = ledger.held(row.symbol)
    if hedge is None:
        ended = (each.closed_at for each in ledger.closed if each.symbol == row.symbol)
        return ZERO if any(abs(account.at - at) < OWN_TRADE_LAG for at in ended) else None
    if -row.quantity <= hedge.short:
        return None
    bought_back = traded_lately(hedge.orders, Market.PERP, account.at, opens=False)
    return hedge.short if account.doubts or bought_back else None


def _distance(margin: Decimal, shorts: Decimal, sizes: Sequence[tuple[Decimal, tuple[MarginTier, ...]]]) -> Decimal:
    """Solve margin - d x shorts = maintenance at marks raised by d.

    The margin left is concave in d and made of straight lines, so that going from the line of one d to its root ends at
    the root of all of them, after at most one step for each tier and one more.
    """
    found = ZERO
    for _ in range(2 + sum(len(tiers) for _, tiers in sizes)):
        now = [(size, tier_of(tiers, max(ZERO, size * (1 + found)))) for size, tiers in sizes]
        asked = sum((size * tier.rate for size, tier in now), ZERO)
        deducted = sum((tier.cumulative for _, tier in now), ZERO)
        found = (margin + deducted - asked) / (shorts + asked)
    return found


def shared_margin_wanted(account: AccountView, distance: float, target: Decimal) -> Decimal:
    """Return the USDT with which all shorts together are ``target`` of their marks away from liquidation."""
    shorts = sum((max(ZERO, -each.quantity) * each.mark_price for each in account.positions.values()), ZERO)
    return (target - Decimal(str(distance))) * shorts


def _tiers(position: PerpPosition) -> tuple[MarginTier, ...]:
    """Return the tiers of a position; where they are not known, one with what the venue asks for now."""
    if position.tiers:
        return position.tiers
    notional = abs(position.quantity) * position.mark_price
    known = position.maintenance is not None and notional > 0
    return (MarginTier(floor=ZERO, rate=(position.maintenance or ZERO) / notional if known else UNSHOWN_MAINTENANCE),)
