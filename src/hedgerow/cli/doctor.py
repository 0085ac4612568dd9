"""``hedgerow doctor``: what keeps the bot from trading, and how to fix it."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from hedgerow.app.commands.doctor import examine
from hedgerow.app.findings.keys import Severity
from hedgerow.app.identity import identity_of
from hedgerow.app.session import read_settings
from hedgerow.cli.codes import ExitCode
from hedgerow.cli.common import (
    ConfigOption,
    HomeOption,
    JsonOption,
    bot_inputs,
    home_of,
    is_stdout,
    refuse_outputs,
    say,
    write_json,
)

__all__ = ["doctor"]

MARKS = {Severity.OK: "ok      ", Severity.WARNING: "WARNING ", Severity.PROBLEM: "PROBLEM "}
MARGIN = 8
"""Columns of a mark."""
STYLES = {Severity.OK: None, Severity.WARNING: "yellow", Severity.PROBLEM: "red"}


def doctor(
    home: HomeOption = Path(),
    config: ConfigOption = None,
    json: JsonOption = None,
    *,
    test_alerts: Annotated[
        bool, typer.Option("--test-alerts", help="Send a test message to each target of alerts.")
    ] = False,
) -> ExitCode:
    """Check keys, rights, hosts, clock, modes, fees, balances and market; changes nothing. Exit code 1: a problem."""
    place = home_of(home)
    refuse_outputs({"--json": json}, bot_inputs(place, config))
    found = asyncio.run(examine(place, config, test_alerts=test_alerts))
    write_json(json, found, identity_of(place, read_settings(place, config)))
    if not is_stdout(json):
        for finding in found:
            say(f"{MARKS[finding.level]}{finding.subject}: {finding.text}", style=STYLES[finding.level], hanging=MARGIN)
            if finding.fix:
                say(f"{' ' * MARGIN}{finding.fix}", hanging=0)
        problems = sum(finding.level is Severity.PROBLEM for finding in found)
        warnings = sum(finding.level is Severity.WARNING for finding in found)
        say(f"{problems} problem(s), {warnings} warning(s), {len(found) - problems - warnings} in order")
    return ExitCode.FAILED if any(finding.level is Severity.PROBLEM for finding in found) else ExitCode.DONE
