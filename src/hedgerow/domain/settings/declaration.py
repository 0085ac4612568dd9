"""Declares a setting beside its field: ``Annotated[Decimal, Setting(text="...", gt=0, le=1)]``.

Name in the file, range, unit and meaning stand there and nowhere else; type and default are the field's own.
``hedgerow.domain.settings.rows`` reads the declarations.
"""

from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

__all__ = ["Bound", "Setting", "Unit"]

Bound: TypeAlias = int | Decimal


class Unit(StrEnum):
    """Unit of a setting in the file."""

    PERCENT = "percent"
    """The field holds a fraction: 15 in the file is 0.15 in the field."""
    BASIS_POINTS = "basis points"
    HOURS = "hours"
    SECONDS = "seconds"
    USDT = "USDT"


class Setting(Struct, frozen=True, kw_only=True):
    """What a field means to the user who sets it; bounds are in the file's unit."""

    text: str
    """Meaning, in one line; ``{unit}`` stands for the word of the unit."""
    ge: Bound | None = None
    """Least value allowed."""
    gt: Bound | None = None
    """Value that must be exceeded."""
    le: Bound | None = None
    """Largest value allowed."""
    lt: Bound | None = None
    """Value that must not be reached."""
    unit: Unit | None = None
    """None = a ratio, a count or a word."""
    key: str = ""
    """Name in the file; empty = the name of the field."""
    in_guide: bool = False
    """Whether the guide's own file has it."""
    is_choice: bool = False
    """Whether a user chooses it: listed before those of its section whose defaults are meant to be kept."""
    is_class: bool = False
    """Whether the text is the name of something built in, or the dotted path of a class."""

    @property
    def meaning(self) -> str:
        """The text with its unit."""
        return self.text if self.unit is None else self.text.replace("{unit}", self.unit)
