"""Orders that no look-up shows and that land all the same, while the bot goes on by what it knows."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.events import (
    ExecutionStarted,
    Halted,
    HaltReason,
    HedgeAborted,
    HedgeClosed,
    HedgeOpened,
    OrderEnded,
)
from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.operator_requests import HaltRequested
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, SubmitFault
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.worlds import SYMBOL, make_pair

SPOT, PERP, BUY, SELL = Market.SPOT, Market.PERP, Side.BUY, Side.SELL
NONCE_VALIDITY = 60.0


def lost(market: Market, side: Side, seconds: float, *, times: int = 1, arrives: bool = True) -> FaultPlan:
    """Lose the answers of ``times`` orders; each is executed so many seconds later, or never."""
    fault = SubmitFault(
        fault=FaultKind.LATE if arrives else FaultKind.SILENT_BEFORE,
        command="place_order",
        market=market,
        side=side,
        times=times,
        seconds=seconds if arrives else 0.0,
    )
    return FaultPlan(submits=(fault,))


def harness(plan: FaultPlan) -> BotHarness:
    return BotHarness(faults=plan, latency_seconds=0.05, certain_after_seconds=NONCE_VALIDITY)


@pytest.mark.parametrize("seconds", [3.0, 11.0, 45.0])
@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize(("market", "side"), [(SPOT, BUY), (PERP, SELL)])
def test_an_opening_whose_orders_land_late_is_hedged_to_the_end(
    market: Market, side: Side, times: int, seconds: float
) -> None:
    bot = harness(lost(market, side, seconds, times=times))
    bot.run(0.4)
    bot.check()
    assert bot.ledger.execution is None
    assert bot.ledger.doubtful_orders == ()
    if bot.ledger.largest:
        bot.check_whole()
    assert bot.short() == (bot.ledger.largest.short if bot.ledger.largest else 0), "no short is disowned"
    assert bot.coins() == bot.ledger.owned("AAA")


@pytest.mark.parametrize(("market", "side"), [(SPOT, BUY), (PERP, SELL)])
def test_an_order_that_never_arrives_is_replaced_without_waiting_for_its_nonce(market: Market, side: Side) -> None:
    bot = harness(lost(market, side, 0, arrives=False))
    bot.run(0.4)
    bot.check_whole()
    if market is PERP:
        assert min(closed.seconds for closed in [bot.hedge.opening_quality] if closed) > NONCE_VALIDITY
        ends = bot.logged(OrderEnded)
        filled = [end for end in ends if end.client_id.split("-")[1] == "p" and end.filled_quantity]
        coins = [end for end in ends if end.client_id.split("-")[1] == "s" and end.filled_quantity]
        assert (filled[0].at - coins[0].at).total_seconds() < 10, "hedged by what is known"


def test_nothing_is_opened_while_an_own_order_may_still_land() -> None:
    bot = harness(lost(PERP, SELL, 50, times=3))
    bot.run(0.5)
    openings = [event.at for event in bot.logged(ExecutionStarted) if event.execution.kind is ExecutionKind.OPEN]
    ended = [event.at for event in bot.log if isinstance(event, HedgeOpened | HedgeAborted)]
    landed = [event.at for event in bot.logged(OrderEnded)]
    assert ended
    for start in openings[1:]:
        assert any(end <= start for end in ended)
        assert not [at for at in landed if ended[0] < at < start]


@pytest.mark.parametrize("seconds", [3.0, 45.0])
@pytest.mark.parametrize(("market", "side"), [(SPOT, SELL), (PERP, BUY)])
def test_a_closing_whose_orders_land_late_ends_flat(market: Market, side: Side, seconds: float) -> None:
    bot = harness(lost(market, side, seconds, times=2))
    bot.run(0.3)
    bot.ask(HaltRequested())
    bot.parameters = StrategyParameters(position_management=PositionManagement(max_position_age_hours=0.1))
    bot.run(0.3)
    assert bot.logged(HedgeClosed)
    bot.check_flat()
    assert bot.coins() * 100 < Decimal(6)


def test_a_naked_closing_stops_when_its_short_is_gone_though_no_order_is_answered() -> None:
    refused = SubmitFault(fault=FaultKind.REJECT, command="place_order", market=PERP, side=BUY, code=-2015)
    (silent,) = lost(PERP, BUY, 0, times=999, arrives=False).submits
    bot = harness(FaultPlan(submits=(refused, replace(silent, nth=2))))
    bot.run(0.3)
    bot.ask(HaltRequested())
    bot.parameters = StrategyParameters(position_management=PositionManagement(max_position_age_hours=0.1))
    sent: list[int] = []

    def cover(running: BotHarness) -> None:
        job = running.ledger.execution
        assert job is not None
        assert ExecutionState.NAKED in {job.state, job.resume}
        running.world.trade_by_hand(PERP, job.symbol, BUY, running.short())
        sent.append(len(running.venue.orders))

    bot.run(0.4, at={0.1: cover})
    after = [command.order for command in bot.venue.orders[sent[0] :]]
    assert [order for order in after if order.reduce_only] == []


def sell_all(bot: BotHarness) -> None:
    bot.world.trade_by_hand(SPOT, SYMBOL, SELL, make_pair().spot.floor_quantity(bot.coins()))


def test_coins_that_their_owner_sells_while_orders_are_in_doubt_keep_no_closing_from_its_short() -> None:
    # Both orders for a slice's short land: the coins ahead of it are to be sold, and are not there any more.
    plan = lost(PERP, BUY, 11, times=2)
    bot = BotHarness(usdt=1000, perp=1000, faults=plan, latency_seconds=0.05, certain_after_seconds=NONCE_VALIDITY)
    bot.run(0.3)
    bot.ask(HaltRequested())
    bot.parameters = StrategyParameters(position_management=PositionManagement(max_position_age_hours=0.1))
    begun = bot.clock.now()
    bot.run(0.1, at={3 / 3600: sell_all})
    (closed,) = bot.logged(HedgeClosed)
    assert (closed.at - begun).total_seconds() < 60
    bot.check_flat()
    refused = [order for order in bot.venue.orders if order.order.client_id.split("-")[1] == "s"][-1]
    ends = [end for end in bot.logged(OrderEnded) if end.client_id == refused.order.client_id]
    assert [end.filled_quantity for end in ends] == [0], "the first sale that is refused is the last one"


def test_an_opening_whose_coins_their_owner_sells_ends_when_the_account_cannot_be_of_before_it() -> None:
    refused = SubmitFault(fault=FaultKind.REJECT, command="place_order", market=PERP, side=SELL, times=1000, code=-2019)
    bot = BotHarness(faults=FaultPlan(submits=(refused,)), latency_seconds=0.05)
    bot.run(0.3, at={1 / 3600: sell_all})
    aborted, *_ = bot.logged(HedgeAborted)
    assert aborted.detail == "the account does not have the coins that were left to sell"
    assert 120 < (aborted.at - OPENED).total_seconds() < 300
    assert bot.ledger.owned("AAA") == bot.coins(), "what the owner sold is booked"


def test_a_closing_whose_orders_are_all_lost_is_called_naked_and_halts_openings() -> None:
    bot = harness(lost(PERP, BUY, 0, times=999, arrives=False))
    bot.run(0.3)
    bot.parameters = StrategyParameters(position_management=PositionManagement(max_position_age_hours=0.1))
    bot.run(0.3)
    begun = next(event.at for event in bot.logged(ExecutionStarted) if event.execution.kind is ExecutionKind.CLOSE)
    halts = [event for event in bot.logged(Halted) if event.reason is HaltReason.NAKED]
    assert (halts[0].at - begun).total_seconds() < 3 * NONCE_VALIDITY


def test_an_opening_whose_second_leg_is_lost_again_and_again_is_taken_back() -> None:
    bot = harness(lost(PERP, SELL, 0, times=999, arrives=False))
    bot.run(0.2)
    begun = next(event.at for event in bot.logged(ExecutionStarted) if event.execution.kind is ExecutionKind.OPEN)
    assert (bot.logged(HedgeAborted)[0].at - begun).total_seconds() < 4 * NONCE_VALIDITY
