"""The exchange in the same process: requests and streams under virtual time."""

import asyncio
import json
from collections.abc import Coroutine
from random import Random
from typing import Any

import pytest

from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.errors import NotSent, OutcomeUnknown, VenueError
from hedgerow.emulator.latency import LatencyModel
from hedgerow.emulator.wire.memory_transport import MemoryTransport
from hedgerow.emulator.wire.protocol.clock import ExchangeClock
from hedgerow.emulator.wire.venue import WireVenue
from hedgerow.ports import HttpRequest, StreamTransport, Transport
from support.wire import WireClient, make_wired
from support.worlds import START

FAST = LatencyModel(median_seconds=0.05, spread=1.0)
PERP, STREAM = "https://fapi.asterdex.com", "wss://fstream.asterdex.com"


class TransportHarness:
    """A client in front of an exchange whose clock is the program's own."""

    def __init__(self, latency: LatencyModel | None = None, *, pace_seconds: float = 0.0) -> None:
        self.clock = VirtualClock(START)
        made = make_wired()
        self.venue = WireVenue(made.venue.exchange, ExchangeClock(self.clock, START), pace_seconds=pace_seconds)
        self.client = WireClient(self.venue)
        made_transport = MemoryTransport(self.venue, self.clock, latency=latency, random=Random(1))
        self.transport: Transport = made_transport
        self.streams: StreamTransport = made_transport

    def run(self, main: Coroutine[Any, Any, Any]) -> Any:
        return run_virtual(self.clock, main)

    async def get(self, path: str, timeout_seconds: float = 10.0, method: str = "GET") -> Any:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        request = HttpRequest(method=method, url=PERP + path, headers=form, timeout_seconds=timeout_seconds)
        return json.loads((await self.transport.send(request)).body)


def test_a_signed_request_arrives_as_it_was_signed_and_takes_its_time() -> None:
    harness = TransportHarness(FAST)

    async def main() -> Any:
        answer = await harness.get("/fapi/v3/balance?" + harness.client.query({}))
        return answer[0]["balance"]

    assert harness.run(main()) == "10000.00000000"
    assert harness.clock.monotonic() == pytest.approx(0.1)


def test_no_answer_is_an_unknown_outcome_after_the_request_s_own_patience() -> None:
    harness = TransportHarness()
    harness.client.admin("POST", "faults", fault="silent_after", path="/ping")
    with pytest.raises(OutcomeUnknown):
        harness.run(harness.get("/fapi/v3/ping", timeout_seconds=4.0))
    assert harness.clock.monotonic() == pytest.approx(4)


@pytest.mark.parametrize(("fault", "orders"), [("cut_before", 0), ("cut_after", 1)])
def test_a_dropped_connection_is_an_unknown_outcome_at_once(fault: str, orders: int) -> None:
    harness = TransportHarness()
    harness.client.admin("POST", "faults", fault=fault, path="/order")
    fields = {"symbol": "AAAUSDT", "side": "SELL", "type": "MARKET", "quantity": "1"}
    with pytest.raises(OutcomeUnknown, match="dropped"):
        harness.run(harness.get(f"/fapi/v3/order?{harness.client.query(fields)}", method="POST"))
    assert harness.clock.monotonic() == 0
    assert len(harness.client.perp("GET", "allOrders", symbol="AAAUSDT").json) == orders


def test_marks_arrive_each_second_without_anybody_asking() -> None:
    harness = TransportHarness(FAST)

    async def main() -> list[int]:
        async with harness.streams.connect(f"{STREAM}/ws/aaausdt@markPrice@1s") as stream:
            return [json.loads(await stream.receive())["E"] for _ in range(3)]

    first, second, third = harness.run(main())
    assert (second - first, third - second) == (950, 1000)


def test_public_streams_keep_the_pace_they_are_given() -> None:
    harness = TransportHarness(pace_seconds=5.0)

    async def main() -> list[int]:
        async with harness.streams.connect(f"{STREAM}/ws/aaausdt@markPrice@1s") as stream:
            return [json.loads(await stream.receive())["E"] for _ in range(3)]

    first, second, third = harness.run(main())
    assert (second - first, third - second) == (5000, 5000)


def test_a_day_of_waiting_is_a_matter_of_milliseconds_and_ends_the_stream() -> None:
    harness = TransportHarness(pace_seconds=60)

    async def main() -> None:
        async with harness.streams.connect(f"{STREAM}/ws") as stream:
            await stream.send('{"method":"SUBSCRIBE","params":["aaausdt@kline_1d"],"id":1}')
            while True:
                await stream.receive()

    with pytest.raises(VenueError, match="24 hours"):
        harness.run(main())
    assert harness.clock.monotonic() == pytest.approx(86_400, abs=1)


def test_a_fill_wakes_whoever_waits_on_the_user_stream() -> None:
    harness = TransportHarness(FAST)
    key = harness.client.perp("POST", "listenKey").json["listenKey"]

    async def main() -> list[str]:
        async with harness.streams.connect(f"{STREAM}/ws/{key}") as stream:
            waiting = asyncio.create_task(_three(stream))
            await harness.clock.sleep(30)
            harness.client.order()
            return await waiting

    assert harness.run(main()) == ["ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"]
    assert 30 < harness.clock.monotonic() < 31


async def _three(stream: Any) -> list[str]:
    return [json.loads(await stream.receive())["e"] for _ in range(3)]


def test_a_closed_stream_and_a_wrong_address_are_said_so() -> None:
    harness = TransportHarness()

    async def closed() -> None:
        async with harness.streams.connect(f"{STREAM}/ws/aaausdt@markPrice") as stream:
            await stream.close()
            await stream.receive()

    async def wrong() -> None:
        async with harness.streams.connect(f"{STREAM}/nowhere"):
            pass

    with pytest.raises(VenueError, match="closed"):
        harness.run(closed())
    with pytest.raises(NotSent):
        TransportHarness().run(wrong())


def test_spot_streams_are_reported_by_their_host() -> None:
    harness = TransportHarness()

    async def main() -> Any:
        async with harness.streams.connect("wss://sstream.asterdex.com/ws/aaausdt@bookTicker") as stream:
            return json.loads(await stream.receive())

    assert harness.run(main())["a"] == "100.01"


def test_a_latency_needs_its_source_of_randomness() -> None:
    harness = TransportHarness()
    with pytest.raises(ValueError, match="give random"):
        MemoryTransport(harness.venue, harness.clock, latency=FAST)


def test_messages_travel_behind_one_another_and_not_one_by_one() -> None:
    harness = TransportHarness(FAST)

    async def main() -> None:
        async with harness.streams.connect(
            f"{STREAM}/stream?streams=!markPrice@arr@1s/aaausdt@bookTicker"
        ) as connection:
            began = harness.clock.monotonic()
            for _ in range(2):
                await connection.receive()
            assert harness.clock.monotonic() - began == pytest.approx(0.05)

    harness.run(main())
