"""Settings of a user's own policy: declared by its class, validated, described.

A policy class that has settings names a frozen ``msgspec.Struct`` as its ``Settings``; every field has a default, and
``Annotated[float, Meta(ge=0, le=10, description="...")]`` gives the range and the meaning. The values stand in the
section ``policy_settings`` of the configuration file, in the units that the policy gives them.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from math import isfinite
from typing import cast, get_type_hints

import msgspec
from msgspec import Struct, inspect

from hedgerow.strategy.parameters import PolicyValue

__all__ = [
    "SECTION",
    "PolicySetting",
    "decode_policy_settings",
    "describe_policy_settings",
    "file_value",
    "settings_class",
]

SECTION = "policy_settings"
"""Name of the section in the configuration file."""
Number = inspect.IntType | inspect.FloatType
SHOWN_CHARACTERS = 40
"""Longest part of a wrong value that an error line repeats."""
TYPES = "bool, int, float, Decimal, str, a Literal of strings, a StrEnum, and each of them or None"


class PolicySetting(Struct, frozen=True, kw_only=True):
    """One setting of a policy, as its class declares it."""

    key: str
    default: PolicyValue
    allowed: str
    """What may stand there, in words."""
    meaning: str


def settings_class(policy: Callable[..., object]) -> type[Struct] | None:
    """Return what ``policy`` declares as its ``Settings``; None = it has no settings.

    Raises:
        ValueError: it is no Struct, a field has no default or a wrong one, or its type cannot stand in a configuration
            file.
    """
    declared: object = getattr(policy, "Settings", None)
    if declared is None:
        return None
    if not (isinstance(declared, type) and issubclass(declared, Struct)):
        raise ValueError("Settings is not a class of msgspec.Struct")  # noqa: TRY004 - one kind of error for a class that cannot be used
    for field in _fields(declared):
        if field.required:
            raise ValueError(f"Settings.{field.name} has no default")
        allowed = _allowed(field.type)
        if field.default is not msgspec.NODEFAULT and not _fits(declared, field.name, field.default):
            raise ValueError(f"the default of Settings.{field.name} is {field.default!r}; allowed: {allowed}")
    return declared


def decode_policy_settings(declared: type[Struct], given: Mapping[str, PolicyValue]) -> Struct:
    """Return the settings with the values ``given`` in the configuration file, and defaults for the rest.

    Raises:
        ValueError: a key is unknown, a value is of another type or out of range, or the class refuses them together.
    """
    values = {key: _accepted(declared, key, raw) for key, raw in given.items()}
    try:
        return declared(**values)
    except ValueError as error:
        raise ValueError(f"{SECTION}: must hold: {error}") from error


def describe_policy_settings(declared: type[Struct]) -> tuple[PolicySetting, ...]:
    """Return a row for each setting, in the order of the class."""
    defaults = declared()
    return tuple(
        PolicySetting(
            key=field.name,
            default=file_value(cast("PolicyValue", getattr(defaults, field.name))),
            allowed=_allowed(field.type),
            meaning=_meaning(field.type),
        )
        for field in _fields(declared)
    )


def file_value(value: PolicyValue) -> PolicyValue:
    """Return ``value`` as it stands in a file: a number, not a Decimal."""
    if not isinstance(value, Decimal):
        return value
    return int(value) if value == value.to_integral_value() else float(value)


def _accepted(declared: type[Struct], key: str, raw: PolicyValue) -> object:
    fields = {field.name: field for field in _fields(declared)}
    if key not in fields:
        nearest = get_close_matches(key, list(fields), n=1, cutoff=0.0)
        known = f"; the nearest known one is {SECTION}.{nearest[0]}" if nearest else ""
        raise ValueError(f"unknown key {SECTION}.{key}{known}")
    wrong = ValueError(f"{SECTION}.{key} is {_shown(raw)}; allowed: {_allowed(fields[key].type)}")
    try:
        value: object = msgspec.convert(raw, get_type_hints(declared, include_extras=True)[key])
    except msgspec.ValidationError as error:
        raise wrong from error
    text_for_number = isinstance(raw, str) and isinstance(value, Decimal)
    if text_for_number or (isinstance(value, float) and not isfinite(value)):
        raise wrong
    return value


def _fits(declared: type[Struct], key: str, default: PolicyValue) -> bool:
    try:
        _accepted(declared, key, file_value(default))
    except (TypeError, ValueError):
        return False
    return True


def _shown(raw: PolicyValue) -> str:
    text = str(raw) if isinstance(raw, Decimal) else msgspec.json.encode(raw).decode()
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def _fields(declared: type[Struct]) -> tuple[inspect.Field, ...]:
    return cast("inspect.StructType", inspect.type_info(declared)).fields


def _allowed(kind: inspect.Type) -> str:
    """Return in words what a type allows.

    Raises:
        ValueError: it cannot stand in a configuration file.
    """
    match kind:
        case inspect.Metadata(type=inner):
            return _allowed(inner)
        case inspect.UnionType(types=types) if len(types) == 2 and inspect.NoneType() in types:  # noqa: PLR2004 - a type or None
            return f"{_allowed(next(part for part in types if part != inspect.NoneType()))}, or null"
        case inspect.EnumType(cls=enum):
            return " or ".join(f'"{exchange_account.value}"' for exchange_account in enum)
        case inspect.LiteralType(values=values):
            return " or ".join(f'"{value}"' for value in values)
        case inspect.IntType() | inspect.FloatType():
            return _range("a whole number" if isinstance(kind, inspect.IntType) else "a number", kind)
        case _:
            return _word(kind)


def _word(kind: inspect.Type) -> str:
    words: dict[type[inspect.Type], str] = {
        inspect.BoolType: "true or false",
        inspect.DecimalType: "a number",
        inspect.StrType: "text",
    }
    word = words.get(type(kind))
    if word is None:
        raise ValueError(f"Settings has a field of type {type(kind).__name__.removesuffix('Type')}; allowed: {TYPES}")
    return word


def _range(word: str, kind: Number) -> str:
    bounds = [
        f"{text} {bound:g}"
        for text, bound in (("at least", kind.ge), ("above", kind.gt), ("at most", kind.le), ("below", kind.lt))
        if bound is not None
    ]
    return f"{word} {' and '.join(bounds)}".rstrip()


def _meaning(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.UnionType):
        return next((meaning for part in kind.types if (meaning := _meaning(part))), "")
    extra = cast("Mapping[str, object] | None", getattr(kind, "extra_json_schema", None)) or {}
    return str(extra.get("description", ""))
