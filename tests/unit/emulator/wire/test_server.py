"""The shell of sockets: both ports, REST, streams, and a clean end."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from hedgerow.clock import SystemClock
from hedgerow.domain.errors import ConfigError
from hedgerow.emulator.wire.protocol.clock import ExchangeClock
from hedgerow.emulator.wire.server import WireServer
from hedgerow.emulator.wire.venue import WireVenue
from support.wire import USER, WireClient, make_wired

Visit = Callable[[aiohttp.ClientSession, WireClient, str, str], Awaitable[Any]]

FORM = {"content-type": "application/x-www-form-urlencoded"}


def served(visit: Visit) -> Any:
    """Run a visit against an exchange on two free ports."""

    async def main() -> Any:
        made = make_wired(nonce_window_seconds=None)
        exchange = made.venue.exchange
        venue = WireVenue(exchange, ExchangeClock(SystemClock(), exchange.now))
        server = WireServer(venue, SystemClock(), host="127.0.0.1", port=0)
        stop, started = asyncio.Event(), asyncio.Event()
        serving = asyncio.create_task(server.serve(stop, started))
        await started.wait()
        futures, spot = (f"127.0.0.1:{port}" for port in server.ports)
        async with aiohttp.ClientSession() as session:
            try:
                return await visit(session, WireClient(venue), futures, spot)
            finally:
                stop.set()
                await serving

    return asyncio.run(main())


def test_both_ports_answer_both_markets_by_path() -> None:
    async def visit(session: aiohttp.ClientSession, _: WireClient, futures: str, spot: str) -> list[int]:
        found: list[int] = []
        for port in (futures, spot):
            for path in ("/fapi/v3/premiumIndex", "/api/v3/exchangeInfo", "/admin/time"):
                async with session.get(f"http://{port}{path}") as reply:
                    found.append(reply.status)
        return found

    assert served(visit) == [200] * 6


def test_an_order_goes_over_the_wire_in_query_or_body_and_headers_come_back() -> None:
    async def visit(session: aiohttp.ClientSession, client: WireClient, futures: str, _: str) -> list[Any]:
        order = {"symbol": "AAAUSDT", "side": "SELL", "type": "MARKET", "quantity": "1"}
        url = f"http://{futures}/fapi/v3/order"
        async with session.post(url, data=client.query(order), headers=FORM) as reply:
            first = (reply.status, "X-MBX-ORDER-COUNT-10S" in reply.headers)
        async with session.post(f"{url}?{client.query(order)}", headers=FORM) as reply:
            return [first, reply.status, (await reply.json())["orderId"] > 0]

    assert served(visit) == [(200, True), 200, True]


def test_streams_are_served_by_port_and_by_prefix() -> None:
    async def visit(session: aiohttp.ClientSession, client: WireClient, futures: str, spot: str) -> list[Any]:
        seen: list[Any] = []
        for url in (
            f"ws://{futures}/ws/aaausdt@bookTicker",
            f"ws://{spot}/ws/aaausdt@bookTicker",
            f"ws://{futures}/sstream/stream?streams=aaausdt@bookTicker",
        ):
            async with session.ws_connect(url) as stream:
                message = json.loads(await stream.receive_str())
                seen.append(message.get("data", message)["B"])
        async with session.ws_connect(f"ws://{futures}/ws") as stream:
            await stream.send_str('{"method":"LIST_SUBSCRIPTIONS","id":7}')
            seen.append(json.loads(await stream.receive_str()))
            await stream.ping()
        del client
        return seen

    perp, spot, prefixed, answer = served(visit)
    assert perp == "60.00"
    assert spot == prefixed == "60.006"
    assert answer == {"result": [], "id": 7}


def test_a_write_that_an_http_client_sends_with_its_own_type_is_refused() -> None:
    async def visit(session: aiohttp.ClientSession, client: WireClient, futures: str, _: str) -> tuple[int, str]:
        async with session.post(f"http://{futures}/fapi/v3/listenKey?{client.query({})}") as reply:
            return reply.status, reply.content_type

    assert served(visit) == (415, "text/html")


def test_a_reply_can_be_packed_and_a_message_can_be_bytes() -> None:
    async def visit(session: aiohttp.ClientSession, client: WireClient, futures: str, _: str) -> list[Any]:
        client.admin("POST", "faults", fault="rewrite", mutation="gzip_bomb", size=5000, path="ping")
        async with session.get(f"http://{futures}/fapi/v3/ping") as reply:
            seen: list[Any] = [reply.headers["Content-Encoding"], len(await reply.read())]
        client.admin("POST", "faults", fault="rewrite", mutation="invalid_utf8", stream="markPrice")
        async with session.ws_connect(f"ws://{futures}/ws/aaausdt@markPrice@1s") as stream:
            return [*seen, b"\xff" in await stream.receive_bytes()]

    assert served(visit) == ["gzip", 5002, True]


def test_a_fill_reaches_the_user_stream() -> None:
    async def visit(session: aiohttp.ClientSession, client: WireClient, futures: str, _: str) -> Any:
        async with session.post(f"http://{futures}/fapi/v3/listenKey?{client.query({})}", headers=FORM) as reply:
            key = (await reply.json())["listenKey"]
        async with session.ws_connect(f"ws://{futures}/ws/{key}") as stream:
            hand = {"user": USER, "market": "perp", "symbol": "AAAUSDT", "side": "SELL", "quantity": "1"}
            async with session.post(f"http://{futures}/admin/trade", json=hand) as reply:
                assert reply.status == 200
            return [json.loads(await stream.receive_str())["e"] for _ in range(2)]

    assert served(visit) == ["ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"]


def test_the_end_of_the_server_closes_open_streams() -> None:
    async def visit(session: aiohttp.ClientSession, _: WireClient, futures: str, __: str) -> asyncio.Task[bool]:
        stream = await session.ws_connect(f"ws://{futures}/ws/aaausdt@markPrice@1s")
        await stream.receive_str()

        async def until_closed() -> bool:
            while not stream.closed:
                await stream.receive()
            return True

        return asyncio.create_task(until_closed())

    assert served(visit).result() is True


def test_a_wrong_stream_address_and_a_port_in_use_are_refused() -> None:
    async def visit(session: aiohttp.ClientSession, client: WireClient, futures: str, _: str) -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(f"ws://{futures}/nowhere")
        taken = WireServer(client.venue, SystemClock(), host="127.0.0.1", port=int(futures.rpartition(":")[2]))
        with pytest.raises(ConfigError, match="cannot be used"):
            await taken.serve(asyncio.Event())

    served(visit)
