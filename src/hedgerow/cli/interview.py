"""The questions of ``hedgerow init`` on a terminal; each is asked again until its answer can be used."""

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from importlib import resources
from typing import TypeVar

import typer

from hedgerow.aster import Credentials
from hedgerow.cli.common import say
from hedgerow.config import config_table, in_words
from hedgerow.config.presets import PRESETS, PresetName, preset_of
from hedgerow.domain.settings.rows import FileValue, SettingRow
from hedgerow.strategy.parameters import StrategyParameters

__all__ = ["ask_preset", "ask_settings", "ask_variables"]

KEEP = "keep"
"""Answer that keeps the settings of the present file."""
NAME_WIDTH = 10
GOALS: Mapping[PresetName, str] = {
    PresetName.GUIDE: "goal: trading volume",
    PresetName.PATIENT: "goal: yield",
    PresetName.CAUTIOUS: "goal: to see it work for a week",
}
ASKED = ("capital_management.max_capital_usd", "execution.style")
"""The settings that are asked for, by their full names."""
WORDS: Mapping[str, str] = {
    ASKED[0]: "Most USDT it may use, both legs together",
    ASKED[1]: "How it places the first leg, taker fills at once and pays more, maker waits and may be passed over",
}
_Answer = TypeVar("_Answer")


def ask_preset(present: StrategyParameters | None) -> PresetName | None:
    """Ask for the goal, which is a preset; ``present`` are the settings that can be kept instead (None = none)."""
    for preset in PRESETS.values():
        say(f"  {preset.name:<{NAME_WIDTH}}{GOALS[preset.name]}: {preset.what};", hanging=NAME_WIDTH)
        say(f"  {'':<{NAME_WIDTH}}{preset.what_not}", hanging=0)
        say(f"  {'':<{NAME_WIDTH}}{_measured(preset.name)}", hanging=0)
    names = [str(name) for name in PresetName]
    if present is not None:
        like = preset_of(present)
        say(f"  {KEEP:<{NAME_WIDTH}}the present file: {f'preset {like}' if like else 'settings of your own'}")
        names.append(KEEP)
    answer = _asked(f"Which preset ({', '.join(names)})", lambda text: _one_of(text, names), KEEP if present else None)
    return None if answer == KEEP else PresetName(answer)


def ask_settings(parameters: StrategyParameters) -> dict[str, FileValue | Decimal]:
    """Ask for capital and style; what ``parameters`` hold is the answer of an empty line."""
    answers: dict[str, FileValue | Decimal] = {}
    for row in (row for name in ASKED for row in config_table() if row.name == name):
        default = in_words(row.shown(parameters))
        say(f"{WORDS[row.name]}: {_allowed(row)}.")
        answers[row.name] = _asked(row.key, _reader(row), default)
    return answers


def ask_variables(names: Sequence[str]) -> dict[str, str]:
    """Ask for the keys of the exchange; empty when there are none yet. Nothing that is typed is shown or kept here."""
    say("The bot trades with an agent key of your account, read from .env, which you alone can read.")
    say("Without one, run --paper and run --dry-run work.")
    if not typer.confirm("Enter the keys now?", default=False):
        return {}
    while True:
        values = {name: typer.prompt(name, hide_input="KEY" in name).strip() for name in names}
        wrong = Credentials.mistakes(values)
        if not wrong:
            return values
        for text in wrong:
            say(text)


def _measured(name: PresetName) -> str:
    """Return what the preset made in every window of history that was played."""
    figures = json.loads(resources.files("hedgerow.config").joinpath("preset_figures.json").read_text("utf-8"))
    windows = figures["windows"]
    years = ", ".join(f"{window['start'][:4]} {window['of_all_capital'][name]}" for window in windows)
    return f"in {figures['days']} days of {years} % of all capital; cash {windows[0]['cash']} each time"


def _allowed(row: SettingRow) -> str:
    return row.allowed.replace("null", "none")


def _reader(row: SettingRow) -> Callable[[str], FileValue | Decimal]:
    """Return what reads an answer as a value of the file; it raises ValueError where it is not allowed."""

    def read(text: str) -> FileValue | Decimal:
        value: FileValue | Decimal = text
        if row.optional and text.lower() == "none":
            value = None
        elif row.kind.is_number:
            try:
                value = Decimal(text)
            except InvalidOperation:
                raise ValueError(_allowed(row)) from None
        try:
            row.accept(value)
        except ValueError:
            raise ValueError(_allowed(row)) from None
        return value

    return read


def _one_of(text: str, names: Sequence[str]) -> str:
    if text.lower() not in names:
        raise ValueError(", ".join(names))
    return text.lower()


def _asked(question: str, read: Callable[[str], _Answer], default: str | None) -> _Answer:
    """Ask until the answer can be read; typer's abort ends the command as interrupted."""
    while True:
        text: str = typer.prompt(question, default=default).strip()
        try:
            return read(text)
        except ValueError as allowed:
            say(f"{text}: allowed: {allowed}")
