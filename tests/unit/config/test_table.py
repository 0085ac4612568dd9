"""The table of settings is complete, and its defaults are the guide's and the contract's."""

import json
from pathlib import Path

import msgspec
import pytest

from hedgerow.config import config_table, decode_config, default_config_text, render_config
from hedgerow.domain.settings.rows import SettingRow
from hedgerow.strategy.parameters import StrategyParameters

ROOT = Path(__file__).parents[3]
GUIDE = {
    "capital_management": {"capital_fraction": 0.95},
    "funding_rate_strategy": {"min_funding_apr": 15.0, "use_funding_ma": True, "funding_ma_periods": 10},
    "position_management": {
        "fee_coverage_multiplier": 1.5,
        "max_position_age_hours": 24,
        "loop_interval_seconds": 300,
    },
    "risk_management": {"emergency_stop_loss_pct": -10.0},
}
"""The guide's own file."""
CONTRACT = {
    "capital_management.capital_fraction": 0.95,
    "capital_management.min_capital_usd": 50,
    "capital_management.max_capital_usd": None,
    "capital_management.max_position_usd": None,
    "capital_management.max_position_equity_pct": None,
    "capital_management.max_position_depth_pct": None,
    "capital_management.max_position_open_interest_pct": None,
    "capital_management.reserve_usd": 0,
    "funding_rate_strategy.min_funding_apr": 15,
    "funding_rate_strategy.use_funding_ma": True,
    "funding_rate_strategy.funding_ma_periods": 10,
    "funding_rate_strategy.min_volume_usd": 5_000_000,
    "funding_rate_strategy.max_spread_bps": 15,
    "funding_rate_strategy.max_entry_discount_bps": 15,
    "funding_rate_strategy.max_entry_premium_bps": 200,
    "funding_rate_strategy.exit_funding_apr": 0,
    "position_management.fee_coverage_multiplier": 1.5,
    "position_management.max_position_age_hours": 24,
    "position_management.loop_interval_seconds": 300,
    "position_management.better_opportunity_apr_points": 10,
    "position_management.better_opportunity_min_hours": 4,
    "position_management.same_pair": "close",
    "position_management.adopt": "balanced",
    "position_management.max_positions": 1,
    "position_management.max_exit_cost_bps": 50,
    "risk_management.emergency_stop_loss_pct": -10,
    "risk_management.stop_on": "pair",
    "risk_management.after_emergency": "halt",
    "risk_management.daily_loss_limit_usd": None,
    "risk_management.daily_loss_limit_pct": None,
    "risk_management.daily_loss_action": "halt",
    "execution.style": "taker",
    "execution.maker_timeout_seconds": 45,
    "execution.max_order_usd": None,
    "execution.max_resting_loss_usd": 100,
    "execution.price_cap_bps": 10,
    "execution.widen_after_2s_bps": 5,
    "execution.widen_after_5s_bps": 20,
    "execution.flatten_after_seconds": 30,
    "execution.max_cap_bps": 200,
    "execution.max_naked_seconds": 5,
    "execution.max_naked_equity_fraction": 0.05,
    "execution.slice_depth_fraction": 0.2,
    "execution.book_stale_seconds": 3,
    "execution.settlement_guard_seconds": 60,
    "policy": "volume_farming",
}


def _without_comments(text: str) -> dict[str, object]:
    document: dict[str, object] = json.loads(text)
    return {key: value for key, value in document.items() if not key.startswith("_")}


def test_every_default_is_the_contracts() -> None:
    assert {setting.name: setting.default for setting in config_table()} == CONTRACT


@pytest.mark.parametrize("setting", config_table(), ids=lambda setting: setting.name)
def test_every_row_says_what_it_means_and_what_it_allows_on_one_line(setting: SettingRow) -> None:
    assert 0 < len(setting.meaning) < 100
    assert 0 < len(setting.allowed) < 80
    assert "\n" not in setting.meaning + setting.allowed


def test_the_exposure_allowed_names_what_is_allowed_whatever_it_says() -> None:
    (row,) = (row for row in config_table() if row.name == "execution.max_naked_equity_fraction")
    assert row.meaning == "most that may be unhedged, as a part of equity; twice the exchange's minimum always may"


def test_the_file_a_new_user_gets_is_the_guides() -> None:
    assert _without_comments(default_config_text()) == GUIDE
    assert decode_config(default_config_text().encode(), name="new") == StrategyParameters()


def test_the_file_at_the_root_of_the_project_is_the_one_a_new_user_gets() -> None:
    assert (ROOT / "config_volume_farming_strategy.json").read_text() == default_config_text()


def test_a_rendered_configuration_reads_back_as_the_same_parameters() -> None:
    parameters = StrategyParameters()
    funding = msgspec.structs.replace(parameters.funding_rate_strategy, min_funding_apr=0.07, funding_ma_periods=3)
    risk = msgspec.structs.replace(parameters.risk_management, emergency_stop_loss=-0.035)
    changed = msgspec.structs.replace(parameters, funding_rate_strategy=funding, risk_management=risk)
    for wanted in (parameters, changed):
        assert decode_config(json.dumps(render_config(wanted)).encode(), name="rendered") == wanted


def test_a_rendered_configuration_shows_percent_without_the_noise_of_floats() -> None:
    parameters = StrategyParameters()
    funding = msgspec.structs.replace(parameters.funding_rate_strategy, min_funding_apr=0.07)
    shown = render_config(msgspec.structs.replace(parameters, funding_rate_strategy=funding))
    section = shown["funding_rate_strategy"]
    assert isinstance(section, dict)
    assert section["min_funding_apr"] == 7
