"""Changes settings in a configuration file: checked as a whole, then the file is replaced."""

import json
from codecs import BOM_UTF8
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from msgspec import Struct

from hedgerow.config.editing import edited
from hedgerow.config.loading import LARGEST_CONFIG, decode_config
from hedgerow.config.table import SETTINGS, in_words, settings_in_words
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.events import SettingChange
from hedgerow.domain.settings.rows import Kind, SettingRow
from hedgerow.small_files import read_small_file
from hedgerow.strategy.parameters import StrategyParameters

__all__ = ["ChangedConfig", "changed_config", "read_config", "setting_changes"]

NULL: Final = frozenset({"none", "null", ""})
MOST_DIGITS: Final = 40
EMPTY: Final = b"{\n}\n"
"""What a file that is not there yet is begun with."""


class ChangedConfig(Struct, frozen=True, kw_only=True):
    """A configuration file before and after a change that is allowed."""

    content: bytes
    """After."""
    before: StrategyParameters
    after: StrategyParameters
    read: bytes | None
    """The content that was changed; None = there was no file."""


def changed_config(path: Path, changes: Mapping[str, str]) -> ChangedConfig:
    """Return the file with new values by full name, as people spell them; nothing is written.

    Raises:
        ConfigError: a value is not allowed, or the file cannot be used.
    """
    read = read_config(path)
    content = EMPTY if read is None else read
    before = decode_config(content, name=str(path))
    text = content.removeprefix(BOM_UTF8).decode()
    for name, words in changes.items():
        row = next((each for each in SETTINGS if each.name == name), None)
        if row is None:
            raise ConfigError(f"{name}: there is no such setting")
        if words.strip() == in_words(row.shown(before)):
            continue
        if row.kind is Kind.CLASS:
            raise ConfigError(f"{name} names code: it is changed on the machine of the bot, not from a dashboard")
        text = edited(text, row.section, row.key, _value(row, words.strip()))
    new = (BOM_UTF8 if content.startswith(BOM_UTF8) else b"") + text.encode()
    return ChangedConfig(content=new, before=before, after=decode_config(new, name=str(path)), read=read)


def setting_changes(before: StrategyParameters, after: StrategyParameters) -> tuple[SettingChange, ...]:
    """Return every setting whose words differ."""
    old, new = settings_in_words(before), settings_in_words(after)
    return tuple(
        SettingChange(name=name, before=words, after=new[name]) for name, words in old.items() if words != new[name]
    )


def read_config(path: Path) -> bytes | None:
    """Return the content of a file; None = there is none.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return read_small_file(path, largest=LARGEST_CONFIG)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error


def _value(row: SettingRow, words: str) -> str:
    """Return what a person typed as JSON; what is out of range the loader refuses with its words."""
    if row.optional and words.lower() in NULL:
        return "null"
    if row.kind is Kind.FLAG and words.lower() in {"true", "false"}:
        return words.lower()
    if not row.kind.is_number:
        return json.dumps(words, ensure_ascii=False)
    try:
        number = Decimal(words)
    except InvalidOperation as error:
        raise ConfigError(f"{row.name} is {words[:40]}; allowed: {row.allowed}") from error
    if not number.is_finite() or abs(number.adjusted()) > MOST_DIGITS:
        raise ConfigError(f"{row.name} is {words[:40]}; allowed: {row.allowed}")
    return f"{number:f}"
