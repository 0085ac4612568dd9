"""From one observation to one decision. Safety exits first, on whatever could be seen; the rest on all of it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain, takewhile

from msgspec import Struct

from hedgerow.domain.account import AccountView
from hedgerow.domain.execution import ExecutionPlan
from hedgerow.domain.instrument import Market, TradingStatus
from hedgerow.domain.ledger import Ledger
from hedgerow.domain.market import Depth, MarketView
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
    Open,
    Opportunity,
    Reduce,
    Refusal,
    RefusalKind,
    Roll,
    TopUpMargin,
    Trim,
)
from hedgerow.strategy.policy import Policy
from hedgerow.strategy.ranking import Ranking
from hedgerow.strategy.rebalancing import reduction, top_up
from hedgerow.strategy.screening import basis_of, staleness_refusal
from hedgerow.strategy.sizing import closing_plan, funds_of, opening_plan, reducing_plan, trimming_plan

__all__ = ["closing_obstacle", "decide_held", "entry_refusals", "openings_blocked", "plan_opening", "shortlist"]

FIRST_REST = timedelta(hours=1)
LONGEST_REST = timedelta(days=1)
"""How long a pair rests after its opening was unwound, the first time and at most."""
SETTLEMENT_JITTER_SECONDS = 15.0
"""The venue may charge a settlement this far off its stamp (API reference 11)."""


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


# --- while a hedge is held -------------------------------------------------------------------------------------------


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
        leave = Exit(reason=_health_reason(held.health), detail=held.health.text)
        return _close(held, leave, urgent=True, confirm=not _is_urgent(held.health))
    return None


def _is_urgent(health: HealthReport) -> bool:
    # Liquidation does not wait for a second reading; balances and listings may lag, and do.
    return any(finding.kind is FindingKind.LIQUIDATION for finding in health.findings)


def _health_reason(health: HealthReport) -> Reason:
    kinds = {finding.kind for finding in health.findings}
    if FindingKind.LEG_GONE in kinds:
        return Reason.LEG_GONE
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


# --- while nothing is held -------------------------------------------------------------------------------------------


def openings_blocked(observation: Observation, ledger: Ledger, policy: Policy) -> Hold | None:
    """Return why nothing may be opened now, whatever the pair; None = openings are allowed."""
    if ledger.execution is not None or ledger.transfer is not None:
        return Hold(reason=HoldReason.EXECUTING, detail="a job or a transfer is not finished")
    if ledger.active is not None:
        return Hold(reason=HoldReason.HELD, detail=ledger.active.symbol)
    if ledger.halt is not None:
        return Hold(reason=HoldReason.HALTED, detail=ledger.halt.detail or ledger.halt.reason.value)
    account = observation.account
    if account is None or not observation.complete:
        return Hold(reason=HoldReason.INCOMPLETE, detail=", ".join(observation.missing))
    return _unfit_account(account, policy)


def _unfit_account(account: AccountView, policy: Policy) -> Hold | None:
    if not account.one_way:
        return Hold(reason=HoldReason.ACCOUNT_MODE, detail="hedge mode is on; one-way position mode is needed")
    if not account.single_asset:
        return Hold(reason=HoldReason.ACCOUNT_MODE, detail="multi-assets mode is on; single-asset mode is needed")
    guard = policy.parameters.execution.settlement_guard_seconds
    # The guard goes by our clock: what is left of it by the venue's must still cover the venue's own jitter.
    if guard > 0 and guard - abs(account.clock_skew_seconds) < SETTLEMENT_JITTER_SECONDS:
        text = f"off by {account.clock_skew_seconds:.1f} s: settlements would be misjudged; set the system's clock"
        return Hold(reason=HoldReason.CLOCK, detail=text)
    funds = funds_of(account)
    if policy.capital(funds.spot, funds.perp) > 0:
        return None
    least = policy.parameters.capital_management.min_capital_usd
    text = f"${2 * min(funds.spot, funds.perp):.2f} in equal wallets, at least ${least:.2f} needed"
    return Hold(reason=HoldReason.CAPITAL, detail=text)


def entry_refusals(
    symbol: str, ranking: Ranking, market: MarketView, account: AccountView, policy: Policy
) -> tuple[Refusal, ...]:
    """Return every reason against entering ``symbol`` now, that of the account's own positions included."""
    pair = market.pair(symbol)
    if pair is None:
        return (Refusal(kind=RefusalKind.NOT_TRADING, detail="not listed on both markets"),)
    foreign = account.position_quantity(symbol)
    if foreign:
        text = f"the account already holds {foreign} of the perpetual"
        return (Refusal(kind=RefusalKind.POSITION, detail=text),)
    return policy.refusals(pair, ranking, market)


def shortlist(observation: Observation, ledger: Ledger, policy: Policy) -> Iterator[Opportunity]:
    """Yield what may be opened, best first; a pair decided for while closing comes before all others.

    Lazy: a pair is looked at only when the one before it was not taken.
    """
    market, account = observation.market, observation.account
    if market is None or account is None or openings_blocked(observation, ledger, policy):
        return
    ranking = policy.rank(market)
    target = ledger.target if ledger.target and observation.at < ledger.target.expires_at else None
    chosen = ranking.signal(target.symbol) if target else None
    others = (signal for signal in ranking.ordered if signal is not chosen)
    for signal in chain(() if chosen is None else (chosen,), others):
        pair = market.pair(signal.symbol)
        if pair and not entry_refusals(signal.symbol, ranking, market, account, policy):
            predicted = market.predicted(signal.symbol)
            yield Opportunity(
                pair=pair,
                signal=signal,
                next_funding=predicted.at if predicted else None,
                basis=basis_of(signal.symbol, market),
                targeted=signal is chosen,
            )


def plan_opening(
    opportunity: Opportunity,
    spot_depth: Depth | None,
    perp_depth: Depth | None,
    observation: Observation,
    ledger: Ledger,
    policy: Policy,
) -> Open | Refusal:
    """Size the opportunity on real depth, or say why it cannot be opened; then the next one may be tried."""
    account = observation.account
    blocked = openings_blocked(observation, ledger, policy)
    if account is None or blocked:
        text = blocked.reason.value if blocked else "account unreadable"
        return Refusal(kind=RefusalKind.BLOCKED, detail=text)
    again = _tried_again_at(opportunity.symbol, ledger)
    if again and observation.at < again:
        text = f"its last opening had to be unwound; tried again from {again:%Y-%m-%d %H:%M} UTC"
        return Refusal(kind=RefusalKind.BLOCKED, detail=text)
    stale = staleness_refusal(spot_depth, perp_depth, observation.at, policy.parameters.execution)
    if stale:
        return stale
    funds = funds_of(account)
    plan = opening_plan(
        opportunity,
        funds,
        policy.capital(funds.spot, funds.perp),
        spot_depth=spot_depth,
        perp_depth=perp_depth,
        limits=policy.parameters.execution,
    )
    if isinstance(plan, Refusal):
        return plan
    return Open(opportunity=opportunity, plan=plan, rebalance=funds.rebalance)


def _tried_again_at(symbol: str, ledger: Ledger) -> datetime | None:
    """Return until when a pair rests whose openings were unwound: each try in a row costs fees and doubles the rest."""
    tries = [closed for closed in ledger.closed if closed.symbol == symbol]
    failed = list(takewhile(lambda closed: closed.reason is Reason.UNWOUND, reversed(tries)))
    return failed[0].closed_at + min(LONGEST_REST, FIRST_REST * 2 ** (len(failed) - 1)) if failed else None
