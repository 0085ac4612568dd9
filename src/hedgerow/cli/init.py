"""``hedgerow init``: a folder with a configuration to begin with."""

from pathlib import Path
from typing import Annotated

import typer

from hedgerow.cli.common import HomeOption, home_of, say, write_text
from hedgerow.config import default_config_text
from hedgerow.domain.errors import ConfigError

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
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Replace an existing configuration by the defaults.")] = False,
) -> None:
    """Write a configuration with the guide's defaults; an existing one is kept unless --yes is given."""
    place = home_of(home)
    place.prepare()
    target = config or place.config
    if target.exists() and not yes:
        raise ConfigError(f"{target} exists already: --yes replaces it by the defaults")
    write_text("--config" if config else "--home", target, default_config_text())
    say(f"Wrote {target}")
    options = "" if home == Path() else f" --home {home}"
    options += f" --config {config}" if config else ""
    say("Before it starts with money, set capital_management.max_capital_usd in it. Then, one after another:")
    for words, meaning in STEPS:
        say(f"  hedgerow {words}{options}".ljust(WIDTH) + f"  {meaning}")
