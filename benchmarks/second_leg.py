"""How soon the second leg is on the wire after the first one filled, at 20, 100 and 300 ms between bot and exchange.

    python benchmarks/second_leg.py

Seconds are the clock's: the wire is in memory, and a report needs half a round trip. "Worked" is what the bot really
did between hearing of the fill and sending the other order: reading the report, two appends to an SQLite log of which
one is synced to the disk, the next step, a nonce, a signature.
"""

import statistics
import sys
import tempfile
from pathlib import Path

from _report import Budgets
from _wired import START, Wiring
from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.events import CommandIssued, Event, OrderEnded
from hedgerow.domain.instrument import Market
from hedgerow.store.sqlite import SqliteStore

ROUND_TRIPS = (0.02, 0.1, 0.3)
MINUTES = 1.0
EXTRA_MS = 5.0


def fills(events: tuple[Event, ...]) -> list[float]:
    """Return when each spot order filled at the exchange, in seconds of the clock."""
    orders = [e.command.order for e in events if isinstance(e, CommandIssued) and isinstance(e.command, PlaceOrder)]
    spot = {order.client_id for order in orders if order.market is Market.SPOT}
    ends = [e for e in events if isinstance(e, OrderEnded) and e.client_id in spot and e.filled_quantity]
    return [(end.at - START).total_seconds() for end in ends]


def measure(budgets: Budgets, round_trip: float, *, streams: bool) -> None:
    """Open one hedge in slices, and look at each follower."""
    wiring = Wiring(pairs=10, round_trip_seconds=round_trip)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.db"
        wiring.run(MINUTES, streams=streams, store=SqliteStore(log))
        filled = fills(wiring.read(SqliteStore(log)))
    followers = [d for d in wiring.way.left if (d.method, d.path) == ("POST", "/fapi/v3/order")]
    if len(followers) != len(filled):
        raise SystemExit(f"{len(filled)} fills and {len(followers)} orders that follow: nothing to compare")
    late = [1e3 * (order.at - at - round_trip / 2) for order, at in zip(followers, filled, strict=True)]
    idle = [1e3 * order.after_heard for order in followers]
    worked = [1e3 * order.worked for order in followers]
    budgets.title(f"{1e3 * round_trip:.0f} ms, {'with' if streams else 'without'} streams ({len(followers)} followers)")
    waited = f"{statistics.median(idle):.1f}, at most {max(idle):.1f} ms"
    budgets.line("waited after hearing of the fill", waited, budget="0 ms", holds=max(idle) < 1)
    figures = f"{statistics.median(late):.1f}, at most {max(late):.1f} ms"
    allowed = 1e3 * round_trip + EXTRA_MS
    holds = max(late) <= allowed if streams else None
    budgets.line("after the fill's report could be here", figures, budget=f"<= {allowed:.0f} ms", holds=holds)
    budgets.line("worked (this machine)", f"{statistics.median(worked):.1f}, at most {max(worked):.1f} ms")


def main() -> int:
    """Print the figures; fails when a budget does not hold."""
    budgets = Budgets()
    for streams in (True, False):
        for round_trip in ROUND_TRIPS:
            measure(budgets, round_trip, streams=streams)
    return 0 if budgets.held else 1


if __name__ == "__main__":
    sys.exit(main())
