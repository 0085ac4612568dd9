"""Power cuts: a bot torn down at any append and at any venue call, and started again on the same log and account.

``CrashPoint`` numbers every point at which the process may die: before and after each append and each call of
the venue. Nothing graceful happens when it does: the exception passes every handler of the bot, and store and venue
ignore the crashed process, so that nothing it sends afterwards arrives.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, TypeVar

from msgspec import Struct

from hedgerow.app.bot import build_bot
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.commands import Command, PlaceOrder, TransferFunds
from hedgerow.domain.events import Event, HedgeAborted, HedgeAdopted, HedgeClosed, HedgeLost, HedgeOpened
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.books import books_difference
from hedgerow.domain.ledger.reducers import fold
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.order import OrderRequest
from hedgerow.domain.position import HedgedPosition
from hedgerow.emulator import EmulatedVenue, World
from hedgerow.emulator.core.snapshot import WorldState
from hedgerow.emulator.inprocess.faults import FaultPlan
from hedgerow.emulator.latency import LatencyModel
from hedgerow.engine.notices import CycleFailed, Notice, Observer
from hedgerow.engine.runner import RunOptions
from hedgerow.simulation.faults.crashes import CrashingStore, CrashingVenue, CrashPoint, SimulatedCrash
from hedgerow.store.memory import MemoryStore
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import load_policy
from support.worlds import ScriptedMarketData

__all__ = ["Checkpoint", "CrashPoint", "CrashSite", "RecordedPoints", "equity_change"]

Answer = TypeVar("Answer")
ROUNDING = Decimal("1e-12")
"""Quotients such as average prices are cut at 28 digits; amounts have 8 decimals."""


class _Ledgered(EmulatedVenue):
    """Notes every order that reaches it, and what no bot may send: unlogged, twice, or coins that are not its own."""

    def __init__(self, store: MemoryStore, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.store = store
        self.sent: list[str] = []
        self.wrongs: list[str] = []
        self._ledger = Ledger()

    def counters(self) -> tuple[object, ...]:
        """Return what decides beside the world how the next request is answered."""
        return (tuple(self._faults._matched), self._random.getstate())

    async def submit(self, command: Command) -> tuple[Event, ...]:
        newest = await self.store.events(after=self._ledger.events)
        self._ledger = fold(newest, self._ledger)
        if isinstance(command, PlaceOrder):
            self._judge(command.order, self._ledger)
        elif isinstance(command, TransferFunds) and self._ledger.transfer != command:
            self.wrongs.append(f"sent before it was logged: {command}")
        return await super().submit(command)

    def _judge(self, order: OrderRequest, ledger: Ledger) -> None:
        if order.client_id not in ledger.orders:
            self.wrongs.append(f"sent before it was logged: {order.client_id}")
        if order.client_id in self.sent:
            self.wrongs.append(f"sent twice: {order.client_id}")
        self.sent.append(order.client_id)
        owned = ledger.owned(order.symbol.removesuffix("USDT"))
        if order.market is Market.SPOT and order.side is Side.SELL and order.quantity > owned:
            self.wrongs.append(f"{order.quantity} sold of {owned} owned: {order.client_id}")


class Checkpoint(Struct, frozen=True, kw_only=True):
    """An account and a log at one time, from which many sessions may begin."""

    market_data: ScriptedMarketData
    world: WorldState
    events: tuple[Event, ...] = ()
    ledger: Ledger = Ledger()


class RecordedPoints(CrashPoint):
    """Crashes nowhere; keeps of each point what a crash there would leave behind.

    That is the log, the exchange and the time, all that a bot started afterwards finds. Between a reply that was read
    and the next request nothing of it changes, so that crashes at several points in a row leave the same.
    """

    def __init__(self, crash_site: "CrashSite") -> None:
        super().__init__()
        self._crash_site = crash_site
        self._left: list[tuple[object, ...]] = []

    def pass_point(self, what: str) -> None:
        self._left.append(self._crash_site.left_behind())
        super().pass_point(what)

    @property
    def distinct(self) -> list[int]:
        """The first of each row of points that leave the same."""
        return [at for at, left in enumerate(self._left) if at == 0 or left != self._left[at - 1]]


class CrashSite:
    """One account and one log, begun at a checkpoint, on which bots live and die."""

    def __init__(
        self,
        start: Checkpoint,
        parameters: StrategyParameters,
        *,
        latency_seconds: float | None = None,
        faults: FaultPlan | None = None,
        delayed_spot_ack: bool = False,
        certain_after_seconds: float = 0.0,
    ) -> None:
        self.market_data = start.market_data
        self.world = World.load(start.market_data, start.world)
        self.store = MemoryStore(start.events)
        asyncio.run(self.store.snapshot(start.ledger))
        self._parameters = parameters
        self._sessions = 0
        self._clock = VirtualClock(self.world.now)
        self.venue = _Ledgered(
            self.store,
            self.world,
            self._clock,
            latency=None if latency_seconds is None else LatencyModel(median_seconds=latency_seconds),
            random=Random(7),
            faults=faults,
            delayed_spot_ack=delayed_spot_ack,
            certain_after_seconds=certain_after_seconds,
        )
        self.failures: list[str] = []
        self.points: list[Notice] = []
        self.observers: list[Observer] = [self]

    def on_notice(self, notice: Notice) -> None:
        self.points.append(notice)
        if isinstance(notice, CycleFailed):
            self.failures.append(notice.error)

    def live(self, until: datetime, crash_point: CrashPoint | None = None) -> bool:
        """Run a bot until a time; tells whether it came so far, or the power failed."""
        held = crash_point or CrashPoint()
        self._sessions += 1
        clock = self.venue.clock = VirtualClock(max(self.world.now, self._clock.now()))
        self._clock = clock
        try:
            run_virtual(clock, self._session(held, clock, until))
        except SimulatedCrash:
            return False
        return True

    def left_behind(self) -> tuple[object, ...]:
        """Return what identifies log, exchange and time as they are now."""
        log = (len(self.store._events), self.store._snapshot.events)
        return (self._clock.now(), *log, self.world.revision, *self.venue.counters())

    def run(self, hours: float) -> Ledger:
        """Run a bot for so long, undisturbed, and return the ledger."""
        assert self.live(self.world.now + timedelta(hours=hours))
        return self.ledger

    def logged(self, kind: type[Answer]) -> list[Answer]:
        """Return the log's events of one type."""
        return [event for event in self.log if isinstance(event, kind)]

    def wait(self, hours: float) -> None:
        """Let time pass while no bot runs."""
        self._clock.advance_time(hours * 3600)
        self.world.advance(self._clock.now())

    async def _session(self, crash_point: CrashPoint, clock: VirtualClock, until: datetime) -> None:
        bot = build_bot(
            venue=CrashingVenue(self.venue, crash_point),
            store=CrashingStore(self.store, crash_point),
            clock=clock,
            policy=load_policy(self._parameters.policy, self._parameters),
            randomness=Random(self._sessions),
            options=RunOptions(interval_seconds=self._parameters.position_management.loop_interval_seconds),
            observers=self.observers,
        )
        running = asyncio.ensure_future(bot.runner.run())
        alarm = asyncio.ensure_future(clock.sleep((until - clock.now()).total_seconds()))
        await asyncio.wait({running, alarm}, return_when=asyncio.FIRST_COMPLETED)
        bot.stop.set()
        alarm.cancel()
        await asyncio.gather(alarm, return_exceptions=True)
        await running
        assert bot.journal.listener_failures == {}, "a listener of the test failed"

    @property
    def log(self) -> tuple[Event, ...]:
        return asyncio.run(self.store.events())

    @property
    def ledger(self) -> Ledger:
        return asyncio.run(self.store.load())

    def checkpoint(self) -> Checkpoint:
        return Checkpoint(market_data=self.market_data, world=self.world.dump(), events=self.log, ledger=self.ledger)

    def wrongs(self, *, start_equity: Decimal, coins: dict[str, Decimal]) -> list[str]:
        """Return everything that is not as it must be once a bot has run on; empty = all is well.

        ``coins`` are those of the user, whatever the bot holds beside them.
        """
        ledger = self.ledger
        found = [*self.venue.wrongs, *self.failures]
        if ledger.execution is not None or ledger.opening is not None or ledger.transfer is not None:
            found.append("something is still in flight")
        difference = books_difference(ledger.books, self.world.account())
        if difference:
            found.append(f"books differ: {difference}")
        found += self._misheld(ledger, coins)
        found += _miscounted(self.log)
        gained = equity_change(self.world, start_equity, coins) - _result(ledger, self.world)
        if abs(gained) > ROUNDING:
            found.append(f"money appeared from nowhere: {gained}")
        return found

    def _misheld(self, ledger: Ledger, coins: dict[str, Decimal]) -> list[str]:
        account = self.world.account()
        found = [
            f"{hedge.symbol} is not hedged: {hedge.spot_quantity} against {hedge.short}"
            for hedge in ledger.open_hedges
            if abs(hedge.spot_quantity - hedge.short) > _tolerance(hedge)
        ]
        for symbol in (pair.symbol for pair in self.market_data.pairs):
            base = symbol.removesuffix("USDT")
            hedge = ledger.held(symbol)
            due = hedge.short if hedge else Decimal(0)
            if account.short(symbol) != due:
                found.append(f"{symbol}: short {account.short(symbol)} on the exchange, {due} in the log")
            if account.coin(base).total != ledger.owned(base) + coins.get(base, Decimal(0)):
                found.append(f"{base}: {account.coin(base).total} on the exchange, {ledger.owned(base)} owned")
        return found


def _tolerance(hedge: HedgedPosition) -> Decimal:
    """Return what may be too small for an order, in coins: a common lot, or the spot minimum."""
    return max(hedge.pair.lot_step, hedge.pair.spot.min_notional / hedge.entry_price)


def _miscounted(log: Sequence[Event]) -> list[str]:
    begun = Counter(e.hedge_id for e in log if isinstance(e, HedgeOpened))
    begun += Counter(e.hedge.hedge_id for e in log if isinstance(e, HedgeAdopted))
    ended = Counter(e.hedge_id for e in log if isinstance(e, HedgeClosed | HedgeLost))
    aborted = Counter(e.hedge_id for e in log if isinstance(e, HedgeAborted))
    found = [f"{times} beginnings of {hedge_id}" for hedge_id, times in begun.items() if times > 1]
    found += [f"{times} ends of {hedge_id}" for hedge_id, times in (ended + aborted).items() if times > 1]
    found += [f"{hedge_id} ended and never began" for hedge_id in ended if hedge_id not in begun]
    return found + [f"{hedge_id} aborted though it was opened" for hedge_id in aborted if hedge_id in begun]


def _mids(world: World, symbol: str) -> tuple[Decimal, Decimal]:
    prices = world.market_data.prices(symbol, world.now)
    assert prices is not None
    return prices.spot, prices.mark


def equity_change(world: World, start: Decimal, coins: dict[str, Decimal]) -> Decimal:
    """Return what the account gained since it was worth ``start``, the user's own coins left out."""
    account = world.account()
    worth = account.coin("USDT").total + account.perp.margin_balance
    for pair in world.market_data.pairs:
        base = pair.spot.base
        worth += (account.coin(base).total - coins.get(base, Decimal(0))) * _mids(world, pair.symbol)[0]
    return worth - start


def _result(ledger: Ledger, world: World) -> Decimal:
    """Return what the ledger says was earned: ended hedges, those held at present prices, dust above its cost."""
    earned = ledger.totals.net_profit + ledger.unattributed_funding
    for hedge in ledger.open_hedges:
        earned += hedge.tally.price_pnl(*_mids(world, hedge.symbol)) + hedge.funding_received - hedge.tally.fees
    for lot in ledger.dust.values():
        earned += lot.quantity * _mids(world, f"{lot.asset}USDT")[0] - lot.cost
    return earned
