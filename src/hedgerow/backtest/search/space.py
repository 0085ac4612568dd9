"""The parameter sets of a search: every combination of some settings' values, numbered, the last one changing first."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.strategy.parameters import StrategyParameters

__all__ = ["Axis", "Space"]


class Axis(Struct, frozen=True, kw_only=True):
    """One setting and the values that are tried."""

    section: str
    """Empty for a setting outside every section."""
    field: str
    name: str
    """As the configuration file names it, with its section."""
    shown: tuple[Any, ...]
    """Values as they stand in a file; numbers ascending."""
    accepted: tuple[Any, ...]
    """The same as the fields hold them."""

    @property
    def ordered(self) -> bool:
        """Whether neighbours are nearer to each other than others: numbers are."""
        return all(isinstance(value, int | float) and not isinstance(value, bool) for value in self.shown)


class Space(Struct, frozen=True, kw_only=True):
    """All combinations."""

    base: StrategyParameters
    axes: tuple[Axis, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values each setting has."""
        return tuple(len(axis.shown) for axis in self.axes)

    @property
    def size(self) -> int:
        """How many sets there are."""
        return prod(self.shape)

    def digits(self, index: int) -> tuple[int, ...]:
        """Return which value each setting has in a set."""
        found: list[int] = []
        for length in reversed(self.shape):
            index, digit = divmod(index, length)
            found.append(digit)
        return tuple(reversed(found))

    def index(self, digits: Sequence[int]) -> int:
        """Return the number of a set."""
        found = 0
        for length, digit in zip(self.shape, digits, strict=True):
            found = found * length + digit
        return found

    def parameters(self, index: int) -> StrategyParameters:
        """Return all settings of a set."""
        changed: dict[str, dict[str, Any]] = {}
        for axis, digit in zip(self.axes, self.digits(index), strict=True):
            changed.setdefault(axis.section, {})[axis.field] = axis.accepted[digit]
        outside = changed.pop("", {})
        sections = {name: replace(getattr(self.base, name), **fields) for name, fields in changed.items()}
        return replace(self.base, **outside, **sections)

    def shown(self, index: int) -> Mapping[str, Any]:
        """Return what is different in a set, as it stands in a file."""
        return {axis.name: axis.shown[digit] for axis, digit in zip(self.axes, self.digits(index), strict=True)}
