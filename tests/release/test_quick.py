"""``make quick`` runs the fast tests: what is slow is marked as slow."""

import runpy
from pathlib import Path

TESTS = Path(__file__).parents[1]
MAKEFILE = (TESTS.parent / "Makefile").read_text(encoding="utf-8")


def test_a_slow_folder_that_is_not_there_is_noticed() -> None:
    slow: tuple[str, ...] = runpy.run_path(str(TESTS / "conftest.py"))["SLOW_FOLDERS"]
    assert [name for name in slow if not (TESTS / name).is_dir()] == []


def test_quick_leaves_out_what_is_marked_as_slow_and_draws_few_examples() -> None:
    assert '-m "not slow" --hypothesis-profile=quick $(ARGS)\n' in MAKEFILE
    marked = [path for path in (TESTS / "unit").rglob("test_*.py") if "pytest.mark.slow" in path.read_text("utf-8")]
    assert marked, "the mark is used within the folders that are quick"


def test_what_is_watched_for_coverage_is_there() -> None:
    line = next(line for line in MAKEFILE.splitlines() if line.startswith("GATED := "))
    assert [name for name in line.split()[2:] if not (TESTS.parent / name).exists()] == []


def test_ci_runs_the_test_command_of_the_readme() -> None:
    script = (TESTS.parent / ".ci" / "run").read_text(encoding="utf-8")
    assert "\nmake test\n" in script
    assert "`make test`" in (TESTS.parent / "README.md").read_text(encoding="utf-8")
