"""Draws the execution style of a run from its seed, unless it is given."""

from decimal import Decimal
from enum import StrEnum
from random import Random

from msgspec.structs import replace

from hedgerow.domain.execution import ExecutionLimits, ExecutionStyle

__all__ = ["Style", "styled"]

MAKER_SHARE = 1 / 4
"""Of the runs whose style is drawn: what rests is looked at every second, and such a run takes longer."""
TIMEOUTS = (6.0, 6.0, 15.0, 45.0)
"""Seconds that a slice rests at most; with the default, 45 s, nine tenths of a run would be spent in watching one."""
RESTING_LOSSES = (100, 1000)
"""USDT; with the default, 100, the largest accounts would always trade in very many slices."""


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
    return replace(
        limits,
        style=chosen,
        maker_timeout_seconds=random.choice(TIMEOUTS),
        max_resting_loss_usd=Decimal(random.choice(RESTING_LOSSES)),
    )
