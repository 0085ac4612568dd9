"""Presets on the command line: printed, written, played, and named in what the demo says."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from hedgerow.config import decode_config
from hedgerow.config.new_file import new_file
from hedgerow.config.presets import PRESETS, PresetName, preset_text
from support.command_runner import EAGER, Shell, write_config

CONFIG = "config_volume_farming_strategy.json"
SHORT = ("--days", 0.5, "--pairs", 6)
EACH = pytest.mark.parametrize("name", list(PresetName))


@EACH
def test_config_prints_a_file_that_gives_the_preset(name: PresetName, shell: Shell) -> None:
    said = shell("config", "--preset", name)
    assert said.code == 0
    assert decode_config(said.out.encode(), name="printed") == PRESETS[name].parameters


def test_config_shows_one_setting_of_a_preset_and_all_of_them_as_json(shell: Shell) -> None:
    lines = shell("config", "max_capital_usd", "--preset", "cautious").out.splitlines()
    assert ["value", "200"] in [line.split() for line in lines]
    document = shell("config", "--preset", "patient", "--json", "-").document
    assert document["funding_rate_strategy"]["exit_funding_apr"] == 8
    assert document["execution"]["style"] == "taker"


@EACH
def test_init_writes_the_preset_that_a_run_then_obeys(name: PresetName, shell: Shell, place: Path) -> None:
    said = shell("init", "--preset", name, "--home", "bot")
    assert (place / "bot" / CONFIG).read_text(encoding="utf-8") == new_file(name, {})
    assert f"preset {name}" in said.out
    assert PRESETS[name].what_not in said.out
    assert ("set capital_management.max_capital_usd" in said.out) is (name is not PresetName.CAUTIOUS)
    document = shell("config", "--home", "bot", "--json", "-").document
    assert decode_config(json.dumps(document).encode(), name="shown") == PRESETS[name].parameters


def test_init_asks_nobody_where_nobody_is_and_yes_means_the_guide(shell: Shell, place: Path) -> None:
    assert shell("init").code == 0
    assert (place / CONFIG).read_text(encoding="utf-8") == new_file(PresetName.GUIDE, {})
    write_config(place / CONFIG, EAGER)
    assert "--yes replaces it by the preset patient" in shell.refused("init", "--preset", "patient")
    assert shell("init", "--preset", "patient", "--yes").code == 0
    assert (place / CONFIG).read_text(encoding="utf-8") == new_file(PresetName.PATIENT, {})
    assert shell("init", "--yes").code == 0
    assert (place / CONFIG).read_text(encoding="utf-8") == new_file(PresetName.GUIDE, {})


def test_the_demo_names_its_preset_and_what_holding_and_cash_would_have_made(shell: Shell, place: Path) -> None:
    said = shell("demo", *SHORT, "--preset", "patient", "--json", "r.json")
    document = json.loads((place / "r.json").read_text(encoding="utf-8"))
    assert document["preset"] == "patient"
    assert document["settings"]["position_management.same_pair"] == "roll"
    hold = document["hold"]
    parts = [Decimal(hold[key]) for key in ("funding", "basis_pnl", "fees")]
    assert Decimal(hold["net_profit"]) == parts[0] + parts[1] - parts[2]
    assert hold["symbol"] == document["hedges"][0]["symbol"]
    assert Decimal(document["cash"]["interest"]) > 0
    assert "Configuration: none, the preset patient" in said.out
    assert "preset patient, seed 1" in said.out
    assert "If held instead" in said.out
    assert "Cash instead" in said.out
    assert "preset patient" in (place / "demo-report.html").read_text(encoding="utf-8")


def test_a_file_with_a_presets_settings_is_named_as_it_and_others_are_not(shell: Shell, place: Path) -> None:
    (place / "mine.json").write_text(new_file(PresetName.PATIENT, {}), encoding="utf-8")
    assert shell("demo", *SHORT, "--config", "mine.json", "--json", "-").document["preset"] == "patient"
    assert shell("demo", *SHORT, "--json", "-").document["preset"] == "guide"
    write_config(place / "other.json", EAGER)
    assert shell("demo", *SHORT, "--config", "other.json", "--json", "-").document["preset"] is None


def test_a_preset_plays_the_same_whether_named_or_read_from_its_file(shell: Shell, place: Path) -> None:
    (place / "mine.json").write_text(preset_text(PresetName.CAUTIOUS), encoding="utf-8")
    named = shell("demo", *SHORT, "--preset", "cautious", "--json", "-").document
    read = shell("demo", *SHORT, "--config", "mine.json", "--json", "-").document
    assert named["events_sha256"] == read["events_sha256"]


def test_no_hedge_of_the_cautious_demo_is_larger_than_its_cap(shell: Shell) -> None:
    document = shell("demo", "--days", 2, "--preset", "cautious", "--json", "-").document
    assert document["hedges"]
    assert all(Decimal(hedge["notional"]) <= 101 for hedge in document["hedges"])


def test_a_presets_demo_beats_the_file_of_the_home_it_is_kept_in(shell: Shell, place: Path) -> None:
    (place / "kept").mkdir()
    write_config(place / "kept" / CONFIG, EAGER)
    document = shell("demo", *SHORT, "--preset", "guide", "--home", "kept", "--json", "-").document
    assert document["preset"] == "guide"
