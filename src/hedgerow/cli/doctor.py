"""``hedgerow doctor``: what keeps the bot from trading, and how to mend it."""

import asyncio
from pathlib import Path

from hedgerow.app.commands.doctor import examine
from hedgerow.app.findings.keys import Level
from hedgerow.app.identity import identity_of
from hedgerow.app.session import read_settings
from hedgerow.cli.codes import Exit
from hedgerow.cli.common import ConfigOption, HomeOption, JsonOption, home_of, is_stdout, say, write_json

__all__ = ["doctor"]

MARKS = {Level.OK: "ok      ", Level.WARNING: "WARNING ", Level.PROBLEM: "PROBLEM "}
MARGIN = 8
"""Columns of a mark."""
STYLES = {Level.OK: None, Level.WARNING: "yellow", Level.PROBLEM: "red"}


def doctor(home: HomeOption = Path(), config: ConfigOption = None, json: JsonOption = None) -> Exit:
    """Look at keys, rights, hosts, clock, modes, fees, balances and market; changes nothing. Exit code 1: a problem."""
    place = home_of(home)
    found = asyncio.run(examine(place, config))
    write_json(json, found, identity_of(place, read_settings(place, config)))
    if not is_stdout(json):
        for finding in found:
            say(f"{MARKS[finding.level]}{finding.subject}: {finding.text}", style=STYLES[finding.level], hanging=MARGIN)
            if finding.mend:
                say(f"{' ' * MARGIN}{finding.mend}", hanging=0)
        problems = sum(finding.level is Level.PROBLEM for finding in found)
        warnings = sum(finding.level is Level.WARNING for finding in found)
        say(f"{problems} problem(s), {warnings} warning(s), {len(found) - problems - warnings} in order")
    return Exit.FAILED if any(finding.level is Level.PROBLEM for finding in found) else Exit.DONE
