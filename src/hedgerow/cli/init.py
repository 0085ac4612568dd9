"""``hedgerow init``: a folder with a configuration to begin with."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from hedgerow.cli.common import HomeOption, PresetOption, home_of, say, write_text
from hedgerow.config.presets import PRESETS, PresetName, preset_text
from hedgerow.domain.errors import ConfigError

__all__ = ["init"]


STEPS = (
    ("run --paper", "its own market: no key, no money, no network"),
    ("run --dry-run", "the live market, an emulated account"),
    ("doctor", "what keeps the bot from trading live"),
    ("run", "live: real orders with real money"),
)
WIDTH = 24
NAME_WIDTH = 10


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
    """Write a preset as configuration, and ask which on a terminal; an existing one is kept unless --yes is given."""
    place = home_of(home)
    place.prepare()
    target = config or place.config
    if target.exists() and not yes:
        raise ConfigError(f"{target} exists already: --yes replaces it by the {_words(preset)}")
    chosen = preset or (PresetName.GUIDE if yes or not sys.stdin.isatty() else _ask())
    write_text("--config" if config else "--home", target, preset_text(chosen))
    say(f"Wrote {target}: preset {chosen}, {PRESETS[chosen].what}")
    say(f"It is {PRESETS[chosen].what_not}. What each preset earned and cost: docs/presets.md")
    options = "" if home == Path() else f" --home {home}"
    options += f" --config {config}" if config else ""
    if PRESETS[chosen].parameters.capital_management.max_capital_usd is None:
        say("Before it starts with money, set capital_management.max_capital_usd in it. Then, one after another:")
    else:
        say("One after another:")
    for words, meaning in STEPS:
        say(f"  hedgerow {words}{options}".ljust(WIDTH) + f"  {meaning}")


def _words(preset: PresetName | None) -> str:
    return f"preset {preset}" if preset else "defaults"


def _ask() -> PresetName:
    """Ask which preset, until the answer is one; typer's abort ends the command as interrupted."""
    for preset in PRESETS.values():
        say(f"  {preset.name:<{NAME_WIDTH}}{preset.what};", hanging=NAME_WIDTH)
        say(f"  {'':<{NAME_WIDTH}}{preset.what_not}", hanging=0)
    names = [str(name) for name in PresetName]
    while True:
        answer = typer.prompt(f"Which preset ({', '.join(names)})").strip().lower()
        if answer in names:
            return PresetName(answer)
        say(f"{answer}: allowed are {', '.join(names)}")
