"""Leverage and liquidation price of the short: what a second endpoint must confirm. Pure.

An account reply whose row has another leverage than 1, or a liquidation price near the mark, proves neither by itself.
"""

from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.account import QUOTE_ASSET, AccountView, PerpPosition
from hedgerow.domain.events import Wallet
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import plain
from hedgerow.strategy.evaluation.health import TOP_UP_DISTANCE, distance_of
from hedgerow.strategy.evidence.absence import follows_own_trade
from hedgerow.strategy.parameters import LEVERAGE

__all__ = ["ALONE_SECONDS", "may_be_of_before", "needs_second_source", "with_margin_proven"]

ALONE_SECONDS = 60.0
"""A near liquidation that every reading shows for so long counts although the second endpoint cannot be read: the
exchange's next step would be a forced order at its own price."""
MOVED = 0.05
"""Fraction of the mark by which two distances may differ: prices move between two requests."""


class _Figures(Struct, frozen=True, kw_only=True):
    """What may be believed of a row, and what of it contradicts the second one."""

    row: PerpPosition
    doubts: tuple[str, ...] = ()


def needs_second_source(row: PerpPosition) -> bool:
    """Return whether a row's leverage or its liquidation price alone would make the bot trade or move margin."""
    distance = distance_of(row)
    return row.leverage != LEVERAGE or (distance is not None and distance < TOP_UP_DISTANCE)


def may_be_of_before(ledger: Ledger, account: AccountView) -> bool:
    """Return whether a reply may be of before the bot's last order or transfer, which has answered a near liquidation.

    Within two minutes of it the reply shows less margin than the books, or more of a short than the log.
    """
    if not follows_own_trade(ledger, account):
        return False
    booked = ledger.books.line(Wallet.PERP, QUOTE_ASSET).balance
    more = any(account.short(hedge.symbol) > hedge.short for hedge in ledger.hedges.values())
    return more or account.perp.balance < booked


def with_margin_proven(
    account: AccountView, row: PerpPosition, second: PerpPosition | None, seconds: float, *, lagging: bool = False
) -> AccountView:
    """Return the account with what two endpoints agree on; what only ``row`` shows is left out of it, and a doubt.

    Args:
        account: The reply that has ``row``.
        row: The held symbol's row of the reply.
        second: The same position as the endpoint of single positions shows it; None = unreadable.
        seconds: How long every reading has needed a second source, by the monotonic clock.
        lagging: Whether both may show the leverage of before the bot set it, which the exchange has confirmed.
    """
    leverage = _Figures(row=replace(row, leverage=LEVERAGE)) if lagging else _leverage(row, second)
    liquidation = _liquidation(leverage.row, second, seconds)
    positions = {**account.positions, row.symbol: liquidation.row}
    return replace(account, positions=positions, doubts=(*account.doubts, *leverage.doubts, *liquidation.doubts))


def _leverage(row: PerpPosition, second: PerpPosition | None) -> _Figures:
    if row.leverage == LEVERAGE or (second is not None and second.leverage != LEVERAGE):
        return _Figures(row=row)
    shown = "cannot be read" if second is None else f"shows {second.leverage}x"
    doubt = f"the account's reply shows {row.symbol} at leverage {row.leverage}x, positionRisk {shown}"
    return _Figures(row=replace(row, leverage=LEVERAGE), doubts=(doubt,))


def _liquidation(row: PerpPosition, second: PerpPosition | None, seconds: float) -> _Figures:
    """Return the row with the liquidation that is farther from its mark, where both say that it is near."""
    first, price = distance_of(row), row.liquidation_price
    if first is None or price is None or first >= TOP_UP_DISTANCE:
        return _Figures(row=row)
    if second is None:
        if seconds >= ALONE_SECONDS:
            return _Figures(row=row)
        return _Figures(row=replace(row, liquidation_price=None), doubts=(_near(row, price, "cannot be read"),))
    other = distance_of(second)
    if other is None or other - first > MOVED:
        shown = "shows none" if second.liquidation_price is None else f"shows {plain(second.liquidation_price)}"
        return _Figures(row=replace(row, liquidation_price=None), doubts=(_near(row, price, shown),))
    if other <= first:
        return _Figures(row=row)
    farther = replace(row, mark_price=second.mark_price, liquidation_price=second.liquidation_price)
    return _Figures(row=farther)


def _near(row: PerpPosition, price: Decimal, second: str) -> str:
    return f"the account's reply shows the liquidation of {row.symbol} at {plain(price)}, positionRisk {second}"
