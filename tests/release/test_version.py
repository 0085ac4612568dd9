"""One version, in one place, with a section of the changelog for it."""

import re
import tomllib
from pathlib import Path

import pytest

import hedgerow
from support.command_runner import Shell

ROOT = Path(__file__).parents[2]
HEADING = re.compile(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})$", re.MULTILINE)
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def changelog() -> str:
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "src/hedgerow/__init__.py"


def test_the_command_line_says_which_version_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert Shell(capsys)("--version").out == f"hedgerow {hedgerow.__version__}\n"


def test_the_newest_section_of_the_changelog_is_the_version() -> None:
    sections = HEADING.findall(changelog())
    assert sections[0][0] == hedgerow.__version__
    assert [day for _, day in sections] == sorted((day for _, day in sections), reverse=True)
    assert len({version for version, _ in sections}) == len(sections)


def test_the_changelog_has_the_headings_of_its_form_and_no_others() -> None:
    headings = re.findall(r"^## (.*)$", changelog(), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert len(headings) == len(HEADING.findall(changelog())) + 1
    assert set(re.findall(r"^### (.*)$", changelog(), re.MULTILINE)) <= KINDS
