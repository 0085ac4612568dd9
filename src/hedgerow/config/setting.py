"""One setting: its section and key, type, allowed values and purpose."""

import re
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import HOUSE_POLICIES

__all__ = ["ConfigValue", "Kind", "Setting", "amount", "choice", "number"]

ConfigValue = bool | int | float | str | None
"""What a key holds in the file."""
_PERCENT: Final = Decimal(100)
_DOTTED_PATH: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


class Kind(StrEnum):
    """Type of a setting; the value is the word for it."""

    NUMBER = "a number"
    """Kept as a float: ratios, durations, APRs."""
    AMOUNT = "an amount"
    """Kept as a Decimal: money, basis points, parts of money."""
    COUNT = "a whole number"
    FLAG = "true or false"
    CHOICE = "one of"
    POLICY = "a policy"


class Setting(Struct, frozen=True, kw_only=True):
    """One key of the file. ``low`` and ``high`` are in the file's units and allowed themselves unless marked open."""

    section: str
    """Empty for a key outside every section."""
    key: str
    kind: Kind
    meaning: str
    low: Decimal = Decimal(0)
    high: Decimal = Decimal(0)
    low_open: bool = False
    high_open: bool = False
    optional: bool = False
    """Whether null is allowed."""
    choices: tuple[str, ...] = ()
    percent: bool = False
    """Percent in the file, a fraction inside."""
    field: str | None = None
    """Name inside, where it differs from the key."""
    in_guide: bool = False
    """Whether the guide's own file has it."""

    @property
    def name(self) -> str:
        """The key with its section, as error lines spell it."""
        return f"{self.section}.{self.key}" if self.section else self.key

    @property
    def inner(self) -> str:
        """Name of the field that holds it."""
        return self.field or self.key

    @property
    def default(self) -> ConfigValue:
        """The default, in the file's units."""
        return self.shown(StrategyParameters())

    @property
    def allowed(self) -> str:
        """What may stand there, in words."""
        words = {
            Kind.FLAG: self.kind.value,
            Kind.CHOICE: " or ".join(f'"{choice}"' for choice in self.choices),
            Kind.POLICY: " or ".join(f'"{policy}"' for policy in HOUSE_POLICIES) + ', or "package.module.Class"',
        }
        text = words.get(self.kind) or f"{self._number_word} {self._range}"
        return f"{text}, or null" if self.optional else text

    def shown(self, parameters: StrategyParameters) -> ConfigValue:
        """Return its value in ``parameters`` as it stands in a file."""
        holder: object = getattr(parameters, self.section) if self.section else parameters
        value: object = getattr(holder, self.inner)
        if isinstance(value, float | Decimal):
            return _plain_number(Decimal(str(value)) * (_PERCENT if self.percent else 1))
        return value if value is None or isinstance(value, bool | int) else str(value)

    def accept(self, raw: object) -> object:
        """Return what ``raw``, as read from the file, means inside.

        Raises:
            ValueError: it is of another type or out of range.
        """
        if raw is None and self.optional:
            return None
        if self.kind in {Kind.FLAG, Kind.CHOICE, Kind.POLICY}:
            return self._accept_word(raw)
        number = _as_number(raw)
        if number is None or (self.kind is Kind.COUNT and not isinstance(number, int)):
            raise ValueError(self.allowed)
        return self._accept_number(number)

    def _accept_word(self, raw: object) -> object:
        if self.kind is Kind.FLAG and isinstance(raw, bool):
            return raw
        if self.kind is Kind.CHOICE and isinstance(raw, str) and raw in self.choices:
            return self.choices[self.choices.index(raw)]
        if self.kind is Kind.POLICY and isinstance(raw, str) and (raw in HOUSE_POLICIES or _DOTTED_PATH.fullmatch(raw)):
            return raw
        raise ValueError(self.allowed)

    def _accept_number(self, raw: int | Decimal) -> object:
        exact = Decimal(raw) if self.kind is not Kind.NUMBER else Decimal(repr(float(raw)))
        too_low = exact <= self.low if self.low_open else exact < self.low
        too_high = exact >= self.high if self.high_open else exact > self.high
        if too_low or too_high:
            raise ValueError(self.allowed)
        if self.kind is Kind.COUNT:
            return raw
        inside = exact / _PERCENT if self.percent else exact
        return inside if self.kind is Kind.AMOUNT else float(inside)

    @property
    def _number_word(self) -> str:
        return Kind.COUNT.value if self.kind is Kind.COUNT else Kind.NUMBER.value

    @property
    def _range(self) -> str:
        if self.low_open:
            return f"above {self.low:f} and at most {self.high:f}"
        return f"from {self.low:f} to {'below ' if self.high_open else ''}{self.high:f}"


def _as_number(raw: object) -> int | Decimal | None:
    return raw if isinstance(raw, int | Decimal) and not isinstance(raw, bool) else None


def _plain_number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def number(section: str, key: str, low: str, high: str, meaning: str, **more: object) -> Setting:
    """Return a row; a bound that is not allowed itself is written with a leading ``>`` or ``<``."""
    row = Setting(section=section, key=key, kind=Kind.NUMBER, meaning=meaning)
    return msgspec.structs.replace(
        row,
        low=Decimal(low.removeprefix(">")),
        low_open=low.startswith(">"),
        high=Decimal(high.removeprefix("<")),
        high_open=high.startswith("<"),
        **more,
    )


def amount(section: str, key: str, low: str, high: str, meaning: str, **more: object) -> Setting:
    """Return the row of an amount; bounds as for ``number``."""
    return number(section, key, low, high, meaning, kind=Kind.AMOUNT, **more)


def choice(section: str, key: str, choices: type[StrEnum], meaning: str) -> Setting:
    """Return the row of a choice among the values of an enumeration."""
    return Setting(section=section, key=key, kind=Kind.CHOICE, choices=tuple(choices), meaning=meaning)
