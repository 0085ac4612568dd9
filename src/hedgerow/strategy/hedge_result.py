"""What a hedge has made, and what it makes when it is closed now: the one place where a result is computed. Pure.

Every definition with its formula and an example: docs/results.md. Money is in quote units; positive = gain for results
and funding, cost for fees and spread. None = not computable: a price, or the price of an own fill, is not known.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil, inf
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.funding import FundingSignal, next_settlement
from hedgerow.domain.instrument import BasisPair, Market, Side
from hedgerow.domain.ledger.state import Ledger, Totals
from hedgerow.domain.market import Depth, MarketView
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import ClosedHedge, DustLot, HedgedPosition
from hedgerow.strategy.evidence.prices import Prices, prices_of
from hedgerow.strategy.exit_costs import average_price

__all__ = [
    "LEGS",
    "NO_PRICES",
    "ExitPrices",
    "HedgeResult",
    "StrategyResult",
    "coin_prices",
    "dust_gain",
    "exit_prices",
    "result_of",
    "result_of_ended",
    "strategy_result",
]

LEGS: Final = 2
"""At 1x a hedge commits the notional of one leg twice: once in coins, once as margin."""
LONGEST_BREAK_EVEN: Final = timedelta(days=3650)
"""A payback that takes longer counts as never."""


class ExitPrices(Struct, frozen=True, kw_only=True):
    """What a hedge is valued at and what closing it would trade at, quote units; None = nothing shows it."""

    spot: Decimal | None
    """Middle of the spot book, or the nearest price seen."""
    perp: Decimal | None
    """Middle of the perpetual's book, or its mark."""
    sale: Decimal | None = None
    """Average price at which the spot book takes the coins now."""
    purchase: Decimal | None = None
    """Average price at which the perpetual's book gives the short back now."""


class HedgeResult(Struct, frozen=True, kw_only=True):
    """What one hedge made, held at ``at`` or ended then."""

    symbol: str
    at: datetime
    funding: Decimal
    """Received since the opening; negative when the short paid."""
    spot_pnl: Decimal | None
    """The coins before fees: realised, and valued at ``ExitPrices.spot`` while they are held; dust as it was kept."""
    perp_pnl: Decimal | None
    """The perpetual before fees and funding: realised, and valued at ``ExitPrices.perp`` while it is held."""
    fees_paid: Decimal
    """Booked, or estimated until booked."""
    exit_fees: Decimal | None
    """Expected taker fees of closing both legs now; 0 for an ended hedge."""
    exit_spread: Decimal | None
    """What closing at the books' prices loses against the prices of the valuation; 0 for an ended hedge."""
    entry_notional: Decimal
    """One leg at entry."""
    committed_capital: Decimal
    """Both legs at entry: coins and margin."""
    funded: Decimal | None = None
    """Notional of the short that funding is paid on, at ``ExitPrices.perp``; None when it is not known."""
    signal: FundingSignal | None = None
    """What it is expected to be paid."""

    @property
    def basis(self) -> Decimal | None:
        """Both legs before fees and funding."""
        return None if self.spot_pnl is None or self.perp_pnl is None else self.spot_pnl + self.perp_pnl

    @property
    def net_so_far(self) -> Decimal | None:
        """Funding + basis - fees paid: the unrealised PnL of a held hedge, the net profit of an ended one."""
        basis = self.basis
        return None if basis is None else self.funding + basis - self.fees_paid

    @property
    def exit_cost(self) -> Decimal | None:
        """Expected fees and spread of closing now."""
        return None if self.exit_fees is None or self.exit_spread is None else self.exit_fees + self.exit_spread

    @property
    def net_if_closed(self) -> Decimal | None:
        """Net so far - expected fees and spread of closing now."""
        net, cost = self.net_so_far, self.exit_cost
        return None if net is None or cost is None else net - cost

    @property
    def break_even_at(self) -> datetime | None:
        """First settlement at which funding at the present signal has paid ``net_if_closed`` up to zero.

        Whole payments of ``funded`` x the signal's mean, from the next one on. None when it is positive already, when
        it is not known, and when the signal never pays it.
        """
        net, signal = self.net_if_closed, self.signal
        if self.funded is None or signal is None or net is None or net >= 0:
            return None
        payment, interval = signal.mean * float(self.funded), timedelta(hours=signal.interval_hours)
        payments = float(-net) / payment if payment > 0 else inf
        if payments > LONGEST_BREAK_EVEN / interval:
            return None
        return next_settlement(self.at, signal.interval_hours) + (ceil(payments) - 1) * interval

    @property
    def net_on_notional(self) -> float | None:
        """``net_if_closed`` as a fraction of one leg at entry."""
        return _share(self.net_if_closed, self.entry_notional)

    @property
    def net_on_capital(self) -> float | None:
        """``net_if_closed`` as a fraction of both legs at entry."""
        return _share(self.net_if_closed, self.committed_capital)


class StrategyResult(Struct, frozen=True, kw_only=True):
    """What all hedges of a log made: those that ended, the one held, and the dust that is kept."""

    ended: Totals
    held: HedgeResult | None
    """Of the largest open hedge; None when nothing is held."""
    others: tuple[HedgeResult, ...] = ()
    """Of the other open hedges."""
    dust_gain: Decimal | None
    """What kept dust is worth now, less what it was kept at; None while a coin of it has no price."""
    unpriced: tuple[str, ...] = ()
    """Coins of the dust that have no price."""
    priced_gain: Decimal = ZERO
    """Gain of the other ones."""
    imported: Decimal = ZERO
    """Result taken over from the guide's state file; in ``cumulative`` alone."""

    @property
    def net_so_far(self) -> Decimal | None:
        """Ended hedges + open hedges + gain of kept dust."""
        return self._with(result.net_so_far for result in self.open)

    @property
    def net_if_closed(self) -> Decimal | None:
        """The same after closing the open hedges now."""
        return self._with(result.net_if_closed for result in self.open)

    def without_unpriced_dust(self) -> "StrategyResult":
        """Return the result without the gain of the dust that has no price: what is said of it names ``unpriced``."""
        return replace(self, dust_gain=self.priced_gain)

    @property
    def open(self) -> tuple[HedgeResult, ...]:
        """Of every open hedge."""
        return self.others if self.held is None else (self.held, *self.others)

    @property
    def cumulative(self) -> Decimal:
        """Cumulative P/L as the guide counts it: ended hedges and what was imported."""
        return self.ended.net_profit + self.imported

    def _with(self, parts: Iterable[Decimal | None]) -> Decimal | None:
        total, known = self.ended.net_profit, self.dust_gain
        for part in parts:
            if part is None:
                return None
            total += part
        return None if known is None else total + known


def exit_prices(
    hedge: HedgedPosition,
    seen: Prices,
    market: MarketView | None,
    books: tuple[Depth | None, Depth | None] | None = None,
) -> ExitPrices:
    """Return the prices of a valuation: ``seen``, and what the books (spot, perpetual) take, or else the best quotes.

    A quote stands for the whole quantity; a book gives the average of what is visible for it.
    """
    if books is None:
        spot = market.quote(Market.SPOT, hedge.symbol) if market else None
        perp = market.quote(Market.PERP, hedge.symbol) if market else None
        sale, purchase = (spot.touch(Side.SELL) if spot else None), (perp.touch(Side.BUY) if perp else None)
    else:
        sale = average_price(books[0], Side.SELL, hedge.spot_quantity) if books[0] else None
        purchase = average_price(books[1], Side.BUY, hedge.short) if books[1] else None
    return ExitPrices(spot=seen.spot or seen.index, perp=seen.perp or seen.mark, sale=sale, purchase=purchase)


NO_PRICES: Final = ExitPrices(spot=None, perp=None)
"""Nothing was asked of a venue: what is held has no value."""


def result_of(
    hedge: HedgedPosition,
    prices: ExitPrices,
    signal: FundingSignal | None,
    at: datetime,
    *,
    listed: BasisPair | None = None,
) -> HedgeResult:
    """Return the result of a hedge that is held, or being opened; ``listed`` has the commissions of today."""
    tally, pair = hedge.tally, listed or hedge.pair
    spot_pnl = perp_pnl = None
    if hedge.fills_priced:
        spot_pnl = _valued(tally.spot_cash, tally.spot_quantity, prices.spot)
        perp_pnl = _valued(tally.perp_cash, tally.perp_quantity, prices.perp)
    coins, short = _valued(ZERO, hedge.spot_quantity, prices.spot), _valued(ZERO, hedge.short, prices.perp)
    fees = spread = None
    if coins is not None and short is not None:
        fees = coins * pair.spot.fees.taker + short * pair.perp.fees.taker
        sold, bought = _valued(ZERO, hedge.spot_quantity, prices.sale), _valued(ZERO, hedge.short, prices.purchase)
        spread = None if sold is None or bought is None else (coins - sold) + (bought - short)
    notional = hedge.entry_notional or tally.spot_bought or tally.perp_sold
    return HedgeResult(
        symbol=hedge.symbol,
        at=at,
        funding=hedge.funding_received,
        spot_pnl=spot_pnl,
        perp_pnl=perp_pnl,
        fees_paid=tally.fees,
        exit_fees=fees,
        exit_spread=spread,
        entry_notional=notional,
        committed_capital=notional * LEGS,
        funded=short,
        signal=signal,
    )


def result_of_ended(closed: ClosedHedge) -> HedgeResult:
    """Return the result of a hedge that ended; closing it costs nothing any more."""
    hedge = closed.hedge
    notional = hedge.entry_notional or hedge.tally.spot_bought or hedge.tally.perp_sold
    return HedgeResult(
        symbol=hedge.symbol,
        at=closed.closed_at,
        funding=closed.funding,
        spot_pnl=closed.spot_pnl,
        perp_pnl=closed.perp_pnl,
        fees_paid=closed.fees,
        exit_fees=ZERO,
        exit_spread=ZERO,
        entry_notional=notional,
        committed_capital=notional * LEGS,
    )


def dust_gain(dust: Mapping[str, DustLot], prices: Mapping[str, Decimal]) -> Decimal | None:
    """Return what kept dust is worth at ``prices`` (by asset) less what it was kept at; None without one of them."""
    gain = ZERO
    for lot in dust.values():
        price = prices.get(lot.asset)
        if price is None:
            return None
        gain += lot.quantity * price - lot.cost
    return gain


def coin_prices(assets: Iterable[str], market: MarketView) -> dict[str, Decimal]:
    """Return the price of each of these coins, valued as a held hedge's coins are; those without one are missing."""
    seen = {asset: prices_of(f"{asset}{QUOTE_ASSET}", market, None) for asset in assets}
    found = ((asset, prices.spot or prices.index) for asset, prices in seen.items())
    return {asset: price for asset, price in found if price is not None}


def strategy_result(
    ledger: Ledger,
    held: HedgeResult | None,
    prices: Mapping[str, Decimal] | None = None,
    others: Sequence[HedgeResult] = (),
) -> StrategyResult:
    """Return the result since the log began.

    ``held`` is that of the largest open hedge, ``others`` those of the other ones; ``prices`` by asset value the dust.
    """
    known = prices or {}
    priced = {asset: lot for asset, lot in ledger.dust.items() if asset in known}
    unpriced, gain = tuple(sorted(ledger.dust.keys() - priced.keys())), dust_gain(priced, known) or ZERO
    return StrategyResult(
        ended=ledger.totals,
        held=held,
        others=tuple(others),
        dust_gain=None if unpriced else gain,
        unpriced=unpriced,
        priced_gain=gain,
        imported=ledger.imported.total_profit_loss,
    )


def _valued(cash: Decimal, quantity: Decimal, price: Decimal | None) -> Decimal | None:
    """Return cash and a quantity at its price; one of nothing needs no price."""
    if not quantity:
        return cash
    return None if price is None else cash + quantity * price


def _share(net: Decimal | None, whole: Decimal) -> float | None:
    return None if net is None or whole <= 0 else float(net / whole)
