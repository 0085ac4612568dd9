"""The way of an order: acknowledged, armed or matched, amended, cancelled (docs/aster-api.md 5.2, 6.2 and 8)."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal

from msgspec.structs import replace

from hedgerow.domain.errors import Rejected
from hedgerow.domain.instrument import Instrument, Market, Side
from hedgerow.domain.market import Level
from hedgerow.domain.money import ONE, ZERO
from hedgerow.domain.order import OrderRequest, OrderStatus, TimeInForce
from hedgerow.emulator.core.error_codes import Code, rejected
from hedgerow.emulator.core.order_rules import check_order, held_by
from hedgerow.emulator.core.world import World
from hedgerow.emulator.wire.exchange.account import Member
from hedgerow.emulator.wire.protocol.errors import WireError, unknown_cancel
from hedgerow.emulator.wire.protocol.order_records import Stage, Ticket

__all__ = ["amend", "arm", "cancel", "enter", "match_queued", "queue", "rehearse", "request_of"]

MAX_AMENDMENTS = 10_000
WORLD_TERMS = {"IOC": TimeInForce.IOC, "FOK": TimeInForce.IOC, "GTX": TimeInForce.GTX}
"""Everything else rests until it is filled or cancelled."""


def request_of(world: World, ticket: Ticket) -> OrderRequest:
    """Return the limit order that the world matches for a ticket.

    Raises:
        Rejected: a market order finds no book, or none within its bound.
    """
    quantity = ticket.quantity
    if ticket.close_position:
        quantity = abs(world.parts.perp.quantity(ticket.symbol))
    price = ticket.price
    if ticket.kind == "MARKET":
        quantity, price = _market_terms(world, ticket, quantity)
    if quantity <= 0:
        code = Code.REDUCE_ONLY_REJECTED if ticket.close_position else Code.QUANTITY_BELOW_MINIMUM
        raise rejected(code, f"{ticket.symbol}: nothing to trade.")
    if price <= 0:
        raise rejected(Code.PRICE_NOT_POSITIVE, f"{ticket.symbol}: price is not positive.")
    return OrderRequest(
        client_id=ticket.world_id,
        market=ticket.market,
        symbol=ticket.symbol,
        side=ticket.side,
        quantity=quantity,
        price=price,
        time_in_force=TimeInForce.IOC
        if ticket.kind == "MARKET"
        else WORLD_TERMS.get(ticket.time_in_force, TimeInForce.GTC),
        reduce_only=ticket.reduce_only or ticket.close_position,
    )


def enter(member: Member, ticket: Ticket, *, announce: bool = True) -> Ticket:
    """Put an order into the world's book and return how it stands after matching.

    Raises:
        Rejected: the world refused it; nothing changed.
    """
    entering = replace(ticket, stage=Stage.BOOK, entries=ticket.entries + 1)
    request = request_of(member.world, entering)
    entering = replace(entering, quantity=request.quantity + ticket.executed)
    if ticket.time_in_force == "FOK" and not _fills_whole(member.world, request):
        member.keep(replace(entering, stage=Stage.OVER), "NEW" if announce else None)
        return member.keep(entering.ended(OrderStatus.EXPIRED, member.now), "EXPIRED")
    order = member.world.place(request, fill_at_most=_most(member.world, entering, request))
    member.entered(entering, order.order_id)
    member.keep(entering, "NEW" if announce else None)
    member.sync()
    return member.tickets.get(ticket.order_id) or entering


def queue(member: Member, ticket: Ticket, delay: timedelta) -> Ticket:
    """Acknowledge a spot order that is matched after ``delay``.

    Raises:
        Rejected: it can be seen already that it would be refused.
    """
    request = request_of(member.world, replace(ticket, entries=1))
    _check_now(member.world, request)
    return member.keep(replace(ticket, stage=Stage.QUEUED, quantity=request.quantity, due_at=member.now + delay))


def match_queued(member: Member, ticket: Ticket) -> None:
    """Match an acknowledged order; a refusal at this point is a rejected order."""
    try:
        enter(member, ticket)
    except Rejected:
        member.keep(ticket.ended(OrderStatus.REJECTED, member.now), "REJECTED")


def arm(member: Member, ticket: Ticket) -> Ticket:
    """Let a conditional order wait for its price."""
    return member.keep(replace(ticket, stage=Stage.ARMED), "NEW")


def cancel(member: Member, ticket: Ticket | None, status: OrderStatus = OrderStatus.CANCELED) -> Ticket:
    """End an open order.

    Raises:
        WireError: it is not there or no longer open (-2011).
    """
    if ticket is None or not ticket.open:
        raise unknown_cancel()
    if ticket.stage is Stage.BOOK:
        try:
            member.world.cancel(ticket.market, ticket.symbol, ticket.world_id)
        except Rejected as error:
            raise unknown_cancel() from error
        member.sync()
        return member.tickets.get(ticket.order_id) or ticket
    return member.keep(ticket.ended(status, member.now), str(status))


def amend(member: Member, ticket: Ticket, quantity: Decimal, price: Decimal) -> Ticket:
    """Change quantity and price of a resting limit order; a refusal leaves it as it was.

    Raises:
        Rejected: the new terms are refused.
        WireError: it is no resting limit order, or was changed too often.
    """
    if ticket.stage is not Stage.BOOK or ticket.kind != "LIMIT":
        raise WireError(-2013, "Order does not exist.")
    if ticket.entries > MAX_AMENDMENTS:
        raise WireError(-5026, "Exceed maximum modify order limit.")
    if quantity <= ticket.executed:
        raise WireError(-4003, "Quantity less than or equal to zero.")
    changed = replace(ticket, quantity=quantity - ticket.executed, price=price, entries=ticket.entries + 1)
    request = request_of(member.world, changed)
    _check_now(member.world, request, own=ticket)
    member.world.cancel(ticket.market, ticket.symbol, ticket.world_id)
    try:
        order = member.world.place(request)
    except Rejected:
        back = replace(ticket, quantity=ticket.quantity - ticket.executed)
        enter(member, back, announce=False)
        raise
    amended = replace(changed, quantity=quantity, updated_at=member.now)
    member.entered(amended, order.order_id)
    member.keep(amended, "AMENDMENT")
    member.sync()
    return member.tickets.get(ticket.order_id) or amended


def rehearse(member: Member, ticket: Ticket) -> None:
    """Place an order in a copy of the account.

    Raises:
        Rejected: the venue would refuse it.
    """
    parts = member.world.parts
    copy = World(member.world.tape, start=member.now, options=parts.options, state=parts.present())
    copy.place(request_of(copy, replace(ticket, entries=ticket.entries + 1)))


def _check_now(world: World, request: OrderRequest, own: Ticket | None = None) -> None:
    """Check filters and, for a new spot order, the balance."""
    parts = world.parts
    instrument = parts.marketplace.instrument(request.market, request.symbol)
    reference = parts.marketplace.reference(request.market, request.symbol, world.now)
    if reference is None:
        raise rejected(Code.NO_DEPTH, f"No depth for {request.symbol}.")
    check_order(instrument, request, reference)
    if request.market is Market.SPOT and own is None:
        asset, amount = held_by(request, instrument, request.quantity)
        if parts.spot.of(asset).free < amount:
            raise rejected(Code.BALANCE_INSUFFICIENT, f"Balance is insufficient: {amount} {asset} needed.")


def _market_terms(world: World, ticket: Ticket, quantity: Decimal) -> tuple[Decimal, Decimal]:
    """Return quantity and limit price with which a market order takes what it may from the book."""
    parts = world.parts
    instrument = parts.marketplace.instrument(ticket.market, ticket.symbol)
    levels = list(parts.marketplace.levels(ticket.market, ticket.symbol, ticket.side, world.now))
    if not levels:
        raise rejected(Code.NO_DEPTH, f"No depth for {ticket.symbol}.")
    if ticket.quote_quantity:
        quantity = instrument.floor_quantity(_bought(levels, ticket.quote_quantity))
    if ticket.market is Market.PERP:
        mark = parts.mark(ticket.symbol)
        levels = _within(levels, ticket.side, mark, parts.options.market_take_bound)
        _check_minimum(instrument, ticket, quantity * mark)
    price = instrument.round_price(_last_needed(levels, quantity), ticket.side.opposite)
    if ticket.side is Side.SELL and quantity > 0:
        # A sell that sweeps down must not fail the minimum notional for its limit price: the mark decides.
        price = max(price, min(instrument.round_price(instrument.min_notional / quantity, Side.SELL), levels[0].price))
    return quantity, price


def _within(levels: Iterable[Level], side: Side, mark: Decimal, bound: Decimal) -> list[Level]:
    """Return the levels that ``marketTakeBound`` lets a market order take."""
    limit = mark * (ONE + side.sign * bound)
    inside = [level for level in levels if (level.price - limit) * side.sign <= 0]
    if not inside:
        raise rejected(Code.MARKET_ORDER_OUT_OF_BOUND, "The counterparty's best price does not meet the limit.")
    return inside


def _check_minimum(instrument: Instrument, ticket: Ticket, notional: Decimal) -> None:
    if ticket.quantity < instrument.min_quantity or ticket.quantity % instrument.lot:
        return  # The world refuses the quantity itself.
    if notional < instrument.min_notional and not (ticket.reduce_only or ticket.close_position):
        least = instrument.min_notional.quantize(Decimal("0.1"), rounding=ROUND_HALF_UP)
        raise rejected(
            Code.NOTIONAL_TOO_SMALL,
            f"Order's notional must be no smaller than {least} (unless you choose reduce only)",
        )


def _most(world: World, ticket: Ticket, request: OrderRequest) -> Decimal | None:
    """Return how much the book gives an order that a fault strikes; None = all it has."""
    if ticket.fill_share is None:
        return None
    instrument = world.parts.marketplace.instrument(request.market, request.symbol)
    return instrument.floor_quantity(request.quantity * ticket.fill_share)


def _last_needed(levels: list[Level], quantity: Decimal) -> Decimal:
    open_quantity = quantity
    for level in levels:
        open_quantity -= level.quantity
        if open_quantity <= 0:
            return level.price
    return levels[-1].price


def _bought(levels: Iterable[Level], quote: Decimal) -> Decimal:
    """Return how many base units ``quote`` units trade against these levels."""
    total, left = ZERO, quote
    for level in levels:
        taken = min(level.quantity, left / level.price)
        total += taken
        left -= taken * level.price
        if left <= 0:
            break
    return total


def _fills_whole(world: World, request: OrderRequest) -> bool:
    levels = world.parts.marketplace.levels(request.market, request.symbol, request.side, world.now)
    offered = (lv.quantity for lv in levels if (lv.price - request.price) * request.side.sign <= 0)
    return sum(offered, ZERO) >= request.quantity
