"""What stops openings: emergencies, liquidations, lost legs, missing money, and pairs that ended badly."""

import itertools
from datetime import timedelta
from decimal import Decimal

import pytest

from hedgerow.domain.events import (
    ExitDeferralEnded,
    ExitDeferred,
    FlowKind,
    Halted,
    HaltReason,
    HedgeAborted,
    HedgeClosed,
    HedgeOpened,
    Lifted,
    Wallet,
)
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.reducers import fold
from hedgerow.domain.operator_requests import HaltRequested, ResumeRequested
from hedgerow.domain.position import Reason
from hedgerow.emulator.core.market_changes import BookDistortion
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault, SubmitFault
from hedgerow.engine.notices import NoOpportunity
from hedgerow.strategy.decisions.entry import openings_blocked
from hedgerow.strategy.observation import Observation
from hedgerow.strategy.parameters import (
    AfterEmergency,
    FundingRateStrategy,
    PositionManagement,
    RiskManagement,
    StrategyParameters,
)
from hedgerow.strategy.policies import VolumeFarming
from support.bot_harness import OPENED, BotHarness
from support.views import NOW, account, listing, market_of, pair_of
from support.worlds import SYMBOL, Listing, ScriptedMarketData

PATIENT = PositionManagement(max_position_age_hours=87_600, fee_coverage_multiplier=1000)
OTHER = "BBBUSDT"


def parameters(**risk: object) -> StrategyParameters:
    return StrategyParameters(position_management=PATIENT, risk_management=RiskManagement(**risk))  # type: ignore[arg-type]


def harness_of(*listings: Listing, **options: object) -> BotHarness:
    market_data = ScriptedMarketData(listings or [Listing(SYMBOL)])
    return BotHarness(market_data, **{"parameters": parameters(), **options})  # type: ignore[arg-type]


def real_loss(harness: BotHarness) -> None:
    """Move the perpetual, its mark and nothing else: a basis that both markets confirm."""
    harness.market_data.set_prices(harness.world.now, 100, 115)


def halts(harness: BotHarness) -> list[HaltReason]:
    return [event.reason for event in harness.logged(Halted)]


def test_an_emergency_stop_opens_nothing_until_a_person_resumes() -> None:
    harness = harness_of(Listing(SYMBOL), Listing(OTHER, rate="0.0002"))
    harness.run(0.5)
    real_loss(harness)
    harness.run(6)
    assert harness.reasons == [Reason.EMERGENCY_STOP]
    assert halts(harness) == [HaltReason.EMERGENCY]
    assert len(harness.logged(HedgeOpened)) == 1
    harness.check_flat()
    halt = harness.logged(Halted)[0]
    assert SYMBOL in halt.detail
    assert "hedgerow resume" in halt.detail
    harness.run(1)
    assert len(harness.logged(HedgeOpened)) == 1, "a restart lifts nothing"
    harness.ask(ResumeRequested())
    harness.run(0.5)
    assert [event.detail for event in harness.logged(Lifted)] == ["by hand"]
    assert harness.hedge.symbol == OTHER, "the pair itself rests longer"


def test_an_emergency_stop_names_itself_though_openings_were_halted_by_hand_before() -> None:
    harness = harness_of(Listing(SYMBOL), Listing(OTHER, rate="0.0002"))
    harness.run(0.5)
    harness.ask(HaltRequested(detail="lunch"))
    real_loss(harness)
    harness.run(1)
    assert harness.reasons == [Reason.EMERGENCY_STOP]
    assert halts(harness) == [HaltReason.USER, HaltReason.EMERGENCY]
    assert harness.ledger.halt is not None
    assert harness.ledger.halt.detail.endswith("; halted before: asked by the user (lunch)")


def test_an_emergency_stop_acts_and_names_itself_though_openings_were_halted_because_the_legs_differ() -> None:
    harness = harness_of(Listing(SYMBOL), Listing(OTHER, rate="0.0002"))
    harness.run(0.5)
    harness.market_data.set_prices(harness.world.now, 100, Decimal("105.5"))
    harness.run(0.5)
    assert (harness.reasons, halts(harness)) == ([], [HaltReason.LEGS_DIFFER])
    real_loss(harness)
    harness.run(1)
    assert harness.reasons == [Reason.EMERGENCY_STOP]
    assert halts(harness) == [HaltReason.LEGS_DIFFER, HaltReason.EMERGENCY]
    harness.market_data.set_prices(harness.world.now, 100, 100)
    harness.run(1)
    assert harness.logged(Lifted) == [], "one price again says nothing of the loss"
    assert len(harness.logged(HedgeOpened)) == 1
    harness.ask(ResumeRequested())
    harness.run(0.5)
    assert [event.detail for event in harness.logged(Lifted)] == ["by hand"]


def test_after_emergency_rest_leaves_the_pair_alone_and_opens_others() -> None:
    harness = harness_of(
        Listing(SYMBOL), Listing(OTHER, rate="0.0002"), parameters=parameters(after_emergency=AfterEmergency.REST)
    )
    harness.run(0.5)
    real_loss(harness)
    harness.run(1)
    assert harness.reasons == [Reason.EMERGENCY_STOP]
    assert halts(harness) == []
    assert harness.hedge.symbol == OTHER


def test_a_crash_between_the_closing_and_its_halt_opens_nothing() -> None:
    harness = harness_of()
    harness.run(0.5)
    real_loss(harness)
    harness.run(0.2)
    incident = harness.ledger.incident
    assert incident is not None
    assert incident.reason is HaltReason.EMERGENCY
    halted = next(index for index, event in enumerate(harness.log) if isinstance(event, Halted))
    cut = fold(harness.log[:halted])
    assert cut.halt is None
    seen = Observation(at=NOW, market=market_of(listing(pair=pair_of())), account=account())
    blocked = openings_blocked(seen, cut, VolumeFarming(StrategyParameters()))
    assert blocked is not None
    assert blocked.detail.startswith("the emergency stop closed a position")


@pytest.mark.parametrize("after_emergency", AfterEmergency)
def test_the_third_exit_for_bad_health_within_a_day_opens_nothing_until_a_person_resumes(
    after_emergency: AfterEmergency,
) -> None:
    listings = (Listing(SYMBOL), Listing(OTHER, rate="0.0002"), Listing("CCCUSDT", rate="0.0002"))
    harness = harness_of(
        *listings, Listing("DDDUSDT", rate="0.0002"), parameters=parameters(after_emergency=after_emergency)
    )
    for _ in range(3):
        harness.run(0.5)
        harness.world.set_leverage(harness.hedge.symbol, 3)
        harness.run(0.1)
    assert harness.reasons == [Reason.HEALTH] * 3
    harness.run(6)
    assert halts(harness) == [HaltReason.REPEATED_HEALTH_EXITS]
    assert len(harness.logged(HedgeOpened)) == 3
    assert harness.ledger.largest is None
    harness.ask(ResumeRequested())
    harness.run(0.5)
    assert len(harness.logged(HedgeOpened)) == 4


def test_a_position_that_the_exchange_deleveraged_halts_openings() -> None:
    harness = harness_of()
    harness.run(0.5)
    harness.world.deleverage(SYMBOL, harness.short())
    harness.run(1)
    assert halts(harness) == [HaltReason.LIQUIDATION]
    assert len(harness.logged(HedgeOpened)) == 1
    harness.check_flat()


def test_coins_that_the_owner_sold_are_not_bought_back() -> None:
    harness = harness_of()
    harness.run(0.5)
    coins = harness.hedge.pair.spot.floor_quantity(harness.hedge.spot_quantity)
    harness.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, coins)
    harness.run(1)
    assert harness.reasons == [Reason.LEG_GONE]
    assert halts(harness) == [HaltReason.LEG_GONE]
    assert len(harness.logged(HedgeOpened)) == 1
    harness.check_flat()


def test_money_that_leaves_without_a_row_of_the_statement_halts_openings(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = harness_of()
    harness.run(0.5)

    async def silent(*_times: object) -> tuple[()]:
        return ()

    monkeypatch.setattr(harness.venue, "statement", silent)
    harness.world.deposit(Wallet.SPOT, "USDT", Decimal(-20), FlowKind.WITHDRAWAL)
    harness.run(0.5)
    assert halts(harness) == [HaltReason.UNEXPLAINED_LOSS]
    assert "$20.00 less than the books" in harness.logged(Halted)[0].detail
    assert harness.ledger.largest is not None
    harness.ask(ResumeRequested())
    harness.run(0.5)
    assert harness.ledger.halt is None, "a person has seen it"


def test_money_that_is_back_within_minutes_halts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = PositionManagement(max_position_age_hours=87_600, fee_coverage_multiplier=1000, loop_interval_seconds=30)
    harness = harness_of(parameters=StrategyParameters(position_management=quick))
    harness.run(0.2)

    async def silent(*_times: object) -> tuple[()]:
        return ()

    monkeypatch.setattr(harness.venue, "statement", silent)
    harness.world.deposit(Wallet.SPOT, "USDT", Decimal(-20), FlowKind.WITHDRAWAL)
    harness.run(4 / 60)
    assert halts(harness) == []
    harness.world.deposit(Wallet.SPOT, "USDT", Decimal(20), FlowKind.DEPOSIT)
    harness.run(0.2)
    assert halts(harness) == []


def test_a_withdrawal_that_the_statement_shows_halts_nothing() -> None:
    harness = harness_of()
    harness.run(0.5)
    harness.world.deposit(Wallet.SPOT, "USDT", Decimal(-20), FlowKind.WITHDRAWAL)
    harness.run(0.5)
    assert halts(harness) == []


def unread_trades(hours: float) -> FaultPlan:
    """Let own trades be unreadable from half an hour after the opening on; all else is readable."""
    begun = OPENED + timedelta(minutes=30)
    return FaultPlan(reads=(ReadFault(read=Read.FILLS, after=begun, until=begun + timedelta(hours=hours)),))


@pytest.mark.parametrize("hours", [1, 3])
@pytest.mark.parametrize("moved", ["1", "1.1"])
def test_own_trades_that_cannot_be_read_for_hours_are_no_loss(hours: float, moved: str) -> None:
    aged = StrategyParameters(position_management=PositionManagement(max_position_age_hours=0.6))
    harness = harness_of(parameters=aged, faults=unread_trades(hours))
    harness.run(0.4)
    harness.world.shock(SYMBOL, Decimal(moved))
    harness.run(hours + 0.5)
    assert len(harness.logged(HedgeClosed)) > 1
    assert halts(harness) == []
    assert not any(hedge.unsettled for hedge in harness.ledger.known_hedges)


def test_money_that_leaves_while_own_trades_cannot_be_read_halts_openings_once_they_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aged = StrategyParameters(position_management=PositionManagement(max_position_age_hours=0.6))
    harness = harness_of(parameters=aged, faults=unread_trades(2))

    async def silent(*_times: object) -> tuple[()]:
        return ()

    harness.run(1)
    monkeypatch.setattr(harness.venue, "statement", silent)
    harness.world.deposit(Wallet.SPOT, "USDT", Decimal(-20), FlowKind.WITHDRAWAL)
    harness.run(1.4)
    assert halts(harness) == []
    harness.run(0.5)
    assert halts(harness) == [HaltReason.UNEXPLAINED_LOSS]
    assert "$20.00 less than the books" in harness.logged(Halted)[0].detail


def refuses(symbol: str, times: int = 1000) -> SubmitFault:
    return SubmitFault(fault=FaultKind.REJECT, command="place_order", symbol=symbol, code=-2010, times=times)


def test_a_pair_that_refuses_does_not_starve_the_next_one() -> None:
    harness = harness_of(
        Listing(SYMBOL, rate="0.0009"), Listing(OTHER, rate="0.0002"), faults=FaultPlan(submits=(refuses(SYMBOL),))
    )
    harness.run(0.02)
    assert harness.hedge.symbol == OTHER, "in the same check"
    assert [event.reason for event in harness.logged(HedgeAborted)] == [Reason.REFUSED]
    harness.check_whole()


def test_a_position_is_not_closed_again_and_again_for_a_pair_that_refuses() -> None:
    harness = harness_of(
        Listing(SYMBOL, rate="0.0009"), Listing(OTHER, rate="0.0002"), faults=FaultPlan(submits=(refuses(SYMBOL),))
    )
    harness.run(12)
    assert harness.logged(HedgeClosed) == []
    assert harness.hedge.symbol == OTHER


def test_many_pairs_that_refuse_do_not_starve_the_one_behind_them() -> None:
    bad = [f"A{letter}AUSDT" for letter in "BCDEFG"]
    harness = harness_of(
        *(Listing(symbol, rate="0.0009") for symbol in bad),
        Listing(OTHER, rate="0.0002"),
        faults=FaultPlan(submits=tuple(refuses(symbol) for symbol in bad)),
    )
    harness.run(0.3)
    assert harness.hedge.symbol == OTHER


def test_a_refusing_pair_is_tried_less_and_less() -> None:
    harness = harness_of(faults=FaultPlan(submits=(refuses(SYMBOL),)))
    harness.run(12)
    tries = [event.at for event in harness.logged(HedgeAborted)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert 4 <= len(tries) <= 7
    assert all(later >= earlier * 1.5 for earlier, later in itertools.pairwise(gaps))
    said = [notice.why for notice in harness.notices_of(NoOpportunity)]
    assert any("rests until" in why for why in said)


def test_pairs_without_depth_do_not_starve_the_one_behind_them() -> None:
    thin = [f"A{letter}AUSDT" for letter in "BCDEFG"]
    harness = harness_of(
        *(Listing(symbol, rate="0.0009", depth_notional=1) for symbol in thin), Listing(OTHER, rate="0.0002")
    )
    harness.run(0.3)
    assert harness.hedge.symbol == OTHER


def test_a_hedge_closed_by_its_health_is_not_opened_again_at_once() -> None:
    harness = harness_of()
    harness.run(0.5)
    for _ in range(3):
        harness.world.set_leverage(SYMBOL, 3)
        harness.run(0.2)
    assert len(harness.logged(HedgeOpened)) == 1
    assert harness.ledger.cooldowns[SYMBOL].reason is Reason.HEALTH
    harness.run(1)
    assert len(harness.logged(HedgeOpened)) == 2
    harness.world.set_leverage(SYMBOL, 3)
    harness.run(1.5)
    assert len(harness.logged(HedgeOpened)) == 2, "the second time it rests for two hours"


# --- closing for profit ----------------------------------------------------------------------------------------------

AGED = StrategyParameters(
    position_management=PositionManagement(max_position_age_hours=2, fee_coverage_multiplier=1000),
    funding_rate_strategy=FundingRateStrategy(min_funding_apr=0.15),
)


def wide(harness: BotHarness, seconds: float | None) -> None:
    harness.world.change_market(BookDistortion(symbol=SYMBOL, spread_bps=Decimal(500), seconds=seconds))


def test_the_age_limit_waits_while_the_books_are_wide() -> None:
    harness = harness_of(parameters=AGED)
    harness.run(2.5, at={1.9: lambda bot: wide(bot, 1200)})
    closed = harness.logged(HedgeClosed)
    assert [event.reason for event in closed] == [Reason.MAX_AGE]
    assert closed[0].at >= OPENED + timedelta(hours=1.9, seconds=1200)
    assert harness.ledger.closed[0].basis_pnl > Decimal(-1)


def test_an_exit_whose_reason_goes_while_it_waits_begins_to_wait_anew() -> None:
    harness = harness_of(parameters=StrategyParameters(position_management=PATIENT))
    harness.market_data.set_predicted(OPENED - timedelta(hours=1), "0.0003")
    harness.market_data.set_rate(OPENED + timedelta(hours=2), "-0.009")
    harness.market_data.set_rate(OPENED + timedelta(hours=10), "0.09")
    harness.run(20, at={1: lambda bot: wide(bot, None)})
    assert harness.logged(HedgeClosed) == []
    assert [event.reason for event in harness.logged(ExitDeferred)] == [Reason.NEGATIVE_FUNDING]
    assert len(harness.logged(ExitDeferralEnded)) == 1
    assert harness.ledger.deferrals == {}


def test_an_exit_that_waits_is_taken_at_its_latest_time_whatever_it_costs() -> None:
    harness = harness_of(parameters=AGED)
    harness.run(11, at={1.9: lambda bot: wide(bot, None)})
    closed = harness.logged(HedgeClosed)
    assert [event.reason for event in closed] == [Reason.MAX_AGE]
    assert OPENED + timedelta(hours=10) <= closed[0].at <= OPENED + timedelta(hours=10.2)
