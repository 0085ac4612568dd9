"""The view of a bot has everything a screen shows, the same from inside as from outside, and makes nothing up."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from hedgerow.dashboard.bot_state import BotState, Process, ProcessState, bot_state
from hedgerow.dashboard.job_view import FallbackKind, JobStepName, StepStatus
from hedgerow.dashboard.outlook import Outlook, OutlookRules
from hedgerow.dashboard.status_lines import BotView
from hedgerow.dashboard.view import View, ViewState, update, view_document, view_of, view_of_bot
from hedgerow.domain.events import FundingReceived
from hedgerow.domain.instrument import Market
from hedgerow.domain.position import Reason
from hedgerow.engine.notices import CycleEnded, Decided, Notice, Observed, Recorded
from hedgerow.strategy.observation import Hold, Open
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from support.bot_harness import BotHarness
from support.worlds import SYMBOL, Listing, ScriptedMarketData

RULES = OutlookRules(policy=VolumeFarming(StrategyParameters()), pid=7, settings={"policy": "volume_farming"})
RUNNING = Process(state=ProcessState.RUNNING, pid=7)


class Watcher:
    """Keeps the view after every notice."""

    def __init__(self, harness: BotHarness) -> None:
        self._harness = harness
        self.state = ViewState(rules=RULES)
        self.views: list[View] = []
        self.notices: list[Notice] = []
        self.ended: list[View] = []

    def on_notice(self, notice: Notice) -> None:
        self.notices.append(notice)
        self.state = update(self.state, notice)
        self.views.append(view_of(self.state, RUNNING, self._harness.clock.now()))
        if isinstance(notice, CycleEnded):
            self.ended.append(self.views[-1])


def watched(hours: float = 0.2, harness: BotHarness | None = None, **more: Any) -> tuple[BotHarness, Watcher]:
    harness = harness or BotHarness()
    watcher = Watcher(harness)
    harness.run(hours, observers=(watcher,), **more)
    return harness, watcher


def several() -> BotHarness:
    data = ScriptedMarketData([Listing(rate="0.0004"), Listing("BBBUSDT", spot=20, rate="0.0003")])
    management = PositionManagement(max_positions=2)
    return BotHarness(data, parameters=StrategyParameters(position_management=management), usdt=900, perp=900)


def test_a_held_hedge_is_shown_with_both_legs_result_funding_and_exits() -> None:
    harness, watcher = watched(9)
    view, hedge = watcher.ended[-1], harness.hedge
    shown = view.hedges[0]
    assert (view.report.state, shown.symbol, shown.hedge_id) == (BotState.HEDGED, SYMBOL, hedge.hedge_id)
    assert (shown.spot.quantity, shown.perp.quantity) == (hedge.spot_quantity, -hedge.short)
    assert shown.difference is not None
    assert shown.difference.quantity == hedge.spot_quantity - hedge.short
    assert shown.spot.price is not None
    assert shown.spot.value == shown.spot.quantity * shown.spot.price
    assert shown.spot.entry_price == hedge.entry_price
    assert shown.perp.entry_price is not None
    assert shown.entry_basis == pytest.approx(float(shown.perp.entry_price / hedge.entry_price - 1))
    assert shown.result is not None
    assert shown.result.net_if_closed is not None
    assert shown.funding.next is not None
    assert shown.funding.rates
    assert shown.funding.apr_on_capital == pytest.approx((shown.funding.apr_on_leg or 0) / 2)
    assert (shown.leverage, shown.margin_type) == (1, "CROSSED")
    assert {each.distance.rule for each in shown.exits} >= {Reason.FEES_COVERED, Reason.LIQUIDATION_NEAR}
    assert all(each.consequence for each in shown.exits)
    assert shown.profit_rules_known
    assert (shown.bounds.trim, shown.bounds.close, shown.bounds.naked_seconds) == (0.02, 0.10, 5.0)
    assert view.together is not None
    assert view.together.net_if_closed == shown.result.net_if_closed == view.totals.held
    assert view.totals.net_if_closed == shown.result.net_if_closed
    assert view.settings == {"policy": "volume_farming"}
    paid = [
        n.event.payment for n in watcher.notices if isinstance(n, Recorded) and isinstance(n.event, FundingReceived)
    ]
    assert paid
    assert [each.amount for each in view.payments] == [each.amount for each in reversed(paid)]


def test_each_pair_says_whether_it_may_be_entered_and_why_not() -> None:
    _, watcher = watched(harness=BotHarness(ScriptedMarketData([Listing(), Listing("BBBUSDT", rate="-0.0001")])))
    rows = {row.seen.symbol: row for row in watcher.ended[-1].pairs}
    assert rows[SYMBOL].held
    assert not rows[SYMBOL].may_enter
    assert not rows["BBBUSDT"].may_enter
    assert rows["BBBUSDT"].why_not


def test_the_same_decision_again_is_counted() -> None:
    _, watcher = watched(1.1)
    holds = [each for each in watcher.views[-1].decisions if each.action == "hold" and each.symbol == SYMBOL]
    (healthy,) = [each for each in holds if each.reason == "position healthy"]
    assert healthy.count > 10
    assert healthy.until > healthy.at
    opened = next(each for each in watcher.views[-1].decisions if each.action == "open")
    assert (opened.symbol, opened.reason, opened.count) == (SYMBOL, "best opportunity", 1)


def test_every_decision_about_a_hedge_has_its_numbers_and_its_health() -> None:
    _, watcher = watched(0.5)
    decided = [notice for notice in watcher.notices if isinstance(notice, Decided)]
    of_hedges = [n for n in decided if not isinstance(n.decision, Open) and not _of_openings(n)]
    assert of_hedges
    assert all(notice.evaluation and notice.health for notice in of_hedges)


def _of_openings(notice: Decided) -> bool:
    return isinstance(notice.decision, Hold) and notice.evaluation is None and not notice.symbol


def test_every_reading_of_a_check_is_reported() -> None:
    _, watcher = watched()
    assert len([n for n in watcher.notices if isinstance(n, Observed)]) >= len(watcher.ended)


def test_a_trade_in_flight_is_shown_with_both_legs_and_what_follows_if_one_fails() -> None:
    _, watcher = watched()
    trading = [view for view in watcher.views if view.job is not None]
    assert trading
    opening = [view.job for view in trading if view.job]
    assert all(job.symbol == SYMBOL for job in opening)
    assert any(job.working is not None for job in opening)
    names = [step.name for step in opening[-1].steps]
    assert names[-2:] == [JobStepName.SLICES, JobStepName.END]
    last = opening[-1]
    assert (last.spot.filled, last.spot.planned) != (Decimal(0), Decimal(0))
    kinds = [each.kind for each in last.fallbacks]
    assert kinds == [FallbackKind.WIDEN, FallbackKind.WIDEN, FallbackKind.ALARM, FallbackKind.UNWIND]
    assert last.undo_cost is not None
    assert last.undo_cost > 0
    assert {order.market for order in last.orders} == {Market.SPOT, Market.PERP}
    first = opening[0]
    assert first.open_notional == 0
    assert first.steps[0].status in {StepStatus.NOW, StepStatus.DONE}


def test_several_hedges_are_shown_the_worst_first_and_summed() -> None:
    _, watcher = watched(0.4, several())
    view = watcher.ended[-1]
    assert {hedge.symbol for hedge in view.hedges} == {SYMBOL, "BBBUSDT"}
    assert view.together is not None
    results = [hedge.result for hedge in view.hedges]
    assert view.together.net_if_closed == sum(result.net_if_closed for result in results if result)  # type: ignore[misc] # all are known
    assert view.together.notional == sum(hedge.entry_notional for hedge in view.hedges)
    distances = [hedge.liquidation_distance for hedge in view.hedges]
    assert distances == sorted(distances)  # type: ignore[type-var] # all are known


def test_from_outside_the_view_is_the_same() -> None:
    harness, watcher = watched(0.5)
    now, state = harness.clock.now(), watcher.state
    outlook = msgspec.json.decode(msgspec.json.encode(state.outlook), type=Outlook)
    report = bot_state(state.ledger, RUNNING, outlook, now)
    read = BotView(ledger=state.ledger, process=RUNNING, outlook=outlook, report=report, now=now)
    assert view_document(view_of_bot(read)) == view_document(view_of(state, RUNNING, now))


def test_a_dead_bot_shows_its_figures_as_old() -> None:
    harness, watcher = watched()
    gone = replace(RUNNING, state=ProcessState.GONE, last_beat=harness.clock.now())
    view = view_of(watcher.state, gone, harness.clock.now() + timedelta(hours=1))
    assert view.report.state is BotState.DOWN
    assert view.times.is_old
    assert view.times.last_beat == harness.clock.now()
    assert not watcher.ended[-1].times.is_old


def test_without_an_outlook_nothing_is_made_up() -> None:
    harness, watcher = watched()
    view = view_of(replace(watcher.state, outlook=None), RUNNING, harness.clock.now())
    shown = view.hedges[0]
    assert (shown.result, shown.spot.price, shown.liquidation_distance, shown.exits) == (None, None, None, ())
    assert view.totals.net_if_closed is None
    assert view.together is not None
    assert view.together.net_if_closed is None
    assert (view.pairs, view.identity.mode) == ((), None)


def test_a_notice_that_changes_nothing_keeps_the_state() -> None:
    _, watcher = watched()
    state = watcher.state
    assert update(state, watcher.notices[0]) is not state
    routine = next(n for n in watcher.notices if type(n).__name__ == "ScanStarted")
    assert update(state, routine) is state


def test_the_document_has_plain_numbers_and_times() -> None:
    _, watcher = watched(9)
    document = view_document(watcher.ended[-1])
    hedge = document["hedges"][0]
    assert Decimal(hedge["spot"]["quantity"]) == watcher.ended[-1].hedges[0].spot.quantity
    assert hedge["result"]["net_if_closed"] is not None
    assert document["report"]["state"] == "hedged"
    assert document["times"]["now"].endswith("Z")
    assert msgspec.json.decode(msgspec.json.encode(document)) == document
