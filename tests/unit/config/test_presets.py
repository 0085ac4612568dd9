"""Presets are what they say: each a whole configuration that loads without a warning, with a reason per difference."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from hedgerow.config import config_table, decode_config, default_config_text, load_settings
from hedgerow.config.loading import preset_settings
from hedgerow.config.presets import PRESETS, PresetName, preset_of, preset_text
from hedgerow.strategy.parameters import SamePair, StrategyParameters

EACH = pytest.mark.parametrize("name", list(PresetName))


def differing(name: PresetName) -> dict[str, object]:
    """Return the settings that are not the guide's, in the file's units."""
    parameters = PRESETS[name].parameters
    return {row.name: row.shown(parameters) for row in config_table() if row.shown(parameters) != row.default}


def test_the_guides_preset_is_its_defaults_to_the_byte_of_the_file() -> None:
    assert PRESETS[PresetName.GUIDE].parameters == StrategyParameters()
    assert preset_text(PresetName.GUIDE) == default_config_text()


def test_the_patient_preset_changes_what_lets_a_paying_pair_pay_and_nothing_else() -> None:
    assert differing(PresetName.PATIENT) == {
        "funding_rate_strategy.min_funding_apr": 10,
        "funding_rate_strategy.funding_ma_periods": 50,
        "funding_rate_strategy.exit_funding_apr": 8,
        "position_management.fee_coverage_multiplier": 1000,
        "position_management.max_position_age_hours": 87_600,
        "position_management.same_pair": "roll",
    }
    kept = PRESETS[PresetName.PATIENT].parameters.position_management
    assert kept.better_opportunity_apr == pytest.approx(0.10)
    assert kept.same_pair is SamePair.ROLL


def test_the_cautious_preset_caps_capital_and_a_days_loss() -> None:
    parameters = PRESETS[PresetName.CAUTIOUS].parameters
    assert parameters.capital_management.max_capital_usd == Decimal(200)
    assert parameters.risk_management.daily_loss_limit_usd == Decimal(2)
    assert set(differing(PresetName.PATIENT)) < set(differing(PresetName.CAUTIOUS))


@EACH
def test_a_setting_that_differs_without_a_reason_is_noticed(name: PresetName) -> None:
    assert set(PRESETS[name].reasons) == set(differing(name))


@EACH
def test_the_file_of_a_preset_reads_back_as_its_parameters_without_a_warning(name: PresetName, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(preset_text(name), encoding="utf-8")

    settings = load_settings(path, named=True)

    assert settings.parameters == PRESETS[name].parameters == preset_settings(name).parameters
    assert settings.warnings == preset_settings(name).warnings == ()


@EACH
def test_the_file_of_a_preset_says_why_beside_every_difference(name: PresetName) -> None:
    document = json.loads(preset_text(name))
    for setting, reason in PRESETS[name].reasons.items():
        section, key = setting.split(".")
        assert document[section][f"_{key}"] == reason
    if name is not PresetName.GUIDE:
        assert document["_preset"].startswith(f"{name}: ")
        assert document["_not"] == PRESETS[name].what_not


def test_no_figure_of_a_result_stands_in_a_preset() -> None:
    """What a preset earned is measured and stands in the docs with its command; here it would age unnoticed."""
    for preset in PRESETS.values():
        assert "earned" not in preset.what + preset.what_not
        assert "% a year" not in preset.what + preset.what_not


@EACH
def test_a_preset_is_recognised_wherever_its_settings_were_read_from(name: PresetName) -> None:
    assert preset_of(decode_config(preset_text(name).encode(), name="c.json")) is name
    changed = replace(PRESETS[name].parameters, policy="mine.Policy")
    assert preset_of(changed) is None
