"""The life cycle of an order: acknowledged, armed or matched, amended, cancelled (docs/aster-api.md 5.2, 6.2, 8)."""

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
from hedgerow.emulator.wire.exchange.account import ExchangeAccount
from hedgerow.emulator.wire.protocol.errors import WireError, unknown_cancel
from hedgerow.emulator.wire.protocol.order_records import ExchangeOrder, Stage

__all__ = ["amend", "arm", "cancel", "enter", "match_queued", "queue", "rehearse", "request_of"]

MAX_AMENDMENTS = 10_000
WORLD_TERMS = {"IOC": TimeInForce.IOC, "FOK": TimeInForce.IOC, "GTX": TimeInForce.GTX}
"""Everything else rests until it is filled or cancelled."""


def request_of(world: World, exchange_order: ExchangeOrder) -> OrderRequest:
    """Return the limit order that the world matches for a ticket.

    Raises:
        Rejected: a market order finds no book, or none within its bound.
    """
    quantity = exchange_order.quantity
    if exchange_order.close_position:
        quantity = abs(world.parts.perp.quantity(exchange_order.symbol))
    price = exchange_order.price
    if exchange_order.kind == "MARKET":
        quantity, price = _market_terms(world, exchange_order, quantity)
    if quantity <= 0:
        code = Code.REDUCE_ONLY_REJECTED if exchange_order.close_position else Code.QUANTITY_BELOW_MINIMUM
        raise rejected(code, f"{exchange_order.symbol}: nothing to trade.")
    if price <= 0:
        raise rejected(Code.PRICE_NOT_POSITIVE, f"{exchange_order.symbol}: price is not positive.")
    return OrderRequest(
        client_id=exchange_order.world_id,
        market=exchange_order.market,
        symbol=exchange_order.symbol,
        side=exchange_order.side,
        quantity=quantity,
        price=price,
        time_in_force=TimeInForce.IOC
        if exchange_order.kind == "MARKET"
        else WORLD_TERMS.get(exchange_order.time_in_force, TimeInForce.GTC),
        reduce_only=exchange_order.reduce_only or exchange_order.close_position,
    )


def enter(exchange_account: ExchangeAccount, exchange_order: ExchangeOrder, *, announce: bool = True) -> ExchangeOrder:
    """Put an order into the world's book and return how it stands after matching.

    Raises:
        Rejected: the world refused it; nothing changed.
    """
    entering = replace(exchange_order, stage=Stage.BOOK, entries=exchange_order.entries + 1)
    request = request_of(exchange_account.world, entering)
    entering = replace(entering, quantity=request.quantity + exchange_order.executed)
    if exchange_order.time_in_force == "FOK" and not _fills_whole(exchange_account.world, request):
        exchange_account.keep(replace(entering, stage=Stage.OVER), "NEW" if announce else None)
        return exchange_account.keep(entering.ended(OrderStatus.EXPIRED, exchange_account.now), "EXPIRED")
    order = exchange_account.world.place(request, fill_at_most=_most(exchange_account.world, entering, request))
    exchange_account.entered(entering, order.order_id)
    exchange_account.keep(entering, "NEW" if announce else None)
    exchange_account.sync()
    return exchange_account.exchange_orders.get(exchange_order.order_id) or entering


def queue(exchange_account: ExchangeAccount, exchange_order: ExchangeOrder, delay: timedelta) -> ExchangeOrder:
    """Acknowledge a spot order that is matched after ``delay``.

    Raises:
        Rejected: it can be seen already that it would be refused.
    """
    request = request_of(exchange_account.world, replace(exchange_order, entries=1))
    _check_now(exchange_account.world, request)
    return exchange_account.keep(
        replace(exchange_order, stage=Stage.QUEUED, quantity=request.quantity, due_at=exchange_account.now + delay)
    )


def match_queued(exchange_account: ExchangeAccount, exchange_order: ExchangeOrder) -> None:
    """Match an acknowledged order; a refusal at this point is a rejected order."""
    try:
        enter(exchange_account, exchange_order)
    except Rejected:
        exchange_account.keep(exchange_order.ended(OrderStatus.REJECTED, exchange_account.now), "REJECTED")


def arm(exchange_account: ExchangeAccount, exchange_order: ExchangeOrder) -> ExchangeOrder:
    """Let a conditional order wait for its price."""
    return exchange_account.keep(replace(exchange_order, stage=Stage.ARMED), "NEW")


def cancel(
    exchange_account: ExchangeAccount, exchange_order: ExchangeOrder | None, status: OrderStatus = OrderStatus.CANCELED
) -> ExchangeOrder:
    """End an open order.

    Raises:
        WireError: it is not there or no longer open (-2011).
    """
    if exchange_order is None or not exchange_order.open:
        raise unknown_cancel()
    if exchange_order.stage is Stage.BOOK:
        try:
            exchange_account.world.cancel(exchange_order.market, exchange_order.symbol, exchange_order.world_id)
        except Rejected as error:
            raise unknown_cancel() from error
        exchange_account.sync()
        return exchange_account.exchange_orders.get(exchange_order.order_id) or exchange_order
    return exchange_account.keep(exchange_order.ended(status, exchange_account.now), str(status))


def amend(
    exchange_account: ExchangeAccount, exchange_order: ExchangeOrder, quantity: Decimal, price: Decimal
) -> ExchangeOrder:
    """Change quantity and price of a resting limit order; a refusal leaves it as it was.

    Raises:
        Rejected: the new terms are refused.
        WireError: it is no resting limit order, or was changed too often.
    """
    if exchange_order.stage is not Stage.BOOK or exchange_order.kind != "LIMIT":
        raise WireError(-2013, "Order does not exist.")
    if exchange_order.entries > MAX_AMENDMENTS:
        raise WireError(-5026, "Exceed maximum modify order limit.")
    if quantity <= exchange_order.executed:
        raise WireError(-4003, "Quantity less than or equal to zero.")
    changed = replace(
        exchange_order, quantity=quantity - exchange_order.executed, price=price, entries=exchange_order.entries + 1
    )
    request = request_of(exchange_account.world, changed)
    _check_now(exchange_account.world, request, own=exchange_order)
    exchange_account.world.cancel(exchange_order.market, exchange_order.symbol, exchange_order.world_id)
    try:
        order = exchange_account.world.place(request)
    except Rejected:
        back = replace(exchange_order, quantity=exchange_order.quantity - exchange_order.executed)
        enter(exchange_account, back, announce=False)
        raise
    amended = replace(changed, quantity=quantity, updated_at=exchange_account.now)
    exchange_account.entered(amended, order.order_id)
    exchange_account.keep(amended, "AMENDMENT")
    exchange_account.sync()
    return exchange_account.exchange_orders.get(exchange_order.order_id) or amended


def rehearse(exchange_account: ExchangeAccount, exchange_order: ExchangeOrder) -> None:
    """Place an order in a copy of the account.

    Raises:
        Rejected: the venue would refuse it.
    """
    parts = exchange_account.world.parts
    copy = World(
        exchange_account.world.market_data, start=exchange_account.now, options=parts.options, state=parts.present()
    )
    copy.place(request_of(copy, replace(exchange_order, entries=exchange_order.entries + 1)))


def _check_now(world: World, request: OrderRequest, own: ExchangeOrder | None = None) -> None:
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


def _market_terms(world: World, exchange_order: ExchangeOrder, quantity: Decimal) -> tuple[Decimal, Decimal]:
    """Return quantity and limit price with which a market order takes what it may from the book."""
    parts = world.parts
    instrument = parts.marketplace.instrument(exchange_order.market, exchange_order.symbol)
    levels = list(
        parts.marketplace.levels(exchange_order.market, exchange_order.symbol, exchange_order.side, world.now)
    )
    if not levels:
        raise rejected(Code.NO_DEPTH, f"No depth for {exchange_order.symbol}.")
    if exchange_order.quote_quantity:
        quantity = instrument.floor_quantity(_bought(levels, exchange_order.quote_quantity))
    if exchange_order.market is Market.PERP:
        mark = parts.mark(exchange_order.symbol)
        levels = _within(levels, exchange_order.side, mark, parts.options.market_take_bound)
        _check_minimum(instrument, exchange_order, quantity * mark)
    price = instrument.round_price(_last_needed(levels, quantity), exchange_order.side.opposite)
    if exchange_order.side is Side.SELL and quantity > 0:
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


def _check_minimum(instrument: Instrument, exchange_order: ExchangeOrder, notional: Decimal) -> None:
    if exchange_order.quantity < instrument.min_quantity or exchange_order.quantity % instrument.lot:
        return  # The world refuses the quantity itself.
    if notional < instrument.min_notional and not (exchange_order.reduce_only or exchange_order.close_position):
        least = instrument.min_notional.quantize(Decimal("0.1"), rounding=ROUND_HALF_UP)
        raise rejected(
            Code.NOTIONAL_TOO_SMALL,
            f"Order's notional must be no smaller than {least} (unless you choose reduce only)",
        )


def _most(world: World, exchange_order: ExchangeOrder, request: OrderRequest) -> Decimal | None:
    """Return how much the book gives an order that a fault strikes; None = all it has."""
    if exchange_order.fill_share is None:
        return None
    instrument = world.parts.marketplace.instrument(request.market, request.symbol)
    return instrument.floor_quantity(request.quantity * exchange_order.fill_share)


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
