"""The bot's own orders and transfers, so that activity of others on the account is recognised.

The venue's rows do not say who caused them: trades carry an order id, transfers nothing at all.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice

from msgspec import Struct

from hedgerow.domain.commands import Command, PlaceOrder, TransferDirection, TransferFunds
from hedgerow.domain.events import CommandIssued, Event, FundsTransferred, OrderAccepted, Wallet
from hedgerow.domain.position import OrderRecord

__all__ = ["OwnActivity", "OwnTransfer", "Sent", "id_of"]

MAX_ORDER_IDS = 10_000
"""How many order ids are kept with their client ids; an older one is looked up at the venue."""
TRANSFER_SLACK = timedelta(minutes=5)
"""How far a transfer's row may lie from the time we noted, across retries and clocks."""


class Sent(Struct, frozen=True, kw_only=True):
    """An order or a transfer that was on its way."""

    at: datetime
    nonce: int | None = None


class OwnTransfer(Struct, frozen=True, kw_only=True):
    """A transfer of ours that happened; when exactly, between its sending and its confirmation, is not reported."""

    sent_at: datetime
    at: datetime
    """When it was confirmed: long after it happened, where the answer was lost."""
    asset: str
    to_perp: Decimal

    def apart(self, row_at: datetime) -> timedelta:
        """Return how far a row lies outside the time in which the transfer must have happened."""
        return max(self.sent_at - row_at, row_at - self.at, timedelta(0))


class OwnActivity:
    """Orders and transfers of the bot: of this process as they happen, of earlier ones from the event log."""

    def __init__(self) -> None:
        self._sent: dict[str, Sent] = {}
        self._client_ids: dict[int, str] = {}
        self._missing_since: dict[int, float] = {}
        """When look-ups began not to find orders that have traded, seconds of the monotonic clock."""
        self._transfers: dict[str, OwnTransfer] = {}
        self._transfers_sent: dict[str, datetime] = {}
        self.complete = False
        """Whether the log of earlier runs was read: then an order that is not here was never sent."""

    def remember(self, events: Iterable[Event], orders: Iterable[OrderRecord] = ()) -> None:
        """Take over what earlier runs logged, and orders that may have been logged before these events."""
        for record in orders:
            self._sent.setdefault(record.request.client_id, Sent(at=record.issued_at))
            if record.order_id is not None:
                self._client_ids[record.order_id] = record.request.client_id
        for event in events:
            match event:
                case CommandIssued():
                    self._issued(event)
                case OrderAccepted():
                    self._client_ids[event.order_id] = event.client_id
                case FundsTransferred():
                    self._note(event.transfer_id, event.asset, event.amount, event.direction, event.at)
                case _:
                    pass
        self.complete = True

    def forget(self, before: datetime) -> None:
        """Let go of what was sent before a time, and of the oldest ids of orders that are not the bot's."""
        for act_id in [act_id for act_id, sent in self._sent.items() if sent.at < before]:
            del self._sent[act_id]
        for order_id in list(islice(self._client_ids, max(0, len(self._client_ids) - MAX_ORDER_IDS))):
            del self._client_ids[order_id]
        for transfer_id in [key for key, transfer in self._transfers.items() if transfer.at < before]:
            del self._transfers[transfer_id]
            self._transfers_sent.pop(transfer_id, None)

    def sending(self, act_id: str, at: datetime, nonce: int | None) -> None:
        """Note that an order or a transfer is about to be sent."""
        self._sent[act_id] = Sent(at=at, nonce=nonce)

    def accepted(self, client_id: str, order_id: int) -> None:
        """Note the venue's id of an order, ours or looked up."""
        self._client_ids[order_id] = client_id
        self._missing_since.pop(order_id, None)

    def missing_for(self, order_id: int, now: float) -> float:
        """Note that a look-up did not find an order that has traded; return for how many seconds none has.

        ``now`` is on the monotonic clock.
        """
        return now - self._missing_since.setdefault(order_id, now)

    def transferring(self, transfer_id: str, at: datetime) -> None:
        """Note that a transfer is about to be sent; the first time counts."""
        self._transfers_sent.setdefault(transfer_id, at)

    def transferred(self, command: TransferFunds, at: datetime) -> None:
        """Note a transfer that happened."""
        self._note(command.transfer_id, command.asset, command.amount, command.direction, at)

    def sent(self, act_id: str) -> Sent | None:
        """Return when an order or a transfer was sent, or None for one that is not known here."""
        return self._sent.get(act_id)

    def client_id(self, order_id: int) -> str | None:
        """Return the client id of an order, or None where it is not known."""
        return self._client_ids.get(order_id)

    def is_own_order(self, order_id: int) -> bool:
        """Return whether the bot sent an order."""
        return self._client_ids.get(order_id, "") in self._sent

    def transfers(self, wallet: Wallet) -> "list[tuple[OwnTransfer, str, Decimal]]":
        """Return our transfers as changes of one wallet: transfer, asset, signed amount."""
        sign = 1 if wallet is Wallet.PERP else -1
        return [(transfer, transfer.asset, sign * transfer.to_perp) for transfer in self._transfers.values()]

    def _issued(self, event: CommandIssued) -> None:
        act_id = id_of(event.command)
        if act_id is not None:
            self._sent[act_id] = Sent(at=event.at, nonce=event.nonce)
        if isinstance(event.command, TransferFunds):
            self.transferring(event.command.transfer_id, event.at)

    def _note(self, transfer_id: str, asset: str, amount: Decimal, direction: TransferDirection, at: datetime) -> None:
        to_perp = amount if direction is TransferDirection.SPOT_TO_PERP else -amount
        sent_at = min(at, self._transfers_sent.get(transfer_id, at))
        self._transfers.setdefault(transfer_id, OwnTransfer(sent_at=sent_at, at=at, asset=asset, to_perp=to_perp))


def id_of(command: Command) -> str | None:
    """Return the id under which a command is looked up or repeated: a client id or a transfer id; None for settings."""
    match command:
        case PlaceOrder():
            return command.order.client_id
        case TransferFunds():
            return command.transfer_id
        case _:
            return None
