"""The pages of commands and settings, printed from the command line and from the declarations of the settings."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import typer

from hedgerow.cli.main import COMMANDS, GROUPS, HOMES
from hedgerow.config import config_table, in_words

__all__ = ["commands", "settings"]

GENERAL = "outside the sections"


def commands() -> list[str]:
    """Return every command with its arguments and options, in the order of ``hedgerow --help``."""
    return [line for name, summary in COMMANDS.items() for line in _section(name, summary)][:-1]


def settings() -> list[str]:
    """Return every setting, one table per section of the file."""
    lines: list[str] = []
    rows = config_table()
    for section in dict.fromkeys(row.section for row in rows):
        lines += [f"## `{section}`" if section else f"## {GENERAL}", ""]
        lines += ["| setting | default | allowed | meaning |", "|---|---:|---|---|"]
        for row in rows:
            if row.section == section:
                lines.append(f"| `{row.key}` | {in_words(row.default)} | {row.allowed} | {_cell(row.meaning)} |")
        lines.append("")
    return lines[:-1]


def _section(name: str, summary: str) -> Iterator[str]:
    found = getattr(import_module(f"hedgerow.cli.{HOMES.get(name, name)}"), name)
    app = found if name in GROUPS else typer.Typer(add_completion=False)
    if name not in GROUPS:
        app.command(name)(found)
    command: Any = typer.main.get_command(app)
    if name not in GROUPS:
        yield from (f"## `hedgerow {name}`", "", summary, "", *_text(command), *_parameters(command))
        return
    yield from (f"## `hedgerow {name}`", "", summary, "")
    for part, inner in command.commands.items():
        yield from (f"### `hedgerow {name} {part}`", "", *_text(inner), *_parameters(inner))


def _text(command: Any) -> Iterator[str]:
    for paragraph in (command.help or "").split("\n\n"):
        yield from (" ".join(paragraph.replace("``", "`").split()), "")


def _parameters(command: Any) -> Iterator[str]:
    context = command.make_context(command.name, [], resilient_parsing=True)
    records = [(each, each.get_help_record(context)) for each in command.params if each.name != "help"]
    shown = [(each, record) for each, record in records if record is not None]
    if not shown:
        return
    yield from ("| argument or option | meaning |", "|---|---|")
    for each, (spelled, meaning) in shown:
        name = spelled.partition(" <")[0] if each.param_type_name == "argument" else spelled
        yield f"| `{_cell(name)}` | {_cell(meaning)} |"
    yield ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
