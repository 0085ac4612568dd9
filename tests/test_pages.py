"""What the pages say of the code is what the code is."""

import re

import pytest

from support import conformance_table
from support.conformance import CLIENTS
from support.conformance_checks import CAPABILITIES
from support.pages import ROOT, TABLES, block
from support.preset_pages import FIGURES, preset_figures


@pytest.mark.parametrize("name", sorted(TABLES))
def test_the_page_shows_the_code_as_it_is(name: str) -> None:
    assert block(name) == TABLES[name](), "make pages regenerates it"


def test_what_no_run_finds_out_stands_on_the_page_of_conformance_as_its_generator_writes_it() -> None:
    page = conformance_table.PAGE.read_text(encoding="utf-8")
    rows = [line.strip("| \n").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    outcomes = [row[1:] for row in rows[2 : len(CAPABILITIES) + 2]]
    assert {outcome for row in outcomes for outcome in row} <= {"yes", "no", "-"}
    assert page == conformance_table.table_of(CLIENTS, outcomes) + conformance_table.by_hand(page)


def test_the_figures_that_init_shows_are_those_of_the_page() -> None:
    assert FIGURES.read_text(encoding="utf-8") == preset_figures(), "make pages writes them"


def test_every_page_is_in_the_menu_of_the_site() -> None:
    menu = set(re.findall(r'= "([\w/-]+\.md)"', (ROOT / "zensical.toml").read_text(encoding="utf-8")))
    docs = ROOT / "docs"
    pages = {str(path.relative_to(docs)) for path in docs.rglob("*.md") if path.parent.name != "decisions"}
    assert menu == pages


def test_every_decision_has_a_number_of_its_own_and_names_it() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for number, page in enumerate(pages, start=1):
        assert page.read_text(encoding="utf-8").startswith(f"# {number}. "), page.name
