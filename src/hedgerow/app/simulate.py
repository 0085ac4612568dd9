"""Plays simulated runs: one seed, one bot on one exchange, faults, deaths and restarts, judged after every event."""

import asyncio
import gc
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from hashlib import sha256
from multiprocessing import get_context
from random import Random

import msgspec
from msgspec.structs import replace

from hedgerow.app.bot import Bot, BotParts, build_bot
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.events import Event, ExecutionStarted
from hedgerow.domain.money import ZERO
from hedgerow.emulator.faults import Disorder, FaultPlan, LaggingBalances, LateReports, StaleBooks
from hedgerow.emulator.latency import LatencyModel
from hedgerow.emulator.state import WorldOptions
from hedgerow.emulator.venue import EmulatedVenue
from hedgerow.emulator.world import World
from hedgerow.engine.moments import Moment, Recorded
from hedgerow.engine.runner import RunOptions
from hedgerow.simulation.draws import draw_plan
from hedgerow.simulation.fates import Closure, befall
from hedgerow.simulation.market import DrawnMarket, MarketTrouble, OneSidedBook
from hedgerow.simulation.minimise import minimised
from hedgerow.simulation.plan import Act, Crash, RunPlan, Suspension, Trouble, acts, venue_faults
from hedgerow.simulation.power import CrashingStore, CrashingVenue, Plug, PowerCut
from hedgerow.simulation.report import Failure, RunResult
from hedgerow.simulation.style import Style
from hedgerow.simulation.watched import WatchedStore, WatchedVenue
from hedgerow.simulation.witness import Witness
from hedgerow.store.memory import MemoryStore

__all__ = ["explain", "play", "play_seed", "play_seeds", "play_whole"]

TAIL = 40
"""Events shown of a run that failed."""
GUARD_SECONDS = 300.0
"""How often the bot is woken while legs differ: the rhythm of a live bot; at rest it looks every hour."""
RECOVERY_HOURS = 0.8
RECOVERY_INTERVAL_SECONDS = 300.0
FIRST = asyncio.FIRST_COMPLETED
CHUNK = 4
"""Seeds handed to a worker at a time."""


def play_seed(seed: int, days: float, *, style: Style = Style.DRAWN, faults: bool = True) -> RunResult:
    """Play the run of a seed."""
    return play(draw_plan(seed, days, style=style, faults=faults))


def play(plan: RunPlan) -> RunResult:
    """Play one run to its end, or to its first violation."""
    with _garbage_at_the_end():
        return _Run(plan).play()


def play_whole(plan: RunPlan) -> tuple[RunResult, tuple[Event, ...], World]:
    """Play one run and return its log and its exchange as well, for whoever holds the one against the other."""
    with _garbage_at_the_end():
        run = _Run(plan)
        return run.play(), run.log, run.world


@contextmanager
def _garbage_at_the_end() -> Generator[None]:
    """Look for reference cycles once, after the body: a run leaves few, and looking often costs a tenth of its time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.collect()
        if was_enabled:
            gc.enable()


def play_seeds(
    seeds: Sequence[int], days: float, *, workers: int, style: Style = Style.DRAWN, faults: bool = True
) -> Iterator[RunResult]:
    """Play many seeds at once; the results come in the order of the seeds."""
    playing = partial(play_seed, days=days, style=style, faults=faults)
    if workers <= 1:
        yield from map(playing, seeds)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=gc.freeze) as pool:
        yield from pool.map(playing, seeds, chunksize=CHUNK)


def explain(seed: int, days: float, *, style: Style = Style.DRAWN, faults: bool = True) -> Failure | None:
    """Play a seed again and return its failure with the smallest plan that still fails; None when it does not fail."""
    plan = draw_plan(seed, days, style=style, faults=faults)
    result = play(plan)
    if result.violation is None:
        return None
    rule = result.violation.rule

    def fails(troubles: tuple[Trouble, ...]) -> bool:
        violation = play(replace(plan, troubles=troubles)).violation
        return violation is not None and violation.rule is rule

    least = replace(plan, troubles=minimised(plan.troubles, fails))
    options = ("" if style is Style.DRAWN else f" --style {style}") + ("" if faults else " --faults none")
    return Failure(plan=least, drawn=len(plan.troubles), result=play(least), options=options)


class _Run:
    """One account on one exchange, one log, and the lives of the bot."""

    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan
        self._random = Random(f"run/{plan.seed}")  # noqa: S311 - a repeatable run, nothing secret
        changes = [t for t in plan.troubles if isinstance(t, MarketTrouble)]
        market = Random(f"market/{plan.seed}")  # noqa: S311 - as above
        self._tape = DrawnMarket(market, start=plan.start, days=plan.days, pairs=plan.pairs, changes=changes)
        self._clock = VirtualClock(plan.begin)
        self._world, owners = self._account()
        self._venue = self._door(venue_faults(plan.troubles))
        self._witness = Witness(self._venue, owners=owners, windows=_windows(plan), patience_seconds=_patience(plan))
        self._memory = MemoryStore()
        self._plug = Plug()
        self._bot: Bot | None = None
        self._awaited: list[Crash] = []
        self._befallen = 0
        self._restarts = 0
        self._deaths = 0

    def play(self) -> RunResult:
        """Play until the end."""
        run_virtual(self._clock, self._whole())
        log = self.log
        violation = self._witness.violations[0] if self._witness.violations else None
        naked = self._witness.naked
        return RunResult(
            seed=self._plan.seed,
            violation=violation,
            tail=log[-TAIL:] if violation else (),
            crash_points=self._deaths,
            restarts=self._restarts,
            faults_injected=self._venue.struck + self._befallen + self._deaths,
            max_naked_seconds=naked.seconds,
            max_naked_usd=naked.notional,
            max_taken_seconds=naked.taken_seconds,
            max_dead_seconds=naked.dead_seconds,
            trades=tuple(self._witness.trades),
            opened=self._witness.ledger.totals.opened,
            closed=self._witness.ledger.totals.closed,
            aborted=self._witness.ledger.totals.aborted,
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
        return self._world

    def hear(self, moment: Moment) -> None:
        """Let the power fail soon, where a crash waits for the beginning of a job."""
        if isinstance(moment, Recorded) and isinstance(moment.event, ExecutionStarted) and self._awaited:
            self._plug.fail_after(self._awaited.pop(0).moments)

    # --- the exchange ------------------------------------------------------------------------------------------------

    def _account(self) -> tuple[World, dict[str, Decimal]]:
        plan = self._plan
        owners: dict[str, Decimal] = {}
        for pair in self._tape.pairs[:2] if plan.coins else ():
            prices = self._tape.prices(pair.symbol, plan.begin)
            owners[pair.base] = pair.spot.floor_quantity(plan.coins / prices.spot) if prices else ZERO
        jitter = plan.jitter_seconds
        options = WorldOptions(settlement_delay_seconds=jitter, settlement_lead_seconds=jitter)
        spot = {QUOTE_ASSET: plan.usdt, **owners}
        return World(self._tape, start=plan.begin, spot=spot, perp=plan.usdt, options=options), owners

    def _door(self, faults: FaultPlan) -> EmulatedVenue:
        plan = self._plan
        return EmulatedVenue(
            self._world,
            self._clock,
            latency=LatencyModel(median_seconds=plan.latency_seconds),
            random=self._random,
            faults=faults,
            delayed_spot_ack=plan.delayed_spot_ack,
            certain_after_seconds=plan.certain_after_seconds,
        )

    # --- lives -------------------------------------------------------------------------------------------------------

    async def _whole(self) -> None:
        troubles = asyncio.ensure_future(self._troubles())
        interval = self._plan.parameters.position_management.loop_interval_seconds
        while self._clock.now() < self._plan.end and not self._witness.violations:
            await self._life(self._plan.end, interval)
        troubles.cancel()
        await asyncio.gather(troubles, return_exceptions=True)
        if self._witness.violations:
            return
        self._witness.died()
        self._witness.revived()
        self._venue.calm()
        self._awaited.clear()
        await self._life(self._clock.now() + timedelta(hours=RECOVERY_HOURS), RECOVERY_INTERVAL_SECONDS)
        if not self._witness.violations:
            log = await self._memory.events()
            self._witness.judge_end(log, self._world.funding_payments(self._plan.start))

    async def _life(self, until: datetime, interval: float) -> None:
        """Let a bot live until the power fails, or until it is killed at ``until``."""
        self._plug = Plug()
        bot = self._bot = self._wired(interval)
        living = asyncio.ensure_future(bot.runner.run())
        guard = asyncio.ensure_future(self._guard(bot))
        await asyncio.wait({living, guard}, timeout=(until - self._clock.now()).total_seconds(), return_when=FIRST)
        guard.cancel()
        await asyncio.gather(guard, return_exceptions=True)
        if living.done():
            await self._mourn(living, until)
            return
        self._plug.dead = True
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)
        self._restarts += 1

    async def _guard(self, bot: Bot) -> None:
        """Wake the bot while legs differ; ends with the first violation."""
        attention = asyncio.Event()
        self._witness.noticed = attention.set
        while not self._witness.violations:
            if self._witness.exposed:
                await self._clock.sleep(GUARD_SECONDS)
                bot.stop.wake()
            else:
                attention.clear()
                await attention.wait()

    async def _mourn(self, living: "asyncio.Future[None]", until: datetime) -> None:
        """Wait as long as the bot is down, after the power failed; anything else that ended it is a failure."""
        error = living.exception()
        if not isinstance(error, PowerCut):
            raise error or RuntimeError("the bot ended, and nobody had stopped it")
        self._deaths += 1
        self._restarts += 1
        self._witness.died()
        crashes = [t for t in self._plan.troubles if isinstance(t, Crash)]
        down = crashes[self._deaths % len(crashes)].down_seconds if crashes else 0.0
        await self._clock.sleep(min(down, max(0.0, (until - self._clock.now()).total_seconds())))
        self._world.advance(self._clock.now())
        self._witness.revived()

    def _wired(self, interval: float) -> Bot:
        store = WatchedStore(self._memory, self._witness)
        venue = WatchedVenue(self._venue, self._witness)
        return build_bot(
            BotParts(
                venue=CrashingVenue(venue, self._plug),
                store=CrashingStore(store, self._plug),
                clock=self._clock,
                parameters=self._plan.parameters,
                randomness=self._random,
                options=RunOptions(interval_seconds=interval),
                listeners=(self._witness, self),
                news=venue if self._plan.news else None,
            )
        )

    # --- troubles ----------------------------------------------------------------------------------------------------

    async def _troubles(self) -> None:
        due = acts(self._plan.troubles)
        while due:
            due.sort(key=lambda trouble: trouble.at)
            trouble = due.pop(0)
            await self._clock.sleep((trouble.at - self._clock.now()).total_seconds())
            following = self._strike(trouble)
            due += [following] if following else []
            if self._bot is not None and not self._plan.news:
                self._bot.stop.wake()

    def _strike(self, trouble: Act) -> Act | None:
        if isinstance(trouble, Crash):
            self._arm(trouble)
            return None
        self._befallen += 1
        if isinstance(trouble, Suspension):
            self._witness.died()
            self._clock.pass_time(trouble.seconds)
            self._world.advance(self._clock.now())
            self._witness.revived()
            return None
        self._world.advance(self._clock.now())
        before = self._world.account()
        following = befall(trouble, self._world)
        self._witness.befell(before, self._world.account())
        return following

    def _arm(self, crash: Crash) -> None:
        if crash.trading:
            self._awaited.append(crash)
        else:
            self._plug.fail_after(crash.moments)


def _windows(plan: RunPlan) -> list[tuple[datetime, datetime]]:
    """Return when the exchange cannot do what it is asked, or shows what is no longer so."""
    found: list[tuple[datetime, datetime]] = []
    for trouble in plan.troubles:
        if isinstance(trouble, StaleBooks | Disorder):
            found.append((trouble.after, trouble.until))
        elif isinstance(trouble, OneSidedBook):
            found.append((trouble.at, trouble.until))
        elif isinstance(trouble, Closure):
            found.append((trouble.at, trouble.at + timedelta(hours=trouble.hours)))
    return found


def _patience(plan: RunPlan) -> float:
    """Return how many seconds more than usual may pass: lost orders may still land, balances lag, requests travel."""
    lag = max((t.seconds for t in plan.troubles if isinstance(t, LaggingBalances | LateReports)), default=0.0)
    return plan.certain_after_seconds + lag + 20 * plan.latency_seconds
