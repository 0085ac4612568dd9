"""Settings that lose money or contradict each other together: refused, or warned about with the arithmetic.

The figures are those of docs/guide.md, "What it earns and what it costs": a round trip is two taker fills of 0.04 %
(spot) and two of 0.035 % (perpetual).
"""

from collections.abc import Mapping
from typing import Final

from hedgerow.config.table import SETTINGS
from hedgerow.domain.money import BPS, plain
from hedgerow.strategy.parameters import StrategyParameters

__all__ = ["ROUND_TRIP_FEES", "losing", "refused"]

ROUND_TRIP_FEES: Final = 0.0015
"""Of one leg's notional."""
USUAL_SPREAD_BPS: Final = 15
"""What the guide lets the spot book cost at most; a stop must be further away than that and the fees."""
HOURS_A_YEAR: Final = 8760
SHORTEST_INTERVAL_HOURS: Final = 1
_DEFAULTS: Final = StrategyParameters()
FILTER_OFF_BPS: Final = 10_000
"""A spread or discount of the whole price switches its filter off."""
LEAST_PERCENT: Final[Mapping[str, float]] = {"daily_loss_limit_pct": 0.1}
"""Percentages below which a fraction was probably meant; of all other keys 1."""


def refused(parameters: StrategyParameters) -> str | None:
    """Return why no bot may run with these settings; None = one may."""
    stop = -parameters.risk_management.emergency_stop_loss
    spread = min(USUAL_SPREAD_BPS, float(parameters.funding_rate_strategy.max_spread_bps)) * float(BPS)
    cost = ROUND_TRIP_FEES + spread
    if stop >= cost:
        return None
    return (
        f"risk_management.emergency_stop_loss_pct is {_percent(-stop)}, in percent: a round trip costs "
        f"{_percent(ROUND_TRIP_FEES)} in fees and up to {_percent(spread)} in spread, so every position would be "
        f"stopped at once; allowed: {_percent(-cost)} or lower"
    )


def losing(parameters: StrategyParameters) -> tuple[str, ...]:
    """Return one line for each setting that loses money, contradicts another, or is a fraction instead of a percentage.

    What the guide's own defaults lose is in docs/guide.md, and is not repeated here.
    """
    found = (
        *_fractions(parameters),
        _stop(parameters),
        _apr_below_fees(parameters),
        _covered_too_early(parameters),
        _never_paid(parameters),
        _leaves_at_once(parameters),
        _nothing_fits(parameters),
        _one_above_all(parameters),
        _more_than_all(parameters),
        _too_many(parameters),
    )
    return tuple(line for line in found if line is not None)


def _fractions(parameters: StrategyParameters) -> tuple[str, ...]:
    lines: list[str] = []
    for row in SETTINGS:
        value = row.shown(parameters)
        if row.is_percent and value is not None and 0 < abs(float(value)) < LEAST_PERCENT.get(row.key, 1):
            shown, meant = f"{value:.6g}", f"{float(value) * 100:g}"
            lines.append(f"{row.key} is {shown}: that is {shown} percent; if {meant} percent is meant, write {meant}")
    return tuple(lines)


def _stop(parameters: StrategyParameters) -> str | None:
    stop, funding = parameters.risk_management.emergency_stop_loss, parameters.funding_rate_strategy
    allowed = (float(bound) for bound in (funding.max_spread_bps, funding.max_entry_discount_bps))
    spread = sum(max(bound, 0.0) for bound in allowed if bound < FILTER_OFF_BPS) * float(BPS)
    cost = ROUND_TRIP_FEES + spread
    if -stop >= cost:
        return None
    return (
        f"emergency_stop_loss_pct is {_percent(stop)}: an opening at the limits allowed costs {_percent(cost)} "
        f"(fees {_percent(ROUND_TRIP_FEES)}, spread and discount {_percent(spread)}), which alone hits the stop"
    )


def _apr_below_fees(parameters: StrategyParameters) -> str | None:
    apr, hours = parameters.funding_rate_strategy.min_funding_apr, parameters.position_management.max_position_age_hours
    defaults = _DEFAULTS.funding_rate_strategy.min_funding_apr, _DEFAULTS.position_management.max_position_age_hours
    needed = ROUND_TRIP_FEES * HOURS_A_YEAR / hours
    if apr >= needed or not apr or (apr, hours) == defaults:
        return None  # 0 switches the filter off
    earned = apr * hours / HOURS_A_YEAR
    return (
        f"min_funding_apr is {_percent(apr)}: within max_position_age_hours ({hours:g}) it pays {_percent(earned)} %, "
        f"a round trip costs {_percent(ROUND_TRIP_FEES)} %; {needed * 100:.4g} or more breaks even"
    )


def _covered_too_early(parameters: StrategyParameters) -> str | None:
    multiplier = parameters.position_management.fee_coverage_multiplier
    if multiplier >= 1:
        return None
    return f"fee_coverage_multiplier is {multiplier:g}: below 1 positions are closed before they have paid their fees"


def _never_paid(parameters: StrategyParameters) -> str | None:
    hours = parameters.position_management.max_position_age_hours
    if hours >= SHORTEST_INTERVAL_HOURS:
        return None
    return f"max_position_age_hours is {hours:g}: no pair pays funding more often than hourly; fees buy nothing"


def _leaves_at_once(parameters: StrategyParameters) -> str | None:
    funding = parameters.funding_rate_strategy
    if funding.exit_funding_apr <= funding.min_funding_apr:
        return None
    return (
        f"exit_funding_apr is {_percent(funding.exit_funding_apr)}: above min_funding_apr "
        f"({_percent(funding.min_funding_apr)}), so positions are opened that the next check closes"
    )


def _nothing_fits(parameters: StrategyParameters) -> str | None:
    funding = parameters.funding_rate_strategy
    if funding.max_entry_premium_bps >= -funding.max_entry_discount_bps:
        return None
    return (
        f"max_entry_premium_bps is {funding.max_entry_premium_bps}: max_entry_discount_bps asks for a premium of at "
        f"least {-funding.max_entry_discount_bps}, so nothing can be opened"
    )


def _one_above_all(parameters: StrategyParameters) -> str | None:
    capital = parameters.capital_management
    one, together = capital.max_position_usd, capital.max_capital_usd
    if one is None or together is None or one <= together:
        return None
    return (
        f"max_position_usd is {plain(one)}: max_capital_usd ({plain(together)}) of all together is less: it limits none"
    )


def _more_than_all(parameters: StrategyParameters) -> str | None:
    most, share = parameters.position_management.max_positions, parameters.capital_management.max_position_equity
    if share is None or most * share <= 1:
        return None
    return (
        f"max_position_equity_pct is {_percent(float(share))}: max_positions ({most}) of it are "
        f"{_percent(float(most * share))} percent of the equity; {_percent(1 / most)} or less keeps a part for each"
    )


def _too_many(parameters: StrategyParameters) -> str | None:
    most, capital = parameters.position_management.max_positions, parameters.capital_management
    together, least = capital.max_capital_usd, capital.min_capital_usd
    if most <= 1 or together is None or most * least <= together:
        return None
    return (
        f"max_positions is {most}: with min_capital_usd ({plain(least)}) for each they need {plain(most * least)}, and "
        f"max_capital_usd is {plain(together)}, so at most {int(together / least)} are held"
    )


def _percent(fraction: float) -> str:
    return f"{fraction * 100:.6g}"
