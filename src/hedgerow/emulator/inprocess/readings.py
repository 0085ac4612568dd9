"""False readings: what an in-process exchange shows of an account or a market while the truth is another.

Each is a value of a fault plan (``faults.FaultPlan``). The in-process venue stands for a client that reads honestly:
where such a client notices that a reply is incomplete or contradicts itself, the view says so (``noticed``); a reply
that looks like a true one is shown as it is.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.account import QUOTE_ASSET, AccountView, PerpPosition
from hedgerow.domain.errors import VenueError
from hedgerow.domain.funding import FundingRate, RateBoard
from hedgerow.domain.instrument import BasisPair, Market, Side
from hedgerow.domain.market import Depth, Level, MarketView, MarkPrice, Quote
from hedgerow.domain.money import ZERO

__all__ = [
    "AccountEndpoint",
    "AccountMutation",
    "AccountReading",
    "FalseMarketView",
    "LateFunding",
    "LateRates",
    "MarketEndpoint",
    "MarketReading",
    "MarketSubject",
    "Occasion",
    "false_account",
    "false_depth",
    "false_position",
]

CONTRADICTION = "the rows of the account do not add up to its totals"


class Occasion(Struct, frozen=True, kw_only=True):
    """When a fault applies: to ``times`` requests from the ``nth`` on, or all of ``[after, until)``."""

    nth: int = 1
    times: int = 1
    after: datetime | None = None
    until: datetime | None = None

    def applies(self, count: int, now: datetime) -> bool:
        """Return whether the ``count``-th request (from 1) is affected at ``now``."""
        if self.after is None and self.until is None:
            return self.nth <= count < self.nth + self.times
        return (self.after is None or self.after <= now) and (self.until is None or now < self.until)


class AccountEndpoint(StrEnum):
    """The reads of an account that can be false, apart from each other."""

    ACCOUNT = "account"
    """Both wallets and all positions."""
    POSITION = "position"
    """One position."""


class AccountMutation(StrEnum):
    """What is false about a reading of the account."""

    POSITION_MISSING = "position_missing"
    """The row of a position is left out."""
    POSITIONS_EMPTY = "positions_empty"
    """The list of positions is empty."""
    POSITION_SCALED = "position_scaled"
    """A position's quantity is multiplied by ``factor``."""
    BALANCE_MISSING = "balance_missing"
    """The row of a coin is left out."""
    BALANCES_EMPTY = "balances_empty"
    """The list of spot balances is empty."""
    BALANCE_SCALED = "balance_scaled"
    """A coin's balance is multiplied by ``factor``."""
    STALE = "stale"
    """The account is shown as it was read before the fault began."""


class AccountReading(Occasion, frozen=True, kw_only=True, tag="account_reading"):
    """A false reading of the account."""

    mutation: AccountMutation
    symbol: str | None = None
    """Whose position; None = every one that is held."""
    asset: str | None = None
    """Whose balance; None = every coin that is held, not USDT."""
    factor: Decimal = ZERO
    noticed: bool = True
    """Whether an honest client notices: a row of before is missing, totals contradict rows, the time is old."""
    endpoints: tuple[AccountEndpoint, ...] = (AccountEndpoint.ACCOUNT,)


class MarketEndpoint(StrEnum):
    """The reads of a market that can be false, apart from each other."""

    MARKET = "market"
    """The whole market."""
    DEPTH = "depth"
    """One book."""


class MarketSubject(StrEnum):
    """What is false about a reading of the market."""

    BID = "bid"
    ASK = "ask"
    BOOK = "book"
    """Both sides."""
    MARK = "mark"
    INDEX = "index"
    PREDICTED = "predicted"
    VOLUME = "volume"
    PAIR = "pair"
    """The listing itself; it can only be left out."""


SIDES = {MarketSubject.BID: (Side.SELL,), MarketSubject.ASK: (Side.BUY,), MarketSubject.BOOK: tuple(Side)}


class MarketReading(Occasion, frozen=True, kw_only=True, tag="market_reading"):
    """A false reading of the market."""

    subject: MarketSubject
    symbol: str | None = None
    """None = every one."""
    market: Market | None = None
    """Whose book; None = both."""
    factor: Decimal | None = None
    """By which the number is multiplied; None = it is left out."""
    endpoints: tuple[MarketEndpoint, ...] = tuple(MarketEndpoint)

    def sides(self, market: Market, symbol: str) -> tuple[Side, ...]:
        """Return the sides of a book that are false, by the orders that would take them."""
        if self.symbol not in {None, symbol} or self.market not in {None, market}:
            return ()
        return SIDES.get(self.subject, ())


class LateFunding(Struct, frozen=True, kw_only=True, tag="late_funding"):
    """Payments charged in ``[after, until)`` are listed only ``seconds`` later; the balance has them at once."""

    seconds: float
    after: datetime
    until: datetime

    def lists(self, at: datetime, now: datetime) -> bool:
        """Return whether a payment of ``at`` is listed at ``now``."""
        return not self.after <= at < self.until or now >= at + timedelta(seconds=self.seconds)


class LateRates(Struct, frozen=True, kw_only=True, tag="late_rates"):
    """Rates settled in ``[after, until)`` are listed only ``seconds`` later."""

    seconds: float
    after: datetime
    until: datetime
    symbol: str | None = None
    """None = every one."""

    def lists(self, rate: FundingRate, now: datetime) -> bool:
        """Return whether a settled rate is listed at ``now``."""
        if self.symbol not in {None, rate.symbol} or not self.after <= rate.at < self.until:
            return True
        return now >= rate.at + timedelta(seconds=self.seconds)


def false_account(
    view: AccountView, reading: AccountReading, *, before: AccountView, listed: Collection[str]
) -> AccountView:
    """Return an account as a false reading shows it.

    Args:
        view: the true account.
        reading: what is false.
        before: the account as it was last read before the fault began.
        listed: every symbol that replies list.
    """
    noticed = reading.noticed
    match reading.mutation:
        case AccountMutation.STALE:
            return before if noticed else replace(before, at=view.at)
        case AccountMutation.POSITIONS_EMPTY | AccountMutation.POSITION_MISSING:
            held = view.positions if reading.symbol is None else (reading.symbol,)
            gone = frozenset(listed) if reading.mutation is AccountMutation.POSITIONS_EMPTY else frozenset(held)
            left = {symbol: row for symbol, row in view.positions.items() if symbol not in gone}
            unreadable = view.unreadable_positions | gone if noticed else view.unreadable_positions
            return replace(view, positions=left, unreadable_positions=unreadable)
        case AccountMutation.BALANCES_EMPTY | AccountMutation.BALANCE_MISSING:
            lost = frozenset(view.spot) if reading.mutation is AccountMutation.BALANCES_EMPTY else _coins(view, reading)
            balances = {asset: row for asset, row in view.spot.items() if asset not in lost}
            unknown = view.unreadable_balances | lost if noticed else view.unreadable_balances
            return replace(view, spot=balances, unreadable_balances=unknown)
        case AccountMutation.POSITION_SCALED:
            scaled = {
                symbol: replace(row, quantity=row.quantity * reading.factor)
                for symbol, row in view.positions.items()
                if reading.symbol in {None, symbol}
            }
            return _doubted(replace(view, positions={**view.positions, **scaled}), noticed=noticed)
        case AccountMutation.BALANCE_SCALED:
            coins = {
                asset: replace(
                    view.spot[asset],
                    free=view.spot[asset].free * reading.factor,
                    locked=view.spot[asset].locked * reading.factor,
                )
                for asset in _coins(view, reading)
            }
            return _doubted(replace(view, spot={**view.spot, **coins}), noticed=noticed)


def false_position(true: PerpPosition, reading: AccountReading, *, before: PerpPosition) -> PerpPosition:
    """Return one position as a false reading shows it; ``before`` is what was read before the fault began.

    Raises:
        VenueError: its row is left out, and an honest client notices.
    """
    if reading.symbol not in {None, true.symbol}:
        return true
    match reading.mutation:
        case AccountMutation.STALE:
            return before
        case AccountMutation.POSITIONS_EMPTY | AccountMutation.POSITION_MISSING if reading.noticed:
            raise VenueError(f"{true.symbol}: the reply has no row of this position")
        case AccountMutation.POSITIONS_EMPTY | AccountMutation.POSITION_MISSING:
            return replace(true, quantity=ZERO)
        case AccountMutation.POSITION_SCALED:
            return replace(true, quantity=true.quantity * reading.factor)
        case _:
            return true


def false_depth(depth: Depth, readings: Sequence[MarketReading]) -> Depth:
    """Return one book as false readings show it."""
    levels = {side: tuple(depth.levels(side)) for side in Side}
    for reading in readings:
        for side in reading.sides(depth.market, depth.symbol):
            factor = reading.factor
            levels[side] = () if factor is None else tuple(Level(lv.price * factor, lv.quantity) for lv in levels[side])
    return replace(depth, bids=levels[Side.SELL], asks=levels[Side.BUY])


class FalseMarketView:
    """A ``MarketView`` in which some numbers are false, missing or late."""

    def __init__(
        self, true: MarketView, readings: Sequence[MarketReading] = (), late_rates: Sequence[LateRates] = ()
    ) -> None:
        self._true = true
        self._readings = readings
        self._rates = _listed_rates(true, late_rates) if late_rates else true.rates
        gone = {reading.symbol for reading in readings if reading.subject is MarketSubject.PAIR}
        self._pairs = [pair for pair in true.pairs if not gone & {None, pair.symbol}] if gone else true.pairs

    @property
    def at(self) -> datetime:
        """When it was read."""
        return self._true.at

    @property
    def pairs(self) -> Sequence[BasisPair]:
        """Every pair that is in the reply."""
        return self._pairs

    @property
    def rates(self) -> RateBoard:
        """Settled funding, as far as it is listed."""
        return self._rates

    def pair(self, symbol: str) -> BasisPair | None:
        """Return the pair, or None when it is not in the reply."""
        return next((pair for pair in self._pairs if pair.symbol == symbol), None)

    def quote(self, market: Market, symbol: str) -> Quote | None:
        """Return best bid and ask as they are shown."""
        quote: Quote | None = self._true.quote(market, symbol)
        for reading in self._readings:
            for side in reading.sides(market, symbol):
                quote = None if quote is None else _false_quote(quote, side, reading.factor)
        return quote

    def mark(self, symbol: str) -> MarkPrice | None:
        """Return mark and index as they are shown; None when either is left out."""
        mark: MarkPrice | None = self._true.mark(symbol)
        for reading in self._of(symbol, MarketSubject.MARK, MarketSubject.INDEX):
            if mark is None or reading.factor is None:
                return None
            if reading.subject is MarketSubject.MARK:
                mark = replace(mark, mark=mark.mark * reading.factor)
            else:
                mark = replace(mark, index=mark.index * reading.factor)
        return mark

    def predicted(self, symbol: str) -> FundingRate | None:
        """Return the running estimate as it is shown."""
        rate: FundingRate | None = self._true.predicted(symbol)
        for reading in self._of(symbol, MarketSubject.PREDICTED):
            if rate is None or reading.factor is None:
                return None
            rate = replace(rate, rate=rate.rate * reading.factor)
        return rate

    def volume(self, symbol: str) -> Decimal | None:
        """Return the 24 h quote volume as it is shown."""
        volume: Decimal | None = self._true.volume(symbol)
        for reading in self._of(symbol, MarketSubject.VOLUME):
            volume = None if volume is None or reading.factor is None else volume * reading.factor
        return volume

    def _of(self, symbol: str, *subjects: MarketSubject) -> list[MarketReading]:
        return [each for each in self._readings if each.subject in subjects and each.symbol in {None, symbol}]


def _listed_rates(true: MarketView, late: Sequence[LateRates]) -> RateBoard:
    """Return the board without the rates that are not listed yet; the board itself when none is missing."""
    now, settled = true.at, true.rates.settled
    listed = {
        symbol: tuple(rate for rate in rates if all(each.lists(rate, now) for each in late))
        for symbol, rates in settled.items()
    }
    return (
        true.rates
        if all(len(listed[symbol]) == len(settled[symbol]) for symbol in settled)
        else RateBoard(settled=listed)
    )


def _false_quote(quote: Quote, side: Side, factor: Decimal | None) -> Quote:
    price, quantity = (quote.ask, quote.ask_quantity) if side is Side.BUY else (quote.bid, quote.bid_quantity)
    shown = None if price is None or factor is None else price * factor
    left = ZERO if shown is None else quantity
    return (
        replace(quote, ask=shown, ask_quantity=left)
        if side is Side.BUY
        else replace(quote, bid=shown, bid_quantity=left)
    )


def _coins(view: AccountView, reading: AccountReading) -> frozenset[str]:
    """Return the assets of the spot wallet that a reading is about."""
    if reading.asset is not None:
        return frozenset({reading.asset} & view.spot.keys())
    return frozenset(asset for asset, row in view.spot.items() if asset != QUOTE_ASSET and row.total)


def _doubted(view: AccountView, *, noticed: bool) -> AccountView:
    return replace(view, doubts=(*view.doubts, CONTRADICTION)) if noticed else view
