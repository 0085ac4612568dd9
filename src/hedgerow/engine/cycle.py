"""One cycle: observe, reconcile, decide, execute. A crash is allowed at every point between."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import assert_never

from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.account import AccountView
from hedgerow.domain.execution import ExecutionKind, ExecutionState, HedgeExecution
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.suspension import set_aside
from hedgerow.domain.market import Depth, MarketView
from hedgerow.domain.money import BPS, ZERO
from hedgerow.domain.position import HedgedPosition, Reason
from hedgerow.engine.accounting.awaited_funding import settled_rates
from hedgerow.engine.accounting.bookkeeping import Bookkeeper
from hedgerow.engine.accounting.daily import DailyLoss
from hedgerow.engine.accounting.equity import equity_of
from hedgerow.engine.brakes import Brakes
from hedgerow.engine.execution.executor import Executor
from hedgerow.engine.execution.openings import CANDIDATES, Openings
from hedgerow.engine.in_force import PolicyInForce
from hedgerow.engine.journal import Journal
from hedgerow.engine.notices import (
    BalancesRead,
    CycleBegan,
    CycleEnded,
    Decided,
    Evaluated,
    HealthJudged,
    NoOpportunity,
    Observed,
    OpportunityFound,
    ReadFailed,
    RebalanceStarted,
    ScanStarted,
    Warned,
)
from hedgerow.engine.observation import read_books
from hedgerow.engine.observation_reader import ObservationReader
from hedgerow.engine.reconciliation import Reconciler
from hedgerow.ports import Clock, Venue
from hedgerow.strategy.decisions.alarms import AlarmKind, account_alarms
from hedgerow.strategy.decisions.allocation import coins_held, free_slots
from hedgerow.strategy.decisions.entry import candidates, openings_blocked
from hedgerow.strategy.decisions.foreign import foreign_longs, foreign_positions, hedges_found
from hedgerow.strategy.decisions.held import closing_obstacle, decide_held, evaluation_of, judged, probe_of
from hedgerow.strategy.decisions.review import is_safety, reviews, target_of
from hedgerow.strategy.decisions.scan import scan
from hedgerow.strategy.decisions.verdicts import Verdict
from hedgerow.strategy.evaluation.rebalancing import rebalance
from hedgerow.strategy.evaluation.sizing import closing_plan
from hedgerow.strategy.evidence.absence import usdt_lags
from hedgerow.strategy.evidence.prices import SaleBounds, prices_of, sale_bounds
from hedgerow.strategy.exit_costs import LONGEST_WAIT, exit_cost
from hedgerow.strategy.observation import (
    Close,
    Decision,
    Evaluation,
    HaltOpenings,
    Hold,
    HoldReason,
    Observation,
    Open,
    Opportunity,
    Reduce,
    Roll,
    TopUpMargin,
    Trim,
)
from hedgerow.strategy.policy import Policy

__all__ = ["Cycle"]

AGREEMENT_SECONDS = 2.0
"""Balances lag: a decision derived from them is taken only when a read this much later agrees."""
EMERGENCY_AGREEMENT_SECONDS = 5.0
"""The emergency stop acts when new books, read this much later, hit it again: an empty book fills within seconds."""
ATTENDED_SECONDS = 60.0
"""While another job waits, a hedge that was acted on is left for so long: what cannot be done now is tried then."""
TOO_LITTLE = "what is left of it is less than can be traded"


class Cycle:
    """Runs cycles; holds nothing that the log does not hold, but for the last reading."""

    def __init__(  # noqa: PLR0913 - keyword-only, and each is one thing it needs
        self,
        *,
        venue: Venue,
        clock: Clock,
        journal: Journal,
        in_force: PolicyInForce,
        reader: ObservationReader,
        executor: Executor,
        bookkeeper: Bookkeeper,
        reconciler: Reconciler,
    ) -> None:
        self._venue = venue
        self._clock = clock
        self._journal = journal
        self._in_force = in_force
        self._reader = reader
        self._executor = executor
        self._bookkeeper = bookkeeper
        self._reconciler = reconciler
        self._openings = Openings(venue=venue, clock=clock, journal=journal, in_force=in_force)
        self._daily = DailyLoss(journal, in_force)
        self._brakes = Brakes(journal, in_force)
        self._evaluations: dict[str, Evaluation] = {}
        """By hedge id, since the last reading."""
        self._passed_over: set[str] = set()
        """Pairs that could not be opened in the last checks, so that those behind them have their turn."""
        self._overdue: dict[str, datetime] = {}
        """Stamp of the missing rate that was said, by symbol."""
        self._attended: dict[str, float] = {}
        """When hedges were acted on while another job waited, by the monotonic clock, by hedge id."""
        self._events_seen = 0
        self._account: AccountView | None = None
        self._verdicts: tuple[Verdict, ...] = ()
        """Of the present cycle."""
        self._longs: tuple[str, ...] = ()
        self.read_nothing = False
        """Whether neither market nor account could be read in the last cycle."""
        self.incomplete = False
        """Whether market or account could not be read in the last cycle, or it failed."""
        self.listing_in_doubt = False
        """Whether a held pair was said to have stopped trading in the last cycle, and that was not proven."""
        self.fills_in_doubt = False
        """Whether own orders may have filled further than the log has it after the last cycle."""
        self.account_lags = False
        """Whether the last cycle's account may be of before the bot's newest trade, so that nothing was opened."""

    @property
    def _policy(self) -> Policy:
        return self._in_force.policy

    def last_account(self) -> AccountView | None:
        """Return the account as it was read last; None when that failed."""
        return self._account

    def foreign_seen(self) -> tuple[str, ...]:
        """Return every position that is not the bot's, by the last account that was read, one line each."""
        return (*self._foreign(), *self._longs)

    async def run(self, number: int) -> None:
        """Run one cycle; one that closed a hedge goes on at once and may open the next."""
        if self._journal.has_observers:
            self._journal.say(CycleBegan(at=self._clock.now(), number=number))
        self._verdicts = ()
        self.incomplete = True
        await self.finish_what_is_in_flight()
        observation = await self._turn(await self._observe())
        self.read_nothing = observation.market is None and observation.account is None
        self.incomplete = observation.market is None or observation.account is None
        self.listing_in_doubt = bool(observation.listing_doubts)
        self.fills_in_doubt = bool(observation.fill_doubts or self._reconciler.fill_doubts())
        account, ledger = observation.account, self._journal.ledger
        self.account_lags = account is not None and self._slots > 0 and usdt_lags(ledger, account)
        await self._complete(observation)

    async def _turn(self, observation: Observation) -> Observation:
        """Review what is held, then fill the free slots; returns the newest observation.

        One job runs after the other, with the account read again between two of them.
        """
        if self._daily.wants_out:
            await self.close_all(Reason.DAILY_LOSS)
            observation = await self._observe()
        if self._journal.ledger.open_hedges:
            observation, closed = await self._review_all(observation)
            if closed:
                observation = await self._observe()
            elif self._slots <= 0:
                return observation
        while await self._flat(observation) and self._slots > 0:
            observation = await self._secured(await self._observe())
        return observation

    async def _secured(self, observation: Observation) -> Observation:
        """Review what is held again where a hedge is in danger: none waits for the openings of others."""
        if not any(is_safety(each.decision) for each in reviews(observation, self._journal.ledger, self._policy)):
            return observation
        observation, closed = await self._review_all(observation)
        return await self._observe() if closed else observation

    @property
    def _slots(self) -> int:
        return free_slots(self._journal.ledger, self._policy)

    async def finish_what_is_in_flight(self) -> None:
        """Take up a job or a transfer that a crash or a failed cycle left behind; nothing else is started before."""
        if not self._journal.ledger.jobs and self._journal.ledger.transfer is None:
            return
        await self._executor.resume()
        await self._executor.settle_transfer()

    async def _observe(self) -> Observation:
        """Read, reconcile and keep the books; the ledger agrees with the venue afterwards, or says why not."""
        self._evaluations = {}
        observation = await self._look()
        if observation.missing:
            self._journal.say(ReadFailed(at=observation.at, missing=observation.missing))
        if observation.account is None or self._journal.ledger.execution is not None:
            await self._brakes.check(observation, {})
            return observation
        if not (observation.account.doubts or self._journal.ledger.books.opened):
            await self._bookkeeper.open_books(observation.account)
        self._verdicts = await self._reconciler.settle(observation)
        self._say_longs(observation.account)
        market = observation.market
        self._say_overdue(market)
        await self._bookkeeper.book_funding(
            interval_hours=self._shortest(market),
            settled=settled_rates(market, self._journal.ledger.open_hedges),
            account=observation.account,
        )
        unread = observation.account.doubts or observation.account.unreadable_balances
        doubts = self._reconciler.fill_doubts()
        if unread or doubts:
            await self._bookkeeper.book_fees()  # trades that are not reported yet may be what the doubt waits for
            doubts = self._reconciler.fill_doubts()
        differences = {} if unread or doubts else await self._bookkeeper.check(observation.account)
        await self._daily.check(observation)
        await self._brakes.check(observation, differences)
        self._events_seen = self._journal.ledger.events
        doubts = self._reconciler.fill_doubts()
        return replace(observation, fill_doubts=doubts) if doubts else observation

    async def _look(self) -> Observation:
        observation = await self._reader.read_settled()
        self._account = observation.account
        if self._journal.has_observers:
            self._journal.say(Observed(at=self._clock.now(), observation=observation))
        return observation

    def _shortest(self, market: MarketView | None) -> int:
        """Return the shortest funding interval of the held pairs, hours."""
        return min((_interval(hedge.symbol, market) for hedge in self._journal.ledger.open_hedges), default=1)

    def _say_overdue(self, market: MarketView | None) -> None:
        """Say once that decisions about a held pair rest on rates of which the newest is missing."""
        overdue = market.rates.overdue if market else dict[str, datetime]()
        for hedge in self._journal.ledger.open_hedges if overdue else ():
            stamp = overdue.get(hedge.symbol)
            if stamp is None or self._overdue.get(hedge.symbol) == stamp:
                continue
            self._overdue[hedge.symbol] = stamp
            text = f"The funding rate of {hedge.symbol} settled at {stamp:%Y-%m-%d %H:%M} UTC is not listed yet"
            self._journal.say(Warned(at=self._clock.now(), text=f"{text}: its older rates are used"))

    def _say_longs(self, account: AccountView) -> None:
        """Say once which longs share the margin of the bot's short."""
        longs = foreign_longs(account, self._journal.ledger)
        for text in longs if longs != self._longs else ():
            self._journal.say(Warned(at=self._clock.now(), text=text))
        self._longs = longs

    async def _complete(self, observation: Observation) -> None:
        number = self._journal.ledger.totals.cycles + 1
        traded = self._journal.ledger.events != self._events_seen
        if self._journal.has_observers and traded:
            # Something was traded since the reading: equity needs balances from after it.
            observation = await self._look()
        completed = ev.CycleCompleted(
            at=self._clock.now(), number=number, statement_from=self._bookkeeper.statement_from()
        )
        ledger = await self._journal.record(completed)
        if self._journal.has_observers:
            equity = equity_of(ledger, observation.account, observation.market)
            # The hedges that the cycle began with may have been traded, or others are held now.
            known = {} if traded else self._evaluations
            judged = {
                hedge.hedge_id: known.get(hedge.hedge_id)
                or evaluation_of(observation.as_listed(hedge), observation, self._policy)
                for hedge in ledger.open_hedges
            }
            self._journal.say(
                CycleEnded(
                    at=self._clock.now(),
                    ledger=ledger,
                    evaluation=judged[ledger.largest.hedge_id] if ledger.largest else None,
                    equity=equity,
                    observation=observation,
                    evaluations=judged,
                )
            )

    # --- held ------------------------------------------------------------------------------------------------------

    async def attend(self) -> None:
        """Act on the hedges that cannot wait for the job at work, which waits: it is set aside meanwhile."""
        if not await self.cannot_wait():
            return
        if await self._executor.set_aside("another hedge cannot wait"):
            await self._executor.settle_transfer()
            await self._attend_all(await self._observe())

    async def cannot_wait(self) -> bool:
        """Return whether a reading shows a hedge in danger, while another one's job is at work."""
        if self._journal.ledger.transfer is not None:
            return True
        observation, ledger = await self._reader.read(), set_aside(self._journal.ledger)
        lately = self._attended_lately()
        alarms = account_alarms(ledger, observation.account) if observation.account else iter(())
        if not lately and any(alarm.kind is AlarmKind.LEGS for alarm in alarms):
            return True
        return any(is_safety(each.decision) for each in reviews(observation, ledger, self._policy, lately))

    def _attended_lately(self) -> frozenset[str]:
        now = self._clock.monotonic()
        return frozenset(key for key, at in self._attended.items() if now - at < ATTENDED_SECONDS)

    async def _attend_all(self, observation: Observation) -> None:
        """Act on each hedge in danger once, the most dangerous first."""
        done = set(self._attended_lately())
        while waiting := reviews(observation, self._journal.ledger, self._policy, frozenset(done)):
            review = waiting[0]
            if not is_safety(review.decision):
                return
            done.add(review.hedge.hedge_id)
            self._attended[review.hedge.hedge_id] = self._clock.monotonic()
            await self._held(review.hedge, review.decision, observation, first=False)
            if not await self._executor.set_aside("it waits, too"):
                return
            observation = await self._observe()

    async def _review_all(self, observation: Observation) -> tuple[Observation, bool]:
        """Act on every hedge once, the most dangerous first; returns the newest observation, and whether one closed.

        What was traded changes the account: what is left is judged again on a reading from after it.
        """
        done, any_closed = set[str](), False
        waiting = await self._openings.reviewed(observation)
        while waiting:
            review, rest, events = waiting[0], waiting[1:], self._journal.ledger.events
            done.add(review.hedge.hedge_id)
            any_closed |= await self._held(review.hedge, review.decision, observation, first=len(done) == 1)
            changed = self._journal.ledger.events != events
            if rest and changed:
                observation = await self._observe()
            if rest and (changed or target_of(rest[0].decision)):
                rest = await self._openings.reviewed(observation, frozenset(done))
            waiting = rest
        return observation, any_closed

    async def _held(self, hedge: HedgedPosition, decided: Decision, observation: Observation, *, first: bool) -> bool:
        """Act on what was decided about a hedge; returns whether it was closed."""
        waits = isinstance(decided, Hold) and not self._journal.ledger.deferrals  # as in most checks
        decision = decided if waits else await self._affordable(hedge, decided)
        if isinstance(decision, Close) and decision.confirm and decision.reason is Reason.EMERGENCY_STOP:
            decision = await self._confirmed_emergency(hedge, decision, observation)
            self._report(observation, decision, hedge, balances=first)
            return await self._act(hedge, decision)
        self._report(observation, decision, hedge, balances=first)
        if isinstance(decision, Hold):
            return False
        if isinstance(decision, Close | Trim) and decision.confirm:
            decision = await self._confirmed(hedge, decision)
        return await self._act(hedge, decision)

    async def _confirmed(self, hedge: HedgedPosition, first: Close | Trim) -> Decision:
        """Return the decision of a later reading when it agrees with the first, else a hold."""
        await self._clock.sleep(AGREEMENT_SECONDS)
        second = self._decided(hedge, await self._reader.read())
        if isinstance(second, Close | Trim) and type(second) is type(first) and second.reason is first.reason:
            return second
        return second if isinstance(second, Hold) else Hold(reason=HoldReason.UNCONFIRMED, detail=first.detail)

    def _decided(
        self,
        hedge: HedgedPosition,
        observation: Observation,
        books: tuple[Depth | None, Depth | None] | None = None,
    ) -> Decision:
        """Decide about a hedge as the ledger has it now."""
        ledger = self._journal.ledger
        now = ledger.open_hedge(hedge.hedge_id)
        if now is None:
            return Hold(reason=HoldReason.NOTHING_HELD)
        return decide_held(observation, ledger, self._policy, books, now)

    async def _confirmed_emergency(self, hedge: HedgedPosition, first: Close, observation: Observation) -> Decision:
        """Return the emergency stop as new books show it, or a hold: a reading that is not newer confirms nothing."""
        await self._clock.sleep(EMERGENCY_AGREEMENT_SECONDS)
        again = await self._reader.read()
        books = await read_books(self._venue, hedge.symbol)
        if all(depth is not None and depth.at > observation.at for depth in books):
            second = self._decided(hedge, again, books)
            if isinstance(second, Close) and second.plan.urgent:
                return second
        return Hold(
            reason=HoldReason.UNCONFIRMED,
            detail=f"{first.reason}: {first.detail}",
            evaluation=first.evaluation,
            health=first.health,
        )

    async def _affordable(self, hedge: HedgedPosition, decision: Decision) -> Decision:
        """Return the decision, or a hold while it would close for profit at prices that cost too much."""
        deferral = self._journal.ledger.deferrals.get(hedge.hedge_id)
        if not isinstance(decision, Close) or decision.plan.urgent:
            if deferral is not None and isinstance(decision, Hold) and decision.reason is HoldReason.HEALTHY:
                ended = ev.ExitDeferralEnded(at=self._clock.now(), hedge_id=hedge.hedge_id)
                await self._journal.record(ended)
            return decision
        limits, spot, perp = self._policy.parameters, *await read_books(self._venue, hedge.symbol)
        cost = exit_cost(hedge, decision.plan, spot, perp, limits.execution.price_cap_bps)
        most = float(limits.position_management.max_exit_cost_bps * BPS)
        now = self._clock.now()
        if cost is None or cost <= most or (deferral is not None and now >= deferral.until):
            return decision
        detail = f"{decision.reason}: closing costs {cost:.2%} of a leg in prices, at most {most:.2%}"
        if deferral is None:
            await self._journal.record(
                ev.ExitDeferred(
                    at=now, hedge_id=hedge.hedge_id, reason=decision.reason, detail=detail, until=now + LONGEST_WAIT
                )
            )
        return Hold(reason=HoldReason.DEFERRED, detail=detail, evaluation=decision.evaluation, health=decision.health)

    async def _act(self, decided: HedgedPosition, decision: Decision) -> bool:  # noqa: C901 - one case per decision
        hedge = self._journal.ledger.open_hedge(decided.hedge_id)
        if hedge is None:
            return False
        match decision:
            case Hold() | Open():
                pass
            case Close():
                return (await self._close(hedge, decision)).state is ExecutionState.FLAT
            case Trim():
                await self._executor.change(hedge, ExecutionKind.TRIM, decision.plan, decision.reason)
            case Reduce():
                await self._reduce(hedge, decision)
            case Roll():
                await self._journal.record(ev.HedgeRolled(at=self._clock.now(), hedge_id=hedge.hedge_id))
            case TopUpMargin():
                await self._executor.issue(decision.rebalance.command(self._executor.transfer_id()))
            case HaltOpenings():
                await self._halt(decision)
            case _:
                assert_never(decision)
        return False

    async def _halt(self, decision: HaltOpenings) -> None:
        await self._journal.record(ev.Halted(at=self._clock.now(), reason=decision.reason, detail=decision.detail))

    async def _reduce(self, hedge: HedgedPosition, decision: Reduce) -> None:
        """Close a part of both legs, and let what its coins brought become margin at once."""
        job = await self._executor.change(hedge, ExecutionKind.REDUCE, decision.plan, decision.reason)
        if job.state is not ExecutionState.HEDGED:
            return
        observation = await self._look()
        after = self._decided(hedge, observation)
        if isinstance(after, TopUpMargin):
            self._say_decided(self._clock.now(), after, observation, hedge)
            await self._act(hedge, after)

    async def _close(self, hedge: HedgedPosition, decision: Close) -> HedgeExecution:
        if decision.probe is not None:
            job = await self._executor.change(hedge, ExecutionKind.TRIM, decision.probe, decision.reason)
            return await self._close_after_probe(hedge, job) if job.perp.filled else job
        if decision.target:
            await self._journal.record(
                ev.TargetDecided(
                    at=self._clock.now(), symbol=decision.target.symbol, expires_at=decision.target.expires_at
                )
            )
        job = await self._executor.change(hedge, ExecutionKind.CLOSE, decision.plan, decision.reason)
        if job.state is ExecutionState.FLAT:
            await self._bookkeeper.book_funding(force=True)
            await self._level_wallets()
        return job

    async def _close_after_probe(self, hedge: HedgedPosition, probe: HedgeExecution) -> HedgeExecution:
        """Close a hedge whose perpetual takes orders after all, where a new reading still asks for that."""
        observation = await self._look()
        decision, now = self._decided(hedge, observation), self._journal.ledger.open_hedge(hedge.hedge_id)
        if now is None or not isinstance(decision, Close) or decision.probe is not None:
            return probe
        self._say_decided(self._clock.now(), decision, observation, now)
        return await self._close(now, decision)

    async def _level_wallets(self) -> None:
        """Rebalance USDT as part of closing."""
        observation = await self._look()
        if observation.account is None or usdt_lags(self._journal.ledger, observation.account):
            return  # the next opening levels them
        needed = rebalance(observation.account)
        self._journal.say(RebalanceStarted(at=self._clock.now(), before_opening=False, needed=needed))
        if needed:
            await self._executor.issue(needed.command(self._executor.transfer_id()))

    async def close_for_exit(self) -> None:
        """Close every hedge at the end of the run, as asked."""
        await self.close_all(Reason.SHUTDOWN)

    async def close_all(self, reason: Reason) -> dict[str, str]:
        """Close every hedge, the largest first; returns why a part of one is still held, by its symbol."""
        await self.finish_what_is_in_flight()
        ledger = self._journal.ledger
        others = [each for each in ledger.judged_hedges if each is not self._traded]
        left, waiting = dict[str, str | None](), {job.hedge_id for job in ledger.jobs}
        for hedge in sorted(others, key=lambda each: -each.entry_notional):
            await self._executor.set_aside(f"{hedge.symbol} is to be closed")
            left[hedge.hedge_id] = await self._close_now(reason, hedge.hedge_id)
            waiting.update(job.hedge_id for job in self._journal.ledger.jobs)
        if self._journal.ledger.suspended:
            await self.finish_what_is_in_flight()
        for hedge_id in sorted(waiting):  # a trade that waited may have left its hedge whole, or waits still
            left[hedge_id] = await self._close_now(reason, hedge_id)
        held = self._journal.ledger.hedges.items()
        return {hedge.symbol: why for hedge_id, hedge in held if (why := left.get(hedge_id)) is not None}

    @property
    def _traded(self) -> HedgedPosition | None:
        """The hedge that the job at work is about."""
        job = self._journal.ledger.execution
        return None if job is None else self._journal.ledger.hedges.get(job.hedge_id)

    async def close_now(self, reason: Reason, hedge_id: str) -> str | None:
        """Close a hedge whatever the policy thinks; returns why a part of it is still held, None once nothing is."""
        await self.finish_what_is_in_flight()
        hedge, traded = self._journal.ledger.open_hedge(hedge_id), self._traded
        if hedge is None or traded is None or hedge is traded:
            return await self._close_now(reason, hedge_id)
        await self._executor.set_aside(f"{hedge.symbol} is to be closed")
        why = await self._close_now(reason, hedge_id)
        await self.finish_what_is_in_flight()
        return why

    async def _close_now(self, reason: Reason, hedge_id: str) -> str | None:
        ledger = self._journal.ledger
        hedge, job = ledger.open_hedge(hedge_id), ledger.execution or ledger.suspended.get(hedge_id)
        if job is not None and job.hedge_id != hedge_id:
            return f"{job.symbol} is traded now"
        if hedge is None or job is not None:
            return None if hedge_id not in self._journal.ledger.hedges else _why_unfinished(job)
        observation = await self._reader.read()
        hedge = observation.as_listed(hedge)
        spot = observation.market.quote(Market.SPOT, hedge.symbol) if observation.market else None
        plan = closing_plan(
            hedge,
            observation.account,
            price=(spot.mid if spot else None) or hedge.entry_price,
            limits=self._policy.parameters.execution,
            interval_hours=_interval(hedge.symbol, observation.market),
            urgent=True,
            dust=self._journal.ledger.dust_of(hedge),
            bounds=self._bounds(hedge, observation, reason),
            others=coins_held(self._journal.ledger, observation.account, but=hedge_id) if observation.account else ZERO,
        )
        if plan.spot_quantity <= 0 and plan.perp_quantity <= 0:
            return await self._let_go(hedge_id)
        obstacle = closing_obstacle(hedge, plan, observation)
        probe = probe_of(hedge, plan, observation) if obstacle else None
        if probe is not None:
            asked = await self._executor.change(hedge, ExecutionKind.TRIM, probe, reason)
            if asked.perp.filled:  # hence nothing need be asked again
                return await self._close_now(reason, hedge_id)
        decision = (
            Hold(reason=HoldReason.CANNOT_TRADE, detail=obstacle) if obstacle else Close(reason=reason, plan=plan)
        )
        self._say_decided(self._clock.now(), decision, observation, hedge)
        if isinstance(decision, Hold):
            return decision.detail
        job = await self._close(hedge, decision)
        return None if job.state is ExecutionState.FLAT else _why_unfinished(job)

    async def _let_go(self, hedge_id: str) -> str | None:
        """Reconcile a hedge of which nothing can be traded; returns why it is still held, None once it is let go.

        It is let go once two readings agree; what is left of its coins is dust.
        """
        await self._observe()
        return None if self._journal.ledger.open_hedge(hedge_id) is None else TOO_LITTLE

    def _bounds(self, hedge: HedgedPosition, observation: Observation, reason: Reason) -> SaleBounds:
        """Return the worst prices of a closing; a person who asks for it gets it at any price within the caps."""
        if reason is Reason.USER:
            return SaleBounds()
        return sale_bounds(prices_of(hedge.symbol, observation.market, observation.account))

    # --- flat ------------------------------------------------------------------------------------------------------

    async def _flat(self, observation: Observation) -> bool:
        """Open the best pair that passes; returns whether one was opened. Never closes anything."""
        blocked = openings_blocked(observation, self._journal.ledger, self._policy)
        self._report(observation, blocked, balances=not self._evaluations)
        market = observation.market
        if blocked or market is None or not self._executor.may_open:
            return False
        if self._journal.has_observers:
            settings = self._policy.parameters.funding_rate_strategy
            periods, average = settings.funding_ma_periods, settings.use_funding_ma
            self._journal.say(ScanStarted(at=observation.at, periods=periods, moving_average=average))
        why, tried = "", list[str]()
        listed = candidates(observation, self._journal.ledger, self._policy)
        for opportunity in islice(self._in_turn(listed), CANDIDATES):
            tried.append(opportunity.symbol)
            aborted = self._journal.ledger.totals.aborted
            refusal = await self._try(opportunity, observation)
            if refusal is None:
                self._passed_over.clear()
                return True
            why = f"{opportunity.symbol}: {refusal}"
            if not self._executor.may_open:
                return False
            if self._journal.ledger.totals.aborted != aborted:
                observation = await self._look()
        self._passed_over = {*self._passed_over, *tried} if len(tried) == CANDIDATES else set()
        if self._journal.has_observers:
            self._journal.say(NoOpportunity(at=self._clock.now(), why=why or self._nearest(market)))
        return False

    def _in_turn(self, listed: Iterable[Opportunity]) -> Iterator[Opportunity]:
        """Leave out the pairs that the last checks tried in vain; the next check begins with the best again."""
        return (found for found in listed if found.targeted or found.symbol not in self._passed_over)

    async def _try(self, opportunity: Opportunity, observation: Observation) -> str | None:
        """Open one pair, or return why not."""
        plan = await self._openings.planned(opportunity, observation, self._journal.ledger)
        if isinstance(plan, str):
            return plan
        opportunity = plan.opportunity
        self._journal.say(OpportunityFound(at=self._clock.now(), opportunity=opportunity))
        self._journal.say(Decided(at=self._clock.now(), decision=plan))
        self._journal.say(RebalanceStarted(at=self._clock.now(), before_opening=True, needed=plan.rebalance))
        job = await self._executor.open(opportunity.pair, plan.plan_for, plan.reason, observation.account)
        return (job.detail or "it was not opened") if job.state is ExecutionState.FLAT else None

    def _nearest(self, market: MarketView) -> str:
        """Return what the most attractive pair lacks."""
        rows = scan(market, self._policy, self._journal.ledger).rows
        if not rows:
            return "no pair is listed on both markets"
        detail = "; ".join(refusal.detail for refusal in rows[0].refusals)
        return f"{rows[0].pair.symbol}: {detail}"

    # --- notices -----------------------------------------------------------------------------------------------------

    def _named(self, hedge: HedgedPosition | None) -> str:
        """Return the symbol of a hedge where several are held, so that what is said of it says of which."""
        return hedge.symbol if hedge is not None and len(self._journal.ledger.hedges) > 1 else ""

    def _report(
        self,
        observation: Observation,
        decision: Decision | None,
        hedge: HedgedPosition | None = None,
        *,
        balances: bool,
    ) -> None:
        """Say what was seen and decided, in the guide's order; of ``hedge``, None = of openings."""
        if not self._journal.has_observers:
            return
        now, account, symbol = observation.at, observation.account, self._named(hedge)
        if account and balances:
            self._journal.say(BalancesRead(at=now, spot_usdt=account.spot_usdt, perp_usdt=account.perp.transferable))
        evaluation, health = getattr(decision, "evaluation", None), getattr(decision, "health", None)
        hedges = sum(map(hedges_found, self._verdicts)) + len(self._journal.ledger.open_hedges)
        # Of openings beside hedges no health is judged here: each hedge's own decision has said it.
        if health or (account and balances and (hedge or not self._journal.ledger.open_hedges)):
            foreign = self._foreign() if balances else ()
            self._journal.say(HealthJudged(at=now, hedges=hedges, report=health, symbol=symbol, foreign=foreign))
        if evaluation is not None and hedge is not None:
            self._evaluations[hedge.hedge_id] = evaluation
            multiplier = self._policy.parameters.position_management.fee_coverage_multiplier
            self._journal.say(Evaluated(at=now, evaluation=evaluation, multiplier=multiplier))
        if decision is not None:
            self._say_decided(now, decision, observation, hedge)

    def _foreign(self) -> tuple[str, ...]:
        return tuple(text for verdict in self._verdicts for text in foreign_positions(verdict))

    def _say_decided(
        self, at: datetime, decision: Decision, observation: Observation, hedge: HedgedPosition | None
    ) -> None:
        """Say what was decided about ``hedge``, with its numbers; None = about openings."""
        if not self._journal.has_observers:
            return
        evaluation, health = getattr(decision, "evaluation", None), getattr(decision, "health", None)
        if hedge is not None and (evaluation is None or health is None):
            # A closing that a person asked for is never kept from its orders by what is said of it.
            with suppress(Exception):
                evaluation, health = judged(hedge, observation, self._journal.ledger, self._policy)
        symbol = self._named(hedge)
        self._journal.say(Decided(at=at, decision=decision, symbol=symbol, evaluation=evaluation, health=health))


def _interval(symbol: str, market: MarketView | None) -> int:
    """Return a pair's own funding interval in hours; the shortest there is when it cannot be seen."""
    predicted = market.predicted(symbol) if market else None
    return predicted.interval_hours if predicted else 1


def _why_unfinished(job: HedgeExecution | None) -> str:
    """Return why a job has not ended flat."""
    if job is None:
        return "an opening is not finished"
    if job.kind is ExecutionKind.OPEN:
        return f"its opening is not finished: {job.detail or 'see the log'}"
    traded = job.spot.filled > job.unwound or job.perp.filled
    return f"{'only a part was closed' if traded else 'nothing was closed'}: {job.detail or 'see the log'}"
