"""The daily loss limit: what a UTC day has lost, and how much it may. Deposits and withdrawals are in neither."""

from datetime import UTC, datetime
from decimal import Decimal

from hedgerow.domain.ledger.state import Ledger, TradingDay
from hedgerow.domain.money import ZERO
from hedgerow.strategy.evaluation.exits import evaluate
from hedgerow.strategy.observation import Observation
from hedgerow.strategy.parameters import RiskManagement

__all__ = ["day_is_over", "loss_limit", "loss_of", "result_of"]


def result_of(ledger: Ledger, observation: Observation) -> Decimal | None:
    """Return what the strategy has made, ended hedges and open ones, in quote units; None without all their prices."""
    result = ledger.totals.net_profit
    for hedge in ledger.open_hedges:
        open_pnl = evaluate(hedge, observation, None).unrealized_pnl
        if open_pnl is None:
            return None
        result += open_pnl
    return result


def day_is_over(day: TradingDay, at: datetime) -> bool:
    """Return whether a new UTC day has begun since."""
    return at.astimezone(UTC).date() > day.begun_at.astimezone(UTC).date()


def loss_of(day: TradingDay, result: Decimal) -> Decimal:
    """Return what was lost since the count began, quote units; zero for a gain."""
    return max(ZERO, day.result - result)


def loss_limit(day: TradingDay, risk: RiskManagement) -> Decimal | None:
    """Return the lower one of the limits set, quote units; None = there is no limit."""
    share = risk.daily_loss_limit
    limits = (risk.daily_loss_limit_usd, None if share is None else max(ZERO, day.equity * share))
    return min((limit for limit in limits if limit is not None), default=None)
