"""Settings read from the fields that declare them: what is allowed, a value of the file as the field's, JSON Schema.

A field is ``Annotated[type, Setting(...)]``, or, in the class of a user's own policy, ``Annotated[type, Meta(...)]``.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any, Final, TypeAlias, cast

import msgspec
from msgspec import NODEFAULT, Struct, inspect, structs

from hedgerow.domain.settings.declaration import Bound, Setting, Unit

__all__ = ["FileValue", "Kind", "SettingRow", "check_ranges", "plain_number", "setting_row", "setting_rows"]

FileValue: TypeAlias = bool | int | float | str | None
"""What a key holds in the file."""
_PERCENT: Final = Decimal(100)
_DOTTED_PATH: Final = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+"
_TYPES: Final = "bool, int, float, Decimal, str, a Literal of strings, a StrEnum, and each of them or None"


class Kind(StrEnum):
    """Type of a setting; the value is the word for it."""

    NUMBER = "a number"
    """A float: ratios, durations, APRs."""
    AMOUNT = "an amount"
    """A Decimal: money, basis points, parts of money."""
    COUNT = "a whole number"
    FLAG = "true or false"
    CHOICE = "one of"
    TEXT = "text"
    CLASS = "a class"
    """The name of something built in, or the dotted path of a class."""

    @property
    def is_number(self) -> bool:
        """Whether it has a range."""
        return self in {Kind.NUMBER, Kind.AMOUNT, Kind.COUNT}


class SettingRow(Struct, frozen=True, kw_only=True):
    """One key of the file. Bounds are in the file's unit."""

    section: str
    """Empty for a key outside every section."""
    key: str
    field: str
    """Name of the field that holds it."""
    kind: Kind
    type: Any
    """The field's annotation."""
    optional: bool
    """Whether null is allowed."""
    default: FileValue
    """As it stands in a file."""
    allowed: str
    """What may stand there, in words."""
    setting: Setting
    choices: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The key with its section, as error lines spell it."""
        return f"{self.section}.{self.key}" if self.section else self.key

    @property
    def meaning(self) -> str:
        """What it does, in one line."""
        return self.setting.meaning

    @property
    def is_percent(self) -> bool:
        """Whether it is percent in the file and a fraction in the field."""
        return self.setting.unit is Unit.PERCENT

    def shown(self, parameters: Struct) -> FileValue:
        """Return its value in ``parameters``, whose sections are fields, as it stands in a file."""
        holder: object = getattr(parameters, self.section) if self.section else parameters
        return _in_file(getattr(holder, self.field), percent=self.is_percent)

    def given(self, section: Mapping[str, bool | int | float | Decimal | str | None]) -> FileValue:
        """Return what a section of the file holds for it, or else its default."""
        value = section.get(self.key, self.default)
        return plain_number(value) if isinstance(value, Decimal) else value

    def accept(self, raw: object) -> object:
        """Return what ``raw``, as read from the file, means in the field.

        Raises:
            ValueError: it is of another type or out of range.
        """
        if raw is None and self.optional:
            return None
        if self.kind is Kind.CLASS:
            return self._accept_class(raw)
        value = self._accept_number(raw) if self.kind.is_number else raw
        try:
            return cast("object", msgspec.convert(value, self.type))
        except msgspec.ValidationError as error:
            raise ValueError(self.allowed) from error

    def is_in_range(self, value: Decimal) -> bool:
        """Return whether a number in the file's unit is within the bounds."""
        setting = self.setting
        return (
            value.is_finite()
            and (setting.ge is None or value >= setting.ge)
            and (setting.gt is None or value > setting.gt)
            and (setting.le is None or value <= setting.le)
            and (setting.lt is None or value < setting.lt)
        )

    def schema(self) -> dict[str, object]:
        """Return the JSON Schema of its value."""
        unit = {} if self.setting.unit is None else {"x-unit": str(self.setting.unit)}
        return {"description": self.meaning, **self._type_schema(), "default": self.default, **unit}

    def _accept_class(self, raw: object) -> str:
        if isinstance(raw, str) and (raw in self.choices or re.fullmatch(_DOTTED_PATH, raw)):
            return raw
        raise ValueError(self.allowed)

    def _accept_number(self, raw: object) -> int | float | Decimal:
        if isinstance(raw, bool) or not isinstance(raw, int if self.kind is Kind.COUNT else int | Decimal):
            raise ValueError(self.allowed)  # noqa: TRY004 - one kind of error for everything a file may hold
        exact = Decimal(repr(float(raw))) if self.kind is Kind.NUMBER else Decimal(raw)
        if not self.is_in_range(exact):
            raise ValueError(self.allowed)
        if self.kind is Kind.COUNT:
            return int(raw)
        inside = exact / _PERCENT if self.is_percent else exact
        return inside if self.kind is Kind.AMOUNT else float(inside)

    def _type_schema(self) -> dict[str, object]:
        if self.kind is Kind.CHOICE:
            return {"enum": [*map(str, self.choices), *([None] if self.optional else [])]}
        if self.kind is Kind.CLASS:
            names = "|".join(map(re.escape, self.choices))
            return {"type": "string", "pattern": f"^({names}|{_DOTTED_PATH})$"}
        words = {Kind.FLAG: "boolean", Kind.COUNT: "integer", Kind.TEXT: "string"}
        word = words.get(self.kind, "number")
        return {"type": [word, "null"] if self.optional else word, **_bounds_schema(self.setting)}


@cache
def setting_rows(declared: type[Struct], section: str = "") -> tuple[SettingRow, ...]:
    """Return a row for each field of a section: those that a user chooses first, else in the order of the class.

    Raises:
        ValueError: a field has no default or a wrong one, or its type cannot stand in a configuration file.
    """
    rows = [setting_row(field, section) for field in structs.fields(declared)]
    return tuple(sorted(rows, key=lambda row: not row.setting.is_choice))


def setting_row(field: structs.FieldInfo, section: str = "", built_in: Sequence[str] = ()) -> SettingRow:
    """Return the row of one field; ``built_in`` are the names that a setting of the kind ``CLASS`` may hold.

    Raises:
        ValueError: as for ``setting_rows``.
    """
    if field.required:
        raise ValueError(f"Settings.{field.name} has no default")
    base, optional = _without_null(inspect.type_info(field.type))
    declared = next((part for part in getattr(field.type, "__metadata__", ()) if isinstance(part, Setting)), None)
    setting = declared or _from_meta(inspect.type_info(field.type), base)
    kind = Kind.CLASS if setting.is_class else _kind(base)
    choices = tuple(built_in) if kind is Kind.CLASS else _choices(base)
    allowed = _words(kind, choices) or _range_words(kind, setting, from_to=declared is not None)
    default: object = field.default_factory() if field.default is NODEFAULT else field.default
    row = SettingRow(
        section=section,
        key=setting.key or field.name,
        field=field.name,
        kind=kind,
        type=field.type,
        optional=optional,
        default=_default_in_file(default, setting, declared),
        allowed=f"{allowed}, or null" if optional else allowed,
        setting=setting,
        choices=choices,
    )
    try:
        row.accept(Decimal(repr(row.default)) if isinstance(row.default, float) else row.default)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the default of Settings.{row.field} is {default!r}; allowed: {row.allowed}") from error
    return row


def check_ranges(section: Struct) -> None:
    """Refuse a section of settings that holds a number out of its range.

    Raises:
        ValueError: it does.
    """
    for row in setting_rows(type(section)):
        value = getattr(section, row.field)
        if row.kind.is_number and value is not None and not row.is_in_range(_exact(value, percent=row.is_percent)):
            raise ValueError(f"{row.field} is {value}; allowed in the file: {row.allowed}")


def plain_number(value: Decimal) -> int | float:
    """Return a number as JSON writes it best: whole where it is whole."""
    return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)


# --- reading a declaration -------------------------------------------------------------------------------------------


def _without_null(kind: inspect.Type) -> tuple[inspect.Type, bool]:
    """Return a type without its metadata and None, and whether None was part of it."""
    match kind:
        case inspect.Metadata(type=inner):
            return _without_null(inner)
        case inspect.UnionType(types=types) if len(types) == 2 and inspect.NoneType() in types:  # noqa: PLR2004 - a type or None
            return _without_null(next(part for part in types if part != inspect.NoneType()))[0], True
        case _:
            return kind, False


def _kind(base: inspect.Type) -> Kind:
    kinds: dict[type[inspect.Type], Kind] = {
        inspect.BoolType: Kind.FLAG,
        inspect.IntType: Kind.COUNT,
        inspect.FloatType: Kind.NUMBER,
        inspect.DecimalType: Kind.AMOUNT,
        inspect.StrType: Kind.TEXT,
        inspect.EnumType: Kind.CHOICE,
        inspect.LiteralType: Kind.CHOICE,
    }
    kind = kinds.get(type(base))
    if kind is None:
        raise ValueError(f"Settings has a field of type {type(base).__name__.removesuffix('Type')}; allowed: {_TYPES}")
    return kind


def _choices(base: inspect.Type) -> tuple[str, ...]:
    match base:
        case inspect.EnumType(cls=enum):
            return tuple(str(choice.value) for choice in enum)
        case inspect.LiteralType(values=values):
            return tuple(map(str, values))
        case _:
            return ()


def _from_meta(kind: inspect.Type, base: inspect.Type) -> Setting:
    """Return what ``msgspec.Meta`` declares: range and description."""
    text = _description(kind)
    if not isinstance(base, inspect.IntType | inspect.FloatType):
        return Setting(text=text)
    ge, gt, le, lt = (None if bound is None else Decimal(str(bound)) for bound in (base.ge, base.gt, base.le, base.lt))
    return Setting(text=text, ge=ge, gt=gt, le=le, lt=lt)


def _description(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.UnionType):
        return next((text for part in kind.types if (text := _description(part))), "")
    extra = cast("Mapping[str, object] | None", getattr(kind, "extra_json_schema", None)) or {}
    return str(extra.get("description", ""))


# --- values and words ------------------------------------------------------------------------------------------------


def _exact(value: float | Decimal, *, percent: bool) -> Decimal:
    """Return a field's number in the file's unit."""
    return Decimal(str(value)) * (_PERCENT if percent else 1)


def _in_file(value: object, *, percent: bool = False) -> FileValue:
    """Return a field's value as it stands in a file."""
    if isinstance(value, float | Decimal):
        return plain_number(_exact(value, percent=percent))
    return value if value is None or isinstance(value, bool | int) else str(value)


def _default_in_file(default: object, setting: Setting, declared: Setting | None) -> FileValue:
    if declared is None and isinstance(default, float):
        return default  # as the policy's class wrote it
    return _in_file(default, percent=setting.unit is Unit.PERCENT)


def _words(kind: Kind, choices: tuple[str, ...]) -> str:
    """Return in words what a setting allows that is no number; empty for a number."""
    quoted = " or ".join(f'"{choice}"' for choice in choices)
    words = {
        Kind.FLAG: kind.value,
        Kind.TEXT: kind.value,
        Kind.CHOICE: quoted,
        Kind.CLASS: f'{quoted}, or "package.module.Class"',
    }
    return words.get(kind, "")


def _range_words(kind: Kind, setting: Setting, *, from_to: bool) -> str:
    """Return in words what a number may be; two bounds read "from ... to ..." where ``from_to`` is."""
    word = Kind.COUNT.value if kind is Kind.COUNT else Kind.NUMBER.value
    least, below, most = setting.ge, setting.lt, setting.le
    if from_to and least is not None and most is not None:
        return f"{word} from {_digits(least)} to {_digits(most)}"
    if from_to and least is not None and below is not None:
        return f"{word} from {_digits(least)} to below {_digits(below)}"
    bounds = (("at least", least), ("above", setting.gt), ("at most", most), ("below", below))
    texts = [f"{text} {_digits(bound)}" for text, bound in bounds if bound is not None]
    return f"{word} {' and '.join(texts)}".rstrip()


def _digits(bound: Bound) -> str:
    return f"{Decimal(bound):f}"


def _bounds_schema(setting: Setting) -> dict[str, object]:
    bounds = {
        "minimum": setting.ge,
        "exclusiveMinimum": setting.gt,
        "maximum": setting.le,
        "exclusiveMaximum": setting.lt,
    }
    return {word: plain_number(Decimal(bound)) for word, bound in bounds.items() if bound is not None}
