"""Reducers of halts and of pairs that rest after they ended badly."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.order_index import hedge_of
from hedgerow.domain.ledger.state import Cooldown, Deferral, Incident, Ledger
from hedgerow.domain.order import Fill
from hedgerow.domain.position import Reason

__all__ = ["AFTER"]

_INCIDENTS: Final = {
    Reason.EMERGENCY_STOP: ev.HaltReason.EMERGENCY,
    Reason.LEG_GONE: ev.HaltReason.LEG_GONE,
    Reason.LIQUIDATED: ev.HaltReason.LIQUIDATION,
}
_HEALTH: Final = frozenset({Reason.HEALTH, Reason.IMBALANCE})
HEALTH_EXITS: Final = 3
"""So many within ``HEALTH_WITHIN`` are an incident, whichever pairs they were of."""
HEALTH_WITHIN: Final = timedelta(days=1)
_NOT_OF_THE_PAIR: Final = frozenset({Reason.USER, Reason.SHUTDOWN, Reason.OTHER_HEDGE})
"""An opening given up for one of these says nothing of its pair."""
_NOT_OPENED: Final = frozenset({Reason.REFUSED, Reason.UNWOUND})
_BAD_ENDS: Final = frozenset(
    {
        Reason.EMERGENCY_STOP,
        Reason.HEALTH,
        Reason.LEG_GONE,
        Reason.LIQUIDATED,
        Reason.IMBALANCE,
        Reason.CLOSED_EXTERNALLY,
        Reason.REPLACED,
    }
)


def _closed(before: Ledger, after: Ledger, event: ev.HedgeClosed | ev.HedgeLost) -> Ledger:
    hedge = before.open_hedge(event.hedge_id)
    if hedge is None:
        return after
    after = _undeferred(after, hedge.hedge_id)
    incident = _INCIDENTS.get(event.reason)
    if incident is not None:
        after = _with_incident(after, Incident(at=event.at, symbol=hedge.symbol, reason=incident, detail=event.reason))
    if event.reason in _HEALTH:
        after = _with_health_exit(after, hedge.symbol, event)
    if event.reason in _BAD_ENDS:
        return _cooled(after, hedge.symbol, event, "")
    return _warm(after, hedge.symbol)


def _aborted(before: Ledger, after: Ledger, event: ev.HedgeAborted) -> Ledger:
    opening = before.opening
    if opening is None or opening.hedge_id != event.hedge_id or event.reason in _NOT_OF_THE_PAIR:
        return after
    return _cooled(after, opening.symbol, event, event.detail)


def _opened(before: Ledger, after: Ledger, event: ev.HedgeOpened) -> Ledger:
    opening = before.opening
    if opening is None or opening.hedge_id != event.hedge_id:
        return after
    earlier = after.cooldowns.get(opening.symbol)
    return _warm(after, opening.symbol) if earlier and earlier.reason in _NOT_OPENED else after


def _started(_before: Ledger, after: Ledger, event: ev.ExecutionStarted) -> Ledger:
    return replace(after, incident=None) if event.execution.kind is ExecutionKind.OPEN else after


def _lifted(before: Ledger, after: Ledger, _event: ev.Lifted) -> Ledger:
    # A halt that lifted itself says nothing of an incident: no person has looked at it.
    halt = before.halt
    if halt is not None and halt.lifts_itself:
        return after
    accepted = halt.amount if halt is not None and halt.amount > 0 else after.accepted_loss
    return replace(after, incident=None, accepted_loss=accepted, health_exits=())


def _external_fills(before: Ledger, after: Ledger, event: ev.ExternalFills) -> Ledger:
    hedge = hedge_of(before, event.hedge_id)
    fresh = [fill for fill in event.fills if fill.key not in before.trades_seen]
    if hedge is None or not fresh:
        return after
    # Coins may have been moved away, which is no trade; a short that changed without one is not explained.
    shorts = [fill for fill in fresh if fill.market is Market.PERP]
    forced = [fill for fill in shorts if fill.forced]
    assumed = [fill for fill in shorts if fill.trade_id < 0]
    if forced:
        reason, detail = ev.HaltReason.LIQUIDATION, f"{forced[0].forced_name}: {_said(forced)}"
    elif assumed and not event.late:
        reason, detail = ev.HaltReason.UNEXPLAINED_LOSS, f"{_said(assumed)}, and no trade of the account explains it"
    else:
        return after
    return _with_incident(after, Incident(at=event.at, symbol=hedge.symbol, reason=reason, detail=detail))


def _said(fills: list[Fill]) -> str:
    return ", ".join(f"{fill.market} {fill.side} {fill.quantity.normalize():f}" for fill in fills)


def _deferred(before: Ledger, after: Ledger, event: ev.ExitDeferred) -> Ledger:
    if before.open_hedge(event.hedge_id) is None:
        return after
    deferral = Deferral(hedge_id=event.hedge_id, since=event.at, until=event.until)
    return replace(after, deferrals={**after.deferrals, event.hedge_id: deferral})


def _deferral_ended(_before: Ledger, after: Ledger, event: ev.ExitDeferralEnded) -> Ledger:
    return _undeferred(after, event.hedge_id)


def _undeferred(ledger: Ledger, hedge_id: str) -> Ledger:
    return replace(ledger, deferrals={key: each for key, each in ledger.deferrals.items() if key != hedge_id})


def _with_incident(ledger: Ledger, incident: Incident) -> Ledger:
    return ledger if ledger.incident is not None else replace(ledger, incident=incident)


def _with_health_exit(ledger: Ledger, symbol: str, event: ev.HedgeClosed | ev.HedgeLost) -> Ledger:
    """Count an exit for bad health; one too many within a day is no accident of one pair."""
    lately = tuple(at for at in ledger.health_exits if event.at - at < HEALTH_WITHIN)
    ledger = replace(ledger, health_exits=(*lately, event.at))
    if len(ledger.health_exits) < HEALTH_EXITS:
        return ledger
    detail = f"{event.reason}, {len(ledger.health_exits)} such exits within a day"
    reason = ev.HaltReason.REPEATED_HEALTH_EXITS
    return _with_incident(ledger, Incident(at=event.at, symbol=symbol, reason=reason, detail=detail))


def _cooled(ledger: Ledger, symbol: str, event: ev.HedgeClosed | ev.HedgeLost | ev.HedgeAborted, detail: str) -> Ledger:
    earlier = ledger.cooldowns.get(symbol)
    count = earlier.count + 1 if earlier else 1
    cooldown = Cooldown(since=event.at, reason=event.reason, count=count, detail=detail)
    return replace(ledger, cooldowns={**ledger.cooldowns, symbol: cooldown})


def _warm(ledger: Ledger, symbol: str) -> Ledger:
    if symbol not in ledger.cooldowns:
        return ledger
    return replace(ledger, cooldowns={other: kept for other, kept in ledger.cooldowns.items() if other != symbol})


AFTER: Final[Mapping[type[ev.Event], Callable[[Ledger, Ledger, Any], Ledger]]] = {
    ev.HedgeClosed: _closed,
    ev.HedgeLost: _closed,
    ev.HedgeAborted: _aborted,
    ev.HedgeOpened: _opened,
    ev.ExecutionStarted: _started,
    ev.Lifted: _lifted,
    ev.ExternalFills: _external_fills,
    ev.ExitDeferred: _deferred,
    ev.ExitDeferralEnded: _deferral_ended,
}
"""Applied after the event's own change, with the ledger before it."""
