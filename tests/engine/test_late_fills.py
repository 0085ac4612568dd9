"""Own orders that are executed after they counted as dead: the bot's, whenever they are found."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.events import ExternalFills, FeeBooked, Halted, HaltReason, HedgeAborted, HedgeAdopted
from hedgerow.domain.execution import ExecutionLimits
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.operator_requests import ResumeRequested
from hedgerow.domain.order import OrderRequest
from hedgerow.domain.position import Reason
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, SubmitFault
from hedgerow.engine.notices import CycleFailed, Warned
from hedgerow.strategy.parameters import CapitalManagement, FundingRateStrategy, PositionManagement, StrategyParameters
from support.bot_harness import BotHarness
from support.worlds import SYMBOL, Listing, ScriptedMarketData

PATIENT = StrategyParameters(
    position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=87_600),
    execution=ExecutionLimits(flatten_after_seconds=5),
)
CALM = replace(PATIENT, funding_rate_strategy=FundingRateStrategy(min_funding_apr=5.0))
OTHER = "BBBUSDT"


def market_data() -> ScriptedMarketData:
    return ScriptedMarketData([Listing(rate="0.0004"), Listing(OTHER, spot=20, rate="0.0003")])


def given_up(market: Market) -> tuple[BotHarness, OrderRequest]:
    """Return a farm whose opening was unwound because an order of one leg never came, and that order."""
    lost = SubmitFault(fault=FaultKind.SILENT_BEFORE, command="place_order", market=market, times=1)
    rejected = SubmitFault(fault=FaultKind.REJECT, command="place_order", market=market, code=-4131, nth=2, times=999)
    harness = BotHarness(
        market_data(), usdt=1000, perp=1000, parameters=PATIENT, faults=FaultPlan(submits=(lost, rejected))
    )
    harness.run(0.02)
    assert harness.logged(HedgeAborted)
    harness.venue.calm()
    harness.parameters = CALM
    order = next(sent.order for sent in harness.venue.orders if sent.order.market is market)
    return harness, order


@pytest.mark.parametrize("market", list(Market))
@pytest.mark.parametrize("running", [True, False], ids=["while running", "at start"])
def test_an_order_executed_after_its_trade_ended_is_closed_by_the_bot(market: Market, *, running: bool) -> None:
    harness, order = given_up(market)
    harness.notices.clear()

    def land(harness: BotHarness) -> None:
        harness.world.place(order)

    if running:
        harness.run(0.3, at={0.1: land})
    else:
        land(harness)
        harness.run(0.1)
    assert harness.notices_of(CycleFailed) == []
    assert harness.short() == 0
    assert harness.coins() < Decimal("0.05")
    assert [event.own for event in harness.logged(ExternalFills)] == [True]
    assert any("filled late: it is the bot's" in said.text for said in harness.notices_of(Warned))
    assert HaltReason.FOREIGN_SHORT not in [halt.reason for halt in harness.logged(Halted)]
    assert harness.reasons[-1] is Reason.LEG_GONE
    harness.check_flat()


def test_an_order_that_lands_while_its_nonce_is_valid_is_found_within_seconds() -> None:
    harness, order = given_up(Market.PERP)
    landed = []

    def land(harness: BotHarness) -> None:
        landed.append(harness.world.now)
        harness.world.place(order)

    harness.run(0.05, at={0.01: land})
    assert harness.short() == 0
    assert (harness.ledger.closed[-1].closed_at - landed[0]).total_seconds() < 30
    harness.check_flat()


def test_a_late_fill_of_the_hedge_that_is_held_grows_its_leg_and_is_trimmed() -> None:
    lost = SubmitFault(fault=FaultKind.SILENT_BEFORE, command="place_order", market=Market.PERP)
    small = replace(PATIENT, capital_management=CapitalManagement(max_capital_usd=Decimal(1000)))
    harness = BotHarness(market_data(), usdt=1000, perp=1000, parameters=small, faults=FaultPlan(submits=(lost,)))
    harness.run(0.05)
    harness.check_whole()
    order = next(sent.order for sent in harness.venue.orders if sent.order.market is Market.PERP)
    harness.parameters = CALM
    before = harness.hedge.short
    harness.world.place(order)
    harness.run(0.02)
    assert harness.notices_of(CycleFailed) == []
    assert harness.logged(HedgeAdopted) == []
    assert order.client_id in [event.client_id for event in harness.logged(FeeBooked)]
    assert harness.reasons == [Reason.IMBALANCE] or harness.hedge.short == before
    assert HaltReason.FOREIGN_SHORT not in [halt.reason for halt in harness.logged(Halted)]
    harness.check()


# --- another bot -----------------------------------------------------------------------------------------------------


def other_bots(market: Market, side: Side, quantity: str, *, number: int = 1, symbol: str = OTHER) -> OrderRequest:
    price = Decimal("20.5") if side is Side.BUY else Decimal("19.5")
    return OrderRequest(
        client_id=f"1k8jj0000abcd-{market[0]}-{number}",
        market=market,
        symbol=symbol,
        side=side,
        quantity=Decimal(quantity),
        price=price,
    )


def test_a_position_that_another_bot_opens_meanwhile_is_not_adopted_and_openings_halt_once() -> None:
    harness = BotHarness(market_data(), usdt=1000, perp=1000, parameters=CALM)
    harness.run(0.1)

    def open_there(harness: BotHarness) -> None:
        harness.world.set_leverage(OTHER, 1)
        harness.world.place(other_bots(Market.SPOT, Side.BUY, "10.02"))
        harness.world.place(other_bots(Market.PERP, Side.SELL, "10"))

    harness.run(0.5, at={0.1: open_there})
    assert [halt.reason for halt in harness.logged(Halted)] == [HaltReason.ANOTHER_BOT]
    assert harness.logged(HedgeAdopted) == []
    assert harness.ledger.largest is None


def test_what_was_there_when_a_person_resumed_halts_no_more_and_is_adopted_but_new_trades_of_another_bot_do() -> None:
    harness = BotHarness(market_data(), usdt=1000, perp=1000, parameters=CALM)
    harness.run(0.1)
    harness.world.set_leverage(OTHER, 1)
    harness.world.place(other_bots(Market.SPOT, Side.BUY, "10.02"))
    harness.world.place(other_bots(Market.PERP, Side.SELL, "10"))
    harness.run(0.2)
    assert [halt.reason for halt in harness.logged(Halted)] == [HaltReason.ANOTHER_BOT]
    assert harness.ask(ResumeRequested()).done
    harness.run(0.2)
    assert harness.hedge.symbol == OTHER
    assert len(harness.logged(Halted)) == 1
    sold = other_bots(Market.SPOT, Side.SELL, "5", number=2)
    harness.run(0.4, at={0.1: lambda f: f.world.place(sold)})
    assert [halt.reason for halt in harness.logged(Halted)][1] is HaltReason.ANOTHER_BOT


def test_a_position_from_before_the_log_is_adopted_though_its_ids_have_the_bots_form() -> None:
    harness = BotHarness(market_data(), usdt=1000, perp=1000, parameters=CALM)
    harness.world.set_leverage(OTHER, 1)
    harness.world.place(other_bots(Market.SPOT, Side.BUY, "10.02"))
    harness.world.place(other_bots(Market.PERP, Side.SELL, "10"))
    harness.wait(0.1)
    harness.run(0.1)
    assert harness.hedge.adopted
    assert harness.logged(Halted) == []


def test_another_bot_that_closes_a_leg_is_named_as_the_cause() -> None:
    harness = BotHarness(market_data(), usdt=1000, perp=1000, parameters=CALM)
    harness.world.set_leverage(OTHER, 1)
    harness.world.place(other_bots(Market.SPOT, Side.BUY, "10.02"))
    harness.world.place(other_bots(Market.PERP, Side.SELL, "10"))
    harness.wait(0.1)
    sold = other_bots(Market.SPOT, Side.SELL, "10", number=2)
    harness.run(0.4, at={0.1: lambda f: f.world.place(sold)})
    assert HaltReason.ANOTHER_BOT in [halt.reason for halt in harness.logged(Halted)]
    assert harness.short(OTHER) == 0
    assert harness.short(SYMBOL) == 0
