"""The settings of the file in its order, read from the fields that declare them; a file that would give parameters.

Validation, ``hedgerow config``, the file that ``hedgerow init`` writes and the check of the documentation come from
these rows.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec import Struct, structs

from hedgerow.domain.settings.rows import FileValue, SettingRow, setting_row, setting_rows
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import BUILT_IN_POLICIES
from hedgerow.strategy.policy_settings import SECTION as POLICY_SECTION

__all__ = ["SETTINGS", "config_table", "default_config_text", "in_words", "render_config", "settings_in_words"]


def _rows() -> Iterator[SettingRow]:
    for field in structs.fields(StrategyParameters):
        if isinstance(field.type, type) and issubclass(field.type, Struct):
            yield from setting_rows(field.type, field.name)
        elif field.name != POLICY_SECTION:
            yield setting_row(field, built_in=tuple(BUILT_IN_POLICIES))


SETTINGS: Final = tuple(_rows())


def config_table() -> tuple[SettingRow, ...]:
    """Return every setting, in the order of the file."""
    return SETTINGS


def render_config(parameters: StrategyParameters) -> dict[str, FileValue | dict[str, FileValue]]:
    """Return the file that would give ``parameters``: every key, in the file's units."""
    return _document(parameters, SETTINGS)


def in_words(value: object) -> str:
    """Return a value of the file as people read it."""
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def settings_in_words(parameters: StrategyParameters) -> dict[str, str]:
    """Return every setting by its full name."""
    return {row.name: in_words(row.shown(parameters)) for row in SETTINGS}


def default_config_text() -> str:
    """Return the file that a new user starts with: the guide's keys at the guide's defaults."""
    about = "hedgerow config lists every key with its default and its range"
    settings = [row for row in SETTINGS if row.setting.in_guide]
    document = {"_about": about, **_document(StrategyParameters(), settings)}
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _document(
    parameters: StrategyParameters, settings: Sequence[SettingRow]
) -> dict[str, FileValue | dict[str, FileValue]]:
    document: dict[str, FileValue | dict[str, FileValue]] = {}
    for section in dict.fromkeys(row.section for row in settings):
        rows = {row.key: row.shown(parameters) for row in settings if row.section == section}
        document.update({section: rows} if section else rows)
    return document
