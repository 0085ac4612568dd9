"""One account on an emulated exchange: the state that every door shares.

Time is given from outside: ``advance`` brings the world to a time and does what fell due on the way (funding, resting
orders, liquidation), touching only what the account holds. Margin is cross; isolated margin is a label here. A
liquidation closes the largest position at its mark until the rest is covered, and leaves the spot wallet alone.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from hedgerow.domain.account import QUOTE_ASSET, AccountView, Balance, MarginType, OpenOrder
from hedgerow.domain.commands import TransferDirection
from hedgerow.domain.events import FlowKind, Wallet
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import BasisPair, Market, Side, TradingStatus
from hedgerow.domain.market import Depth
from hedgerow.domain.money import ONE, ZERO
from hedgerow.domain.order import Fill, Order, OrderRequest
from hedgerow.domain.schedule import EPOCH
from hedgerow.emulator.funding import charges, may_settle, payment_amount
from hedgerow.emulator.journal import Journal
from hedgerow.emulator.marketplace import Marketplace, Shock
from hedgerow.emulator.orders import OrderDesk
from hedgerow.emulator.rates import RateFeed
from hedgerow.emulator.refusals import Code, rejected
from hedgerow.emulator.state import WorldOptions, WorldState
from hedgerow.emulator.view import WorldView
from hedgerow.emulator.wallets import PerpAccount, SpotWallet, to_row
from hedgerow.ports import StatementRow, Tape

__all__ = ["World"]

MAX_LEVERAGE = 125
MAX_TRANSFER_ID = 63
"""Longest clientTranId (API reference 5.4)."""
AUTOCLOSE = "autoclose-"
ADL = "adl_autoclose"
"""Client ids that the venue gives its own orders (API reference 10.2)."""


class World:
    """Markets, books, wallets, positions, orders and funding of one account, at one time."""

    def __init__(
        self,
        tape: Tape,
        *,
        start: datetime,
        spot: Mapping[str, Decimal] | None = None,
        perp: Decimal = ZERO,
        options: WorldOptions | None = None,
        state: WorldState | None = None,
    ) -> None:
        """Open an account with these balances; ``state`` replaces start and balances by a dumped account."""
        chosen = options or WorldOptions()
        if state is None:
            balances = {asset: Balance(asset=asset, free=amount) for asset, amount in (spot or {}).items()}
            state = WorldState(now=start, spot=balances, perp_balance=perp)
        self._tape = tape
        self._options = chosen
        self._now = state.now
        self._spot = SpotWallet(state.spot)
        self._perp = PerpAccount(
            balance=state.perp_balance,
            maintenance_rate=chosen.maintenance_rate,
            default_leverage=chosen.default_leverage,
        )
        self._perp.holdings.update(state.holdings)
        self._perp.leverages.update(state.leverages)
        self._perp.margin_types.update(state.margin_types)
        self._last_marks = dict(state.last_marks)
        self._one_way, self._single_asset = state.one_way, state.single_asset
        self._marketplace = Marketplace(
            tape,
            endless=chosen.bottomless,
            half_life_seconds=chosen.refill_half_life_seconds,
            conditions=state.conditions,
        )
        self._journal = Journal(state.journal)
        self._desk = OrderDesk(
            marketplace=self._marketplace,
            spot=self._spot,
            perp=self._perp,
            journal=self._journal,
            marks=self._mark,
            orders=state.orders,
        )
        self._transfer_ids = dict.fromkeys(state.transfer_ids)
        self._feed = RateFeed(tape)
        self.revision = 0

    @classmethod
    def load(cls, tape: Tape, state: WorldState, options: WorldOptions | None = None) -> "World":
        """Return the world that ``dump`` described, on the same tape and under the same options."""
        return cls(tape, start=state.now, options=options, state=state)

    def dump(self) -> WorldState:
        """Return the whole mutable state; equal worlds give equal bytes when it is encoded."""
        return WorldState(
            now=self._now,
            spot=self._spot.balances,
            perp_balance=self._perp.balance,
            holdings=dict(self._perp.holdings),
            leverages=dict(self._perp.leverages),
            margin_types=dict(self._perp.margin_types),
            last_marks=dict(self._last_marks),
            one_way=self._one_way,
            single_asset=self._single_asset,
            conditions=self._marketplace.conditions,
            orders=self._desk.orders,
            journal=self._journal.state(),
            transfer_ids=tuple(self._transfer_ids),
        )

    @property
    def now(self) -> datetime:
        """The world's time; it never runs backwards."""
        return self._now

    @property
    def tape(self) -> Tape:
        """The market history the world plays."""
        return self._tape

    def advance(self, to: datetime) -> None:
        """Bring the world to ``to`` (nothing happens for a time already passed), doing what falls due in order."""
        while self._now < to and (self._perp.holdings or self._desk.resting):
            self._pass(min(to, self._next_instant()))
        self._now = max(self._now, to)

    # Reads

    def pair(self, symbol: str) -> BasisPair | None:
        """Return one pair with its present status; None when it is not listed."""
        return self._marketplace.pair(symbol)

    def market(self, periods: int, books_at: datetime | None = None) -> WorldView:
        """Return the market now, with at least ``periods`` newest settled rates per symbol where they exist.

        ``books_at`` shows the books of an earlier time (stale ones).
        """
        return WorldView(
            self._marketplace.snapshot(), self._now, self._feed.board(periods, self._now), books_at=books_at
        )

    def depth(self, market: Market, symbol: str, books_at: datetime | None = None) -> Depth:
        """Return the visible book, now or as of an earlier time.

        Raises:
            MarketClosed: the symbol is not listed (-1121).
        """
        self._marketplace.instrument(market, symbol)
        return self._marketplace.depth(market, symbol, self._now if books_at is None else books_at)

    def account(self) -> AccountView:
        """Return both wallets and every open position."""
        standing = self._perp.standing(self._mark)
        return AccountView(
            at=self._now,
            spot=self._spot.balances,
            perp=self._perp.wallet(standing, self._desk.order_margin),
            positions={s: self._perp.position(s, self._mark(s), standing) for s in self._perp.holdings},
            one_way=self._one_way,
            single_asset=self._single_asset,
        )

    def order(self, market: Market, symbol: str, client_id: str) -> Order | None:
        """Return an order by its client id; None when it never arrived."""
        return self._desk.find(market, symbol, client_id)

    def open_orders(self, symbol: str) -> tuple[OpenOrder, ...]:
        """Return what rests on either market of ``symbol``."""
        return self._desk.open_orders(symbol)

    def fills(self, market: Market, symbol: str, since: datetime) -> tuple[Fill, ...]:
        """Return the account's trades on one instrument at or after ``since``."""
        return self._journal.fills(market, symbol, since)

    def funding_payments(self, since: datetime) -> tuple[FundingPayment, ...]:
        """Return the funding payments at or after ``since``."""
        return self._journal.payments(since)

    def statement(self, since: datetime) -> tuple[StatementRow, ...]:
        """Return the rows at or after ``since`` that are no order, fee, funding or transfer of the bot's."""
        return self._journal.rows(since)

    # Orders and settings of the bot

    def place(self, request: OrderRequest, *, fill_at_most: Decimal | None = None) -> Order:
        """Accept and match an order; ``fill_at_most`` bounds what the book gives.

        Raises:
            Rejected: with Aster's code; nothing changed.
        """
        if request.market is Market.PERP and not self._one_way:
            raise rejected(Code.POSITION_SIDE_MISMATCH, "Order's position side does not match user's setting.")
        order = self._desk.place(request, self._now, fill_at_most=fill_at_most)
        self._changed()
        return order

    def cancel(self, market: Market, symbol: str, client_id: str) -> Order:
        """Take a resting order out of its book.

        Raises:
            OrderNotFound: nothing rests under that id (-2011).
        """
        order = self._desk.cancel(market, symbol, client_id, self._now)
        self._changed()
        return order

    def transfer(self, transfer_id: str, amount: Decimal, direction: TransferDirection, asset: str) -> None:
        """Move USDT between the wallets.

        Raises:
            Rejected: the id was used (-4115) or is no id (-4114), or the amount is not there (-2018, -4050).
        """
        self._check_transfer(transfer_id, amount, asset)
        if direction is TransferDirection.PERP_TO_SPOT and self.account().perp.transferable < amount:
            raise rejected(Code.CROSS_BALANCE_INSUFFICIENT, "Cross balance insufficient.")
        to_perp = amount if direction is TransferDirection.SPOT_TO_PERP else -amount
        self._spot.change(asset, -to_perp)
        self._perp.balance += to_perp
        self._transfer_ids[transfer_id] = None
        self._changed()

    def set_leverage(self, symbol: str, leverage: int) -> None:
        """Set a symbol's leverage.

        Raises:
            Rejected: outside 1-125 (-4028), or the margin does not carry the position at it (-2028).
        """
        self._marketplace.instrument(Market.PERP, symbol)
        if not 1 <= leverage <= MAX_LEVERAGE:
            raise rejected(Code.BAD_LEVERAGE, f"Leverage {leverage} is not valid.")
        held = abs(self._perp.quantity(symbol)) * self._mark(symbol) if symbol in self._perp.holdings else ZERO
        added = held * (ONE / leverage - ONE / self._perp.leverage(symbol))
        if added > max(ZERO, self.account().perp.available):
            raise rejected(Code.MIN_LEVERAGE, "Leverage is smaller than permitted: insufficient margin balance.")
        self._perp.leverages[symbol] = leverage
        self._changed()

    def set_margin_type(self, symbol: str, margin_type: MarginType) -> None:
        """Switch a symbol's margin mode.

        Raises:
            Rejected: it is so already (-4046), or orders (-4047) or a position (-4048) forbid it.
        """
        self._marketplace.instrument(Market.PERP, symbol)
        if self._perp.margin_type(symbol) is margin_type:
            raise rejected(Code.MARGIN_TYPE_UNCHANGED, "No need to change margin type.")
        if self._desk.open_orders(symbol):
            raise rejected(Code.MARGIN_TYPE_OPEN_ORDERS, "Margin type cannot be changed if there exists open orders.")
        if symbol in self._perp.holdings:
            raise rejected(Code.MARGIN_TYPE_POSITION, "Margin type cannot be changed if there exists position.")
        self._perp.margin_types[symbol] = margin_type
        self._changed()

    # What the account's owner and fate do

    def trade_by_hand(
        self,
        market: Market,
        symbol: str,
        side: Side,
        quantity: Decimal,
        *,
        price: Decimal | None = None,
        reduce_only: bool = False,
    ) -> Order:
        """Trade as the owner would on the venue's page: at once, up to ``price``, or like a market order without it.

        Raises:
            Rejected: with Aster's code; without a price also when the best one is too far from the mark (-4131).
        """
        limit = self._market_limit(market, symbol, side) if price is None else price
        request = OrderRequest(
            client_id=f"web_{self._journal.next_id()}",
            market=market,
            symbol=symbol,
            side=side,
            quantity=quantity,
            price=limit,
            reduce_only=reduce_only,
        )
        order = self._desk.place(request, self._now, by_hand=True)
        self._changed()
        return order

    def deposit(self, wallet: Wallet, asset: str, amount: Decimal, kind: FlowKind | None = None) -> None:
        """Add ``amount`` (negative = take out) to a wallet, as a row of the statement.

        Raises:
            InsufficientBalance: not so much is there.
        """
        natural = FlowKind.DEPOSIT if amount > 0 else FlowKind.WITHDRAWAL
        if wallet is Wallet.SPOT:
            self._spot.change(asset, amount)
        elif asset != QUOTE_ASSET or self.account().perp.transferable + amount < 0:
            raise rejected(Code.CROSS_BALANCE_INSUFFICIENT, f"No such amount of {asset} in the perpetual wallet.")
        else:
            self._perp.balance += amount
        self._journal.book_row(wallet, asset, amount, natural if kind is None else kind, self._now)
        self._changed()

    def transfer_by_hand(self, amount: Decimal, direction: TransferDirection) -> None:
        """Move USDT between the wallets as the owner would, as rows of the statement.

        Raises:
            InsufficientBalance: not so much is there.
        """
        self.transfer(f"web_{self._journal.next_id()}", amount, direction, QUOTE_ASSET)
        to_perp = amount if direction is TransferDirection.SPOT_TO_PERP else -amount
        self._journal.book_row(Wallet.PERP, QUOTE_ASSET, to_perp, FlowKind.USER_TRANSFER, self._now)
        self._journal.book_row(Wallet.SPOT, QUOTE_ASSET, -to_perp, FlowKind.USER_TRANSFER, self._now)

    def shock(self, symbol: str, factor: Decimal, at: datetime | None = None) -> None:
        """Multiply all prices of a symbol by ``factor`` from ``at`` on (now, without it)."""
        when = self._now if at is None else max(at, self._now)
        self._marketplace.add_shock(Shock(symbol=symbol, factor=factor, at=when))
        if when == self._now:
            self._check_prices()
        self._changed()

    def set_status(self, symbol: str, status: TradingStatus, markets: tuple[Market, ...] = tuple(Market)) -> None:
        """Open, close or delist a symbol; orders resting on a market that stops trading expire."""
        for market in markets:
            self._marketplace.change_status(market, symbol, status)
            if status is not TradingStatus.TRADING:
                self._desk.cancel_all(market, symbol, self._now)
        self._changed()

    def set_modes(self, *, one_way: bool | None = None, single_asset: bool | None = None) -> None:
        """Change the account's position mode and asset mode."""
        self._one_way = self._one_way if one_way is None else one_way
        self._single_asset = self._single_asset if single_asset is None else single_asset
        self._changed()

    def deleverage(self, symbol: str, quantity: Decimal) -> Order:
        """Let the venue close ``quantity`` base units of a position at the mark (auto-deleveraging)."""
        order = self._force(symbol, min(quantity, abs(self._perp.quantity(symbol))), ADL)
        self._changed()
        return order

    # Time

    def _next_instant(self) -> datetime:
        """Return the next time at which a price can change."""
        step = self._tape.step
        following = self._now + step - (self._now - EPOCH) % step
        coming = (shock.at for shock in self._marketplace.conditions.shocks if shock.at > self._now)
        return min((following, *coming))

    def _pass(self, until: datetime) -> None:
        if may_settle(self._now, until):
            self._settle_funding(until)
        self._now = until
        self._check_prices()

    def _settle_funding(self, until: datetime) -> None:
        delay = timedelta(seconds=self._options.settlement_delay_seconds)
        for charge in charges(self._tape, tuple(self._perp.holdings), self._now, until, longest_delay=delay):
            self._now = charge.at
            amount = payment_amount(self._perp.quantity(charge.symbol), self._mark(charge.symbol), charge.rate.rate)
            self._perp.balance += amount
            self._journal.book_funding(charge.symbol, amount, charge.at)
            self._changed()

    def _check_prices(self) -> None:
        """Match resting orders at the present prices and liquidate what they no longer carry."""
        if self._desk.resting:
            self._desk.match_resting(self._now)
            self._changed()
        while self._perp.holdings:
            standing = self._perp.standing(self._mark)
            if self._perp.balance + standing.unrealized >= standing.maintenance_margin:
                return
            self._liquidate()

    def _liquidate(self) -> None:
        """Close the position that needs most margin, take the fee, and let the insurance fund pay what is missing."""
        self._desk.cancel_all(Market.PERP, None, self._now)
        symbol = max(self._perp.holdings, key=lambda s: self._perp.maintenance(s, self._mark(s)))
        order = self._force(symbol, abs(self._perp.quantity(symbol)), f"{AUTOCLOSE}{self._journal.next_id()}")
        fee = min(to_row(order.filled_notional * self._options.liquidation_fee_rate), max(ZERO, self._perp.balance))
        self._book_perp(-fee, FlowKind.LIQUIDATION_FEE)
        if not self._perp.holdings:
            self._book_perp(max(ZERO, -self._perp.balance), FlowKind.OTHER)
        self._changed()

    def _book_perp(self, amount: Decimal, kind: FlowKind) -> None:
        self._perp.balance += amount
        self._journal.book_row(Wallet.PERP, QUOTE_ASSET, amount, kind, self._now)

    def _force(self, symbol: str, quantity: Decimal, client_id: str) -> Order:
        change = quantity if self._perp.quantity(symbol) < 0 else -quantity
        instrument = self._marketplace.instrument(Market.PERP, symbol)
        price = instrument.round_price(self._mark(symbol), Side.SELL)
        return self._desk.close_by_force(symbol, change, price, client_id=client_id, at=self._now)

    # Helpers

    def _changed(self) -> None:
        self.revision += 1

    def _mark(self, symbol: str) -> Decimal:
        """Return the mark now; in a gap of the tape the last one known."""
        prices = self._marketplace.prices(symbol, self._now)
        if prices is not None:
            self._last_marks[symbol] = prices.mark
            return prices.mark
        known = self._last_marks.get(symbol)
        if known is None:
            raise rejected(Code.NO_DEPTH, f"No price for {symbol}.")
        return known

    def _market_limit(self, market: Market, symbol: str, side: Side) -> Decimal:
        instrument = self._marketplace.instrument(market, symbol)
        bound = ONE + side.sign * self._options.market_take_bound
        limit = instrument.round_price(self._mark(symbol) * bound, side)
        touch = self._marketplace.touch(market, symbol, side, self._now)
        if touch is not None and (touch - limit) * side.sign > 0:
            raise rejected(Code.MARKET_ORDER_OUT_OF_BOUND, "Market order rejected: best price is out of bound.")
        return limit

    def _check_transfer(self, transfer_id: str, amount: Decimal, asset: str) -> None:
        if not 0 < len(transfer_id) <= MAX_TRANSFER_ID:
            raise rejected(Code.TRANSFER_ID_INVALID, f"clientTranId is not valid: {transfer_id!r}.")
        if transfer_id in self._transfer_ids:
            raise rejected(Code.TRANSFER_ID_DUPLICATE, f"clientTranId is duplicated: {transfer_id}.")
        if asset != QUOTE_ASSET:
            raise rejected(Code.BALANCE_INSUFFICIENT, f"No {asset} can be transferred here: only {QUOTE_ASSET}.")
        if amount <= 0 or amount != to_row(amount):
            raise rejected(Code.AMOUNT_NOT_POSITIVE, f"Amount must be positive with 8 decimals: {amount}.")
