"""Presets: whole configurations to begin with, each one value, with the reason of every setting that differs.

What a preset earned and cost is measured, never stated here: docs/presets.md has the figures and the commands.
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from hedgerow.config.table import config_table, default_config_text
from hedgerow.domain.settings.rows import FileValue
from hedgerow.strategy.parameters import (
    CapitalManagement,
    FundingRateStrategy,
    PositionManagement,
    RiskManagement,
    SamePair,
    StrategyParameters,
)

__all__ = ["PRESETS", "Preset", "PresetName", "preset_of", "preset_text"]


class PresetName(StrEnum):
    """The presets there are."""

    GUIDE = "guide"
    PATIENT = "patient"
    CAUTIOUS = "cautious"


class Preset(Struct, frozen=True, kw_only=True):
    """A configuration under a name."""

    name: PresetName
    what: str
    """What it is, in one line."""
    what_not: str
    """What it must not be taken for, in one line."""
    parameters: StrategyParameters
    reasons: Mapping[str, str]
    """Why each setting differs from the guide's, by its full name."""

    @property
    def measured_by(self) -> str:
        """The command that prints what it earned and cost on a generated market."""
        return f"hedgerow demo --preset {self.name}"


_PATIENT: Final = StrategyParameters(
    funding_rate_strategy=FundingRateStrategy(min_funding_apr=0.10, funding_ma_periods=50, exit_funding_apr=0.08),
    position_management=PositionManagement(
        fee_coverage_multiplier=1000.0,
        max_position_age_hours=87_600.0,
        better_opportunity_apr=0.10,
        same_pair=SamePair.ROLL,
    ),
)
_CAUTIOUS: Final = replace(
    _PATIENT,
    capital_management=CapitalManagement(capital_fraction=Decimal("0.5"), max_capital_usd=Decimal(200)),
    funding_rate_strategy=replace(
        _PATIENT.funding_rate_strategy, min_volume_usd=Decimal(50_000_000), max_spread_bps=Decimal(5)
    ),
    position_management=replace(_PATIENT.position_management, better_opportunity_min_hours=168.0),
    risk_management=RiskManagement(emergency_stop_loss=-0.05, daily_loss_limit_usd=Decimal(2)),
)
_REASONS: Final = {
    "funding_rate_strategy.min_funding_apr": (
        "below the 10.95 % that a perpetual at its resting rate (0.01 % per 8 h) pays, so that such a pair is held"
    ),
    "funding_rate_strategy.funding_ma_periods": (
        "about 17 days of an 8-hour pair: a spike of a day decides neither an opening nor a move"
    ),
    "funding_rate_strategy.exit_funding_apr": (
        "leave when the average has fallen below the resting rate; 2 points under the entry, so that the two do not "
        "take turns"
    ),
    "position_management.fee_coverage_multiplier": (
        "the highest allowed: fees already paid are no reason to leave a pair that pays"
    ),
    "position_management.max_position_age_hours": "ten years: age is no reason to leave a pair that pays",
    "position_management.same_pair": "where a rule for profit fires, no orders are sent to reopen the same pair",
}
"""The patient rules; all of them are the cautious preset's, too."""
_BRAKES: Final = {
    "capital_management.capital_fraction": (
        "half of the smaller wallet: the other half stands behind the short, which then bears a price that almost "
        "triples"
    ),
    "capital_management.max_capital_usd": (
        "$100 a leg: far above the exchange's minimum of $5, and a round trip costs $0.15 in fees"
    ),
    "funding_rate_strategy.min_volume_usd": (
        "ten times the guide's: what is traded this much is not delisted from one day to the next, and its mark is "
        "hard to push"
    ),
    "funding_rate_strategy.max_spread_bps": (
        "a third of the guide's: at 15 bp the spread alone would cost as much as all fees of a round trip"
    ),
    "position_management.better_opportunity_min_hours": (
        "a week: the first week shows one hedge, and costs one opening"
    ),
    "risk_management.emergency_stop_loss_pct": (
        "half of the guide's, $5 of a leg of $100: a basis that moves so far needs a person"
    ),
    "risk_management.daily_loss_limit_usd": (
        "1 % of the cap, more than ten times the fees of a round trip: openings halt until you have looked"
    ),
}
PRESETS: Final[Mapping[PresetName, Preset]] = {
    preset.name: preset
    for preset in (
        Preset(
            name=PresetName.GUIDE,
            what="the guide's defaults to the letter: holds a pair for about a day, for trading volume",
            what_not="not for earning: at real fees its day-trades cost more than funding usually pays",
            parameters=StrategyParameters(),
            reasons={},
        ),
        Preset(
            name=PresetName.PATIENT,
            what="the guide's rules with values that let a paying pair pay: few trades, weeks or months in one pair",
            what_not="not a promise: in a market that pays nothing it holds cash or loses fees; no cap of its own",
            parameters=_PATIENT,
            reasons=_REASONS,
        ),
        Preset(
            name=PresetName.CAUTIOUS,
            what="the patient rules for the first week with money: $200 at most, liquid pairs, earlier brakes",
            what_not="not an income: $200 earn cents a day; it shows that the bot does on your account what you expect",
            parameters=_CAUTIOUS,
            reasons=_REASONS | _BRAKES,
        ),
    )
}


def preset_of(parameters: StrategyParameters) -> PresetName | None:
    """Return the preset with exactly these parameters, wherever they were read from; None = settings of one's own."""
    return next((name for name, preset in PRESETS.items() if preset.parameters == parameters), None)


def preset_text(name: PresetName) -> str:
    """Return the preset as a configuration file: the guide's keys, and those that differ, with the reason."""
    preset = PRESETS[name]
    if name is PresetName.GUIDE:
        return default_config_text()
    sections: dict[str, dict[str, FileValue]] = {}
    for row in config_table():
        if not row.section or not (row.setting.in_guide or row.name in preset.reasons):
            continue
        section = sections.setdefault(row.section, {})
        if row.name in preset.reasons:
            section[f"_{row.key}"] = preset.reasons[row.name]
        section[row.key] = row.shown(preset.parameters)
    document = {
        "_preset": f"{name}: {preset.what}",
        "_not": preset.what_not,
        "_measured": f"docs/presets.md; {preset.measured_by}",
        "_about": "hedgerow config lists every key with its default and its range",
        **sections,
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"
