"""What the client remembers of the bot's own orders: the newest part of the log, and not for ever."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from hedgerow.aster.account.own_activity import MAX_ORDER_IDS, OwnActivity
from hedgerow.domain.commands import PlaceOrder, TransferDirection, TransferFunds
from hedgerow.domain.events import CommandIssued, Event, FundsTransferred, OrderAccepted, Wallet
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import OrderRequest
from hedgerow.domain.position import OrderRecord
from support.scripted_aster import NOW, SYMBOL

DAY = timedelta(days=1)


def request(client_id: str) -> OrderRequest:
    return OrderRequest(
        client_id=client_id, market=Market.SPOT, symbol=SYMBOL, side=Side.BUY, quantity=Decimal(1), price=Decimal(100)
    )


def sent(number: int, days_ago: float) -> Sequence[Event]:
    at = NOW - days_ago * DAY
    command = PlaceOrder(hedge_id="h", order=request(f"o-{number}"), fee_rate=Decimal(0))
    return (
        CommandIssued(at=at, command=command),
        OrderAccepted(at=at, client_id=f"o-{number}", order_id=number),
    )


def transferred(number: int, days_ago: float) -> Sequence[Event]:
    at, amount, direction = NOW - days_ago * DAY, Decimal(5), TransferDirection.SPOT_TO_PERP
    command = TransferFunds(transfer_id=f"t-{number}", amount=amount, direction=direction)
    return (
        CommandIssued(at=at, command=command),
        FundsTransferred(at=at, transfer_id=f"t-{number}", amount=amount, direction=direction),
    )


def test_orders_and_transfers_from_before_a_time_are_let_go_of() -> None:
    own = OwnActivity()
    own.remember([*sent(1, 9), *transferred(1, 9), *sent(2, 1), *transferred(2, 1)])
    own.forget(NOW - 5 * DAY)
    assert own.sent("o-1") is None
    assert own.is_own_order(2)
    assert own.sent("t-1") is None
    assert len(own.transfers(Wallet.PERP)) == 1


def test_orders_of_a_hedge_that_is_older_than_the_newest_part_of_the_log_are_known() -> None:
    own = OwnActivity()
    old = OrderRecord(request=request("o-1"), hedge_id="h", fee_rate=Decimal(0), issued_at=NOW - 90 * DAY, order_id=1)
    own.remember(sent(2, 1), [old])
    assert own.is_own_order(1)
    assert own.is_own_order(2)
    assert own.client_id(1) == "o-1"


def test_ids_of_orders_by_hand_do_not_pile_up() -> None:
    own = OwnActivity()
    own.remember(sent(10**9, 1))
    for number in range(MAX_ORDER_IDS + 500):
        own.accepted("", number)
    own.accepted("o-7", 10**9)
    own.forget(NOW - 5 * DAY)
    assert own.client_id(0) is None
    assert own.client_id(MAX_ORDER_IDS + 499) == ""
