"""What a trade report must agree with before it is booked. Pure.

A report is booked once and for ever, and a reply may be wrong. Reports that contradict the order that they belong to,
and those that would be most unusual, are booked only when later readings go on saying the same.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.instrument import Market
from hedgerow.domain.money import ONE, ZERO, plain
from hedgerow.domain.order import Fill
from hedgerow.domain.position import OrderRecord

__all__ = ["average_entry", "contradiction", "expected_pnl", "unusual"]

SMALLEST_AMOUNT = Decimal("1e-8")
"""Balances and commissions have eight decimals."""
NOTIONAL_TOLERANCE = Decimal("0.001")
"""Fraction by which trades and their order's own total may differ: an average price is rounded."""
USUAL_FEE_FACTOR = 3
"""A commission above this many times the expected one is unusual."""
USUAL_PNL_ERROR = Decimal("0.0001")
"""Fraction of a trade's notional by which its realised PnL may differ from the one that the log leads to expect."""


def average_entry(orders: Iterable[OrderRecord], until: OrderRecord) -> Decimal | None:
    """Return the short's average price when ``until`` traded, quote units; None where it is not known.

    ``orders`` are those of one hedge: trades of others among them may have become known after later ones. As on the
    exchange, a sale changes the average of what is still short then, and a purchase leaves it as it is.
    """
    short = average = ZERO
    for record in sorted(orders, key=lambda record: record.issued_at):
        if record.request.client_id == until.request.client_id:
            break
        filled = record.filled_quantity
        if record.request.market is Market.SPOT or filled <= 0:
            continue
        if not record.opens:
            short = max(short - filled, ZERO)
            continue
        if record.filled_notional <= 0:
            return None
        average = (short * average + record.filled_notional) / (short + filled)
        short += filled
    return average if short > 0 else None


def expected_pnl(record: OrderRecord, fill: Fill, entry_price: Decimal | None) -> Decimal | None:
    """Return what a trade of ``record`` should realise, quote units before fees; None where nothing can be said.

    Only a trade that reduces the short realises anything: ``entry_price``, the short's average, less its price.
    """
    if record.request.market is Market.SPOT:
        return None
    if record.opens:
        return ZERO
    return None if entry_price is None else (entry_price - fill.price) * fill.quantity


def contradiction(record: OrderRecord, fills: Sequence[Fill]) -> str | None:
    """Return what of an order's trade reports cannot be so by what is known of the order, None where all agrees.

    ``fills`` are the reports of one order that are not booked yet. An order that still works may fill further, and one
    whose notional was not reported has none to compare with.
    """
    order = record.request
    for fill in fills:
        if fill.side is not order.side:
            return f"trade {fill.trade_id} is a {fill.side}, the order a {order.side}"
        if (fill.price - order.price) * order.side.sign > 0:
            return f"trade {fill.trade_id} has price {plain(fill.price)}, the order's limit is {plain(order.price)}"
    quantity = record.booked_quantity + sum((fill.quantity for fill in fills), ZERO)
    most = record.filled_quantity if record.status.done else order.quantity
    if quantity > most:
        return f"trades of {plain(quantity)}, the order filled {plain(most)}"
    notional = record.booked_notional + sum((fill.notional for fill in fills), ZERO)
    if quantity == record.filled_quantity and record.filled_notional > 0:
        error = abs(notional - record.filled_notional)
        if error > NOTIONAL_TOLERANCE * record.filled_notional:
            return f"trades worth {plain(notional)}, the order's fills {plain(record.filled_notional)}"
    return None


def unusual(
    fill: Fill, fee_quote: Decimal, *, expected_rate: Decimal, may_be_free: bool, pnl: Decimal | None
) -> str | None:
    """Return what of one trade report deserves a second reading, None where it is as expected.

    ``fee_quote`` is its commission in quote units, ``expected_rate`` the commission as a fraction of its notional.
    ``pnl`` is the realised PnL to be expected, None where none is.
    """
    if fee_quote <= 0 and not may_be_free and not (fee_quote == 0 and _rounds_to_nothing(fill, expected_rate)):
        return f"trade {fill.trade_id} cost {plain(fee_quote)}"
    if fee_quote > USUAL_FEE_FACTOR * expected_rate * fill.notional:
        return f"trade {fill.trade_id} cost {plain(fee_quote)} of {plain(fill.notional)}"
    if pnl is not None and abs(fill.realized_pnl - pnl) > USUAL_PNL_ERROR * max(fill.notional, ONE):
        return f"trade {fill.trade_id} realised {plain(fill.realized_pnl)}, {plain(pnl)} was expected"
    return None


def _rounds_to_nothing(fill: Fill, rate: Decimal) -> bool:
    """Return whether a commission is less than the smallest amount of a balance."""
    charged = fill.notional if fill.fee_asset == QUOTE_ASSET else fill.quantity
    return charged * rate < SMALLEST_AMOUNT
