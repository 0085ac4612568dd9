"""A mistyped name of a setting is answered with what a user means by it, or with nothing."""

import pytest

from hedgerow.config import config_table
from hedgerow.domain.settings.suggestions import nearest_names

NAMES = [*dict.fromkeys(row.section for row in config_table() if row.section), *(row.name for row in config_table())]


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("capital_fracton", "capital_management.capital_fraction"),
        ("MIN_FUNDING_APR", "funding_rate_strategy.min_funding_apr"),
        ("minFundingApr", "funding_rate_strategy.min_funding_apr"),
        ("min-funding-apr", "funding_rate_strategy.min_funding_apr"),
        ("apr", "funding_rate_strategy.min_funding_apr"),
        ("stop_loss", "risk_management.emergency_stop_loss_pct"),
        ("risk_management.stop_loss", "risk_management.emergency_stop_loss_pct"),
        ("max_age", "position_management.max_position_age_hours"),
        ("age", "position_management.max_position_age_hours"),
        ("loop", "position_management.loop_interval_seconds"),
        ("maker", "execution.maker_timeout_seconds"),
        ("capital_management.max_position_age_hours", "position_management.max_position_age_hours"),
        ("adopt_mode", "position_management.adopt"),
        ("risk_managment", "risk_management"),
        ("executon", "execution"),
        ("polcy", "policy"),
    ],
)
def test_the_setting_that_a_user_means_comes_first(typed: str, first: str) -> None:
    assert nearest_names(typed, NAMES)[0] == first


def test_settings_that_are_meant_as_well_are_named_and_no_more_than_three() -> None:
    assert set(nearest_names("daily_loss", NAMES)) == {
        "risk_management.daily_loss_limit_usd",
        "risk_management.daily_loss_limit_pct",
        "risk_management.daily_loss_action",
    }
    assert len(nearest_names("bps", NAMES)) == 3


@pytest.mark.parametrize("typed", ["xyzzy", "foo", "hedge", "leverage", "", "...", "42"])
def test_a_name_that_is_like_no_setting_has_no_nearest_one(typed: str) -> None:
    assert nearest_names(typed, NAMES) == ()


def test_among_no_names_none_is_near() -> None:
    assert nearest_names("depth", []) == ()
