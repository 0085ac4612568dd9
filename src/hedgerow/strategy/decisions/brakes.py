"""After which incidents nothing may be opened until an operator resumes."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.events import HaltReason
from hedgerow.domain.formats import log_money
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO
from hedgerow.strategy.observation import HaltOpenings
from hedgerow.strategy.parameters import AfterEmergency, RiskManagement

__all__ = ["brake_of", "is_halted_for", "unexplained_loss"]

LEAST_LOSS: Final = Decimal(1)
"""Quote units; a smaller difference of the books is said, and halts nothing."""
LEAST_LOSS_FRACTION: Final = Decimal("0.001")
"""The same as a fraction of the equity; the larger one counts."""
_ADVICE: Final = {
    HaltReason.EMERGENCY: "see what it lost by `hedgerow books`, then `hedgerow resume`",
    HaltReason.LIQUIDATION: "see the margin and what is left on the exchange, then `hedgerow resume`",
    HaltReason.LEG_GONE: "see on the exchange who took it, then `hedgerow resume`",
    HaltReason.REPEATED_HEALTH_EXITS: "see in the log what was wrong each time, then `hedgerow resume`",
    HaltReason.UNEXPLAINED_LOSS: "`hedgerow books` names what only one side has; then `hedgerow resume`",
}

_AS_GOOD: Final = frozenset({*_ADVICE, HaltReason.ANOTHER_BOT})
"""Halts that no incident takes the place of; another bot on the account explains what is missing."""
_ALWAYS: Final = frozenset({HaltReason.UNEXPLAINED_LOSS, HaltReason.REPEATED_HEALTH_EXITS})
"""Halts that resting pairs are no substitute for: what is wrong is not of one pair."""


def brake_of(ledger: Ledger, risk: RiskManagement) -> HaltOpenings | None:
    """Return the halt that the last incident asks for; None when there was none, or its pair rests instead."""
    incident = ledger.incident
    if incident is None:
        return None
    if incident.reason not in _ALWAYS and risk.after_emergency is AfterEmergency.REST:
        return None
    text = f"{incident.symbol} at {incident.at:%Y-%m-%d %H:%M:%S} UTC, {incident.detail}"
    return HaltOpenings(reason=incident.reason, detail=f"{text}: {_ADVICE[incident.reason]}")


def is_halted_for(ledger: Ledger, halt: HaltOpenings) -> bool:
    """Return whether the halt in force is as good as another one: that one need not be recorded.

    A person who lifts a halt looks at the reason that it names. So an incident takes the place of a halt that was asked
    for by hand, or that has a smaller cause; what lifts itself stands for nothing but itself.
    """
    present = ledger.halt
    if present is None:
        return False
    if present.reason is halt.reason:
        return True
    return not present.lifts_itself and (halt.reason not in _ADVICE or present.reason in _AS_GOOD)


def unexplained_loss(
    differences: Mapping[str, Decimal],
    prices: Mapping[str, Decimal],
    equity: Decimal | None,
    accepted: Decimal = ZERO,
) -> HaltOpenings | None:
    """Return the halt that missing money asks for, or None.

    ``differences`` are venue minus books by ``wallet:asset``; ``prices`` value the coins of the ledger, by asset, and
    what has no price there is not the bot's money. ``accepted`` is missing, and a person has seen it.
    """
    lost = ZERO
    for key, difference in differences.items():
        asset = key.partition(":")[2]
        lost -= difference * (prices.get(asset, ZERO) if asset != QUOTE_ASSET else Decimal(1))
    if lost - accepted <= max(LEAST_LOSS, (equity or ZERO) * LEAST_LOSS_FRACTION):
        return None
    text = f"the exchange shows {log_money(lost)} less than the books, and its statement does not say why"
    detail = f"{text}: {_ADVICE[HaltReason.UNEXPLAINED_LOSS]}"
    return HaltOpenings(reason=HaltReason.UNEXPLAINED_LOSS, detail=detail, amount=lost)
