"""Aster as a ``ports.Venue``: one account, read in few round trips."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import NoReturn, assert_never

from msgspec.structs import replace

from hedgerow.aster.account.history import AsterAccountHistory
from hedgerow.aster.account.nonce_reservations import Reservations
from hedgerow.aster.account.orders import OrderClient
from hedgerow.aster.account.own_activity import OwnActivity
from hedgerow.aster.account.reader import AccountReader
from hedgerow.aster.account.settings import AccountCommands
from hedgerow.aster.account.stream_cache import AccountCache
from hedgerow.aster.cached_read import CachedRead
from hedgerow.aster.client import AsterClient
from hedgerow.aster.market.reader import MarketReader
from hedgerow.aster.market.stream_cache import MarketCache
from hedgerow.aster.notifications import AsterNotifications
from hedgerow.aster.reports import Report
from hedgerow.aster.rules import ASTER
from hedgerow.aster.schema.account_rows import OrderRow
from hedgerow.aster.schema.convert import depth_of
from hedgerow.domain.account import QUOTE_ASSET, AccountView, OpenOrder, PerpPosition
from hedgerow.domain.commands import (
    ArmDeadMan,
    CancelOrder,
    Command,
    PlaceOrder,
    SetLeverage,
    SetMarginType,
    TransferFunds,
)
from hedgerow.domain.errors import MarketClosed, VenueError
from hedgerow.domain.events import Event
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.market import Depth, MarketView
from hedgerow.domain.notifications import Notification, NotificationKind
from hedgerow.domain.order import Fill, OrderRequest
from hedgerow.domain.position import OrderRecord
from hedgerow.ports import AccountHistory, Clock, StatementRow, VenueRules
from hedgerow.tasks import all_of

__all__ = ["AsterVenue"]

CLOCK_CHECK_SECONDS = 600.0
KEEP_UP_SECONDS = 40.0
"""Pause between looks at what falls due; no divisor of a usual check interval, so that the two seldom meet."""
AHEAD = 2
"""How many pauses ahead: one that is slow or fails leaves another before anything is due."""


class AsterVenue:
    """One account of Aster.

    ``remember`` should be given the event log, or its newest part, before anything else: it identifies the
    orders and transfers of earlier runs of the bot. ``hedgerow.aster.streams`` fills the two caches; without it
    everything is read by REST.
    """

    def __init__(self, client: AsterClient, clock: Clock, *, name: str = "Aster") -> None:
        self.client = client
        self._clock = clock
        self._name = name
        self._own = OwnActivity()
        self.report = Report()
        """Shows its user what of the streams and their listeners fails; says nothing until ``show`` is set."""
        self.market_cache = MarketCache(self.report)
        self.account_cache = AccountCache(clock, self.report)
        self._markets = MarketReader(client, clock, self.market_cache)
        self._accounts = AccountReader(client, clock, self._markets.listing, cache=self.account_cache)
        self.account_cache.subscribe(self._heed)
        self._notifications = AsterNotifications(
            clock, self.account_cache, self.market_cache, self._markets.interval, report=self.report
        )
        self._notifications.subscribe(self._heed_market)
        self._history = AsterAccountHistory(client, clock, self._own)
        self._reservations = Reservations(client, self._own, clock)
        self._orders = OrderClient(client, clock, self._own, cache=self.account_cache, reservations=self._reservations)
        self._settings = AccountCommands(client, clock, self._own, reservations=self._reservations)
        self._offset = CachedRead(clock, client.synchronise, seconds=CLOCK_CHECK_SECONDS)

    def remember(self, events: Iterable[Event], orders: Iterable[OrderRecord] = ()) -> None:
        """Take over the event log of earlier runs: all of it, or its newest part from ``Ledger.recent_from`` on.

        ``orders`` are those of hedges that are kept and may be older.
        """
        self._own.remember(events, orders)

    def expect(self, totals: Mapping[str, Decimal], seen_at: datetime) -> None:
        """Take over what earlier runs left in the spot wallet by their log, base units by asset, as of a time."""
        self._accounts.expect(totals, seen_at)

    def forget(self, before: datetime) -> None:
        """Let go of orders and transfers sent before a time; statements are asked for from a later one on."""
        self._own.forget(before)

    @property
    def name(self) -> str:
        """Display name."""
        return self._name

    @property
    def rules(self) -> VenueRules:
        """What it accepts."""
        return ASTER

    async def synchronise(self) -> float:
        """Return the seconds that the venue's clock is ahead, measured now and then.

        Raises:
            VenueError: it was never measured, and cannot be.
        """
        return await self._offset.get()

    @property
    def streaming(self) -> bool:
        """Whether the streams are open and deliver messages, so that no event is missed."""
        return self._notifications.streaming

    def subscribe(self, listener: Callable[[Notification], None]) -> Callable[[], None]:
        """Call ``listener`` with every notification; returns what ends that."""
        return self._notifications.subscribe(listener)

    def follow(self, *symbols: str) -> None:
        """Report mark, interval and status of this symbol alone; None = of none."""
        self._notifications.follow(*symbols)

    async def market(self, periods: int) -> MarketView:
        """Read the whole market, with at least ``periods`` newest settled rates per symbol where they exist."""
        return await self._markets.read(periods)

    async def account(self) -> AccountView:
        """Read both wallets, positions and account modes."""
        if self._offset.known is None:
            await self._offset.get()
        view, offset = await all_of(self._accounts.read(), self._offset.get())
        return replace(view, clock_skew_seconds=offset)

    async def position(self, symbol: str) -> PerpPosition:
        """Read one perpetual position from ``positionRisk``."""
        return await self._accounts.position(symbol)

    async def depth(self, market: Market, symbol: str) -> Depth:
        """Read the visible book of one instrument."""
        at = self._clock.now()
        self._markets.listing.care_about((symbol,))
        cached = self.market_cache.depth(market, symbol, at)
        return cached or depth_of(market, symbol, await self.client.depth(market, symbol), at)

    async def open_interest(self, symbol: str) -> Decimal:
        """Read how much of a perpetual is held open, base units."""
        return (await self.client.open_interest(symbol)).open_interest

    async def pair(self, symbol: str, *, fresh: bool = False) -> BasisPair:
        """Read a pair as it is listed: at most ``LISTING_SECONDS`` old, or with ``fresh`` read now."""
        return await self._markets.listing.pair(symbol, fresh=fresh)

    async def open_orders(self, symbol: str) -> tuple[OpenOrder, ...]:
        """Read the orders resting on either market of ``symbol``, from any sender."""
        pages = await all_of(*(self._resting(market, symbol) for market in Market))
        return tuple(
            OpenOrder(symbol=row.symbol, client_id=row.client_order_id, order_id=row.order_id)
            for page in pages
            for row in page
        )

    def blocked_seconds(self, market: Market) -> float:
        """Return how long the host of a market refuses every order, as it said itself; 0 when it does not."""
        return self.client.rest.limiters[market].blocked_seconds()

    def reserve(self, command: Command) -> int | None:
        """Return the nonce that an order or a transfer will be signed with; None for a setting and with V1 keys."""
        return self._reservations.reserve(command)

    async def submit(self, command: Command) -> tuple[Event, ...]:
        """Carry out one command and return what is known to have happened, oldest first; never raises."""
        try:
            return await self._carry_out(command)
        finally:
            self.account_cache.touch()

    async def _carry_out(self, command: Command) -> tuple[Event, ...]:
        match command:
            case PlaceOrder():
                if command.order.market is Market.SPOT:
                    self._accounts.spends((command.order.symbol.removesuffix(QUOTE_ASSET), QUOTE_ASSET))
                self._markets.listing.care_about((command.order.symbol,))
                return await self._orders.place(command.order)
            case CancelOrder():
                return await self._orders.cancel(command)
            case TransferFunds():
                self._accounts.spends((command.asset,))
                return await self._settings.transfer(command)
            case SetLeverage():
                return await self._settings.leverage(command)
            case SetMarginType():
                return await self._settings.margin_type(command)
            case ArmDeadMan():
                return await self._settings.dead_man(command)
        assert_never(command)

    async def resolve(self, request: OrderRequest) -> tuple[Event, ...]:
        """Find out what became of an order, by its client id."""
        return await self._orders.resolve(request)

    async def watch(self, request: OrderRequest, filled: Decimal, seconds: float) -> tuple[Event, ...]:
        """Wait until a resting order moved beyond ``filled`` or ended, at most so long."""
        return await self._orders.watch(request, filled, seconds)

    async def fills(self, market: Market, symbol: str, since: datetime) -> tuple[Fill, ...]:
        """Read our trades on one instrument since a time, oldest first."""
        self._markets.listing.care_about((symbol,))
        return await self._history.fills(market, symbol, since)

    async def funding_payments(self, since: datetime) -> tuple[FundingPayment, ...]:
        """Read all funding payments since a time, oldest first."""
        return await self._history.funding_payments(since)

    async def statement(self, since: datetime, until: datetime | None = None) -> tuple[StatementRow, ...]:
        """Read the rows since a time that the bot did not cause, oldest first."""
        return await self._history.statement(since, until)

    async def record(self, since: datetime) -> AccountHistory:
        """Read everything that was written down about the account since a time."""
        return await self._history.record(since)

    async def keep_up(self) -> NoReturn:
        """Renew until cancelled what is read on slow timers, before it is due: no check has to wait for it."""
        while True:
            await self._clock.sleep(KEEP_UP_SECONDS)
            ahead = AHEAD * KEEP_UP_SECONDS
            for renew in (self._markets.renew, self._accounts.renew, self._offset.renew):
                with suppress(VenueError):
                    await renew(ahead)

    def _heed(self, notification: Notification) -> None:
        if notification.kind in {NotificationKind.MODES, NotificationKind.CONNECTED}:
            self._accounts.modes_changed()

    def _heed_market(self, notification: Notification) -> None:
        if notification.kind in {NotificationKind.STATUS, NotificationKind.INTERVAL}:
            self._markets.changed()

    async def _resting(self, market: Market, symbol: str) -> tuple[OrderRow, ...]:
        """Return the orders resting on one market; a market that does not exist has none."""
        try:
            return await self.client.open_orders(market, symbol)
        except MarketClosed:
            return ()
