"""A simulated week of two processes in lockstep over sockets, whole or with the wire between them cut again and again.

Usage: python benchmarks/cut_week.py [--cuts 60] [--days 7] [--interval 300] [--seed 1] [--json FILE]
`hedgerow emulator --state FILE`, `hedgerow run --venue-clock`, and a wire between them that for random spans of
simulated time refuses requests, tears answers off in the middle, or lets requests or answers disappear; every other
span begins with an order. `--cuts 0` leaves the wire whole. The bot's clock passes: it is no part of the exchange.
At the end log and exchange are compared, and nothing may have been decided while nothing could be read. Exit code 1
when anything is wrong.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
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
from hedgerow.domain.events import Event, ExecutionStarted, Halted, HedgeClosed, HedgeOpened, OrderOutcomeUnknown

SHORTEST_CUT_SECONDS, LONGEST_CUT_SECONDS, LONGEST_IN_TRADE_SECONDS = 2.0, 7200.0, 600.0
DECISION_SECONDS = 5.0
"""How old a reading may be when a job begins: it may have been made before the cut."""
AFTER_THE_WEEK_HOURS = 2.0
IMPATIENCE_SECONDS = "0.1"
"""Real seconds after which what never answers has been waited for: time-outs themselves run on the simulated clock."""


class Cut(Struct, kw_only=True):
    """A span of simulated time in which requests meet one fate."""

    begin: datetime
    seconds: float
    incident: Incident
    in_trade: bool
    """Whether it waits for the next order, transfer or setting, so that it falls into a trade."""

    @property
    def end(self) -> datetime:
        """When the wire is whole again."""
        return self.begin + timedelta(seconds=self.seconds)


class Result(Struct, kw_only=True):
    """What came of it."""

    days: float = 0.0
    interval_seconds: int = 0
    cuts: int = 0
    cut_hours: float = 0.0
    incidents: dict[str, int] = {}
    checks: int = 0
    opened: int = 0
    closed: int = 0
    orders: int = 0
    unknown_outcomes: int = 0
    halts: int = 0
    max_naked_seconds: float = 0.0
    """Longest naked exposure, by the exchange's fills."""
    reported_naked_seconds: float = 0.0
    """Longest that the bot reported: an order whose outcome is unknown counts from when it was sent."""
    cpu_seconds: float = 0.0
    seconds: float = 0.0
    wrongs: list[str] = []


def drawn(random: Random, count: int, days: float) -> list[Cut]:
    """Return spans in turn, oldest first; short ones are more frequent than long ones, every other one hits a trade."""
    incidents = [incident for incident in Incident if incident is not Incident.PASS]
    room = timedelta(days=days) / max(count, 1)
    longest = (LONGEST_CUT_SECONDS / SHORTEST_CUT_SECONDS, LONGEST_IN_TRADE_SECONDS / SHORTEST_CUT_SECONDS)
    return [
        Cut(
            begin=START + room * (number + random.random() / 2),
            seconds=SHORTEST_CUT_SECONDS * longest[number % 2] ** random.random(),
            incident=incidents[number // 2 % len(incidents)],
            in_trade=number % 2 == 1,
        )
        for number in range(count)
    ]


class CutSchedule:
    """Judges each request by the cut that is active, if any."""

    def __init__(self, cuts: Sequence[Cut]) -> None:
        self.cuts = cuts
        self.past: list[Cut] = []
        """Those that began, each with the time at which it did."""
        self.wire: Wire | None = None

    def judge(self, request: str) -> Incident:
        """Say what becomes of a request now."""
        now = START if self.wire is None else self.wire.now
        if self.past and now < self.past[-1].end:
            return self.past[-1].incident
        following = next((cut for cut in self.cuts[len(self.past) :] if cut.begin <= now), None)
        if following is None or (following.in_trade and request.startswith("GET")):
            return Incident.PASS
        if following.in_trade:
            following.begin = now
        self.past.append(following)
        return following.incident if now < following.end else Incident.PASS


def undue(events: Sequence[Event], cuts: Sequence[Cut]) -> list[str]:
    """Return every job that began while nothing could be read."""
    slack = timedelta(seconds=DECISION_SECONDS)
    return [
        f"{event.execution.kind} of {event.execution.symbol} at {event.at} while the wire was cut"
        for event in events
        if isinstance(event, ExecutionStarted) and any(cut.begin + slack < event.at < cut.end for cut in cuts)
    ]


def week(folder: Path, arguments: argparse.Namespace, place: Exchange) -> Result:
    """Play it, and judge."""
    schedule = CutSchedule(drawn(Random(arguments.seed), arguments.cuts, arguments.days))
    wire = schedule.wire = Wire(place.port, schedule.judge)
    try:
        given = {**variables(*wire.ports), "HEDGEROW_LOCKSTEP_PATIENCE": IMPATIENCE_SECONDS}
        bot = Bot(folder, given if arguments.cuts else variables(*wire.ports))
        try:
            end = START + timedelta(days=arguments.days, hours=AFTER_THE_WEEK_HOURS)
            cpu = lived(bot, wire, end) + place.cpu_seconds
        finally:
            bot.kill()
    finally:
        wire.close()
    result = judged(folder, place, schedule.past)
    result.days, result.interval_seconds = arguments.days, arguments.interval
    result.incidents = {str(incident): count for incident, count in wire.incidents.items()}
    result.cpu_seconds = round(cpu, 1)
    return result


def lived(bot: Bot, wire: Wire, end: datetime) -> float:
    """Let a bot live until a time and stop it as a user would; returns its processor seconds."""
    deadline = time.monotonic() + 20 * PATIENCE
    while wire.now < end:
        if not bot.alive or time.monotonic() > deadline:
            raise RuntimeError(f"the bot did not live to the end: {wire.now}")
        time.sleep(0.05)
    seconds = bot.cpu_seconds
    code = bot.stop()
    if code not in {0, 3}:
        raise RuntimeError(f"the bot ended with {code}")
    return seconds


def judged(folder: Path, place: Exchange, cuts: Sequence[Cut]) -> Result:
    """Compare log and exchange."""
    events, exchange_account, ledger = events_of(folder), place.exchange_account(), ledger_of(folder)
    naked, reported = naked_seconds(exchange_account.world.journal.fills), ledger.max_naked_seconds
    return Result(
        cuts=len(cuts),
        cut_hours=round(sum(cut.seconds for cut in cuts) / 3600, 2),
        checks=ledger.totals.cycles,
        opened=sum(isinstance(event, HedgeOpened) for event in events),
        closed=sum(isinstance(event, HedgeClosed) for event in events),
        orders=len(exchange_account.exchange_orders),
        unknown_outcomes=len({event.client_id for event in events if isinstance(event, OrderOutcomeUnknown)}),
        halts=sum(isinstance(event, Halted) for event in events),
        max_naked_seconds=naked,
        reported_naked_seconds=reported,
        wrongs=wrongs(events, exchange_account) + undue(events, cuts) + understated(naked, reported),
    )


def main() -> int:
    """Play the week and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=60)
    parser.add_argument("--days", type=float, default=7.0)
    parser.add_argument("--interval", type=int, default=300, help="seconds between two checks")
    parser.add_argument("--age", type=float, default=2.0, help="hours after which a hedge is closed")
    parser.add_argument("--seed", type=int, default=1)
    offer_output(parser)
    arguments = parser.parse_args()
    began = time.monotonic()
    rules = {
        "max_position_age_hours": arguments.age,
        "loop_interval_seconds": arguments.interval,
        "better_opportunity_apr_points": 10_000,
    }
    with workplace(arguments.keep) as folder:
        configure(folder, position_management=rules)
        with exchange(folder) as place:
            result = week(folder, arguments, place)
    result.seconds = round(time.monotonic() - began, 1)
    tell(result, arguments.json)
    return 1 if result.wrongs else 0


if __name__ == "__main__":
    sys.exit(main())
