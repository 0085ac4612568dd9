"""Grades of health: levels, findings, and their report."""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from hedgerow.domain.instrument import Market

__all__ = ["FindingKind", "HealthFinding", "HealthLevel", "HealthReport"]


class HealthLevel(StrEnum):
    """Grade of a hedge."""

    OK = "ok"
    REPAIR = "repair"
    CLOSE = "close"
    CRITICAL = "critical"


class FindingKind(StrEnum):
    """What is wrong with a hedge."""

    IMBALANCE = "imbalance"
    LEG_GONE = "leg gone"
    LIQUIDATION = "liquidation distance"
    LEVERAGE = "leverage"
    NOT_TRADING = "not trading"


class HealthFinding(Struct, frozen=True, kw_only=True):
    """One thing wrong with a hedge."""

    kind: FindingKind
    text: str


class HealthReport(Struct, frozen=True, kw_only=True):
    """State of a hedge as far as it could be seen."""

    level: HealthLevel
    findings: tuple[HealthFinding, ...] = ()
    unknown: tuple[str, ...] = ()
    """What could not be judged; never healthy, and never a reason to trade."""
    imbalance: float | None = None
    """(spot - short) / larger leg."""
    liquidation_distance: float | None = None
    """Fraction of the mark; None when unknown or out of reach."""
    trim_market: Market | None = None
    """The leg to trim, when the level is REPAIR."""
    trim_quantity: Decimal | None = None

    @property
    def healthy(self) -> bool:
        """Whether everything was seen and nothing is wrong."""
        return self.level is HealthLevel.OK and not self.unknown

    @property
    def text(self) -> str:
        """All findings in one line."""
        return "; ".join(finding.text for finding in self.findings)
