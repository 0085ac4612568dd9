"""The quality of a two-leg execution: slippage, naked seconds, naked notional."""

from decimal import Decimal

from msgspec import Struct

from hedgerow.domain.instrument import Side
from hedgerow.domain.money import BPS, ZERO

__all__ = ["ExecutionQuality", "LegQuality"]


class LegQuality(Struct, frozen=True, kw_only=True):
    """One leg against its arrival price, the middle of its book when the job first saw it."""

    arrival: Decimal | None = None
    """Quote units; None when the book was never readable."""
    filled: Decimal = ZERO
    """Base units, both ways: what was unwound counts as well."""
    shortfall: Decimal | None = None
    """Implementation shortfall in quote units, fees apart; positive = cost. None without an arrival price."""

    @property
    def shortfall_bps(self) -> Decimal | None:
        """The shortfall in basis points of what was traded at the arrival price; None when nothing was."""
        if self.shortfall is None or not self.arrival or not self.filled:
            return None
        return self.shortfall / (self.filled * self.arrival) / BPS

    @staticmethod
    def of(arrival: Decimal | None, *trades: tuple[Side, Decimal, Decimal]) -> "LegQuality":
        """Return the quality of trades, each its side, base units and quote units."""
        filled = sum((quantity for _, quantity, _ in trades), ZERO)
        if arrival is None:
            return LegQuality(filled=filled)
        cost = sum((side.sign * (notional - quantity * arrival) for side, quantity, notional in trades), ZERO)
        return LegQuality(arrival=arrival, filled=filled, shortfall=cost)


class ExecutionQuality(Struct, frozen=True, kw_only=True):
    """One job, from its start to its end."""

    spot: LegQuality = LegQuality()
    perp: LegQuality = LegQuality()
    fill_ratio: Decimal = ZERO
    """Part of the planned quantity that was filled, of the short where one was planned."""
    seconds: float = 0.0
    """From the start of the job to its end, preparations and waiting for a settlement included."""
    worst_naked_seconds: float = 0.0
    """Longest time to hedge: for how long the legs differed by more than the tolerance at one time."""
    naked_seconds: float = 0.0
    """All such times together."""
    largest_exposure: Decimal = ZERO
    """Largest difference between the legs in quote units."""
    orders: int = 0
    maker_share: Decimal = ZERO
    """Part of the notional that rested in the book."""
