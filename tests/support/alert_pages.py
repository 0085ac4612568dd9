"""The tables of docs/alerts.md and docs/metrics.md: kinds of alerts, variables, series, rules."""

from hedgerow.notify.alert_rules import RULES
from hedgerow.notify.alerts import KINDS
from hedgerow.notify.series import SERIES, SeriesKind
from hedgerow.notify.variables import MEANINGS, SECRET_VARIABLES

__all__ = ["alert_kinds", "alert_variables", "metric_rules", "metric_series"]


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


def metric_series() -> list[str]:
    """Return every series."""
    rows = ["| series | kind | labels | value |", "|---|---|---|---|"]
    for each in SERIES:
        name = f"{each.name}_total" if each.kind is SeriesKind.COUNTER else each.name
        rows.append(f"| `{name}` | {each.kind.value} | {', '.join(('bot', *each.labels))} | {each.help} |")
    return rows


def metric_rules() -> list[str]:
    """Return every alert rule."""
    rows = ["| rule | level | expression | for | what to do |", "|---|---|---|---|---|"]
    rows += [f"| {r.name} | {r.level.value} | `{r.expression}` | {r.lasts} | {r.does} |" for r in RULES]
    return rows
