"""Every moment at which the power can fail, by kind of trade: how many there are, and how many ended well.

`python benchmarks/crash_points.py` plays each story of `tests/simulation/test_crash_everywhere.py` once undisturbed,
which counts its moments; `--play` plays it once more per moment, with the power cut there, and judges each end.
"""

import argparse
import importlib
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "simulation")]

stories = importlib.import_module("test_crash_everywhere")


def main() -> int:
    """Print a row per kind; 1 when a moment was not recovered from."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--play", action="store_true", help="cut the power at each moment (minutes)")
    parser.add_argument("--only", action="append", default=[], help="a kind of trade; may be given again")
    asked = parser.parse_args()
    names = asked.only or list(stories.STORIES)
    print(f"| kind of trade | crash points |{' recovered |' if asked.play else ''}")
    print(f"|---|---|{'---|' if asked.play else ''}")
    total = lost = 0
    for name in names:
        moments, wrong = stories.judge(name, stories.AT_ONCE, every=1) if asked.play else (_count(name), {})
        total, lost = total + moments, lost + len(wrong)
        print(f"| {name} | {moments} |{f' {moments - len(wrong)} |' if asked.play else ''}", flush=True)
    print(f"| all | {total} |{f' {total - lost} |' if asked.play else ''}")
    return 1 if lost else 0


def _count(name: str) -> int:
    return len(stories.play(stories.STORIES[name](), stories.AT_ONCE)[1].passed)


if __name__ == "__main__":
    sys.exit(main())
