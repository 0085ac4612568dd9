"""Connections of the exchange: who subscribes to what, and when there is something to send."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from hedgerow.domain.instrument import Market
from hedgerow.domain.order import ForcedTrade
from hedgerow.emulator.core.market import Conditions
from hedgerow.emulator.forced_orders import forced_trade
from hedgerow.emulator.wire.exchange.exchange import Exchange
from hedgerow.emulator.wire.protocol.number_format import to_ms
from hedgerow.emulator.wire.rest.faults import WireFaults
from hedgerow.emulator.wire.streams.market_streams import MarketStream, parse_stream
from hedgerow.emulator.wire.streams.sessions import StreamSession, stream_names

__all__ = ["StreamConnections"]


class StreamConnections:
    """Opens sessions and feeds them from the exchange; nothing is computed that nobody listens to.

    Public streams are fed every ``pace_seconds`` at most; what happens to an account is always sent at once.
    """

    def __init__(self, exchange: Exchange, faults: WireFaults, *, pace_seconds: float = 0.0) -> None:
        self._exchange = exchange
        self._faults = faults
        self._pace = timedelta(seconds=pace_seconds)
        self._next_feed = exchange.now
        self._sessions: list[StreamSession] = []
        self._streams: dict[tuple[Market, str], MarketStream | None] = {}
        self._conditions: Conditions = exchange.market.conditions
        exchange.listeners.append(self._on_event)

    @property
    def sessions(self) -> tuple[StreamSession, ...]:
        """Every open connection."""
        return tuple(self._sessions)

    def connect(self, market: Market, path: str, query: str, on_output: Callable[[], None]) -> StreamSession | None:
        """Open a connection; None when the address is no stream's."""
        named = stream_names(path, query)
        if named is None:
            return None
        combined, streams = named
        session = StreamSession(
            market, self._exchange.now, combined=combined, streams=streams, faults=self._faults, on_output=on_output
        )
        self._sessions.append(session)
        return session

    def drop(self, session: StreamSession) -> None:
        """Forget a connection that ended."""
        if session in self._sessions:
            self._sessions.remove(session)

    def publish(self) -> None:
        """Send what is due at the exchange's present time."""
        now = self._exchange.now
        self._sessions = [session for session in self._sessions if not session.closed]
        for session in self._sessions:
            session.tick(now)
        if now >= self._next_feed:
            self._next_feed = now + self._pace
            self._publish()

    def _publish(self) -> None:
        self._wake()
        self._repeat_for_new()
        listened = set(self._listened())
        self._streams = {key: stream for key, stream in self._streams.items() if key in listened}
        for key in sorted(listened):
            self._feed(*key)

    def next_due(self) -> datetime | None:
        """Return when there may be something to send; None when nobody listens."""
        dues = [session.next_due for session in self._sessions if not session.closed]
        listened = set(self._listened())
        dues += [stream.due for key, stream in self._streams.items() if stream is not None and key in listened]
        if any(key not in self._streams for key in listened) or any(session.fresh for session in self._sessions):
            dues.append(self._exchange.now)
        return max(min(dues), self._next_feed) if dues else None

    def _wake(self) -> None:
        before, self._conditions = self._conditions, self._exchange.market.conditions
        if before is not self._conditions:
            for stream in self._streams.values():
                if stream is not None:
                    stream.wake(books_only=before.shocks == self._conditions.shocks)

    def _repeat_for_new(self) -> None:
        for session in self._sessions:
            for name in session.fresh:
                stream = self._streams.get((session.market, name))
                if stream is not None:
                    stream.repeat()
            session.fresh.clear()

    def _listened(self) -> Iterator[tuple[Market, str]]:
        return ((session.market, name) for session in self._sessions if not session.closed for name in session.streams)

    def _feed(self, market: Market, name: str) -> None:
        if (market, name) not in self._streams:
            self._streams[market, name] = parse_stream(self._exchange, market, name)
        stream = self._streams[market, name]
        for message in stream.pending() if stream is not None else ():
            for session in self._sessions:
                if session.market is market and name in session.streams:
                    session.push(name, message)

    def _on_event(self, user: str, market: Market, event: dict[str, Any]) -> None:
        """Pass an event of an account to the holder of its listen key, and forced orders to their public stream."""
        exchange_account = self._exchange.exchange_accounts.get(user)
        key = exchange_account.listen_keys.get(market) if exchange_account is not None else None
        for session in self._sessions:
            if key is not None and session.market is market and key.key in session.streams:
                session.push(key.key, event, topic=event["e"])
        if event["e"] == "ORDER_TRADE_UPDATE":
            self._on_order(event["o"])

    def _on_order(self, order: dict[str, Any]) -> None:
        if forced_trade(order["c"]) is not ForcedTrade.LIQUIDATION or order["X"] != "FILLED":
            return
        fields = {name: order[name] for name in ("s", "S", "o", "f", "q", "p", "ap", "X", "l", "z", "T")}
        event = {"e": "forceOrder", "E": to_ms(self._exchange.now), "o": fields}
        for session in self._sessions:
            for name in (f"{order['s'].lower()}@forceOrder", "!forceOrder@arr"):
                if session.market is Market.PERP and name in session.streams:
                    session.push(name, event)
