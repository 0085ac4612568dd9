"""Changes variables in the ``.env`` file of a home, which only its owner can read; everything else in it stays."""

import re
from collections.abc import Mapping
from pathlib import Path

from hedgerow.app.venues.environment import LARGEST_FILE, parse_variables
from hedgerow.domain.errors import ConfigError
from hedgerow.small_files import read_small_file
from hedgerow.store.files import PRIVATE, replace_file

__all__ = ["write_variables"]

ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=")


def write_variables(path: Path, values: Mapping[str, str]) -> None:
    """Set these variables: the line of one that is there is replaced, the others come at the end.

    Raises:
        ConfigError: the file cannot be read or written, is no list of ``NAME=value``, or a value has a line break or
            both kinds of quotes. No value is in the message.
    """
    try:
        text = read_small_file(path, largest=LARGEST_FILE).decode("utf-8-sig") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8 text'}") from None
    parse_variables(text, str(path))
    lines = [line for line in text.splitlines() if _name(line) not in values]
    lines += [f"{name}={_quoted(name, value)}" for name, value in values.items()]
    try:
        replace_file(path, ("\n".join(lines) + "\n").encode(), mode=PRIVATE)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}") from None


def _name(line: str) -> str:
    found = ASSIGNMENT.match(line)
    return found[1] if found else ""


def _quoted(name: str, value: str) -> str:
    if "\n" in value or "\r" in value or ('"' in value and "'" in value):
        raise ConfigError(f"{name}: allowed is one line, without both kinds of quotes")
    quote = "'" if '"' in value else '"'
    return value if re.fullmatch(r"[A-Za-z0-9_.:/@+-]*", value) else f"{quote}{value}{quote}"
