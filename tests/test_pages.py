"""What the pages say of the code is what the code is."""

import re
from itertools import groupby
from pathlib import Path

from hedgerow.strategy.hedging import table

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "hedgerow"
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def block(name: str) -> list[str]:
    """Return the lines of the page between the marks of a printed table."""
    found = re.search(rf"<!-- {name}:begin -->\n(.*?)<!-- {name}:end -->", ARCHITECTURE, re.DOTALL)
    assert found is not None, f"docs/architecture.md has no table {name!r}"
    return found[1].strip().splitlines()


def test_the_page_shows_the_machine_as_it_is() -> None:
    rows = ["| state | signal | what is done | may lead to |", "|---|---|---|---|"]
    for state, cells in groupby(table(), key=lambda row: row[0]):
        for index, (_, signal, action, leads) in enumerate(cells):
            rows.append(f"| {state if index == 0 else ''} | {signal} | {action} | {leads} |".replace("|  |", "| |"))
    assert block("machine") == rows


def test_the_page_lists_the_modules_there_are() -> None:
    rows = ["| package | modules |", "|---|---|"]
    for package in sorted(path.parent for path in SOURCE.rglob("__init__.py")):
        modules = [path.stem for path in sorted(package.glob("*.py")) if not path.stem.startswith("__")]
        name = ".".join(package.relative_to(SOURCE).parts)
        if modules:
            rows.append(f"| {f'`{name}`' if name else ''} | {', '.join(modules)} |".replace("|  |", "| |"))
    assert block("modules") == rows
