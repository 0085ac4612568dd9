"""Request parameters: parsed once, read by name, refused with the venue's codes (docs/aster-api.md 5 and 9)."""

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import msgspec

from hedgerow.emulator.wire.protocol.errors import WireError, malformed, missing
from hedgerow.emulator.wire.protocol.number_format import at_ms

__all__ = ["Params", "named_symbol", "parse_form"]

NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,20})?")
"""Plain notation: an exponent is refused (docs/aster-api.md 2)."""
WHOLE = re.compile(r"\d{1,18}")
SYMBOL = re.compile(r"(?:^|&)symbol=([^&]*)")
MAX_FIELDS = 200


def parse_form(text: str) -> dict[str, str]:
    """Return the fields of a query string or form body.

    Raises:
        WireError: a field is given twice, or there are far too many (-1101).
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise WireError(-1101, "Too many parameters sent for this endpoint.") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise WireError(-1101, "Duplicate values for a parameter detected.")
    return fields


def named_symbol(text: str) -> str:
    """Return the symbol that a query string or form body names; nothing when it names none."""
    found = SYMBOL.search(text)
    return unquote_plus(found[1]) if found else ""


class Params:
    """The business parameters of one request."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = fields

    @property
    def fields(self) -> Mapping[str, str]:
        """Everything that was sent."""
        return self._fields

    def has(self, name: str) -> bool:
        """Return whether a parameter was sent with a value."""
        return bool(self._fields.get(name))

    def text(self, name: str, default: str | None = None) -> str:
        """Return a parameter; without a default it must be there."""
        value = self._fields.get(name)
        if value:
            return value
        if value == "" and default is None:
            raise WireError(-1105, f"Parameter '{name}' was empty.")
        if default is None:
            raise missing(name)
        return default

    def choice(self, name: str, allowed: Collection[str], *, default: str | None = None, code: int = -1130) -> str:
        """Return a parameter that must be one of some words."""
        value = self.text(name, default).upper()
        if value not in allowed:
            raise WireError(code, f"Invalid {name}.") if code != malformed("").code else malformed(name)
        return value

    def number(self, name: str, default: Decimal | None = None) -> Decimal:
        """Return a decimal in plain notation."""
        value = self.text(name, None if default is None else "")
        if not value and default is not None:
            return default
        if not NUMBER.fullmatch(value):
            raise missing(name)
        return Decimal(value)

    def whole(self, name: str, default: int | None = None, *, least: int = 0, most: int = 10**18) -> int:
        """Return a whole number within bounds."""
        value = self.text(name, None if default is None else "")
        if not value and default is not None:
            return default
        if not WHOLE.fullmatch(value):
            raise missing(name)
        if not least <= int(value) <= most:
            raise malformed(name, f"allowed is {least} to {most}")
        return int(value)

    def time(self, name: str) -> datetime | None:
        """Return a time given in milliseconds; None when it was not sent."""
        return at_ms(self.whole(name)) if self.has(name) else None

    def flag(self, name: str, *, default: bool | None = None) -> bool:
        """Return a truth value, spelled ``true`` or ``false`` in any case."""
        value = self.text(name, None if default is None else str(default)).lower()
        if value not in {"true", "false"}:
            raise missing(name)
        return value == "true"

    def items(self, name: str) -> list[Any]:
        """Return a list given as JSON."""
        try:
            return msgspec.json.decode(self.text(name), type=list[Any])
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise missing(name) from error

    def refuse(self, *names: str) -> None:
        """Refuse parameters that this request may not carry (-1106)."""
        for name in names:
            if self.has(name):
                raise WireError(-1106, f"Parameter '{name}' sent when not required.")
