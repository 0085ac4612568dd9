"""Replay: the engine that trades live over an emulated exchange that plays market history, on a virtual clock."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.backtest.figures import Decision, Trade
from hedgerow.backtest.study import END, PRICES_ENDED, Failure, Result, Study
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.events import CycleCompleted, Event, FundingReceived, HedgeClosed, HedgeOpened, HedgeRolled
from hedgerow.domain.execution_quality import ExecutionQuality, LegQuality
from hedgerow.domain.instrument import BasisPair, Market, Side
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.market import MarketView
from hedgerow.domain.money import BPS, ZERO
from hedgerow.domain.position import HedgedPosition, Reason
from hedgerow.emulator.core.snapshot import WorldOptions
from hedgerow.emulator.core.world import World
from hedgerow.emulator.inprocess.venue import EmulatedVenue
from hedgerow.engine.journal import Journal
from hedgerow.engine.notices import CycleFailed, NothingRead, Notice, Observer
from hedgerow.engine.runner import Runner, RunOptions, StopSignal
from hedgerow.history.series import to_ms
from hedgerow.ports import Clock, Store, Venue
from hedgerow.strategy.evaluation.exits import Exit
from hedgerow.strategy.evaluation.ranking import Ranking
from hedgerow.strategy.observation import Evaluation, Refusal, RefusalKind
from hedgerow.strategy.parameters import CapitalManagement, StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from hedgerow.strategy.policy import SLOWEST_INTERVAL_HOURS, Policy, settled_rates

__all__ = ["BotBuilder", "HoldFirst", "ReplayedBot", "replay", "replay_parameters"]

WALLET_LEGS: Final = 100
"""How many legs each wallet could pay: notional is constant, and margin never binds."""
ANY_COST_BPS: Final = Decimal(10_000)
"""A pair whose prices end is left whatever it costs."""
JITTER: Final = timedelta(milliseconds=1)
"""Rounding of the loop's time, which is a float."""


class ReplayedBot(Protocol):
    """What a replay needs of a bot."""

    @property
    def runner(self) -> Runner: ...  # noqa: D102 - plain
    @property
    def journal(self) -> Journal: ...  # noqa: D102 - plain
    @property
    def stop(self) -> StopSignal: ...  # noqa: D102 - plain


class BotBuilder(Protocol):
    """Wires a bot of these parts."""

    def __call__(
        self,
        *,
        venue: Venue,
        store: Store,
        clock: Clock,
        policy: Policy,
        options: RunOptions,
        observers: Sequence[Observer],
    ) -> ReplayedBot:
        """Return the bot; called inside the event loop that it runs on."""
        ...


class HoldFirst(VolumeFarming):
    """Holds one pair from as soon as it can be opened, for as long as it has prices."""

    def __init__(self, parameters: StrategyParameters, symbol: str) -> None:
        newest = replace(parameters.funding_rate_strategy, funding_ma_periods=1, use_funding_ma=True)
        super().__init__(replace(parameters, funding_rate_strategy=newest))
        self._symbol = symbol

    def refusals(self, pair: BasisPair, ranking: Ranking, market: MarketView) -> tuple[Refusal, ...]:
        """Refuse every other pair, and this one while it has no prices."""
        del ranking
        if pair.symbol == self._symbol and market.quote(Market.SPOT, pair.symbol) is not None:
            return ()
        return (Refusal(kind=RefusalKind.POLICY, detail="another pair is held, or it has no prices"),)

    def review(self, evaluation: Evaluation, ranking: Ranking, market: MarketView) -> Exit | None:
        """Keep it."""
        del evaluation, ranking, market
        return None


class _UntilTheEnd:
    """A policy that decides nothing from the end of the window on, and leaves a pair for good once its prices end."""

    def __init__(self, policy: Policy, ended_ms: dict[str, int], end_ms: int) -> None:
        self._policy = policy
        self._ended_ms = ended_ms
        self._end_ms = end_ms
        self._parameters = self.parameters = policy.parameters
        self.history_hours = settled_rates(policy) * SLOWEST_INTERVAL_HOURS
        anyhow = replace(policy.parameters.position_management, max_exit_cost_bps=ANY_COST_BPS)
        self._leaving = replace(policy.parameters, position_management=anyhow)

    def rank(self, market: MarketView) -> Ranking:
        return self._policy.rank(market)

    def capital(self, spot: Decimal, perp: Decimal) -> Decimal:
        return self._policy.capital(spot, perp)

    def refusals(self, pair: BasisPair, ranking: Ranking, market: MarketView) -> tuple[Refusal, ...]:
        found = self._policy.refusals(pair, ranking, market)
        if to_ms(market.at) < min(self._end_ms, self._ended_ms[pair.symbol]):
            return found
        return (*found, Refusal(kind=RefusalKind.POLICY, detail=PRICES_ENDED))

    def review(self, evaluation: Evaluation, ranking: Ranking, market: MarketView) -> Exit | None:
        now_ms = to_ms(market.at)
        if now_ms >= self._end_ms:
            return None
        leaves = now_ms >= self._ended_ms[evaluation.symbol]
        self.parameters = self._leaving if leaves else self._parameters
        if leaves:
            return Exit(reason=Reason.SHUTDOWN, detail=PRICES_ENDED)
        kept = tuple(signal for signal in ranking.ordered if now_ms < self._ended_ms[signal.symbol])
        if len(kept) < len(ranking.ordered):
            ranking = replace(ranking, ordered=kept)
        return self._policy.review(evaluation, ranking, market)


class _Ended(Struct, frozen=True, kw_only=True):
    hedge: HedgedPosition
    at: datetime
    reason: Reason
    quality: ExecutionQuality | None = None
    """Of the closing."""

    @property
    def legs(self) -> list[LegQuality]:
        """Every leg of both jobs, against the middle of its book when the job began."""
        jobs = (self.hedge.opening_quality, self.quality)
        return [leg for job in jobs if job is not None for leg in (job.spot, job.perp)]


class _Failures:
    """An ``Observer`` that counts why checks failed."""

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()
        self._first_at: dict[str, datetime] = {}

    def on_notice(self, notice: Notice) -> None:
        if isinstance(notice, CycleFailed | NothingRead):
            cause = notice.error if isinstance(notice, CycleFailed) else "neither market nor account could be read"
            self._count[cause] += 1
            self._first_at.setdefault(cause, notice.at)

    @property
    def most_frequent(self) -> Failure | None:
        if not self._count:
            return None
        ((cause, _),) = self._count.most_common(1)
        return Failure(cause=cause, first_at=self._first_at[cause])


class _Record:
    """A ``Store`` that keeps of the log what a result is made of, and nothing else."""

    def __init__(self) -> None:
        self.journal: Journal | None = None
        self.failures = _Failures()
        self.checks = 0
        self.hedges: list[_Ended] = []
        self.payments: list[FundingReceived] = []
        self.actions: list[tuple[datetime, str, str, Reason]] = []

    async def load(self) -> Ledger:
        return Ledger()

    async def append(self, events: Sequence[Event], *, durable: bool) -> None:
        del durable
        for event in events:
            if isinstance(event, FundingReceived):
                self.payments.append(event)
            elif isinstance(event, CycleCompleted):
                self.checks += 1
            elif isinstance(event, HedgeOpened | HedgeClosed | HedgeRolled):
                self._note(event)

    def _note(self, event: HedgeOpened | HedgeClosed | HedgeRolled) -> None:
        hedge = self.journal.ledger.hedges.get(event.hedge_id) if self.journal else None
        if hedge is None:
            return
        if isinstance(event, HedgeOpened):
            self.actions.append((event.at, "open", hedge.symbol, Reason.BEST_OPPORTUNITY))
        elif isinstance(event, HedgeRolled):
            self.actions.append((event.at, "roll", hedge.symbol, Reason.FEES_COVERED))
        else:
            self.actions.append((event.at, "close", hedge.symbol, event.reason))
            self.hedges.append(_Ended(hedge=hedge, at=event.at, reason=event.reason, quality=event.quality))

    async def events(self, *, after: int = 0) -> tuple[Event, ...]:
        del after
        return ()

    async def snapshot(self, ledger: Ledger) -> None:
        del ledger

    async def close(self) -> None:
        pass


def replay_parameters(study: Study, parameters: StrategyParameters) -> StrategyParameters:
    """Return the parameters with which the engine trades the same constant notional as the kernel.

    With a constant cost, books are bottomless and each leg is one order.
    """
    capital = CapitalManagement(
        capital_fraction=parameters.capital_management.capital_fraction,
        min_capital_usd=ZERO,
        max_capital_usd=Decimal(repr(2 * study.plan.notional)),
    )
    limits = parameters.execution
    if study.plan.cost_bps is not None:
        limits = replace(
            limits, max_naked_equity_fraction=Decimal(1), slice_depth_fraction=Decimal(1), max_order_usd=None
        )
    return replace(parameters, capital_management=capital, execution=limits)


def replay(study: Study, policy: Policy, build: BotBuilder) -> Result:
    """Play a window through the engine; ``policy`` has the parameters of ``replay_parameters``."""
    record = _played(study, policy, build)
    _end_what_is_held(study, record)
    result = study.judged(_trades(study, record), tuple(_decisions(study, record)))
    missing = max(0, study.grid.steps - record.checks)
    return replace(result, failed_checks=missing, failure=record.failures.most_frequent if missing else None)


def _played(study: Study, policy: Policy, build: BotBuilder) -> _Record:
    plan, start, end = study.plan, study.market_data.start, study.market_data.end
    record, clock = _Record(), VirtualClock(start)
    wallet = Decimal(repr(plan.notional)) * WALLET_LEGS
    options = WorldOptions(bottomless=plan.cost_bps is not None, spot_quote_fee=plan.fill_fee)
    world = World(study.market_data, start=start, spot={QUOTE_ASSET: wallet}, perp=wallet, options=options)
    ended = {s: int(at) for s, at in zip(study.symbols, study.tables.ended_ms, strict=True)}
    guarded = _UntilTheEnd(policy, ended, to_ms(end))

    async def window() -> None:
        bot = build(
            venue=EmulatedVenue(world, clock),
            store=record,
            clock=clock,
            policy=guarded,
            options=RunOptions(close_on_exit=True, interval_seconds=plan.cycle_seconds),
            observers=(record.failures,),
        )
        # Failures are said in any case; what else a check would say takes a quarter of the time, and nobody reads it.
        bot.journal.has_observers = False
        record.journal = bot.journal
        stopper = asyncio.get_running_loop().call_later((end - start).total_seconds(), bot.stop.set)
        await bot.runner.run()
        stopper.cancel()

    run_virtual(clock, window())
    return record


def _end_what_is_held(study: Study, record: _Record) -> None:
    """Count what could not be closed at the end, in a gap of the prices, as closed at the last ones known."""
    end = study.market_data.end
    for hedge in record.journal.ledger.hedges.values() if record.journal else ():
        record.actions.append((end, "close", hedge.symbol, Reason.SHUTDOWN))
        record.hedges.append(_Ended(hedge=hedge, at=end, reason=Reason.SHUTDOWN))


def _decisions(study: Study, record: _Record) -> list[Decision]:
    end = study.market_data.end
    found: list[Decision] = []
    for at, action, symbol, reason in record.actions:
        last = at >= end - JITTER
        check = end if last and action == "close" else _check_of(study, at)
        found.append(Decision(at=check, action=action, symbol=symbol, reason=_word(reason, ended=last)))
    return found


def _word(reason: Reason, *, ended: bool) -> str:
    if reason is not Reason.SHUTDOWN:
        return reason.value
    return END if ended else PRICES_ENDED


def _check_of(study: Study, at: datetime) -> datetime:
    """Return the check that decided what was done at a time."""
    start = study.market_data.start
    cycle = timedelta(seconds=study.plan.cycle_seconds)
    return start + (at - start) // cycle * cycle


def _trades(study: Study, record: _Record) -> list[Trade]:
    return [_trade(study, ended, record.payments) for ended in record.hedges]


def _trade(study: Study, ended: _Ended, payments: Sequence[FundingReceived]) -> Trade:
    hedge, tally = ended.hedge, ended.hedge.tally
    own = [
        each.payment
        for each in payments
        if each.payment.symbol == hedge.symbol and hedge.opened_at < each.payment.at <= ended.at
    ]
    short = sum(
        (r.filled_quantity for r in hedge.orders if r.request.market is Market.PERP and r.request.side is Side.SELL),
        ZERO,
    )
    entry = tally.spot_bought or hedge.entry_notional
    spread = sum((leg.shortfall for leg in ended.legs if leg.shortfall is not None), ZERO)
    basis = (tally.spot_cash + tally.perp_cash + _left(study, hedge) + spread) / entry if entry else ZERO
    return Trade(
        symbol=hedge.symbol,
        opened_at=hedge.opened_at,
        closed_at=ended.at,
        reason=_word(ended.reason, ended=ended.at >= study.market_data.end - JITTER),
        rates=sum(float(p.amount / short) / _mark(study, hedge.symbol, p.at) for p in own) if short else 0.0,
        basis=float(basis),
        cost=_cost(hedge) * (2 if hedge.short else 1) + _slippage(ended),
        funding_usd=float(sum((p.amount for p in own), ZERO)),
        fees_usd=float(tally.fees),
    )


def _slippage(ended: _Ended) -> float:
    """Return what trading at the books' prices cost against their middles, each leg a fraction of what was traded."""
    found = (leg.shortfall_bps for leg in ended.legs)
    return sum(float(bps * BPS) for bps in found if bps is not None)


def _left(study: Study, hedge: HedgedPosition) -> Decimal:
    """Return the value of what is still held at the end, at the last prices known."""
    if not hedge.short:
        return ZERO
    tables, column = study.tables, study.symbols.index(hedge.symbol)
    spot, perp = (Decimal(repr(float(prices[-1, column]))) for prices in (tables.spot, tables.perp))
    return hedge.spot_quantity * spot - hedge.short * perp


def _cost(hedge: HedgedPosition) -> float:
    """Return fees, each divided by the notional it was paid on: of every side of either market by itself."""
    total = 0.0
    for market in Market:
        for side in Side:
            records = [r for r in hedge.orders if r.request.market is market and r.request.side is side]
            notional = sum((r.filled_notional for r in records), ZERO)
            fees = sum((r.booked_fee + r.estimated_fee for r in records), ZERO)
            total += float(fees / notional) if notional else 0.0
    return total


def _mark(study: Study, symbol: str, at: datetime) -> float:
    """Return the mark at which a settlement was paid."""
    tables, column = study.tables, study.symbols.index(symbol)
    number = int(tables.stamp_ms[:, column].searchsorted(to_ms(at)))
    return float(tables.paid_mark[number, column])
