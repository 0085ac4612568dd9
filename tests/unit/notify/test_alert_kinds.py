"""Each kind of alert: something that happens to a bot causes it, once, with everything that a person needs."""

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from hedgerow.dashboard.bot_state import Process, ProcessState
from hedgerow.dashboard.view import View
from hedgerow.domain.events import SettingChange, SettingsChanged
from hedgerow.domain.ledger.state import Ledger
from hedgerow.notify.alerts import KINDS, Alert, AlertKind, AlertLevel
from hedgerow.notify.state import NotifyState, Rules, consumed
from hedgerow.notify.watch import Watch, watched
from support.alert_scenarios import SCENARIOS, SEEN_FROM_OUTSIDE, alerts_of, played

pytestmark = pytest.mark.slow
GONE = Process(state=ProcessState.GONE, pid=4711)
STOPPED = Process(state=ProcessState.STOPPED)


def found(kind: AlertKind, tmp_path: Path) -> list[Alert]:
    return [alert for alert in alerts_of(played(kind, tmp_path)) if alert.kind is kind]


def test_every_kind_is_caused_by_a_scenario_or_from_outside() -> None:
    assert {*SCENARIOS, *SEEN_FROM_OUTSIDE} == set(AlertKind) == set(KINDS)


@pytest.mark.parametrize("kind", SCENARIOS)
def test_what_happens_to_a_bot_is_told_once(kind: AlertKind, tmp_path: Path) -> None:
    [alert] = found(kind, tmp_path)
    assert all((alert.what, alert.why, alert.does, alert.can_do))
    assert "?" not in alert.what + alert.why


@pytest.mark.parametrize("kind", SCENARIOS)
def test_an_alert_of_an_event_names_its_number(kind: AlertKind, tmp_path: Path) -> None:
    steps = played(kind, tmp_path).steps
    events = [step.event for step in steps if step.event is not None]
    for alert in found(kind, tmp_path):
        assert alert.seq is None or events[alert.seq - 1].at == alert.at


def a_view(tmp_path: Path) -> View:
    views = [step.view for step in played(AlertKind.OPENED, tmp_path).steps if step.view is not None]
    return views[-1]


def kinds_of(watch: Watch, *views: View) -> list[AlertKind]:
    kinds: list[AlertKind] = []
    for view in views:
        watch, alerts = watched(watch, view)
        kinds += [alert.kind for alert in alerts]
    return kinds


def test_a_bot_that_dies_and_comes_back_is_told_once_each(tmp_path: Path) -> None:
    view = a_view(tmp_path)
    dead = replace(view, process=GONE)
    back = replace(view, process=replace(view.process, pid=4712))
    assert kinds_of(Watch(), view, dead, dead, back, back) == [AlertKind.DEAD, AlertKind.RESTARTED]


def test_a_bot_that_is_silent_at_one_look_alone_is_not_dead(tmp_path: Path) -> None:
    view = a_view(tmp_path)
    silent = replace(view, process=Process(state=ProcessState.SILENT, pid=4711))
    assert kinds_of(Watch(), view, silent, view, silent, view) == []


def test_a_silent_bot_that_answers_again_was_not_restarted(tmp_path: Path) -> None:
    view = a_view(tmp_path)
    silent = replace(view, process=Process(state=ProcessState.SILENT, pid=4711))
    assert kinds_of(Watch(), view, silent, silent, silent, view, view) == [AlertKind.DEAD, AlertKind.RESTARTED]
    watch, _ = watched(watched(watched(Watch(), view)[0], silent)[0], silent)
    [back] = watched(watch, view)[1]
    assert back.what == "The bot answers again (process 4711)"


def test_a_restart_in_a_container_is_told_once_though_its_process_number_is_the_same(tmp_path: Path) -> None:
    view = a_view(tmp_path)
    again = replace(view, times=replace(view.times, started_at=view.times.now + timedelta(minutes=1)))
    assert kinds_of(Watch(), view, again, again) == [AlertKind.RESTARTED]
    # With a pause in between: its first heartbeat comes before its first outlook.
    assert kinds_of(Watch(), view, replace(view, process=GONE), view, again) == [AlertKind.DEAD, AlertKind.RESTARTED]


def test_a_regular_end_is_no_death_and_a_held_hedge_makes_it_a_warning(tmp_path: Path) -> None:
    view = a_view(tmp_path)
    _, alerts = watched(watched(Watch(), view)[0], replace(view, process=STOPPED))
    assert [(alert.kind, alert.level) for alert in alerts] == [(AlertKind.STOPPED, AlertLevel.WARN)]
    assert "AAAUSDT stays on the exchange" in alerts[0].why


def test_other_settings_are_told_with_what_changed(tmp_path: Path) -> None:
    view = a_view(tmp_path)
    _, alerts = watched(watched(Watch(), view)[0], replace(view, settings={"a": "2"}))
    assert [(alert.kind, alert.why) for alert in alerts] == [(AlertKind.SETTINGS_CHANGED, "a: 1 -> 2")]
    assert kinds_of(Watch(), view, view) == []


@pytest.mark.parametrize(
    ("left", "levels"),
    [(timedelta(days=8), []), (timedelta(days=6), [AlertLevel.WARN]), (timedelta(hours=5), [AlertLevel.PAGE])],
)
def test_a_key_that_expires_soon_is_told_once(left: timedelta, levels: list[AlertLevel], tmp_path: Path) -> None:
    view = a_view(tmp_path)
    near = replace(view, health=replace(view.health, key_expires_at=view.times.now + left))
    watch, alerts = watched(Watch(), near)
    assert [alert.level for alert in alerts if alert.kind is AlertKind.KEY_EXPIRING] == levels
    assert watched(watch, near)[1] == ()


def test_a_bot_that_was_started_before_the_companion_is_told_to_nobody(tmp_path: Path) -> None:
    assert kinds_of(Watch(), a_view(tmp_path)) == []


def test_a_change_from_a_screen_is_told_once_with_who_made_it(tmp_path: Path) -> None:
    view = a_view(tmp_path)
    state = NotifyState(seq=0, watch=watched(Watch(), view)[0])
    change = SettingChange(name="a", before="1", after="2")
    event = SettingsChanged(at=view.times.now, user="dashboard operator", changes=(change,))
    state, (alert,) = consumed(state, event, Ledger(), Ledger(), Rules())
    assert (alert.what, alert.why) == ("dashboard operator changed settings of the bot", "a: 1 -> 2")
    found = replace(event, user="")
    assert consumed(state, found, Ledger(), Ledger(), Rules())[1][0].what == "The bot started with other settings"
    watch, alerts = watched(state.watch, view)  # not in force yet
    assert alerts == ()
    watch, alerts = watched(watch, replace(view, settings={"a": "2"}))
    assert alerts == ()
    assert watch.announced == {}
    _, (other,) = watched(watch, replace(view, settings={"a": "3"}))
    assert other.why == "a: 2 -> 3"
