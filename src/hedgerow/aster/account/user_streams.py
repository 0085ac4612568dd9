"""User streams: account changes and order reports."""

import asyncio
from decimal import Decimal
from random import Random

from msgspec import UNSET, Raw, Struct

from hedgerow.aster.account.stream_cache import AccountCache
from hedgerow.aster.client import AsterClient
from hedgerow.aster.http.reconnecting_stream import ReconnectingStream, StreamHandler
from hedgerow.aster.reports import Report
from hedgerow.aster.rules import forced_trade
from hedgerow.aster.schema.account_rows import OrderRow
from hedgerow.aster.schema.market_rows import Millis, Wire, decode
from hedgerow.domain.errors import OutcomeUnknown, VenueError
from hedgerow.domain.instrument import Market
from hedgerow.domain.notifications import Notification, NotificationKind
from hedgerow.domain.order import ForcedTrade
from hedgerow.ports import Clock, StreamConnection, StreamTransport

__all__ = ["UserStreams"]

RENEW_SECONDS = (25 * 60.0, 30 * 60.0)
"""A listen key lives for 60 minutes (docs/aster-api.md 10.2)."""


class _Event(Struct, frozen=True):
    """The part of an event that says what it is."""

    e: str
    o: Raw = Raw(b"null")
    a: Raw = Raw(b"null")
    ai: Raw = Raw(b"null")
    """Of ACCOUNT_CONFIG_UPDATE: the account's modes; absent when only a symbol's leverage changed."""
    ac: Raw = Raw(b"null")
    """Of ACCOUNT_CONFIG_UPDATE: the symbol whose leverage changed."""


class _Report(
    Wire,
    frozen=True,
    kw_only=True,
    rename={
        "symbol": "s",
        "client_id": "c",
        "status": "X",
        "order_id": "i",
        "filled": "z",
        "average": "ap",
        "notional": "Z",
        "side": "S",
        "price": "p",
        "time": "T",
    },
):
    """An order report: ``o`` of ORDER_TRADE_UPDATE, or a whole executionReport."""

    symbol: str
    client_id: str
    status: str | None = None
    order_id: int | None = None
    filled: Decimal | None = None
    average: Decimal | None = None
    notional: Decimal | None = None
    side: str | None = None
    price: Decimal | None = None
    """The order's limit."""
    time: Millis | None = None


_KINDS = {
    "ORDER_TRADE_UPDATE": NotificationKind.ORDER,
    "executionReport": NotificationKind.ORDER,
    "ACCOUNT_UPDATE": NotificationKind.BALANCE,
    "outboundAccountPosition": NotificationKind.BALANCE,
    "ACCOUNT_CONFIG_UPDATE": NotificationKind.MODES,
    "MARGIN_CALL": NotificationKind.MARGIN_CALL,
}


class _Change(Struct, frozen=True):
    """The part of ACCOUNT_UPDATE that says why."""

    m: str


class _Leverage(Struct, frozen=True):
    """``ac`` of ACCOUNT_CONFIG_UPDATE."""

    s: str
    l: int  # noqa: E741 - the venue's name


class UserStreams:
    """Passes events to an ``AccountCache``, on both markets, until cancelled."""

    def __init__(
        self,
        *,
        client: AsterClient,
        transport: StreamTransport,
        clock: Clock,
        random: Random,
        cache: AccountCache,
        report: Report,
    ) -> None:
        self._clock = clock
        self._random = random
        self._listeners = {market: _UserStreamHandler(market, client, clock, cache, report) for market in Market}
        self._links = [
            ReconnectingStream(
                transport=transport,
                clock=clock,
                random=random,
                listener=listener,
                name=f"the {market} account stream",
                report=report.again,
            )
            for market, listener in self._listeners.items()
        ]

    @property
    def open_streams(self) -> tuple[bool, ...]:
        """Whether each of its streams has a connection now."""
        return tuple(link.is_open for link in self._links)

    async def run(self) -> None:
        """Listen until cancelled."""
        async with asyncio.TaskGroup() as group:
            for link in self._links:
                group.create_task(link.run())
            for listener in self._listeners.values():
                group.create_task(self._keep_alive(listener))

    async def _keep_alive(self, listener: "_UserStreamHandler") -> None:
        while True:
            await self._clock.sleep(self._random.uniform(*RENEW_SECONDS))
            await listener.renew()


class _UserStreamHandler(StreamHandler):
    """One market's connection."""

    def __init__(self, market: Market, client: AsterClient, clock: Clock, cache: AccountCache, report: Report) -> None:
        self._market = market
        self._client = client
        self._clock = clock
        self._cache = cache
        self._unreadable = report
        self._key = ""
        self._connection: StreamConnection | None = None

    async def address(self) -> str:
        """Return the address of a live listen key."""
        self._key = await self._client.open_listen_key(self._market)
        return f"{self._client.hosts.user_ws(self._market)}/ws/{self._key}"

    async def opened(self, connection: StreamConnection) -> None:
        """From now on changes are reported."""
        self._connection = connection
        self._notify(NotificationKind.CONNECTED)

    def closed(self) -> None:
        """From now on changes may be missed."""
        self._connection = None
        self._notify(NotificationKind.LOST)

    async def renew(self) -> None:
        """Prolong the listen key; where that is refused, start again with another one."""
        connection = self._connection
        if connection is None:
            return
        try:
            await self._client.renew_listen_key(self._market, self._key)
        except VenueError:
            await connection.close()

    def on_message(self, message: str | bytes) -> None:
        """Take over one event; kinds that are not known are ignored, one that cannot be read counts as a change.

        Raises:
            VenueError: the listen key expired.
        """
        kind: NotificationKind | None = NotificationKind.BALANCE
        try:
            event = decode(message, _Event)
            kind = _KINDS.get(event.e)
            self._take(event, kind, message)
        except OutcomeUnknown as unreadable:
            self._unreadable(f"a message of the {self._market} account stream cannot be read", str(unreadable))
            self._notify(NotificationKind.MODES if kind is NotificationKind.MODES else NotificationKind.BALANCE)
        else:
            if event.e == "listenKeyExpired":
                raise VenueError("the listen key expired")

    def _take(self, event: _Event, kind: NotificationKind | None, message: str | bytes) -> None:
        """Take over one event of a known kind.

        Raises:
            OutcomeUnknown: it cannot be read.
        """
        if kind is NotificationKind.ORDER:
            self._report(event.o if event.e == "ORDER_TRADE_UPDATE" else message)
        elif kind is NotificationKind.MODES and event.ai == Raw(b"null"):
            changed = decode(event.ac, _Leverage)
            self._notify(NotificationKind.LEVERAGE, changed.s, detail=f"its leverage is {changed.l}x now")
        elif kind is not None:
            self._notify(_finer(event, kind))

    def _report(self, message: Raw | str | bytes) -> None:
        """Take over the report of an order; one that does not say how far it is only says that something happened."""
        row = decode(message, _Report)
        if row.status is not None and row.order_id is not None and row.filled is not None:
            self._cache.reported(
                OrderRow(
                    order_id=row.order_id,
                    symbol=row.symbol,
                    status=row.status,
                    client_order_id=row.client_id,
                    side=row.side,
                    price=row.price,
                    avg_price=row.average,
                    executed_qty=row.filled,
                    cum_quote=row.notional,
                    update_time=row.time,
                )
            )
        forced = forced_trade(row.client_id)
        if forced is UNSET:
            self._notify(NotificationKind.ORDER, row.symbol, row.client_id)
        else:
            self._notify(NotificationKind.FORCED, row.symbol, row.client_id, forced=forced)

    def _notify(
        self,
        kind: NotificationKind,
        symbol: str = "",
        client_id: str = "",
        *,
        detail: str = "",
        forced: ForcedTrade | None = None,
    ) -> None:
        self._cache.on_notification(
            Notification(
                at=self._clock.now(),
                market=self._market,
                kind=kind,
                symbol=symbol,
                client_id=client_id,
                detail=detail,
                forced_trade=forced,
            )
        )


def _finer(event: _Event, kind: NotificationKind) -> NotificationKind:
    """Distinguish funding from other changes of balances."""
    if event.e == "ACCOUNT_UPDATE" and decode(event.a, _Change).m == "FUNDING_FEE":
        return NotificationKind.FUNDING
    return kind
