"""Plays simulated runs: one seed, one bot, one exchange, faults, crashes and restarts, checked after every event."""

import asyncio
import gc
import os
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Unpack

import msgspec
from msgspec.structs import replace

from hedgerow.app.bot import Bot, build_bot
from hedgerow.app.simulated_view import SimulatedView
from hedgerow.app.simulation.wire_harness import WireHarness
from hedgerow.app.venues.live import POLL_SECONDS
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.events import Event, ExecutionStarted
from hedgerow.domain.instrument import BasisPair
from hedgerow.domain.money import ZERO
from hedgerow.domain.operator_requests import OperatorRequest
from hedgerow.emulator.core.snapshot import WorldOptions
from hedgerow.emulator.core.world import World
from hedgerow.engine.notices import Notice, Recorded
from hedgerow.engine.runner import RunOptions
from hedgerow.simulation.causes import Cause
from hedgerow.simulation.checks.instrumented import InstrumentedStore, InstrumentedVenue
from hedgerow.simulation.checks.invariants import Invariant, Violation
from hedgerow.simulation.checks.monitor import Monitor
from hedgerow.simulation.faults.alterations import ANOTHER_COIN, NEW_UNITS, REDENOMINATED, Alteration, is_divisible
from hedgerow.simulation.faults.crashes import CrashingStore, CrashingVenue, CrashPoint, SimulatedCrash
from hedgerow.simulation.faults.incidents import PriceJump, altered_pair
from hedgerow.simulation.faults.interference import Interference
from hedgerow.simulation.faults.interruptions import Interruption, Interruptions
from hedgerow.simulation.faults.market import DrawnMarket, MarketFault
from hedgerow.simulation.faults.owner import OwnersMailbox
from hedgerow.simulation.faults.wire import WireAct
from hedgerow.simulation.generators.execution_style import Style
from hedgerow.simulation.generators.scenarios import DrawOptions, draw_plan
from hedgerow.simulation.harness import BotSession, ExchangeHarness, InProcessHarness
from hedgerow.simulation.report import Failure, RunResult
from hedgerow.simulation.scenario import Act, Crash, Fault, RunPlan, Suspension, Transport, acts, settling
from hedgerow.simulation.shrink import minimised
from hedgerow.simulation.time_limit import TimeLimitExceeded, time_limit
from hedgerow.store.memory import MemoryStore
from hedgerow.strategy.policies import load_policy

__all__ = ["explain", "play", "play_seed", "play_seeds", "play_whole"]

TAIL = 40
"""Events shown of a run that failed."""
GUARD_SECONDS = 300.0
"""How often the bot is woken while legs differ: the rhythm of a live bot; at rest it looks every hour."""
RECOVERY_HOURS = 0.8
RECOVERY_INTERVAL_SECONDS = 300.0
STOPPING_SECONDS = 300.0
"""How long a trade may take that a stop falls into."""
OWNER_LOOKS_SECONDS = 3600.0
REQUESTS_ANSWERED_WITHIN = timedelta(hours=2)
NEVER_SECONDS = 1e9
"""A request makes itself known, and is not looked for."""
REFUSED_SECONDS = 10.0
"""Until a bot is started again that the exchange did not let in."""
FIRST = asyncio.FIRST_COMPLETED
MEMORY_FOLDER = "/dev/shm"  # noqa: S108 - a folder of its own is made in it
"""In memory, where the system has it: what a run writes is read in that run alone, and no disk need sync it."""
CHUNK = 4
"""Seeds handed to a worker at a time."""


def play_seed(seed: int, days: float, *, run_seconds: float | None = None, **options: Unpack[DrawOptions]) -> RunResult:
    """Play the run of a seed; ``run_seconds`` as in ``play``, the other options as in ``draw_plan``."""
    return play(draw_plan(seed, days, **options), run_seconds)


def play(plan: RunPlan, run_seconds: float | None = None) -> RunResult:
    """Play one run to its end, or to its first violation.

    ``run_seconds`` is the longest real time that it may take (virtual time does not run on while a run hangs): a run
    that has not ended by then is stopped and has failed. None = no limit; the limit needs the main thread.
    """
    with _garbage_of_earlier_runs(), closing(_Run(plan)) as run:
        try:
            with time_limit(run_seconds):
                run.run()
        except TimeLimitExceeded as exceeded:
            run.stop(str(exceeded))
        return run.result()


def play_whole(plan: RunPlan) -> tuple[RunResult, tuple[Event, ...], World]:
    """Play one run and return its log and its exchange as well, for tests that compare the two."""
    with _garbage_of_earlier_runs(), closing(_Run(plan)) as run:
        run.run()
        return run.result(), run.log, run.world


@contextmanager
def _garbage_of_earlier_runs() -> Generator[None]:
    """Collect reference cycles once, before the body: a run leaves few, and more costs a tenth of the time.

    What an earlier run left is freed here: at its own end its callers still refer to it. Other objects from before the
    body are not its garbage, and are not searched.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()


def play_seeds(
    seeds: Sequence[int],
    days: float,
    *,
    workers: int,
    run_seconds: float | None = None,
    **options: Unpack[DrawOptions],
) -> Iterator[RunResult]:
    """Play many seeds at once; the results come in the order of the seeds."""
    playing = partial(play_seed, days=days, run_seconds=run_seconds, **options)
    if workers <= 1:
        yield from map(playing, seeds)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=gc.freeze) as pool:
        yield from pool.map(playing, seeds, chunksize=CHUNK)


def explain(
    seed: int, days: float, *, run_seconds: float | None = None, **options: Unpack[DrawOptions]
) -> Failure | None:
    """Play a seed again and return its failure with the smallest plan that still fails; None when it does not fail.

    The plan of a run that does not end stays whole: each smaller one would take the time of the limit as well.
    """
    plan = draw_plan(seed, days, **options)
    result = play(plan, run_seconds)
    if result.violation is None:
        return None
    rule = result.violation.rule
    if rule is Invariant.ENDS:
        words = _command_line(**options)
        return Failure(plan=plan, drawn=len(plan.drawn_faults), days=days, result=result, options=words)

    def fails(drawn_faults: tuple[Fault, ...]) -> bool:
        violation = play(replace(plan, drawn_faults=drawn_faults), run_seconds).violation
        return violation is not None and violation.rule is rule

    least = replace(plan, drawn_faults=minimised(plan.drawn_faults, fails))
    result = play(least, run_seconds)
    words = _command_line(**options)
    return Failure(plan=least, drawn=len(plan.drawn_faults), days=days, result=result, options=words)


def _command_line(
    *,
    style: Style = Style.DRAWN,
    faults: bool = True,
    transport: Transport = Transport.PROCESS,
    hedges: int = 1,
) -> str:
    """Return the options of ``hedgerow simulate`` that ask for the same."""
    words = ("" if style is Style.DRAWN else f" --style {style}") + ("" if faults else " --faults none")
    words += "" if transport is Transport.PROCESS else f" --transport {transport}"
    return words + ("" if hedges == 1 else f" --hedges {hedges}")


class _Run:
    """One account on one exchange, one log, and the processes of the bot."""

    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan
        self._random = Random(f"run/{plan.seed}")  # noqa: S311 - a repeatable run, nothing secret
        changes = [t for t in plan.drawn_faults if isinstance(t, MarketFault)]
        market = Random(f"market/{plan.seed}")  # noqa: S311 - as above
        self._market_data = DrawnMarket(market, start=plan.start, days=plan.days, pairs=plan.pairs, changes=changes)
        self._clock = VirtualClock(plan.begin)
        self._harness, owners = self._opened()
        self._parameters = plan.parameters
        self._monitor = Monitor(self._harness, owners=owners, parameters=lambda: self._parameters)
        self._memory = MemoryStore()
        self._crash_point = CrashPoint()
        self._bot: Bot | None = None
        self._awaited: list[Crash] = []
        self._mailbox = OwnersMailbox(self._clock)
        asking = Random(f"interference/{plan.seed}")  # noqa: S311 - as above
        self._interference = Interference(asking, plan.interference, self._mailbox, self._interfered)
        drawn = [t for t in plan.drawn_faults if isinstance(t, Interruption)]
        self._interruptions = Interruptions(drawn, self._clock, self._inject)
        self._endings: list[Act] = []
        """Ends of lasting faults that are still due."""
        self._incidents = 0
        self._restarts = 0
        self._deaths = 0
        in_memory = MEMORY_FOLDER if os.access(MEMORY_FOLDER, os.W_OK) else None
        self._folder = TemporaryDirectory(prefix="hedgerow-run-", dir=in_memory)
        self._view = SimulatedView(Path(self._folder.name), self._clock, self._monitor.shown)

    def run(self) -> None:
        """Play until the end."""
        run_virtual(self._clock, self._whole())

    def close(self) -> None:
        """Remove what the run has on disk."""
        self._folder.cleanup()

    def stop(self, why: str) -> None:
        """Record that the run did not end by itself."""
        self._monitor.violations.insert(0, Violation(rule=Invariant.ENDS, at=self._clock.now(), text=why))

    def result(self) -> RunResult:
        """Return how the run ended."""
        log = self.log
        violation = self._monitor.violations[0] if self._monitor.violations else None
        naked = self._monitor.legs.naked
        return RunResult(
            seed=self._plan.seed,
            days=self._plan.days,
            violation=violation,
            tail=log[-TAIL:] if violation else (),
            crash_points=self._deaths,
            restarts=self._restarts,
            faults_injected=self._harness.injected + self._incidents + self._deaths,
            max_naked_seconds=naked.seconds,
            max_naked_usd=naked.notional,
            max_taken_seconds=naked.taken_seconds,
            max_dead_seconds=naked.dead_seconds,
            trades=tuple(self._monitor.legs.trades),
            opened=self._monitor.ledger.totals.opened,
            closed=self._monitor.ledger.totals.closed,
            aborted=self._monitor.ledger.totals.aborted,
            events=len(log),
            events_sha256=sha256(msgspec.json.encode(log)).hexdigest(),
        )

    @property
    def log(self) -> tuple[Event, ...]:
        """Every event so far."""
        return asyncio.run(self._memory.events())

    @property
    def world(self) -> World:
        """The exchange."""
        return self._harness.world

    def on_notice(self, notice: Notice) -> None:
        """Crash soon, where a crash waits for the beginning of a job."""
        if isinstance(notice, Recorded) and isinstance(notice.event, ExecutionStarted) and self._awaited:
            self._crash_point.fail_after(self._awaited.pop(0).points)
        self._interference.on_notice(notice)
        self._interruptions.on_notice(notice)

    def _interfered(self, request: OperatorRequest) -> None:
        """Report to the bot and to the monitor that a request waits."""
        self._monitor.interferes(self._clock.now(), request)
        if self._bot is not None:
            self._bot.stop.nudge()

    # --- the exchange ------------------------------------------------------------------------------------------------

    def _opened(self) -> tuple[ExchangeHarness, dict[str, Decimal]]:
        """Open the account; returns what else the owner holds."""
        plan = self._plan
        owners: dict[str, Decimal] = {}
        for pair in self._market_data.pairs[:2] if plan.coins else ():
            prices = self._market_data.prices(pair.symbol, plan.begin)
            owners[pair.base] = pair.spot.floor_quantity(plan.coins / prices.spot) if prices else ZERO
        jitter = plan.jitter_seconds
        options = WorldOptions(
            settlement_delay_seconds=jitter,
            settlement_lead_seconds=jitter,
            maintenance_tiers=plan.maintenance_tiers,
        )
        spot = {QUOTE_ASSET: plan.usdt, **owners}
        if plan.transport is Transport.WIRE:
            return WireHarness(self._market_data, self._clock, plan, self._random, spot=spot, options=options), owners
        world = World(self._market_data, start=plan.begin, spot=spot, perp=plan.usdt, options=options)
        return InProcessHarness(world, self._clock, plan, self._random), owners

    # --- processes of the bot ----------------------------------------------------------------------------------------

    async def _whole(self) -> None:
        drawn_faults = asyncio.gather(self._drawn_faults(), self._owner(), self._interruptions.run())
        interval = self._plan.parameters.position_management.loop_interval_seconds
        while self._clock.now() < self._plan.end and not self._monitor.violations:
            await self._session(self._plan.end, interval)
        drawn_faults.cancel()
        for ended in await asyncio.gather(drawn_faults, return_exceptions=True):
            if isinstance(ended, Exception):  # what injects the faults broke: the run had fewer than were drawn
                raise ended
        if self._monitor.violations:
            return
        self._monitor.died()
        self._monitor.revived()
        self._harness.calm()
        for ending in (
            *self._endings,
            *self._interruptions.endings,
        ):  # a market that would have opened again after the end of the run, for example
            self._inject(ending)
        self._end_changes()
        self._awaited.clear()
        self._parameters = settling(self._plan)
        recovered = self._clock.now() + timedelta(hours=RECOVERY_HOURS)
        await self._session(recovered, RECOVERY_INTERVAL_SECONDS, last=True)
        asked = self._mailbox.unanswered(self._clock.now() - REQUESTS_ANSWERED_WITHIN)
        unanswered = [f"request {request.request_id} ({request.text}) was never answered" for request in asked]
        self._monitor.misanswered((*self._mailbox.flaws, *unanswered))
        if not self._monitor.violations:
            log = await self._memory.events()
            self._monitor.judge_end(log, self.world.funding_payments(self._plan.start), self._plan.start)

    async def _session(self, until: datetime, interval: float, *, last: bool = False) -> None:
        """Run a bot until it crashes or is killed at ``until``; the last one is asked to stop."""
        self._crash_point = crash_point = CrashPoint()
        failed = False
        try:
            async with self._harness.session(self._memory, crash_point) as session:
                bot = self._wired(session, interval)
                failed = await self._lived(bot, until, polls=not session.notifications, last=last)
        except SimulatedCrash:
            failed = True
        except ConfigError:
            await self._stay_down(REFUSED_SECONDS, until)  # its supervisor starts it again
            return
        self._restarts += 1
        if failed:
            self._deaths += 1
            crashes = [t for t in self._plan.drawn_faults if isinstance(t, Crash)]
            await self._stay_down(crashes[self._deaths % len(crashes)].down_seconds if crashes else 0.0, until)

    async def _lived(self, bot: Bot, until: datetime, *, polls: bool, last: bool) -> bool:
        """Run a bot; return whether it crashed."""
        self._bot, fallen = bot, asyncio.Event()
        self._crash_point.pulled = fallen.set
        living = asyncio.ensure_future(bot.runner.run())
        others: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(self._guard(bot, polls=polls)),
            asyncio.ensure_future(fallen.wait()),
        ]
        left = (until - self._clock.now()).total_seconds()
        await asyncio.wait({living, *others}, timeout=left, return_when=FIRST)
        if last and not self._monitor.violations:
            bot.stop.set()
            await asyncio.wait({living}, timeout=STOPPING_SECONDS)
        failed = self._crash_point.dead
        self._crash_point.dead = True
        for task in (*others, living):
            task.cancel()
        await asyncio.wait({living, *others})
        if bot.journal.listener_failures:
            raise RuntimeError(f"the judge itself failed: {dict(bot.journal.listener_failures)}")
        error = None if living.cancelled() else living.exception()
        stopped = last and error is None
        if not failed and not living.cancelled() and not isinstance(error, SimulatedCrash) and not stopped:
            raise error or RuntimeError("the bot ended without being stopped")
        return failed

    async def _guard(self, bot: Bot, *, polls: bool) -> None:
        """Wake the bot while legs differ, and let it poll in between; ends with the first violation."""
        attention = asyncio.Event()
        self._monitor.noticed = attention.set
        polling = int(GUARD_SECONDS / POLL_SECONDS) - 1 if polls else 0
        while not self._monitor.violations:
            if self._monitor.exposed:
                for _ in range(polling):
                    await self._clock.sleep(POLL_SECONDS)
                    bot.guard.poll()
                await self._clock.sleep(GUARD_SECONDS - polling * POLL_SECONDS)
                bot.stop.wake()
            else:
                attention.clear()
                await self._noticed(attention, bot, polls=polls)

    async def _noticed(self, attention: asyncio.Event, bot: Bot, *, polls: bool) -> None:
        """Wait until legs differ, something happens to the account, or prices change.

        An exchange is moved on by its own time, and this one by who asks it. A bot without notifications polls the
        account all the time, which shows nothing while legs match: it polls once after each change, as late as it may.
        """
        late = timedelta(seconds=POLL_SECONDS if polls else 0.0)
        wait = self.world.next_change + late - self._clock.now()
        try:
            async with self._clock.timeout(max(wait, timedelta(seconds=1)).total_seconds()):
                await attention.wait()
        except TimeoutError:
            self._harness.advance()
            self._monitor.look()
            if polls and self._monitor.exposed:
                bot.guard.poll()

    async def _stay_down(self, seconds: float, until: datetime) -> None:
        """Wait while no bot runs."""
        self._monitor.died()
        self._view.show(await self._memory.load())
        await self._clock.sleep(min(seconds, max(0.0, (until - self._clock.now()).total_seconds())))
        self._harness.advance()
        self._monitor.revived()

    def _wired(self, session: BotSession, interval: float) -> Bot:
        self._view.begin(self._parameters)
        store = InstrumentedStore(self._memory, self._monitor)
        venue = InstrumentedVenue(session.venue, self._monitor)
        return build_bot(
            venue=CrashingVenue(venue, self._crash_point),
            store=CrashingStore(store, self._crash_point),
            clock=self._clock,
            policy=load_policy(self._parameters.policy, self._parameters),
            randomness=self._random,
            options=RunOptions(
                interval_seconds=interval, mail_seconds=NEVER_SECONDS, poll_seconds=session.poll_seconds
            ),
            mailbox=self._mailbox,
            observers=(self._monitor, self, self._view, *session.observers),
            notifications=venue if session.notifications else None,
        )

    async def _owner(self) -> None:
        """Allow openings again some hours after they were halted, as an operator does."""
        while True:
            await self._clock.sleep(OWNER_LOOKS_SECONDS)
            halt = self._monitor.ledger.halt
            patience = timedelta(hours=self._plan.resume_after_hours)
            if halt is None or self._clock.now() - halt.since < patience or self._bot is None:
                continue
            self._mailbox.resume()
            self._monitor.resumes()
            self._bot.stop.nudge()

    # --- faults ----------------------------------------------------------------------------------------------------

    async def _drawn_faults(self) -> None:
        due: list[Act] = acts(self._plan.drawn_faults)
        while due := sorted((*due, *self._endings), key=lambda fault: fault.at):
            fault = due.pop(0)
            await self._clock.sleep((fault.at - self._clock.now()).total_seconds())
            if fault in self._endings:
                self._endings.remove(fault)
            due = [act for act in due if act not in self._endings]
            ending = self._inject(fault)
            self._endings += [ending] if ending else []
            if self._bot is not None and self._harness.wakes:
                self._bot.stop.wake()

    def _inject(self, fault: Act) -> Act | None:
        if isinstance(fault, Crash):
            self._arm(fault)
            return None
        if isinstance(fault, WireAct):
            return self._harness.inject(fault)
        self._incidents += 1
        self._monitor.noticed()
        if isinstance(fault, Suspension):
            self._suspend(fault.seconds)
            return None
        self._harness.advance()
        self._monitor.look()
        before = self.world.account()
        if isinstance(fault, Alteration):
            return self._alter(fault, altered_pair(fault, self.world.market_data.pairs, before))
        following = self._harness.inject(fault)
        after = self.world.account()
        if isinstance(fault, PriceJump):
            self._monitor.note_cause(Cause.PRICES)
        # The market trades nothing for the owner: it may fill what the bot has resting, and forced trades are known.
        self._monitor.note_incident(after if isinstance(fault, PriceJump) else before, after)
        return following

    def _alter(self, alteration: Alteration, pair: BasisPair) -> Act | None:
        """Change the market of a pair; a coin that balances could not count then is not redenominated."""
        prices, redenominated = self.world.prices(pair.symbol), alteration.kind in REDENOMINATED
        if redenominated and prices is not None and not is_divisible(prices.spot):
            return None
        following = self._harness.inject(alteration)
        if alteration.kind in ANOTHER_COIN:
            self._monitor.legs.relabelled(pair.symbol, self.world.now + timedelta(seconds=alteration.seconds))
        if redenominated:
            self._monitor.redenominated(pair, NEW_UNITS)
        after = self.world.account()
        self._monitor.note_incident(after, after)  # as of any change of the market, above
        return following

    def _end_changes(self) -> None:
        """Undo what is changed of markets: a closing that became naked before may wait for the former prices."""
        self._harness.advance()
        self._monitor.look()
        self.world.end_changes()
        after = self.world.account()
        self._monitor.note_cause(Cause.PRICES)
        self._monitor.note_incident(after, after)
        self._monitor.legs.named_again()

    def _suspend(self, seconds: float) -> None:
        """Let time pass in which nothing of this machine runs; a bot that is down already stays so."""
        down = self._monitor.legs.dead
        if not down:
            self._monitor.died()
        self._clock.advance_time(seconds)
        self._harness.advance()
        if not down:
            self._monitor.revived()

    def _arm(self, crash: Crash) -> None:
        if crash.trading:
            self._awaited.append(crash)
        else:
            self._crash_point.fail_after(crash.points)
