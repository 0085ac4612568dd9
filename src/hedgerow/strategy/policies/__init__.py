"""The built-in policies, and how another one is loaded by its dotted path."""

import traceback
from collections.abc import Callable
from importlib import import_module
from typing import cast

from msgspec import Struct

from hedgerow.domain.errors import ConfigError
from hedgerow.domain.settings.rows import SettingRow
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies.carry import Carry
from hedgerow.strategy.policies.volume_farming import VolumeFarming
from hedgerow.strategy.policy import Policy
from hedgerow.strategy.policy_settings import (
    SECTION,
    decode_policy_settings,
    policy_setting_rows,
    settings_class,
)

__all__ = ["BUILT_IN_POLICIES", "Carry", "VolumeFarming", "load_policy", "policy_settings"]

BUILT_IN_POLICIES: dict[str, Callable[..., Policy]] = {"volume_farming": VolumeFarming, "carry": Carry}
"""Policies by their name in the configuration."""
_METHODS = ("parameters", "rank", "refusals", "capital", "review")


def load_policy(path: str, parameters: StrategyParameters) -> Policy:
    """Return the policy named by ``path``: the name of a built-in one, or ``package.module.Class``.

    Raises:
        ConfigError: it cannot be imported, does not allow its settings, cannot be built from the parameters, or lacks
            a method.
    """
    factory = _factory(path)
    declared = _declared(path, factory)
    settings = _settings(path, declared, parameters)
    try:
        policy = factory(parameters) if settings is None else factory(parameters, settings)
    except Exception as error:
        raise ConfigError(f"policy {path!r}: cannot be built from the parameters: {_why(error)}") from error
    lacking = [name for name in _METHODS if not hasattr(policy, name)]
    if lacking:
        raise ConfigError(f"policy {path!r} lacks {', '.join(lacking)}; a policy has {', '.join(_METHODS)}")
    return policy


def policy_settings(path: str) -> tuple[SettingRow, ...]:
    """Return a row for each setting that the policy named by ``path`` declares.

    Raises:
        ConfigError: it cannot be imported, or declares its settings in a way that cannot be used.
    """
    declared = _declared(path, _factory(path))
    return () if declared is None else policy_setting_rows(declared)


def _declared(path: str, factory: Callable[..., Policy]) -> type[Struct] | None:
    try:
        return settings_class(factory)
    except ValueError as error:
        raise ConfigError(f"policy {path!r}: {error}") from error
    except Exception as error:  # an annotation that names nothing, for example
        raise ConfigError(f"policy {path!r}: its Settings cannot be read: {_why(error)}") from error


def _settings(path: str, declared: type[Struct] | None, parameters: StrategyParameters) -> Struct | None:
    given = parameters.policy_settings
    if declared is None:
        if given:
            raise ConfigError(f"{SECTION}.{next(iter(given))}: policy {path!r} has no settings of its own")
        return None
    try:
        return decode_policy_settings(declared, given)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    except Exception as error:
        raise ConfigError(f"policy {path!r}: its Settings cannot be built: {_why(error)}") from error


def _factory(path: str) -> Callable[..., Policy]:
    return BUILT_IN_POLICIES.get(path) or _imported(path)


def _imported(path: str) -> Callable[..., Policy]:
    module_name, _, name = path.rpartition(".")
    allowed = f"{', '.join(BUILT_IN_POLICIES)}, or the dotted path of a class"
    if not module_name:
        raise ConfigError(f"policy {path!r} is unknown; allowed: {allowed}")
    try:
        found: object = getattr(import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"policy {path!r} cannot be loaded: {error}; allowed: {allowed}") from error
    except (Exception, SystemExit) as error:
        raise ConfigError(f"policy {path!r} cannot be loaded: {_why(error)}") from error
    if not callable(found):
        raise ConfigError(f"policy {path!r} is not a class; allowed: {allowed}")
    return cast("Callable[..., Policy]", found)


def _why(error: BaseException) -> str:
    """Return in one line what an error in a user's own module is, and in which line of which file."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    file, line = last.filename, last.lineno
    if isinstance(error, SyntaxError) and error.filename:
        file, line, text = error.filename, error.lineno, error.msg
    else:
        text = " ".join(str(error).split())
    name = "" if isinstance(error, TypeError | ValueError) else f"{type(error).__name__}: "
    where = "" if file == __file__ else f" ({file}, line {line})"
    return f"{name}{text}{where}"
