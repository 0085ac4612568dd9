"""The tables of the pages that are printed from the code; ``make pages`` regenerates them."""

import ast
import re
from collections.abc import Callable, Mapping
from functools import partial
from itertools import groupby
from pathlib import Path

from hedgerow.notify.alert_rules import rules_text
from hedgerow.notify.grafana import grafana_text
from hedgerow.strategy.hedging.machine import table
from support.admin_pages import admin_fields, admin_values
from support.alert_pages import alert_kinds, alert_variables, metric_rules, metric_series
from support.api_pages import API_PAGES, api_page
from support.command_pages import commands, settings
from support.log_pages import event_fields, event_values, exit_codes, log_lines, log_warnings
from support.preset_pages import FIGURES, preset_figures, preset_texts, preset_values

__all__ = ["ROOT", "TABLES", "block", "files", "main"]

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "hedgerow"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
TESTING = ROOT / "docs" / "testing_your_bot.md"


def machine() -> list[str]:
    """Return the two-leg machine's table."""
    rows = ["| state | signal | what is done | may lead to |", "|---|---|---|---|"]
    for state, cells in groupby(table(), key=lambda row: row[0]):
        for index, (_, signal, action, leads) in enumerate(cells):
            rows.append(f"| {state if index == 0 else ''} | {signal} | {action} | {leads} |".replace("|  |", "| |"))
    return rows


def modules() -> list[str]:
    """Return every module by its package, with the first line of its docstring."""
    rows = ["| module | |", "|---|---|"]
    for package in sorted(path.parent for path in SOURCE.rglob("__init__.py")):
        name = "/".join(package.relative_to(SOURCE).parts)
        rows.append(f"| **`{name or 'hedgerow'}/`** | {first_line(package / '__init__.py')} |")
        found = [path for path in sorted(package.glob("*.py")) if not path.stem.startswith("__")]
        rows += [f"| `{path.stem}` | {first_line(path)} |" for path in found]
    return rows


def first_line(path: Path) -> str:
    """Return the first line of a module's docstring, as a cell of a table."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].replace("``", "`").replace("|", "\\|")


LOG = ROOT / "docs" / "log.md"
OPERATIONS = ROOT / "docs" / "operations.md"
ALERTS_PAGE = ROOT / "docs" / "alerts.md"
METRICS_PAGE = ROOT / "docs" / "metrics.md"
PRESETS_PAGE = ROOT / "docs" / "presets.md"

TABLES: Mapping[str, Callable[[], list[str]]] = {
    "machine": machine,
    "modules": modules,
    "admin_fields": admin_fields,
    "admin_values": admin_values,
    "log_lines": log_lines,
    "log_warnings": log_warnings,
    "event_fields": event_fields,
    "event_values": event_values,
    "exit_codes": exit_codes,
    "commands": commands,
    "settings": settings,
    "alert_kinds": alert_kinds,
    "alert_variables": alert_variables,
    "metric_series": metric_series,
    "metric_rules": metric_rules,
    "preset_texts": preset_texts,
    "preset_values": preset_values,
    **{f"api_{name}": partial(api_page, name) for name in API_PAGES},
}
PAGES = {
    "machine": ARCHITECTURE,
    "modules": ARCHITECTURE,
    "admin_fields": TESTING,
    "admin_values": TESTING,
    "log_lines": LOG,
    "log_warnings": LOG,
    "event_fields": LOG,
    "event_values": LOG,
    "exit_codes": OPERATIONS,
    "commands": ROOT / "docs" / "commands.md",
    "settings": ROOT / "docs" / "settings.md",
    "alert_kinds": ALERTS_PAGE,
    "alert_variables": ALERTS_PAGE,
    "metric_series": METRICS_PAGE,
    "metric_rules": METRICS_PAGE,
    "preset_texts": PRESETS_PAGE,
    "preset_values": PRESETS_PAGE,
    **{f"api_{name}": ROOT / "docs" / "api" / f"{name}.md" for name in API_PAGES},
}


def files() -> dict[Path, str]:
    """Return the files that are made from the code as a whole."""
    return {
        ROOT / "deploy" / "prometheus" / "hedgerow.rules.yml": rules_text(),
        ROOT / "deploy" / "grafana" / "hedgerow.json": grafana_text(),
    }


def block(name: str) -> list[str]:
    """Return the lines of the page between the marks of a printed table."""
    page = PAGES[name]
    found = re.search(rf"<!-- {name}:begin -->\n(.*?)<!-- {name}:end -->", page.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None, f"{page.name} has no table {name!r}"
    return found[1].strip().splitlines()


def main() -> None:
    """Write every table as it is now, and the figures of presets that the code shows."""
    for name, rows in TABLES.items():
        text = PAGES[name].read_text(encoding="utf-8")
        printed = "\n".join(rows())
        before, begin, rest = text.partition(f"<!-- {name}:begin -->\n")
        _, end, after = rest.partition(f"<!-- {name}:end -->")
        PAGES[name].write_text(f"{before}{begin}{printed}\n{end}{after}", encoding="utf-8")
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    FIGURES.write_text(preset_figures(), encoding="utf-8")


if __name__ == "__main__":
    main()
