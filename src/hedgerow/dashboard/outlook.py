"""What only the process of a running bot knows: prices, result, distances, next payment, why nothing is opened.

The event log does not hold it. An observer builds one value after every cycle and trade; screens and
``hedgerow status`` read it together with the log, which decides what is held.
"""

import os
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.funding import FundingSignal
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.market import MarketView
from hedgerow.domain.position import HedgedPosition
from hedgerow.domain.run_identity import RunIdentity
from hedgerow.engine import notices as mo
from hedgerow.strategy.decisions.distances import ExitDistance, exit_distances, next_best
from hedgerow.strategy.decisions.foreign import foreign_longs
from hedgerow.strategy.decisions.held import evaluation_of
from hedgerow.strategy.evaluation.health import health_of, legs_of
from hedgerow.strategy.evaluation.shared_margin import shared_distance
from hedgerow.strategy.evidence.prices import prices_of
from hedgerow.strategy.hedge_result import (
    HedgeResult,
    StrategyResult,
    coin_prices,
    strategy_result,
)
from hedgerow.strategy.observation import HealthReport, Hold, HoldReason, Observation
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policy import Policy

__all__ = ["HeldOutlook", "NextPayment", "Outlook", "OutlookBuilder", "PairPrices", "held_outlook"]

TRADES = (*ev.HEDGE_CHANGES, ev.ExecutionStarted, ev.ExternalFills, ev.Halted, ev.Lifted)
"""After these the file is written at once."""
CHECKS = (mo.CycleBegan, mo.CycleEnded, mo.CycleFailed, mo.NothingRead, mo.Stopped)
"""After these too."""


class PairPrices(Struct, frozen=True, kw_only=True):
    """The prices of one pair, quote units; None = not readable."""

    spot_bid: Decimal | None = None
    spot_ask: Decimal | None = None
    spot: Decimal | None = None
    """Middle of the spot book."""
    perp_bid: Decimal | None = None
    perp_ask: Decimal | None = None
    perp: Decimal | None = None
    """Middle of the perpetual's book."""
    mark: Decimal | None = None
    index: Decimal | None = None


class NextPayment(Struct, frozen=True, kw_only=True):
    """The next funding payment of the held hedge, as announced."""

    at: datetime
    rate: float
    """Fraction of notional; positive = received."""
    amount: Decimal | None
    """Quote units at the present mark; None without one."""
    interval_hours: int


class HeldOutlook(Struct, frozen=True, kw_only=True):
    """The held hedge at one reading."""

    hedge_id: str
    symbol: str
    at: datetime
    """Time of the reading."""
    prices: PairPrices
    spot_quantity: Decimal
    """Coins of the hedge that the account shows, base units."""
    short: Decimal
    """Short of the hedge that the account shows, positive."""
    result: HedgeResult
    health: HealthReport
    signal: FundingSignal | None
    next_payment: NextPayment | None
    exits: tuple[ExitDistance, ...]
    """Nearest first."""
    liquidation_price: Decimal | None = None


class Outlook(Struct, frozen=True, kw_only=True):
    """One value for every screen; times are by the bot's own clock, except ``written_at``."""

    at: datetime
    written_at: datetime
    """By the machine's clock; ``at`` is by the bot's, so their difference is how far the two clocks are apart."""
    pid: int
    started_at: datetime
    identity: RunIdentity | None = None
    stopped_at: datetime | None = None
    """When the run ended regularly."""
    cycle: int = 0
    """Since the start of the process."""
    checking_since: datetime | None = None
    """When the present check began; None between two checks."""
    checked_at: datetime | None = None
    """When the last check ended; None before the first one."""
    next_check_at: datetime | None = None
    interval_seconds: float = 300.0
    read_at: datetime | None = None
    """When market and account were read last."""
    blind_since: datetime | None = None
    """Since when market or account cannot be read: the last reading, or the start."""
    unread: tuple[str, ...] = ()
    """What could not be read at the last check."""
    failure: str = ""
    """Why the last check failed."""
    held: HeldOutlook | None = None
    """The largest open hedge."""
    others: tuple[HeldOutlook, ...] = ()
    """The other open hedges, oldest first."""
    strategy: StrategyResult | None = None
    """Since the log began; the value of its dust needs prices."""
    equity: Decimal | None = None
    free_spot: Decimal | None = None
    """USDT."""
    free_perp: Decimal | None = None
    reason: str = ""
    """Why nothing is opened, or not closed, in words."""
    foreign: tuple[str, ...] = ()
    """Shorts that are not the bot's."""
    longs: tuple[str, ...] = ()
    """Longs on the same cross margin."""


class OutlookBuilder:
    """Builds the outlook from the bot's notices; keeps no reading, only what was computed from it."""

    def __init__(self, policy: Policy, identity: RunIdentity | None = None) -> None:
        self._policy = policy
        self._identity = identity
        self._now: Outlook | None = None

    @property
    def parameters(self) -> StrategyParameters:
        """The settings in force."""
        return self._policy.parameters

    def on_notice(self, notice: mo.Notice, written_at: datetime) -> Outlook | None:
        """Apply one notice; return the outlook when it should be written now."""
        if isinstance(notice, mo.Started):
            self._now = Outlook(
                at=notice.at,
                written_at=written_at,
                pid=os.getpid(),
                started_at=notice.at,
                identity=self._identity,
                interval_seconds=self.parameters.position_management.loop_interval_seconds,
            )
            return self._now
        if self._now is None:
            return None
        if isinstance(notice, mo.Recorded):
            return self._recorded(notice, written_at)
        changed = self._changed(self._now, notice)
        if changed is self._now:
            return None
        self._now = replace(changed, at=max(changed.at, notice.at), written_at=written_at)
        return self._now if isinstance(notice, CHECKS) else None

    def _recorded(self, notice: mo.Recorded, written_at: datetime) -> Outlook | None:
        now = self._now
        if now is None or not isinstance(notice.event, TRADES):
            return None
        hedge, live = notice.after.largest, notice.after.hedges
        known = [each for each in (now.held, *now.others) if each is not None and each.hedge_id in live]
        kept = next((each for each in known if hedge and each.hedge_id == hedge.hedge_id), None)
        others = tuple(each for each in known if each is not kept)
        self._now = replace(
            now, at=max(now.at, notice.event.at), written_at=written_at, held=kept, others=others, strategy=None
        )
        return self._now

    def _changed(self, now: Outlook, notice: mo.Notice) -> Outlook:  # noqa: C901, PLR0911, PLR0912 - one per kind
        match notice:
            case mo.CycleBegan():
                return _began(now, notice)
            case mo.CycleEnded():
                return self._ended(now, notice)
            case mo.CycleFailed():
                return _failed(now, notice)
            case mo.Decided():
                return _decided(now, notice)
            case mo.BalancesRead():
                return replace(now, free_spot=notice.spot_usdt, free_perp=notice.perp_usdt)
            case mo.HealthJudged():
                return replace(now, foreign=notice.foreign)
            case mo.NothingRead():
                return replace(now, next_check_at=notice.at + timedelta(seconds=notice.retry_seconds))
            case mo.NoOpportunity():
                return replace(now, reason=notice.why)
            case mo.ReadFailed():
                return replace(now, unread=notice.missing)
            case mo.Stopped():
                return replace(now, stopped_at=notice.at, checking_since=None, next_check_at=None)
            case _:
                return now

    def _ended(self, now: Outlook, notice: mo.CycleEnded) -> Outlook:
        seen, ledger = notice.observation, notice.ledger
        if seen is None or seen.account is None or seen.market is None:
            blind = now.blind_since or now.read_at or now.started_at
            missing = now.unread if seen is None else seen.missing
            return replace(now, checking_since=None, checked_at=notice.at, blind_since=blind, unread=missing)
        held = held_outlook(ledger, seen, self._policy)
        smaller = [hedge for hedge in ledger.open_hedges if hedge is not ledger.largest]
        found = [held_outlook(ledger, seen, self._policy, hedge) for hedge in smaller]
        others = tuple(each for each in found if each is not None)
        return replace(
            now,
            checking_since=None,
            checked_at=notice.at,
            failure="",
            read_at=seen.at,
            blind_since=None,
            unread=seen.missing,
            held=held,
            others=others,
            strategy=strategy_result(
                ledger,
                held.result if held else None,
                coin_prices(ledger.dust, seen.market),
                [each.result for each in others],
            ),
            equity=notice.equity,
            longs=foreign_longs(seen.account, ledger),
        )


def _began(now: Outlook, notice: mo.CycleBegan) -> Outlook:
    due = notice.at + timedelta(seconds=now.interval_seconds)
    return replace(now, cycle=notice.number, checking_since=notice.at, next_check_at=due, reason="")


def _failed(now: Outlook, notice: mo.CycleFailed) -> Outlook:
    return replace(
        now,
        checking_since=None,
        next_check_at=notice.at + timedelta(seconds=notice.retry_seconds),
        failure=notice.error,
        blind_since=now.blind_since or now.read_at or now.started_at,
    )


def _decided(now: Outlook, notice: mo.Decided) -> Outlook:
    hold = notice.decision
    if not isinstance(hold, Hold) or hold.reason is HoldReason.HEALTHY:
        return now
    return replace(now, reason=f"{hold.reason}: {hold.detail}" if hold.detail else str(hold.reason))


def held_outlook(
    ledger: Ledger, seen: Observation, policy: Policy, hedge: HedgedPosition | None = None
) -> HeldOutlook | None:
    """Return a held hedge at one reading; None when none is held or the account or market is not readable.

    ``hedge`` is that of several that is meant; None = the largest.
    """
    account, market, meant = seen.account, seen.market, hedge or ledger.largest
    if meant is None or account is None or market is None:
        return None
    hedge = seen.as_listed(meant)
    symbol, evaluation = hedge.symbol, evaluation_of(hedge, seen, policy)
    prices, signal = prices_of(symbol, market, account), evaluation.signal
    health = health_of(hedge, seen, prices.spot or prices.perp, shared_distance(ledger, account))
    legs, position = legs_of(hedge, account), account.positions.get(symbol)
    return HeldOutlook(
        hedge_id=hedge.hedge_id,
        symbol=symbol,
        at=seen.at,
        prices=_pair_prices(symbol, market),
        spot_quantity=legs.spot,
        short=legs.short,
        result=evaluation.result,
        health=health,
        signal=signal,
        next_payment=_next_payment(hedge, market),
        exits=exit_distances(evaluation, health, policy.parameters, next_best(policy, market, symbol)),
        liquidation_price=position.liquidation_price if position else None,
    )


def _pair_prices(symbol: str, market: MarketView) -> PairPrices:
    spot, perp, mark = market.quote(Market.SPOT, symbol), market.quote(Market.PERP, symbol), market.mark(symbol)
    return PairPrices(
        spot_bid=spot.bid if spot else None,
        spot_ask=spot.ask if spot else None,
        spot=spot.mid if spot else None,
        perp_bid=perp.bid if perp else None,
        perp_ask=perp.ask if perp else None,
        perp=perp.mid if perp else None,
        mark=mark.mark if mark else None,
        index=mark.index if mark else None,
    )


def _next_payment(hedge: HedgedPosition, market: MarketView) -> NextPayment | None:
    predicted, mark = market.predicted(hedge.symbol), market.mark(hedge.symbol)
    if predicted is None:
        return None
    amount = None if mark is None else hedge.short * mark.mark * predicted.rate
    return NextPayment(
        at=predicted.at, rate=float(predicted.rate), amount=amount, interval_hours=predicted.interval_hours
    )
