"""Tables of any width: the verdict stays, numbers stay whole, what is left out is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.cli.tables import Column, table_lines
from hedgerow.dashboard.wrapping import cells

COLUMNS = (
    Column(title="symbol"),
    Column(title="verdict", least=16),
    Column(title="APR", number=True),
    Column(title="stdev", number=True, drop=2),
    Column(title="volume 24h", number=True, drop=1),
)
ROWS = (
    ("FORMUSDT", "eligible", "90.01 %", "0.0101 %", "$12,345,678"),
    ("龙虾USDT", "APR -12.00 % is below 15 %; volume $1,234 is below $5,000,000", "-12.00 %", "0.2000 %", "$1,234"),
)
NUMBERS = ("90.01 %", "-12.00 %")


def test_a_wide_screen_shows_everything_on_one_line_a_row() -> None:
    lines = table_lines("Funding", COLUMNS, ROWS, 200)

    assert len(lines) == 3 + len(ROWS) + 1
    assert lines == table_lines("Funding", COLUMNS, ROWS, None)


@pytest.mark.parametrize("width", range(20, 140))
def test_at_no_width_a_number_or_a_verdict_is_cut(width: int) -> None:
    lines = table_lines("Funding", COLUMNS, ROWS, width)
    text, words = "\n".join(lines), " ".join(" ".join(lines).split())

    assert all(cells(line) <= width for line in lines)
    for number in (*NUMBERS, "-12.00", "15", "$1,234", "$5,000,000"):
        assert number in words
    assert "eligible" in text
    for word in ROWS[1][1].split():
        assert word in text.split()


def test_columns_of_little_value_go_first_and_are_named() -> None:
    first = table_lines("Funding", COLUMNS, ROWS, 60)
    assert "stdev" not in first[1]
    assert "volume 24h" in first[1]
    assert first[-2] == "  (a wider terminal shows also: stdev)"

    assert "volume 24h" not in table_lines("Funding", COLUMNS, ROWS, 44)[1]


def test_columns_of_wide_characters_stay_aligned() -> None:
    rows = [["龙虾USDT", "1"], ["BTCUSDT", "22"]]
    lines = table_lines("", [Column(title="symbol"), Column(title="n", number=True)], rows, 80)

    assert {cells(line) for line in lines[3:5]} == {cells(lines[1])}


def test_a_screen_narrower_than_any_table_gets_names_and_values() -> None:
    lines = table_lines("Funding", COLUMNS, ROWS, 24)

    assert "  FORMUSDT" in lines
    assert "    APR         90.01 %" in lines


def test_a_table_without_rows_has_its_head() -> None:
    assert table_lines("Funding", COLUMNS, [], 80)[1].split() == ["symbol", "verdict", "APR", "stdev", "volume", "24h"]


@given(st.lists(st.lists(st.text("a1 ,龙", max_size=30), min_size=3, max_size=3), max_size=4), st.integers(10, 90))
def test_whatever_stands_in_the_cells_every_word_of_a_kept_column_is_there(rows: list[list[str]], width: int) -> None:
    columns = [Column(title="a"), Column(title="b", least=5), Column(title="c", least=5)]

    shown = " ".join(table_lines("", columns, rows, width)).split()

    for row in rows:
        for word in " ".join(row).split():
            assert word in shown
