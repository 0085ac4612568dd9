"""What cannot be used is refused in one line with exit code 2, before anything is written, lost or traded."""

import os
import sqlite3
from pathlib import Path

import pytest

from hedgerow.config import config_table
from hedgerow.domain.settings.rows import Kind, SettingRow
from support.command_runner import EAGER, Shell, write_config

ON_A_HOME = ("run", "scan", "status", "close", "adopt", "reconcile", "halt", "resume", "config")
WITHOUT_SETTINGS = {"close", "status"}
"""With nothing held these two have nothing to ask of a configuration."""
WORDS = {"adopt": ["BTCUSDT"], "close": ["--yes"], "run": ["--once"]}
PAPERLESS = {"config", "demo", "init"}
WRONG = {
    Kind.NUMBER: '"5"',
    Kind.AMOUNT: "true",
    Kind.COUNT: "1.5",
    Kind.FLAG: "1",
    Kind.CHOICE: '"perhaps"',
    Kind.CLASS: "0",
}


def call(name: str) -> list[str]:
    return [name, *WORDS.get(name, []), *([] if name in PAPERLESS else ["--paper"])]


def everything(folder: Path) -> dict[str, bytes]:
    """Return all files but locks, which whoever looks whether a bot runs leaves behind."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".lock")
    return {str(path): path.read_bytes() for path in found}


def refused_and_unchanged(shell: Shell, place: Path, *words: object) -> str:
    before = everything(place)
    line = shell.refused(*words)
    assert everything(place) == before
    return line


def one_key(row: SettingRow, value: str) -> str:
    pair = f'{{"{row.key}": {value}}}'
    return f'{{"{row.section}": {pair}}}' if row.section else pair


@pytest.mark.parametrize("row", config_table(), ids=lambda row: row.name)
def test_a_key_of_the_wrong_type_is_refused(row: SettingRow, shell: Shell, place: Path) -> None:
    (place / "c.json").write_text(one_key(row, WRONG[row.kind]), encoding="utf-8")
    line = refused_and_unchanged(shell, place, "run", "--once", "--paper", "--config", "c.json")
    assert line == f"c.json: {row.name} is {WRONG[row.kind]}; allowed: {row.allowed}"


@pytest.mark.parametrize(
    "row",
    [row for row in config_table() if row.kind.is_number],
    ids=lambda row: row.name,
)
def test_a_key_out_of_range_is_refused(row: SettingRow, shell: Shell, place: Path) -> None:
    setting = row.setting
    for value in (
        *(low - 1 for low in (setting.ge, setting.gt) if low is not None),
        *(high + 1 for high in (setting.le, setting.lt) if high is not None),
    ):
        (place / "c.json").write_text(one_key(row, str(value)), encoding="utf-8")
        line = refused_and_unchanged(shell, place, "demo", "--config", "c.json")
        assert line.endswith(f"; allowed: {row.allowed}")


@pytest.mark.parametrize("name", [name for name in ON_A_HOME if name not in WITHOUT_SETTINGS])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"capital_management": {', "not JSON"),
        ('{"risk_management": {"stop_loss": -5}}', "unknown key risk_management.stop_loss; the nearest known one is"),
        ('{"leverage_settings": {}}', "leverage is always 1x here"),
    ],
    ids=["broken", "unknown", "predecessor"],
)
def test_every_command_that_acts_by_the_configuration_refuses_a_bad_one(
    name: str, content: str, said: str, shell: Shell, place: Path
) -> None:
    (place / "config_volume_farming_strategy.json").write_text(content, encoding="utf-8")
    assert said in refused_and_unchanged(shell, place, *call(name))


@pytest.mark.parametrize("name", [*ON_A_HOME, "demo"])
def test_a_configuration_that_was_named_must_be_there(name: str, shell: Shell, place: Path) -> None:
    line = refused_and_unchanged(shell, place, *call(name), "--config", "none.json")
    assert line == "--config none.json: there is no such file"


@pytest.mark.parametrize("name", [*ON_A_HOME, "demo", "init"])
def test_a_home_that_is_a_file_is_refused(name: str, shell: Shell, place: Path) -> None:
    (place / "file").write_text("mine", encoding="utf-8")
    assert "--home file: is a file" in refused_and_unchanged(shell, place, *call(name), "--home", "file")
    assert "Not a directory" in refused_and_unchanged(shell, place, *call("run"), "--home", "file/home")


@pytest.mark.parametrize("name", ["run", "status", "reconcile", "halt", "resume", "adopt", "close"])
def test_an_event_log_of_a_newer_version_is_refused_and_kept(name: str, shell: Shell, place: Path) -> None:
    write_config(place / "config_volume_farming_strategy.json", EAGER)
    assert shell("run", "--once", "--paper").code == 0
    with sqlite3.connect(place / "hedgerow-paper.db") as log:
        log.execute("PRAGMA user_version = 99")
    log.close()
    before = (place / "hedgerow-paper.db").read_bytes()
    assert "was written by a newer Hedgerow" in shell.refused(*call(name), "--paper")
    assert (place / "hedgerow-paper.db").read_bytes() == before


def test_a_file_that_is_no_event_log_is_refused_and_kept(shell: Shell, place: Path) -> None:
    (place / "hedgerow-paper.db").write_bytes(b"my diary" * 1000)
    shell.refused("status", "--paper")
    shell.refused("run", "--once", "--paper")
    assert (place / "hedgerow-paper.db").read_bytes() == b"my diary" * 1000


def test_a_damaged_paper_account_is_refused_and_kept(shell: Shell, place: Path) -> None:
    (place / "hedgerow-paper.exchange").write_text("{", encoding="utf-8")
    assert "move it away to start with a new one" in shell.refused("run", "--once", "--paper")
    assert "move it away to start with a new one" in shell.refused("scan", "--paper")
    assert (place / "hedgerow-paper.exchange").read_text(encoding="utf-8") == "{"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["demo", "--days", "0"], "--days 0: allowed is more than 0"),
        (["demo", "--days", "-1"], "--days -1: allowed is more than 0"),
        (["demo", "--days", "nan"], "--days nan: allowed is more than 0"),
        (["demo", "--days", "inf"], "at most 3660"),
        (["demo", "--days", "1e9"], "at most 3660"),
        (["demo", "--days", "two"], "Invalid value for '--days'"),
        (["demo", "--preset", "rich"], "--preset rich: allowed are guide, patient, cautious"),
        (["config", "--preset", ""], "--preset : allowed are guide, patient, cautious"),
        (["init", "--preset", "GUIDE"], "--preset GUIDE: allowed are guide, patient, cautious"),
        (["demo", "--preset", "guide", "--config", "c.json"], "are two configurations: give one of them"),
        (["config", "--preset", "guide", "--config", "c.json"], "are two configurations: give one of them"),
        (["demo", "--pairs", "0"], "--pairs 0: allowed are 1 to 500"),
        (["demo", "--pairs", "501"], "--pairs 501: allowed are 1 to 500"),
        (["demo", "--usdt", "99"], "--usdt 99: allowed is a number from 100 to 1000000000"),
        (["demo", "--usdt", "NaN"], "--usdt NaN: allowed is a number"),
        (["demo", "--usdt", "much"], "--usdt much: allowed is a number"),
        (["demo", "--usdt", "1e30"], "--usdt 1e30: allowed is a number"),
        (["demo", "--start", "soon"], "--start soon: allowed is a date such as 2024-11-01"),
        (["demo", "--start", "9999-12-31"], "allowed are the years 2000 to 2100"),
        (["demo", "--speed", "0"], "--speed 0: allowed are max or a positive number"),
        (["demo", "--speed", "inf"], "--speed inf: allowed are max or a positive number"),
        (["demo", "--data", "nowhere"], "nowhere: no such directory"),
        (["demo", "--report", "no/report.html"], "--report no/report.html cannot be written"),
        (["demo", "--report", "."], "--report . cannot be written: Is a directory"),
        (["demo", "--json", "no/result.json"], "--json no/result.json cannot be written"),
        (["scan", "--paper", "--json", "no/result.json"], "--json no/result.json cannot be written"),
        (["run", "--ma-periods", "0"], "--ma-periods is 0; allowed: a whole number from 1 to 1000"),
        (["run", "--ma-periods", "many"], "Invalid value for '--ma-periods'"),
        (["emulator", "--speed", "1e308"], "--speed 1e308: allowed is 0 to 1,000,000"),
        (["run", "--paper", "--speed", "fast"], "--speed fast: allowed are max or a positive number"),
        (["run", "--paper", "--usdt", "0"], "--usdt 0: allowed is a number from 1"),
        (["run", "--paper", "--dry-run"], "--paper and --dry-run are different bots"),
        (["run", "--speed", "max"], "--speed belongs to --paper"),
        (["run", "--usdt", "500"], "--usdt belongs to --paper or --dry-run"),
        (["run", "--dry-run", "--seed", "2"], "--seed belongs to --paper"),
        (["run", "--paper", "--venue-clock"], "--venue-clock follows hedgerow emulator"),
        (["run", "--once"], "hedgerow demo"),
        (["scan", "--ma-periods", "1001"], "--ma-periods is 1001; allowed"),
        (
            ["config", "max_age"],
            "there is no such setting; the nearest one is position_management.max_position_age_hours",
        ),
        (
            ["config", "funding_apr"],
            "the nearest ones are funding_rate_strategy.min_funding_apr and funding_rate_strategy.exit_funding_apr",
        ),
        (["config", "xyzzy"], "config xyzzy: there is no such setting; hedgerow config lists those there are"),
        (["adopt"], "Missing argument 'SYMBOL'"),
        (["run", "--turbo"], "No such option: --turbo"),
        (["farm"], "No such command 'farm'"),
        (["run", "now"], "unexpected extra argument"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)
def test_an_argument_that_cannot_be_used_is_refused(words: list[str], said: str, shell: Shell, place: Path) -> None:
    assert said in refused_and_unchanged(shell, place, *words)


def test_a_configuration_is_not_overwritten_by_init(shell: Shell, place: Path) -> None:
    write_config(place / "config_volume_farming_strategy.json", EAGER)
    assert "exists already: --yes replaces it" in refused_and_unchanged(shell, place, "init")
    assert shell("init", "--yes").code == 0
    assert "min_funding_apr" in (place / "config_volume_farming_strategy.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("words", [["close", b"\xffBTC"], ["halt", "--reason", b"\xff"], ["status", "--home", b"\xff"]])
def test_an_argument_that_is_not_utf_8_is_refused(words: list[str | bytes], shell: Shell, place: Path) -> None:
    given = [os.fsdecode(word) for word in words]
    assert "is not UTF-8 text" in refused_and_unchanged(shell, place, *given, "--paper")


def test_a_folder_whose_name_is_not_utf_8_ends_in_one_line(
    shell: Shell, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = place / os.fsdecode(b"\xff")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system has names in UTF-8 only")
    monkeypatch.chdir(folder)
    said = shell("status", "--paper", "--json", "-")
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "is not UTF-8 text" in said.err


@pytest.mark.parametrize("command", [["scan", "--paper"], ["demo"], ["run", "--paper", "--once"]], ids=" ".join)
def test_a_configuration_that_is_no_regular_file_is_refused_at_once(
    command: list[str], shell: Shell, place: Path
) -> None:
    os.mkfifo(place / "fifo")
    for named in ("fifo", "/dev/zero"):
        assert shell.refused(*command, "--config", named) == f"{named} cannot be read: it is no regular file"
    (place / "large.json").write_bytes(b" " * 2**20 + b"{}")
    assert shell.refused(*command, "--config", "large.json") == (
        "large.json cannot be read: it is larger than 1,048,576 bytes"
    )


def test_variables_that_are_no_regular_file_are_refused_at_once(shell: Shell, place: Path) -> None:
    os.mkfifo(place / ".env")
    assert "it is no regular file" in shell.refused("doctor")
