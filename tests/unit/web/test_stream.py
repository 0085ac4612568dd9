"""A page's WebSocket: the whole page first, then what changes, and nothing any more once the session has ended."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from hedgerow.clock import SystemClock
from hedgerow.dashboard.bot_state import BotState
from hedgerow.web.routes import DashboardRoutes
from support.dashboards import Served, served_dashboard
from support.shown_bots import ShownBot, view_in

pytestmark = pytest.mark.slow


async def refused(served: Served, **headers: str) -> int:
    async with aiohttp.ClientSession() as client:
        with pytest.raises(aiohttp.WSServerHandshakeError) as error:
            await client.ws_connect(f"{served.origin}/bots/ridge-1/events", headers=headers)
    return error.value.status


async def followed(served: Served, bot: ShownBot) -> None:
    cookie, csrf = served.session()
    assert await refused(served, Origin=served.origin) == 401
    assert await refused(served, Origin="https://evil.example", Cookie=cookie) == 403
    async with aiohttp.ClientSession(headers={"Cookie": cookie, "Origin": served.origin}) as client:
        socket = await client.ws_connect(f"{served.origin}/bots/ridge-1/events")
        first: dict[str, Any] = json.loads(await socket.receive_str())
        assert {"bar", "pairs", "health", "settings"} <= first["panels"].keys()
        bot.view = view_in(BotState.NAKED)
        later: dict[str, Any] = json.loads(await socket.receive_str(timeout=5))
        assert "Naked" in later["title"]
        await asyncio.to_thread(served.post, "/logout", f"csrf={csrf}", Cookie=cookie)
        ended = await socket.receive(timeout=5)
        assert ended.type is aiohttp.WSMsgType.CLOSE
        assert socket.closed


def test_a_socket_is_for_a_session_of_this_site_and_ends_with_it() -> None:
    bot = ShownBot(view_in(BotState.HEDGED))
    routes = DashboardRoutes([bot], SystemClock())
    with served_dashboard(routes.routes(), stop=routes.stop) as served:
        asyncio.run(followed(served, bot))
