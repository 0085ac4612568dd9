"""What an account shows of an own order beyond the log."""

from decimal import Decimal
from typing import Any

import pytest

from hedgerow.domain.account import AccountView
from hedgerow.domain.events import ExternalFlow, FlowKind, Wallet
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.instrument import Side
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.position import HedgedPosition, OrderRecord
from hedgerow.strategy.evidence.own_fills import filled_whole, shows_further
from support.ledger_builder import START, LedgerBuilder
from support.views import account, short_of


def opened_books() -> LedgerBuilder:
    flow = ExternalFlow(
        at=START, row_id="o", wallet=Wallet.SPOT, asset="USDT", amount=Decimal(5000), kind=FlowKind.OPENING
    )
    return LedgerBuilder().record(flow)


def buying() -> LedgerBuilder:
    return opened_books().begin().issue("s-1", Side.BUY, 10, 100)


def held() -> LedgerBuilder:
    return opened_books().begin().trade("s-1", Side.BUY, 10, 100).trade("p-1", Side.SELL, 10, 100).opened()


def order_of(ledger: Ledger, name: str) -> tuple[HedgedPosition, OrderRecord]:
    (owner,) = ledger.hedges.values()
    return owner, next(record for record in owner.orders if record.request.client_id == f"h1-{name}")


def shows(log: LedgerBuilder, *, coins: str = "0", short: str = "0", **changes: Any) -> AccountView:
    return account(short_of("ABCUSDT", short), coins={"ABC": coins}, at=log.now, **changes)


def whole(log: LedgerBuilder, name: str, view: AccountView) -> bool:
    ledger = log.ledger
    return filled_whole(ledger, *order_of(ledger, name), view)


@pytest.mark.parametrize(
    ("coins", "shown"),
    [("10", True), ("9.996", True), ("9.995", True), ("9.99", False), ("10.006", False), ("0", False), ("5", False)],
)
def test_a_purchase_is_shown_by_its_coins_within_the_fee_and_a_lot(coins: str, *, shown: bool) -> None:
    log = buying()
    assert whole(log, "s-1", shows(log, coins=coins)) is shown


@pytest.mark.parametrize(("short", "shown"), [("10", True), ("9.99", False), ("10.01", False), ("0", False)])
def test_a_short_is_shown_by_just_its_quantity(short: str, *, shown: bool) -> None:
    log = opened_books().begin().trade("s-1", Side.BUY, 10, 100).issue("p-1", Side.SELL, 10, 100)
    assert whole(log, "p-1", shows(log, coins="9.996", short=short)) is shown


def test_what_is_filled_already_does_not_count_again() -> None:
    log = opened_books().begin().trade("s-1", Side.BUY, 4, 100).trade("p-1", Side.SELL, 4, 100)
    log.issue("s-2", Side.BUY, 6, 100)
    assert whole(log, "s-2", shows(log, coins="9.996"))
    assert not whole(log, "s-2", shows(log, coins="3.998"))


@pytest.mark.parametrize(
    "unreadable", [{"unreadable_balances": frozenset({"ABC"})}, {"unreadable_positions": frozenset({"ABCUSDT"})}]
)
def test_nothing_is_shown_by_rows_that_cannot_be_read(unreadable: dict[str, Any]) -> None:
    log = buying()
    assert not whole(log, "s-1", shows(log, coins="10", **unreadable))


def test_coins_show_nothing_before_the_books_are_opened() -> None:
    log = LedgerBuilder().begin().issue("s-1", Side.BUY, 10, 100)
    assert not whole(log, "s-1", shows(log, coins="10"))


def test_an_account_that_may_be_from_before_the_opening_does_not_show_a_sale() -> None:
    log = held().wait(seconds=60).begin(ExecutionKind.CLOSE).issue("s-2", Side.SELL, "9.996", 100)
    assert not whole(log, "s-2", shows(log, short="10"))
    log.wait(seconds=60)
    assert whole(log, "s-2", shows(log, short="10"))


def test_a_short_bought_back_is_shown_by_what_is_missing_of_it() -> None:
    log = held().wait(minutes=10).begin(ExecutionKind.CLOSE).issue("p-2", Side.BUY, 10, 100)
    assert whole(log, "p-2", shows(log, coins="9.996"))
    assert not whole(log, "p-2", shows(log, coins="9.996", short="10"))


def test_more_than_the_order_asked_for_is_never_its_own() -> None:
    log = buying()
    owner, record = order_of(log.ledger, "s-1")
    view = shows(log, coins="11")
    assert shows_further(log.ledger, owner, record, view, Decimal(10))
    assert not shows_further(log.ledger, owner, record, view, Decimal(11))
    assert not shows_further(log.ledger, owner, record, shows(log, coins="5"), Decimal(10))
