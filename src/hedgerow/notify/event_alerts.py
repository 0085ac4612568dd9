"""Alerts that follow from the events of a log, each with its number. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from hedgerow.dashboard.formats import date_time, duration, money, quantity, seconds, signed_money
from hedgerow.domain import events as ev
from hedgerow.domain.commands import TransferDirection
from hedgerow.domain.events import Event, HaltReason
from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.domain.instrument import Side
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.operator_requests import CloseAllRequested, CloseRequested, ResumeRequested
from hedgerow.domain.position import ClosedHedge, HedgedPosition
from hedgerow.notify.alerts import Alert, AlertKind, AlertLevel, alert_of
from hedgerow.strategy.hedge_result import result_of_ended

__all__ = ["event_alerts"]

_Alerts: TypeAlias = Iterator[Alert]


def event_alerts(seq: int, event: Event, before: Ledger, after: Ledger) -> tuple[Alert, ...]:
    """Return the alerts of event number ``seq``, which made ``after`` of ``before``; most events have none."""
    found = _ALERTS.get(type(event))
    return () if found is None else tuple(found(seq, event, before, after))


def _opened(seq: int, event: ev.HedgeOpened, before: Ledger, after: Ledger) -> _Alerts:
    hedge = after.open_hedge(event.hedge_id)
    if hedge is None or before.open_hedge(event.hedge_id) is not None:
        return
    fees, naked = money(hedge.entry_fees), event.quality.worst_naked_seconds if event.quality else None
    yield alert_of(
        AlertKind.OPENED,
        event.at,
        f"Hedge opened on {hedge.symbol}: {money(hedge.entry_notional)} a leg",
        f"{_legs(hedge)}; fees {fees}; longest time with one leg {seconds(naked)}",
        symbol=hedge.symbol,
        seq=seq,
    )


def _adopted(seq: int, event: ev.HedgeAdopted, before: Ledger, _after: Ledger) -> _Alerts:
    hedge = event.hedge
    if before.open_hedge(hedge.hedge_id) is not None:
        return  # its history became readable
    yield alert_of(
        AlertKind.OPENED,
        event.at,
        f"Position on {hedge.symbol} adopted: {_legs(hedge)}",
        "it was found on the exchange and its legs match",
        symbol=hedge.symbol,
        seq=seq,
        level=AlertLevel.WARN,
    )


def _aborted(seq: int, event: ev.HedgeAborted, before: Ledger, after: Ledger) -> _Alerts:
    symbol, cost = _symbol_of(event.hedge_id, before, after), before.totals.net_profit - after.totals.net_profit
    spent = f"; the attempt cost {money(cost)}" if cost else ""
    detail = f" ({event.detail})" if event.detail else ""
    yield alert_of(
        AlertKind.NOT_OPENED,
        event.at,
        f"{symbol} was not opened",
        f"{event.reason}{detail}{spent}",
        symbol=symbol,
        seq=seq,
    )


def _closed(seq: int, event: ev.HedgeClosed | ev.HedgeLost, before: Ledger, after: Ledger) -> _Alerts:
    ended = next((each for each in reversed(after.closed) if each.hedge_id == event.hedge_id), None)
    if before.open_hedge(event.hedge_id) is None or ended is None:
        return
    lost = isinstance(event, ev.HedgeLost)
    net = signed_money(result_of_ended(ended).net_so_far)
    yield alert_of(
        AlertKind.CLOSED,
        event.at,
        f"Hedge on {ended.symbol} {'ended without an order of the bot' if lost else 'closed'}: {net}",
        f"{event.reason}, after {duration(ended.closed_at - ended.hedge.opened_at)}; {_result(ended)}",
        symbol=ended.symbol,
        seq=seq,
        level=AlertLevel.WARN if lost else None,
    )


def _rolled(seq: int, event: ev.HedgeRolled, _before: Ledger, after: Ledger) -> _Alerts:
    symbol = _symbol_of(event.hedge_id, after)
    yield alert_of(
        AlertKind.ROLLED,
        event.at,
        f"Hedge on {symbol} rolled over",
        "its fees are covered and the pair is still the best",
        symbol=symbol,
        seq=seq,
    )


_REPAIRS: Final = {
    ExecutionState.REPAIRING: "the second leg fell short; it is tried again with a wider price limit",
    ExecutionState.IN_DOUBT: "an order is not on the exchange and may still arrive; that is waited for",
    ExecutionState.UNWINDING: "the legs cannot be matched; the open part is reversed",
}


def _stepped(seq: int, event: ev.ExecutionStepped, before: Ledger, after: Ledger) -> _Alerts:
    job = event.execution or after.shown_job
    if event.hedge_id:
        job = next((each for each in after.jobs if each.hedge_id == event.hedge_id), job)
    if job is None or job.state not in _REPAIRS:
        return
    earlier = next((each for each in before.jobs if each.hedge_id == job.hedge_id), None)
    if earlier is not None and earlier.state in {*_REPAIRS, ExecutionState.NAKED}:
        return  # the same half-open time goes on
    detail = f" ({job.detail})" if job.detail else ""
    yield alert_of(
        AlertKind.HALF_OPEN,
        event.at,
        f"Half open while {_DOING[job.kind]} {job.symbol}",
        f"{_REPAIRS[job.state]}{detail}",
        symbol=job.symbol,
        seq=seq,
    )


_DOING: Final = {
    ExecutionKind.OPEN: "opening",
    ExecutionKind.CLOSE: "closing",
    ExecutionKind.TRIM: "trimming a leg of",
    ExecutionKind.REDUCE: "reducing both legs of",
}


def _naked(seq: int, event: ev.NakedAlarmed, before: Ledger, after: Ledger) -> _Alerts:
    symbol = _symbol_of(event.hedge_id, before, after)
    doubt = f", or up to {quantity(abs(event.exposure))}: the outcome of an order is unknown" if event.in_doubt else ""
    most = "up to " if event.in_doubt else ""
    yield alert_of(
        AlertKind.NAKED,
        event.at,
        f"NAKED on {symbol}: {most}{money(event.notional)} unhedged for {seconds(event.seconds)}",
        f"one leg has {quantity(abs(event.exposure) - event.in_doubt)} more than the other{doubt}",
        symbol=symbol,
        seq=seq,
    )


def _repaired(seq: int, event: ev.HedgeRepaired, before: Ledger, after: Ledger) -> _Alerts:
    job = before.execution
    if job is not None and not (job.spot.filled or job.perp.filled):
        return
    hedge = after.open_hedge(event.hedge_id)
    symbol = hedge.symbol if hedge else _symbol_of(event.hedge_id, before, after)
    yield alert_of(
        AlertKind.REPAIRED,
        event.at,
        f"Both legs on {symbol} match again",
        _legs(hedge) if hedge else "nothing is held of it any more",
        symbol=symbol,
        seq=seq,
    )


def _external(seq: int, event: ev.ExternalFills, before: Ledger, after: Ledger) -> _Alerts:
    symbol = _symbol_of(event.hedge_id, before, after)
    forced = [fill for fill in event.fills if fill.forced]
    for fill in forced:
        what = "bought back" if fill.side is Side.BUY else "sold"
        coins = quantity(fill.quantity, fill.symbol.removesuffix("USDT"))
        yield alert_of(
            AlertKind.LIQUIDATED,
            event.at,
            f"{fill.forced_name.upper()} on {symbol}: the exchange {what} {coins} by force",
            f"{money(fill.notional)} at {date_time(fill.at)} UTC, fee {money(fill.fee)}",
            symbol=symbol,
            seq=seq,
        )
    if not forced and event.hedge_id in after.apart and event.hedge_id not in before.apart:
        yield alert_of(
            AlertKind.HALF_OPEN,
            event.at,
            f"The legs of {symbol} differ: a trade that is not the bot's changed one",
            event.cause,
            symbol=symbol,
            seq=seq,
        )


_OWN_KIND: Final = {
    HaltReason.DAILY_LOSS: AlertKind.DAILY_LOSS,
    HaltReason.BOOKS: AlertKind.BOOKS_DIFFER,
    HaltReason.UNEXPLAINED_LOSS: AlertKind.BOOKS_DIFFER,
}
"""Halts that a person knows by another name."""


def _halted(seq: int, event: ev.Halted, before: Ledger, after: Ledger) -> _Alerts:
    if before.halt is not None and before.halt.reason is event.reason:
        return  # it stands already, with another detail
    symbol = event.symbols[0] if len(event.symbols) == 1 else ""
    kind = _OWN_KIND.get(event.reason, AlertKind.HALTED)
    itself = after.halt is not None and after.halt.lifts_itself
    mild = itself or event.reason is HaltReason.USER
    yield alert_of(
        kind,
        event.at,
        _TITLES[kind],
        event.detail if kind is not AlertKind.HALTED else f"{event.reason.value}: {event.detail}".rstrip(": "),
        symbol=symbol,
        seq=seq,
        level=AlertLevel.WARN if mild else None,
        can_do="It ends by itself once its cause is gone." if itself else None,
    )


_TITLES: Final = {
    AlertKind.HALTED: "Openings are halted",
    AlertKind.DAILY_LOSS: "The daily loss limit was reached: openings are halted",
    AlertKind.BOOKS_DIFFER: "Money is missing from the exchange: openings are halted",
}


def _lifted(seq: int, event: ev.Lifted, before: Ledger, _after: Ledger) -> _Alerts:
    halt = before.halt
    lasted = f", after {duration(event.at - halt.since)} ({halt.reason.value})" if halt else ""
    yield alert_of(AlertKind.LIFTED, event.at, "Openings are allowed again", f"{event.detail}{lasted}", seq=seq)


def _transferred(seq: int, event: ev.FundsTransferred, _before: Ledger, after: Ledger) -> _Alerts:
    to_perp = event.direction is TransferDirection.SPOT_TO_PERP
    where = "from spot to the perpetual wallet" if to_perp else "from the perpetual wallet to spot"
    job = after.execution
    yield alert_of(
        AlertKind.MARGIN_MOVED,
        event.at,
        f"{money(event.amount)} moved {where}",
        f"for {_DOING[job.kind]} {job.symbol}" if job else "both legs need a wallet that carries them",
        seq=seq,
    )


def _handled(seq: int, event: ev.RequestHandled, _before: Ledger, _after: Ledger) -> _Alerts:
    request = event.request
    if not isinstance(request.action, CloseRequested | CloseAllRequested | ResumeRequested):
        return
    yield alert_of(
        AlertKind.REQUEST,
        event.at,
        f"{request.text}, asked by {request.user} ({request.origin}): {event.outcome}",
        event.text,
        symbol=request.hedge.symbol if request.hedge else "",
        seq=seq,
    )


def _settings_changed(seq: int, event: ev.SettingsChanged, _before: Ledger, _after: Ledger) -> _Alerts:
    why = "; ".join(f"{each.name}: {each.before} -> {each.after}" for each in event.changes)
    what = f"{event.user} changed settings of the bot" if event.user else "The bot started with other settings"
    yield alert_of(AlertKind.SETTINGS_CHANGED, event.at, what, why, seq=seq)


def _legs(hedge: HedgedPosition) -> str:
    coins, short = quantity(hedge.spot_quantity, hedge.pair.base), quantity(hedge.short, hedge.pair.base)
    return f"{coins} on spot, {short} short"


def _result(ended: ClosedHedge) -> str:
    made = result_of_ended(ended)
    return f"funding {signed_money(made.funding)}, basis {signed_money(made.basis)}, fees {money(made.fees_paid)}"


def _symbol_of(hedge_id: str, *ledgers: Ledger) -> str:
    for ledger in ledgers:
        known = (hedge.symbol for hedge in ledger.known_hedges if hedge.hedge_id == hedge_id)
        found = next(known, None) or next((job.symbol for job in ledger.jobs if job.hedge_id == hedge_id), None)
        if found:
            return found
    return "a pair that the log no longer holds"


_ALERTS: Final[Mapping[type[Any], Callable[[int, Any, Ledger, Ledger], _Alerts]]] = {
    ev.HedgeOpened: _opened,
    ev.HedgeAdopted: _adopted,
    ev.HedgeAborted: _aborted,
    ev.HedgeClosed: _closed,
    ev.HedgeLost: _closed,
    ev.HedgeRolled: _rolled,
    ev.ExecutionStepped: _stepped,
    ev.NakedAlarmed: _naked,
    ev.HedgeRepaired: _repaired,
    ev.ExternalFills: _external,
    ev.Halted: _halted,
    ev.Lifted: _lifted,
    ev.FundsTransferred: _transferred,
    ev.RequestHandled: _handled,
    ev.SettingsChanged: _settings_changed,
}
