"""The exchange: REST, streams and ``/admin`` over one state and one clock."""

from collections.abc import Callable
from datetime import datetime

from hedgerow.domain.instrument import Market
from hedgerow.emulator.wire.admin.routes import AdminRoutes
from hedgerow.emulator.wire.exchange.exchange import Exchange
from hedgerow.emulator.wire.protocol.clock import ExchangeClock
from hedgerow.emulator.wire.rest.call import WireRequest
from hedgerow.emulator.wire.rest.faults import WireFaults
from hedgerow.emulator.wire.rest.router import RestReply, RestRouter
from hedgerow.emulator.wire.streams.connections import StreamConnections
from hedgerow.emulator.wire.streams.sessions import StreamSession

__all__ = ["WireVenue"]


class WireVenue:
    """What a shell of sockets, or a transport in memory, talks to.

    ``save`` is called before each answer leaves; ``seed`` is where the chance of faults begins. Public
    streams are fed every ``pace_seconds`` at most: many simulated hours of them become affordable.
    """

    def __init__(
        self,
        exchange: Exchange,
        clock: ExchangeClock,
        *,
        save: Callable[[Exchange], None] | None = None,
        seed: int = 0,
        pace_seconds: float = 0.0,
    ) -> None:
        self.exchange = exchange
        self.clock = clock
        self.faults = WireFaults(seed)
        self._rest = RestRouter(exchange, self.faults)
        self._connections = StreamConnections(exchange, self.faults, pace_seconds=pace_seconds)
        self._admin = AdminRoutes(exchange, clock, self.faults, self._connections)
        self._save = save
        self.watchers: list[Callable[[WireRequest, RestReply], None]] = []
        """Gets every request and its answer, except those to the administration."""

    def handle(self, request: WireRequest) -> RestReply:
        """Answer a request at the present time."""
        self.exchange.advance(self.clock.now())
        if request.path.startswith("/admin"):
            answer = RestReply(response=self._admin.handle(request))
        else:
            answer = self._rest.handle(request)
            for watch in self.watchers:
                watch(request, answer)
        self.tick()
        return answer

    def tick(self) -> None:
        """Do and send what fell due by now."""
        self.exchange.advance(self.clock.now())
        self.faults.expire(self.exchange.now)
        self._connections.publish()
        if self._save is not None:
            self._save(self.exchange)

    def connect(self, market: Market, path: str, query: str, on_output: Callable[[], None]) -> StreamSession | None:
        """Open a stream connection; None when the address is no stream's."""
        self.exchange.advance(self.clock.now())
        return self._connections.connect(market, path, query, on_output)

    def disconnect(self, session: StreamSession) -> None:
        """Forget a connection that the client ended."""
        session.closed = True
        self._connections.drop(session)

    def next_due(self) -> datetime | None:
        """Return when ``tick`` will have something to do; None when nothing waits."""
        dues = (self.exchange.next_due(), self._connections.next_due())
        return min((due for due in dues if due is not None), default=None)
