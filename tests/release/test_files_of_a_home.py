"""The page on operations names every file of a bot's home."""

from pathlib import Path

import pytest

from hedgerow.config import Home

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
HOME = Home(folder=Path("home"))
FILES = sorted(
    path.name
    for name, kind in vars(Home).items()
    if isinstance(kind, property) and isinstance(path := getattr(HOME, name), Path)
)


def test_a_home_has_files() -> None:
    assert "hedgerow.db" in FILES


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_a_home_is_explained(name: str) -> None:
    shown = f"`{name}` with `-paper`" if name.endswith(".exchange") else f"`{name}`"
    assert shown in PAGE
