"""``hedgerow run`` killed with ``kill -9`` again and again over a simulated week, and the exchange now and then too.

Usage: python benchmarks/kill_week.py [--kills 200] [--exchange-kills 20] [--days 7] [--interval 1800] [--seed 1]
                                      [--json FILE]
Two processes on loopback, `hedgerow emulator --state FILE` and `hedgerow run --venue-clock`, and settings that close
and open at every check. The times are drawn from the seed on the simulated clock. Four kills in five wait for the
next order, transfer or setting, let some requests pass, and fall before a request reaches the exchange, while it is
there, once its answer is on the way, or some milliseconds after it; the others fall anywhere, starting up included.
At the end one life goes on undisturbed, and log and exchange are compared. Exit code 1 when anything is wrong.
"""

import argparse
import sys
import threading
import time
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from random import Random

from msgspec import Struct

from _exchange import (
    PATIENCE,
    START,
    Bot,
    Exchange,
    configure,
    events_of,
    exchange,
    ledger_of,
    naked_seconds,
    understated,
    variables,
    wrongs,
)
from _report import offer_output, tell, workplace
from _wire import Incident, Wire
from hedgerow.app.companion.asking import new_request
from hedgerow.clock import SystemClock
from hedgerow.config import Home, HomeMode
from hedgerow.domain.events import Halted, HedgeAborted, HedgeClosed, HedgeOpened
from hedgerow.domain.ledger.reducers import fold
from hedgerow.domain.operator_requests import ResumeRequested
from hedgerow.store.mailbox import FolderMailbox

TRADING = {"max_position_age_hours": 0.4, "better_opportunity_apr_points": 10_000}
IN_TRADES = 0.8
"""Part of the kills that wait for something to be sent."""
LONGEST_WAIT = timedelta(hours=2)
"""Simulated: a kill whose trade does not come falls at any time."""
AFTER_THE_WEEK_HOURS = 2.0


class Phase(StrEnum):
    """Where the request is when the bot dies."""

    BEFORE = "before it reaches the exchange"
    THERE = "while the exchange has it"
    UNHEARD = "when its answer is on the way"
    AFTER = "milliseconds after its answer"
    ANYWHERE = "at any time"


class Kill(Struct, frozen=True, kw_only=True):
    """One kill as drawn."""

    at: datetime
    """Simulated time from which on it waits for its request."""
    phase: Phase
    skipped: int
    """Requests that pass first, counted from the first that changes something."""
    delay: float
    """Real seconds."""


class Killer:
    """Kills the present bot at the time that was drawn; the wire reports every request to it."""

    def __init__(self) -> None:
        self.bot: Bot | None = None
        self.wire: Wire | None = None
        self.done = threading.Event()
        self._kill: Kill | None = None
        self._left = 0
        self._writing = False
        self._hit = ""

    def aim(self, kill: Kill, bot: Bot) -> None:
        """Wait for the time of one kill."""
        self.done.clear()
        self._left, self._writing, self._hit = kill.skipped, kill.phase is Phase.ANYWHERE, ""
        self.bot, self._kill = bot, kill

    def judge(self, request: str) -> Incident:
        """Let a request pass, unless this is the one."""
        kill, wire = self._kill, self.wire
        if kill is None or wire is None or wire.now < kill.at or self._hit:
            return Incident.PASS
        self._writing = self._writing or not request.startswith("GET") or wire.now > kill.at + LONGEST_WAIT
        if not self._writing:
            return Incident.PASS
        self._left -= 1
        if self._left >= 0:
            return Incident.PASS
        self._hit = request
        if kill.phase is Phase.BEFORE:
            self._inject()
            return Incident.REFUSED
        if kill.phase is Phase.THERE:
            wire.later(0, self._inject)
        elif kill.phase is Phase.ANYWHERE:
            wire.later(kill.delay, self._inject)
        return Incident.PASS

    def answered(self, request: str) -> None:
        """Strike when the answer of the request is there."""
        kill, wire = self._kill, self.wire
        if kill is None or wire is None or request != self._hit:
            return
        if kill.phase is Phase.UNHEARD:
            self._inject()
        elif kill.phase is Phase.AFTER:
            wire.later(kill.delay, self._inject)

    def _inject(self) -> None:
        bot, self._kill = self.bot, None
        if bot is not None:
            bot.process.kill()
            self.done.set()


class Result(Struct, kw_only=True):
    """What came of it."""

    kills: int = 0
    in_flight: int = 0
    """Kills after which the log held a job or a transfer that was not over."""
    exchange_kills: int = 0
    days: float = 0.0
    opened: int = 0
    closed: int = 0
    aborted: int = 0
    orders: int = 0
    events: int = 0
    halts: int = 0
    """How often the bot found a leg naked when it came back, said so and halted openings; the owner lifted each."""
    max_naked_seconds: float = 0.0
    """Longest time for which the legs differed on the exchange, by its fills."""
    reported_naked_seconds: float = 0.0
    """The same as the log has it."""
    seconds: float = 0.0
    phases: dict[str, int] = {}
    wrongs: list[str] = []


def drawn(random: Random, kills: int, days: float) -> list[Kill]:
    """Return kills over the days, oldest first."""
    phases = [phase for phase in Phase if phase is not Phase.ANYWHERE]
    found = [
        Kill(
            at=START + timedelta(days=days * random.random()),
            phase=random.choice(phases) if random.random() < IN_TRADES else Phase.ANYWHERE,
            skipped=random.choice((0, 0, 1, 2, 3, 5, 8, 13, 21)),
            delay=random.random() * 0.03,
        )
        for _ in range(kills)
    ]
    return sorted(found, key=lambda kill: kill.at)


OWNER_WAITS_SECONDS = 600.0
"""Real seconds for the next bot to start and read a request."""


def campaign(folder: Path, arguments: argparse.Namespace, place: Exchange) -> Result:
    """Kill and start again until the week is over, and judge."""
    random = Random(arguments.seed)
    result = Result(days=arguments.days, phases={})
    plan = drawn(random, arguments.kills, arguments.days)
    outages = set(random.sample(range(len(plan)), min(arguments.exchange_kills, len(plan))))
    killer = Killer()
    wire = killer.wire = Wire(place.port, killer.judge, answered=killer.answered)
    try:
        for number, kill in enumerate(plan):
            if life(folder, wire, killer, kill, result):
                clock = SystemClock()
                mailbox = FolderMailbox(Home(folder=folder, mode=HomeMode.LIVE).requests, clock)
                mailbox.post(new_request(ResumeRequested(), clock, user="owner", seconds=OWNER_WAITS_SECONDS))
            if number in outages:
                place.kill()
                place.start()
                result.exchange_kills += 1
            if arguments.progress and number % 10 == 9:  # noqa: PLR2004 - every tenth
                print(f"{number + 1:4} kills, {result.in_flight} in flight, {wire.now:%a %H:%M}", flush=True)
        end = START + timedelta(days=arguments.days, hours=AFTER_THE_WEEK_HOURS)
        last_life(folder, wire, max(end, wire.now + timedelta(hours=1)))
    finally:
        wire.close()
    judge(folder, place, result)
    return result


def life(folder: Path, wire: Wire, killer: Killer, kill: Kill, result: Result) -> bool:
    """Start a bot and wait until it is dead; tells whether openings are halted."""
    bot = Bot(folder, variables(*wire.ports))
    killer.aim(kill, bot)
    try:
        if not killer.done.wait(PATIENCE):
            raise RuntimeError(f"never came to {kill}: the bot {'lives' if bot.alive else 'ended'}, {wire.now}")
    finally:
        bot.kill()
    ledger = ledger_of(folder)
    result.kills += 1
    result.in_flight += ledger.execution is not None or ledger.transfer is not None
    result.phases[kill.phase] = result.phases.get(kill.phase, 0) + 1
    return ledger.halt is not None


def last_life(folder: Path, wire: Wire, end: datetime) -> None:
    """Let one bot live until a time, and stop it as a user would."""
    bot = Bot(folder, variables(*wire.ports))
    try:
        deadline = time.monotonic() + 10 * PATIENCE
        while wire.now < end:
            if not bot.alive or time.monotonic() > deadline:
                raise RuntimeError("the last bot did not live to the end")
            time.sleep(0.05)
        code = bot.stop()
        if code not in {0, 3}:
            raise RuntimeError(f"the last bot ended with {code}")
    finally:
        bot.kill()


def judge(folder: Path, place: Exchange, result: Result) -> None:
    """Compare log and exchange."""
    events, exchange_account = events_of(folder), place.exchange_account()
    ledger = fold(events)
    result.wrongs = wrongs(events, exchange_account)
    result.opened = sum(isinstance(event, HedgeOpened) for event in events)
    result.closed = sum(isinstance(event, HedgeClosed) for event in events)
    result.aborted = sum(isinstance(event, HedgeAborted) for event in events)
    result.orders, result.events = len(exchange_account.exchange_orders), len(events)
    result.max_naked_seconds = naked_seconds(exchange_account.world.journal.fills)
    result.reported_naked_seconds = ledger.max_naked_seconds
    result.wrongs += understated(result.max_naked_seconds, result.reported_naked_seconds)
    result.halts = sum(isinstance(event, Halted) for event in events)


def main() -> int:
    """Play the campaign and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--exchange-kills", type=int, default=20)
    parser.add_argument("--days", type=float, default=7.0)
    parser.add_argument("--interval", type=int, default=1800, help="seconds between two checks; each closes and opens")
    parser.add_argument("--slice", type=float, default=0.15, help="largest slice of a trade, as a part of equity")
    parser.add_argument("--seed", type=int, default=1)
    offer_output(parser)
    parser.add_argument("--progress", action="store_true", help="say how far it is")
    arguments = parser.parse_args()
    began = time.monotonic()
    with workplace(arguments.keep) as folder:
        configure(
            folder,
            position_management={**TRADING, "loop_interval_seconds": arguments.interval},
            execution={"settlement_guard_seconds": 0, "max_naked_equity_fraction": arguments.slice},
        )
        with exchange(folder) as place:
            result = campaign(folder, arguments, place)
    result.seconds = round(time.monotonic() - began, 1)
    tell(result, arguments.json)
    return 1 if result.wrongs else 0


if __name__ == "__main__":
    sys.exit(main())
