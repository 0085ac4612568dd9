"""Many bots on one PostgreSQL database for a simulated week, each on an exchange of its own.

Usage: python benchmarks/fleet_week.py [--bots 20] [--days 7] [--interval 900] [--seed 1] [--json FILE]
The bots run at once, each in a thread with a simulated clock, against a server with fsync (Debian's); settings that
trade whatever they may. Each log is compared with the bot's ledger and with its exchange, order by order and to the
last cent. Exit code 1 when anything is wrong.
"""

import argparse
import sys
import time
from pathlib import Path

from msgspec import Struct

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from _report import offer_output, tell
from support.fleets import eager, play_fleet
from support.postgres import postgres_programs, serve_postgres


class Result(Struct, kw_only=True):
    """What came of it."""

    bots: int
    days: float
    events: int
    orders: int
    opened: int
    appends_per_second: float
    """Events a second of real time, all bots together."""
    database_megabytes: float
    seconds: float
    wrongs: list[str]


def main() -> int:
    """Play the campaign and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bots", type=int, default=20)
    parser.add_argument("--days", type=float, default=7.0)
    parser.add_argument("--interval", type=int, default=900, help="seconds between two checks")
    parser.add_argument("--seed", type=int, default=1)
    offer_output(parser)
    arguments = parser.parse_args()
    programs = postgres_programs()
    if programs is None:
        raise SystemExit("no PostgreSQL server is installed (Debian: postgresql)")
    with serve_postgres(programs) as server:
        address, began = server.new_database(), time.monotonic()
        played = play_fleet(
            address, arguments.bots, arguments.days, parameters=eager(arguments.interval), seed=arguments.seed
        )
        seconds = time.monotonic() - began
        ((size,),) = server.execute("SELECT pg_database_size(current_database())", address.rpartition("/")[2])
    events = sum(bot.events for bot in played)
    result = Result(
        bots=len(played),
        days=arguments.days,
        events=events,
        orders=sum(bot.orders for bot in played),
        opened=sum(bot.opened for bot in played),
        appends_per_second=round(events / seconds, 1),
        database_megabytes=round(int(str(size)) / 2**20, 1),
        seconds=round(seconds, 1),
        wrongs=[f"{bot.name}: {wrong}" for bot in played for wrong in bot.wrongs],
    )
    tell(result, arguments.json)
    return 1 if result.wrongs else 0


if __name__ == "__main__":
    sys.exit(main())
