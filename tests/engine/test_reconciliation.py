"""The guide's four cases and what it leaves out, at start and while running: the exchange is right, aloud."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from hedgerow.domain.events import (
    FillsElsewhere,
    FlowKind,
    Halted,
    HaltReason,
    HedgeAdopted,
    HedgeLost,
    Lifted,
    Wallet,
)
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.position import Reason
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault
from hedgerow.engine.notices import Adopted, BooksChecked, HealthJudged, Reconciled, ReconcileStarted, Warned
from hedgerow.strategy.decisions.verdicts import (
    Adopt,
    Ambiguous,
    ClosedElsewhere,
    Consistent,
    HalfOpen,
    NakedForeign,
    NotAdopted,
    Nothing,
    Replaced,
    Verdict,
)
from hedgerow.strategy.observation import Close, Trim
from hedgerow.strategy.parameters import (
    AdoptMode,
    CapitalManagement,
    FundingRateStrategy,
    PositionManagement,
    StrategyParameters,
)
from support.bot_harness import OPENED, Farm
from support.worlds import SYMBOL, Listing, ScriptedTape

OTHER = "BBBUSDT"
CALM = StrategyParameters(
    funding_rate_strategy=FundingRateStrategy(min_funding_apr=5.0),
    position_management=PositionManagement(fee_coverage_multiplier=1e6, max_position_age_hours=1e6),
)
"""Nothing is opened by the policy, and nothing closed for profit: only reconciliation and health act."""

HALF = CapitalManagement(max_capital_usd=Decimal(400))
Disturbance = Callable[[Farm], object]


def _tape() -> ScriptedTape:
    return ScriptedTape([Listing(rate="0.0004"), Listing(OTHER, spot=20, rate="0.0003")])


def _hedge_by_hand(
    farm: Farm, symbol: str = SYMBOL, quantity: str = "2", *, coins: str | None = None, leverage: int = 1
) -> None:
    """Open a hedge as a person would on the venue's page; the fee in coin is bought on top."""
    farm.world.set_leverage(symbol, leverage)
    bought = Decimal(coins) if coins else Decimal(quantity) + Decimal("0.001")
    farm.world.trade_by_hand(Market.SPOT, symbol, Side.BUY, bought)
    farm.world.trade_by_hand(Market.PERP, symbol, Side.SELL, Decimal(quantity))


def _held() -> Farm:
    """Return a farm whose bot opened a hedge by itself and was stopped, with nothing to open any more."""
    farm = Farm(_tape(), usdt=1000, perp=1000)
    farm.run(0.5)
    assert farm.hedge.symbol == SYMBOL
    farm.parameters = CALM
    farm.moments.clear()
    return farm


def _sell_coins(farm: Farm) -> None:
    farm.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, farm.hedge.pair.spot.floor_quantity(farm.coins()))


def _buy_back(farm: Farm) -> None:
    farm.world.trade_by_hand(Market.PERP, SYMBOL, Side.BUY, farm.short(), reduce_only=True)


def _close_both(farm: Farm) -> None:
    _sell_coins(farm)
    _buy_back(farm)


def _replace(farm: Farm) -> None:
    _close_both(farm)
    _hedge_by_hand(farm, OTHER, "10")


def _disturbed(farm: Farm, disturbance: Disturbance, *, running: bool) -> Verdict:
    """Disturb a held hedge while the bot is stopped or running, and return what was said first of it."""
    if running:
        farm.run(0.5, at={0.21: disturbance})
    else:
        disturbance(farm)
        farm.run(0.3)
    said = [moment for moment in farm.heard(Reconciled) if not isinstance(moment.verdict, Consistent | Nothing)]
    assert said[0].at_start is not running
    return said[0].verdict


WHEN = pytest.mark.parametrize("running", [False, True], ids=["at start", "while running"])


# --- the guide's four cases ------------------------------------------------------------------------------------------


@WHEN
def test_case_1_a_tracked_position_that_is_gone_is_let_go(running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    farm = _held()
    verdict = _disturbed(farm, _close_both, running=running)
    assert verdict == ClosedElsewhere(symbol=SYMBOL)
    assert [lost.reason for lost in farm.logged(HedgeLost)] == [Reason.CLOSED_ELSEWHERE]
    closed = farm.ledger.closed[-1]
    fills = [fill for market in Market for fill in farm.world.fills(market, SYMBOL, closed.hedge.opened_at)]
    # The trades made by hand are known, so profit and fees are the real ones.
    assert closed.fees == sum(fill.fee_in_quote("AAA", "USDT") for fill in fills)
    farm.check_flat()


@WHEN
def test_case_2_a_position_that_is_not_tracked_is_adopted(running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    farm = Farm(_tape(), parameters=CALM)
    verdict = _disturbed(farm, _hedge_by_hand, running=running)
    assert isinstance(verdict, Adopt)
    assert farm.heard(Adopted)[0].at_start is not running
    assert farm.hedge.adopted
    assert farm.hedge.short == 2
    farm.check_whole()


@WHEN
def test_case_3_another_position_takes_the_tracked_ones_place(running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    farm = _held()
    verdict = _disturbed(farm, _replace, running=running)
    assert isinstance(verdict, Replaced)
    assert farm.reasons == [Reason.REPLACED]
    assert farm.hedge.symbol == OTHER
    assert farm.hedge.adopted
    farm.check_whole()


def test_case_4_a_tracked_position_that_is_there_is_confirmed_at_start_and_silent_later() -> None:
    farm = _held()
    farm.run(1)
    said = farm.heard(Reconciled)
    assert len(said) == 1
    assert said[0].at_start
    assert isinstance(said[0].verdict, Consistent)
    assert farm.heard(ReconcileStarted)[0].tracked == SYMBOL
    farm.check_whole()


def test_nothing_on_either_side_is_said_at_start_and_silent_later() -> None:
    farm = Farm(parameters=CALM)
    farm.run(1)
    assert [type(said.verdict) for said in farm.heard(Reconciled)] == [Nothing]


# --- one leg ---------------------------------------------------------------------------------------------------------


@WHEN
@pytest.mark.parametrize("leg", [_sell_coins, _buy_back])
def test_one_leg_closed_by_hand_closes_the_other(leg: Disturbance, running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    farm = _held()
    verdict = _disturbed(farm, leg, running=running)
    assert isinstance(verdict, HalfOpen)
    assert verdict.market is (Market.SPOT if leg is _sell_coins else Market.PERP)
    assert farm.reasons == [Reason.LEG_GONE]
    farm.check_flat()
    assert farm.coins() < Decimal("0.01")


@WHEN
def test_coins_moved_away_are_a_missing_leg_too(running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    farm = _held()
    verdict = _disturbed(farm, lambda f: f.world.deposit(Wallet.SPOT, "AAA", -f.coins()), running=running)
    assert isinstance(verdict, HalfOpen)
    assert farm.reasons == [Reason.LEG_GONE]
    farm.check_flat()


@WHEN
def test_a_liquidation_of_the_short_leaves_no_forgotten_coins(running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    farm = _held()
    farm.parameters = CALM
    _disturbed(farm, lambda f: f.world.shock(SYMBOL, Decimal("2.3")), running=running)
    assert any(fill.forced for event in farm.logged(FillsElsewhere) for fill in event.fills)
    assert farm.reasons == [Reason.LIQUIDATED]
    farm.check_flat()
    assert farm.coins() < Decimal("0.01")
    rows = farm.world.statement(farm.ledger.closed[0].hedge.opened_at)
    assert rows
    assert {row.kind for row in rows} <= {FlowKind.LIQUIDATION_FEE, FlowKind.OTHER}


@WHEN
def test_an_auto_deleveraging_of_a_part_trims_the_coins(running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    farm = _held()
    quantity = farm.hedge.pair.perp.floor_quantity(farm.hedge.short * Decimal("0.06"))
    verdict = _disturbed(farm, lambda f: f.world.deleverage(SYMBOL, quantity), running=running)
    assert isinstance(verdict, HalfOpen)
    assert farm.decisions(Trim)[0].market is Market.SPOT
    assert farm.reasons == []
    farm.check_whole()


@WHEN
def test_an_auto_deleveraging_of_the_whole_short_sells_the_coins(running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    farm = _held()
    _disturbed(farm, lambda f: f.world.deleverage(SYMBOL, f.hedge.short), running=running)
    assert farm.reasons == [Reason.LIQUIDATED]
    farm.check_flat()
    assert farm.coins() < Decimal("0.01")


# --- not adopted -----------------------------------------------------------------------------------------------------


@WHEN
def test_of_two_candidates_none_is_adopted_and_openings_are_halted(running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    farm = Farm(_tape())
    farm.parameters = CALM

    def two(desk: Farm) -> None:
        _hedge_by_hand(desk, SYMBOL, "2")
        _hedge_by_hand(desk, OTHER, "10")

    verdict = _disturbed(farm, two, running=running)
    assert isinstance(verdict, Ambiguous)
    assert farm.logged(HedgeAdopted) == []
    assert farm.ledger.halt is not None
    assert farm.ledger.halt.reason is HaltReason.SEVERAL_POSITIONS
    assert SYMBOL in farm.ledger.halt.detail
    assert OTHER in farm.ledger.halt.detail
    assert farm.heard(HealthJudged)[-1].hedges == len(farm.heard(HealthJudged)[-1].foreign) == 2
    assert farm.venue.orders == []
    assert len(farm.heard(Reconciled)) == (2 if running else 1)  # said once, not every cycle
    farm.check()


@WHEN
def test_a_naked_short_of_somebody_else_halts_openings_until_it_is_gone(running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    farm = Farm(_tape(), usdt=30, perp=500)
    farm.parameters = CALM
    verdict = _disturbed(
        farm, lambda f: f.world.trade_by_hand(Market.PERP, OTHER, Side.SELL, Decimal(5)), running=running
    )
    assert isinstance(verdict, NakedForeign)
    assert [halt.reason for halt in farm.logged(Halted)] == [HaltReason.FOREIGN_SHORT]
    assert farm.heard(HealthJudged)[-1].foreign == (f"{OTHER}: 5 short without coins against it",)
    farm.parameters = StrategyParameters()
    farm.run(0.3)
    assert farm.venue.orders == []  # not even another pair
    farm.world.trade_by_hand(Market.PERP, OTHER, Side.BUY, Decimal(5), reduce_only=True)
    farm.run(0.3)
    assert len(farm.logged(Lifted)) == 1
    assert farm.hedge.symbol == SYMBOL
    farm.check_whole()


def test_a_naked_short_beside_a_hedge_is_said_and_never_touched() -> None:
    farm = _held()
    farm.run(0.5, at={0.21: lambda f: f.world.trade_by_hand(Market.PERP, OTHER, Side.SELL, Decimal(2))})
    assert farm.reasons == []
    assert farm.short(OTHER) == 2
    farm.run(0.2)
    verdict = farm.heard(Reconciled)[-1].verdict
    assert isinstance(verdict, Consistent)
    assert [short.symbol for short in verdict.foreign] == [OTHER]
    farm.check_whole()


def test_the_coins_of_the_hedge_are_no_cover_for_a_short_added_by_hand() -> None:
    farm = _held()
    ours = farm.hedge
    farm.world.trade_by_hand(Market.PERP, SYMBOL, Side.SELL, Decimal("0.4"))
    farm.run(0.3)
    verdict = farm.heard(Reconciled)[-1].verdict
    assert isinstance(verdict, Consistent)
    assert [(short.symbol, short.quantity) for short in verdict.foreign] == [(SYMBOL, Decimal("0.4"))]
    assert farm.reasons == []
    assert (farm.hedge.spot_quantity, farm.hedge.short) == (ours.spot_quantity, ours.short)
    assert farm.short() == ours.short + Decimal("0.4")
    farm.check()


@WHEN
def test_spot_beyond_the_short_is_the_users_and_not_adopted_by_itself(running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    farm = Farm(_tape(), parameters=CALM)
    verdict = _disturbed(farm, lambda f: _hedge_by_hand(f, quantity="2", coins="3"), running=running)
    assert isinstance(verdict, NotAdopted)
    assert farm.logged(HedgeAdopted) == []
    assert farm.ledger.halt is not None
    assert "adopt it by name" in farm.ledger.halt.detail
    assert farm.ledger.halt.reason is HaltReason.UNFIT_POSITION, "one position is not several"
    judged = farm.heard(HealthJudged)[-1]
    assert judged.hedges == 1
    assert judged.foreign[0].startswith(f"{SYMBOL}: a short of 2 with 2.99")
    farm.check()


def test_a_long_of_the_owner_on_the_same_cross_margin_is_mentioned_once() -> None:
    farm = _held()
    farm.run(0.5, at={0.21: lambda f: f.world.trade_by_hand(Market.PERP, OTHER, Side.BUY, Decimal(2))})
    texts = [moment.text for moment in farm.heard(Warned) if "cross margin" in moment.text]
    assert len(texts) == 1
    assert texts[0].startswith(f"A long of 2 {OTHER} is not the bot's")
    assert farm.reasons == []


@WHEN
def test_with_adopt_never_a_position_stays_the_users_and_the_books_agree(running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    never = PositionManagement(adopt=AdoptMode.NEVER)
    farm = Farm(_tape(), parameters=StrategyParameters(position_management=never, capital_management=HALF))
    if running:
        farm.run(0.3, at={0.21: lambda f: _hedge_by_hand(f, OTHER, "10")})
    else:
        _hedge_by_hand(farm, OTHER, "10")
    farm.run(16)
    assert farm.logged(HedgeAdopted) == []
    assert farm.logged(Halted) == []
    assert farm.short(OTHER) == 10
    assert farm.heard(BooksChecked) == []
    farm.check()


def test_funding_on_a_position_that_is_nobodys_of_the_bots_is_booked_apart() -> None:
    farm = Farm(_tape(), parameters=CALM)
    farm.world.trade_by_hand(Market.PERP, OTHER, Side.SELL, Decimal(5))
    farm.run(16)
    assert farm.ledger.unattributed_funding == sum(p.amount for p in farm.world.funding_payments(farm.tape.start))
    assert farm.ledger.unattributed_funding > 0
    assert farm.ledger.totals.funding == 0
    assert farm.heard(BooksChecked) == []
    farm.check()


# --- money that comes and goes ---------------------------------------------------------------------------------------


@WHEN
def test_deposits_and_withdrawals_are_rows_of_the_statement_and_the_books_agree(running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    farm = _held()

    def move(desk: Farm) -> None:
        desk.world.deposit(Wallet.SPOT, "USDT", Decimal("250.5"))
        desk.world.deposit(Wallet.SPOT, "USDT", Decimal(-40))
        desk.world.deposit(Wallet.SPOT, "CCC", Decimal(3))
        desk.world.deposit(Wallet.PERP, "USDT", Decimal("0.07"), FlowKind.REBATE)

    if running:
        farm.run(0.5, at={0.21: move})
    else:
        move(farm)
        farm.run(0.3)
    assert farm.heard(BooksChecked) == []
    assert farm.reasons == []
    assert farm.decisions(Close) == []
    farm.check_whole()


def test_the_books_of_a_venue_that_was_down_at_the_first_start_agree_too() -> None:
    down = FaultPlan(
        reads=tuple(
            ReadFault(read=read, after=OPENED, until=OPENED + timedelta(minutes=30))
            for read in (Read.ACCOUNT, Read.MARKET)
        )
    )
    farm = Farm(_tape(), faults=down, parameters=CALM)
    _hedge_by_hand(farm)
    farm.run(1, at={0.3: lambda f: f.world.deposit(Wallet.SPOT, "USDT", Decimal(100))})
    assert farm.hedge.adopted
    assert farm.heard(BooksChecked) == []
    farm.world.deposit(Wallet.SPOT, "USDT", Decimal(5))
    farm.run(8)
    assert farm.heard(BooksChecked) == []
    farm.check_whole()
