"""examples/own_policy as a user runs it: the two files in a folder, and the command line."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from support.command_runner import Shell

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "own_policy"
CONFIG = "config_volume_farming_strategy.json"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "locks"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "calm_carry", raising=False)
    folder = tmp_path / "home"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


def test_a_policy_in_the_home_is_found_without_pythonpath(home: Path, shell: Shell) -> None:
    said = shell("scan", "--paper", "--home", home)
    assert said.code == 0, said.err


def test_the_bot_runs_with_the_example(home: Path, shell: Shell) -> None:
    said = shell("run", "--paper", "--once", "--home", home)
    assert said.code == 0, said.err
    assert "Volume Farming Strategy initialized" in (home / "volume_farming-paper.log").read_text(encoding="utf-8")


def test_a_single_check_that_fails_is_no_success(home: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_given: object) -> None:
        raise KeyError("a mistake of the author")

    shell("config", "--home", home)
    monkeypatch.setattr(sys.modules["calm_carry"].CalmCarry, "rank", broken)
    said = shell("run", "--paper", "--once", "--home", home)
    assert "Cycle failed: KeyError" in (home / "volume_farming-paper.log").read_text(encoding="utf-8")
    assert said.code == 1


def test_config_shows_what_the_policy_declares(home: Path, shell: Shell) -> None:
    assert shell("config", "--home", home, "--json", "-").document["policy_settings"] == {"caution": 1.5, "share": 0.25}
    shown = shell("config", "--home", home).out
    row = next(line for line in shown.splitlines() if line.split()[:1] == ["caution"])
    assert row.split()[:3] == ["caution", "1.5", "1.0"]
    assert "a number at least 0 and at most 10" in row
    assert "standard deviations taken off the mean rate" in row


def test_the_guide_is_no_place_to_look_up_a_setting_that_the_policy_declares(home: Path, shell: Shell) -> None:
    assert "docs/guide.md" not in shell("config", "policy_settings.share", "--home", home).out
    assert "docs/guide.md" in shell("config", "min_funding_apr", "--home", home).out


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ('{"share": 2}', "policy_settings.share is 2; allowed: a number above 0 and at most 1"),
        ('{"shares": 1}', "unknown key policy_settings.shares; the nearest known one is policy_settings.share"),
        ('{"share": [1]}', "policy_settings.share is [1]; allowed: true or false, a number, text or null"),
        ("3", "policy_settings is 3; allowed: an object of keys"),
    ],
)
def test_a_setting_that_the_policy_does_not_allow_starts_no_bot(
    settings: str, line: str, home: Path, shell: Shell
) -> None:
    text = f'{{"policy": "calm_carry.CalmCarry", "policy_settings": {settings}}}'
    (home / CONFIG).write_text(text, encoding="utf-8")
    for command in (["run", "--paper", "--once"], ["config"]):
        assert line in shell.refused(*command, "--home", home)


def test_a_setting_for_the_guide_s_policy_is_refused(home: Path, shell: Shell) -> None:
    (home / CONFIG).write_text('{"policy_settings": {"_note": "mine", "share": 1}}', encoding="utf-8")
    line = shell.refused("run", "--paper", "--once", "--home", home)
    assert line == "policy_settings.share: policy 'volume_farming' has no settings of its own"


def test_the_home_of_a_bot_with_the_guide_s_policy_is_not_on_the_path(home: Path, shell: Shell) -> None:
    (home / CONFIG).write_text("{}", encoding="utf-8")
    assert shell("scan", "--paper", "--home", home).code == 0
    assert str(home.resolve()) not in sys.path


def test_the_page_declares_the_settings_of_the_example() -> None:
    page = (ROOT / "docs" / "custom_policy.md").read_text(encoding="utf-8")
    example = (EXAMPLE / "calm_carry.py").read_text(encoding="utf-8")
    declared = re.compile(r"^ +\w+: Annotated\[.*$", re.MULTILINE)
    assert len(declared.findall(example)) == 2
    assert declared.findall(page) == declared.findall(example)
