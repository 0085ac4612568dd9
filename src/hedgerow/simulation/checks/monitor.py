"""Monitors one run: every event, every order, and the exchange itself."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from hedgerow.domain import events as ev
from hedgerow.domain.account import AccountView
from hedgerow.domain.commands import Command, PlaceOrder, TransferFunds
from hedgerow.domain.execution import ExecutionState
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.ledger.reducers import apply
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO
from hedgerow.domain.operator_requests import OperatorRequest
from hedgerow.emulator.core.world import World
from hedgerow.engine.notices import CycleFailed, Notice, Recorded
from hedgerow.ports import MarketPrices
from hedgerow.simulation.causes import Cause
from hedgerow.simulation.checks.accounting import check_end, check_equity, check_fills, hand_effect
from hedgerow.simulation.checks.brake import Brake
from hedgerow.simulation.checks.conduct import Conduct
from hedgerow.simulation.checks.disclosure import Disclosure
from hedgerow.simulation.checks.duties import Duties
from hedgerow.simulation.checks.invariants import Invariant, Violation, check_event, check_order, check_slice
from hedgerow.simulation.checks.legs import LegWatch, coins_worth, prices_of
from hedgerow.simulation.checks.requests import Requests
from hedgerow.simulation.checks.separate import check_separate
from hedgerow.simulation.checks.turns import Turns
from hedgerow.simulation.checks.view import Shown, check_shown, check_values
from hedgerow.simulation.harness import ExchangeHarness
from hedgerow.strategy.parameters import AfterEmergency, StrategyParameters

__all__ = ["Monitor"]

HOUR = timedelta(hours=1)
NEAR_SETTLEMENT = timedelta(seconds=90)
"""Rows of a settlement may come this much before or after the full hour; with the hour prices change as well."""
STATEMENT_PAUSE = timedelta(minutes=10)
"""Longest pause before a bot reads the statement again: the last request that a fault met may begin one."""
EXCUSED = ("VenueError", "RateLimited", "Unauthorized")
"""A cycle may fail of what the exchange did to it, and of nothing else."""


class Monitor:
    """Knows the ledger after every event, what is safely in the log, and whose coins are whose."""

    def __init__(
        self,
        harness: ExchangeHarness,
        *,
        owners: dict[str, Decimal],
        parameters: Callable[[], StrategyParameters],
    ) -> None:
        """``parameters`` returns the settings of the present session."""
        self._harness = harness
        self.legs = LegWatch(harness, owners=owners)
        self._conduct = Conduct(harness, parameters, self.legs)
        self._duties = Duties(harness, parameters)
        self._disclosure = Disclosure()
        self._brake = Brake()
        self._requests = Requests()
        self._turns = Turns(harness, self._conduct)
        self._parameters = parameters
        self._asked = False
        """Whether the owner wants openings to be allowed again."""
        self.violations: list[Violation] = []
        self._durable: set[str] = set()
        self._sent: set[str] = set()
        self._by_hand = ZERO
        self._faulted: int = 0
        self._fault_met_at = self._harness.now - STATEMENT_PAUSE
        self._looked_at = self._harness.now
        self._states: dict[str, ExecutionState] = {}
        """Of every job, by symbol."""
        self._quiet_cycles = 0
        self.noticed: Callable[[], None] = lambda: None
        """Called when legs begin to differ, and when something is wrong."""

    @property
    def ledger(self) -> Ledger:
        """The ledger after the newest event."""
        return self.legs.ledger

    @property
    def _world(self) -> World:
        return self._harness.world

    # --- the log ----------------------------------------------------------------------------------------------------

    def appended(self, events: Sequence[ev.Event], *, durable: bool) -> None:
        """Take note of what is in the log now."""
        self._all(self._disclosure.appended(events))
        for event in events:
            if isinstance(event, ev.CommandIssued) and durable:
                command = event.command
                if isinstance(command, PlaceOrder):
                    self._durable.add(command.order.client_id)
                elif isinstance(command, TransferFunds):
                    self._durable.add(command.transfer_id)

    def loaded(self, ledger: Ledger) -> None:
        """Compare what a new process loads with what the log was folded to before."""
        if ledger != self.ledger:
            self._add(Invariant.RESTART, "the ledger loaded at start is not what the log was folded to before")

    def on_notice(self, notice: Notice) -> None:
        """Judge an event."""
        if isinstance(notice, Recorded):
            self._all(self._disclosure.said(notice.event))
            self._note(notice.before, notice.event, notice.after)
        elif isinstance(notice, CycleFailed) and not notice.error.startswith(EXCUSED):
            self._add(Invariant.FAILURE, notice.error)

    def _note(self, before: Ledger, event: ev.Event, after: Ledger) -> None:
        self._follow_faults()
        self.legs.ledger = after
        self.legs.logged(event)
        self._all(check_event(before, event, after, asked=self._asked))
        self._all(check_separate(before, event, after, most=self._parameters().position_management.max_positions))
        self._all(self._turns.note(before, event, after))
        if isinstance(event, ev.RequestHandled):
            self._all(self._requests.handled(event, after))
        halts = self._parameters().risk_management.after_emergency is AfterEmergency.HALT
        self._all(self._brake.note(before, event, self._world, halts=halts))
        self._asked = self._asked and not isinstance(event, ev.Lifted)
        if isinstance(event, ev.ExecutionStarted):
            self.legs.begins(event.execution)
            price = prices_of(self._world, event.execution.symbol).spot
            account = self._world.account()
            equity = account.spot_usdt + account.perp.margin_balance + coins_worth(self._world, before.hedges.values())
            self._all(check_slice(event.execution, equity, price))
            self._all(self._conduct.begins(event.execution, before))
            self._all(self._duties.begins(event.execution, before))
            self._all(self._duties.rotates(event.execution, before))
            self._all(self._requests.begins(event.execution))
        self._ended(before, event, after)
        if isinstance(event, ev.ExternalFills):
            self._by_hand += hand_effect(before, event, after)
        self._note_states(after)
        self.look(being_logged=isinstance(event, ev.ExecutionStepped | ev.NakedAlarmed))
        if isinstance(event, ev.CycleCompleted):
            self._cycle()

    def _note_states(self, ledger: Ledger) -> None:
        """Take note of when each job, at work or set aside, came into its present state."""
        states = {job.symbol: job.state for job in ledger.jobs}
        for symbol, state in states.items():
            if self._states.get(symbol) is not state:
                self.legs.state_since[symbol] = self._world.now
        self._states = states

    def _ended(self, before: Ledger, event: ev.Event, after: Ledger) -> None:
        if not isinstance(event, ev.HedgeOpened | ev.HedgeClosed | ev.HedgeAborted | ev.HedgeRepaired):
            return
        if isinstance(event, ev.HedgeRepaired):
            self._duties.traded(event.hedge_id)
        trade = self.legs.trade_of(before.execution.symbol) if before.execution else None
        if trade:
            self._all(self._disclosure.ends(before.execution, after, trade, self._harness.patience_seconds))
            if isinstance(event, ev.HedgeAborted):
                self._all(self._duties.ends(before.execution, event, trade.causes))

    def shown(self, shown: Shown, checked: bool) -> None:  # noqa: FBT001 - the shape of a callback
        """Judge what screens show now; ``checked`` = a check has just ended, and its figures are of now."""
        patience, legs = self._harness.patience_seconds, self.legs
        self._all(check_shown(shown, self.ledger, legs.exposed, legs.naked, self._world.now, patience=patience))
        if checked and not self._near_the_hour and self._quiet_cycles > 2:  # noqa: PLR2004 - one to notice, one to book
            self._all(check_values(shown, self.ledger, self._world, legs.naked, patience=patience))

    # --- the exchange -----------------------------------------------------------------------------------------------

    def sending(self, command: Command) -> None:
        """Judge a command that leaves now."""
        self._follow_faults()
        if isinstance(command, PlaceOrder):
            order = command.order
            self._all(check_order(order, self.ledger, durable=self._durable, sent=self._sent))
            self._all(self._conduct.leaves(order, self.ledger, self.legs.exposed.get(order.symbol)))
            self._sent.add(order.client_id)
        elif isinstance(command, TransferFunds) and command.transfer_id not in self._durable:
            self._add(Invariant.LOGGED, f"{command.transfer_id} leaves before it is safely in the log")
        self.look()

    def note_cause(self, cause: Cause) -> None:
        """Take note that something went wrong just now."""
        self.legs.note(cause)
        self._restless()

    def resumes(self) -> None:
        """Take note that the owner wants openings to be allowed again."""
        self._asked = True

    def interferes(self, at: datetime, request: OperatorRequest) -> None:
        """Take note that the owner asks for something during a trade: it ends as requested, and not as planned."""
        self._restless()
        self._requests.asked(request)
        self._duties.asked(at)

    def misanswered(self, flaws: Iterable[str]) -> None:
        """Take note of what is wrong with the answers to requests."""
        for flaw in flaws:
            self._add(Invariant.REQUESTS, flaw)

    def died(self) -> None:
        """Take note that no bot is at work from now on.

        What it logged last without saying it is judged now: at the restart something else is true of the exchange.
        """
        for event in self._disclosure.died():
            self._note(self.ledger, event, apply(self.ledger, event))
        self.legs.died()  # a fill of this very time is none that it could report
        self.look()
        self._restless()

    def revived(self) -> None:
        """Take note that a bot is at work again: what was exposed meanwhile counts as the time of the dead."""
        self.legs.revived()
        self._turns.revived()
        self._restless()

    def note_incident(self, before: AccountView, after: AccountView) -> None:
        """Take note of what an act of the owner, the venue or the market changed."""
        self._restless()
        self._conduct.acted()
        self.legs.took(before, after)
        self.look()

    def redenominated(self, pair: BasisPair, factor: Decimal) -> None:
        """Take note that one new coin of a pair stands for ``factor`` old ones: the owner's are fewer, too."""
        self.legs.redenominated(pair, factor)

    def _restless(self) -> None:
        self._quiet_cycles = 0
        self._duties.note_disturbance()

    @property
    def exposed(self) -> bool:
        """Whether any legs differ now."""
        return bool(self.legs.exposed)

    def look(self, *, being_logged: bool = False) -> None:
        """Compare both legs of every pair on the exchange, and judge what differs."""
        before = set(self.legs.exposed)
        apart = tuple(self.legs.look(being_logged=being_logged))
        self._all(self._turns.look(self.legs))  # it says more of why than that legs stay apart
        self._all(apart)
        if set(self.legs.exposed) - before:
            self.noticed()
        for symbol in before | set(self.legs.exposed):
            self._conduct.differ(symbol)

    # --- quiet ------------------------------------------------------------------------------------------------------

    @property
    def _near_the_hour(self) -> bool:
        """Whether settlements may be due now, and whether a price that was just read may be that of the hour before."""
        now = self._world.now
        return (now + NEAR_SETTLEMENT - now.replace(minute=0, second=0)) % HOUR < 2 * NEAR_SETTLEMENT

    def _cycle(self) -> None:
        """Count cycles in which nothing went wrong; from the third on, everything must add up.

        A bot books nothing from an account that it is shown as it was, and has as many cycles after that as at first.
        """
        ledger = self.ledger
        self._all(self._duties.checked(ledger))
        if self._harness.is_behind:
            self._quiet_cycles = 0
            return
        busy = ledger.jobs or ledger.transfer or not ledger.books.opened
        if busy or self._near_the_hour or self.legs.exposed:
            return
        self._quiet_cycles += 1
        read = self._harness.now - self._fault_met_at > STATEMENT_PAUSE
        if read and self._quiet_cycles > 2:  # noqa: PLR2004 - one to notice, one to book
            self._all(check_equity(ledger, self._world.account(), self._prices(), self._by_hand))

    def judge_end(self, log: Sequence[ev.Event], payments: Sequence[FundingPayment], since: datetime) -> None:
        """Judge what is left at the end of a run that began at ``since``."""
        account = self._world.account()
        self._all(check_equity(self.ledger, account, self._prices(), self._by_hand))
        pairs = self._world.market_data.pairs
        self._all(
            check_end(
                self.ledger,
                account,
                log,
                pairs=pairs,
                owners=self.legs.owners,
                residues=self.legs.residues,
                payments=payments,
            )
        )
        traded: dict[str, Decimal] = {}
        for fill in (f for pair in pairs for m in Market for f in self._world.fills(m, pair.symbol, since)):
            name = self._harness.client_id_of(fill)
            if name in self._sent:
                traded[name] = traded.get(name, ZERO) + fill.quantity
        self._all(check_fills(log, traded))
        for symbol, exposure in self.legs.exposed.items():
            self._add(Invariant.RESTART, f"{symbol}: {exposure.quantity} unhedged at the end")

    def _prices(self) -> dict[str, MarketPrices]:
        return {pair.symbol: prices_of(self._world, pair.symbol) for pair in self._world.market_data.pairs}

    def _follow_faults(self) -> None:
        """Note faults that were met, and spans of them that were active since the last look."""
        if self._harness.faulted != self._faulted:
            self._faulted, self._fault_met_at = self._harness.faulted, self._harness.now
            self.note_cause(Cause.REFUSED)
        now = self._harness.now
        if any(span.begin <= now and min(now, span.end) > self._looked_at for span in self._harness.spans):
            self._restless()
        self._looked_at = now

    def _all(self, found: Iterable[tuple[Invariant, str]]) -> None:
        for rule, text in found:
            self._add(rule, text)

    def _add(self, rule: Invariant, text: str) -> None:
        self.violations.append(Violation(rule=rule, at=self._world.now, text=text))
        self.noticed()
