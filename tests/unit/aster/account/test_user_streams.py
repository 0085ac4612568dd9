"""User data streams: any change makes REST be asked, keys are renewed, forced trades are news at once."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from hedgerow.domain.commands import PlaceOrder, SetLeverage
from hedgerow.domain.events import OrderEnded
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.notifications import NotificationKind
from hedgerow.domain.order import ForcedTrade, OrderRequest
from support.scripted_aster import HTML_500, NOW, SYMBOL, millis, order_row, perp_account
from support.scripted_streams import MemoryConnection
from support.stream_harness import FUTURES_USER, HOLDINGS, PERP_ACCOUNT, SPOT_USER, StreamHarness

SPOT, PERP = Market.SPOT, Market.PERP
SETTLED = 11.0
"""Seconds after a change from which a reading is kept."""


@pytest.fixture
def harness() -> StreamHarness:
    return StreamHarness()


async def quiet_account(harness: StreamHarness) -> None:
    held = {"positionAmt": "-2", "entryPrice": "100", "unrealizedProfit": "-2", "leverage": "1"}
    harness.aster.on(PERP_ACCOUNT, perp_account(held))
    await harness.clock.sleep(SETTLED)
    await harness.venue.account()
    harness.aster.forget()
    await harness.clock.sleep(1)


def test_a_quiet_account_takes_one_request(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await quiet_account(harness)
        view = await harness.venue.account()
        assert harness.aster.routes == [PERP_ACCOUNT]
        held = view.positions[SYMBOL]
        assert (held.quantity, held.mark_price, held.unrealized_pnl) == (Decimal(-2), Decimal(101), Decimal(-2))

    harness.play(script)


@pytest.mark.parametrize(
    ("key", "event"),
    [
        (FUTURES_USER, {"e": "ACCOUNT_UPDATE", "E": 1, "a": {"m": "ORDER", "B": [], "P": []}}),
        (FUTURES_USER, {"e": "ORDER_TRADE_UPDATE", "o": {"s": SYMBOL, "c": "x", "X": "NEW", "i": 1}}),
        (SPOT_USER, {"e": "outboundAccountPosition", "E": 1, "T": 1, "B": [{"a": "USDT", "f": "1", "l": "0"}]}),
        (SPOT_USER, {"e": "executionReport", "s": SYMBOL, "c": "x", "X": "FILLED", "i": 2}),
        (SPOT_USER, {"e": "executionReport", "s": SYMBOL, "i": {}}),
        (FUTURES_USER, "not json"),
    ],
)
def test_any_change_makes_the_account_be_read_anew(harness: StreamHarness, key: str, event: Any) -> None:
    async def script(harness: StreamHarness) -> None:
        await quiet_account(harness)
        harness.wire.newest(key).push(event)
        await harness.clock.sleep(0.1)
        await harness.venue.account()
        assert set(harness.aster.routes) >= HOLDINGS

    harness.play(script)


def test_funding_changes_only_the_wallet_which_is_always_read(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await quiet_account(harness)
        harness.wire.newest(FUTURES_USER).push({"e": "ACCOUNT_UPDATE", "a": {"m": "FUNDING_FEE", "B": []}})
        harness.wire.newest(FUTURES_USER).push({"e": "announcement", "zh": {}})
        await harness.clock.sleep(0.1)
        await harness.venue.account()
        assert harness.aster.routes == [PERP_ACCOUNT]
        assert harness.notifications[-1].kind is NotificationKind.FUNDING

    harness.play(script)


def test_a_command_of_our_own_makes_the_account_be_read_anew(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await quiet_account(harness)
        harness.aster.on("POST /fapi/v3/leverage", HTML_500)
        await harness.venue.submit(SetLeverage(symbol=SYMBOL, leverage=1))
        await harness.clock.sleep(0.1)
        await harness.venue.account()
        assert set(harness.aster.routes) >= HOLDINGS

    harness.play(script)


def test_while_a_user_stream_is_down_the_account_is_read_by_rest(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await quiet_account(harness)
        harness.wire.refuse = 10**6
        harness.wire.newest(SPOT_USER).cut()
        await harness.clock.sleep(0.1)
        for _ in range(2):
            harness.aster.forget()
            await harness.venue.account()
            assert set(harness.aster.routes) >= HOLDINGS
        assert harness.notifications[-1].kind is NotificationKind.LOST

    harness.play(script)


def test_after_a_new_connection_rest_must_be_asked_before_anything_counts_again(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await quiet_account(harness)
        harness.wire.newest(SPOT_USER).cut()
        await harness.clock.sleep(1.5)
        assert len([c for c in harness.wire.connections if SPOT_USER in c.url]) == 2
        await harness.venue.account()
        assert set(harness.aster.routes) >= HOLDINGS
        await harness.clock.sleep(SETTLED)
        await harness.venue.account()
        harness.aster.forget()
        await harness.clock.sleep(1)
        await harness.venue.account()
        assert harness.aster.routes == [PERP_ACCOUNT]

    harness.play(script)


def test_what_was_read_just_after_a_change_is_not_kept_for_rest_may_lag(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await quiet_account(harness)
        harness.wire.newest(SPOT_USER).push({"e": "executionReport", "s": SYMBOL, "c": "x", "X": "FILLED", "i": 2})
        for _ in range(3):
            await harness.clock.sleep(3)
            harness.aster.forget()
            await harness.venue.account()
            assert set(harness.aster.routes) >= HOLDINGS
        await harness.clock.sleep(2)
        await harness.venue.account()
        harness.aster.forget()
        await harness.venue.account()
        assert harness.aster.routes == [PERP_ACCOUNT]

    harness.play(script)


def test_the_account_is_verified_again_after_a_minute(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await quiet_account(harness)
        await harness.clock.sleep(61)
        await harness.venue.account()
        assert set(harness.aster.routes) >= HOLDINGS

    harness.play(script)


def test_a_change_of_leverage_leaves_the_modes_alone(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await quiet_account(harness)
        harness.wire.newest(FUTURES_USER).push({"e": "ACCOUNT_CONFIG_UPDATE", "ac": {"s": SYMBOL, "l": 3}})
        await harness.clock.sleep(0.1)
        await harness.venue.account()
        assert set(harness.aster.routes) == {*HOLDINGS, PERP_ACCOUNT}

    harness.play(script)


def test_a_change_of_configuration_makes_the_modes_be_read_anew(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await quiet_account(harness)
        harness.wire.newest(FUTURES_USER).push({"e": "ACCOUNT_CONFIG_UPDATE", "ai": {"j": True}})
        await harness.clock.sleep(0.1)
        harness.aster.on("GET /fapi/v3/multiAssetsMargin", {"multiAssetsMargin": True})
        assert not (await harness.venue.account()).single_asset

    harness.play(script)


@pytest.mark.parametrize(
    ("client_id", "kind"),
    [
        ("autoclose-1750000000", ForcedTrade.LIQUIDATION),
        ("adl_autoclose", ForcedTrade.AUTO_DELEVERAGING),
        ("settlement_autoclose-7", ForcedTrade.SETTLEMENT),
    ],
)
def test_a_trade_that_the_venue_forced_is_reported_at_once(
    harness: StreamHarness, client_id: str, kind: ForcedTrade
) -> None:
    async def script(harness: StreamHarness) -> None:
        report = {"s": SYMBOL, "c": client_id, "S": "BUY", "X": "FILLED", "i": 5, "z": "1", "ap": "100", "T": 1}
        harness.wire.newest(FUTURES_USER).push({"e": "ORDER_TRADE_UPDATE", "E": 1, "o": report})
        await harness.clock.sleep(0)
        await harness.clock.sleep(0.01)
        assert (harness.notifications[-1].kind, harness.notifications[-1].symbol) == (NotificationKind.FORCED, SYMBOL)
        assert harness.notifications[-1].forced_trade is kind

    harness.play(script)


def test_the_report_of_a_spot_order_spares_the_question(harness: StreamHarness) -> None:
    request = OrderRequest(
        client_id="h-s-1", market=SPOT, symbol=SYMBOL, side=Side.BUY, quantity=Decimal(1), price=Decimal(100)
    )
    harness.aster.on("POST /api/v3/order", order_row("h-s-1", status="NEW"))

    async def script(harness: StreamHarness) -> None:
        sending = asyncio.create_task(harness.venue.submit(PlaceOrder(hedge_id="h", order=request)))
        await harness.clock.sleep(0.02)
        report = {"e": "executionReport", "s": SYMBOL, "c": "h-s-1", "S": "BUY", "i": 17338441758, "T": millis(NOW)}
        user = harness.wire.newest(SPOT_USER)
        user.push({**report, "X": "PARTIALLY_FILLED", "z": "0.4", "Z": "40", "ap": "100"})
        user.push({**report, "X": "EXPIRED", "z": "0.9", "Z": "90", "ap": "100", "P": "0", "O": 1, "Q": "0"})
        _, end = await sending
        assert isinstance(end, OrderEnded)
        assert (end.filled_quantity, end.filled_notional) == (Decimal("0.9"), Decimal(90))
        assert "GET /api/v3/order" not in harness.aster.routes
        assert harness.clock.monotonic() < 0.15

    harness.play(script)


def test_a_report_of_a_worth_that_cannot_be_leaves_the_worth_to_the_trades(harness: StreamHarness) -> None:
    request = OrderRequest(
        client_id="h-s-1", market=Market.SPOT, symbol=SYMBOL, side=Side.BUY, quantity=Decimal(1), price=Decimal(100)
    )
    harness.aster.on("POST /api/v3/order", order_row("h-s-1", status="NEW"))

    async def script(harness: StreamHarness) -> None:
        sending = asyncio.create_task(harness.venue.submit(PlaceOrder(hedge_id="h", order=request)))
        await harness.clock.sleep(0.02)
        report = {"e": "executionReport", "s": SYMBOL, "c": "h-s-1", "S": "BUY", "i": 17338441758, "T": millis(NOW)}
        harness.wire.newest(SPOT_USER).push(
            {**report, "X": "FILLED", "p": "100", "z": "1", "Z": "100000", "ap": "1E+5"}
        )
        _, end = await sending
        assert isinstance(end, OrderEnded)
        assert (end.filled_quantity, end.filled_notional) == (Decimal(1), Decimal(0))

    harness.play(script)


def test_listen_keys_are_renewed_every_25_to_30_minutes(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await harness.clock.sleep(3 * 3600)
        sent = harness.aster.sent("PUT /fapi/v3/listenKey")
        assert 6 <= len(sent) <= 7
        assert {params["listenKey"] for params in sent} == {"fkey"}

    harness.play(script)


def reopened(harness: StreamHarness) -> tuple[MemoryConnection, MemoryConnection]:
    first, second = (c for c in harness.wire.connections if FUTURES_USER in c.url)
    return first, second


def test_an_expired_listen_key_is_replaced_on_a_new_connection(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        harness.aster.on("POST /fapi/v3/listenKey", {"listenKey": "fkey2"})
        harness.wire.newest(FUTURES_USER).push({"e": "listenKeyExpired", "E": 1})
        await harness.clock.sleep(1.5)
        assert reopened(harness)[1].url.endswith("/ws/fkey2")

    harness.play(script)


def test_a_listen_key_that_cannot_be_renewed_is_replaced(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        harness.aster.on("PUT /fapi/v3/listenKey", HTML_500)
        await harness.clock.sleep(31 * 60)
        assert len(reopened(harness)) == 2

    harness.play(script)


def test_user_streams_are_rotated_before_the_venue_cuts_them(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await harness.clock.sleep(23 * 3600 - 10)
        assert len([c for c in harness.wire.connections if FUTURES_USER in c.url]) == 1
        await harness.clock.sleep(20)
        assert len(reopened(harness)) == 2
        assert harness.notifications[-1].kind is NotificationKind.CONNECTED

    harness.play(script)
