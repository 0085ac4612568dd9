"""``hedgerow close SYMBOL`` of a position that the log does not know: taken over first, closed by the same machine."""

from decimal import Decimal
from pathlib import Path

import pytest

from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.operator_requests import CloseRequested
from hedgerow.domain.position import Reason
from hedgerow.strategy.parameters import AdoptMode, FundingRateStrategy, PositionManagement, StrategyParameters
from support.bot_harness import BotHarness
from support.mail import asked, mailbox_in
from support.worlds import SYMBOL

ALOOF = StrategyParameters(
    funding_rate_strategy=FundingRateStrategy(min_funding_apr=10),
    position_management=PositionManagement(adopt=AdoptMode.NEVER),
)
"""Opens nothing and adopts nothing by itself."""
BASE = SYMBOL.removesuffix("USDT")
TAKE_OVER = CloseRequested(symbol=SYMBOL, take_over=True)


def made_by_hand(coins: str = "3", short: str = "2") -> BotHarness:
    harness = BotHarness(parameters=ALOOF)
    if Decimal(coins):
        harness.world.trade_by_hand(Market.SPOT, SYMBOL, Side.BUY, Decimal(coins))
    if Decimal(short):
        harness.world.trade_by_hand(Market.PERP, SYMBOL, Side.SELL, Decimal(short))
    return harness


def test_a_running_bot_takes_over_and_closes_and_what_is_beyond_the_short_stays(tmp_path: Path) -> None:
    harness, mailbox = made_by_hand(), mailbox_in(tmp_path)
    before = harness.coins()
    harness.run(1, mailbox=mailbox, at={0.5: lambda _: mailbox.post(asked("1", TAKE_OVER))})
    answer = mailbox.collect("1")
    assert answer is not None
    assert answer.done, answer
    assert harness.reasons == [Reason.USER]
    assert harness.ledger.halt is not None
    assert before - harness.coins() == 2 - harness.ledger.owned(BASE)
    harness.check_flat()


def test_with_a_fresh_log_it_is_closed_too(tmp_path: Path) -> None:
    harness, mailbox = made_by_hand("2", "2"), mailbox_in(tmp_path)
    mailbox.post(asked("1", TAKE_OVER))
    harness.run(0.2, mailbox=mailbox)
    assert harness.reasons == [Reason.USER]
    harness.check_flat()


@pytest.mark.parametrize(("coins", "short"), [("0", "0"), ("3", "0"), ("0", "2")])
def test_one_leg_alone_is_no_hedge_and_is_left_alone(coins: str, short: str, tmp_path: Path) -> None:
    harness, mailbox = made_by_hand(coins, short), mailbox_in(tmp_path)
    before = harness.coins(), harness.short()
    harness.run(1, mailbox=mailbox, at={0.5: lambda _: mailbox.post(asked("1", TAKE_OVER))})
    answer = mailbox.collect("1")
    assert answer is not None
    assert not answer.done
    assert "no short with coins against it" in answer.text
    assert (harness.coins(), harness.short()) == before


def test_without_a_request_nothing_is_taken_over(tmp_path: Path) -> None:
    harness, mailbox = made_by_hand(), mailbox_in(tmp_path)
    harness.run(1, mailbox=mailbox, at={0.5: lambda _: mailbox.post(asked("1", CloseRequested(symbol=SYMBOL)))})
    answer = mailbox.collect("1")
    assert answer is not None
    assert answer.text == "No position is held."
    assert harness.short() == 2
