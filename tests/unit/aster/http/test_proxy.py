"""Which proxy leads to the exchange, for which addresses, and what a proxy that refuses means."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from hedgerow.aster.http.proxy import Proxy, proxy_of
from hedgerow.aster.http.transport import HttpTransport
from hedgerow.domain.errors import ConfigError, NotSent
from hedgerow.ports import HttpRequest

LIVE, LOCAL = "https://fapi.asterdex.com/fapi/v3/time", "http://127.0.0.1:8900/fapi/v3/time"
ADDRESS = "http://10.1.2.3:3128"


@pytest.mark.parametrize(
    ("variables", "address", "live", "local"),
    [
        ({"HEDGEROW_PROXY": ADDRESS}, ADDRESS, True, True),
        ({"HTTPS_PROXY": ADDRESS}, ADDRESS, True, False),
        ({"https_proxy": "http://[::1]:1/", "HTTPS_PROXY": ADDRESS}, "http://[::1]:1", True, False),
        ({"HEDGEROW_PROXY": "https://user:pa%40ss@proxy:443", "HTTPS_PROXY": ADDRESS}, "https://proxy:443", True, True),
        ({"HTTPS_PROXY": ADDRESS, "NO_PROXY": "localhost, .asterdex.com"}, ADDRESS, False, False),
        ({"HTTPS_PROXY": ADDRESS, "no_proxy": "*"}, ADDRESS, False, False),
        ({"HTTPS_PROXY": ADDRESS, "NO_PROXY": "dex.com"}, ADDRESS, True, False),
    ],
)
def test_the_addresses_that_a_proxy_is_for(variables: dict[str, str], address: str, *, live: bool, local: bool) -> None:
    proxy = proxy_of(variables)
    assert proxy is not None
    assert (proxy.address, proxy.covers(LIVE), proxy.covers(LOCAL)) == (address, live, local)
    assert proxy.covers(LIVE.replace("https", "wss")) is live


@pytest.mark.parametrize("variables", [{}, {"HEDGEROW_PROXY": "None", "HTTPS_PROXY": ADDRESS}, {"HTTP_PROXY": ADDRESS}])
def test_without_a_proxy_requests_go_out_directly(variables: dict[str, str]) -> None:
    assert proxy_of(variables) is None


@pytest.mark.parametrize(
    "text",
    ["socks5://u:secret@h:1", "h:3128", "http://u:secret@h", "http://h:1/path", "ftp://h:1", "http://h:x", "x y"],
)
@pytest.mark.parametrize("name", ["HEDGEROW_PROXY", "HTTPS_PROXY"])
def test_an_address_that_cannot_be_used_is_refused_in_one_line_without_its_password(name: str, text: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name} .*: allowed is an http:// or https:// address") as refused:
        proxy_of({name: text})
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_no_text_of_a_proxy_shows_its_password() -> None:
    proxy = proxy_of({"HEDGEROW_PROXY": "http://user:secret@h:1"})
    assert isinstance(proxy, Proxy)
    assert proxy.authorization() == f"Basic {b64encode(b'user:secret').decode()}"
    assert "secret" not in f"{proxy!r} {proxy}"


@asynccontextmanager
async def listening(answer: bytes, seen: list[bytes]) -> AsyncGenerator[int]:
    """Serve one answer to whatever is asked, as a proxy does."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def send(answer: bytes, url: str, *, user: str = "") -> tuple[list[bytes], int]:
    seen: list[bytes] = []

    async def main() -> int:
        async with listening(answer, seen) as port:
            proxy = Proxy(f"http://127.0.0.1:{port}", user=user, password="word" if user else "")
            async with HttpTransport(proxy) as transport:
                return (await transport.send(HttpRequest(method="POST", url=url, timeout_seconds=5))).status

    return seen, asyncio.run(main())


def test_a_request_passes_through_the_proxy_with_its_user_and_password() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    (asked,), status = send(answer, "http://exchange.invalid/fapi/v3/order?a=b%2Fc&signature=0x1", user="name")
    assert status == 200
    assert asked.startswith(b"POST http://exchange.invalid/fapi/v3/order?a=b%2Fc&signature=0x1 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic " + b64encode(b"name:word") in asked


def test_an_encrypted_address_is_asked_of_the_proxy_by_connect_and_its_refusal_means_that_nothing_was_sent() -> None:
    answer = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(NotSent, match=r"^the proxy cannot be used: it answers HTTP 407$"):
        send(answer, "https://exchange.invalid/fapi/v3/order?signature=0x1")


def test_the_connect_carries_the_user_and_password() -> None:
    seen: list[bytes] = []

    async def main() -> None:
        async with listening(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", seen) as port:
            proxy = Proxy(f"http://127.0.0.1:{port}", user="name", password="word")  # noqa: S106 - of a test
            async with HttpTransport(proxy) as transport:
                with pytest.raises(NotSent):
                    await transport.send(HttpRequest(method="GET", url="https://exchange.invalid/x", timeout_seconds=5))

    asyncio.run(main())
    (asked,) = seen
    assert asked.startswith(b"CONNECT exchange.invalid:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic " + b64encode(b"name:word") in asked


@pytest.mark.parametrize("url", ["https://exchange.invalid/x", "http://exchange.invalid/x"])
def test_a_proxy_that_is_not_there_is_named_and_nothing_was_sent(url: str) -> None:
    async def main() -> None:
        async with HttpTransport(Proxy("http://127.0.0.1:1")) as transport:
            with pytest.raises(NotSent, match="the proxy cannot be used"):
                await transport.send(HttpRequest(method="POST", url=url, timeout_seconds=5))
            with pytest.raises(NotSent, match="the proxy cannot be used"):
                async with transport.connect(url.replace("http", "ws")):
                    pass

    asyncio.run(main())
