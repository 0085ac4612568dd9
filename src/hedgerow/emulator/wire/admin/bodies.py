"""Bodies of ``/admin`` requests: decoded into a struct, or refused with what is allowed."""

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, TypeVar, cast

import msgspec
from msgspec import Struct, inspect

__all__ = ["allowed_values", "read_body", "values_at"]

LARGEST_AMOUNT = 10**15
PLACE = re.compile(r" - at `\$\.(\w+)`$")
Body = TypeVar("Body", bound=Struct)


def read_body(body: bytes, kind: type[Body]) -> Body:
    """Return what a request asks for; nothing sent is everything left out.

    Raises:
        ValueError: it is malformed, or an amount in it is no number or too large.
    """
    try:
        asked = msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise ValueError(_explained(str(error), kind)) from error
    for amount in _amounts(msgspec.structs.astuple(asked)):
        if not (amount.is_finite() and abs(amount) <= LARGEST_AMOUNT):
            raise ValueError(f"an amount is a number of at most {LARGEST_AMOUNT:,}, not {amount}")
    return asked


def allowed_values(kind: type[Struct], name: str) -> tuple[str, ...]:
    """Return the values that a field of an enumeration takes; nothing for any other field."""
    found = [field.type for field in cast("inspect.StructType", inspect.type_info(kind)).fields if field.name == name]
    enums = [part.cls for each in found for part in _parts(each) if isinstance(part, inspect.EnumType)]
    return tuple(str(exchange_account.value) for enum in enums for exchange_account in enum)


def values_at(message: str, kind: type[Struct]) -> tuple[str, ...]:
    """Return the values that the field named in a decoder's message takes; nothing where it is no enumeration."""
    place = PLACE.search(message)
    return allowed_values(kind, place[1]) if place else ()


def _explained(message: str, kind: type[Struct]) -> str:
    """Return the decoder's message with what is allowed in its place."""
    values = values_at(message, kind)
    if values:
        return f"{message}; allowed are {', '.join(values)}"
    if "unknown field" in message:
        return f"{message}; allowed are {', '.join(kind.__struct_encode_fields__)}"
    return message


def _parts(kind: inspect.Type) -> tuple[inspect.Type, ...]:
    return kind.types if isinstance(kind, inspect.UnionType) else (kind,)


def _amounts(values: Iterable[Any]) -> Iterator[Decimal]:
    for value in values:
        if isinstance(value, Mapping):
            yield from _amounts(cast("Mapping[str, Any]", value).values())
        elif isinstance(value, Decimal):
            yield value
