"""Bugs that are planted one at a time: what each changes, and what must notice it."""

from collections.abc import Sequence

from planted.arithmetic import ARITHMETIC
from planted.behaviours import BEHAVIOURS
from planted.kinds import Patched, Played
from planted.played import PLAYED as _PLAYED
from planted.several import SEVERAL, TEXTS
from planted.survivors import SURVIVORS

__all__ = ["PATCHED", "PLAYED"]

PATCHED: Sequence[Patched] = (*SURVIVORS, *ARITHMETIC, *TEXTS)
"""In the text of one module."""
PLAYED: Sequence[Played] = (*_PLAYED, *BEHAVIOURS, *SEVERAL)
"""In the running bot."""
