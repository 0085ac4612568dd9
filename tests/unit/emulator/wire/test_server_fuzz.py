"""Broken HTTP and broken WebSocket frames over real sockets: no 5xx, no hang, and the next client is served."""

import asyncio
import re
import socket
from collections.abc import Iterator
from random import Random

import aiohttp
import pytest

from hedgerow.testing import LocalAster, local_aster

PATIENCE_SECONDS = 10.0
"""The longest a server that was sent nonsense and then hung up on may take to end the connection."""
QUIET_SECONDS = 0.1
"""How long nothing is said before the client hangs up."""
GOOD = b"GET /fapi/v3/depth?symbol=BTCUSDT&limit=5 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
UPGRADE = (
    b"GET /ws/btcusdt@depth5 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
REQUESTS = [
    b"",
    b"\r\n\r\n",
    b"\x00\xff\xfe\x80" * 50,
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"G\xc3\xa9T /fapi/v3/ping HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /fapi/v3/depth?symbol=\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /fapi/v3/depth?symbol=%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://[::1/fapi/v3/ping HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /fapi/v3/ping" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /fapi/v3/ping HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 5_000 + b"\r\n",
    b"GET /fapi/v3/ping HTTP/1.1\r\nHost: x\r\nX-MBX-APIKEY: \xff\xff\r\n\r\n",
    b"GET /fapi/v3/ping HTTP/1.1\r\nHost x\r\n\r\n",
    b"POST /fapi/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
    b"POST /fapi/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\nabc",
    b"POST /fapi/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\nabc",
    b"POST /fapi/v3/order HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nabc",
    b"POST /fapi/v3/order HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    b"POST /admin/fund HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n\xff\xfe{}",
    b"GET /ws/btcusdt@depth5 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n",
    UPGRADE.replace(b"Version: 13", b"Version: 99"),
    UPGRADE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short"),
    UPGRADE.replace(b"/ws/btcusdt@depth5", b"/ws/\xff\xfe"),
    UPGRADE.replace(b"/ws/btcusdt@depth5", b"/stream?streams=%ff%fe/a@depth"),
]
FRAMES = [
    b"\x81\x05hello",
    b"\x81\x85\x00\x00\x00\x00hello",
    b"\x81\xff" + b"\xff" * 8 + b"\x00" * 4,
    b"\x81\xfe\xff\xff" + b"\x00" * 4 + b"x" * 100,
    b"\x83\x80\x00\x00\x00\x00",
    b"\xf1\x80\x00\x00\x00\x00",
    b"\x09\x80\x00\x00\x00\x00",
    b"\x89\xfe\x00\xff" + b"\x00" * 4 + b"p" * 255,
    b"\x88\x81\x00\x00\x00\x00\x01",
    b"\x88\x82\x00\x00\x00\x00\x00\x00",
    b"\x81\x84\x00\x00\x00\x00\xff\xfe\xfd\xfc",
    b"\x01\x83\x00\x00\x00\x00abc\x81\x83\x00\x00\x00\x00def",
    b"\x80\x80\x00\x00\x00\x00",
    b"\x82\x84\x00\x00\x00\x00\x00\x01\x02\x03",
    b"\xc1\x84\x00\x00\x00\x00abcd",
]


@pytest.fixture(scope="module")
def aster() -> Iterator[LocalAster]:
    with local_aster(pairs=2) as served:
        yield served


def say(aster: LocalAster, data: bytes) -> bytes:
    """Send bytes, hang up, and return everything that came back before the server hung up as well."""
    address = ("127.0.0.1", int(aster.futures_rest.rpartition(":")[2]))
    found = b""
    with socket.create_connection(address, timeout=PATIENCE_SECONDS) as connection:
        try:
            connection.sendall(data)
            connection.settimeout(PATIENCE_SECONDS if data == GOOD else QUIET_SECONDS)
            while piece := connection.recv(65_536):
                found += piece
        except TimeoutError:
            return found + hang_up(connection)
        except (ConnectionResetError, BrokenPipeError):
            return found
    return found


def hang_up(connection: socket.socket) -> bytes:
    """End the client's half, and return what the server still says until it ends its own.

    Raises:
        TimeoutError: it does not.
    """
    found = b""
    connection.settimeout(PATIENCE_SECONDS)
    try:
        connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(65_536):
            found += piece
    except (ConnectionResetError, BrokenPipeError):
        return found
    return found


def check_alive(aster: LocalAster) -> None:
    assert say(aster, GOOD).startswith(b"HTTP/1.1 200 ")


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.\d (\d{3}) ", answer)]


def flawed(random: Random, text: bytes) -> bytes:
    """Return bytes with a few of them changed, taken out, or put in twice."""
    data = bytearray(text)
    for _ in range(random.randint(1, 4)):
        place = random.randrange(len(data))
        match random.randrange(4):
            case 0:
                data[place] = random.randrange(256)
            case 1:
                del data[place : place + random.randint(1, 6)]
            case 2:
                data[place:place] = data[max(0, place - 8) : place]
            case _:
                data[place:place] = bytes([random.choice(b"\r\n\x00 %&=\xff")])
    return bytes(data)


@pytest.mark.parametrize("data", REQUESTS, ids=lambda data: repr(data[:40]))
def test_a_broken_request_is_refused_or_hung_up_on(aster: LocalAster, data: bytes) -> None:
    assert all(status < 500 for status in statuses(say(aster, data)))
    check_alive(aster)


def test_requests_with_a_few_wrong_bytes_are_answered_without_breaking(aster: LocalAster) -> None:
    random = Random(20251010)
    form = b"symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&user=" + aster.account.user.encode()
    order = b"POST /fapi/v3/order HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(form), form)
    for number in range(200):
        answer = say(aster, flawed(random, random.choice([GOOD, order, UPGRADE])))
        assert all(status < 500 for status in statuses(answer)), number
    check_alive(aster)
    assert {aster.balances(account.user).usdt for account in aster.accounts} == {1000}


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: repr(frame[:12]))
def test_a_broken_frame_ends_its_connection_and_no_other(aster: LocalAster, frame: bytes) -> None:
    answer = say(aster, UPGRADE + frame)
    assert statuses(answer)[0] == 101
    check_alive(aster)


def test_frames_with_a_few_wrong_bytes_break_nothing_for_those_who_listen(aster: LocalAster) -> None:
    async def listen() -> int:
        random = Random(7)
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{aster.futures_ws}/ws/btcusdt@bookTicker") as stream,
        ):
            await stream.receive_str()
            for _ in range(60):
                frames = b"".join(random.choice(FRAMES) for _ in range(3))
                await asyncio.to_thread(say, aster, UPGRADE + flawed(random, frames))
            aster.set_price("BTCUSDT", aster.price("BTCUSDT") * 2)
            return len(await stream.receive_str())

    assert asyncio.run(listen()) > 0
    check_alive(aster)
