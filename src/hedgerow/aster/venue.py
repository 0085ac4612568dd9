"""Aster as a ``ports.Venue``: one account, read in few round trips, written through one door."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import assert_never

from hedgerow.aster.account_cache import AccountCache, AccountNews, NewsKind
from hedgerow.aster.account_history import AccountHistory
from hedgerow.aster.account_reader import AccountReader
from hedgerow.aster.client import AsterClient
from hedgerow.aster.market_cache import MarketCache
from hedgerow.aster.market_reader import MarketReader
from hedgerow.aster.orders import OrderDesk
from hedgerow.aster.own import OwnActs
from hedgerow.aster.settings import SettingsDesk
from hedgerow.aster.timed import Timed
from hedgerow.aster.translate import depth_of
from hedgerow.aster.wire_account import OrderRow
from hedgerow.domain.account import AccountView, OpenOrder
from hedgerow.domain.commands import CancelOrder, Command, PlaceOrder, SetLeverage, SetMarginType, TransferFunds
from hedgerow.domain.errors import MarketClosed
from hedgerow.domain.events import Event
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import Market
from hedgerow.domain.market import Depth, MarketView
from hedgerow.domain.order import Fill, OrderRequest
from hedgerow.ports import AccountRecord, Clock, StatementRow

__all__ = ["AsterVenue"]

CLOCK_CHECK_SECONDS = 600.0


class AsterVenue:
    """One account of Aster.

    ``remember`` should be given the event log before anything else: it tells the bot's own orders and transfers of
    earlier runs from those of others. ``hedgerow.aster.streams`` fills the two caches; without it everything is read
    by REST.
    """

    def __init__(self, client: AsterClient, clock: Clock, *, name: str = "Aster") -> None:
        self.client = client
        self._clock = clock
        self._name = name
        self._own = OwnActs()
        self.market_cache = MarketCache()
        self.account_cache = AccountCache(clock)
        self._markets = MarketReader(client, clock, self.market_cache)
        self._accounts = AccountReader(
            client, clock, self._markets.listing, cache=self.account_cache, market_cache=self.market_cache
        )
        self.account_cache.subscribe(self._heed)
        self._history = AccountHistory(client, self._own)
        self._orders = OrderDesk(client, clock, self._own, self.account_cache)
        self._settings = SettingsDesk(client, clock, self._own)
        self._offset = Timed(clock, client.synchronise, seconds=CLOCK_CHECK_SECONDS)

    def remember(self, events: Iterable[Event]) -> None:
        """Take over the whole event log of earlier runs."""
        self._own.remember(events)

    @property
    def name(self) -> str:
        """Name for people."""
        return self._name

    async def market(self, periods: int) -> MarketView:
        """Read the whole market, with at least ``periods`` newest settled rates per symbol where they exist."""
        return await self._markets.read(periods)

    async def account(self) -> AccountView:
        """Read both wallets, positions and account modes."""
        if self._offset.known is None:
            await self._offset.get()
        view, _ = await asyncio.gather(self._accounts.read(), self._offset.get())
        return view

    async def depth(self, market: Market, symbol: str) -> Depth:
        """Read the visible book of one instrument."""
        at = self._clock.now()
        self._markets.listing.care_about((symbol,))
        cached = self.market_cache.depth(market, symbol, at)
        return cached or depth_of(market, symbol, await self.client.depth(market, symbol), at)

    async def open_orders(self, symbol: str) -> tuple[OpenOrder, ...]:
        """Read the orders resting on either market of ``symbol``, whoever sent them."""
        pages = await asyncio.gather(*(self._resting(market, symbol) for market in Market))
        return tuple(
            OpenOrder(symbol=row.symbol, client_id=row.client_order_id, order_id=row.order_id)
            for page in pages
            for row in page
        )

    async def submit(self, command: Command) -> tuple[Event, ...]:
        """Carry out one command and return what is known to have happened, oldest first; never raises."""
        try:
            return await self._carry_out(command)
        finally:
            self.account_cache.touch()

    async def _carry_out(self, command: Command) -> tuple[Event, ...]:
        match command:
            case PlaceOrder():
                self._markets.listing.care_about((command.order.symbol,))
                return await self._orders.place(command.order)
            case CancelOrder():
                return await self._orders.cancel(command)
            case TransferFunds():
                return await self._settings.transfer(command)
            case SetLeverage():
                return await self._settings.leverage(command)
            case SetMarginType():
                return await self._settings.margin_type(command)
        assert_never(command)

    async def resolve(self, request: OrderRequest) -> tuple[Event, ...]:
        """Find out what became of an order, by its client id."""
        return await self._orders.resolve(request)

    async def fills(self, market: Market, symbol: str, since: datetime) -> tuple[Fill, ...]:
        """Read our trades on one instrument since a time, oldest first."""
        self._markets.listing.care_about((symbol,))
        return await self._history.fills(market, symbol, since)

    async def funding_payments(self, since: datetime) -> tuple[FundingPayment, ...]:
        """Read all funding payments since a time, oldest first."""
        return await self._history.funding_payments(since)

    async def statement(self, since: datetime) -> tuple[StatementRow, ...]:
        """Read the rows since a time that the bot did not cause, oldest first."""
        return await self._history.statement(since)

    async def record(self, since: datetime) -> AccountRecord:
        """Read everything that was written down about the account since a time."""
        return await self._history.record(since)

    def _heed(self, news: AccountNews) -> None:
        if news.kind in {NewsKind.CONFIGURATION, NewsKind.CONNECTED}:
            self._accounts.modes_changed()

    async def _resting(self, market: Market, symbol: str) -> tuple[OrderRow, ...]:
        """Return the orders resting on one market; a market that does not exist has none."""
        try:
            return await self.client.open_orders(market, symbol)
        except MarketClosed:
            return ()
