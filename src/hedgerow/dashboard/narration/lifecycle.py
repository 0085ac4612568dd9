"""Log lines of the start, the warnings and the end of a run; what a stop leaves behind."""

from typing import TypeAlias, assert_never

from hedgerow.dashboard.narration.formats import BLANK, LineLevel, Lines, LogLine, alarm, headed, info, warning
from hedgerow.domain.execution import ExecutionKind, ExecutionState, HedgeExecution
from hedgerow.domain.formats import UNKNOWN, log_funding, log_money, log_setting, seconds, utc_second
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO, plain
from hedgerow.domain.order import TimeInForce
from hedgerow.domain.run_identity import RunIdentity, RunMode
from hedgerow.engine import notices as mo
from hedgerow.strategy.hedging.orders import naked_quantity
from hedgerow.strategy.parameters import FundingRateStrategy, StrategyParameters

__all__ = ["LifecycleNotice", "lifecycle_lines"]

GUIDE_POLICY = "volume_farming"
MODE_TEXTS = {
    RunMode.LIVE: "real orders on this account",
    RunMode.DRY_RUN: "the live market is read, no order is sent",
    RunMode.PAPER: "its own market, no real money",
    RunMode.DEMO: "its own market, no real money",
    RunMode.SIMULATION: "its own market, no real money",
    RunMode.BACKTEST: "market history, no real money",
}
AGAIN = "(again = stop at once)"
KINDS = {
    ExecutionKind.OPEN: "opening",
    ExecutionKind.CLOSE: "closing",
    ExecutionKind.TRIM: "trimming",
    ExecutionKind.REDUCE: "reduction",
}
LifecycleNotice: TypeAlias = (
    mo.Started
    | mo.Warned
    | mo.GuardAlarmed
    | mo.HedgeUnseen
    | mo.ObserverFailed
    | mo.StoppedByUser
    | mo.Stopped
    | mo.StopRequested
    | mo.StoppedAtOnce
)
"""Notices of the start, the guard and the end of a run."""


def lifecycle_lines(notice: LifecycleNotice) -> Lines:  # noqa: C901, PLR0911 - one case per kind of notice
    """Return the lines of one notice."""
    match notice:
        case mo.Started():
            return _started(notice)
        case mo.Warned():
            return _warned(notice)
        case mo.GuardAlarmed():
            return _guard_alarmed(notice)
        case mo.HedgeUnseen():
            return _hedge_unseen(notice)
        case mo.ObserverFailed():
            return _observer_failed(notice)
        case mo.StoppedByUser():
            return _stopped_by_user(notice)
        case mo.Stopped():
            return _stopped(notice)
        case mo.StopRequested():
            return _stop_requested(notice)
        case mo.StoppedAtOnce():
            return _stopped_at_once(notice)
    assert_never(notice)


def _started(notice: mo.Started) -> Lines:
    parameters = notice.parameters
    lines = info(
        f"Volume Farming Strategy initialized (Dry Run: {notice.dry_run})",
        f"Capital Range: {_capital_range(parameters)}",
        f"Min Funding APR: {log_setting(parameters.funding_rate_strategy.min_funding_apr * 100)}%",
        f"Fee Coverage Multiplier: {log_setting(parameters.position_management.fee_coverage_multiplier)}x",
        f"Funding Rate Mode: {_mode(parameters.funding_rate_strategy)}",
        f"Venue: {notice.venue}",
    )
    if parameters.policy != GUIDE_POLICY:
        lines += info(f"Policy: {parameters.policy}")
    if notice.identity is not None:
        lines += _identity(notice.identity)
    return lines + _resumed(notice.ledger)


def _identity(identity: RunIdentity) -> Lines:
    """Return mode, network, account, files and cap: whose money is traded."""
    return info(
        f"Mode: {identity.mode} ({MODE_TEXTS[identity.mode]})",
        f"Network: {identity.network or UNKNOWN}",
        f"Account: {identity.account or UNKNOWN}",
        f"Home: {identity.home or 'none, nothing is saved'}",
        f"Configuration: {identity.config_text}",
        f"Capital cap: {identity.cap_text}",
        f"Version: {identity.version}",
    )


def _capital_range(parameters: StrategyParameters) -> str:
    capital = parameters.capital_management
    maximum = capital.max_capital_usd
    return f"${log_setting(capital.min_capital_usd)} - {'no limit' if maximum is None else f'${log_setting(maximum)}'}"


def _mode(settings: FundingRateStrategy) -> str:
    if settings.use_funding_ma:
        return f"Moving Average ({settings.funding_ma_periods} periods)"
    return "Predicted Rate (no moving average)"


def _resumed(ledger: Ledger) -> Lines:
    """Return what an earlier run left unfinished."""
    lines: Lines = ()
    if ledger.totals.cycles:
        total = log_money(ledger.total_profit_loss)
        lines += info(f"Resuming from the log: {ledger.totals.cycles} cycles so far, cumulative P/L {total}")
    job = ledger.shown_job
    if job is not None:
        lines += warning(f"A trade was in flight at the last stop ({job.kind} {job.symbol}): resuming it")
    if ledger.halt is not None:
        halt = ledger.halt
        lines += warning(f"Openings are halted since {utc_second(halt.since)}: {halt.reason} ({halt.detail})")
    return lines


def _warned(notice: mo.Warned) -> Lines:
    return warning(notice.text)


def _guard_alarmed(notice: mo.GuardAlarmed) -> Lines:
    return warning(f"Guard: {notice.text}; checking now")


def _hedge_unseen(notice: mo.HedgeUnseen) -> Lines:
    return (
        alarm(f"{notice.symbol} HAS NOT BEEN SEEN FOR {notice.seconds / 3600:.1f} HOURS: {notice.why}"),
        alarm(
            "  Until the account can be read no loss, liquidation or missing leg is noticed; hedgerow doctor says why"
        ),
    )


def _observer_failed(notice: mo.ObserverFailed) -> Lines:
    text = f"{notice.observer} failed: {notice.error}; trading continues"
    return (LogLine(text=text, level=LineLevel.ERROR),)


def _stopped_by_user(notice: mo.StoppedByUser) -> Lines:
    what = "the position is closed first" if notice.closing else "the position is kept"
    return (BLANK, *info(f"Shutdown requested: {what}, then the bot stops"))


def _stopped(notice: mo.Stopped) -> Lines:
    ledger = notice.ledger
    return (
        *headed(f"SHUTDOWN - {utc_second(notice.at)}"),
        *_saved(notice),
        *_left_open(notice),
        *warning(*(f"  Not ours: {text}" for text in notice.foreign)),
        *_statistics(ledger, notice.cycles),
        *warning(*(f"  {name} failed {count} times" for name, count in notice.listener_failures.items())),
    )


def _saved(notice: mo.Stopped) -> Lines:
    if not notice.unsaved:
        return info("Final state saved")
    return warning(f"Final state NOT saved: {notice.unsaved}; the log has everything, the next start writes the file")


def _left_open(notice: mo.Stopped) -> Lines:
    ledger = notice.ledger
    if ledger.shown_job is not None:
        job = ledger.shown_job
        return warning(f"A trade is in flight ({job.kind} {job.symbol}): restart to finish it")
    if not ledger.open_hedges and not notice.account_read:
        return warning("No position in the log; the account could not be read, so one may be open on the exchange")
    if not ledger.open_hedges:
        return info("No position open")
    return info(f"Position kept open: {', '.join(hedge.symbol for hedge in ledger.open_hedges)} (restart to continue)")


def _statistics(ledger: Ledger, cycles: int) -> Lines:
    totals, imported, hedges = ledger.totals, ledger.imported, ledger.open_hedges
    lines = info(
        "Final statistics:",
        f"  Cycles: {cycles} (total: {totals.cycles + imported.cycle_count})",
        f"  Total positions opened: {totals.opened + imported.positions_opened}",
        f"  Total positions closed: {totals.closed + imported.positions_closed}",
        f"  Funding received (closed positions): {log_funding(totals.funding)}",
        f"  Basis P/L (closed positions): {log_funding(totals.basis_pnl)}",
        f"  Fees paid (closed positions): {log_money(totals.fees)}",
        f"  Cumulative P/L: {log_money(ledger.total_profit_loss)}",
    )
    if hedges:
        which = "open position" if len(hedges) == 1 else f"{len(hedges)} open positions"
        funding = sum((hedge.funding_received for hedge in hedges), ZERO)
        fees = sum((hedge.tally.fees for hedge in hedges), ZERO)
        lines += info(
            f"  Funding received ({which}): {log_funding(funding)}",
            f"  Fees paid ({which}): {log_money(fees)}",
        )
    max_naked_notional = log_money(ledger.max_naked_notional)
    lines += info(f"  Longest naked exposure: {seconds(ledger.max_naked_seconds)} (largest {max_naked_notional})")
    return lines if ledger.halt is None else lines + warning(f"  Openings are halted: {ledger.halt.reason}")


# --- stops ------------------------------------------------------------------------------------------------------------


def _stop_requested(notice: mo.StopRequested) -> Lines:
    job = notice.ledger.shown_job
    if job is None or job.state.ended:
        return warning(f"Stopping {AGAIN}")
    if job.kind is ExecutionKind.OPEN:
        rest = "starts no further slice; what has filled ends hedged or flat"
    else:
        rest = "is finished first"
    return warning(f"Stopping: the {KINDS[job.kind]} of {job.symbol} {rest} {AGAIN}")


def _stopped_at_once(notice: mo.StoppedAtOnce) -> Lines:
    ledger = notice.ledger
    left = (*_order_left(ledger.shown_job), *_leg_left(ledger.shown_job), *_transfer_left(ledger))
    if left:
        texts = ("Stopped at once. Left behind:", *(f"  {text}" for text in left))
        return tuple(LogLine(text=text, level=LineLevel.ERROR) for text in texts)
    held = ", ".join(hedge.symbol for hedge in ledger.live_hedges)
    rest = f"nothing watches {held} until a bot is started" if held else "no position is open"
    return warning(f"Stopped at once: no order is working, {rest}")


def _order_left(job: HedgeExecution | None) -> tuple[str, ...]:
    if job is None or job.working is None:
        return ()
    order = job.working.order
    what = f"order {order.client_id}: {order.market.capitalize()} {order.side} {plain(order.quantity)} {order.symbol}"
    if order.time_in_force is not TimeInForce.GTX:
        return (f"{what}, sent and not answered: the next start looks it up",)
    resting = f"{what} rests at {plain(order.price)}"
    if order.market is Market.PERP and job.dead_man_at is not None:
        return (f"{resting}: the exchange cancels it within two minutes, or the next start does",)
    return (f"{resting}: the next start or a running hedgerow watchdog cancels it, or you on the exchange",)


def _leg_left(job: HedgeExecution | None) -> tuple[str, ...]:
    if job is None:
        return ()
    apart = naked_quantity(job)
    if not apart or (job.naked_since is None and job.state is not ExecutionState.NAKED):
        return ()
    worth = f" ({log_money(job.worst_naked_notional)} at most)" if job.worst_naked_notional else ""
    leg = "coins without a short" if job.exposure > 0 else "a short without coins"
    leg = leg if job.kind is ExecutionKind.OPEN else "not closed on one leg"
    ways = f"the next start makes the legs equal, hedgerow close {job.symbol} closes both"
    return (f"{plain(apart)} {job.pair.base}{worth} {leg}: {ways}",)


def _transfer_left(ledger: Ledger) -> tuple[str, ...]:
    if ledger.transfer is None:
        return ()
    amount = f"{log_money(ledger.transfer.amount)} USDT ({ledger.transfer.direction})"
    return (f"a transfer of {amount} with an unknown outcome: the next start looks it up",)
