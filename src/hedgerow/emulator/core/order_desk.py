"""Accepts orders, matches them, books each trade in wallets and records, and keeps the resting ones."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import UNSET
from msgspec.structs import replace

from hedgerow.domain.account import OpenOrder
from hedgerow.domain.events import FlowKind, Wallet
from hedgerow.domain.instrument import Instrument, Market, Side
from hedgerow.domain.market import Level
from hedgerow.domain.money import ONE, ZERO
from hedgerow.domain.order import Fill, Order, OrderRequest, OrderStatus, TimeInForce
from hedgerow.emulator.core.account_records import AccountJournal
from hedgerow.emulator.core.error_codes import Code, rejected
from hedgerow.emulator.core.market import Marketplace
from hedgerow.emulator.core.order_book import sweep
from hedgerow.emulator.core.order_rules import WorkingOrder, changes_of, check_order, crosses, held_by
from hedgerow.emulator.core.snapshot import WorldOptions
from hedgerow.emulator.core.wallets import Marks, PerpAccount, SpotWallet, to_row
from hedgerow.emulator.forced_orders import forced_trade

__all__ = ["OrderDesk"]

DAY = timedelta(days=1)
HITTING_SHARE = Decimal("0.5")
"""Part of the traded volume that hits one side of the book."""
SPOT_VOLUME_SHARE = Decimal("0.2")
"""Spot volume as a part of the perpetual's: Aster trades far less spot than perpetuals."""
HITTING = {Market.PERP: HITTING_SHARE, Market.SPOT: HITTING_SHARE * SPOT_VOLUME_SHARE}
"""What hits one side of each market's book, as a part of the perpetual's volume."""


class OrderDesk:
    """All orders of one account, from the first to the last."""

    def __init__(  # noqa: PLR0913 - where all parts of an account meet, each by its name
        self,
        *,
        marketplace: Marketplace,
        spot: SpotWallet,
        perp: PerpAccount,
        journal: AccountJournal,
        marks: Marks,
        orders: Iterable[WorkingOrder] = (),
        options: WorldOptions | None = None,
    ) -> None:
        self._marketplace = marketplace
        self._spot = spot
        self._perp = perp
        self._journal = journal
        self._marks = marks
        self._options = options or WorldOptions()
        self._orders = {working.key: working for working in orders}
        self._keys = {working.order.order_id: working.key for working in self._orders.values()}
        self._resting = {key: working for key, working in self._orders.items() if not working.order.status.done}

    @property
    def orders(self) -> tuple[WorkingOrder, ...]:
        """Every order ever accepted, in the order of arrival."""
        return tuple(self._orders.values())

    def numbered(self, order_id: int) -> WorkingOrder | None:
        """Return an order by its number; None when a later one took its client id over, or there is none."""
        working = self._orders.get(self._keys.get(order_id, ""))
        return working if working is not None and working.order.order_id == order_id else None

    @property
    def waiting(self) -> tuple[WorkingOrder, ...]:
        """Every order that waits in a book."""
        return tuple(self._resting.values())

    @property
    def resting(self) -> bool:
        """Whether any order waits in a book."""
        return bool(self._resting)

    @property
    def order_margin(self) -> Decimal:
        """Initial margin that resting perpetual orders hold."""
        total = ZERO
        for working in self._resting.values():
            request = working.order.request
            if request.market is Market.PERP and not request.reduce_only:
                total += working.open_quantity * request.price / self._perp.leverage(request.symbol)
        return total

    def find(self, market: Market, symbol: str, client_id: str) -> Order | None:
        """Return the newest order with that client id; None when it never arrived."""
        working = self._orders.get(f"{market}:{symbol}:{client_id}")
        return working.order if working else None

    def open_orders(self, symbol: str) -> tuple[OpenOrder, ...]:
        """Return what rests on either market of ``symbol``."""
        found = (w.order for w in self._resting.values() if w.order.request.symbol == symbol)
        return tuple(OpenOrder(symbol=symbol, client_id=o.request.client_id, order_id=o.order_id) for o in found)

    def place(
        self, request: OrderRequest, at: datetime, *, by_hand: bool = False, fill_at_most: Decimal | None = None
    ) -> Order:
        """Accept an order and match it; ``fill_at_most`` bounds what the book gives (None = all it has).

        Raises:
            Rejected: with Aster's code; nothing changed.
        """
        instrument = self._marketplace.instrument(request.market, request.symbol)
        check_order(instrument, request, self._reference(request, at))
        self._check_new(request)
        self._check_funds(request, instrument)
        order = Order(request=request, order_id=self._journal.next_id(), status=OrderStatus.NEW, updated_at=at)
        working = WorkingOrder(order=order, by_hand=by_hand, queued_at=at)
        self._keep(working)
        if request.time_in_force is TimeInForce.GTX and self._crosses(request, at):
            return self._end(working, OrderStatus.EXPIRED, at)
        wanted = self._takeable(request) if fill_at_most is None else min(fill_at_most, self._takeable(request))
        return self._settle(self._take(working, wanted, at), at)

    def cancel(self, market: Market, symbol: str, client_id: str, at: datetime) -> Order:
        """Take a resting order out of its book.

        Raises:
            OrderNotFound: nothing rests under that id (-2011).
        """
        working = self._resting.get(f"{market}:{symbol}:{client_id}")
        if working is None:
            raise rejected(Code.CANCEL_REJECTED, "Unknown order sent.")
        return self._end(working, OrderStatus.CANCELED, at)

    def cancel_all(self, market: Market, symbol: str | None, at: datetime) -> None:
        """Take every resting order of one market (and one symbol, when given) out of its book."""
        for working in tuple(self._resting.values()):
            request = working.order.request
            if request.market is market and symbol in {None, request.symbol}:
                self._end(working, OrderStatus.EXPIRED, at)

    def match_resting(self, at: datetime) -> None:
        """Fill what the market traded since the last time: through its price, or up to its place in the queue."""
        for key, working in tuple(self._resting.items()):
            request = working.order.request
            if self._crosses(request, at):
                quantity, ahead = min(working.open_quantity, self._takeable(request)), working.queue_ahead
            else:
                quantity, ahead = self._served(working, at)
            waiting = replace(working, queue_ahead=ahead, queued_at=at)
            if quantity:
                waiting = self._book(waiting, Level(request.price, quantity), maker=True, at=at)
            self._orders[key] = self._resting[key] = waiting
            if not waiting.open_quantity:
                self._end(waiting, OrderStatus.FILLED, at)

    def close_by_force(self, symbol: str, quantity: Decimal, price: Decimal, *, client_id: str, at: datetime) -> Order:
        """Trade ``quantity`` (signed) of a perpetual at ``price`` whatever the book: liquidation and ADL."""
        side = Side.BUY if quantity > 0 else Side.SELL
        request = OrderRequest(
            client_id=client_id, market=Market.PERP, symbol=symbol, side=side, quantity=abs(quantity), price=price
        )
        order = Order(request=request, order_id=self._journal.next_id(), status=OrderStatus.NEW, updated_at=at)
        working = WorkingOrder(order=order, by_hand=False, queued_at=at)
        filled = self._book(working, Level(price, request.quantity), maker=False, at=at)
        return self._end(filled, OrderStatus.FILLED, at)

    def _reference(self, request: OrderRequest, at: datetime) -> Decimal:
        reference = self._marketplace.reference(request.market, request.symbol, at)
        if reference is None:
            raise rejected(Code.NO_DEPTH, f"No depth for {request.symbol}.")
        return reference

    def _check_new(self, request: OrderRequest) -> None:
        if f"{request.market}:{request.symbol}:{request.client_id}" in self._resting:
            raise rejected(Code.NEW_ORDER_REJECTED, f"Duplicate order sent: {request.client_id}.")
        if request.reduce_only and not self._takeable(request):
            raise rejected(Code.REDUCE_ONLY_REJECTED, "ReduceOnly Order is rejected.")

    def _check_funds(self, request: OrderRequest, instrument: Instrument) -> None:
        if request.market is Market.SPOT:
            asset, amount = held_by(request, instrument, request.quantity)
            if self._spot.of(asset).free < amount:
                raise rejected(Code.BALANCE_INSUFFICIENT, f"Balance is insufficient: {amount} {asset} needed.")
            return
        opening = self._perp.opening_part(request.symbol, request.side.sign * request.quantity)
        if request.reduce_only or not opening:
            return
        price = request.price
        if request.side is Side.SELL:
            price = max(price, self._marks(request.symbol))
        needed = opening * price * (ONE / self._perp.leverage(request.symbol) + instrument.fees.taker)
        available = self._perp.wallet(self._perp.standing(self._marks), self.order_margin).available
        if available < needed:
            raise rejected(Code.MARGIN_INSUFFICIENT, f"Margin is insufficient: {needed} needed, {available} free.")
        bracket = self._perp.brackets.get(request.symbol)
        if bracket is None or bracket.max_notional is None:
            return
        after = abs(self._perp.quantity(request.symbol) + request.side.sign * request.quantity) * price
        if after > bracket.max_notional:
            raise rejected(
                Code.POSITION_TOO_LARGE,
                f"Exceeded the maximum allowable position at current leverage: {bracket.max_notional}.",
            )

    def _crosses(self, request: OrderRequest, at: datetime) -> bool:
        return crosses(request, self._marketplace.touch(request.market, request.symbol, request.side, at))

    def _takeable(self, request: OrderRequest) -> Decimal:
        """Return what may fill now: a reduce-only order never more than the position against it."""
        if not request.reduce_only:
            return request.quantity
        against = -self._perp.quantity(request.symbol) * request.side.sign
        return max(ZERO, min(request.quantity, against))

    def _take(self, working: WorkingOrder, wanted: Decimal, at: datetime) -> WorkingOrder:
        request = working.order.request
        levels = self._marketplace.levels(request.market, request.symbol, request.side, at)
        trades = sweep(levels, request.side, request.price, wanted)
        for trade in trades:
            working = self._book(working, trade, maker=False, at=at)
        taken = sum((trade.quantity for trade in trades), ZERO)
        self._marketplace.take(request.market, request.symbol, request.side, taken, at=at)
        return working

    def _settle(self, working: WorkingOrder, at: datetime) -> Order:
        """Return the order after its arrival: filled, resting, or expired with what it got."""
        if not working.open_quantity:
            return self._end(working, OrderStatus.FILLED, at)
        if working.order.request.time_in_force is TimeInForce.IOC:
            return self._end(working, OrderStatus.EXPIRED, at)
        return self._rest(working, at)

    def _rest(self, working: WorkingOrder, at: datetime) -> Order:
        request = working.order.request
        own_side = self._marketplace.levels(request.market, request.symbol, request.side.opposite, at)
        ahead = sum((lv.quantity for lv in own_side if (lv.price - request.price) * request.side.sign >= 0), ZERO)
        status = OrderStatus.PARTIALLY_FILLED if working.order.filled_quantity else OrderStatus.NEW
        resting = replace(working, queue_ahead=ahead, order=replace(working.order, status=status))
        self._resting[working.key] = resting
        self._keep(resting)
        self._lock(resting, resting.open_quantity)
        return resting.order

    def _served(self, working: WorkingOrder, at: datetime) -> tuple[Decimal, Decimal]:
        """Return what the volume traded since ``queued_at`` fills, and what is still ahead in the queue then."""
        request = working.order.request
        volume = self._marketplace.volume(request.symbol, at) or ZERO
        passed = volume * HITTING[request.market] / request.price * Decimal((at - working.queued_at) / DAY)
        ahead = working.queue_ahead - passed
        if ahead >= 0:
            return ZERO, ahead
        instrument = self._marketplace.instrument(request.market, request.symbol)
        quantity = instrument.floor_quantity(min(max(ZERO, -ahead), working.open_quantity, self._takeable(request)))
        return quantity, ahead + quantity

    def _book(self, working: WorkingOrder, trade: Level, *, maker: bool, at: datetime) -> WorkingOrder:
        """Book one trade: wallet, journal, and the order's sums."""
        order, request = working.order, working.order.request
        if working.key in self._resting:
            self._lock(working, -trade.quantity)
        fill = self._paid(working, trade, maker=maker, at=at)
        self._journal.book_fill(fill)
        if working.by_hand:
            wallet = Wallet.SPOT if request.market is Market.SPOT else Wallet.PERP
            instrument = self._marketplace.instrument(request.market, request.symbol)
            self._journal.book_rows(wallet, changes_of(fill, instrument), FlowKind.USER_TRADE, at)
        progressed = replace(
            order,
            status=OrderStatus.PARTIALLY_FILLED,
            filled_quantity=order.filled_quantity + trade.quantity,
            filled_notional=order.filled_notional + fill.notional,
            updated_at=at,
        )
        return self._keep(replace(working, order=progressed))

    def _paid(self, working: WorkingOrder, trade: Level, *, maker: bool, at: datetime) -> Fill:
        """Move the money of one trade and return its report; a spot buy's fee is in coin unless listed otherwise."""
        request = working.order.request
        instrument = self._marketplace.instrument(request.market, request.symbol)
        asset, fee = self._fee_of(request, instrument, trade, maker=maker)
        change, realized = request.side.sign * trade.quantity, ZERO
        if request.market is Market.PERP:
            realized = self._perp.trade(request.symbol, change, trade.price)
            self._perp.pay(asset, fee)
        else:
            quote, base = instrument.quote, instrument.base
            self._spot.change(quote, -change * trade.price - (fee if asset == quote else ZERO))
            self._spot.change(base, change - (fee if asset == base else ZERO))
            self._spot.change(asset, ZERO if asset in {quote, base} else -fee)
        return Fill(
            market=request.market,
            symbol=request.symbol,
            trade_id=self._journal.next_id(),
            order_id=working.order.order_id,
            client_id="" if working.by_hand else request.client_id,
            side=request.side,
            quantity=trade.quantity,
            price=trade.price,
            fee=fee,
            fee_asset=asset,
            realized_pnl=realized,
            maker=maker,
            at=at,
            forced_trade=UNSET if working.by_hand else forced_trade(request.client_id),
        )

    def _fee_of(
        self, request: OrderRequest, instrument: Instrument, trade: Level, *, maker: bool
    ) -> tuple[str, Decimal]:
        """Return what a trade costs and in which asset: burnt where a coin is set aside for that, else as listed."""
        rate = instrument.fees.maker if maker else instrument.fees.taker
        spot, options = request.market is Market.SPOT, self._options
        in_coin = spot and request.side is Side.BUY and not instrument.fee_in_quote
        if spot and options.spot_quote_fee is not None:
            rate, in_coin = options.spot_quote_fee, False
        value = trade.quantity * trade.price * rate
        burnt, burn = options.burn_asset, to_row(value / options.burn_price)
        held = self._spot.of(burnt).free if spot else self._perp.assets.get(burnt, ZERO)
        if burnt and held >= burn:
            return burnt, burn
        return (instrument.base, to_row(trade.quantity * rate)) if in_coin else (instrument.quote, to_row(value))

    def _lock(self, working: WorkingOrder, quantity: Decimal) -> None:
        """Set money or coins aside for ``quantity`` of a spot order; a negative quantity releases them."""
        request = working.order.request
        if request.market is Market.SPOT:
            instrument = self._marketplace.instrument(request.market, request.symbol)
            self._spot.lock(*held_by(request, instrument, quantity))

    def _keep(self, working: WorkingOrder) -> WorkingOrder:
        self._orders[working.key] = working
        self._keys[working.order.order_id] = working.key
        if working.key in self._resting:
            self._resting[working.key] = working
        return working

    def _end(self, working: WorkingOrder, status: OrderStatus, at: datetime) -> Order:
        if working.key in self._resting:
            del self._resting[working.key]
            self._lock(working, -working.open_quantity)
        order = replace(working.order, status=status, updated_at=at)
        self._orders[working.key] = replace(working, order=order)
        return order
