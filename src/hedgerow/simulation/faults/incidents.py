"""Incidents: price jumps, market closures, acts of the venue and of the owner."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeAlias, assert_never

from msgspec import Struct

from hedgerow.domain.account import QUOTE_ASSET, AccountView
from hedgerow.domain.commands import TransferDirection
from hedgerow.domain.errors import Rejected
from hedgerow.domain.events import Wallet
from hedgerow.domain.instrument import BasisPair, Market, Side, TradingStatus
from hedgerow.emulator.core.world import World
from hedgerow.simulation.faults.alterations import Alteration, change_of

__all__ = [
    "Closure",
    "Deleveraging",
    "Delisting",
    "Flow",
    "HandCover",
    "HandLeverage",
    "HandSale",
    "Incident",
    "OwnerTransfer",
    "PriceJump",
    "Reopening",
    "altered_pair",
    "apply_incident",
    "held_pair",
]

CENT = Decimal("0.01")


class PriceJump(Struct, frozen=True, kw_only=True, tag="price_jump"):
    """All prices of the held pair, or of every pair, are multiplied by ``factor``; twice the price liquidates 1x."""

    at: datetime
    factor: Decimal
    everywhere: bool = False
    symbol: str = ""
    """Of this pair; empty = of the held one."""


class Closure(Struct, frozen=True, kw_only=True, tag="closure"):
    """The held pair leaves trading for a while."""

    at: datetime
    status: TradingStatus
    markets: tuple[Market, ...]
    hours: float
    symbol: str = ""
    """Of this pair; empty = of the held one."""


class Reopening(Struct, frozen=True, kw_only=True, tag="reopening"):
    """A closure is over; follows from it, and is never drawn."""

    at: datetime
    symbol: str


class Delisting(Struct, frozen=True, kw_only=True, tag="delisting"):
    """The held pair's perpetual is settled at the mark and closed for good; its coin can still be traded."""

    at: datetime


class Deleveraging(Struct, frozen=True, kw_only=True, tag="deleveraging"):
    """The venue closes a part of the short at the mark."""

    at: datetime
    fraction: Decimal
    symbol: str = ""
    """Of this pair; empty = of the held one."""


class HandSale(Struct, frozen=True, kw_only=True, tag="hand_sale"):
    """The owner sells a part of all coins of the held pair."""

    at: datetime
    fraction: Decimal


class HandCover(Struct, frozen=True, kw_only=True, tag="hand_cover"):
    """The owner buys back a part of the short."""

    at: datetime
    fraction: Decimal
    symbol: str = ""
    """Of this pair; empty = of the held one."""


class HandLeverage(Struct, frozen=True, kw_only=True, tag="hand_leverage"):
    """The owner changes the held pair's leverage."""

    at: datetime
    leverage: int


class OwnerTransfer(Struct, frozen=True, kw_only=True, tag="hand_transfer"):
    """The owner moves a part of the free USDT of one wallet to the other."""

    at: datetime
    fraction: Decimal
    direction: TransferDirection


class Flow(Struct, frozen=True, kw_only=True, tag="flow"):
    """A deposit, or with a negative fraction a withdrawal, of a part of the free USDT of one wallet."""

    at: datetime
    wallet: Wallet
    fraction: Decimal


Incident: TypeAlias = (
    Alteration
    | PriceJump
    | Closure
    | Reopening
    | Deleveraging
    | Delisting
    | HandSale
    | HandCover
    | HandLeverage
    | OwnerTransfer
    | Flow
)


def held_pair(world: World, at: datetime) -> BasisPair:
    """Return the pair with a short now, of several the one that the time of an incident picks; without, the first."""
    return _held(world.market_data.pairs, world.account(), at)


def altered_pair(alteration: Alteration, pairs: Sequence[BasisPair], account: AccountView) -> BasisPair:
    """Return the pair whose market an alteration changes."""
    return _held(pairs, account, alteration.at) if alteration.pair is None else pairs[alteration.pair]


def _held(pairs: Sequence[BasisPair], account: AccountView, at: datetime) -> BasisPair:
    held = [pair for pair in pairs if account.short(pair.symbol)]
    return held[at.microsecond % len(held)] if held else pairs[0]


def apply_incident(incident: Incident, world: World) -> Reopening | None:
    """Let a fate happen now; returns what follows later. What the venue refuses its owner does not happen."""
    try:
        return _apply_incident(incident, world, _pair_of(incident, world))
    except Rejected:
        return None


def _pair_of(incident: Incident, world: World) -> BasisPair:
    """Return the pair that an incident is about, as it is listed now: the one that it names, else the held one."""
    named = getattr(incident, "symbol", "")
    pair = next((each for each in world.market_data.pairs if each.symbol == named), None) or held_pair(
        world, incident.at
    )
    return world.pair(pair.symbol) or pair


def _apply_incident(incident: Incident, world: World, pair: BasisPair) -> Reopening | None:  # noqa: C901, PLR0912 - one case per fate
    match incident:
        case Alteration():
            _alter(world, incident, altered_pair(incident, world.market_data.pairs, world.account()))
        case PriceJump():
            _jump(world, incident, pair)
        case Closure():
            world.set_status(pair.symbol, incident.status, incident.markets)
            return Reopening(at=incident.at + timedelta(hours=incident.hours), symbol=pair.symbol)
        case Reopening():
            world.set_status(incident.symbol, TradingStatus.TRADING)
        case Deleveraging():
            _deleverage(world, pair, incident.fraction)
        case Delisting():
            _settle(world, pair.symbol)
            world.set_status(pair.symbol, TradingStatus.CLOSED, (Market.PERP,))
        case HandSale():
            coins = pair.spot.floor_quantity(world.account().coin(pair.base).free * incident.fraction)
            _by_hand(world, pair, Market.SPOT, coins)
        case HandCover():
            short = pair.perp.floor_quantity(world.account().short(pair.symbol) * incident.fraction)
            _by_hand(world, pair, Market.PERP, short)
        case HandLeverage():
            world.set_leverage(pair.symbol, incident.leverage)
        case OwnerTransfer() | Flow():
            _move_money(world, incident)
        case _:
            assert_never(incident)
    return None


def _alter(world: World, incident: Alteration, pair: BasisPair) -> None:
    prices = world.prices(pair.symbol)
    if prices is not None:
        world.change_market(change_of(incident, world.pair(pair.symbol) or pair, prices.perp))


def _deleverage(world: World, pair: BasisPair, fraction: Decimal) -> None:
    quantity = pair.perp.floor_quantity(world.account().short(pair.symbol) * fraction)
    if quantity:
        world.deleverage(pair.symbol, quantity)


def _settle(world: World, symbol: str) -> None:
    """Close the whole short at the mark: no lot leaves a part of it in a market that is closed for good."""
    short = world.account().short(symbol)
    if short:
        world.deleverage(symbol, short)


def _by_hand(world: World, pair: BasisPair, market: Market, quantity: Decimal) -> None:
    """Reduce one leg as the owner would: sell coins, or buy the short back."""
    side = Side.SELL if market is Market.SPOT else Side.BUY
    if quantity:
        world.trade_by_hand(market, pair.symbol, side, quantity, reduce_only=market is Market.PERP)


def _jump(world: World, incident: PriceJump, pair: BasisPair) -> None:
    for each in world.market_data.pairs if incident.everywhere else (pair,):
        world.shock(each.symbol, incident.factor)


def _move_money(world: World, incident: OwnerTransfer | Flow) -> None:
    if isinstance(incident, Flow):
        world.deposit(incident.wallet, QUOTE_ASSET, (_free(world, incident.wallet) * incident.fraction).quantize(CENT))
        return
    source = Wallet.SPOT if incident.direction is TransferDirection.SPOT_TO_PERP else Wallet.PERP
    amount = (_free(world, source) * incident.fraction).quantize(CENT)
    if amount:
        world.transfer_by_hand(amount, incident.direction)


def _free(world: World, wallet: Wallet) -> Decimal:
    account = world.account()
    return account.spot_usdt if wallet is Wallet.SPOT else account.perp.transferable
