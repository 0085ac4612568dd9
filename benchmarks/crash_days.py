"""What days on which everything moves cost three hedges in one cross wallet: trades, margin moved, and the result.

    python benchmarks/crash_days.py

Generated days, and 2020-03-12 and 2021-05-19 where the market archive is at hand (HEDGEROW_DATA names another one).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from hedgerow.domain.events import HedgeRepaired
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, SubmitFault
from support.bot_harness import BotHarness
from support.crash_days import CRASH, HELD_SINCE, SQUEEZE, generated, historic, moved, played
from support.real_history import REAL_HISTORY


def print_cost(name: str, bot: BotHarness) -> None:
    """Print one line of a day."""
    account, transfers = bot.world.account(), moved(bot)
    fees = sum(hedge.tally.fees for hedge in bot.ledger.known_hedges)
    reduced = sum(event.at > HELD_SINCE for event in bot.logged(HedgeRepaired))
    ended = ", ".join(reason.value for reason in bot.reasons) or "none"
    print(
        f"{name:34} margin moved {len(transfers):2} times, {sum(event.amount for event in transfers):8.2f} USDT; "
        f"reduced {reduced} times; closed: {ended}; fees {fees:.2f} USDT; "
        f"held at the end {len(bot.ledger.open_hedges)}; margin balance {account.perp.margin_balance:.2f} USDT"
    )


def main() -> None:
    """Play every day and print what it cost."""
    refused = FaultPlan(submits=(SubmitFault(fault=FaultKind.REJECT, command="transfer_funds", nth=4, times=10_000),))
    print_cost("generated crash", played(generated(CRASH), 11))
    print_cost("generated squeeze", played(generated(SQUEEZE), 11))
    print_cost("the same, no transfer goes through", played(generated(SQUEEZE), 11, faults=refused))
    if (REAL_HISTORY / "prices_hourly.parquet").is_file():
        for day in ("2020-03-12", "2021-05-19"):
            print_cost(day, played(historic(REAL_HISTORY, day, hours=48), 48))


if __name__ == "__main__":
    main()
