"""The files of a dashboard: who may come in, and the settings that it writes."""

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from hedgerow.app.commands.dashboard import DashboardLog, bots_of, home_sources, make_link, make_token
from hedgerow.app.commands.web.access_file import AccessFile
from hedgerow.app.commands.web.home_source import HomeSource
from hedgerow.app.commands.web.settings_file import file_preview, in_file, shown_settings
from hedgerow.clock import SystemClock
from hedgerow.config import Home, HomeMode, load_settings
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.events import SettingChange
from hedgerow.web.access import AccessState, Role, new_token, redeemed
from hedgerow.web.sources import Asked, AskOutcome

CLOCK = SystemClock()
AGE = "position_management.max_position_age_hours"
APR = "funding_rate_strategy.min_funding_apr"


# --- who may come in -------------------------------------------------------------------------------------------------


def test_only_the_owner_reads_the_file_and_it_holds_no_secret(tmp_path: Path) -> None:
    token, code = make_token(tmp_path, Role.OPERATOR, CLOCK), make_link(tmp_path, Role.VIEWER, CLOCK)
    path = Home(folder=tmp_path).dashboard
    assert path.stat().st_mode & 0o777 == 0o600
    content = path.read_text(encoding="utf-8")
    assert token not in content
    assert code not in content


def test_two_processes_that_change_the_file_lose_nothing(tmp_path: Path) -> None:
    first, second = (AccessFile(tmp_path / "access.json") for _ in range(2))
    token = first.change(lambda state: _made(state, Role.OPERATOR))
    second.change(lambda state: _made(state, Role.VIEWER))
    assert len(first.read().tokens) == 2
    grant = second.change(lambda state: redeemed(state, token, CLOCK.now()))
    assert grant is not None
    assert len(first.read().sessions) == 1


def _made(state: AccessState, role: Role) -> tuple[AccessState, str]:

    return new_token(state, role, CLOCK.now())


@pytest.mark.parametrize("mode", [0o622, 0o666])
def test_a_file_that_others_can_change_lets_no_one_in(tmp_path: Path, mode: int) -> None:
    make_token(tmp_path, Role.OPERATOR, CLOCK)
    path = Home(folder=tmp_path).dashboard
    path.chmod(mode)
    assert AccessFile(path).read() == AccessState()


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    make_token(tmp_path, Role.OPERATOR, CLOCK)
    path = Home(folder=tmp_path).dashboard
    path.rename(tmp_path / "elsewhere.json")
    path.symlink_to(tmp_path / "elsewhere.json")
    assert AccessFile(path).read() == AccessState()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"tokens": [{"sha256": 1}]}', b"\xff"])
def test_a_file_that_is_damaged_lets_no_one_in(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "access.json"
    path.write_bytes(content)
    path.chmod(0o600)
    assert AccessFile(path).read() == AccessState()


def test_the_log_does_not_grow_without_end(tmp_path: Path) -> None:
    log = DashboardLog(tmp_path / "log", CLOCK)
    for _ in range(3):
        log.write("x" * 600_000)
    assert (tmp_path / "log").stat().st_size < 1_300_000
    log.write("two\nlines")
    assert (tmp_path / "log").read_text(encoding="utf-8").endswith(" two lines\n")


# --- which bots ------------------------------------------------------------------------------------------------------


def test_every_bot_that_ran_in_a_folder_is_shown_or_else_the_live_one(tmp_path: Path) -> None:
    assert bots_of([tmp_path]) == (Home(folder=tmp_path),)
    for mode in (HomeMode.PAPER, HomeMode.DRY_RUN):
        Home(folder=tmp_path, mode=mode).events.touch()
    assert [home.mode for home in bots_of([tmp_path])] == [HomeMode.PAPER, HomeMode.DRY_RUN]
    with pytest.raises(ConfigError, match="there is no such folder"):
        bots_of([tmp_path / "missing"])


def test_two_folders_of_one_name_have_addresses_of_their_own(tmp_path: Path) -> None:
    homes = [Home(folder=tmp_path / parent / "my bot", mode=HomeMode.PAPER) for parent in ("a", "b")]
    assert [each.slug for each in home_sources(homes, CLOCK, print)] == ["my-bot-paper", "my-bot-paper-2"]


# --- settings --------------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(folder=tmp_path)
    document = {"_about": "mine", "funding_rate_strategy": {"_why": "patient", "min_funding_apr": 20}}
    found.config.write_text(json.dumps(document), encoding="utf-8")
    return found


def source(home: Home, lines: list[str] | None = None) -> HomeSource:
    return HomeSource(home, "bot", CLOCK, log=(lines if lines is not None else []).append)


def changed(bot: HomeSource, changes: dict[str, str]) -> Asked:
    return asyncio.run(bot.change_settings(changes, "operator"))


def test_a_changed_setting_is_written_and_everything_else_stays(home: Home) -> None:
    lines: list[str] = []
    home.config.chmod(0o640)
    asked = changed(source(home, lines), {APR: "22.5", "position_management.max_position_age_hours": "24"})
    assert asked.outcome is AskOutcome.DONE
    assert "in force when a bot is started" in asked.text
    assert load_settings(home.config, named=True).parameters.funding_rate_strategy.min_funding_apr == 0.225
    written = msgspec.json.decode(home.config.read_bytes())
    assert written["_about"] == "mine"
    assert written["funding_rate_strategy"] == {"_why": "patient", "min_funding_apr": 22.5}
    assert home.config.stat().st_mode & 0o777 == 0o640
    assert len(lines) == 1
    assert APR in lines[0]


@pytest.mark.parametrize("text", ["-1", "many", "NaN", "Infinity", "1e400", "99999999", "null"])
def test_a_setting_out_of_its_range_is_refused_and_nothing_is_written(home: Home, text: str) -> None:
    before = home.config.read_bytes()
    asked = changed(source(home), {APR: text, "position_management.max_position_age_hours": "48"})
    assert asked.outcome is AskOutcome.REFUSED
    assert "min_funding_apr" in asked.text
    assert home.config.read_bytes() == before


def test_a_setting_that_does_not_exist_is_refused(home: Home) -> None:
    before = home.config.read_bytes()
    assert changed(source(home), {"funding_rate_strategy.leverage": "5"}).outcome is AskOutcome.REFUSED
    assert home.config.read_bytes() == before


def test_code_is_not_named_from_a_dashboard(home: Home) -> None:
    asked = changed(source(home), {"policy": "os.path.join"})
    assert asked.outcome is AskOutcome.REFUSED
    assert "names code" in asked.text
    assert not next(row for row in shown_settings(in_file(home.config), {}) if row.name == "policy").editable


def test_while_no_bot_runs_the_changes_are_shown_and_nothing_follows_at_once(home: Home) -> None:
    before = home.config.read_bytes()
    found = asyncio.run(source(home).preview({AGE: "1", APR: "20"}, "operator"))
    assert found.changes == (SettingChange(name=AGE, before="24", after="1"),)
    assert found.at is None
    assert found.follows[0].startswith("No bot runs")
    assert file_preview(home.config, {AGE: "0"}).refusal.startswith(str(home.config))
    assert home.config.read_bytes() == before


def test_a_file_that_is_broken_is_named_and_never_replaced(home: Home) -> None:
    home.config.write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match="config_volume_farming_strategy"):
        shown_settings(in_file(home.config), {})
    assert changed(source(home), {APR: "22"}).outcome is AskOutcome.REFUSED
    assert home.config.read_text(encoding="utf-8") == "{"


def test_the_settings_page_shows_what_is_in_the_file_and_what_is_in_force(home: Home) -> None:
    row = next(row for row in shown_settings(in_file(home.config), {APR: "15"}) if row.name == APR)
    assert (row.in_file, row.in_force, row.default) == ("20", "15", "15")
