"""The tables of docs/alerts.md: kinds of alerts and the variables that set them up."""

from hedgerow.notify.alerts import KINDS
from hedgerow.notify.variables import MEANINGS, SECRET_VARIABLES

__all__ = ["alert_kinds", "alert_variables"]


def alert_kinds() -> list[str]:
    """Return every kind, when it is sent, what the bot does, what a person can do."""
    rows = ["| kind | level | sent when | what the bot does | what you can do |", "|---|---|---|---|---|"]
    rows += [
        f"| {kind.value} | {each.level.value} | {each.when} | {each.does} | {each.can_do} |"
        for kind, each in KINDS.items()
    ]
    return rows


def alert_variables() -> list[str]:
    """Return every variable and what it means."""
    rows = ["| variable | meaning |", "|---|---|"]
    for name, meaning in MEANINGS.items():
        rows.append(f"| `{name}`{' (secret)' if name in SECRET_VARIABLES else ''} | {meaning} |")
    return rows
