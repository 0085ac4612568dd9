"""Plays the parameter sets of a search with the compiled rules."""

from typing import Any, Final

import numpy as np

from hedgerow.backtest.kernel import Rules, rules_of
from hedgerow.backtest.search.pools import Chunk
from hedgerow.backtest.search.scoring import RECORD, Scorer, sealed
from hedgerow.backtest.search.space import Axis, Space
from hedgerow.backtest.study import Study, StudyPlan

__all__ = ["KernelPlayer", "RulesOf", "kernel_player"]

MOST_KNOWN: Final = 1 << 16
"""Records that are kept: 16 MB."""


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
        self._known: dict[bytes, Any] = {}
        """Records by what was decided: sets that decide the same differ in their number only."""

    def __call__(self, chunk: Chunk) -> bytes:
        """Play the sets of a chunk."""
        records = np.zeros(len(chunk), dtype=RECORD)
        outcomes = self._chain.outcomes([self._rules(index) for index in chunk])
        for place, (index, outcome) in enumerate(zip(chunk, outcomes, strict=True)):
            known = self._known.get(outcome.digest)
            if known is None:
                self._scorer.played(index, outcome.played(), records[place : place + 1])
                self._remember(outcome.digest, records[place].copy())
            else:
                records[place] = known
                records["index"][place] = index
        return sealed(records)

    def _remember(self, digest: bytes, record: Any) -> None:
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[digest] = record


def kernel_player(plan: StudyPlan, space: Space) -> KernelPlayer:
    """Load a window and return its player."""
    return KernelPlayer(Study.load(plan), space)
