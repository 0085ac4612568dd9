"""What a run's capital would have made otherwise: its first pair, opened once and kept, or cash (docs/results.md)."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from msgspec import Struct

from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.money import BPS, ONE, ZERO
from hedgerow.ports import MarketData

__all__ = ["CASH_APR", "Hold", "cash_interest", "hold"]

CASH_APR: Final = Decimal("0.04")
"""What cash earns a year, simple interest: about the yield of short US treasury bills in 2023 to 2025."""
YEAR: Final = timedelta(days=365)
SECOND: Final = timedelta(seconds=1)


class Hold(Struct, frozen=True, kw_only=True):
    """A hedge that is opened once at taker prices and kept; still open at the end, as a run's last hedge is."""

    symbol: str
    since: datetime
    notional: Decimal
    """One leg at entry, quote units."""
    funding: Decimal
    """Received, negative when the short paid."""
    basis: Decimal
    """Both legs before fees and funding, from the entry prices to the middle of the books at the end."""
    fees: Decimal
    """Of opening both legs."""
    margin_gone_at: datetime | None = None
    """First settlement at which the short had lost the whole perpetual wallet: it would have been liquidated before."""

    @property
    def net_profit(self) -> Decimal:
        """Funding + basis - fees."""
        return self.funding + self.basis - self.fees


def cash_interest(equity: Decimal, period: timedelta) -> Decimal:
    """Return the simple interest of ``equity`` over ``period`` at ``CASH_APR``."""
    return equity * CASH_APR * (period // SECOND) / (YEAR // SECOND)


def hold(
    market: MarketData, pair: BasisPair, *, leg: Decimal, wallet: Decimal, since: datetime, until: datetime
) -> Hold | None:
    """Return what ``pair`` would have made, opened at ``since`` with ``leg`` quote units a leg.

    ``wallet`` is what the perpetual wallet held then. None when a price at either end is not known, or ``leg`` buys no
    lot.
    """
    symbol = pair.symbol
    opened, ended = market.prices(symbol, since), market.prices(symbol, until)
    if opened is None or ended is None:
        return None
    ask = opened.spot * (ONE + _half_spread(market, Market.SPOT, symbol, since))
    bid = opened.perp * (ONE - _half_spread(market, Market.PERP, symbol, since))
    quantity = pair.perp.floor_quantity(leg / ask)
    if not quantity:
        return None
    fees = quantity * (ask * pair.spot.fees.taker + bid * pair.perp.fees.taker)
    funding, mark, gone = ZERO, opened.mark, None
    for rate in market.settled(symbol, since, until):
        prices = market.prices(symbol, rate.at)
        mark = mark if prices is None else prices.mark
        funding += quantity * mark * rate.rate
        if gone is None and wallet + funding <= quantity * (mark - bid):
            gone = rate.at
    return Hold(
        symbol=symbol,
        since=since,
        notional=quantity * ask,
        funding=funding,
        basis=quantity * ((ended.spot - ask) + (bid - ended.perp)),
        fees=fees,
        margin_gone_at=gone,
    )


def _half_spread(market: MarketData, leg: Market, symbol: str, at: datetime) -> Decimal:
    return market.liquidity(leg, symbol, at).half_spread_bps * BPS
