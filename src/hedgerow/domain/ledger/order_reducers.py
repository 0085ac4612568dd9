"""Reducers of commands, orders and fills."""

from decimal import Decimal

from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.commands import PlaceOrder, TransferFunds
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.order_index import (
    base_of,
    hedge_of,
    retallied,
    with_changed_hedge,
    with_changed_order,
    with_record,
    without_dust,
)
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import OrderStatus
from hedgerow.domain.position import OrderRecord

__all__ = [
    "command_issued",
    "command_refused",
    "external_fills",
    "fee_booked",
    "order_accepted",
    "order_ended",
    "order_progressed",
    "order_unknown",
    "transfer_unknown",
]


def command_issued(ledger: Ledger, event: ev.CommandIssued) -> Ledger:
    """Keep the order or transfer that is about to be sent."""
    command = event.command
    if isinstance(command, TransferFunds):
        return replace(
            ledger, transfer=command, transfer_doubtful=ledger.transfer_doubtful and _pending(ledger, command)
        )
    if not isinstance(command, PlaceOrder) or command.order.client_id in ledger.orders:
        return ledger
    record = OrderRecord(
        request=command.order,
        hedge_id=command.hedge_id,
        fee_rate=command.fee_rate,
        issued_at=event.at,
        fee_in_quote=command.fee_in_quote,
    )
    return with_record(ledger, record)


def command_refused(ledger: Ledger, event: ev.CommandRefused) -> Ledger:
    """Let go of a transfer that the venue refused."""
    command = event.command
    if not isinstance(command, TransferFunds):
        return ledger
    if ledger.transfer_doubtful and _pending(ledger, command) and event.before_execution:
        return ledger
    return replace(ledger, transfer=None, transfer_doubtful=False)


def transfer_unknown(ledger: Ledger, event: ev.TransferOutcomeUnknown) -> Ledger:
    """Keep a transfer whose outcome is unknown."""
    doubtful = ledger.transfer is not None and ledger.transfer.transfer_id == event.transfer_id
    return replace(ledger, transfer_doubtful=doubtful or ledger.transfer_doubtful)


def _pending(ledger: Ledger, command: TransferFunds) -> bool:
    return ledger.transfer is not None and ledger.transfer.transfer_id == command.transfer_id


def order_accepted(ledger: Ledger, event: ev.OrderAccepted) -> Ledger:
    """Note the venue's number of an order."""
    return with_changed_order(ledger, event.client_id, lambda r: replace(r, order_id=event.order_id, unknown=False))


def order_progressed(ledger: Ledger, event: ev.OrderProgressed) -> Ledger:
    """Raise the cumulative fills of an order."""
    return with_changed_order(ledger, event.client_id, lambda r: replace(_grown(r, event), unknown=False))


def order_ended(ledger: Ledger, event: ev.OrderEnded) -> Ledger:
    """Set the final fills of an order."""

    def ended(record: OrderRecord) -> OrderRecord:
        return replace(_grown(record, event), status=event.status, unknown=False, unconfirmed=event.unconfirmed)

    return replace(with_changed_order(ledger, event.client_id, ended), traded_at=event.at)


def order_unknown(ledger: Ledger, event: ev.OrderOutcomeUnknown) -> Ledger:
    """Note that the outcome of an order is unknown."""
    return with_changed_order(ledger, event.client_id, lambda r: r if r.status.done else replace(r, unknown=True))


def _grown(record: OrderRecord, event: ev.OrderProgressed | ev.OrderEnded) -> OrderRecord:
    """Apply cumulative fills as a maximum, so that any route may report them twice."""
    status = record.status
    if not status.done and event.filled_quantity > 0:
        status = OrderStatus.PARTIALLY_FILLED
    return replace(
        record,
        order_id=event.order_id if event.order_id is not None else record.order_id,
        filled_quantity=max(record.filled_quantity, event.filled_quantity),
        filled_notional=max(record.filled_notional, event.filled_notional),
        status=status,
    )


def fee_booked(ledger: Ledger, event: ev.FeeBooked) -> Ledger:
    """Book the fee of one trade, once per trade id."""
    fill = event.fill
    key = fill.key
    if ledger.trades_seen.knows(key, fill.at):
        return ledger
    base = base_of(ledger, fill.symbol)
    coin_fee = fill.fee if fill.fee_asset == base and fill.market is Market.SPOT else ZERO

    after = with_changed_order(ledger, event.client_id, lambda r: _booked(r, event, coin_fee))
    if after.closed is not ledger.closed:  # what was kept of it was computed with an estimated fee
        old, late = next((old, late) for old, late in zip(ledger.closed, after.closed, strict=True) if late is not old)
        after = without_dust(after, old.hedge, old.hedge.spot_quantity - late.hedge.spot_quantity)
    return replace(
        after, trades_seen=ledger.trades_seen.adding(key, fill.at), books=ledger.books.with_fill(fill, base=base)
    )


def _booked(record: OrderRecord, event: ev.FeeBooked, coin_fee: Decimal) -> OrderRecord:
    """Add a trade report; it proves a fill that no other route may have reported yet."""
    quantity = record.booked_quantity + event.fill.quantity
    notional = record.booked_notional + event.fill.notional
    return replace(
        record,
        filled_quantity=max(record.filled_quantity, quantity),
        filled_notional=max(record.filled_notional, notional),
        booked_quantity=quantity,
        booked_notional=notional,
        booked_fee=record.booked_fee + event.fee_quote,
        booked_coin_fee=record.booked_coin_fee + coin_fee,
        booked_coin_value=record.booked_coin_value + (event.fee_quote if coin_fee else ZERO),
    )


def external_fills(ledger: Ledger, event: ev.ExternalFills) -> Ledger:
    """Apply trades that no order of the bot made."""
    hedge = hedge_of(ledger, event.hedge_id)
    if hedge is None:
        return ledger
    records: list[OrderRecord] = []
    books, seen = ledger.books, ledger.trades_seen
    for fill in event.fills:
        key = fill.key
        if seen.knows(key, fill.at):
            continue
        seen = seen.adding(key, fill.at)
        fee_quote = fill.fee_in_quote(hedge.pair.base, hedge.pair.perp.quote, asset_price=ZERO)
        records.append(OrderRecord.of_fill(fill, hedge_id=hedge.hedge_id, base=hedge.pair.base, fee_quote=fee_quote))
        # A trade the user made by hand is a row of the venue's statement; one the venue forced on us is ours.
        books = books.with_fill(fill, base=hedge.pair.base) if fill.forced or event.own else books
    kept = _without_stand_ins(hedge.orders, records) if event.late else hedge.orders
    changed = retallied(replace(hedge, orders=(*kept, *records)))
    after = with_changed_hedge(ledger, hedge.hedge_id, lambda _: changed)
    if ledger.open_hedge(hedge.hedge_id) is None:
        after = without_dust(after, hedge, hedge.spot_quantity - changed.spot_quantity)
    return replace(after, books=books, trades_seen=seen)


def _without_stand_ins(orders: tuple[OrderRecord, ...], real: list[OrderRecord]) -> tuple[OrderRecord, ...]:
    """Return the orders less what was assumed of the trades that are known now."""
    kept: list[OrderRecord] = []
    left = {m: sum((r.filled_quantity for r in real if r.request.market is m), ZERO) for m in Market}
    for record in orders:
        market, quantity = record.request.market, record.filled_quantity
        gone = min(quantity, left[market]) if record.assumed else ZERO
        left[market] -= gone
        if gone < quantity or not record.assumed:
            kept.append(_shrunk(record, gone))
    return tuple(kept)


def _shrunk(record: OrderRecord, gone: Decimal) -> OrderRecord:
    """Return a placeholder fill of a smaller quantity."""
    if not gone:
        return record
    quantity, notional = record.filled_quantity - gone, (record.filled_quantity - gone) * record.request.price
    return replace(
        record,
        filled_quantity=quantity,
        filled_notional=notional,
        booked_quantity=quantity,
        booked_notional=notional,
    )
