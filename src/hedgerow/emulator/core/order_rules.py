"""What an order must satisfy to be accepted, what it reserves while it rests, and what a trade changes."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from hedgerow.domain.instrument import Instrument, Market, Side, TradingStatus, Violation
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import Fill, Order, OrderRequest
from hedgerow.emulator.core.error_codes import Code, rejected

__all__ = ["WorkingOrder", "changes_of", "check_order", "crosses", "held_by"]


class WorkingOrder(Struct, frozen=True, kw_only=True):
    """An order of the account and what the venue remembers about it."""

    order: Order
    by_hand: bool
    queue_ahead: Decimal = ZERO
    """Base units that stood at our price or better when it came to rest and have not traded yet."""
    queued_at: datetime

    @property
    def open_quantity(self) -> Decimal:
        """Base units not filled yet."""
        return self.order.request.quantity - self.order.filled_quantity

    @property
    def key(self) -> str:
        """Name under which the venue keeps it."""
        request = self.order.request
        return f"{request.market}:{request.symbol}:{request.client_id}"


_CODES = {
    Violation.QUANTITY_TOO_SMALL: Code.QUANTITY_BELOW_MINIMUM,
    Violation.QUANTITY_TOO_LARGE: Code.QUANTITY_ABOVE_MAXIMUM,
    Violation.QUANTITY_STEP: Code.QUANTITY_OFF_STEP,
    Violation.PRICE_NOT_POSITIVE: Code.PRICE_NOT_POSITIVE,
    Violation.PRICE_TICK: Code.PRICE_OFF_TICK,
    Violation.NOTIONAL_TOO_SMALL: Code.NOTIONAL_TOO_SMALL,
}


def check_order(instrument: Instrument, request: OrderRequest, reference: Decimal) -> None:
    """Check an order against the market's state and all its filters; ``reference`` is the mark, for spot the index.

    Raises:
        Rejected: with Aster's code (docs/aster-api.md 7 and 9).
    """
    _check_status(instrument, request)
    if request.reduce_only and instrument.market is Market.SPOT:
        raise rejected(Code.NOT_REQUIRED, "Parameter 'reduceOnly' sent when not required.")
    violation = instrument.accepts(quantity=request.quantity, price=request.price, reduce_only=request.reduce_only)
    if violation is not None:
        raise rejected(_code_of(violation, instrument, request), f"{request.symbol}: {violation}.")
    _check_band(instrument, request, reference)


def crosses(request: OrderRequest, touch: Decimal | None) -> bool:
    """Return whether an order would take from a book whose best opposite price is ``touch``."""
    return touch is not None and (touch - request.price) * request.side.sign <= 0


def held_by(request: OrderRequest, instrument: Instrument, quantity: Decimal) -> tuple[str, Decimal]:
    """Return the asset and amount that ``quantity`` of a spot order can cost at most."""
    if request.side is Side.BUY:
        return instrument.quote, quantity * request.price
    return instrument.base, quantity


def changes_of(fill: Fill, instrument: Instrument) -> tuple[tuple[str, Decimal], ...]:
    """Return what one trade changes in its wallet, asset by asset, the fee last."""
    fee = (fill.fee_asset, -fill.fee)
    if fill.market is Market.PERP:
        return (instrument.quote, fill.realized_pnl), fee
    sign = fill.side.sign
    return (instrument.base, sign * fill.quantity), (instrument.quote, -sign * fill.notional), fee


def _check_status(instrument: Instrument, request: OrderRequest) -> None:
    reducing = request.side is Side.SELL if instrument.market is Market.SPOT else request.reduce_only
    if instrument.status is TradingStatus.TRADING or (instrument.status is TradingStatus.SETTLING and reducing):
        return
    if instrument.status is TradingStatus.SETTLING:
        raise rejected(Code.SYMBOL_NOT_OPEN, f"Invalid symbol status for opening position: {request.symbol}.")
    raise rejected(Code.SYMBOL_CLOSED, f"Symbol is closed: {request.symbol}.")


def _code_of(violation: Violation, instrument: Instrument, request: OrderRequest) -> Code:
    """Return the code of a violation; a number with more decimals than its grid is a precision error first."""
    too_fine = (violation is Violation.QUANTITY_STEP and _finer(request.quantity, instrument.lot)) or (
        violation is Violation.PRICE_TICK and _finer(request.price, instrument.tick)
    )
    return Code.BAD_PRECISION if too_fine else _CODES[violation]


def _finer(value: Decimal, step: Decimal) -> bool:
    return int(value.normalize().as_tuple().exponent) < int(step.normalize().as_tuple().exponent)


def _check_band(instrument: Instrument, request: OrderRequest, reference: Decimal) -> None:
    """PERCENT_PRICE: a perpetual buy is bounded above and a sell below; spot is bounded on both sides."""
    both = instrument.market is Market.SPOT
    ceiling, floor = reference * instrument.price_up, reference * instrument.price_down
    if ceiling and request.price > ceiling and (both or request.side is Side.BUY):
        raise rejected(Code.PRICE_TOO_HIGH, f"Limit price can't be higher than {ceiling}.")
    if floor and request.price < floor and (both or request.side is Side.SELL):
        raise rejected(Code.PRICE_TOO_LOW, f"Limit price can't be lower than {floor}.")
