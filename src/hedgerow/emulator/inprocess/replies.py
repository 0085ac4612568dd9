"""Replies of the in-process venue to commands, as events: refusals, unknown outcomes, orders."""

from datetime import datetime
from typing import assert_never

from msgspec import UNSET

from hedgerow.domain.commands import (
    ArmDeadMan,
    CancelOrder,
    Command,
    PlaceOrder,
    SetLeverage,
    SetMarginType,
    TransferFunds,
)
from hedgerow.domain.errors import Rejected
from hedgerow.domain.events import (
    CommandRefused,
    Event,
    FundsTransferred,
    MarginTypeSet,
    OrderEnded,
    OrderOutcomeUnknown,
    OrderProgressed,
    TransferOutcomeUnknown,
)
from hedgerow.domain.order import Order, OrderRequest, OrderStatus
from hedgerow.emulator.core.error_codes import Code, is_before_execution, reject_kind

__all__ = ["absent", "never_sent", "order_report", "outcome_unknown", "refusal_of", "transferred", "unknown"]

NO_ANSWER = "no answer from the exchange"
NEVER_LEFT = "the request never left"


def refusal_of(at: datetime, command: Command, refusal: Rejected) -> Event:
    """Return the event of a refusal; "it is so already" counts as success (docs/aster-api.md 9)."""
    match command:
        case PlaceOrder():
            return _refused(at, command.order, refusal.code, str(refusal))
        case TransferFunds() if refusal.code == Code.TRANSFER_ID_DUPLICATE:
            return transferred(at, command)
        case SetMarginType() if refusal.code == Code.MARGIN_TYPE_UNCHANGED:
            return MarginTypeSet(at=at, symbol=command.symbol)
        case _:
            return _not_executed(at, command, refusal.code, str(refusal))


def never_sent(at: datetime, command: Command) -> Event:
    """Return the event of a command that certainly never left."""
    if isinstance(command, PlaceOrder):
        return OrderEnded(
            at=at,
            client_id=command.order.client_id,
            order_id=None,
            status=OrderStatus.REJECTED,
            detail=NEVER_LEFT,
        )
    return _not_executed(at, command, Code.TIMEOUT, NEVER_LEFT)


def outcome_unknown(at: datetime, command: Command) -> Event:
    """Return the event of a command that nobody answered."""
    match command:
        case PlaceOrder():
            return unknown(at, command.order, NO_ANSWER)
        case CancelOrder():
            return OrderOutcomeUnknown(at=at, client_id=command.client_id, detail=NO_ANSWER)
        case TransferFunds():
            return TransferOutcomeUnknown(at=at, transfer_id=command.transfer_id, detail=NO_ANSWER)
        case SetLeverage() | SetMarginType() | ArmDeadMan():
            return _not_executed(at, command, Code.TIMEOUT, NO_ANSWER)
    assert_never(command)


def unknown(at: datetime, request: OrderRequest, detail: str) -> OrderOutcomeUnknown:
    """Return the event of an order of which nothing is certain."""
    return OrderOutcomeUnknown(at=at, client_id=request.client_id, detail=detail)


def absent(at: datetime, request: OrderRequest) -> OrderEnded:
    """Return the end of an order that certainly never arrived: nobody refused it, so it may be tried again."""
    return OrderEnded(
        at=at,
        client_id=request.client_id,
        order_id=None,
        status=OrderStatus.EXPIRED,
        code=Code.NO_SUCH_ORDER,
        detail="Order does not exist.",
    )


def _not_executed(at: datetime, command: Command, code: int, detail: str) -> CommandRefused:
    before = True if is_before_execution(code) else UNSET
    return CommandRefused(at=at, command=command, code=code, detail=detail, before_execution=before)


def _refused(at: datetime, request: OrderRequest, code: int, detail: str) -> OrderEnded:
    return OrderEnded(
        at=at,
        client_id=request.client_id,
        order_id=None,
        status=OrderStatus.REJECTED,
        reject=reject_kind(code),
        code=code,
        detail=detail,
    )


def transferred(at: datetime, command: TransferFunds) -> FundsTransferred:
    """Return the event of a transfer that happened."""
    return FundsTransferred(
        at=at,
        transfer_id=command.transfer_id,
        amount=command.amount,
        direction=command.direction,
        asset=command.asset,
    )


def order_report(order: Order) -> OrderEnded | OrderProgressed:
    """Return an order's present state as an event."""
    if order.status.done:
        return OrderEnded(
            at=order.updated_at,
            client_id=order.request.client_id,
            order_id=order.order_id,
            status=order.status,
            filled_quantity=order.filled_quantity,
            filled_notional=order.filled_notional,
        )
    return OrderProgressed(
        at=order.updated_at,
        client_id=order.request.client_id,
        order_id=order.order_id,
        filled_quantity=order.filled_quantity,
        filled_notional=order.filled_notional,
    )
