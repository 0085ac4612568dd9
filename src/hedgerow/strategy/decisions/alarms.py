"""Alarms: what cannot wait for the next cycle, from notifications, an account reading or the mark price. Pure.

An alarm is a reason to run a cycle now and nothing else: what is to be done about it is decided there, on readings of
its own. What comes of the bot's own orders is none.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.account import AccountView, PerpPosition
from hedgerow.domain.events import Wallet
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO, plain
from hedgerow.domain.notifications import Notification, NotificationKind
from hedgerow.domain.position import HedgedPosition, OrderRecord
from hedgerow.strategy.decisions.reconcile import lacking_of
from hedgerow.strategy.decisions.verdicts import ClosedExternally
from hedgerow.strategy.evaluation.health import (
    CLOSE_DISTANCE,
    REDUCE_DISTANCE,
    TOP_UP_DISTANCE,
    Legs,
    account_findings,
    distance_of,
    leg_state,
    legs_of,
)
from hedgerow.strategy.evaluation.rebalancing import MIN_DIFFERENCE
from hedgerow.strategy.evaluation.shared_margin import shared_distance
from hedgerow.strategy.evidence.absence import is_in_doubt

__all__ = [
    "DEBOUNCE",
    "GRACE",
    "Alarm",
    "AlarmKind",
    "account_alarms",
    "disturbance",
    "ended_in_doubt",
    "look_at",
    "mark_alarm",
    "may_change_legs",
    "notification_alarm",
    "price_alarm",
]

GRACE = timedelta(seconds=10)
"""How long after a trade of our own the account may still show what was before it, and changes echo the trade."""
DEBOUNCE = timedelta(seconds=0.5)
"""Notifications come in bursts: one look answers all of them."""
STRAYS_WITHIN = timedelta(minutes=5)
"""How long before the newest closing another one may have left an order that is still on its way."""
BOUNDS = (CLOSE_DISTANCE, REDUCE_DISTANCE, TOP_UP_DISTANCE)


class AlarmKind(StrEnum):
    """What was seen."""

    FORCED = "liquidation or ADL"
    LEGS = "a leg taken"
    DOUBT = "account in doubt"
    DISTANCE = "liquidation near"
    MARGIN_CALL = "margin call"
    HEALTH = "health"
    SETTINGS = "account settings changed"
    INTERVAL = "funding interval changed"
    STATUS = "trading status changed"
    READABLE = "readable again"
    OTHER_HEDGE = "another hedge than the one that is traded"


class Alarm(Struct, frozen=True, kw_only=True):
    """A reason to run a cycle now; two that are equal say the same."""

    kind: AlarmKind
    text: str
    """For people."""


_CONCLUSIVE = {
    NotificationKind.FORCED: (AlarmKind.FORCED, "the exchange closed a part of the short: liquidation or ADL"),
    NotificationKind.MARGIN_CALL: (AlarmKind.MARGIN_CALL, "the exchange calls for margin"),
    NotificationKind.LEVERAGE: (AlarmKind.SETTINGS, "its leverage was changed"),
    NotificationKind.INTERVAL: (AlarmKind.INTERVAL, "its funding interval changed"),
    NotificationKind.STATUS: (AlarmKind.STATUS, "its trading status changed"),
}
_TO_BE_LOOKED_INTO = {
    NotificationKind.ORDER,
    NotificationKind.BALANCE,
    NotificationKind.MODES,
    NotificationKind.CONNECTED,
    NotificationKind.LOST,
}


def notification_alarm(notification: Notification, ledger: Ledger) -> Alarm | None:
    """Return the alarm that a notification is by itself; None for all that needs a look, or does not concern us."""
    hedge, found = _about(notification, ledger), _CONCLUSIVE.get(notification.kind)
    if hedge is None or found is None:
        return None
    kind, text = found
    job = ledger.execution
    if kind is AlarmKind.SETTINGS and job is not None and job.symbol == hedge.symbol:
        return None  # the job's own preparations
    if notification.forced_trade is not None:
        text = f"the exchange closed a part of the short by force: {notification.forced_trade.value}"
    return Alarm(kind=kind, text=f"{hedge.symbol}: {notification.detail or text}")


def _about(notification: Notification, ledger: Ledger) -> HedgedPosition | None:
    """Return the open hedge that a notification is about; of one about the account, the largest one."""
    if not notification.symbol:
        return ledger.largest
    return ledger.open_hedge_of(notification.symbol)


def look_at(notification: Notification, ledger: Ledger) -> datetime | None:
    """Return when the account deserves a look because of this notification; None = it says nothing new.

    What follows a trade of our own is looked at only when its echo has passed.
    """
    if notification.kind not in _TO_BE_LOOKED_INTO or not ledger.open_hedges or _is_ours(notification, ledger):
        return None
    echo = notification.kind is NotificationKind.BALANCE and ledger.traded_at is not None
    due = notification.at + DEBOUNCE
    return max(due, ledger.traded_at + GRACE) if echo and ledger.traded_at else due


def may_change_legs(notification: Notification, ledger: Ledger) -> bool:
    """Whether a notification says that others may have changed a leg: a reply that does not show it may be older."""
    if notification.kind is NotificationKind.FORCED:
        return notification_alarm(notification, ledger) is not None
    if notification.kind not in {NotificationKind.ORDER, NotificationKind.BALANCE}:
        return False
    due = look_at(notification, ledger)
    return due is not None and due <= notification.at + DEBOUNCE


def account_alarms(ledger: Ledger, account: AccountView) -> Iterator[Alarm]:
    """Yield what an account shows that cannot wait, of each hedge; nothing while a job is at work."""
    hedges = () if ledger.execution is not None else ledger.judged_hedges
    for hedge in hedges:
        alarm = _alarm_of(hedge, ledger, account)
        if alarm is not None:
            yield alarm
    stray = None if hedges else _stray_alarm(ledger, account)
    if stray is not None:
        yield stray


def _alarm_of(hedge: HedgedPosition, ledger: Ledger, account: AccountView) -> Alarm | None:
    legs = legs_of(hedge, account)
    lacking = lacking_of(hedge, legs)
    if isinstance(lacking, ClosedExternally):
        return Alarm(kind=AlarmKind.LEGS, text=f"{hedge.symbol}: the account shows neither leg")
    if lacking is not None:
        missing = _named(("coins", lacking.missing_spot), ("short", lacking.missing_short))
        return Alarm(kind=AlarmKind.LEGS, text=f"{hedge.symbol}: the account does not show {missing}")
    if is_in_doubt(hedge, account):
        return Alarm(kind=AlarmKind.DOUBT, text=f"{hedge.symbol}: the account's reply is incomplete")
    position = account.positions.get(hedge.symbol)
    price = position.mark_price if position and position.mark_price > 0 else hedge.entry_price
    return mark_alarm(ledger, account, price, hedge) or _ailing(hedge, legs, position, price)


def ended_in_doubt(ledger: Ledger) -> tuple[HedgedPosition, ...]:
    """Return the hedges that ended lately and left an order without a number of the venue: it may be executed yet.

    None while something is held or at work.
    """
    if ledger.hedges or ledger.jobs:
        return ()
    lately = [closed for closed in ledger.closed if ledger.closed[-1].closed_at - closed.closed_at <= STRAYS_WITHIN]
    return tuple(closed.hedge for closed in lately if any(map(_may_be_executed, closed.hedge.orders)))


def _may_be_executed(record: OrderRecord) -> bool:
    return record.order_id is None and record.filled_quantity < record.request.quantity


def _stray_alarm(ledger: Ledger, account: AccountView) -> Alarm | None:
    """Return what the account holds of hedges that ended in doubt."""
    for hedge in ended_in_doubt(ledger):
        booked = ledger.books.line(Wallet.SPOT, hedge.pair.base).balance
        coins = account.coin(hedge.pair.base).total - booked if ledger.books.opened else ZERO
        if account.short(hedge.symbol) > 0 or coins >= hedge.pair.spot.lot:
            return Alarm(kind=AlarmKind.LEGS, text=f"{hedge.symbol}: the account holds what the log does not have")
    return None


def _named(*parts: tuple[str, Decimal]) -> str:
    """Return what is missing, in words; a leg of which nothing is missing is not named."""
    return " and ".join(f"{plain(quantity)} of the {name}" for name, quantity in parts if quantity > 0)


def disturbance(ledger: Ledger, account: AccountView) -> Alarm | None:
    """Return what an account shows for which the job at work had better end soon: asked between two of its slices.

    An account that lags lacks what an opening has just traded; of a closing it shows too much, never too little.
    """
    held = ledger.hedges.get(ledger.execution.hedge_id) if ledger.execution else None
    return (_disturbed(held, ledger, account) if held else None) or _of_another(held, ledger, account)


def _disturbed(held: HedgedPosition, ledger: Ledger, account: AccountView) -> Alarm | None:
    """Return what the account shows of the hedge that is traded."""
    if held.spot_quantity <= 0 or held.short <= 0:
        return None
    if ledger.opening and ledger.traded_at and account.at < ledger.traded_at + GRACE:
        return _lacking(held, account)
    return _alarm_of(held, ledger, account)


def _of_another(traded: HedgedPosition | None, ledger: Ledger, account: AccountView) -> Alarm | None:
    """Return that another hedge than the one that is traded cannot wait."""
    others = (_alarm_of(hedge, ledger, account) for hedge in ledger.judged_hedges if hedge is not traded)
    alarm = next((each for each in others if each is not None), None)
    return None if alarm is None else replace(alarm, kind=AlarmKind.OTHER_HEDGE)


def _lacking(held: HedgedPosition, account: AccountView) -> Alarm | None:
    """Return the alarm of an account that lacks more of an opening than its newest orders can explain."""
    legs, lot = legs_of(held, account), held.pair.lot_step
    coins = held.spot_quantity - _newest(held, Market.SPOT, account.at) - legs.spot
    short = held.short - _newest(held, Market.PERP, account.at) - legs.short
    missing = _named(*((name, part) for name, part in (("coins", coins), ("short", short)) if part > lot))
    if not missing:
        return None
    return Alarm(kind=AlarmKind.LEGS, text=f"{held.symbol}: the account does not show {missing}")


def _newest(held: HedgedPosition, market: Market, at: datetime) -> Decimal:
    """Return what the newest order of a leg filled, which may have rested, and those sent within ``GRACE``."""
    own = sorted((r for r in held.orders if r.request.market is market), key=lambda record: record.issued_at)
    recent = [record for record in own if record is own[-1] or record.issued_at > at - GRACE]
    return sum((record.filled_quantity for record in recent), ZERO)


def _ailing(hedge: HedgedPosition, legs: Legs, position: PerpPosition | None, price: Decimal) -> Alarm | None:
    """Return what is wrong with a hedge that is what the log says: a leg that was lost, leverage, an imbalance."""
    findings = account_findings(position, distance_of(position), legs, leg_state(hedge, legs, price))
    return Alarm(kind=AlarmKind.HEALTH, text=f"{hedge.symbol}: {findings[0].text}") if findings else None


def mark_alarm(
    ledger: Ledger, account: AccountView, mark: Decimal, hedge: HedgedPosition | None = None
) -> Alarm | None:
    """Return how near a mark price is to the liquidation price that ``account`` showed; None while it is far.

    It is the mark of ``hedge``, None = of the largest one. The outermost bound asks for idle USDT: without any it is no
    alarm, because nothing could be done.
    """
    held = hedge or ledger.largest
    position = account.positions.get(held.symbol) if held else None
    if position is None or position.quantity >= 0 or position.liquidation_price is None or mark <= 0:
        return None
    distance = float((position.liquidation_price - mark) / mark)
    shared = shared_distance(ledger, account, {position.symbol: mark})
    distance = distance if shared is None else min(distance, shared)
    if distance >= TOP_UP_DISTANCE:
        return None
    bound = next(bound for bound in BOUNDS if distance < bound)
    if bound == TOP_UP_DISTANCE and account.spot_usdt <= MIN_DIFFERENCE:
        return None
    text = f"{position.symbol}: liquidation is less than {bound:.0%} from the mark"
    return Alarm(kind=AlarmKind.DISTANCE, text=text)


def price_alarm(
    ledger: Ledger, account: AccountView, mark: Decimal, hedge: HedgedPosition | None = None
) -> Alarm | None:
    """Return what a mark price makes of a hedge as ``account`` showed it: liquidation near, or an imbalance to repair.

    It is the mark of ``hedge``, None = of the largest one. Coins too few to be sold at the price of that reading may be
    worth an order at this one.
    """
    hedge = hedge or ledger.largest
    near = mark_alarm(ledger, account, mark, hedge)
    if near is not None or hedge is None or mark <= 0:
        return near
    if ledger.traded_at is not None and account.at < ledger.traded_at + GRACE:
        return None  # it may show what was before the bot's own trades
    position = account.positions.get(hedge.symbol)
    legs = legs_of(hedge, account)
    if position is None or position.mark_price <= 0 or _ailing(hedge, legs, position, position.mark_price):
        return None
    return _ailing(hedge, legs, position, mark)


def _is_ours(notification: Notification, ledger: Ledger) -> bool:
    """Whether a notification is about an order that this log sent."""
    own = tuple(f"{hedge_id}-" for hedge_id in ledger.hedges)
    return notification.kind is NotificationKind.ORDER and notification.client_id.startswith(own)
