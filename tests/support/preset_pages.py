"""The tables of docs/presets.md that are printed from the code: what each preset is, and its settings with reasons."""

from hedgerow.config import config_table, in_words
from hedgerow.config.presets import PRESETS

__all__ = ["preset_texts", "preset_values"]


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
