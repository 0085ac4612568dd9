"""The JSON Schema of the settings file, from the same declarations as its validation."""

from collections.abc import Sequence

from hedgerow.config.table import SETTINGS
from hedgerow.domain.settings.rows import SettingRow
from hedgerow.strategy.policy_settings import SECTION as POLICY_SECTION

__all__ = ["config_schema"]

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def config_schema(own: Sequence[SettingRow] = ()) -> dict[str, object]:
    """Return the JSON Schema of a settings file.

    ``own`` are the settings that the class of a user's policy declares; without them its section may hold any key. What
    must hold between two settings, and an amount's digits beyond those of a float, only the loader judges.
    """
    sections: dict[str, dict[str, object]] = {}
    for row in (*SETTINGS, *own):
        sections.setdefault(row.section, {})[row.key] = row.schema()
    general = sections.pop("", {})
    anything: dict[str, object] = {"type": ["boolean", "number", "string", "null"]}
    objects = {name: _object(properties, others=False) for name, properties in sections.items()}
    objects.setdefault(POLICY_SECTION, _object({}, others=anything))
    return {"$schema": DRAFT, **_object({"$schema": {"type": "string"}, **objects, **general}, others=False)}


def _object(properties: dict[str, object], *, others: bool | dict[str, object]) -> dict[str, object]:
    """Return the schema of an object; a key that begins with _ is a comment."""
    return {
        "type": "object",
        "properties": properties,
        "patternProperties": {"^_": True},
        "additionalProperties": others,
    }
