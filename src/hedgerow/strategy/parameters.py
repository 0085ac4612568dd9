"""Every setting of the strategy, declared once: name, range, unit, meaning and default; one immutable value of them.

The numbers of a declaration are in the file's unit, the default and the field's value in the field's: APRs and limits
that are percent in the file are fractions here (15 % is 0.15).
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Struct

from hedgerow.domain.execution import ExecutionLimits
from hedgerow.domain.money import ZERO
from hedgerow.domain.settings.declaration import Setting, Unit
from hedgerow.domain.settings.rows import check_ranges

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

    capital_fraction: Annotated[
        Decimal, Setting(text="part of the smaller wallet used per leg", gt=0, le=1, in_guide=True)
    ] = Decimal("0.95")
    """After rebalancing."""
    min_capital_usd: Annotated[
        Decimal, Setting(text="nothing is opened with less, both legs together", ge=0, le=10**9, unit=Unit.USDT)
    ] = Decimal(50)
    max_capital_usd: Annotated[
        Decimal | None, Setting(text="most that is used, both legs together", gt=0, le=10**9, unit=Unit.USDT)
    ] = None
    """Of all hedges together; None = no limit."""
    max_position_usd: Annotated[
        Decimal | None, Setting(text="most for one position, both legs together", gt=0, le=10**9, unit=Unit.USDT)
    ] = None
    """None = no limit."""
    max_position_equity: Annotated[
        Decimal | None,
        Setting(
            text="most for one position, both legs together, {unit} of the equity",
            gt=0,
            le=100,
            unit=Unit.PERCENT,
            key="max_position_equity_pct",
        ),
    ] = None
    """A fraction here; None = no limit."""
    max_position_depth: Annotated[
        Decimal | None,
        Setting(
            text="most for one leg, {unit} of what the thinner book shows within the price cap",
            gt=0,
            le=100,
            unit=Unit.PERCENT,
            key="max_position_depth_pct",
        ),
    ] = None
    """A fraction here; None = a pair whose books show less than the whole leg is not opened."""
    max_position_open_interest: Annotated[
        Decimal | None,
        Setting(
            text="most for one leg, {unit} of what is held open of the perpetual",
            gt=0,
            le=100,
            unit=Unit.PERCENT,
            key="max_position_open_interest_pct",
        ),
    ] = None
    """A fraction here; None = no limit, and it is not asked for."""
    reserve_usd: Annotated[
        Decimal, Setting(text="no position is opened with this part of both wallets", ge=0, le=10**9, unit=Unit.USDT)
    ] = ZERO
    """It stays for margin."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.max_capital_usd is not None and self.max_capital_usd < self.min_capital_usd:
            raise ValueError("max_capital_usd is at least the minimum")
        if self.max_position_usd is not None and self.max_position_usd < self.min_capital_usd:
            raise ValueError("max_position_usd is at least min_capital_usd, or nothing could be opened")


class FundingRateStrategy(Struct, frozen=True, kw_only=True):
    """What makes a pair attractive."""

    min_funding_apr: Annotated[
        float, Setting(text="least funding APR to open, {unit}", ge=0, le=10_000, unit=Unit.PERCENT, in_guide=True)
    ] = 0.15
    use_funding_ma: Annotated[
        bool,
        Setting(text="rank by the moving average of settled rates; false: by the predicted rate", in_guide=True),
    ] = True
    funding_ma_periods: Annotated[
        int, Setting(text="settled rates in the moving average; 1 to 50 is usual", ge=1, le=1000, in_guide=True)
    ] = 10
    min_volume_usd: Annotated[
        Decimal, Setting(text="least 24 h volume of the perpetual, {unit}", ge=0, le=10**12, unit=Unit.USDT)
    ] = Decimal(5_000_000)
    max_spread_bps: Annotated[
        Decimal, Setting(text="widest spot spread to open, {unit}", ge=0, le=10_000, unit=Unit.BASIS_POINTS)
    ] = Decimal(15)
    """From the middle of the book."""
    max_entry_discount_bps: Annotated[
        Decimal,
        Setting(
            text="how far the perpetual's bid may lie below the spot ask to open, {unit}",
            ge=-10_000,
            le=10_000,
            unit=Unit.BASIS_POINTS,
        ),
    ] = Decimal(15)
    max_entry_premium_bps: Annotated[
        Decimal,
        Setting(
            text="how far the perpetual's bid may lie above the spot ask to open, {unit}",
            ge=0,
            le=10_000,
            unit=Unit.BASIS_POINTS,
        ),
    ] = Decimal(200)
    """Beyond it the legs may not be one coin."""
    exit_funding_apr: Annotated[
        float,
        Setting(text="a held pair below this APR is closed, {unit}", ge=-10_000, le=10_000, unit=Unit.PERCENT),
    ] = 0.0

    def __post_init__(self) -> None:
        check_ranges(self)


class PositionManagement(Struct, frozen=True, kw_only=True):
    """How long a pair is held."""

    fee_coverage_multiplier: Annotated[
        float, Setting(text="close once funding is this many times all fees", gt=0, le=1000, in_guide=True)
    ] = 1.5
    max_position_age_hours: Annotated[
        float, Setting(text="close after this time, {unit}", gt=0, le=87_600, unit=Unit.HOURS, in_guide=True)
    ] = 24.0
    loop_interval_seconds: Annotated[
        float,
        Setting(text="time between checks, {unit}; 60 or more", ge=1, le=86_400, unit=Unit.SECONDS, in_guide=True),
    ] = 300.0
    better_opportunity_apr: Annotated[
        float,
        Setting(
            text="move when another pair offers this many APR points more",
            ge=0,
            le=10_000,
            unit=Unit.PERCENT,
            key="better_opportunity_apr_points",
        ),
    ] = 0.10
    """A fraction here."""
    better_opportunity_min_hours: Annotated[
        float, Setting(text="hold at least this long before moving, {unit}", ge=0, le=87_600, unit=Unit.HOURS)
    ] = 4.0
    same_pair: Annotated[
        SamePair, Setting(text="fees covered and still the best pair: close, or roll without orders")
    ] = SamePair.CLOSE
    adopt: Annotated[AdoptMode, Setting(text="take over a balanced position found on the exchange, or never")] = (
        AdoptMode.BALANCED
    )
    max_positions: Annotated[int, Setting(text="positions held at one time, each of another pair", ge=1, le=20)] = 1
    max_exit_cost_bps: Annotated[
        Decimal,
        Setting(
            text="most that prices may cost to close, {unit} of one leg; else it waits, 8 h at most",
            gt=0,
            le=10_000,
            unit=Unit.BASIS_POINTS,
        ),
    ] = Decimal(50)
    """Exits that are not urgent wait while closing costs more."""

    def __post_init__(self) -> None:
        check_ranges(self)


class RiskManagement(Struct, frozen=True, kw_only=True):
    """When to leave at any price."""

    emergency_stop_loss: Annotated[
        float,
        Setting(
            text="close when PnL falls below this, {unit} of one leg at entry",
            ge=-100,
            lt=0,
            unit=Unit.PERCENT,
            key="emergency_stop_loss_pct",
            in_guide=True,
        ),
    ] = -0.10
    """Of the entry notional."""
    stop_on: Annotated[StopOn, Setting(text="PnL that the stop watches: of the pair, or of the short alone")] = (
        StopOn.PAIR
    )
    after_emergency: Annotated[
        AfterEmergency,
        Setting(text="emergency stop, liquidation, lost leg: halt openings, or rest the pair"),
    ] = AfterEmergency.HALT
    daily_loss_limit_usd: Annotated[
        Decimal | None,
        Setting(text="openings halt when a UTC day loses more", gt=0, le=10**9, unit=Unit.USDT),
    ] = None
    """None = no such limit."""
    daily_loss_limit: Annotated[
        Decimal | None,
        Setting(
            text="the same, {unit} of the equity at the day's first check",
            gt=0,
            le=100,
            unit=Unit.PERCENT,
            key="daily_loss_limit_pct",
        ),
    ] = None
    """Of two limits the lower one counts."""
    daily_loss_action: Annotated[
        DailyLossAction, Setting(text="what the limit does: halt openings, or close as well")
    ] = DailyLossAction.HALT

    def __post_init__(self) -> None:
        check_ranges(self)


class StrategyParameters(Struct, frozen=True, kw_only=True):
    """All sections; the defaults are the guide's, or where it has none, those of the configuration contract."""

    capital_management: CapitalManagement = CapitalManagement()
    funding_rate_strategy: FundingRateStrategy = FundingRateStrategy()
    position_management: PositionManagement = PositionManagement()
    risk_management: RiskManagement = RiskManagement()
    execution: ExecutionLimits = ExecutionLimits()
    policy: Annotated[str, Setting(text="the rules that decide", is_class=True)] = "volume_farming"
    policy_settings: Mapping[str, PolicyValue] = msgspec.field(default_factory=dict[str, PolicyValue])
    """What the configuration says to the policy; the policy's class declares what is allowed."""
