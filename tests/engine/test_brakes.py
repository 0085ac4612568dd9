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
from hedgerow.emulator.inprocess.faults import FaultPlan, Outcome, SubmitFault
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
from support.bot_harness import OPENED, Farm
from support.views import NOW, account, listing, market_of, pair_of
from support.worlds import SYMBOL, Listing, ScriptedTape

PATIENT = PositionManagement(max_position_age_hours=1e5, fee_coverage_multiplier=1e6)
OTHER = "BBBUSDT"


def parameters(**risk: object) -> StrategyParameters:
    return StrategyParameters(position_management=PATIENT, risk_management=RiskManagement(**risk))  # type: ignore[arg-type]


def farm_of(*listings: Listing, **options: object) -> Farm:
    tape = ScriptedTape(listings or [Listing(SYMBOL)])
    return Farm(tape, **{"parameters": parameters(), **options})  # type: ignore[arg-type]


def real_loss(farm: Farm) -> None:
    """Move the perpetual, its mark and nothing else: a basis that both markets confirm."""
    farm.tape.set_prices(farm.world.now, 100, 115)


def halts(farm: Farm) -> list[HaltReason]:
    return [event.reason for event in farm.logged(Halted)]


def test_an_emergency_stop_opens_nothing_until_a_person_resumes() -> None:
    farm = farm_of(Listing(SYMBOL), Listing(OTHER, rate="0.0002"))
    farm.run(0.5)
    real_loss(farm)
    farm.run(6)
    assert farm.reasons == [Reason.EMERGENCY_STOP]
    assert halts(farm) == [HaltReason.EMERGENCY]
    assert len(farm.logged(HedgeOpened)) == 1
    farm.check_flat()
    halt = farm.logged(Halted)[0]
    assert SYMBOL in halt.detail
    assert "hedgerow resume" in halt.detail
    farm.run(1)
    assert len(farm.logged(HedgeOpened)) == 1, "a restart lifts nothing"
    farm.ask(ResumeRequested())
    farm.run(0.5)
    assert [event.detail for event in farm.logged(Lifted)] == ["by hand"]
    assert farm.hedge.symbol == OTHER, "the pair itself rests longer"


def test_an_emergency_stop_names_itself_though_openings_were_halted_by_hand_before() -> None:
    farm = farm_of(Listing(SYMBOL), Listing(OTHER, rate="0.0002"))
    farm.run(0.5)
    farm.ask(HaltRequested(detail="lunch"))
    real_loss(farm)
    farm.run(1)
    assert farm.reasons == [Reason.EMERGENCY_STOP]
    assert halts(farm) == [HaltReason.USER, HaltReason.EMERGENCY]
    assert farm.ledger.halt is not None
    assert farm.ledger.halt.detail.endswith("; halted before: asked by the user (lunch)")


def test_after_emergency_rest_leaves_the_pair_alone_and_opens_others() -> None:
    farm = farm_of(
        Listing(SYMBOL), Listing(OTHER, rate="0.0002"), parameters=parameters(after_emergency=AfterEmergency.REST)
    )
    farm.run(0.5)
    real_loss(farm)
    farm.run(1)
    assert farm.reasons == [Reason.EMERGENCY_STOP]
    assert halts(farm) == []
    assert farm.hedge.symbol == OTHER


def test_a_crash_between_the_closing_and_its_halt_opens_nothing() -> None:
    farm = farm_of()
    farm.run(0.5)
    real_loss(farm)
    farm.run(0.2)
    incident = farm.ledger.incident
    assert incident is not None
    assert incident.reason is HaltReason.EMERGENCY
    halted = next(index for index, event in enumerate(farm.log) if isinstance(event, Halted))
    cut = fold(farm.log[:halted])
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
    farm = farm_of(*listings, Listing("DDDUSDT", rate="0.0002"), parameters=parameters(after_emergency=after_emergency))
    for _ in range(3):
        farm.run(0.5)
        farm.world.set_leverage(farm.hedge.symbol, 3)
        farm.run(0.1)
    assert farm.reasons == [Reason.HEALTH] * 3
    farm.run(6)
    assert halts(farm) == [HaltReason.REPEATED_HEALTH_EXITS]
    assert len(farm.logged(HedgeOpened)) == 3
    assert farm.ledger.hedge is None
    farm.ask(ResumeRequested())
    farm.run(0.5)
    assert len(farm.logged(HedgeOpened)) == 4


def test_a_position_that_the_exchange_deleveraged_halts_openings() -> None:
    farm = farm_of()
    farm.run(0.5)
    farm.world.deleverage(SYMBOL, farm.short())
    farm.run(1)
    assert halts(farm) == [HaltReason.LIQUIDATION]
    assert len(farm.logged(HedgeOpened)) == 1
    farm.check_flat()


def test_coins_that_the_owner_sold_are_not_bought_back() -> None:
    farm = farm_of()
    farm.run(0.5)
    coins = farm.hedge.pair.spot.floor_quantity(farm.hedge.spot_quantity)
    farm.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, coins)
    farm.run(1)
    assert farm.reasons == [Reason.LEG_GONE]
    assert halts(farm) == [HaltReason.LEG_GONE]
    assert len(farm.logged(HedgeOpened)) == 1
    farm.check_flat()


def test_money_that_leaves_without_a_row_of_the_statement_halts_openings(monkeypatch: pytest.MonkeyPatch) -> None:
    farm = farm_of()
    farm.run(0.5)

    async def silent(*_times: object) -> tuple[()]:
        return ()

    monkeypatch.setattr(farm.venue, "statement", silent)
    farm.world.deposit(Wallet.SPOT, "USDT", Decimal(-20), FlowKind.WITHDRAWAL)
    farm.run(0.5)
    assert halts(farm) == [HaltReason.UNEXPLAINED_LOSS]
    assert "$20.00 less than the books" in farm.logged(Halted)[0].detail
    assert farm.ledger.hedge is not None
    farm.ask(ResumeRequested())
    farm.run(0.5)
    assert farm.ledger.halt is None, "a person has seen it"


def test_money_that_is_back_within_minutes_halts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = PositionManagement(max_position_age_hours=1e5, fee_coverage_multiplier=1e6, loop_interval_seconds=30)
    farm = farm_of(parameters=StrategyParameters(position_management=quick))
    farm.run(0.2)

    async def silent(*_times: object) -> tuple[()]:
        return ()

    monkeypatch.setattr(farm.venue, "statement", silent)
    farm.world.deposit(Wallet.SPOT, "USDT", Decimal(-20), FlowKind.WITHDRAWAL)
    farm.run(4 / 60)
    assert halts(farm) == []
    farm.world.deposit(Wallet.SPOT, "USDT", Decimal(20), FlowKind.DEPOSIT)
    farm.run(0.2)
    assert halts(farm) == []


def test_a_withdrawal_that_the_statement_shows_halts_nothing() -> None:
    farm = farm_of()
    farm.run(0.5)
    farm.world.deposit(Wallet.SPOT, "USDT", Decimal(-20), FlowKind.WITHDRAWAL)
    farm.run(0.5)
    assert halts(farm) == []


def refuses(symbol: str, times: int = 1000) -> SubmitFault:
    return SubmitFault(outcome=Outcome.REJECT, command="place_order", symbol=symbol, code=-2010, times=times)


def test_a_pair_that_refuses_does_not_starve_the_next_one() -> None:
    farm = farm_of(
        Listing(SYMBOL, rate="0.0009"), Listing(OTHER, rate="0.0002"), faults=FaultPlan(submits=(refuses(SYMBOL),))
    )
    farm.run(0.02)
    assert farm.hedge.symbol == OTHER, "in the same check"
    assert [event.reason for event in farm.logged(HedgeAborted)] == [Reason.REFUSED]
    farm.check_whole()


def test_a_position_is_not_closed_again_and_again_for_a_pair_that_refuses() -> None:
    farm = farm_of(
        Listing(SYMBOL, rate="0.0009"), Listing(OTHER, rate="0.0002"), faults=FaultPlan(submits=(refuses(SYMBOL),))
    )
    farm.run(12)
    assert farm.logged(HedgeClosed) == []
    assert farm.hedge.symbol == OTHER


def test_many_pairs_that_refuse_do_not_starve_the_one_behind_them() -> None:
    bad = [f"A{letter}AUSDT" for letter in "BCDEFG"]
    farm = farm_of(
        *(Listing(symbol, rate="0.0009") for symbol in bad),
        Listing(OTHER, rate="0.0002"),
        faults=FaultPlan(submits=tuple(refuses(symbol) for symbol in bad)),
    )
    farm.run(0.3)
    assert farm.hedge.symbol == OTHER


def test_a_refusing_pair_is_tried_less_and_less() -> None:
    farm = farm_of(faults=FaultPlan(submits=(refuses(SYMBOL),)))
    farm.run(12)
    tries = [event.at for event in farm.logged(HedgeAborted)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert 4 <= len(tries) <= 7
    assert all(later >= earlier * 1.5 for earlier, later in itertools.pairwise(gaps))
    said = [moment.why for moment in farm.heard(NoOpportunity)]
    assert any("rests until" in why for why in said)


def test_pairs_without_depth_do_not_starve_the_one_behind_them() -> None:
    thin = [f"A{letter}AUSDT" for letter in "BCDEFG"]
    farm = farm_of(
        *(Listing(symbol, rate="0.0009", depth_notional=1) for symbol in thin), Listing(OTHER, rate="0.0002")
    )
    farm.run(0.3)
    assert farm.hedge.symbol == OTHER


def test_a_hedge_closed_by_its_health_is_not_opened_again_at_once() -> None:
    farm = farm_of()
    farm.run(0.5)
    for _ in range(3):
        farm.world.set_leverage(SYMBOL, 3)
        farm.run(0.2)
    assert len(farm.logged(HedgeOpened)) == 1
    assert farm.ledger.cooldowns[SYMBOL].reason is Reason.HEALTH
    farm.run(1)
    assert len(farm.logged(HedgeOpened)) == 2
    farm.world.set_leverage(SYMBOL, 3)
    farm.run(1.5)
    assert len(farm.logged(HedgeOpened)) == 2, "the second time it rests for two hours"


# --- closing for profit ----------------------------------------------------------------------------------------------

AGED = StrategyParameters(
    position_management=PositionManagement(max_position_age_hours=2, fee_coverage_multiplier=1e6),
    funding_rate_strategy=FundingRateStrategy(min_funding_apr=0.15),
)


def wide(farm: Farm, seconds: float | None) -> None:
    farm.world.change_market(BookDistortion(symbol=SYMBOL, spread_bps=Decimal(500), seconds=seconds))


def test_the_age_limit_waits_while_the_books_are_wide() -> None:
    farm = farm_of(parameters=AGED)
    farm.run(2.5, at={1.9: lambda bot: wide(bot, 1200)})
    closed = farm.logged(HedgeClosed)
    assert [event.reason for event in closed] == [Reason.MAX_AGE]
    assert closed[0].at >= OPENED + timedelta(hours=1.9, seconds=1200)
    assert farm.ledger.closed[0].basis_pnl > Decimal(-1)


def test_an_exit_whose_reason_goes_while_it_waits_begins_to_wait_anew() -> None:
    farm = farm_of(parameters=StrategyParameters(position_management=PATIENT))
    farm.tape.set_predicted(OPENED - timedelta(hours=1), "0.0003")
    farm.tape.set_rate(OPENED + timedelta(hours=2), "-0.009")
    farm.tape.set_rate(OPENED + timedelta(hours=10), "0.09")
    farm.run(20, at={1: lambda bot: wide(bot, None)})
    assert farm.logged(HedgeClosed) == []
    assert [event.reason for event in farm.logged(ExitDeferred)] == [Reason.NEGATIVE_FUNDING]
    assert len(farm.logged(ExitDeferralEnded)) == 1
    assert farm.ledger.deferral is None


def test_an_exit_that_waits_is_taken_at_its_latest_time_whatever_it_costs() -> None:
    farm = farm_of(parameters=AGED)
    farm.run(11, at={1.9: lambda bot: wide(bot, None)})
    closed = farm.logged(HedgeClosed)
    assert [event.reason for event in closed] == [Reason.MAX_AGE]
    assert OPENED + timedelta(hours=10) <= closed[0].at <= OPENED + timedelta(hours=10.2)
