"""Everything of an emulated account that survives a restart, as one value without its market data."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from msgspec import Struct, field

from hedgerow.domain.account import Balance, MarginType
from hedgerow.emulator.core.account_records import JournalState
from hedgerow.emulator.core.market import Conditions
from hedgerow.emulator.core.market_changes import LeverageTier
from hedgerow.emulator.core.order_rules import WorkingOrder
from hedgerow.emulator.core.wallets import Holding

__all__ = ["WorldOptions", "WorldState"]


class WorldOptions(Struct, frozen=True, kw_only=True):
    """Rules of the venue that a test or a replay may choose."""

    bottomless: bool = False
    """Endless quantity at exactly the tape's price, without a spread: for exact replays."""
    spot_quote_fee: Decimal | None = None
    """Commission of an account that pays spot fees in USDT, as a fraction; None = in coin on buys, as listed."""
    burn_asset: str = ""
    """Coin that fees are burnt from while the wallet of the trade holds enough of it; empty = none is."""
    burn_price: Decimal = Decimal(1)
    """Quote units that one burnt coin counts for."""
    refill_half_life_seconds: float = 30.0
    """How fast a book fills up again behind our own trades."""
    maintenance_rate: Decimal = Decimal("0.01")
    """Maintenance margin as a fraction of notional at mark, the same for every size."""
    maintenance_tiers: tuple[LeverageTier, ...] = ()
    """Maintenance margin that grows with the notional, in the place of ``maintenance_rate``."""
    liquidation_fee_rate: Decimal = Decimal("0.025")
    """``liquidationFee`` of exchangeInfo (docs/aster-api.md 5.1)."""
    default_leverage: int = 20
    """Leverage of a symbol that nobody set."""
    market_take_bound: Decimal = Decimal("0.05")
    """How far from the mark a market order may take (-4131)."""
    settlement_delay_seconds: float = 0.0
    """Longest time after the stamp at which funding is charged; Aster: up to 15 s (docs/aster-api.md 11)."""
    settlement_lead_seconds: float = 0.0
    """Longest time before the stamp at which funding is charged; Aster: up to 15 s (docs/aster-api.md 11)."""


class WorldState(Struct, frozen=True, kw_only=True):
    """The mutable part of a world."""

    now: datetime
    spot: Mapping[str, Balance]
    perp_balance: Decimal
    perp_assets: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    """What else lies in the perpetual wallet; good for burning fees, no collateral."""
    holdings: Mapping[str, Holding] = field(default_factory=dict[str, Holding])
    leverages: Mapping[str, int] = field(default_factory=dict[str, int])
    margin_types: Mapping[str, MarginType] = field(default_factory=dict[str, MarginType])
    last_marks: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    """Newest known mark of each held symbol, for gaps of the tape."""
    one_way: bool = True
    single_asset: bool = True
    conditions: Conditions = field(default_factory=Conditions)
    orders: tuple[WorkingOrder, ...] = ()
    journal: JournalState = field(default_factory=JournalState)
    transfer_ids: tuple[str, ...] = ()
    dead_men: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    """When each symbol's perpetual orders are cancelled, unless the switch is set again before."""
