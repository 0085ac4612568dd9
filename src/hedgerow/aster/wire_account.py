"""Rows of our own account as Aster tells them: orders, balances, positions, trades, income."""

from decimal import Decimal

from hedgerow.aster.wire import Wire
from hedgerow.domain.money import ZERO

__all__ = [
    "AccountPosition",
    "AgentRow",
    "BalanceRow",
    "Bracket",
    "IncomeRow",
    "LeverageReply",
    "ListenKey",
    "ModeReply",
    "OrderRow",
    "PerpAccount",
    "PerpAsset",
    "PositionRow",
    "SpotAccount",
    "SpotBalance",
    "SymbolBrackets",
    "TradeRow",
    "TransactionRow",
    "TransferReply",
]


class OrderRow(Wire, frozen=True, kw_only=True):
    """An order, as every order endpoint shows it."""

    order_id: int
    symbol: str
    status: str
    client_order_id: str = ""
    side: str = ""
    price: Decimal = ZERO
    avg_price: Decimal = ZERO
    orig_qty: Decimal = ZERO
    executed_qty: Decimal = ZERO
    cum_quote: Decimal = ZERO
    update_time: int = 0
    time: int = 0

    @property
    def filled_notional(self) -> Decimal:
        """Cumulative quote units; from the average price where the sum is not told."""
        return self.cum_quote or self.avg_price * self.executed_qty


class BalanceRow(Wire, frozen=True, kw_only=True):
    """GET balance: one margin asset of the perpetual wallet."""

    asset: str
    balance: Decimal
    cross_un_pnl: Decimal = ZERO
    available_balance: Decimal = ZERO
    max_withdraw_amount: Decimal = ZERO


class PositionRow(Wire, frozen=True, kw_only=True):
    """GET positionRisk."""

    symbol: str
    position_amt: Decimal
    entry_price: Decimal = ZERO
    mark_price: Decimal = ZERO
    un_realized_profit: Decimal | None = None
    unrealized_profit: Decimal | None = None
    liquidation_price: Decimal = ZERO
    leverage: int = 0
    margin_type: str = "cross"
    position_side: str = "BOTH"


class PerpAsset(Wire, frozen=True, kw_only=True):
    """One margin asset of GET accountWithJoinMargin."""

    asset: str
    wallet_balance: Decimal
    cross_un_pnl: Decimal = ZERO
    available_balance: Decimal = ZERO
    max_withdraw_amount: Decimal = ZERO


class AccountPosition(Wire, frozen=True, kw_only=True):
    """One position of GET accountWithJoinMargin; it names neither mark nor liquidation price."""

    symbol: str
    position_amt: Decimal
    entry_price: Decimal = ZERO
    unrealized_profit: Decimal = ZERO
    maint_margin: Decimal = ZERO
    leverage: int = 0
    isolated: bool = False
    position_side: str = "BOTH"


class PerpAccount(Wire, frozen=True, kw_only=True):
    """GET accountWithJoinMargin: the perpetual wallet and every position, flat ones included, as of one time."""

    total_maint_margin: Decimal = ZERO
    assets: tuple[PerpAsset, ...]
    positions: tuple[AccountPosition, ...]


class Bracket(Wire, frozen=True, kw_only=True):
    """Margin of positions up to ``notional_cap``: maintenance = notional x ``maint_margin_ratio`` - ``cum``."""

    bracket: int
    initial_leverage: int
    """Most leverage allowed."""
    notional_cap: Decimal
    notional_floor: Decimal
    maint_margin_ratio: Decimal
    cum: Decimal = ZERO


class SymbolBrackets(Wire, frozen=True, kw_only=True):
    """GET leverageBracket: the brackets of one perpetual, smallest positions first."""

    symbol: str
    brackets: tuple[Bracket, ...]


class SpotBalance(Wire, frozen=True, kw_only=True):
    """One asset of the spot wallet."""

    asset: str
    free: Decimal
    locked: Decimal = ZERO


class SpotAccount(Wire, frozen=True, kw_only=True):
    """GET account of the spot market; its ``updateTime`` is in nanoseconds and not used."""

    balances: tuple[SpotBalance, ...]


class TradeRow(Wire, frozen=True, kw_only=True):
    """GET userTrades of either market; a positive commission is a cost."""

    symbol: str
    id: int
    order_id: int
    side: str
    price: Decimal
    qty: Decimal
    commission: Decimal = ZERO
    commission_asset: str = ""
    realized_pnl: Decimal = ZERO
    maker: bool = False
    time: int


class IncomeRow(Wire, frozen=True, kw_only=True):
    """GET income; ``tranId`` has nineteen digits and is unique per type."""

    income_type: str
    income: Decimal
    asset: str
    time: int
    tran_id: int
    symbol: str | None = None
    trade_id: str | int | None = None


class TransactionRow(Wire, frozen=True, kw_only=True):
    """GET transactionHistory of the spot market; one ``tranId`` may have several legs."""

    tran_id: int
    asset: str
    balance_delta: Decimal
    type: str
    time: int


class TransferReply(Wire, frozen=True, kw_only=True):
    """POST asset/wallet/transfer."""

    status: str = "SUCCESS"


class LeverageReply(Wire, frozen=True, kw_only=True):
    """POST leverage."""

    leverage: int


class ModeReply(Wire, frozen=True, kw_only=True):
    """GET positionSide/dual and GET multiAssetsMargin."""

    dual_side_position: bool | None = None
    multi_assets_margin: bool | None = None


class ListenKey(Wire, frozen=True, kw_only=True):
    """POST listenKey."""

    listen_key: str


class AgentRow(Wire, frozen=True, kw_only=True):
    """GET agent: an API wallet of the account with what it may do."""

    agent_address: str
    agent_name: str = ""
    expired: int = 0
    """When it expires, milliseconds; 0 = never."""
    can_spot_trade: bool = False
    can_perp_trade: bool = False
    can_withdraw: bool = False
