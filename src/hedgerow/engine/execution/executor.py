"""Executes two-leg jobs: log the step and the intent, send one command, log the outcome, step again."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.account import AccountView
from hedgerow.domain.commands import ArmDeadMan, Command, PlaceOrder, SetLeverage, SetMarginType, TransferFunds
from hedgerow.domain.errors import InvariantBroken, VenueError
from hedgerow.domain.execution import (
    ExecutionKind,
    ExecutionLimits,
    ExecutionPlan,
    ExecutionState,
    ExecutionStyle,
    HedgeExecution,
    Preparation,
    change_between,
)
from hedgerow.domain.execution_quality import ExecutionQuality
from hedgerow.domain.instrument import BasisPair, Market, Side
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.ledger.suspension import may_be_suspended
from hedgerow.domain.market import Depth
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import OrderRequest, OrderStatus, RejectKind
from hedgerow.domain.position import DustLot, HedgedPosition, Reason
from hedgerow.engine.accounting.bookkeeping import Bookkeeper
from hedgerow.engine.execution.order_resolution import by_trades, look_up, second_position
from hedgerow.engine.execution.pair_listing import PairListing
from hedgerow.engine.execution.steady import SteadyTime
from hedgerow.engine.ids import IdSource
from hedgerow.engine.in_force import PolicyInForce
from hedgerow.engine.journal import Journal
from hedgerow.engine.notices import OrderRests, Warned
from hedgerow.engine.observation import read_books
from hedgerow.ports import Clock, Venue
from hedgerow.strategy.decisions.alarms import GRACE, Alarm, AlarmKind, disturbance
from hedgerow.strategy.decisions.entry import settings_in_place
from hedgerow.strategy.evidence.absence import are_coins_taken, short_may_lag
from hedgerow.strategy.hedging import machine as hedging
from hedgerow.strategy.hedging.cells import filled
from hedgerow.strategy.hedging.machine import Happening, Step, Surroundings
from hedgerow.strategy.hedging.orders import Unhedged, unhedged
from hedgerow.strategy.hedging.quality import quality_of
from hedgerow.strategy.parameters import LEVERAGE

__all__ = ["Executor", "OtherHedges", "TradeRequests"]

HAPPENINGS = (
    ev.OrderAccepted,
    ev.OrderProgressed,
    ev.OrderEnded,
    ev.OrderOutcomeUnknown,
    ev.FundsTransferred,
    ev.TransferOutcomeUnknown,
    ev.LeverageSet,
    ev.MarginTypeSet,
    ev.DeadManArmed,
    ev.CommandRefused,
)


TURN_SECONDS = 5.0
"""How long a job waits before other hedges are looked at, and how often while it goes on waiting."""
RESTING_SECONDS = 30.0
"""How often a line says that a trade's order still rests."""
TAKEN_UP = "taken up again after a stop"


class _Books(Struct, frozen=True, kw_only=True):
    """The last read of both books."""

    spot: Depth | None = None
    perp: Depth | None = None

    def of(self, market: Market) -> Depth | None:
        """Return one leg's book."""
        return self.spot if market is Market.SPOT else self.perp


class TradeRequests(Protocol):
    """What users ask for while a trade is at work."""

    @property
    def closing(self) -> bool:
        """Whether a closing was asked for, so that nothing new is begun."""
        ...

    async def answer_in_trade(self, job: HedgeExecution) -> None:
        """Read and answer the requests that wait."""
        ...


class OtherHedges(Protocol):
    """What is to be done for other hedges while the job at work waits, or between two of its slices."""

    async def cannot_wait(self) -> bool:
        """Return whether a reading shows another hedge in danger."""
        ...

    async def attend(self) -> None:
        """Act on hedges that cannot wait; the job at work is set aside for each of them."""
        ...


class Executor:
    """The one writer: every order, transfer and setting of the bot passes through here."""

    def __init__(  # noqa: PLR0913 - the writer needs every port, and each is named
        self,
        *,
        venue: Venue,
        journal: Journal,
        clock: Clock,
        bookkeeper: Bookkeeper,
        ids: IdSource,
        in_force: PolicyInForce,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._venue = venue
        self._journal = journal
        self._clock = clock
        self._bookkeeper = bookkeeper
        self._ids = ids
        self._in_force = in_force
        self._stopping = stopping
        self._time = SteadyTime(clock)
        self._sent_at: float | None = None
        """When the order at work was sent, by the monotonic clock; None when an earlier process did."""
        self._said_at = 0.0
        """When something was filled last, or said of an order that rests; by the monotonic clock."""
        self._looked_at: float = -math.inf
        """When the account was last looked at between two slices, by the monotonic clock."""
        self._books = _Books()
        self._listing = PairListing(venue, clock)
        self._requests: TradeRequests | None = None
        self._look_seconds = 0.0
        self._others: OtherHedges | None = None
        self._in_turn = False
        """Whether other hedges have their turn: a job that waits then gives it back at once."""
        self._turned_at = 0.0
        """When a job began, or others had their turn last; by the monotonic clock."""
        self._awaited_since: float | None = None
        """Since when the outcome of an order is looked up; by the monotonic clock."""

    @property
    def _limits(self) -> ExecutionLimits:
        return self._in_force.policy.parameters.execution

    def answer_requests(self, requests: TradeRequests, look_seconds: float) -> None:
        """Answer the requests of users during a trade; a wait is interrupted so often to read them."""
        self._requests, self._look_seconds = requests, look_seconds

    def attend(self, others: OtherHedges) -> None:
        """Let other hedges have their turn while a job waits."""
        self._others = others

    @property
    def may_open(self) -> bool:
        """Whether a new position may be opened: not once the bot is stopped, openings are halted or a closing waits."""
        return self._why_give_up() is None

    # --- jobs ------------------------------------------------------------------------------------------------------

    async def open(
        self,
        pair: BasisPair,
        plan_for: Callable[[str], ExecutionPlan],
        reason: Reason,
        account: AccountView | None = None,
    ) -> HedgeExecution:
        """Open a hedge; returns the job at its end, or ``NAKED``.

        ``account`` shows which settings of the perpetual are right already.
        """
        readable = account is not None and pair.symbol not in account.unreadable_positions
        hedge_id = self._ids.next()
        job = hedging.begin(
            hedge_id=hedge_id,
            kind=ExecutionKind.OPEN,
            pair=pair,
            reason=reason,
            plan=plan_for(hedge_id),
            limits=self._limits,
            at=self._time.begin(),
            prepared=settings_in_place(account.positions.get(pair.symbol) if account and readable else None, LEVERAGE),
        )
        return await self._start(job)

    async def change(
        self, hedge: HedgedPosition, kind: ExecutionKind, plan: ExecutionPlan, reason: Reason
    ) -> HedgeExecution:
        """Close or trim the hedge; returns the job at its end, or ``NAKED``."""
        if kind is ExecutionKind.CLOSE:
            await self._sweep_dust(hedge, plan)
        job = hedging.begin(
            hedge_id=hedge.hedge_id,
            kind=kind,
            pair=await self._listing.pair(hedge.symbol) or hedge.pair,
            reason=reason,
            plan=plan,
            limits=self._limits,
            at=self._time.begin(),
            spot_attempts=_attempts(hedge, Market.SPOT),
            perp_attempts=_attempts(hedge, Market.PERP),
        )
        lone = not plan.spot_quantity or not plan.perp_quantity
        if lone:
            return await self._start(replace(job, naked_since=hedge.unhedged_since))
        apart = self._apart(job, hedge)
        return await self._start(replace(job, naked_alarmed=True), apart) if apart else await self._start(job)

    async def resume(self) -> HedgeExecution | None:
        """Take up what the log says is in flight, until it has ended or waits: returns the last of its jobs."""
        job = await self._resume_at_work()
        while self._journal.ledger.execution is None and self._journal.ledger.suspended and not self._in_turn:
            await self._take_up(next(iter(self._journal.ledger.suspended)))
            job = await self._resume_at_work()
        return job

    async def _resume_at_work(self) -> HedgeExecution | None:
        """Go on with the job that the log says is at work: an order sent before is resolved, never sent again."""
        job = self._journal.ledger.execution
        if job is None:
            return None
        if job.state.ended:
            await self._conclude(job)
            return job
        await self._doubt_transfer()
        self._time.begin()
        self._sent_at = None
        event: Happening = None
        if job.working and job.state is not ExecutionState.RESOLVING:
            event = await self._outcome_of(job.working)
        return await self._pump(job, event)

    async def _outcome_of(self, command: PlaceOrder) -> Happening:
        """Return how the working order stands in the log; unknown unless the log has its end."""
        record = self._journal.ledger.orders.get(command.order.client_id)
        if record is not None and record.status.done:
            return ev.OrderEnded(
                at=self._journal.ledger.traded_at or self._clock.now(),
                client_id=command.order.client_id,
                order_id=record.order_id,
                status=record.status,
                filled_quantity=record.filled_quantity,
                filled_notional=record.filled_notional,
            )
        unknown = ev.OrderOutcomeUnknown(at=self._clock.now(), client_id=command.order.client_id, detail=TAKEN_UP)
        await self._journal.record(unknown)
        return unknown

    def _apart(self, job: HedgeExecution, hedge: HedgedPosition) -> tuple[ev.Event, ...]:
        """Return the alarm where others took a part of one leg, for which both legs are closed now."""
        apart, now = self._journal.ledger.apart.get(hedge.hedge_id), self._clock.now()
        seconds = (now - apart.since).total_seconds() if apart else 0.0
        if apart is None or not job.plan.urgent or seconds <= job.limits.max_naked_seconds:
            return ()
        left = Unhedged(quantity=abs(hedge.spot_quantity + hedge.perp_quantity), in_doubt=ZERO, price=apart.price)
        return (replace(self._alarm(job, left, now), seconds=seconds),)

    async def _start(self, job: HedgeExecution, alarm: tuple[ev.Event, ...] = ()) -> HedgeExecution:
        await self._journal.record(ev.ExecutionStarted(at=job.started_at, execution=job), *alarm)
        self._turned_at = self._clock.monotonic()
        after = await self._pump(job, None)
        if self._journal.ledger.suspended and not self._in_turn:
            await self.resume()
        return after

    # --- several hedges ----------------------------------------------------------------------------------------------

    async def set_aside(self, detail: str) -> bool:
        """Set the job at work aside, so that another hedge can be traded; returns whether none is at work now."""
        job = self._journal.ledger.execution
        if job is not None and may_be_suspended(job):
            suspended = ev.ExecutionSuspended(at=self._clock.now(), hedge_id=job.hedge_id, detail=detail)
            await self._journal.record(suspended)
        return self._journal.ledger.execution is None

    async def _take_up(self, hedge_id: str) -> None:
        await self._journal.record(ev.ExecutionTakenUp(at=self._clock.now(), hedge_id=hedge_id))

    def _note_awaiting(self, job: HedgeExecution) -> None:
        """Take note of since when the outcome of an order is looked up: most are known within a second."""
        if job.state not in {ExecutionState.RESOLVING, ExecutionState.IN_DOUBT}:
            self._awaited_since = None
        elif self._awaited_since is None:
            self._awaited_since = self._clock.monotonic()

    def _is_answer_near(self) -> bool:
        """Return whether an outcome is looked up for so short a time that its leg would be left for nothing."""
        since = self._awaited_since
        return since is not None and self._clock.monotonic() - since < TURN_SECONDS

    def _is_turn_due(self, job: HedgeExecution) -> bool:
        """Return whether other hedges are to be looked at now while a job goes on."""
        ledger = self._journal.ledger
        beside = ledger.suspended or any(hedge.hedge_id != job.hedge_id for hedge in ledger.judged_hedges)
        if not beside or self._in_turn or self._stopping():
            return False
        return self._clock.monotonic() - self._turned_at >= TURN_SECONDS

    async def _yields(self, job: HedgeExecution) -> bool:
        """Return whether a job is to begin no further slice, because another hedge cannot wait for it."""
        if self._others is None or not self._is_turn_due(job):
            return False
        if self._journal.ledger.suspended or await self._others.cannot_wait():
            return True
        self._turned_at = self._clock.monotonic()
        return False

    async def _let_others_turn(self, job: HedgeExecution) -> HedgeExecution:
        """Act on hedges that cannot wait for a job that waits, and let the jobs that are set aside try again.

        Returns the job as it goes on.
        """
        if self._others is None or not self._is_turn_due(job):
            return job
        ledger = self._journal.ledger
        begun = self._clock.monotonic()
        kept = self._time, self._sent_at, self._said_at, self._looked_at, self._awaited_since
        self._in_turn, self._time = True, SteadyTime(self._clock)
        try:
            await self._others.attend()
            for hedge_id in tuple(ledger.suspended):
                await self._try_again(hedge_id)
            await self._go_back_to(job)
        finally:
            self._in_turn, self._books, self._turned_at = False, _Books(), self._clock.monotonic()
            self._time, self._sent_at, self._said_at, self._looked_at, self._awaited_since = kept
        now = self._journal.ledger.execution or job
        if now.state is not ExecutionState.LEADING:
            return now
        theirs = timedelta(seconds=self._clock.monotonic() - begun)  # it is not of the time in which this job may lead
        return replace(now, stage_since=now.stage_since + theirs)

    async def _try_again(self, hedge_id: str) -> None:
        """Let a job that is set aside try once more; it may have ended, or been at work, meanwhile."""
        if hedge_id in self._journal.ledger.suspended and await self.set_aside("another trade waits, too"):
            await self._take_up(hedge_id)
            await self._resume_at_work()

    async def _go_back_to(self, job: HedgeExecution) -> None:
        """Take up the job that was at work before the others had their turn."""
        at_work = self._journal.ledger.execution
        if at_work is not None and at_work.hedge_id == job.hedge_id:
            return
        if not await self.set_aside("it waits, too"):
            raise InvariantBroken(f"hedge {job.hedge_id} cannot be gone on with: another trade is at work")
        await self._take_up(job.hedge_id)

    async def _pump(self, job: HedgeExecution, event: Happening) -> HedgeExecution:
        self._books, self._awaited_since = _Books(), None
        begun = self._said_at = self._clock.monotonic()
        while True:
            # Behind a fill the other leg follows before anything else is looked at.
            if self._requests is not None and not filled(event):
                await self._requests.answer_in_trade(job)
            taken, around = await self._step(job, event)
            await self._log(job, taken, around)
            job = taken.job
            if job.state.ended:
                await self._conclude(job)
                return job
            self._note_awaiting(job)
            if taken.command is None and may_be_suspended(job) and not self._is_answer_near():
                job = await self._let_others_turn(job)
                if self._in_turn and self._clock.monotonic() - begun >= TURN_SECONDS:
                    return job
            if job.state is ExecutionState.NAKED and taken.command is None:
                # In the units that the log counts in: a coin may be redenominated while the leg waits.
                await self._bookkeeper.book_fees()
                return job
            if job.state is ExecutionState.NAKED and self._stopping():
                return job
            event = await self._carry_out(taken)
            self._say_resting(job, event)

    async def _step(self, job: HedgeExecution, event: Happening) -> tuple[Step, Surroundings]:
        """Return the next step of a job, which begins no slice while another hedge cannot wait, and what it saw."""
        around = await self._look(job, event)
        taken = hedging.step(job, event, around)
        if _leads_on(taken) and await self._yields(job):
            around = replace(around, yields=True)
            return hedging.step(job, event, around), around
        return taken, around

    def _say_resting(self, job: HedgeExecution, event: Happening) -> None:
        """Say every now and then what a trade waits for whose orders rest and fill nothing."""
        now = self._clock.monotonic()
        if isinstance(event, ev.OrderEnded | ev.OrderProgressed) and event.filled_quantity:
            self._said_at = now
        elif job.state is ExecutionState.RESTING and now - self._said_at >= RESTING_SECONDS:
            self._said_at = now
            self._journal.say(OrderRests(at=self._clock.now(), execution=job))

    def _why_give_up(self) -> Reason | None:
        """Return why no opening may be begun or go on; None when one may."""
        if self._stopping():
            return Reason.SHUTDOWN
        asked = self._requests is not None and self._requests.closing
        return Reason.USER if asked or self._journal.ledger.halt is not None else None

    async def _pause(self, job: HedgeExecution, seconds: float) -> None:
        """Wait, and look for requests meanwhile; the wait ends early where an opening is given up."""
        if self._requests is None:
            await self._clock.sleep(seconds)
            return
        until = self._clock.monotonic() + seconds
        while (left := until - self._clock.monotonic()) > 0:
            await self._clock.sleep(min(left, self._look_seconds))
            if left <= self._look_seconds:
                return
            await self._requests.answer_in_trade(job)
            if job.kind is ExecutionKind.OPEN and not job.lead_done and self._why_give_up() is not None:
                return

    async def _look(self, job: HedgeExecution, event: Happening) -> Surroundings:
        """Read the books again when time passed; a fill is followed at once on the books that are still fresh."""
        if not isinstance(event, ev.OrderEnded) or not self._fresh(self._books):
            spot, perp = await read_books(self._venue, job.symbol)
            self._books = _Books(spot=self._time.stamped(spot), perp=self._time.stamped(perp))
        idle = ZERO
        short_of_margin = isinstance(event, ev.OrderEnded) and event.reject is RejectKind.MARGIN
        if short_of_margin and self._journal.ledger.transfer is None:
            idle = await self._idle_usdt()
        pair = await self._listing.for_job(job, event)
        alarm = await self._disturbance(job, event)
        now = self._time.now()
        give_up = self._why_give_up() if job.kind is ExecutionKind.OPEN else None
        hurried = self._stopping() or give_up is not None or (self._requests is not None and self._requests.closing)
        return Surroundings(
            at=now,
            give_up=give_up,
            happened_at=self._happened_at(event, now),
            spot=self._books.spot,
            perp=self._books.perp,
            idle_usdt=idle,
            hurried=hurried or alarm is not None,
            leg_taken=alarm is not None and alarm.kind is AlarmKind.LEGS,
            short_gone=_may_lack_its_short(job, event) and await self._is_short_gone(job),
            coins_taken=_may_lack_its_coins(job, event) and await self._are_coins_taken(job),
            pair=pair,
            spot_blocked_seconds=self._venue.blocked_seconds(Market.SPOT),
            perp_blocked_seconds=self._venue.blocked_seconds(Market.PERP),
        )

    def _happened_at(self, event: Happening, now: datetime) -> datetime:
        """Return when what an event reports happened: not before its order was sent, and not after now.

        A fill is timed by the venue, or by the log when an earlier process saw it; an order of unknown outcome may have
        been filled when it was sent.
        """
        if isinstance(event, ev.OrderEnded | ev.OrderProgressed):
            stamp = event.at
        elif isinstance(event, ev.OrderOutcomeUnknown) and event.client_id in self._journal.ledger.orders:
            stamp = self._journal.ledger.orders[event.client_id].issued_at
        else:
            return now
        stamp -= self._time.jump
        if self._sent_at is not None:
            stamp = max(stamp, now - timedelta(seconds=self._clock.monotonic() - self._sent_at))
        return min(stamp, now)

    async def _disturbance(self, job: HedgeExecution, event: Happening) -> Alarm | None:
        """Return what the account shows for which the next slice had better not rest, or not be led at all."""
        if not self._is_look_due(job, event):
            return None
        self._looked_at = self._clock.monotonic()
        account = await self._account()
        return None if account is None else disturbance(self._journal.ledger, account)

    def _is_look_due(self, job: HedgeExecution, event: Happening) -> bool:
        """Return whether to look before the next slice: always where slices rest, else while the job has to wait."""
        waits = job.working is None and job.state is ExecutionState.LEADING
        if job.plan.urgent:  # it leads at once, and waits only where it may not
            late = self._time.now() - job.stage_since >= GRACE
            return waits and late and self._clock.monotonic() - self._looked_at >= GRACE.total_seconds()
        if job.limits.style is ExecutionStyle.MAKER:
            followed = isinstance(event, ev.OrderEnded) and event.status is OrderStatus.FILLED
            return followed if job.working else waits
        if not waits or self._clock.monotonic() - self._looked_at < GRACE.total_seconds():
            return False
        if job.kind is not ExecutionKind.OPEN:
            return job.stage_since > self._time.now()  # a settlement is too close for the next slice
        traded_at = self._journal.ledger.traded_at
        return bool(job.net_perp) and traded_at is not None and self._clock.now() - traded_at >= GRACE

    async def _is_short_gone(self, job: HedgeExecution) -> bool:
        """Return whether account and position endpoint both show no short; one that is unreadable may still have it.

        Both alike may be of before the bot sold it.
        """
        account, symbol = await self._account(), job.symbol
        hedge = self._journal.ledger.hedges.get(job.hedge_id)
        if account is None or (hedge is not None and short_may_lag(hedge, account.at)):
            return False
        if symbol in account.unreadable_positions or account.short(symbol) > 0:
            return False
        row, refused = await second_position(self._venue, symbol)
        return refused if row is None else row.quantity >= 0

    async def _are_coins_taken(self, job: HedgeExecution) -> bool:
        """Return whether the account lacks the coins that the order at work was to sell; unreadable is not lacking."""
        account, hedge = await self._account(), self._journal.ledger.hedges.get(job.hedge_id)
        if account is None or hedge is None or job.working is None:
            return False
        return are_coins_taken(hedge, job.working.order.quantity, account)

    async def _idle_usdt(self) -> Decimal:
        """Return the spot wallet's free USDT; none when it cannot be read, for a naked leg does not wait for it."""
        account = await self._account()
        return account.spot_usdt if account is not None else ZERO

    async def _account(self) -> AccountView | None:
        """Read the account for a job at work, which goes on without it where it cannot be read."""
        try:
            return await self._venue.account()
        except VenueError:
            return None

    def _fresh(self, books: _Books) -> bool:
        now = self._time.now()
        oldest = now - timedelta(seconds=self._limits.book_stale_seconds)
        return all(depth is not None and oldest <= depth.at <= now for depth in (books.spot, books.perp))

    async def _log(self, before: HedgeExecution, taken: Step, around: Surroundings) -> None:
        """Append the step together with the intent it leads to; nothing is sent that was not logged first."""
        now = self._clock.now()
        events: list[ev.Event] = []
        if taken.job != before:
            events.append(self._stepped(taken.job, now))
        if taken.job.naked_alarmed and not before.naked_alarmed:
            events.append(self._alarm(taken.job, unhedged(before, taken.job, around), now))
        if taken.job.state is ExecutionState.NAKED and self._journal.ledger.standing_halt is None:
            events.append(ev.Halted(at=now, reason=ev.HaltReason.NAKED, detail=f"{taken.job.symbol}: a leg is naked"))
        if taken.command is not None:
            events.append(self._intent(taken.command))
        if events:
            await self._journal.record(*events)
        if taken.job.detail == hedging.OTHER_UNITS_DETAIL != before.detail:
            self._journal.say(Warned(at=now, text=f"{taken.job.symbol}: {taken.job.detail}"))

    def _alarm(self, job: HedgeExecution, found: Unhedged, now: datetime) -> ev.NakedAlarmed:
        held = self._journal.ledger.hedges.get(job.hedge_id)
        price = found.price or (held.entry_price if held else ZERO)
        return ev.NakedAlarmed(
            at=now,
            hedge_id=job.hedge_id,
            exposure=found.quantity,
            notional=found.quantity * price,
            seconds=job.worst_naked_seconds,
            in_doubt=found.in_doubt,
        )

    def _stepped(self, job: HedgeExecution, now: datetime) -> ev.ExecutionStepped:
        logged = self._journal.ledger.execution
        if logged is None or logged.hedge_id != job.hedge_id:
            return ev.ExecutionStepped(at=now, execution=job)
        return ev.ExecutionStepped(at=now, hedge_id=job.hedge_id, change=change_between(logged, job))

    async def _carry_out(self, taken: Step) -> Happening:
        if taken.command is not None:
            return await self._send(taken.command)
        if taken.resolve is not None:
            if taken.pause_seconds:
                await self._pause(taken.job, taken.pause_seconds)
            record = self._journal.ledger.orders.get(taken.resolve.client_id)
            found = await look_up(self._venue, self._clock, taken.resolve, record)
            return _last_happening(await self._recorded(await self._by_trades(taken.resolve, found)))
        if taken.watch is not None:
            known, seconds = taken.job.working_filled, hedging.WATCH_SECONDS
            return _last_happening(await self._recorded(await self._venue.watch(taken.watch, known, seconds)))
        if taken.pause_seconds:
            await self._pause(taken.job, taken.pause_seconds)
        return None

    def _intent(self, command: Command) -> ev.CommandIssued:
        """Return the intent as it is logged, with the number its request will carry."""
        return ev.CommandIssued(at=self._clock.now(), command=command, nonce=self._venue.reserve(command))

    async def _send(self, command: Command) -> Happening:
        if isinstance(command, PlaceOrder):
            self._sent_at = self._clock.monotonic()
        reported = await self._venue.submit(command)
        if isinstance(command, PlaceOrder):
            reported = await self._by_trades(command.order, reported)
        events = await self._recorded(reported)
        refused = any(isinstance(event, ev.CommandRefused) for event in events)
        if refused and isinstance(command, SetLeverage | SetMarginType):
            events += await self._recorded(await self._in_place(command))
        return _last_happening(events)

    async def _by_trades(self, order: OrderRequest, reported: tuple[ev.Event, ...]) -> tuple[ev.Event, ...]:
        """Return what was reported of an order, compared with its trades where that looks wrong."""
        ledger, book = self._journal.ledger, self._books.of(order.market)
        record = ledger.orders.get(order.client_id)
        return reported if record is None else await by_trades(self._venue, ledger, record, reported, book)

    async def _in_place(self, command: SetLeverage | SetMarginType) -> tuple[ev.Event, ...]:
        """Return that a refused setting is right all the same, where the exchange shows it so."""
        leverage = command.leverage if isinstance(command, SetLeverage) else LEVERAGE
        try:
            right = settings_in_place(await self._venue.position(command.symbol), leverage)
        except VenueError:
            return ()
        now = self._clock.now()
        if isinstance(command, SetLeverage):
            done = ev.LeverageSet(at=now, symbol=command.symbol, leverage=leverage)
            return (done,) if Preparation.LEVERAGE in right else ()
        return (ev.MarginTypeSet(at=now, symbol=command.symbol),) if Preparation.MARGIN_TYPE in right else ()

    async def _recorded(self, events: tuple[ev.Event, ...]) -> tuple[ev.Event, ...]:
        if events:
            await self._journal.record(*events)
        return events

    # --- ends ------------------------------------------------------------------------------------------------------

    async def _conclude(self, job: HedgeExecution) -> None:
        """Stop the dead man's switch; book real fees, the end of the job in one transaction, and funding."""
        if job.dead_man_at is not None:
            await self.issue(ArmDeadMan(symbol=job.symbol, seconds=0))
        await self._bookkeeper.book_fees()
        ledger, now = self._journal.ledger, self._clock.now()
        if job.kind is ExecutionKind.OPEN:
            await self._journal.record(*_opening_ended(job, ledger, now, quality_of(job, self._time.now())))
        elif job.state is ExecutionState.FLAT and (hedge := ledger.open_hedge(job.hedge_id)):
            await self._journal.record(*_closing_ended(job, hedge, now, quality_of(job, self._time.now())))
        else:
            repaired = ev.HedgeRepaired(at=now, hedge_id=job.hedge_id, quality=quality_of(job, self._time.now()))
            await self._journal.record(repaired)
        await self._bookkeeper.book_funding_of(job.started_at)

    async def _sweep_dust(self, hedge: HedgedPosition, plan: ExecutionPlan) -> None:
        lot = self._journal.ledger.dust.get(hedge.pair.base)
        if lot and plan.spot_quantity > hedge.spot_quantity:
            await self._journal.record(ev.DustSwept(at=self._clock.now(), hedge_id=hedge.hedge_id, lot=lot))

    # --- single commands ---------------------------------------------------------------------------------------------

    async def issue(self, command: TransferFunds | SetLeverage | ArmDeadMan) -> bool:
        """Send one command outside of a job; returns whether the venue is known to have carried it out.

        No transfer is begun while the outcome of another one is not known.
        """
        if isinstance(command, TransferFunds) and self._journal.ledger.transfer is not None:
            return False
        await self._journal.record(self._intent(command))
        return isinstance(await self._send(command), ev.FundsTransferred | ev.LeverageSet | ev.DeadManArmed)

    async def settle_transfer(self) -> None:
        """Find out about a transfer whose outcome is not logged: sending the same id again is harmless."""
        pending = self._journal.ledger.transfer
        if pending is not None and self._journal.ledger.execution is None:
            await self._doubt_transfer()
            await self._send(pending)

    async def _doubt_transfer(self) -> None:
        """Note that a transfer may have been carried out before the bot received the answer."""
        ledger = self._journal.ledger
        if ledger.transfer is not None and not ledger.transfer_doubtful:
            await self._journal.record(
                ev.TransferOutcomeUnknown(
                    at=self._clock.now(), transfer_id=ledger.transfer.transfer_id, detail=TAKEN_UP
                )
            )

    def transfer_id(self) -> str:
        """Return a new id for a transfer."""
        return f"{self._ids.next()}-t"


def _leads_on(taken: Step) -> bool:
    """Return whether a step begins a slice of the leading leg, or leaves one to rest."""
    leads = taken.job.state in {ExecutionState.LEADING, ExecutionState.RESTING}
    return leads and (isinstance(taken.command, PlaceOrder) or taken.watch is not None)


def _may_lack_its_short(job: HedgeExecution, event: Happening) -> bool:
    """Return whether to read the short: of a naked closing before each order, and where nothing is said to be left."""
    if job.kind is not ExecutionKind.OPEN and _leads_a_naked_leg_on(job, event):
        return True
    at_work = job.working.order if job.working else None
    refused = isinstance(event, ev.OrderEnded) and event.reject is RejectKind.REDUCE_ONLY
    return refused and at_work is not None and at_work.reduce_only


def _may_lack_its_coins(job: HedgeExecution, event: Happening) -> bool:
    """Return whether to read the coins: where their sale is refused because there are not enough."""
    at_work = job.working.order if job.working else None
    refused = isinstance(event, ev.OrderEnded) and event.reject is RejectKind.MARGIN
    return refused and at_work is not None and (at_work.market, at_work.side) == (Market.SPOT, Side.SELL)


def _leads_a_naked_leg_on(job: HedgeExecution, event: Happening) -> bool:
    """Return whether a naked job may send its next order after ``event``.

    It does after a pause, and at once after a look-up of an order in doubt: where every answer is lost, nothing else
    comes between two orders.
    """
    if event is None:
        return job.state is ExecutionState.NAKED
    doubted = isinstance(event, ev.OrderOutcomeUnknown) and event.may_land_until is not None
    certain = isinstance(event, ev.OrderEnded) and job.state is ExecutionState.IN_DOUBT
    return job.resume is ExecutionState.NAKED and (doubted or certain)


def _last_happening(events: tuple[ev.Event, ...]) -> Happening:
    """Return what the machine is given: the end of an order before anything else that was reported with it."""
    ends = [event for event in events if isinstance(event, ev.OrderEnded)]
    relevant = [event for event in events if isinstance(event, HAPPENINGS)]
    if ends:
        return ends[-1]
    return relevant[-1] if relevant else None


def _attempts(hedge: HedgedPosition, market: Market) -> int:
    """Return the highest attempt number that this hedge has used on one leg."""
    own = (r.request.client_id for r in hedge.orders if r.request.market is market)
    numbers = [int(i.rsplit("-", 1)[1]) for i in own if i.startswith(f"{hedge.hedge_id}-")]
    return max(numbers, default=0)


def _opening_ended(
    job: HedgeExecution, ledger: Ledger, now: datetime, quality: ExecutionQuality
) -> tuple[ev.Event, ...]:
    if job.state is ExecutionState.HEDGED:
        return (ev.HedgeOpened(at=now, hedge_id=job.hedge_id, quality=quality),)
    left = ledger.opening
    lot = _residue(job, left) if left else None
    reason = Reason.UNWOUND if job.leg(job.lead).filled else job.given_up or Reason.REFUSED
    aborted = ev.HedgeAborted(
        at=now,
        hedge_id=job.hedge_id,
        reason=reason,
        detail=job.detail,
        residue_value=lot.cost if lot else ZERO,
        quality=quality,
    )
    return (aborted, ev.DustKept(at=now, lot=lot)) if lot else (aborted,)


def _closing_ended(
    job: HedgeExecution, hedge: HedgedPosition, now: datetime, quality: ExecutionQuality
) -> tuple[ev.Event, ...]:
    lot = _residue(job, hedge)
    closed = ev.HedgeClosed(
        at=now,
        hedge_id=hedge.hedge_id,
        reason=job.reason,
        residue_value=lot.cost if lot else ZERO,
        quality=quality,
    )
    return (closed, ev.DustKept(at=now, lot=lot)) if lot else (closed,)


def _residue(job: HedgeExecution, hedge: HedgedPosition) -> DustLot | None:
    """Return what could be neither hedged nor sold, valued at the price the job traded the coin at."""
    quantity = hedge.tally.spot_quantity
    if quantity <= 0:
        return None
    price = job.traded_price
    return DustLot(
        asset=hedge.pair.base, quantity=quantity, cost=quantity * (hedge.entry_price if price is None else price)
    )
