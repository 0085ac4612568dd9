"""What the live venue tells by itself, and whether it says so when it cannot."""

from collections.abc import Callable, Coroutine
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedgerow.domain.instrument import Market
from hedgerow.domain.notifications import Notification, NotificationKind
from support.scripted_aster import NOW, SYMBOL, millis
from support.stream_harness import FUTURES, FUTURES_USER, SPOT_USER, StreamHarness

Script = Callable[[StreamHarness], Coroutine[Any, Any, None]]
HOURS_8, HOURS_4 = timedelta(hours=8), timedelta(hours=4)


@pytest.fixture
def harness() -> StreamHarness:
    return StreamHarness()


def listening(harness: StreamHarness, *symbols: str) -> list[Notification]:
    received: list[Notification] = []
    harness.venue.subscribe(received.append)
    harness.venue.follow(*(symbols or (SYMBOL,)))
    return received


def kinds(received: list[Notification]) -> list[NotificationKind]:
    return [notifications.kind for notifications in received]


def mark(harness: StreamHarness, price: str = "101", *, settles_in: timedelta = HOURS_8, symbol: str = SYMBOL) -> None:
    row = {"e": "markPriceUpdate", "s": symbol, "p": price, "i": "100", "r": "0.0001", "T": millis(NOW + settles_in)}
    harness.wire.newest(FUTURES).push({"stream": "!markPrice@arr@1s", "data": [row]})


@pytest.mark.parametrize(
    ("key", "event", "kind"),
    [
        (FUTURES_USER, {"e": "ACCOUNT_UPDATE", "a": {"m": "ORDER", "B": [], "P": []}}, NotificationKind.BALANCE),
        (FUTURES_USER, {"e": "ACCOUNT_UPDATE", "a": {"m": "FUNDING_FEE", "B": []}}, NotificationKind.FUNDING),
        (FUTURES_USER, {"e": "MARGIN_CALL", "cw": "1", "p": []}, NotificationKind.MARGIN_CALL),
        (FUTURES_USER, {"e": "ACCOUNT_CONFIG_UPDATE", "ac": {"s": SYMBOL, "l": 3}}, NotificationKind.LEVERAGE),
        (FUTURES_USER, {"e": "ACCOUNT_CONFIG_UPDATE", "ai": {"j": True}}, NotificationKind.MODES),
        (SPOT_USER, {"e": "outboundAccountPosition", "E": 1, "T": 1, "B": []}, NotificationKind.BALANCE),
        (SPOT_USER, {"e": "executionReport", "s": SYMBOL, "c": "web", "X": "FILLED", "i": 2}, NotificationKind.ORDER),
    ],
)
def test_what_happens_to_the_account_is_reported(
    harness: StreamHarness, key: str, event: Any, kind: NotificationKind
) -> None:
    async def script(harness: StreamHarness) -> None:
        received = listening(harness)
        harness.wire.newest(key).push(event)
        await harness.clock.sleep(0.01)
        assert kinds(received) == [kind]

    harness.play(script)


def test_a_change_of_leverage_names_its_symbol(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        received = listening(harness)
        harness.wire.newest(FUTURES_USER).push({"e": "ACCOUNT_CONFIG_UPDATE", "ac": {"s": SYMBOL, "l": 3}})
        await harness.clock.sleep(0.01)
        assert (received[0].symbol, received[0].detail) == (SYMBOL, "its leverage is 3x now")

    harness.play(script)


def test_marks_are_reported_of_the_followed_symbol_alone(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        received = listening(harness)
        mark(harness, "150")
        mark(harness, "20", symbol="BBBUSDT")
        await harness.clock.sleep(0.01)
        assert [(notifications.kind, notifications.symbol, notifications.mark) for notifications in received] == [
            (NotificationKind.MARK, SYMBOL, Decimal(150))
        ]
        harness.venue.follow()
        mark(harness, "151")
        await harness.clock.sleep(0.01)
        assert len(received) == 1

    harness.play(script)


def test_a_symbol_that_loses_its_mark_or_finds_it_again_is_reported(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        received = listening(harness)
        for price in ("100", "0", "0", "100"):
            mark(harness, price)
        await harness.clock.sleep(0.01)
        assert kinds(received) == [
            NotificationKind.MARK,
            NotificationKind.STATUS,
            NotificationKind.STATUS,
            NotificationKind.MARK,
        ]

    harness.play(script)


@pytest.mark.parametrize(
    ("times", "reported"),
    [
        ((HOURS_8, HOURS_8), False),
        ((HOURS_8, 2 * HOURS_8), False),
        ((HOURS_8, HOURS_8 + HOURS_4), True),
        ((HOURS_8, HOURS_4), True),
    ],
)
def test_a_settlement_that_moves_by_anything_but_the_interval_is_reported(
    harness: StreamHarness,
    times: tuple[timedelta, ...],
    reported: bool,  # noqa: FBT001 - parametrized
) -> None:
    async def script(harness: StreamHarness) -> None:
        await harness.venue.market(3)
        received = listening(harness)
        for settles_in in times:
            mark(harness, settles_in=settles_in)
        await harness.clock.sleep(0.01)
        assert (NotificationKind.INTERVAL in kinds(received)) == reported

    harness.play(script)


def test_changed_intervals_and_listings_are_read_anew_by_the_next_reading(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await harness.venue.market(3)
        listening(harness)
        harness.aster.forget()
        mark(harness, settles_in=HOURS_8)
        mark(harness, settles_in=HOURS_4)
        await harness.clock.sleep(0.01)
        await harness.venue.market(3)
        assert set(harness.aster.routes) >= {"GET /fapi/v3/fundingInfo", "GET /fapi/v3/exchangeInfo"}

    harness.play(script)


def test_it_is_reporting_only_while_all_its_streams_are_open_and_received(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        assert not harness.venue.streaming, "no mark price was received yet"
        mark(harness)
        await harness.clock.sleep(0.1)
        assert harness.venue.streaming
        await harness.clock.sleep(3.1)
        assert not harness.venue.streaming, "marks fell silent"
        mark(harness)
        await harness.clock.sleep(0.1)
        harness.wire.refuse = 10**6
        harness.wire.newest(SPOT_USER).cut()
        await harness.clock.sleep(0.1)
        assert not harness.venue.streaming, "a user stream is down"

    harness.play(script)


def test_without_streams_it_says_that_it_reports_nothing(harness: StreamHarness) -> None:
    assert not harness.venue.streaming


def test_a_lost_market_stream_is_reported(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        received = listening(harness)
        harness.wire.newest(FUTURES).cut()
        await harness.clock.sleep(0.1)
        assert [(notifications.kind, notifications.market) for notifications in received] == [
            (NotificationKind.LOST, Market.PERP)
        ]

    harness.play(script)


def test_who_left_receives_no_more(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        received: list[Notification] = []
        end = harness.venue.subscribe(received.append)
        end()
        end()
        harness.venue.follow(SYMBOL)
        mark(harness)
        await harness.clock.sleep(0.01)
        assert received == []

    harness.play(script)
