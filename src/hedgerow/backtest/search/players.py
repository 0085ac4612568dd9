"""Plays the parameter sets of a search with the compiled rules."""

from typing import Any

import numpy as np

from hedgerow.backtest.kernel import Rules, rules_of
from hedgerow.backtest.search.pools import Chunk
from hedgerow.backtest.search.scoring import RECORD, Scorer, sealed
from hedgerow.backtest.search.space import Axis, Space
from hedgerow.backtest.study import Study, StudyPlan

__all__ = ["KernelPlayer", "RulesOf", "kernel_player"]


class RulesOf:
    """The thresholds of each set of a space, quickly: each setting decides fields of its own."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._base = rules_of(space.base)
        self._changes = [self._of_axis(axis) for axis in space.axes]

    def __call__(self, index: int) -> Rules:
        """Return the thresholds of a set."""
        changed: dict[str, Any] = {}
        for changes, digit in zip(self._changes, self._space.digits(index), strict=True):
            changed.update(changes[digit])
        return self._base._replace(**changed)

    def _of_axis(self, axis: Axis) -> list[dict[str, Any]]:
        """Return the fields that each value of a setting changes."""
        alone = Space(base=self._space.base, axes=(axis,))
        found = [rules_of(alone.parameters(digit)) for digit in range(alone.size)]
        own = [
            name for name in Rules._fields if any(getattr(each, name) != getattr(self._base, name) for each in found)
        ]
        return [{name: getattr(each, name) for name in own} for each in found]


class KernelPlayer:
    """A ``Player`` that has loaded its window."""

    def __init__(self, study: Study, space: Space) -> None:
        self._rules = RulesOf(space)
        self._chain = study.chain
        self._scorer = Scorer(study)

    def __call__(self, chunk: Chunk) -> bytes:
        """Play the sets of a chunk."""
        records = np.zeros(len(chunk), dtype=RECORD)
        for place, index in enumerate(chunk):
            self._scorer.played(index, self._chain.play(self._rules(index)), records[place : place + 1])
        return sealed(records)


def kernel_player(plan: StudyPlan, space: Space) -> KernelPlayer:
    """Load a window and return its player."""
    return KernelPlayer(Study.load(plan), space)
