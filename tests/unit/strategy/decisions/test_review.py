"""What is done first when several hedges are held, and how their shared margin is judged."""

from datetime import timedelta
from decimal import Decimal
from math import inf, isclose

import pytest
from msgspec.structs import replace

from hedgerow.domain.account import AccountView, MarginTier, PerpWallet, tier_of
from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.state import ImportedState, Ledger, Target
from hedgerow.domain.ledger.suspension import set_aside
from hedgerow.domain.market import MarketView
from hedgerow.domain.position import ClosedHedge, HedgedPosition, OrderRecord, Reason, Tally
from hedgerow.strategy.decisions.alarms import AlarmKind, account_alarms, mark_alarm
from hedgerow.strategy.decisions.reconcile import reconcile
from hedgerow.strategy.decisions.review import is_safety, reviews, target_of
from hedgerow.strategy.decisions.verdicts import Adopt, Ambiguous, ClosedExternally, Consistent, InFlight, NakedForeign
from hedgerow.strategy.evaluation.exits import Exit
from hedgerow.strategy.evaluation.ranking import Ranking
from hedgerow.strategy.evaluation.shared_margin import shared_distance
from hedgerow.strategy.evaluation.sizing import trimming_plan
from hedgerow.strategy.exit_costs import quoted_exit_cost
from hedgerow.strategy.observation import Close, Decision, Evaluation, Hold, Observation, Reduce, TopUpMargin
from hedgerow.strategy.parameters import AdoptMode, PositionManagement, StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from support.toy_venue import new_job
from support.views import NOW, account, fill, hedge, listing, market_of, pair_of, several_of, short_of

A, B, C = "AAAUSDT", "BBBUSDT", "CCCUSDT"
POLICY = VolumeFarming(StrategyParameters(position_management=PositionManagement(max_positions=3)))
FIRST, SECOND = hedge("10"), hedge("10", hedge_id="h2", pair=pair_of(B))
BOTH = several_of(FIRST, SECOND)
TIGHT = listing(pair=pair_of(A))
WIDE = listing(pair=pair_of(B), spot=("99.5", "100.5"), perp=("99.5", "100.5"))
MARKET = market_of(TIGHT, WIDE, listing(pair=pair_of(C), rate="0.002"))


def seen(margin: str, *, usdt: str = "0", marks: str = "100", liquidation: str | None = "198") -> AccountView:
    """Return an account with both shorts of ten, and so much margin for them."""
    price = None if liquidation is None else Decimal(liquidation)
    rows = [
        replace(short_of(symbol, "10", liquidation_price=price), mark_price=Decimal(marks), maintenance=Decimal(10))
        for symbol in (A, B)
    ]
    view = account(*rows, usdt=usdt, coins={"AAA": "10", "BBB": "10"})
    wallet = PerpWallet(balance=Decimal(margin), available=Decimal(0), transferable=Decimal(0))
    return replace(view, perp=wallet)


def decided(view: AccountView, ledger: Ledger = BOTH, market: MarketView | None = MARKET) -> list[tuple[str, Decision]]:
    found = reviews(Observation(at=NOW, market=market, account=view), ledger, POLICY)
    return [(review.hedge.symbol, review.decision) for review in found]


def test_all_marks_rise_together_until_margin_and_maintenance_meet() -> None:
    # 2,000 of shorts, 20 of maintenance margin: (620 - 20) / (2000 + 20)
    assert isclose(shared_distance(BOTH, seen("620")) or 0.0, 600 / 2020)
    raised = shared_distance(BOTH, seen("620"), {A: Decimal(110), B: Decimal(110)})
    assert isclose(raised or 0.0, (420 - 22) / (2200 + 22))
    unshown = replace(seen("620"), positions={A: short_of(A, "10"), B: short_of(B, "10")})
    assert isclose(shared_distance(BOTH, unshown) or 0.0, 520 / 2100)


class Insisting(VolumeFarming):
    """A policy that wants one pair, whatever the ranking shows."""

    def review(self, evaluation: Evaluation, ranking: Ranking, market: MarketView) -> Exit | None:  # noqa: ARG002 - part of a policy's interface
        return Exit(reason=Reason.BETTER_PAIR, target=Target(symbol=C, expires_at=evaluation.at))


def test_no_hedge_is_closed_for_a_pair_that_could_not_be_opened_whatever_the_policy_wants() -> None:
    observation = Observation(at=NOW, market=MARKET, account=seen("3000"))
    insisting = Insisting(POLICY.parameters)
    wanted = [target_of(each.decision) for each in reviews(observation, BOTH, insisting)]
    assert wanted == [C, C]
    left = reviews(observation, BOTH, insisting, unreachable=frozenset({C}))
    assert [(type(each.decision), target_of(each.decision)) for each in left] == [(Hold, None), (Hold, None)]


def test_a_reply_that_contradicts_itself_proves_no_larger_short_than_the_log() -> None:
    true = seen("3000")
    larger = {symbol: replace(row, quantity=1000 * row.quantity) for symbol, row in true.positions.items()}
    foreign = short_of(C, "10", maintenance=Decimal(10))
    scaled = replace(true, positions={**larger, C: foreign}, doubts=("its rows do not add up to its totals",))
    assert [type(decision) for _, decision in decided(scaled)] == [Hold, Hold]
    assert isclose(shared_distance(BOTH, scaled) or 0.0, 2970 / 3030)
    assert isclose(shared_distance(BOTH, replace(true, doubts=scaled.doubts)) or 0.0, 2980 / 2020)
    assert [type(decision) for _, decision in decided(replace(scaled, doubts=()))] == [Close, Close]


@pytest.mark.parametrize(("minutes", "believed"), [(0.1, "5"), (1.9, "5"), (2.1, "10")])
def test_a_short_just_bought_back_in_part_endangers_by_what_is_left_of_it(minutes: float, believed: str) -> None:
    bought = fill(Market.PERP, Side.BUY, "5", trade_id=9, at=NOW - timedelta(minutes=minutes))
    orders = (*FIRST.orders, OrderRecord.of_fill(bought, hedge_id="h1", base="AAA", fee_quote=Decimal(0)))
    ledger = several_of(replace(FIRST, orders=orders, tally=Tally.of(orders)), SECOND)
    notional = 1000 + 100 * int(believed)
    assert isclose(shared_distance(ledger, seen("620")) or 0.0, 600 / (notional + 20))
    more = {**seen("620").positions, A: short_of(A, "4", maintenance=Decimal(10))}
    fewer = shared_distance(ledger, replace(seen("620"), positions=more))
    assert isclose(fewer or 0.0, 600 / 1420)


@pytest.mark.parametrize(("minutes", "left"), [(0.1, 0), (1.9, 0), (2.1, 1000)])
def test_the_short_of_a_hedge_just_closed_endangers_no_other(minutes: float, left: int) -> None:
    at, of = NOW - timedelta(minutes=minutes), hedge("10", pair=pair_of(C))
    ended = ClosedHedge(hedge=of, closed_at=at, reason=Reason.USER)
    shown = {**seen("620").positions, C: short_of(C, "10", maintenance=Decimal(10))}
    found = shared_distance(several_of(FIRST, SECOND, closed=(ended,)), replace(seen("620"), positions=shown))
    asked = 30 if left else 20
    assert isclose(found or 0.0, (620 - asked) / (2000 + left + asked))


STEPS = (
    MarginTier(floor=Decimal(0), rate=Decimal("0.01")),
    MarginTier(floor=Decimal(1100), rate=Decimal("0.1"), cumulative=Decimal(99)),
    MarginTier(floor=Decimal(1300), rate=Decimal("0.5"), cumulative=Decimal(619)),
)
"""Tiers that a short of 1,000 enters when its mark has risen by 10 and by 30 %."""


def stepped(margin: str) -> AccountView:
    view = seen(margin)
    return replace(view, positions={symbol: replace(row, tiers=STEPS) for symbol, row in view.positions.items()})


@pytest.mark.parametrize("margin", ["-500", "-3", "20", "100", "150", "241", "300", "620", "900", "3000"])
def test_margin_and_maintenance_meet_at_the_tier_that_the_raised_marks_are_in(margin: str) -> None:
    found = shared_distance(BOTH, stepped(margin))
    assert found is not None
    size = Decimal(1000) * (1 + Decimal(found))
    tier = tier_of(STEPS, max(Decimal(0), size))
    left = Decimal(margin) - 2000 * Decimal(found) - 2 * (size * tier.rate - tier.cumulative)
    assert abs(left) < Decimal("1e-9")
    present = shared_distance(BOTH, seen(margin))
    assert present is not None
    assert found <= present + 1e-12


def test_a_short_in_a_market_with_steps_is_nearer_to_liquidation_than_its_present_tier_says() -> None:
    assert isclose(shared_distance(BOTH, seen("900")) or 0.0, 880 / 2020)
    # 900 - 2000 d = 2 (1000 (1 + d) 0.5 - 619) where d is above 30 %
    assert isclose(shared_distance(BOTH, stepped("900")) or 0.0, (900 - 1000 + 1238) / 3000)


def test_one_hedge_alone_and_shorts_that_are_unreadable_or_gone_have_no_shared_distance() -> None:
    assert shared_distance(several_of(FIRST), seen("620")) is None
    assert shared_distance(BOTH, replace(seen("620"), unreadable_positions=frozenset({B}))) is None
    assert shared_distance(BOTH, account()) is None


@pytest.mark.parametrize(
    ("margin", "usdt", "kind"),
    [("1000", "0", Hold), ("480", "500", TopUpMargin), ("380", "0", Reduce), ("200", "0", Close)],
)
def test_margin_that_is_shared_is_judged_together(margin: str, usdt: str, kind: type[Decision]) -> None:
    found = decided(seen(margin, usdt=usdt))
    assert [type(decision) for _, decision in found] == [kind, kind]
    if kind is not Hold:
        assert [symbol for symbol, _ in found] == [A, B]  # the one that is cheaper to close first


def test_a_top_up_counts_all_shorts() -> None:
    ((_, decision), _) = decided(seen("480", usdt="1000"))
    assert isinstance(decision, TopUpMargin)
    assert isclose(float(decision.rebalance.amount), (0.30 - 460 / 2020) * 2000, abs_tol=0.01)


def test_a_reduction_counts_all_shorts_and_leaves_what_can_be_traded() -> None:
    ((_, decision), _) = decided(seen("380"))
    assert isinstance(decision, Reduce)
    alone = reviews(
        Observation(at=NOW, market=MARKET, account=seen("380", liquidation="117.8")), several_of(FIRST), POLICY
    )
    (single,) = alone
    assert isinstance(single.decision, Reduce)
    assert decision.quantity > single.decision.quantity
    small = several_of(hedge("0.12"), SECOND)
    view = seen("380")
    rows = {A: replace(view.positions[A], quantity=Decimal("-0.12"), maintenance=Decimal("0.12")), B: view.positions[B]}
    found = dict(decided(replace(view, positions=rows, perp=replace(view.perp, balance=Decimal(195))), small))
    assert not isinstance(found[A], Reduce)
    assert isinstance(found[B], Reduce)


def test_a_near_liquidation_of_all_is_confirmed_by_the_markets_marks() -> None:
    near = decided(seen("200"))
    assert [(decision.reason, decision.confirm) for _, decision in near if isinstance(decision, Close)] == [
        (Reason.HEALTH, False),
        (Reason.HEALTH, False),
    ]
    without_marks = market_of(replace_mark(TIGHT), replace_mark(WIDE))
    assert all(isinstance(d, Close) and d.confirm for _, d in decided(seen("200"), market=without_marks))
    # The account's own marks are high, those of the market are not: nothing confirms it.
    far = decided(seen("200", marks="130", liquidation=None))
    assert all(isinstance(decision, Close) and decision.confirm for _, decision in far)


def replace_mark(entry: listing) -> listing:
    return listing(pair=entry.pair, spot=entry.spot, perp=entry.perp, mark=None)


def test_an_emergency_comes_before_a_leg_that_is_gone_and_both_before_the_rest() -> None:
    ruined = replace(SECOND, tally=replace(SECOND.tally, spot_bought=SECOND.tally.spot_bought + 300))
    third = hedge("10", hedge_id="h3", pair=pair_of(C))
    view = seen("3000")
    rows = {**view.positions, C: short_of(C, "10")}
    view = replace(view, positions={B: rows[B], C: rows[C]}, spot={**view.spot, **account(coins={"CCC": "10"}).spot})
    found = decided(view, several_of(FIRST, ruined, third))
    assert [symbol for symbol, _ in found] == [B, A, C]
    assert [decision.reason for _, decision in found if isinstance(decision, Close)] == [
        Reason.EMERGENCY_STOP,
        Reason.LEG_GONE,
    ]


def test_of_two_that_end_for_profit_the_one_that_pays_less_comes_first() -> None:
    market = market_of(listing(pair=pair_of(A), rate="-0.0001"), listing(pair=pair_of(B), rate="-0.0003"))
    assert [symbol for symbol, _ in decided(seen("3000"), market=market)] == [B, A]


def test_the_slot_that_a_rotation_leaves_is_its_targets() -> None:
    full = VolumeFarming(StrategyParameters(position_management=PositionManagement(max_positions=2)))
    old = [replace(each, opened_at=each.opened_at, counted_from=NOW.replace(year=2025)) for each in (FIRST, SECOND)]
    observation = Observation(at=NOW, market=MARKET, account=seen("3000"))

    def reasons(*held: HedgedPosition, target: Target | None = None) -> list[Reason]:
        found = reviews(observation, several_of(*held, target=target), full)
        return [each.decision.reason for each in found if isinstance(each.decision, Close)]

    assert Reason.MAX_AGE in reasons(*old)
    young = [replace(each, counted_from=NOW.replace(hour=2)) for each in (FIRST, SECOND)]
    assert reasons(*young) == [Reason.BETTER_PAIR, Reason.BETTER_PAIR]
    target = Target(symbol=C, expires_at=NOW.replace(year=2027))
    assert reasons(young[0], target=target) == []
    assert reasons(young[0]) == [Reason.BETTER_PAIR]


def test_a_better_pair_closes_nothing_while_a_slot_has_money_for_it() -> None:
    young = replace(FIRST, counted_from=NOW.replace(hour=2))
    view = replace(
        seen("3000", usdt="1000"),
        perp=PerpWallet(balance=Decimal(3000), available=Decimal(1000), transferable=Decimal(1000)),
    )
    assert all(isinstance(decision, Hold) for _, decision in decided(view, several_of(young)))


def test_without_a_quote_the_cost_of_closing_is_not_known() -> None:
    assert quoted_exit_cost(FIRST, None) == inf
    assert quoted_exit_cost(FIRST, MARKET) < quoted_exit_cost(SECOND, MARKET) < inf


def test_alarms_name_each_hedge_and_count_all_shorts() -> None:
    gone = replace(seen("3000"), spot=account(coins={"BBB": "10"}).spot, positions={B: short_of(B, "10")})
    (alarm,) = account_alarms(BOTH, gone)
    assert (alarm.kind, alarm.text) == (AlarmKind.LEGS, "AAAUSDT: the account shows neither leg")
    near = mark_alarm(BOTH, seen("620"), Decimal(117), SECOND)
    assert near is not None
    assert near.kind is AlarmKind.DISTANCE
    assert mark_alarm(BOTH, seen("1000"), Decimal(101), SECOND) is None


def test_verdicts_are_one_for_each_hedge_and_those_on_the_rest_while_a_slot_is_free() -> None:
    view = seen("3000")
    found = reconcile(BOTH, view, MARKET, AdoptMode.BALANCED, 3)
    assert [type(verdict) for verdict in found] == [Consistent, Consistent]
    beside = replace(
        view,
        positions={**view.positions, C: short_of(C, "4")},
        spot=account(coins={"AAA": "10", "BBB": "10", "CCC": "4"}).spot,
    )
    assert [type(v) for v in reconcile(BOTH, beside, MARKET, AdoptMode.BALANCED, 3)] == [Consistent, Consistent, Adopt]
    assert [type(v) for v in reconcile(BOTH, beside, MARKET, AdoptMode.BALANCED, 2)] == [Consistent, Consistent]
    naked = replace(beside, spot=view.spot)
    assert isinstance(reconcile(BOTH, naked, MARKET, AdoptMode.BALANCED, 3)[-1], NakedForeign)


def test_a_position_of_the_guides_file_that_is_gone_is_forgotten_beside_several_others() -> None:
    imported = Ledger(imported=ImportedState(symbol=C, positions_opened=8, positions_closed=7))
    found = reconcile(imported, seen("3000"), MARKET, AdoptMode.BALANCED, 3)
    assert [type(verdict) for verdict in found] == [ClosedExternally, Adopt, Adopt]
    assert isinstance(reconcile(imported, seen("3000"), MARKET, AdoptMode.BALANCED, 1)[0], Ambiguous)


# --- while another trade waits ---------------------------------------------------------------------------------------


def test_a_hedge_whose_trade_is_set_aside_is_neither_reviewed_nor_reconciled() -> None:
    job = replace(new_job(ExecutionKind.CLOSE, pair=FIRST.pair), state=ExecutionState.NAKED)
    aside = set_aside(replace(BOTH, execution=job))
    view = seen("2000")
    assert [symbol for symbol, _ in decided(view, aside)] == [B]
    assert [type(verdict) for verdict in reconcile(aside, view, MARKET, slots=3)] == [Consistent]
    alone = set_aside(replace(several_of(FIRST), execution=job))
    assert reconcile(alone, view, MARKET, slots=3) == (InFlight(hedge_id="h1"),)
    assert reconcile(aside, view, MARKET, slots=1)[0] == reconcile(aside, view, MARKET, slots=3)[0]


def test_safety_is_what_keeps_a_hedge_whole_or_away_from_liquidation() -> None:
    kinds = {type(decision): is_safety(decision) for _, decision in (*decided(seen("500")), *decided(seen("2000")))}
    assert kinds[Hold] is False
    near = decided(seen("100"))
    assert [is_safety(decision) for _, decision in near] == [True, True]
    plan = replace(trimming_plan(FIRST.pair, price=Decimal(1)), urgent=False)
    profit = Close(reason=Reason.FEES_COVERED, plan=plan)
    assert not is_safety(profit)
