"""What to do about the held hedge. Safety exits first, on whatever could be seen; the rest on all of it."""

from decimal import Decimal

from msgspec import Struct

from hedgerow.domain.account import AccountView
from hedgerow.domain.execution import ExecutionPlan
from hedgerow.domain.instrument import Market, TradingStatus
from hedgerow.domain.ledger import Ledger
from hedgerow.domain.market import MarketView
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import HedgedPosition, Reason
from hedgerow.strategy import rules
from hedgerow.strategy.exits import SAFETY_ORDER, Exit, ExitCode, emergency, evaluate
from hedgerow.strategy.health import REDUCE_DISTANCE, RESTORED_DISTANCE, health_of, legs_of, margin_wanted
from hedgerow.strategy.observation import (
    Close,
    Decision,
    Evaluation,
    FindingKind,
    HealthLevel,
    HealthReport,
    Hold,
    HoldReason,
    Observation,
    Reduce,
    Roll,
    TopUpMargin,
    Trim,
)
from hedgerow.strategy.policy import Policy
from hedgerow.strategy.ranking import Ranking
from hedgerow.strategy.rebalancing import reduction, top_up
from hedgerow.strategy.sizing import closing_plan, reducing_plan, trimming_plan

__all__ = ["closing_obstacle", "decide_held"]


class _Held(Struct, frozen=True, kw_only=True):
    """Everything known about the held hedge in this cycle."""

    hedge: HedgedPosition
    observation: Observation
    policy: Policy
    ranking: Ranking | None
    evaluation: Evaluation
    health: HealthReport
    dust: Decimal
    """Coins of the same kind that the ledger kept of earlier hedges."""

    @property
    def price(self) -> Decimal:
        """The coin's price now, or at entry when it cannot be seen."""
        return self.evaluation.spot_price or self.evaluation.perp_price or self.hedge.entry_price


def decide_held(observation: Observation, ledger: Ledger, policy: Policy) -> Decision:
    """Decide about the held hedge: emergency, health, then what the policy wants; else hold."""
    if ledger.execution is not None:
        return Hold(reason=HoldReason.EXECUTING, detail=ledger.execution.state.value)
    if ledger.hedge is None:
        return Hold(reason=HoldReason.NOTHING_HELD)
    held = _look(ledger.hedge, observation, policy, ledger.owned(ledger.hedge.pair.base) - ledger.hedge.spot_quantity)
    return _safety(held) or _repair(held) or _margin(held) or _reduce(held) or _profit(held)


def _look(hedge: HedgedPosition, observation: Observation, policy: Policy, dust: Decimal) -> _Held:
    market = observation.market
    ranking = policy.rank(market) if market else None
    signal = ranking.held_signal(hedge.symbol) if ranking else None
    evaluation = evaluate(hedge, observation, signal, policy.parameters.risk_management.stop_on)
    price = evaluation.spot_price or evaluation.perp_price
    return _Held(
        hedge=hedge,
        observation=observation,
        policy=policy,
        ranking=ranking,
        evaluation=evaluation,
        health=health_of(hedge, observation, price),
        dust=dust,
    )


def _safety(held: _Held) -> Decision | None:
    stop = emergency(held.evaluation, held.policy.parameters.risk_management)
    broken = held.health.level in {HealthLevel.CLOSE, HealthLevel.CRITICAL}
    code = rules.first_exit(SAFETY_ORDER, (False, stop, broken))
    if code == ExitCode.EMERGENCY:
        fraction = held.evaluation.stop_pnl or ZERO
        text = f"PnL ${fraction:.2f} on ${held.hedge.entry_notional:.2f} per leg"
        return _close(held, Exit(reason=Reason.EMERGENCY_STOP, detail=text), urgent=True)
    if code == ExitCode.HEALTH:
        leave = Exit(reason=_health_reason(held), detail=held.health.text)
        return _close(held, leave, urgent=True, confirm=not _is_urgent(held.health))
    return None


def _is_urgent(health: HealthReport) -> bool:
    # Liquidation does not wait for a second reading; balances and listings may lag, and do.
    return any(finding.kind is FindingKind.LIQUIDATION for finding in health.findings)


def _health_reason(held: _Held) -> Reason:
    health, kinds = held.health, {finding.kind for finding in held.health.findings}
    if FindingKind.LEG_GONE in kinds:
        taken = held.hedge.short <= 0 and held.hedge.closed_by_force
        return Reason.LIQUIDATED if taken else Reason.LEG_GONE
    if health.level is HealthLevel.CLOSE:
        return Reason.IMBALANCE
    return Reason.HEALTH


def _repair(held: _Held) -> Decision | None:
    market, quantity = held.health.trim_market, held.health.trim_quantity
    if market is None or quantity is None or not held.observation.complete:
        return None
    spot, perp = (quantity, ZERO) if market is Market.SPOT else (ZERO, quantity)
    return Trim(
        market=market,
        quantity=quantity,
        plan=trimming_plan(held.hedge.pair, spot=spot, perp=perp, price=held.price),
        detail=held.health.text,
        evaluation=held.evaluation,
        health=held.health,
    )


def _margin(held: _Held) -> Decision | None:
    account = held.observation.account
    wanted = margin_wanted(held.hedge, account) if account else None
    move = top_up(account, wanted) if account and wanted else None
    if move is None:
        return None
    text = f"liquidation is {held.health.liquidation_distance or 0.0:.1%} from the mark"
    return TopUpMargin(rebalance=move, detail=text, evaluation=held.evaluation, health=held.health)


def _reduce(held: _Held) -> Decision | None:
    """Close a part of both legs when liquidation is near and topping up could not keep it away."""
    account, distance = held.observation.account, held.health.liquidation_distance
    if account is None or distance is None or distance >= REDUCE_DISTANCE:
        return None
    hedge, legs, limits = held.hedge, legs_of(held.hedge, account), held.policy.parameters.execution
    quantity = reduction(
        hedge.pair,
        legs=min(legs.spot, legs.short),
        distance=distance,
        target=float(RESTORED_DISTANCE),
        price=held.price,
        cap_bps=limits.price_cap_bps,
    )
    if quantity is None:
        return None
    equity = account.spot_usdt + account.perp.margin_balance + legs.spot * held.price
    plan = reducing_plan(hedge, quantity, price=held.price, equity=equity, limits=limits)
    return Reduce(
        quantity=quantity,
        plan=plan,
        detail=f"liquidation is {distance:.1%} from the mark",
        evaluation=held.evaluation,
        health=held.health,
    )


def _profit(held: _Held) -> Decision:
    """Ask the policy, unless something could not be seen."""
    market, ranking = held.observation.market, held.ranking
    if market is None or ranking is None or not held.observation.complete:
        text = ", ".join(held.observation.missing)
        return Hold(reason=HoldReason.INCOMPLETE, detail=text, evaluation=held.evaluation, health=held.health)
    leave = held.policy.review(held.evaluation, ranking, market)
    if leave is None or _occupied(leave, held.observation.account):
        return Hold(reason=HoldReason.HEALTHY, evaluation=held.evaluation, health=held.health)
    if leave.roll:
        return Roll(reason=leave.reason, detail=leave.detail, evaluation=held.evaluation, health=held.health)
    return _close(held, leave)


def _occupied(leave: Exit, account: AccountView | None) -> bool:
    """Whether the pair decided for cannot be opened: the account holds a position there already."""
    return bool(leave.target and account and account.position_quantity(leave.target.symbol))


def _close(held: _Held, leave: Exit, *, urgent: bool = False, confirm: bool = False) -> Decision:
    observation = held.observation
    plan = closing_plan(
        held.hedge,
        observation.account,
        price=held.price,
        limits=held.policy.parameters.execution,
        interval_hours=held.evaluation.interval_hours,
        urgent=urgent,
        dust=held.dust,
    )
    obstacle = closing_obstacle(held.hedge, plan, observation.market)
    if obstacle:
        text = f"{leave.reason.value}: {leave.detail}; {obstacle}"
        return Hold(reason=HoldReason.CANNOT_TRADE, detail=text, evaluation=held.evaluation, health=held.health)
    if plan.spot_quantity <= 0 and plan.perp_quantity <= 0:
        return Hold(reason=HoldReason.NOTHING_LEFT, detail=leave.detail, evaluation=held.evaluation, health=held.health)
    missing = ", ".join((*observation.missing, *held.evaluation.unseen))
    return Close(
        reason=leave.reason,
        plan=plan,
        detail=f"{leave.detail} (could not see: {missing})" if missing else leave.detail,
        target=leave.target,
        confirm=confirm,
        reopening_cost=held.evaluation.total_fees if leave.still_best else None,
        evaluation=held.evaluation,
        health=held.health,
    )


def closing_obstacle(hedge: HedgedPosition, plan: ExecutionPlan, market: MarketView | None) -> str | None:
    """Return why selling the coins now would leave the short naked: the perpetual takes no orders; None = go on."""
    if market is None or plan.spot_quantity <= 0 or plan.perp_quantity <= 0:
        return None
    pair = market.pair(hedge.symbol)
    if pair is None:
        return f"{hedge.symbol} is not listed on both markets: the hedge stays whole until it can be traded"
    if pair.perp.status in {TradingStatus.CLOSED, TradingStatus.PENDING}:
        return f"the perpetual is {pair.perp.status}: the hedge stays whole until both legs can be traded"
    return None
