"""Every threshold of the strategy as one immutable value, decoded from the configuration.

Ratios, APRs and limits are fractions here (15 % is 0.15); percent exists only in the file and on screens.
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from hedgerow.domain.execution import ExecutionLimits
from hedgerow.domain.money import ONE, ZERO

__all__ = [
    "LEVERAGE",
    "AdoptMode",
    "AfterEmergency",
    "CapitalManagement",
    "DailyLossAction",
    "FundingRateStrategy",
    "PolicyValue",
    "PositionManagement",
    "RiskManagement",
    "SamePair",
    "StopOn",
    "StrategyParameters",
]

LEVERAGE: Final = 1
"""Leverage of every short: set and verified before it is opened."""

PolicyValue: TypeAlias = bool | int | float | Decimal | str | None
"""What a key of a policy's own settings may hold."""


def _require(*, ok: bool, what: str) -> None:
    if not ok:
        raise ValueError(what)


class SamePair(StrEnum):
    """What happens when fees are covered and the held pair is still the best."""

    CLOSE = "close"
    """Close, as the guide does; the next cycle may open it again."""
    ROLL = "roll"
    """Send no orders; the counters restart."""


class AdoptMode(StrEnum):
    """Whether a position found on the venue becomes the bot's by itself."""

    BALANCED = "balanced"
    NEVER = "never"


class StopOn(StrEnum):
    """Which number the emergency stop watches."""

    PAIR = "pair"
    """PnL of both legs with funding and fees: the number in the log."""
    PERP_LEG = "perp_leg"
    """PnL of the short alone, price only: the guide read literally."""


class DailyLossAction(StrEnum):
    """What follows when a UTC day has lost more than its limit."""

    HALT = "halt"
    """Nothing is opened until resumed; what is held stays under its own rules."""
    CLOSE = "close"
    """What is held is closed as well."""


class AfterEmergency(StrEnum):
    """What follows an emergency stop, a liquidation or a leg that was lost."""

    HALT = "halt"
    """Nothing is opened until a person resumes."""
    REST = "rest"
    """The pair is left alone, longer after each time; other pairs may be opened."""


class CapitalManagement(Struct, frozen=True, kw_only=True):
    """How much money is used."""

    capital_fraction: Decimal = Decimal("0.95")
    """Part of the smaller wallet used per leg, after rebalancing; in (0, 1]."""
    min_capital_usd: Decimal = Decimal(50)
    """Both legs together; nothing is opened with less."""
    max_capital_usd: Decimal | None = None
    """Both legs together; None = no limit."""

    def __post_init__(self) -> None:
        _require(ok=ZERO < self.capital_fraction <= ONE, what="capital_fraction is in (0, 1]")
        _require(ok=self.min_capital_usd >= 0, what="min_capital_usd is not negative")
        maximum = self.max_capital_usd
        _require(ok=maximum is None or maximum >= self.min_capital_usd, what="max_capital_usd is at least the minimum")


class FundingRateStrategy(Struct, frozen=True, kw_only=True):
    """What makes a pair attractive."""

    min_funding_apr: float = 0.15
    use_funding_ma: bool = True
    """False: the predicted rate alone is the signal."""
    funding_ma_periods: int = 10
    """Settled rates in the moving average."""
    min_volume_usd: Decimal = Decimal(5_000_000)
    """24 h quote volume of the perpetual."""
    max_spread_bps: Decimal = Decimal(15)
    """Of the spot book, from its middle."""
    max_entry_discount_bps: Decimal = Decimal(15)
    """How far the perpetual's bid may lie below the spot ask."""
    max_entry_premium_bps: Decimal = Decimal(200)
    """How far the perpetual's bid may lie above the spot ask: beyond it the legs may not be one coin."""
    exit_funding_apr: float = 0.0
    """A held pair whose signal is below this is closed."""

    def __post_init__(self) -> None:
        _require(ok=self.funding_ma_periods >= 1, what="funding_ma_periods is at least 1")
        _require(ok=self.min_volume_usd >= 0, what="min_volume_usd is not negative")
        _require(ok=self.max_spread_bps >= 0, what="max_spread_bps is not negative")
        _require(ok=self.max_entry_premium_bps >= 0, what="max_entry_premium_bps is not negative")


class PositionManagement(Struct, frozen=True, kw_only=True):
    """How long a pair is held."""

    fee_coverage_multiplier: float = 1.5
    max_position_age_hours: float = 24.0
    loop_interval_seconds: float = 300.0
    better_opportunity_apr: float = 0.10
    """Least gain in APR, as a fraction, that another pair must offer."""
    better_opportunity_min_hours: float = 4.0
    same_pair: SamePair = SamePair.CLOSE
    adopt: AdoptMode = AdoptMode.BALANCED
    max_exit_cost_bps: Decimal = Decimal(50)
    """Most that closing may cost in prices, of one leg: while it costs more, exits that are not urgent wait."""

    def __post_init__(self) -> None:
        _require(ok=self.fee_coverage_multiplier > 0, what="fee_coverage_multiplier is positive")
        _require(ok=self.max_position_age_hours > 0, what="max_position_age_hours is positive")
        _require(ok=self.loop_interval_seconds >= 1, what="loop_interval_seconds is at least 1")
        _require(ok=self.better_opportunity_min_hours >= 0, what="better_opportunity_min_hours is not negative")
        _require(ok=self.max_exit_cost_bps > 0, what="max_exit_cost_bps is positive")


class RiskManagement(Struct, frozen=True, kw_only=True):
    """When to leave at any price."""

    emergency_stop_loss: float = -0.10
    """Fraction of the entry notional of one leg; negative."""
    stop_on: StopOn = StopOn.PAIR
    after_emergency: AfterEmergency = AfterEmergency.HALT
    daily_loss_limit_usd: Decimal | None = None
    """Most that a UTC day may lose, quote units; None = no such limit."""
    daily_loss_limit: Decimal | None = None
    """The same as a fraction of the equity at the day's first check; of two limits the lower one counts."""
    daily_loss_action: DailyLossAction = DailyLossAction.HALT

    def __post_init__(self) -> None:
        _require(ok=self.emergency_stop_loss < 0, what="emergency_stop_loss is negative")
        for limit in (self.daily_loss_limit_usd, self.daily_loss_limit):
            _require(ok=limit is None or limit > 0, what="a daily loss limit is positive")


class StrategyParameters(Struct, frozen=True, kw_only=True):
    """All groups; the defaults are the guide's, or where it has none, those of the configuration contract."""

    capital_management: CapitalManagement = CapitalManagement()
    funding_rate_strategy: FundingRateStrategy = FundingRateStrategy()
    position_management: PositionManagement = PositionManagement()
    risk_management: RiskManagement = RiskManagement()
    execution: ExecutionLimits = ExecutionLimits()
    policy: str = "volume_farming"
    """Name of a policy of the house, or the dotted path of a class."""
    policy_settings: Mapping[str, PolicyValue] = msgspec.field(default_factory=dict[str, PolicyValue])
    """What the configuration says to the policy; the policy's class declares what is allowed."""
