"""The reader of terminals itself: what it says of a screen must be what a person sees."""

from pathlib import Path

import pytest

from support.terminal import Screen, Terminal, on_terminal


def test_the_size_of_the_terminal_reaches_the_command(tmp_path: Path) -> None:
    seen = on_terminal("/usr/bin/env", "stty", "size", home=tmp_path, columns=93, rows=17)

    assert seen.text.split() == ["17", "93"]


def test_colours_are_not_counted_as_cells(tmp_path: Path) -> None:
    seen = on_terminal("/usr/bin/printf", "\\033[1;31m%s\\033[0m\\n", "x" * 80, home=tmp_path)

    assert seen.lines[0] == "x" * 80
    assert not seen.too_long


def test_a_line_of_wide_characters_is_measured_in_cells(tmp_path: Path) -> None:
    seen = on_terminal("/usr/bin/printf", "%s\\n", "龙" * 41, home=tmp_path)

    assert seen.too_long == ["龙" * 41]


def test_ctrl_c_interrupts_the_command(tmp_path: Path) -> None:
    with Terminal("/usr/bin/env", "sleep", "60", home=tmp_path) as terminal:
        terminal.interrupt()

        assert terminal.end(10).code != 0


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("abcdefgh\n", "abcde\nfgh"),
        ("a龙龙龙", "a龙龙\n龙"),
        ("one\rt", "tne"),
        ("1\n2\n3\n4", "2\n3\n4"),
        ("old\n\x1b[1A\x1b[2Knew", "new"),
        ("old\x1b[H\x1b[2Jnew", "new"),
        ("\x1b[2;3Hx\x1b[D\x1b[Dy", "\n yx"),
        ("abc\x1b[2D\x1b[K", "a"),
        ("\x1b]0;title\x07text", "text"),
    ],
)
def test_the_screen_shows_what_a_terminal_would(written: str, shown: str) -> None:
    screen = Screen(5, 3)

    screen.feed(written)

    assert screen.text == shown
