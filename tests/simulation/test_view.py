"""What screens show is held against the exchange: each false state that could be shown is planted, and caught."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.app import simulated_view
from hedgerow.app.simulation.run import play_seed
from hedgerow.dashboard.bot_state import BotState, StateReport, bot_state
from hedgerow.domain import events as ev
from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.state import Ledger
from hedgerow.emulator.core.market_changes import BookDistortion, MarkDistortion
from hedgerow.engine.notices import Recorded
from hedgerow.simulation.checks.invariants import Exposure, Invariant
from hedgerow.simulation.checks.legs import Naked
from hedgerow.simulation.checks.monitor import Monitor
from hedgerow.simulation.checks.view import Shown, check_shown, check_values
from hedgerow.simulation.harness import ExchangeHarness
from hedgerow.store import guide_state
from hedgerow.strategy.parameters import StrategyParameters
from support.bot_harness import BotHarness
from support.judging import JudgedExchange
from support.toy_venue import new_job
from support.views import NOW, hedge, ledger_of

TEN = ledger_of(hedge("10"))
HEDGED = Shown(state="hedged", hedged=True, flat=False, longest_naked_seconds=0.0)


def exposed(seconds: float, *, taken: bool) -> dict[str, Exposure]:
    since = NOW - timedelta(seconds=seconds)
    return {
        "AAAUSDT": Exposure(
            symbol="AAAUSDT",
            quantity=Decimal(10),
            notional=Decimal(1000),
            begun=since,
            own_begun=since,
            since=since,
            state_since=since,
            taken=taken,
        )
    }


def broken(found: Iterator[tuple[Invariant, str]]) -> set[Invariant]:
    return {rule for rule, _ in found}


def judged(
    shown: Shown, ledger: Ledger = TEN, legs: dict[str, Exposure] | None = None, naked: Naked | None = None
) -> set[Invariant]:
    return broken(check_shown(shown, ledger, legs or {}, naked or Naked(), NOW, patience=5.0))


@pytest.mark.parametrize(("seconds", "taken"), [(24, False), (364, True)])
def test_hedged_is_not_shown_of_legs_that_differ_for_longer_than_a_bot_needs_to_see_it(
    seconds: float, *, taken: bool
) -> None:
    assert judged(HEDGED, legs=exposed(seconds, taken=taken)) == set()
    assert judged(HEDGED, legs=exposed(seconds + 2, taken=taken)) == {Invariant.SHOWN}
    naked = replace(HEDGED, state="naked", hedged=False)
    assert judged(naked, legs=exposed(seconds + 2, taken=taken)) == set()


def test_hedged_is_not_shown_of_nothing_and_flat_not_of_something() -> None:
    assert judged(HEDGED, Ledger()) == {Invariant.SHOWN}
    flat = replace(HEDGED, state="flat", hedged=False, flat=True)
    assert judged(flat, Ledger()) == set()
    assert judged(flat, TEN) == {Invariant.SHOWN}
    closing = new_job(ExecutionKind.CLOSE)
    assert judged(flat, replace(TEN, execution=closing)) == {Invariant.SHOWN}
    assert judged(flat, replace(TEN, execution=replace(closing, state=ExecutionState.FLAT))) == set()


def test_naked_time_is_not_shown_shorter_than_the_log_or_the_exchange_has_it() -> None:
    assert judged(HEDGED, replace(TEN, max_naked_seconds=1.0)) == {Invariant.SHOWN}
    assert judged(HEDGED, naked=Naked(seconds=8.0)) == set()
    assert judged(HEDGED, naked=Naked(seconds=9.0)) == {Invariant.SHOWN}


# --- values ----------------------------------------------------------------------------------------------------------


def true_values() -> tuple[BotHarness, Shown]:
    """Return a bot that holds a hedge, and what should be shown of it."""
    harness = BotHarness()
    harness.run(0.2)
    held, prices = harness.hedge, harness.world.prices(harness.hedge.symbol)
    assert prices is not None
    shown = replace(
        HEDGED,
        net_so_far=held.tally.price_pnl(prices.spot, prices.perp) + held.funding_received - held.tally.fees,
        file_symbol=held.symbol,
        file_value=held.spot_quantity * prices.spot,
    )
    return harness, shown


def valued(harness: BotHarness, shown: Shown, naked: Naked | None = None) -> set[Invariant]:
    return broken(check_values(shown, harness.ledger, harness.world, naked or Naked(), patience=5.0))


def test_values_that_are_off_by_more_than_the_spread_are_condemned() -> None:
    harness, shown = true_values()
    assert valued(harness, shown) == set()
    assert shown.file_value is not None
    assert shown.net_so_far is not None
    assert valued(harness, replace(shown, file_value=shown.file_value * Decimal("1.003"))) == {Invariant.WORTH}
    assert valued(harness, replace(shown, file_value=Decimal(376000000))) == {Invariant.WORTH}
    assert valued(harness, replace(shown, file_value=None)) == {Invariant.WORTH}
    assert valued(harness, replace(shown, net_so_far=shown.net_so_far + harness.hedge.tally.fees * 4)) == {
        Invariant.WORTH
    }
    assert valued(harness, replace(shown, net_so_far=None)) == {Invariant.WORTH}
    assert valued(harness, replace(shown, file_symbol="XYZUSDT")) == {Invariant.WORTH}
    assert valued(harness, replace(shown, file_symbol=None)) == {Invariant.WORTH}


def test_a_leg_whose_book_has_one_side_is_worth_what_its_mark_says_and_no_more() -> None:
    harness, shown = true_values()
    held = harness.hedge
    harness.world.change_market(MarkDistortion(symbol=held.symbol, mark_bps=Decimal(200)))
    prices = harness.world.prices(held.symbol)
    assert prices is not None
    assert shown.net_so_far is not None
    apart = held.short * (prices.perp - prices.mark)
    at_mark = replace(shown, net_so_far=shown.net_so_far + apart)
    assert valued(harness, at_mark) == {Invariant.WORTH}, "both sides are there: the middle can be read"
    harness.world.change_market(BookDistortion(symbol=held.symbol, market=Market.PERP, missing=Side.SELL))
    assert valued(harness, at_mark) == set()
    assert valued(harness, replace(shown, net_so_far=shown.net_so_far + 2 * apart)) == {Invariant.WORTH}


def test_the_time_that_others_left_legs_apart_is_not_shown_shorter() -> None:
    harness, shown = true_values()
    assert valued(harness, shown, Naked(taken_seconds=360.0)) == set()
    assert valued(harness, shown, Naked(taken_seconds=400.0)) == {Invariant.SHOWN}


def test_a_price_read_right_before_a_new_hour_is_no_lie() -> None:
    harness, shown = true_values()
    transport: ExchangeHarness = JudgedExchange(harness.world)  # type: ignore[assignment] # the judge reads no more of it
    judge = Monitor(transport, owners={}, parameters=StrategyParameters)
    for number in range(3):
        event = ev.CycleCompleted(at=harness.world.now, number=number)
        judge.appended((event,), durable=True)
        judge.on_notice(Recorded(before=harness.ledger, event=event, after=harness.ledger))
    assert shown.file_value is not None
    off = replace(shown, file_value=shown.file_value * Decimal("1.01"))
    hour = harness.world.now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    for seconds, condemned in ((30, False), (120, True)):
        harness.world.advance(hour + timedelta(seconds=seconds))
        judge.violations.clear()
        judge.shown(off, checked=True)
        assert (Invariant.WORTH in {violation.rule for violation in judge.violations}) is condemned


# --- lies of the running bot -----------------------------------------------------------------------------------------


def always_hedged(ledger: Ledger, *others: object) -> StateReport:
    report = bot_state(ledger, *others)  # type: ignore[arg-type] # passed through
    return replace(report, state=BotState.HEDGED) if ledger.foremost else report


def never_naked(ledger: Ledger, *others: object) -> StateReport:
    return replace(bot_state(ledger, *others), longest_naked_seconds=0.0)  # type: ignore[arg-type] # passed through


def at_entry(render: Callable[..., guide_state.GuideState]) -> Callable[..., guide_state.GuideState]:
    def rendered(ledger: Ledger, **given: object) -> guide_state.GuideState:
        return render(ledger, **{**given, "spot_price": None})

    return rendered


@pytest.mark.parametrize(("lie", "rule"), [(always_hedged, Invariant.SHOWN), (never_naked, Invariant.SHOWN)])
def test_a_state_that_lies_is_caught_in_a_run(
    monkeypatch: pytest.MonkeyPatch, lie: Callable[..., StateReport], rule: Invariant
) -> None:
    monkeypatch.setattr(simulated_view, "bot_state", lie)
    assert rule in {found.rule for found in (play_seed(seed, 2.0).violation for seed in range(6)) if found}


def test_a_state_file_that_shows_the_price_of_the_entry_is_caught_in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guide_state, "render", at_entry(guide_state.render))
    assert Invariant.WORTH in {found.rule for found in (play_seed(seed, 2.0).violation for seed in range(6)) if found}


def test_honest_screens_break_nothing() -> None:
    assert [found for found in (play_seed(seed, 2.0).violation for seed in range(3)) if found] == []
