"""The fixtures as their users meet them, in a project and a pytest of their own; and the page's examples there."""

import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from hedgerow.emulator.fault_kinds import ON_THE_WIRE
from hedgerow.emulator.wire.rest.faults import MessageFaultKind

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parents[3] / "docs" / "testing_your_bot.md").read_text(encoding="utf-8")
CODE = re.compile(r"```python\n# (\S+\.py)\n(.*?)```", re.DOTALL)
SETTINGS = (
    "[pytest]\naddopts = --strict-markers -p no:cacheprovider -p no:xdist\nfilterwarnings = error\npythonpath = .\n"
)
LONGEST_SECONDS = 120


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text(SETTINGS)
    return tmp_path


def run_pytest(project: Path, *arguments: str) -> str:
    """Run the project's tests and return what pytest said."""
    words = [sys.executable, "-m", "pytest", "-q", *arguments]
    done = subprocess.run(  # noqa: S603 - our own tests
        words, cwd=project, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
    )
    return done.stdout + done.stderr


def test_pytest_finds_the_fixtures_by_itself() -> None:
    assert [point.value for point in entry_points(group="pytest11", name="hedgerow")] == ["hedgerow.pytest_plugin"]


def test_a_run_that_asks_for_no_exchange_does_not_import_one(project: Path) -> None:
    (project / "test_other.py").write_text(
        "import sys\n\n\ndef test_nothing():\n"
        "    assert not {'aiohttp', 'hedgerow.testing', 'hedgerow.domain'} & sys.modules.keys()\n"
    )
    assert "1 passed" in run_pytest(project)


def test_the_examples_of_the_page_run(project: Path) -> None:
    files: dict[str, str] = {}
    for name, code in CODE.findall(PAGE):
        files[name] = f"{files[name]}\n\n{code}" if name in files else code
    assert files.keys() == {"bot.py", "test_bot.py", "test_recipes.py"}
    for name, code in files.items():
        (project / name).write_text(code)
    said = run_pytest(project)
    assert re.search(r"^12 passed", said, re.MULTILINE), said


def test_options_marks_and_the_exchange_of_the_whole_run(project: Path) -> None:
    (project / "conftest.py").write_text(
        "import pytest\n\n\n@pytest.fixture(scope='session')\n"
        "def aster_options():\n    return {'balance': 300, 'pairs': 3}\n"
    )
    (project / "test_options.py").write_text(
        """
import pytest


def test_options_of_the_project(aster):
    assert aster.balances().usdt == 300
    assert len(aster.symbols) == 3


@pytest.mark.aster(balance=70, accounts=1)
def test_options_of_one_test(aster):
    assert aster.balances().usdt == 70
    assert (len(aster.symbols), len(aster.accounts)) == (3, 1)


@pytest.mark.parametrize('turn', [1, 2])
def test_the_session_remembers(aster_session, aster, turn):
    aster_session.fund(5)
    assert aster_session.balances().usdt == 300 + 5 * turn
    assert aster.balances().usdt == 300
"""
    )
    said = run_pytest(project)
    assert "4 passed" in said, said


def test_a_test_that_fails_leaves_nothing_to_the_next_one(project: Path) -> None:
    (project / "test_leaks.py").write_text(
        """
import socket
import threading


def test_fails(aster):
    global address
    address = (aster.futures_rest, aster.account)
    socket.create_connection(('127.0.0.1', int(aster.futures_rest.rpartition(':')[2]))).close()
    raise ZeroDivisionError


def test_nothing_is_left():
    assert threading.active_count() == 1
    with socket.socket() as probe:
        assert probe.connect_ex(('127.0.0.1', int(address[0].rpartition(':')[2]))) != 0
"""
    )
    said = run_pytest(project)
    assert "1 failed, 1 passed" in said, said


def test_processes_side_by_side_do_not_meet(project: Path) -> None:
    (project / "test_many.py").write_text(
        """
import pytest


@pytest.mark.parametrize('turn', range(12))
def test_alone(aster, turn):
    aster.trade('BTCUSDT', 'SELL', '0.001')
    assert len(aster.trades()) == 1
"""
    )
    (project / "pytest.ini").write_text(SETTINGS.replace("-p no:xdist", "-n 2"))
    said = run_pytest(project)
    assert "12 passed" in said, said


def test_it_serves_unittest_too(project: Path) -> None:
    (project / "test_case.py").write_text(
        """
import unittest

from hedgerow.testing import local_aster


class Case(unittest.TestCase):
    def setUp(self):
        self.aster = self.enterContext(local_aster())

    def test_balances(self):
        self.assertEqual(self.aster.balances().usdt, 1000)


if __name__ == '__main__':
    unittest.main()
"""
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "test_case.py"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_page_lists_every_fault_there_is() -> None:
    table = PAGE.partition("<!-- faults:begin -->")[2].partition("<!-- faults:end -->")[0]
    listed = {
        name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)
    }
    assert listed == {*ON_THE_WIRE, *MessageFaultKind}
