"""A bot dies at any point of a change of its settings: file, log and answer agree once the next one has started."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from hedgerow.dashboard.narration.wording import narrate
from hedgerow.domain.errors import StoreError
from hedgerow.domain.events import Event, RequestHandled, SettingChange, SettingsChanged
from hedgerow.domain.operator_requests import Answer, RequestOutcome
from hedgerow.simulation.faults.crashes import SimulatedCrash
from hedgerow.store.codec import decode_event, encode_event
from hedgerow.store.mailbox import FolderMailbox
from hedgerow.store.memory import MemoryStore
from support.changed_settings import AGE, CHANGE_LOGGED, NEW, OLD, POINTS, WRITTEN, BotsOfOneHome
from support.mail import mailbox_in


class _FullDisk(MemoryStore):
    """A log that takes everything but a change of settings, while the disk is full."""

    full = False

    async def append(self, events: Sequence[Event], *, durable: bool) -> None:
        if self.full and any(isinstance(event, SettingsChanged) for event in events):
            raise StoreError("the disk is full")
        await super().append(events, durable=durable)


class _Bots(BotsOfOneHome):
    """Bots whose log and requests are in the home."""

    def __init__(self, folder: Path) -> None:
        self.asker: FolderMailbox = mailbox_in(folder / "requests")
        self.store = _FullDisk()
        super().__init__(folder / "config.json", lambda: (self.store, mailbox_in(folder / "requests")), self.asker.post)


@pytest.fixture
def bots(tmp_path: Path) -> _Bots:
    return _Bots(tmp_path)


def test_the_points_at_which_it_may_die_are_known(bots: _Bots) -> None:
    bots.live(ask=True)
    assert bots.points_since_asked()[: len(POINTS)] == POINTS


@pytest.mark.parametrize("point", range(len(POINTS)), ids=[each.replace(" ", "_") for each in POINTS])
def test_a_change_is_whole_or_absent_logged_once_and_answered_once_wherever_the_bot_dies(
    bots: _Bots, point: int
) -> None:
    with pytest.raises(SimulatedCrash):
        bots.live(point, ask=True)
    assert bots.crash_point.passed[-1] == POINTS[point]
    assert bots.config == (NEW if point >= WRITTEN else OLD)
    bots.live()
    happened = POINTS[point] not in {"after claim", "before write"}
    assert bots.config == (NEW if happened else OLD), "a request that was begun is not begun again"
    assert bots.in_force == ("12" if happened else "24")
    changes = bots.harness.logged(SettingsChanged)
    assert [each.request_id for each in changes] == ["r"] * happened
    before = "?" if WRITTEN <= point < CHANGE_LOGGED else "24"
    assert [each.changes for each in changes] == [(SettingChange(name=AGE, before=before, after="12"),)] * happened
    (handled,) = bots.harness.logged(RequestHandled)
    assert handled.outcome is (RequestOutcome.DONE if happened else RequestOutcome.INTERRUPTED)
    assert bots.asker.collect("r") == Answer(done=happened, text=handled.text)
    bots.live()
    assert bots.harness.logged(SettingsChanged) == changes
    assert bots.harness.logged(RequestHandled) == [handled]
    assert bots.harness.ledger.settings_request == ("r" if happened else "")


def test_a_bot_that_dies_again_while_it_finds_out_what_was_written_logs_it_once(bots: _Bots) -> None:
    with pytest.raises(SimulatedCrash):
        bots.live(WRITTEN, ask=True)
    for point in ("before append SettingsChanged", "after append SettingsChanged", "before append RequestHandled"):
        with pytest.raises(SimulatedCrash):
            bots.live_until(point)
        assert bots.crash_point.passed[-1] == point
    bots.live()
    assert len(bots.harness.logged(SettingsChanged)) == 1
    assert [each.outcome for each in bots.harness.logged(RequestHandled)] == [RequestOutcome.DONE]


def test_what_the_file_says_now_is_in_the_answer_where_a_change_did_not_happen(bots: _Bots) -> None:
    with pytest.raises(SimulatedCrash):
        bots.live(POINTS.index("before write"), ask=True)
    bots.path.write_text(OLD.replace("24.0", "36"), encoding="utf-8")
    bots.live()
    answer = bots.asker.collect("r")
    assert answer is not None
    assert answer.text == f"The bot ended before it wrote this: {AGE} is 36. Ask again."


def test_a_full_disk_between_file_and_log_ends_the_bot_and_the_next_one_logs_the_change(bots: _Bots) -> None:
    bots.store.full = True
    with pytest.raises(StoreError, match="disk is full"):
        bots.live(ask=True)
    assert bots.config == NEW
    assert bots.asker.begun("r")
    bots.store.full = False
    bots.live()
    assert [each.request_id for each in bots.harness.logged(SettingsChanged)] == ["r"]
    lines = [line.text for notice in bots.harness.notices for line in narrate(notice)]
    assert f"  {AGE}: ? becomes 12" in lines
    answer = bots.asker.collect("r")
    assert answer is not None
    assert answer.done


def test_a_change_of_an_earlier_version_is_read(bots: _Bots) -> None:
    bots.live(ask=True)
    (event,) = bots.harness.logged(SettingsChanged)
    old = encode_event(event).replace(b',"request_id":"r"', b"")
    assert old != encode_event(event)
    assert decode_event(old) == replace(event, request_id="")
