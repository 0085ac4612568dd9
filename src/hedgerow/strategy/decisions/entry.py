"""Entry: whether anything may be opened, which pair first, and how large."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import chain

from hedgerow.domain.account import AccountView, MarginType, PerpPosition
from hedgerow.domain.events import HaltReason
from hedgerow.domain.execution import Preparation
from hedgerow.domain.formats import log_money
from hedgerow.domain.instrument import Side
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.market import Depth, MarketView
from hedgerow.strategy.decisions.allocation import beyond_reserve, free_slots, funds_for_next, leg_of_next
from hedgerow.strategy.decisions.brakes import brake_of
from hedgerow.strategy.decisions.cooldowns import cooldown_refusal
from hedgerow.strategy.evaluation.ranking import Ranking
from hedgerow.strategy.evaluation.screening import basis_of, contradiction_refusal, staleness_refusal
from hedgerow.strategy.evaluation.sizing import opening_plan
from hedgerow.strategy.evidence.absence import usdt_lags
from hedgerow.strategy.observation import (
    Hold,
    HoldReason,
    Observation,
    Open,
    Opportunity,
    Refusal,
    RefusalKind,
)
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policy import Policy

__all__ = ["candidates", "entry_refusals", "openings_blocked", "plan_opening", "settings_in_place", "shortlist"]

SETTLEMENT_JITTER_SECONDS = 15.0
"""The venue may charge a settlement this far off its stamp."""


def openings_blocked(observation: Observation, ledger: Ledger, policy: Policy) -> Hold | None:
    """Return why nothing may be opened now, whatever the pair; None = openings are allowed."""
    if ledger.jobs or ledger.transfer is not None:
        return Hold(reason=HoldReason.EXECUTING, detail="a job or a transfer is not finished")
    if ledger.hedges and free_slots(ledger, policy) <= 0:
        return Hold(reason=HoldReason.HELD, detail=", ".join(hedge.symbol for hedge in ledger.live_hedges))
    if ledger.halt is not None:
        # What contradicts itself is reported by each reading that shows it.
        in_doubt = ledger.halt.reason is HaltReason.ACCOUNT_IN_DOUBT
        detail = "" if in_doubt else ledger.halt.detail
        return Hold(reason=HoldReason.HALTED, detail=detail or ledger.halt.reason.value)
    brake = brake_of(ledger, policy.parameters.risk_management)
    if brake is not None:
        return Hold(reason=HoldReason.HALTED, detail=f"{brake.reason.value}: {brake.detail}")
    account = observation.account
    if account is None or not observation.complete:
        return Hold(reason=HoldReason.INCOMPLETE, detail=", ".join(observation.missing))
    if observation.fill_doubts:
        return Hold(reason=HoldReason.INCOMPLETE, detail="; ".join(observation.fill_doubts.values()))
    if usdt_lags(ledger, account):
        return Hold(
            reason=HoldReason.INCOMPLETE, detail="the account may be of before the bot's newest trade or transfer"
        )
    return _unfit_account(account, ledger, policy)


def _unfit_account(account: AccountView, ledger: Ledger, policy: Policy) -> Hold | None:
    if not account.one_way:
        return Hold(reason=HoldReason.ACCOUNT_MODE, detail="hedge mode is on; one-way position mode is needed")
    if not account.single_asset:
        return Hold(reason=HoldReason.ACCOUNT_MODE, detail="multi-assets mode is on; single-asset mode is needed")
    guard = policy.parameters.execution.settlement_guard_seconds
    # The guard goes by our clock: what is left of it by the venue's must still cover the venue's own jitter.
    if guard > 0 and guard - abs(account.clock_skew_seconds) < SETTLEMENT_JITTER_SECONDS:
        text = f"off by {account.clock_skew_seconds:.1f} s: settlements would be misjudged; set the system's clock"
        return Hold(reason=HoldReason.CLOCK, detail=text)
    funds = funds_for_next(account, ledger)
    if leg_of_next(ledger, funds, policy) > 0:
        return None
    limits, free = policy.parameters.capital_management, 2 * min(funds.spot, funds.perp)
    least, reserve = limits.min_capital_usd, limits.reserve_usd
    within = "" if free < least else "the limits and the reserve of the settings leave less for a position, "
    if within and free - reserve < least:
        within = f"reserve_usd keeps {log_money(reserve)} of it, "
    text = f"{log_money(free)} in equal wallets, {within}at least {log_money(least)} needed"
    return Hold(reason=HoldReason.CAPITAL, detail=text)


def entry_refusals(
    symbol: str, ranking: Ranking, market: MarketView, account: AccountView, policy: Policy
) -> tuple[Refusal, ...]:
    """Return every reason against entering ``symbol`` now, that of the account's own positions included."""
    pair = market.pair(symbol)
    if pair is None:
        return (Refusal(kind=RefusalKind.NOT_TRADING, detail="not listed on both markets"),)
    if symbol in account.unreadable_positions or pair.base in account.unreadable_balances:
        return (Refusal(kind=RefusalKind.POSITION, detail="what the account holds of it cannot be read"),)
    foreign = account.position_quantity(symbol)
    if foreign:
        text = f"the account already holds {foreign} of the perpetual"
        return (Refusal(kind=RefusalKind.POSITION, detail=text),)
    return policy.refusals(pair, ranking, market)


def settings_in_place(row: PerpPosition | None, leverage: int) -> frozenset[Preparation]:
    """Return the settings of a perpetual that its row shows to be right already; asking for them may be refused.

    A venue may refuse a margin type that needs no change.
    """
    if row is None:
        return frozenset()
    right = {
        Preparation.MARGIN_TYPE: row.margin_type is MarginType.CROSSED,
        Preparation.LEVERAGE: row.leverage == leverage,
    }
    return frozenset(step for step, done in right.items() if done)


def shortlist(observation: Observation, ledger: Ledger, policy: Policy) -> Iterator[Opportunity]:
    """Yield what may be opened, best first; a pair decided for while closing comes before all others.

    Pairs that ended badly lately are left out. Lazy: a pair is looked at only when the one before it was not taken.
    """
    if not openings_blocked(observation, ledger, policy):
        yield from candidates(observation, ledger, policy)


def candidates(observation: Observation, ledger: Ledger, policy: Policy) -> Iterator[Opportunity]:
    """Yield the same where ``openings_blocked`` has allowed openings."""
    market, account = observation.market, observation.account
    if market is None or account is None:
        return
    ranking = policy.rank(market)
    target = ledger.target if ledger.target and observation.at < ledger.target.expires_at else None
    chosen = ranking.signal(target.symbol) if target else None
    others = (signal for signal in ranking.ordered if signal is not chosen)
    for signal in chain(() if chosen is None else (chosen,), others):
        if ledger.held(signal.symbol) or cooldown_refusal(signal.symbol, ledger, observation.at) is not None:
            continue
        refused = entry_refusals(signal.symbol, ranking, market, account, policy)
        pair = None if refused else market.pair(signal.symbol)
        if pair is not None:
            predicted = market.predicted(signal.symbol)
            yield Opportunity(
                pair=pair,
                signal=signal,
                next_funding=predicted.at if predicted else None,
                basis=basis_of(signal.symbol, market),
                targeted=signal is chosen,
            )


def plan_opening(  # noqa: PLR0913 - each is one reading
    opportunity: Opportunity,
    spot_depth: Depth | None,
    perp_depth: Depth | None,
    observation: Observation,
    ledger: Ledger,
    policy: Policy,
    *,
    open_interest: Decimal | None = None,
) -> Open | Refusal:
    """Size the opportunity on real depth, or say why it cannot be opened; then the next one may be tried.

    ``open_interest`` is what is held open of the perpetual, base units; only a limit that is a part of it needs it.
    """
    account = observation.account
    blocked = openings_blocked(observation, ledger, policy)
    if account is None or blocked:
        text = blocked.reason.value if blocked else "account unreadable"
        return Refusal(kind=RefusalKind.BLOCKED, detail=text)
    refusal = (
        cooldown_refusal(opportunity.symbol, ledger, observation.at)
        or staleness_refusal(spot_depth, perp_depth, observation.at, policy.parameters.execution)
        or contradiction_refusal(opportunity.symbol, spot_depth, perp_depth, observation.market)
    )
    if refusal:
        return refusal
    funds = funds_for_next(account, ledger)
    capital = _at_most_shown(leg_of_next(ledger, funds, policy), spot_depth, perp_depth, policy.parameters)
    plan = opening_plan(
        opportunity,
        beyond_reserve(funds, policy),
        _at_most_held(capital, open_interest, perp_depth, policy.parameters),
        spot_depth=spot_depth,
        perp_depth=perp_depth,
        limits=policy.parameters.execution,
    )
    if isinstance(plan, Refusal):
        return plan
    return Open(opportunity=opportunity, plan=plan, rebalance=funds.rebalance)


def _at_most_shown(
    capital: Decimal, spot_depth: Depth | None, perp_depth: Depth | None, parameters: StrategyParameters
) -> Decimal:
    """Return the capital of one leg, at most the part that is allowed of the thinner book within the price cap."""
    share, cap = parameters.capital_management.max_position_depth, parameters.execution.price_cap_bps
    if share is None or spot_depth is None or perp_depth is None:
        return capital
    shown = min(spot_depth.notional_within(Side.BUY, cap), perp_depth.notional_within(Side.SELL, cap))
    return min(capital, shown * share)


def _at_most_held(
    capital: Decimal, open_interest: Decimal | None, perp_depth: Depth | None, parameters: StrategyParameters
) -> Decimal:
    """Return the capital of one leg, at most the part that is allowed of what is held open of the perpetual."""
    share = parameters.capital_management.max_position_open_interest
    bid = perp_depth.bids[0].price if perp_depth is not None and perp_depth.bids else None
    if share is None or open_interest is None or bid is None:
        return capital
    return min(capital, open_interest * bid * share)
