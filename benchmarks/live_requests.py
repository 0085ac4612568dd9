"""What a check asks of the exchange, at 45 and at 400 pairs, with and without streams: requests, weight, round trips.

    python benchmarks/live_requests.py

Counted where the requests arrive, on the wire in memory with a round trip of 100 ms: these are counts, the same on
every machine. The bot opens a hedge, is started again after the dust has settled, and holds it over a settlement of
every pair. "Between checks" is what it reads on slow timers while it waits.
"""

import sys

from _report import Budgets
from _wired import Check, Wiring

ROUND_TRIP = 0.1
OPENING_MINUTES = 19
HOLDING_MINUTES = {45: 16, 400: 11}
"""By pairs: every one of 400 markets moves each second, which takes the exchange some time to tell."""
SETTLED_AT_HOUR = 8
PREDECESSOR = {"requests": 258, "sequential round trips": 28}
"""The guide's own bot per check at 45 pairs, as counted in its code."""


def steady(checks: list[Check]) -> list[Check]:
    """Return the checks that held and neither followed a start nor a settlement."""
    return [c for c in checks[1:] if c.held and not c.issued and not settled(c)]


def settled(check: Check) -> bool:
    """Tell whether a check is the first after the settlement."""
    return check.began_at.hour == SETTLED_AT_HOUR and check.began_at.minute < 5  # noqa: PLR2004 - one check interval


def measure(budgets: Budgets, pairs: int, *, streams: bool) -> None:
    """Count one life of a bot."""
    wiring = Wiring(pairs=pairs, round_trip_seconds=ROUND_TRIP)
    opening = wiring.run(OPENING_MINUTES, streams=False)
    before = len(wiring.venue.arrivals)
    minutes = HOLDING_MINUTES[pairs]
    checks = wiring.run(minutes, streams=streams)
    quiet, (after,) = steady(checks), [c for c in checks if settled(c)]
    most_requests, most_weight = max(c.requests for c in quiet), max(c.weight for c in quiet)
    budgets.title(f"{pairs} pairs, {'with' if streams else 'without'} streams ({len(quiet)} quiet checks)")
    budgets.most("requests of a quiet check", most_requests, 2 if streams else 5)
    budgets.most("weight of a quiet check", most_weight, 20)
    budgets.most("sequential round trips of a quiet check", max(c.round_trips(ROUND_TRIP) for c in quiet), 2)
    budgets.most("weight more right after a settlement", after.weight - most_weight, 60)
    budgets.line("sequential round trips right after a settlement", str(after.round_trips(ROUND_TRIP)))
    arrivals = wiring.venue.arrivals[before:]
    in_checks = {a.number for c in checks for a in c.arrivals}
    between = [a for a in arrivals if a.number not in in_checks]
    weight = sum(a.weight for a in between)
    budgets.line(f"start, and between checks, in {minutes} minutes", f"{len(between)} requests, {weight} weight")
    first = opening[0]
    budgets.line("first check of all, opening a hedge in slices", f"{first.requests} requests, {first.weight} weight")


def main() -> int:
    """Print the figures; fails when a budget does not hold."""
    budgets = Budgets()
    for pairs in HOLDING_MINUTES:
        for streams in (False, True):
            measure(budgets, pairs, streams=streams)
    budgets.title("the guide's own bot, per check at 45 pairs")
    for what, count in PREDECESSOR.items():
        budgets.line(what, str(count))
    return 0 if budgets.held else 1


if __name__ == "__main__":
    sys.exit(main())
