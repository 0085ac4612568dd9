"""The guide's four cases and what it leaves out, at start and while running: the exchange is right, aloud."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.account import AccountView
from hedgerow.domain.events import (
    ExternalFills,
    FlowKind,
    Halted,
    HaltReason,
    HedgeAdopted,
    HedgeLost,
    Lifted,
    Wallet,
)
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.operator_requests import CloseRequested
from hedgerow.domain.position import Reason
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault
from hedgerow.engine.notices import Adopted, BooksChecked, HealthJudged, Reconciled, ReconcileStarted, Warned
from hedgerow.strategy.decisions.verdicts import (
    Adopt,
    Ambiguous,
    ClosedExternally,
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
from support.bot_harness import OPENED, BotHarness
from support.worlds import SYMBOL, Listing, ScriptedMarketData

OTHER = "BBBUSDT"
CALM = StrategyParameters(
    funding_rate_strategy=FundingRateStrategy(min_funding_apr=5.0),
    position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=87_600),
)
"""Nothing is opened by the policy, and nothing closed for profit: only reconciliation and health act."""

LATE_READING = 2
"""Of two readings that agree, the later one."""
HALF = CapitalManagement(max_capital_usd=Decimal(400))
Disturbance = Callable[[BotHarness], object]


def _market_data() -> ScriptedMarketData:
    return ScriptedMarketData([Listing(rate="0.0004"), Listing(OTHER, spot=20, rate="0.0003")])


def _hedge_by_hand(
    harness: BotHarness, symbol: str = SYMBOL, quantity: str = "2", *, coins: str | None = None, leverage: int = 1
) -> None:
    """Open a hedge as a person would on the venue's page; the fee in coin is bought on top."""
    harness.world.set_leverage(symbol, leverage)
    bought = Decimal(coins) if coins else Decimal(quantity) + Decimal("0.001")
    harness.world.trade_by_hand(Market.SPOT, symbol, Side.BUY, bought)
    harness.world.trade_by_hand(Market.PERP, symbol, Side.SELL, Decimal(quantity))


def _held() -> BotHarness:
    """Return a farm whose bot opened a hedge by itself and was stopped, with nothing to open any more."""
    harness = BotHarness(_market_data(), usdt=1000, perp=1000)
    harness.run(0.5)
    assert harness.hedge.symbol == SYMBOL
    harness.parameters = CALM
    harness.notices.clear()
    return harness


def _sell_coins(harness: BotHarness) -> None:
    harness.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, harness.hedge.pair.spot.floor_quantity(harness.coins()))


def _buy_back(harness: BotHarness) -> None:
    harness.world.trade_by_hand(Market.PERP, SYMBOL, Side.BUY, harness.short(), reduce_only=True)


def _close_both(harness: BotHarness) -> None:
    _sell_coins(harness)
    _buy_back(harness)


def _replace(harness: BotHarness) -> None:
    _close_both(harness)
    _hedge_by_hand(harness, OTHER, "10")


def _disturbed(harness: BotHarness, disturbance: Disturbance, *, running: bool) -> Verdict:
    """Disturb a held hedge while the bot is stopped or running, and return what was said first of it."""
    if running:
        harness.run(0.5, at={0.21: disturbance})
    else:
        disturbance(harness)
        harness.run(0.3)
    said = [notice for notice in harness.notices_of(Reconciled) if not isinstance(notice.verdict, Consistent | Nothing)]
    assert said[0].at_start is not running
    return said[0].verdict


WHEN = pytest.mark.parametrize("running", [False, True], ids=["at start", "while running"])


# --- the guide's four cases ------------------------------------------------------------------------------------------


@WHEN
def test_case_1_a_tracked_position_that_is_gone_is_let_go(running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    harness = _held()
    verdict = _disturbed(harness, _close_both, running=running)
    assert verdict == ClosedExternally(symbol=SYMBOL)
    assert [lost.reason for lost in harness.logged(HedgeLost)] == [Reason.CLOSED_EXTERNALLY]
    closed = harness.ledger.closed[-1]
    fills = [fill for market in Market for fill in harness.world.fills(market, SYMBOL, closed.hedge.opened_at)]
    # The trades made by hand are known, so profit and fees are the real ones.
    assert closed.fees == sum(fill.fee_in_quote("AAA", "USDT") for fill in fills)
    harness.check_flat()


@WHEN
def test_case_2_a_position_that_is_not_tracked_is_adopted(running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    harness = BotHarness(_market_data(), parameters=CALM)
    verdict = _disturbed(harness, _hedge_by_hand, running=running)
    assert isinstance(verdict, Adopt)
    assert harness.notices_of(Adopted)[0].at_start is not running
    assert harness.hedge.adopted
    assert harness.hedge.short == 2
    harness.check_whole()


@WHEN
def test_case_3_another_position_takes_the_tracked_ones_place(running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    harness = _held()
    verdict = _disturbed(harness, _replace, running=running)
    assert isinstance(verdict, Replaced)
    assert harness.reasons == [Reason.REPLACED]
    assert harness.hedge.symbol == OTHER
    assert harness.hedge.adopted
    harness.check_whole()


def test_case_4_a_tracked_position_that_is_there_is_confirmed_at_start_and_silent_later() -> None:
    harness = _held()
    harness.run(1)
    said = harness.notices_of(Reconciled)
    assert len(said) == 1
    assert said[0].at_start
    assert isinstance(said[0].verdict, Consistent)
    assert harness.notices_of(ReconcileStarted)[0].tracked == SYMBOL
    harness.check_whole()


def test_nothing_on_either_side_is_said_at_start_and_silent_later() -> None:
    harness = BotHarness(parameters=CALM)
    harness.run(1)
    assert [type(said.verdict) for said in harness.notices_of(Reconciled)] == [Nothing]


# --- one leg ---------------------------------------------------------------------------------------------------------


@WHEN
@pytest.mark.parametrize("leg", [_sell_coins, _buy_back])
def test_one_leg_closed_by_hand_closes_the_other(leg: Disturbance, running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    harness = _held()
    verdict = _disturbed(harness, leg, running=running)
    assert isinstance(verdict, HalfOpen)
    assert verdict.market is (Market.SPOT if leg is _sell_coins else Market.PERP)
    assert harness.reasons == [Reason.LEG_GONE]
    harness.check_flat()
    assert harness.coins() < Decimal("0.01")


@WHEN
def test_coins_moved_away_are_a_missing_leg_too(running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    harness = _held()
    verdict = _disturbed(harness, lambda f: f.world.deposit(Wallet.SPOT, "AAA", -f.coins()), running=running)
    assert isinstance(verdict, HalfOpen)
    assert harness.reasons == [Reason.LEG_GONE]
    harness.check_flat()


@WHEN
def test_a_liquidation_of_the_short_leaves_no_forgotten_coins(running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    harness = _held()
    harness.parameters = CALM
    _disturbed(harness, lambda f: f.world.shock(SYMBOL, Decimal("2.3")), running=running)
    assert any(fill.forced for event in harness.logged(ExternalFills) for fill in event.fills)
    assert harness.reasons == [Reason.LIQUIDATED]
    harness.check_flat()
    assert harness.coins() < Decimal("0.01")
    rows = harness.world.statement(harness.ledger.closed[0].hedge.opened_at)
    assert rows
    assert {row.kind for row in rows} <= {FlowKind.LIQUIDATION_FEE, FlowKind.OTHER}


@WHEN
def test_an_auto_deleveraging_of_a_part_trims_the_coins(running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    harness = _held()
    quantity = harness.hedge.pair.perp.floor_quantity(harness.hedge.short * Decimal("0.06"))
    verdict = _disturbed(harness, lambda f: f.world.deleverage(SYMBOL, quantity), running=running)
    assert isinstance(verdict, HalfOpen)
    assert harness.decisions(Trim)[0].market is Market.SPOT
    assert harness.reasons == []
    harness.check_whole()


@WHEN
def test_an_auto_deleveraging_of_the_whole_short_sells_the_coins(running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    harness = _held()
    _disturbed(harness, lambda f: f.world.deleverage(SYMBOL, f.hedge.short), running=running)
    assert harness.reasons == [Reason.LIQUIDATED]
    harness.check_flat()
    assert harness.coins() < Decimal("0.01")


def test_a_forced_trade_that_the_account_does_not_show_yet_explains_nothing_before_it() -> None:
    harness = _held()
    perp = harness.hedge.pair.perp
    by_hand, forced = (perp.floor_quantity(harness.hedge.short * Decimal(part)) for part in ("0.05", "0.04"))
    views: list[AccountView] = []

    def stale(view: AccountView) -> AccountView:
        views.append(view)
        if len(views) == LATE_READING:  # its list of trades is read after it
            harness.world.deleverage(SYMBOL, forced)
        return view

    def bought_back(found: BotHarness) -> None:
        found.world.trade_by_hand(Market.PERP, SYMBOL, Side.BUY, by_hand, reduce_only=True)
        found.venue.rewritten = stale

    harness.run(0.5, at={0.21: bought_back})
    booked = [fill for event in harness.logged(ExternalFills) for fill in event.fills]
    assert [(fill.quantity, fill.forced) for fill in booked] == [(by_hand, False), (forced, True)]
    assert all(fill.trade_id > 0 for fill in booked)


def test_a_hedge_that_was_closed_is_not_adopted_from_an_account_that_lags() -> None:
    harness = _held()
    held = harness.world.account()

    def lags() -> bool:
        ended = harness.ledger.closed
        return bool(ended) and harness.clock.now() < ended[-1].closed_at + timedelta(seconds=60)

    harness.venue.rewritten = lambda view: replace(held, at=view.at) if lags() else view
    harness.venue.single = lambda row: held.positions[SYMBOL] if lags() else row
    assert harness.ask(CloseRequested()).done
    harness.run(0.005)
    harness.run(0.5)
    assert not harness.logged(HedgeAdopted)
    assert not harness.logged(HedgeLost)
    assert not harness.logged(ExternalFills)
    harness.check()


# --- not adopted -----------------------------------------------------------------------------------------------------


@WHEN
def test_of_two_candidates_none_is_adopted_and_openings_are_halted(running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    harness = BotHarness(_market_data())
    harness.parameters = CALM

    def two(desk: BotHarness) -> None:
        _hedge_by_hand(desk, SYMBOL, "2")
        _hedge_by_hand(desk, OTHER, "10")

    verdict = _disturbed(harness, two, running=running)
    assert isinstance(verdict, Ambiguous)
    assert harness.logged(HedgeAdopted) == []
    assert harness.ledger.halt is not None
    assert harness.ledger.halt.reason is HaltReason.SEVERAL_POSITIONS
    assert SYMBOL in harness.ledger.halt.detail
    assert OTHER in harness.ledger.halt.detail
    assert harness.notices_of(HealthJudged)[-1].hedges == len(harness.notices_of(HealthJudged)[-1].foreign) == 2
    assert harness.venue.orders == []
    assert len(harness.notices_of(Reconciled)) == (2 if running else 1)  # said once, not every cycle
    harness.check()


@WHEN
def test_a_naked_short_of_somebody_else_halts_openings_until_it_is_gone(running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    harness = BotHarness(_market_data(), usdt=30, perp=500)
    harness.parameters = CALM
    verdict = _disturbed(
        harness, lambda f: f.world.trade_by_hand(Market.PERP, OTHER, Side.SELL, Decimal(5)), running=running
    )
    assert isinstance(verdict, NakedForeign)
    assert [halt.reason for halt in harness.logged(Halted)] == [HaltReason.FOREIGN_SHORT]
    assert harness.notices_of(HealthJudged)[-1].foreign == (f"{OTHER}: 5 short without coins against it",)
    harness.parameters = StrategyParameters()
    harness.run(0.3)
    assert harness.venue.orders == []  # not even another pair
    harness.world.trade_by_hand(Market.PERP, OTHER, Side.BUY, Decimal(5), reduce_only=True)
    harness.run(0.3)
    assert len(harness.logged(Lifted)) == 1
    assert harness.hedge.symbol == SYMBOL
    harness.check_whole()


def test_a_naked_short_beside_a_hedge_is_said_and_never_touched() -> None:
    harness = _held()
    harness.run(0.5, at={0.21: lambda f: f.world.trade_by_hand(Market.PERP, OTHER, Side.SELL, Decimal(2))})
    assert harness.reasons == []
    assert harness.short(OTHER) == 2
    harness.run(0.2)
    verdict = harness.notices_of(Reconciled)[-1].verdict
    assert isinstance(verdict, Consistent)
    assert [short.symbol for short in verdict.foreign] == [OTHER]
    harness.check_whole()


def test_the_coins_of_the_hedge_are_no_cover_for_a_short_added_by_hand() -> None:
    harness = _held()
    ours = harness.hedge
    harness.world.trade_by_hand(Market.PERP, SYMBOL, Side.SELL, Decimal("0.4"))
    harness.run(0.3)
    verdict = harness.notices_of(Reconciled)[-1].verdict
    assert isinstance(verdict, Consistent)
    assert [(short.symbol, short.quantity) for short in verdict.foreign] == [(SYMBOL, Decimal("0.4"))]
    assert harness.reasons == []
    assert (harness.hedge.spot_quantity, harness.hedge.short) == (ours.spot_quantity, ours.short)
    assert harness.short() == ours.short + Decimal("0.4")
    harness.check()


@WHEN
def test_spot_beyond_the_short_is_the_users_and_not_adopted_by_itself(running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    harness = BotHarness(_market_data(), parameters=CALM)
    verdict = _disturbed(harness, lambda f: _hedge_by_hand(f, quantity="2", coins="3"), running=running)
    assert isinstance(verdict, NotAdopted)
    assert harness.logged(HedgeAdopted) == []
    assert harness.ledger.halt is not None
    assert "adopt it by name" in harness.ledger.halt.detail
    assert harness.ledger.halt.reason is HaltReason.UNFIT_POSITION, "one position is not several"
    judged = harness.notices_of(HealthJudged)[-1]
    assert judged.hedges == 1
    assert judged.foreign[0].startswith(f"{SYMBOL}: a short of 2 with 2.99")
    harness.check()


def test_a_long_of_the_owner_on_the_same_cross_margin_is_mentioned_once() -> None:
    harness = _held()
    harness.run(0.5, at={0.21: lambda f: f.world.trade_by_hand(Market.PERP, OTHER, Side.BUY, Decimal(2))})
    texts = [notice.text for notice in harness.notices_of(Warned) if "cross margin" in notice.text]
    assert len(texts) == 1
    assert texts[0].startswith(f"A long of 2 {OTHER} is not the bot's")
    assert harness.reasons == []


@WHEN
def test_with_adopt_never_a_position_stays_the_users_and_the_books_agree(running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    never = PositionManagement(adopt=AdoptMode.NEVER)
    harness = BotHarness(
        _market_data(), parameters=StrategyParameters(position_management=never, capital_management=HALF)
    )
    if running:
        harness.run(0.3, at={0.21: lambda f: _hedge_by_hand(f, OTHER, "10")})
    else:
        _hedge_by_hand(harness, OTHER, "10")
    harness.run(16)
    assert harness.logged(HedgeAdopted) == []
    assert harness.logged(Halted) == []
    assert harness.short(OTHER) == 10
    assert harness.notices_of(BooksChecked) == []
    harness.check()


def test_funding_on_a_position_that_is_nobodys_of_the_bots_is_booked_apart() -> None:
    harness = BotHarness(_market_data(), parameters=CALM)
    harness.world.trade_by_hand(Market.PERP, OTHER, Side.SELL, Decimal(5))
    harness.run(16)
    assert harness.ledger.unattributed_funding == sum(
        p.amount for p in harness.world.funding_payments(harness.market_data.start)
    )
    assert harness.ledger.unattributed_funding > 0
    assert harness.ledger.totals.funding == 0
    assert harness.notices_of(BooksChecked) == []
    harness.check()


# --- money that comes and goes ---------------------------------------------------------------------------------------


@WHEN
def test_deposits_and_withdrawals_are_rows_of_the_statement_and_the_books_agree(running: bool) -> None:  # noqa: FBT001 - a parameter of the test
    harness = _held()

    def move(desk: BotHarness) -> None:
        desk.world.deposit(Wallet.SPOT, "USDT", Decimal("250.5"))
        desk.world.deposit(Wallet.SPOT, "USDT", Decimal(-40))
        desk.world.deposit(Wallet.SPOT, "CCC", Decimal(3))
        desk.world.deposit(Wallet.PERP, "USDT", Decimal("0.07"), FlowKind.REBATE)

    if running:
        harness.run(0.5, at={0.21: move})
    else:
        move(harness)
        harness.run(0.3)
    assert harness.notices_of(BooksChecked) == []
    assert harness.reasons == []
    assert harness.decisions(Close) == []
    harness.check_whole()


def test_the_books_of_a_venue_that_was_down_at_the_first_start_agree_too() -> None:
    down = FaultPlan(
        reads=tuple(
            ReadFault(read=read, after=OPENED, until=OPENED + timedelta(minutes=30))
            for read in (Read.ACCOUNT, Read.MARKET)
        )
    )
    harness = BotHarness(_market_data(), faults=down, parameters=CALM)
    _hedge_by_hand(harness)
    harness.run(1, at={0.3: lambda f: f.world.deposit(Wallet.SPOT, "USDT", Decimal(100))})
    assert harness.hedge.adopted
    assert harness.notices_of(BooksChecked) == []
    harness.world.deposit(Wallet.SPOT, "USDT", Decimal(5))
    harness.run(8)
    assert harness.notices_of(BooksChecked) == []
    harness.check_whole()
