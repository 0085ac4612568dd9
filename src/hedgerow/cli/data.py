"""``hedgerow data``: download market history, list it, check it."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from hedgerow.app.commands.market_download import DownloadPlan, DownloadResult, download
from hedgerow.app.venues.select import environment_of
from hedgerow.cli.arguments import symbols_option, time_option
from hedgerow.cli.codes import ExitCode
from hedgerow.cli.common import JsonOption, echo, history_files, home_of, is_stdout, refuse_outputs, say, write_text
from hedgerow.cli.tables import Column, show_table
from hedgerow.dashboard.progress import SeriesProgress
from hedgerow.domain.errors import ConfigError, VenueError
from hedgerow.domain.formats import utc_minute
from hedgerow.history.checks import Finding, Inventory, check_folder, inventory
from hedgerow.history.parquet import FUNDING_FILE, PRICES_FILE, UnplacedRows, unplaced_rows_in
from hedgerow.history.recording import recorded_days
from hedgerow.history.series import at_ms

__all__ = ["DataOption", "NetworkOption", "SymbolsOption", "data"]

DEFAULT_FOLDER = Path("market-data")
DataOption = Annotated[Path, typer.Option("--data", metavar="DIR", help="Folder of the market history.")]
NetworkOption = Annotated[
    Path, typer.Option("--home", metavar="DIR", help="Folder whose .env names network and proxy; no key is needed.")
]
SymbolsOption = Annotated[
    str | None,
    typer.Option("--symbols", metavar="A,B", help="Perpetuals, e.g. BTCUSDT,ETHUSDT; all pairs of both markets."),
]
HELD = (
    Column(title="File"),
    Column(title="Exchange"),
    Column(title="Symbol"),
    Column(title="First day"),
    Column(title="Last day"),
    Column(title="Rows", number=True),
    Column(title="Spot", number=True, drop=1),
    Column(title="Perp", number=True, drop=2),
    Column(title="Mark", number=True, drop=3),
)
WARM_UP = timedelta(days=30)
"""History before a start, from which the first check has its moving average of funding rates."""
SHORT_NAMES = {PRICES_FILE: "prices", FUNDING_FILE: "funding"}
RECORDED = (
    Column(title="Recording"),
    Column(title="First day"),
    Column(title="Last day"),
    Column(title="Days", number=True),
    Column(title="Rows", number=True),
)
data = typer.Typer(
    name="data",
    help="Market history: download it, list it, check it. The files are described in docs/data.md.",
    rich_markup_mode=None,
    add_completion=False,
)


@data.command("download", short_help="Read history of Aster; goes on where it ended.")
def download_history(
    folder: DataOption = DEFAULT_FOLDER,
    symbols: SymbolsOption = None,
    start: Annotated[
        str | None, typer.Option("--start", metavar="DATE", help="First day, UTC; a year before the end unless given.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--end", metavar="DATE", help="Day after the last one; now unless given.")
    ] = None,
    home: NetworkOption = Path(),
) -> ExitCode:
    """Read funding, spot, perpetual, mark and index closes of Aster; goes on where an earlier download ended.

    Needs no key. Only what the folder does not hold is read. It uses at most half of the exchange's limits, so that a
    bot on the same address goes on trading. Exit code 1: interrupted, or a series is refused.
    """
    plan = DownloadPlan(
        folder=folder,
        symbols=symbols_option(symbols),
        start=None if start is None else time_option("--start", start),
        end=None if end is None else time_option("--end", end),
    )
    environment = environment_of(home_of(home))
    try:
        with SeriesProgress() as progress:
            for warning in environment.warnings:
                progress.say(warning)
            result = asyncio.run(download(plan, environment, progress.say, progress.show))
    except KeyboardInterrupt:
        echo("hedgerow: interrupted; what was read is kept, and the same command goes on from there", err=True)
        return ExitCode.FAILED
    except VenueError as error:
        echo(f"hedgerow: {error}; what was read is kept, and the same command goes on from there", err=True)
        return ExitCode.FAILED
    return _say_result(folder, result)


def _say_result(folder: Path, result: DownloadResult) -> ExitCode:
    for line in result.failed:
        echo(f"hedgerow: {line}", err=True)
    reach = f"{utc_minute(result.start)} to {utc_minute(result.end)} UTC"
    count = f"{len(result.symbols)} symbol{'' if len(result.symbols) == 1 else 's'}"
    what = f"{result.read} series read" if result.read else "nothing was missing"
    say(f"{folder}: {count}, {reach}; {what}")
    first = result.start + min(WARM_UP, (result.end - result.start) / 2)
    say(f"Play it with: hedgerow demo --data {folder} --start {first:%Y-%m-%d}")
    return ExitCode.FAILED if result.failed else ExitCode.DONE


@data.command("list", short_help="What a folder holds.")
def list_history(folder: DataOption = DEFAULT_FOLDER, json: JsonOption = None) -> ExitCode:
    """Show what a folder holds: by file, exchange and symbol the first and last day, and how many rows.

    ``Spot``, ``Perp`` and ``Mark`` are hours with a close of these. Recordings are shown by day.
    """
    refuse_outputs({"--json": json}, {"the market history of --data": history_files(folder)})
    recorded = recorded_days(folder)
    held = () if recorded and not _has_history(folder) else inventory(_existing(folder))
    _write(json, {"files": [_held_json(each) for each in held], "recordings": recorded})
    if is_stdout(json):
        return ExitCode.DONE
    if held:
        show_table("Market history", HELD, [_held_cells(each) for each in held])
    if recorded:
        cells = [[r.kind, r.first_day, r.last_day, f"{r.days:,}", f"{r.rows:,}"] for r in recorded]
        show_table("Recordings", RECORDED, cells)
    return ExitCode.DONE


@data.command("check", short_help="Gaps, duplicates, outliers and the like.")
def check_history(folder: DataOption = DEFAULT_FOLDER, json: JsonOption = None) -> ExitCode:
    """Look for gaps, duplicates, interval changes, outliers and frozen prices: one line each.

    Exit code 0: nothing was found; 1: something was, which may be right nevertheless (a price may have jumped); 2: a
    file is missing or cannot be read.
    """
    refuse_outputs({"--json": json}, {"the market history of --data": history_files(folder)})
    found = check_folder(_existing(folder))
    unplaced = unplaced_rows_in(folder)
    _write(json, [_finding_json(each) for each in found] + [_unplaced_json(each) for each in unplaced])
    count = len(found) + len(unplaced)
    if not is_stdout(json):
        for line in [*map(_finding_line, found), *map(str, unplaced)]:
            say(line)
        say(f"{count} finding{'' if count == 1 else 's'}" if count else "Nothing found.")
    return ExitCode.FAILED if count else ExitCode.DONE


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        found = "a file, not a folder" if folder.exists() else "no such folder"
        raise ConfigError(f"--data {folder}: {found}; hedgerow data download makes one")
    return folder


def _has_history(folder: Path) -> bool:
    return any(folder.glob("*.parquet"))


def _held_cells(each: Inventory) -> Sequence[str]:
    counts = [
        f"{each.known[name]:,}" if name in each.known else "" for name in ("spot_close", "perp_close", "mark_close")
    ]
    days = [f"{at_ms(stamp):%Y-%m-%d}" for stamp in (each.first_ms, each.last_ms)]
    return [SHORT_NAMES[each.file], each.exchange, each.symbol, *days, f"{each.rows:,}", *counts]


def _held_json(each: Inventory) -> dict[str, Any]:
    return {
        "file": each.file,
        "exchange": each.exchange,
        "symbol": each.symbol,
        "first": at_ms(each.first_ms),
        "last": at_ms(each.last_ms),
        "rows": each.rows,
        "values": each.known,
    }


def _finding_line(each: Finding) -> str:
    place = f"{each.file} {each.exchange} {each.symbol}"
    return f"{place} {utc_minute(at_ms(each.at_ms))} {each.kind.value}: {each.detail}"


def _finding_json(each: Finding) -> dict[str, Any]:
    return {
        "file": each.file,
        "exchange": each.exchange,
        "symbol": each.symbol,
        "time": at_ms(each.at_ms),
        "kind": each.kind.value,
        "detail": each.detail,
    }


def _unplaced_json(each: UnplacedRows) -> dict[str, Any]:
    detail = f"{each.rows} rows left out {each.reason}"
    return {"file": each.file, "exchange": None, "symbol": None, "time": None, "kind": "unusable", "detail": detail}


def _write(target: Path | None, document: object) -> None:
    if target is None:
        return
    text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"
    if is_stdout(target):
        sys.stdout.write(text)
    else:
        write_text("--json", target, text)
