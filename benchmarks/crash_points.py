"""Crash points of each kind of trade: the bot crashes before and after every append and every call of the venue.

`python benchmarks/crash_points.py` plays every kind on every variant of the venue, dies once at each point, starts
again, and prints a Markdown table of points and recoveries; it ends with exit code 1 when a bot did not recover.
`--every N` takes each N-th point only. The kinds are the scenarios of `tests/simulation/test_crash_everywhere.py`.
`--suspended` plays the drawn runs of `tests/simulation/test_crash_suspended.py` instead, in which a trade is set aside
for another hedge, with the judge of simulated runs.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from simulation.test_crash_everywhere import (
    ACKNOWLEDGED_ONLY,
    AT_ONCE,
    FAR_AND_VAGUE,
    LONG_DOWN,
    SCENARIOS,
    SLOWLY,
    judge,
)
from simulation.test_crash_suspended import KINDS, campaign

VARIANTS = {
    "at once": AT_ONCE,
    "slow": SLOWLY,
    "acknowledged": ACKNOWLEDGED_ONLY,
    "vague": FAR_AND_VAGUE,
    "long down": LONG_DOWN,
}
"""How the venue answers, and how long the bot stays down."""


def suspended(every: int) -> int:
    """Print a row for each kind of trade that is set aside, and what was wrong after which point."""
    print("| kind of trade | state | style | seed | points | recovered |")
    print("|---|---|---|---|---|---|")
    lost: list[str] = []
    for (kind, state, style), seed in KINDS.items():
        points, wrong = campaign(seed, every)
        print(f"| {kind} | {state} | {style} | {seed} | {points} | {points - len(wrong)} |", flush=True)
        lost += [f"seed {seed}, {found}" for found in wrong]
    print("\n".join(lost))
    return 1 if lost else 0


def main() -> int:
    """Print a row for each kind, and what was wrong after which point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="crash at each N-th point")
    parser.add_argument("--variant", choices=VARIANTS, action="append", help="one variant of the venue, not all")
    parser.add_argument("--suspended", action="store_true", help="drawn runs in which a trade is set aside")
    given = parser.parse_args()
    if given.suspended:
        return suspended(given.every)
    variants = given.variant or list(VARIANTS)
    print(f"| kind of trade | {' | '.join(variants)} | recovered |")
    print("|---" * (2 + len(variants)) + "|")
    lost: dict[str, list[str]] = {}
    for name in SCENARIOS:
        counts: list[int] = []
        failed = 0
        for variant in variants:
            points, wrong = judge(name, VARIANTS[variant], every=given.every)
            counts.append(len(range(0, points, given.every)))
            failed += len(wrong)
            lost.update({f"{name}, {variant}, {point}": found for point, found in wrong.items()})
        print(f"| {name} | {' | '.join(str(count) for count in counts)} | {sum(counts) - failed} |", flush=True)
    for point, found in lost.items():
        print(f"{point}: {'; '.join(found)}")
    return 1 if lost else 0


if __name__ == "__main__":
    raise SystemExit(main())
