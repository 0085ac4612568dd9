"""Where the free USDT should lie: the same in both wallets while nothing is held."""

from decimal import ROUND_DOWN, Decimal

from hedgerow.domain.account import AccountView
from hedgerow.domain.commands import TransferDirection
from hedgerow.domain.money import ZERO
from hedgerow.strategy.observation import Rebalance

__all__ = ["MIN_DIFFERENCE", "TRANSFER_STEP", "rebalance", "top_up"]

MIN_DIFFERENCE = Decimal(1)
"""Quote units; wallets that differ by no more are left alone."""
TRANSFER_STEP = Decimal("1e-8")
"""Finest amount the venue transfers."""


def rebalance(account: AccountView) -> Rebalance | None:
    """Return the transfer that makes both wallets equal, or None when they are, or may not be touched.

    While any perpetual position is open nothing leaves the perpetual wallet: its margin needs it.
    """
    difference = account.spot_usdt - account.perp.transferable
    if abs(difference) <= MIN_DIFFERENCE:
        return None
    amount = (abs(difference) / 2).quantize(TRANSFER_STEP, rounding=ROUND_DOWN)
    if difference > 0:
        return Rebalance(direction=TransferDirection.SPOT_TO_PERP, amount=amount)
    if any(position.quantity for position in account.positions.values()):
        return None
    return Rebalance(direction=TransferDirection.PERP_TO_SPOT, amount=amount)


def top_up(account: AccountView, needed: Decimal) -> Rebalance | None:
    """Return the transfer of at most ``needed`` idle USDT to the perpetual wallet, or None below $1."""
    amount = min(account.spot_usdt, max(ZERO, needed)).quantize(TRANSFER_STEP, rounding=ROUND_DOWN)
    if amount <= MIN_DIFFERENCE:
        return None
    return Rebalance(direction=TransferDirection.SPOT_TO_PERP, amount=amount)
