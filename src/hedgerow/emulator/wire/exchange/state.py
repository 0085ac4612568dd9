"""Everything of the exchange that survives its process, as values."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from msgspec import Struct, field

from hedgerow.domain.instrument import Market
from hedgerow.emulator.core.market import Conditions
from hedgerow.emulator.core.snapshot import WorldState
from hedgerow.emulator.markets.overrides import FundingChange
from hedgerow.emulator.wire.protocol.credentials import Agent, ApiKey
from hedgerow.emulator.wire.protocol.order_records import ExchangeOrder

__all__ = ["Builder", "ExchangeAccountState", "ExchangeListenKey", "ExchangeState", "PerpSettings", "TransferRow"]


class TransferRow(Struct, frozen=True, kw_only=True):
    """A transfer between the wallets that a client asked for."""

    tran_id: int
    client_id: str
    asset: str
    to_perp: Decimal
    """Signed change of the perpetual wallet."""
    at: datetime


class ExchangeListenKey(Struct, frozen=True, kw_only=True):
    """The key of one user stream."""

    key: str
    expires_at: datetime


class Builder(Struct, frozen=True, kw_only=True):
    """A builder that may take a fee of the account's orders."""

    address: str
    """As it was written when approved: clients compare it letter by letter."""
    max_fee_rate: Decimal
    name: str = ""


class PerpSettings(Struct, frozen=True, kw_only=True):
    """Account-wide settings that the world does not need."""

    stp_mode: str = "EXPIRE_TAKER"
    fee_burn: bool = False
    builders: Mapping[str, Builder] = field(default_factory=dict[str, Builder])
    """By lower-case address."""


class ExchangeAccountState(Struct, frozen=True, kw_only=True, rename={"exchange_orders": "tickets"}):
    """One account."""

    user: str
    """Lower-case address of the main wallet."""
    world: WorldState
    exchange_orders: tuple[ExchangeOrder, ...] = ()
    transfers: tuple[TransferRow, ...] = ()
    listen_keys: Mapping[Market, ExchangeListenKey] = field(default_factory=dict[Market, ExchangeListenKey])
    countdowns: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    """By symbol: when all its perpetual orders are cancelled unless the client calls again."""
    settings: PerpSettings = field(default_factory=PerpSettings)
    entries: Mapping[int, int] = field(default_factory=dict[int, int])
    """Number of the order on the wire, by its number in the world."""


class ExchangeState(Struct, frozen=True, kw_only=True):
    """What all accounts share."""

    now: datetime
    last_id: int = 0
    still_at: datetime | None = None
    """Time whose prices stand; None = they move."""
    fundings: tuple[FundingChange, ...] = ()
    conditions: Conditions = field(default_factory=Conditions)
    agents: Mapping[str, tuple[Agent, ...]] = field(default_factory=dict[str, tuple[Agent, ...]])
    """By user."""
    keys: Mapping[str, tuple[ApiKey, ...]] = field(default_factory=dict[str, tuple[ApiKey, ...]])
    """By user."""
    nonces: Mapping[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    """By signer."""
