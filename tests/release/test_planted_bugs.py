"""The bugs that ``make planted`` plants have a place in the code of today."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_planted_bug_whose_place_was_renamed_is_noticed() -> None:
    command = [sys.executable, "benchmarks/planted_bugs.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own script
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
