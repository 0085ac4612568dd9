"""Which style of execution a run has: given, or drawn from its seed."""

from enum import StrEnum
from random import Random

from msgspec.structs import fields, replace

from hedgerow.domain.errors import ConfigError
from hedgerow.domain.execution import ExecutionLimits

__all__ = ["Style", "style_of", "styled"]


class Style(StrEnum):
    """What ``--style`` may ask for."""

    TAKER = "taker"
    MAKER = "maker"
    DRAWN = "drawn"
    """Either, as the seed says."""


_SETTING = next((field for field in fields(ExecutionLimits) if field.name == "style"), None)


def styled(limits: ExecutionLimits, style: Style, seed: int) -> ExecutionLimits:
    """Return the limits with the style of a run.

    Raises:
        ConfigError: maker was asked for, and there is no such setting.
    """
    if _SETTING is None:
        if style is Style.MAKER:
            raise ConfigError("--style maker: this version knows taker orders only")
        return limits
    random = Random(f"style/{seed}")  # noqa: S311 - a repeatable run, nothing secret
    chosen = random.choice((Style.TAKER, Style.MAKER)) if style is Style.DRAWN else style
    return replace(limits, style=_SETTING.type(chosen.value))


def style_of(limits: ExecutionLimits) -> str:
    """Return the style of a job."""
    return str(getattr(limits, "style", Style.TAKER))
