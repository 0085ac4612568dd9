"""Campaigns of real processes, short enough for every day; the long ones are in docs/reliability.md."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PATIENCE = 300


def played(script: str, *words: object) -> dict[str, Any]:
    """Play a campaign as a user would, and return what it printed."""
    command = [sys.executable, str(BENCHMARKS / script), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)  # noqa: S603 - ours
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode, found["wrongs"]) == (0, [])
    return found


def test_killed_at_any_time_both_come_back_and_the_books_agree() -> None:
    result = played("kill_week.py", "--kills", 10, "--exchange-kills", 3, "--days", 0.3, "--seed", 2)
    assert (result["kills"], result["exchange_kills"]) == (10, 3)
    assert result["in_flight"] >= 2, "too few kills hit a trade to prove anything"
    assert result["opened"] > 3
    assert result["orders"] > 50


def test_two_days_in_lockstep_leave_no_difference() -> None:
    result = played("cut_week.py", "--cuts", 0, "--days", 2, "--interval", 1800, "--age", 8)
    assert result["checks"] >= 2 * 48
    assert result["opened"] >= 5
    assert (result["unknown_outcomes"], result["halts"]) == (0, 0)
    assert result["max_naked_seconds"] < 0.1, "counted from the fill to the order that follows it"


def test_two_days_with_the_wire_cut_again_and_again() -> None:
    result = played("cut_week.py", "--cuts", 16, "--days", 2, "--interval", 3600, "--age", 3)
    assert result["cuts"] >= 12
    assert all(
        result["incidents"][incident] > 0 for incident in ("refused", "answer_cut", "request_lost", "answer_lost")
    )
    assert result["unknown_outcomes"] > 0, "no cut fell between an order and its answer"
    assert result["opened"] >= 5
