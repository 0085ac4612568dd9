"""What a result, *hold*, cash and hindsight were worth over a window, day by day."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import numpy as np
from msgspec import Struct

from hedgerow.backtest.bound import Bound, Opportunities
from hedgerow.backtest.search.scoring import DAY_MS, YEAR_MS, Trades, buckets_of
from hedgerow.backtest.study import Result, Study
from hedgerow.backtest.tables import Floats
from hedgerow.history.series import at_ms, to_ms

__all__ = ["Curves", "Day", "Payment", "curves_of", "days_of", "payments_of"]


class Curves(Struct, frozen=True, kw_only=True):
    """Sums since the start, at the start and at the end of each whole day; on capital unless they say otherwise."""

    at: tuple[datetime, ...]
    net: Floats
    """The result, idle capital at the cash rate."""
    hold: Floats | None
    cash: Floats
    bound: Floats
    """The best path of hindsight over cash; a day's trades count at the settlement after them."""
    on_notional: Floats
    """The result on notional, without cash."""
    drawdown: Floats
    """What ``on_notional`` is below its highest value so far, at the ends of days; 0 or negative."""


class Day(Struct, frozen=True, kw_only=True):
    """One row of ``daily`` in the JSON output; sums since the start, fractions."""

    at: datetime
    net_on_capital: float
    hold_on_capital: float | None
    cash: float
    bound_on_capital: float
    net_on_notional: float
    drawdown: float


class Payment(Struct, frozen=True, kw_only=True):
    """One settlement that was paid."""

    at: datetime
    symbol: str
    rate: float
    """Positive when the short received it."""


CASH: Final = -1


def curves_of(study: Study, result: Result) -> Curves:
    """Return what was earned, day by day."""
    chances, money = study.opportunities, study.plan.money
    pnl, held = buckets_of(chances, Trades.of(result.trades, study.symbols), DAY_MS)
    a_day = money.cash_apr * DAY_MS / YEAR_MS

    def summed(own: Floats, busy: Floats) -> Floats:
        return np.concatenate([[0.0], np.cumsum(money.share * own + a_day * (1.0 - busy))])

    on_notional = np.concatenate([[0.0], np.cumsum(pnl)])
    hold = (
        None if study.hold_trade is None else buckets_of(chances, Trades.of([study.hold_trade], study.symbols), DAY_MS)
    )
    return Curves(
        at=tuple(at_ms(chances.start_ms + day * DAY_MS) for day in range(len(pnl) + 1)),
        net=summed(pnl, held),
        hold=None if hold is None else summed(*hold),
        cash=a_day * np.arange(len(pnl) + 1, dtype=np.float64),
        bound=summed(*_of_bound(chances, study.bounds[1], len(pnl))),
        on_notional=on_notional,
        drawdown=on_notional - np.maximum.accumulate(on_notional),
    )


def _of_bound(chances: Opportunities, bound: Bound, days: int) -> tuple[Floats, Floats]:
    """Return what the best path earned, and the share of time that it held something, by day."""
    pnl, busy = np.zeros(days), np.zeros(days)
    before, last = chances.start_ms, CASH
    for row, symbol in enumerate(bound.held.tolist()):
        at = int(chances.stamp_ms[row])
        day = min((at - chances.start_ms - 1) // DAY_MS, days - 1)
        if symbol != last:
            pnl[day] -= float(chances.close_cost[last]) if last >= 0 else 0.0
            pnl[day] -= float(chances.open_cost[symbol]) if symbol >= 0 else 0.0
        if symbol >= 0:
            pnl[day] += float(chances.reward[row, symbol])
            busy[day] += (at - before) / DAY_MS
        before, last = at, symbol
    if last >= 0 and days:
        pnl[-1] -= float(chances.close_cost[last])
    return pnl, np.minimum(busy, 1.0)


def days_of(curves: Curves) -> Iterator[Day]:
    """Yield the rows of ``daily``."""
    for place, at in enumerate(curves.at):
        yield Day(
            at=at,
            net_on_capital=float(curves.net[place]),
            hold_on_capital=None if curves.hold is None else float(curves.hold[place]),
            cash=float(curves.cash[place]),
            bound_on_capital=float(curves.bound[place]),
            net_on_notional=float(curves.on_notional[place]),
            drawdown=float(curves.drawdown[place]),
        )


def payments_of(study: Study, result: Result) -> Sequence[Payment]:
    """Return every settlement that was paid, oldest first."""
    chances, found = study.opportunities, list[Payment]()
    for trade in result.trades:
        symbol = study.symbols.index(trade.symbol)
        first, last = np.searchsorted(
            chances.stamp_ms, [to_ms(trade.opened_at), to_ms(trade.closed_at)], side="right"
        ).tolist()
        for row in range(first, last):
            rate = float(chances.reward[row, symbol])
            if rate:
                found.append(Payment(at=at_ms(int(chances.stamp_ms[row])), symbol=trade.symbol, rate=rate))
    return found
