"""Loads the configuration file; an error in it is never ignored and is reported in one line."""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final, cast

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.config.plausibility import losing, refused
from hedgerow.config.presets import PRESETS, PresetName
from hedgerow.config.table import SETTINGS
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.settings.rows import SettingRow
from hedgerow.domain.settings.suggestions import nearest_names
from hedgerow.small_files import read_small_file
from hedgerow.strategy.parameters import PolicyValue, StrategyParameters
from hedgerow.strategy.policy_settings import SECTION as POLICY_SECTION

__all__ = ["LARGEST_CONFIG", "Settings", "decode_config", "load_settings", "preset_settings", "with_overrides"]

LARGEST_CONFIG: Final = 2**20
"""Bytes; a configuration with every key has some thousand."""
USUAL_MA_PERIODS: Final = 50
"""The guide recommends 1 to 50 periods."""
USUAL_LOOP_SECONDS: Final = 60
"""The guide recommends at least this between checks."""
MOST_OPENINGS: Final = 500
"""Brackets and braces a configuration may open: far more than any has, and too few to exhaust the stack of a parser."""
SHOWN_CHARACTERS: Final = 40
"""Longest part of a wrong value that an error line repeats."""
SCHEMA_KEY: Final = "$schema"
"""Names the schema of the file for editors; nothing here reads it."""
REPLACED: Final[Mapping[str, str]] = {
    "leverage_settings": "leverage is always 1x here, set and verified: remove the section",
    "leverage": "leverage is always 1x here, set and verified: remove the key",
    "enable_forced_rotation": "use position_management.better_opportunity_apr_points",
    "forced_rotation_min_hours": "use position_management.better_opportunity_min_hours",
    "forced_rotation_apr_multiplier": "use position_management.better_opportunity_apr_points",
    "min_volume_threshold": "use funding_rate_strategy.min_volume_usd",
    "funding_avg_days": "use funding_rate_strategy.funding_ma_periods",
    "min_hold_days": "use position_management.better_opportunity_min_hours",
    "rotation_min_apr_gain": "use position_management.better_opportunity_apr_points",
}
"""Keys of earlier bots of the guide's family, and what replaces them."""
SECTIONS: Final = tuple(dict.fromkeys(setting.section for setting in SETTINGS if setting.section))


class Settings(Struct, frozen=True, kw_only=True):
    """What the bot runs with, and what its user should know about it."""

    parameters: StrategyParameters
    source: Path | None
    """The file it was read from; None = the guide's defaults, or those of ``preset``."""
    preset: PresetName | None = None
    """The preset that was asked for instead of a file."""
    warnings: tuple[str, ...] = ()
    """Allowed, but unwise."""
    notices: tuple[str, ...] = ()
    ma_periods: int | None = None
    """What the command line says instead of the file."""


def load_settings(path: Path, *, named: bool) -> Settings:
    """Read the settings; a missing file means the guide's defaults unless the user ``named`` it.

    Raises:
        ConfigError: the file is missing though named, unreadable, or holds anything that is not allowed.
    """
    try:
        content = read_small_file(path, largest=LARGEST_CONFIG)
    except FileNotFoundError as error:
        if named:
            raise ConfigError(f"--config {path}: there is no such file") from error
        notice = f"{path} not found: running on the guide's defaults"
        return _settings(StrategyParameters(), source=None, notices=(notice,))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error
    return _settings(decode_config(content, name=str(path)), source=path, notices=())


def preset_settings(name: PresetName) -> Settings:
    """Return the settings of a preset."""
    return replace(_settings(PRESETS[name].parameters, source=None, notices=()), preset=name)


def decode_config(content: bytes, *, name: str) -> StrategyParameters:
    """Return the parameters that a file's ``content`` asks for; ``name`` is the file's in errors.

    Raises:
        ConfigError: the content is not allowed.
    """
    try:
        return _parameters(_parse(content))
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from error


def with_overrides(settings: Settings, *, ma_periods: int | None = None) -> Settings:
    """Return ``settings`` with what the command line says instead of the file.

    Raises:
        ConfigError: a value is out of range.
    """
    if ma_periods is None:
        return settings
    row = next(setting for setting in SETTINGS if setting.key == "funding_ma_periods")
    try:
        row.accept(ma_periods)
    except ValueError as error:
        raise ConfigError(f"--ma-periods is {ma_periods}; allowed: {error}") from error
    funding = replace(settings.parameters.funding_rate_strategy, funding_ma_periods=ma_periods)
    parameters = replace(settings.parameters, funding_rate_strategy=funding)
    changed = _settings(parameters, source=settings.source, notices=settings.notices)
    return replace(changed, ma_periods=ma_periods)


def _settings(parameters: StrategyParameters, *, source: Path | None, notices: tuple[str, ...]) -> Settings:
    return Settings(parameters=parameters, source=source, notices=notices, warnings=_warnings(parameters))


def _warnings(parameters: StrategyParameters) -> tuple[str, ...]:
    periods = parameters.funding_rate_strategy.funding_ma_periods
    seconds = parameters.position_management.loop_interval_seconds
    found: list[str] = []
    if periods > USUAL_MA_PERIODS:
        found.append(f"funding_ma_periods is {periods}: above {USUAL_MA_PERIODS} the average hardly follows the market")
    if seconds < USUAL_LOOP_SECONDS:
        found.append(f"loop_interval_seconds is {seconds:g}: {USUAL_LOOP_SECONDS} or more is recommended")
    return (*found, *losing(parameters))


# --- the text --------------------------------------------------------------------------------------------------------


def _parse(content: bytes) -> Mapping[str, object]:
    """Return the top-level object; raises ValueError in one line."""
    if content.count(b"[") + content.count(b"{") > MOST_OPENINGS:
        raise ValueError("not a configuration: nested too deeply")
    try:
        text = content.decode("utf-8-sig")
        document: object = json.loads(
            text,
            parse_float=Decimal,
            parse_int=_whole,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique,
        )
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 text (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from error
    except ArithmeticError as error:
        raise ValueError("not JSON: a number is too long to be read") from error
    if not isinstance(document, dict):
        raise ValueError(f"the file holds {_shown(document)}; allowed: one JSON object of sections")  # noqa: TRY004 - one kind of error for everything a file may hold
    return cast("dict[str, object]", document)


def _whole(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= SHOWN_CHARACTERS else Decimal(digits)


def _refuse_constant(word: str) -> object:
    raise ValueError(f"{word} is not a number")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f'"{_short(key)}" occurs twice in one object')
        found[key] = value
    return found


# --- the sections and keys -------------------------------------------------------------------------------------------


def _parameters(document: Mapping[str, object]) -> StrategyParameters:
    sections: dict[str, object] = {}
    for key, value in _uncommented(document).items():
        if key == SCHEMA_KEY:
            continue
        if key in SECTIONS:
            sections[key] = _section(key, value)
        elif key == POLICY_SECTION:
            sections[key] = _policy_settings(value)
        else:
            sections[key] = _accepted(_known("", key), value)
    parameters = replace(StrategyParameters(), **sections)
    limits = parameters.execution
    if limits.max_cap_bps < limits.price_cap_bps:
        raise ValueError(
            f"execution.max_cap_bps is {limits.max_cap_bps}; allowed: not below price_cap_bps ({limits.price_cap_bps})"
        )
    losing_at_once = refused(parameters)
    if losing_at_once is not None:
        raise ValueError(losing_at_once)
    return parameters


def _section(section: str, content: object) -> Struct:
    if not isinstance(content, dict):
        raise ValueError(f"{section} is {_shown(content)}; allowed: an object of keys")  # noqa: TRY004 - as above
    fields: dict[str, object] = {}
    for key, value in _uncommented(cast("dict[str, object]", content)).items():
        setting = _known(section, key)
        fields[setting.field] = _accepted(setting, value)
    try:
        defaults: Struct = getattr(StrategyParameters(), section)
        return replace(defaults, **fields)
    except ValueError as error:
        raise ValueError(f"{section}: must hold: {error}") from error


def _policy_settings(content: object) -> dict[str, PolicyValue]:
    """Return what the file says to the policy; the policy itself says what is allowed when it is built."""
    if not isinstance(content, dict):
        raise ValueError(f"{POLICY_SECTION} is {_shown(content)}; allowed: an object of keys")  # noqa: TRY004 - as above
    found: dict[str, PolicyValue] = {}
    for key, value in _uncommented(cast("dict[str, object]", content)).items():
        if value is not None and not isinstance(value, bool | int | Decimal | str):
            name = _short(f"{POLICY_SECTION}.{key}")
            raise ValueError(f"{name} is {_shown(value)}; allowed: true or false, a number, text or null")
        found[key] = value
    return found


def _accepted(setting: SettingRow, raw: object) -> object:
    try:
        return setting.accept(raw)
    except ValueError as error:
        raise ValueError(f"{setting.name} is {_shown(raw)}; allowed: {error}") from error


def _known(section: str, key: str) -> SettingRow:
    """Return the row of a key, or raise ValueError with what was probably meant."""
    found = next((row for row in SETTINGS if (row.section, row.key) == (section, key)), None)
    if found is not None:
        return found
    shown = _short(f"{section}.{key}" if section else key)
    if key in REPLACED:
        raise ValueError(f"{shown} is not used by Hedgerow: {REPLACED[key]}")
    nearest = _nearest(section, key)
    known = f"the nearest known one is {nearest}" if nearest else "hedgerow config lists those there are"
    raise ValueError(f"unknown key {shown}; {known}")


def _nearest(section: str, key: str) -> str | None:
    names = [row.name for row in SETTINGS] + ([] if section else [*SECTIONS, POLICY_SECTION])
    return next(iter(nearest_names(f"{section}.{key}" if section else key, names)), None)


def _uncommented(content: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in content.items() if not key.startswith("_")}


def _shown(raw: object) -> str:
    """Return a wrong value as JSON, on one line and not too long."""
    return _short(str(raw) if isinstance(raw, Decimal) else json.dumps(raw, default=str, ensure_ascii=False))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[:SHOWN_CHARACTERS]}..."
