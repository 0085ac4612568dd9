"""``hedgerow init``: a folder with a configuration to begin with."""

from pathlib import Path

from hedgerow.cli.common import HomeOption, YesOption, console, home_of
from hedgerow.config import default_config_text
from hedgerow.domain.errors import ConfigError

__all__ = ["init"]


def init(home: HomeOption = Path(), *, yes: YesOption = False) -> None:
    """Write a configuration with the guide's defaults; an existing one is kept unless --yes is given."""
    place = home_of(home)
    place.prepare()
    if place.config.exists() and not yes:
        raise ConfigError(f"{place.config} exists already: --yes replaces it by the defaults")
    try:
        place.config.write_text(default_config_text(), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{place.config} cannot be written: {error.strerror or error}") from error
    console().print(f"Wrote {place.config}", markup=False)
    console().print("Start the bot with: hedgerow run", markup=False)
