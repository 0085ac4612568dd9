"""Books per wallet and asset: change of the venue's balance = our rows + classified venue rows. There is no plug."""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct, field
from msgspec.structs import replace

from hedgerow.domain.account import QUOTE_ASSET, AccountView
from hedgerow.domain.commands import TransferDirection
from hedgerow.domain.events import ExternalFlow, FeeBooked, FlowKind, FundsTransferred, Wallet
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import Market
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import Fill

__all__ = ["BookLine", "Books", "books_difference"]


class BookLine(Struct, frozen=True, kw_only=True):
    """Everything that changed one asset of one wallet; the venue's balance must be the sum."""

    opening: Decimal = ZERO
    trades: Decimal = ZERO
    """Spot: what was paid and received. Perpetual: realised PnL."""
    fees: Decimal = ZERO
    """Negative = cost."""
    funding: Decimal = ZERO
    transfers: Decimal = ZERO
    external: Decimal = ZERO
    """Classified venue rows after the opening."""

    @property
    def balance(self) -> Decimal:
        """What the venue's balance must be."""
        return self.opening + self.trades + self.fees + self.funding + self.transfers + self.external


class Books(Struct, frozen=True, kw_only=True):
    """Lines keyed by ``wallet:asset``, e.g. ``spot:USDT``."""

    lines: Mapping[str, BookLine] = field(default_factory=dict[str, BookLine])

    @property
    def opened(self) -> bool:
        """Whether opening balances were booked."""
        return bool(self.lines)

    def line(self, wallet: Wallet, asset: str) -> BookLine:
        """Return one line, empty where nothing was booked."""
        return self.lines.get(_key(wallet, asset), BookLine())

    def with_fee(self, event: FeeBooked, *, base: str) -> "Books":
        """Book one trade report: money, coins or realised PnL, and the fee in whatever asset it was taken."""
        return self.with_fill(event.fill, base=base)

    def with_fill(self, fill: Fill, *, base: str) -> "Books":
        """Book one trade of the account."""
        if fill.market is Market.PERP:
            books = self._add(Wallet.PERP, QUOTE_ASSET, trades=fill.realized_pnl)
            return books._add(Wallet.PERP, fill.fee_asset, fees=-fill.fee)
        books = self._add(Wallet.SPOT, base, trades=fill.side.sign * fill.quantity)
        books = books._add(Wallet.SPOT, QUOTE_ASSET, trades=-fill.side.sign * fill.notional)
        return books._add(Wallet.SPOT, fill.fee_asset, fees=-fill.fee)

    def with_funding(self, payment: FundingPayment) -> "Books":
        """Book one funding payment."""
        return self._add(Wallet.PERP, QUOTE_ASSET, funding=payment.amount)

    def with_transfer(self, event: FundsTransferred) -> "Books":
        """Book one transfer of ours on both wallets."""
        to_perp = event.amount if event.direction is TransferDirection.SPOT_TO_PERP else -event.amount
        return self._add(Wallet.PERP, event.asset, transfers=to_perp)._add(
            Wallet.SPOT, event.asset, transfers=-to_perp
        )

    def with_flow(self, flow: ExternalFlow) -> "Books":
        """Book one venue row that is not ours."""
        if flow.kind is FlowKind.OPENING:
            return self._add(flow.wallet, flow.asset, opening=flow.amount)
        return self._add(flow.wallet, flow.asset, external=flow.amount)

    def _add(self, wallet: Wallet, asset: str, **changes: Decimal) -> "Books":
        key = _key(wallet, asset)
        line = self.lines.get(key, BookLine())
        changed = replace(line, **{name: getattr(line, name) + change for name, change in changes.items()})
        return Books(lines={**self.lines, key: changed})


def books_difference(books: Books, account: AccountView) -> dict[str, Decimal]:
    """Return venue balance minus booked balance per line where they differ; empty = the books agree.

    Coins the books never met count with a booked balance of zero.
    """
    actual = {_key(Wallet.SPOT, asset): balance.total for asset, balance in account.spot.items()}
    actual[_key(Wallet.PERP, QUOTE_ASSET)] = account.perp.balance
    keys = sorted({*actual, *books.lines})
    differences = {key: actual.get(key, ZERO) - books.lines.get(key, BookLine()).balance for key in keys}
    return {key: value for key, value in differences.items() if value}


def _key(wallet: Wallet, asset: str) -> str:
    return f"{wallet}:{asset}"
