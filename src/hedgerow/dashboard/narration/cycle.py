"""Log lines of a cycle: health, evaluation, scan, wallets, adoption."""

from datetime import datetime
from decimal import Decimal
from typing import TypeAlias, assert_never

from hedgerow.dashboard.narration.formats import BLANK, LineLevel, Lines, LogLine, headed, info, warning
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.formats import (
    UNKNOWN,
    log_apr,
    log_funding,
    log_iso,
    log_money,
    log_number,
    log_percent,
    log_price,
    log_quantity,
    log_rate,
    log_setting,
    seconds,
    utc_second,
)
from hedgerow.domain.instrument import Market
from hedgerow.domain.money import plain
from hedgerow.domain.position import HedgedPosition
from hedgerow.engine import notices as mo
from hedgerow.strategy.hedge_result import LEGS, HedgeResult
from hedgerow.strategy.observation import Evaluation, HealthReport

__all__ = ["CycleNotice", "cycle_lines", "rebalanced"]

DOING = {
    ExecutionKind.OPEN: "opening",
    ExecutionKind.CLOSE: "closing",
    ExecutionKind.TRIM: "trimming",
    ExecutionKind.REDUCE: "reducing",
}

CycleNotice: TypeAlias = (
    mo.Adopted
    | mo.CycleBegan
    | mo.SettingsInForce
    | mo.BalancesRead
    | mo.HealthJudged
    | mo.Observed
    | mo.ReadFailed
    | mo.NothingRead
    | mo.Evaluated
    | mo.ScanStarted
    | mo.OpeningRefused
    | mo.OpportunityFound
    | mo.NoOpportunity
    | mo.OrderRests
    | mo.RebalanceStarted
    | mo.EquityRead
    | mo.BooksChecked
    | mo.CycleEnded
    | mo.CycleFailed
)
"""Notices of what a cycle reads, judges and finds."""


def cycle_lines(notice: CycleNotice) -> Lines:  # noqa: C901, PLR0911, PLR0912 - one case per kind of notice
    """Return the lines of one notice."""
    match notice:
        case mo.Adopted():
            return _adopted(notice)
        case mo.CycleBegan():
            return _cycle_began(notice)
        case mo.BalancesRead():
            return _balances_read(notice)
        case mo.HealthJudged():
            return _health_judged(notice)
        case mo.ReadFailed():
            return _read_failed(notice)
        case mo.NothingRead():
            return _nothing_read(notice)
        case mo.Evaluated():
            return _evaluated(notice)
        case mo.ScanStarted():
            return _scan_started(notice)
        case mo.OpportunityFound():
            return _opportunity_found(notice)
        case mo.NoOpportunity():
            return _no_opportunity(notice)
        case mo.OrderRests():
            return _order_rests(notice)
        case mo.RebalanceStarted():
            return _rebalance_started(notice)
        case mo.EquityRead():
            return _equity_read(notice)
        case mo.BooksChecked():
            return _books_checked(notice)
        case mo.CycleFailed():
            return _cycle_failed(notice)
        case mo.SettingsInForce():
            return info("The changed settings are in force from this check on")
        case mo.CycleEnded() | mo.Observed() | mo.OpeningRefused():
            return ()
    assert_never(notice)


# --- adoption --------------------------------------------------------------------------------------------------------


def _adopted(notice: mo.Adopted) -> Lines:
    hedge = notice.hedge
    lines = info(
        f"Discovered existing position: {hedge.symbol}",
        f"  Spot balance: {log_quantity(hedge.spot_quantity)}",
        f"  Perp position: {log_quantity(hedge.perp_quantity)}",
        f"  Position value: {log_money(notice.value)}",
        *_history(hedge),
    )
    age = f"counts from the real opening: {log_number(_hours(hedge.opened_at, notice.at))} hours ago"
    if not hedge.history_known:
        lines += warning("  Could not fetch funding history: it is read again at every check")
        age = "and fee coverage wait until the real opening is known"
    present = "unknown" if notice.rate is None else f"{log_rate(notice.rate)} ({_kind(averaged=notice.moving_average)})"
    return (
        *lines,
        LogLine(text="Successfully adopted existing position", level=LineLevel.SUCCESS),
        *info(
            f"  Current funding rate: {present}",
            f"  Effective APR: {log_apr(notice.apr)}",
            f"  Age limit {age}",
        ),
    )


def _history(hedge: HedgedPosition) -> tuple[str, ...]:
    """Return the guide's three lines about the past of an adopted hedge; what was not read is unknown."""
    known = hedge.history_known
    return (
        f"  Position opened: {utc_second(hedge.opened_at) if known else UNKNOWN}",
        f"  Funding received: {log_funding(hedge.funding_received) if known else UNKNOWN}",
        f"  Funding payments: {hedge.funding_payments if known else UNKNOWN}",
    )


def _hours(since: datetime, until: datetime) -> float:
    return (until - since).total_seconds() / 3600


def _kind(*, averaged: bool) -> str:
    return "MA" if averaged else "predicted"


# --- a cycle ---------------------------------------------------------------------------------------------------------


def _cycle_began(notice: mo.CycleBegan) -> Lines:
    return headed(f"CYCLE #{notice.number} - {utc_second(notice.at)}")


def _balances_read(notice: mo.BalancesRead) -> Lines:
    return info(
        "Performing health check...",
        f"Spot USDT: {log_money(notice.spot_usdt)}",
        f"Perp USDT: {log_money(notice.perp_usdt)}",
    )


def _health_judged(notice: mo.HealthJudged) -> Lines:
    count, report = f"(Existing DN positions: {notice.hedges})", notice.report
    if notice.symbol:
        count = f"of {notice.symbol} {count}"
    foreign = warning(*(f"  {each}" for each in notice.foreign))
    if report is None and notice.foreign:
        return (*warning(f"Health check found positions that are not the bot's {count}"), *foreign)
    if report is None:
        return warning(f"Health check not possible {count}") if notice.hedges else info(f"Health check passed {count}")
    return (*(info(f"Health check passed {count}") if report.healthy else _problems(report, count)), *_others(foreign))


def _others(foreign: Lines) -> Lines:
    return (*warning("Other positions that are not the bot's:"), *foreign) if foreign else ()


def _problems(report: HealthReport, count: str) -> Lines:
    head = f"Health check found problems {count}" if report.findings else f"Health check incomplete {count}"
    level = LineLevel.ERROR if report.findings else LineLevel.WARNING
    lines = (head, *(f"  {f.text}" for f in report.findings), *(f"  Not seen: {what}" for what in report.unknown))
    return tuple(LogLine(text=text, level=level) for text in lines)


def _read_failed(notice: mo.ReadFailed) -> Lines:
    return warning(
        f"Could not read: {_by_reason(notice.missing)}",
        "Unknown is not flat: nothing is opened, and nothing closed for profit, until it can be read",
    )


def _by_reason(missing: tuple[str, ...]) -> str:
    """Return what is missing with each reason named once."""
    parts: dict[str, list[str]] = {}
    for text in missing:
        part, _, reason = text.partition(": ")
        parts.setdefault(reason, []).append(part)
    named = ((" and ".join(found), reason) for reason, found in parts.items())
    return "; ".join(f"{found}: {reason}" if reason else found for found, reason in named)


def _nothing_read(notice: mo.NothingRead) -> Lines:
    return warning(f"Nothing could be read from the exchange: next try in {seconds(notice.retry_seconds)}")


def _evaluated(notice: mo.Evaluated) -> Lines:
    judged = notice.evaluation
    lines = (
        BLANK,
        *info(
            f"Evaluating position on {judged.symbol}...",
            f"  Unrealized PnL: {_pnl(judged)}",
            f"  Position age: {log_number(judged.age_hours)} hours",
            f"  Funding periods: {log_number(judged.funding_periods)}",
            f"  Estimated funding received: {log_funding(judged.funding_received)}",
            f"  Total fees (entry + exit): {log_money(judged.total_fees)}",
            f"  Fees coverage ratio: {_coverage(judged)} (target: {log_setting(notice.multiplier)}x)",
            f"  Current funding rate: {_signal(judged)}",
        ),
    )
    lines += _if_closed(judged.result)
    if not judged.history_known:
        lines += warning("  Funding history is not known yet: fee coverage is not judged")
    return lines + (warning(f"  Not seen: {', '.join(judged.unseen)}") if judged.unseen else ())


def _pnl(judged: Evaluation) -> str:
    if judged.unrealized_pnl is None or judged.pnl_fraction is None:
        return "unknown"
    return f"{log_money(judged.unrealized_pnl)} ({log_percent(judged.pnl_fraction)})"


def _if_closed(result: HedgeResult) -> Lines:
    """Return the net result of closing now, its costs, and when funding will have paid for them."""
    net, costs = log_funding(result.net_if_closed), f"spread {log_funding(result.exit_spread)}"
    lines = info(f"  Net if closed now: {net} (fees of closing {log_funding(result.exit_fees)}, {costs})")
    if result.break_even_at is None:
        return lines
    return lines + info(f"  Break-even at the present rate: {utc_second(result.break_even_at)}")


def _coverage(judged: Evaluation) -> str:
    return "unknown" if judged.coverage is None else f"{log_number(judged.coverage)}x"


def _signal(judged: Evaluation) -> str:
    signal = judged.signal
    if signal is None:
        return "unknown"
    return f"{log_rate(signal.mean)} ({_kind(averaged=signal.moving_average)}), effective APR {log_apr(signal.apr)}"


def _cycle_failed(notice: mo.CycleFailed) -> Lines:
    texts = (
        f"Cycle failed: {notice.error}",
        f"  Nothing more is traded in this cycle; next try in {seconds(notice.retry_seconds)}",
    )
    return tuple(LogLine(text=text, level=LineLevel.ERROR) for text in texts)


def _equity_read(notice: mo.EquityRead) -> Lines:
    return info(f"Equity: {log_money(notice.equity)}")


def _books_checked(notice: mo.BooksChecked) -> Lines:
    if not notice.differences:
        return ()
    parts = ", ".join(f"{key} {plain(value)}" for key, value in notice.differences.items())
    return warning(f"Books differ from the exchange (exchange - books): {parts}")


# --- scan and wallets ------------------------------------------------------------------------------------------------


def _scan_started(notice: mo.ScanStarted) -> Lines:
    what = f"MA {notice.periods} periods" if notice.moving_average else "predicted rate"
    return (BLANK, *info(f"Scanning for best funding rate opportunity ({what})..."))


def _opportunity_found(notice: mo.OpportunityFound) -> Lines:
    found = notice.opportunity
    signal = found.signal
    lines = info(
        f"Best opportunity: {found.symbol}",
        f"  Funding Rate: {log_rate(signal.mean)} ({_kind(averaged=signal.moving_average)})",
        f"  Effective APR (1x): {log_apr(signal.apr)}",
    )
    if signal.moving_average:
        lines += info(f"  MA Periods: {signal.periods}", f"  MA StDev: {log_rate(signal.stdev)}")
    lines += info(
        f"  Next Funding: {'unknown' if found.next_funding is None else log_iso(found.next_funding)}",
        f"  Funding interval: {signal.interval_hours} hours",
        f"  APR on all capital (both legs): {log_apr(signal.apr / LEGS)}",
    )
    if found.basis is not None:
        lines += info(f"  Entry basis (perp bid - spot ask): {log_rate(float(found.basis))}")
    return lines


def _no_opportunity(notice: mo.NoOpportunity) -> Lines:
    return info(f"No pair passes every entry filter{f' (nearest: {notice.why})' if notice.why else ''}")


def _order_rests(notice: mo.OrderRests) -> Lines:
    job = notice.execution
    planned = job.plan.spot_quantity if job.lead is Market.SPOT else job.plan.perp_quantity
    spent = seconds((notice.at - job.started_at).total_seconds())
    filled = f"{plain(job.leg(job.lead).filled)} of {plain(planned)} filled"
    text = f"  Still {DOING[job.kind]} {job.symbol} after {spent}: {filled}"
    if job.working is not None:
        order = job.working.order
        what = f"{order.market.capitalize()} {order.side} {plain(order.quantity)}"
        text += f"; {what} rests at {log_price(order.price)}"
    return info(text)


def _rebalance_started(notice: mo.RebalanceStarted) -> Lines:
    if notice.before_opening:
        lines = info("Rebalancing USDT before opening position...")
    else:
        lines = (BLANK, *info("Rebalancing USDT between spot and perp wallets..."))
    if notice.needed is None:
        lines += info("USDT wallets already balanced (difference < $1)")
    return lines


def rebalanced(
    amount: Decimal, direction: str, *, spot: tuple[Decimal, Decimal], perp: tuple[Decimal, Decimal]
) -> Lines:
    """Return the block of a transfer; ``spot`` and ``perp`` are the wallets before and after."""
    return info(
        f"Rebalanced {log_money(amount)} USDT ({direction})",
        f"  Spot USDT: {log_money(spot[0])} -> {log_money(spot[1])}",
        f"  Perp USDT: {log_money(perp[0])} -> {log_money(perp[1])}",
    )
