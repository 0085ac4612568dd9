"""The transport over real sockets, against a small server of its own."""

import asyncio
import gzip
import socket
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import WSMsgType, web

from hedgerow.aster.http.rest import FORM
from hedgerow.aster.http.transport import HttpTransport
from hedgerow.domain.errors import NotSent, OutcomeUnknown, VenueError
from hedgerow.ports import LARGEST_REPLY, HttpRequest

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
QUERY = "symbol=%E5%B8%81USDT&list=%5B%22a%22%5D&a=b+c&user=0x1&nonce=1&signature=0xab"


@asynccontextmanager
async def served(handler: Handler) -> AsyncGenerator[str, None]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    crash_site = web.TCPSite(runner, "127.0.0.1", 0)
    await crash_site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def request(url: str, method: str = "GET", timeout_seconds: float = 5.0) -> HttpRequest:
    return HttpRequest(method=method, url=url, headers={"X-MBX-APIKEY": "k", **FORM}, timeout_seconds=timeout_seconds)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_request_arrives_byte_for_byte_as_it_was_signed(method: str) -> None:
    seen: list[tuple[str, str, str, bytes]] = []

    async def handler(incoming: web.Request) -> web.Response:
        agent = incoming.headers["User-Agent"]
        seen.append((incoming.method, incoming.raw_path, agent, await incoming.read()))
        assert incoming.headers.getall("Content-Type") == ["application/x-www-form-urlencoded"]
        assert incoming.headers["X-MBX-APIKEY"] == "k"
        return web.json_response({"ok": True}, headers={"X-MBX-USED-WEIGHT-1M": "7"})

    async def main() -> None:
        async with served(handler) as base, HttpTransport() as transport:
            response = await transport.send(request(f"{base}/fapi/v3/order?{QUERY}", method))
            assert (response.status, response.body) == (200, b'{"ok": true}')
            assert response.headers["x-mbx-used-weight-1m"] == "7"

    asyncio.run(main())
    ((sent_as, path, agent, body),) = seen
    assert (sent_as, path, body) == (method, f"/fapi/v3/order?{QUERY}", b"")
    assert agent.startswith("Mozilla/5.0")


@pytest.mark.parametrize("status", [302, 404, 429, 500, 503])
def test_every_status_is_an_answer_and_no_redirect_is_followed(status: int) -> None:
    calls: list[str] = []

    async def handler(incoming: web.Request) -> web.Response:
        calls.append(incoming.path)
        return web.Response(status=status, text="<html>", headers={"Location": "/elsewhere", "Retry-After": "3"})

    async def main() -> None:
        async with served(handler) as base, HttpTransport() as transport:
            response = await transport.send(request(f"{base}/x"))
            assert (response.status, response.body, response.headers["retry-after"]) == (status, b"<html>", "3")

    asyncio.run(main())
    assert calls == ["/x"]


def test_connections_are_used_again() -> None:
    ports: set[object] = set()

    async def handler(incoming: web.Request) -> web.Response:
        assert incoming.transport is not None
        ports.add(incoming.transport.get_extra_info("peername"))
        return web.Response()

    async def main() -> None:
        async with served(handler) as base, HttpTransport() as transport:
            for _ in range(3):
                await transport.send(request(f"{base}/x"))

    asyncio.run(main())
    assert len(ports) == 1


def test_a_host_that_cannot_be_reached_means_that_nothing_was_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

    async def main() -> None:
        async with HttpTransport() as transport:
            with pytest.raises(NotSent, match="cannot be reached") as refused:
                await transport.send(request(f"http://127.0.0.1:{port}/order?{QUERY}", "POST"))
            assert "signature" not in f"{refused.value!r}{refused.value.__cause__!r}"
            with pytest.raises(NotSent, match="cannot be opened"):
                async with transport.connect(f"ws://127.0.0.1:{port}/ws/key"):
                    pass

    asyncio.run(main())


def test_an_answer_that_breaks_off_leaves_the_outcome_unknown() -> None:
    calls: list[str] = []

    async def handler(incoming: web.Request) -> web.Response:
        calls.append(incoming.method)
        assert incoming.transport is not None
        incoming.transport.abort()
        return web.Response()

    async def main() -> None:
        async with served(handler) as base, HttpTransport() as transport:
            with pytest.raises(OutcomeUnknown, match="no whole answer") as broken:
                await transport.send(request(f"{base}/order?{QUERY}", "POST"))
            assert "signature" not in str(broken.value)

    asyncio.run(main())
    assert calls == ["POST"], "sent once"


def test_an_answer_that_does_not_come_leaves_the_outcome_unknown() -> None:
    async def handler(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    async def main() -> None:
        async with served(handler) as base, HttpTransport() as transport:
            with pytest.raises(OutcomeUnknown):
                await transport.send(request(f"{base}/x", timeout_seconds=0.05))

    asyncio.run(main())


def test_a_stream_carries_messages_both_ways_until_the_other_end_closes_it() -> None:
    async def handler(incoming: web.Request) -> web.StreamResponse:
        assert incoming.raw_path == "/stream?streams=!markPrice@arr@1s/!bookTicker"
        stream = web.WebSocketResponse()
        await stream.prepare(incoming)
        await stream.send_str("text")
        await stream.send_bytes(b"bytes")
        await stream.ping()
        message = await stream.receive()
        assert message.type is WSMsgType.TEXT
        await stream.send_str(f"echo {message.data}")
        await stream.close()
        return stream

    async def main() -> None:
        async with served(handler) as base, HttpTransport() as transport:
            url = f"{base.replace('http', 'ws')}/stream?streams=!markPrice@arr@1s/!bookTicker"
            async with transport.connect(url) as connection:
                assert [await connection.receive(), await connection.receive()] == ["text", b"bytes"]
                await connection.send("hello")
                assert await connection.receive() == "echo hello"
                with pytest.raises(VenueError, match="closed the stream"):
                    await connection.receive()
                with pytest.raises(VenueError):
                    await connection.send("too late")
                await connection.close()

    asyncio.run(main())


def answer_to(body: bytes, encoding: str = "") -> bytes:
    headers = {"Content-Encoding": encoding} if encoding else {}

    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=body, headers=headers)

    async def main() -> bytes:
        async with served(handler) as base, HttpTransport() as transport:
            return (await transport.send(request(base, timeout_seconds=30))).body

    return asyncio.run(main())


@pytest.mark.parametrize("body", [b"", b'{"a":1}', b"[" + b"0," * 2**20 + b"0]"])
def test_a_packed_answer_is_unpacked(body: bytes) -> None:
    assert answer_to(gzip.compress(body), "gzip") == body
    assert answer_to(zlib.compress(body), "deflate") == body
    assert answer_to(body, "identity") == answer_to(body) == body


def test_an_answer_that_unpacks_to_more_than_the_limit_is_refused_before_it_fills_the_memory() -> None:
    packer = zlib.compressobj(wbits=31)
    zeros = bytes(2**20)
    bomb = b"".join(packer.compress(zeros) for _ in range(100)) + packer.flush()
    assert len(bomb) < 2**21
    with pytest.raises(OutcomeUnknown, match="larger than 64 MiB"):
        answer_to(bomb, "gzip")


def test_an_answer_above_the_limit_is_refused() -> None:
    with pytest.raises(OutcomeUnknown, match="larger than 64 MiB"):
        answer_to(b" " * (LARGEST_REPLY + 1))


@pytest.mark.parametrize(
    ("body", "encoding"),
    [(b"not packed", "gzip"), (gzip.compress(b"x" * 1000, mtime=0)[:-12], "gzip"), (b"x", "br")],
    ids=["not packed", "cut off", "unknown"],
)
def test_an_answer_that_cannot_be_unpacked_is_no_answer(body: bytes, encoding: str) -> None:
    with pytest.raises(OutcomeUnknown):
        answer_to(body, encoding)
