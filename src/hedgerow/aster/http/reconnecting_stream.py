"""One stream kept open: reconnects with back-off, rotates before the venue's time limit, closes when silent."""

from collections.abc import Awaitable, Callable
from random import Random
from typing import NoReturn

from hedgerow.domain.errors import VenueError
from hedgerow.ports import Clock, StreamConnection, StreamTransport
from hedgerow.tasks import describe

__all__ = ["ReconnectingStream", "StreamHandler"]

ROTATE_SECONDS = 23 * 3600.0
"""The venue ends every connection at 24 h (docs/aster-api.md 10)."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
HEALTHY_SECONDS = 60.0
"""A connection that lived for so long resets the back-off."""
FAILURES_REPORTED = 3


class StreamHandler:
    """Callbacks of a stream, to be overridden where needed."""

    async def address(self) -> str:
        """Return where to connect now."""
        raise VenueError("no address")

    async def opened(self, connection: StreamConnection) -> None:
        """A connection is open."""

    def on_message(self, message: str | bytes) -> None:
        """A message came; raising ends the connection."""

    def closed(self) -> None:
        """The connection is gone."""


class ReconnectingStream:
    """Runs one stream for ever; ``silence_seconds`` without any message ends a connection.

    A connection that ends now and then is normal. ``report`` is called once when ``FAILURES_REPORTED`` connections in
    a row lived shortly, and at once for a mistake of our own, which ends a connection too.
    """

    def __init__(  # noqa: PLR0913 - keyword-only, and each is one thing it needs
        self,
        *,
        transport: StreamTransport,
        clock: Clock,
        random: Random,
        listener: StreamHandler,
        silence_seconds: float = ROTATE_SECONDS,
        name: str = "stream",
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._random = random
        self._listener = listener
        self._silence = silence_seconds
        self._name = name
        self._report = report
        self._reported = ""
        self.is_open = False
        """Whether there is a connection now."""

    async def run(self) -> NoReturn:
        """Keep the stream open until cancelled."""
        failures = 0
        while True:
            began = self._clock.monotonic()
            try:
                await self._live()
                failures = 0
            except Exception as error:  # noqa: BLE001 - whatever ends a connection, the next one is opened
                if self._clock.monotonic() - began >= HEALTHY_SECONDS:
                    failures, self._reported = 0, ""
                failures += 1
                self._report_failure(error, failures)
                await self._clock.sleep(self._pause(failures))

    def _report_failure(self, error: Exception, failures: int) -> None:
        """Report a failure, the same one only once until a connection was healthy again."""
        problem = describe(error)
        due = failures >= FAILURES_REPORTED or not isinstance(error, VenueError)
        if due and problem != self._reported:
            self._reported = problem
            self._report(f"{self._name} fails: {problem}; it is opened again, and requests are sent instead until then")

    def _pause(self, failures: int) -> float:
        longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 10))
        return longest * (1 + self._random.random()) / 2

    async def _live(self) -> None:
        """Live through one connection; returns when it is time for the next one."""
        address = await self._listener.address()
        async with self._transport.connect(address) as connection:
            try:
                await self._listener.opened(connection)
                self.is_open = True
                await self._listen(connection)
            finally:
                self.is_open = False
                self._listener.closed()

    async def _listen(self, connection: StreamConnection) -> None:
        rotate_at = self._clock.monotonic() + ROTATE_SECONDS
        while (left := rotate_at - self._clock.monotonic()) > 0:
            message = await self._within(connection.receive, min(left, self._silence))
            if message is not None:
                self._listener.on_message(message)
            elif left > self._silence:
                raise VenueError(f"the stream was silent for {self._silence:.0f} s")

    async def _within(self, receive: Callable[[], Awaitable[str | bytes]], seconds: float) -> str | bytes | None:
        try:
            async with self._clock.timeout(seconds):
                return await receive()
        except TimeoutError:
            return None
