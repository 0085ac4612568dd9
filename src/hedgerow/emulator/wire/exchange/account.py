"""One account of the exchange: its world, orders, transfers, listen keys and settings.

``sync`` turns what changed in the world since the last time into tickets and user-stream events.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from msgspec.structs import replace

from hedgerow.domain.account import AccountView
from hedgerow.domain.commands import TransferDirection
from hedgerow.domain.events import FlowKind, Wallet
from hedgerow.domain.instrument import Market
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import Fill, OrderStatus
from hedgerow.emulator.core.account_records import FIRST_TRAN_ID
from hedgerow.emulator.core.world import World
from hedgerow.emulator.wire.exchange import account_events as events
from hedgerow.emulator.wire.exchange.state import ExchangeAccountState, ExchangeListenKey, PerpSettings, TransferRow
from hedgerow.emulator.wire.protocol.order_records import ExchangeOrder, ExchangeOrders, Stage

__all__ = ["LISTEN_KEY_LIFE", "ExchangeAccount"]

LISTEN_KEY_LIFE = timedelta(minutes=60)
MARGIN_CALL_SHARE = Decimal("0.8")
"""Part of the margin balance that maintenance may take before the venue warns."""

Publish = Callable[[str, Market, dict[str, Any]], None]
"""Takes (user, market, event)."""


class ExchangeAccount:
    """An account and everything the wire remembers about it."""

    def __init__(
        self, world: World, state: ExchangeAccountState, *, next_id: Callable[[], int], publish: Publish
    ) -> None:
        self.user = state.user
        self.world = world
        self.exchange_orders = ExchangeOrders(state.exchange_orders)
        self.transfers = list(state.transfers)
        self.listen_keys = dict(state.listen_keys)
        self.countdowns = dict(state.countdowns)
        self.settings = state.settings
        self.revision = 0
        self._next_id = next_id
        self._publish = publish
        self._warned = False
        self._entries = dict(state.entries)
        self._seen = world.parts.journal.counts
        self._synced_at = -1
        self._lag: timedelta | None = None
        self._views: list[tuple[datetime, AccountView]] = []

    def state(self) -> ExchangeAccountState:
        """Return everything as one value."""
        return ExchangeAccountState(
            user=self.user,
            world=self.world.dump(),
            exchange_orders=self.exchange_orders.all,
            transfers=tuple(self.transfers),
            listen_keys=dict(self.listen_keys),
            countdowns=dict(self.countdowns),
            settings=self.settings,
            entries=dict(self._entries),
        )

    @property
    def now(self) -> datetime:
        """The exchange's time."""
        return self.world.now

    def changed(self) -> None:
        """Note that something changed that a restart must remember."""
        self.revision += 1

    def next_id(self) -> int:
        """Return a number that nothing else on the exchange has."""
        return self._next_id()

    def publish(self, market: Market, event: dict[str, Any]) -> None:
        """Send a user-stream event."""
        self._publish(self.user, market, event)

    def keep(self, exchange_order: ExchangeOrder, execution: str | None = None) -> ExchangeOrder:
        """Remember an order; with an execution type, publish it on the user's stream."""
        self.changed()
        kept = self.exchange_orders.keep(exchange_order)
        if execution is not None:
            self.publish(exchange_order.market, events.order_event(self.world, kept, execution))
        return kept

    def entered(self, exchange_order: ExchangeOrder, world_order_id: int) -> None:
        """Remember which order of the world a ticket stands for."""
        self._entries[world_order_id] = exchange_order.order_id

    def exchange_order_of(self, fill: Fill) -> ExchangeOrder:
        """Return the order that a trade belongs to; one that the venue or its page sent gets its ticket here."""
        order_id = self._entries.get(fill.order_id)
        known = None if order_id is None else self.exchange_orders.get(order_id)
        if known is not None:
            return known
        found = self.world.parts.desk.numbered(fill.order_id)
        if found is None:
            raise LookupError(f"trade {fill.trade_id} belongs to no order")
        request = found.order.request
        exchange_order = ExchangeOrder(
            order_id=self.next_id(),
            client_id=request.client_id,
            market=request.market,
            symbol=request.symbol,
            side=request.side,
            kind="LIMIT",
            original_kind="LIMIT",
            time_in_force="IOC",
            quantity=request.quantity,
            price=request.price,
            stage=Stage.BOOK,
            created_at=fill.at,
            updated_at=fill.at,
        )
        self.entered(exchange_order, fill.order_id)
        return self.exchange_orders.keep(exchange_order)

    def order_number(self, fill: Fill) -> int:
        """Return the number under which the wire knows a trade's order."""
        return self._entries.get(fill.order_id, fill.order_id)

    def transfer(self, client_id: str, amount: Decimal, asset: str, direction: TransferDirection) -> int:
        """Move money between the wallets and return the number of the transfer.

        Raises:
            Rejected: as ``World.transfer`` says.
        """
        self.world.transfer(client_id, amount, direction, asset)
        to_perp = amount if direction is TransferDirection.SPOT_TO_PERP else -amount
        row = TransferRow(
            tran_id=FIRST_TRAN_ID + self.next_id(), client_id=client_id, asset=asset, to_perp=to_perp, at=self.now
        )
        self.transfers.append(row)
        self.changed()
        self.publish(Market.PERP, events.wallet_update(self.world, "ASSET_TRANSFER", ((asset, to_perp),)))
        reason = "WITHDRAW" if to_perp > 0 else "DEPOSIT"
        self.publish(Market.SPOT, events.spot_position(self.world, reason, (asset,)))
        return row.tran_id

    def lag(self, seconds: float) -> None:
        """Show balances and positions as they were so long ago, from now on; 0 = as they are."""
        self._lag = timedelta(seconds=seconds) if seconds else None
        self._views = [(self.now, self.world.account())]

    def shown(self) -> AccountView:
        """Return balances and positions as they are reported to the account's owner."""
        if self._lag is None:
            return self.world.account()
        self._forget(self._lag)
        return self._views[0][1]

    @property
    def is_behind(self) -> bool:
        """Whether they are reported as they were before a change that the world has seen."""
        if self._lag is None:
            return False
        self._forget(self._lag)
        return len(self._views) > 1

    def _forget(self, lag: timedelta) -> None:
        """Drop what is no longer reported."""
        until = self.now - lag
        while len(self._views) > 1 and self._views[1][0] <= until:
            del self._views[0]

    def configure(self, settings: PerpSettings) -> None:
        """Replace the account-wide settings."""
        self.settings = settings
        self.changed()

    # Listen keys

    def open_listen_key(self, market: Market) -> str:
        """Return the key of one market's user stream, new or extended."""
        known = self.listen_keys.get(market)
        if known is None or known.expires_at <= self.now:
            name = sha256(f"{self.user}/{market}/{self.next_id()}".encode()).hexdigest()
            known = ExchangeListenKey(key=name, expires_at=self.now)
        self.listen_keys[market] = replace(known, expires_at=self.now + LISTEN_KEY_LIFE)
        self.changed()
        return known.key

    def close_listen_key(self, market: Market) -> None:
        """Forget the key of one market."""
        if self.listen_keys.pop(market, None) is not None:
            self.changed()

    @property
    def waits(self) -> bool:
        """Whether an order, a countdown or a listen key of it may fall due."""
        return self.exchange_orders.any_open or bool(self.countdowns) or bool(self.listen_keys)

    # What happened in the world

    def sync(self) -> None:
        """Publish what happened in the world since the last time."""
        if self._synced_at == self.world.revision:
            return
        self._synced_at = self.world.revision
        self.changed()
        if self._lag is not None:
            self._views.append((self.now, self.world.account()))
        journal = self.world.parts.journal
        fills, payments, rows = journal.written_after(self._seen)
        self._seen = journal.counts
        for fill in fills:
            self._on_fill(fill)
        for payment in payments:
            self.publish(Market.PERP, events.funding_update(self.world, payment))
        for row in rows:
            self._on_row(row.wallet, row.asset, row.amount, row.kind)
        for exchange_order in self.exchange_orders.staged(Stage.BOOK):
            self._on_end(exchange_order)
        self._warn()

    def _on_fill(self, fill: Fill) -> None:
        exchange_order = self.exchange_orders.keep(
            self.exchange_order_of(fill).filled(fill.quantity, fill.notional, fill.at)
        )
        if fill.market is Market.PERP:
            self.publish(Market.PERP, events.wallet_update(self.world, "ORDER", (("USDT", ZERO),), fill.symbol))
        self.publish(fill.market, events.order_event(self.world, exchange_order, "TRADE", fill))
        if fill.market is Market.SPOT:
            instrument = self.world.parts.marketplace.instrument(fill.market, fill.symbol)
            self.publish(Market.SPOT, events.spot_position(self.world, "ORDER", (instrument.base, instrument.quote)))

    def _on_row(self, wallet: Wallet, asset: str, amount: Decimal, kind: FlowKind) -> None:
        if kind is FlowKind.USER_TRADE:
            return
        if wallet is Wallet.SPOT:
            self.publish(
                Market.SPOT, events.spot_position(self.world, "DEPOSIT" if amount > 0 else "WITHDRAW", (asset,))
            )
            return
        reason = {
            FlowKind.LIQUIDATION_FEE: "INSURANCE_CLEAR",
            FlowKind.DEPOSIT: "DEPOSIT",
            FlowKind.WITHDRAWAL: "WITHDRAW",
            FlowKind.USER_TRANSFER: "ASSET_TRANSFER",
            FlowKind.AUTO_EXCHANGE: "AUTO_EXCHANGE",
        }.get(kind, "ADJUSTMENT")
        self.publish(Market.PERP, events.wallet_update(self.world, reason, ((asset, amount),)))

    def _on_end(self, exchange_order: ExchangeOrder) -> None:
        """Note the end of an order that did not end by filling."""
        order = self.world.order(exchange_order.market, exchange_order.symbol, exchange_order.world_id)
        if order is None or not order.status.done or order.status is OrderStatus.FILLED:
            return
        self.keep(exchange_order.ended(order.status, order.updated_at), str(order.status))

    def _warn(self) -> None:
        """Send one MARGIN_CALL when maintenance takes most of the margin balance."""
        parts = self.world.parts
        standing = parts.perp.standing(parts.mark)
        balance = parts.perp.balance + standing.unrealized
        near = bool(parts.perp.holdings) and standing.maintenance_margin >= balance * MARGIN_CALL_SHARE
        if near and not self._warned:
            self.publish(Market.PERP, events.margin_call(self.world))
        self._warned = near
