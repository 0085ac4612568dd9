"""The past of a bot: what is kept of each check, and what screens make of it. Pure but for the store that is read.

The counterfactuals follow the definitions of the backtest (docs/backtest.md): a position held instead earns funding
alone and costs the opening and closing of both legs; hindsight is the best path over cash and the compared pairs.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain
from typing import Final

from msgspec import Struct

from hedgerow.dashboard.bot_state import BotState, Process, ProcessState, bot_state
from hedgerow.dashboard.outlook import HeldOutlook, Outlook, SettledRate, decision_of
from hedgerow.dashboard.view_parts import DayMark, Series, Worth
from hedgerow.domain import events as ev
from hedgerow.domain.funding import HOURS_PER_YEAR
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.market import MarketView
from hedgerow.domain.money import BPS, ZERO
from hedgerow.domain.records.time_series import (
    MarkKind,
    PairCost,
    PairRate,
    PaymentMade,
    SeriesBatch,
    SeriesPoint,
)
from hedgerow.engine import notices as mo
from hedgerow.ports import TimeSeriesStore

__all__ = ["SeriesRecorder", "best_path", "day_marks", "mark_kind", "series_of", "worth_of"]

SLOT: Final = timedelta(minutes=15)
SLOTS: Final = 96
COMPARED: Final = 12
"""So many of the most attractive pairs are compared with what is held."""
COMPARED_AT_MOST: Final = 24
BTC: Final = "BTCUSDT"
SHOWN: Final = 200
"""Decisions and payments that are read."""
RATES_SHOWN: Final = 30
DECIMALS: Final = 8
WHOLE: Final = 0.98
"""Part of a time that settled rates must cover to say what a pair would have made in it."""
_KINDS: Final = {
    BotState.FLAT: MarkKind.FLAT,
    BotState.OPENING: MarkKind.TRADING,
    BotState.HEDGED: MarkKind.HEDGED,
    BotState.CLOSING: MarkKind.TRADING,
    BotState.REPAIRING: MarkKind.HALF_OPEN,
    BotState.NAKED: MarkKind.NAKED,
    BotState.HALTED_FLAT: MarkKind.HALTED,
    BotState.HALTED_HEDGED: MarkKind.HALTED,
    BotState.BLIND: MarkKind.BLIND,
}
_WORSE: Final = {kind: rank for rank, kind in enumerate(MarkKind)}


def mark_kind(state: BotState) -> MarkKind:
    """Return what a state counts as; a bot that does not watch is not seen."""
    return _KINDS.get(state, MarkKind.NOT_SEEN)


# --- recorded inside the bot -----------------------------------------------------------------------------------------


class SeriesRecorder:
    """Makes of the bot's notices what its time series keeps; holds a few numbers, and waits for nothing."""

    def __init__(self) -> None:
        self._ledger = Ledger()
        self._worst = self._last = MarkKind.NOT_SEEN
        """Of the time since the last point, and as it was seen last."""
        self._last_at: datetime | None = None
        """Time of the last point of this process."""
        self._rates: dict[str, datetime] = {}
        """Stamp of the newest rate that was kept, by compared symbol."""

    def on_notice(self, notice: mo.Notice, outlook: Outlook | None) -> SeriesBatch | None:
        """Return what one notice adds; ``outlook`` is the one after it."""
        match notice:
            case mo.Started():
                self._ledger, self._last_at = notice.ledger, notice.at
                return self._point(notice.at, outlook)
            case mo.Recorded():
                return self._recorded(notice, outlook)
            case mo.Decided():
                return SeriesBatch(decisions=(decision_of(notice),))
            case mo.Observed():
                market = notice.observation.market
                return None if market is None else self._observed(market)
            case mo.CycleEnded() | mo.CycleFailed() | mo.Stopped():
                return self._point(notice.at, outlook)
            case _:
                pass
        return None

    def _recorded(self, notice: mo.Recorded, outlook: Outlook | None) -> SeriesBatch | None:
        self._ledger = notice.after
        self._look(notice.event.at, outlook)
        if not isinstance(notice.event, ev.FundingReceived):
            return None
        paid = notice.event.payment
        made = PaymentMade(at=paid.at, symbol=paid.symbol, amount=paid.amount, tran_id=paid.tran_id)
        return SeriesBatch(payments=(made,))

    def _look(self, at: datetime, outlook: Outlook | None) -> None:
        """Keep the worst state since the last point; the legs of a trade in flight are looked at event by event."""
        process = Process(state=ProcessState.RUNNING, pid=outlook.pid if outlook else None)
        self._last = mark_kind(bot_state(self._ledger, process, outlook, at).state)
        self._worst = max(self._worst, self._last, key=_WORSE.__getitem__)

    def _point(self, at: datetime, outlook: Outlook | None) -> SeriesBatch:
        if outlook is None or outlook.stopped_at is None:
            self._look(at, outlook)
        kind, self._worst = max(self._worst, self._last, key=_WORSE.__getitem__), MarkKind.NOT_SEEN
        covered = 0.0 if self._last_at is None else max(0.0, (at - self._last_at).total_seconds())
        self._last_at = at
        ledger, ended = self._ledger, self._ledger.totals
        held = [each for each in (outlook.held, *outlook.others) if each is not None] if outlook else []
        hedges = ledger.open_hedges
        funding = ended.funding + sum((hedge.funding_received for hedge in hedges), ZERO)
        fees = ended.fees + sum((hedge.tally.fees for hedge in hedges), ZERO)
        basis = _basis(ended.basis_pnl, held) if len(held) == len(hedges) else None
        point = SeriesPoint(
            at=at,
            kind=kind,
            covered_seconds=covered,
            equity=None if outlook is None or outlook.equity is None else round(outlook.equity, DECIMALS),
            net=None if basis is None else round(funding + basis - fees, DECIMALS),
            funding=round(funding, DECIMALS),
            fees=round(fees, DECIMALS),
            basis=None if basis is None else round(basis, DECIMALS),
            notional=round(sum((hedge.entry_notional for hedge in hedges), ZERO), DECIMALS),
            symbols=",".join(hedge.symbol for hedge in hedges),
        )
        return SeriesBatch(points=(point,))

    def _observed(self, market: MarketView) -> SeriesBatch | None:
        """Return the settled rates that are new of the held and the compared pairs."""
        held = [hedge.symbol for hedge in self._ledger.live_hedges]
        attractive = sorted(
            (
                (rates[-1].rate / rates[-1].interval_hours, symbol)
                for symbol, rates in market.rates.settled.items()
                if rates
            ),
            reverse=True,
        )
        wanted = dict.fromkeys(chain(held, (BTC,), self._rates, (symbol for _, symbol in attractive[:COMPARED])))
        rates: list[PairRate] = []
        costs: list[PairCost] = []
        for symbol in list(wanted)[: max(COMPARED_AT_MOST, len(held))]:
            known = self._rates.get(symbol)
            new = [rate for rate in market.rates.newest(symbol, RATES_SHOWN) if known is None or rate.at > known]
            if not new:
                continue
            self._rates[symbol] = new[-1].at
            rates += [
                PairRate(symbol=symbol, at=rate.at, rate=float(rate.rate), interval_hours=rate.interval_hours)
                for rate in new
            ]
            cost = _cost(symbol, market)
            if cost is not None:
                costs.append(PairCost(symbol=symbol, fraction=cost))
        return SeriesBatch(rates=tuple(rates), costs=tuple(costs)) if rates else None


def _basis(ended: Decimal, held: Sequence[HeldOutlook]) -> Decimal | None:
    total = ended
    for each in held:
        if each.result.basis is None:
            return None
        total += each.result.basis
    return total


def _cost(symbol: str, market: MarketView) -> Decimal | None:
    """Return what opening and closing a pair costs: commissions of both legs, twice, and the spreads of both books."""
    pair = market.pair(symbol)
    if pair is None:
        return None
    quotes = (market.quote(leg, symbol) for leg in Market)
    spreads = [quote.spread_bps if quote else None for quote in quotes]
    fees = 2 * (pair.spot.fees.taker + pair.perp.fees.taker)
    return round(fees + sum((spread * BPS for spread in spreads if spread is not None), ZERO), DECIMALS)


# --- read by screens -------------------------------------------------------------------------------------------------


def series_of(store: TimeSeriesStore, now: datetime, *, cash_rate: float = 0.0, held: Sequence[str] = ()) -> Series:
    """Return what a screen shows of the past.

    Raises:
        StoreError: it cannot be read.
    """
    marks = day_marks(store.points(now - SLOT * (SLOTS + 1)), now)
    rates: dict[str, tuple[SettledRate, ...]] = {}
    if held:
        known = store.rates(now - timedelta(days=RATES_SHOWN), held)
        for symbol in held:
            own = [
                SettledRate(at=r.at, rate=r.rate, interval_hours=r.interval_hours) for r in known if r.symbol == symbol
            ]
            rates[symbol] = tuple(own[-RATES_SHOWN:])
    counts = {kind: sum(mark.kind is kind for mark in marks) for kind in MarkKind}
    return Series(
        day=marks,
        shares={kind.value: often / SLOTS for kind, often in counts.items() if often},
        worth=worth_of(store, now, cash_rate),
        decisions=store.decisions(SHOWN),
        payments=store.payments(SHOWN),
        rates=rates,
    )


def day_marks(points: Sequence[SeriesPoint], now: datetime) -> tuple[DayMark, ...]:
    """Return the last 24 hours in 96 pieces, oldest first, each the worst that was seen in it.

    A point stands for the time that it covers; time that no point covers was not seen.
    """
    seconds = SLOT.total_seconds()
    last = int(now.timestamp() // seconds)
    first = last - SLOTS + 1
    worst = dict.fromkeys(range(first, last + 1), MarkKind.NOT_SEEN)
    for point in points:
        end = int(point.at.timestamp() // seconds)
        begin = int((point.at.timestamp() - point.covered_seconds) // seconds)
        for slot in range(max(begin, first), min(end, last) + 1):
            worst[slot] = max(worst[slot], point.kind, key=_WORSE.__getitem__)
    zone = now.tzinfo
    return tuple(DayMark(at=datetime.fromtimestamp(slot * seconds, zone), kind=kind) for slot, kind in worst.items())


class _Asked(Struct, frozen=True, kw_only=True):
    """What a counterfactual is computed from."""

    since: datetime
    until: datetime
    notional: float
    rates: Mapping[str, Sequence[PairRate]]
    costs: Mapping[str, float]


def worth_of(store: TimeSeriesStore, now: datetime, cash_rate: float) -> Worth | None:
    """Return what the bot made beside what else its money could have made; None before a first hedge was seen.

    Raises:
        StoreError: the series cannot be read.
    """
    first = next(iter(store.first_points(1)), None)
    if first is None:
        return None
    since, pair = first.at, first.symbols.partition(",")[0]
    recent = store.points(max(since, now - timedelta(days=2)) - timedelta(seconds=1), now)
    known = [point for point in recent if point.net is not None]
    by_symbol: dict[str, list[PairRate]] = {}
    for rate in store.rates(since):
        by_symbol.setdefault(rate.symbol, []).append(rate)
    asked = _Asked(
        since=since,
        until=now,
        notional=float(first.notional),
        rates=by_symbol,
        costs={cost.symbol: float(cost.fraction) for cost in store.costs()},
    )
    capital = 2 * first.notional if first.equity is None else first.equity
    years = (now - since).total_seconds() / 3600 / HOURS_PER_YEAR
    before = store.points(since - timedelta(days=2), since - timedelta(seconds=1))
    flat = next((point for point in reversed(before) if point.net is not None and not point.notional), None)
    return Worth(
        since=since,
        until=now,
        capital=capital,
        bot=_gain(flat or first, known[-1], asked.costs) if known else None,
        same_pair=pair,
        same_pair_held=_held(asked, pair),
        btc_held=_held(asked, BTC),
        cash=_money(float(capital) * cash_rate * years),
        cash_rate=cash_rate,
        hindsight=_hindsight(asked),
    )


def _gain(first: SeriesPoint, last: SeriesPoint, costs: Mapping[str, float]) -> Decimal | None:
    """Return what was made from one point to another if what is held were closed then, as the others are."""
    if first.net is None or last.net is None:
        return None
    symbols = [symbol for symbol in last.symbols.split(",") if symbol]
    each = float(last.notional) / max(1, len(symbols))
    return last.net - first.net - _money(sum(costs.get(symbol, 0.0) / 2 * each for symbol in symbols))


def _held(asked: _Asked, symbol: str) -> Decimal | None:
    """Return what a pair held all the time would have made after costs; None where its rates are not all known."""
    rates, cost = asked.rates.get(symbol, ()), asked.costs.get(symbol)
    if cost is None or not _is_whole(rates, asked):
        return None
    return _money(asked.notional * (sum(rate.rate for rate in rates) - cost))


def _is_whole(rates: Sequence[PairRate], asked: _Asked) -> bool:
    """Return whether settled rates cover the time, but for what has not settled yet."""
    hours = (asked.until - asked.since).total_seconds() / 3600
    longest = max((rate.interval_hours for rate in rates), default=0)
    return sum(rate.interval_hours for rate in rates) >= WHOLE * hours - 2 * max(longest, 1)


def _hindsight(asked: _Asked) -> Decimal | None:
    """Return the best that moving between the compared pairs and cash could have made."""
    usable = {symbol: rates for symbol, rates in asked.rates.items() if symbol in asked.costs}
    if not usable:
        return None
    return _money(asked.notional * best_path(usable, asked.costs))


def best_path(rates: Mapping[str, Iterable[PairRate]], costs: Mapping[str, float]) -> float:
    """Return what the best path over cash and pairs earns, a fraction of notional: one pair at a time.

    As ``hedgerow.backtest.bound.best_path``, where every pair can be opened and closed before every settlement: the
    half of ``costs`` is paid when a pair is opened, the other half when it is closed.
    """
    paid: dict[datetime, dict[str, float]] = {}
    for symbol, each in rates.items():
        for rate in each:
            paid.setdefault(rate.at, {})[symbol] = rate.rate
    half = {symbol: costs[symbol] / 2 for symbol in rates}
    cash, held = 0.0, {symbol: -half[symbol] for symbol in rates}
    for stamp in sorted(paid):
        cash = max([cash, *(value - half[symbol] for symbol, value in held.items())])
        for symbol, value in held.items():
            held[symbol] = max(value, cash - half[symbol]) + paid[stamp].get(symbol, 0.0)
    return max([cash, *(value - half[symbol] for symbol, value in held.items())])


def _money(value: float) -> Decimal:
    return round(Decimal(repr(value)), DECIMALS)
