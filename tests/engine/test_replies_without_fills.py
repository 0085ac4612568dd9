"""A reply that says an order ended with nothing or a part filled, though it was filled: its trades are looked at."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from hedgerow.clock import run_virtual
from hedgerow.domain.events import Event, HedgeClosed, OrderEnded
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.instrument import Market
from hedgerow.domain.operator_requests import HaltRequested
from hedgerow.domain.order import OrderStatus, RejectKind, TimeInForce
from hedgerow.domain.position import OrderRecord
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault
from hedgerow.engine.execution.order_resolution import by_trades
from hedgerow.strategy.parameters import PositionManagement
from support.bot_harness import OPENED, BotHarness
from support.misreported_orders import AGED, kinds, nothing_of, unread_trades


def halve(bot: BotHarness, legs: str) -> None:
    """Let the reports of a leg's orders say for a minute that they expired, half filled."""
    until = bot.clock.now() + timedelta(minutes=1)

    def halved(event: Event) -> Event:
        named = isinstance(event, OrderEnded) and event.client_id.split("-")[1] in legs
        if not isinstance(event, OrderEnded) or not named or bot.clock.now() >= until:
            return event
        half = (event.filled_quantity / 2).quantize(Decimal("0.01"))
        worth = event.filled_notional / 2
        return replace(event, status=OrderStatus.EXPIRED, filled_quantity=half, filled_notional=worth)

    bot.venue.reported = halved


@pytest.mark.parametrize("leg", ["s", "p"])
def test_an_opening_is_not_hedged_twice_when_a_reply_denies_a_fill(leg: str) -> None:
    bot = BotHarness()
    bot.venue.expire_one(leg, nothing_of)
    bot.run(0.3)
    bot.check_whole()
    assert kinds(bot) == [ExecutionKind.OPEN], "nothing has to be trimmed"


@pytest.mark.parametrize("leg", ["s", "p"])
def test_a_closing_does_not_trade_twice_when_a_reply_denies_a_fill(leg: str) -> None:
    bot = BotHarness()
    bot.run(0.3)
    bot.ask(HaltRequested())
    bot.venue.expire_one(leg, nothing_of)
    bot.parameters = AGED
    bot.run(0.3)
    assert bot.logged(HedgeClosed)
    bot.check_flat()
    assert kinds(bot) == [ExecutionKind.OPEN, ExecutionKind.CLOSE]


@pytest.mark.parametrize("legs", ["s", "p", "sp"])
def test_hedges_open_and_close_whole_when_replies_call_orders_half_filled(legs: str) -> None:
    bot = BotHarness()
    halve(bot, legs)
    bot.run(0.3)
    bot.check_whole()
    bot.ask(HaltRequested())
    halve(bot, legs)
    bot.parameters = AGED
    bot.run(0.3)
    bot.check_flat()
    assert kinds(bot) == [ExecutionKind.OPEN, ExecutionKind.CLOSE], "nothing has to be repaired"


def denied_end(bot: BotHarness) -> tuple[OrderRecord, OrderEnded]:
    """Return the order of the short, and a look-up that does not find it."""
    record = next(record for record in bot.hedge.orders if record.request.market is Market.PERP)
    client_id = record.request.client_id
    ended = OrderEnded(at=bot.clock.now(), client_id=client_id, order_id=None, status=OrderStatus.EXPIRED, code=-2013)
    return record, ended


def of(record: OrderRecord, **changed: Any) -> OrderRecord:
    return replace(record, request=replace(record.request, **changed))


def by_its_trades(bot: BotHarness, record: OrderRecord, ended: OrderEnded) -> OrderEnded:
    (event,) = run_virtual(bot.clock, by_trades(bot.venue, bot.ledger, record, (ended,), None))
    assert isinstance(event, OrderEnded)
    return event


def test_an_order_that_the_exchange_does_not_know_was_filled_where_its_trades_say_so() -> None:
    bot = BotHarness()
    bot.run(0.3)
    record, ended = denied_end(bot)
    found = by_its_trades(bot, record, ended)
    assert (found.status, found.filled_quantity) == (OrderStatus.FILLED, record.request.quantity)
    assert found.filled_notional == record.filled_notional
    assert found.order_id == record.order_id
    larger = of(record, quantity=record.request.quantity + 1)
    assert by_its_trades(bot, larger, ended).status is OrderStatus.EXPIRED


def test_trades_change_nothing_where_there_are_none_or_too_many_or_an_order_rested_or_was_refused() -> None:
    bot = BotHarness()
    bot.run(0.3)
    record, ended = denied_end(bot)
    quantity = record.request.quantity
    for known, event in (
        (replace(of(record, client_id="h0-p-1"), order_id=10**9), ended),
        (of(record, quantity=quantity / 2), ended),
        (of(record, time_in_force=TimeInForce.GTX), ended),
        (record, replace(ended, reject=RejectKind.OTHER)),
        (record, replace(ended, order_id=record.order_id)),
        (record, replace(ended, filled_quantity=quantity, filled_notional=record.filled_notional)),
    ):
        assert by_its_trades(bot, known, event) == event


def test_the_end_of_an_order_whose_trades_cannot_be_read_is_unconfirmed() -> None:
    bot = BotHarness(faults=FaultPlan(reads=(ReadFault(read=Read.FILLS, after=OPENED + timedelta(minutes=18)),)))
    bot.run(0.3)
    record, ended = denied_end(bot)
    assert by_its_trades(bot, record, ended) == replace(ended, unconfirmed=True)
    half = replace(ended, filled_quantity=record.request.quantity / 2, filled_notional=record.filled_notional / 2)
    assert by_its_trades(bot, record, half) == replace(half, unconfirmed=True)


def without_trades() -> tuple[BotHarness, datetime]:
    """Return a halted bot with a hedge, and the time from which on its trades cannot be read for ninety seconds."""
    begin = OPENED + timedelta(minutes=18)
    bot = BotHarness(faults=FaultPlan(reads=(unread_trades(begin, 90),)))
    bot.run(0.3)
    bot.ask(HaltRequested())
    return bot, begin


def test_sales_that_every_reply_halved_are_found_once_trades_can_be_read() -> None:
    bot, lied = without_trades()
    halve(bot, "s")
    bot.parameters = AGED
    bot.run(0.3)
    (closed,) = bot.logged(HedgeClosed)
    assert closed.at - lied < timedelta(minutes=2)
    bot.check_flat()


def test_sales_that_every_reply_denied_are_found_once_trades_can_be_read() -> None:
    bot, lied = without_trades()

    def denied(event: Event) -> Event:
        if isinstance(event, OrderEnded) and "-s-" in event.client_id and bot.clock.now() < lied + timedelta(minutes=1):
            return replace(event, status=OrderStatus.EXPIRED, filled_quantity=Decimal(0), filled_notional=Decimal(0))
        return event

    bot.venue.reported = denied
    bot.parameters = replace(
        AGED, position_management=PositionManagement(max_position_age_hours=0.1, loop_interval_seconds=60)
    )
    bot.run(0.1)
    (closed,) = bot.logged(HedgeClosed)
    assert closed.at - lied < timedelta(minutes=3)
    bot.check_flat()
