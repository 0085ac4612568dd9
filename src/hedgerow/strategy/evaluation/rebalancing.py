"""Rebalancing: how free USDT is split between the wallets, and how much of a hedge its margin carries."""

from collections.abc import Collection
from decimal import ROUND_CEILING, ROUND_DOWN, Decimal

from hedgerow.domain.account import AccountView
from hedgerow.domain.commands import TransferDirection
from hedgerow.domain.instrument import BasisPair
from hedgerow.domain.money import BPS, ONE, ZERO, floor_to_step
from hedgerow.strategy import rules
from hedgerow.strategy.observation import Rebalance
from hedgerow.strategy.parameters import LEVERAGE

__all__ = ["MIN_DIFFERENCE", "TRANSFER_STEP", "rebalance", "reduction", "top_up"]

MIN_DIFFERENCE = Decimal(1)
"""Quote units; wallets that differ by no more are left alone."""
TRANSFER_STEP = Decimal("1e-8")
"""Finest amount the venue transfers."""


def rebalance(account: AccountView, hedged: Collection[str] = ()) -> Rebalance | None:
    """Return the transfer that makes both wallets equal, or None when they are, or may not be touched.

    While a perpetual position is open nothing leaves the perpetual wallet: its margin needs it. Beside ``hedged``, the
    symbols of hedges at leverage 1, what the venue lets go may leave for another hedge: all of their notional stays.
    """
    difference = account.spot_usdt - account.perp.transferable
    if abs(difference) <= MIN_DIFFERENCE:
        return None
    amount = (abs(difference) / 2).quantize(TRANSFER_STEP, rounding=ROUND_DOWN)
    if difference > 0:
        return Rebalance(direction=TransferDirection.SPOT_TO_PERP, amount=amount)
    open_rows = [position for position in account.positions.values() if position.quantity]
    if any(row.symbol not in hedged or row.quantity > 0 or row.leverage != LEVERAGE for row in open_rows):
        return None
    return Rebalance(direction=TransferDirection.PERP_TO_SPOT, amount=amount)


def top_up(account: AccountView, needed: Decimal) -> Rebalance | None:
    """Return the transfer of at most ``needed`` idle USDT to the perpetual wallet, or None below $1."""
    amount = min(account.spot_usdt, max(ZERO, needed)).quantize(TRANSFER_STEP, rounding=ROUND_DOWN)
    if amount <= MIN_DIFFERENCE:
        return None
    return Rebalance(direction=TransferDirection.SPOT_TO_PERP, amount=amount)


def reduction(  # noqa: PLR0913 - keyword-only, and each is one fact of the hedge
    pair: BasisPair,
    *,
    legs: Decimal,
    distance: float,
    target: float,
    price: Decimal,
    cap_bps: Decimal,
    shorts: Decimal | None = None,
) -> Decimal | None:
    """Return the base units of each leg to close, so that liquidation is ``target`` of the mark away again.

    Counts on the proceeds becoming margin. ``legs`` is the smaller leg. ``shorts`` are all shorts that share the
    margin, in units of this coin: this hedge is reduced by what it can of their part; None = it is alone. None when
    what is to be closed, or what would be left, is too small to be traded.
    """
    kept = ONE - pair.spot.fees.taker - pair.perp.fees.taker - 2 * cap_bps * BPS
    wanted = (shorts or legs) * Decimal(str(rules.reduction(distance, target, float(kept))))
    least = 2 * max(pair.min_notional / price, pair.lot_step)
    lots = (max(wanted, least) / pair.lot_step).to_integral_value(rounding=ROUND_CEILING)
    quantity = lots * pair.lot_step
    if shorts is not None:
        quantity = min(quantity, floor_to_step(legs - least, pair.lot_step))
        return quantity if quantity >= least else None
    return quantity if legs - quantity >= least else None
