"""Which style of execution a run has: given, or drawn from its seed."""

from enum import StrEnum
from random import Random

from msgspec.structs import replace

from hedgerow.domain.execution import ExecutionLimits, ExecutionStyle

__all__ = ["Style", "styled"]

MAKER_SHARE = 1 / 4
"""Of the runs whose style is drawn: what rests is looked at often, and such a run takes three times as long."""


class Style(StrEnum):
    """What ``--style`` may ask for."""

    TAKER = "taker"
    MAKER = "maker"
    DRAWN = "drawn"
    """Either, as the seed says."""


def styled(limits: ExecutionLimits, style: Style, seed: int) -> ExecutionLimits:
    """Return the limits with the style of a run."""
    random = Random(f"style/{seed}")  # noqa: S311 - a repeatable run, nothing secret
    drawn = ExecutionStyle.MAKER if random.random() < MAKER_SHARE else ExecutionStyle.TAKER
    chosen = drawn if style is Style.DRAWN else ExecutionStyle(style.value)
    return replace(limits, style=chosen)
