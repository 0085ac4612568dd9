"""Settings that a person changed in the file while no bot ran are logged by the next one, once, before it acts."""

from pathlib import Path

import pytest

from hedgerow.config import load_settings
from hedgerow.config.table import settings_in_words
from hedgerow.dashboard.narration.wording import narrate
from hedgerow.domain.events import SettingChange, SettingsChanged, StateImported
from hedgerow.domain.ledger.reducers import fold
from hedgerow.domain.money import ZERO
from hedgerow.engine.notices import Recorded, Started
from hedgerow.engine.startup import SettingsFound
from hedgerow.simulation.faults.crashes import SimulatedCrash
from hedgerow.store.codec import encode_event, events_sha256
from hedgerow.store.mailbox import FolderMailbox
from hedgerow.store.memory import MemoryStore
from hedgerow.strategy.parameters import StrategyParameters
from support.bot_harness import BotHarness
from support.changed_settings import AGE, NEW, OLD, WRITTEN, BotsOfOneHome
from support.mail import mailbox_in

MOST = "position_management.max_positions"
WORDS = settings_in_words(StrategyParameters())


def started(harness: BotHarness, now: dict[str, str], before: dict[str, str]) -> list[SettingsChanged]:
    """Run a bot that finds these settings; return what was ever logged as changed."""
    harness.run(0.1, settings_found=SettingsFound(now={**WORDS, **now}, before=before))
    return harness.logged(SettingsChanged)


def test_a_change_by_hand_is_logged_at_the_next_start_before_the_run_is_shown_and_once() -> None:
    harness = BotHarness(usdt=0, perp=0)
    assert started(harness, {}, {}) == []
    (event,) = started(harness, {AGE: "12"}, WORDS)
    assert (event.user, event.request_id) == ("", "")
    assert event.changes == (SettingChange(name=AGE, before="24", after="12"),)
    kinds = [type(each.event) if isinstance(each, Recorded) else type(each) for each in harness.notices]
    assert kinds.index(SettingsChanged) < kinds.index(Started, kinds.index(SettingsChanged) - 1)
    lines = [line.text for notice in harness.notices for line in narrate(notice)]
    at = lines.index("Settings changed since the last run, in force from this start on")
    assert lines[at + 1] == f"  {AGE}: 24 becomes 12"
    # Whatever was published since, or never: the log knows.
    for before in (WORDS, {**WORDS, AGE: "12"}, {}):
        assert started(harness, {AGE: "12"}, before) == [event]
    (_, other) = started(harness, {AGE: "24"}, {})
    assert other.changes == (SettingChange(name=AGE, before="12", after="24"),)
    assert fold(harness.log) == harness.ledger


def test_a_start_with_the_settings_of_the_run_before_leaves_the_log_as_it_is_to_the_byte() -> None:
    logs: list[str] = []
    for found in (None, SettingsFound(now=WORDS, before=WORDS), SettingsFound(now=WORDS, before={})):
        harness = BotHarness()
        for _ in range(3):
            harness.run(2, settings_found=found)
        assert harness.ledger.totals.opened
        logs.append(events_sha256(harness.log))
    assert len(set(logs)) == 1


def test_a_new_log_begins_with_the_settings_that_it_finds_whatever_was_published_in_the_folder() -> None:
    assert started(BotHarness(usdt=0, perp=0), {AGE: "12"}, WORDS) == []
    imported = BotHarness(usdt=0, perp=0)
    state = StateImported(
        at=imported.clock.now(), cycle_count=1, total_profit_loss=ZERO, positions_opened=0, positions_closed=0
    )
    imported.run(0.1, imported=state, settings_found=SettingsFound(now={**WORDS, AGE: "12"}, before=WORDS))
    assert imported.logged(SettingsChanged) == []


def test_a_setting_that_the_run_before_did_not_know_is_no_change() -> None:
    harness = BotHarness(usdt=0, perp=0)
    started(harness, {}, {})
    before = {name: words for name, words in WORDS.items() if name != MOST}
    assert started(harness, {MOST: "3"}, {**before, "no.longer": "1"}) == []


@pytest.mark.parametrize("answered", [True, False])
def test_what_a_bot_wrote_for_a_request_and_could_not_log_is_logged_with_who_asked(
    tmp_path: Path, *, answered: bool
) -> None:
    store, asker = MemoryStore(), mailbox_in(tmp_path / "requests")
    bots = BotsOfOneHome(tmp_path / "config.json", lambda: (store, mailbox_in(tmp_path / "requests")), asker.post)
    bots.live()
    with pytest.raises(SimulatedCrash):
        bots.live(WRITTEN, ask=True)
    assert bots.config == NEW
    if not answered:
        # The request is gone: the file changed, and no one knows who asked.
        for path in (tmp_path / "requests").iterdir():
            path.unlink()
    before = settings_in_words(load_settings_of(OLD, tmp_path))
    bots.live(settings_before=before)
    bots.live(settings_before=before)
    (event,) = bots.harness.logged(SettingsChanged)
    assert (event.user, event.request_id) == (("anna", "r") if answered else ("", ""))
    assert [(each.name, each.after) for each in event.changes] == [(AGE, "12")]
    assert isinstance(asker, FolderMailbox)
    assert (asker.collect("r") is not None) is answered
    assert encode_event(event)


def load_settings_of(content: str, folder: Path) -> StrategyParameters:
    path = folder / "before.json"
    path.write_text(content, encoding="utf-8")
    return load_settings(path, named=True).parameters
