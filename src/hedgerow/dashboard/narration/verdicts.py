"""Log lines of reconciliation and of the decision that follows."""

from typing import assert_never

from msgspec.structs import replace

from hedgerow.dashboard.narration.formats import BLANK, LineLevel, Lines, LogLine, info, warning
from hedgerow.domain.formats import log_funding, log_money, log_quantity
from hedgerow.domain.money import plain
from hedgerow.domain.position import HedgedPosition, Reason
from hedgerow.engine.notices import Decided, Reconciled, ReconcileStarted
from hedgerow.strategy import observation as ob
from hedgerow.strategy.decisions import verdicts as vd
from hedgerow.strategy.decisions.verdicts import BALANCED_WITHIN

__all__ = ["decided_lines", "reconcile_started_lines", "reconciled_lines"]

RECONCILING = "Reconciling position state with exchange..."
CHECKING = "Checking for existing delta-neutral positions..."


# --- reconciliation --------------------------------------------------------------------------------------------------


def reconcile_started_lines(_notice: ReconcileStarted) -> Lines:
    """Return the head of the start's reconciliation."""
    return (BLANK, *info(RECONCILING))


def reconciled_lines(notice: Reconciled) -> Lines:
    """Return what the comparison found: everything at start, later only what changed."""
    lines = _verdict_lines(notice)
    if notice.at_start or not lines:
        return lines
    return (BLANK, *info(RECONCILING), *lines)


def _verdict_lines(notice: Reconciled) -> Lines:  # noqa: C901, PLR0911, PLR0912 - one case per verdict
    verdict = notice.verdict
    match verdict:
        case vd.Consistent():
            return _consistent(notice, verdict)
        case vd.ClosedExternally():
            return _closed_externally(verdict)
        case vd.Adopt():
            return _adopt()
        case vd.Replaced():
            return _replaced(verdict)
        case vd.HalfOpen():
            return _half_open(verdict)
        case vd.Ambiguous():
            return _ambiguous(verdict)
        case vd.NakedForeign():
            return _naked_foreign(verdict)
        case vd.NotAdopted():
            return _not_adopted(verdict)
        case vd.Nothing():
            return _nothing(notice)
        case vd.InFlight():
            return _in_flight(notice)
        case vd.Unreadable():
            return _unreadable(notice, verdict)
    assert_never(verdict)


def _consistent(notice: Reconciled, verdict: vd.Consistent) -> Lines:
    foreign = warning(
        *(f"  A short of {plain(s.quantity)} on {s.symbol} is not the bot's and not hedged" for s in verdict.foreign)
    )
    if not notice.at_start:
        return foreign
    lines = _confirmed(verdict.symbol, notice.hedge)
    if notice.hedge is not None:
        now = log_funding(notice.hedge.funding_received)
        lines += info(f"  Updating funding from exchange: {log_funding(notice.funding_before)} -> {now}")
    before, value = log_money(notice.value_before), log_money(notice.value)
    return (*lines, *info(f"  Updating position value: {before} -> {value}"), *foreign)


def _confirmed(symbol: str, hedge: HedgedPosition | None) -> Lines:
    """Return what was found of a position that is as the log says; a half open one is reported as such."""
    if hedge is None or abs(hedge.spot_quantity - hedge.short) <= BALANCED_WITHIN * max(
        hedge.spot_quantity, hedge.short
    ):
        return info(f"Position {symbol} confirmed on exchange")
    coins, short = f"{plain(hedge.spot_quantity)} {hedge.pair.base}", plain(hedge.short)
    text = f"Position {symbol} is only half on the exchange: {coins} against a short of {short}"
    return (LogLine(text=text, level=LineLevel.ERROR),)


def _closed_externally(verdict: vd.ClosedExternally) -> Lines:
    return warning(
        f"Position {verdict.symbol} tracked in state but not found on exchange",
        "Position was likely closed externally. Clearing state.",
    )


def _adopt() -> Lines:
    return info("Exchange has delta-neutral position but not tracked in state", CHECKING)


def _replaced(verdict: vd.Replaced) -> Lines:
    return warning(
        f"Tracked position {verdict.symbol} not found on exchange",
        f"Exchange has: {verdict.candidate.symbol}",
        "Adopting the exchange position...",
    )


def _half_open(verdict: vd.HalfOpen) -> Lines:
    if verdict.balanced:
        return warning(
            f"Position {verdict.symbol} is smaller on the exchange, both legs alike",
            f"  Missing spot: {log_quantity(verdict.missing_spot)}",
            f"  Missing short: {log_quantity(verdict.missing_short)}",
        )
    texts = (
        f"Position {verdict.symbol} is only half on the exchange: the {verdict.market} leg falls short",
        f"  Missing spot: {log_quantity(verdict.missing_spot)}",
        f"  Missing short: {log_quantity(verdict.missing_short)}",
    )
    return tuple(LogLine(text=text, level=LineLevel.ERROR) for text in texts)


def _ambiguous(verdict: vd.Ambiguous) -> Lines:
    symbols = ", ".join(candidate.symbol for candidate in verdict.candidates)
    return (
        *info(CHECKING),
        *warning(f"Several delta-neutral positions on the exchange: {symbols}", "None is adopted automatically"),
    )


def _naked_foreign(verdict: vd.NakedForeign) -> Lines:
    shorts = (f"  {short.symbol}: {plain(short.quantity)} without coins against it" for short in verdict.shorts)
    return (*info(CHECKING), *warning("Shorts that are not the bot's are on the exchange; none is adopted", *shorts))


def _not_adopted(verdict: vd.NotAdopted) -> Lines:
    found = verdict.candidate
    if verdict.unfit:
        return (*info(CHECKING), *warning(f"{found.symbol} is not adopted: {verdict.unfit}"))
    return (
        *info(CHECKING),
        *warning(
            f"{found.symbol} is not adopted automatically: {plain(found.spot)} coins, {plain(found.short)} short",
            f"  `hedgerow adopt {found.symbol}` takes {plain(found.adopted_spot)} of the coins; the rest stays yours",
        ),
    )


def _nothing(notice: Reconciled) -> Lines:
    return info(CHECKING, "No existing delta-neutral position found") if notice.at_start else ()


def _in_flight(notice: Reconciled) -> Lines:
    return info("A trade is in flight: it is finished first, then the account is compared") if notice.at_start else ()


def _unreadable(notice: Reconciled, verdict: vd.Unreadable) -> Lines:
    if not notice.at_start:
        return ()
    return warning(f"Could not compare with the exchange ({verdict.what}): the next cycle tries again")


# --- decisions -------------------------------------------------------------------------------------------------------

CLOSING = {
    Reason.EMERGENCY_STOP: "Emergency stop loss hit! Closing at any price within the caps.",
    Reason.HEALTH: "Position health is critical! Closing.",
    Reason.LEG_GONE: "One leg is gone! Closing the other.",
    Reason.LIQUIDATED: "The exchange closed the short by force (liquidation or ADL)! Selling the coins.",
    Reason.IMBALANCE: "The legs have drifted too far apart! Closing.",
    Reason.FEES_COVERED: "Fees covered! Ready to close and rotate.",
    Reason.MAX_AGE: "Maximum position age reached! Ready to close and rotate.",
    Reason.BETTER_PAIR: "Better opportunity found! Ready to close and rotate.",
    Reason.NEGATIVE_FUNDING: "Funding no longer pays! Ready to close and rotate.",
    Reason.USER: "Closing was requested by the user.",
    Reason.SHUTDOWN: "Closing before the shutdown, as requested.",
}
SAFETY = {Reason.EMERGENCY_STOP, Reason.HEALTH, Reason.LEG_GONE, Reason.LIQUIDATED, Reason.IMBALANCE}
SILENT_HOLDS = {ob.HoldReason.NOTHING_HELD, ob.HoldReason.HELD, ob.HoldReason.DEFERRED}


def decided_lines(notice: Decided) -> Lines:
    """Return the lines of the decision, with the pair where several are held; a halt has those of its event."""
    lines = _decided(notice.decision)
    if not notice.symbol or not lines:
        return lines
    first, *rest = lines
    return (replace(first, text=f"{notice.symbol}: {first.text}"), *rest)


def _decided(decision: ob.Decision) -> Lines:  # noqa: C901 - one case per decision
    match decision:
        case ob.Hold():
            return _hold(decision)
        case ob.Open():
            return _open(decision)
        case ob.Close():
            return _close(decision)
        case ob.Trim():
            return _trim(decision)
        case ob.Reduce():
            return _reduce(decision)
        case ob.Roll():
            return _roll(decision)
        case ob.TopUpMargin():
            return _top_up(decision)
        case ob.HaltOpenings():
            return ()
    assert_never(decision)


def _hold(decision: ob.Hold) -> Lines:
    if decision.reason is ob.HoldReason.HEALTHY:
        seen = decision.health is None or decision.health.healthy
        return info("Position healthy, continuing to hold...") if seen else info("Nothing to act on, holding...")
    if decision.reason in SILENT_HOLDS:
        return ()
    if decision.reason is ob.HoldReason.INCOMPLETE:
        return warning(f"No action: {decision.reason}")  # what is missing has its line already
    if decision.reason is ob.HoldReason.JUST_ADOPTED:
        return warning(
            f"The position was adopted just now, and a rule would close it ({decision.detail})",
            "  To keep it, change that setting or stop the bot before the next check; hedgerow close closes it at once",
        )
    return warning(f"No action: {decision.reason}{_in_brackets(decision.detail)}")


def _open(decision: ob.Open) -> Lines:
    return (BLANK, *info(f"Opening position on {decision.opportunity.symbol}..."))


def _close(decision: ob.Close) -> Lines:
    reason = decision.reason
    level = LineLevel.ERROR if reason in SAFETY else LineLevel.SUCCESS
    lines: Lines = (LogLine(text=CLOSING.get(reason, f"Closing: {reason}."), level=level),)
    if decision.detail:
        lines += info(f"  {decision.detail}")
    if decision.reopening_cost is not None:
        cost = log_money(decision.reopening_cost)
        lines += warning(f"  The pair is still the best one: opening it again costs {cost} in fees")
    return lines


def _trim(decision: ob.Trim) -> Lines:
    what = f"{plain(decision.quantity)} off the {decision.market} leg"
    return warning(f"Legs out of balance: trimming {what}{_in_brackets(decision.detail)}")


def _reduce(decision: ob.Reduce) -> Lines:
    what = f"{plain(decision.quantity)} off both legs"
    return warning(f"Liquidation is near: reducing the position by {what}{_in_brackets(decision.detail)}")


def _roll(decision: ob.Roll) -> Lines:
    text = (
        "Fees covered, and the pair is still the best: keeping the position, counters restart"
        f"{_in_brackets(decision.detail)}"
    )
    return (LogLine(text=text, level=LineLevel.SUCCESS),)


def _top_up(decision: ob.TopUpMargin) -> Lines:
    amount = log_money(decision.rebalance.amount)
    return warning(f"Liquidation comes nearer: moving {amount} USDT to the perp wallet{_in_brackets(decision.detail)}")


def _in_brackets(detail: str) -> str:
    return f" ({detail})" if detail else ""
