"""The spot wallet and the perpetual wallet of one account, exact to the last digit.

A change is checked before it is made, so that a refused one leaves nothing behind. Both wallets change only by trades
at their price, fees, funding, transfers and rows of the statement.
"""

from collections.abc import Callable, Mapping
from decimal import ROUND_DOWN, Decimal
from functools import cached_property

from msgspec import Struct

from hedgerow.domain.account import Balance, MarginTier, MarginType, PerpPosition, PerpWallet, tier_of
from hedgerow.domain.money import ZERO
from hedgerow.emulator.core.error_codes import Code, rejected
from hedgerow.emulator.core.market_changes import Bracket, margin_tiers

__all__ = ["ROW", "Holding", "MarginState", "Marks", "PerpAccount", "SpotWallet", "to_row"]

ROW = Decimal("1e-8")
"""Every amount of a venue row has at most eight decimals (docs/aster-api.md 5.3, samples)."""

Marks = Callable[[str], Decimal]
"""Mark price of a symbol, now."""


def to_row(amount: Decimal) -> Decimal:
    """Return ``amount`` rounded as the venue's rows are: eight decimals, half to even."""
    return amount.quantize(ROW)


class SpotWallet:
    """Balances by asset; ``locked`` is what resting orders hold."""

    def __init__(self, balances: Mapping[str, Balance]) -> None:
        self._balances = dict(balances)

    @property
    def balances(self) -> Mapping[str, Balance]:
        """Every asset that was ever held."""
        return dict(self._balances)

    def of(self, asset: str) -> Balance:
        """Return one balance, zero for an asset never held."""
        return self._balances.get(asset) or Balance(asset=asset, free=ZERO)

    def change(self, asset: str, amount: Decimal) -> None:
        """Add ``amount`` (signed) to what is free.

        Raises:
            InsufficientBalance: less would be left than nothing.
        """
        self._move(asset, free=amount, locked=ZERO)

    def lock(self, asset: str, amount: Decimal) -> None:
        """Set ``amount`` aside for a resting order; a negative amount releases it.

        Raises:
            InsufficientBalance: not so much is free.
        """
        self._move(asset, free=-amount, locked=amount)

    def _move(self, asset: str, *, free: Decimal, locked: Decimal) -> None:
        held = self.of(asset)
        if held.free + free < 0:
            raise rejected(Code.BALANCE_INSUFFICIENT, f"Balance is insufficient: {held.free} {asset} free.")
        self._balances[asset] = Balance(asset=asset, free=held.free + free, locked=held.locked + locked)


class Holding(Struct, frozen=True, kw_only=True, dict=True):
    """A perpetual position: signed quantity, and the signed notional that it was entered for."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO

    @cached_property
    def entry_price(self) -> Decimal:
        """Average entry price; zero when flat. Computed once: readings repeat it until the next trade."""
        return to_row(self.cost / self.quantity) if self.quantity else ZERO

    def unrealized(self, mark: Decimal) -> Decimal:
        """Return the profit that closing at ``mark`` would realise."""
        return self.quantity * mark - self.cost

    def traded(self, change: Decimal, price: Decimal) -> "tuple[Holding, Decimal]":
        """Return the position after a trade of ``change`` (signed) and the profit realised.

        What rounding the profit of a part drops stays in the cost of the rest, so that nothing is ever lost.
        """
        after = self.quantity + change
        if self.quantity * change >= 0:
            return Holding(quantity=after, cost=self.cost + change * price), ZERO
        if after * self.quantity <= 0:
            return Holding(quantity=after, cost=after * price), self.unrealized(price)
        realized = to_row(-change * price + self.cost * change / self.quantity)
        return Holding(quantity=after, cost=self.cost + change * price + realized), realized


class MarginState(Struct, frozen=True, kw_only=True):
    """Sums over all positions at their marks."""

    unrealized: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal


class PerpAccount:
    """USDT wallet and one-way positions; margin is shared by all of them (cross), isolated or not."""

    def __init__(
        self,
        *,
        balance: Decimal,
        maintenance_rate: Decimal,
        default_leverage: int,
        maintenance_tiers: tuple[MarginTier, ...] = (),
    ) -> None:
        self.balance = balance
        self.assets: dict[str, Decimal] = {}
        """What else lies in the wallet."""
        self.holdings: dict[str, Holding] = {}
        self.leverages: dict[str, int] = {}
        self.margin_types: dict[str, MarginType] = {}
        self.brackets: Mapping[str, Bracket] = {}
        """By symbol, those that differ from the venue's common one."""
        self._maintenance_rate = maintenance_rate
        self._maintenance_tiers = maintenance_tiers
        self._common_tiers = maintenance_tiers or (MarginTier(floor=ZERO, rate=maintenance_rate),)
        """Those of every symbol without a bracket of its own."""
        self._default_leverage = default_leverage

    def quantity(self, symbol: str) -> Decimal:
        """Return the signed position."""
        held = self.holdings.get(symbol)
        return held.quantity if held else ZERO

    def pay(self, asset: str, fee: Decimal) -> None:
        """Take a fee out of the wallet."""
        if asset in self.assets:
            self.assets[asset] -= fee
        else:
            self.balance -= fee

    def leverage(self, symbol: str) -> int:
        """Return a symbol's leverage; an account that never set it has a high one (docs/aster-api.md 8)."""
        chosen = self.leverages.get(symbol, self._default_leverage)
        bracket = self.brackets.get(symbol)
        return chosen if bracket is None or bracket.max_leverage is None else min(chosen, bracket.max_leverage)

    def tiers(self, symbol: str) -> tuple[MarginTier, ...]:
        """Return the tiers of the maintenance margin of a symbol: at least one, smallest first."""
        bracket = self.brackets.get(symbol)
        if bracket is None:
            return self._common_tiers
        if bracket.tiers:
            return margin_tiers(bracket.tiers)
        if bracket.maintenance_rate is None and self._maintenance_tiers:
            return self._maintenance_tiers
        return (MarginTier(floor=ZERO, rate=bracket.maintenance_rate or self._maintenance_rate),)

    def maintenance_of(self, symbol: str, notional: Decimal) -> Decimal:
        """Return the maintenance margin of a notional at mark of a symbol."""
        tier = tier_of(self.tiers(symbol), notional)
        return notional * tier.rate - tier.cumulative

    def convert(self, symbol: str, factor: Decimal) -> None:
        """Divide a position by ``factor`` at the same cost: its coin was redenominated."""
        held = self.holdings.get(symbol)
        if held is not None:
            self.holdings[symbol] = Holding(quantity=to_row(held.quantity / factor), cost=held.cost)

    def margin_type(self, symbol: str) -> MarginType:
        """Return a symbol's margin mode."""
        return self.margin_types.get(symbol, MarginType.CROSSED)

    def opening_part(self, symbol: str, change: Decimal) -> Decimal:
        """Return how much of a trade of ``change`` (signed) would add to a position, in base units."""
        held = self.quantity(symbol)
        return abs(change) if held * change >= 0 else max(ZERO, abs(change) - abs(held))

    def trade(self, symbol: str, change: Decimal, price: Decimal) -> Decimal:
        """Book a trade of ``change`` (signed) and return the profit that it realised."""
        after, realized = self.holdings.get(symbol, Holding()).traded(change, price)
        if after.quantity:
            self.holdings[symbol] = after
        else:
            self.holdings.pop(symbol, None)
        self.balance += realized
        return realized

    def maintenance(self, symbol: str, mark: Decimal) -> Decimal:
        """Return one position's maintenance margin."""
        return self.maintenance_of(symbol, abs(self.quantity(symbol)) * mark)

    def standing(self, marks: Marks) -> MarginState:
        """Return the sums over all positions; initial margin is notional at mark / leverage (docs/aster-api.md 5.3)."""
        unrealized = initial = maintenance = ZERO
        for symbol, held in self.holdings.items():
            mark = marks(symbol)
            notional = abs(held.quantity) * mark
            unrealized += held.unrealized(mark)
            initial += notional / self.leverage(symbol)
            maintenance += self.maintenance_of(symbol, notional)
        return MarginState(unrealized=unrealized, initial_margin=initial, maintenance_margin=maintenance)

    def carries(self, marks: Marks) -> bool:
        """Return whether the margin balance covers the maintenance margin of all positions."""
        unrealized = maintenance = ZERO
        for symbol, held in self.holdings.items():
            mark = marks(symbol)
            unrealized += held.unrealized(mark)
            maintenance += self.maintenance_of(symbol, abs(held.quantity) * mark)
        return self.balance + unrealized >= maintenance

    def wallet(self, standing: MarginState, order_margin: Decimal) -> PerpWallet:
        """Return the wallet as the venue shows it; unrealised profit can be traded with but not taken out."""
        blocked = standing.initial_margin + order_margin
        available = max(ZERO, self.balance + standing.unrealized - blocked)
        transferable = max(ZERO, self.balance + min(ZERO, standing.unrealized) - blocked)
        return PerpWallet(
            balance=self.balance,
            unrealized_pnl=standing.unrealized,
            available=available.quantize(ROW, rounding=ROUND_DOWN),
            transferable=transferable.quantize(ROW, rounding=ROUND_DOWN),
        )

    def position(self, symbol: str, mark: Decimal, standing: MarginState) -> PerpPosition:
        """Return one position as the venue shows it."""
        held, tiers = self.holdings[symbol], self.tiers(symbol)
        unrealized, notional = held.unrealized(mark), abs(held.quantity) * mark
        tier = tier_of(tiers, notional)
        maintenance = notional * tier.rate - tier.cumulative
        # What is left of the margin balance for this position when all others stay as they are.
        others = self.balance + (standing.unrealized - unrealized) - (standing.maintenance_margin - maintenance)
        return PerpPosition(
            symbol=symbol,
            quantity=held.quantity,
            entry_price=held.entry_price,
            mark_price=mark,
            unrealized_pnl=unrealized,
            leverage=self.leverage(symbol),
            margin_type=self.margin_type(symbol),
            liquidation_price=_liquidation_price(held, tiers, mark, others),
            maintenance=to_row(maintenance),
            tiers=tiers if len(tiers) > 1 else (),
            adl_quantile=0,
        )


def _liquidation_price(held: Holding, tiers: tuple[MarginTier, ...], mark: Decimal, others: Decimal) -> Decimal | None:
    """Solve margin balance = maintenance margin for this mark; None when out of reach.

    ``others`` is what all other positions, which stay as they are, leave of the margin balance.
    """
    rest, price, size = others - held.cost, mark, abs(held.quantity)
    for _ in tiers:
        tier = tier_of(tiers, size * max(ZERO, price))
        price = (rest + tier.cumulative) / (tier.rate * size - held.quantity)
    return to_row(price) if price > 0 else None
