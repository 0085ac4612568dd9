"""Nonces: never the same twice, whatever clocks, threads, processes and restarts do."""

import fcntl
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.aster.http.nonces import NonceSource, VenueTime
from hedgerow.clock import VirtualClock
from hedgerow.domain.errors import ConfigError, NotSent

NOW = datetime(2026, 1, 5, tzinfo=UTC)
MICROS = 1_767_571_200_000_000


def source(clock: VirtualClock, path: Path | None = None) -> NonceSource:
    return NonceSource(VenueTime(clock), path)


def test_a_nonce_is_the_venues_time_in_microseconds() -> None:
    clock = VirtualClock(NOW)
    time = VenueTime(clock)
    assert NonceSource(time).next() == MICROS
    time.offset = timedelta(milliseconds=250)
    assert NonceSource(time).next() == MICROS + 250_000
    assert time.millis() == MICROS // 1000 + 250


def test_in_one_instant_each_nonce_is_one_more_than_the_last() -> None:
    nonces = source(VirtualClock(NOW))
    assert [nonces.next() - MICROS for _ in range(4)] == [0, 1, 2, 3]


@settings(deadline=None)
@given(st.lists(st.integers(-5_000_000, 5_000_000), max_size=50))
def test_nonces_grow_however_the_offset_is_corrected(corrections: list[int]) -> None:
    time = VenueTime(VirtualClock(NOW))
    nonces = NonceSource(time)
    given_out = []
    for micros in corrections:
        time.offset = timedelta(microseconds=micros)
        given_out.append(nonces.next())
    assert given_out == sorted(set(given_out))


def test_threads_never_get_the_same_one() -> None:
    nonces = source(VirtualClock(NOW))
    with ThreadPoolExecutor(8) as pool:
        given_out = list(pool.map(lambda _: nonces.next(), range(2000)))
    assert len(set(given_out)) == 2000


def test_sources_and_restarts_that_share_a_file_never_give_the_same_one(tmp_path: Path) -> None:
    clock = VirtualClock(NOW)
    path = tmp_path / "nonce"
    with ThreadPoolExecutor(4) as pool:
        given_out = list(pool.map(lambda _: source(clock, path).next(), range(200)))
    assert len(set(given_out)) == 200
    assert max(given_out) == MICROS + 199
    assert path.stat().st_mode & 0o077 == 0


PROGRAM = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from hedgerow.aster.http.nonces import NonceSource, VenueTime
from hedgerow.clock import VirtualClock
nonces = NonceSource(VenueTime(VirtualClock(datetime(2026, 1, 5, tzinfo=UTC))), Path(sys.argv[1]))
print(*(nonces.next() for _ in range(300)))
"""


def test_processes_that_share_a_file_never_give_the_same_one(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "nonce")]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own interpreter and program
        for _ in range(3)
    ]
    given_out = [int(text) for process in running for text in process.communicate()[0].split()]
    assert len(given_out) == len(set(given_out)) == 900


def test_a_nonce_is_not_read_while_another_process_is_about_to_write_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, clock = tmp_path / "nonce", VirtualClock(NOW)
    first, second = source(clock, path), source(clock, path)
    read, others = os.pread, list[int]()

    def take_one() -> None:
        with suppress(NotSent):  # it may give up waiting
            others.append(second.next())

    other = threading.Thread(target=take_one)

    def read_and_let_the_other_try(handle: int, size: int, offset: int) -> bytes:
        found = read(handle, size, offset)
        if threading.current_thread() is not other:
            other.start()
            other.join(timeout=0.02)  # it is still waiting for the lock, or has given out the same nonce by now
        return found

    monkeypatch.setattr(os, "pread", read_and_let_the_other_try)
    given_out = first.next()
    other.join()
    assert others in ([], [given_out + 1])


def test_a_clock_set_back_between_runs_does_not_repeat_nonces(tmp_path: Path) -> None:
    path = tmp_path / "nonce"
    first = source(VirtualClock(NOW + timedelta(seconds=30)), path).next()
    assert source(VirtualClock(NOW), path).next() == first + 1


def test_a_mark_that_the_venue_cannot_have_accepted_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "nonce"
    source(VirtualClock(NOW + timedelta(days=365)), path).next()
    assert source(VirtualClock(NOW), path).next() == MICROS


@pytest.mark.parametrize("content", ["", "nonsense\n"])
def test_a_file_without_a_number_counts_as_new(tmp_path: Path, content: str) -> None:
    path = tmp_path / "nonce"
    path.write_text(content)
    assert source(VirtualClock(NOW), path).next() == MICROS


def test_a_file_that_cannot_be_kept_is_said_at_start_and_later_sends_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nonces cannot be kept: .*No such file"):
        source(VirtualClock(NOW), tmp_path / "missing" / "nonce")
    (tmp_path / "folder").mkdir()
    nonces = source(VirtualClock(NOW), tmp_path / "folder" / "nonce")
    (tmp_path / "folder" / "nonce").unlink()
    (tmp_path / "folder").rmdir()
    with pytest.raises(NotSent, match="nonces cannot be kept"):
        nonces.next()


def test_a_lock_that_another_process_does_not_release_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "nonce"
    nonces = source(VirtualClock(NOW), path)
    with path.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(NotSent, match=r"nonces cannot be kept: .*another process holds it"):
            nonces.next()
    assert nonces.next() == MICROS


def test_the_offset_is_measured_halfway_between_sending_and_receiving() -> None:
    time = VenueTime(VirtualClock(NOW))
    server = NOW + timedelta(seconds=3)
    assert time.measure(server, sent=NOW, received=NOW + timedelta(seconds=2)) == timedelta(seconds=2)
    assert time.now() == NOW + timedelta(seconds=2)
