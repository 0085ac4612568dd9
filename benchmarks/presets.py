"""What each preset earned and cost: the tables of docs/presets.md, from the demo's own JSON.

Usage: python benchmarks/presets.py [--data DIR [--starts 2024-09-01,...]] [--seeds 1,2,3,4,5] [--presets guide,...]
Each row is one `hedgerow demo`; the commands are printed above the tables. No window was chosen by its result: with
--data, 120 days from 1 September of each year that the files cover, and their last 120 days; without, a few seeds of
the generated market. A window's character is measured on the settled rates of BTCUSDT: mean APR of its first and of
its second half.
"""

import argparse
import io
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct

from hedgerow.cli import main as command
from hedgerow.config.presets import PresetName
from hedgerow.history.archive import ArchiveMarketData
from hedgerow.history.parquet import PRICES_FILE, time_range
from hedgerow.history.series import at_ms

DAYS = 120
FIRST_MONTH, FIRST_DAY = 9, 1
YARDSTICK = "BTCUSDT"
HOURS_A_YEAR = 8760
TURN = 0.02
"""A difference of mean APR between both halves of a window by which funding counts as rising or falling."""
OWN_MONEY = {PresetName.CAUTIOUS: ("--usdt", "400")}
"""The account that a preset is meant for, where it is not the demo's."""
HEAD = (
    "| preset | net | funding | basis | fees | of one leg | of all capital | a year | held instead | cash | opened |",
    "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
)


class Window(Struct, frozen=True, kw_only=True):
    """What is played."""

    name: str
    words: tuple[str, ...]
    """Options of the demo."""
    character: str = ""


def main() -> int:
    """Play and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of Parquet files; without it, generated markets")
    parser.add_argument("--starts", help="first days of the windows of history, instead of those above")
    parser.add_argument("--seeds", default="1,2,3,4,5", help="of the generated markets")
    parser.add_argument("--presets", default=",".join(PresetName))
    arguments = parser.parse_args()
    presets = [PresetName(word) for word in arguments.presets.split(",")]
    starts = [datetime.fromisoformat(word).replace(tzinfo=UTC) for word in (arguments.starts or "").split(",") if word]
    windows = history(arguments.data, starts) if arguments.data else generated(arguments.seeds.split(","))
    for window in windows:
        print(f"\n### {window.name}\n")
        print(f"`{' '.join(('hedgerow demo', *window.words))} --preset ...`{window.character}\n")
        print(*HEAD, sep="\n")
        for preset in presets:
            print(row(preset, played(preset, window.words)), flush=True)
    return 0


def generated(seeds: Sequence[str]) -> Iterator[Window]:
    """Yield the generated markets."""
    for seed in seeds:
        words = () if seed == "1" else ("--seed", seed)
        yield Window(name=f"Generated market, seed {seed}, 14 days", words=words)


def history(data: Path, starts: Sequence[datetime]) -> Iterator[Window]:
    """Yield the windows of the files; all that the usage names where ``starts`` has none."""
    for start in starts or usual_starts(data):
        words = ("--data", str(data), "--start", f"{start:%Y-%m-%d}", "--days", str(DAYS))
        name = f"{start:%Y-%m-%d}, {DAYS} days"
        yield Window(name=name, words=words, character=f": {character(data, start)}")


def usual_starts(data: Path) -> list[datetime]:
    """Return the first days of the windows that the usage names."""
    reach = time_range(data / PRICES_FILE)
    if reach is None:
        raise SystemExit(f"{data}: no prices")
    first, last = at_ms(reach.first_ms), at_ms(reach.last_ms)
    starts = [datetime(year, FIRST_MONTH, FIRST_DAY, tzinfo=UTC) for year in range(first.year, last.year + 1)]
    newest = (last - timedelta(days=DAYS)).replace(hour=0, minute=0, second=0, microsecond=0)
    return [*(at for at in starts if first <= at and at + timedelta(days=DAYS) <= last), newest]


def character(data: Path, start: datetime) -> str:
    """Return how funding went, and where the price went."""
    market = ArchiveMarketData.load(data, start=start, days=DAYS)
    middle = start + timedelta(days=DAYS / 2)
    aprs: list[float] = []
    for since, until in ((start, middle), (middle, market.end)):
        rates = market.settled(YARDSTICK, since, until)
        aprs.append(float(sum(r.rate for r in rates)) / sum(r.interval_hours for r in rates) * HOURS_A_YEAR)
    word = "rising" if aprs[1] > aprs[0] + TURN else "falling" if aprs[1] < aprs[0] - TURN else "flat"
    opened, ended = (market.prices(YARDSTICK, at) for at in (market.start, market.end))
    price = f", its price by {float(ended.spot / opened.spot) - 1:+.0%}" if opened and ended else ""
    return f"{word} funding, {YARDSTICK} {aprs[0]:.1%} a year in the first half, {aprs[1]:.1%} in the second{price}"


def played(preset: PresetName, words: Sequence[str]) -> dict[str, Any]:
    """Return the JSON of one demo."""
    out, log = io.StringIO(), io.StringIO()
    words = [str(Path(word).absolute()) if before == "--data" else word for before, word in zip(("", *words), words)]  # noqa: B905 - each word with the one before it
    with tempfile.TemporaryDirectory() as folder, chdir(folder), redirect_stdout(out), redirect_stderr(log):
        code = command(["demo", *words, "--preset", preset, *OWN_MONEY.get(preset, ()), "--json", "-"])
    if code:
        raise SystemExit(f"{preset} {words}: exit code {code}: {log.getvalue().splitlines()[-1:]}")
    document: dict[str, Any] = json.loads(out.getvalue())
    if document["books_difference"] != "0":
        raise SystemExit(f"{preset} {words}: the books differ by {document['books_difference']}")
    return document


def row(preset: PresetName, result: dict[str, Any]) -> str:
    """Return one run as a row of the table."""
    days = (datetime.fromisoformat(result["ended_at"]) - datetime.fromisoformat(result["started_at"])) / timedelta(1)
    on_capital, hold = result["net_on_capital"], result["hold"]
    money = " ".join(("", *OWN_MONEY[preset])) if preset in OWN_MONEY else ""
    cells = (
        f"{preset}{money}",
        *(dollars(result[key]) for key in ("net_profit", "funding_received", "basis_pnl")),
        dollars(-float(result["fees_paid"])),
        share(result["net_on_notional"]),
        share(on_capital),
        share(None if on_capital is None else on_capital * 365 / days),
        held(hold),
        share(result["cash"]["on_capital"]),
        str(result["positions_opened"]),
    )
    return f"| {' | '.join(cells)} |"


def held(hold: dict[str, Any] | None) -> str:
    """Return what holding the first pair would have made of all capital."""
    if hold is None:
        return "unknown"
    gone = f", liquidated by {hold['margin_gone_at'][:10]}" if hold["margin_gone_at"] else ""
    return f"{share(hold['on_capital'])} ({hold['symbol'].removesuffix('USDT')}{gone})"


def dollars(value: str | float | None) -> str:
    """Return an amount with its sign."""
    if value is None:
        return "unknown"
    cents = round(float(value), 2)
    return f"{'-' if cents < 0 else '+' if cents else ''}${abs(cents):,.2f}"


def share(value: float | None) -> str:
    """Return a fraction as percent with its sign."""
    return "none" if value is None else f"{value:+.2%}"


if __name__ == "__main__":
    sys.exit(main())
