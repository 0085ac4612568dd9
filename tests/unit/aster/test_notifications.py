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

Story = Callable[[StreamHarness], Coroutine[Any, Any, None]]
HOURS_8, HOURS_4 = timedelta(hours=8), timedelta(hours=4)


@pytest.fixture
def scene() -> StreamHarness:
    return StreamHarness()


def listening(scene: StreamHarness, symbol: str | None = SYMBOL) -> list[Notification]:
    heard: list[Notification] = []
    scene.venue.subscribe(heard.append)
    scene.venue.follow(symbol)
    return heard


def kinds(heard: list[Notification]) -> list[NotificationKind]:
    return [notifications.kind for notifications in heard]


def mark(scene: StreamHarness, price: str = "101", *, settles_in: timedelta = HOURS_8, symbol: str = SYMBOL) -> None:
    row = {"e": "markPriceUpdate", "s": symbol, "p": price, "i": "100", "r": "0.0001", "T": millis(NOW + settles_in)}
    scene.wire.newest(FUTURES).tell({"stream": "!markPrice@arr@1s", "data": [row]})


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
def test_what_happens_to_the_account_is_told(
    scene: StreamHarness, key: str, event: Any, kind: NotificationKind
) -> None:
    async def story(scene: StreamHarness) -> None:
        heard = listening(scene)
        scene.wire.newest(key).tell(event)
        await scene.clock.sleep(0.01)
        assert kinds(heard) == [kind]

    scene.play(story)


def test_a_change_of_leverage_names_its_symbol(scene: StreamHarness) -> None:
    async def story(scene: StreamHarness) -> None:
        heard = listening(scene)
        scene.wire.newest(FUTURES_USER).tell({"e": "ACCOUNT_CONFIG_UPDATE", "ac": {"s": SYMBOL, "l": 3}})
        await scene.clock.sleep(0.01)
        assert (heard[0].symbol, heard[0].detail) == (SYMBOL, "its leverage is 3x now")

    scene.play(story)


def test_marks_are_told_of_the_followed_symbol_alone(scene: StreamHarness) -> None:
    async def story(scene: StreamHarness) -> None:
        heard = listening(scene)
        mark(scene, "150")
        mark(scene, "20", symbol="BBBUSDT")
        await scene.clock.sleep(0.01)
        assert [(notifications.kind, notifications.symbol, notifications.mark) for notifications in heard] == [
            (NotificationKind.MARK, SYMBOL, Decimal(150))
        ]
        scene.venue.follow(None)
        mark(scene, "151")
        await scene.clock.sleep(0.01)
        assert len(heard) == 1

    scene.play(story)


def test_a_symbol_that_loses_its_mark_or_finds_it_again_is_told(scene: StreamHarness) -> None:
    async def story(scene: StreamHarness) -> None:
        heard = listening(scene)
        for price in ("100", "0", "0", "100"):
            mark(scene, price)
        await scene.clock.sleep(0.01)
        assert kinds(heard) == [
            NotificationKind.MARK,
            NotificationKind.STATUS,
            NotificationKind.STATUS,
            NotificationKind.MARK,
        ]

    scene.play(story)


@pytest.mark.parametrize(
    ("times", "told"),
    [
        ((HOURS_8, HOURS_8), False),
        ((HOURS_8, 2 * HOURS_8), False),
        ((HOURS_8, HOURS_8 + HOURS_4), True),
        ((HOURS_8, HOURS_4), True),
    ],
)
def test_a_settlement_that_moves_by_anything_but_the_interval_is_told(
    scene: StreamHarness,
    times: tuple[timedelta, ...],
    told: bool,  # noqa: FBT001 - parametrized
) -> None:
    async def story(scene: StreamHarness) -> None:
        await scene.venue.market(3)
        heard = listening(scene)
        for settles_in in times:
            mark(scene, settles_in=settles_in)
        await scene.clock.sleep(0.01)
        assert (NotificationKind.INTERVAL in kinds(heard)) == told

    scene.play(story)


def test_changed_intervals_and_listings_are_read_anew_by_the_next_reading(scene: StreamHarness) -> None:
    async def story(scene: StreamHarness) -> None:
        await scene.venue.market(3)
        listening(scene)
        scene.aster.forget()
        mark(scene, settles_in=HOURS_8)
        mark(scene, settles_in=HOURS_4)
        await scene.clock.sleep(0.01)
        await scene.venue.market(3)
        assert set(scene.aster.routes) >= {"GET /fapi/v3/fundingInfo", "GET /fapi/v3/exchangeInfo"}

    scene.play(story)


def test_it_is_telling_only_while_all_its_streams_are_open_and_heard(scene: StreamHarness) -> None:
    async def story(scene: StreamHarness) -> None:
        assert not scene.venue.telling, "no mark price was heard yet"
        mark(scene)
        await scene.clock.sleep(0.1)
        assert scene.venue.telling
        await scene.clock.sleep(3.1)
        assert not scene.venue.telling, "marks fell silent"
        mark(scene)
        await scene.clock.sleep(0.1)
        scene.wire.refuse = 10**6
        scene.wire.newest(SPOT_USER).cut()
        await scene.clock.sleep(0.1)
        assert not scene.venue.telling, "a user stream is down"

    scene.play(story)


def test_without_streams_it_says_that_it_tells_nothing(scene: StreamHarness) -> None:
    assert not scene.venue.telling


def test_a_lost_market_stream_is_told(scene: StreamHarness) -> None:
    async def story(scene: StreamHarness) -> None:
        heard = listening(scene)
        scene.wire.newest(FUTURES).cut()
        await scene.clock.sleep(0.1)
        assert [(notifications.kind, notifications.market) for notifications in heard] == [
            (NotificationKind.LOST, Market.PERP)
        ]

    scene.play(story)


def test_who_left_hears_no_more(scene: StreamHarness) -> None:
    async def story(scene: StreamHarness) -> None:
        heard: list[Notification] = []
        end = scene.venue.subscribe(heard.append)
        end()
        end()
        scene.venue.follow(SYMBOL)
        mark(scene)
        await scene.clock.sleep(0.01)
        assert heard == []

    scene.play(story)
