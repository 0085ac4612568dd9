"""Text for screens of any width: no word and no number is ever cut, and cells are counted, not characters."""

from hypothesis import given
from hypothesis import strategies as st

from hedgerow.dashboard.wrapping import cells, longest_word, wrapped

WORDS = st.lists(st.text("ab1,.$-龙", min_size=1, max_size=12), min_size=1, max_size=12)


@given(WORDS, st.integers(8, 40), st.integers(0, 4))
def test_a_wrapped_text_keeps_every_word_whole_and_in_order(words: list[str], width: int, margin: int) -> None:
    text = " " * margin + " ".join(words)

    lines = wrapped(text, width)

    assert " ".join(lines).split() == words
    assert lines[0].startswith(" " * margin)
    for line in lines:
        assert cells(line) <= width or len(line.split()) == 1


def test_a_text_that_fits_is_left_as_it_is_blanks_included() -> None:
    assert wrapped("  Net profit    -$1.00", 22) == ["  Net profit    -$1.00"]


def test_a_wide_character_takes_two_cells() -> None:
    assert cells("龙USDT") == 6
    assert longest_word("a 龙龙") == 4
    assert wrapped("龙龙龙 龙", 7) == ["龙龙龙", "   龙"]


def test_later_lines_stand_further_in() -> None:
    assert wrapped("  one two three", 10) == ["  one two", "     three"]
