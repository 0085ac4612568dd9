"""Bots on small exchanges to which one thing happens each, and a companion that sees them while it happens."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.clock import SystemClock
from hedgerow.dashboard.bot_state import Process, ProcessState
from hedgerow.dashboard.outlook import OutlookRules
from hedgerow.dashboard.view import View, ViewState, update, view_of
from hedgerow.domain.account import AccountView
from hedgerow.domain.events import Event
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.reducers import apply
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.operator_requests import CloseRequested, HaltRequested, ResumeRequested
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault, SubmitFault
from hedgerow.engine.notices import CycleEnded, CycleFailed, NothingRead, Notice, Recorded
from hedgerow.notify.alerts import Alert, AlertKind
from hedgerow.notify.state import NotifyState, Rules, admitted, consumed
from hedgerow.notify.texts import message_text
from hedgerow.notify.watch import Watch, watched
from hedgerow.strategy.parameters import (
    FundingRateStrategy,
    PositionManagement,
    RiskManagement,
    SamePair,
    StrategyParameters,
)
from hedgerow.strategy.policies import load_policy
from support.bot_harness import OPENED, BotHarness
from support.mail import asked, mailbox_in
from support.worlds import SYMBOL, Listing, ScriptedMarketData

__all__ = [
    "RUNNING",
    "SCENARIOS",
    "SEEN_FROM_OUTSIDE",
    "Played",
    "SeenBot",
    "Step",
    "alerts_of",
    "events_of",
    "expected_texts",
    "played",
]

RUNNING = Process(state=ProcessState.RUNNING, pid=4711)
PATIENT = StrategyParameters(
    position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=10_000)
)
CALM = replace(PATIENT, funding_rate_strategy=FundingRateStrategy(min_funding_apr=5.0))


class Step(Struct, frozen=True, kw_only=True):
    """One thing that a companion can see: an event of the log, or a look at the bot."""

    event: Event | None = None
    view: View | None = None


class SeenBot:
    """An observer that keeps what could be seen from outside."""

    def __init__(self, parameters: StrategyParameters) -> None:
        rules = OutlookRules(policy=load_policy(parameters.policy, parameters), pid=4711, settings={"a": "1"})
        self._state = ViewState(rules=rules)
        self.steps: list[Step] = []
        self.now = OPENED

    def on_notice(self, notice: Notice) -> None:
        self._state = update(self._state, notice)
        if isinstance(notice, Recorded):
            self.now = max(self.now, notice.event.at)
            self.steps.append(Step(event=notice.event))
            return
        self.now = max(self.now, notice.at)
        if isinstance(notice, CycleEnded | CycleFailed | NothingRead):
            self.look()

    def look(self, process: Process = RUNNING) -> None:
        self.steps.append(Step(view=view_of(self._state, process, self.now)))


class Played(Struct, frozen=True, kw_only=True):
    """What was to be seen of one scenario."""

    steps: tuple[Step, ...]
    ledger: Ledger


def _played(harness: BotHarness, *runs: Callable[[SeenBot], object]) -> Played:
    seen = SeenBot(harness.parameters)
    for run in runs:
        run(seen)
    return Played(steps=tuple(seen.steps), ledger=harness.ledger)


def _opened(_folder: Path) -> Played:
    harness = BotHarness(parameters=PATIENT, usdt=800, perp=200)
    return _played(harness, lambda seen: harness.run(0.6, observers=(seen,)))


def _closed_by_request(folder: Path) -> Played:
    harness, mailbox = BotHarness(parameters=PATIENT), mailbox_in(folder)

    def close(_: BotHarness) -> None:
        mailbox.post(asked("1", CloseRequested(symbol=SYMBOL)))

    return _played(harness, lambda seen: harness.run(1, mailbox=mailbox, at={0.52: close}, observers=(seen,)))


def _halted_and_lifted(folder: Path) -> Played:
    harness, mailbox = BotHarness(parameters=PATIENT), mailbox_in(folder)

    def post(name: str, action: HaltRequested | ResumeRequested) -> Callable[[BotHarness], None]:
        return lambda _: mailbox.post(asked(name, action))

    acts = {0.2: post("1", HaltRequested(detail="to look")), 0.4: post("2", ResumeRequested())}
    return _played(harness, lambda seen: harness.run(0.6, mailbox=mailbox, at=acts, observers=(seen,)))


def _rolled(_folder: Path) -> Played:
    parameters = StrategyParameters(position_management=PositionManagement(same_pair=SamePair.ROLL))
    harness = BotHarness(ScriptedMarketData([Listing(rate="0.003")]), parameters=parameters)
    return _played(harness, lambda seen: harness.run(10, observers=(seen,)))


def _paid(_folder: Path) -> Played:
    harness = BotHarness(parameters=PATIENT)
    return _played(harness, lambda seen: harness.run(10, observers=(seen,)))


def _refused(_folder: Path) -> Played:
    faults = FaultPlan(submits=(SubmitFault(fault=FaultKind.REJECT, command="place_order", times=9),))
    harness = BotHarness(parameters=PATIENT, faults=faults)
    return _played(harness, lambda seen: harness.run(0.1, observers=(seen,)))


def _half_open(_folder: Path) -> Played:
    short = SubmitFault(fault=FaultKind.NOT_SENT, market=Market.PERP, command="place_order", times=2)
    harness = BotHarness(parameters=PATIENT, faults=FaultPlan(submits=(short,)))
    return _played(harness, lambda seen: harness.run(0.5, observers=(seen,)))


def _naked(_folder: Path) -> Played:
    harness = BotHarness()

    def taken(seen: SeenBot) -> None:
        harness.run(0.5, observers=(seen,))
        harness.parameters = CALM
        harness.world.deleverage(SYMBOL, harness.hedge.pair.perp.floor_quantity(harness.hedge.short * Decimal("0.06")))
        harness.wait(0.1)
        harness.run(0.05, observers=(seen,))

    return _played(harness, taken)


def _daily_loss(_folder: Path) -> Played:
    market_data = ScriptedMarketData()
    market_data.set_prices(OPENED + timedelta(hours=3), 100, 102)
    harness = BotHarness(
        market_data, parameters=replace(PATIENT, risk_management=RiskManagement(daily_loss_limit_usd=Decimal(5)))
    )
    return _played(harness, lambda seen: harness.run(4, observers=(seen,)))


def _liquidated(_folder: Path) -> Played:
    harness = BotHarness(parameters=PATIENT, notifications=True)

    def shock(at: BotHarness) -> None:
        at.world.shock(SYMBOL, Decimal("2.2"))

    return _played(harness, lambda seen: harness.run(0.58, at={0.51: shock}, observers=(seen,)))


def _interval(_folder: Path) -> Played:
    market_data = ScriptedMarketData()
    market_data.set_interval(OPENED + timedelta(hours=2), 4)
    harness = BotHarness(market_data, parameters=PATIENT)
    return _played(harness, lambda seen: harness.run(3, observers=(seen,)))


def _blind(_folder: Path) -> Played:
    begin, end = OPENED + timedelta(minutes=40), OPENED + timedelta(minutes=80)
    reads = tuple(ReadFault(read=read, after=begin, until=end) for read in (Read.MARKET, Read.ACCOUNT))
    harness = BotHarness(parameters=PATIENT, faults=FaultPlan(reads=reads))
    return _played(harness, lambda seen: harness.run(2, observers=(seen,)))


def _foreign(_folder: Path) -> Played:
    harness = BotHarness(ScriptedMarketData([SYMBOL, Listing("BBBUSDT", rate="0.00001")]), parameters=CALM)

    def sell(at: BotHarness) -> None:
        at.world.trade_by_hand(Market.PERP, "BBBUSDT", Side.SELL, Decimal("0.5"))

    return _played(harness, lambda seen: harness.run(1, at={0.5: sell}, observers=(seen,)))


def _margin(_folder: Path) -> Played:
    market_data = ScriptedMarketData()
    market_data.set_prices(OPENED + timedelta(hours=1), 172, 172)
    harness = BotHarness(market_data, parameters=PATIENT)
    return _played(harness, lambda seen: harness.run(2, observers=(seen,)))


def _books(_folder: Path) -> Played:
    harness = BotHarness(parameters=PATIENT)
    harness.venue.rewritten = _poorer(harness)
    return _played(harness, lambda seen: harness.run(1, observers=(seen,)))


def _poorer(harness: BotHarness) -> Callable[[AccountView], AccountView]:
    def rewritten(account: AccountView) -> AccountView:
        if harness.clock.now() < OPENED + timedelta(minutes=30):
            return account
        usdt = account.spot["USDT"]
        return replace(account, spot={**account.spot, "USDT": replace(usdt, free=usdt.free - Decimal("0.3"))})

    return rewritten


SCENARIOS: dict[AlertKind, Callable[[Path], Played]] = {
    AlertKind.OPENED: _opened,
    AlertKind.NOT_OPENED: _refused,
    AlertKind.CLOSED: _closed_by_request,
    AlertKind.ROLLED: _rolled,
    AlertKind.FUNDING: _paid,
    AlertKind.HALF_OPEN: _half_open,
    AlertKind.NAKED: _naked,
    AlertKind.REPAIRED: _naked,
    AlertKind.HALTED: _halted_and_lifted,
    AlertKind.LIFTED: _halted_and_lifted,
    AlertKind.DAILY_LOSS: _daily_loss,
    AlertKind.MARGIN_MOVED: _opened,
    AlertKind.MARGIN_LOW: _margin,
    AlertKind.LIQUIDATED: _liquidated,
    AlertKind.INTERVAL_CHANGED: _interval,
    AlertKind.VENUE_DOWN: _blind,
    AlertKind.VENUE_BACK: _blind,
    AlertKind.BOOKS_DIFFER: _books,
    AlertKind.FOREIGN_POSITION: _foreign,
    AlertKind.REQUEST: _closed_by_request,
}
"""A scenario that has one alert of each kind that the engine causes."""

SEEN_FROM_OUTSIDE = frozenset(
    {AlertKind.KEY_EXPIRING, AlertKind.SETTINGS_CHANGED, AlertKind.STOPPED, AlertKind.DEAD, AlertKind.RESTARTED}
)
"""Kinds that no event and no check of the engine causes."""
_KEPT: dict[Callable[[Path], Played], Played] = {}


def played(kind: AlertKind, folder: Path) -> Played:
    """Return the scenario of a kind; each is played once in a process."""
    play = SCENARIOS[kind]
    if play not in _KEPT:
        _KEPT[play] = play(folder)
    return _KEPT[play]


def events_of(kinds: Sequence[AlertKind], folder: Path) -> list[Event]:
    """Return one log in which much happens: what the bots of some scenarios did, one after the other."""
    return [step.event for kind in kinds for step in played(kind, folder).steps if step.event is not None]


def expected_texts(events: Sequence[Event], who: str) -> list[str]:
    """Return the texts of the alerts of a log of the bot ``who``, in their order."""
    state, ledger, found = NotifyState(seq=0), Ledger(), list[Alert]()
    for event in events:
        following = apply(ledger, event)
        state, alerts = consumed(state, event, ledger, following, Rules())
        found += alerts
        ledger = following
    state = admitted(state, found, ("x",), Rules(), SystemClock().now())
    return [message_text(message, who=who) for message in state.outbox]


def alerts_of(seen: Played) -> list[Alert]:
    """Return the alerts of everything that was to be seen, in its order."""
    state, ledger, watch, alerts = NotifyState(seq=0), Ledger(), Watch(), list[Alert]()
    for step in seen.steps:
        if step.event is not None:
            following = apply(ledger, step.event)
            state, found = consumed(state, step.event, ledger, following, Rules())
            ledger = following
        else:
            assert step.view is not None
            watch, found = watched(watch, step.view)
        alerts += found
    return alerts
