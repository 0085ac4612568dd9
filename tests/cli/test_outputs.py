"""An output that is one of the inputs, or another output, is refused before anything is read; both files stay."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support.archives import hours, prints, write_archive
from support.command_runner import Shell

WINDOW = ("--data", "history", "--start", "2025-03-01", "--end", "2025-03-03")
HISTORY = "would overwrite the market history of --data; name another file"


@pytest.fixture
def history(place: Path) -> Path:
    """Return a file of the market history."""
    (place / "history").mkdir()
    write_archive(place / "history", hours(48), prints(6))
    return place / "history" / "funding.parquet"


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("backtest", *WINDOW), "--json"),
        (("backtest", *WINDOW), "--report"),
        (("backtest", *WINDOW), "--decisions"),
        (("bound", *WINDOW), "--json"),
        (("sweep", *WINDOW), "--json"),
        (("sweep", *WINDOW), "--report"),
        (("sweep", *WINDOW), "--results"),
        (("walkforward", *WINDOW), "--json"),
        (("walkforward", *WINDOW), "--report"),
        (("walkforward", *WINDOW), "--results"),
        (("demo", "--data", "history"), "--json"),
        (("demo", "--data", "history"), "--report"),
        (("data", "list", "--data", "history"), "--json"),
        (("data", "check", "--data", "history"), "--json"),
    ],
)
def test_the_history_that_is_read_is_not_overwritten(
    words: tuple[str, ...], option: str, history: Path, shell: Shell
) -> None:
    before = history.read_bytes()
    assert shell.refused(*words, option, "history/funding.parquet") == f"{option} history/funding.parquet: {HISTORY}"
    assert history.read_bytes() == before


@pytest.mark.parametrize("make", [Path.symlink_to, Path.hardlink_to])
def test_another_name_of_the_same_file_is_seen(
    make: Callable[[Path, Path], None], history: Path, place: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(place / "result.json", history)
    before = history.read_bytes()
    assert HISTORY in shell.refused("bound", *WINDOW, "--json", "result.json")
    monkeypatch.chdir(history.parent)
    assert HISTORY in shell.refused("bound", *WINDOW[2:], "--data", "../history", "--json", "./funding.parquet")
    assert history.read_bytes() == before


@pytest.mark.usefixtures("history")
def test_two_outputs_are_two_files(place: Path, shell: Shell) -> None:
    (place / "link.html").symlink_to(place / "result.json")
    said = shell.refused("backtest", *WINDOW, "--json", "result.json", "--report", "link.html")
    assert said == "--report link.html and --json result.json are one file; name two"
    assert not (place / "result.json").exists()
    assert shell("bound", *WINDOW, "--json", "/dev/null").code == 0


@pytest.mark.usefixtures("history")
def test_the_configuration_that_is_read_is_not_overwritten(place: Path, shell: Shell) -> None:
    settings = place / "settings.json"
    settings.write_text("{}", encoding="utf-8")
    for command in (("backtest", *WINDOW), ("demo",), ("doctor",), ("scan", "--paper")):
        said = shell.refused(*command, "--config", "settings.json", "--json", "settings.json")
        assert said.startswith("--json settings.json: would overwrite the ")
    assert settings.read_text(encoding="utf-8") == "{}"


@pytest.mark.parametrize(
    "words", [("books",), ("status",), ("scan", "--paper"), ("doctor",), ("config",), ("demo", "--home", ".")]
)
@pytest.mark.parametrize("name", ["hedgerow.db", "hedgerow-paper.exchange", "volume_farming_state.json", ".env"])
def test_no_file_of_a_bot_is_overwritten(words: tuple[str, ...], name: str, place: Path, shell: Shell) -> None:
    (place / name).write_text("kept", encoding="utf-8")
    assert (
        shell.refused(*words, "--json", name)
        == f"--json {name}: would overwrite a file of a bot in .; name another file"
    )
    assert (place / name).read_text(encoding="utf-8") == "kept"


def test_settings_may_be_written_over_themselves(place: Path, shell: Shell) -> None:
    file = place / "config_volume_farming_strategy.json"
    file.write_text('{"position_management": {"max_position_age_hours": 7}}', encoding="utf-8")
    assert shell("config", "--json", file.name).code == 0
    assert '"max_position_age_hours": 7' in file.read_text(encoding="utf-8")
