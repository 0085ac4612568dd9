"""Three hedges in one cross wallet on days on which everything moves: none is liquidated, margin is moved in time."""

from pathlib import Path

import pytest

from crash_days import print_cost
from hedgerow.domain.events import HedgeRepaired
from hedgerow.domain.position import Reason
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, SubmitFault
from support.bot_harness import BotHarness
from support.crash_days import CRASH, HELD_SINCE, SQUEEZE, generated, historic, moved, played
from support.real_history import REAL_HISTORY


def check_survived(bot: BotHarness) -> None:
    bot.check()
    assert Reason.LIQUIDATED not in bot.reasons
    assert not bot.ledger.jobs
    for hedge in bot.ledger.open_hedges:
        assert bot.world.account().short(hedge.symbol) == hedge.short


def test_no_hedge_is_liquidated_in_a_crash() -> None:
    check_survived(played(generated(CRASH), 11))


def test_margin_is_moved_in_time_while_everything_rises() -> None:
    bot = played(generated(SQUEEZE), 11)
    check_survived(bot)
    assert moved(bot)


def test_hedges_are_made_smaller_and_survive_where_no_margin_can_be_moved() -> None:
    refused = SubmitFault(fault=FaultKind.REJECT, command="transfer_funds", nth=4, times=10_000)
    bot = played(generated(SQUEEZE), 11, faults=FaultPlan(submits=(refused,)))
    check_survived(bot)
    assert not moved(bot)
    assert [event for event in bot.logged(HedgeRepaired) if event.at > HELD_SINCE] or bot.reasons


def test_the_benchmark_prints_what_a_day_cost_and_moved(capsys: pytest.CaptureFixture[str]) -> None:
    bot = played(generated(SQUEEZE), 11)
    print_cost("squeeze", bot)
    line = capsys.readouterr().out
    amounts = [event.amount for event in moved(bot)]
    fees = sum(hedge.tally.fees for hedge in bot.ledger.known_hedges)
    assert line.startswith("squeeze ")
    for part in (
        f"margin moved {len(amounts):2} times, {sum(amounts):8.2f} USDT",
        f"fees {fees:.2f} USDT",
        f"held at the end {len(bot.ledger.open_hedges)}",
        f"margin balance {bot.world.account().perp.margin_balance:.2f} USDT",
    ):
        assert part in line
    assert sum(amounts) > 0
    assert fees > 0


@pytest.mark.parametrize("day", ["2020-03-12", "2021-05-19"])
def test_no_hedge_is_liquidated_on_days_of_history(history: Path, day: str) -> None:
    hours = 30 if history == REAL_HISTORY else 24
    check_survived(played(historic(history, day, hours=hours), hours))
