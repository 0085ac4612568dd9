"""The table of settings: section, key, type, allowed range and meaning.

Validation, ``hedgerow config``, the file that ``hedgerow init`` writes and the documentation all come from these rows;
the defaults are those of ``StrategyParameters``. Percent and APRs are percent in the file and fractions inside.
"""

from typing import Final

import msgspec

from hedgerow.config.setting import ConfigValue, Kind, Setting, amount, choice, number
from hedgerow.domain.execution import ExecutionStyle
from hedgerow.strategy.parameters import (
    AdoptMode,
    AfterEmergency,
    DailyLossAction,
    SamePair,
    StopOn,
    StrategyParameters,
)

__all__ = ["SETTINGS", "config_table", "default_config_text", "in_words", "render_config", "settings_in_words"]

_CAPITAL, _FUNDING, _POSITION = "capital_management", "funding_rate_strategy", "position_management"
_RISK, _EXECUTION = "risk_management", "execution"

SETTINGS: Final[tuple[Setting, ...]] = (
    amount(_CAPITAL, "capital_fraction", ">0", "1", "part of the smaller wallet used per leg", in_guide=True),
    amount(_CAPITAL, "min_capital_usd", "0", "1000000000", "nothing is opened with less, both legs together"),
    amount(_CAPITAL, "max_capital_usd", ">0", "1000000000", "most that is used, both legs together", optional=True),
    number(
        _FUNDING, "min_funding_apr", "0", "10000", "least funding APR to open, percent", percent=True, in_guide=True
    ),
    Setting(
        section=_FUNDING,
        key="use_funding_ma",
        kind=Kind.FLAG,
        meaning="rank by the moving average of settled rates; false: by the predicted rate",
        in_guide=True,
    ),
    number(
        _FUNDING,
        "funding_ma_periods",
        "1",
        "1000",
        "settled rates in the moving average; 1 to 50 is usual",
        kind=Kind.COUNT,
        in_guide=True,
    ),
    amount(_FUNDING, "min_volume_usd", "0", "1000000000000", "least 24 h volume of the perpetual, USDT"),
    amount(_FUNDING, "max_spread_bps", "0", "10000", "widest spot spread to open, basis points"),
    amount(
        _FUNDING,
        "max_entry_discount_bps",
        "-10000",
        "10000",
        "how far the perpetual's bid may lie below the spot ask to open, basis points",
    ),
    amount(
        _FUNDING,
        "max_entry_premium_bps",
        "0",
        "10000",
        "how far the perpetual's bid may lie above the spot ask to open, basis points",
    ),
    number(
        _FUNDING, "exit_funding_apr", "-10000", "10000", "a held pair below this APR is closed, percent", percent=True
    ),
    number(
        _POSITION,
        "fee_coverage_multiplier",
        ">0",
        "1000",
        "close once funding is this many times all fees",
        in_guide=True,
    ),
    number(_POSITION, "max_position_age_hours", ">0", "87600", "close after this time, hours", in_guide=True),
    number(_POSITION, "loop_interval_seconds", "1", "86400", "time between checks, seconds; 60 or more", in_guide=True),
    number(
        _POSITION,
        "better_opportunity_apr_points",
        "0",
        "10000",
        "move when another pair offers this many APR points more",
        percent=True,
        field="better_opportunity_apr",
    ),
    number(_POSITION, "better_opportunity_min_hours", "0", "87600", "hold at least this long before moving, hours"),
    choice(_POSITION, "same_pair", SamePair, "fees covered and still the best pair: close, or roll without orders"),
    choice(_POSITION, "adopt", AdoptMode, "take over a balanced position found on the exchange, or never"),
    amount(
        _POSITION,
        "max_exit_cost_bps",
        ">0",
        "10000",
        "most that prices may cost to close, basis points of one leg; else it waits, 8 h at most",
    ),
    number(
        _RISK,
        "emergency_stop_loss_pct",
        "-100",
        "<0",
        "close when PnL falls below this, percent of one leg at entry",
        percent=True,
        field="emergency_stop_loss",
        in_guide=True,
    ),
    choice(_RISK, "stop_on", StopOn, "PnL that the stop watches: of the pair, or of the short alone"),
    choice(
        _RISK,
        "after_emergency",
        AfterEmergency,
        "emergency stop, liquidation, lost leg: halt openings, or rest the pair",
    ),
    amount(_RISK, "daily_loss_limit_usd", ">0", "1000000000", "openings halt when a UTC day loses more", optional=True),
    amount(
        _RISK,
        "daily_loss_limit_pct",
        ">0",
        "100",
        "the same, percent of the equity at the day's first check",
        percent=True,
        field="daily_loss_limit",
        optional=True,
    ),
    choice(_RISK, "daily_loss_action", DailyLossAction, "what the limit does: halt openings, or close as well"),
    choice(
        _EXECUTION,
        "style",
        ExecutionStyle,
        "how the first leg is placed: taker = capped orders that fill or expire; maker = they rest first",
    ),
    number(_EXECUTION, "maker_timeout_seconds", "1", "600", "maker: a slice that rested for longer is taken, seconds"),
    amount(
        _EXECUTION, "max_order_usd", "20", "1000000000", "largest order, USDT; larger ones are split", optional=True
    ),
    amount(
        _EXECUTION,
        "max_resting_loss_usd",
        ">0",
        "1000000000",
        "maker: most that a resting spot order may lose while nobody is there, USDT; twice that may rest",
    ),
    amount(_EXECUTION, "price_cap_bps", ">0", "1000", "worst price accepted, basis points from the best one"),
    amount(_EXECUTION, "widen_after_2s_bps", "0", "1000", "added to the cap once a leg was naked for 2 s"),
    amount(_EXECUTION, "widen_after_5s_bps", "0", "1000", "added to the cap once a leg was naked for 5 s"),
    number(_EXECUTION, "flatten_after_seconds", ">0", "600", "then the open part is undone, not completed, seconds"),
    amount(_EXECUTION, "max_cap_bps", ">0", "2000", "widest cap ever used, basis points"),
    number(_EXECUTION, "max_naked_seconds", ">0", "600", "a leg naked for longer is reported, seconds"),
    amount(
        _EXECUTION,
        "max_naked_equity_fraction",
        ">0",
        "1",
        "most that may be unhedged, as a part of equity; twice the exchange's minimum always may",
    ),
    amount(_EXECUTION, "slice_depth_fraction", ">0", "1", "largest slice, as a part of the depth within the cap"),
    number(_EXECUTION, "book_stale_seconds", ">0", "60", "an older order book is not traded on, seconds"),
    number(
        _EXECUTION, "settlement_guard_seconds", "0", "3600", "no new slice this close to a settlement, seconds; 0 = off"
    ),
    Setting(section="", key="policy", kind=Kind.POLICY, meaning="the rules that decide"),
)


def config_table() -> tuple[Setting, ...]:
    """Return every setting, in the order of the file."""
    return SETTINGS


def render_config(parameters: StrategyParameters) -> dict[str, ConfigValue | dict[str, ConfigValue]]:
    """Return the file that would give ``parameters``: every key, in the file's units."""
    return _document(parameters, SETTINGS)


def in_words(value: object) -> str:
    """Return a value of the file as people read it."""
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def settings_in_words(parameters: StrategyParameters) -> dict[str, str]:
    """Return every setting by its full name."""
    return {row.name: in_words(row.shown(parameters)) for row in SETTINGS}


def default_config_text() -> str:
    """Return the file that a new user starts with: the guide's keys at the guide's defaults."""
    about = "hedgerow config lists every key with its default and its range"
    settings = [setting for setting in SETTINGS if setting.in_guide]
    document = {"_about": about, **_document(StrategyParameters(), settings)}
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _document(
    parameters: StrategyParameters, settings: "list[Setting] | tuple[Setting, ...]"
) -> dict[str, ConfigValue | dict[str, ConfigValue]]:
    document: dict[str, ConfigValue | dict[str, ConfigValue]] = {}
    for section in dict.fromkeys(setting.section for setting in settings):
        rows = {row.key: row.shown(parameters) for row in settings if row.section == section}
        document.update({section: rows} if section else rows)
    return document
