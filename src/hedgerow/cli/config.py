"""``hedgerow config``: every setting with its present value, default and allowed range; one of them in full."""

from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec import Struct

from hedgerow.app.identity import identity_of
from hedgerow.app.session import settings_or_preset
from hedgerow.cli.common import (
    ConfigOption,
    HomeOption,
    JsonOption,
    PresetOption,
    home_of,
    is_stdout,
    refuse_outputs,
    say,
    write_json,
)
from hedgerow.cli.tables import Column, screen_width, show_table
from hedgerow.config import Settings, config_table, in_words, render_config
from hedgerow.config.new_file import schema_text
from hedgerow.config.presets import preset_text
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.settings.rows import FileValue, SettingRow
from hedgerow.domain.settings.suggestions import nearest_names
from hedgerow.strategy.policies import load_policy, policy_settings
from hedgerow.strategy.policy_settings import SECTION

__all__ = ["config"]

COLUMNS = (
    Column(title="setting"),
    Column(title="value", number=True),
    Column(title="default", number=True, drop=1),
    Column(title="allowed", least=24),
)
MEANING = Column(title="meaning")
"""Not on a terminal: one setting's is shown by its name."""
GENERAL = "outside the sections"

KeyArgument = Annotated[
    str | None, typer.Argument(metavar="[KEY]", help="A setting, to be shown in full, or a section.")
]


class _Row(Struct, frozen=True, kw_only=True):
    """One setting, of the bot or of the user's own policy, and its present value."""

    setting: SettingRow
    value: FileValue

    @property
    def name(self) -> str:
        """The key with its section."""
        return self.setting.name

    @property
    def cells(self) -> list[str]:
        """The setting in words, without its meaning."""
        setting = self.setting
        return [setting.key, in_words(self.value), in_words(setting.default), setting.allowed]


def config(
    key: KeyArgument = None,
    home: HomeOption = Path(),
    config: ConfigOption = None,
    preset: PresetOption = None,
    json: JsonOption = None,
    *,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of a configuration file.")] = False,
) -> None:
    """Show every setting: value, default, allowed range, meaning; as JSON, a configuration file with these values.

    With --preset: print that preset's file.
    """
    place = home_of(home)
    # The settings themselves may be replaced: what is written is a configuration file.
    refuse_outputs({"--json": json}, {f"a file of a bot in {place.folder}": place.files})
    settings = settings_or_preset(place, config, preset)
    if schema:
        typer.echo(schema_text(policy_settings(settings.parameters.policy)), nl=False)
        return
    if preset is not None and key is None and json is None:
        typer.echo(preset_text(preset), nl=False)
        return
    rows = _rows(settings)
    found = _named(key, rows) if key else rows
    # A key that begins with _ is a comment: what is written stays a configuration file.
    write_json(json, _document(found, settings, whole=key is None), identity_of(place, settings), prefix="_")
    if is_stdout(json):
        return
    if len(found) == 1:
        _show_one(found[0])
    else:
        _show_sections(found)
    for text in (*settings.notices, *settings.warnings):
        say(text, style="yellow")


def _rows(settings: Settings) -> list[_Row]:
    """Return the settings in the order of the file, those that the policy's class declares at the end."""
    parameters = settings.parameters
    load_policy(parameters.policy, parameters)
    own = policy_settings(parameters.policy)
    return [
        *(_Row(setting=row, value=row.shown(parameters)) for row in config_table()),
        *(_Row(setting=row, value=row.given(parameters.policy_settings)) for row in own),
    ]


def _named(key: str, rows: list[_Row]) -> list[_Row]:
    """Return the settings of this name, or of this section.

    Raises:
        ConfigError: there are none; names the nearest.
    """
    found = [row for row in rows if key in {row.name, row.setting.key}] or [
        row for row in rows if row.setting.section == key
    ]
    if found:
        return found
    sections = dict.fromkeys(row.setting.section for row in rows if row.setting.section)
    nearest = nearest_names(key, [*sections, *(row.name for row in rows)])
    raise ConfigError(f"config {key}: there is no such setting; {_suggestion(nearest)}")


def _suggestion(names: tuple[str, ...]) -> str:
    if not names:
        return "hedgerow config lists those there are"
    *others, last = names
    return f"the nearest ones are {', '.join(others)} and {last}" if others else f"the nearest one is {last}"


def _document(rows: list[_Row], settings: Settings, *, whole: bool) -> dict[str, Any]:
    """Return the configuration file with these values: every key, in the file's units."""
    document: dict[str, Any] = dict(render_config(settings.parameters)) if whole else {}
    for row in rows:
        holder: dict[str, Any] = document.setdefault(row.setting.section, {}) if row.setting.section else document
        holder[row.setting.key] = row.value
    return document


def _show_one(row: _Row) -> None:
    """Show one setting in full."""
    say(row.name, style="bold")
    for name, text in (
        ("value", in_words(row.value)),
        ("default", in_words(row.setting.default)),
        ("allowed", row.setting.allowed),
    ):
        say(f"  {name:<8} {text}")
    say(f"  {row.setting.meaning}")
    if not row.name.startswith(f"{SECTION}."):
        say("  Advice: docs/guide.md")


def _show_sections(rows: list[_Row]) -> None:
    wide = screen_width() is None
    say("Configuration", style="bold")
    for section in dict.fromkeys(row.setting.section for row in rows):
        shown = [row for row in rows if row.setting.section == section]
        cells = [[*row.cells, row.setting.meaning] if wide else row.cells for row in shown]
        show_table(section or GENERAL, (*COLUMNS, MEANING) if wide else COLUMNS, cells)
    if not wide:
        say("hedgerow config KEY shows one of them in full, with what it means.")
