"""What the judge of a simulated run condemns: behaviours planted in the bot, and each check by itself."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from hedgerow.app.simulation.run import play
from hedgerow.domain import events as ev
from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.events import Wallet
from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.domain.instrument import Instrument, Market, Side, TradingStatus
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.market import Depth
from hedgerow.domain.order import OrderRequest, TimeInForce
from hedgerow.emulator.inprocess.faults import LaggingBalances
from hedgerow.engine.accounting.statement_reader import StatementReader
from hedgerow.engine.notices import Recorded
from hedgerow.simulation.causes import Cause, obstacles, ways
from hedgerow.simulation.checks.accounting import check_fills
from hedgerow.simulation.checks.disclosure import Disclosure
from hedgerow.simulation.checks.exposure import TradeExposure
from hedgerow.simulation.checks.invariants import Exposure, Invariant, check_event, check_exposure, check_slice
from hedgerow.simulation.checks.monitor import Monitor
from hedgerow.simulation.faults.incidents import Flow
from hedgerow.simulation.generators.scenarios import draw_plan
from hedgerow.strategy.parameters import StrategyParameters
from planted.behaviours import BEHAVIOURS
from support.bot_harness import BotHarness
from support.judging import JudgedExchange
from support.ledger_builder import LedgerBuilder
from support.toy_venue import new_job
from support.views import NOW, depth, instrument, pair_of

ROOT = Path(__file__).parents[2]
MOST = 20
"""Seeds of seven days after which a behaviour counts as missed."""
PAIR = pair_of()
SPOT, PERP = Market.SPOT, Market.PERP


@pytest.mark.slow
def test_every_planted_behaviour_breaks_an_invariant_within_a_few_runs() -> None:
    names = [bug.name for bug in BEHAVIOURS]
    command = [sys.executable, "benchmarks/planted_bugs.py", "--hunt", *names, "--days", "7", "--most", str(MOST)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own script
    assert done.returncode == 0, done.stderr
    found = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert sorted(found) == sorted(names)
    assert [line for line in found.items() if not line[1].startswith("seed ")] == []
    raised = [line for line in found.items() if line[1].endswith(Invariant.FAILURE.value)]
    assert raised == [], "what is planted must behave badly, not raise"


# --- naked for a minute ----------------------------------------------------------------------------------------------


def exposure(seconds: float, *, explained: float = 0.0, state_seconds: float = 1.0, taken: bool = False) -> Exposure:
    """Return ten coins too many since so long ago, explained by a cause until so long after that."""
    begun = NOW - timedelta(seconds=seconds)
    return Exposure(
        symbol=PAIR.symbol,
        quantity=Decimal(10),
        notional=Decimal(1000),
        begun=begun,
        own_begun=begun,
        since=begun + timedelta(seconds=explained),
        state_since=NOW - timedelta(seconds=state_seconds),
        taken=taken,
        causes=frozenset({Cause.CLOSED}) if explained else frozenset(),
    )


def broken(found: Exposure, state: ExecutionState = ExecutionState.FOLLOWING) -> set[Invariant]:
    job = replace(new_job(ExecutionKind.OPEN, pair=PAIR, spot="10", perp="10"), state=state, naked_alarmed=True)
    plan = replace(job.plan, slice_notional=Decimal(1000))
    ledger = Ledger(execution=replace(job, plan=plan))
    return {rule for rule, _ in check_exposure(found, ledger, NOW, patience=0.0)}


@pytest.mark.parametrize("state", [ExecutionState.FOLLOWING, ExecutionState.REPAIRING, ExecutionState.NAKED])
def test_a_change_of_state_does_not_restart_the_minute(state: ExecutionState) -> None:
    assert Invariant.EXPLAINED not in broken(exposure(59), state)
    assert Invariant.EXPLAINED in broken(exposure(61), state)


def test_a_cause_explains_what_came_before_its_end_and_a_minute_after() -> None:
    assert Invariant.EXPLAINED not in broken(exposure(3600, explained=3545))
    assert Invariant.EXPLAINED in broken(exposure(3600, explained=3500))


def test_what_others_took_is_evened_within_a_minute_as_well() -> None:
    for seconds, late in ((59, False), (61, True)):
        found = {rule for rule, _ in check_exposure(exposure(seconds, taken=True), Ledger(), NOW, patience=0.0)}
        assert (Invariant.EXPLAINED in found) is late


# --- causes ----------------------------------------------------------------------------------------------------------


def books(quantity: str = "1000") -> dict[Market, Depth]:
    return {market: depth(market, quantity=quantity) for market in Market}


def stopped(leg: Instrument, status: TradingStatus) -> Instrument:
    return replace(leg, status=status)


def found(pair: object = PAIR, depths: dict[Market, Depth] | None = None, *routes: tuple[Market, Side]) -> set[Cause]:
    ends = obstacles(pair, depths or books(), None, routes, quantity=Decimal(10), cap_bps=Decimal(200))  # type: ignore[arg-type]
    return set(ends)


def test_a_closed_market_an_empty_and_a_thin_book_are_causes_and_a_good_one_is_none() -> None:
    sell = (SPOT, Side.SELL)
    closed = pair_of(spot=stopped(instrument(SPOT), TradingStatus.CLOSED))
    empty = books() | {SPOT: replace(depth(SPOT), bids=())}
    assert found(PAIR, None, sell) == set()
    assert found(closed, None, sell) == {Cause.CLOSED}
    assert found(PAIR, empty, sell) == {Cause.EMPTY}
    assert found(PAIR, books("9"), sell) == {Cause.THIN}


def test_one_way_out_is_enough() -> None:
    closed = pair_of(spot=stopped(instrument(SPOT), TradingStatus.CLOSED))
    assert found(closed, None, (SPOT, Side.SELL), (PERP, Side.SELL)) == set()


def test_a_perpetual_that_settles_can_still_be_reduced() -> None:
    settling = pair_of(perp=stopped(instrument(PERP), TradingStatus.SETTLING))
    assert found(settling, None, (PERP, Side.BUY)) == set()
    assert found(settling, None, (PERP, Side.SELL)) == {Cause.CLOSED}


def test_an_opening_may_go_on_or_back_and_a_closing_only_reduces() -> None:
    opening, closing = new_job(ExecutionKind.OPEN), new_job(ExecutionKind.CLOSE)
    assert set(ways(opening, Decimal(1))) == {(SPOT, Side.SELL), (PERP, Side.SELL)}
    assert set(ways(closing, Decimal(1))) == {(SPOT, Side.SELL)}
    assert set(ways(closing, Decimal(-1))) == set(ways(None, Decimal(-1))) == {(PERP, Side.BUY)}


# --- what is said ----------------------------------------------------------------------------------------------------


def rules(found: Iterator[tuple[Invariant, str]]) -> list[Invariant]:
    return [rule for rule, _ in found]


def test_an_event_that_is_logged_and_not_said_is_missed_at_the_next_append() -> None:
    first, second = ev.CycleCompleted(at=NOW, number=1), ev.CycleCompleted(at=NOW, number=2)
    received, hushed = Disclosure(), Disclosure()
    for judge in (received, hushed):
        assert rules(judge.appended((first,))) == []
    assert rules(received.said(first)) == []
    assert rules(received.appended((second,))) == []
    assert rules(hushed.appended((second,))) == [Invariant.REPORTED]


def test_what_a_dying_bot_had_no_time_to_say_is_not_missed() -> None:
    judge = Disclosure()
    list(judge.appended((ev.CycleCompleted(at=NOW, number=1),)))
    judge.died()
    assert rules(judge.appended(())) == []


@pytest.mark.parametrize(("reported", "violated"), [(0.0, True), (36.0, True), (38.0, False), (50.0, False)])
def test_less_naked_time_than_the_exchange_shows_is_a_lie(reported: float, violated: bool) -> None:  # noqa: FBT001 - parametrized
    job = replace(
        new_job(ExecutionKind.CLOSE),
        worst_naked_seconds=reported,
        worst_naked_notional=Decimal(100),
        naked_seconds=reported,
    )
    trade = TradeExposure(style="taker", kind=ExecutionKind.CLOSE, seconds=40.0, usd=Decimal(100))
    found = rules(Disclosure.ends(job, Ledger(max_naked_seconds=reported), trade, patience=0.0))
    assert found == ([Invariant.REPORTED] if violated else [])


# --- own fills -------------------------------------------------------------------------------------------------------


def test_a_fill_that_the_log_lacks_or_has_no_fee_of_is_found() -> None:
    builder = LedgerBuilder().begin().trade("s-1", Side.BUY, 10, 100).fee("s-1", Side.BUY, 10, 100, fee=1)
    traded = {"h1-s-1": Decimal(10)}
    assert rules(check_fills(builder.events, traded)) == []
    assert rules(check_fills(builder.events, {**traded, "h1-p-1": Decimal(1)})) == [Invariant.FILLS]
    assert rules(check_fills(builder.events, {"h1-s-1": Decimal(11)})) == [Invariant.FILLS]
    assert rules(check_fills(builder.events[:-1], traded)) == [Invariant.FILLS]
    assert rules(check_fills(builder.events, {})) == [Invariant.FILLS]


# --- books ------------------------------------------------------------------------------------------------------------


def test_books_are_compared_in_the_third_check_since_the_account_was_shown_as_it_was() -> None:
    bot = BotHarness()
    bot.run(0.2)
    bot.world.deposit(Wallet.SPOT, "USDT", Decimal(5))
    exchange = JudgedExchange(bot.world)
    judge = Monitor(exchange, owners={}, parameters=StrategyParameters)  # type: ignore[arg-type] # it reads no more

    def checked(*, behind: bool = False) -> set[Invariant]:
        exchange.is_behind = behind
        bot.world.advance(bot.world.now + timedelta(minutes=3))
        event = ev.CycleCompleted(at=bot.world.now, number=1)
        judge.appended((event,), durable=True)
        judge.on_notice(Recorded(before=bot.ledger, event=event, after=bot.ledger))
        return {violation.rule for violation in judge.violations}

    assert [checked(), checked(), checked(behind=True), checked(behind=True), checked(), checked()] == [set()] * 6
    assert checked() == {Invariant.BOOKS, Invariant.EQUITY}


@pytest.mark.parametrize("seconds", [0.5, 6.0, 60.0])
def test_a_row_that_is_never_booked_is_found_in_a_run_whose_account_lags(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    plan = draw_plan(1, 1.0)
    flow = Flow(at=plan.begin + timedelta(hours=9), wallet=Wallet.PERP, fraction=Decimal("0.1"))
    plan = replace(plan, drawn_faults=(LaggingBalances(seconds=seconds), flow))
    assert play(plan).violation is None

    async def book(*_: object) -> None:
        """Book nothing."""

    monkeypatch.setattr(StatementReader, "_book", book)
    found = play(plan).violation
    assert found is not None
    assert found.rule is Invariant.BOOKS
    assert flow.at < found.at < plan.end, "while the account lags, and not only when all is calm"


# --- slices ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("slices", "violated"), [("203", False), ("220", True)])
def test_a_coarse_lot_excuses_no_slice_above_the_settings(slices: str, *, violated: bool) -> None:
    coarse = pair_of(perp=instrument(PERP, lot=Decimal(2)))
    job = new_job(pair=coarse, spot="10.011")
    planned = replace(job, kind=ExecutionKind.OPEN, plan=replace(job.plan, slice_notional=Decimal(slices)))
    share = Decimal(200) / job.limits.max_naked_equity_fraction
    assert (Invariant.SIZE in rules(check_slice(planned, share, Decimal(100)))) is violated


# --- orders that rest -------------------------------------------------------------------------------------------------


def rests_on(
    known: str, kind: ExecutionKind = ExecutionKind.OPEN, *, planned: str = "10", state: ExecutionState | None = None
) -> list[Invariant]:
    """Return what is said of a step after which an order of four coins is known to have filled so many of them."""
    job = new_job(kind, pair=PAIR, spot=planned, perp="10")
    sides = {ExecutionKind.OPEN: Side.BUY, ExecutionKind.CLOSE: Side.SELL}
    order = OrderRequest(
        client_id="h1-s-1",
        market=SPOT,
        symbol=PAIR.symbol,
        side=sides[kind],
        quantity=Decimal(4),
        price=Decimal(100),
        time_in_force=TimeInForce.GTX,
    )
    waiting = replace(
        job,
        state=state or ExecutionState.RESTING,
        working=PlaceOrder(hedge_id="h1", order=order),
        working_filled=Decimal(known),
    )
    event = ev.ExecutionStepped(at=NOW, execution=waiting)
    return rules(check_event(Ledger(execution=job), event, Ledger(execution=waiting)))


def test_an_order_that_rests_on_although_its_fills_are_known_is_condemned() -> None:
    assert rests_on("1") == [Invariant.BOUND]
    assert rests_on("0.1") == []  # too little for an order
    assert rests_on("1", state=ExecutionState.CANCELLING) == []


def test_coins_that_a_closing_has_too_many_of_rest_as_long_as_they_like() -> None:
    assert rests_on("1", ExecutionKind.CLOSE, planned="11") == []
    assert rests_on("2", ExecutionKind.CLOSE, planned="11") == [Invariant.BOUND]
