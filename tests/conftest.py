"""Profiles of Hypothesis, the mark ``slow``, the order of the tests, and databases that a test leaves open.

Profiles: ``quick`` draws a tenth of the examples of each property (``make quick``), ``nightly`` ten times as many
(``make nightly``). Without a choice, a CI machine (``CI`` is set) has ``ci``, the same examples at each run; any other
machine has ``local``, new ones at each run.
"""

import gc
import os
import re
import signal
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from support.real_history import REAL_HISTORY, needs_real_history

if TYPE_CHECKING:
    from support.postgres import PostgresServer

# No test depends on the speed of the machine: how long an example may take is not judged.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
PATIENT = settings.get_profile("patient")
settings.register_profile("ci", PATIENT, derandomize=True)
settings.register_profile("local", PATIENT)
settings.register_profile("quick", PATIENT, max_examples=10, derandomize=True)
settings.register_profile("nightly", PATIENT, max_examples=1000)
settings.load_profile("ci" if os.environ.get("CI") else "local")

# Until all tests are collected nothing becomes garbage: looking for it takes a third of that time.
gc.disable()

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell script's background job ignores Ctrl-C, and so would every process that a test starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

OPENED: list[sqlite3.Connection] = []
"""Connections to databases that the running test opened."""


def _on_audit(event: str, arguments: tuple[object, ...]) -> None:
    if event == "sqlite3.connect/handle" and isinstance(arguments[0], sqlite3.Connection):
        OPENED.append(arguments[0])


sys.addaudithook(_on_audit)


def _is_open(connection: sqlite3.Connection) -> bool:
    try:
        connection.total_changes  # noqa: B018 - it asks whether the connection is closed
    except sqlite3.ProgrammingError:
        return False
    return True


@pytest.fixture(autouse=True)
def _no_database_is_left_open() -> Iterator[None]:
    """Fail a test after which a database is open; Python warns of that from 3.13 on, at some later time."""
    OPENED.clear()
    yield
    left = sum(map(_is_open, OPENED))
    OPENED.clear()
    if left:
        pytest.fail(f"{left} databases are still open after the test", pytrace=False)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator["PostgresServer"]:
    """Serve databases to the tests of one process; a test that kills the server starts one of its own."""
    from support.postgres import require_postgres, serve_postgres  # noqa: PLC0415 - the driver is imported where needed

    # What the server has handed to the operating system survives the death of its processes.
    with serve_postgres(require_postgres(), fsync="off") as server:
        yield server


@pytest.fixture(scope="session")
def made_history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make market history like the real one."""
    from support.made_history import make_history  # noqa: PLC0415 - NumPy and pyarrow are imported where needed

    return make_history(tmp_path_factory.mktemp("history"))


@pytest.fixture(params=["made", pytest.param("real", marks=needs_real_history)])
def history(request: pytest.FixtureRequest) -> Path:
    """Return a folder of market history: the made one, and the real one where it is."""
    folder: Path = REAL_HISTORY if request.param == "real" else request.getfixturevalue("made_history")
    return folder


TESTS = Path(__file__).parent
SLOW_FOLDERS = ("simulation", "browser", "postgres", "processes", "terminal", "cli", "engine", "conformance")
"""Folders of which every test counts as slow, the longest first: whole bots over days, processes, terminals."""


SLOW_FILE = re.compile(r"^pytestmark = (\[\s*)?pytest\.mark\.slow\b", re.MULTILINE)
"""A file of which every test is slow."""


def _folder(path: Path) -> str:
    return path.relative_to(TESTS).parts[0] if path.is_relative_to(TESTS) and path != TESTS else ""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out slow folders and files, neither imported nor collected, where slow tests are not wanted."""
    if config.option.markexpr != "not slow":
        return None
    return True if _folder(collection_path) in SLOW_FOLDERS or _is_slow_file(collection_path) else None


def _is_slow_file(path: Path) -> bool:
    return path.match("test_*.py") and SLOW_FILE.search(path.read_text(encoding="utf-8")) is not None


def pytest_collection_finish() -> None:
    """Look for garbage again, but not among what was collected: that lives until the end."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the slow folders, run the longest first, and keep together what is cheaper together.

    The longest come first so that no process ends long after the others. With ``--dist loadgroup`` tests that share a
    fixture of their module stay in one process, so that it is made once; so do the tests of a quick file, because
    handing them out one by one takes longer than many of them.
    """
    for item in items:
        if _folder(item.path) in SLOW_FOLDERS:
            item.add_marker(pytest.mark.slow)
        if _shares_a_fixture(item) or not (item.get_closest_marker("slow") or _folder(item.path) == "property"):
            item.add_marker(pytest.mark.xdist_group(item.path.relative_to(TESTS.parent).as_posix()))
    items.sort(key=_rank)


def _shares_a_fixture(item: pytest.Item) -> bool:
    made = item._fixtureinfo.name2fixturedefs.values() if isinstance(item, pytest.Function) else ()
    return any(each[-1].scope == "module" for each in made if each)


def _rank(item: pytest.Item) -> int:
    folder = _folder(item.path)
    if folder in SLOW_FOLDERS:
        return SLOW_FOLDERS.index(folder)
    early = folder == "property" or item.get_closest_marker("slow") is not None
    return len(SLOW_FOLDERS) + (0 if early else 1)
