"""What the venue may do to a bot while it trades: refuse, fall silent, fill a part, lag, show no price."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

import pytest

from hedgerow.domain.commands import PlaceOrder, TransferFunds
from hedgerow.domain.events import (
    CommandIssued,
    CommandRefused,
    Halted,
    HaltReason,
    HedgeAborted,
    HedgeAdopted,
    HedgeClosed,
    HedgeOpened,
    NakedAlarmed,
)
from hedgerow.domain.execution import ExecutionState
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.books import books_difference
from hedgerow.domain.position import Reason
from hedgerow.emulator.core.error_codes import Code
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import (
    FaultPlan,
    LaggingBalances,
    Read,
    ReadFault,
    StaleBooks,
    SubmitFault,
)
from hedgerow.engine.notices import Reconciled
from hedgerow.strategy.decisions.verdicts import Nothing
from hedgerow.strategy.parameters import FundingRateStrategy, PositionManagement, StrategyParameters
from support.crash_sites import Checkpoint, CrashSite
from support.worlds import START, SYMBOL, Listing, ScriptedMarketData, make_world

WALLET = Decimal(500)
OWN = {"AAA": Decimal("0.7")}
BEGIN = START + timedelta(hours=1)
ALWAYS = 10**6


def make_crash_site(
    *submits: SubmitFault,
    plan: FaultPlan | None = None,
    market_data: ScriptedMarketData | None = None,
    latency: float | None = 0.1,
    usdt: Decimal = WALLET,
    coverage: float = 1000.0,
    certain_after: float = 0.0,
    coins: Mapping[str, Decimal] = OWN,
) -> CrashSite:
    market = market_data or ScriptedMarketData([Listing(SYMBOL, rate="0.0006")])
    world = make_world(market, usdt=usdt, perp=2 * WALLET - usdt, coins=coins, start=BEGIN)
    parameters = StrategyParameters(
        funding_rate_strategy=FundingRateStrategy(funding_ma_periods=1),
        position_management=PositionManagement(fee_coverage_multiplier=coverage, max_position_age_hours=1000.0),
    )
    return CrashSite(
        Checkpoint(market_data=market, world=world.dump()),
        parameters,
        latency_seconds=latency,
        faults=FaultPlan(submits=submits) + (plan or FaultPlan()),
        certain_after_seconds=certain_after,
    )


def order_fault(outcome: FaultKind, market: Market, **options: object) -> SubmitFault:
    return SubmitFault(fault=outcome, command="place_order", market=market, **options)  # type: ignore[arg-type] # its own fields


def assert_well(crash_site: CrashSite) -> None:
    assert crash_site.wrongs(start_equity=2 * WALLET, coins=OWN) == []


def orders_of(crash_site: CrashSite) -> list[PlaceOrder]:
    return [e.command for e in crash_site.logged(CommandIssued) if isinstance(e.command, PlaceOrder)]


# --- the second leg is refused ---------------------------------------------------------------------------------------

REFUSALS = {
    "filter": Code.QUANTITY_BELOW_MINIMUM,
    "margin": Code.MARGIN_INSUFFICIENT,
    "price": Code.PRICE_TOO_LOW,
    "permission": Code.KEY_PERMISSION,
    "closed": Code.SYMBOL_NOT_OPEN,
    "unknown": Code.UNKNOWN,
}


@pytest.mark.parametrize("code", REFUSALS.values(), ids=REFUSALS)
def test_a_short_that_is_always_refused_leaves_no_coins_behind(code: int) -> None:
    crash_site = make_crash_site(order_fault(FaultKind.REJECT, Market.PERP, code=code, times=ALWAYS))
    ledger = crash_site.run(0.1)
    assert_well(crash_site)
    assert ledger.foremost is None
    assert not crash_site.logged(HedgeOpened)
    assert {end.reason for end in crash_site.logged(HedgeAborted)} == {Reason.UNWOUND}
    assert ledger.max_naked_seconds < 40


@pytest.mark.parametrize("code", REFUSALS.values(), ids=REFUSALS)
@pytest.mark.parametrize("nth", [1, 2, 5, 10])
def test_a_short_refused_once_ends_hedged_or_flat(code: int, nth: int) -> None:
    crash_site = make_crash_site(order_fault(FaultKind.REJECT, Market.PERP, code=code, nth=nth))
    crash_site.run(0.2)
    assert_well(crash_site)
    assert any(isinstance(event, HedgeOpened | HedgeAborted) for event in crash_site.log)


@pytest.mark.parametrize("code", REFUSALS.values(), ids=REFUSALS)
def test_a_first_leg_that_is_always_refused_opens_nothing(code: int) -> None:
    crash_site = make_crash_site(order_fault(FaultKind.REJECT, Market.SPOT, code=code, times=ALWAYS))
    ledger = crash_site.run(0.1)
    assert_well(crash_site)
    assert ledger.foremost is None
    assert {end.reason for end in crash_site.logged(HedgeAborted)} == {Reason.REFUSED}


def test_an_opening_that_had_to_be_unwound_is_not_tried_again_in_every_cycle() -> None:
    crash_site = make_crash_site(order_fault(FaultKind.REJECT, Market.PERP, code=Code.SYMBOL_NOT_OPEN, times=ALWAYS))
    crash_site.run(24)
    assert_well(crash_site)
    assert len(crash_site.logged(HedgeAborted)) < 6, "each try costs fees"


# --- silence ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [FaultKind.SILENT_BEFORE, FaultKind.SILENT_AFTER, FaultKind.NOT_SENT])
@pytest.mark.parametrize("market", Market)
@pytest.mark.parametrize("nth", [1, 3])
@pytest.mark.parametrize("certain_after", [0.0, 6.0])
def test_an_order_without_an_answer_is_looked_up_and_never_sent_again(
    outcome: FaultKind, market: Market, nth: int, certain_after: float
) -> None:
    crash_site = make_crash_site(order_fault(outcome, market, nth=nth), certain_after=certain_after)
    ledger = crash_site.run(0.2)
    assert_well(crash_site)
    assert ledger.largest is not None, "one lost order is no reason to give up"
    assert ledger.largest.entry_notional > 400


@pytest.mark.parametrize("market", Market)
@pytest.mark.parametrize("side", Side)
def test_so_it_is_while_closing(market: Market, side: Side) -> None:
    faults = [order_fault(outcome, market, side=side, nth=nth) for nth, outcome in LOST.items()]
    crash_site = make_crash_site(*faults, coverage=0.01)
    crash_site.run(7.5)
    assert crash_site.logged(HedgeClosed)
    assert_well(crash_site)


LOST = {2: FaultKind.SILENT_BEFORE, 3: FaultKind.SILENT_AFTER, 5: FaultKind.NOT_SENT, 6: FaultKind.SILENT_AFTER}


@pytest.mark.parametrize("market", Market)
def test_a_part_filled_and_then_nothing_for_a_while_ends_hedged_or_flat(market: Market) -> None:
    crash_site = make_crash_site(
        order_fault(FaultKind.PARTIAL, market, nth=2, fraction=Decimal("0.4")),
        order_fault(FaultKind.ABSORB, market, nth=3, times=9),
    )
    crash_site.run(0.2)
    assert_well(crash_site)


@pytest.mark.parametrize("outcome", [FaultKind.SILENT_BEFORE, FaultKind.SILENT_AFTER])
def test_a_transfer_without_an_answer_is_repeated_under_its_own_id(outcome: FaultKind) -> None:
    fault = SubmitFault(fault=outcome, command="transfer_funds", times=3)
    crash_site = make_crash_site(fault, usdt=Decimal(900))
    ledger = crash_site.run(0.2)
    assert_well(crash_site)
    assert ledger.largest is not None
    ids = [e.command.transfer_id for e in crash_site.logged(CommandIssued) if isinstance(e.command, TransferFunds)]
    assert len(ids) > 1
    assert len(set(ids)) == 1


@pytest.mark.parametrize("command", ["set_leverage", "transfer_funds"])
@pytest.mark.parametrize("outcome", [FaultKind.REJECT, FaultKind.NOT_SENT])
def test_a_refused_preparation_opens_nothing(command: str, outcome: FaultKind) -> None:
    crash_site = make_crash_site(SubmitFault(fault=outcome, command=command, times=ALWAYS), usdt=Decimal(900))
    ledger = crash_site.run(0.2)
    assert_well(crash_site)
    assert ledger.foremost is None
    assert crash_site.logged(CommandRefused)
    assert orders_of(crash_site) == []


# --- books -----------------------------------------------------------------------------------------------------------


def test_nothing_is_traded_on_books_that_stand_still() -> None:
    window = StaleBooks(after=BEGIN + timedelta(seconds=2), until=BEGIN + timedelta(minutes=3))
    crash_site = make_crash_site(plan=FaultPlan(stale_books=(window,)), latency=0.3)
    crash_site.run(0.2)
    assert_well(crash_site)
    blind = (window.after + timedelta(seconds=3.5), window.until)
    assert [r.at for r in crash_site.logged(CommandIssued) if blind[0] < r.at < blind[1]] == []


@pytest.mark.parametrize("market", Market)
@pytest.mark.parametrize("side", Side)
def test_a_book_that_loses_a_side_during_an_opening_ends_hedged_or_flat(market: Market, side: Side) -> None:
    market_data = ScriptedMarketData([Listing(SYMBOL, rate="0.0006")])
    market_data.set_missing_sides(BEGIN + timedelta(seconds=4), {market: side})
    market_data.set_missing_sides(BEGIN + timedelta(seconds=50), {})
    crash_site = make_crash_site(market_data=market_data, latency=0.3)
    crash_site.run(0.2)
    assert_well(crash_site)


# --- naked, and loudly so --------------------------------------------------------------------------------------------


def nowhere_to_go() -> CrashSite:
    """Return a site where the short is refused and the coins cannot be sold for ten minutes."""
    market_data = ScriptedMarketData([Listing(SYMBOL, rate="0.0006")])
    market_data.set_missing_sides(BEGIN + timedelta(seconds=7), {Market.SPOT: Side.SELL})
    market_data.set_missing_sides(BEGIN + timedelta(minutes=10), {})
    refused = order_fault(FaultKind.REJECT, Market.PERP, code=Code.SYMBOL_NOT_OPEN, nth=1, times=ALWAYS)
    return make_crash_site(refused, market_data=market_data, latency=0.5)


def assert_naked(crash_site: CrashSite) -> None:
    job = crash_site.ledger.execution
    assert job is not None
    assert job.state is ExecutionState.NAKED
    assert crash_site.logged(NakedAlarmed)
    assert [halt.reason for halt in crash_site.logged(Halted)] == [HaltReason.NAKED]


def test_coins_that_can_be_neither_hedged_nor_sold_are_alarmed_and_sold_when_it_can_be_done() -> None:
    crash_site = nowhere_to_go()
    crash_site.run(0.1)
    assert_naked(crash_site)
    crash_site.run(0.2)
    assert_well(crash_site)
    assert crash_site.ledger.foremost is None
    assert crash_site.ledger.halt is not None, "a person looks at it before anything is opened again"


def test_a_bot_started_again_while_naked_goes_on_trying() -> None:
    crash_site = nowhere_to_go()
    crash_site.run(0.08)
    assert_naked(crash_site)
    for _ in range(5):
        crash_site.run(0.02)
    crash_site.run(0.1)
    assert_well(crash_site)
    assert crash_site.ledger.foremost is None


def test_a_short_that_cannot_be_bought_back_is_alarmed_and_bought_back_when_it_can_be_done() -> None:
    refused = order_fault(FaultKind.REJECT, Market.PERP, code=Code.KEY_PERMISSION, reduce_only=True, times=60)
    crash_site = make_crash_site(refused, coverage=0.01)
    crash_site.run(7.05)
    assert_naked(crash_site)
    crash_site.run(1)
    assert_well(crash_site)
    assert len(crash_site.logged(HedgeClosed)) == 1


# --- balances that lag, reads that fail ------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [1.0, 3.0, 8.0])
@pytest.mark.parametrize("coins", [{}, OWN], ids=["no coins", "coins"])
def test_balances_that_lag_cause_no_trade_of_their_own(seconds: float, coins: Mapping[str, Decimal]) -> None:
    lagging = make_crash_site(plan=FaultPlan(lagging=LaggingBalances(seconds=seconds)), coverage=0.01, coins=coins)
    prompt = make_crash_site(coverage=0.01, coins=coins)
    for crash_site in (lagging, prompt):
        crash_site.run(7.5)
        assert crash_site.wrongs(start_equity=2 * WALLET, coins=dict(coins)) == []
        assert not crash_site.logged(Halted)
        assert [m for m in crash_site.points if isinstance(m, Reconciled) and not isinstance(m.verdict, Nothing)] == []
    kinds = [
        [type(e).__name__ for e in crash_site.log if type(e).__name__.startswith("Hedge")]
        for crash_site in (lagging, prompt)
    ]
    assert kinds[0] == kinds[1] == ["HedgeOpened", "HedgeClosed", "HedgeOpened"]


@pytest.mark.parametrize("read", Read)
def test_an_hour_without_one_kind_of_read_closes_nothing(read: Read) -> None:
    begin = BEGIN + timedelta(hours=6.5)
    fault = ReadFault(read=read, after=begin, until=begin + timedelta(hours=1))
    crash_site = make_crash_site(plan=FaultPlan(reads=(fault,)))
    ledger = crash_site.run(9)
    assert_well(crash_site)
    assert ledger.largest is not None
    assert not crash_site.logged(HedgeClosed)
    assert ledger.largest.funding_payments == 1


@pytest.mark.parametrize("read", Read)
def test_an_hour_without_one_kind_of_read_at_the_start_ends_hedged_or_flat(read: Read) -> None:
    crash_site = make_crash_site(
        plan=FaultPlan(reads=(ReadFault(read=read, after=BEGIN, until=BEGIN + timedelta(hours=1)),))
    )
    crash_site.run(0.9)
    assert crash_site.logged(HedgeOpened) or not orders_of(crash_site)
    crash_site.run(0.5)
    assert_well(crash_site)
    assert crash_site.ledger.largest is not None


@pytest.mark.parametrize("read", Read)
@pytest.mark.parametrize("after_seconds", [1, 3, 6])
def test_a_read_that_fails_during_an_opening_or_right_after_it_does_no_harm(read: Read, after_seconds: int) -> None:
    begin = BEGIN + timedelta(seconds=after_seconds)
    crash_site = make_crash_site(
        plan=FaultPlan(reads=(ReadFault(read=read, after=begin, until=begin + timedelta(minutes=9)),))
    )
    crash_site.run(0.5)
    assert_well(crash_site)


@pytest.mark.parametrize("read", Read)
def test_a_read_that_fails_for_an_hour_after_a_closing_loses_no_funding(read: Read) -> None:
    # The short pays at 08:00 and is closed for it; what could not be read then is booked later.
    begin = START + timedelta(hours=8, seconds=3)
    fault = ReadFault(read=read, after=begin, until=begin + timedelta(hours=1))
    market_data = ScriptedMarketData([Listing(SYMBOL, rate="0.0006")])
    market_data.set_rate(START + timedelta(hours=8), "-0.0006")
    market_data.set_predicted(START, "0.0006")
    crash_site = make_crash_site(plan=FaultPlan(reads=(fault,)), market_data=market_data)
    crash_site.run(10)
    assert_well(crash_site)
    assert crash_site.ledger.foremost is None
    assert [closed.reason for closed in crash_site.logged(HedgeClosed)] == [Reason.NEGATIVE_FUNDING]
    assert crash_site.ledger.totals.funding < 0


def test_funding_paid_before_the_account_could_be_read_for_the_first_time_is_not_booked_twice() -> None:
    fault = ReadFault(read=Read.ACCOUNT, after=BEGIN, until=BEGIN + timedelta(hours=8))
    market_data = ScriptedMarketData([Listing(SYMBOL, rate="0.0006")])
    crash_site = make_crash_site(plan=FaultPlan(reads=(fault,)), market_data=market_data, coins={})
    crash_site.world.set_leverage(SYMBOL, 1)
    crash_site.world.trade_by_hand(Market.SPOT, SYMBOL, Side.BUY, Decimal("2.001"))
    crash_site.world.trade_by_hand(Market.PERP, SYMBOL, Side.SELL, Decimal("2.00"))
    crash_site.run(10)
    assert crash_site.logged(HedgeAdopted)
    assert books_difference(crash_site.ledger.books, crash_site.world.account()) == {}
