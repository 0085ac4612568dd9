"""Settings, and the folder of one bot."""

from hedgerow.config.database import Database
from hedgerow.config.home import Home, HomeMode
from hedgerow.config.loading import Settings, decode_config, load_settings, with_overrides
from hedgerow.config.table import config_table, default_config_text, in_words, render_config, settings_in_words
from hedgerow.domain.settings.rows import SettingRow

__all__ = [
    "Database",
    "Home",
    "HomeMode",
    "SettingRow",
    "Settings",
    "config_table",
    "decode_config",
    "default_config_text",
    "in_words",
    "load_settings",
    "render_config",
    "settings_in_words",
    "with_overrides",
]
