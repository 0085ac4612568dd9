"""How a dashboard ends."""

import asyncio
import gc
import socket
from typing import Any

import pytest
from aiohttp import web

from hedgerow.clock import SystemClock
from hedgerow.web.server import DashboardServer, ServerOptions, listen
from support.dashboards import KeptAccess


async def _home(_request: web.Request) -> web.Response:
    return web.Response(text="home")


async def _arriving() -> tuple[socket.socket, list[dict[str, Any]]]:
    """Stop a server in the instant in which it accepts a connection; return that, and what the loop complained of."""
    loop, stop, complaints = asyncio.get_running_loop(), asyncio.Event(), list[dict[str, Any]]()
    loop.set_debug(enabled=True)
    loop.set_exception_handler(lambda _loop, context: complaints.append(context))
    options, listening = ServerOptions(port=0), asyncio.Event()
    server = DashboardServer(
        listen(options),
        options,
        store=KeptAccess(),
        clock=SystemClock(),
        log=list[str]().append,
        routes=(web.get("/", _home),),
    )
    serving = asyncio.ensure_future(server.serve(stop, listening.set))
    await listening.wait()
    client = socket.create_connection(("127.0.0.1", server.port))
    loop.call_soon(stop.set)  # before the loop looks at what arrived, which is accepted in the same turn
    await serving
    return client, complaints


@pytest.mark.filterwarnings("error")
def test_a_connection_that_arrives_while_the_server_ends_is_closed() -> None:
    client, complaints = asyncio.run(_arriving())
    with client:
        client.settimeout(5)
        assert client.recv(1) == b""
    gc.collect()
    assert complaints == []
