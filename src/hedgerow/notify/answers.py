"""Answers to commands of Telegram: texts made of a view. Pure; every number is written by ``dashboard.formats``."""

from collections.abc import Iterator
from typing import Final

from hedgerow.dashboard.bot_state import ProcessState
from hedgerow.dashboard.closing import books_of_one, closing_one
from hedgerow.dashboard.formats import (
    ago,
    apr,
    clock_time,
    consequence_text,
    count,
    countdown,
    date_time,
    duration,
    exit_limit,
    exit_name,
    exit_value,
    exit_when,
    money,
    percent,
    price,
    quantity,
    rate,
    seconds,
    signed_money,
    signed_percent,
    volume,
    without_dust,
)
from hedgerow.dashboard.view import HedgeView, PairRow, Together, View
from hedgerow.domain.formats import legs_differ
from hedgerow.strategy.closing_price import ClosingPrice

__all__ = [
    "HELP",
    "close_question",
    "funding_text",
    "hedges_text",
    "money_text",
    "no_bot_text",
    "pairs_text",
    "resume_question",
    "status_text",
    "why_text",
    "whynot_text",
]

ROWS: Final = 10
LAST: Final = 5
EXITS: Final = 4
HELP: Final = """\
/status - hedged or not, what it does, what you can do
/why - what would make it act, nearest first
/whynot - why nothing is opened, pair by pair
/funding - next payment and the last ones
/money - what it made, with its parts
/pairs - the most attractive pairs
/hedges - what is held, and the last ones that ended
/close [SYMBOL] - close a hedge, after you press a button
/halt - block openings at once
/resume - allow openings again, after you press a button
/mute 8h - hold back alerts that are no pages; /mute off ends it
/login - one link that opens the screen, valid for 5 minutes
/help - this list"""


def status_text(view: View) -> str:
    """Return the state, the hedges and the result."""
    report, times = view.report, view.times
    lasts = f" for {duration(times.now - times.since)}" if times.since and times.since <= times.now else ""
    lines = [f"{report.title}{lasts}", report.does, f"You: {report.can_do}"]
    lines += [f"HALTED since {date_time(halt.since)} UTC: {halt.reason}: {halt.detail}" for halt in view.halts]
    if report.naked is not None:
        since = duration(times.now - report.naked.since)
        lines.append(f"Unhedged: {money(report.naked.notional)} for {since}")
    lines += [_balance(hedge) for hedge in view.hedges]
    net = view.together.net_if_closed if view.together else None
    if view.together:
        lines.append(f"If closed now: {signed_money(net)} ({signed_percent(view.together.net_on_notional)} of a leg)")
    lines.append(f"Since the start: {_since_the_start(view)}")
    return "\n".join((*lines, _read(view)))


def _since_the_start(view: View) -> str:
    return f"{signed_money(view.totals.net_if_closed)}{without_dust(view.totals.unpriced_dust)}"


def _balance(hedge: HedgeView) -> str:
    difference = hedge.difference
    apart = "legs unknown"
    if difference is not None:
        apart = legs_differ(signed_percent(difference.fraction, 3), signed_money(difference.value))
    away = f", liquidation {percent(hedge.liquidation_distance)} away" if hedge.liquidation_distance is not None else ""
    return f"{hedge.symbol}: {apart}{away}"


def _read(view: View) -> str:
    times = view.times
    if times.is_old:
        return f"AS OF {clock_time(times.read_at, times.now)}: nothing newer was read"
    following = f", next check in {countdown(times.next_check_at, times.now)}" if times.next_check_at else ""
    return f"read {ago(times.read_at, times.now)}{following}"


def why_text(view: View) -> str:
    """Return each hedge's rules, the nearest first, with what would follow."""
    if not view.hedges:
        return f"Nothing is held. {view.report.does}\n{_read(view)}"
    return "\n".join((*(line for hedge in view.hedges for line in _exits(hedge, view)), _read(view)))


def _exits(hedge: HedgeView, view: View) -> Iterator[str]:
    yield f"{hedge.symbol}, what would make it act, nearest first:"
    for found in hedge.exits[:EXITS]:
        rule = found.distance
        when = exit_when(rule, view.times.now)
        yield f"- {exit_name(rule)}: {exit_value(rule)} of {exit_limit(rule)}{f', {when}' if when else ''}"
        yield f"  then: {consequence_text(found)}"
    if not hedge.exits:
        yield "- not known: nothing was read since it was opened"
    if not hedge.profit_rules_known and hedge.exits:
        yield "- the policy's own rules are not known here"
    if hedge.deferred_until:
        yield f"- its closing waits for less cost, at most until {date_time(hedge.deferred_until)} UTC"


def whynot_text(view: View) -> str:
    """Return why nothing is opened, and the first reason of the best pairs."""
    head = view.why_waiting or view.report.does
    lines = [f"Why nothing is opened: {head}"]
    lines += [f"HALTED: {halt.reason}: {halt.detail}" for halt in view.halts]
    lines += [f"- {row.seen.symbol} ({apr(row.seen.apr)}): {_refusal(row)}" for row in view.pairs[:ROWS]]
    return "\n".join((*lines, _read(view)))


def _refusal(row: PairRow) -> str:
    return "held" if row.held else "may be opened" if row.may_enter else "; ".join(row.why_not)


def funding_text(view: View) -> str:
    """Return the next payments, the rates and the last payments."""
    lines: list[str] = []
    for hedge in view.hedges:
        due, funding = hedge.funding.next, hedge.funding
        if due is None:
            lines.append(f"{hedge.symbol}: next payment not known")
        else:
            left = countdown(due.at, view.times.now)
            every = f"every {due.interval_hours} h"
            lines.append(f"{hedge.symbol}: {signed_money(due.amount)} in {left}, rate {rate(due.rate)} {every}")
        lines.append(
            f"  APR {apr(funding.apr_on_leg)} of a leg, {apr(funding.apr_on_capital)} of all capital;"
            f" received {signed_money(hedge.funding_received)} in {count(hedge.funding_payments)}"
        )
    if not view.hedges:
        lines.append("Nothing is held: no payment is due.")
    lines += [f"{date_time(each.at)} UTC {each.symbol} {signed_money(each.amount)}" for each in view.payments[:LAST]]
    return "\n".join((*lines, _read(view)))


def money_text(view: View) -> str:
    """Return what was made, with the parts that add up."""
    totals, held = view.totals, view.together
    lines: list[str] = []
    if held is not None:
        lines += [
            f"Held: {signed_money(held.net_if_closed)} if closed now",
            _parts(held),
        ]
    lines += [
        f"Ended: {signed_money(totals.net_closed)} by {count(totals.closed)}",
        f"  funding {signed_money(totals.funding)}, basis {signed_money(totals.basis)}, fees {money(totals.fees)}",
        f"Since the start: {_since_the_start(view)}",
        f"Equity {money(totals.equity)}; free {money(totals.free_spot)} spot, {money(totals.free_perp)} perpetual",
        f"Longest with one leg: {seconds(totals.longest_naked_seconds)}",
    ]
    return "\n".join((*lines, _read(view)))


def _parts(held: Together) -> str:
    gains = f"funding {signed_money(held.funding)}, basis {signed_money(held.basis)}"
    return f"  {gains}, fees {money(held.fees_paid)}, cost to close {money(held.exit_cost)}"


def pairs_text(view: View) -> str:
    """Return the most attractive pairs."""
    if not view.pairs:
        return f"No pair was read yet.\n{_read(view)}"
    lines = [
        f"{row.seen.symbol} {apr(row.seen.apr)} ({rate(row.seen.rate)}"
        f"/{count(row.seen.interval_hours)} h), {volume(row.seen.volume)}: {_refusal(row)}"
        for row in view.pairs[:ROWS]
    ]
    return "\n".join((*lines, _read(view)))


def hedges_text(view: View) -> str:
    """Return what is held, and the last hedges that ended."""
    lines = [line for hedge in view.hedges for line in _hedge(hedge, view)] or ["Nothing is held."]
    lines += [
        f"{date_time(row.closed_at)} UTC {row.symbol} {signed_money(row.net)}: {row.reason},"
        f" funding {signed_money(row.funding)}, basis {signed_money(row.basis)}, fees {money(row.fees)}"
        for row in view.closed[:LAST]
    ]
    return "\n".join((*lines, _read(view)))


def _hedge(hedge: HedgeView, view: View) -> Iterator[str]:
    result = hedge.result
    yield f"{hedge.symbol}: {signed_money(result.net_if_closed if result else None)} if closed now"
    yield (
        f"  spot {quantity(hedge.spot.quantity, hedge.base, hedge.spot.step)},"
        f" perpetual {quantity(hedge.perp.quantity, hedge.base, hedge.perp.step)}"
    )
    yield f"  {money(hedge.entry_notional)} a leg, for {duration(view.times.now - hedge.opened_at)}"
    yield f"  liquidation at {price(hedge.liquidation_price)}, {percent(hedge.liquidation_distance)} away"
    for finding in (*hedge.findings, *hedge.unknown):
        yield f"  ! {finding}"


def close_question(hedge: HedgeView, view: View, read: ClosingPrice | None, valid_seconds: int) -> str:
    """Return what closing a hedge now costs and brings, and what is missed by it; ``read`` is by the books of now."""
    closing, now = closing_one(hedge, read), view.times.now
    result, due = closing.result, closing.next_payment
    net = result.net_if_closed if result else None
    missed = f"Payment missed: {signed_money(due.amount)} in {countdown(due.at, now)}" if due else ""
    lines = [
        f"Close {hedge.symbol} now? Openings are halted with it.",
        f"Net if closed: {signed_money(net)} (cost to close {money(result.exit_cost if result else None)} is in it)",
        missed,
        books_of_one(closing, now),
        f"The button is valid for {valid_seconds} s, once, for this hedge.",
    ]
    return "\n".join(line for line in lines if line)


def resume_question(view: View, valid_seconds: int) -> str:
    """Return what is halted and why."""
    lines = [
        f"Openings are halted since {date_time(halt.since)} UTC: {halt.reason}: {halt.detail}" for halt in view.halts
    ]
    return "\n".join((*lines, f"Allow openings again? The button is valid for {valid_seconds} s, once."))


def no_bot_text(view: View) -> str:
    """Return why a request cannot be carried out now; empty where a bot runs."""
    if view.process.state is ProcessState.RUNNING:
        return ""
    return f"No bot runs ({view.report.title}), so nothing was done. On its machine: hedgerow run, or hedgerow close."
