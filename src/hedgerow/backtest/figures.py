"""The figures of a backtest, each with its definition.

APRs are fractions of notional, for a year of 8760 h, unless they say otherwise.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Struct

from hedgerow.backtest.bound import Bound, Opportunities
from hedgerow.backtest.tables import Floats, Grid, Ints
from hedgerow.history.series import at_ms

__all__ = [
    "DEFINITIONS",
    "Decision",
    "Figures",
    "Money",
    "Trade",
    "attribution_of",
    "decision_lines",
    "decisions_sha256",
    "drawdown_of",
    "figures_of",
]

LEAST_DENOMINATOR: Final = 0.005
"""Below half a point a ratio of excess over cash says nothing."""
DEFINITIONS: Final[Mapping[str, str]] = {
    "net_apr_on_notional": "rates paid less costs, each a fraction of notional, per year",
    "basis_apr": "change of the legs' prices, a fraction of notional at entry, per year; not part of the net",
    "net_apr_on_capital": "L/(1+L) x net on notional + cash rate x share of the time without a hedge",
    "carry_apr_on_capital": "the same without the cash rate: the bot does not lend idle USDT",
    "hold_apr": "the first symbol, opened as soon as it can be and closed at the end, on notional",
    "bound_apr": "the best that hindsight could have done at the same costs, on notional",
    "bound_apr_on_capital": "cash rate + L/(1+L) x the bound over a hurdle of the cash rate x (1+1/L)",
    "capture_ratio": "net on notional / bound",
    "excess_capture": "(net on capital - cash) / (bound on capital - cash); none while that is below 0.5 points",
    "gap_to_bound": "bound on capital - net on capital",
    "turnover": "legs traded / notional: 2 for an opening, 2 for a closing",
    "max_drawdown": "of the summed net, a fraction of notional",
}
LEGS = 2


class Trade(Struct, frozen=True, kw_only=True):
    """One hedge from its opening to its closing."""

    symbol: str
    opened_at: datetime
    closed_at: datetime
    reason: str
    rates: float
    """Sum of the rates that it was paid."""
    basis: float
    """Change of spot less change of the perpetual, a fraction of the notional at entry."""
    cost: float
    """Of all four fills, each a fraction of its own notional."""
    funding_usd: float
    fees_usd: float


class Decision(Struct, frozen=True, kw_only=True):
    """One line of ``--decisions``."""

    at: datetime
    """The check that decided; the end of the window for what is closed at it."""
    action: str
    """open, close, roll."""
    symbol: str
    reason: str = ""


class Money(Struct, frozen=True, kw_only=True):
    """How capital is used."""

    capital: float
    """Quote units, both legs together."""
    leverage: float
    cash_apr: float
    """What idle capital earns, a fraction a year."""

    @property
    def share(self) -> float:
        """Notional of a leg as a part of capital: L / (1 + L)."""
        return self.leverage / (1.0 + self.leverage)

    @property
    def hurdle_apr(self) -> float:
        """What notional must earn to match cash: the cash rate x (1 + 1 / L)."""
        return self.cash_apr / self.share


class Figures(Struct, frozen=True, kw_only=True):
    """Everything that a backtest shows in numbers; ``DEFINITIONS`` explains them."""

    net_apr_on_notional: float
    basis_apr: float
    net_apr_on_capital: float
    carry_apr_on_capital: float
    hold_apr: float | None
    bound_apr: float
    bound_apr_on_capital: float
    capture_ratio: float | None
    excess_capture: float | None
    gap_to_bound: float
    entries: int
    rolls: int
    turnover: float
    max_drawdown: float
    time_in_market: float
    """Share of the time with a hedge."""
    costs: float
    """Sum of all costs, a fraction of notional."""
    funding_usd: float
    fees_usd: float
    decisions_sha256: str
    exits: Mapping[str, int]
    """How often each reason ended a hedge."""
    attribution: Mapping[str, float]
    """Parts of bound_apr - net_apr_on_notional."""


def decision_lines(decisions: Sequence[Decision]) -> Iterator[str]:
    """Yield one JSON line per decision."""
    for decision in decisions:
        yield msgspec.json.encode(decision).decode()


def decisions_sha256(decisions: Sequence[Decision]) -> str:
    """Return the hash of the lines, each ended by a line feed."""
    return sha256("".join(f"{line}\n" for line in decision_lines(decisions)).encode()).hexdigest()


def figures_of(  # noqa: PLR0913 - the sides of one comparison
    trades: Sequence[Trade],
    decisions: Sequence[Decision],
    *,
    grid: Grid,
    money: Money,
    bounds: tuple[Bound, Bound],
    hold: Trade | None,
    attribution: Mapping[str, float],
    drawdown: float,
) -> Figures:
    """Return all figures; ``bounds`` are without a hurdle, and with that of ``money``."""
    years = grid.years
    net = sum(trade.rates - trade.cost for trade in trades) / years
    length = (at_ms(grid.end_ms) - at_ms(grid.start_ms)).total_seconds()
    held = sum((trade.closed_at - trade.opened_at).total_seconds() for trade in trades) / length
    on_capital = money.share * net + money.cash_apr * (1.0 - held)
    bound, over_cash = (each.value / years for each in bounds)
    bound_on_capital = money.cash_apr + money.share * over_cash
    room = bound_on_capital - money.cash_apr
    exits: dict[str, int] = {}
    for trade in trades:
        exits[trade.reason] = exits.get(trade.reason, 0) + 1
    return Figures(
        net_apr_on_notional=net,
        basis_apr=sum(trade.basis for trade in trades) / years,
        net_apr_on_capital=on_capital,
        carry_apr_on_capital=money.share * net,
        hold_apr=None if hold is None else (hold.rates - hold.cost) / years,
        bound_apr=bound,
        bound_apr_on_capital=bound_on_capital,
        capture_ratio=net / bound if bound > 0 else None,
        excess_capture=(on_capital - money.cash_apr) / room if room >= LEAST_DENOMINATOR else None,
        gap_to_bound=bound_on_capital - on_capital,
        entries=len(trades),
        rolls=sum(1 for decision in decisions if decision.action == "roll"),
        turnover=float(2 * LEGS * len(trades)),
        max_drawdown=drawdown,
        time_in_market=held,
        costs=sum(trade.cost for trade in trades),
        funding_usd=sum(trade.funding_usd for trade in trades),
        fees_usd=sum(trade.fees_usd for trade in trades),
        decisions_sha256=decisions_sha256(decisions),
        exits=exits,
        attribution=attribution,
    )


def drawdown_of(flows: Floats) -> float:
    """Return the largest fall of the running sum below its highest value so far, zero included."""
    path = np.concatenate([[0.0], np.cumsum(flows)])
    return float(np.max(np.maximum.accumulate(path) - path))


def attribution_of(
    chances: Opportunities, bound: Bound, held: Ints, *, cost: float, net: float, years: float
) -> dict[str, float]:
    """Split the gap to the bound; ``held`` is what the policy is paid for at each stamp, -1 = nothing.

    ``cost`` is what its trades cost by the bound's own measure, ``net`` what it really earned.

    missed_carry: paid to the bound while the policy holds nothing. wrong_symbol: what the bound is paid more while both
    hold something, or the policy alone does. turnover: costs of the policy less those of the bound. execution: the
    rest.
    """
    rows = np.arange(len(held))
    best = np.where(bound.held >= 0, chances.reward[rows, bound.held], 0.0)
    own = np.where(held >= 0, chances.reward[rows, held], 0.0)
    missed = float(np.sum(np.where(held < 0, best, 0.0)))
    wrong = float(np.sum(np.where(held >= 0, best - own, 0.0)))
    turnover = cost - bound.cost
    parts: dict[str, Any] = {"missed_carry": missed, "wrong_symbol": wrong, "turnover": turnover}
    parts["execution"] = bound.value - net - missed - wrong - turnover
    return {name: value / years for name, value in parts.items()}
