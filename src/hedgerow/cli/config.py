"""``hedgerow config``: every setting with its present value, default and allowed range."""

from pathlib import Path

from hedgerow.app.session import read_settings
from hedgerow.cli.common import ConfigOption, HomeOption, JsonOption, console, home_of, show_table, write_json
from hedgerow.config import config_table, render_config

__all__ = ["config"]


def config(home: HomeOption = Path(), config: ConfigOption = None, json: JsonOption = None) -> None:
    """Show every setting: present value, default, allowed range, meaning."""
    settings = read_settings(home_of(home), config)
    if json is not None:
        write_json(json, render_config(settings.parameters))
        if str(json) == "-":
            return
    rows = [
        [row.name, _word(row.shown(settings.parameters)), _word(row.default), row.allowed, row.meaning]
        for row in config_table()
    ]
    show_table("Configuration", ["setting", "value ", "default ", "allowed", "meaning"], rows)
    for text in (*settings.notices, *settings.warnings):
        console().print(text, style="yellow", markup=False)


def _word(value: object) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
