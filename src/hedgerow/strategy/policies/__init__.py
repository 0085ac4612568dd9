"""Policies of the house, and the way to plug in another one by its dotted path."""

from collections.abc import Callable
from importlib import import_module
from typing import cast

from hedgerow.domain.errors import ConfigError
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies.volume_farming import VolumeFarming
from hedgerow.strategy.policy import Policy

__all__ = ["HOUSE_POLICIES", "VolumeFarming", "load_policy"]

HOUSE_POLICIES: dict[str, Callable[[StrategyParameters], Policy]] = {"volume_farming": VolumeFarming}
"""Policies by their name in the configuration."""
_METHODS = ("parameters", "rank", "refusals", "capital", "review")


def load_policy(path: str, parameters: StrategyParameters) -> Policy:
    """Return the policy named by ``path``: a name of the house, or ``package.module.Class``.

    Raises:
        ConfigError: it cannot be imported, cannot be built from the parameters, or lacks a method.
    """
    factory = HOUSE_POLICIES.get(path) or _imported(path)
    try:
        policy = factory(parameters)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"policy {path!r}: cannot be built from the parameters: {error}") from error
    lacking = [name for name in _METHODS if not hasattr(policy, name)]
    if lacking:
        raise ConfigError(f"policy {path!r} lacks {', '.join(lacking)}; a policy has {', '.join(_METHODS)}")
    return policy


def _imported(path: str) -> Callable[[StrategyParameters], Policy]:
    module_name, _, name = path.rpartition(".")
    allowed = f"{', '.join(HOUSE_POLICIES)}, or the dotted path of a class"
    if not module_name:
        raise ConfigError(f"policy {path!r} is unknown; allowed: {allowed}")
    try:
        found: object = getattr(import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"policy {path!r} cannot be loaded: {error}; allowed: {allowed}") from error
    if not callable(found):
        raise ConfigError(f"policy {path!r} is not a class; allowed: {allowed}")
    return cast("Callable[[StrategyParameters], Policy]", found)
