"""``hedgerow books``: profit and loss per hedge, and the event log compared with the exchange line by line."""

import asyncio
import csv
import io
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from hedgerow.app.commands.books import BooksQuestion, read_books_report
from hedgerow.app.identity import identity_of
from hedgerow.app.storage.select import has_log, log_name
from hedgerow.cli.arguments import time_option
from hedgerow.cli.codes import ExitCode
from hedgerow.cli.common import (
    ConfigOption,
    DemoOption,
    DryRunOption,
    HomeOption,
    JsonOption,
    PaperOption,
    StoreOption,
    bot_inputs,
    home_of,
    is_stdout,
    others_here,
    refuse_outputs,
    say,
    settings_with_warning,
    write_json,
    write_text,
)
from hedgerow.cli.tables import Column, show_table
from hedgerow.dashboard.books.matching import AuditLine, MatchStatus
from hedgerow.dashboard.books.report import CSV_COLUMNS, BooksReport, Row, as_json, csv_rows
from hedgerow.dashboard.books.statement import HedgeStatement
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.formats import full_amount, signed_amount, signed_full, utc_minute, utc_second
from hedgerow.domain.money import plain

__all__ = ["books", "show_books"]

SHOWN_LINES = 50
"""So many unmatched lines are printed; JSON and CSV have all."""
CSV_SUFFIX = ".csv"

HEDGES = (
    Column(title="hedge"),
    Column(title="pair"),
    Column(title="from", drop=3),
    Column(title="to", drop=4),
    Column(title="ended by", least=10, drop=5),
    Column(title="funding", number=True, drop=1),
    Column(title="basis", number=True, drop=2),
    Column(title="fees", number=True, drop=1),
    Column(title="net", number=True),
    Column(title="if closed", number=True),
)
PARTS = (Column(title="part"), Column(title="what", least=16), Column(title="USDT", number=True))
SUMS = (Column(title="", least=20), Column(title="amount", number=True))
WALLETS = (
    Column(title="wallet"),
    *(Column(title=name, number=True, drop=2) for name in ("opening", "trades", "fees", "funding")),
    *(Column(title=name, number=True, drop=3) for name in ("transfers", "other")),
    Column(title="expected", number=True),
)
COMPARED = (
    Column(title="not booked yet", number=True, drop=1),
    Column(title="exchange", number=True),
    Column(title="difference", number=True),
)
LINES = (
    Column(title="at", drop=1),
    Column(title="what", least=12),
    Column(title="asset"),
    Column(title="log", number=True),
    Column(title="exchange", number=True),
    Column(title="standing", least=10),
    Column(title="id", drop=2),
    Column(title="remark", least=16, drop=3),
)


def books(  # noqa: PLR0913 - a command names every option
    home: HomeOption = Path(),
    config: ConfigOption = None,
    *,
    paper: PaperOption = False,
    dry_run: DryRunOption = False,
    store: StoreOption = None,
    demo: DemoOption = False,
    since: Annotated[
        str | None, typer.Option("--since", metavar="DATE", help="Leave out hedges that ended before it.")
    ] = None,
    hedge: Annotated[str | None, typer.Option("--hedge", metavar="ID", help="One hedge, with all its lines.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Read the log only, not the exchange.")] = False,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="PLACE", help="Write all tables to this folder, or the lines to this .csv file."),
    ] = None,
    json: JsonOption = None,
) -> int:
    """Show the result of each hedge and compare the log with the exchange, line by line. Exit code 1: they differ."""
    place = home_of(home, paper=paper, dry_run=dry_run, demo=demo, store=store)
    first = time_option("--since", since) if since else None
    lines = csv if csv is not None and csv.suffix == CSV_SUFFIX else None
    refuse_outputs({"--json": json, "--csv": lines}, bot_inputs(place, config))
    if not has_log(place):
        say(f"No log at {log_name(place)}: the bot has not run here yet{others_here(place)}.")
        return ExitCode.FAILED
    settings = settings_with_warning(place, config)
    question = BooksQuestion(since=first, hedge_id=hedge, offline=offline or demo)
    report = asyncio.run(read_books_report(place, question))
    if hedge is not None and not report.hedges:
        raise ConfigError(f"--hedge {hedge}: the log has no such hedge; hedgerow books lists them")
    if csv is not None:
        _write_csv(csv, report)
    write_json(json, as_json(report), identity_of(place, settings))
    if not is_stdout(json):
        show_books(report)
    return ExitCode.DONE if report.agrees else ExitCode.FAILED


# --- tables ----------------------------------------------------------------------------------------------------------


def show_books(report: BooksReport) -> None:
    """Print the books as tables."""
    _show_hedges(report)
    if report.hedge_id is not None:
        _show_hedge(report.hedges[0])
    else:
        _show_sums(report)
        _show_wallets(report)
    _show_verdict(report)


def _show_hedges(report: BooksReport) -> None:
    rows = [_hedge_row(each) for each in report.hedges]
    some_open = any(each.ended_at is None for each in report.hedges)
    for name, sums in (("Ended", report.ended), ("Total", report.totals)):
        if some_open or name == "Total":
            parts = [sums.funding, sums.basis, -sums.fees, sums.net, sums.net_if_closed]
            rows.append([name, "", "", "", "", *map(signed_amount, parts)])
    show_table("Hedges", HEDGES, rows)


def _hedge_row(statement: HedgeStatement) -> list[str]:
    hedge = statement.hedge
    ended = utc_minute(statement.ended_at) if statement.ended_at else ""
    made = statement.result
    parts = [made.funding, made.basis, -made.fees_paid, made.net_so_far, made.net_if_closed]
    return [
        hedge.hedge_id,
        hedge.symbol,
        utc_minute(hedge.opened_at),
        ended,
        statement.reason,
        *map(signed_amount, parts),
    ]


def _show_hedge(statement: HedgeStatement) -> None:
    made = statement.result
    rows = [
        ["basis", "spot leg", signed_full(made.spot_pnl)],
        ["", "perpetual leg", signed_full(made.perp_pnl)],
    ]
    for fee in statement.fee_lines:
        guess = ", estimated" if fee.estimated else ""
        rows.append(["fee", f"{fee.market}, {plain(fee.amount)} {fee.asset}{guess}", signed_full(-fee.value)])
    rows += [
        ["funding", f"{utc_minute(payment.at)} UTC", signed_full(payment.amount)] for payment in statement.payments
    ]
    if statement.ended_at is None:
        fees, spread = (None if part is None else -part for part in (made.exit_fees, made.exit_spread))
        rows += [["closing now", "fees", signed_full(fees)], ["", "spread", signed_full(spread)]]
    show_table(f"{statement.hedge.symbol} {statement.hedge.hedge_id}", PARTS, rows)


def _show_sums(report: BooksReport) -> None:
    ledger = report.statement.ledger
    rows: list[list[str]] = []
    if ledger.unattributed_funding:
        rows.append(["Funding on positions that are not the bot's", signed_full(ledger.unattributed_funding)])
    if report.totals.fees_estimated:
        rows.append(["Fees still estimated, part of the fees", signed_full(report.totals.fees_estimated)])
    kinds: dict[tuple[str, str], Decimal] = {}
    for row in report.statement.rows:
        key = (row.kind.value.replace("_", " "), row.asset)
        kinds[key] = kinds.get(key, Decimal(0)) + row.amount
    rows += [[f"{kind.capitalize()}, {asset}", plain(amount)] for (kind, asset), amount in sorted(kinds.items())]
    whole = report.since_start
    if report.venue is not None:
        if ledger.dust:
            rows.append(["Gain of kept dust since it was kept", signed_full(whole.dust_gain)])
        rows.append(["Result since the start, so far", signed_full(whole.net_so_far)])
        rows.append(["Result since the start, if closed now", signed_full(whole.net_if_closed)])
        rows.append(["Strategy equity", full_amount(report.equity)])
        rows.append(["Account value, your own coins included", full_amount(report.account_value)])
    if rows:
        show_table("Other sums", SUMS, rows)


def _show_wallets(report: BooksReport) -> None:
    columns = WALLETS if report.venue is None else (*WALLETS, *COMPARED)
    rows: list[list[str]] = []
    for line in report.wallets:
        b = line.booked
        parts = [b.opening, b.trades, b.fees, b.funding, b.transfers, b.external, b.balance]
        ends = [line.pending, line.venue, line.difference] if report.venue is not None else []
        rows.append([f"{line.wallet} {line.asset}", *("" if part is None else plain(part) for part in parts + ends)])
    show_table("Wallets", columns, rows)


def _show_verdict(report: BooksReport) -> None:
    venue = report.venue
    if venue is None:
        say("Only the log was read; without --offline it is compared with the exchange.")
        return
    counts = {standing: sum(line.standing is standing for line in venue.lines) for standing in MatchStatus}
    listed = ", ".join(f"{count} {standing.value}" for standing, count in counts.items() if count) or "none"
    say(f"Lines of {venue.name}: {listed}.")
    if report.unmatched:
        rows = [_line_row(line) for line in report.unmatched[:SHOWN_LINES]]
        show_table(f"Unmatched lines ({len(report.unmatched)})", LINES, rows)
    if not venue.quiet:
        say("A trade is in flight: balances are compared when it has ended.")
    elif report.differences:
        text = ", ".join(f"{key} {plain(value)}" for key, value in report.differences.items())
        say(f"BOOKS DIFFER from the exchange by: {text}", style="bold red")
    elif report.agrees:
        say("The books agree with the exchange: difference 0.")


def _line_row(line: AuditLine) -> list[str]:
    sides = ["" if part is None else plain(part) for part in (line.log_amount, line.venue_amount)]
    what = f"{line.kind.value} {line.symbol}".strip()
    remark = "; ".join(text for text in (line.label, line.detail) if text)
    return [utc_second(line.at), what, f"{line.wallet}:{line.asset}", *sides, line.standing.value, line.key, remark]


# --- CSV -------------------------------------------------------------------------------------------------------------


def _write_csv(place: Path, report: BooksReport) -> None:
    tables = csv_rows(report)
    if place.suffix == CSV_SUFFIX:
        write_text("--csv", place, _csv("lines", tables["lines"]))
        return
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--csv {place} cannot be written: {error.strerror or error}") from error
    for name, rows in tables.items():
        write_text("--csv", place / f"{name}{CSV_SUFFIX}", _csv(name, rows))


def _csv(table: str, rows: list[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS[table])
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return text.getvalue()


def _cell(value: object) -> str:
    """Return the text of a cell: times ISO 8601 UTC, empty for unknown values."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else str(value)
