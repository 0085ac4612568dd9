"""PostgreSQL killed with ``kill -9`` again and again under one trading bot, which lives through all of it.

Usage: python benchmarks/kill_postgres.py [--kills 20] [--interval 1800] [--seed 1] [--json FILE]
Three processes on loopback: a PostgreSQL server (Debian's, with fsync), `hedgerow emulator --state FILE` and
`hedgerow run --venue-clock` with its log in the database, and settings that close and open at every check. Each kill
waits for a request that changes something, lets some pass, and falls before it reaches the exchange, when its answer is
there, or some milliseconds later, in the middle of an append. The server is away for up to some seconds of real time.
At the end log and exchange are compared order by order. Exit code 1 when anything is wrong.
"""

import argparse
import sys
import threading
import time
from pathlib import Path
from random import Random

from msgspec import Struct

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from _exchange import PATIENCE, Bot, Exchange, configure, exchange, naked_seconds, variables, wrongs
from _report import offer_output, tell, workplace
from _wire import Incident, Wire
from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.events import CommandIssued, Event, HedgeClosed, HedgeOpened
from hedgerow.domain.ledger.reducers import fold
from hedgerow.store.postgres.connection import Connection
from hedgerow.store.postgres.log import PostgresReader, bots_in
from support.postgres import PostgresServer, postgres_programs, serve_postgres

TRADING = {"max_position_age_hours": 0.4, "better_opportunity_apr_points": 10_000}
LONGEST_AWAY_SECONDS = 4.0
"""Real seconds."""
BETWEEN_SECONDS = 0.5
"""Real seconds after a server is back before the next kill is aimed."""
AFTER_HOURS = 2.0
"""Simulated time that goes on undisturbed at the end."""


class Result(Struct, kw_only=True):
    """What came of it."""

    kills: int = 0
    before: int = 0
    """Kills before the request reached the exchange: its intent was confirmed."""
    after: int = 0
    """Kills when its answer was there: its outcome was not logged yet."""
    later: int = 0
    """Kills milliseconds after the answer: in the middle of an append."""
    longest_away_seconds: float = 0.0
    """Real time from a kill until the server answered again."""
    orders: int = 0
    events: int = 0
    opened: int = 0
    closed: int = 0
    lives: int = 1
    """Processes of the bot: 1 = it lived through every kill."""
    max_naked_seconds: float = 0.0
    """Simulated, by the exchange's fills."""
    seconds: float = 0.0
    wrongs: list[str] = []


class Killer:
    """Kills the server at the request that was drawn."""

    def __init__(self, server: PostgresServer, random: Random, result: Result) -> None:
        self._server = server
        self._random = random
        self._result = result
        self._left: int | None = None
        self._phase = ""
        self._hit = ""
        self.done = threading.Event()

    def aim(self) -> None:
        """Draw the moment of the next kill."""
        self.done.clear()
        self._phase = self._random.choice(("before", "after", "later"))
        self._hit = ""
        self._left = self._random.choice((0, 0, 1, 2, 3, 5, 8))

    def judge(self, request: str) -> Incident:
        """Let every request pass, after the kill where it is due."""
        if self._left is None or request.startswith("GET") or "/admin" in request:
            return Incident.PASS
        if self._left > 0:
            self._left -= 1
            return Incident.PASS
        self._left, self._hit = None, request
        if self._phase == "before":
            self._kill()
        return Incident.PASS

    def answered(self, request: str) -> None:
        """Kill when the answer of the request is there, or some milliseconds later."""
        if request != self._hit or self._phase == "before":
            return
        self._hit = ""
        delay = self._random.random() * 0.02 if self._phase == "later" else 0.0
        threading.Timer(delay, self._kill).start()

    def _kill(self) -> None:
        self._server.kill()
        self._result.kills += 1
        setattr(self._result, self._phase, getattr(self._result, self._phase) + 1)
        self.done.set()


def campaign(folder: Path, arguments: argparse.Namespace, server: PostgresServer, place: Exchange) -> Result:
    """Kill and start again, then judge."""
    random, result, address = Random(arguments.seed), Result(), server.new_database()
    killer = Killer(server, random, result)
    wire = Wire(place.port, killer.judge, answered=killer.answered)
    bot = Bot(folder, {**variables(*wire.ports), "HEDGEROW_DATABASE": address})
    try:
        for _ in range(arguments.kills):
            killer.aim()
            if not killer.done.wait(PATIENCE):
                raise RuntimeError(f"never came to a kill: the bot {'lives' if bot.alive else 'ended'}, {wire.now}")
            began = time.monotonic()
            time.sleep(random.random() * LONGEST_AWAY_SECONDS)
            server.start()
            result.longest_away_seconds = round(max(result.longest_away_seconds, time.monotonic() - began), 1)
            time.sleep(BETWEEN_SECONDS)
            if arguments.progress:
                print(f"{result.kills:4} kills, {wire.now:%a %H:%M}", flush=True)
        finish(bot, wire)
    finally:
        bot.kill()
        wire.close()
    judge(address, place, result)
    return result


def finish(bot: Bot, wire: Wire) -> None:
    """Let the bot go on undisturbed, and stop it as a user would."""
    end, deadline = wire.now.timestamp() + AFTER_HOURS * 3600, time.monotonic() + PATIENCE
    while wire.now.timestamp() < end:
        if not bot.alive or time.monotonic() > deadline:
            raise RuntimeError("the bot did not live to the end")
        time.sleep(0.05)
    code = bot.stop()
    if code not in {0, 3}:
        raise RuntimeError(f"the bot ended with {code}")


def judge(address: str, place: Exchange, result: Result) -> None:
    """Compare log and exchange."""
    events, exchange_account = log_of(address), place.exchange_account()
    ledger = fold(events)
    result.wrongs = wrongs(events, exchange_account)
    commands = [event.command for event in events if isinstance(event, CommandIssued)]
    sent = [command.order.client_id for command in commands if isinstance(command, PlaceOrder)]
    if len(sent) != len(set(sent)):
        result.wrongs.append("an order was logged twice")
    result.opened = sum(isinstance(event, HedgeOpened) for event in events)
    result.closed = sum(isinstance(event, HedgeClosed) for event in events)
    result.orders, result.events = len(exchange_account.exchange_orders), ledger.events
    result.max_naked_seconds = naked_seconds(exchange_account.world.journal.fills)


def log_of(address: str) -> tuple[Event, ...]:
    """Return the log of the only bot of a database."""
    connection = Connection(address, "the database")
    try:
        (bot,) = bots_in(connection)
        return tuple(PostgresReader(connection, bot).stream())
    finally:
        connection.close()


def main() -> int:
    """Play the campaign and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--interval", type=int, default=1800, help="seconds between two checks; each closes and opens")
    parser.add_argument("--slice", type=float, default=0.15, help="largest slice of a trade, as a part of equity")
    parser.add_argument("--seed", type=int, default=1)
    offer_output(parser)
    parser.add_argument("--progress", action="store_true", help="say how far it is")
    arguments = parser.parse_args()
    programs = postgres_programs()
    if programs is None:
        raise SystemExit("no PostgreSQL server is installed (Debian: postgresql)")
    began = time.monotonic()
    with workplace(arguments.keep) as folder, serve_postgres(programs) as server:
        configure(
            folder,
            position_management={**TRADING, "loop_interval_seconds": arguments.interval},
            execution={"settlement_guard_seconds": 0, "max_naked_equity_fraction": arguments.slice},
        )
        with exchange(folder) as place:
            result = campaign(folder, arguments, server, place)
    result.seconds = round(time.monotonic() - began, 1)
    tell(result, arguments.json)
    return 1 if result.wrongs else 0


if __name__ == "__main__":
    sys.exit(main())
