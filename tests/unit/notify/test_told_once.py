"""Each alert arrives once: while targets are down, limit or lose answers, and the companion dies at any point."""

from collections import Counter
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hedgerow.notify.alerts import AlertKind
from hedgerow.notify.delivery import Outcome
from hedgerow.notify.state import Rules
from hedgerow.notify.texts import REPEATED
from support.alert_scenarios import SCENARIOS, Played, Step, played
from support.companion_harness import BEGAN, CompanionHarness, PhoneTarget
from support.drawing import examples

pytestmark = pytest.mark.slow
RICH = (AlertKind.CLOSED, AlertKind.NAKED, AlertKind.VENUE_DOWN)
"""Scenarios with several alerts each."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("requests")


def few(seen: Played) -> list[Step]:
    """Return all events and the last look of each run of looks: what is between is seen or not, by chance of time."""
    return [
        each for each, after in zip(seen.steps, [*seen.steps[1:], Step()], strict=True) if each.event or after.event
    ]


def whole(kind: AlertKind, folder: Path) -> Counter[str]:
    """Return what arrives when nothing fails."""
    calm = CompanionHarness()
    calm.begin()
    calm.play(few(played(kind, folder)))
    return Counter(calm.texts)


def unmarked(texts: list[str]) -> Counter[str]:
    """Return texts that do not say that they may be repeats."""
    return Counter(text for text in texts if REPEATED not in text)


def all_of(texts: list[str]) -> set[str]:
    return {text.removesuffix(f"\n{REPEATED}") for text in texts}


@pytest.mark.parametrize("kind", SCENARIOS)
def test_each_kind_arrives_once_while_the_target_is_down_and_the_companion_dies(kind: AlertKind, folder: Path) -> None:
    expected = whole(kind, folder)
    harness = CompanionHarness()
    harness.begin()
    harness.phones[0].outcome = lambda number: Outcome.NOT_SENT if number % 3 else Outcome.SENT
    harness.crash_at = frozenset(range(7, 400, 23))
    harness.play(few(played(kind, folder)), rest=3_000)
    assert expected
    assert harness.crashes
    assert all_of(harness.texts) == set(expected)
    assert all(count == 1 for count in unmarked(harness.texts).values())


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(RICH),
    crashes=st.frozensets(st.integers(1, 120), max_size=6),
    outcomes=st.lists(st.sampled_from([Outcome.SENT, Outcome.NOT_SENT, Outcome.UNKNOWN]), max_size=30),
    arrives=st.booleans(),
)
def test_no_order_of_crashes_and_lost_answers_loses_an_alert_or_repeats_one_unmarked(
    folder: Path,
    kind: AlertKind,
    crashes: frozenset[int],
    outcomes: list[Outcome],
    arrives: bool,  # noqa: FBT001 - drawn
) -> None:
    expected = whole(kind, folder)
    harness = CompanionHarness()
    harness.begin()
    phone = harness.phones[0]
    phone.outcome = lambda number: outcomes[number - 1] if number <= len(outcomes) else Outcome.SENT
    phone.arrives_unknown = arrives
    harness.crash_at = frozenset(harness.acts + each for each in crashes)
    harness.play(few(played(kind, folder)), rest=4_000)
    assert all_of(phone.texts) == set(expected), "none is lost"
    assert all(count == 1 for count in unmarked(phone.texts).values()), "what may be a repeat says so"
    assert harness.state.outbox == ()


def test_each_target_has_a_queue_of_its_own(folder: Path) -> None:
    expected = whole(AlertKind.CLOSED, folder)
    down, up = PhoneTarget("down"), PhoneTarget("up")
    down.outcome = lambda _number: Outcome.NOT_SENT
    harness = CompanionHarness((down, up))
    harness.begin()
    harness.play(few(played(AlertKind.CLOSED, folder)))
    assert (down.texts, Counter(up.texts)) == ([], expected)
    down.outcome = lambda _number: Outcome.SENT
    harness.play([], rest=600)
    assert (Counter(down.texts), Counter(up.texts)) == (expected, expected)


def test_a_text_that_is_never_accepted_does_not_hold_up_the_others(folder: Path) -> None:
    expected = whole(AlertKind.CLOSED, folder)
    harness = CompanionHarness()
    harness.begin()
    harness.phones[0].outcome = lambda number: Outcome.REFUSED if number == 1 else Outcome.SENT
    harness.play(few(played(AlertKind.CLOSED, folder)))
    assert len(harness.texts) == sum(expected.values()) - 1
    assert "is not sent to phone" in harness.said[-1]


def test_a_log_that_was_there_before_the_companion_is_not_told(folder: Path) -> None:
    steps = played(AlertKind.CLOSED, folder).steps
    harness = CompanionHarness()
    harness.log.events = [step.event for step in steps if step.event is not None]
    harness.play([step for step in steps if step.view is not None][-1:])
    assert harness.texts == []
    assert harness.state.seq == len(harness.log.events)


def test_an_event_that_no_alert_can_be_made_of_does_not_end_the_companion(folder: Path) -> None:
    steps = few(played(AlertKind.CLOSED, folder))
    harness = CompanionHarness()
    harness.begin()
    strange = next(step.event for step in steps if type(step.event).__name__ == "HedgeOpened")
    assert strange is not None
    broken = Step(event=replace(strange, hedge_id=None, quality="?"))
    first = steps.index(next(step for step in steps if step.event is strange))
    harness.play([*steps[:first], broken, *steps[first:]])
    assert sum("Hedge opened" in text for text in harness.texts) == 1


def test_another_log_is_told_from_its_beginning_and_a_restored_one_from_its_end(folder: Path) -> None:
    steps = [step for step in few(played(AlertKind.CLOSED, folder)) if step.event is not None]
    harness = CompanionHarness()
    harness.begin()
    harness.play([*steps, *[step for step in played(AlertKind.CLOSED, folder).steps if step.view][-1:]])
    before = len(harness.texts)
    harness.log.events = harness.log.events[:50]
    harness.play([])
    assert len(harness.texts) == before
    assert "it was restored; going on from event 50" in harness.said[-1]
    harness.log.events = [step.event for step in played(AlertKind.LIQUIDATED, folder).steps[3:] if step.event]
    harness.play([])
    assert len(harness.texts) > before


def test_a_repeat_is_counted_and_told_when_its_time_is_over(folder: Path) -> None:
    steps = few(played(AlertKind.NOT_OPENED, folder))
    [text] = [text for text in whole(AlertKind.NOT_OPENED, folder) if "was not opened" in text]
    harness = CompanionHarness()
    harness.begin()
    events = [step for step in steps if step.event is not None]
    last = next(step for step in reversed(played(AlertKind.NOT_OPENED, folder).steps) if step.view is not None)
    refused = next(step for step in events if type(step.event).__name__ == "HedgeAborted")
    harness.play([*events, refused, refused, last])
    assert harness.texts == [text]
    assert last.view is not None
    later = replace(last.view, times=replace(last.view.times, now=last.view.times.now + timedelta(minutes=16)))
    harness.play([Step(view=later)])
    assert "came 2 times more since" in harness.texts[-1]


def test_quiet_hours_hold_back_all_but_pages(folder: Path) -> None:
    harness = CompanionHarness(rules=Rules(quiet_from=time(11), quiet_until=time(14)))
    harness.begin()
    harness.play(few(played(AlertKind.LIQUIDATED, folder)), rest=60)
    assert harness.texts
    assert all(text.startswith("PAGE ") for text in harness.texts)
    harness.play([], rest=7_500)
    assert Counter(harness.texts) == whole(AlertKind.LIQUIDATED, folder)


def test_a_mute_is_ended_by_its_end_and_holds_no_page_back(folder: Path) -> None:
    harness = CompanionHarness()
    harness.begin()
    harness.disk.save(replace(harness.state, muted_until=BEGAN + timedelta(hours=2)))
    harness.play(few(played(AlertKind.LIQUIDATED, folder)), rest=60)
    assert harness.texts
    assert all(text.startswith("PAGE ") for text in harness.texts)
    harness.play([], rest=9_000)
    assert Counter(harness.texts) == whole(AlertKind.LIQUIDATED, folder)


@pytest.mark.parametrize(
    ("zone", "at", "end"),
    [
        ("UTC", "2026-01-05 23:30", "2026-01-06 07:00"),
        ("UTC", "2026-01-05 06:59", "2026-01-05 07:00"),
        ("UTC", "2026-01-05 07:00", None),
        ("UTC", "2026-01-05 21:59", None),
        ("Europe/Berlin", "2026-01-05 21:30", "2026-01-06 06:00"),
        ("Europe/Berlin", "2026-07-05 20:30", "2026-07-06 05:00"),
    ],
)
def test_quiet_hours_are_those_of_the_zone(zone: str, at: str, end: str | None) -> None:
    rules = Rules(zone=zone, quiet_from=time(22), quiet_until=time(7))
    found = rules.quiet_end(datetime.fromisoformat(f"{at}+00:00"))
    assert found == (None if end is None else datetime.fromisoformat(f"{end}+00:00"))
