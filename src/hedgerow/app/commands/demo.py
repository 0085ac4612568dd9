"""``demo``: an emulated exchange and a bot that adopts, farms, rotates, is killed and restarted, and a report."""

import asyncio
import random
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.app.bot import Bot, build_bot
from hedgerow.app.heartbeat import Heartbeat
from hedgerow.app.series_file import published
from hedgerow.app.state_file import StateFile
from hedgerow.clock import SystemClock, VirtualClock, run_virtual
from hedgerow.config import Home, settings_in_words
from hedgerow.config.presets import preset_of
from hedgerow.dashboard.report.alternatives import Hold, hold
from hedgerow.dashboard.report.recorder import RunEnd, RunRecorder
from hedgerow.dashboard.report.report import RunReport
from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.errors import ConfigError, HistoryError, InvariantBroken, Rejected
from hedgerow.domain.events import HedgeAdopted
from hedgerow.domain.formats import utc_minute
from hedgerow.domain.instrument import BasisPair, Market, Side
from hedgerow.domain.ledger.books import books_difference
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import HedgedPosition
from hedgerow.domain.run_identity import RunIdentity
from hedgerow.emulator.core.world import World
from hedgerow.emulator.inprocess.venue import EmulatedVenue
from hedgerow.emulator.latency import LatencyModel
from hedgerow.emulator.markets.generated import GeneratedMarketData
from hedgerow.engine.notices import CycleEnded, EquityRead, Notice, Observer, Recorded, Warned
from hedgerow.engine.runner import RunOptions
from hedgerow.history.archive import ArchiveMarketData
from hedgerow.ports import MarketData
from hedgerow.store.codec import events_sha256
from hedgerow.store.sqlite import SqliteStore
from hedgerow.strategy.evaluation.sizing import leg_capital
from hedgerow.strategy.evidence.prices import prices_of
from hedgerow.strategy.hedge_result import ExitPrices, coin_prices, exit_prices
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import load_policy

__all__ = ["DemoPlan", "demo_market_data", "play_demo"]

LATENCY = LatencyModel(median_seconds=0.04)
"""One way, from a home connection to the venue."""
HELD_BY_HAND = timedelta(hours=8)
"""How long before the bot's start a user opened a hedge manually."""
KILLED = "The demo kills the bot here, without warning. Another one starts, and knows only what is in the log."
BY_HAND_SHARE = Decimal("0.4")
"""Part of each wallet that this hedge uses, within the settings' cap."""


class DemoPlan(Struct, frozen=True, kw_only=True):
    """What the demo plays."""

    market_data: MarketData
    days: float = 14.0
    seed: int = 1
    """Of latencies and ids; with the same market the same seed gives the same log, byte for byte."""
    speed: float | None = None
    """Virtual seconds per real second; None = as fast as the machine allows."""
    parameters: StrategyParameters = StrategyParameters()
    usdt: Decimal = Decimal(2000)
    """Split over both wallets."""
    home: Home
    identity: RunIdentity | None = None
    """For the log lines at start."""
    """Where log, state file and event log are kept."""
    shown: bool = False
    """Whether a dashboard reads it: what a running bot publishes is then written into its home."""
    by_hand: bool = True
    """Whether the bot finds a hedge that a user opened manually."""

    @property
    def end(self) -> datetime:
        """When the demo is over: after its days, or where the market's data end."""
        return min(self.start + timedelta(days=self.days), self.market_data.end)

    @property
    def start(self) -> datetime:
        """When the bot starts."""
        return self.market_data.start + (HELD_BY_HAND if self.by_hand else timedelta(0))


def demo_market_data(data: Path | None, *, seed: int, pairs: int, start: datetime, days: float) -> MarketData:
    """Return the market to play: generated from ``seed``, or real history from the folder ``data``.

    Raises:
        HistoryError: the history cannot be read, or holds nothing for the window.
    """
    if data is not None:
        return _history(data, start, days)
    try:
        return GeneratedMarketData(seed=seed, start=start, pairs=pairs)
    except ValueError as error:
        raise ConfigError(f"--pairs {pairs}: {error}") from error


def _history(data: Path, start: datetime, days: float) -> MarketData:
    market_data = ArchiveMarketData.load(data, start=start, days=days + HELD_BY_HAND / timedelta(days=1))
    if market_data.end <= market_data.start + HELD_BY_HAND:
        raise HistoryError(
            f"{data}: prices end at {utc_minute(market_data.end)} UTC, too soon after --start for the demo"
        )
    return market_data


def play_demo(plan: DemoPlan, observers: Sequence[Observer]) -> RunReport:
    """Play the demo to its end and report on it."""
    began = SystemClock().monotonic()
    recorder = RunRecorder(
        title="Hedgerow demo",
        started_at=plan.start,
        seed=plan.seed,
        sources=plan.market_data.sources,
    )
    world = _world(plan)
    recording = _Recording(recorder, plan, before=world.account().coin(QUOTE_ASSET).total)
    finished = _play(plan, world, (*observers, recording))
    ledger, sha = asyncio.run(_log_of(plan))
    settings, usual = settings_in_words(plan.parameters), settings_in_words(StrategyParameters())
    report = recorder.finish(
        RunEnd(
            # The last check may lie a little before the end that was asked for.
            at=plan.end if finished else max(world.now, plan.start),
            elapsed_seconds=round(SystemClock().monotonic() - began, 3),
            events_sha256=sha,
            books_lines=books_difference(ledger.books, world.account()),
            prices_by_symbol=_prices(ledger, world),
            coins=coin_prices(ledger.dust, world.market(1)),
            settings=settings,
            changed=frozenset(name for name, value in settings.items() if value != usual[name]),
            interrupted=not finished,
            notes=_notes(plan, finished=finished),
        )
    )
    return replace(report, preset=preset_of(plan.parameters), hold=_hold(plan, report))


def _hold(plan: DemoPlan, report: RunReport) -> Hold | None:
    """Return what the run's first pair would have made, opened at the start at the size that the settings allow."""
    if not report.hedges:
        return None
    first, half = report.hedges[0], plan.usdt / 2
    pair = next(pair for pair in plan.market_data.pairs if pair.symbol == first.symbol)
    return hold(
        plan.market_data,
        pair,
        leg=leg_capital(half, half, plan.parameters.capital_management),
        wallet=half,
        since=max(first.opened_at, plan.start),
        until=report.ended_at,
    )


def _notes(plan: DemoPlan, *, finished: bool) -> tuple[str, ...]:
    notes = tuple(plan.market_data.notes) if isinstance(plan.market_data, ArchiveMarketData) else ()
    text = f"interrupted before {utc_minute(plan.end)} UTC: this is what was played; a trade may have been under way"
    return notes if finished else (*notes, text)


async def _log_of(plan: DemoPlan) -> tuple[Ledger, str]:
    store = SqliteStore(plan.home.events)
    try:
        return await store.load(), events_sha256(await store.events())
    finally:
        await store.close()


def _prices(ledger: Ledger, world: World) -> dict[str, ExitPrices]:
    """Return what each open hedge is valued at, at the end of the market's data."""
    view, account = world.market(1), world.account()
    return {each.symbol: exit_prices(each, prices_of(each.symbol, view, account), view) for each in ledger.live_hedges}


class _Recording:
    """Feeds a run's report.

    The manually opened hedge is part of the run's result, and so is what it cost: equity begins before it, less the
    coins bought beyond the short, which stay the user's (``before`` is the spot USDT left after buying).
    """

    def __init__(self, recorder: RunRecorder, plan: DemoPlan, *, before: Decimal) -> None:
        self._recorder = recorder
        self._begun_at = plan.start
        self._usdt = plan.usdt
        self._spent = plan.usdt / 2 - before
        self._begun = False

    def on_notice(self, notice: Notice) -> None:
        """Take events and equity."""
        if isinstance(notice, Recorded):
            if isinstance(notice.event, HedgeAdopted) and notice.after.largest is not None:
                self._begin(_taken_over(notice.after.largest))
            self._recorder.record(notice.event, notice.after)
        elif isinstance(notice, CycleEnded | EquityRead) and notice.equity is not None:
            self._begin(ZERO)
            self._recorder.sample(notice.at, notice.equity)

    def _begin(self, taken_over: Decimal) -> None:
        if not self._begun:
            self._recorder.sample(self._begun_at, self._usdt - (self._spent - taken_over))
        self._begun = True


def _taken_over(hedge: HedgedPosition) -> Decimal:
    """Return what the adopted coins cost, quote units: their share of the buys, and of the fee taken in coin."""
    spot_fees = sum((r.booked_fee for r in hedge.orders if r.request.market is Market.SPOT), ZERO)
    return hedge.tally.spot_bought - hedge.tally.spot_sold + spot_fees - hedge.tally.coin_fee_value


def _world(plan: DemoPlan) -> World:
    half = plan.usdt / 2
    world = World(plan.market_data, start=plan.market_data.start, spot={QUOTE_ASSET: half}, perp=half)
    if plan.by_hand:
        cap = plan.parameters.capital_management.max_capital_usd
        share = half * BY_HAND_SHARE
        _open_by_hand(world, share if cap is None else min(share, cap / 2))
    return world


def _play(plan: DemoPlan, world: World, observers: Sequence[Observer]) -> bool:
    """Play the demo; return whether it ended without an interruption."""
    world.advance(plan.start)
    clock = VirtualClock(plan.start, speed=plan.speed)
    try:
        run_virtual(clock, _two_lives(plan, world, clock, observers))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return False
    return True


async def _two_lives(plan: DemoPlan, world: World, clock: VirtualClock, observers: Sequence[Observer]) -> None:
    """Run half the time, be killed without warning, and run the rest from the log."""
    randomness = random.Random(plan.seed)  # noqa: S311 - a repeatable run, nothing secret
    venue = EmulatedVenue(world, clock, latency=LATENCY, random=randomness)
    half = (plan.end - plan.start).total_seconds() / 2
    with _shown(plan, observers) as seen:
        await _live(_bot(plan, venue, clock, randomness, seen), clock, half, kill=True)
    for observer in observers:
        observer.on_notice(Warned(at=clock.now(), text=KILLED))
    with _shown(plan, observers) as seen:
        await _live(_bot(plan, venue, clock, randomness, seen), clock, half, kill=False)


@contextmanager
def _shown(plan: DemoPlan, observers: Sequence[Observer]) -> Generator[tuple[Observer, ...]]:
    """Write what a dashboard reads into the home while one of the two bots runs; the run stays the same."""
    if not plan.shown:
        yield tuple(observers)
        return
    policy = load_policy(plan.parameters.policy, plan.parameters)
    screens, background = published(plan.home, policy, plan.identity)
    try:
        yield (*observers, *screens, Heartbeat(plan.home.heartbeat))
    finally:
        background.close()


def _bot(
    plan: DemoPlan,
    venue: EmulatedVenue,
    clock: VirtualClock,
    randomness: random.Random,
    observers: Sequence[Observer],
) -> Bot:
    state = StateFile(plan.home.state)
    return build_bot(
        venue=venue,
        store=SqliteStore(plan.home.events),
        clock=clock,
        policy=load_policy(plan.parameters.policy, plan.parameters),
        randomness=randomness,
        options=RunOptions(interval_seconds=plan.parameters.position_management.loop_interval_seconds),
        identity=plan.identity,
        observers=(*observers, state),
        state=state,
    )


async def _live(bot: Bot, clock: VirtualClock, seconds: float, *, kill: bool) -> None:
    running = asyncio.create_task(bot.runner.run())
    try:
        async with clock.timeout(seconds):
            await asyncio.shield(running)
    except TimeoutError:
        pass
    if not kill:
        bot.stop.set()
        await running
    else:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    if bot.journal.listener_failures:
        raise InvariantBroken(f"the report could not follow the run: {dict(bot.journal.listener_failures)}")


def _open_by_hand(world: World, notional: Decimal) -> None:
    """Open a hedge as a user would on the venue's page: sell the perpetual, then buy the coins against it."""
    for pair in _by_rate(world):
        quote = world.market(1).quote(Market.SPOT, pair.symbol)
        quantity = pair.perp.floor_quantity(notional / quote.ask) if quote and quote.ask else ZERO
        if quote is None or quote.bid is None or quantity * quote.bid < notional / 2:
            continue
        try:
            world.set_leverage(pair.symbol, 1)
            short = world.trade_by_hand(Market.PERP, pair.symbol, Side.SELL, quantity).filled_quantity
        except Rejected:
            continue
        if short:
            world.trade_by_hand(Market.SPOT, pair.symbol, Side.BUY, pair.gross_spot_for(short))
            return


def _by_rate(world: World) -> list[BasisPair]:
    board = world.market(1).rates

    def newest(pair: BasisPair) -> Decimal:
        rates = board.newest(pair.symbol, 1)
        return rates[-1].rate / rates[-1].interval_hours if rates else Decimal(-1)

    return sorted(world.market_data.pairs, key=newest, reverse=True)
