"""JSON Schema as far as the settings file needs it; a keyword that is not known here is an error, never ignored."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

__all__ = ["is_valid"]

Schema = Mapping[str, Any] | bool


def is_valid(schema: Schema, value: Any) -> bool:
    """Return whether ``value``, numbers read as ``int`` or ``Decimal``, is valid.

    Raises:
        KeyError: the schema has a keyword that is not known.
    """
    if isinstance(schema, bool):
        return schema
    return all(_KEYWORDS[keyword](expected, value, schema) for keyword, expected in schema.items())


def _is_type(names: str | list[str], value: Any, _: Schema) -> bool:
    return any(_TYPES[name](value) for name in ([names] if isinstance(names, str) else names))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _holds(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any, Schema], bool]:
    return lambda bound, value, _: not _is_number(value) or compare(value, bound)


def _is_one_of(choices: list[Any], value: Any, _: Schema) -> bool:
    return any(type(choice) is type(value) and choice == value for choice in choices)


def _matches(pattern: str, value: Any, _: Schema) -> bool:
    return not isinstance(value, str) or re.search(pattern, value) is not None


def _has_valid_properties(properties: Mapping[str, Schema], value: Any, _: Schema) -> bool:
    return not isinstance(value, dict) or all(
        is_valid(schema, value[key]) for key, schema in properties.items() if key in value
    )


def _has_valid_patterns(patterns: Mapping[str, Schema], value: Any, _: Schema) -> bool:
    return not isinstance(value, dict) or all(
        is_valid(schema, value[key]) for pattern, schema in patterns.items() for key in value if re.search(pattern, key)
    )


def _has_valid_others(others: Schema, value: Any, schema: Schema) -> bool:
    assert not isinstance(schema, bool)
    return not isinstance(value, dict) or all(
        is_valid(others, value[key])
        for key in value
        if key not in schema["properties"] and not any(re.search(each, key) for each in schema["patternProperties"])
    )


def _says_nothing(*_: Any) -> bool:
    return True


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and value == int(value),
    "null": lambda value: value is None,
    "number": _is_number,
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}
_KEYWORDS: Mapping[str, Callable[[Any, Any, Schema], bool]] = {
    "$schema": _says_nothing,
    "additionalProperties": _has_valid_others,
    "default": _says_nothing,
    "description": _says_nothing,
    "enum": _is_one_of,
    "exclusiveMaximum": _holds(lambda value, bound: value < bound),
    "exclusiveMinimum": _holds(lambda value, bound: value > bound),
    "maximum": _holds(lambda value, bound: value <= bound),
    "minimum": _holds(lambda value, bound: value >= bound),
    "pattern": _matches,
    "patternProperties": _has_valid_patterns,
    "properties": _has_valid_properties,
    "type": _is_type,
    "x-unit": _says_nothing,
}
