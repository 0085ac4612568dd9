"""``hedgerow metrics``: the files that Prometheus and Grafana read, made from the code."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from hedgerow.cli.codes import ExitCode
from hedgerow.cli.common import say, write_text
from hedgerow.notify.alert_rules import rules_text
from hedgerow.notify.grafana import grafana_text

__all__ = ["metrics"]

metrics = typer.Typer(
    name="metrics",
    help="Files for Prometheus and Grafana (docs/metrics.md).",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
OutputOption = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="Write it here instead of printing it.")
]


@metrics.command()
def rules(output: OutputOption = None) -> int:
    """Print the alert rules for Prometheus: a file for rule_files of its configuration."""
    return _given(output, rules_text())


@metrics.command()
def grafana(output: OutputOption = None) -> int:
    """Print the dashboard for Grafana: a file to import; Grafana asks for the Prometheus data source then."""
    return _given(output, grafana_text())


def _given(output: Path | None, text: str) -> ExitCode:
    if output is None:
        sys.stdout.write(text)
    else:
        write_text("--output", output, text)
        say(f"Wrote {output}")
    return ExitCode.DONE
