"""The report of a run as one value, its JSON, and its lines for the console."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from msgspec import Struct, field

from hedgerow.dashboard.report.alternatives import CASH_APR, Hold, cash_interest
from hedgerow.domain.formats import amount, duration, percent, seconds, signed_amount, signed_percent, utc_minute
from hedgerow.domain.money import ZERO, plain, plain_or_none
from hedgerow.strategy.hedge_result import HedgeResult

__all__ = [
    "Curve",
    "Drawdown",
    "HedgeRow",
    "RunReport",
    "as_json",
    "cash_texts",
    "closing_lines",
    "drawdown_texts",
    "headlines",
    "hedge_cells",
    "hold_texts",
    "preset_text",
    "report_lines",
]

Curve = tuple[tuple[datetime, Decimal], ...]
"""Quote units over time, oldest first."""
LISTED_HEDGES = 12
"""So many of the newest hedges are listed on the console; the page and the JSON have all."""
ANNUAL_FROM = timedelta(days=1)
"""A shorter run says nothing about a year."""
YEAR = timedelta(days=365)
NO_TIME = timedelta(0)


class Drawdown(Struct, frozen=True, kw_only=True):
    """The deepest fall of equity from an earlier high."""

    amount: Decimal
    """Quote units, positive."""
    fraction: float
    """Of the high."""
    high_at: datetime
    low_at: datetime


class HedgeRow(Struct, frozen=True, kw_only=True):
    """One hedge of the run with its parts; money in quote units."""

    hedge_id: str
    opened_at: datetime
    closed_at: datetime | None
    """None while it is open; its result is then at the prices of the end of the run."""
    reason: str
    """Why it ended; "still open" while it is open."""
    entry_apr: float
    """Fraction of one leg's notional per year."""
    result: HedgeResult

    @property
    def symbol(self) -> str:
        """The pair's symbol."""
        return self.result.symbol

    @property
    def notional(self) -> Decimal:
        """One leg at entry."""
        return self.result.entry_notional

    @property
    def funding(self) -> Decimal:
        """Received, negative when the short paid."""
        return self.result.funding

    @property
    def basis_pnl(self) -> Decimal | None:
        """Both legs before fees and funding; None while it is open and has no price."""
        return self.result.basis

    @property
    def fees(self) -> Decimal:
        """Paid so far."""
        return self.result.fees_paid

    @property
    def net_profit(self) -> Decimal | None:
        """Funding + basis - fees."""
        return self.result.net_so_far

    def held(self, until: datetime) -> timedelta:
        """Return how long it was held, up to ``until`` while it is open."""
        return (self.closed_at or until) - self.opened_at


class RunReport(Struct, frozen=True, kw_only=True):
    """All results of one run; money in quote units."""

    title: str
    seed: int | None = None
    sources: Mapping[str, str] = field(default_factory=dict[str, str])
    """Where each symbol's market data came from."""
    started_at: datetime
    ended_at: datetime
    cycles: int
    positions_opened: int
    positions_closed: int
    funding_received: Decimal
    fees_paid: Decimal
    basis_pnl: Decimal | None
    """Of all hedges, and the gain of kept dust; None where a price could not be read."""
    dust_gain: Decimal | None = ZERO
    """Value of the kept dust at the end, less its cost."""
    net_profit: Decimal | None
    """Funding + basis - fees."""
    equity_start: Decimal
    equity_end: Decimal
    books_difference: Decimal
    """Sum of the absolute differences between the books and the venue's balances, each in its own asset."""
    books_lines: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    """Venue minus books per ``wallet:asset``, only where they differ."""
    max_naked_seconds: float
    max_naked_usd: Decimal
    events_sha256: str
    elapsed_seconds: float
    """Real time that the run took."""
    equity: Curve = ()
    funding_curve: Curve = ()
    """Funding received since the start of the run."""
    fees_curve: Curve = ()
    """Fees paid since the start of the run."""
    hedges: tuple[HedgeRow, ...] = ()
    """By opening time; the one still open is last."""
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    """Every setting of the run by its full name, in the file's units."""
    changed: frozenset[str] = frozenset()
    """Names of the settings that are not at their defaults."""
    preset: str | None = None
    """Name of the preset with exactly these settings; None = settings of one's own."""
    hold: Hold | None = None
    """What the first pair, opened once and kept, would have made; None where it cannot be computed."""
    interrupted: bool = False
    """Whether the run was interrupted before its end."""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.ended_at < self.started_at:
            raise ValueError(f"a run cannot end ({self.ended_at}) before it starts ({self.started_at})")

    @property
    def period(self) -> timedelta:
        """From start to end, in the time of the run."""
        return self.ended_at - self.started_at

    @property
    def drawdown(self) -> Drawdown | None:
        """The deepest fall of the sampled equity; None when it never fell."""
        deepest: Drawdown | None = None
        high_at, high = self.equity[0] if self.equity else (self.started_at, ZERO)
        for at, value in self.equity:
            if value >= high:
                high_at, high = at, value
            elif deepest is None or high - value > deepest.amount:
                fall = high - value
                deepest = Drawdown(amount=fall, fraction=float(fall / high), high_at=high_at, low_at=at)
        return deepest

    @property
    def time_in_market(self) -> float | None:
        """Part of the run in which a hedge was held; None for a run without length."""
        if not self.period:
            return None
        ends = ((row.opened_at, row.closed_at or self.ended_at) for row in self.hedges)
        within = ((max(begun, self.started_at), min(ended, self.ended_at)) for begun, ended in ends)
        return _together(within) / self.period

    @property
    def net_return(self) -> float | None:
        """Net profit as a fraction of the equity at the start; None without any."""
        if self.net_profit is None or self.equity_start <= 0:
            return None
        return float(self.net_profit / self.equity_start)

    @property
    def annual_return(self) -> float | None:
        """``net_return`` per year without compounding; None for less than a day."""
        if self.net_return is None or self.period < ANNUAL_FROM:
            return None
        return self.net_return * (YEAR / self.period)

    @property
    def mean_notional(self) -> Decimal | None:
        """One leg of all hedges at entry, the mean over the time in which one was held; None when none was."""
        spans = [(row.notional, row.held(self.ended_at)) for row in self.hedges]
        held = _together((row.opened_at, row.closed_at or self.ended_at) for row in self.hedges)
        if not held:
            return None
        # Whole seconds: money stays exact.
        weighed = sum((notional * int(span.total_seconds()) for notional, span in spans), ZERO)
        return weighed / max(1, int(held.total_seconds()))

    @property
    def net_on_notional(self) -> float | None:
        """Net profit as a fraction of ``mean_notional``."""
        if self.net_profit is None or not self.mean_notional:
            return None
        return float(self.net_profit / self.mean_notional)

    @property
    def cash(self) -> Decimal:
        """What the equity at the start would have earned as cash at ``CASH_APR``."""
        return cash_interest(self.equity_start, self.period)

    def on_capital(self, gain: Decimal) -> float | None:
        """Return a gain as a fraction of the equity at the start; None without any."""
        return float(gain / self.equity_start) if self.equity_start > 0 else None


def _together(spans: Iterable[tuple[datetime, datetime]]) -> timedelta:
    """Return the time that at least one of the spans covers."""
    covered, until = NO_TIME, None
    for begun, ended in sorted(spans):
        fresh = begun if until is None else max(begun, until)
        if ended > fresh:
            covered, until = covered + (ended - fresh), ended
    return covered


def as_json(report: RunReport) -> dict[str, Any]:
    """Return the report for ``--json``: money as decimal strings, APRs as fractions, durations in seconds."""
    return {
        "cycles": report.cycles,
        "positions_opened": report.positions_opened,
        "positions_closed": report.positions_closed,
        "funding_received": plain(report.funding_received),
        "fees_paid": plain(report.fees_paid),
        "basis_pnl": plain_or_none(report.basis_pnl),
        "dust_gain": plain_or_none(report.dust_gain),
        "net_profit": plain_or_none(report.net_profit),
        "equity_start": plain(report.equity_start),
        "equity_end": plain(report.equity_end),
        "books_difference": plain(report.books_difference),
        "max_naked_seconds": report.max_naked_seconds,
        "max_naked_usd": plain(report.max_naked_usd),
        "events_sha256": report.events_sha256,
        "elapsed_seconds": report.elapsed_seconds,
        "started_at": report.started_at.isoformat(),
        "ended_at": report.ended_at.isoformat(),
        "interrupted": report.interrupted,
        "max_drawdown": plain(report.drawdown.amount) if report.drawdown else "0",
        "time_in_market": report.time_in_market,
        "preset": report.preset,
        "net_on_capital": report.net_return,
        "net_on_notional": report.net_on_notional,
        "mean_notional": plain_or_none(report.mean_notional),
        "hold": _hold_json(report),
        "cash": {"apr": float(CASH_APR), "interest": plain(report.cash), "on_capital": report.on_capital(report.cash)},
        "settings": dict(report.settings),
        "hedges": [_hedge_json(row, report.ended_at) for row in report.hedges],
    }


def report_lines(report: RunReport) -> tuple[str, ...]:
    """Return the report as plain text for the console, at its full width."""
    return (*headlines(report), *_hedge_lines(report), *closing_lines(report))


def closing_lines(report: RunReport) -> tuple[str, ...]:
    """Return the lines below the hedges: settings that differ from their defaults, notes, checksum of the log."""
    changed = [f"{name} {value}" for name, value in report.settings.items() if name in report.changed]
    settings = (f"Settings: {', '.join(changed) or 'all at their defaults'}",) if report.settings else ()
    return (*settings, *(f"Note: {note}" for note in report.notes), f"Events sha256 {report.events_sha256}")


def headlines(report: RunReport) -> tuple[str, ...]:
    """Return what was run and its results."""
    facts = [f"{report.cycles:,} cycles", f"{seconds(report.elapsed_seconds)} of real time"]
    if report.seed is not None:
        facts.insert(0, f"seed {report.seed}")
    facts.insert(0, preset_text(report))
    rows = [(name, value, remark) for name, value, remark in _headlines(report)]
    names, values = (max(len(row[index]) for row in rows) for index in (0, 1))
    body = [f"  {name:<{names}}  {value:>{values}}  {remark}".rstrip() for name, value, remark in rows]
    return (
        report.title,
        f"{utc_minute(report.started_at)} to {utc_minute(report.ended_at)} UTC ({duration(report.period)}), "
        + ", ".join(facts),
        "",
        *body,
    )


def _headlines(report: RunReport) -> list[tuple[str, str, str]]:
    """Name, value and remark of each figure."""
    share = "" if report.net_return is None else f"{signed_percent(report.net_return)} of equity"
    if report.annual_return is not None:
        share += f", {signed_percent(report.annual_return)} a year"
    on_leg = "" if report.net_on_notional is None else f", {signed_percent(report.net_on_notional)} of one leg"
    agree = "the books agree with the exchange"
    lines = ", ".join(f"{name} {plain(value)}" for name, value in report.books_lines.items())
    return [
        ("Net profit", signed_amount(report.net_profit), share + on_leg),
        ("If held instead", *hold_texts(report)),
        ("Cash instead", *cash_texts(report)),
        ("Funding received", signed_amount(report.funding_received), ""),
        ("Basis P/L", signed_amount(report.basis_pnl), _of_dust(report)),
        ("Fees paid", signed_amount(-report.fees_paid), ""),
        ("Equity", amount(report.equity_end), f"from {amount(report.equity_start)}"),
        ("Largest drawdown", *drawdown_texts(report)),
        ("Positions", str(report.positions_opened), f"opened, {report.positions_closed} closed"),
        ("Time in market", percent(report.time_in_market, 1), "of the run a hedge was held"),
        ("Largest exposure", amount(report.max_naked_usd), f"longest {seconds(report.max_naked_seconds)}"),
        ("Books difference", plain(report.books_difference), lines or agree),
    ]


def _hedge_lines(report: RunReport) -> Sequence[str]:
    shown = report.hedges[-LISTED_HEDGES:]
    if not shown:
        return ("", "No hedge was opened.")
    width = max(len(row.symbol) for row in shown)
    header = (
        f"  {'Pair':<{width}}  {'Opened':<16}  {'Held':>9}  {'Funding':>10}  {'Basis':>10}  {'Fees':>10}  {'Net':>10}"
    )
    lines = ["", header + "  Ended because"]
    if len(shown) < len(report.hedges):
        lines.append(f"  ... {len(report.hedges) - len(shown)} earlier hedges")
    for row in shown:
        parts = (row.funding, row.basis_pnl, -row.fees, row.net_profit)
        figures = "  ".join(f"{signed_amount(part):>10}" for part in parts)
        held = duration(row.held(report.ended_at))
        lines.append(f"  {row.symbol:<{width}}  {utc_minute(row.opened_at)}  {held:>9}  {figures}  {row.reason}")
    return (*lines, "")


def hedge_cells(report: RunReport) -> list[list[str]]:
    """Return the newest hedges as cells: pair, opened, held, funding, basis, fees, net, why it ended."""
    return [
        [
            row.symbol,
            utc_minute(row.opened_at),
            duration(row.held(report.ended_at)),
            *(signed_amount(part) for part in (row.funding, row.basis_pnl, -row.fees, row.net_profit)),
            row.reason,
        ]
        for row in report.hedges[-LISTED_HEDGES:]
    ]


def preset_text(report: RunReport) -> str:
    """Return the name of the preset."""
    return f"preset {report.preset}" if report.preset else "settings of one's own"


def hold_texts(report: RunReport) -> tuple[str, str]:
    """Return what the first pair, opened once and kept, would have made, and on what."""
    hold = report.hold
    if hold is None:
        return signed_amount(None), "nothing to compare with"
    share = f"{signed_percent(report.on_capital(hold.net_profit))} of equity: {hold.symbol}, opened once and kept"
    gone = hold.margin_gone_at
    return signed_amount(hold.net_profit), share if gone is None else f"{share}; liquidated by {utc_minute(gone)}"


def cash_texts(report: RunReport) -> tuple[str, str]:
    """Return what cash would have earned, and on what."""
    share = signed_percent(report.on_capital(report.cash))
    return signed_amount(report.cash), f"{share} of equity: at {percent(float(CASH_APR), 0)} APR"


def drawdown_texts(report: RunReport) -> tuple[str, str]:
    """Return the largest fall of the equity, negative, and what it is a part of."""
    fall = report.drawdown
    if fall is None:
        return amount(ZERO), "equity never fell"
    return signed_amount(-fall.amount), f"{percent(fall.fraction)} of the high at {utc_minute(fall.high_at)}"


def _of_dust(report: RunReport) -> str:
    """Return the part of the basis that is in no hedge's row."""
    return f"{signed_amount(report.dust_gain)} of it on kept dust" if report.dust_gain else ""


def _hold_json(report: RunReport) -> dict[str, Any] | None:
    hold = report.hold
    if hold is None:
        return None
    return {
        "symbol": hold.symbol,
        "since": hold.since.isoformat(),
        "notional": plain(hold.notional),
        "funding": plain(hold.funding),
        "basis_pnl": plain(hold.basis),
        "fees": plain(hold.fees),
        "net_profit": plain(hold.net_profit),
        "on_capital": report.on_capital(hold.net_profit),
        "margin_gone_at": hold.margin_gone_at.isoformat() if hold.margin_gone_at else None,
    }


def _hedge_json(row: HedgeRow, ended_at: datetime) -> dict[str, Any]:
    return {
        "hedge_id": row.hedge_id,
        "symbol": row.symbol,
        "opened_at": row.opened_at.isoformat(),
        "closed_at": row.closed_at.isoformat() if row.closed_at else None,
        "held_seconds": row.held(ended_at).total_seconds(),
        "reason": row.reason,
        "notional": plain(row.notional),
        "entry_apr": row.entry_apr,
        "funding": plain(row.funding),
        "basis_pnl": plain_or_none(row.basis_pnl),
        "fees": plain(row.fees),
        "net_profit": plain_or_none(row.net_profit),
        "net_if_closed": plain_or_none(row.result.net_if_closed),
    }
