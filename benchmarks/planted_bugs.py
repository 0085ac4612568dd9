"""Plants every bug of ``benchmarks/planted`` alone, and prints those that nothing notices.

A bug in the text of a module must fail the tests that mirror it; a behaviour planted in the running bot must break an
invariant of a simulated run within ``--most`` seeds. ``--only TEXT`` takes bugs whose name contains a text, ``--kind``
those of one kind; ``--check`` only says whether everything that they change is still there.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

from msgspec import Struct

from hedgerow.app.simulation.run import play_seed
from hedgerow.clock import SystemClock
from hedgerow.simulation.checks.invariants import Invariant
from planted import PATCHED, PLAYED
from planted.first_seeds import FIRST_SEEDS
from planted.kinds import PACKAGE, ROOT, Patched, Played, SourceTree, uncalled

MISSED, FAILED = "SURVIVED", "FAILED"


class Line(Struct, frozen=True, kw_only=True):
    """What became of one bug."""

    name: str
    where: str
    """The module, or the runs it was played in."""
    caught: str
    """By what; ``SURVIVED``, or ``FAILED`` and why."""
    seconds: float

    @property
    def good(self) -> bool:
        """Whether it was caught."""
        return not self.caught.startswith((MISSED, FAILED))

    def __str__(self) -> str:
        """Return a row of a Markdown table."""
        return f"| {self.name} | {self.where} | {self.caught} | {self.seconds:.0f} s |"


def hunt(bug: Played, days: float, most: int) -> str:
    """Plant a bug in this process and play ``most`` seeds, a known one first; returns what noticed it."""
    bug.plant()
    first = FIRST_SEEDS.get(bug.name, 0)
    for seed in sorted({*range(most), first}, key=lambda seed: (seed != first, seed)):
        found = play_seed(seed, bug.days or days, transport=bug.transport, hedges=bug.hedges).violation
        if found is not None and found.rule is Invariant.FAILURE and not bug.raises:
            return f"{FAILED}: it raises in seed {seed}: {found.text}"
        if found is not None:
            return f"seed {seed}: {found.rule.value}"
    return f"{MISSED} {most} seeds" + "".join(f", {name} was never called" for name in uncalled())


def hunt_each(bugs: Sequence[Played], days: float, most: int) -> int:
    """Plant each bug in a copy of this process, and print a line for each; returns how many copies failed."""
    failed = 0
    for bug in bugs:
        sys.stdout.flush()
        copy = os.fork()
        if not copy:
            print(f"{bug.name}: {hunt(bug, days, most)}", flush=True)
            os._exit(0)
        failed += os.waitpid(copy, 0)[1] != 0
    return failed


def _played(bug: Played, days: float, most: int) -> str:
    command = [sys.executable, __file__, "--hunt", bug.name, "--days", str(days), "--most", str(most)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - this very script
    return (
        done.stdout.strip().removeprefix(f"{bug.name}: ")
        or f"{FAILED}: {(done.stderr.strip().splitlines() or [''])[-1]}"
    )


def _patched(bug: Patched, trees: "SimpleQueue[SourceTree]") -> str:
    tree = trees.get()
    try:
        caught, by = tree.verdict(bug)
    except ValueError as broken:
        return f"{FAILED}: {broken}"
    finally:
        trees.put(tree)
    return by if caught else MISSED


def _timed(name: str, where: str, work: Callable[[], str]) -> Line:
    clock = SystemClock()
    began = clock.monotonic()
    caught = work()
    return Line(name=name, where=where, caught=caught, seconds=clock.monotonic() - began)


def _all(patched: Sequence[Patched], played: Sequence[Played], given: argparse.Namespace) -> Iterator[Line]:
    with TemporaryDirectory() as folder, ThreadPoolExecutor(given.workers) as pool:
        trees: SimpleQueue[SourceTree] = SimpleQueue()
        for number in range(given.workers):
            trees.put(SourceTree(Path(folder) / str(number)))
        tests = tuple(test for bug in patched for test in bug.tests)
        if tests:
            code, output = trees.get().pytest(tests)
            if code:
                raise SystemExit(f"the tests fail with no bug planted:\n{output}")
            trees.put(SourceTree(Path(folder) / "again"))
        waiting = [
            *(pool.submit(_timed, b.name, b.file, lambda b=b: _patched(b, trees)) for b in patched),  # type: ignore[misc] # bound now
            *(
                pool.submit(_timed, b.name, b.transport.value, lambda b=b: _played(b, given.days, given.most))  # type: ignore[misc] # bound now
                for b in played
            ),
        ]
        for future in waiting:
            yield future.result()


def _stale() -> list[str]:
    """Return which texts are not there to be changed, and which test files are not there to notice it."""
    found: list[str] = []
    for bug in PATCHED:
        found += [f"{bug.name}: no tests/{test}" for test in bug.tests if not _exists(test)]
        try:
            bug.applied((PACKAGE / bug.file).read_text())
        except (ValueError, OSError) as error:
            found.append(str(error))
    return found


def _exists(test: str) -> bool:
    path, _, name = test.partition("::")
    file = ROOT / "tests" / path
    return file.is_file() and (not name or f"def {name}(" in file.read_text())


def _without_place() -> list[str]:
    """Plant every behaviour in this process; returns which ones change a name that is not there."""
    found: list[str] = []
    for bug in PLAYED:
        try:
            bug.plant()
        except (AttributeError, LookupError) as error:
            found.append(f"{bug.name}: {error}")
    return found


def main() -> int:
    """Plant them all; exit code 1 when one survives."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="bugs whose name contains this")
    parser.add_argument(
        "--kind", choices=("text", "played", "several"), help="bugs of one kind; several = played, of several hedges"
    )
    parser.add_argument("--check", action="store_true", help="only tell what is not there any more to be changed")
    parser.add_argument("--hunt", choices=[bug.name for bug in PLAYED], nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--days", type=float, default=7.0, help="days of each run")
    parser.add_argument("--most", type=int, default=60, help="seeds after which a bug counts as missed")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    given = parser.parse_args()
    if given.hunt:
        return hunt_each([bug for bug in PLAYED if bug.name in given.hunt], given.days, given.most)
    stale = [*_stale(), *(_without_place() if given.check else ())]
    print("\n".join(stale) if stale else f"{len(PATCHED)} texts and {len(PLAYED)} behaviours can be planted")
    if given.check:
        return 1 if stale else 0
    print("\n| planted bug | where | caught by | after |\n|---|---|---|---|")
    patched = [bug for bug in PATCHED if given.only in bug.name and given.kind in {None, "text"}]
    played = [bug for bug in PLAYED if given.only in bug.name and given.kind != "text"]
    played = [bug for bug in played if given.kind != "several" or bug.hedges > 1]
    if not patched and not played:
        parser.error(f"--only {given.only}: no bug has a name with this text")
    survivors: list[str] = []
    for line in _all(patched, played, given):
        print(line, flush=True)
        survivors += [] if line.good else [line.name]
    print(f"\n{len(patched) + len(played)} bugs, survivors: {', '.join(survivors) or 'none'}")
    return 1 if survivors else 0


if __name__ == "__main__":
    raise SystemExit(main())
