"""What can be traded, and at which commission: pairs of both markets, kept and renewed on timers."""

import asyncio
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from hedgerow.aster.client import AsterClient
from hedgerow.aster.timed import Timed
from hedgerow.aster.translate import DOCUMENTED_FEES, fees_of, instrument_of
from hedgerow.aster.wire import SymbolRow
from hedgerow.domain.errors import VenueError
from hedgerow.domain.instrument import BasisPair, FeeRates, Instrument, Market, TradingStatus
from hedgerow.domain.money import ZERO
from hedgerow.ports import Clock

__all__ = ["Listing"]

LISTING_SECONDS, FEES_SECONDS = 600.0, 86_400.0
FEES_RETRY_SECONDS = 600.0


class Listing:
    """Pairs with their filters and fees.

    The account's commission is read for the first listed pair, which stands for all of them, and for each symbol of
    interest by itself; until it is readable, the documented base fees count.
    """

    def __init__(self, client: AsterClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._infos = {market: self._timed_info(market) for market in Market}
        self._fees: dict[tuple[Market, str], FeeRates] = {}
        self._fees_due: dict[tuple[Market, str], float] = {}
        self._typical = dict(DOCUMENTED_FEES)
        self._interesting: set[str] = set()
        self._pairs: dict[str, BasisPair] = {}
        self._made_of: tuple[object, ...] = ()

    def care_about(self, symbols: Iterable[str]) -> None:
        """Read the exact commission of these symbols, and show them even when their spot market is gone."""
        self._interesting.update(symbols)

    def expire(self) -> None:
        """Read what is listed anew when asked next; what is known stays until that succeeds."""
        for info in self._infos.values():
            info.hasten()

    async def pairs(self) -> Mapping[str, BasisPair]:
        """Return every pair by symbol, in the venue's order; the same mapping until something changes.

        A pair that vanished from the venue's list stays, closed.

        Raises:
            VenueError: the listing cannot be read.
        """
        spot, perp = await asyncio.gather(self._infos[Market.SPOT].get(), self._infos[Market.PERP].get())
        await self._renew_fees([symbol for symbol in perp if symbol in spot])
        made_of = (id(spot), id(perp), frozenset(self._interesting), *self._fees.values(), *self._typical.values())
        if made_of != self._made_of:
            self._pairs = self._build(spot, perp)
            self._made_of = made_of
        return self._pairs

    async def pair(self, symbol: str, *, fresh: bool) -> BasisPair:
        """Return one pair; ``fresh`` reads both listings again first.

        Raises:
            VenueError: the listing cannot be read, or shows neither the pair nor what is left of it.
        """
        self.care_about((symbol,))
        if fresh:
            await asyncio.gather(*(info.read_now() for info in self._infos.values()))
        pair = (await self.pairs()).get(symbol)
        listed = any(symbol in (info.known or {}) for info in self._infos.values())
        if pair is None or not listed:
            raise VenueError(f"{symbol}: the exchange lists no such pair")
        return pair

    async def renew(self, ahead_seconds: float) -> None:
        """Read again what falls due soon."""
        await asyncio.gather(*(info.renew(ahead_seconds) for info in self._infos.values()))

    @property
    def exact(self) -> frozenset[tuple[Market, str]]:
        """The instruments whose own commission was read."""
        return frozenset(self._fees)

    def _timed_info(self, market: Market) -> Timed[Mapping[str, SymbolRow]]:
        async def read() -> Mapping[str, SymbolRow]:
            return {row.symbol: row for row in await self._client.exchange_info(market)}

        return Timed(self._clock, read, seconds=LISTING_SECONDS)

    def _build(self, spot: Mapping[str, SymbolRow], perp: Mapping[str, SymbolRow]) -> dict[str, BasisPair]:
        built: dict[str, BasisPair] = {}
        for symbol, row in perp.items():
            pair = self._pair(spot.get(symbol), row)
            if pair is not None:
                built[symbol] = pair
        gone = (pair for symbol, pair in self._pairs.items() if symbol not in built)
        return {**built, **{pair.symbol: self._left_of(pair, spot.get(pair.symbol)) for pair in gone}}

    def _left_of(self, pair: BasisPair, spot: SymbolRow | None) -> BasisPair:
        """Return a pair whose perpetual is not listed any more: closed, and its coins on the grid of the present."""
        leg = self._instrument(Market.SPOT, spot) if spot else None
        closed = _closed(pair)
        return replace(closed, spot=leg) if leg is not None and leg.base == pair.base else closed

    def _pair(self, spot: SymbolRow | None, perp: SymbolRow) -> BasisPair | None:
        if perp.contract_type not in {None, "", "PERPETUAL"} or (spot and spot.base_asset != perp.base_asset):
            return None
        perp_leg = self._instrument(Market.PERP, perp)
        if perp_leg is None:
            return None
        if spot is None:
            return self._unlisted(perp_leg) if perp.symbol in self._interesting else None
        spot_leg = self._instrument(Market.SPOT, spot)
        return BasisPair(spot=spot_leg, perp=perp_leg) if spot_leg else None

    def _instrument(self, market: Market, row: SymbolRow) -> Instrument | None:
        return instrument_of(market, row, self._fees.get((market, row.symbol), self._typical[market]))

    def _unlisted(self, perp: Instrument) -> BasisPair:
        """Return the pair of a symbol we deal with whose spot market is gone from the list: there it means closed."""
        spot = replace(perp, market=Market.SPOT, status=TradingStatus.CLOSED, fees=self._typical[Market.SPOT])
        return BasisPair(spot=replace(spot, price_down=ZERO, price_up=ZERO), perp=perp)

    async def _renew_fees(self, listed: list[str]) -> None:
        if self._client.signer is None or not listed:
            return
        wanted = [listed[0], *(symbol for symbol in listed[1:] if symbol in self._interesting)]
        now = self._clock.monotonic()
        due = [(m, s) for m in Market for s in wanted if now >= self._fees_due.get((m, s), 0.0)]
        await asyncio.gather(*(self._read_fee(market, symbol, listed[0]) for market, symbol in due))

    async def _read_fee(self, market: Market, symbol: str, typical: str) -> None:
        key = (market, symbol)
        try:
            fees = fees_of(await self._client.commission(market, symbol))
        except VenueError:
            # The venue is known to fail signed spot reads for weeks (API reference, Q1); trading goes on.
            self._fees_due[key] = self._clock.monotonic() + FEES_RETRY_SECONDS
            return
        self._fees[key] = fees
        self._fees_due[key] = self._clock.monotonic() + FEES_SECONDS
        if symbol == typical:
            self._typical[market] = fees


def _closed(pair: BasisPair) -> BasisPair:
    return BasisPair(
        spot=replace(pair.spot, status=TradingStatus.CLOSED), perp=replace(pair.perp, status=TradingStatus.CLOSED)
    )
