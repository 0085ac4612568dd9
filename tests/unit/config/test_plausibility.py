"""Settings that must lose money are refused, or warned about with the arithmetic; the guide's own are accepted."""

import json
from pathlib import Path
from typing import Any

import pytest

from hedgerow.app.findings.account import fee_findings
from hedgerow.aster.schema.convert import DOCUMENTED_FEES
from hedgerow.config import decode_config, default_config_text
from hedgerow.config.loading import load_settings
from hedgerow.config.plausibility import ROUND_TRIP_FEES
from hedgerow.domain.errors import ConfigError, VenueError
from hedgerow.domain.instrument import FeeRates, Market

NAME = "config_volume_farming_strategy.json"


def warned(folder: Path, content: dict[str, Any]) -> list[str]:
    path = folder / NAME
    path.write_text(json.dumps(content))
    return list(load_settings(path, named=True).warnings)


@pytest.mark.parametrize("stop", [-0.05, -0.1, -0.2, -0.29])
def test_a_stop_nearer_than_a_round_trip_costs_is_refused_with_the_arithmetic(stop: float) -> None:
    content = json.dumps({"risk_management": {"emergency_stop_loss_pct": stop}}).encode()
    with pytest.raises(ConfigError) as refusal:
        decode_config(content, name=NAME)
    text = str(refusal.value)
    assert f"emergency_stop_loss_pct is {stop:g}, in percent" in text
    assert "0.15 in fees and up to 0.15 in spread" in text
    assert "allowed: -0.3 or lower" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("section", "key", "value", "starts"),
    [
        (
            "funding_rate_strategy",
            "min_funding_apr",
            0.15,
            "min_funding_apr is 0.15: that is 0.15 percent; if 15 percent",
        ),
        ("funding_rate_strategy", "exit_funding_apr", -0.02, "exit_funding_apr is -0.02: that is -0.02 percent; if -2"),
        (
            "position_management",
            "better_opportunity_apr_points",
            0.1,
            "better_opportunity_apr_points is 0.1: that is 0.1",
        ),
        ("risk_management", "emergency_stop_loss_pct", -0.5, "emergency_stop_loss_pct is -0.5: that is -0.5 percent"),
        ("risk_management", "daily_loss_limit_pct", 0.02, "daily_loss_limit_pct is 0.02: that is 0.02 percent; if 2 "),
    ],
)
def test_a_fraction_in_place_of_a_percentage_is_warned_about(
    tmp_path: Path, section: str, key: str, value: float, starts: str
) -> None:
    assert any(line.startswith(starts) for line in warned(tmp_path, {section: {key: value}}))


def test_funding_that_cannot_pay_the_fees_before_the_age_limit_is_warned_about(tmp_path: Path) -> None:
    (line,) = warned(tmp_path, {"position_management": {"max_position_age_hours": 12}})
    assert line == (
        "min_funding_apr is 15: within max_position_age_hours (12) it pays 0.0205479 %, a round trip costs 0.15 %; "
        "109.5 or more breaks even"
    )
    assert warned(tmp_path, {"position_management": {"max_position_age_hours": 720}}) == []
    assert warned(tmp_path, {"funding_rate_strategy": {"min_funding_apr": 54.75}}) == []
    assert len(warned(tmp_path, {"funding_rate_strategy": {"min_funding_apr": 54.7}})) == 1


@pytest.mark.parametrize(
    ("content", "starts"),
    [
        ({"position_management": {"fee_coverage_multiplier": 0.9}}, "fee_coverage_multiplier is 0.9: below 1"),
        ({"position_management": {"max_position_age_hours": 0.5}}, "max_position_age_hours is 0.5: no pair pays"),
        ({"funding_rate_strategy": {"exit_funding_apr": 20}}, "exit_funding_apr is 20: above min_funding_apr (15)"),
        (
            {"funding_rate_strategy": {"max_entry_discount_bps": -300}},
            "max_entry_premium_bps is 200: max_entry_discount_bps asks for a premium of at least 300",
        ),
        (
            {"funding_rate_strategy": {"max_spread_bps": 500}, "risk_management": {"emergency_stop_loss_pct": -4}},
            "emergency_stop_loss_pct is -4: an opening at the limits allowed costs 5.3",
        ),
    ],
)
def test_other_settings_that_lose_are_warned_about(tmp_path: Path, content: dict[str, Any], starts: str) -> None:
    assert any(line.startswith(starts) for line in warned(tmp_path, content))


@pytest.mark.parametrize(
    ("capital", "slots", "expected"),
    [
        (
            {"max_position_usd": 600, "max_capital_usd": 500},
            1,
            ["max_position_usd is 600: max_capital_usd (500) of all together is less: it limits none"],
        ),
        ({"max_position_usd": 500, "max_capital_usd": 500}, 3, []),
        (
            {"max_position_equity_pct": 40},
            3,
            [
                (
                    "max_position_equity_pct is 40: max_positions (3) of it are 120 percent of the equity; "
                    "33.3333 or less keeps a part for each"
                ),
            ],
        ),
        ({"max_position_equity_pct": 25}, 4, []),
        (
            {"max_capital_usd": 199},
            4,
            [
                (
                    "max_positions is 4: with min_capital_usd (50) for each they need 200, and max_capital_usd is 199, "
                    "so at most 3 are held"
                ),
            ],
        ),
        ({"max_capital_usd": 200}, 4, []),
        ({"max_capital_usd": 50}, 1, []),
        ({"max_capital_usd": 50, "min_capital_usd": 0}, 4, []),
    ],
)
def test_limits_of_capital_that_contradict_each_other_are_warned_about(
    tmp_path: Path, capital: dict[str, Any], slots: int, expected: list[str]
) -> None:
    content = {"capital_management": capital, "position_management": {"max_positions": slots}}
    assert warned(tmp_path, content) == expected


def test_filters_that_are_switched_off_are_not_judged(tmp_path: Path) -> None:
    off = {"min_funding_apr": 0, "max_spread_bps": 10_000, "max_entry_discount_bps": 10_000}
    assert warned(tmp_path, {"funding_rate_strategy": off}) == []


def test_the_guides_own_settings_are_accepted_without_a_word(tmp_path: Path) -> None:
    assert warned(tmp_path, json.loads(default_config_text())) == []
    assert warned(tmp_path, {}) == []


def test_documents_checks_and_doctor_do_not_differ_in_what_a_round_trip_costs() -> None:
    root = Path(__file__).parents[3]
    cost = float(2 * sum(rates.taker for rates in DOCUMENTED_FEES.values()))
    assert cost == ROUND_TRIP_FEES
    for page in ("README.md", "docs/guide.md"):
        text = " ".join((root / page).read_text(encoding="utf-8").split())
        assert f"{cost * 100:g} % of one leg" in text
        assert f"breaks even at {cost * 8760 / 24 * 100:g} % APR" in text
        assert "0.16 %" not in text
    fees: dict[Market, FeeRates | VenueError] = dict(DOCUMENTED_FEES)
    reported = fee_findings(fees, DOCUMENTED_FEES, 24)[-1].text
    assert reported == "a round trip of four taker fills costs 0.15 % of a leg: 54.75 % APR pays for it in 24 h"
