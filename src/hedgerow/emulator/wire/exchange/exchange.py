"""The exchange: several accounts on one market and one clock, and who may sign for whom."""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from hedgerow.domain.account import Balance
from hedgerow.domain.funding import EPOCH
from hedgerow.domain.instrument import Market, TradingStatus
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import OrderStatus
from hedgerow.emulator.core.market import Conditions, Marketplace
from hedgerow.emulator.core.market_changes import (
    FilterChange,
    MarketChange,
    Redenomination,
    StatusChange,
    TickerCollision,
)
from hedgerow.emulator.core.snapshot import WorldOptions, WorldState
from hedgerow.emulator.core.world import World
from hedgerow.emulator.markets.overrides import AmendedMarketData
from hedgerow.emulator.wire.exchange import account_events as events
from hedgerow.emulator.wire.exchange.account import ExchangeAccount
from hedgerow.emulator.wire.exchange.conditional_orders import fire_triggers
from hedgerow.emulator.wire.exchange.keyring import Keyring
from hedgerow.emulator.wire.exchange.main_wallets import account_name
from hedgerow.emulator.wire.exchange.order_lifecycle import cancel, match_queued
from hedgerow.emulator.wire.exchange.state import ExchangeAccountState, ExchangeState
from hedgerow.emulator.wire.protocol.exchange_info import Profile
from hedgerow.emulator.wire.protocol.order_records import Stage
from hedgerow.emulator.wire.protocol.rate_limits import Limits
from hedgerow.emulator.wire.protocol.signing import MAINNET
from hedgerow.ports import MarketData

__all__ = ["Exchange", "ExchangeRules"]

FIRST_ORDER_ID = 17_338_000_000
"""Order numbers do not fit 32 bits (docs/aster-api.md 5.2)."""

LONGEST_JITTER_SECONDS = 30.0

Listener = Callable[[str, Market, dict[str, Any]], None]


class ExchangeRules(Struct, frozen=True, kw_only=True):
    """What one emulated exchange may do differently from another."""

    chain_id: int = MAINNET
    nonce_window_seconds: float | None = 60.0
    """How far a nonce may be from the exchange's time; None = any time, and old keys' timestamps too (for clocks that
    do not follow)."""
    spot_delay_seconds: float = 0.02
    """Time between the acknowledgement of a spot order and its matching."""
    hide_orders_seconds: float = 0.0
    """How long a look-up does not find a new order yet (-2013)."""
    still: bool = False
    """Whether prices stay what they are at the start until a command moves them."""
    restless: bool = False
    """Whether books move every second, within a step of the tape."""
    world: WorldOptions = field(default_factory=WorldOptions)


class _StoppedBooks(Struct, frozen=True, kw_only=True):
    """Public books that stand still."""

    market: Marketplace
    at: datetime
    until: datetime


class Exchange(Keyring):
    """The state behind both REST routers and all streams."""

    def __init__(
        self,
        market_data: MarketData,
        *,
        start: datetime,
        rules: ExchangeRules | None = None,
        profile: Profile | None = None,
        state: ExchangeState | None = None,
    ) -> None:
        self.rules = rules or ExchangeRules()
        shared = state or ExchangeState(now=start, still_at=start if self.rules.still else None)
        super().__init__(shared)
        self.market_data = AmendedMarketData(
            market_data, changes=shared.fundings, still_at=shared.still_at, restless=self.rules.restless
        )
        self.profile = profile or Profile(market_data.pairs)
        self.exchange_accounts: dict[str, ExchangeAccount] = {}
        self.limits = {market: Limits(market) for market in Market}
        self.listeners: list[Listener] = []
        self._last_id = shared.last_id
        self._conditions: Conditions = shared.conditions
        self._house = self._world(WorldState(now=shared.now, spot={}, perp_balance=ZERO, conditions=shared.conditions))
        self._late: list[tuple[datetime, int, Callable[[], object]]] = []
        self._late_numbers = count()
        self._stopped: _StoppedBooks | None = None

    def state(self) -> ExchangeState:
        """Return what all accounts share, as one value."""
        return ExchangeState(
            now=self.now,
            last_id=self._last_id,
            still_at=self.market_data.still_at,
            fundings=self.market_data.changes,
            conditions=self._conditions,
            agents=dict(self.agents),
            keys=dict(self.keys),
            nonces=self.nonces,
        )

    @property
    def now(self) -> datetime:
        """The exchange's time."""
        return self._house.now

    @property
    def market(self) -> Marketplace:
        """Prices and books at any time up to now."""
        return self._house.parts.marketplace

    @property
    def revisions(self) -> tuple[int, ...]:
        """Numbers of which at least one rises with every change that a restart must remember."""
        return (
            self.revision,
            *(
                exchange_account.revision + exchange_account.world.revision
                for exchange_account in self.exchange_accounts.values()
            ),
        )

    @property
    def books(self) -> tuple[Marketplace, datetime]:
        """What public books are read from, and the time they show: the past, while they stand still."""
        stopped = self._stopped
        return (self.market, self.now) if stopped is None or self.now >= stopped.until else (stopped.market, stopped.at)

    # Accounts

    def is_open(self, user: str) -> bool:
        """Return whether an account of that name is open."""
        return user in self.exchange_accounts

    def open_account(
        self, user: str, *, spot: Mapping[str, Decimal] | None = None, perp: Decimal = ZERO
    ) -> ExchangeAccount:
        """Open an account with these balances; one that exists keeps its own."""
        known = self.exchange_accounts.get(account_name(user))
        if known is not None:
            return known
        balances = {asset: Balance(asset=asset, free=amount) for asset, amount in (spot or {}).items()}
        world = WorldState(now=self.now, spot=balances, perp_balance=perp, conditions=self._conditions)
        return self.restore(ExchangeAccountState(user=account_name(user), world=world))

    def restore(self, state: ExchangeAccountState) -> ExchangeAccount:
        """Open an account as it was."""
        exchange_account = ExchangeAccount(self._world(state.world), state, next_id=self.next_id, publish=self._publish)
        self.exchange_accounts[exchange_account.user] = exchange_account
        self.changed()
        return exchange_account

    def burn_nonce(self, signer: str, nonce: int) -> None:
        """Take a nonce.

        Raises:
            WireError: it cannot be used (-4225).
        """
        self.take_nonce(signer, nonce, self.now, self.rules.nonce_window_seconds)

    def next_id(self) -> int:
        """Return a number that no order or row of any account has."""
        self._last_id += 1
        return FIRST_ORDER_ID + self._last_id

    # Time

    def advance(self, to: datetime) -> None:
        """Bring the exchange to a time (never backwards), doing what falls due in order."""
        self._work()
        while self.now < to:
            self._move(min((to, *(at for at in self._dues() if at > self.now))))

    def next_due(self) -> datetime | None:
        """Return when the exchange will do something of its own accord; None when nothing waits."""
        return min(self._dues(), default=None)

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Do something once that much time has passed."""
        heapq.heappush(self._late, (self.now + timedelta(seconds=seconds), next(self._late_numbers), act))

    def settle(self) -> None:
        """Publish what an action changed, and let every account see the same market."""
        for exchange_account in self.exchange_accounts.values():
            exchange_account.sync()
        self._share()

    def _move(self, to: datetime) -> None:
        since = self.now
        for world in self._worlds():
            world.advance(to)
        for change in self.market.conditions.changes:
            if change.at is not None and since < change.at <= to:
                self._begin(change)
        self.settle()
        self._work()

    def _dues(self) -> Iterator[datetime]:
        if self._late:
            yield self._late[0][0]
        if self.market.next_boundary is not None:
            yield self.market.next_boundary
        for exchange_account in self._waiting():
            yield from (
                exchange_order.due_at
                for exchange_order in exchange_account.exchange_orders.staged(Stage.QUEUED)
                if exchange_order.due_at is not None
            )
            yield from exchange_account.countdowns.values()
            yield from (key.expires_at for key in exchange_account.listen_keys.values())
            if exchange_account.exchange_orders.staged(Stage.ARMED):
                yield self.now + self.market_data.step - (self.now - EPOCH) % self.market_data.step

    def _work(self) -> None:
        """Do everything that is due now."""
        while self._late and self._late[0][0] <= self.now:
            heapq.heappop(self._late)[2]()
        for exchange_account in self._waiting():
            for exchange_order in exchange_account.exchange_orders.staged(Stage.QUEUED):
                if exchange_order.due_at is None or exchange_order.due_at <= self.now:
                    match_queued(exchange_account, exchange_order)
                    self._share()
            fire_triggers(exchange_account)
            self._expire(exchange_account)
        self._share()

    def _waiting(self) -> list[ExchangeAccount]:
        """Return the accounts of which something can fall due: most of many have nothing under way."""
        return [exchange_account for exchange_account in self.exchange_accounts.values() if exchange_account.waits]

    def _expire(self, exchange_account: ExchangeAccount) -> None:
        for symbol in [symbol for symbol, at in exchange_account.countdowns.items() if at <= self.now]:
            del exchange_account.countdowns[symbol]
            for exchange_order in exchange_account.exchange_orders.open(Market.PERP, symbol):
                cancel(exchange_account, exchange_order)
        for market in [market for market, key in exchange_account.listen_keys.items() if key.expires_at <= self.now]:
            exchange_account.publish(market, events.listen_key_expired(exchange_account.world))
            exchange_account.close_listen_key(market)

    # The market

    def shock(self, symbol: str, factor: Decimal) -> None:
        """Multiply all prices of a symbol by ``factor`` from now on, for everybody.

        Raises:
            Rejected: the symbol is not listed (-1121).
        """
        self.market.instrument(Market.PERP, symbol)
        self._work()
        for world in self._worlds():
            world.shock(symbol, factor)
        self.settle()
        self._work()
        self.changed()

    def set_status(self, symbol: str, status: TradingStatus, markets: tuple[Market, ...]) -> None:
        """Open, close or delist a symbol for everybody.

        Raises:
            Rejected: the symbol is not listed (-1121).
        """
        for market in markets:
            self.change_market(StatusChange(symbol=symbol, market=market, status=status))

    def change_market(self, change: MarketChange) -> None:
        """Let a change of the market happen for everybody, at its time; one without a time happens now.

        Raises:
            Rejected: the symbol, or the one whose prices it takes, is not listed (-1121).
            ValueError: no quantity would satisfy both limits of a filter.
        """
        self.market.instrument(Market.PERP, change.symbol)
        if isinstance(change, TickerCollision) and change.underlying is not None:
            # The fault would show only later, in every reply that has a price.
            self.market.instrument(Market.PERP, change.underlying)
        if isinstance(change, FilterChange):
            has_spot = self.market.pair_on_both(change.symbol) is not None
            markets = (Market.SPOT, Market.PERP) if has_spot else (Market.PERP,)
            for market in markets if change.market is None else (change.market,):
                limits = self.market.instrument(market, change.symbol)
                change.check_quantities(limits.min_quantity, limits.max_quantity)
        self._work()
        at = self.now if change.at is None else max(change.at, self.now)
        timed = replace(change, at=at)
        for world in self._worlds():
            world.change_market(timed)
        if at == self.now:
            self._begin(timed)
        self.settle()
        self._work()
        self.changed()

    def end_market_changes(self) -> None:
        """Undo all changes of the market that can be undone, and forget those to come."""
        for world in self._worlds():
            world.end_changes()
        self.settle()
        self._work()
        self.changed()

    def _begin(self, change: MarketChange) -> None:
        """Let a change that begins now act on what only the wire keeps, and publish it."""
        closes = isinstance(change, StatusChange) and change.status is not TradingStatus.TRADING
        if not closes and not isinstance(change, Redenomination):
            return
        markets = (change.market,) if isinstance(change, StatusChange) and change.market else tuple(Market)
        for exchange_account in self.exchange_accounts.values():
            for market in markets:
                for exchange_order in exchange_account.exchange_orders.open(market, change.symbol):
                    if exchange_order.stage is not Stage.BOOK:
                        cancel(exchange_account, exchange_order, OrderStatus.EXPIRED)
            if isinstance(change, Redenomination):
                nothing = (("USDT", ZERO),)
                exchange_account.publish(
                    Market.PERP, events.wallet_update(exchange_account.world, "ADJUSTMENT", nothing, change.symbol)
                )

    def stop_books(self, seconds: float) -> None:
        """Let the public books stand still for a while; matching goes on."""
        until = self.now + timedelta(seconds=seconds)
        self._stopped = _StoppedBooks(market=self.market.snapshot(), at=self.now, until=until)

    def set_jitter(self, *, lead_seconds: float, delay_seconds: float) -> None:
        """Let funding be charged up to so many seconds before or after its stamp."""
        if not all(0 <= seconds <= LONGEST_JITTER_SECONDS for seconds in (lead_seconds, delay_seconds)):
            raise ValueError(f"a settlement is at most {LONGEST_JITTER_SECONDS:g} s early or late")
        for world in self._worlds():
            account = world.parts
            account.options = replace(
                account.options, settlement_lead_seconds=lead_seconds, settlement_delay_seconds=delay_seconds
            )
        self.rules = replace(self.rules, world=self._house.parts.options)

    def _worlds(self) -> Sequence[World]:
        return (self._house, *(exchange_account.world for exchange_account in self.exchange_accounts.values()))

    def _world(self, state: WorldState) -> World:
        return World(self.market_data, start=state.now, options=self.rules.world, state=state)

    def _share(self) -> None:
        """Let every account see what one of them took from the books."""
        places = [world.parts.marketplace for world in self._worlds()]
        changed = next((place.conditions for place in places if place.conditions is not self._conditions), None)
        if changed is not None:
            self._conditions = changed
            for place in places:
                place.adopt(changed)

    def _publish(self, user: str, market: Market, event: dict[str, Any]) -> None:
        for listener in self.listeners:
            listener(user, market, event)
