"""Replies that fail, lag or cannot be read: nothing is taken for missing, flat or healthy."""

from datetime import timedelta

import pytest

from hedgerow.domain.events import (
    FundsTransferred,
    HedgeClosed,
    HedgeOpened,
)
from hedgerow.domain.instrument import Side
from hedgerow.emulator.fault_kinds import OF_READS, OF_THE_VENUE, FaultKind
from hedgerow.emulator.inprocess.faults import (
    FaultPlan,
    LaggingBalances,
    Read,
    ReadFault,
    VenueFault,
)
from hedgerow.engine.notices import NoOpportunity, ReadFailed
from support.bot_harness import OPENED, BotHarness
from support.regressions import SPOT, assert_sound, settings
from support.worlds import START, SYMBOL, Listing, ScriptedMarketData

HOUR = timedelta(hours=1)


def opened(market_data: ScriptedMarketData, **sections: dict[str, int]) -> bool:
    harness = BotHarness(market_data, parameters=settings(**sections), latency_seconds=0.05)
    harness.run(0.5)
    assert_sound(harness)
    return harness.ledger.largest is not None


@pytest.mark.parametrize("error", list(OF_READS))
@pytest.mark.parametrize("read", list(Read))
def test_reads_that_fail_close_nothing(read: Read, error: FaultKind) -> None:
    """Did: took one failed GET for a position that is not there, and closed a healthy one."""
    failing = ReadFault(read=read, fault=error, after=OPENED + HOUR, until=OPENED + 3 * HOUR)
    harness = BotHarness(parameters=settings(), faults=FaultPlan(reads=(failing,)), latency_seconds=0.05)
    harness.run(4)
    assert_sound(harness)
    assert not harness.logged(HedgeClosed)
    assert len(harness.logged(HedgeOpened)) == 1
    harness.check_whole()


@pytest.mark.parametrize("read", [Read.MARKET, Read.ACCOUNT])
def test_reads_that_fail_pass_no_check_and_are_reported(read: Read) -> None:
    """Did: the mirror image; a health check that could read nothing found nothing wrong."""
    failing = ReadFault(read=read, after=OPENED, until=OPENED + 2 * HOUR)
    harness = BotHarness(parameters=settings(), faults=FaultPlan(reads=(failing,)))
    harness.run(1.9)
    assert harness.venue.orders == []
    assert all(read.value in notice.missing[0] for notice in harness.notices_of(ReadFailed))
    assert len(harness.notices_of(ReadFailed)) > 10
    harness.run(0.5)
    assert harness.logged(HedgeOpened)
    assert_sound(harness)


def test_a_pair_whose_rate_or_book_cannot_be_read_is_refused() -> None:
    """Did: took a missing rate for zero and a failed spread check for a pass, and opened."""
    market_data = ScriptedMarketData([Listing(SYMBOL, rate="0.0006"), Listing("BBBUSDT", spot=20, rate="0.0006")])
    market_data.set_predicted(START, None)
    market_data.set_missing_sides(START, {SPOT: Side.SELL}, symbol="BBBUSDT")
    harness = BotHarness(market_data, parameters=settings())
    harness.run(1)
    assert_sound(harness)
    assert harness.venue.orders == []


def test_balances_that_lag_are_not_levelled_twice() -> None:
    """Did: rebalanced again 1.5 s later on balances that had not settled, the wrong way: 5.6 % of the capital idle."""
    faults = FaultPlan(lagging=LaggingBalances(seconds=3.0))
    parameters = settings(position_management={"max_position_age_hours": 5})
    harness = BotHarness(usdt=900, perp=100, parameters=parameters, faults=faults, latency_seconds=0.1)
    harness.run(1)
    assert [event.amount for event in harness.logged(FundsTransferred)] == [400]
    harness.run(6)
    assert_sound(harness)
    assert harness.logged(HedgeClosed)
    for closed in harness.logged(HedgeClosed):
        near = [t for t in harness.logged(FundsTransferred) if abs(t.at - closed.at) < timedelta(minutes=1)]
        assert len(near) <= 1
    assert all(event.amount < 50 for event in harness.logged(FundsTransferred)[1:]), (
        "what a hedge won and lost, no more"
    )


@pytest.mark.parametrize("kind", list(OF_THE_VENUE))
def test_a_ban_or_a_limit_is_neither_a_missing_position_nor_a_missing_opportunity(kind: FaultKind) -> None:
    """Did: swallowed a 418 as None; the bot saw no opportunities, or closed what it believed to be gone."""
    away = VenueFault(fault=kind, after=OPENED + HOUR, until=OPENED + 2 * HOUR)
    harness = BotHarness(parameters=settings(), faults=FaultPlan(venue_faults=(away,)), latency_seconds=0.05)
    harness.run(4)
    assert_sound(harness)
    assert not harness.logged(HedgeClosed)
    harness.check_whole()
    if kind is FaultKind.BANNED:
        assert len(harness.notices_of(ReadFailed)) > 10


def test_a_ban_while_it_looks_for_a_pair_is_reported_as_what_it_is() -> None:
    """Did: as above."""
    away = VenueFault(fault=FaultKind.BANNED, after=OPENED, until=OPENED + HOUR)
    harness = BotHarness(parameters=settings(), faults=FaultPlan(venue_faults=(away,)), latency_seconds=0.05)
    harness.run(0.9)
    assert harness.notices_of(ReadFailed)
    assert not harness.notices_of(NoOpportunity)
    assert "banned" in harness.notices_of(ReadFailed)[0].missing[0]
    harness.run(1)
    harness.check_whole()
