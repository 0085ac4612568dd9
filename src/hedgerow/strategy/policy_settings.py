"""Settings of a user's own policy: declared by its class, validated, described.

A policy class that has settings names a frozen ``msgspec.Struct`` as its ``Settings``; every field has a default, and
``Annotated[float, Meta(ge=0, le=10, description="...")]`` or ``Annotated[float, Setting(text="...", ge=0, le=10)]``
gives the range and the meaning. The values stand in the section ``policy_settings`` of the configuration file, in the
units that the policy gives them.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec
from msgspec import Struct

from hedgerow.domain.settings.rows import SettingRow, setting_rows
from hedgerow.domain.settings.suggestions import nearest_names
from hedgerow.strategy.parameters import PolicyValue

__all__ = ["SECTION", "decode_policy_settings", "policy_setting_rows", "settings_class"]

SECTION = "policy_settings"
"""Name of the section in the configuration file."""
SHOWN_CHARACTERS = 40
"""Longest part of a wrong value that an error line repeats."""


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
    policy_setting_rows(declared)
    return declared


def policy_setting_rows(declared: type[Struct]) -> tuple[SettingRow, ...]:
    """Return a row for each setting, in the order of the class.

    Raises:
        ValueError: as for ``settings_class``.
    """
    return setting_rows(declared, SECTION)


def decode_policy_settings(declared: type[Struct], given: Mapping[str, PolicyValue]) -> Struct:
    """Return the settings with the values ``given`` in the configuration file, and defaults for the rest.

    Raises:
        ValueError: a key is unknown, a value is of another type or out of range, or the class refuses them together.
    """
    rows = {row.key: row for row in policy_setting_rows(declared)}
    values: dict[str, object] = {}
    for key, raw in given.items():
        row = _known(key, rows)
        values[row.field] = _accepted(row, raw)
    try:
        return declared(**values)
    except ValueError as error:
        raise ValueError(f"{SECTION}: must hold: {error}") from error


def _known(key: str, rows: Mapping[str, SettingRow]) -> SettingRow:
    if key in rows:
        return rows[key]
    nearest = nearest_names(key, rows)
    known = f"; the nearest known one is {SECTION}.{nearest[0]}" if nearest else ""
    raise ValueError(f"unknown key {SECTION}.{key}{known}")


def _accepted(row: SettingRow, raw: PolicyValue) -> object:
    try:
        return row.accept(raw)
    except ValueError as error:
        raise ValueError(f"{row.name} is {_shown(raw)}; allowed: {error}") from error


def _shown(raw: PolicyValue) -> str:
    text = str(raw) if isinstance(raw, Decimal) else msgspec.json.encode(raw).decode()
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
