"""The settings: what the file says, what is in force, what is allowed; and what a change would do."""

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from hedgerow.dashboard import formats
from hedgerow.web.html import Html, element, join, void
from hedgerow.web.pages.parts import Cell, Panel, nothing, panel, remark, table
from hedgerow.web.pages.state import Shown
from hedgerow.web.sources import SettingShown, SettingsPreview

__all__ = ["FIELD", "IN_FORCE", "preview_form", "settings"]

FIELD: Final = "set."
"""What the name of a setting's field begins with."""
IN_FORCE: Final = (
    "A change is checked as a whole, written to the configuration file and the bot's log, and is in force at the next "
    "check, without a restart; a trade that is at work ends by the settings that it began with."
)
_HEADS: Final = (
    ("Setting", "l"),
    ("In the file", ""),
    ("In force", ""),
    ("Default", ""),
    ("What it does, what is allowed", "why"),
)


def settings(shown: Shown, rows: Sequence[SettingShown], problem: str = "") -> Panel:
    """Return every setting; an operator's form has a field for each."""
    if problem:
        return panel("settings", "Settings", nothing(problem), kind="c12 tab t-log")
    parts: list[Html] = [remark(IN_FORCE)]
    for section, found in groupby(rows, key=lambda row: row.section):
        parts.append(element("h3", section or "general"))
        parts.append(table(section or "general", _HEADS, (_row(shown, row) for row in found), "settings"))
    if shown.may_act:
        parts += [
            void("input", type="hidden", name="csrf", value=shown.csrf),
            element("button", "Show what would change\N{HORIZONTAL ELLIPSIS}", type="submit"),
        ]
        body = element("form", *parts, method="post", action=f"{shown.base}/settings/preview")
    else:
        body = join(parts)
    return panel("settings", "Settings", body, kind="c12 tab t-log")


def _row(shown: Shown, row: SettingShown) -> list[Html | str | Cell]:
    name = element("span", row.name.removeprefix(f"{row.section}."), title=row.meaning)
    value: Html | str = _field(row) if shown.may_act and row.editable else row.in_file
    force = row.in_force
    differs = force is not None and force != row.in_file
    shown_force = element("b", force, class_="warnc") if differs and force else force or "?"
    unit = f" ({row.unit})" if row.unit else ""
    allowed = f"{row.meaning[:1].upper()}{row.meaning[1:]}; allowed: {row.allowed}{unit}"
    if row.not_while_held:
        allowed += f". Not changed while a hedge is held: {row.not_while_held}"
    return [name, value, shown_force, row.default, allowed]


def _field(row: SettingShown) -> Html:
    name = f"{FIELD}{row.name}"
    if row.choices:
        options = (
            element("option", choice, value=choice, selected=choice == row.in_file or None) for choice in row.choices
        )
        return element("select", *options, name=name, aria_label=row.name, data_before=row.in_file)
    return void("input", name=name, value=row.in_file, size="12", aria_label=row.name, autocomplete="off")


def preview_form(shown: Shown, preview: SettingsPreview) -> Html:
    """Return what changed settings would do, and the form that writes them."""
    back = element("a", "Keep them as they are", href=f"{shown.base}#settings", class_="button", autofocus=True)
    if preview.refusal or not preview.changes:
        why = preview.refusal or "Nothing was changed."
        return join((element("h1", "Settings"), element("p", why, role="alert"), element("nav", back, class_="acts")))
    changes = element(
        "ul",
        *(element("li", f"{each.name}: {each.before} becomes {each.after}") for each in preview.changes),
        class_="plain",
    )
    hidden = (void("input", type="hidden", name=f"{FIELD}{each.name}", value=each.after) for each in preview.changes)
    form = element(
        "form",
        *hidden,
        void("input", type="hidden", name="csrf", value=shown.csrf),
        element("nav", back, element("button", "Write to the file", type="submit", class_="hard"), class_="acts"),
        method="post",
        action=f"{shown.base}/settings",
    )
    return join(
        (
            element("h1", "Change these settings?"),
            changes,
            element("h2", "What would follow at once"),
            element("ul", *(element("li", text) for text in preview.follows), class_="plain"),
            *(() if preview.at is None else (remark(f"By a reading of {formats.date_time(preview.at)} UTC."),)),
            *(element("p", text, class_="warnc") for text in preview.warnings),
            remark(IN_FORCE),
            form,
        )
    )
