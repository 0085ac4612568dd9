"""The configuration file of a running bot, whose settings a person may change without a restart."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from hedgerow.config import Home, Settings
from hedgerow.config.changing import ChangedConfig, changed_config, read_config, setting_changes
from hedgerow.config.loading import with_overrides
from hedgerow.domain.errors import ConfigError
from hedgerow.engine.in_force import NewSettings
from hedgerow.store.files import PRIVATE, replace_file
from hedgerow.strategy.policies import load_policy
from hedgerow.strategy.policy import Policy

__all__ = ["ConfigKeeper", "keeper_of", "write_config"]

MA_PERIODS: Final = "funding_rate_strategy.funding_ma_periods"


def keeper_of(home: Home, settings: Settings) -> "ConfigKeeper | None":
    """Return what changes the file that ``settings`` came from; None where they are a preset's."""
    return None if settings.preset is not None else ConfigKeeper(settings.source or home.config, settings)


class ConfigKeeper:
    """Checks changes of the file as a whole, with what the command line says instead of it, before one is written."""

    def __init__(self, path: Path, settings: Settings) -> None:
        """``settings`` are those that the bot started with."""
        self._path = path
        self._settings = settings

    def prepared(self, wanted: Mapping[str, str], present: Policy) -> NewSettings:
        """Check the file with new values, by full name and spelled as in the file; writes nothing.

        Raises:
            ConfigError: one is not allowed, or the file says something else that is not in force yet.
        """
        named = {name: words for name, words in wanted.items() if name != MA_PERIODS or not self._settings.ma_periods}
        if wanted and not named:
            raise ConfigError(f"{MA_PERIODS} is set by --ma-periods on the command line of the bot")
        changed = changed_config(self._path, named)
        started = replace(self._settings, parameters=changed.after)
        parameters = with_overrides(started, ma_periods=self._settings.ma_periods).parameters
        if parameters.policy_settings != present.parameters.policy_settings:
            raise ConfigError(f"{self._path} has other policy_settings than the bot started with: restart it")
        changes = setting_changes(present.parameters, parameters)
        others = ", ".join(f"{each.name} ({each.after})" for each in changes if each.name not in named)
        if others:
            raise ConfigError(f"{self._path} says more that is not in force yet: {others}; look again")
        return NewSettings(
            policy=load_policy(parameters.policy, parameters),
            changes=changes,
            write=partial(write_config, self._path, changed),
        )


def write_config(path: Path, changed: ChangedConfig) -> None:
    """Replace the file, synced, with the access rights of the old one; one that a link names is replaced itself.

    Raises:
        ConfigError: it was changed since it was read, or cannot be written.
    """
    if read_config(path) != changed.read:
        raise ConfigError(f"{path} was changed since it was read: look again")
    try:
        real = path.resolve()
        mode = real.stat().st_mode & 0o777 if changed.read is not None else PRIVATE
        replace_file(real, changed.content, mode=mode)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}") from error
