"""One account on an emulated exchange: the state behind both the in-process venue and the wire.

Time is given from outside: ``advance`` brings the world to a time and does what fell due on the way (see ``passage``).
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from hedgerow.domain.account import QUOTE_ASSET, AccountView, Balance, MarginType, OpenOrder, PerpPosition
from hedgerow.domain.commands import TransferDirection
from hedgerow.domain.events import FlowKind, Wallet
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import BasisPair, Market, Side, TradingStatus
from hedgerow.domain.market import Depth
from hedgerow.domain.money import ONE, ZERO
from hedgerow.domain.order import Fill, ForcedTrade, Order, OrderRequest
from hedgerow.emulator.core.account import Account, Followed
from hedgerow.emulator.core.advance import advance_time, check_prices, next_instant
from hedgerow.emulator.core.error_codes import Code, rejected
from hedgerow.emulator.core.funding_board import RateFeed
from hedgerow.emulator.core.market import Shock
from hedgerow.emulator.core.market_changes import MarketChange, StatusChange
from hedgerow.emulator.core.market_view import WorldView
from hedgerow.emulator.core.snapshot import WorldOptions, WorldState
from hedgerow.ports import AccountHistory, MarketData, MarketPrices, StatementRow

__all__ = ["World"]

"""Client id of the venue's auto-deleveraging orders (docs/aster-api.md 10.2)."""


class World:
    """Markets, books, wallets, positions, orders and funding of one account, at one time."""

    def __init__(  # noqa: PLR0913 - every part that may be given, each by its name
        self,
        market_data: MarketData,
        *,
        start: datetime,
        spot: Mapping[str, Decimal] | None = None,
        perp: Decimal = ZERO,
        options: WorldOptions | None = None,
        state: WorldState | None = None,
        changes: Iterable[MarketChange] = (),
    ) -> None:
        """Open an account with these balances; ``state`` replaces start and balances by a dumped account.

        ``changes`` of the market happen at their times, those without one at the start.
        """
        if state is None:
            balances = {asset: Balance(asset=asset, free=amount) for asset, amount in (spot or {}).items()}
            state = WorldState(now=start, spot=balances, perp_balance=perp)
        self._market_data = market_data
        self.parts = Account(market_data, state, options or WorldOptions())
        """Wallets, orders, records and market."""
        self._feed = RateFeed(market_data)
        for change in changes:
            self.change_market(change)

    @classmethod
    def load(cls, market_data: MarketData, state: WorldState, options: WorldOptions | None = None) -> "World":
        """Return the world that ``dump`` described, on the same tape and under the same options."""
        return cls(market_data, start=state.now, options=options, state=state)

    def dump(self) -> WorldState:
        """Return the whole mutable state; equal worlds give equal bytes when it is encoded."""
        return self.parts.dump()

    @property
    def now(self) -> datetime:
        """The world's time; it never runs backwards."""
        return self.parts.now

    @property
    def revision(self) -> int:
        """A number that rises with every change of the state."""
        return self.parts.revision

    def on_change(self, listener: Callable[[], None] | None) -> None:
        """Call ``listener`` with every change of the state, before it is complete; None = nobody."""
        self.parts.listener = listener

    @property
    def market_data(self) -> MarketData:
        """The market history the world plays."""
        return self._market_data

    def advance(self, to: datetime) -> None:
        """Bring the world to ``to`` (nothing happens for a time already passed), doing what falls due in order."""
        advance_time(self.parts, self._market_data, to)

    @property
    def next_change(self) -> datetime:
        """The next time at which prices, or the conditions of a market, change by themselves."""
        return next_instant(self.parts, self._market_data)

    # Reads

    def pair(self, symbol: str) -> BasisPair | None:
        """Return one pair with its present status; None when it is not listed on both markets."""
        return self.parts.marketplace.pair_on_both(symbol)

    def prices(self, symbol: str) -> MarketPrices | None:
        """Return a pair's prices now, shocks included; None where the tape has none."""
        return self.parts.marketplace.prices(symbol, self.now)

    def market(self, periods: int, books_at: datetime | None = None) -> WorldView:
        """Return the market now, with at least ``periods`` newest settled rates per symbol where they exist.

        ``books_at`` shows the books of an earlier time (stale ones).
        """
        return WorldView(
            self.parts.marketplace.snapshot(), self.now, self._feed.board(periods, self.now), books_at=books_at
        )

    def depth(self, market: Market, symbol: str, books_at: datetime | None = None) -> Depth:
        """Return the visible book, now or as of an earlier time.

        Raises:
            MarketClosed: the symbol is not listed (-1121).
        """
        self.parts.marketplace.instrument(market, symbol)
        return self.parts.marketplace.depth(market, symbol, self.now if books_at is None else books_at)

    def open_interest(self, symbol: str) -> Decimal:
        """Return how much of a perpetual is held open, base units.

        Raises:
            MarketClosed: the symbol is not listed (-1121).
        """
        self.parts.marketplace.instrument(Market.PERP, symbol)
        return self.parts.marketplace.open_interest(symbol, self.now)

    def account(self) -> AccountView:
        """Return both wallets and every open position."""
        return self.parts.view()

    def flat_position(self, symbol: str) -> PerpPosition:
        """Return the row of a symbol of which nothing is held.

        Raises:
            Rejected: the symbol is not listed (-1121).
        """
        return self.parts.flat_position(symbol)

    def followed(self, symbol: str) -> Followed:
        """Return how things stand for one symbol and the account, as far as changes of it are reported."""
        return self.parts.followed(symbol)

    def order(self, market: Market, symbol: str, client_id: str) -> Order | None:
        """Return an order by its client id; None when it never arrived."""
        return self.parts.desk.find(market, symbol, client_id)

    def open_orders(self, symbol: str) -> tuple[OpenOrder, ...]:
        """Return what rests on either market of ``symbol``."""
        return self.parts.desk.open_orders(symbol)

    def fills(self, market: Market, symbol: str, since: datetime) -> tuple[Fill, ...]:
        """Return the account's trades on one instrument at or after ``since``."""
        return self.parts.journal.fills(market, symbol, since)

    def funding_payments(self, since: datetime) -> tuple[FundingPayment, ...]:
        """Return the funding payments at or after ``since``."""
        return self.parts.journal.payments(since)

    def statement(self, since: datetime) -> tuple[StatementRow, ...]:
        """Return the rows at or after ``since`` that are no order, fee, funding or transfer of the bot's."""
        return self.parts.journal.rows(since)

    def record(self, since: datetime) -> AccountHistory:
        """Return everything that was written down about the account at or after ``since``."""
        return self.parts.journal.record(since)

    # Orders and settings of the bot

    def place(self, request: OrderRequest, *, fill_at_most: Decimal | None = None) -> Order:
        """Accept and match an order; ``fill_at_most`` bounds what the book gives.

        Raises:
            Rejected: with Aster's code; nothing changed.
        """
        if request.market is Market.PERP and not self.parts.one_way:
            raise rejected(Code.POSITION_SIDE_MISMATCH, "Order's position side does not match user's setting.")
        order = self.parts.desk.place(request, self.now, fill_at_most=fill_at_most)
        self.parts.changed()
        return order

    def cancel(self, market: Market, symbol: str, client_id: str) -> Order:
        """Take a resting order out of its book.

        Raises:
            OrderNotFound: nothing rests under that id (-2011).
        """
        order = self.parts.desk.cancel(market, symbol, client_id, self.now)
        self.parts.changed()
        return order

    def transfer(self, transfer_id: str, amount: Decimal, direction: TransferDirection, asset: str) -> None:
        """Move USDT between the wallets.

        Raises:
            Rejected: the id was used (-4115) or is no id (-4114), or the amount is not there (-2018, -4050).
        """
        self.parts.transfer(transfer_id, amount, direction, asset)
        to_perp = amount if direction is TransferDirection.SPOT_TO_PERP else -amount
        self.parts.journal.book_transfer(transfer_id, asset, to_perp, self.now)

    def set_leverage(self, symbol: str, leverage: int) -> None:
        """Set a symbol's leverage.

        Raises:
            Rejected: outside 1-125 (-4028), or the margin does not carry the position at it (-2028).
        """
        self.parts.set_leverage(symbol, leverage)

    def set_margin_type(self, symbol: str, margin_type: MarginType) -> None:
        """Switch a symbol's margin mode.

        Raises:
            Rejected: it is so already (-4046), or orders (-4047) or a position (-4048) forbid it.
        """
        self.parts.set_margin_type(symbol, margin_type)

    def arm_dead_man(self, symbol: str, seconds: int) -> None:
        """Cancel the symbol's perpetual orders in so many seconds, unless asked again; 0 stops the switch.

        Raises:
            MarketClosed: the symbol is not listed (-1121).
        """
        self.parts.arm_dead_man(symbol, seconds)

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
            client_id=f"web_{self.parts.journal.next_id()}",
            market=market,
            symbol=symbol,
            side=side,
            quantity=quantity,
            price=limit,
            reduce_only=reduce_only,
        )
        order = self.parts.desk.place(request, self.now, by_hand=True)
        self.parts.changed()
        return order

    def deposit(self, wallet: Wallet, asset: str, amount: Decimal, kind: FlowKind | None = None) -> None:
        """Add ``amount`` (negative = take out) to a wallet, as a row of the statement.

        Raises:
            InsufficientBalance: not so much is there.
        """
        natural = FlowKind.DEPOSIT if amount > 0 else FlowKind.WITHDRAWAL
        self.parts.deposit(wallet, asset, amount, natural if kind is None else kind)

    def transfer_by_hand(self, amount: Decimal, direction: TransferDirection) -> None:
        """Move USDT between the wallets as the owner would, as rows of the statement.

        Raises:
            InsufficientBalance: not so much is there.
        """
        self.parts.transfer(f"web_{self.parts.journal.next_id()}", amount, direction, QUOTE_ASSET)
        to_perp = amount if direction is TransferDirection.SPOT_TO_PERP else -amount
        self.parts.journal.book_row(Wallet.PERP, QUOTE_ASSET, to_perp, FlowKind.USER_TRANSFER, self.now)
        self.parts.journal.book_row(Wallet.SPOT, QUOTE_ASSET, -to_perp, FlowKind.USER_TRANSFER, self.now)

    def shock(self, symbol: str, factor: Decimal, at: datetime | None = None) -> None:
        """Multiply all prices of a symbol by ``factor`` from ``at`` on (now, without it)."""
        when = self.now if at is None else max(at, self.now)
        self.parts.marketplace.add_shock(Shock(symbol=symbol, factor=factor, at=when))
        if when == self.now:
            check_prices(self.parts)
        self.parts.changed()

    def set_status(self, symbol: str, status: TradingStatus, markets: tuple[Market, ...] = tuple(Market)) -> None:
        """Open, close or delist a symbol; orders resting on a market that stops trading expire."""
        for market in markets:
            self.change_market(StatusChange(symbol=symbol, market=market, status=status))

    def change_market(self, change: MarketChange) -> None:
        """Let the venue change something about a symbol, from the change's time on (now, without one).

        Raises:
            Rejected: the symbol is not listed (-1121).
        """
        self.parts.change_market(change)
        check_prices(self.parts)

    def end_changes(self) -> None:
        """Undo all changes of the market that can be undone, and forget those to come."""
        self.parts.end_changes()
        check_prices(self.parts)

    @property
    def changes(self) -> tuple[MarketChange, ...]:
        """Every change of the market, in force, over or to come."""
        return self.parts.marketplace.conditions.changes

    def set_modes(self, *, one_way: bool | None = None, single_asset: bool | None = None) -> None:
        """Change the account's position mode and asset mode."""
        account = self.parts
        account.one_way = account.one_way if one_way is None else one_way
        account.single_asset = account.single_asset if single_asset is None else single_asset
        account.changed()

    def deleverage(self, symbol: str, quantity: Decimal) -> Order:
        """Let the venue close ``quantity`` base units of a position at the mark (auto-deleveraging)."""
        quantity = min(quantity, abs(self.parts.perp.quantity(symbol)))
        return self.parts.close_by_force(symbol, quantity, ForcedTrade.AUTO_DELEVERAGING)

    def _market_limit(self, market: Market, symbol: str, side: Side) -> Decimal:
        instrument = self.parts.marketplace.instrument(market, symbol)
        bound = ONE + side.sign * self.parts.options.market_take_bound
        # A market order goes no further than a limit order may be priced (PERCENT_PRICE; 0 = no such rule).
        allowed = instrument.price_up if side is Side.BUY else instrument.price_down
        if allowed > 0:
            bound = min(bound, allowed) if side is Side.BUY else max(bound, allowed)
        reference = self.parts.marketplace.reference(market, symbol, self.now) or self.parts.mark(symbol)
        limit = instrument.round_price(reference * bound, side)
        touch = self.parts.marketplace.touch(market, symbol, side, self.now)
        if touch is not None and (touch - limit) * side.sign > 0:
            raise rejected(Code.MARKET_ORDER_OUT_OF_BOUND, "Market order rejected: best price is out of bound.")
        return limit
