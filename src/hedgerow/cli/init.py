"""``hedgerow init``: a folder with a configuration to begin with, and the keys where the user enters them."""

import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from hedgerow.app.env_file import write_variables
from hedgerow.app.venues.environment import AGENT_KEYS
from hedgerow.cli.common import HomeOption, PresetOption, home_of, say, write_text
from hedgerow.cli.interview import ask_preset, ask_settings, ask_variables
from hedgerow.config import Home, load_settings
from hedgerow.config.changing import read_config
from hedgerow.config.loading import Settings
from hedgerow.config.new_file import SCHEMA_FILE, changed_file, new_file, schema_text
from hedgerow.config.presets import PRESETS, PresetName
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.settings.rows import FileValue

__all__ = ["init"]


STEPS = (
    ("run --paper", "its own market: no key, no money, no network"),
    ("run --dry-run", "the live market, an emulated account"),
    ("doctor", "what keeps the bot from trading live"),
    ("run", "live: real orders with real money"),
)
WIDTH = 24


def init(
    home: HomeOption = Path(),
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Write it here instead of into the home folder.")
    ] = None,
    preset: PresetOption = None,
    *,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", help="Ask nothing: the guide's defaults unless --preset is given; replaces an existing file."
        ),
    ] = False,
) -> None:
    """Write a preset as configuration; on a terminal, ask for goal, capital, style, keys and alerts.

    On a terminal it can be run again: what is there is the answer of an empty line. Elsewhere an existing file is kept
    unless --yes is given.
    """
    place = home_of(home)
    place.prepare()
    target = config or place.config
    asks = preset is None and not yes and sys.stdin.isatty()
    if target.exists() and not yes and not asks:
        raise ConfigError(f"{target} exists already: --yes replaces it by the {_words(preset)}")
    option = "--config" if config else "--home"
    if asks:
        _interview(option, target, place)
    else:
        _write(option, target, new_file(preset or PresetName.GUIDE, {}), preset or PresetName.GUIDE)
    _say_steps(load_settings(target, named=True), home, config)


def _interview(option: str, target: Path, place: Home) -> None:
    """Ask, and write what was answered once everything is."""
    present = _present(target) if target.exists() else None
    preset = ask_preset(present.parameters if present else None)
    begun = present.parameters if present and preset is None else PRESETS[preset or PresetName.GUIDE].parameters
    while True:
        answers = ask_settings(begun)
        try:
            text = _text(target, preset, answers)
        except ConfigError as error:
            say(str(error))
            continue
        break
    variables = ask_variables(AGENT_KEYS)
    _write(option, target, text, preset)
    if variables:
        write_variables(place.secrets, variables)
        say(f"Wrote {place.secrets}, readable by you alone")
    from hedgerow.cli.alert_interview import ask_alerts  # noqa: PLC0415 - what only this part of init needs

    ask_alerts(place, target)


def _present(target: Path) -> Settings:
    try:
        return load_settings(target, named=True)
    except ConfigError as error:
        raise ConfigError(f"{error}; correct it, or let --yes replace it") from error


def _text(target: Path, preset: PresetName | None, answers: Mapping[str, FileValue | Decimal]) -> str:
    if preset is None:
        return changed_file((read_config(target) or b"").decode("utf-8-sig"), answers, name=str(target))
    return new_file(preset, answers)


def _write(option: str, target: Path, text: str, preset: PresetName | None) -> None:
    """Write the file and its schema; ``preset`` is what it was made from, None = from the present file."""
    write_text(option, target, text)
    write_text(option, target.with_name(SCHEMA_FILE), schema_text())
    if preset is None:
        say(f"Wrote {target}: the settings that were there, with your answers")
    else:
        say(f"Wrote {target}: preset {preset}, {PRESETS[preset].what}")
        say(f"It is {PRESETS[preset].what_not}. What each preset earned and cost: docs/presets.md")
    say(f"An editor checks it by {SCHEMA_FILE}, which stands beside it.")


def _say_steps(settings: Settings, home: Path, config: Path | None) -> None:
    options = "" if home == Path() else f" --home {home}"
    options += f" --config {config}" if config else ""
    if settings.parameters.capital_management.max_capital_usd is None:
        say("Before it starts with money, set capital_management.max_capital_usd in it. Then, one after another:")
    else:
        say("One after another:")
    for words, meaning in STEPS:
        say(f"  hedgerow {words}{options}".ljust(WIDTH) + f"  {meaning}")


def _words(preset: PresetName | None) -> str:
    return f"preset {preset}" if preset else "defaults"
