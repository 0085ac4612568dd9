"""The two kinds of planted bugs, and how each is run."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from hedgerow.simulation.scenario import Transport

__all__ = ["PACKAGE", "ROOT", "Patched", "Played", "SourceTree", "changed", "played_bugs", "uncalled", "wrapped"]

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "hedgerow"
LONGEST_SECONDS = 300.0
"""A test that does not end has noticed the bug."""
CAUGHT, SURVIVED = 1, 0
"""Exit codes of pytest; any other one means that the patch is no working program, or that its tests do not exist."""


class Patched(Struct, frozen=True, kw_only=True):
    """A bug in the text of one module: ``old``, which occurs there once, becomes ``new``; a test must fail."""

    name: str
    file: str
    """Below ``src/hedgerow``."""
    does: str
    """What the bug does."""
    old: str
    new: str
    tests: tuple[str, ...]
    """Test files that mirror the module, below ``tests``; ``file::test`` is one test of a slow file."""

    def applied(self, text: str) -> str:
        """Return the module's text with the bug.

        Raises:
            ValueError: the text to be replaced is not there exactly once.
        """
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.old!r} occurs {text.count(self.old)} times in {self.file}, not once")
        return text.replace(self.old, self.new)


class Played(Struct, frozen=True, kw_only=True):
    """A behaviour planted in the running bot; a simulated run must break an invariant."""

    name: str
    does: str
    plant: Callable[[], None]
    """Changes this process for good."""
    days: float | None = None
    """Of each run, where the usual ones are too short, or where less is enough."""
    transport: Transport = Transport.PROCESS
    hedges: int = 1
    """How many positions the bot of a run may hold at most."""
    raises: bool = False
    """Whether it ends cycles with an error of their own: an error of any other bug says that its place has changed."""


def changed(owner: Any, name: str, value: object) -> None:
    """Put a value in the place of another one that the module may not offer.

    Raises:
        AttributeError: there is nothing of this name, so nothing would change.
    """
    getattr(owner, name)
    setattr(owner, name, value)


_UNCALLED = set[str]()


def wrapped(owner: Any, name: str, around: Callable[..., Any]) -> None:
    """Put ``around(original, *arguments)`` in the place of a function."""
    original = getattr(owner, name)
    place = f"{owner.__name__.rpartition('.')[2]}.{name}"
    _UNCALLED.add(place)

    def replaced(*a: Any, **k: Any) -> Any:
        _UNCALLED.discard(place)
        return around(original, *a, **k)

    setattr(owner, name, replaced)


def uncalled() -> tuple[str, ...]:
    """Return what was wrapped in this process and has not been called: another module may hold the original."""
    return tuple(sorted(_UNCALLED))


def played_bugs(*plants: Callable[[], None]) -> tuple[Played, ...]:
    """Return bugs that are named and described by the functions that plant them."""
    return tuple(
        Played(name=plant.__name__.replace("_", " "), does=" ".join((plant.__doc__ or "").split()), plant=plant)
        for plant in plants
    )


class SourceTree:
    """A copy of the package in which one module at a time is changed."""

    def __init__(self, folder: Path) -> None:
        self._source = folder / "src"
        shutil.copytree(PACKAGE, self._source / "hedgerow", ignore=shutil.ignore_patterns("__pycache__"))

    def verdict(self, bug: Patched) -> tuple[bool, str]:
        """Plant a bug and run its tests; returns whether one failed, and which.

        Raises:
            ValueError: the patch does not apply, or what it makes cannot be run.
        """
        path = self._source / "hedgerow" / bug.file
        text = path.read_text()
        path.write_text(bug.applied(text))
        try:
            return self._verdict(bug)
        finally:
            path.write_text(text)

    def _verdict(self, bug: Patched) -> tuple[bool, str]:
        try:
            code, output = self.pytest(bug.tests, LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            return True, f"no end after {LONGEST_SECONDS:.0f} s"
        failed = [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
        if code not in {CAUGHT, SURVIVED}:
            raise ValueError(f"{bug.name}: pytest ends with {code}: {(failed or output.splitlines() or [''])[-1]}")
        return code == CAUGHT, failed[0].split(" - ")[0].removeprefix("FAILED ") if failed else ""

    def pytest(self, tests: tuple[str, ...], most_seconds: float | None = None) -> tuple[int, str]:
        """Run test files on this copy until one fails; returns the exit code and the output.

        Raises:
            TimeoutExpired: they do not end within ``most_seconds``.
        """
        paths = [str(ROOT / "tests" / test) for test in dict.fromkeys(tests)]
        source = f"pythonpath={self._source} {ROOT / 'tests'} {ROOT / 'benchmarks'}"
        command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-o", source, *paths]
        done = subprocess.run(  # noqa: S603 - our own interpreter and tests
            command,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=most_seconds,
        )
        return done.returncode, done.stdout + done.stderr
