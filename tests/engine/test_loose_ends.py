"""What faults leave behind and a later cycle puts right: transfers in doubt, unread trades, dust, a lost rhythm."""

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.events import (
    CommandIssued,
    CommandRefused,
    CycleCompleted,
    DustKept,
    DustSwept,
    ExternalFills,
    FundingReceived,
    FundsTransferred,
    HedgeClosed,
    HedgeLost,
    HedgeOpened,
    NakedAlarmed,
)
from hedgerow.domain.execution import ExecutionLimits, ExecutionState, ExecutionStyle
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.books import books_difference
from hedgerow.domain.operator_requests import Answer, ResumeRequested
from hedgerow.domain.order import TimeInForce
from hedgerow.domain.position import Reason
from hedgerow.emulator.core.error_codes import Code
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault, SubmitFault
from hedgerow.strategy.parameters import FundingRateStrategy, PositionManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.worlds import SYMBOL, Listing, ScriptedMarketData

EAGER = StrategyParameters(
    execution=ExecutionLimits(max_naked_equity_fraction=Decimal("0.5")),
    funding_rate_strategy=FundingRateStrategy(funding_ma_periods=1),
    position_management=PositionManagement(fee_coverage_multiplier=0.01, max_position_age_hours=1000.0),
)
HOLD = StrategyParameters(
    funding_rate_strategy=FundingRateStrategy(funding_ma_periods=1),
    position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=87_600),
)


def harness(
    *submits: SubmitFault,
    reads: tuple[ReadFault, ...] = (),
    usdt: int = 500,
    interval_hours: int = 8,
    **options: object,
) -> BotHarness:
    faults = FaultPlan(submits=submits, reads=reads)
    market_data = ScriptedMarketData([Listing(rate="0.0006", interval_hours=interval_hours)])
    settings = {"parameters": HOLD, **options}
    return BotHarness(market_data, usdt=usdt, perp=1000 - usdt, faults=faults, latency_seconds=0.1, **settings)  # type: ignore[arg-type] # its own


@pytest.mark.parametrize("silence", [FaultKind.NOT_SENT, FaultKind.REJECT], ids=["never left", "refused for no reason"])
def test_a_transfer_whose_repetition_fails_is_not_taken_to_have_failed_itself(silence: FaultKind) -> None:
    done = SubmitFault(fault=FaultKind.SILENT_AFTER, command="transfer_funds")
    again = SubmitFault(fault=silence, command="transfer_funds", nth=2, times=2, code=Code.UNKNOWN)
    bot = harness(done, again, usdt=900)
    bot.run(0.5)
    bot.check_whole()
    assert bot.logged(CommandRefused)
    assert len(bot.logged(FundsTransferred)) == 1


def test_no_second_transfer_begins_while_the_first_is_in_doubt() -> None:
    silent = SubmitFault(fault=FaultKind.SILENT_AFTER, command="transfer_funds", times=200)
    bot = harness(silent, usdt=900)
    bot.run(0.3)
    assert bot.ledger.transfer_doubtful
    assert {command.transfer_id for command in bot.venue.sent if hasattr(command, "transfer_id")} == {
        bot.ledger.transfer.transfer_id if bot.ledger.transfer else ""
    }


def deleveraged(bot: BotHarness, fraction: int = 1) -> None:
    bot.world.deleverage(SYMBOL, bot.hedge.short / fraction)


def test_trades_that_could_not_be_read_are_booked_when_they_can_be() -> None:
    unread = ReadFault(read=Read.FILLS, after=OPENED + timedelta(hours=1), until=OPENED + timedelta(hours=2))
    bot = harness(reads=(unread,))
    bot.market_data.set_prices(OPENED + timedelta(hours=1), 104)
    bot.run(1.9, at={1.5: deleveraged})
    (assumed,) = bot.logged(ExternalFills)
    assert not assumed.fills[0].forced
    assert books_difference(bot.ledger.books, bot.world.account())
    bot.run(1)
    bot.check()
    real = bot.logged(ExternalFills)[-1]
    assert (real.late, real.fills[0].forced) == (True, True)
    assert len(bot.logged(ExternalFills)) == 2


def test_coins_that_were_moved_away_keep_their_stand_in() -> None:
    bot = harness()
    bot.run(0.2)
    coins = bot.hedge.pair.spot.floor_quantity(bot.coins() / 4)
    unread = ReadFault(read=Read.FILLS, after=bot.world.now, until=bot.world.now + timedelta(hours=1))
    other = harness(reads=(unread,))
    other.run(0.2)
    other.run(2, at={0.3: lambda f: f.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, coins)})
    other.check()
    assert {fill.trade_id > 0 for event in other.logged(ExternalFills) if event.late for fill in event.fills} == {True}


def test_funding_paid_while_a_slow_opening_was_at_work_is_in_the_books_when_it_ends() -> None:
    slow = StrategyParameters(
        execution=ExecutionLimits(style=ExecutionStyle.MAKER, max_naked_equity_fraction=Decimal("0.2")),
        funding_rate_strategy=FundingRateStrategy(funding_ma_periods=1),
        position_management=PositionManagement(loop_interval_seconds=3600),
    )
    market_data = ScriptedMarketData([Listing(rate="0.0006", interval_hours=1)])
    bot = BotHarness(market_data, start=OPENED + timedelta(minutes=58), parameters=slow, latency_seconds=0.1)
    bot.run(0.25)
    assert bot.hedge.opened_at > OPENED + timedelta(hours=1)
    assert [event.payment.at for event in bot.logged(FundingReceived)] == [OPENED + timedelta(hours=1)]
    assert bot.hedge.funding_received > 0
    bot.check_whole()


def test_a_slow_closing_whose_coins_were_sold_by_hand_stops_resting() -> None:
    slow = StrategyParameters(
        execution=ExecutionLimits(style=ExecutionStyle.MAKER, max_resting_loss_usd=Decimal(20)),
        funding_rate_strategy=FundingRateStrategy(funding_ma_periods=1),
        position_management=PositionManagement(fee_coverage_multiplier=0.01, max_position_age_hours=1000.0),
    )
    bot = harness(parameters=slow)
    sold = OPENED + timedelta(hours=7, minutes=3)

    def sell(harness: BotHarness) -> None:
        assert harness.ledger.execution is not None, "the closing that the settlement at 08:00 pays for is under way"
        coins = harness.hedge.pair.spot.floor_quantity(harness.coins() / 10)
        harness.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, coins)

    bot.run(7.5, at={7.05: sell})
    rested = [
        event.at
        for event in bot.logged(CommandIssued)
        if isinstance(event.command, PlaceOrder) and event.command.order.time_in_force is TimeInForce.GTX
    ]
    closed = bot.logged(HedgeClosed)[0].at
    assert not [at for at in rested if sold + timedelta(seconds=1) < at < closed]
    assert closed < sold + timedelta(minutes=2), "what rested took 50 s a slice"
    bot.check()


def test_dust_of_an_earlier_hedge_is_sold_with_the_next_one() -> None:
    bot = harness(parameters=EAGER, interval_hours=1)
    bot.run(12)
    bot.check()
    assert len(bot.logged(HedgeClosed)) >= 3
    kept = sum(event.lot.quantity for event in bot.logged(DustKept))
    assert bot.logged(DustSwept)
    left = bot.ledger.dust.get("AAA")
    assert (left.quantity if left else 0) < bot.hedge.pair.spot.lot < kept


def test_what_is_left_of_a_hedge_closed_by_hand_stays_the_bots() -> None:
    bot = harness()

    def close_both(harness: BotHarness) -> None:
        coins = harness.hedge.pair.spot.floor_quantity(harness.coins())
        harness.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, coins)
        harness.world.trade_by_hand(Market.PERP, SYMBOL, Side.BUY, harness.short(), reduce_only=True)

    bot.run(1, at={0.5: close_both})
    assert [lost.reason for lost in bot.logged(HedgeLost)] == [Reason.CLOSED_EXTERNALLY]
    lot = next(event.lot for event in bot.logged(DustKept))
    assert 0 < lot.quantity < bot.ledger.closed[-1].hedge.pair.spot.lot
    assert lot.cost == pytest.approx(lot.quantity * 100, rel=Decimal("0.001"))
    assert all(fill.trade_id > 0 for event in bot.logged(ExternalFills) for fill in event.fills)
    assert bot.coins() == bot.ledger.owned("AAA")


def test_a_bot_that_was_naked_for_a_while_goes_back_to_its_rhythm() -> None:
    refused = SubmitFault(
        fault=FaultKind.REJECT, command="place_order", market=Market.PERP, reduce_only=True, times=12, code=-2015
    )
    bot = harness(refused, parameters=EAGER)
    bot.run(9)
    assert bot.logged(HedgeClosed)
    assert bot.ledger.execution is None or bot.ledger.execution.state is not ExecutionState.NAKED
    closed = bot.logged(HedgeClosed)[0].at
    after = [event.at for event in bot.logged(CycleCompleted) if event.at > closed]
    assert max(b - a for a, b in pairwise(after)) < timedelta(minutes=6)


def test_a_halt_is_not_lifted_while_a_leg_is_naked() -> None:
    refused = SubmitFault(
        fault=FaultKind.REJECT, command="place_order", market=Market.PERP, reduce_only=True, times=10_000, code=-2015
    )
    bot = harness(refused, parameters=EAGER)
    answers: list[Answer] = []
    for _ in range(20):
        bot.run(1)
        job = bot.ledger.execution
        if job is not None and job.state is ExecutionState.NAKED:
            answers.append(bot.ask(ResumeRequested()))
            break
    assert [answer.done for answer in answers] == [False]
    assert "a leg is naked" in answers[0].text
    assert bot.ledger.halt is not None


def test_something_that_cannot_wait_ends_the_wait() -> None:
    bot = harness()
    bot.run(0.5, at={0.21: lambda f: f.bot.stop.wake()})
    assert bot.logged(HedgeOpened)
    times = [event.at for event in bot.logged(CycleCompleted)]
    woken = OPENED + timedelta(hours=0.21)
    assert any(timedelta(0) < at - woken < timedelta(seconds=5) for at in times)
    following = min(at for at in times if at > woken + timedelta(seconds=5))
    assert abs(following - woken - timedelta(minutes=5)) < timedelta(seconds=5)


def test_a_lot_that_the_owner_bought_back_is_no_profit() -> None:
    bot = harness()
    bot.market_data.set_prices(OPENED + timedelta(hours=1), 101)
    lot = Decimal("0.01")
    bot.run(2, at={0.5: lambda f: f.world.trade_by_hand(Market.PERP, SYMBOL, Side.BUY, lot, reduce_only=True)})
    assert bot.short() == bot.hedge.short
    assert [fill.quantity for event in bot.logged(ExternalFills) for fill in event.fills] == [lot]


def test_an_order_whose_outcome_stays_unknown_may_be_a_naked_leg_and_is_reported_as_one() -> None:
    # Neither the order itself nor the account's trades can tell.
    unread = [ReadFault(read=r, after=OPENED, until=OPENED + timedelta(minutes=3)) for r in (Read.RESOLVE, Read.FILLS)]
    bot = harness(SubmitFault(fault=FaultKind.SILENT_AFTER, market=Market.SPOT), reads=tuple(unread))
    bot.run(0.2)
    bot.check_whole()
    (alarm,) = bot.logged(NakedAlarmed)
    assert 5 < alarm.seconds < 8
    assert alarm.at < OPENED + timedelta(seconds=15)
    assert alarm.exposure == alarm.in_doubt > 0
    assert bot.ledger.max_naked_seconds > 170
