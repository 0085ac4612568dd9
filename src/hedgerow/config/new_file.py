"""A settings file as ``hedgerow init`` writes it, from a preset or the present file with answers; its JSON Schema."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final, cast

import msgspec

from hedgerow.config.loading import decode_config
from hedgerow.config.presets import PresetName, preset_text
from hedgerow.config.schema import config_schema
from hedgerow.domain.settings.rows import FileValue, SettingRow, plain_number

__all__ = ["SCHEMA_FILE", "changed_file", "new_file", "schema_text"]

SCHEMA_FILE: Final = "hedgerow.schema.json"
"""Name of the schema beside the settings file, by which an editor completes keys and marks what is not allowed."""

BOM: Final = "\ufeff"
_WRITER: Final = msgspec.json.Encoder(decimal_format="number")
"""Numbers keep the digits of the file."""


def new_file(preset: PresetName, answers: Mapping[str, FileValue | Decimal]) -> str:
    """Return the file of a preset with ``answers``, by the full names of the settings.

    Raises:
        ConfigError: the settings do not go together.
    """
    return changed_file(preset_text(preset), answers, name=f"preset {preset}")


def changed_file(text: str, answers: Mapping[str, FileValue | Decimal], *, name: str) -> str:
    """Return a settings file with ``answers`` in it; its other keys and its comments stay.

    Raises:
        ConfigError: it is no settings file, before or after.
    """
    decode_config(text.encode(), name=name)
    document: dict[str, object] = {"$schema": SCHEMA_FILE, **json.loads(text.lstrip(BOM), parse_float=Decimal)}
    for setting, value in answers.items():
        section, _, key = setting.rpartition(".")
        holder = cast("dict[str, object]", document.setdefault(section, {}) if section else document)
        holder[key] = plain_number(value) if isinstance(value, Decimal) else value
    changed = _written(document)
    decode_config(changed.encode(), name=name)
    return changed


def schema_text(own: Sequence[SettingRow] = ()) -> str:
    """Return the JSON Schema of a settings file as a file of its own; ``own`` as in ``config_schema``."""
    return _written(config_schema(own))


def _written(document: Mapping[str, object]) -> str:
    return msgspec.json.format(_WRITER.encode(document), indent=2).decode() + "\n"
