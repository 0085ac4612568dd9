"""A console that no one reads: the bot does not wait for it, and what is left out is counted."""

import io
import os
from collections.abc import Iterator
from contextlib import closing
from typing import TextIO

import pytest

from hedgerow.cli.non_blocking_stream import NonBlockingStream

LINE = "x" * 1000 + "\n"


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        yield reading, stream
    os.close(reading)


def read_all(reading: int) -> str:
    with os.fdopen(os.dup(reading), encoding="utf-8") as stream:
        return stream.read()


def test_lines_arrive_in_order_and_whole(pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    with closing(NonBlockingStream(stream)) as console:
        for number in range(50):
            console.write(f"{number} ü\n")
    stream.close()
    assert read_all(reading) == "".join(f"{number} ü\n" for number in range(50))


def test_a_pipe_that_no_one_reads_never_blocks_who_writes_and_what_is_left_out_is_counted(
    pipe: tuple[int, TextIO],
) -> None:
    reading, stream = pipe
    console = NonBlockingStream(stream, waiting=100 * len(LINE))
    for _ in range(1000):
        console.write(LINE)  # a pipe takes 64 KiB, then a write blocks
    taken = b""
    while b"left out" not in taken:
        taken += os.read(reading, 65536)
    console.write("shown again\n")
    console.close()
    stream.close()
    lines = (taken.decode() + read_all(reading)).splitlines(keepends=True)
    shown = lines.count(LINE)
    assert 100 <= shown < 300
    assert lines[shown:] == [f"hedgerow: {1000 - shown} lines are left out here, they were not read\n", "shown again\n"]


def test_closing_does_not_wait_for_ever(pipe: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hedgerow.cli.non_blocking_stream.CLOSE_SECONDS", 0.05)
    reading, stream = pipe
    console = NonBlockingStream(stream)
    for _ in range(200):
        console.write(LINE)
    console.close()
    console.close()
    assert console.closed
    stream.close()
    assert read_all(reading) == 200 * LINE, "the thread ends once it is read"


def test_a_stream_that_cannot_be_written_raises_at_a_later_write() -> None:
    class Broken(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(28, "No space left on device")

    console = NonBlockingStream(Broken())
    console.write("one\n")
    console.close()
    with pytest.raises(OSError, match="No space left"):
        console.write("two\n")


def test_what_a_terminal_is_asked_is_answered_by_the_target(pipe: tuple[int, TextIO]) -> None:
    _, stream = pipe
    with closing(NonBlockingStream(stream)) as console:
        assert (console.encoding, console.isatty(), console.writable()) == ("utf-8", False, True)
