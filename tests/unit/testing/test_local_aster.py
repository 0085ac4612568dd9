"""The local Aster as a test's author uses it: started, moved, broken, looked at, and gone without a trace."""

import asyncio
import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

import aiohttp
import pytest

from hedgerow.aster import MAINNET, AsterClient, Credentials
from hedgerow.aster.http.transport import HttpTransport
from hedgerow.clock import SystemClock
from hedgerow.domain.errors import ConfigError, Rejected, Unauthorized
from hedgerow.domain.instrument import Market, Side, TradingStatus
from hedgerow.testing import AsterAccount, LocalAster, local_aster

BTC = "BTCUSDT"


@pytest.fixture
def local() -> Iterator[LocalAster]:
    with local_aster() as served:
        yield served


class PlainBot:
    """What somebody writes in ten minutes with nothing but the standard library and an old key."""

    def __init__(self, aster: LocalAster, account: AsterAccount | None = None) -> None:
        self.aster = aster
        self.account = account or aster.account

    def call(self, method: str, path: str, **parameters: Any) -> Any:
        base = self.aster.spot_rest if path.startswith("/api") else self.aster.futures_rest
        text = urlencode({**parameters, "timestamp": 1})
        signature = hmac.new(self.account.api_secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        request = Request(  # noqa: S310 - loopback
            f"{base}{path}?{text}&signature={signature}", method=method, headers={"X-MBX-APIKEY": self.account.api_key}
        )
        with urlopen(request, timeout=20) as reply:  # noqa: S310 - loopback
            return json.load(reply)

    def short(self, quantity: str = "0.003") -> Any:
        return self.call(
            "POST",
            "/fapi/v1/order",
            symbol=BTC,
            side="SELL",
            type="MARKET",
            quantity=quantity,
            newOrderRespType="RESULT",
        )

    def buy(self, quantity: str = "0.003") -> Any:
        return self.call("POST", "/api/v1/order", symbol=BTC, side="BUY", type="MARKET", quantity=quantity)


def our_client(aster: LocalAster, transport: HttpTransport) -> AsterClient:
    return AsterClient(
        transport=transport,
        clock=SystemClock(),
        random=Random(1),
        hosts=MAINNET.overridden(aster.environment),
        credentials=Credentials.from_environment(aster.environment),
    )


def answers(address: str) -> bool:
    parts = urlsplit(address)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname or "", parts.port or 0)) == 0


def refusal(bot: PlainBot) -> tuple[int, Any]:
    with pytest.raises(HTTPError) as refused:
        bot.short()
    with refused.value as answer:
        return answer.code, answer.headers.get("Retry-After")


# --- beginning and end -----------------------------------------------------------------------------------------------


def fail_inside(addresses: list[str]) -> None:
    with local_aster() as aster:
        addresses += [aster.futures_rest, aster.spot_rest]
        assert all(answers(address) for address in addresses)
        raise ZeroDivisionError


def test_a_universe_lists_as_many_perpetuals_as_a_month_had() -> None:
    with local_aster(universe="2026-09", speed=0) as aster:
        assert len(aster.symbols) == 602
    with pytest.raises(ConfigError, match="universe 2020-01: allowed is 2026-09"), local_aster(universe="2020-01"):
        pass


def test_it_leaves_no_thread_and_no_port_however_it_ends() -> None:
    before, addresses = threading.active_count(), list[str]()
    with pytest.raises(ZeroDivisionError):
        fail_inside(addresses)
    assert not any(answers(address) for address in addresses)
    assert threading.active_count() <= before, "those of others may end meanwhile"
    with local_aster() as aster:
        aster.close()
    aster.close()
    with pytest.raises(RuntimeError, match="has ended"):
        aster.advance(hours=1)


def test_an_open_stream_and_a_request_without_an_answer_do_not_hold_it_up() -> None:
    async def visit(aster: LocalAster) -> None:
        async with aiohttp.ClientSession() as session:
            aster.inject("silent_before", path="/ping")
            silent = asyncio.create_task(session.get(f"{aster.futures_rest}/fapi/v3/ping"))
            async with session.ws_connect(f"{aster.futures_ws}/ws/btcusdt@markPrice@1s") as stream:
                await stream.receive()
                await asyncio.to_thread(aster.close)
            with pytest.raises(aiohttp.ClientError):
                await silent

    with local_aster() as aster:
        asyncio.run(visit(aster))


def test_several_do_not_know_of_each_other() -> None:
    with local_aster() as one, local_aster() as other:
        assert len({one.futures_rest, one.spot_rest, other.futures_rest, other.spot_rest}) == 4
        PlainBot(one).short()
        assert one.positions()
        assert other.positions() == {}


def test_what_cannot_be_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match="--pairs"), local_aster(pairs=0):
        pass
    with pytest.raises(ConfigError, match="private key"), local_aster() as aster:
        aster.open_account(private_key="nonsense")


def test_the_same_options_give_the_same_market() -> None:
    with (
        local_aster(seed=5, pairs=2) as one,
        local_aster(seed=5, pairs=2) as other,
        local_aster(seed=6, pairs=2) as third,
    ):
        prices = [[aster.price(symbol) for symbol in aster.symbols] for aster in (one, other, third)]
    assert prices[0] == prices[1] != prices[2]


# --- who trades ------------------------------------------------------------------------------------------------------


def test_a_bot_of_the_standard_library_trades_both_markets(local: LocalAster) -> None:
    local.set_price(BTC, 60_000)
    bot = PlainBot(local)
    assert bot.short()["status"] == "FILLED"
    assert bot.buy()["status"] == "NEW"
    local.advance(seconds=1)
    assert local.positions()[BTC].quantity == Decimal("-0.003")
    assert local.balances().spot["BTC"] == Decimal("0.0029988")
    perp, spot = local.trades()
    assert (perp.market, perp.side, spot.market, spot.fee_asset) == (Market.PERP, Side.SELL, Market.SPOT, "BTC")
    assert local.trades(market="spot") == (spot,)
    orders = local.orders(BTC)
    assert [(order.market.value, order.status.value, order.is_open) for order in orders] == [
        ("perp", "FILLED", False),
        ("spot", "FILLED", False),
    ]
    assert local.orders(market="spot") == orders[1:]


def test_our_own_client_trades_with_an_agent_key(local: LocalAster) -> None:
    async def visit() -> Any:
        async with HttpTransport() as transport:
            client = our_client(local, transport)
            await client.synchronise()
            return await client.spot_account()

    wallet = asyncio.run(visit())
    assert {balance.asset: balance.free for balance in wallet.balances} == {"USDT": 500}
    (seen,) = local.requests("/api/v3/account")
    assert (seen.method, seen.status, seen.parameters["signer"]) == ("GET", 200, local.account.signer)


def test_an_async_test_moves_the_exchange_while_its_bot_listens(local: LocalAster) -> None:
    async def visit() -> dict[str, Any]:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{local.futures_ws}/ws/btcusdt@bookTicker") as stream,
        ):
            first = json.loads(await stream.receive_str())
            local.set_price(BTC, float(first["b"]) * 1.02)
            found: dict[str, Any] = json.loads(await stream.receive_str())
            assert float(found["b"]) > float(first["a"])
            return found

    assert asyncio.run(visit())["s"] == BTC


# --- time and market -------------------------------------------------------------------------------------------------


def test_time_runs_stands_and_jumps() -> None:
    with local_aster(speed=0, start=datetime(2025, 3, 1, tzinfo=UTC)) as aster:
        assert aster.now == aster.now == datetime(2025, 3, 1, tzinfo=UTC)
        assert aster.advance(days=1, minutes=2) == datetime(2025, 3, 2, 0, 2, tzinfo=UTC)
        PlainBot(aster).buy()
        assert aster.orders()[0].status.value == "FILLED"
        aster.run(1000)
        before = aster.now
        PlainBot(aster).call("GET", "/fapi/v2/balance")
        assert aster.now > before
        aster.freeze()
        assert aster.now == aster.now
    with local_aster(start=None) as aster:
        assert abs(aster.now - SystemClock().now()) < timedelta(minutes=1)


def test_nonces_are_checked_when_wanted() -> None:
    with local_aster(start=None, check_nonces=True) as aster:
        with pytest.raises(HTTPError) as refused:
            PlainBot(aster).call("GET", "/fapi/v2/balance")
        with refused.value as answer:
            assert json.load(answer)["code"] == -1021


def test_prices_stand_where_they_are_put_and_live_when_wanted() -> None:
    with local_aster(speed=0) as aster:
        aster.set_price(BTC, "61234.5")
        aster.advance(days=3)
        assert aster.price(BTC) == Decimal("61234.5")
        assert aster.instrument(BTC).symbol == BTC
        with pytest.raises(ValueError, match="Invalid symbol"):
            aster.set_price("NOSUCH", 1)
    with local_aster(speed=0, still=False) as aster:
        before = aster.price(BTC, "spot")
        aster.advance(days=3)
        assert aster.price(BTC, "spot") != before


def test_funding_is_paid_at_the_rate_that_was_set(local: LocalAster) -> None:
    local.set_funding(BTC, "0.001", interval_hours=4)
    PlainBot(local).short()
    local.advance(hours=8)
    payments = local.funding(BTC)
    mark = local.positions()[BTC].mark_price
    assert [payment.amount for payment in payments] == [(mark * Decimal("0.000003")).quantize(Decimal("1e-8"))] * 2
    assert local.funding("ETHUSDT") == ()
    local.set_funding(BTC, -0.002)
    local.advance(hours=4)
    assert local.funding()[-1].amount < 0


def test_symbols_can_be_delisted(local: LocalAster) -> None:
    local.set_status(BTC, TradingStatus.SETTLING)
    assert refusal(PlainBot(local))[0] == 400
    assert local.instrument(BTC, "spot").status is TradingStatus.SETTLING


# --- accounts --------------------------------------------------------------------------------------------------------


def test_accounts_are_opened_funded_and_kept_apart(local: LocalAster) -> None:
    third = local.open_account(spot={"USDT": 70}, perp="30")
    local.fund(5, user=third.user)
    local.fund("0.5", "BTC", user=third.user)
    local.fund(-10, wallet="perp", user=third.user)
    held = local.balances(third.user)
    assert held.spot == {"USDT": Decimal(75), "BTC": Decimal("0.5")}
    assert (held.perp, held.usdt) == (Decimal(20), Decimal(95))
    assert local.balances().usdt == local.balances(local.accounts[1].user).usdt == 1000
    rows = PlainBot(local, third).call("GET", "/api/v1/account")["balances"]
    assert {row["asset"] for row in rows} == {"USDT", "BTC"}
    assert third.private_key == f"0x{3:064x}"
    with pytest.raises(LookupError, match="no account"):
        local.balances("0x12")


def test_an_agent_can_lose_its_rights(local: LocalAster) -> None:
    async def visit() -> None:
        async with HttpTransport() as transport:
            await our_client(local, transport).spot_account()

    local.permit(expires_at=local.now - timedelta(days=1))
    with pytest.raises(Unauthorized):
        asyncio.run(visit())
    local.permit()
    asyncio.run(visit())


def test_trades_by_hand_deleveraging_and_liquidation(local: LocalAster) -> None:
    local.trade(BTC, "SELL", "0.02")
    local.deleverage(BTC, "0.005")
    assert local.positions()[BTC].quantity == Decimal("-0.015")
    assert local.orders()[-1].client_id == "adl_autoclose"
    local.liquidate(BTC)
    assert local.positions() == {}
    assert local.orders()[-1].client_id.startswith("autoclose-")
    with pytest.raises(ValueError, match="no position"):
        local.liquidate(BTC)


# --- trouble ---------------------------------------------------------------------------------------------------------


def test_faults_are_injected_by_name_and_forgotten(local: LocalAster) -> None:
    bot = PlainBot(local)
    local.inject("429", path="/order")
    assert refusal(bot) == (429, "60")
    local.inject("429_orders", path="/order")
    assert refusal(bot) == (429, None)
    local.inject("503_after", path="/order", method="POST")
    assert refusal(bot)[0] == 503
    assert local.positions()[BTC].quantity == Decimal("-0.003")
    local.inject("partial", fraction=Decimal("0.34"), times=0)
    assert bot.short()["executedQty"] == "0.001"
    local.clear_faults()
    assert bot.short()["executedQty"] == "0.003"
    with pytest.raises(ValueError, match="earthquake"):
        local.inject("earthquake")
    assert [seen.status for seen in local.requests("/order", method="POST")] == [429, 429, 503, 200, 200]


def test_replies_and_messages_are_rewritten(local: LocalAster) -> None:
    bot = PlainBot(local)
    local.rewrite("null", field="orderId", path="/order", symbol=BTC)
    assert bot.short()["orderId"] is None
    local.rewrite("blank", field="*.r", symbol=BTC, stream="markPrice", times=0)

    async def rates() -> dict[str, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{local.futures_ws}/ws/!markPrice@arr@1s") as stream,
        ):
            return {row["s"]: row["r"] for row in json.loads(await stream.receive_str())}

    assert [symbol for symbol, rate in asyncio.run(rates()).items() if not rate] == [BTC]


def test_a_refusal_has_any_form_and_a_page_any_status(local: LocalAster) -> None:
    bot = PlainBot(local)
    local.inject("reject", path="/order", status=451, code=-1, error_shape="nested", retry_after_seconds=7)
    assert refusal(bot) == (451, "7")
    local.inject("page_after", path="/order", status=499)
    assert refusal(bot)[0] == 499
    assert local.positions()[BTC].quantity == Decimal("-0.003")


def test_an_account_of_a_solana_wallet_is_opened_and_moved(local: LocalAster) -> None:
    account = local.open_account(perp=100, user="So11111111111111111111111111111111111111112")
    local.fund(5, user=account.user)
    assert local.balances(account.user).usdt == 105
    assert PlainBot(local, account).short()["status"] == "FILLED"
    assert local.positions(account.user)[BTC].quantity < 0


def test_requests_that_cannot_be_read_are_seen_too(local: LocalAster) -> None:
    with pytest.raises(HTTPError) as refused:
        urlopen(f"{local.futures_rest}/fapi/v3/depth?symbol=A&symbol=B", timeout=20)  # noqa: S310 - loopback
    refused.value.close()
    (seen,) = local.requests()
    assert (seen.path, seen.parameters, seen.status) == ("/fapi/v3/depth", {}, 400)


def test_a_symbol_that_is_not_listed_is_refused(local: LocalAster) -> None:
    with pytest.raises(Rejected, match="Invalid symbol"):
        local.price("NOSUCH")


def test_a_dropped_connection_is_seen_at_once(local: LocalAster) -> None:
    local.inject("cut_after", path="/order")
    with pytest.raises(OSError, match=r"."):
        PlainBot(local).short()
    assert local.positions()[BTC].quantity == Decimal("-0.003")
    assert local.requests("/order")[0].status is None


def test_streams_can_be_cut_robbed_and_left_without_a_key(local: LocalAster) -> None:
    async def visit() -> list[Any]:
        key = PlainBot(local).call("POST", "/fapi/v1/listenKey")["listenKey"]
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(f"{local.futures_ws}/ws/{key}") as stream:
                local.inject("lose", stream="ACCOUNT_UPDATE", times=0)
                await asyncio.to_thread(PlainBot(local).short)
                seen = [json.loads(await stream.receive_str())["e"] for _ in range(2)]
                keys = local.drop_listen_keys()
                seen.append(json.loads(await stream.receive_str())["e"])
            async with session.ws_connect(f"{local.futures_ws}/ws") as stream:
                cut = await asyncio.to_thread(local.cut_streams)
                return [seen, keys, cut, (await stream.receive()).type is aiohttp.WSMsgType.CLOSE]

    seen, keys, cut, closed = asyncio.run(visit())
    assert seen == ["ORDER_TRADE_UPDATE", "ORDER_TRADE_UPDATE", "listenKeyExpired"]
    assert (keys, cut, closed) == (1, 1, True)


def test_every_other_fault_reaches_the_exchange(local: LocalAster) -> None:
    bot = PlainBot(local)
    depth = bot.call("GET", "/fapi/v1/depth", symbol=BTC)
    local.stop_books(60)
    local.set_price(BTC, local.price(BTC) * 2)
    later = bot.call("GET", "/fapi/v1/depth", symbol=BTC)
    assert later["bids"] == depth["bids"]
    local.lag_balances(60)
    local.skew_clock(-3600)
    assert bot.call("GET", "/fapi/v1/time")["serverTime"] < local.now.timestamp() * 1000 - 3_000_000
    local.jitter_funding(delay_seconds=10)
    local.set_funding(BTC, "0.001", interval_hours=8)
    bot.short()
    local.advance(hours=9)
    assert 0 < (local.funding()[0].at - datetime(2025, 1, 1, 8, tzinfo=UTC)).total_seconds() <= 10
    local.limit("perp", orders_per_ten_seconds=1)
    bot.short()
    assert bot.call("GET", "/fapi/v2/positionRisk", symbol=BTC)[0]["positionAmt"] == "-0.003"
    assert local.positions()[BTC].quantity == Decimal("-0.006")
    assert refusal(bot) == (429, None)
