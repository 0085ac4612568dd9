"""Exits: the held hedge in numbers, and the ordered reasons to close it."""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from math import nan

from msgspec import Struct

from hedgerow.domain.funding import FundingSignal
from hedgerow.domain.ledger.state import Target
from hedgerow.domain.market import Depth, MarketView
from hedgerow.domain.position import HedgedPosition, Reason
from hedgerow.strategy import rules
from hedgerow.strategy.evidence.prices import Prices, less_bad, support_bound, unsupported
from hedgerow.strategy.hedge_result import ExitPrices, exit_prices, result_of
from hedgerow.strategy.observation import Evaluation, Observation, prices_with
from hedgerow.strategy.parameters import PositionManagement, RiskManagement, StopOn

__all__ = [
    "PROFIT_ORDER",
    "REASONS",
    "SAFETY_ORDER",
    "Exit",
    "ExitCode",
    "confirmed",
    "emergency",
    "evaluate",
    "flags",
    "kept_until",
]


class ExitCode(IntEnum):
    """Codes of ``rules.first_exit``."""

    HOLD = 0
    EMERGENCY = 1
    HEALTH = 2
    FEES_COVERED = 3
    AGE = 4
    BETTER_PAIR = 5
    NEGATIVE_FUNDING = 6


SAFETY_ORDER = tuple(ExitCode(code) for code in rules.SAFETY_ORDER)
"""Decided on whatever could be seen."""
PROFIT_ORDER = tuple(ExitCode(code) for code in rules.PROFIT_ORDER)
"""Decided on complete observations only."""
REASONS = {
    ExitCode.EMERGENCY: Reason.EMERGENCY_STOP,
    ExitCode.HEALTH: Reason.HEALTH,
    ExitCode.FEES_COVERED: Reason.FEES_COVERED,
    ExitCode.AGE: Reason.MAX_AGE,
    ExitCode.BETTER_PAIR: Reason.BETTER_PAIR,
    ExitCode.NEGATIVE_FUNDING: Reason.NEGATIVE_FUNDING,
}
ADOPTION_REST = 0.9
"""Part of the time between two checks for which an adopted hedge is kept: the next check may begin a little early."""
DEFAULT_INTERVAL_HOURS = 8
SECONDS_PER_HOUR = 3600.0


class Exit(Struct, frozen=True, kw_only=True):
    """A policy's wish to end the held hedge, or to restart its counters."""

    reason: Reason
    detail: str = ""
    target: Target | None = None
    """The pair decided for instead."""
    roll: bool = False
    """Keep the position and restart the counters instead of closing."""
    still_best: bool = False
    """Whether the same pair would be opened again at once."""


def evaluate(  # noqa: PLR0913 - each is one reading, or what it is judged by
    hedge: HedgedPosition,
    observation: Observation,
    signal: FundingSignal | None,
    stop_on: StopOn = StopOn.PAIR,
    *,
    loss_limit: float = RiskManagement().emergency_stop_loss,
    books: tuple[Depth | None, Depth | None] | None = None,
    prices_seen: Prices | None = None,
) -> Evaluation:
    """Return the held hedge in numbers; what could not be seen is None and named.

    ``loss_limit`` is the emergency stop's, a negative fraction: the nearer, the better its prices must be confirmed.
    ``books`` (spot, perpetual) are read after the observation, and take the place of its quotes. ``prices_seen`` is
    what ``prices_with`` returns for these readings, where the caller has asked it already.
    """
    market, bound = observation.market, support_bound(loss_limit)
    seen = prices_seen or prices_with(observation, hedge.symbol, books)
    valued = hedge.valued
    spot_price, perp_price, unseen = _nearest(seen)
    pair = (market.pair(hedge.symbol) if market else None) or hedge.pair
    if not valued:
        unseen = (*unseen, "the price of own fills (profit unknown)")
    prices = exit_prices(hedge, seen, market, books)
    result = result_of(hedge, prices, signal, observation.at, listed=pair)
    pnl = result.net_so_far if valued else None
    stop_pnl = pnl if stop_on is StopOn.PAIR or not valued else result.perp_pnl
    doubtful = unsupported(seen, bound)
    sound = spot_price is not None and perp_price is not None and not doubtful
    interval, age = _interval(hedge.symbol, signal, market), _hours(hedge.opened_at, observation.at)
    return Evaluation(
        at=observation.at,
        symbol=hedge.symbol,
        spot_price=spot_price,
        perp_price=perp_price,
        position_value=None if spot_price is None else hedge.spot_quantity * spot_price,
        entry_notional=hedge.entry_notional,
        unrealized_pnl=pnl,
        pnl_fraction=None if pnl is None else float(pnl / hedge.entry_notional),
        stop_pnl=stop_pnl,
        age_hours=age,
        counted_hours=_hours(hedge.counted_from, observation.at),
        funding_periods=age / interval,
        interval_hours=interval,
        funding_received=hedge.funding_counted,
        funding_payments=hedge.funding_payments,
        entry_fees=hedge.entry_fees,
        exit_fees=result.exit_fees,
        coverage=_coverage(hedge, result.exit_fees),
        history_known=hedge.history_known and valued,
        signal=signal,
        unseen=unseen,
        cautious_pnl=stop_pnl if sound else _cautious_pnl(hedge, seen, stop_on, bound, observation.at),
        unsupported=unsupported(seen, bound, short_alone=True) if stop_on is StopOn.PERP_LEG else doubtful,
        result=result,
    )


def emergency(evaluation: Evaluation, risk: RiskManagement) -> bool:
    """Return whether the emergency stop is hit; False when the number it watches, or its base, is unknown."""
    return _stops(evaluation.stop_pnl, evaluation, risk)


def confirmed(evaluation: Evaluation, risk: RiskManagement) -> bool:
    """Return whether the emergency stop is hit by confirmed prices, or by the less bad of two sources."""
    return emergency(evaluation, risk) and (
        not evaluation.unsupported or _stops(evaluation.cautious_pnl, evaluation, risk)
    )


def _stops(pnl: Decimal | None, evaluation: Evaluation, risk: RiskManagement) -> bool:
    if pnl is None or evaluation.entry_notional <= 0:
        return False
    return rules.stop_hit(float(pnl), risk.emergency_stop_loss * float(evaluation.entry_notional))


def _cautious_pnl(hedge: HedgedPosition, seen: Prices, stop_on: StopOn, bound: float, at: datetime) -> Decimal | None:
    prices = less_bad(seen, bound)
    if prices is None or not hedge.valued:
        return None
    spot, perp = prices
    result = result_of(hedge, ExitPrices(spot=spot, perp=perp), None, at)
    return result.net_so_far if stop_on is StopOn.PAIR else result.perp_pnl


def flags(
    evaluation: Evaluation,
    management: PositionManagement,
    *,
    best_apr: float | None,
    exit_apr: float,
) -> tuple[bool, ...]:
    """Return which profit reasons hold, indexed by ``ExitCode``; ``best_apr`` is the best other pair's.

    A reason whose input is unknown does not hold. With unknown history neither fees nor funding are known.
    """
    signal, fees = evaluation.signal, evaluation.exit_fees if evaluation.history_known else None
    return rules.profit_reasons(
        float(evaluation.funding_received),
        management.fee_coverage_multiplier,
        float(evaluation.entry_fees),
        nan if fees is None else float(fees),
        evaluation.counted_hours,
        management.max_position_age_hours,
        nan if signal is None else signal.apr,
        exit_apr,
        nan if best_apr is None else best_apr,
        management.better_opportunity_apr,
        management.better_opportunity_min_hours,
    )


def kept_until(hedge: HedgedPosition, at: datetime, interval_seconds: float) -> datetime | None:
    """Return until when a hedge that was adopted just now is kept from every exit that is not urgent; None = it is not.

    Its owner sees at the start what the rules would do with it, and has the time between two checks to say otherwise.
    """
    if hedge.adopted_at is None:
        return None
    until = hedge.adopted_at + timedelta(seconds=interval_seconds * ADOPTION_REST)
    return until if at < until else None


def _hours(since: datetime, until: datetime) -> float:
    return (until - since).total_seconds() / SECONDS_PER_HOUR


def _coverage(hedge: HedgedPosition, exit_fees: Decimal | None) -> float | None:
    total = None if exit_fees is None else hedge.entry_fees + exit_fees
    return float(hedge.funding_counted / total) if total else None


def _interval(symbol: str, signal: FundingSignal | None, market: MarketView | None) -> int:
    # The venue's announced next interval first: it may have changed since the last print.
    predicted = market.predicted(symbol) if market else None
    if predicted is not None:
        return predicted.interval_hours
    return signal.interval_hours if signal else DEFAULT_INTERVAL_HOURS


def _nearest(seen: Prices) -> tuple[Decimal | None, Decimal | None, tuple[str, ...]]:
    """Return spot and perpetual price, the nearest thing seen, and what was missing or replaced."""
    unseen: list[str] = []
    if seen.spot is None:
        unseen.append("spot book" if seen.index is None else "spot book (index price used)")
    if seen.perp is None:
        unseen.append("perpetual book" if seen.mark is None else "perpetual book (mark price used)")
    return seen.spot or seen.index, seen.perp or seen.mark, tuple(unseen)
