"""When conditional orders fire: stops, take-profits and trailing stops (docs/aster-api.md 8)."""

from decimal import Decimal

from msgspec.structs import replace

from hedgerow.domain.errors import Rejected
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.money import ONE, ZERO
from hedgerow.domain.order import OrderStatus
from hedgerow.emulator.wire.exchange.account import Member
from hedgerow.emulator.wire.exchange.order_lifecycle import enter
from hedgerow.emulator.wire.protocol.order_records import Stage, Ticket

__all__ = ["already_triggered", "fire_triggers"]

PERCENT = Decimal("0.01")


def already_triggered(member: Member, ticket: Ticket) -> bool:
    """Tell whether a conditional order would fire at once."""
    price = _watched(member, ticket)
    return price is not None and ticket.original_kind != "TRAILING_STOP_MARKET" and _reached(ticket, price)


def fire_triggers(member: Member) -> None:
    """Turn every armed order whose price was reached into a limit or market order."""
    for ticket in member.tickets.staged(Stage.ARMED):
        price = _watched(member, ticket)
        if price is None:
            continue
        followed = _followed(ticket, price)
        if followed != ticket:
            member.keep(followed)
        if _reached(followed, price):
            _fire(member, followed)


def _fire(member: Member, ticket: Ticket) -> None:
    kind = "LIMIT" if ticket.original_kind in {"STOP", "TAKE_PROFIT"} else "MARKET"
    try:
        enter(member, replace(ticket, kind=kind), announce=False)
    except Rejected:
        member.keep(ticket.ended(OrderStatus.EXPIRED, member.now), "EXPIRED")


def _watched(member: Member, ticket: Ticket) -> Decimal | None:
    """Return the price that a conditional order watches; None in a gap of the tape."""
    market = member.world.parts.marketplace
    if ticket.market is Market.PERP and ticket.working_type == "MARK_PRICE":
        mark = market.mark(ticket.symbol, member.now)
        return mark.mark if mark else None
    return market.middle(ticket.market, ticket.symbol, member.now)


def _reached(ticket: Ticket, price: Decimal) -> bool:
    if ticket.original_kind == "TRAILING_STOP_MARKET":
        if not ticket.extreme:
            return False
        turn = ticket.extreme * (ONE + ticket.side.sign * ticket.callback_rate * PERCENT)
        return (price - turn) * ticket.side.sign >= 0
    rising = (ticket.side is Side.BUY) == ticket.original_kind.startswith("STOP")
    return price >= ticket.stop_price if rising else price <= ticket.stop_price


def _followed(ticket: Ticket, price: Decimal) -> Ticket:
    """Return a trailing order after it saw ``price``: a sell follows the highest, a buy the lowest."""
    if ticket.original_kind != "TRAILING_STOP_MARKET":
        return ticket
    sign = ticket.side.sign
    activated = ticket.extreme > ZERO or not ticket.activation_price or (price - ticket.activation_price) * sign <= 0
    if not activated:
        return ticket
    best = price if not ticket.extreme or (price - ticket.extreme) * sign < 0 else ticket.extreme
    return replace(ticket, extreme=best)
