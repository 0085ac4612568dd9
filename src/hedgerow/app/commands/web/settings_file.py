"""Settings as a dashboard shows and changes them: the file is checked as a whole before it is replaced."""

import json
import os
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final, cast

import msgspec

from hedgerow.config.loading import decode_config, load_settings
from hedgerow.config.plausibility import losing
from hedgerow.config.table import SETTINGS, in_words
from hedgerow.dashboard import formats
from hedgerow.dashboard.view import View
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.settings.rows import Kind, SettingRow
from hedgerow.store.files import replace_file
from hedgerow.strategy.decisions.distances import ExitDistance, ExitUnit
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.web.sources import SettingShown, SettingsPreview

__all__ = ["changed_file", "preview_of", "shown_settings", "write_file"]

NULL: Final = frozenset({"none", "null", ""})
_WRITER: Final = msgspec.json.Encoder(decimal_format="number")
_EXITS: Final = {
    "fee_coverage_multiplier": "Fees covered",
    "max_position_age_hours": "Age",
}
"""Settings that are the threshold of an exit rule, and the rule's name on the screen."""


def shown_settings(path: Path, in_force: Mapping[str, str]) -> tuple[SettingShown, ...]:
    """Return every setting: in the file, in force, default, allowed.

    Raises:
        ConfigError: the file cannot be used.
    """
    parameters = load_settings(path, named=False).parameters
    return tuple(
        SettingShown(
            name=row.name,
            section=row.section,
            meaning=row.meaning,
            allowed=row.allowed,
            unit=str(row.setting.unit or ""),
            default=in_words(row.default),
            in_file=in_words(row.shown(parameters)),
            in_force=in_force.get(row.name),
            choices=_choices(row),
            editable=row.kind is not Kind.CLASS,
        )
        for row in SETTINGS
    )


def _choices(row: SettingRow) -> tuple[str, ...]:
    if row.kind is Kind.FLAG:
        return ("true", "false")
    return (*row.choices, *(("none",) if row.optional else ())) if row.kind is Kind.CHOICE else ()


def changed_file(path: Path, changes: Mapping[str, str]) -> tuple[bytes, StrategyParameters, StrategyParameters]:
    """Return the file's new content, and the parameters before and after.

    Raises:
        ConfigError: a value is not allowed, or the file cannot be used.
    """
    before = load_settings(path, named=False).parameters
    document = _document(path)
    for name, text in changes.items():
        row = next((each for each in SETTINGS if each.name == name), None)
        if row is None:
            raise ConfigError(f"{name}: there is no such setting")
        if text.strip() == in_words(row.shown(before)):
            continue
        if row.kind is Kind.CLASS:
            raise ConfigError(f"{name} names code: it is changed on the machine of the bot, not from a dashboard")
        holder = document.setdefault(row.section, {}) if row.section else document
        if not isinstance(holder, dict):
            raise ConfigError(f"{path}: {row.section} is no object")
        cast("dict[str, object]", holder)[row.key] = _value(row, text.strip())
    content = msgspec.json.format(_WRITER.encode(document), indent=2) + b"\n"
    return content, before, decode_config(content, name=str(path))


def _document(path: Path) -> dict[str, object]:
    try:
        found: object = json.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}


def _value(row: SettingRow, text: str) -> object:
    """Return what a person typed as the file's value; what is out of range the loader refuses with its words."""
    if row.optional and text.lower() in NULL:
        return None
    if row.kind is Kind.FLAG:
        return {"true": True, "false": False}.get(text.lower(), text)
    if not row.kind.is_number:
        return text
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ConfigError(f"{row.name} is {text[:40]}; allowed: {row.allowed}") from error
    if not number.is_finite():
        raise ConfigError(f"{row.name} is {text[:40]}; allowed: {row.allowed}")
    return int(number) if number == number.to_integral_value() else number


def preview_of(path: Path, changes: Mapping[str, str], view: View) -> SettingsPreview:
    """Return what changed settings would do at the present values; nothing is written."""
    try:
        _, before, after = changed_file(path, changes)
    except ConfigError as error:
        return SettingsPreview(changes=(), follows=(), refusal=str(error))
    rows = [(row, in_words(row.shown(before)), in_words(row.shown(after))) for row in SETTINGS]
    changed = tuple((row.name, old, new) for row, old, new in rows if old != new)
    return SettingsPreview(changes=changed, follows=_follows(before, after, view), warnings=tuple(losing(after)))


def _follows(before: StrategyParameters, after: StrategyParameters, view: View) -> tuple[str, ...]:
    """Return what would follow at the next check after a restart, at the values of the last reading."""
    found: list[str] = []
    for row in SETTINGS:
        rule, value = _EXITS.get(row.key), row.shown(after)
        if rule is None or value == row.shown(before) or not isinstance(value, int | float) or isinstance(value, bool):
            continue
        found += [
            f"{hedge.symbol}: {rule.lower()} would hold at once ({formats.exit_value(each.distance)} of {value:g})."
            for hedge in view.hedges
            for each in hedge.exits
            if formats.exit_name(each.distance) == rule and _reached(each.distance, value)
        ]
    least, was = after.funding_rate_strategy.min_funding_apr, before.funding_rate_strategy.min_funding_apr
    if least != was:
        pairs = [pair.seen.apr for pair in view.pairs if pair.seen.apr is not None]
        passing, now = sum(apr >= least for apr in pairs), sum(apr >= was for apr in pairs)
        found.append(f"{passing} of {len(view.pairs)} pairs would reach the entry limit of APR; {now} do now.")
    return tuple(found) or ("By what the last check read, nothing would follow at once.",)


def _reached(distance: ExitDistance, threshold: float) -> bool:
    return distance.value is not None and distance.unit is not ExitUnit.FRACTION and distance.value >= threshold


def write_file(path: Path, content: bytes) -> None:
    """Replace the configuration file, synced, with the access rights of the old one.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
        replace_file(path, content)
        os.chmod(path, mode)  # noqa: PTH101 - one call, no other path
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}") from error
