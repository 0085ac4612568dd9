"""``make quick`` runs the fast tests: what is slow is marked as slow, and every folder is on one side."""

import re
import runpy
from pathlib import Path

TESTS = Path(__file__).parents[1]
MAKEFILE = (TESTS.parent / "Makefile").read_text(encoding="utf-8")


def test_the_slow_folders_are_there_and_the_same_for_make_and_pytest() -> None:
    slow: frozenset[str] = runpy.run_path(str(TESTS / "conftest.py"))["SLOW_FOLDERS"]
    assert {name for name in slow if not (TESTS / name).is_dir()} == set()
    left_out = re.search(r"^QUICK := \$\(filter-out \$\(addprefix tests/,([^)]*)\)", MAKEFILE, re.MULTILINE)
    assert left_out is not None
    assert set(left_out[1].replace("\\", " ").split()) == slow | {"support", "conftest.py", "__pycache__"}


def test_quick_leaves_out_what_is_marked_as_slow() -> None:
    assert '-m "not slow" $(QUICK)' in MAKEFILE
    marked = [path for path in (TESTS / "unit").rglob("test_*.py") if "pytest.mark.slow" in path.read_text("utf-8")]
    assert marked, "the mark is used within the folders that are quick"
