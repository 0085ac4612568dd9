"""What the live venue does with orders: acknowledged before matching, refused, unanswered, and resolved."""

from collections.abc import Coroutine
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest

from hedgerow.aster import AsterVenue, Credentials
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.commands import CancelOrder, PlaceOrder, SetLeverage, TransferDirection, TransferFunds
from hedgerow.domain.errors import NotSent, OutcomeUnknown
from hedgerow.domain.events import (
    CommandIssued,
    CommandRefused,
    Event,
    FundsTransferred,
    OrderAccepted,
    OrderEnded,
    OrderOutcomeUnknown,
    OrderProgressed,
    TransferOutcomeUnknown,
)
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import OrderRequest, OrderStatus, RejectKind, TimeInForce
from hedgerow.ports import HttpResponse
from support.scripted_aster import (
    HANG,
    HTML_500,
    NOW,
    SYMBOL,
    ScriptedAster,
    error,
    make_client,
    make_venue,
    millis,
    order_row,
)

Result = TypeVar("Result")
SPOT, PERP = Market.SPOT, Market.PERP
PLACE_PERP, PLACE_SPOT = "POST /fapi/v3/order", "POST /api/v3/order"
LOOK, NOOP = "GET /api/v3/order", "POST /api/v3/noop"


class VenueHarness:
    def __init__(self) -> None:
        self.aster = ScriptedAster()
        self.clock = VirtualClock(NOW)
        self.venue: AsterVenue = make_venue(self.aster, self.clock)

    def run(self, main: Coroutine[Any, Any, Result]) -> Result:
        return run_virtual(self.clock, main)

    def nothing_there(self) -> None:
        """Make every look-up on the spot market negative."""
        self.aster.on(LOOK, error(-2013, "Order does not exist."))
        for name in ("openOrders", "allOrders", "userTrades"):
            self.aster.on(f"GET /api/v3/{name}", [])
        self.aster.on(NOOP, error(-4225, "Nonce Expired"))


@pytest.fixture
def harness() -> VenueHarness:
    return VenueHarness()


def request(market: Market = SPOT, **changes: Any) -> OrderRequest:
    order: dict[str, Any] = {
        "client_id": "o-1",
        "market": market,
        "symbol": SYMBOL,
        "side": Side.BUY,
        "quantity": Decimal("1.50"),
        "price": Decimal("1E+2"),
    }
    return OrderRequest(**{**order, **changes})


def place(order: OrderRequest) -> PlaceOrder:
    return PlaceOrder(hedge_id="o", order=order)


def kinds(events: tuple[Event, ...]) -> list[type]:
    return [type(event) for event in events]


def test_a_perpetual_order_asks_for_its_result_in_plain_decimals(harness: VenueHarness) -> None:
    harness.aster.on(PLACE_PERP, order_row())
    accepted, end = harness.run(harness.venue.submit(place(request(PERP, reduce_only=True))))
    (sent,) = harness.aster.sent(PLACE_PERP)
    assert list(sent)[-4:] == ["user", "signer", "nonce", "signature"]
    assert {name: sent[name] for name in ("quantity", "price", "reduceOnly", "newOrderRespType", "timeInForce")} == {
        "quantity": "1.5",
        "price": "100",
        "reduceOnly": "true",
        "newOrderRespType": "RESULT",
        "timeInForce": "IOC",
    }
    assert isinstance(accepted, OrderAccepted)
    assert isinstance(end, OrderEnded)
    assert (end.status, end.order_id, end.filled_quantity, end.filled_notional) == (
        OrderStatus.FILLED,
        17338441758,
        Decimal(1),
        Decimal(100),
    )
    assert end.at == NOW


def test_a_spot_order_carries_nothing_that_only_perpetuals_know(harness: VenueHarness) -> None:
    harness.aster.on(PLACE_SPOT, order_row())
    harness.run(harness.venue.submit(place(request(reduce_only=True))))
    (sent,) = harness.aster.sent(PLACE_SPOT)
    assert not {"reduceOnly", "newOrderRespType", "positionSide"} & sent.keys()


def test_a_spot_order_acknowledged_before_matching_is_looked_at_until_it_is_final(harness: VenueHarness) -> None:
    harness.aster.on(PLACE_SPOT, order_row(status="NEW"))
    harness.aster.on(LOOK, error(-2013), order_row(status="NEW"), order_row(status="EXPIRED", executedQty="0.4"))
    accepted, end = harness.run(harness.venue.submit(place(request())))
    assert isinstance(accepted, OrderAccepted)
    assert isinstance(end, OrderEnded)
    assert (end.status, end.filled_quantity) == (OrderStatus.EXPIRED, Decimal("0.4"))
    assert len(harness.aster.sent(LOOK)) == 3
    assert 0 < harness.clock.monotonic() < 0.5


def test_a_spot_order_that_stays_unmatched_is_only_accepted_after_a_short_while(harness: VenueHarness) -> None:
    harness.aster.on(PLACE_SPOT, order_row(status="NEW"))
    harness.aster.on(LOOK, order_row(status="NEW"))
    assert kinds(harness.run(harness.venue.submit(place(request())))) == [OrderAccepted]
    assert harness.clock.monotonic() < 3


def test_a_resting_spot_order_is_looked_at_twice_and_then_left_alone(harness: VenueHarness) -> None:
    harness.aster.on(PLACE_SPOT, order_row(status="NEW"))
    harness.aster.on(LOOK, order_row(status="NEW"))
    events = harness.run(harness.venue.submit(place(request(time_in_force=TimeInForce.GTX))))
    assert kinds(events) == [OrderAccepted]
    assert len(harness.aster.sent(LOOK)) == 2


def test_a_spot_order_whose_look_up_fails_is_accepted_all_the_same(harness: VenueHarness) -> None:
    harness.aster.on(PLACE_SPOT, order_row(status="NEW"))
    harness.aster.on(LOOK, HTML_500)
    assert kinds(harness.run(harness.venue.submit(place(request())))) == [OrderAccepted]


@pytest.mark.parametrize(
    "answer",
    [
        HANG,
        HTML_500,
        HttpResponse(status=503, body=b""),
        error(-1007, "Timeout waiting for response from backend server."),
        error(-1000, "An unknown error occurred while processing the request."),
        HttpResponse(status=200, body=b"<html>maintenance</html>"),
        OutcomeUnknown("the connection broke"),
    ],
    ids=["timeout", "html 500", "503", "-1007", "-1000", "html 200", "broken"],
)
def test_an_order_without_an_answer_is_unknown_and_not_sent_again(harness: VenueHarness, answer: Any) -> None:
    harness.aster.on(PLACE_PERP, answer)
    assert kinds(harness.run(harness.venue.submit(place(request(PERP))))) == [OrderOutcomeUnknown]
    assert len(harness.aster.requests) == 1


@pytest.mark.parametrize(
    ("answer", "code", "kind"),
    [
        (error(-2019, "Margin is insufficient."), -2019, RejectKind.MARGIN),
        (error(-4024), -4024, RejectKind.PRICE),
        (error(-4164), -4164, RejectKind.FILTER),
        (error(-2022), -2022, RejectKind.REDUCE_ONLY),
        (error(-4141), -4141, RejectKind.PERMISSION),
        (error(-1000, "Signature check failed"), None, RejectKind.PERMISSION),
        (error(-2010), -2010, RejectKind.OTHER),
        (error(-1102, status=200), -1102, RejectKind.OTHER),
    ],
)
def test_a_refused_order_ended_with_nothing_and_says_why(
    harness: VenueHarness, answer: HttpResponse, code: int | None, kind: RejectKind
) -> None:
    harness.aster.on(PLACE_PERP, answer)
    (end,) = harness.run(harness.venue.submit(place(request(PERP))))
    assert isinstance(end, OrderEnded)
    assert (end.status, end.order_id, end.code, end.reject) == (OrderStatus.REJECTED, None, code, kind)
    assert end.detail


@pytest.mark.parametrize("answer", [NotSent("no route"), error(-1015, status=429)], ids=["no route", "429"])
def test_an_order_that_never_left_ended_with_nothing_and_is_not_at_once_tried_again(
    harness: VenueHarness, answer: Any
) -> None:
    harness.aster.on(PLACE_PERP, answer)
    (end,) = harness.run(harness.venue.submit(place(request(PERP))))
    assert isinstance(end, OrderEnded)
    assert (end.status, end.reject, end.filled_quantity) == (OrderStatus.REJECTED, None, Decimal(0))
    assert harness.clock.monotonic() == 0.5


def test_a_refusal_of_the_whole_host_says_for_how_long(harness: VenueHarness) -> None:
    harness.aster.on(PLACE_PERP, error(-1003, "Too many requests", status=429, **{"retry-after": "60"}))
    (end,) = harness.run(harness.venue.submit(place(request(PERP))))
    assert isinstance(end, OrderEnded)
    assert end.retry_after_seconds == 60
    assert harness.venue.blocked_seconds(PERP) == 59.5
    assert harness.venue.blocked_seconds(SPOT) == 0
    (next_end,) = harness.run(harness.venue.submit(place(request(PERP, client_id="o-2"))))
    assert isinstance(next_end, OrderEnded)
    assert next_end.retry_after_seconds == 59.5, "not sent: the wait is known"
    assert len(harness.aster.sent(PLACE_PERP)) == 1


def test_a_venue_that_said_nothing_is_not_blocked(harness: VenueHarness) -> None:
    assert harness.venue.blocked_seconds(PERP) == 0


def test_an_order_whose_nonce_came_too_late_ended_with_nothing_and_may_be_tried_again(harness: VenueHarness) -> None:
    harness.aster.on(PLACE_PERP, error(-4225, "Nonce Expired"))
    (end,) = harness.run(harness.venue.submit(place(request(PERP))))
    assert isinstance(end, OrderEnded)
    assert (end.status, end.reject, end.filled_quantity) == (OrderStatus.REJECTED, None, Decimal(0))
    assert harness.clock.monotonic() == 0.5
    assert harness.aster.routes == [PLACE_PERP, "GET /fapi/v3/time"], "the clocks may be apart"


def test_clocks_that_cannot_be_measured_leave_the_refused_order_ended(harness: VenueHarness) -> None:
    harness.aster.on(PLACE_PERP, error(-4225, "Nonce Expired"))
    harness.aster.on("GET /fapi/v3/time", HTML_500)
    assert kinds(harness.run(harness.venue.submit(place(request(PERP))))) == [OrderEnded]


# --- nonces reserved for the log -------------------------------------------------------------------------------------


def test_an_order_is_signed_with_exactly_the_nonce_that_was_reserved_for_it(harness: VenueHarness) -> None:
    harness.aster.on(PLACE_PERP, order_row())
    reserved = harness.venue.reserve(place(request(PERP)))
    harness.run(harness.venue.account())
    harness.run(harness.venue.submit(place(request(PERP))))
    (sent,) = harness.aster.sent(PLACE_PERP)
    assert sent["nonce"] == str(reserved)


def test_a_transfer_is_signed_with_its_reserved_nonce_and_its_repeat_with_a_new_one_after_the_first_is_dead(
    harness: VenueHarness,
) -> None:
    transfer = "POST /fapi/v3/asset/wallet/transfer"
    command = TransferFunds(transfer_id="t-1", amount=Decimal(5), direction=TransferDirection.SPOT_TO_PERP)
    harness.aster.on(transfer, HTML_500, {"status": "SUCCESS"})
    harness.aster.on("POST /fapi/v3/noop", {"code": 200, "msg": "success"})
    reserved = harness.venue.reserve(command)
    assert kinds(harness.run(harness.venue.submit(command))) == [TransferOutcomeUnknown]
    assert kinds(harness.run(harness.venue.submit(command))) == [FundsTransferred]
    first, second = harness.aster.sent(transfer)
    assert first["nonce"] == str(reserved) != second["nonce"]
    assert harness.aster.routes == [transfer, "POST /fapi/v3/noop", transfer]
    assert harness.aster.sent("POST /fapi/v3/noop")[0]["nonce"] == str(reserved)


def test_settings_and_old_keys_reserve_nothing(harness: VenueHarness) -> None:
    assert harness.venue.reserve(SetLeverage(symbol=SYMBOL, leverage=1)) is None
    keys = Credentials(api_key="k" * 64, secret="s" * 64)
    legacy = AsterVenue(make_client(harness.aster, harness.clock, credentials=keys), harness.clock)
    assert legacy.reserve(place(request())) is None


def test_a_nonce_that_cannot_be_kept_is_none_and_the_order_says_so_itself(
    harness: VenueHarness, tmp_path: Path
) -> None:
    kept = tmp_path / "nonces"
    kept.mkdir()
    venue = AsterVenue(make_client(harness.aster, harness.clock, nonce_file=kept / "nonce"), harness.clock)
    (kept / "nonce").unlink()
    kept.rmdir()
    assert venue.reserve(place(request())) is None
    (end,) = harness.run(venue.submit(place(request())))
    assert isinstance(end, OrderEnded)
    assert "nonces cannot be kept" in end.detail
    assert harness.aster.requests == []


def test_a_cancel_reports_the_final_fills_and_a_second_one_is_refused(harness: VenueHarness) -> None:
    harness.aster.on("DELETE /api/v3/order", order_row(status="CANCELED", executedQty="0.2"), error(-2011), HANG)
    command = CancelOrder(market=SPOT, symbol=SYMBOL, client_id="o-1")
    (end,) = harness.run(harness.venue.submit(command))
    assert isinstance(end, OrderEnded)
    assert (end.status, end.filled_quantity) == (OrderStatus.CANCELED, Decimal("0.2"))
    (refused,) = harness.run(harness.venue.submit(command))
    assert isinstance(refused, CommandRefused)
    assert refused.code == -2011
    assert kinds(harness.run(harness.venue.submit(command))) == [OrderOutcomeUnknown]


CANNOT_BE: list[dict[str, Any]] = [
    {"clientOrderId": "another"},
    {"symbol": "BBBUSDT"},
    {"side": "SELL"},
    {"executedQty": "0.75"},
    {"executedQty": "0"},
    {"executedQty": "3"},
    {"executedQty": "1E+30", "status": "CANCELED"},
    {"executedQty": "1.6", "origQty": None, "status": "EXPIRED"},
    {"executedQty": "15", "origQty": "15"},
]
"""What of a reply cannot be so of an order that bought 1.5."""


@pytest.mark.parametrize("changes", CANNOT_BE)
def test_a_reply_that_cannot_be_of_the_order_leaves_its_outcome_unknown(
    harness: VenueHarness, changes: dict[str, Any]
) -> None:
    harness.aster.on(PLACE_PERP, order_row(quantity="1.50", **changes))
    (unknown,) = harness.run(harness.venue.submit(place(request(PERP))))
    assert isinstance(unknown, OrderOutcomeUnknown)


@pytest.mark.parametrize("changes", CANNOT_BE)
def test_a_look_up_that_cannot_be_of_the_order_leaves_its_outcome_unknown(
    harness: VenueHarness, changes: dict[str, Any]
) -> None:
    harness.nothing_there()
    harness.aster.on(PLACE_SPOT, order_row(status="NEW", quantity="1.50"))
    harness.aster.on(LOOK, order_row(quantity="1.50", **changes))
    accepted, *after = harness.run(harness.venue.submit(place(request())))
    assert isinstance(accepted, OrderAccepted)
    assert not any(isinstance(event, OrderEnded) for event in after)
    assert kinds(harness.run(harness.venue.resolve(request()))) == [OrderOutcomeUnknown]
    harness.aster.on(LOOK, order_row(quantity="1.50"))
    assert kinds(harness.run(harness.venue.resolve(request()))) == [OrderEnded]


@pytest.mark.parametrize("changes", [{"symbol": "BBBUSDT"}, {"executedQty": "2"}])
def test_a_cancel_that_reports_more_than_can_be_leaves_the_outcome_unknown(
    harness: VenueHarness, changes: dict[str, Any]
) -> None:
    harness.aster.on("DELETE /api/v3/order", order_row(**{"status": "CANCELED", **changes}))
    events = harness.run(harness.venue.submit(CancelOrder(market=SPOT, symbol=SYMBOL, client_id="o-1")))
    assert kinds(events) == [OrderOutcomeUnknown]


def test_an_order_that_its_owner_amended_is_known_all_the_same(harness: VenueHarness) -> None:
    lose(harness)
    harness.aster.on(LOOK, order_row(quantity="2"))
    assert kinds(harness.run(harness.venue.resolve(request(time_in_force=TimeInForce.GTX)))) == [OrderEnded]


# --- resolving -------------------------------------------------------------------------------------------------------


def lose(harness: VenueHarness) -> None:
    """Send the order so that its answer is lost; its nonce cannot be burnt."""
    harness.aster.on(PLACE_SPOT, HTML_500)
    harness.aster.on(NOOP, error(-4225, "Nonce Expired"))
    harness.run(harness.venue.submit(place(request())))


def test_a_lost_order_that_the_venue_knows_resolves_to_what_it_did(harness: VenueHarness) -> None:
    lose(harness)
    harness.aster.on(LOOK, order_row())
    (end,) = harness.run(harness.venue.resolve(request()))
    assert isinstance(end, OrderEnded)
    assert end.filled_quantity == 1
    harness.aster.on(LOOK, order_row(status="PARTIALLY_FILLED", executedQty="0.5"))
    assert kinds(harness.run(harness.venue.resolve(request()))) == [OrderProgressed]


def test_the_end_of_an_order_has_the_time_of_its_last_change_and_not_of_its_creation(harness: VenueHarness) -> None:
    lose(harness)
    times = {"time": millis(NOW - timedelta(minutes=5)), "updateTime": millis(NOW - timedelta(seconds=1))}
    harness.aster.on(LOOK, {**order_row(), **times})
    (end,) = harness.run(harness.venue.resolve(request()))
    assert isinstance(end, OrderEnded)
    assert end.at == NOW - timedelta(seconds=1)


def test_a_lost_order_is_not_absent_while_its_nonce_is_valid(harness: VenueHarness) -> None:
    lose(harness)
    harness.nothing_there()
    assert kinds(harness.run(harness.venue.resolve(request()))) == [OrderOutcomeUnknown]
    harness.clock.advance_time(60)
    assert kinds(harness.run(harness.venue.resolve(request()))) == [OrderOutcomeUnknown]
    harness.clock.advance_time(6)
    (end,) = harness.run(harness.venue.resolve(request()))
    assert isinstance(end, OrderEnded)
    assert (end.order_id, end.code, end.filled_quantity) == (None, -2013, Decimal(0))


def test_a_noop_that_answers_success_does_not_make_a_lost_order_absent(harness: VenueHarness) -> None:
    lose(harness)
    harness.nothing_there()
    harness.aster.on(NOOP, {"code": 200, "msg": "success"})
    (unknown,) = harness.run(harness.venue.resolve(request()))
    assert isinstance(unknown, OrderOutcomeUnknown)
    assert unknown.may_land_until == NOW + timedelta(seconds=65)
    assert [sent["nonce"] for sent in harness.aster.sent(NOOP)] == [harness.aster.sent(PLACE_SPOT)[0]["nonce"]]
    harness.aster.on(LOOK, order_row())
    assert kinds(harness.run(harness.venue.resolve(request()))) == [OrderEnded], "it landed all the same"


def test_a_lost_order_is_absent_once_its_nonce_is_dead_and_a_look_up_after_that_lacks_it(harness: VenueHarness) -> None:
    lose(harness)
    harness.nothing_there()
    harness.aster.on(NOOP, {"code": 200, "msg": "success"})
    harness.clock.advance_time(65)
    assert kinds(harness.run(harness.venue.resolve(request()))) == [OrderOutcomeUnknown]
    harness.clock.advance_time(1)
    harness.aster.forget()
    assert kinds(harness.run(harness.venue.resolve(request()))) == [OrderEnded]
    assert harness.aster.routes.count(LOOK) == 1
    assert NOOP not in harness.aster.routes


def test_the_window_of_a_nonce_is_judged_by_the_venues_time(harness: VenueHarness) -> None:
    harness.nothing_there()
    ahead = int((NOW + timedelta(seconds=40)).timestamp() * 1_000_000)
    harness.venue.remember([CommandIssued(at=NOW, command=place(request()), nonce=ahead)])
    harness.clock.advance_time(70)
    assert kinds(harness.run(harness.venue.resolve(request()))) == [OrderOutcomeUnknown]
    harness.clock.advance_time(36)
    assert kinds(harness.run(harness.venue.resolve(request()))) == [OrderEnded]


def test_an_order_that_landed_before_its_nonce_was_burnt_is_found(harness: VenueHarness) -> None:
    lose(harness)
    harness.nothing_there()
    harness.aster.on(LOOK, error(-2013), order_row())
    harness.aster.on(NOOP, {"code": 200, "msg": "success"})
    (end,) = harness.run(harness.venue.resolve(request()))
    assert isinstance(end, OrderEnded)
    assert end.filled_quantity == 1


def test_a_lost_order_found_among_all_orders_is_resolved_by_them(harness: VenueHarness) -> None:
    lose(harness)
    harness.nothing_there()
    harness.aster.on("GET /api/v3/allOrders", [order_row("other"), order_row()])
    assert kinds(harness.run(harness.venue.resolve(request()))) == [OrderEnded]


@pytest.mark.parametrize("name", ["order", "openOrders", "allOrders", "userTrades"])
def test_one_look_up_that_cannot_be_read_leaves_the_order_unknown_for_ever(harness: VenueHarness, name: str) -> None:
    lose(harness)
    harness.nothing_there()
    harness.clock.advance_time(3600)
    harness.aster.on(f"GET /api/v3/{name}", HTML_500)
    assert kinds(harness.run(harness.venue.resolve(request()))) == [OrderOutcomeUnknown]


TRADE = {
    "symbol": SYMBOL,
    "id": 1,
    "orderId": 9,
    "side": "BUY",
    "price": "1",
    "qty": "1",
    "commission": "0.0004",
    "commissionAsset": "AAA",
    "maker": False,
    "time": millis(NOW),
}


def test_trades_of_an_order_that_is_not_shown_yet_forbid_to_call_it_absent(harness: VenueHarness) -> None:
    lose(harness)
    harness.nothing_there()
    harness.aster.on("GET /api/v3/userTrades", [TRADE])
    harness.clock.advance_time(3600)
    assert kinds(harness.run(harness.venue.resolve(request()))) == [OrderOutcomeUnknown]


def test_a_trade_with_another_order_of_the_account_does_not_hide_that_of_an_order_not_shown_yet(
    harness: VenueHarness,
) -> None:
    lose(harness)
    harness.nothing_there()
    other = {**TRADE, "orderId": 8, "side": "SELL"}
    harness.aster.on("GET /api/v3/userTrades", [TRADE, other])
    harness.aster.on("GET /api/v3/allOrders", [order_row("other", orderId=8, side="SELL")])
    harness.clock.advance_time(3600)
    assert kinds(harness.run(harness.venue.resolve(request()))) == [OrderOutcomeUnknown]


def test_an_order_of_the_log_is_judged_by_the_time_it_was_sent(harness: VenueHarness) -> None:
    harness.nothing_there()
    harness.venue.remember([CommandIssued(at=NOW - timedelta(seconds=30), command=place(request()))])
    assert kinds(harness.run(harness.venue.resolve(request()))) == [OrderOutcomeUnknown]
    harness.clock.advance_time(36)
    assert kinds(harness.run(harness.venue.resolve(request()))) == [OrderEnded]


def test_an_order_that_no_log_knows_was_never_sent(harness: VenueHarness) -> None:
    harness.nothing_there()
    assert kinds(harness.run(harness.venue.resolve(request()))) == [OrderOutcomeUnknown]
    harness.venue.remember([])
    assert kinds(harness.run(harness.venue.resolve(request()))) == [OrderEnded]


def test_a_nonce_of_the_log_is_tried_to_be_used_up_until_the_venue_says_so(harness: VenueHarness) -> None:
    harness.nothing_there()
    harness.venue.remember([CommandIssued(at=NOW, command=place(request()), nonce=1_767_614_400_000_000)])
    harness.aster.on(NOOP, HTML_500, {"code": 200, "msg": "success"})
    known = [harness.run(harness.venue.resolve(request()))[0] for _ in range(3)]
    until = [event.may_land_until for event in known if isinstance(event, OrderOutcomeUnknown)]
    assert [at is not None for at in until] == [False, True, True]
    assert [sent["nonce"] for sent in harness.aster.sent(NOOP)] == ["1767614400000000"] * 2


def test_an_order_that_is_not_shown_for_seconds_may_only_land_late(harness: VenueHarness) -> None:
    lose(harness)
    harness.nothing_there()
    (first,) = harness.run(harness.venue.resolve(request()))
    harness.clock.advance_time(6)
    (later,) = harness.run(harness.venue.resolve(request()))
    assert isinstance(first, OrderOutcomeUnknown)
    assert isinstance(later, OrderOutcomeUnknown)
    assert (first.may_land_until, later.may_land_until) == (None, NOW + timedelta(seconds=65))


def test_a_refused_repeat_of_a_transfer_says_nothing_of_the_first_one_until_its_nonce_is_dead(
    harness: VenueHarness,
) -> None:
    route = "POST /fapi/v3/asset/wallet/transfer"
    command = TransferFunds(transfer_id="t-1", amount=Decimal(5), direction=TransferDirection.SPOT_TO_PERP)
    harness.aster.on("POST /fapi/v3/noop", {"code": 200, "msg": "success"})
    harness.aster.on(route, HTML_500, error(-2018, "Balance is insufficient"), error(-2018, "Balance is insufficient"))
    for expected in (TransferOutcomeUnknown, TransferOutcomeUnknown):
        assert kinds(harness.run(harness.venue.submit(command))) == [expected]
    harness.clock.advance_time(66)
    assert kinds(harness.run(harness.venue.submit(command))) == [CommandRefused]
