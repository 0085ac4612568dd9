"""One window of history and everything that is played in it: parameter sets in, trades, decisions and figures out."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from msgspec import Struct

from hedgerow.backtest.bound import Bound, Opportunities, bound_of, opportunities_of
from hedgerow.backtest.chain import Chain
from hedgerow.backtest.figures import Decision, Figures, Money, Trade, attribution_of, drawdown_of, figures_of
from hedgerow.backtest.kernel import OPEN, Market, Played, market_of, rules_of
from hedgerow.backtest.slots import best_slots
from hedgerow.backtest.tables import NEVER_MS, Books, Flags, Floats, Grid, Ints, Tables, build_tables
from hedgerow.domain.errors import ConfigError, HistoryError
from hedgerow.domain.formats import utc_minute
from hedgerow.domain.instrument import FeeRates
from hedgerow.domain.money import BPS
from hedgerow.domain.position import Reason
from hedgerow.history.archive import FUNDING_WARM_UP_DAYS, ArchiveMarketData
from hedgerow.history.series import at_ms
from hedgerow.strategy.parameters import StrategyParameters

__all__ = ["END", "PRICES_ENDED", "REASON_WORDS", "Best", "Failure", "Result", "Stretch", "Study", "StudyPlan"]

PRICES_ENDED: Final = "prices end"
END: Final = "end of the window"
REASON_WORDS: Final = {
    0: Reason.BEST_OPPORTUNITY.value,
    1: Reason.EMERGENCY_STOP.value,
    3: Reason.FEES_COVERED.value,
    4: Reason.MAX_AGE.value,
    5: Reason.BETTER_PAIR.value,
    6: Reason.NEGATIVE_FUNDING.value,
    7: PRICES_ENDED,
    8: END,
}
"""Of the kernel's codes."""
ACTIONS: Final = ("open", "close", "roll")
FILLS: Final = 4
DAYS_PER_PERIOD: Final = 0.5
"""Settled rates read before the window, for each of the average: an interval of 8 h, and holes in the history."""


class StudyPlan(Struct, frozen=True, kw_only=True):
    """A window, and what trading costs in it."""

    data: Path
    start: datetime
    end: datetime
    symbols: tuple[str, ...] | None = None
    """None = every pair of the data; the first one is what *hold* holds."""
    exchange: str | None = None
    """Venue of the funding; None = the preferred one of each pair."""
    cost_bps: Decimal | None = None
    """Of a round trip of both legs; None = the venue's fees and the declared books."""
    cycle_seconds: float = 300.0
    guard_seconds: float = 60.0
    most_periods: int = 10
    """The longest moving average that will be asked for."""
    money: Money = Money(capital=10_000.0, leverage=1.0, cash_apr=0.04)

    @property
    def fill_fee(self) -> Decimal | None:
        """Cost of one fill as a fraction of its notional."""
        return None if self.cost_bps is None else self.cost_bps * BPS / FILLS

    @property
    def notional(self) -> float:
        """Size of a leg, quote units."""
        return self.money.capital * self.money.share


class Failure(Struct, frozen=True, kw_only=True):
    """Why the engine did not complete checks, most often."""

    cause: str
    first_at: datetime


class Result(Struct, frozen=True, kw_only=True):
    """What one parameter set, or *hold*, did in a window."""

    figures: Figures
    trades: tuple[Trade, ...]
    decisions: tuple[Decision, ...]
    failed_checks: int = 0
    """Checks of the window that the engine did not complete; of the kernel none."""
    failure: Failure | None = None
    """None where none failed: a trade that lasted longer than the time between two checks took the place of others."""


class Stretch(Struct, frozen=True, kw_only=True):
    """A pair that the best path holds without a break."""

    symbol: str
    first_paid_at: datetime
    last_paid_at: datetime


class Best(Struct, frozen=True, kw_only=True):
    """The best that hindsight could have done, of each hedge; APRs as in ``Figures``."""

    hedges: int
    bound_apr: float
    bound_apr_on_capital: float
    hold_apr: float | None
    entries: int
    """Of all hedges."""
    entries_per_year: float
    path: tuple[Stretch, ...]


class Study:
    """A window that is loaded; tables, bound and *hold* are computed once."""

    def __init__(self, plan: StudyPlan, market_data: ArchiveMarketData) -> None:
        self.plan = plan
        self.market_data = market_data
        self.grid = Grid.of(market_data.start, market_data.end, plan.cycle_seconds, plan.guard_seconds)

    @classmethod
    def load(cls, plan: StudyPlan) -> "Study":
        """Read the history of a plan.

        Raises:
            ConfigError: the window is empty or reversed.
            HistoryError: the history cannot be read, or holds nothing for the window.
        """
        if plan.end <= plan.start:
            raise ConfigError(f"--end {utc_minute(plan.end)}: must be after --start ({utc_minute(plan.start)})")
        market_data = ArchiveMarketData.load(
            plan.data,
            start=plan.start,
            days=(plan.end - plan.start) / timedelta(days=1),
            warm_up_days=max(FUNDING_WARM_UP_DAYS, plan.most_periods * DAYS_PER_PERIOD),
            symbols=plan.symbols,
            exchange=plan.exchange,
            fees=None if plan.fill_fee is None else FeeRates(maker=plan.fill_fee, taker=plan.fill_fee),
        )
        return cls(plan, market_data)

    # --- the market ---------------------------------------------------------------------------------------------

    @cached_property
    def tables(self) -> Tables:
        """Everything that can be seen, as arrays."""
        books = Books.of(self.market_data, bottomless=self.plan.cost_bps is not None)
        return build_tables(self.market_data, self.grid, books)

    @cached_property
    def market(self) -> Market:
        """The same for the kernel."""
        return market_of(self.tables, self.plan.notional)

    @cached_property
    def opportunities(self) -> Opportunities:
        """What hindsight chooses from."""
        return opportunities_of(self.tables)

    @cached_property
    def bounds(self) -> tuple[Bound, Bound]:
        """The best without a hurdle, and over the one of cash."""
        return bound_of(self.opportunities), bound_of(self.opportunities, hurdle_apr=self.plan.money.hurdle_apr)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Pairs that take part, in the venue's order."""
        return tuple(pair.symbol for pair in self.market_data.pairs)

    @property
    def notes(self) -> tuple[str, ...]:
        """One line per thing to announce."""
        found = list(self.market_data.notes)
        for symbol, source in self.market_data.sources.items():
            venues = {part.split()[-1] for part in source.split(",")}
            if len(venues) > 1:
                found.append(f"{symbol}: {source}")
        for symbol, ended in zip(self.symbols, self.tables.ended_ms, strict=True):
            if ended < NEVER_MS:
                found.append(f"{symbol}: its prices end at {utc_minute(at_ms(int(ended)))} UTC; closed then for good")
        return tuple(found)

    # --- what is played -----------------------------------------------------------------------------------------

    @cached_property
    def chain(self) -> Chain:
        """What was learnt from the sets that were played so far."""
        return Chain(self.market)

    def run(self, parameters: StrategyParameters) -> Result:
        """Play the guide's rules with one parameter set, compiled."""
        return self.judged(*self._readable(self.chain.play(rules_of(parameters))))

    def rows(self, sets: Iterable[StrategyParameters]) -> Iterator[tuple[StrategyParameters, Figures]]:
        """Yield the figures of each parameter set."""
        for parameters in sets:
            yield parameters, self.run(parameters).figures

    def hold(self) -> Result:
        """Hold the first symbol from as soon as it can be opened to the end."""
        trade = self.hold_trade
        if trade is None:
            raise HistoryError(f"{self.plan.data}: {self._first} has no price in the window: nothing can be held")
        opened = Decision(at=self._check_before(trade.opened_at), action="open", symbol=trade.symbol, reason="hold")
        closed = Decision(at=trade.closed_at, action="close", symbol=trade.symbol, reason=trade.reason)
        return self.judged((trade,), (opened, closed))

    def best(self, hedges: int) -> Best:
        """Return the best that hindsight could have done with so many equal hedges, at most one per symbol."""
        years, money = self.grid.years, self.plan.money
        if hedges == 1:
            free, over_cash = self.bounds
            held = free.held[:, None] == np.arange(len(self.symbols))[None, :]
            values, entries = (free.value, over_cash.value), free.entries
        else:
            slots = best_slots(self.opportunities, hedges)
            over = best_slots(self.opportunities, hedges, hurdle_apr=money.hurdle_apr)
            held, values, entries = slots.held, (slots.value, over.value), slots.entries
        on_notional, over_hurdle = (value / hedges / years for value in values)
        return Best(
            hedges=hedges,
            bound_apr=on_notional,
            bound_apr_on_capital=money.cash_apr + money.share * over_hurdle,
            hold_apr=None if self.hold_trade is None else (self.hold_trade.rates - self.hold_trade.cost) / years,
            entries=entries,
            entries_per_year=entries / years,
            path=tuple(self._stretches(held)),
        )

    def _stretches(self, held: Flags) -> Iterator[Stretch]:
        """Yield what is held, oldest first: from the first to the last settlement that is paid."""
        stamps, found = self.opportunities.stamp_ms, list[Stretch]()
        for column, symbol in enumerate(self.symbols):
            steps = np.diff(np.concatenate([[0], held[:, column].astype(np.int64), [0]]))
            for first, last in zip(np.flatnonzero(steps > 0), np.flatnonzero(steps < 0), strict=True):
                times = at_ms(int(stamps[first])), at_ms(int(stamps[last - 1]))
                found.append(Stretch(symbol=symbol, first_paid_at=times[0], last_paid_at=times[1]))
        yield from sorted(found, key=lambda stretch: (stretch.first_paid_at, stretch.symbol))

    def judged(self, trades: Sequence[Trade], decisions: Sequence[Decision]) -> Result:
        """Return the figures of what was done, beside *hold* and the bound."""
        years, bound = self.grid.years, self.bounds[0]
        net = sum(trade.rates - trade.cost for trade in trades)
        cost = sum(self._cost(self.symbols.index(trade.symbol)) for trade in trades)
        paid = self._paid(trades)
        parts = attribution_of(self.opportunities, bound, paid, cost=cost, net=net, years=years)
        figures = figures_of(
            trades,
            decisions,
            grid=self.grid,
            money=self.plan.money,
            bounds=self.bounds,
            hold=self.hold_trade,
            attribution=parts,
            drawdown=self._drawdown(trades),
        )
        return Result(figures=figures, trades=tuple(trades), decisions=tuple(decisions))

    @cached_property
    def hold_trade(self) -> Trade | None:
        """The hedge of *hold*; None when the symbol never has a price."""
        if self._first not in self.symbols:
            return None
        tables, symbol = self.tables, self.symbols.index(self._first)
        ended = int(tables.ended_ms[symbol])
        for row in np.nonzero((tables.step >= 0) & tables.readable[:, symbol] & (tables.row_ms < ended))[0]:
            acting = int(tables.act[row, symbol])
            if acting >= 0 and tables.readable[acting, symbol]:
                return self._held_from(acting, symbol)
        return None

    @property
    def _first(self) -> str:
        return self.plan.symbols[0] if self.plan.symbols else self.symbols[0]

    def _held_from(self, opening: int, symbol: int) -> Trade:
        tables = self.tables
        ended = int(tables.ended_ms[symbol])
        later = np.nonzero((tables.step >= 0) & (tables.row_ms >= ended))[0]
        closing = int(tables.act[later[0], symbol]) if len(later) else -1
        closed_ms = int(tables.row_ms[closing]) if closing >= 0 else self.grid.end_ms
        opened_ms = int(tables.row_ms[opening])
        stamps = tables.stamp_ms[:, symbol]
        paid = (stamps > opened_ms) & (stamps <= closed_ms)
        spot_in, perp_in = float(tables.spot[opening, symbol]), float(tables.perp[opening, symbol])
        spot_out, perp_out = float(tables.spot[closing, symbol]), float(tables.perp[closing, symbol])
        quantity = self.plan.notional / spot_in
        return self._trade(
            symbol,
            (opened_ms, closed_ms),
            END if closing < 0 else PRICES_ENDED,
            rates=float(np.sum(tables.rate[paid, symbol])),
            quantity=quantity,
            prices=(spot_in, perp_in, spot_out, perp_out),
            funding=quantity * float(np.sum(tables.rate[paid, symbol] * tables.paid_mark[paid, symbol])),
        )

    def _readable(self, played: Played) -> tuple[tuple[Trade, ...], tuple[Decision, ...]]:
        trades = tuple(
            self._trade(
                int(whole[0]),
                (int(whole[2]), int(whole[6])),
                REASON_WORDS[int(whole[7])],
                rates=float(numbers[5]),
                quantity=float(numbers[0]),
                prices=(float(numbers[1]), float(numbers[2]), float(numbers[6]), float(numbers[7])),
                funding=float(numbers[4]),
            )
            for whole, numbers in zip(played.whole, played.numbers, strict=True)
        )
        return trades, tuple(self._decision(*(int(number) for number in line)) for line in played.log)

    def _decision(self, step: int, action: int, symbol: int, reason: int) -> Decision:
        at = min(self.grid.start_ms + step * self.grid.cycle_ms, self.grid.end_ms)
        word = REASON_WORDS[0 if action == OPEN else reason]
        return Decision(at=at_ms(at), action=ACTIONS[action], symbol=self.symbols[symbol], reason=word)

    def _trade(  # noqa: PLR0913 - one fact each
        self,
        symbol: int,
        times_ms: tuple[int, int],
        reason: str,
        *,
        rates: float,
        quantity: float,
        prices: tuple[float, float, float, float],
        funding: float,
    ) -> Trade:
        spot_in, perp_in, spot_out, perp_out = prices
        books = self.tables.books
        spot_fee, perp_fee = float(books.spot_fee[symbol]), float(books.perp_fee[symbol])
        fees = quantity * ((spot_in + spot_out) * spot_fee + (perp_in + perp_out) * perp_fee)
        return Trade(
            symbol=self.symbols[symbol],
            opened_at=at_ms(times_ms[0]),
            closed_at=at_ms(times_ms[1]),
            reason=reason,
            rates=rates,
            basis=((spot_out - spot_in) - (perp_out - perp_in)) / spot_in,
            cost=self._cost(symbol),
            funding_usd=funding,
            fees_usd=fees,
        )

    def _cost(self, symbol: int) -> float:
        """Return what a round trip costs, a fraction of notional."""
        chances = self.opportunities
        return float(chances.open_cost[symbol] + chances.close_cost[symbol])

    def _check_before(self, at: datetime) -> datetime:
        """Return the check that decided what was done at a time."""
        since = at - at_ms(self.grid.start_ms)
        return at - since % timedelta(milliseconds=self.grid.cycle_ms)

    def _paid(self, trades: Sequence[Trade]) -> Ints:
        """Return what is held at each stamp, -1 = nothing."""
        stamps = self.opportunities.stamp_ms
        held = np.full(len(stamps), -1, dtype=np.int64)
        for trade in trades:
            first, last = np.searchsorted(stamps, [_ms(trade.opened_at), _ms(trade.closed_at)], side="right")
            held[first:last] = self.symbols.index(trade.symbol)
        return held

    def _drawdown(self, trades: Sequence[Trade]) -> float:
        stamps, reward = self.opportunities.stamp_ms, self.opportunities.reward
        flows: list[Floats] = []
        for trade in trades:
            symbol = self.symbols.index(trade.symbol)
            first, last = np.searchsorted(stamps, [_ms(trade.opened_at), _ms(trade.closed_at)], side="right")
            half = np.array([trade.cost / 2])
            flows += [-half, reward[first:last, symbol], -half]
        return drawdown_of(np.concatenate(flows)) if flows else 0.0


def _ms(at: datetime) -> int:
    return round((at - at_ms(0)) / timedelta(milliseconds=1))
