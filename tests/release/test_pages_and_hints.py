"""Every page is reachable from the README, and no hint names a package that is not ours on the index."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
TEXTS = [
    path
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "src/**/*.py",
        "scripts/*",
        "examples/**/*",
        "Dockerfile",
        "docker-compose.yml",
    )
    for path in sorted(ROOT.glob(pattern))
    if path.is_file() and path.suffix != ".pyc"
]
INSTALLED = re.compile(r"(?:pip|pipx|uv) (?:tool )?install [^\n]*?hedgerow(?!-)")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_page_is_linked_from_the_readme(page: Path) -> None:
    assert f"](docs/{page.name}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_no_hint_installs_a_name_of_the_index() -> None:
    """Nobody owns the name ``hedgerow`` there: the one who registers it runs code beside a trading key."""
    named = {
        path.relative_to(ROOT).as_posix(): found
        for path in TEXTS
        if (found := INSTALLED.findall(path.read_text(encoding="utf-8")))
    }
    warning = named.pop("SECURITY.md")
    assert len(warning) == 1
    assert named == {}
