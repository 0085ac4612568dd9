"""The account as it is read, and the commands to it: wallets, positions, modes, transfers, leverage, margin."""

from decimal import Decimal
from typing import Any

import pytest

from hedgerow.domain.account import MarginType
from hedgerow.domain.commands import (
    SetLeverage,
    SetMarginType,
)
from hedgerow.domain.errors import VenueError
from hedgerow.domain.events import (
    CommandRefused,
    FundsTransferred,
    LeverageSet,
    MarginTypeSet,
    TransferOutcomeUnknown,
)
from hedgerow.domain.instrument import Market
from support.account_harness import MOVE, TRANSFER, AccountHarness
from support.scripted_aster import (
    HANG,
    HTML_500,
    NOW,
    SYMBOL,
    error,
    order_row,
    perp_account,
)

SPOT, PERP = Market.SPOT, Market.PERP


@pytest.fixture
def harness() -> AccountHarness:
    return AccountHarness()


ACCOUNT, POSITIONS = "GET /fapi/v3/accountWithJoinMargin", "GET /fapi/v3/positionRisk"
HELD = {"positionAmt": "-0.250", "entryPrice": "3000.1", "unrealizedProfit": "-0.22500000", "maintMargin": "18.75"}


def position(**changes: Any) -> dict[str, Any]:
    row = {
        "symbol": SYMBOL,
        "positionAmt": "-0.250",
        "entryPrice": "3000.1",
        "markPrice": "3001.00000000",
        "unRealizedProfit": "-0.22500000",
        "liquidationPrice": "5900.5",
        "leverage": "5",
        "marginType": "cross",
        "isAutoAddMargin": "false",
        "positionSide": "BOTH",
    }
    return {**row, **changes}


# --- wallets and positions -------------------------------------------------------------------------------------------


def test_a_reply_without_the_row_of_the_position_asked_for_is_unreadable_not_flat(harness: AccountHarness) -> None:
    for rows in ([], [position(symbol="OTHERUSDT")], [position(positionAmt="")]):
        harness.aster.on(POSITIONS, rows)
        with pytest.raises(VenueError):
            harness.run(harness.venue.position(SYMBOL))


def test_both_wallets_positions_and_modes_are_read_at_once(harness: AccountHarness) -> None:
    harness.aster.on(ACCOUNT, perp_account(HELD, {"symbol": "BBBUSDT", "leverage": "20"}, totalMaintMargin="18.75"))
    view = harness.run(harness.venue.account())
    assert (view.spot_usdt, view.spot["USDT"].locked) == (Decimal(900), Decimal(1))
    assert (view.perp.balance, view.perp.unrealized_pnl) == (Decimal("1000.5"), Decimal("-1.2"))
    assert (view.perp.available, view.perp.transferable) == (Decimal(800), Decimal(790))
    held = view.positions[SYMBOL]
    assert (held.quantity, held.unrealized_pnl, held.leverage) == (Decimal("-0.25"), Decimal("-0.225"), 5)
    assert (held.mark_price, held.margin_type) == (Decimal(3001), MarginType.CROSSED)
    assert held.liquidation_price == Decimal("6827.56768531"), "where 999.3 - 0.25 (p - 3001) is 18.75 p / 3001"
    assert view.positions["BBBUSDT"].leverage == 20
    assert (view.at, view.one_way, view.single_asset) == (NOW, True, True)
    assert view.clock_skew_seconds == 0


def test_a_later_reading_takes_two_requests(harness: AccountHarness) -> None:
    harness.run(harness.venue.account())
    harness.aster.forget()
    harness.run(harness.venue.account())
    assert sorted(harness.aster.routes) == ["GET /api/v3/account", ACCOUNT]


@pytest.mark.parametrize(
    "shown",
    [{"isolated": True}, {"maintMargin": "750"}, {"unrealizedProfit": "750.025"}],
    ids=["isolated", "liquidation near", "no mark"],
)
def test_a_liquidation_price_that_is_near_or_not_ours_to_work_out_is_asked_of_the_venue(
    harness: AccountHarness, shown: dict[str, Any]
) -> None:
    harness.aster.on(ACCOUNT, perp_account({**HELD, **shown}, totalMaintMargin="750"))
    harness.aster.on(POSITIONS, [position(liquidationPrice="3900")])
    assert harness.run(harness.venue.account()).positions[SYMBOL].liquidation_price == 3900


def test_quantity_and_leverage_of_the_account_reply_are_not_replaced_by_those_of_the_list_of_positions(
    harness: AccountHarness,
) -> None:
    harness.aster.on(ACCOUNT, perp_account({**HELD, "maintMargin": "750"}, totalMaintMargin="750"))
    harness.aster.on(POSITIONS, [position(liquidationPrice="3900", leverage="3", positionAmt="-0.1")])
    held = harness.run(harness.venue.account()).positions[SYMBOL]
    assert (held.quantity, held.leverage, held.liquidation_price) == (Decimal("-0.25"), 5, Decimal(3900))


def test_a_liquidation_that_only_the_list_of_positions_shows_near_is_as_far_as_the_account_says(
    harness: AccountHarness,
) -> None:
    harness.aster.on(ACCOUNT, perp_account({**HELD, "maintMargin": "750"}, totalMaintMargin="750"))
    harness.aster.on(POSITIONS, [position(liquidationPrice="3020")])
    held = harness.run(harness.venue.account()).positions[SYMBOL]
    assert held.liquidation_price is not None
    assert held.liquidation_price > held.mark_price * Decimal("1.15")


def test_a_position_that_no_mark_can_liquidate_has_no_liquidation_price(harness: AccountHarness) -> None:
    long = {"positionAmt": "0.01", "entryPrice": "3000", "unrealizedProfit": "0.1", "maintMargin": "0"}
    harness.aster.on(ACCOUNT, perp_account(long))
    held = harness.run(harness.venue.account()).positions[SYMBOL]
    assert (held.mark_price, held.liquidation_price) == (Decimal(3010), None)


def test_other_shapes_of_a_position_are_understood(harness: AccountHarness) -> None:
    other = position(marginType="ISOLATED", liquidationPrice="0", unrealizedProfit="1.5")
    del other["unRealizedProfit"]
    harness.aster.on(ACCOUNT, perp_account({**HELD, "isolated": True}))
    harness.aster.on(POSITIONS, [other])
    held = harness.run(harness.venue.account()).positions[SYMBOL]
    assert held.margin_type is MarginType.ISOLATED
    assert held.liquidation_price is None
    assert held.unrealized_pnl == Decimal("1.5")


def test_a_position_of_hedge_mode_is_known_once_the_mode_says_so_too(harness: AccountHarness) -> None:
    mode = "GET /fapi/v3/positionSide/dual"
    harness.run(harness.venue.account())
    harness.aster.on(ACCOUNT, perp_account({**HELD, "positionSide": "SHORT"}, totalMaintMargin="18.75"))
    alone = harness.run(harness.venue.account())
    assert (alone.one_way, alone.sided_positions) == (False, frozenset())
    assert any("hedge mode" in doubt for doubt in alone.doubts)
    harness.aster.on(mode, {})
    unread = harness.run(harness.venue.account())
    assert (unread.one_way, unread.sided_positions) == (False, frozenset())
    harness.aster.on(mode, {"dualSidePosition": True})
    both = harness.run(harness.venue.account())
    assert (both.one_way, both.sided_positions, both.doubts) == (False, frozenset({SYMBOL}), ())
    harness.aster.on(ACCOUNT, perp_account(HELD, totalMaintMargin="18.75"))
    lying = harness.run(harness.venue.account())
    assert (lying.one_way, lying.sided_positions) == (False, frozenset())


def test_account_modes_that_do_not_fit_are_reported(harness: AccountHarness) -> None:
    harness.aster.on("GET /fapi/v3/positionSide/dual", {"dualSidePosition": True})
    harness.aster.on("GET /fapi/v3/multiAssetsMargin", {"multiAssetsMargin": "true"})
    sides = [position(positionSide="LONG", positionAmt="0"), position(positionSide="SHORT")]
    short = {**HELD, "positionSide": "SHORT"}
    harness.aster.on(ACCOUNT, perp_account({"positionSide": "LONG"}, short))
    harness.aster.on(POSITIONS, sides)
    view = harness.run(harness.venue.account())
    assert (view.one_way, view.single_asset) == (False, False)
    assert view.short(SYMBOL) == Decimal("0.25")


@pytest.mark.parametrize(
    "route",
    ["GET /api/v3/account", ACCOUNT, "GET /fapi/v3/multiAssetsMargin"],
)
def test_an_account_that_is_not_wholly_readable_is_unreadable(harness: AccountHarness, route: str) -> None:
    harness.aster.on(route, HTML_500)
    with pytest.raises(VenueError):
        harness.run(harness.venue.account())


def test_a_perpetual_wallet_without_usdt_is_unreadable_rather_than_empty(harness: AccountHarness) -> None:
    harness.aster.on(ACCOUNT, perp_account(assets=[{"asset": "BTC", "walletBalance": "1"}]))
    with pytest.raises(VenueError, match="lists no USDT"):
        harness.run(harness.venue.account())


def test_open_orders_of_both_markets_are_listed_whoever_sent_them(harness: AccountHarness) -> None:
    harness.aster.on("GET /api/v3/openOrders", [order_row("ours", status="NEW")])
    harness.aster.on("GET /fapi/v3/openOrders", [order_row("web_1", status="NEW", orderId=9)])
    found = harness.run(harness.venue.open_orders(SYMBOL))
    assert {(order.client_id, order.order_id) for order in found} == {("ours", 17338441758), ("web_1", 9)}


# --- transfers and settings ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [{"tranId": 21841, "status": "SUCCESS"}, error(-4115, "Duplicated clientTranId")])
def test_a_transfer_that_happened_now_or_before_is_reported(harness: AccountHarness, answer: Any) -> None:
    harness.aster.on(TRANSFER, answer)
    event = harness.submit(MOVE)
    assert isinstance(event, FundsTransferred)
    assert (event.transfer_id, event.amount, event.direction) == ("h-t", Decimal("250.5"), MOVE.direction)


@pytest.mark.parametrize("answer", [HANG, HTML_500, {"tranId": 1, "status": "PENDING"}])
def test_a_transfer_that_may_have_happened_is_unknown(harness: AccountHarness, answer: Any) -> None:
    harness.aster.on(TRANSFER, answer)
    assert isinstance(harness.submit(MOVE), TransferOutcomeUnknown)


def test_a_refused_transfer_says_its_code(harness: AccountHarness) -> None:
    harness.aster.on(TRANSFER, error(-4050, "Cross balance insufficient."))
    event = harness.submit(MOVE)
    assert isinstance(event, CommandRefused)
    assert event.code == -4050


def test_leverage_is_what_the_venue_confirmed(harness: AccountHarness) -> None:
    harness.aster.on("POST /fapi/v3/leverage", {"leverage": 1, "symbol": SYMBOL}, error(-4028), HANG)
    command = SetLeverage(symbol=SYMBOL, leverage=1)
    event = harness.submit(command)
    assert isinstance(event, LeverageSet)
    assert event.leverage == 1
    assert harness.submit(command).code == -4028
    assert isinstance(harness.submit(command), CommandRefused)


@pytest.mark.parametrize("answer", [{"code": 200, "msg": "success"}, error(-4046, "No need to change margin type.")])
def test_margin_that_is_crossed_now_or_was_before_is_reported(harness: AccountHarness, answer: Any) -> None:
    harness.aster.on("POST /fapi/v3/marginType", answer)
    assert isinstance(harness.submit(SetMarginType(symbol=SYMBOL)), MarginTypeSet)
    assert harness.aster.sent("POST /fapi/v3/marginType")[0]["marginType"] == "CROSSED"


def test_margin_that_cannot_be_switched_is_refused(harness: AccountHarness) -> None:
    harness.aster.on("POST /fapi/v3/marginType", error(-4048))
    assert harness.submit(SetMarginType(symbol=SYMBOL)).code == -4048


# --- margin brackets -------------------------------------------------------------------------------------------------


def brackets(symbol: str) -> dict[str, Any]:
    row = {"bracket": 1, "initialLeverage": 75, "notionalCap": 10000, "notionalFloor": 0, "maintMarginRatio": 0.0065}
    return {"symbol": symbol, "brackets": [{**row, "cum": 0}, {**row, "bracket": 2, "cum": 12.5}]}


@pytest.mark.parametrize("answer", [brackets(SYMBOL), [brackets(SYMBOL)]])
def test_margin_brackets_come_as_an_object_or_as_a_list(harness: AccountHarness, answer: Any) -> None:
    harness.aster.on("GET /fapi/v3/leverageBracket", answer)
    (found,) = harness.run(harness.venue.client.brackets(SYMBOL))
    assert (found.symbol, found.brackets[0].notional_cap) == (SYMBOL, Decimal(10_000))
    assert found.brackets[0].maint_margin_ratio == Decimal("0.0065")
    assert found.brackets[1].cum == Decimal("12.5")
