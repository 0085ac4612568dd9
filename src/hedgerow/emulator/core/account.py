"""One account: wallets, positions, orders, settings and records at one time."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.account import QUOTE_ASSET, AccountView, MarginType, PerpPosition
from hedgerow.domain.commands import TransferDirection
from hedgerow.domain.events import FlowKind, Wallet
from hedgerow.domain.instrument import Market, Side, TradingStatus
from hedgerow.domain.money import ONE, ZERO
from hedgerow.domain.order import ForcedTrade, Order
from hedgerow.emulator.core.account_records import AccountJournal, JournalState
from hedgerow.emulator.core.error_codes import Code, rejected
from hedgerow.emulator.core.market import Marketplace
from hedgerow.emulator.core.market_changes import (
    MarketChange,
    PositionTreatment,
    Redenomination,
    StatusChange,
    margin_tiers,
)
from hedgerow.emulator.core.order_desk import OrderDesk
from hedgerow.emulator.core.snapshot import WorldOptions, WorldState
from hedgerow.emulator.core.wallets import PerpAccount, SpotWallet, to_row
from hedgerow.emulator.forced_orders import forced_client_id
from hedgerow.ports import MarketData

__all__ = ["Account", "Followed"]

MAX_LEVERAGE = 125
MAX_TRANSFER_ID = 63
"""Longest clientTranId (docs/aster-api.md 5.4)."""


class Followed(Struct, frozen=True, kw_only=True):
    """How things stand for a followed symbol and the account: the parts whose changes a stream reports."""

    wallets: tuple[object, object]
    """Spot balances, and the perpetual wallet's."""
    payments: int
    leverage: int
    modes: tuple[bool, bool]
    status: tuple[TradingStatus | None, ...]
    interval: int | None
    mark: Decimal | None


class Account:
    """The parts that every act of the world shares; ``now`` is moved by the passage of time alone."""

    def __init__(self, market_data: MarketData, state: WorldState, options: WorldOptions) -> None:
        self.now = state.now
        self.next_change, self.shocks_known = state.now, state.conditions.shocks
        """When prices can change next, if it is after ``now`` and the shocks are still those it was reckoned with."""
        self.options = options
        self.revision = 0
        self.listener: Callable[[], None] | None = None
        """Called with every change, before it is complete."""
        self.one_way, self.single_asset = state.one_way, state.single_asset
        self.marketplace = Marketplace(
            market_data,
            endless=options.bottomless,
            half_life_seconds=options.refill_half_life_seconds,
            conditions=state.conditions,
            now=state.now,
        )
        self.journal = AccountJournal(state.journal)
        self.spot = SpotWallet(state.spot)
        self.perp = PerpAccount(
            balance=state.perp_balance,
            maintenance_rate=options.maintenance_rate,
            maintenance_tiers=margin_tiers(options.maintenance_tiers),
            default_leverage=options.default_leverage,
        )
        self.perp.assets.update(state.perp_assets)
        self.perp.holdings.update(state.holdings)
        self.perp.leverages.update(state.leverages)
        self.perp.margin_types.update(state.margin_types)
        self.perp.brackets = self.marketplace.brackets
        self.desk = OrderDesk(
            marketplace=self.marketplace,
            spot=self.spot,
            perp=self.perp,
            journal=self.journal,
            marks=self.mark,
            orders=state.orders,
            options=options,
        )
        self._last_marks = dict(state.last_marks)
        self.dead_men = dict(state.dead_men)
        self._transfer_ids = dict.fromkeys(state.transfer_ids)

    def dump(self) -> WorldState:
        """Return the whole mutable state; equal accounts give equal bytes when it is encoded."""
        return replace(
            self.present(),
            orders=self.desk.orders,
            journal=self.journal.state(),
            transfer_ids=tuple(self._transfer_ids),
        )

    def present(self) -> WorldState:
        """Return the state without its history: what a copy of the account needs to take orders."""
        return WorldState(
            now=self.now,
            spot=self.spot.balances,
            perp_balance=self.perp.balance,
            perp_assets=dict(self.perp.assets),
            holdings=dict(self.perp.holdings),
            leverages=dict(self.perp.leverages),
            margin_types=dict(self.perp.margin_types),
            last_marks=dict(self._last_marks),
            one_way=self.one_way,
            single_asset=self.single_asset,
            conditions=self.marketplace.conditions,
            orders=self.desk.waiting,
            journal=JournalState(last_id=self.journal.last_id),
            dead_men=dict(self.dead_men),
        )

    def view(self) -> AccountView:
        """Return both wallets and every open position."""
        marks = {symbol: self.mark(symbol) for symbol in self.perp.holdings}
        standing = self.perp.standing(marks.__getitem__)
        return AccountView(
            at=self.now,
            spot=self.spot.balances,
            perp=self.perp.wallet(standing, self.desk.order_margin),
            positions={symbol: self.perp.position(symbol, mark, standing) for symbol, mark in marks.items()},
            perp_assets=dict(self.perp.assets),
            one_way=self.one_way,
            single_asset=self.single_asset,
            sided_positions=frozenset() if self.one_way else frozenset(self.perp.holdings),
        )

    def flat_position(self, symbol: str) -> PerpPosition:
        """Return the row of a symbol of which nothing is held.

        Raises:
            Rejected: the symbol is not listed (-1121).
        """
        self.marketplace.instrument(Market.PERP, symbol)
        return PerpPosition(
            symbol=symbol,
            quantity=ZERO,
            entry_price=ZERO,
            mark_price=self.mark(symbol),
            leverage=self.perp.leverage(symbol),
            margin_type=self.perp.margin_type(symbol),
        )

    def followed(self, symbol: str) -> Followed:
        """Return how things stand for one symbol and the account, without reckoning the whole view."""
        market, perp, pair = self.marketplace, self.perp, self.marketplace.pair(symbol)
        coming, mark = market.predicted(symbol, self.now), market.mark(symbol, self.now)
        return Followed(
            wallets=(self.spot.balances, perp.balance),
            payments=self.journal.paid,
            leverage=perp.leverage(symbol) if symbol in perp.holdings else 0,
            modes=(self.one_way, self.single_asset),
            status=(pair.spot.status, pair.perp.status) if pair else (None,),
            interval=coming.interval_hours if coming else None,
            mark=mark.mark if mark else None,
        )

    def mark(self, symbol: str) -> Decimal:
        """Return the mark now; in a gap of the tape the last one known.

        Raises:
            Rejected: there never was one (-1112).
        """
        prices = self.marketplace.prices(symbol, self.now)
        if prices is not None:
            self._last_marks[symbol] = prices.mark
            return prices.mark
        known = self._last_marks.get(symbol)
        if known is None:
            raise rejected(Code.NO_DEPTH, f"No price for {symbol}.")
        return known

    def changed(self) -> None:
        """Note that something changed that a restart must remember."""
        self.revision += 1
        if self.listener is not None:
            self.listener()

    def change_market(self, change: MarketChange) -> None:
        """Let a change of the market happen at its time; one that names none, or one in the past, happens now.

        Raises:
            Rejected: the symbol is not listed (-1121).
        """
        at = self.now if change.at is None else max(change.at, self.now)
        timed = replace(change, at=at)
        self.marketplace.add_change(timed)
        self.perp.brackets = self.marketplace.brackets
        if at == self.now:
            self._undergo(timed)
        self.changed()

    def end_changes(self) -> None:
        """Let no change of the market be in force any more."""
        self.marketplace.end_changes()
        self.perp.brackets = self.marketplace.brackets
        self.changed()

    def follow_changes(self) -> None:
        """Bring listings, orders, coins and positions to what the changes of the market make of them now."""
        for change in self.marketplace.pass_to(self.now):
            self._undergo(change)
        if self.perp.brackets is not self.marketplace.brackets:
            self.perp.brackets = self.marketplace.brackets
            self.changed()

    def _undergo(self, change: MarketChange) -> None:
        """Let a change that begins now act on what the account has."""
        match change:
            case StatusChange() if change.status is not TradingStatus.TRADING:
                for market in (change.market,) if change.market else tuple(Market):
                    self.desk.cancel_all(market, change.symbol, self.now)
            case Redenomination():
                self._redenominate(change)
            case _:
                return

    def _redenominate(self, change: Redenomination) -> None:
        symbol, factor = change.symbol, change.factor
        for market in Market:
            self.desk.cancel_all(market, symbol, self.now)
        self.marketplace.forget_taken(symbol)
        if symbol in self._last_marks:
            self._last_marks[symbol] *= factor
        base = self.marketplace.instrument(Market.PERP, symbol).base
        old = self.spot.of(base).free
        taken_out = to_row(old / factor) - old
        self.spot.change(base, taken_out)
        self.journal.book_row(Wallet.SPOT, base, taken_out, FlowKind.AUTO_EXCHANGE, self.now)
        self.perp.convert(symbol, factor)
        if change.positions is PositionTreatment.SETTLED and symbol in self.perp.holdings:
            self.close_by_force(symbol, abs(self.perp.quantity(symbol)), ForcedTrade.SETTLEMENT)

    def transfer(self, transfer_id: str, amount: Decimal, direction: TransferDirection, asset: str) -> None:
        """Move USDT between the wallets.

        Raises:
            Rejected: the id was used (-4115) or is no id (-4114), or the amount is not there (-2018, -4050).
        """
        self._check_transfer(transfer_id, amount, asset)
        if direction is TransferDirection.PERP_TO_SPOT and self.view().perp.transferable < amount:
            raise rejected(Code.CROSS_BALANCE_INSUFFICIENT, "Cross balance insufficient.")
        to_perp = amount if direction is TransferDirection.SPOT_TO_PERP else -amount
        self.spot.change(asset, -to_perp)
        self.perp.balance += to_perp
        self._transfer_ids[transfer_id] = None
        self.changed()

    def set_leverage(self, symbol: str, leverage: int) -> None:
        """Set a symbol's leverage.

        Raises:
            Rejected: outside 1-125, or above the bracket's maximum (-4028), or the margin does not carry the position
                at it (-2028).
        """
        self.marketplace.instrument(Market.PERP, symbol)
        bracket = self.marketplace.brackets.get(symbol)
        highest = MAX_LEVERAGE if bracket is None or bracket.max_leverage is None else bracket.max_leverage
        if not 1 <= leverage <= highest:
            raise rejected(Code.BAD_LEVERAGE, f"Leverage {leverage} is not valid.")
        held = abs(self.perp.quantity(symbol)) * self.mark(symbol) if symbol in self.perp.holdings else ZERO
        added = held * (ONE / leverage - ONE / self.perp.leverage(symbol))
        if added > self.view().perp.available:
            raise rejected(Code.MIN_LEVERAGE, "Leverage is smaller than permitted: insufficient margin balance.")
        self.perp.leverages[symbol] = leverage
        self.changed()

    def set_margin_type(self, symbol: str, margin_type: MarginType) -> None:
        """Switch a symbol's margin mode.

        Raises:
            Rejected: it is so already (-4046), or orders (-4047) or a position (-4048) forbid it.
        """
        self.marketplace.instrument(Market.PERP, symbol)
        if self.perp.margin_type(symbol) is margin_type:
            raise rejected(Code.MARGIN_TYPE_UNCHANGED, "No need to change margin type.")
        if self.desk.open_orders(symbol):
            raise rejected(Code.MARGIN_TYPE_OPEN_ORDERS, "Margin type cannot be changed if there exists open orders.")
        if symbol in self.perp.holdings:
            raise rejected(Code.MARGIN_TYPE_POSITION, "Margin type cannot be changed if there exists position.")
        self.perp.margin_types[symbol] = margin_type
        self.changed()

    def arm_dead_man(self, symbol: str, seconds: int) -> None:
        """Cancel the symbol's perpetual orders in so many seconds; 0 stops the switch.

        Raises:
            MarketClosed: the symbol is not listed (-1121).
        """
        self.marketplace.instrument(Market.PERP, symbol)
        self.dead_men.pop(symbol, None)
        if seconds > 0:
            self.dead_men[symbol] = self.now + timedelta(seconds=seconds)
        self.changed()

    def heed_dead_men(self) -> None:
        """Cancel the orders of each symbol whose switch has run out."""
        if not self.dead_men:
            return
        for symbol in [symbol for symbol, at in self.dead_men.items() if at <= self.now]:
            del self.dead_men[symbol]
            self.desk.cancel_all(Market.PERP, symbol, self.now)
            self.changed()

    def deposit(self, wallet: Wallet, asset: str, amount: Decimal, kind: FlowKind) -> None:
        """Add ``amount`` (negative = take out) to a wallet, as a row of the statement.

        Raises:
            InsufficientBalance: not so much is there.
        """
        if wallet is Wallet.SPOT:
            self.spot.change(asset, amount)
        elif asset != QUOTE_ASSET and self.perp.assets.get(asset, ZERO) + amount >= 0:
            self.perp.assets[asset] = self.perp.assets.get(asset, ZERO) + amount
        elif asset != QUOTE_ASSET or self.view().perp.transferable + amount < 0:
            raise rejected(Code.CROSS_BALANCE_INSUFFICIENT, f"No such amount of {asset} in the perpetual wallet.")
        else:
            self.perp.balance += amount
        self.journal.book_row(wallet, asset, amount, kind, self.now)
        self.changed()

    def close_by_force(self, symbol: str, quantity: Decimal, kind: ForcedTrade) -> Order:
        """Close ``quantity`` base units of a position at the mark, as the venue's own order."""
        client_id = forced_client_id(kind, self.journal.next_id)
        change = quantity if self.perp.quantity(symbol) < 0 else -quantity
        instrument = self.marketplace.instrument(Market.PERP, symbol)
        price = instrument.round_price(self.mark(symbol), Side.SELL)
        self.changed()
        return self.desk.close_by_force(symbol, change, price, client_id=client_id, at=self.now)

    def _check_transfer(self, transfer_id: str, amount: Decimal, asset: str) -> None:
        if not 0 < len(transfer_id) <= MAX_TRANSFER_ID:
            raise rejected(Code.TRANSFER_ID_INVALID, f"clientTranId is not valid: {transfer_id!r}.")
        if transfer_id in self._transfer_ids:
            raise rejected(Code.TRANSFER_ID_DUPLICATE, f"clientTranId is duplicated: {transfer_id}.")
        if asset != QUOTE_ASSET:
            raise rejected(Code.BALANCE_INSUFFICIENT, f"No {asset} can be transferred here: only {QUOTE_ASSET}.")
        if amount <= 0 or amount != to_row(amount):
            raise rejected(Code.AMOUNT_NOT_POSITIVE, f"Amount must be positive with 8 decimals: {amount}.")
