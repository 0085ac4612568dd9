"""A wire between bot and exchange that can fail: every request passes through it, and it knows the simulated time.

Two ports lead to the exchange's two. What becomes of a request is up to ``judge``. The bot's clock in lockstep is asked
for on connections of its own (``/admin``): those always pass, since cutting them would stop the time and not the
exchange; their answers tell the wire what time it is, so that cuts begin and end on the simulated clock.
"""

import asyncio
import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from _exchange import HOST, START

TIME = re.compile(rb'"time":"([^"]+)"')
LONGEST = 2**24


class Incident(StrEnum):
    """What becomes of a request."""

    PASS = "pass"  # noqa: S105 - a word, not a secret
    REFUSED = "refused"
    """The connection is reset before anything reaches the exchange; a new one is reset at once."""
    ANSWER_CUT = "answer_cut"
    """The exchange does it; the answer breaks off in the middle with a reset."""
    REQUEST_LOST = "request_lost"
    """It disappears: nothing reaches the exchange, nothing ever comes back."""
    ANSWER_LOST = "answer_lost"
    """The exchange does it; nothing ever comes back."""


Judge = Callable[[str], Incident]
"""Takes the request's first line; asked once per request, before anything of it goes on."""


def always_pass(request: str) -> Incident:
    """Let everything through."""
    del request
    return Incident.PASS


class Wire:
    """Carries requests until it is closed; all of it happens in a thread of its own."""

    def __init__(self, port: int, judge: Judge = always_pass, *, answered: Callable[[str], None] | None = None) -> None:
        """``port`` is that of the exchange's futures; ``answered`` is called when a request's answer arrived here."""
        self.judge = judge
        self.answered = answered
        self.now = START
        """The exchange's time, as its clock last reported it to the bot."""
        self.requests = 0
        self.incidents: dict[Incident, int] = dict.fromkeys(Incident, 0)
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._listens = threading.Event()
        self._servers: list[asyncio.Server] = []
        self._carried: set[asyncio.Task[None] | None] = set()
        """Kept, since the loop itself does not hold on to tasks that wait."""
        self._thread = threading.Thread(target=self._serve, name="wire", daemon=True)
        self._thread.start()
        if not self._listens.wait(30):
            raise RuntimeError("the wire does not listen")

    @property
    def ports(self) -> tuple[int, int]:
        """Where bots find futures and spot."""
        futures, spot = (int(server.sockets[0].getsockname()[1]) for server in self._servers)
        return futures, spot

    def close(self) -> None:
        """Cut it for good."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Do something on the wire's own thread after some real time."""
        self._loop.call_later(seconds, act)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._listens.set()
        self._loop.run_forever()
        for server in self._servers:
            server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _listen(self) -> None:
        for port in (self._port, self._port + 1):
            self._servers.append(
                await asyncio.start_server(lambda r, w, port=port: self._carry(r, w, port), HOST, 0, limit=LONGEST)  # type: ignore[misc]
            )

    async def _carry(self, bot: asyncio.StreamReader, to_bot: asyncio.StreamWriter, port: int) -> None:
        """Carry one connection: what is asked, and what comes back."""
        away: asyncio.StreamWriter | None = None
        task = asyncio.current_task()
        self._carried.add(task)
        try:
            from_exchange, away = await asyncio.open_connection(HOST, port, limit=LONGEST)
            while asked := await _message(bot):
                if not await self._exchanged(asked, to_bot, from_exchange, away):
                    break
        except OSError:
            _reset(to_bot)  # the exchange is away: so is the way to it
        finally:
            for end in (to_bot, away):
                if end is not None:
                    end.close()
            self._carried.discard(task)

    async def _exchanged(
        self,
        asked: bytes,
        to_bot: asyncio.StreamWriter,
        from_exchange: asyncio.StreamReader,
        away: asyncio.StreamWriter,
    ) -> bool:
        """Carry one request and its answer; tells whether the connection lives on."""
        request = asked.partition(b"\r\n")[0].decode("latin-1")
        clock = "/admin" in request
        incident = Incident.PASS if clock else self._judged(request)
        if incident is Incident.REFUSED:
            _reset(to_bot)
            return False
        if incident is Incident.REQUEST_LOST:
            return True
        away.write(asked)
        answer = await _message(from_exchange)
        if not answer:
            raise ConnectionResetError
        if self.answered is not None and not clock:
            self.answered(request)
        if clock and (found := TIME.search(answer)):
            self.now = datetime.fromisoformat(found[1].decode())
        if incident is Incident.ANSWER_LOST:
            return True
        to_bot.write(answer[: len(answer) // 2] if incident is Incident.ANSWER_CUT else answer)
        with contextlib.suppress(ConnectionError):
            await to_bot.drain()
        if incident is Incident.ANSWER_CUT:
            _reset(to_bot)
        return incident is Incident.PASS

    def _judged(self, request: str) -> Incident:
        self.requests += 1
        incident = self.judge(request)
        self.incidents[incident] += 1
        return incident


async def _message(reader: asyncio.StreamReader) -> bytes:
    """Read one whole request or answer; empty when the other end hung up."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        return head + (await reader.readexactly(int(length[1])) if length else b"")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST, as a wall that falls does, and not with a tidy FIN."""
    held = writer.get_extra_info("socket")
    if held is not None:
        with contextlib.suppress(OSError):
            held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
