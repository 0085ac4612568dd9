"""How the live venue watches an order that rests, and sets the dead man's switch."""

from collections.abc import Coroutine
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from hedgerow.aster import AsterVenue
from hedgerow.aster.schema.account_rows import OrderRow
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.commands import ArmDeadMan
from hedgerow.domain.events import CommandRefused, DeadManArmed, Event, OrderEnded, OrderOutcomeUnknown, OrderProgressed
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.money import ZERO
from hedgerow.domain.notifications import Notification, NotificationKind
from hedgerow.domain.order import OrderRequest, TimeInForce
from support.scripted_aster import HTML_500, NOW, SYMBOL, ScriptedAster, error, make_venue, order_row

Result = TypeVar("Result")
LOOK, COUNTDOWN = "GET /api/v3/order", "POST /fapi/v3/countdownCancelAll"
REQUEST = OrderRequest(
    client_id="o-1",
    market=Market.SPOT,
    symbol=SYMBOL,
    side=Side.BUY,
    quantity=Decimal(1),
    price=Decimal(100),
    time_in_force=TimeInForce.GTX,
)


class VenueHarness:
    def __init__(self) -> None:
        self.aster = ScriptedAster()
        self.clock = VirtualClock(NOW)
        self.venue: AsterVenue = make_venue(self.aster, self.clock)

    def run(self, main: Coroutine[Any, Any, Result]) -> Result:
        return run_virtual(self.clock, main)

    def watch(self, filled: str = "0", seconds: float = 2.0) -> tuple[Event, ...]:
        return self.run(self.venue.watch(REQUEST, Decimal(filled), seconds))


@pytest.fixture
def harness() -> VenueHarness:
    return VenueHarness()


def part(quantity: str) -> dict[str, Any]:
    return order_row(status="PARTIALLY_FILLED", executedQty=quantity, cumQuote=str(Decimal(quantity) * 100))


def test_without_a_stream_the_order_is_asked_for_until_it_moves(harness: VenueHarness) -> None:
    harness.aster.on(LOOK, order_row(status="NEW"), order_row(status="NEW"), part("0.4"))
    (event,) = harness.watch()
    assert isinstance(event, OrderProgressed)
    assert event.filled_quantity == Decimal("0.4")
    assert harness.clock.now() < NOW + timedelta(seconds=1)


def test_what_was_known_before_is_no_news(harness: VenueHarness) -> None:
    harness.aster.on(LOOK, part("0.4"))
    assert harness.watch("0.4") == ()
    assert harness.clock.now() >= NOW + timedelta(seconds=2)


def test_an_end_is_news_even_with_nothing_more_filled(harness: VenueHarness) -> None:
    harness.aster.on(LOOK, order_row(status="CANCELED"))
    (event,) = harness.watch()
    assert isinstance(event, OrderEnded)


@pytest.mark.parametrize("answer", [HTML_500, error(-2013, "Order does not exist.")])
def test_what_cannot_be_read_is_unknown_and_not_silence(harness: VenueHarness, answer: Any) -> None:
    harness.aster.on(LOOK, answer)
    (event,) = harness.watch()
    assert isinstance(event, OrderOutcomeUnknown)


def test_an_open_stream_reports_at_once_and_a_lost_report_is_made_up_for(harness: VenueHarness) -> None:
    cache = harness.venue.account_cache
    cache.on_notification(Notification(at=NOW, market=Market.SPOT, kind=NotificationKind.CONNECTED))
    cache.reported(
        OrderRow(
            order_id=1, symbol=SYMBOL, status="PARTIALLY_FILLED", client_order_id="o-1", executed_qty=Decimal("0.3")
        )
    )
    (event,) = harness.watch()
    assert isinstance(event, OrderProgressed)
    assert (harness.clock.now(), harness.aster.sent(LOOK)) == (NOW, [])
    harness.aster.on(LOOK, part("0.7"))
    (late,) = harness.watch("0.3")
    assert isinstance(late, OrderProgressed)
    assert late.filled_quantity == Decimal("0.7")
    assert len(harness.aster.sent(LOOK)) == 1


def test_the_switch_is_reported_in_milliseconds_and_a_refusal_is_an_event(harness: VenueHarness) -> None:
    harness.aster.on(COUNTDOWN, {"symbol": SYMBOL, "countdownTime": "120000"}, error(-1121, "Invalid symbol."))
    command = ArmDeadMan(symbol=SYMBOL, seconds=120)
    (armed,) = harness.run(harness.venue.submit(command))
    assert armed == DeadManArmed(at=harness.clock.now(), symbol=SYMBOL, seconds=120)
    sent = harness.aster.sent(COUNTDOWN)[0]
    assert (sent["symbol"], sent["countdownTime"]) == (SYMBOL, "120000")
    (refused,) = harness.run(harness.venue.submit(command))
    assert isinstance(refused, CommandRefused)
    assert refused.code == -1121


def test_a_watch_of_no_time_receives_nothing(harness: VenueHarness) -> None:
    assert harness.run(harness.venue.watch(REQUEST, ZERO, 0.0)) == ()
