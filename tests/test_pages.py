"""What the pages say of the code is what the code is."""

import pytest

from support.pages import TABLES, block


@pytest.mark.parametrize("name", sorted(TABLES))
def test_the_page_shows_the_code_as_it_is(name: str) -> None:
    assert block(name) == TABLES[name](), "make pages regenerates it"
