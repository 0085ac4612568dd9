"""A world as a ``ports.Venue`` in the same process, with latency and faults."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import assert_never

from msgspec.structs import replace

from hedgerow.domain.account import AccountView, MarginType, OpenOrder, PerpPosition
from hedgerow.domain.commands import (
    ArmDeadMan,
    CancelOrder,
    Command,
    PlaceOrder,
    SetLeverage,
    SetMarginType,
    TransferFunds,
)
from hedgerow.domain.errors import Rejected, VenueError
from hedgerow.domain.events import (
    DeadManArmed,
    Event,
    LeverageSet,
    MarginTypeSet,
    OrderAccepted,
    OrderProgressed,
)
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.market import Depth, MarketView
from hedgerow.domain.money import ZERO
from hedgerow.domain.notifications import Notification
from hedgerow.domain.order import Fill, OrderRequest, OrderStatus
from hedgerow.emulator.core.error_codes import rejected
from hedgerow.emulator.core.world import World
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.delayed_orders import LateOrders
from hedgerow.emulator.inprocess.faults import FaultPlan, Faults, Read, SubmitFault
from hedgerow.emulator.inprocess.notifications import VenueNotifications
from hedgerow.emulator.inprocess.readings import (
    AccountEndpoint,
    AccountReading,
    FalseMarketView,
    MarketEndpoint,
    false_account,
    false_depth,
    false_position,
)
from hedgerow.emulator.inprocess.replies import (
    absent,
    never_sent,
    order_report,
    outcome_unknown,
    refusal_of,
    transferred,
    unknown,
)
from hedgerow.emulator.latency import LatencyModel
from hedgerow.ports import AccountHistory, Clock, StatementRow, VenueRules

__all__ = ["RULES", "EmulatedVenue"]

WATCH_SECONDS = 0.5
"""How soon a watched order's move is noticed."""
LISTING_LIFE = timedelta(minutes=10)
"""How long a pair that was read counts as listed so, as long as the live client keeps the listing."""
NONCE_WINDOW = timedelta(seconds=60)
"""How old a nonce may be: so long an order can still land that was sent and not answered."""
RULES = VenueRules(max_client_id_length=36)
"""A longer client id is refused with -4015 (docs/aster-api.md 9)."""
SILENT = {FaultKind.SILENT_BEFORE, FaultKind.SILENT_AFTER, FaultKind.LATE}


class EmulatedVenue:
    """One account of an emulated exchange; the world follows the clock at each call.

    Without latency no call ever waits. ``delayed_spot_ack`` lets a spot order be acknowledged only, so that its result
    must be found by ``resolve``; ``certain_after_seconds`` is how long a lost order could still arrive: until then
    ``resolve`` does not call it absent.
    """

    def __init__(  # noqa: PLR0913 - the composition root names every option of the venue
        self,
        world: World,
        clock: Clock,
        *,
        latency: LatencyModel | None = None,
        random: Random | None = None,
        faults: FaultPlan | None = None,
        delayed_spot_ack: bool = False,
        certain_after_seconds: float = 0.0,
        on_change: Callable[[World], None] | None = None,
        name: str = "emulated exchange",
    ) -> None:
        if latency is not None and random is None:
            raise ValueError("a latency is drawn from an injected source of randomness: give random")
        self.world = world
        self.clock = clock
        self._latency = latency
        self._random = random or Random(0)  # noqa: S311 - not for secrets
        self._faults = Faults(faults or FaultPlan())
        self._late = LateOrders(world)
        self._delayed_spot_ack = delayed_spot_ack
        self._certain_after = timedelta(seconds=certain_after_seconds)
        self._on_change = on_change
        self._name = name
        self._saved_revision = world.revision
        self._lost: dict[str, datetime] = {}
        self._notifications = VenueNotifications(lambda: self.world, clock)
        self._before: list[tuple[datetime, AccountView]] = []
        self._last_true: AccountView | None = None
        """The account as it was last read without a fault; kept only for faults that show it."""
        self._frozen: dict[AccountReading, AccountView] = {}
        self._listed: dict[str, tuple[BasisPair, datetime]] = {}
        """Pairs as they were listed when last read, and when that was."""

    @property
    def name(self) -> str:
        """Display name."""
        return self._name

    @property
    def rules(self) -> VenueRules:
        """What it accepts."""
        return RULES

    @property
    def never_waits(self) -> bool:
        """Whether every read is answered at once: reads after one another are then reads of one time."""
        return self._latency is None

    @property
    def faulted(self) -> int:
        """How often a fault has struck a command or a read."""
        return self._faults.faulted

    @property
    def shown_false(self) -> int:
        """How often of these a read was answered with what is not so, or not yet."""
        return self._faults.shown_false

    @property
    def behind_until(self) -> datetime | None:
        """Until when the account is shown as it was before a command; None = it is shown as it is."""
        self._forget()
        lag = self._faults.plan.lagging
        return self._before[-1][0] + timedelta(seconds=lag.seconds) if self._before and lag is not None else None

    def calm(self) -> None:
        """Let nothing go wrong any more; what is under way still arrives."""
        self._faults = Faults(FaultPlan())
        self._before.clear()
        self._frozen.clear()

    @property
    def streaming(self) -> bool:
        """Always: nothing that happens here is missed."""
        return True

    def subscribe(self, listener: Callable[[Notification], None]) -> Callable[[], None]:
        """Call ``listener`` with every notification; return what ends that."""
        return self._notifications.subscribe(listener)

    def follow(self, *symbols: str) -> None:
        """Report this symbol, and let the exchange live on by itself while it is followed; None = of none."""
        self._notifications.follow(*symbols)

    async def market(self, periods: int) -> MarketView:
        """Read the whole market; values are computed when asked."""
        await self._arrive(Read.MARKET)
        view = self.world.market(periods, self._faults.books_at(self.world.now))
        plan = self._faults.plan
        if not plan.market_readings and not plan.late_rates:
            return view
        false = self._faults.market_readings(MarketEndpoint.MARKET, self.world.now)
        return FalseMarketView(view, false, plan.late_rates)

    async def account(self) -> AccountView:
        """Read both wallets, positions and account modes."""
        await self._arrive(Read.ACCOUNT)
        true = self._shown()
        if not self._faults.plan.account_readings:
            return true
        view, listed = true, [pair.symbol for pair in self.world.market_data.pairs]
        for reading in self._faults.account_readings(AccountEndpoint.ACCOUNT, self.world.now):
            view = false_account(view, reading, before=self._stale(reading, true), listed=listed)
        if view is true:
            self._last_true = true
        return view

    async def position(self, symbol: str) -> PerpPosition:
        """Read one perpetual position; it lags behind commands as the account does.

        Raises:
            VenueError: the read failed, or the symbol is not listed and nothing is held of it.
        """
        await self._arrive(Read.POSITION)
        true = self._shown()
        position = true.positions.get(symbol) or self.world.flat_position(symbol)
        if self._faults.plan.account_readings:
            for reading in self._faults.account_readings(AccountEndpoint.POSITION, self.world.now):
                before = self._stale(reading, true).positions.get(symbol) or self.world.flat_position(symbol)
                position = false_position(position, reading, before=before)
        return position

    def _shown(self) -> AccountView:
        """Return the account as it is shown now, lag included."""
        self._forget()
        return replace(self._before[0][1], at=self.world.now) if self._before else self.world.account()

    def _stale(self, reading: AccountReading, true: AccountView) -> AccountView:
        """Return the account as it was last read before a fault began; as it is, when it was never read before."""
        return self._frozen.setdefault(reading, self._last_true or true)

    async def depth(self, market: Market, symbol: str) -> Depth:
        """Read the visible book of one instrument."""
        await self._arrive(Read.DEPTH)
        depth = self.world.depth(market, symbol, self._faults.books_at(self.world.now))
        if not self._faults.plan.market_readings:
            return depth
        return false_depth(depth, self._faults.market_readings(MarketEndpoint.DEPTH, self.world.now))

    async def open_interest(self, symbol: str) -> Decimal:
        """Read how much of a perpetual is held open, base units."""
        await self._arrive(Read.MARKET)
        return self.world.open_interest(symbol)

    async def pair(self, symbol: str, *, fresh: bool = False) -> BasisPair:
        """Read a pair as it is listed; only ``fresh`` asks the exchange, the listing is kept otherwise."""
        known = self._listed.get(symbol)
        if not fresh and known is not None and self.clock.now() < known[1] + LISTING_LIFE:
            return known[0]
        await self._arrive(Read.MARKET)
        pair = self.world.pair(symbol)
        if pair is None:
            raise VenueError(f"{symbol}: the exchange lists no such pair")
        self._listed[symbol] = (pair, self.world.now)
        return pair

    def blocked_seconds(self, market: Market) -> float:  # noqa: ARG002 - the same for both
        """Return 0: this exchange limits nobody."""
        return 0.0

    async def open_orders(self, symbol: str) -> tuple[OpenOrder, ...]:
        """Read the orders resting on either market of ``symbol``."""
        await self._arrive(Read.OPEN_ORDERS)
        return self.world.open_orders(symbol)

    async def fills(self, market: Market, symbol: str, since: datetime) -> tuple[Fill, ...]:
        """Read the account's trades on one instrument at or after ``since``."""
        await self._arrive(Read.FILLS)
        fills = self.world.fills(market, symbol, since)
        return tuple(fill for fill in fills if self._faults.is_visible(fill.at, self.world.now))

    async def funding_payments(self, since: datetime) -> tuple[FundingPayment, ...]:
        """Read the funding payments at or after ``since``."""
        await self._arrive(Read.FUNDING_PAYMENTS)
        payments = self.world.funding_payments(since)
        return tuple(each for each in payments if self._faults.lists_payment(each.at, self.world.now))

    async def statement(self, since: datetime, until: datetime | None = None) -> tuple[StatementRow, ...]:
        """Read the rows at or after ``since`` that the bot did not cause."""
        await self._arrive(Read.STATEMENT)
        rows = self.world.statement(since)
        return rows if until is None else tuple(row for row in rows if row.at <= until)

    async def record(self, since: datetime) -> AccountHistory:
        """Read everything that was written down about the account at or after ``since``."""
        await self._arrive(Read.STATEMENT)
        record = self.world.record(since)
        payments = tuple(each for each in record.payments if self._faults.lists_payment(each.at, self.world.now))
        return replace(record, payments=payments)

    async def resolve(self, request: OrderRequest) -> tuple[Event, ...]:
        """Find out what became of an order; a failing look-up leaves it unknown."""
        try:
            await self._arrive(Read.RESOLVE)
        except VenueError as error:
            return (unknown(self.world.now, request, str(error)),)
        order = self.world.order(request.market, request.symbol, request.client_id)
        if order is not None and not self._faults.is_visible(order.updated_at, self.world.now):
            return (unknown(self.world.now, request, "not told yet"),)
        if order is not None:
            return (order_report(order),)
        lost_at = self._lost.get(request.client_id)
        if lost_at is not None and self.world.now < lost_at + self._certain_after:
            absent_so_far = unknown(self.world.now, request, "not there yet, and it could still arrive")
            return (replace(absent_so_far, may_land_until=lost_at + self._certain_after),)
        return (absent(self.world.now, request),)

    def reserve(self, command: Command) -> None:
        """Reserve nothing: no command is signed here."""

    async def watch(self, request: OrderRequest, filled: Decimal, seconds: float) -> tuple[Event, ...]:
        """Wait until a resting order moved beyond ``filled`` or ended, at most so long; a failing look is unknown.

        The exchange reports it, as on a stream: only an order that moved is looked up.
        """
        until = self.clock.monotonic() + seconds
        while (left := until - self.clock.monotonic()) > 0:
            await self.clock.sleep(min(left, WATCH_SECONDS))
            self._pass()
            order = self.world.order(request.market, request.symbol, request.client_id)
            if order is not None and not order.status.done and order.filled_quantity <= filled:
                continue
            events = await self.resolve(request)
            if any(not isinstance(event, OrderProgressed) or event.filled_quantity > filled for event in events):
                return events
        return ()

    async def submit(self, command: Command) -> tuple[Event, ...]:
        """Carry out one command and return what is known to have happened, oldest first."""
        if self._latency is not None:
            await self._travel(self._latency)
        self._pass()
        self._remember()
        fault = self._faults.on_submit(command, self.world.now)
        events = self._carry_out(command, fault)
        self._save_change()
        if self._latency is not None:
            await self._travel(self._latency)
        return events

    async def _arrive(self, read: Read) -> None:
        """Let a read travel to the venue and back, and bring the world to that time."""
        if self._latency is not None:
            await self._travel(self._latency)
        self._pass()
        self._faults.on_read(read, self.world.now)

    async def _travel(self, latency: LatencyModel) -> None:
        await self.clock.sleep(latency.draw(self._random))

    def _pass(self) -> None:
        """Bring the world to the present."""
        now = self.clock.now()
        self._late.land(now)
        self.world.advance(now)
        if self._on_change is not None:
            self._save_change()

    def _remember(self) -> None:
        """Keep the account as it is before a command, for as long as balances lag behind."""
        if self._faults.plan.lagging is not None:
            self._forget()
            self._before.append((self.world.now, self.world.account()))

    def _forget(self) -> None:
        lag = self._faults.plan.lagging
        if self._before and lag is not None:
            since = self.world.now - timedelta(seconds=lag.seconds)
            self._before = [(at, view) for at, view in self._before if at > since]

    def _save_change(self) -> None:
        if self._on_change is not None and self._saved_revision != self.world.revision:
            self._saved_revision = self.world.revision
            self._on_change(self.world)

    def _carry_out(self, command: Command, fault: SubmitFault | None) -> tuple[Event, ...]:
        kind = fault.fault if fault else None
        if fault is not None and isinstance(command, PlaceOrder) and kind in SILENT and not fault.denied:
            self._lost[command.order.client_id] = self.world.now
        if kind is FaultKind.NOT_SENT:
            return (never_sent(self.world.now, command),)
        if fault is not None and kind is FaultKind.LATE and isinstance(command, PlaceOrder):
            window = max(self._certain_after, NONCE_WINDOW) if fault.denied else self._certain_after
            self._late.expect(command.order, fault.seconds, window)
            return (outcome_unknown(self.world.now, command),)
        if kind is FaultKind.SILENT_BEFORE:
            return (outcome_unknown(self.world.now, command),)
        try:
            if fault is not None and kind is FaultKind.REJECT:
                raise rejected(fault.code, fault.message or f"refused with {fault.code}")
            events = self._execute(command, fault)
        except Rejected as refusal:
            events = (refusal_of(self.world.now, command, refusal),)
        if kind is FaultKind.SILENT_AFTER:
            return (outcome_unknown(self.world.now, command),)
        return events * 2 if kind is FaultKind.REPEATED else events

    def _execute(self, command: Command, fault: SubmitFault | None) -> tuple[Event, ...]:
        """Carry out a command that arrived.

        Raises:
            Rejected: the venue refused it.
        """
        match command:
            case PlaceOrder():
                return self._place(command.order, fault)
            case CancelOrder():
                return (order_report(self.world.cancel(command.market, command.symbol, command.client_id)),)
            case TransferFunds():
                self.world.transfer(command.transfer_id, command.amount, command.direction, command.asset)
                return (transferred(self.world.now, command),)
            case SetLeverage():
                self.world.set_leverage(command.symbol, command.leverage)
                return (LeverageSet(at=self.world.now, symbol=command.symbol, leverage=command.leverage),)
            case SetMarginType():
                self.world.set_margin_type(command.symbol, MarginType.CROSSED)
                return (MarginTypeSet(at=self.world.now, symbol=command.symbol),)
            case ArmDeadMan():
                self.world.arm_dead_man(command.symbol, command.seconds)
                return (DeadManArmed(at=self.world.now, symbol=command.symbol, seconds=command.seconds),)
        assert_never(command)

    def _place(self, request: OrderRequest, fault: SubmitFault | None) -> tuple[Event, ...]:
        limit = None
        if fault is not None and fault.fault in {FaultKind.PARTIAL, FaultKind.ABSORB}:
            share = fault.fraction if fault.fault is FaultKind.PARTIAL else ZERO
            pair = self.world.pair(request.symbol)
            limit = pair.instrument(request.market).floor_quantity(request.quantity * share) if pair else ZERO
        order = self.world.place(request, fill_at_most=limit)
        accepted = OrderAccepted(at=self.world.now, client_id=request.client_id, order_id=order.order_id)
        if self._delayed_spot_ack and request.market is Market.SPOT:
            return (accepted,)
        quiet = order.status is OrderStatus.NEW
        return (accepted,) if quiet else (accepted, order_report(order))
