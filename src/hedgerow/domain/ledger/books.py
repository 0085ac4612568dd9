"""The books per wallet and asset: change of the venue's balance = own rows + classified venue rows."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cached_property

from msgspec import Struct, field

from hedgerow.domain.account import QUOTE_ASSET, AccountView
from hedgerow.domain.commands import TransferDirection
from hedgerow.domain.events import ExternalFlow, FlowKind, FundsTransferred, Wallet
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import Market
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import Fill

__all__ = ["BookLine", "Books", "books_difference", "held_of"]


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

    def plus(self, other: "BookLine") -> "BookLine":
        """Return the sum of two lines, part by part."""
        return BookLine(
            opening=self.opening + other.opening,
            trades=self.trades + other.trades,
            fees=self.fees + other.fees,
            funding=self.funding + other.funding,
            transfers=self.transfers + other.transfers,
            external=self.external + other.external,
        )


class Books(Struct, frozen=True, kw_only=True, dict=True):
    """Lines keyed by ``wallet:asset``, e.g. ``spot:USDT``."""

    lines: Mapping[str, BookLine] = field(default_factory=dict[str, BookLine])

    @property
    def opened(self) -> bool:
        """Whether opening balances were booked."""
        return bool(self.lines)

    @cached_property
    def balances(self) -> Mapping[str, Mapping[str, Decimal]]:
        """What the lines hold that hold anything, by wallet and asset.

        Summed once: books never change, and most checks compare those that the check before them did.
        """
        found: dict[str, dict[str, Decimal]] = {wallet: {} for wallet in Wallet}
        for key, line in self.lines.items():
            wallet, _, asset = key.partition(":")
            if balance := line.balance:
                found.setdefault(wallet, {})[asset] = balance
        return found

    @cached_property
    def compared(self) -> list[tuple[AccountView, dict[str, Decimal]]]:
        """The newest comparison alone, see ``books_difference``: a check asks for the same one several times."""
        return []

    def line(self, wallet: Wallet, asset: str) -> BookLine:
        """Return one line, empty where nothing was booked."""
        return self.lines.get(_key(wallet, asset), BookLine())

    def held(self, wallet: Wallet) -> dict[str, Decimal]:
        """Return what a wallet holds by the books, by asset; what is empty or below zero is left out."""
        return {asset: balance for asset, balance in self.balances[wallet].items() if balance > 0}

    def with_fill(self, fill: Fill, *, base: str) -> "Books":
        """Book one trade: money and coins, or realised PnL, and the fee in whatever asset it was taken."""
        if fill.market is Market.PERP:
            return self._with(
                (Wallet.PERP, QUOTE_ASSET, BookLine(trades=fill.realized_pnl)),
                (Wallet.PERP, fill.fee_asset, BookLine(fees=-fill.fee)),
            )
        return self._with(
            (Wallet.SPOT, base, BookLine(trades=fill.side.sign * fill.quantity)),
            (Wallet.SPOT, QUOTE_ASSET, BookLine(trades=-fill.side.sign * fill.notional)),
            (Wallet.SPOT, fill.fee_asset, BookLine(fees=-fill.fee)),
        )

    def with_funding(self, payment: FundingPayment) -> "Books":
        """Book one funding payment."""
        return self._with((Wallet.PERP, QUOTE_ASSET, BookLine(funding=payment.amount)))

    def with_transfer(self, event: FundsTransferred) -> "Books":
        """Book one transfer of ours on both wallets."""
        to_perp = event.amount if event.direction is TransferDirection.SPOT_TO_PERP else -event.amount
        return self._with(
            (Wallet.PERP, event.asset, BookLine(transfers=to_perp)),
            (Wallet.SPOT, event.asset, BookLine(transfers=-to_perp)),
        )

    def with_flow(self, flow: ExternalFlow) -> "Books":
        """Book one venue row that is not ours."""
        opening = flow.kind is FlowKind.OPENING
        line = BookLine(opening=flow.amount) if opening else BookLine(external=flow.amount)
        return self._with((flow.wallet, flow.asset, line))

    def _with(self, *changes: tuple[Wallet, str, BookLine]) -> "Books":
        lines = dict(self.lines)
        for wallet, asset, change in changes:
            key = _key(wallet, asset)
            lines[key] = lines.get(key, BookLine()).plus(change)
        return Books(lines=lines)


def books_difference(books: Books, account: AccountView) -> dict[str, Decimal]:
    """Return venue balance minus booked balance per line where they differ; empty = the books agree.

    Coins the books never met count with a booked balance of zero.
    """
    newest = books.compared
    if not newest or newest[0][0] is not account:
        newest[:] = [(account, {} if _agrees(books, account) else _differences(books, account))]
    return newest[0][1]


def _differences(books: Books, account: AccountView) -> dict[str, Decimal]:
    actual = held_of(account)
    booked = {_key(wallet, asset): amount for wallet in Wallet for asset, amount in books.balances[wallet].items()}
    keys = sorted({*actual, *booked})
    differences = {key: actual.get(key, ZERO) - booked.get(key, ZERO) for key in keys}
    return {key: value for key, value in differences.items() if value}


def held_of(account: AccountView) -> dict[str, Decimal]:
    """Return the venue's balances under the keys of the books."""
    held = {_key(Wallet.SPOT, asset): balance.total for asset, balance in account.spot.items()}
    held |= {_key(Wallet.PERP, asset): amount for asset, amount in account.perp_assets.items()}
    held[_key(Wallet.PERP, QUOTE_ASSET)] = account.perp.balance
    return held


def _agrees(books: Books, account: AccountView) -> bool:
    """Return whether no line differs; what most comparisons find."""
    perp = ((QUOTE_ASSET, account.perp.balance), *account.perp_assets.items())
    spot = ((asset, coins.total if coins.locked else coins.free) for asset, coins in account.spot.items())
    return _is_all_of(books.balances[Wallet.PERP], perp) and _is_all_of(books.balances[Wallet.SPOT], spot)


def _is_all_of(booked: Mapping[str, Decimal], held: Iterable[tuple[str, Decimal]]) -> bool:
    """Return whether a wallet holds what is booked, and nothing else; an asset of which it has nothing is none."""
    found = 0
    for asset, amount in held:
        if not amount:
            continue
        if booked.get(asset) != amount:
            return False
        found += 1
    return found == len(booked)


def _key(wallet: Wallet, asset: str) -> str:
    return f"{wallet}:{asset}"
