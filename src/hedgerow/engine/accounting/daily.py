"""The daily loss limit: counts each UTC day's loss from the log, and halts openings at the limit."""

from hedgerow.domain import events as ev
from hedgerow.domain.events import HaltReason
from hedgerow.domain.formats import log_money
from hedgerow.engine.accounting.equity import equity_of
from hedgerow.engine.in_force import PolicyInForce
from hedgerow.engine.journal import Journal
from hedgerow.strategy.evaluation.daily_loss import day_is_over, loss_limit, loss_of, result_of
from hedgerow.strategy.observation import Observation
from hedgerow.strategy.parameters import DailyLossAction, RiskManagement

__all__ = ["DailyLoss"]


class DailyLoss:
    """Holds nothing: where the day began is in the log, and so is the halt."""

    def __init__(self, journal: Journal, in_force: PolicyInForce) -> None:
        self._journal = journal
        self._in_force = in_force

    @property
    def _risk(self) -> RiskManagement:
        return self._in_force.policy.parameters.risk_management

    async def check(self, observation: Observation) -> None:
        """Begin a new day, or halt openings; what cannot be valued now is judged at the next check."""
        if self._risk.daily_loss_limit_usd is None and self._risk.daily_loss_limit is None:
            return
        ledger = self._journal.ledger
        day, result = ledger.day, result_of(ledger, observation)
        if result is None:
            return
        if day is None or day_is_over(day, observation.at):
            equity = equity_of(ledger, observation.account, observation.market)
            if equity is not None:
                await self._journal.record(ev.DayOpened(at=observation.at, result=result, equity=equity))
            return
        loss, limit = loss_of(day, result), loss_limit(day, self._risk)
        if limit is not None and loss > limit and ledger.standing_halt is None:
            text = f"{log_money(loss)} lost since {day.begun_at:%Y-%m-%d %H:%M} UTC, the limit is {log_money(limit)}"
            await self._journal.record(ev.Halted(at=observation.at, reason=HaltReason.DAILY_LOSS, detail=text))

    @property
    def wants_out(self) -> bool:
        """Whether what is held is to be closed because of the limit."""
        ledger = self._journal.ledger
        reached = ledger.halt is not None and ledger.halt.reason is HaltReason.DAILY_LOSS
        return reached and bool(ledger.open_hedges) and self._risk.daily_loss_action is DailyLossAction.CLOSE
