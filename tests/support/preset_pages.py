"""The tables of docs/presets.md that are printed from the code: what each preset is, and its settings with reasons."""

import json
import re
from pathlib import Path

from hedgerow.config import config_table, in_words
from hedgerow.config.presets import PRESETS

__all__ = ["FIGURES", "preset_figures", "preset_texts", "preset_values"]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "presets.md"
FIGURES = ROOT / "src" / "hedgerow" / "config" / "preset_figures.json"
"""What ``hedgerow init`` shows of each preset: the windows of history on the page, as measured."""
WINDOW = re.compile(r"^### (\d{4}-\d\d-\d\d), (\d+) days$(.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL)
NAME, CAPITAL, CASH = 0, 6, 9
"""Columns of the page."""


def preset_texts() -> list[str]:
    """Return what each preset is and is not."""
    rows = ["| preset | what it is | what it is not |", "|---|---|---|"]
    return rows + [f"| `{preset.name}` | {preset.what} | {preset.what_not} |" for preset in PRESETS.values()]


def preset_values() -> list[str]:
    """Return every setting in which presets differ, in the order of the file."""
    reasons = {name: reason for preset in PRESETS.values() for name, reason in preset.reasons.items()}
    names = " | ".join(f"`{name}`" for name in PRESETS)
    rows = [f"| setting | {names} | why |", "|---|" + "---:|" * len(PRESETS) + "---|"]
    for setting in config_table():
        if setting.name in reasons:
            values = " | ".join(in_words(setting.shown(preset.parameters)) for preset in PRESETS.values())
            rows.append(f"| `{setting.name}` | {values} | {reasons[setting.name]} |")
    return rows


def preset_figures() -> str:
    """Return the file of ``FIGURES`` that the page's windows of history make: percent of all capital."""
    windows: list[dict[str, object]] = []
    days = set[int]()
    for start, length, text in WINDOW.findall(PAGE.read_text(encoding="utf-8")):
        rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines() if "$" in line]
        earned = {row[NAME].split()[0]: row[CAPITAL].removesuffix("%") for row in rows}
        assert set(earned) == set(PRESETS)
        days.add(int(length))
        windows.append({"start": start, "of_all_capital": earned, "cash": rows[0][CASH].removesuffix("%")})
    assert len({window["cash"] for window in windows}) == 1
    return json.dumps({"days": days.pop(), "windows": windows}, indent=2) + "\n"
