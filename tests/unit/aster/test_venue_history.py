"""The account's history, paged forward, and telling the bot's own acts from those of others."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedgerow.domain.commands import (
    PlaceOrder,
    TransferDirection,
)
from hedgerow.domain.errors import VenueError
from hedgerow.domain.events import (
    CommandIssued,
    FlowKind,
    FundsTransferred,
    OrderAccepted,
    Wallet,
)
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import ForcedTrade, OrderRequest
from support.account_harness import MOVE, TRANSFER, AccountHarness
from support.scripted_aster import (
    HTML_500,
    NOW,
    SYMBOL,
    error,
    millis,
    order_row,
)

SPOT, PERP = Market.SPOT, Market.PERP
INCOME, SPOT_TRADES, PERP_TRADES = "GET /fapi/v3/income", "GET /api/v3/userTrades", "GET /fapi/v3/userTrades"
TRANSACTIONS = "GET /api/v3/transactionHistory"
DAY = timedelta(days=1)
TRAN_ID = 4_480_321_991_774_044_580


@pytest.fixture
def harness() -> AccountHarness:
    return AccountHarness()


def trade(number: int, at: datetime, *, order_id: int = 7, **changes: Any) -> dict[str, Any]:
    row = {
        "symbol": SYMBOL,
        "id": number,
        "orderId": order_id,
        "side": "BUY",
        "price": "100",
        "qty": "2",
        "commission": "0.0008",
        "commissionAsset": "AAA",
        "realizedPnl": "0",
        "time": millis(at),
        "maker": False,
    }
    return {**row, **changes}


def income(kind: str, amount: str, number: int, at: datetime = NOW, **changes: Any) -> dict[str, Any]:
    row = {"symbol": SYMBOL, "incomeType": kind, "income": amount, "asset": "USDT", "info": kind, "time": millis(at)}
    return {**row, "tranId": TRAN_ID + number, "tradeId": "", **changes}


def windowed(rows: list[dict[str, Any]], most: int = 1000) -> Any:
    """Answer like the venue: the first rows of a window that is at most seven days long."""

    def answer(params: dict[str, str]) -> Any:
        start = int(params["startTime"])
        end = int(params.get("endTime", start + 7 * 86_400_000 - 1))
        if end - start >= 7 * 86_400_000:
            return error(-4165, "Time window too long")
        return [row for row in rows if start <= row["time"] <= end][:most]

    return answer


def test_trades_are_paged_forward_in_windows_of_less_than_seven_days(harness: AccountHarness) -> None:
    rows = [trade(number, NOW - DAY * (30 - number)) for number in range(0, 30, 3)]
    harness.aster.on(SPOT_TRADES, windowed(rows))
    harness.aster.on("GET /api/v3/order", order_row("h-s-1", orderId=7))
    fills = harness.run(harness.venue.fills(SPOT, SYMBOL, NOW - DAY * 30))
    assert [fill.trade_id for fill in fills] == list(range(0, 30, 3))
    assert {fill.client_id for fill in fills} == {"h-s-1"}
    assert (fills[0].fee, fills[0].fee_asset, fills[0].side) == (Decimal("0.0008"), "AAA", Side.BUY)
    assert len(harness.aster.sent(SPOT_TRADES)) == 5
    assert "endTime" not in harness.aster.sent(SPOT_TRADES)[-1]
    assert len(harness.aster.sent("GET /api/v3/order")) == 1, "one look-up per order, not per trade"


def test_a_full_page_is_continued_at_its_last_time_and_no_row_counts_twice(harness: AccountHarness) -> None:
    rows = [trade(number, NOW - DAY + timedelta(seconds=number // 3)) for number in range(2500)]
    harness.aster.on(PERP_TRADES, windowed(rows))
    harness.aster.on("GET /fapi/v3/order", error(-2013))
    fills = harness.run(harness.venue.fills(PERP, SYMBOL, NOW - DAY * 2))
    assert [fill.trade_id for fill in fills] == list(range(2500))
    assert {fill.client_id for fill in fills} == {""}


def test_the_order_of_a_new_trade_that_is_not_listed_yet_is_no_order_of_the_owners(harness: AccountHarness) -> None:
    rows = [trade(1, NOW)]
    harness.aster.on(PERP_TRADES, windowed(rows))
    harness.aster.on("GET /fapi/v3/order", error(-2013))
    with pytest.raises(VenueError, match="order 7 of AAAUSDT has traded and is not listed yet"):
        harness.run(harness.venue.fills(PERP, SYMBOL, NOW - DAY))
    harness.aster.on("GET /fapi/v3/order", order_row("adl_autoclose", orderId=7))
    (fill,) = harness.run(harness.venue.fills(PERP, SYMBOL, NOW - DAY))
    assert fill.forced_trade is ForcedTrade.AUTO_DELEVERAGING


def test_an_order_that_is_not_found_for_ten_seconds_keeps_no_trade_from_being_read(harness: AccountHarness) -> None:
    harness.aster.on(PERP_TRADES, windowed([trade(1, NOW)]))
    harness.aster.on("GET /fapi/v3/order", error(-2013))
    with pytest.raises(VenueError):
        harness.run(harness.venue.fills(PERP, SYMBOL, NOW - DAY))
    harness.run(harness.clock.sleep(10))
    (fill,) = harness.run(harness.venue.fills(PERP, SYMBOL, NOW - DAY))
    assert (fill.client_id, fill.forced) == ("", False)
    assert harness.run(harness.venue.fills(PERP, SYMBOL, NOW - DAY)) == (fill,)
    assert len(harness.aster.sent("GET /fapi/v3/order")) == 2


def test_more_rows_at_one_time_than_a_page_holds_are_an_error_rather_than_lost(harness: AccountHarness) -> None:
    rows = [trade(number, NOW - DAY) for number in range(1200)]
    harness.aster.on(PERP_TRADES, windowed(rows))
    with pytest.raises(VenueError, match="cannot page them"):
        harness.run(harness.venue.fills(PERP, SYMBOL, NOW - DAY * 2))


def test_funding_payments_keep_their_long_ids_whether_they_are_text_or_numbers(harness: AccountHarness) -> None:
    rows = [
        income("FUNDING_FEE", "0.0750", 1, NOW - DAY * 9),
        income("FUNDING_FEE", "-0.0100", 2, NOW - DAY, tranId=str(TRAN_ID + 2)),
    ]
    harness.aster.on(INCOME, windowed(rows))
    payments = harness.run(harness.venue.funding_payments(NOW - DAY * 10))
    assert [(p.amount, p.tran_id) for p in payments] == [
        (Decimal("0.0750"), TRAN_ID + 1),
        (Decimal("-0.0100"), TRAN_ID + 2),
    ]
    assert {sent["incomeType"] for sent in harness.aster.sent(INCOME)} == {"FUNDING_FEE"}
    assert harness.run(harness.venue.funding_payments(NOW - DAY * 2)) == payments[1:]


def own_order(harness: AccountHarness, order_id: int, client_id: str = "h-s-1") -> None:
    """Let an earlier run have sent an order."""
    request = OrderRequest(
        client_id=client_id, market=SPOT, symbol=SYMBOL, side=Side.BUY, quantity=Decimal(1), price=Decimal(1)
    )
    command = PlaceOrder(hedge_id="h", order=request)
    harness.venue.remember(
        [CommandIssued(at=NOW, command=command), OrderAccepted(at=NOW, client_id=client_id, order_id=order_id)]
    )


def quiet_history(harness: AccountHarness) -> None:
    for route in (INCOME, SPOT_TRADES, PERP_TRADES, TRANSACTIONS):
        harness.aster.on(route, [])


def test_the_statement_holds_trades_by_hand_and_not_the_bots(harness: AccountHarness) -> None:
    quiet_history(harness)
    own_order(harness, 7)
    harness.aster.on(SPOT_TRADES, [trade(1, NOW, order_id=7), trade(2, NOW, order_id=8)])
    harness.aster.on(INCOME, [income("COMMISSION", "-0.1", 1), income("REALIZED_PNL", "3", 2)])
    closing = {"side": "SELL", "realizedPnl": "3", "commission": "0.1", "commissionAsset": "USDT"}
    forced = trade(4, NOW, order_id=10, **closing)
    harness.aster.on(PERP_TRADES, [trade(3, NOW, order_id=9, **closing), forced])
    harness.aster.on("GET /api/v3/order", order_row("web_1", orderId=8))
    harness.aster.on(
        "GET /fapi/v3/order",
        lambda params: order_row(
            "web_2" if params["orderId"] == "9" else "autoclose-1", orderId=int(params["orderId"])
        ),
    )
    rows = harness.run(harness.venue.statement(NOW - DAY))
    assert [(row.wallet, row.asset, row.amount) for row in rows] == [
        (Wallet.SPOT, "AAA", Decimal(2)),
        (Wallet.SPOT, "USDT", Decimal(-200)),
        (Wallet.SPOT, "AAA", Decimal("-0.0008")),
        (Wallet.PERP, "USDT", Decimal(3)),
        (Wallet.PERP, "USDT", Decimal("-0.1")),
    ]
    assert {row.kind for row in rows} == {FlowKind.USER_TRADE}
    assert len({row.row_id for row in rows}) == 5


def moved(number: int, amount: str, at: datetime, kind: str = "TRANSFER_SPOT_TO_FUTURE") -> dict[str, Any]:
    return {"tranId": TRAN_ID + number, "asset": "USDT", "balanceDelta": amount, "type": kind, "time": millis(at)}


def test_transfers_of_the_bot_are_left_out_of_the_statement_once_each(harness: AccountHarness) -> None:
    quiet_history(harness)
    harness.aster.on(TRANSFER, {"tranId": 1, "status": "SUCCESS"})
    earlier = FundsTransferred(
        at=NOW - DAY, transfer_id="h0-t", amount=Decimal(40), direction=TransferDirection.PERP_TO_SPOT
    )
    harness.venue.remember([earlier])
    harness.aster.on("POST /fapi/v3/noop", error(-4225, "Nonce Expired"))
    harness.submit(MOVE)
    harness.clock.advance_time(1)
    harness.submit(MOVE)
    at, later = NOW + timedelta(seconds=2), NOW + timedelta(minutes=3)
    harness.clock.advance_time(7200)
    harness.aster.on(
        INCOME,
        [
            income("TRANSFER", "-40.00000000", 0, NOW - DAY),
            income("TRANSFER", "250.5", 1, at),
            income("TRANSFER", "250.5", 2, later),
        ],
    )
    harness.aster.on(
        TRANSACTIONS,
        [moved(0, "40", NOW - DAY, "TRANSFER_FUTURE_TO_SPOT"), moved(1, "-250.50", at), moved(2, "-250.5", later)],
    )
    rows = harness.run(harness.venue.statement(NOW - DAY * 2))
    assert [(row.wallet, row.amount, row.at, row.kind) for row in rows] == [
        (Wallet.PERP, Decimal("250.5"), later, FlowKind.USER_TRANSFER),
        (Wallet.SPOT, Decimal("-250.5"), later, FlowKind.USER_TRANSFER),
    ]


def test_of_two_transfers_of_one_amount_the_owners_earlier_one_stays_in_the_statement(harness: AccountHarness) -> None:
    quiet_history(harness)
    harness.aster.on(TRANSFER, {"tranId": 1, "status": "SUCCESS"})
    harness.submit(MOVE)
    own, by_hand = NOW + timedelta(seconds=1), NOW - timedelta(minutes=2)
    harness.clock.advance_time(3600)
    harness.aster.on(INCOME, [income("TRANSFER", "250.5", 1, by_hand), income("TRANSFER", "250.5", 2, own)])
    harness.aster.on(TRANSACTIONS, [moved(1, "-250.5", by_hand), moved(2, "-250.5", own)])
    rows = harness.run(harness.venue.statement(NOW - DAY))
    assert [(row.wallet, row.at) for row in rows] == [(Wallet.PERP, by_hand), (Wallet.SPOT, by_hand)]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_transfer_confirmed_long_after_it_happened_is_still_the_bots(
    *, restarted: bool, harness: AccountHarness
) -> None:
    quiet_history(harness)
    harness.aster.on("POST /fapi/v3/noop", error(-4225, "Nonce Expired"))
    sent = CommandIssued(at=NOW, command=MOVE)
    harness.aster.on(TRANSFER, HTML_500)
    harness.submit(MOVE)
    harness.clock.advance_time(3600)
    confirmed = FundsTransferred(
        at=harness.clock.now(), transfer_id=MOVE.transfer_id, amount=MOVE.amount, direction=MOVE.direction
    )
    if restarted:
        harness.venue.remember([sent, confirmed])
    else:
        harness.aster.on(TRANSFER, error(-4115, "Duplicated clientTranId"))
        harness.submit(MOVE)
    at = NOW + timedelta(seconds=2)
    harness.aster.on(INCOME, [income("TRANSFER", "250.5", 1, at)])
    harness.aster.on(TRANSACTIONS, [moved(1, "-250.5", at)])
    assert harness.run(harness.venue.statement(NOW - DAY)) == ()


@pytest.mark.parametrize(
    ("kind", "amount", "expected"),
    [
        ("INSURANCE_CLEAR", "-1", FlowKind.LIQUIDATION_FEE),
        ("REFERRAL_KICKBACK", "1", FlowKind.REBATE),
        ("COMMISSION_REBATE", "1", FlowKind.REBATE),
        ("AUTO_EXCHANGE", "-1", FlowKind.AUTO_EXCHANGE),
        ("INTERNAL_TRANSFER", "1", FlowKind.DEPOSIT),
        ("INTERNAL_TRANSFER", "-1", FlowKind.WITHDRAWAL),
        ("SOMETHING_NEW", "1", FlowKind.OTHER),
    ],
)
def test_rows_of_the_perpetual_wallet_are_classified(
    harness: AccountHarness, kind: str, amount: str, expected: FlowKind
) -> None:
    quiet_history(harness)
    harness.aster.on(INCOME, [income(kind, amount, 1, symbol=None), income("FUNDING_FEE", "1", 2)])
    (row,) = harness.run(harness.venue.statement(NOW - DAY))
    assert (row.wallet, row.amount, row.kind) == (Wallet.PERP, Decimal(amount), expected)


def test_funding_in_another_asset_is_no_payment_in_usdt(harness: AccountHarness) -> None:
    quiet_history(harness)
    rows = [
        income("FUNDING_FEE", "0.5", 1, symbol="AAAUSD1", asset="USD1"),
        income("FUNDING_FEE", "0.25", 2, asset="BNB"),
        income("FUNDING_FEE", "0.125", 3),
    ]
    harness.aster.on(INCOME, rows)
    payments = harness.run(harness.venue.funding_payments(NOW - DAY))
    assert [payment.tran_id for payment in payments] == [TRAN_ID + 3]
    (row,) = harness.run(harness.venue.statement(NOW - DAY))
    assert (row.asset, row.amount, row.kind) == ("USD1", Decimal("0.5"), FlowKind.OTHER)
    assert (row.symbol, row.tran_id, row.trade_id) == ("AAAUSD1", TRAN_ID + 1, 0)


def test_what_a_trade_by_hand_realised_is_in_the_asset_that_settles_its_perpetual(harness: AccountHarness) -> None:
    quiet_history(harness)
    bought = trade(1, NOW, symbol="AAAUSD1", realizedPnl="2", commission="0.1", commissionAsset="USD1")
    harness.aster.on(PERP_TRADES, [bought])
    harness.aster.on("GET /fapi/v3/order", order_row(orderId=7, clientOrderId="web", symbol="AAAUSD1"))
    rows = [
        income("REALIZED_PNL", "2", 1, symbol="AAAUSD1", asset="USD1", tradeId="1"),
        income("COMMISSION_REBATE", "0.05", 2, symbol="AAAUSD1", asset="USD1", tradeId="1"),
    ]
    harness.aster.on(INCOME, rows)
    found = harness.run(harness.venue.statement(NOW - DAY))
    assert sorted((row.asset, row.amount, row.trade_id) for row in found) == [
        ("USD1", Decimal("-0.1"), 0),
        ("USD1", Decimal("0.05"), 1),
        ("USD1", Decimal(2), 0),
    ]


@pytest.mark.parametrize(
    ("kind", "amount", "expected"),
    [
        ("TRANSFER", "5", FlowKind.DEPOSIT),
        ("TRANSFER", "-5", FlowKind.WITHDRAWAL),
        ("CASH_BACK", "5", FlowKind.REBATE),
        ("AIRDROP", "5", FlowKind.OTHER),
    ],
)
def test_rows_of_the_spot_wallet_are_classified(
    harness: AccountHarness, kind: str, amount: str, expected: FlowKind
) -> None:
    quiet_history(harness)
    harness.aster.on(TRANSACTIONS, [moved(1, amount, NOW, kind), moved(2, "1", NOW, "TRADE_TARGET")])
    (row,) = harness.run(harness.venue.statement(NOW - DAY))
    assert (row.wallet, row.amount, row.kind) == (Wallet.SPOT, Decimal(amount), expected)


@pytest.mark.parametrize("route", [INCOME, SPOT_TRADES, TRANSACTIONS])
def test_a_statement_that_is_not_wholly_readable_is_unreadable(harness: AccountHarness, route: str) -> None:
    quiet_history(harness)
    harness.aster.on(route, HTML_500)
    with pytest.raises(VenueError):
        harness.run(harness.venue.statement(NOW - DAY))
