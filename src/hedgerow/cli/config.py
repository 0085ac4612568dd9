"""``hedgerow config``: every setting with its present value, default and allowed range."""

from pathlib import Path

from hedgerow.app.session import read_settings
from hedgerow.cli.common import ConfigOption, HomeOption, JsonOption, home_of, is_stdout, say, show_table, write_json
from hedgerow.config import config_table, render_config

__all__ = ["config"]


def config(home: HomeOption = Path(), config: ConfigOption = None, json: JsonOption = None) -> None:
    """Show every setting: present value, default, allowed range, meaning; as JSON, a file that would give them."""
    settings = read_settings(home_of(home), config)
    write_json(json, render_config(settings.parameters))
    if is_stdout(json):
        return
    rows = [
        [row.name, _word(row.shown(settings.parameters)), _word(row.default), row.allowed, row.meaning]
        for row in config_table()
    ]
    show_table("Configuration", ["setting", "value ", "default ", "allowed", "meaning"], rows)
    for text in (*settings.notices, *settings.warnings):
        say(text, style="yellow")


def _word(value: object) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
