"""Settings as a dashboard shows and changes them: through the running bot, or in the file while none runs."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from hedgerow.app.storage.configuration import write_config
from hedgerow.config.changing import changed_config, setting_changes
from hedgerow.config.loading import load_settings
from hedgerow.config.plausibility import losing
from hedgerow.config.table import SETTINGS, in_words, settings_in_words
from hedgerow.dashboard.settings_lines import foreseen_lines
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.settings.rows import Kind, SettingRow
from hedgerow.strategy.settings_changes import NOT_WHILE_HELD, ForeseenSettings
from hedgerow.web.sources import Asked, AskOutcome, SettingShown, SettingsPreview

__all__ = [
    "answered_preview",
    "file_preview",
    "in_file",
    "shown_settings",
    "wanted_settings",
    "warnings_of",
    "write_settings",
]

NO_BOT = "No bot runs: nothing follows until one is started, which judges by these settings at its first check."


def in_file(path: Path) -> dict[str, str]:
    """Return what a configuration file says, defaults included, by full name.

    Raises:
        ConfigError: it cannot be used.
    """
    return settings_in_words(load_settings(path, named=False).parameters)


def shown_settings(values: Mapping[str, str], in_force: Mapping[str, str]) -> tuple[SettingShown, ...]:
    """Return every setting: its value in the file, in force, its default, what is allowed."""
    return tuple(
        SettingShown(
            name=row.name,
            section=row.section,
            meaning=row.meaning,
            allowed=row.allowed,
            unit=str(row.setting.unit or ""),
            default=in_words(row.default),
            in_file=values.get(row.name, "?"),
            in_force=in_force.get(row.name),
            choices=_choices(row),
            editable=row.kind is not Kind.CLASS and row.name in values,
            not_while_held=NOT_WHILE_HELD.get(row.name, ""),
        )
        for row in SETTINGS
    )


def _choices(row: SettingRow) -> tuple[str, ...]:
    if row.kind is Kind.FLAG:
        return ("true", "false")
    return (*row.choices, *(("none",) if row.optional else ())) if row.kind is Kind.CHOICE else ()


def wanted_settings(given: Mapping[str, str], in_force: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return those of a form's values that are not in force: they are what a bot is asked to change."""
    return tuple((name, words.strip()) for name, words in given.items() if words.strip() != in_force.get(name))


def answered_preview(asked: Asked, warnings: tuple[str, ...] = ()) -> SettingsPreview:
    """Return what a running bot says would follow."""
    if asked.outcome is not AskOutcome.DONE:
        return SettingsPreview(changes=(), follows=(), refusal=asked.text)
    found = msgspec.json.decode(asked.document, type=ForeseenSettings)
    return SettingsPreview(changes=found.changes, follows=foreseen_lines(found), warnings=warnings, at=found.at)


def file_preview(path: Path, changes: Mapping[str, str]) -> SettingsPreview:
    """Return what changed settings would do while no bot runs; nothing is written."""
    try:
        changed = changed_config(path, changes)
    except ConfigError as error:
        return SettingsPreview(changes=(), follows=(), refusal=str(error))
    found = setting_changes(changed.before, changed.after)
    return SettingsPreview(changes=found, follows=(NO_BOT,), warnings=tuple(losing(changed.after)))


def warnings_of(path: Path, changes: Mapping[str, str]) -> tuple[str, ...]:
    """Return what is unwise about changed settings, as far as the file can be read."""
    try:
        return tuple(losing(changed_config(path, changes).after))
    except ConfigError:
        return ()


def write_settings(path: Path, changes: Mapping[str, str]) -> Asked:
    """Write changed settings to the file while no bot runs, all or none of them."""
    try:
        write_config(path, changed_config(path, changes))
    except ConfigError as error:
        return Asked(outcome=AskOutcome.REFUSED, text=f"Nothing was written: {error}")
    return Asked(outcome=AskOutcome.DONE, text=f"Written to {path.name}: in force when a bot is started.")
