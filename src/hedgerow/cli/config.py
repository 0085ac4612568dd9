"""``hedgerow config``: every setting with its present value, default and allowed range."""

from collections.abc import Mapping
from pathlib import Path

from hedgerow.app.identity import identity_of
from hedgerow.app.session import read_settings
from hedgerow.cli.common import ConfigOption, HomeOption, JsonOption, home_of, is_stdout, say, show_table, write_json
from hedgerow.config import config_table, render_config
from hedgerow.strategy.parameters import PolicyValue, StrategyParameters
from hedgerow.strategy.policies import load_policy, policy_settings
from hedgerow.strategy.policy_settings import SECTION, PolicySetting, file_value

__all__ = ["config"]


def config(home: HomeOption = Path(), config: ConfigOption = None, json: JsonOption = None) -> None:
    """Show every setting: present value, default, allowed range, meaning; as JSON, a file that would give them."""
    place = home_of(home)
    settings = read_settings(place, config)
    own = policy_settings(settings.parameters.policy)
    load_policy(settings.parameters.policy, settings.parameters)
    values = {row.key: file_value(settings.parameters.policy_settings.get(row.key, row.default)) for row in own}
    document = render_config(settings.parameters) | ({SECTION: values} if own else {})
    # A key that begins with _ is a comment: what is written stays a configuration file.
    write_json(json, document, identity_of(place, settings), prefix="_")
    if is_stdout(json):
        return
    show_table(
        "Configuration",
        ["setting", "value ", "default ", "allowed", "meaning"],
        [*_rows(settings.parameters), *_own_rows(own, values)],
    )
    for text in (*settings.notices, *settings.warnings):
        say(text, style="yellow")


def _rows(parameters: StrategyParameters) -> list[list[str]]:
    """Return the settings under their sections, as the file has them."""
    rows: list[list[str]] = []
    section = ""
    for row in config_table():
        if row.section and row.section != section:
            rows.append([row.section, "", "", "", ""])
        section = row.section
        key = f"  {row.key}" if row.section else row.key
        rows.append([key, _word(row.shown(parameters)), _word(row.default), row.allowed, row.meaning])
    return rows


def _own_rows(own: tuple[PolicySetting, ...], values: Mapping[str, PolicyValue]) -> list[list[str]]:
    """Return the settings that the policy's class declares."""
    rows = [[f"  {row.key}", _word(values[row.key]), _word(row.default), row.allowed, row.meaning] for row in own]
    return [[SECTION, "", "", "", ""], *rows] if rows else []


def _word(value: object) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
