"""A run that hangs: it is stopped, named, counted as failed, and the others go on."""

import asyncio
import json
import threading
from typing import Any

import pytest

from hedgerow.app.simulation.run import explain
from hedgerow.cli import main
from hedgerow.engine.cycle import Cycle
from hedgerow.simulation.checks.invariants import Invariant
from hedgerow.simulation.generators.scenarios import draw_plan
from hedgerow.simulation.scenario import RunPlan
from hedgerow.simulation.time_limit import TimeLimitExceeded, time_limit

HANGING = 1
"""Seed whose bot hangs."""


async def spinning(*_: object, **__: object) -> None:
    while True:
        pass


async def turn() -> None:
    """Let the others have a turn, in which no time passes."""
    event = asyncio.Event()
    asyncio.get_running_loop().call_soon(event.set)
    await event.wait()


async def yielding(*_: object, **__: object) -> None:
    while True:
        await turn()


async def blocking(*_: object, **__: object) -> None:
    threading.Event().wait(3600)


async def silent(*_: object, **__: object) -> None:
    """Catch what ends a task, and go on."""
    while True:
        try:
            await turn()
        except asyncio.CancelledError:
            continue


@pytest.fixture(params=[spinning, yielding, blocking, silent], ids=lambda hang: hang.__name__)
def _hanging(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the bot of one seed hang in its first check."""
    run, playing = Cycle.run, list[int]()

    def drawn(seed: int, *args: Any, **options: Any) -> RunPlan:
        playing.append(seed)
        return draw_plan(seed, *args, **options)

    async def check(self: Cycle, number: int) -> None:
        if playing[-1] == HANGING:
            await request.param()
        await run(self, number)

    monkeypatch.setattr("hedgerow.app.simulation.run.draw_plan", drawn)
    monkeypatch.setattr(Cycle, "run", check)


@pytest.mark.usefixtures("_hanging")
def test_a_run_that_hangs_is_named_and_counted_and_the_others_are_played(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["simulate", "--runs", "3", "--days", "0.1", "--workers", "1", "--run-seconds", "0.8", "--json", "-"]
    assert main(given) == 1
    output = capsys.readouterr()
    document = json.loads(output.out)
    assert (document["runs"], document["violations"], document["failed_seeds"]) == (3, 1, [HANGING])
    assert f"Seed {HANGING}: a run ends within its time, no end after 0.8 s of real time" in output.err
    assert "3 of 3 runs, 1 violations" in output.err
    assert f"Again: hedgerow simulate --seed {HANGING} --days 0.1" in output.err


def test_the_plan_of_a_run_that_hangs_is_not_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = list[int]()

    async def check(_: Cycle, number: int) -> None:
        checks.append(number)
        await spinning()

    monkeypatch.setattr(Cycle, "run", check)
    failure = explain(HANGING, 1.0, run_seconds=0.3)
    assert failure is not None
    assert failure.result.violation is not None
    assert failure.result.violation.rule is Invariant.ENDS
    assert len(failure.plan.drawn_faults) == failure.drawn
    assert len(checks) == 1


def test_the_limit_names_the_line_of_this_package_and_leaves_no_alarm_behind() -> None:
    with pytest.raises(TimeLimitExceeded, match=r"no end after 0.05 s of real time$"), time_limit(0.05):
        threading.Event().wait(5)
    with time_limit(0.05):
        pass
    threading.Event().wait(0.1)  # an alarm that was left would end this test


def test_without_the_main_thread_a_limit_is_refused_not_forgotten() -> None:
    wrong = list[Exception]()

    def body() -> None:
        try:
            with time_limit(1.0):
                pass
        except ValueError as error:
            wrong.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert len(wrong) == 1


@pytest.mark.parametrize("seconds", ["0", "-1", "1e9"])
def test_a_limit_that_is_none_is_refused(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--run-seconds", seconds]) == 2
    assert "--run-seconds" in capsys.readouterr().err
