"""Registers the commands and turns every error of the user or the environment into one line."""

import errno
import os
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.exceptions import Abort, TyperException

from hedgerow import __version__
from hedgerow.cli.codes import ExitCode
from hedgerow.domain.errors import ConfigError, DamagedLog, HedgerowError, HistoryError, LogUnavailable, StoreError

__all__ = ["COMMANDS", "main"]

COMMANDS: Final[Mapping[str, str]] = {
    "demo": "Embedded exchange, bot and report; needs no key.",
    "run": "The bot, in the foreground, until Ctrl-C.",
    "emulator": "A local Aster, to test any bot against.",
    "simulate": "Many runs under random faults, judged after every event.",
    "scan": "Every pair, its funding, and why it is refused.",
    "backtest": "A policy over market history, beside hold, cash and the bound.",
    "sweep": "Many parameter sets over history, judged against luck.",
    "walkforward": "Parameters chosen on past history, judged on what follows.",
    "bound": "The best that hindsight could have done over history.",
    "status": "Hedged or not, result, whether a bot runs, what is next.",
    "top": "A bot in the terminal, live, with keys to halt and close.",
    "dashboard": "Bots in a browser: look, halt, resume, close.",
    "books": "Profit per hedge; the log compared with the exchange.",
    "backup": "A copy of the event log, also while the bot runs.",
    "close": "Close the position now.",
    "adopt": "Hand a position over to the bot.",
    "reconcile": "Bring the log in line with the exchange, once.",
    "watchdog": "Cancel the resting spot orders of a crashed bot.",
    "notify": "Alerts to phones, commands from Telegram.",
    "metrics": "Alert rules for Prometheus, a dashboard for Grafana.",
    "halt": "Block openings.",
    "resume": "Allow openings again.",
    "store": "Many bots in one database: set up, copy a log.",
    "doctor": "Keys, rights, clock, modes, fees: what is wrong, how to fix it.",
    "config": "Every setting: value, default, allowed range.",
    "init": "Write a configuration to start from.",
    "data": "Market history: download, list, check.",
    "record": "Keep premium index and order books as they go by.",
}
"""Each command and its line in the overview; its function has its name, in the module of its name."""
GROUPS: Final = frozenset({"data", "metrics", "store"})
"""Commands that have commands of their own: in place of a function stands their ``typer.Typer``."""
HOMES: Final[Mapping[str, str]] = {"resume": "halt"}
"""Modules of commands that share one with another."""

FRESH_LOG: Final = (
    "restore a backup, or move the file away together with its -wal and -shm files and start again: the bot adopts the "
    "position that it finds (docs/operations.md, A damaged log)"
)
"""Remedy for a damaged log."""
COMPLETION: Final = "_HEDGEROW_COMPLETE"
"""Set by the shell's completion script, which ``hedgerow --show-completion`` prints."""
FULL_DISK: Final = (
    "free disk space and try again; until then a position stays as it is, and commands to a bot need disk space too"
)
INTERRUPTED: Final = 130
"""Exit code of typer after Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _replace_closed_outputs()
    unreadable = next((word for word in given if not _is_text(word)), None)
    if unreadable is not None:
        return _fail(f"{unreadable!a} is not UTF-8 text: no name, path or reason can be", ExitCode.USAGE)
    try:
        return _outcome(given)
    except UnicodeEncodeError as error:
        return _fail(f"{error.object!a} is not UTF-8 text and cannot be written", ExitCode.FAILED)


def _outcome(given: Sequence[str]) -> int:
    try:
        words = [*given, "--help"] if not given or (given[0] in GROUPS and len(given) == 1) else given
        code = _app(given)(words, standalone_mode=False, prog_name="hedgerow")
        sys.stdout.flush()
    except HedgerowError as error:
        return _refused(error)
    except (Abort, KeyboardInterrupt):
        return _fail("interrupted", ExitCode.FAILED)
    except TyperException as error:
        return _fail(_message(error), ExitCode.USAGE)
    except BrokenPipeError:
        _forget_output()
        return ExitCode.FAILED
    except OSError as error:
        return _fail(f"{error.filename or 'the system'}: {error.strerror or error}", ExitCode.FAILED)
    if code == INTERRUPTED:
        return _fail("interrupted", ExitCode.FAILED)
    return int(code) if isinstance(code, int) else ExitCode.DONE


def _is_text(word: str) -> bool:
    """Whether an argument is text: bytes that are not UTF-8 fit into no log, database or JSON."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in word


def _app(given: Sequence[str]) -> typer.Typer:
    """Return the commands; only the requested one is imported, so that the help is printed quickly."""
    app = typer.Typer(
        name="hedgerow",
        help="Delta-neutral funding-rate farming: long spot, short perpetual, one venue.",
        epilog="No key and no money needed: hedgerow demo. Options of a command: hedgerow COMMAND --help",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    asked = next((word for word in given or _completing() if not word.startswith("-")), None)
    for name, summary in COMMANDS.items():
        if name == asked and name in GROUPS:
            app.add_typer(_command(name), name=name, short_help=summary)
        else:
            app.command(name, short_help=summary)(_command(name) if name == asked else _unused)
    return app


def _completing() -> list[str]:
    """Return the words on the command line that a shell wants completed; none when this is no completion."""
    line = os.environ.get("_TYPER_COMPLETE_ARGS") or os.environ.get("COMP_WORDS") or ""
    return line.split()[1:] if COMPLETION in os.environ else []


def _command(name: str) -> Any:
    """Return the function of a command, or the commands of a group."""
    return getattr(import_module(f"hedgerow.cli.{HOMES.get(name, name)}"), name)


def _unused() -> None:
    """Placeholder in the overview for a command that is not requested."""


def _version(asked: bool) -> None:  # noqa: FBT001 - typer's shape of a callback
    if asked:
        typer.echo(f"hedgerow {__version__}")
        raise typer.Exit


def _options(
    *,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = (
        False
    ),
) -> None:
    del version


def _refused(error: HedgerowError) -> int:
    """Print what is wrong and return the exit code."""
    if _is_disk_full(error):
        return _fail(f"{error}; {FULL_DISK}", ExitCode.FAILED)
    text = f"{error}; {FRESH_LOG}" if isinstance(error, DamagedLog) else str(error)
    unusable = isinstance(error, ConfigError | StoreError | HistoryError) and not isinstance(error, LogUnavailable)
    return _fail(text, ExitCode.USAGE if unusable else ExitCode.FAILED)


def _is_disk_full(error: HedgerowError) -> bool:
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return isinstance(cause, OSError) and cause.errno in {errno.ENOSPC, errno.EDQUOT}


def _message(error: TyperException) -> str:
    """Return what was wrong with the arguments, in one line."""
    text = error.format_message() if hasattr(error, "format_message") else str(error)
    return " ".join(str(text).split()) or "the arguments cannot be used; see hedgerow --help"


def _fail(message: str, code: ExitCode) -> int:
    from hedgerow.cli.common import echo  # noqa: PLC0415 - slow to import, and not needed for the help

    echo(f"hedgerow: {message}", err=True)
    return code


def _replace_closed_outputs() -> None:
    """Discard what is written to an output that was closed before the start, for which Python has no file."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - open until the process ends
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - open until the process ends


def _forget_output() -> None:
    """Discard what is buffered for a reader that has closed the pipe, so that Python's shutdown prints no error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
