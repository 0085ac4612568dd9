"""The tables of docs/architecture.md that are printed from the code; ``make pages`` writes them anew."""

import re
from itertools import groupby
from pathlib import Path

from hedgerow.strategy.hedging import table

__all__ = ["TABLES", "block", "main"]

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "hedgerow"
PAGE = ROOT / "docs" / "architecture.md"


def machine() -> list[str]:
    """Return the two-leg machine's table."""
    rows = ["| state | signal | what is done | may lead to |", "|---|---|---|---|"]
    for state, cells in groupby(table(), key=lambda row: row[0]):
        for index, (_, signal, action, leads) in enumerate(cells):
            rows.append(f"| {state if index == 0 else ''} | {signal} | {action} | {leads} |".replace("|  |", "| |"))
    return rows


def modules() -> list[str]:
    """Return every module by its package."""
    rows = ["| package | modules |", "|---|---|"]
    for package in sorted(path.parent for path in SOURCE.rglob("__init__.py")):
        names = [path.stem for path in sorted(package.glob("*.py")) if not path.stem.startswith("__")]
        name = ".".join(package.relative_to(SOURCE).parts)
        if names:
            rows.append(f"| {f'`{name}`' if name else ''} | {', '.join(names)} |".replace("|  |", "| |"))
    return rows


TABLES = {"machine": machine, "modules": modules}


def block(name: str) -> list[str]:
    """Return the lines of the page between the marks of a printed table."""
    found = re.search(rf"<!-- {name}:begin -->\n(.*?)<!-- {name}:end -->", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None, f"{PAGE.name} has no table {name!r}"
    return found[1].strip().splitlines()


def main() -> None:
    """Write every table as it is now."""
    text = PAGE.read_text(encoding="utf-8")
    for name, rows in TABLES.items():
        printed = "\n".join(rows())
        before, begin, rest = text.partition(f"<!-- {name}:begin -->\n")
        _, end, after = rest.partition(f"<!-- {name}:end -->")
        text = f"{before}{begin}{printed}\n{end}{after}"
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
