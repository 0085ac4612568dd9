"""Wires the commands, and turns every mistake that is not ours into one line."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import Abort, TyperException

from hedgerow import __version__
from hedgerow.cli import adopt, close, config, demo, halt, init, reconcile, run, scan, status
from hedgerow.cli.common import Exit
from hedgerow.domain.errors import ConfigError, HedgerowError, HistoryError, StoreError

__all__ = ["main"]

app = typer.Typer(
    name="hedgerow",
    help="Delta-neutral funding-rate farming: long spot, short perpetual, one venue.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("run")(run.run)
app.command("scan")(scan.scan)
app.command("status")(status.status)
app.command("reconcile")(reconcile.reconcile)
app.command("close")(close.close)
app.command("adopt")(adopt.adopt)
app.command("halt")(halt.halt)
app.command("resume")(halt.resume)
app.command("config")(config.config)
app.command("init")(init.init)


def _version(asked: bool) -> None:  # noqa: FBT001 - typer's shape of a callback
    if asked:
        typer.echo(f"hedgerow {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = (
        False
    ),
) -> None:
    del version


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(given or ["--help"], standalone_mode=False, prog_name="hedgerow")
    except (ConfigError, StoreError, HistoryError) as error:
        return _fail(str(error), Exit.USAGE)
    except HedgerowError as error:
        return _fail(str(error), Exit.FAILED)
    except (Abort, KeyboardInterrupt):
        return _fail("interrupted", Exit.FAILED)
    except TyperException as error:
        return _fail(_message(error), Exit.USAGE)
    except BrokenPipeError:
        sys.stderr.close()
        return Exit.FAILED
    return int(code) if isinstance(code, int) else Exit.DONE


def _message(error: TyperException) -> str:
    """Return what was wrong with the arguments, in one line."""
    text = error.format_message() if hasattr(error, "format_message") else str(error)
    return " ".join(str(text).split()) or "the arguments cannot be used; see hedgerow --help"


def _fail(message: str, code: Exit) -> int:
    typer.echo(f"hedgerow: {message}", err=True)
    return code
