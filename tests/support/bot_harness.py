"""A whole bot on a small exchange under virtual time: started, stopped and started again on the same log and account.

``BotHarness`` checks at every order that it was in the log before it was sent, that its client id is
new, and no coin is sold that the ledger does not own. ``check`` compares the books with the exchange at the end.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, TypeVar

from msgspec.structs import replace

from hedgerow.app.bot import Bot, build_bot
from hedgerow.app.state_file import StateFile
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.account import AccountView, PerpPosition
from hedgerow.domain.commands import Command, PlaceOrder
from hedgerow.domain.events import CommandIssued, Event, OrderEnded, StateImported
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.books import books_difference
from hedgerow.domain.ledger.reducers import fold
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.market import Depth, MarketView
from hedgerow.domain.operator_requests import Answer, Request
from hedgerow.domain.order import OrderStatus
from hedgerow.domain.position import HedgedPosition, Reason
from hedgerow.emulator import EmulatedVenue, World
from hedgerow.emulator.inprocess.faults import FaultPlan
from hedgerow.emulator.latency import LatencyModel
from hedgerow.engine.in_force import SettingsKeeper
from hedgerow.engine.notices import Notice, Observer, Warned
from hedgerow.engine.runner import RunOptions
from hedgerow.engine.startup import SettingsFound
from hedgerow.ports import Mailbox, NotificationSource, Store
from hedgerow.store.memory import MemoryStore
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import load_policy
from support.worlds import START, SYMBOL, ScriptedMarketData, make_world

__all__ = ["OPENED", "BotHarness", "RecordingObserver", "WatchedStore", "WatchedVenue"]

OPENED = START + timedelta(hours=1)
"""When a farm starts: far from every settlement of an 8 h symbol."""

Kind = TypeVar("Kind")
Action = Callable[["BotHarness"], object]


class WatchedStore:
    """A store that remembers what was appended, once the store behind it has it."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.log: list[Event] = []
        self.folded = Ledger()
        """The ledger of ``log``, kept event by event: to fold a long log anew at each order costs minutes."""

    async def load(self) -> Ledger:
        self.log = list(await self.inner.events())
        self.folded = fold(self.log)
        return await self.inner.load()

    async def append(self, events: Sequence[Event], *, durable: bool) -> None:
        commands = [event for event in events if isinstance(event, CommandIssued)]
        assert durable or not commands, "an intent must be on the disk before it is sent"
        await self.inner.append(events, durable=durable)
        self.log.extend(events)
        self.folded = fold(events, self.folded)

    async def events(self, *, after: int = 0) -> tuple[Event, ...]:
        return await self.inner.events(after=after)

    async def snapshot(self, ledger: Ledger) -> None:
        await self.inner.snapshot(ledger)

    async def close(self) -> None:
        await self.inner.close()


class WatchedVenue(EmulatedVenue):
    """An emulated venue that refuses to see what no bot may do."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.store: WatchedStore | None = None
        self.sent: list[Command] = []
        self.crimes: list[str] = []
        """What no bot may do and this one did; an engine that catches everything cannot hide it."""
        self.rewritten: Callable[[AccountView], AccountView] | None = None
        """What the account endpoint answers instead of the truth; positions are still read as they are."""
        self.single: Callable[[PerpPosition], PerpPosition] | None = None
        """What the endpoint of single positions answers instead of the truth."""
        self.shown: Callable[[MarketView], MarketView] | None = None
        """What the market looks like instead of the truth; a pair that is read afresh is still as it is."""
        self.paid: Callable[[FundingPayment], tuple[FundingPayment, ...]] | None = None
        """What the exchange lists instead of each funding payment."""
        self.reported: Callable[[Event], Event] | None = None
        """What the answers to commands say instead of the truth."""
        self.bug: Exception | None = None
        """Raised at the next reading of the account, the market or a book, or instead of sending the next command."""

    async def account(self) -> AccountView:
        self._raise_bug()
        view = await super().account()
        return self.rewritten(view) if self.rewritten else view

    async def position(self, symbol: str) -> PerpPosition:
        row = await super().position(symbol)
        return self.single(row) if self.single else row

    async def market(self, periods: int) -> MarketView:
        self._raise_bug()
        view = await super().market(periods)
        return self.shown(view) if self.shown else view

    async def funding_payments(self, since: datetime) -> tuple[FundingPayment, ...]:
        rows = await super().funding_payments(since)
        return tuple(shown for row in rows for shown in self.paid(row)) if self.paid else rows

    async def depth(self, market: Market, symbol: str) -> Depth:
        self._raise_bug()
        return await super().depth(market, symbol)

    def _raise_bug(self) -> None:
        bug, self.bug = self.bug, None
        if bug is not None:
            raise bug

    async def submit(self, command: Command) -> tuple[Event, ...]:
        assert self.store is not None
        self._raise_bug()
        newest_first = (event.command for event in reversed(self.store.log) if isinstance(event, CommandIssued))
        if command not in newest_first:
            self.crimes.append(f"sent before it was logged: {command}")
        if isinstance(command, PlaceOrder):
            self._watch(command, self.store.folded)
        self.sent.append(command)
        events = await super().submit(command)
        return tuple(map(self.reported, events)) if self.reported else events

    def expire_one(self, leg: str, filled: Callable[[OrderEnded], tuple[Decimal, Decimal]]) -> None:
        """Let the next report of an order of a leg say that it expired, with that quantity and notional filled."""
        left = [leg]

        def expired(event: Event) -> Event:
            if not left or not isinstance(event, OrderEnded) or f"-{leg}-" not in event.client_id:
                return event
            left.clear()
            quantity, notional = filled(event)
            return replace(event, status=OrderStatus.EXPIRED, filled_quantity=quantity, filled_notional=notional)

        self.reported = expired

    def _watch(self, command: PlaceOrder, ledger: Ledger) -> None:
        order = command.order
        if order.client_id in {earlier.order.client_id for earlier in self.orders}:
            self.crimes.append(f"sent twice: {order.client_id}")
        if order.market is Market.SPOT and order.side is Side.SELL:
            owned = ledger.owned(order.symbol.removesuffix("USDT"))
            if order.quantity > owned:
                self.crimes.append(f"{order.client_id} sells {order.quantity}, {owned} owned")

    @property
    def orders(self) -> list[PlaceOrder]:
        """Every order sent, oldest first."""
        return [command for command in self.sent if isinstance(command, PlaceOrder)]


class RecordingObserver:
    """Keeps every notice."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def on_notice(self, notice: Notice) -> None:
        self.notices.append(notice)


class BotHarness:
    """One account on one exchange, its log, and the sessions of the bot that works there."""

    def __init__(
        self,
        market_data: ScriptedMarketData | None = None,
        *,
        usdt: Decimal | str | int = 500,
        perp: Decimal | str | int = 500,
        coins: Mapping[str, Decimal] | None = None,
        start: datetime = OPENED,
        world: World | None = None,
        parameters: StrategyParameters | None = None,
        open_store: Callable[[], Store] | None = None,
        latency_seconds: float | None = None,
        faults: FaultPlan | None = None,
        delayed_spot_ack: bool = False,
        certain_after_seconds: float = 0.0,
        seed: int = 1,
        world_options: Mapping[str, Any] | None = None,
        notifications: bool = False,
        poll_seconds: float = 0.0,
        venue_kind: "type[WatchedVenue] | None" = None,
    ) -> None:
        """``open_store`` is called at each start; without it one store in memory is kept as long as the harness.

        With ``notifications`` the exchange reports to the bot; ``poll_seconds`` is how often its guard polls without.
        """
        self.market_data = market_data if market_data is not None else ScriptedMarketData()
        self.world = world or make_world(
            self.market_data, usdt=usdt, perp=perp, coins=coins, start=start, **(world_options or {})
        )
        self.clock = VirtualClock(self.world.now)
        self.parameters = parameters or StrategyParameters()
        memory = MemoryStore()
        self._open_store = open_store or (lambda: memory)
        self._random = Random(seed)
        latency = None if latency_seconds is None else LatencyModel(median_seconds=latency_seconds)
        self.venue = (venue_kind or WatchedVenue)(
            self.world,
            self.clock,
            latency=latency,
            random=self._random,
            faults=faults,
            delayed_spot_ack=delayed_spot_ack,
            certain_after_seconds=certain_after_seconds,
        )
        self.notifications: NotificationSource | None = self.venue if notifications else None
        self._poll_seconds = poll_seconds
        self._ear = RecordingObserver()
        self.listeners_may_fail = False
        """Whether a listener may raise: the journal keeps that from the test otherwise."""
        self.store: WatchedStore | None = None
        self._bot: Bot | None = None

    # --- sessions -----------------------------------------------------------------------------------------------------

    def run(
        self,
        hours: float = 1.0,
        *,
        at: Mapping[float, Action] | None = None,
        options: RunOptions | None = None,
        observers: Sequence[Observer] = (),
        mailbox: Mailbox | None = None,
        settings: SettingsKeeper | None = None,
        settings_found: SettingsFound | None = None,
        imported: StateImported | None = None,
        values_before: Mapping[str, Decimal] | None = None,
    ) -> Ledger:
        """Start a bot, let it run, stop it, and return its ledger; ``at`` maps hours since its start to actions.

        A state file among ``observers`` is wired as a home's is.
        """

        async def script() -> None:
            self._bot = self.wire(
                options,
                observers,
                mailbox=mailbox,
                settings=settings,
                settings_found=settings_found,
                imported=imported,
                values_before=values_before,
            )
            for file in _state_files(observers):
                file.report_to(self._warn)
            running = asyncio.ensure_future(self._bot.runner.run())
            script = asyncio.ensure_future(self._script(hours, at or {}))
            await asyncio.wait({running, script}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                script.cancel()
                await asyncio.gather(script, return_exceptions=True)
            self._bot.stop.set()
            await running
            if not script.cancelled():
                script.result()

        run_virtual(self.clock, script())
        assert self.venue.crimes == []
        assert self.listeners_may_fail or self.bot.journal.listener_failures == {}, "a listener of the test failed"
        return self.ledger

    def ask(self, request: Request) -> Answer:
        """Open the log without running cycles and carry out one request, as a one-shot command does."""

        async def one_shot() -> Answer:
            self._bot = self.wire()
            await self._bot.journal.open()
            answer = await self._bot.service.carry_out(request)
            await self._bot.journal.close()
            return answer

        return run_virtual(self.clock, one_shot())

    def wait(self, hours: float) -> None:
        """Let time pass while no bot runs."""
        self.clock.advance_time(hours * 3600)
        self.world.advance(self.clock.now())

    def wire(
        self,
        options: RunOptions | None = None,
        observers: Sequence[Observer] = (),
        *,
        store_of: Callable[[Store], WatchedStore] = WatchedStore,
        mailbox: Mailbox | None = None,
        settings: SettingsKeeper | None = None,
        settings_found: SettingsFound | None = None,
        imported: StateImported | None = None,
        values_before: Mapping[str, Decimal] | None = None,
    ) -> Bot:
        """Wire a bot that is not started yet; ``store_of`` wraps the store that it writes to."""
        self.store = self.venue.store = store_of(self._open_store())
        interval = self.parameters.position_management.loop_interval_seconds
        return build_bot(
            venue=self.venue,
            store=self.store,
            clock=self.clock,
            policy=load_policy(self.parameters.policy, self.parameters),
            randomness=self._random,
            options=options or RunOptions(interval_seconds=interval, poll_seconds=self._poll_seconds),
            notifications=self.notifications,
            observers=(self._ear, *observers),
            state=next(iter(_state_files(observers)), None),
            mailbox=mailbox,
            settings=settings,
            settings_found=settings_found,
            imported=imported,
            values_before=values_before,
        )

    def _warn(self, text: str) -> None:
        self.bot.journal.say(Warned(at=self.clock.now(), text=text))

    async def _script(self, hours: float, at: Mapping[float, Action]) -> None:
        began = self.clock.monotonic()
        for when, action in sorted(at.items()):
            await self.clock.sleep(began + when * 3600 - self.clock.monotonic())
            self.world.advance(self.clock.now())
            action(self)
        await self.clock.sleep(began + hours * 3600 - self.clock.monotonic())

    # --- what happened -----------------------------------------------------------------------------------------------

    @property
    def bot(self) -> Bot:
        """The bot of the present or last session."""
        assert self._bot is not None
        return self._bot

    @property
    def ledger(self) -> Ledger:
        """The ledger of the present or last session."""
        return self.bot.journal.ledger

    @property
    def hedge(self) -> HedgedPosition:
        """The hedge held, which must be there."""
        assert self.ledger.largest is not None
        return self.ledger.largest

    @property
    def log(self) -> list[Event]:
        """The whole log, over all sessions."""
        assert self.store is not None
        return self.store.log

    @property
    def notices(self) -> list[Notice]:
        """Everything that was said, over all sessions."""
        return self._ear.notices

    @property
    def reasons(self) -> list[Reason]:
        """Why each closed hedge ended, oldest first."""
        return [closed.reason for closed in self.ledger.closed]

    def notices_of(self, kind: type[Kind]) -> list[Kind]:
        """Return the notices of one type."""
        return [notice for notice in self.notices if isinstance(notice, kind)]

    def logged(self, kind: type[Kind]) -> list[Kind]:
        """Return the log's events of one type."""
        return [event for event in self.log if isinstance(event, kind)]

    def decisions(self, kind: type[Kind]) -> list[Kind]:
        """Return the decisions of one type."""
        said = (getattr(notice, "decision", None) for notice in self.notices)
        return [decision for decision in said if isinstance(decision, kind)]

    def coins(self, asset: str = SYMBOL.removesuffix("USDT")) -> Decimal:
        """Return the coins on the exchange."""
        return self.world.account().coin(asset).total

    def short(self, symbol: str = SYMBOL) -> Decimal:
        """Return the short on the exchange, positive."""
        return self.world.account().short(symbol)

    # --- what must be true -------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Compare the books with the exchange to the last digit, and the ledger with its own log."""
        assert self.venue.crimes == []
        assert books_difference(self.ledger.books, self.world.account()) == {}
        assert fold(self.log) == self.ledger

    def check_whole(self) -> None:
        """Check that a hedge is held, by the log and by the exchange alike, and the books agree."""
        self.check()
        hedge = self.hedge
        assert self.short(hedge.symbol) == hedge.short
        assert abs(hedge.spot_quantity - hedge.short) <= hedge.pair.lot_step

    def check_flat(self, symbol: str = SYMBOL) -> None:
        """Check that nothing is held, by the log and by the exchange alike, and the books agree."""
        self.check()
        assert self.ledger.foremost is None
        assert self.ledger.execution is None
        assert self.short(symbol) == 0


def _state_files(observers: Sequence[Observer]) -> list[StateFile]:
    return [observer for observer in observers if isinstance(observer, StateFile)]
