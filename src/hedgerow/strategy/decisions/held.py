"""What to do about the held hedge: safety exits first, then the rest."""

from datetime import timedelta
from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.events import HaltReason
from hedgerow.domain.execution import ExecutionPlan
from hedgerow.domain.formats import log_money, utc_second
from hedgerow.domain.instrument import BasisPair, Market, Side
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.market import Depth, MarketView
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import HedgedPosition, Reason
from hedgerow.strategy import rules
from hedgerow.strategy.decisions.allocation import coins_held, free_slots, funds_for_next, leg_of_next
from hedgerow.strategy.decisions.cooldowns import avoided
from hedgerow.strategy.evaluation.exits import SAFETY_ORDER, Exit, ExitCode, confirmed, emergency, evaluate, kept_until
from hedgerow.strategy.evaluation.health import (
    CLOSE_DISTANCE,
    REDUCE_DISTANCE,
    RESTORED_DISTANCE,
    TOP_UP_DISTANCE,
    health_of,
    leg_state,
    leg_to_trim,
    legs_of,
    margin_wanted,
)
from hedgerow.strategy.evaluation.margin_evidence import may_be_of_before
from hedgerow.strategy.evaluation.ranking import Ranking
from hedgerow.strategy.evaluation.rebalancing import reduction, top_up
from hedgerow.strategy.evaluation.shared_margin import shared_distance
from hedgerow.strategy.evaluation.sizing import closing_plan, reducing_plan, slice_refusal, trimming_plan
from hedgerow.strategy.evidence.prices import Prices, SaleBounds, sale_bounds
from hedgerow.strategy.evidence.trading_status import may_ask, takes_reducing_orders, took_an_order
from hedgerow.strategy.evidence.underlying import divergence, divergence_of, is_one_price
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
    prices_with,
)
from hedgerow.strategy.policy import Policy

__all__ = ["closing_obstacle", "decide_held", "evaluation_of", "judged", "probe_of"]

ALONE_AT_MOST: Final = timedelta(minutes=15)
"""So long coins without a short wait for a price that the perpetual's mark or index supports."""
STAYS_WHOLE: Final = "the hedge stays whole until both legs can be traded"
_WHATEVER_IS_LISTED: Final = {FindingKind.LEVERAGE, FindingKind.LIQUIDATION, FindingKind.LEG_GONE}
"""Findings that end a hedge by themselves."""
FOREIGN_FACTOR: Final = 2
"""An index so many times the price of the spot book is not that of the coin."""


class _Held(Struct, frozen=True, kw_only=True):
    """Everything known about the held hedge in this cycle."""

    hedge: HedgedPosition
    ledger: Ledger
    observation: Observation
    policy: Policy
    ranking: Ranking | None
    evaluation: Evaluation
    health: HealthReport
    shared: float | None
    """How far liquidation is of all hedges together; None with one alone."""
    books: tuple[Depth | None, Depth | None] | None
    """Read after the observation: they take the place of its quotes."""
    seen: Prices
    """What each source shows of the pair, the books among them."""
    unreachable: frozenset[str] = frozenset()
    """Pairs that could not be opened in its place."""

    @property
    def bounds(self) -> SaleBounds:
        """The worst prices at which it is closed; none while liquidation is near."""
        unbounded = _is_urgent(self.health) or (self._is_foreign and self.hedge.short <= 0)
        return SaleBounds() if unbounded else sale_bounds(self.seen)

    @property
    def excess_bounds(self) -> SaleBounds:
        """The worst prices at which coins are sold that no short is against."""
        return SaleBounds() if self._is_foreign else self.bounds

    @property
    def _is_foreign(self) -> bool:
        return _is_index_of_another(self.hedge, self.observation, self.seen)

    @property
    def price(self) -> Decimal:
        """The coin's price now, or at entry when it cannot be seen."""
        return self.evaluation.spot_price or self.evaluation.perp_price or self.hedge.entry_price

    @property
    def others(self) -> Decimal:
        """What the coins of the other hedges are worth, quote units; nothing where the account cannot be read."""
        account = self.observation.account
        return ZERO if account is None else coins_held(self.ledger, account, but=self.hedge.hedge_id)


def decide_held(
    observation: Observation,
    ledger: Ledger,
    policy: Policy,
    books: tuple[Depth | None, Depth | None] | None = None,
    hedge: HedgedPosition | None = None,
    unreachable: frozenset[str] = frozenset(),
) -> Decision:
    """Decide about one held hedge: emergency, health, then what the policy wants; else hold.

    ``books`` (spot, perpetual) are read after the observation, and take the place of its quotes. ``hedge`` is that of
    several that is decided about; None = the largest. For pairs that are ``unreachable`` it is not closed.
    """
    if ledger.execution is not None:
        return Hold(reason=HoldReason.EXECUTING, detail=ledger.execution.state.value)
    found = hedge or ledger.largest
    if found is None:
        return Hold(reason=HoldReason.NOTHING_HELD)
    held = _look(observation.as_listed(found), observation, ledger, policy, books, unreachable)
    safety = _safety(held)
    if isinstance(safety, Hold):
        return _uncovered(held) or _margin(held) or safety
    decided = safety or _repair(held) or _margin(held) or _reduce(held) or _doubtful(held) or _profit(held)
    whole = isinstance(decided, Hold) and decided.reason is HoldReason.HEALTHY
    return _as_listed(held, decided) if whole else decided


def evaluation_of(
    hedge: HedgedPosition,
    observation: Observation,
    policy: Policy,
    books: tuple[Depth | None, Depth | None] | None = None,
) -> Evaluation:
    """Return a held hedge, as the market lists it, in the numbers that the policy's settings ask for."""
    ranking = policy.rank(observation.market) if observation.market else None
    return _evaluated(hedge, observation, policy, ranking, books)


def _evaluated(
    hedge: HedgedPosition,
    observation: Observation,
    policy: Policy,
    ranking: Ranking | None,
    books: tuple[Depth | None, Depth | None] | None,
    seen: Prices | None = None,
) -> Evaluation:
    risk = policy.parameters.risk_management
    return evaluate(
        hedge,
        observation,
        ranking.held_signal(hedge.symbol) if ranking else None,
        risk.stop_on,
        loss_limit=risk.emergency_stop_loss,
        books=books,
        prices_seen=seen,
    )


def judged(
    hedge: HedgedPosition, observation: Observation, ledger: Ledger, policy: Policy
) -> tuple[Evaluation, HealthReport]:
    """Return a held hedge in numbers, and how healthy it is, as decisions see it."""
    held = _look(observation.as_listed(hedge), observation, ledger, policy, None)
    return held.evaluation, held.health


def _look(
    hedge: HedgedPosition,
    observation: Observation,
    ledger: Ledger,
    policy: Policy,
    books: tuple[Depth | None, Depth | None] | None,
    unreachable: frozenset[str] = frozenset(),
) -> _Held:
    market = observation.market
    ranking = policy.rank(market) if market else None
    seen = prices_with(observation, hedge.symbol, books)
    evaluation = _evaluated(hedge, observation, policy, ranking, books, seen)
    price = evaluation.spot_price or evaluation.perp_price
    shared = shared_distance(ledger, observation.account) if observation.account else None
    health = health_of(hedge, observation, price, shared)
    return _Held(
        hedge=hedge,
        ledger=ledger,
        observation=observation,
        policy=policy,
        ranking=ranking,
        evaluation=evaluation,
        health=health,
        shared=shared,
        books=books,
        seen=seen,
        unreachable=unreachable,
    )


def _safety(held: _Held) -> Decision | None:
    stop = confirmed(held.evaluation, held.policy.parameters.risk_management) and not _is_unread(held)
    broken = held.health.level in {HealthLevel.CLOSE, HealthLevel.CRITICAL} and not _is_only_listed_as_stopped(held)
    code = rules.first_exit(SAFETY_ORDER, (False, stop, broken))
    if code == ExitCode.EMERGENCY:
        fraction = held.evaluation.stop_pnl or ZERO
        text = f"PnL {log_money(fraction)} on {log_money(held.hedge.entry_notional)} per leg"
        leave = Exit(reason=Reason.EMERGENCY_STOP, detail=text)
        return _close(held, leave, urgent=True, confirm=not _is_near_by_two(held))
    if code == ExitCode.HEALTH:
        leave = Exit(reason=_health_reason(held), detail=held.health.text)
        return _close(held, leave, urgent=True, confirm=not _is_near_by_two(held))
    return None


def _is_only_listed_as_stopped(held: _Held) -> bool:
    """Whether the listing alone speaks against the hedge, and says that a leg takes no orders.

    Were it so, a closing would be refused; is it not so, there is no reason for one. A pair that settles is closed.
    """
    market, account, kinds = held.observation.market, held.observation.account, {f.kind for f in held.health.findings}
    pair = market.pair(held.hedge.symbol) if market else None
    if pair is None or FindingKind.NOT_TRADING not in kinds or kinds & _WHATEVER_IS_LISTED:
        return False
    if all(takes_reducing_orders(pair, each) for each in Market):
        return False
    price = held.evaluation.spot_price or held.evaluation.perp_price
    return account is None or leg_state(held.hedge, legs_of(held.hedge, account), price).grade <= 1


def _as_listed(held: _Held, decided: Decision) -> Decision:
    """Return the hold of a hedge that only its listing speaks against, with what the listing says."""
    if held.health.level is not HealthLevel.CRITICAL:
        return decided
    return replace(decided, reason=HoldReason.CANNOT_TRADE, detail=f"{held.health.text}; {STAYS_WHOLE}")


def _doubtful(held: _Held) -> Decision | None:
    """Hold, and say so, while prices or legs are in doubt: neither the stop nor a profit is judged by them."""
    risk, evaluation = held.policy.parameters.risk_management, held.evaluation
    if emergency(evaluation, risk):
        detail = "the account shows neither leg" if _is_unread(held) else ", ".join(evaluation.unsupported)
        return Hold(reason=HoldReason.UNSUPPORTED, detail=detail, evaluation=evaluation, health=held.health)
    market = held.observation.market
    apart = divergence_of(held.seen) if held.books is None else divergence(held.hedge.symbol, market)
    apart = apart or _differed_before(held)
    if apart is None:
        return None
    return Hold(reason=HoldReason.DIVERGED, detail=apart, evaluation=evaluation, health=held.health)


def _is_unread(held: _Held) -> bool:
    """Whether the account answered and shows neither leg readably: coins may be new ones, at a price of new ones."""
    account, hedge = held.observation.account, held.hedge
    if account is None:
        return False
    return hedge.symbol in account.unreadable_positions and hedge.pair.base in account.unreadable_balances


def _differed_before(held: _Held) -> str | None:
    """Return why legs that came apart may still be so: their prices cannot all be read now; None = they may not."""
    halt = held.ledger.halt
    if halt is None or halt.reason is not HaltReason.LEGS_DIFFER:
        return None
    if is_one_price(held.hedge.symbol, held.observation.market):
        return None
    return "the legs had two prices, and not all of their prices can be read now"


def _is_near_by_two(held: _Held) -> bool:
    """Whether liquidation is near by the account and by the market: no later reading need confirm it."""
    return _is_urgent(held.health) and _mark_confirms(held)


def _mark_confirms(held: _Held) -> bool:
    """Whether the market's own mark price shows the same near liquidation as the account's row."""
    market, account = held.observation.market, held.observation.account
    mark = market.mark(held.hedge.symbol) if market else None
    position = account.positions.get(held.hedge.symbol) if account else None
    if account is None or market is None or mark is None or position is None:
        return False
    seen = {symbol: each.mark for symbol in account.positions if (each := market.mark(symbol)) is not None}
    shared = shared_distance(held.ledger, account, seen)
    if shared is not None and shared < CLOSE_DISTANCE:
        return True
    if position.liquidation_price is None:
        return False
    distance = rules.liquidation_distance(float(mark.mark), float(position.liquidation_price))
    return distance < CLOSE_DISTANCE


def _is_urgent(health: HealthReport) -> bool:
    # Balances and listings may lag, and do; liquidation does not wait for them.
    return any(finding.kind is FindingKind.LIQUIDATION for finding in health.findings)


def _is_index_of_another(hedge: HedgedPosition, observation: Observation, seen: Prices) -> bool:
    """Whether coins have lacked their short for so long that an index of another order of magnitude protects nothing.

    It is the price of another thing with the same ticker, or of contracts of many coins; no wick of a book is so deep.
    """
    if seen.spot is None or seen.index is None or seen.index < FOREIGN_FACTOR * seen.spot:
        return False
    bought = [r.issued_at for r in hedge.orders if r.request.market is Market.PERP and not r.opens]
    return bool(bought) and observation.at - max(bought) > ALONE_AT_MOST


def _health_reason(held: _Held) -> Reason:
    health, kinds = held.health, {finding.kind for finding in held.health.findings}
    if FindingKind.LEG_GONE in kinds:
        taken = held.hedge.short <= 0 and held.hedge.closed_by_force
        return Reason.LIQUIDATED if taken else Reason.LEG_GONE
    if health.level is HealthLevel.CLOSE:
        return Reason.IMBALANCE
    return Reason.HEALTH


def _repair(held: _Held) -> Decision | None:
    if held.health.level is HealthLevel.CRITICAL:
        return _uncovered(held)
    market, quantity = held.health.trim_market, held.health.trim_quantity
    if market is None or quantity is None or not held.observation.complete:
        return None
    return _trim(held, market, quantity)


def _uncovered(held: _Held) -> Decision | None:
    """Reduce the leg that exceeds the other while the hedge cannot be closed as a whole: that leg's market is enough.

    A perpetual that takes no orders may still be reduced by the exchange, by ADL for example: its coins are sold. Coins
    that were taken where the rest cannot be sold at a supported price leave a naked short: it is bought back. The order
    itself asks a leg that is listed as taking none.
    """
    market, account, kinds = held.observation.market, held.observation.account, {f.kind for f in held.health.findings}
    pair = market.pair(held.hedge.symbol) if market else None
    if account is None or market is None or pair is None:
        return None
    if not held.observation.complete or FindingKind.IMBALANCE not in kinds:
        return None
    leg, quantity = leg_to_trim(pair, legs_of(held.hedge, account))
    if quantity <= 0 or not _takes_orders(held.hedge, pair, leg, market, held.observation):
        return None
    trim = _trim(held, leg, quantity)
    return None if closing_obstacle(held.hedge, trim.plan, held.observation) else trim


def _takes_orders(
    hedge: HedgedPosition, pair: BasisPair, leg: Market, market: MarketView, observation: Observation
) -> bool:
    """Whether one leg takes orders that reduce it, or may be asked by one."""
    if takes_reducing_orders(pair, leg) or took_an_order(hedge, leg, observation.at):
        return True
    return may_ask(hedge, leg, market, observation.at)


def _trim(held: _Held, leg: Market, quantity: Decimal) -> Trim:
    spot, perp = (quantity, ZERO) if leg is Market.SPOT else (ZERO, quantity)
    return Trim(
        market=leg,
        quantity=quantity,
        plan=trimming_plan(held.hedge.pair, spot=spot, perp=perp, price=held.price, bounds=held.excess_bounds),
        detail=held.health.text,
        evaluation=held.evaluation,
        health=held.health,
    )


def _margin(held: _Held) -> Decision | None:
    account, distance = held.observation.account, held.health.liquidation_distance
    if distance is None or distance >= TOP_UP_DISTANCE or _is_answered(held):
        return None
    wanted = margin_wanted(held.hedge, account, held.shared) if account else None
    move = top_up(account, wanted) if account and wanted else None
    if move is None:
        return None
    text = f"liquidation is {distance:.1%} from the mark"
    return TopUpMargin(rebalance=move, detail=text, evaluation=held.evaluation, health=held.health)


def _is_answered(held: _Held) -> bool:
    """Whether the near liquidation may be that of before the bot moved margin or reduced: it is not answered twice."""
    account = held.observation.account
    return account is not None and may_be_of_before(held.ledger, account)


def _reduce(held: _Held) -> Decision | None:
    """Close a part of both legs when liquidation is near and topping up could not keep it away."""
    account, distance = held.observation.account, held.health.liquidation_distance
    if account is None or distance is None or distance >= REDUCE_DISTANCE or _is_answered(held):
        return None
    hedge, legs, limits = held.hedge, legs_of(held.hedge, account), held.policy.parameters.execution
    together = sum((max(ZERO, -row.quantity) * row.mark_price for row in account.positions.values()), ZERO) / held.price
    quantity = reduction(
        hedge.pair,
        legs=min(legs.spot, legs.short),
        distance=distance,
        target=float(RESTORED_DISTANCE),
        price=held.price,
        cap_bps=limits.price_cap_bps,
        shorts=None if distance != held.shared else together,
    )
    if quantity is None:
        return None
    equity = account.spot_usdt + account.perp.margin_balance + legs.spot * held.price + held.others
    plan = reducing_plan(hedge, quantity, price=held.price, equity=equity, limits=limits)
    if closing_obstacle(hedge, plan, held.observation):
        return None
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
    symbol, seen = held.hedge.symbol, held.observation
    doubt = seen.listing_doubts.get(symbol) or seen.fill_doubts.get(symbol)
    if market is None or ranking is None or doubt or not held.observation.complete:
        text = ", ".join((*held.observation.missing, *((doubt,) if doubt else ())))
        return Hold(reason=HoldReason.INCOMPLETE, detail=text, evaluation=held.evaluation, health=held.health)
    leave = held.policy.review(held.evaluation, _reachable(ranking, held), market)
    if leave is None or _occupied(leave, held):
        return Hold(reason=HoldReason.HEALTHY, evaluation=held.evaluation, health=held.health)
    if leave.roll:
        return Roll(reason=leave.reason, detail=leave.detail, evaluation=held.evaluation, health=held.health)
    return _just_adopted(held, leave) or _close(held, leave)


def _just_adopted(held: _Held, leave: Exit) -> Hold | None:
    """Keep a hedge that was adopted just now until the next check, and say what would be done with it."""
    interval = held.policy.parameters.position_management.loop_interval_seconds
    until = kept_until(held.hedge, held.observation.at, interval)
    if until is None:
        return None
    detail = f"{leave.reason}: {leave.detail}; kept until {utc_second(until)} UTC"
    return Hold(reason=HoldReason.JUST_ADOPTED, detail=detail, evaluation=held.evaluation, health=held.health)


def _occupied(leave: Exit, held: _Held) -> bool:
    """Whether the pair decided for cannot be opened: it could not before, or the account holds a position there."""
    account, target = held.observation.account, leave.target
    if target is None:
        return False
    return target.symbol in held.unreachable or bool(account and account.position_quantity(target.symbol))


def _reachable(ranking: Ranking, held: _Held) -> Ranking:
    """Return the ranking without the pairs that could not be opened, or not yet: no position is left for them."""
    ledger, slots = held.ledger, free_slots(held.ledger, held.policy)
    if slots > 0 and _may_be_filled(held):
        return replace(ranking, ordered=tuple(each for each in ranking.ordered if each.symbol == held.hedge.symbol))
    own, others = held.hedge.symbol, {each.symbol for each in ledger.hedges.values()}
    others |= held.unreachable
    if ledger.cooldowns:
        others |= avoided(ledger, held.observation.at)
    if slots > 0 and ledger.target is not None:
        others.add(ledger.target.symbol)  # the slot that another hedge has left is its
    others.discard(own)
    for signal in ranking.ordered:
        if signal.symbol == own:
            break
        if signal.symbol not in others and _too_coarse(signal.symbol, held):
            others.add(signal.symbol)
    if not others:
        return ranking
    return replace(ranking, ordered=tuple(signal for signal in ranking.ordered if signal.symbol not in others))


def _may_be_filled(held: _Held) -> bool:
    """Whether a free slot has money of its own: a better pair needs no hedge to be closed for it then."""
    account, ledger = held.observation.account, held.ledger
    return account is not None and leg_of_next(ledger, funds_for_next(account, ledger), held.policy) > 0


def _too_coarse(symbol: str, held: _Held) -> bool:
    """Whether the least that can be traded of another pair is above what the settings allow of the present equity."""
    market, account = held.observation.market, held.observation.account
    pair = market.pair(symbol) if market else None
    quote = market.quote(Market.SPOT, symbol) if market else None
    if account is None or pair is None or quote is None or quote.mid is None:
        return False
    equity = account.spot_usdt + account.perp.margin_balance + held.hedge.spot_quantity * held.price
    if held.policy.capital(equity / 2, equity / 2) < max(pair.lot_step * quote.mid, pair.min_notional):
        return True
    limits = held.policy.parameters.execution
    return slice_refusal(pair, quote.mid, 2 * pair.lot_step, equity=equity + held.others, limits=limits) is not None


def _close(held: _Held, leave: Exit, *, urgent: bool = False, confirm: bool = False) -> Decision:
    observation = held.observation
    plan = closing_plan(
        held.hedge,
        observation.account,
        price=held.price,
        limits=held.policy.parameters.execution,
        interval_hours=held.evaluation.interval_hours,
        urgent=urgent,
        dust=held.ledger.dust_of(held.hedge),
        bounds=held.bounds,
        others=held.others,
    )
    obstacle, probe = closing_obstacle(held.hedge, plan, observation), probe_of(held.hedge, plan, observation)
    if obstacle and probe is None:
        text = f"{leave.reason.value}: {leave.detail}; {obstacle}"
        return Hold(reason=HoldReason.CANNOT_TRADE, detail=text, evaluation=held.evaluation, health=held.health)
    if plan.spot_quantity <= 0 and plan.perp_quantity <= 0:
        return Hold(reason=HoldReason.NOTHING_LEFT, detail=leave.detail, evaluation=held.evaluation, health=held.health)
    missing = ", ".join((*observation.missing, *held.evaluation.unseen))
    detail = f"{leave.detail}; one order asks first whether the perpetual takes any" if probe else leave.detail
    return Close(
        reason=leave.reason,
        plan=plan,
        probe=probe,
        detail=f"{detail} (could not see: {missing})" if missing else detail,
        target=leave.target,
        confirm=confirm,
        reopening_cost=held.evaluation.total_fees if leave.still_best else None,
        evaluation=held.evaluation,
        health=held.health,
    )


def closing_obstacle(hedge: HedgedPosition, plan: ExecutionPlan, observation: Observation) -> str | None:
    """Return why the coins are not sold now; None = go on.

    Their price is not what other prices support, or the perpetual takes no orders and the short would be left naked.
    What cannot be read is no obstacle.
    """
    return _selling_obstacle(hedge, plan, observation) or _listing_obstacle(hedge, plan, observation)


def probe_of(hedge: HedgedPosition, plan: ExecutionPlan, observation: Observation) -> ExecutionPlan | None:
    """Return the plan of one small order that asks whether the perpetual takes orders, whatever the listing says.

    None where nothing need be asked, where something else keeps the coins from being sold, or where no order may ask
    now: see ``may_ask``.
    """
    market = observation.market
    if market is None or _listing_obstacle(hedge, plan, observation) is None:
        return None
    if _selling_obstacle(hedge, plan, observation) or not may_ask(hedge, Market.PERP, market, observation.at):
        return None
    perp, price = hedge.pair.perp, market.quote(Market.PERP, hedge.symbol)
    quantity = min(plan.perp_quantity, perp.ceil_quantity(max(perp.lot, perp.min_quantity)))
    ask = price.touch(Side.BUY) if price else None
    return trimming_plan(hedge.pair, perp=quantity, price=ask or hedge.entry_price)


def _selling_obstacle(hedge: HedgedPosition, plan: ExecutionPlan, observation: Observation) -> str | None:
    market, account = observation.market, observation.account
    if plan.spot_quantity <= 0:
        return None
    if account is not None and plan.perp_quantity > 0 and hedge.symbol in account.sided_positions:
        return "the short is held in hedge mode, and cannot be bought back before the account is in one-way mode again"
    quote = market.quote(Market.SPOT, hedge.symbol) if market else None
    bid = quote.touch(Side.SELL) if quote else None
    if bid is not None and plan.spot_floor is not None and bid < plan.spot_floor:
        return f"spot bid {bid:f} is below {plan.spot_floor:.8g}, what other prices support: no coins are sold there"
    return None


def _listing_obstacle(hedge: HedgedPosition, plan: ExecutionPlan, observation: Observation) -> str | None:
    market = observation.market
    if market is None or plan.spot_quantity <= 0 or plan.perp_quantity <= 0:
        return None
    pair = market.pair(hedge.symbol)
    if pair is not None and takes_reducing_orders(pair, Market.PERP):
        return None
    if took_an_order(hedge, Market.PERP, observation.at):
        return None
    if pair is None:
        return f"{hedge.symbol} is not listed on both markets: the hedge stays whole until it can be traded"
    return f"the perpetual is {pair.perp.status}: {STAYS_WHOLE}"
