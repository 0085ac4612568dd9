"""Everything that a screen shows of one bot, as one frozen value: numbers, times and the sentences of its state. Pure.

Web pages, terminal, alerts, Telegram and metrics take every number from a ``View`` and every word about numbers from
``hedgerow.dashboard.formats``. Inside the bot, ``update`` folds its notices into a ``ViewState`` and ``view_of`` makes
the view of it; from outside, ``view_of_bot`` makes the same view of what was read from a home or a database.
Money is in quote units, ratios are fractions, times are aware UTC; None = not known, never zero.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from math import inf
from typing import Any, cast

import msgspec
from msgspec import Struct
from msgspec.structs import fields, replace

from hedgerow.dashboard import job_view
from hedgerow.dashboard.bot_state import BotState, Process, ProcessState, StateReport, bot_state
from hedgerow.dashboard.job_view import JobView
from hedgerow.dashboard.outlook import (
    HeldOutlook,
    Outlook,
    OutlookRules,
    PairOutlook,
    advanced,
    rules_after,
)
from hedgerow.dashboard.status_lines import BotView, since_the_start
from hedgerow.dashboard.view_parts import (
    BotIdentity,
    Bounds,
    ClosedRow,
    DayMark,
    Difference,
    DustRow,
    HaltView,
    HealthView,
    HedgeView,
    LegView,
    MarketFunding,
    PairRow,
    Series,
    Times,
    Together,
    Totals,
    Worth,
)
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO, plain, sum_or_none
from hedgerow.domain.position import ClosedHedge, HedgedPosition
from hedgerow.domain.records.time_series import DecisionCount, MarkKind, PaymentMade
from hedgerow.domain.run_identity import RunIdentity
from hedgerow.engine.notices import Notice, Recorded, Started, Stopped
from hedgerow.strategy.evaluation.health import residue_tolerance
from hedgerow.strategy.grades import HealthLevel
from hedgerow.strategy.hedge_result import LEGS, HedgeResult, StrategyResult
from hedgerow.strategy.next_payment import earliest_of

__all__ = [
    "BotIdentity",
    "Bounds",
    "ClosedRow",
    "DayMark",
    "Difference",
    "DustRow",
    "HaltView",
    "HealthView",
    "HedgeView",
    "LegView",
    "MarkKind",
    "MarketFunding",
    "PairRow",
    "Series",
    "Times",
    "Together",
    "Totals",
    "View",
    "ViewState",
    "Worth",
    "update",
    "view_document",
    "view_of",
    "view_of_bot",
]


# --- the value -------------------------------------------------------------------------------------------------------


class View(Struct, frozen=True, kw_only=True):
    """Everything that a screen shows of one bot."""

    identity: BotIdentity
    process: Process
    report: StateReport
    times: Times
    halts: tuple[HaltView, ...]
    hedges: tuple[HedgeView, ...]
    """Live hedges: legs apart by a trade first, then by health, then by how near liquidation is."""
    together: Together | None
    """None when nothing is held."""
    job: JobView | None
    """The trade in flight; of several the one whose legs differ."""
    jobs: tuple[JobView, ...]
    totals: Totals
    closed: tuple[ClosedRow, ...]
    """Newest first."""
    pairs: tuple[PairRow, ...]
    """The most attractive first."""
    payments: tuple[PaymentMade, ...]
    """Newest first."""
    decisions: tuple[DecisionCount, ...]
    """Newest first."""
    why_waiting: str
    """Why nothing is opened or closed, in words; empty = not said."""
    health: HealthView
    settings: dict[str, str]
    """Every setting in force, as the file spells it."""
    dust: tuple[DustRow, ...]
    dust_gain: Decimal | None
    foreign: tuple[str, ...]
    """Positions that are not the bot's."""
    series: Series | None

    @property
    def widest(self) -> int | None:
        """The place in ``hedges`` of the one whose legs differ most, relative to the larger leg."""
        parts = [abs(hedge.difference.fraction) if hedge.difference else 0.0 for hedge in self.hedges]
        return parts.index(max(parts)) if parts else None


# --- made inside the bot ---------------------------------------------------------------------------------------------


class ViewState(Struct, frozen=True, kw_only=True):
    """What a view is made of inside the bot, after the newest notice."""

    rules: OutlookRules
    ledger: Ledger = Ledger()
    outlook: Outlook | None = None


def update(state: ViewState, notice: Notice) -> ViewState:
    """Return the state after one notice, the same object where it changes nothing."""
    rules = rules_after(state.rules, notice)
    outlook = advanced(rules, state.outlook, notice)
    ledger = state.ledger
    if isinstance(notice, Recorded):
        ledger = notice.after
    elif isinstance(notice, Started | Stopped):
        ledger = notice.ledger
    if outlook is state.outlook and ledger is state.ledger and rules is state.rules:
        return state
    return replace(state, rules=rules, outlook=outlook, ledger=ledger)


def view_of(state: ViewState, process: Process, now: datetime, series: Series | None = None) -> View:
    """Return the view at ``now``, which is time of the bot's own clock."""
    report = bot_state(state.ledger, process, state.outlook, now)
    bot = BotView(ledger=state.ledger, process=process, outlook=state.outlook, report=report, now=now)
    return view_of_bot(bot, series)


# --- made of what was read -------------------------------------------------------------------------------------------


def view_of_bot(bot: BotView, series: Series | None = None, identity: RunIdentity | None = None) -> View:
    """Return the view of a bot that was read from outside.

    ``identity`` is that of its settings: it counts where the bot itself names none.
    """
    ledger, outlook = bot.ledger, bot.outlook
    jobs = tuple(job_view.job_view(job, ledger, bot.now) for job in ledger.jobs)
    shown = ledger.shown_job
    hedges = tuple(sorted((_hedge(bot, hedge, jobs, series) for hedge in ledger.live_hedges), key=_danger))
    whole = since_the_start(bot)
    return View(
        identity=_identity(bot, identity),
        process=bot.process,
        report=bot.report,
        times=_times(bot),
        halts=_halts(ledger),
        hedges=hedges,
        together=_together(hedges) if hedges else None,
        job=next((job for job in jobs if shown and job.hedge_id == shown.hedge_id), None),
        jobs=jobs,
        totals=_totals(bot, whole, hedges),
        closed=tuple(_closed(each) for each in reversed(ledger.closed)),
        pairs=_pairs(outlook.pairs if outlook else (), ledger),
        payments=_newest(outlook.payments if outlook else (), series.payments if series else ()),
        decisions=(series.decisions if series and series.decisions else None) or (outlook.decisions if outlook else ()),
        why_waiting=outlook.reason if outlook else "",
        health=_health(outlook, ledger),
        settings=outlook.settings if outlook else {},
        dust=tuple(DustRow(asset=lot.asset, quantity=lot.quantity, cost=lot.cost) for lot in ledger.dust.values()),
        dust_gain=whole.dust_gain,
        foreign=(*outlook.foreign, *outlook.longs) if outlook else (),
        series=series,
    )


def _identity(bot: BotView, settings: RunIdentity | None) -> BotIdentity:
    outlook = bot.outlook
    known = (outlook.identity if outlook else None) or settings
    home = (known.home if known else None) or ""
    return BotIdentity(
        name=home.rstrip("/").rpartition("/")[2],
        mode=known.mode if known else None,
        venue=outlook.venue if outlook else "",
        network=(known.network if known else None) or "",
        policy=outlook.policy if outlook else "",
        account=(known.account if known else None) or "",
        version=known.version if known else "",
        home=home,
    )


def _times(bot: BotView) -> Times:
    outlook = bot.outlook
    own = outlook is not None and bot.process.pid in {None, outlook.pid}
    reads = own and bot.process.state is ProcessState.RUNNING and bot.report.state is not BotState.BLIND
    return Times(
        now=bot.now,
        since=bot.report.since,
        started_at=outlook.started_at if outlook else None,
        stopped_at=outlook.stopped_at if outlook else None,
        read_at=outlook.read_at if outlook else None,
        checked_at=outlook.checked_at if outlook else None,
        checking_since=outlook.checking_since if outlook else None,
        next_check_at=outlook.next_check_at if outlook else None,
        interval_seconds=outlook.interval_seconds if outlook else None,
        blind_since=outlook.blind_since if outlook else None,
        last_beat=bot.process.last_beat,
        log_began_at=bot.ledger.started_at,
        is_old=bot.is_old or not reads,
    )


def _halts(ledger: Ledger) -> tuple[HaltView, ...]:
    halt = ledger.halt
    if halt is None:
        return ()
    return (
        HaltView(
            since=halt.since,
            reason=halt.reason.value,
            detail=halt.detail,
            symbols=halt.symbols,
            lifts_itself=halt.lifts_itself,
            amount=halt.amount,
        ),
    )


# --- hedges ----------------------------------------------------------------------------------------------------------


def _hedge(bot: BotView, hedge: HedgedPosition, jobs: Sequence[JobView], series: Series | None) -> HedgeView:
    held, ledger = bot.reading_of(hedge), bot.ledger
    current = held is not None and (ledger.traded_at is None or held.at >= ledger.traded_at)
    # After a trade the log knows the legs, and the reading does not.
    coins, short = (held.spot_quantity, held.short) if held and current else (hedge.spot_quantity, hedge.short)
    result, prices, health = (held.result, held.prices, held.health) if held else (None, None, None)
    deferral = ledger.deferrals.get(hedge.hedge_id)
    pair = hedge.pair
    spot_price = (prices.spot or prices.index) if prices else None
    perp_price = (prices.perp or prices.mark) if prices else None
    spot_entry, perp_entry = _entry_price(hedge, Market.SPOT), _entry_price(hedge, Market.PERP)
    return HedgeView(
        hedge_id=hedge.hedge_id,
        symbol=hedge.symbol,
        base=pair.base,
        is_opening=hedge is ledger.opening,
        adopted=hedge.adopted,
        opened_at=hedge.opened_at,
        read_at=held.at if held else None,
        entry_notional=hedge.entry_notional,
        entry_apr=hedge.entry_apr,
        spot=LegView(
            market=Market.SPOT,
            quantity=coins,
            step=pair.spot.lot,
            price=spot_price,
            value=None if spot_price is None else coins * spot_price,
            entry_price=spot_entry,
            pnl=result.spot_pnl if result else None,
        ),
        perp=LegView(
            market=Market.PERP,
            quantity=-short,
            step=pair.perp.lot,
            price=perp_price,
            value=None if perp_price is None else -short * perp_price,
            entry_price=perp_entry,
            pnl=result.perp_pnl if result else None,
        ),
        difference=_difference(coins, short, spot_price or hedge.entry_price or None),
        bounds=Bounds(
            lot=pair.lot_step,
            least=residue_tolerance(pair, spot_price or hedge.entry_price or None),
            naked_seconds=_allowed(bot, hedge),
        ),
        prices=prices,
        basis=_basis(spot_price, perp_price),
        entry_basis=_basis(spot_entry, perp_entry),
        liquidation_price=held.liquidation_price if held else None,
        liquidation_distance=health.liquidation_distance if health else None,
        leverage=held.leverage if held else None,
        margin_type=held.margin_type if held else None,
        maintenance=held.maintenance if held else None,
        adl_rank=held.adl_rank if held else None,
        level=health.level if health else None,
        findings=tuple(finding.text for finding in health.findings) if health else (),
        unknown=health.unknown if health else (),
        result=result,
        funding=_funding(hedge.symbol, held, series),
        funding_received=hedge.funding_received,
        funding_payments=hedge.funding_payments,
        fees_paid=hedge.tally.fees,
        exits=held.foreseen if held else (),
        profit_rules_known=held.profit_rules_known if held else False,
        deferred_until=deferral.until if deferral else None,
        job=next((job for job in jobs if job.hedge_id == hedge.hedge_id), None),
    )


def _allowed(bot: BotView, hedge: HedgedPosition) -> float | None:
    job = bot.ledger.job_of(hedge.symbol)
    if job is not None:
        return job.limits.max_naked_seconds
    return bot.outlook.max_naked_seconds if bot.outlook else None


def _entry_price(hedge: HedgedPosition, market: Market) -> Decimal | None:
    """Return the average price of the opening's fills of one leg; None where none is known."""
    opening = [each for each in hedge.orders if each.request.market is market and each.opens]
    quantity = sum((each.filled_quantity for each in opening if each.filled_notional), ZERO)
    return sum((each.filled_notional for each in opening), ZERO) / quantity if quantity else None


def _difference(coins: Decimal, short: Decimal, price: Decimal | None) -> Difference | None:
    larger, quantity = max(coins, short), coins - short
    if larger <= 0:
        return None
    value = None if price is None else quantity * price
    return Difference(quantity=quantity, fraction=float(quantity / larger), value=value)


def _basis(spot: Decimal | None, perp: Decimal | None) -> float | None:
    return None if not spot or perp is None else float((perp - spot) / spot)


def _funding(symbol: str, held: HeldOutlook | None, series: Series | None) -> MarketFunding:
    known = {
        each.at: each for each in (*(series.rates.get(symbol, ()) if series else ()), *(held.rates if held else ()))
    }
    rates = tuple(known[at] for at in sorted(known))[-30:]
    mean = sum(each.rate for each in rates) / len(rates) if rates else None
    deviation = None
    if mean is not None:
        deviation = (sum((each.rate - mean) ** 2 for each in rates) / len(rates)) ** 0.5
    signal = held.signal if held else None
    return MarketFunding(
        next=held.next_payment if held else None,
        rates=rates,
        mean=mean,
        deviation=deviation,
        signal=signal,
        apr_on_leg=signal.apr if signal else None,
        apr_on_capital=signal.apr / LEGS if signal else None,
    )


def _danger(hedge: HedgeView) -> tuple[int, float, str]:
    """Return the smaller, the worse: legs apart by a trade, then health, then how near liquidation is."""
    naked = hedge.job is not None and hedge.job.naked_since is not None
    levels = (HealthLevel.CRITICAL, HealthLevel.CLOSE, HealthLevel.REPAIR)
    grade = 0 if naked else 1 + (levels.index(hedge.level) if hedge.level in levels else len(levels))
    return grade, inf if hedge.liquidation_distance is None else hedge.liquidation_distance, hedge.symbol


def _together(hedges: Sequence[HedgeView]) -> Together:
    results = [hedge.result for hedge in hedges]
    notional = sum((hedge.entry_notional for hedge in hedges), ZERO)
    net = sum_or_none(result.net_if_closed if result else None for result in results)
    due_at, due = earliest_of(hedge.funding.next for hedge in hedges)
    paid_back = [result.break_even_at for result in results if result and (result.net_if_closed or ZERO) < 0]
    aprs = [(hedge.funding.apr_on_leg, float(hedge.entry_notional)) for hedge in hedges]
    weight = sum(part for _, part in aprs)
    apr = None
    if weight > 0 and all(each is not None for each, _ in aprs):
        apr = sum((each or 0.0) * part for each, part in aprs) / weight
    distances = [hedge.liquidation_distance for hedge in hedges if hedge.liquidation_distance is not None]
    levels = [hedge.level for hedge in hedges if hedge.level is not None]
    return Together(
        hedges=len(hedges),
        notional=notional,
        difference_value=sum_or_none(
            abs(hedge.difference.value) if hedge.difference and hedge.difference.value is not None else None
            for hedge in hedges
        ),
        funding=sum((hedge.funding_received for hedge in hedges), ZERO),
        fees_paid=sum((hedge.fees_paid for hedge in hedges), ZERO),
        basis=sum_or_none(result.basis if result else None for result in results),
        exit_cost=sum_or_none(result.exit_cost if result else None for result in results),
        net_so_far=sum_or_none(result.net_so_far if result else None for result in results),
        net_if_closed=net,
        net_on_notional=None if net is None or notional <= 0 else float(net / notional),
        break_even_at=max((at for at in paid_back if at), default=None) if None not in paid_back else None,
        next_payment_at=due_at,
        next_payment=due,
        apr_on_leg=apr,
        apr_on_capital=None if apr is None else apr / LEGS,
        liquidation_distance=min(distances, default=None),
        level=max(levels, key=list(HealthLevel).index, default=None),
    )


# --- tables ----------------------------------------------------------------------------------------------------------


def _totals(bot: BotView, whole: StrategyResult, hedges: Sequence[HedgeView]) -> Totals:
    ledger, outlook, ended = bot.ledger, bot.outlook, bot.ledger.totals
    known = whole.without_unpriced_dust()
    return Totals(
        funding=ended.funding,
        basis=ended.basis_pnl,
        fees=ended.fees,
        net_closed=ended.net_profit,
        held=sum_or_none(hedge.result.net_if_closed if hedge.result else None for hedge in hedges),
        net_so_far=known.net_so_far if _is_whole(whole, hedges) else None,
        net_if_closed=known.net_if_closed if _is_whole(whole, hedges) else None,
        unpriced_dust=whole.unpriced,
        imported=ledger.imported.total_profit_loss,
        opened=ended.opened,
        closed=ended.closed,
        aborted=ended.aborted,
        cycles=ended.cycles,
        equity=outlook.equity if outlook else None,
        free_spot=outlook.free_spot if outlook else None,
        free_perp=outlook.free_perp if outlook else None,
        unattributed_funding=ledger.unattributed_funding,
        longest_naked_seconds=bot.report.longest_naked_seconds,
        largest_naked=ledger.max_naked_notional,
    )


def _is_whole(whole: StrategyResult, hedges: Sequence[HedgeView]) -> bool:
    """Return whether a result includes every live hedge."""
    return len(whole.open) == len(hedges)


def _closed(closed: ClosedHedge) -> ClosedRow:
    hedge = closed.hedge
    return ClosedRow(
        hedge_id=hedge.hedge_id,
        symbol=hedge.symbol,
        opened_at=hedge.opened_at,
        closed_at=closed.closed_at,
        notional=hedge.entry_notional,
        entry_apr=hedge.entry_apr,
        funding=closed.funding,
        payments=hedge.funding_payments,
        basis=closed.basis_pnl,
        fees=closed.fees,
        net=closed.net_profit,
        reason=closed.reason.value,
        naked_seconds=closed.quality.worst_naked_seconds if closed.quality else None,
    )


def _pairs(seen: Sequence[PairOutlook], ledger: Ledger) -> tuple[PairRow, ...]:
    held = {hedge.symbol for hedge in ledger.live_hedges}
    return tuple(
        PairRow(
            seen=each,
            held=each.symbol in held,
            may_enter=not each.refusals and each.symbol not in held,
            why_not=each.refusals,
        )
        for each in seen
    )


def _newest(own: Sequence[PaymentMade], kept: Sequence[PaymentMade]) -> tuple[PaymentMade, ...]:
    known = {each.tran_id: each for each in (*kept, *own)}
    return tuple(sorted(known.values(), key=lambda each: (each.at, each.tran_id), reverse=True))


def _health(outlook: Outlook | None, ledger: Ledger) -> HealthView:
    return HealthView(
        unread=outlook.unread if outlook else (),
        failure=outlook.failure if outlook else "",
        differences=outlook.differences if outlook else {},
        differences_at=outlook.differences_at if outlook else None,
        doubts=outlook.doubts if outlook else (),
        clock_skew_seconds=outlook.clock_skew_seconds if outlook else None,
        doubtful_orders=len(ledger.doubtful_orders),
        request_budget=outlook.request_budget if outlook else None,
        streams_up=outlook.streams_up if outlook else None,
        streams=outlook.streams if outlook else None,
        listener_failures=outlook.listener_failures if outlook else {},
        key_expires_at=outlook.key_expires_at if outlook else None,
    )


# --- JSON ------------------------------------------------------------------------------------------------------------

_RESULT = ("basis", "net_so_far", "exit_cost", "net_if_closed", "net_on_notional", "net_on_capital")
"""Values of a result that are not fields of it."""


def view_document(view: View) -> dict[str, Any]:
    """Return the view as JSON has it: decimals as plain strings, ratios as numbers, times as ISO 8601 UTC."""
    return cast("dict[str, Any]", _document(view))


def _document(value: object) -> object:
    match value:
        case Struct():
            names = [field.name for field in fields(value)]
            names += _RESULT if isinstance(value, HedgeResult) else ()
            return {name: _document(getattr(value, name)) for name in names}
        case Decimal():
            return plain(value)
        case dict():
            return {str(key): _document(each) for key, each in cast("dict[object, object]", value).items()}
        case tuple() | list():
            return [_document(each) for each in cast("Sequence[object]", value)]
        case _:
            return msgspec.to_builtins(value)
