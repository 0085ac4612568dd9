"""Changed settings of a running bot: which are refused, and what would follow from them at the next check. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from msgspec import Struct

from hedgerow.domain.events import HaltReason, SettingChange
from hedgerow.domain.formats import log_money
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.market import MarketView
from hedgerow.domain.position import HedgedPosition
from hedgerow.strategy.decisions.allocation import funds_for_next, leg_of_next
from hedgerow.strategy.decisions.brakes import brake_of
from hedgerow.strategy.decisions.consequences import ForeseenExit, foreseen_exits, prospects_of
from hedgerow.strategy.decisions.entry import openings_blocked, shortlist
from hedgerow.strategy.decisions.held import decide_held, judged
from hedgerow.strategy.decisions.review import DECISION_WORDS
from hedgerow.strategy.decisions.scan import scan
from hedgerow.strategy.evaluation.daily_loss import day_is_over, loss_limit, loss_of, result_of
from hedgerow.strategy.observation import Observation
from hedgerow.strategy.policy import Policy

__all__ = [
    "NOT_WHILE_HELD",
    "DecisionForeseen",
    "EntryForeseen",
    "ForeseenSettings",
    "HedgeForeseen",
    "changes_since",
    "foresee_settings",
    "refusal_of_changes",
]

NOT_WHILE_HELD: Final = {
    "risk_management.stop_on": (
        "it changes which loss the emergency stop measures: of a hedge that was opened under the other measure, "
        "a healthy one may count as lost and be closed at once, at any price"
    ),
}
"""Settings that are not changed while a hedge is held, and why."""


class DecisionForeseen(Struct, frozen=True, kw_only=True):
    """What a check would decide about a hedge."""

    action: str
    """``close``, ``roll``, ``hold`` and so on."""
    reason: str = ""
    detail: str = ""


class HedgeForeseen(Struct, frozen=True, kw_only=True):
    """One held hedge under the settings in force, and under the changed ones."""

    hedge_id: str
    symbol: str
    now: DecisionForeseen
    then: DecisionForeseen
    exits_now: tuple[ForeseenExit, ...]
    """Every rule that would end it, in no fixed order."""
    exits_then: tuple[ForeseenExit, ...]


class EntryForeseen(Struct, frozen=True, kw_only=True):
    """One pair of the market: why it may not be entered, under both."""

    symbol: str
    now: tuple[str, ...]
    then: tuple[str, ...]


class ForeseenSettings(Struct, frozen=True, kw_only=True):
    """What would follow at the next check if nothing but the settings changed."""

    at: datetime
    """Of the reading that it is foreseen from."""
    changes: tuple[SettingChange, ...]
    missing: tuple[str, ...] = ()
    """What could not be read: then only the changes are known."""
    hedges: tuple[HedgeForeseen, ...] = ()
    pairs: tuple[EntryForeseen, ...] = ()
    """Every pair, the most attractive under the changed settings first."""
    blocked_now: str = ""
    """Why nothing may be opened, whatever the pair; empty = openings are allowed."""
    blocked_then: str = ""
    opens_now: str = ""
    """The pair that is opened next, if its depth allows; empty = none."""
    opens_then: str = ""
    leg_now: Decimal | None = None
    """Quote units of one leg of the next hedge; None when the account could not be read."""
    leg_then: Decimal | None = None
    halts: str = ""
    """Why openings would be halted that are not halted now; empty = they would not."""


def refusal_of_changes(changes: Iterable[SettingChange], ledger: Ledger) -> str | None:
    """Return why settings may not be changed in the running bot; None = they may."""
    held = ", ".join(hedge.symbol for hedge in ledger.live_hedges)
    refused = [change.name for change in changes if held and change.name in NOT_WHILE_HELD]
    return f"{refused[0]} is not changed while {held} is held: {NOT_WHILE_HELD[refused[0]]}" if refused else None


def changes_since(
    published: Mapping[str, str], logged: Mapping[str, str], now: Mapping[str, str]
) -> tuple[SettingChange, ...]:
    """Return which settings are others than those known of the run before; what is not known did not change.

    What was logged as changed is known from the log; the others are what that run had published.
    """
    known = {**published, **logged}
    return tuple(
        SettingChange(name=name, before=known[name], after=words)
        for name, words in now.items()
        if known.get(name, words) != words
    )


def foresee_settings(
    changes: Sequence[SettingChange], now: Policy, then: Policy, seen: Observation, ledger: Ledger
) -> ForeseenSettings:
    """Return what would follow from ``changes``, which make the policy ``then`` of ``now``, by one reading."""
    found = ForeseenSettings(at=seen.at, changes=tuple(changes), missing=seen.missing)
    market, account = seen.market, seen.account
    if market is None or account is None:
        return found
    before, after = _refused(market, now, ledger), _refused(market, then, ledger)
    funds = funds_for_next(account, ledger)
    return ForeseenSettings(
        at=seen.at,
        changes=tuple(changes),
        hedges=tuple(
            HedgeForeseen(
                hedge_id=hedge.hedge_id,
                symbol=hedge.symbol,
                now=_decision(hedge, now, seen, ledger),
                then=_decision(hedge, then, seen, ledger),
                exits_now=_exits(hedge, now, seen, market, ledger),
                exits_then=_exits(hedge, then, seen, market, ledger),
            )
            for hedge in ledger.judged_hedges
        ),
        pairs=tuple(
            EntryForeseen(symbol=symbol, now=before.get(symbol, ()), then=refused) for symbol, refused in after.items()
        ),
        blocked_now=_blocked(seen, ledger, now),
        blocked_then=_blocked(seen, ledger, then),
        opens_now=_next(seen, ledger, now),
        opens_then=_next(seen, ledger, then),
        leg_now=leg_of_next(ledger, funds, now),
        leg_then=leg_of_next(ledger, funds, then),
        halts=_halts(seen, ledger, now, then),
    )


def _decision(hedge: HedgedPosition, policy: Policy, seen: Observation, ledger: Ledger) -> DecisionForeseen:
    decision = decide_held(seen, ledger, policy, hedge=hedge)
    return DecisionForeseen(
        action=DECISION_WORDS[type(decision)],
        reason=str(getattr(decision, "reason", "")),
        detail=getattr(decision, "detail", ""),
    )


def _exits(
    hedge: HedgedPosition, policy: Policy, seen: Observation, market: MarketView, ledger: Ledger
) -> tuple[ForeseenExit, ...]:
    evaluation, health = judged(hedge, seen, ledger, policy)
    prospects = prospects_of(policy, market, hedge.symbol, ledger)
    return foreseen_exits(policy, market, evaluation, health, prospects, ledger).exits


def _refused(market: MarketView, policy: Policy, ledger: Ledger) -> dict[str, tuple[str, ...]]:
    rows = scan(market, policy, ledger).rows
    return {row.pair.symbol: tuple(refusal.detail for refusal in row.refusals) for row in rows}


def _blocked(seen: Observation, ledger: Ledger, policy: Policy) -> str:
    blocked = openings_blocked(seen, ledger, policy)
    return "" if blocked is None else f"{blocked.reason}: {blocked.detail}".rstrip(": ")


def _next(seen: Observation, ledger: Ledger, policy: Policy) -> str:
    found = next(shortlist(seen, ledger, policy), None)
    return "" if found is None else found.symbol


def _halts(seen: Observation, ledger: Ledger, now: Policy, then: Policy) -> str:
    """Return the halt that only the changed settings ask for."""
    if ledger.halt is not None:
        return ""
    risk = then.parameters.risk_management
    brake = brake_of(ledger, risk)
    if brake is not None and brake_of(ledger, now.parameters.risk_management) is None:
        return f"{brake.reason}: {brake.detail}"
    result = result_of(ledger, seen)
    if ledger.day is None or result is None or day_is_over(ledger.day, seen.at):
        return ""
    loss, limit = loss_of(ledger.day, result), loss_limit(ledger.day, risk)
    if limit is None or loss <= limit:
        return ""
    return f"{HaltReason.DAILY_LOSS}: {log_money(loss)} lost today, the limit is {log_money(limit)}"
