"""Print what each day of a bot brought: funding, fees, hedges opened and closed.

    python examples/read_log.py hedgerow.db

Reads the event log only, also while the bot runs. docs/log.md lists the events and their fields.
"""

import json
import sqlite3
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

QUERY = "SELECT payload FROM events ORDER BY seq"


def events(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the events of a log, oldest first."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        for (payload,) in connection.execute(QUERY):
            yield json.loads(payload)
    finally:
        connection.close()


def main(path: Path) -> None:
    """Add up by UTC day. Amounts are decimals written as text: Decimal reads them exactly."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    sums: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for event in events(path):
        day = event["at"][:10] if "at" in event else ""
        match event["type"]:
            case "funding_received":
                payment = event["payment"]
                sums[payment["at"][:10], "funding"] += Decimal(payment["amount"])
                counts[payment["at"][:10]]["payments"] += 1
            case "fee_booked":
                sums[event["fill"]["at"][:10], "fees"] += Decimal(event["fee_quote"])
                counts[event["fill"]["at"][:10]]["trades"] += 1
            case "hedge_opened" | "hedge_closed" as kind:
                counts[day][kind.removeprefix("hedge_")] += 1
    print("day         payments  funding $  trades  fees $  opened  closed")
    for day, counted in sorted(counts.items()):
        funding, fees = sums[day, "funding"], sums[day, "fees"]
        print(
            f"{day}  {counted['payments']:>8}  {funding:>9.4f}  {counted['trades']:>6}  {fees:>6.2f}"
            f"  {counted['opened']:>6}  {counted['closed']:>6}"
        )


if __name__ == "__main__":
    log = Path(sys.argv[1] if len(sys.argv) > 1 else "hedgerow.db")
    if not log.is_file():
        sys.exit(f"{log} is {'a folder' if log.is_dir() else 'not there'}: give the event log of a bot, hedgerow.db")
    try:
        main(log)
    except (sqlite3.Error, OSError) as error:
        sys.exit(f"{log} cannot be read as an event log: {error}")
