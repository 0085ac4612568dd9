"""Adopts a position found on the venue, with its age, prices, fees and funding.

The perpetual's trades are replayed backwards to the time the position was last flat. The records of its trades are
kept one by one; a balancing record brings their sum to exactly what is adopted.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.funding import FundingPayment, FundingSignal
from hedgerow.domain.instrument import BasisPair, Market, Side
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import Fill, OrderRequest, OrderStatus
from hedgerow.domain.position import HedgedPosition, OrderRecord, Tally
from hedgerow.strategy.decisions.verdicts import Candidate

__all__ = ["SPOT_LEAD", "PositionHistory", "adoption", "opening_fills"]

ROW = Decimal("1e-8")
"""The venue's money rows have eight decimals; shares of them are cut to that."""
SPOT_LEAD = timedelta(hours=1)
"""A hedge made by hand may have bought its coins this long before the short was opened."""


class PositionHistory(Struct, frozen=True, kw_only=True):
    """What the venue lists of a position's past, oldest first, paged back to its opening or further."""

    spot_fills: tuple[Fill, ...]
    perp_fills: tuple[Fill, ...]
    payments: tuple[FundingPayment, ...]


def opening_fills(short: Decimal, perp_fills: Sequence[Fill]) -> tuple[Fill, ...] | None:
    """Return the trades since the perpetual was last flat, oldest first; None when they reach further back."""
    quantity = -short
    for index in range(len(perp_fills) - 1, -1, -1):
        fill = perp_fills[index]
        quantity -= fill.side.sign * fill.quantity
        if quantity >= 0:
            return tuple(perp_fills[index:])
    return None


def adoption(
    candidate: Candidate,
    history: PositionHistory | None,
    *,
    hedge_id: str,
    at: datetime,
    signal: FundingSignal | None,
) -> HedgedPosition:
    """Return the hedge as the ledger will own it.

    Without a readable history, or when it does not reach the opening, the age starts at ``at``, funding and fees at
    zero, and ``history_known`` is False so that it is asked for again.
    """
    perp_fills = opening_fills(candidate.short, history.perp_fills) if history else None
    if history is None or perp_fills is None:
        orders = _records(candidate, (), (), hedge_id=hedge_id, at=at)
        return _hedge(candidate, orders, hedge_id=hedge_id, opened_at=at, signal=signal)
    opened_at = perp_fills[0].at
    spot_fills = _matching(candidate.adopted_spot, candidate.pair.base, history.spot_fills, opened_at)
    orders = _records(candidate, spot_fills, perp_fills, hedge_id=hedge_id, at=opened_at)
    payments = [p.amount for p in history.payments if p.symbol == candidate.symbol and opened_at <= p.at <= at]
    return replace(
        _hedge(candidate, orders, hedge_id=hedge_id, opened_at=opened_at, signal=signal),
        history_known=True,
        funding_received=sum(payments, ZERO),
        funding_payments=len(payments),
    )


def _hedge(
    candidate: Candidate,
    orders: tuple[OrderRecord, ...],
    *,
    hedge_id: str,
    opened_at: datetime,
    signal: FundingSignal | None,
) -> HedgedPosition:
    tally = Tally.of(orders)
    bought = [r for r in orders if r.request.market is Market.SPOT and r.request.side is Side.BUY]
    return HedgedPosition(
        hedge_id=hedge_id,
        pair=candidate.pair,
        opened_at=opened_at,
        adopted=True,
        history_known=False,
        entry_rate=signal.mean if signal else 0.0,
        entry_apr=signal.apr if signal else 0.0,
        entry_notional=candidate.adopted_spot * _average(bought, candidate.entry_price),
        entry_fees=tally.fees,
        orders=orders,
        tally=tally,
        counted_from=opened_at,
    )


def _matching(quantity: Decimal, base: str, fills: Sequence[Fill], opened_at: datetime) -> tuple[Fill, ...]:
    """Return the newest spot trades that make up ``quantity``, none older than the opening's own window."""
    window = [fill for fill in fills if fill.at >= opened_at - SPOT_LEAD]
    held = ZERO
    for index in range(len(window) - 1, -1, -1):
        held += window[index].net_base(base)
        if held >= quantity:
            return tuple(window[index:])
    return tuple(window)


def _records(
    candidate: Candidate, spot_fills: Sequence[Fill], perp_fills: Sequence[Fill], *, hedge_id: str, at: datetime
) -> tuple[OrderRecord, ...]:
    """Return the records of both legs; they add up to exactly what is adopted."""
    records: list[OrderRecord] = []
    legs = ((Market.SPOT, spot_fills, candidate.adopted_spot), (Market.PERP, perp_fills, -candidate.adopted_short))
    for market, fills, target in legs:
        leg = [_record(fill, candidate.pair, hedge_id=hedge_id, at=at) for fill in fills]
        balancing = _balancing(market, leg, candidate, target, hedge_id=hedge_id, at=at)
        records += [*leg, balancing] if balancing else leg
    return tuple(records)


def _record(fill: Fill, pair: BasisPair, *, hedge_id: str, at: datetime) -> OrderRecord:
    leg = pair.instrument(fill.market)
    known = fill.fee_asset in {leg.base, leg.quote}
    # A fee in a third asset has no price here; the commission stands for it.
    fee = fill.fee_in_quote(leg.base, leg.quote) if known else fill.notional * leg.fees.taker
    record = OrderRecord.of_fill(fill, hedge_id=hedge_id, base=pair.base, fee_quote=fee)
    # Issued with the opening: the ledger counts the fees of such orders as those of the entry.
    return replace(record, issued_at=at)


def _balancing(
    market: Market, leg: Sequence[OrderRecord], candidate: Candidate, target: Decimal, *, hedge_id: str, at: datetime
) -> OrderRecord | None:
    """Return a record for what the trades lack (coins held before) or have too much (left to the user), at cost."""
    tally = Tally.of(tuple(leg))
    held = tally.spot_quantity if market is Market.SPOT else tally.perp_quantity
    change = target - held
    if not change:
        return None
    side = Side.BUY if change > 0 else Side.SELL
    opening = Side.BUY if target > 0 else Side.SELL
    price = _average([r for r in leg if r.request.side is opening], candidate.entry_price)
    notional = (abs(change) * price).quantize(ROW)
    fee = (tally.fees * change / held).quantize(ROW) if side is not opening else ZERO
    request = OrderRequest(
        client_id=f"x{market[0]}-balance",
        market=market,
        symbol=candidate.symbol,
        side=side,
        quantity=abs(change),
        price=price,
    )
    return OrderRecord(
        request=request,
        hedge_id=hedge_id,
        fee_rate=ZERO,
        issued_at=at,
        status=OrderStatus.FILLED,
        filled_quantity=abs(change),
        filled_notional=notional,
        booked_quantity=abs(change),
        booked_notional=notional,
        booked_fee=fee,
    )


def _average(records: Sequence[OrderRecord], otherwise: Decimal) -> Decimal:
    quantity = sum((record.filled_quantity for record in records), ZERO)
    return sum((record.filled_notional for record in records), ZERO) / quantity if quantity else otherwise
