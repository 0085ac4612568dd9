"""Facts of the exchange in the terms of the settings, computed without the bot's code."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from hedgerow.domain.account import AccountView, PerpPosition
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import HedgedPosition
from hedgerow.emulator.core.world import World
from hedgerow.strategy.parameters import FundingRateStrategy, StopOn

__all__ = [
    "apr_of",
    "entry_faults",
    "equity_of",
    "liquidation_distance",
    "pnl_of",
    "seconds_to_settlement",
    "unused",
]

HOURS_PER_YEAR = 8760
KNOWN_BEFORE = (timedelta(0), timedelta(minutes=2), timedelta(minutes=15))
"""How old the rates may be that a bot decides by: a settled rate is read some time after its settlement."""
NO_RISE, MOST_RISE, RISE_GRAIN = -0.9, 10.0, 1e-6
"""Between which fractions of the marks liquidation of several shorts is looked for, and how exactly."""
SPREAD_SLACK = Decimal(2)
BASIS_SLACK = Decimal(5)
"""Basis points that books may have moved between a reading and the first order."""


def apr_of(world: World, symbol: str, settings: FundingRateStrategy, at: datetime) -> float | None:
    """Return funding per year as a fraction of one leg: rates of the window over their hours; None without any."""
    if not settings.use_funding_ma:
        predicted = world.market_data.predicted(symbol, at)
        return None if predicted is None else float(predicted.rate) / predicted.interval_hours * HOURS_PER_YEAR
    rates = world.market_data.newest_settled(symbol, at, settings.funding_ma_periods)
    hours = sum(rate.interval_hours for rate in rates)
    return float(sum(rate.rate for rate in rates)) / hours * HOURS_PER_YEAR if hours else None


def entry_faults(world: World, symbol: str, settings: FundingRateStrategy, *, strict: bool = False) -> Iterator[str]:
    """Yield the entry filters that a pair does not pass; ``strict`` leaves no room for what moved since it was read.

    With it a pair must pass well: a bot that refuses one near a limit is not to be blamed.
    """
    pair = world.pair(symbol)
    if pair is None or not pair.tradable:
        yield "it is not traded on both markets"
        return
    now, room = world.now, (1.2 if strict else 1.0)
    times = KNOWN_BEFORE[:1] if strict else KNOWN_BEFORE
    aprs = [apr for apr in (apr_of(world, symbol, settings, now - age) for age in times) if apr is not None]
    if not aprs or max(aprs) < settings.min_funding_apr * room or max(aprs) <= 0:
        yield f"it pays {max(aprs, default=0.0):.2%} a year, {settings.min_funding_apr:.2%} wanted"
    predicted = [rate for rate in (world.market_data.predicted(symbol, now - age) for age in times) if rate is not None]
    if all(rate.rate <= 0 for rate in predicted):
        yield "its predicted rate is not positive"
    if world.market_data.volume(symbol, now) < settings.min_volume_usd:
        yield "its volume is too small"
    yield from _book_faults(world, symbol, settings, strict=strict)


def _book_faults(world: World, symbol: str, settings: FundingRateStrategy, *, strict: bool) -> Iterator[str]:
    spot, perp = (world.depth(market, symbol) for market in (Market.SPOT, Market.PERP))
    bid, ask, sold = spot.touch(Side.SELL), spot.touch(Side.BUY), perp.touch(Side.SELL)
    if bid is None or ask is None or sold is None:
        yield "a book is empty"
        return
    sign = -1 if strict else 1
    spread = (ask - bid) / (ask + bid) * 20_000
    if spread > settings.max_spread_bps + sign * SPREAD_SLACK:
        yield f"its spot spread is {spread:.1f} bp, at most {settings.max_spread_bps}"
    discount = (ask - sold) / ask * 10_000
    if discount > settings.max_entry_discount_bps + sign * BASIS_SLACK:
        yield f"the perpetual's bid is {discount:.1f} bp below the spot ask, at most {settings.max_entry_discount_bps}"
    if -discount > settings.max_entry_premium_bps + sign * BASIS_SLACK:
        yield f"the perpetual's bid is {-discount:.1f} bp above the spot ask, at most {settings.max_entry_premium_bps}"


def equity_of(account: AccountView) -> Decimal:
    """Return the USDT of both wallets, quote units, with what the perpetual position has made so far."""
    return account.coin("USDT").total + account.perp.margin_balance


def liquidation_distance(account: AccountView, symbol: str) -> float | None:
    """Return how far liquidation is from the mark, as a fraction of it; None without a short or a liquidation price.

    Shorts of one wallet share its margin: of several, it is as far as all marks may rise together, or as the venue
    says of this one with the others unchanged, whichever is nearer.
    """
    position = account.positions.get(symbol)
    if position is None or position.quantity >= 0 or position.mark_price <= 0:
        return None
    price = position.liquidation_price
    own = [] if price is None else [float((price - position.mark_price) / position.mark_price)]
    return min((*own, *_together(account)), default=None)


def _together(account: AccountView) -> Iterator[float]:
    """Yield how far all marks may rise together until the margin balance is the maintenance margin, of several.

    The maintenance margin is what the tiers ask for at the raised marks. What is left of the margin falls with every
    rise, so that halving the span in which it ends finds the place.
    """
    shorts = [row for row in account.positions.values() if row.quantity < 0]
    if len(shorts) <= 1:
        return
    notional = float(sum((-row.quantity * row.mark_price for row in shorts), ZERO))
    balance = float(account.perp.margin_balance)
    low, high = NO_RISE, MOST_RISE
    while high - low > RISE_GRAIN:
        rise = (low + high) / 2
        left = balance - rise * notional - sum(_maintenance(row, rise) for row in shorts)
        low, high = (rise, high) if left > 0 else (low, rise)
    yield low


def _maintenance(row: PerpPosition, rise: float) -> float:
    """Return what a short asks for at a mark that has risen by a fraction, by its tiers where it has some."""
    size = float(-row.quantity * row.mark_price) * (1 + rise)
    if not row.tiers:
        return float(row.maintenance or ZERO) * (1 + rise)
    return max(size * float(tier.rate) - float(tier.cumulative) for tier in row.tiers)


def unused(account: AccountView) -> Decimal:
    """Return the USDT of both wallets that no short needs: the shorts are margined with what they are worth."""
    notional = sum((-row.quantity * row.mark_price for row in account.positions.values() if row.quantity < 0), ZERO)
    margin = account.perp.balance + min(ZERO, account.perp.unrealized_pnl) - notional
    return account.spot_usdt + min(account.perp.transferable, margin)


def pnl_of(hedge: HedgedPosition | None, world: World, stop_on: StopOn) -> tuple[float, float] | None:
    """Return the result of an open hedge as fractions of its entry notional: by books' prices and by the mark.

    Both legs, funding and fees, or the price of the short alone; from the sums of the hedge's own fills.
    """
    prices = world.prices(hedge.symbol) if hedge else None
    if hedge is None or prices is None or hedge.entry_notional <= 0:
        return None
    tally = hedge.tally
    found: list[float] = []
    for perp in (prices.perp, prices.mark):
        short = tally.perp_sold - tally.perp_bought + tally.perp_quantity * perp
        coins = tally.spot_sold - tally.spot_bought + tally.spot_quantity * prices.spot + tally.coin_fee_value
        whole = short if stop_on is StopOn.PERP_LEG else short + coins + hedge.funding_received - tally.fees
        found.append(float(whole / hedge.entry_notional))
    return found[0], found[1]


def seconds_to_settlement(world: World, interval_hours: int) -> float:
    """Return the distance in seconds to the nearest settlement, before or after."""
    epoch = world.now.timestamp()
    past = epoch % (interval_hours * 3600)
    return min(past, interval_hours * 3600 - past)
