"""What only the process of a running bot knows: prices, result, distances, next payment, why nothing is opened.

The event log does not hold it. An observer builds one value after every cycle and trade; screens and
``hedgerow status`` read it together with the log, which decides what is held.
"""

import os
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.funding import FundingSignal
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.market import MarketView
from hedgerow.domain.position import HedgedPosition
from hedgerow.domain.records.time_series import DecisionCount, PaymentMade
from hedgerow.domain.run_identity import RunIdentity
from hedgerow.engine import notices as mo
from hedgerow.strategy.decisions.consequences import ForeseenExit, foreseen_exits, prospects_of
from hedgerow.strategy.decisions.distances import ExitDistance
from hedgerow.strategy.decisions.foreign import foreign_longs
from hedgerow.strategy.decisions.held import evaluation_of
from hedgerow.strategy.decisions.review import DECISION_WORDS
from hedgerow.strategy.decisions.scan import ScanRow, scan
from hedgerow.strategy.evaluation.health import health_of, legs_of
from hedgerow.strategy.evaluation.shared_margin import shared_distance
from hedgerow.strategy.evidence.prices import prices_of
from hedgerow.strategy.hedge_result import (
    HedgeResult,
    StrategyResult,
    coin_prices,
    strategy_result,
)
from hedgerow.strategy.next_payment import NextPayment, next_payment_of
from hedgerow.strategy.observation import HealthReport, Hold, HoldReason, Observation, Open, TopUpMargin
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policy import Policy

__all__ = [
    "DecisionCount",
    "HeldOutlook",
    "Outlook",
    "OutlookBuilder",
    "OutlookRules",
    "PairOutlook",
    "PairPrices",
    "PaymentMade",
    "ProcessHealth",
    "RefusedPair",
    "SettledRate",
    "advanced",
    "decision_of",
    "held_outlook",
    "rules_after",
]

TRADES = (*ev.HEDGE_CHANGES, ev.ExecutionStarted, ev.ExternalFills, ev.Halted, ev.Lifted)
"""After these the file is written at once."""
CHECKS = (mo.CycleBegan, mo.CycleEnded, mo.CycleFailed, mo.NothingRead, mo.Stopped)
"""After these too."""
SAMPLED = (mo.Started, mo.CycleEnded, mo.CycleFailed, mo.NothingRead)
"""At these the process is asked how it is."""
RATES_SHOWN: Final = 30
"""Newest settled rates of a held pair that are kept."""
DECISIONS_KEPT: Final = 40
PAYMENTS_KEPT: Final = 60


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


class SettledRate(Struct, frozen=True, kw_only=True):
    """One settled funding rate of a pair."""

    at: datetime
    rate: float
    """Fraction of notional; positive = received by the short."""
    interval_hours: int


class RefusedPair(Struct, frozen=True, kw_only=True):
    """A pair for which no hedge is closed, because it could not be opened then."""

    symbol: str
    held: str
    """Symbol of the hedge that would have been closed."""
    text: str
    """Why it is kept, one line."""
    until: datetime
    """When it is asked about again."""


class PairOutlook(Struct, frozen=True, kw_only=True):
    """One pair as the policy sees it."""

    symbol: str
    apr: float | None
    """Of the signal, a fraction of one leg a year; None = no settled rate."""
    rate: float | None
    """Mean rate per interval of the signal."""
    predicted: float | None
    """Announced rate of the next settlement."""
    interval_hours: int | None
    basis: float | None
    """(perp bid - spot ask) / spot ask."""
    volume: Decimal | None
    """24 h quote volume of the perpetual."""
    refusals: tuple[str, ...]
    """Why it may not be entered now, one sentence each; empty = it may, if its depth allows."""


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
    foreseen: tuple[ForeseenExit, ...] = ()
    """The same rules and those of the policy, with what would follow, nearest first."""
    profit_rules_known: bool = False
    """Whether the policy's own rules are among ``foreseen``."""
    rates: tuple[SettledRate, ...] = ()
    """Newest settled rates of the pair, oldest first."""
    leverage: int | None = None
    margin_type: str | None = None
    maintenance: Decimal | None = None
    """Maintenance margin at the mark, quote units."""
    adl_rank: int | None = None
    """The exchange's place of the short in the queue of auto-deleveraging, 0 = last; None = not shown."""


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
    coin_prices: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    """By asset: of the dust, and of what becomes dust when a hedge is closed, as read last."""
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
    refused: tuple[RefusedPair, ...] = ()
    """Pairs for which no hedge is closed now, the newest refusal first."""
    venue: str = ""
    policy: str = ""
    pairs: tuple[PairOutlook, ...] = ()
    """Every pair, the most attractive first."""
    decisions: tuple[DecisionCount, ...] = ()
    """Newest first."""
    payments: tuple[PaymentMade, ...] = ()
    """Newest first."""
    differences: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    """What the exchange shows more than the books, by ``wallet:asset``; empty = they agree, as far as is known."""
    differences_at: datetime | None = None
    """When they were last found to differ."""
    doubts: tuple[str, ...] = ()
    """What of the account's replies contradicts itself."""
    clock_skew_seconds: float | None = None
    """By how much the exchange's clock is ahead."""
    settings: dict[str, str] = field(default_factory=dict[str, str])
    """Every setting in force, as the file spells it."""
    max_naked_seconds: float | None = None
    """Legs that differ for longer are an alarm."""
    key_expires_at: datetime | None = None
    """When the key that the process trades with expires; None = not known, or never."""
    request_budget: float | None = None
    """Part of the exchange's request limits that was left at the end of the last check; None = not known."""
    streams_up: int | None = None
    streams: int | None = None
    listener_failures: dict[str, int] = field(default_factory=dict[str, int])
    """How often observers of the process failed, by the name of their class."""


class ProcessHealth(Struct, frozen=True, kw_only=True):
    """What a process knows of its connection and its observers; None = not known, or there is no such thing."""

    request_budget: float | None = None
    """Part of the exchange's request limits that is left, of the one that is nearest."""
    streams_up: int | None = None
    streams: int | None = None
    key_expires_at: datetime | None = None
    """When the key that the process trades with expires."""
    listener_failures: dict[str, int] = field(default_factory=dict[str, int])
    """How often observers failed, by the name of their class."""


class OutlookRules(Struct, frozen=True, kw_only=True):
    """What an outlook is built with, constant until settings change."""

    policy: Policy
    identity: RunIdentity | None = None
    pid: int = 0
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    with_pairs: bool = True
    """Whether every pair is looked at after each check; False where they are not read."""


def rules_after(rules: OutlookRules, notice: mo.Notice) -> OutlookRules:
    """Return the rules after one notice, the same object where it changes nothing. Pure."""
    if isinstance(notice, mo.SettingsInForce):
        return replace(rules, policy=notice.policy)
    if isinstance(notice, mo.Recorded) and isinstance(notice.event, ev.SettingsChanged):
        return replace(rules, settings={**rules.settings, **{each.name: each.after for each in notice.event.changes}})
    return rules


def advanced(  # noqa: C901, PLR0912 - one case per kind of notice
    rules: OutlookRules, now: Outlook | None, notice: mo.Notice
) -> Outlook | None:
    """Return the outlook after one notice, the same object where it changes nothing; None before the start. Pure.

    ``written_at`` is that of the outlook before: who writes it sets it.
    """
    if isinstance(notice, mo.Started):
        return _started(rules, now, notice)
    if now is None:
        return None
    match notice:
        case mo.Recorded():
            return _recorded(now, notice)
        case mo.SettingsInForce():
            changed = _in_force(rules, now)
        case mo.CycleBegan():
            changed = _began(now, notice)
        case mo.CycleEnded():
            changed = _ended(rules, now, notice)
        case mo.CycleFailed():
            changed = _failed(now, notice)
        case mo.Decided():
            changed = _decided(now, notice)
        case mo.BalancesRead():
            changed = replace(now, free_spot=notice.spot_usdt, free_perp=notice.perp_usdt)
        case mo.HealthJudged():
            changed = replace(now, foreign=notice.foreign)
        case mo.OpeningRefused():
            changed = _refused(now, notice)
        case mo.BooksChecked():
            changed = replace(now, differences=dict(notice.differences), differences_at=notice.at)
        case mo.Observed():
            changed = _observed(now, notice)
        case mo.NothingRead():
            changed = replace(now, next_check_at=notice.at + timedelta(seconds=notice.retry_seconds))
        case mo.NoOpportunity():
            changed = replace(now, reason=notice.why)
        case mo.ReadFailed():
            changed = replace(now, unread=notice.missing)
        case mo.Stopped():
            changed = replace(now, stopped_at=notice.at, checking_since=None, next_check_at=None)
        case _:
            return now
    return replace(changed, at=max(changed.at, notice.at))


class OutlookBuilder:
    """Builds the outlook from the bot's notices; keeps no reading, only what was computed from it."""

    def __init__(
        self,
        policy: Policy,
        identity: RunIdentity | None = None,
        *,
        settings: Mapping[str, str] | None = None,
        with_pairs: bool = True,
        previous: Outlook | None = None,
        process: Callable[[], ProcessHealth] = ProcessHealth,
    ) -> None:
        """``previous`` is the last outlook of the process before: its decisions and payments are kept.

        ``process`` is asked at the start and at the end of each check.
        """
        self._rules = OutlookRules(
            policy=policy, identity=identity, pid=os.getpid(), settings=settings or {}, with_pairs=with_pairs
        )
        self._previous = previous
        self._process = process
        self._now: Outlook | None = None

    @property
    def parameters(self) -> StrategyParameters:
        """The settings in force."""
        return self._rules.policy.parameters

    @property
    def latest(self) -> Outlook | None:
        """The outlook as it is now; None before the start."""
        return self._now

    def on_notice(self, notice: mo.Notice, written_at: datetime) -> Outlook | None:
        """Apply one notice; return the outlook when it should be written now."""
        before = self._previous if isinstance(notice, mo.Started) else self._now
        self._rules = rules_after(self._rules, notice)
        after = advanced(self._rules, before, notice)
        if after is None or after is before:
            return None
        if isinstance(notice, SAMPLED):
            after = _with_process(after, self._process())
        self._now = replace(after, written_at=written_at)
        if isinstance(notice, mo.Recorded):
            return self._now if isinstance(notice.event, TRADES) else None
        return self._now if isinstance(notice, (mo.Started, *CHECKS)) else None


def _with_process(now: Outlook, process: ProcessHealth) -> Outlook:
    return replace(
        now,
        key_expires_at=process.key_expires_at,
        request_budget=process.request_budget,
        streams_up=process.streams_up,
        streams=process.streams,
        listener_failures=process.listener_failures,
    )


def _started(rules: OutlookRules, before: Outlook | None, notice: mo.Started) -> Outlook:
    parameters = rules.policy.parameters
    return Outlook(
        at=notice.at,
        written_at=notice.at,
        pid=rules.pid,
        started_at=notice.at,
        identity=rules.identity or notice.identity,
        interval_seconds=parameters.position_management.loop_interval_seconds,
        venue=notice.venue,
        policy=parameters.policy,
        settings=dict(rules.settings),
        max_naked_seconds=parameters.execution.max_naked_seconds,
        decisions=before.decisions if before else (),
        payments=before.payments if before else (),
    )


def _in_force(rules: OutlookRules, now: Outlook) -> Outlook:
    parameters = rules.policy.parameters
    return replace(
        now,
        interval_seconds=parameters.position_management.loop_interval_seconds,
        policy=parameters.policy,
        settings=dict(rules.settings),
        max_naked_seconds=parameters.execution.max_naked_seconds,
    )


def _recorded(now: Outlook, notice: mo.Recorded) -> Outlook:
    event = notice.event
    if isinstance(event, ev.FundingReceived):
        paid = event.payment
        made = PaymentMade(at=paid.at, symbol=paid.symbol, amount=paid.amount, tran_id=paid.tran_id)
        known = [each for each in now.payments if each.tran_id != made.tran_id]
        newest = sorted([made, *known], key=lambda each: each.at, reverse=True)[:PAYMENTS_KEPT]
        return replace(now, at=max(now.at, event.at), payments=tuple(newest))
    if not isinstance(event, TRADES):
        return now
    hedge, live = notice.after.largest, notice.after.hedges
    held = [each for each in (now.held, *now.others) if each is not None and each.hedge_id in live]
    kept = next((each for each in held if hedge and each.hedge_id == hedge.hedge_id), None)
    others = tuple(each for each in held if each is not kept)
    return replace(now, at=max(now.at, event.at), held=kept, others=others, strategy=None)


def _observed(now: Outlook, notice: mo.Observed) -> Outlook:
    """Return what a reading in the middle of a check shows; what is held is judged when the check ends."""
    account = notice.observation.account
    if account is None:
        return now
    return replace(now, doubts=account.doubts, clock_skew_seconds=account.clock_skew_seconds)


def _ended(rules: OutlookRules, now: Outlook, notice: mo.CycleEnded) -> Outlook:
    seen, ledger, policy = notice.observation, notice.ledger, rules.policy
    if seen is None or seen.account is None or seen.market is None:
        blind = now.blind_since or now.read_at or now.started_at
        missing = now.unread if seen is None else seen.missing
        return replace(now, checking_since=None, checked_at=notice.at, blind_since=blind, unread=missing)
    refused = tuple(each for each in now.refused if each.until > notice.at and ledger.held(each.symbol) is None)
    passed_over = frozenset(each.symbol for each in refused)
    held = held_outlook(ledger, seen, policy, refused=passed_over)
    smaller = [hedge for hedge in ledger.open_hedges if hedge is not ledger.largest]
    found = [held_outlook(ledger, seen, policy, hedge, refused=passed_over) for hedge in smaller]
    others = tuple(each for each in found if each is not None)
    prices = coin_prices({*ledger.dust, *(hedge.pair.base for hedge in ledger.hedges.values())}, seen.market)
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
            prices,
            [each.result for each in others],
        ),
        coin_prices=prices,
        equity=notice.equity,
        longs=foreign_longs(seen.account, ledger),
        refused=refused,
        reason=now.reason or _refusal_text(refused, ledger),
        pairs=_pairs(seen.market, policy, ledger) if rules.with_pairs else (),
        differences=now.differences if _found_in_this_check(now) else {},
    )


def _refused(now: Outlook, notice: mo.OpeningRefused) -> Outlook:
    found = RefusedPair(
        symbol=notice.symbol,
        held=notice.held,
        text=notice.text,
        until=notice.at + timedelta(seconds=notice.seconds),
    )
    return replace(now, refused=(found, *(each for each in now.refused if each.symbol != notice.symbol)))


def _refusal_text(refused: tuple[RefusedPair, ...], ledger: Ledger) -> str:
    """Return for which pair no hedge is closed, and why; of several the one that was refused last."""
    return next((each.text for each in refused if ledger.held(each.held) is not None), "")


def _found_in_this_check(now: Outlook) -> bool:
    begun, found = now.checking_since, now.differences_at
    return found is not None and begun is not None and found >= begun


def _pairs(market: MarketView, policy: Policy, ledger: Ledger) -> tuple[PairOutlook, ...]:
    return tuple(_pair(row) for row in scan(market, policy, ledger).rows)


def _pair(row: ScanRow) -> PairOutlook:
    signal, predicted = row.signal, row.predicted
    interval = predicted.interval_hours if predicted else signal.interval_hours if signal else None
    return PairOutlook(
        symbol=row.pair.symbol,
        apr=signal.apr if signal else None,
        rate=signal.mean if signal else None,
        predicted=float(predicted.rate) if predicted else None,
        interval_hours=interval,
        basis=None if row.basis is None else float(row.basis),
        volume=row.volume,
        refusals=tuple(refusal.detail for refusal in row.refusals),
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
    counted = replace(now, decisions=_counted(now.decisions, notice))
    hold = notice.decision
    if not isinstance(hold, Hold) or hold.reason is HoldReason.HEALTHY:
        return counted
    return replace(counted, reason=f"{hold.reason}: {hold.detail}" if hold.detail else str(hold.reason))


def _counted(known: tuple[DecisionCount, ...], notice: mo.Decided) -> tuple[DecisionCount, ...]:
    """Return the decisions with one more: the same one again about a pair is counted."""
    made = decision_of(notice)
    last = next((each for each in known if each.symbol == made.symbol), None)
    if last is not None and (last.action, last.reason) == (made.action, made.reason):
        again = replace(last, until=made.at, detail=made.detail, count=last.count + 1)
        return tuple(again if each is last else each for each in known)
    return (made, *known)[:DECISIONS_KEPT]


def decision_of(notice: mo.Decided) -> DecisionCount:
    """Return a decision in words, made once."""
    decision = notice.decision
    symbol = notice.symbol or (notice.evaluation.symbol if notice.evaluation else "")
    if isinstance(decision, Open):
        symbol = decision.opportunity.symbol
    return DecisionCount(
        at=notice.at,
        until=notice.at,
        action=DECISION_WORDS[type(decision)],
        reason="" if isinstance(decision, TopUpMargin) else str(decision.reason),
        detail="" if isinstance(decision, Open) else decision.detail,
        symbol=symbol,
    )


def held_outlook(
    ledger: Ledger,
    seen: Observation,
    policy: Policy,
    hedge: HedgedPosition | None = None,
    *,
    refused: Collection[str] = (),
) -> HeldOutlook | None:
    """Return a held hedge at one reading; None when none is held or the account or market is not readable.

    ``hedge`` is that of several that is meant; None = the largest. ``refused`` are pairs that could not be opened a
    short time ago.
    """
    account, market, meant = seen.account, seen.market, hedge or ledger.largest
    if meant is None or account is None or market is None:
        return None
    hedge = seen.as_listed(meant)
    symbol, evaluation = hedge.symbol, evaluation_of(hedge, seen, policy)
    prices, signal = prices_of(symbol, market, account), evaluation.signal
    health = health_of(hedge, seen, prices.spot or prices.perp, shared_distance(ledger, account))
    legs, position = legs_of(hedge, account), account.positions.get(symbol)
    prospects = prospects_of(policy, market, symbol, ledger, refused)
    foresight = foreseen_exits(policy, market, evaluation, health, prospects, ledger)
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
        next_payment=next_payment_of(hedge, market),
        exits=tuple(each.distance for each in foresight.exits),
        foreseen=foresight.exits,
        profit_rules_known=foresight.profit_rules_known,
        liquidation_price=position.liquidation_price if position else None,
        rates=_rates(symbol, market),
        leverage=position.leverage if position else None,
        margin_type=position.margin_type.value if position else None,
        maintenance=position.maintenance if position else None,
        adl_rank=position.adl_quantile if position else None,
    )


def _rates(symbol: str, market: MarketView) -> tuple[SettledRate, ...]:
    return tuple(
        SettledRate(at=each.at, rate=float(each.rate), interval_hours=each.interval_hours)
        for each in market.rates.newest(symbol, RATES_SHOWN)
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
