"""JSON rows of the account: orders, balances, positions, trades, income.

Which fields may be absent, and what that means, is decided as in ``wire``.
"""

from datetime import datetime
from decimal import Decimal

from msgspec import Raw, Struct

from hedgerow.aster.schema.market_rows import (
    CALENDAR_END_MS,
    EARLIEST_MS,
    LATEST_MS,
    Millis,
    Wire,
    consistent,
    decode,
    from_millis,
    read_rows,
)
from hedgerow.domain.money import ZERO

__all__ = [
    "AccountPosition",
    "AgentRow",
    "BalanceRow",
    "BracketRow",
    "CountdownReply",
    "IncomeRow",
    "LeverageReply",
    "ListenKey",
    "MarginModeReply",
    "OrderRow",
    "PerpAccountReply",
    "PerpAsset",
    "PositionModeReply",
    "PositionRow",
    "SpotAccount",
    "SpotBalance",
    "SymbolBrackets",
    "TradeRow",
    "TransactionRow",
    "TransferReply",
    "perp_account_of",
    "sided",
    "spot_account_of",
]

SIDES = ("BUY", "SELL")
POSITION_SIDES = ("BOTH", "LONG", "SHORT")
MARGIN_TYPES = ("cross", "crossed", "isolated")


BETTER_FILLS, ROUNDING = Decimal(2), Decimal("0.0001")
"""How many times better than its limit an order may fill at all, and by which fraction its average price is rounded."""


class OrderRow(Wire, frozen=True, kw_only=True):
    """An order, as every order endpoint shows it."""

    order_id: int
    symbol: str
    status: str
    client_order_id: str
    executed_qty: Decimal
    price: Decimal | None = None
    avg_price: Decimal | None = None
    orig_qty: Decimal | None = None
    cum_quote: Decimal | None = None
    side: str | None = None
    update_time: Millis | None = None
    time: Millis | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.executed_qty < 0:
            raise ValueError(f"executed_qty is negative: {self.executed_qty}")
        if self.orig_qty is not None and self.executed_qty > self.orig_qty:
            raise ValueError(f"it filled {self.executed_qty} of {self.orig_qty}")

    @property
    def filled_notional(self) -> Decimal:
        """Cumulative quote units, from the average price where the sum is absent; 0 also where neither can be so.

        The trades of an order say what it cost; nothing is decided by this sum alone.
        """
        sums = (self.cum_quote or ZERO, (self.avg_price or ZERO) * self.executed_qty)
        return next((total for total in sums if total > 0 and self._can_be_worth(total)), ZERO)

    def _can_be_worth(self, total: Decimal) -> bool:
        """Return whether the fills can be worth a sum: a buyer pays at most his limit, a seller gets at least his."""
        limit = (self.price or ZERO) * self.executed_qty
        if limit <= 0 or self.side not in {"BUY", "SELL"}:
            return True
        least, most = (limit / BETTER_FILLS, limit) if self.side == "BUY" else (limit, limit * BETTER_FILLS)
        return least * (1 - ROUNDING) <= total <= most * (1 + ROUNDING)


class BalanceRow(Wire, frozen=True, kw_only=True):
    """GET balance: one margin asset of the perpetual wallet."""

    asset: str
    balance: Decimal
    cross_un_pnl: Decimal | None = None
    available_balance: Decimal | None = None
    max_withdraw_amount: Decimal | None = None


class PositionRow(Wire, frozen=True, kw_only=True):
    """GET positionRisk; the exchange writes ``unRealizedProfit``, and other clients saw ``unrealizedProfit``."""

    symbol: str
    position_amt: Decimal
    entry_price: Decimal
    mark_price: Decimal
    """0 may stand for a flat symbol."""
    un_realized_profit: Decimal | None = None
    unrealized_profit: Decimal | None = None
    liquidation_price: Decimal
    """0 = none."""
    leverage: int
    margin_type: str
    position_side: str

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_position(self.position_amt, self.entry_price, self.leverage, self.position_side)
        if self.un_realized_profit is None and self.unrealized_profit is None:
            raise ValueError("it shows no unrealised profit")
        if self.margin_type.lower() not in MARGIN_TYPES:
            raise ValueError(f"its margin type is {self.margin_type!r}")
        if self.mark_price < 0 or (self.position_amt and not self.mark_price):
            raise ValueError(f"its mark price is {self.mark_price}")

    @property
    def pnl(self) -> Decimal:
        """Unrealised profit in quote units, under whichever name it came."""
        first = self.un_realized_profit
        return first if first is not None else self.unrealized_profit or ZERO


class PerpAsset(Wire, frozen=True, kw_only=True):
    """One margin asset of GET accountWithJoinMargin."""

    asset: str
    wallet_balance: Decimal
    cross_un_pnl: Decimal
    available_balance: Decimal
    max_withdraw_amount: Decimal


class AccountPosition(Wire, frozen=True, kw_only=True):
    """One position of GET accountWithJoinMargin; it names neither mark nor liquidation price."""

    symbol: str
    position_amt: Decimal
    entry_price: Decimal
    unrealized_profit: Decimal
    maint_margin: Decimal
    leverage: int
    isolated: bool
    position_side: str

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_position(self.position_amt, self.entry_price, self.leverage, self.position_side)
        if self.maint_margin < 0:
            raise ValueError(f"its maintenance margin is {self.maint_margin}")


class PerpAccountReply(Struct, frozen=True, kw_only=True):
    """GET accountWithJoinMargin: the perpetual wallet and every position, flat ones included, as of one time."""

    total_maint_margin: Decimal
    total_wallet_balance: Decimal | None
    assets: tuple[PerpAsset, ...]
    positions: tuple[AccountPosition, ...]
    unreadable_assets: frozenset[str] = frozenset()
    unreadable_positions: frozenset[str] = frozenset()
    """Symbols of the rows that cannot be read."""
    nameless_positions: int = 0
    """How many more rows cannot be read and show no symbol."""


class _PerpAccountReply(Wire, frozen=True, kw_only=True):
    total_maint_margin: Decimal
    total_wallet_balance: Decimal | None = None
    assets: tuple[Raw, ...]
    positions: tuple[Raw, ...]


class BracketRow(Wire, frozen=True, kw_only=True):
    """Margin of positions up to ``notional_cap``: maintenance = notional x ``maint_margin_ratio`` - ``cum``."""

    bracket: int
    initial_leverage: int
    """Most leverage allowed."""
    notional_cap: Decimal
    notional_floor: Decimal
    maint_margin_ratio: Decimal
    cum: Decimal


class SymbolBrackets(Wire, frozen=True, kw_only=True):
    """GET leverageBracket: the brackets of one perpetual, smallest positions first."""

    symbol: str
    brackets: tuple[BracketRow, ...]


class SpotBalance(Wire, frozen=True, kw_only=True):
    """One asset of the spot wallet."""

    asset: str
    free: Decimal
    locked: Decimal

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.free < 0 or self.locked < 0:
            raise ValueError(f"a balance is negative: free {self.free}, locked {self.locked}")


class SpotAccount(Struct, frozen=True, kw_only=True):
    """GET account of the spot market; its ``updateTime`` is in nanoseconds and not used."""

    balances: tuple[SpotBalance, ...]
    unreadable: frozenset[str] = frozenset()
    """Assets of the rows that cannot be read."""
    nameless: int = 0
    """How many more rows cannot be read and show no asset."""


class _SpotAccountReply(Wire, frozen=True, kw_only=True):
    balances: tuple[Raw, ...]


class TradeRow(Wire, frozen=True, kw_only=True):
    """GET userTrades of either market; a positive commission is a cost."""

    symbol: str
    id: int
    order_id: int
    side: str
    price: Decimal
    qty: Decimal
    commission: Decimal
    commission_asset: str
    realized_pnl: Decimal | None = None
    """Absent on the spot market."""
    maker: bool
    time: Millis

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.side not in SIDES or self.price <= 0 or self.qty <= 0 or not self.commission_asset:
            raise ValueError(f"it is no trade: {self.side} {self.qty} at {self.price}, fee in {self.commission_asset}")
        if self.order_id <= 0 or self.id < 0 or not self.symbol:
            raise ValueError(f"it is no trade of an order: {self.symbol!r}, trade {self.id} of order {self.order_id}")


class IncomeRow(Wire, frozen=True, kw_only=True):
    """GET income; ``tranId`` has nineteen digits and is unique per type."""

    income_type: str
    income: Decimal
    asset: str
    time: Millis
    tran_id: int
    symbol: str | None = None
    trade_id: str | int | None = None


class TransactionRow(Wire, frozen=True, kw_only=True):
    """GET transactionHistory of the spot market; one ``tranId`` may have several legs."""

    tran_id: int
    asset: str
    balance_delta: Decimal
    type: str
    time: Millis


class TransferReply(Wire, frozen=True, kw_only=True):
    """POST asset/wallet/transfer."""

    status: str


class LeverageReply(Wire, frozen=True, kw_only=True):
    """POST leverage."""

    leverage: int


class PositionModeReply(Wire, frozen=True, kw_only=True):
    """GET positionSide/dual."""

    dual_side_position: bool


class MarginModeReply(Wire, frozen=True, kw_only=True):
    """GET multiAssetsMargin."""

    multi_assets_margin: bool


class CountdownReply(Wire, frozen=True, kw_only=True):
    """POST countdownCancelAll."""

    symbol: str
    countdown_time: int


class ListenKey(Wire, frozen=True, kw_only=True):
    """POST listenKey."""

    listen_key: str


class AgentRow(Wire, frozen=True, kw_only=True):
    """GET agent: an API wallet of the account with what it may do."""

    agent_address: str
    agent_name: str | None = None
    expired: int | None
    """When it expires, milliseconds; 0 and null = never."""
    can_spot_trade: bool
    can_perp_trade: bool
    can_withdraw: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.expired and not EARLIEST_MS <= self.expired <= CALENDAR_END_MS:
            raise ValueError(f"it expires at {self.expired}, which is no time in milliseconds")

    @property
    def expires_at(self) -> datetime | None:
        """When it expires; None = never, which some keys say by a year far ahead."""
        return from_millis(self.expired) if self.expired and self.expired <= LATEST_MS else None


def perp_account_of(body: bytes) -> PerpAccountReply:
    """Return the perpetual account, its rows read one by one.

    Raises:
        OutcomeUnknown: it is no such reply, or its margin total cannot be read.
    """
    reply = decode(body, _PerpAccountReply)
    assets = consistent(read_rows(reply.assets, PerpAsset), lambda row: row.asset)
    positions = consistent(read_rows(reply.positions, AccountPosition), lambda row: row.symbol, sided)
    return PerpAccountReply(
        total_maint_margin=reply.total_maint_margin,
        total_wallet_balance=reply.total_wallet_balance,
        assets=assets.rows,
        positions=positions.rows,
        unreadable_assets=assets.unreadable,
        unreadable_positions=positions.unreadable,
        nameless_positions=positions.nameless,
    )


def spot_account_of(body: bytes) -> SpotAccount:
    """Return the spot wallet, its rows read one by one.

    Raises:
        OutcomeUnknown: it is no such reply.
    """
    found = consistent(read_rows(decode(body, _SpotAccountReply).balances, SpotBalance), lambda row: row.asset)
    return SpotAccount(balances=found.rows, unreadable=found.unreadable, nameless=found.nameless)


def sided(row: AccountPosition | PositionRow) -> tuple[str, str]:
    """Return what a position is: hedge mode has two of a symbol."""
    return row.symbol, row.position_side


def _check_position(amount: Decimal, entry_price: Decimal, leverage: int, side: str) -> None:
    """Check what makes a position.

    Raises:
        ValueError: something of it cannot be.
    """
    if side not in POSITION_SIDES:
        raise ValueError(f"its position side is {side!r}")
    if leverage < 1:
        raise ValueError(f"its leverage is {leverage}")
    if entry_price < 0 or (amount and not entry_price):
        raise ValueError(f"its entry price is {entry_price}")
