"""Instruments and commission rates: the pairs of both markets, refreshed by age."""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from hedgerow.aster.cached_read import CachedRead
from hedgerow.aster.client import AsterClient
from hedgerow.aster.schema.convert import DOCUMENTED_FEES, fees_of, instrument_of
from hedgerow.aster.schema.market_rows import Rows, SymbolRow
from hedgerow.domain.errors import VenueError
from hedgerow.domain.instrument import BasisPair, FeeRates, Instrument, Market, TradingStatus
from hedgerow.domain.money import ZERO
from hedgerow.ports import Clock
from hedgerow.tasks import all_of

__all__ = ["Listing"]

LISTING_SECONDS, FEES_SECONDS = 600.0, 86_400.0
FEES_RETRY_SECONDS = 600.0
GONE_SECONDS = 120.0
FIRST_LOOK_SECONDS = 30.0
"""Pause before a listing that lacks what other replies show is read again: doubled each time."""
MOST_DOUBLINGS = 10


class Listing:
    """Pairs with their filters and fees.

    The account's commission is read for the first listed pair, which stands for all of them, and for each symbol of
    interest by itself; until it is readable, the documented base fees count.

    A symbol whose row cannot be read stays as it was. So does one that is missing from the list, until it has been
    missing for ``GONE_SECONDS``: one short reply delists nothing. The spot market lists only what trades, so a spot
    symbol whose perpetual is listed as not trading is gone at once.

    A listing that lacks symbols which have mark and books is soon read again: the first one has none before it.
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
        self._hidden: dict[Market, frozenset[str]] = dict.fromkeys(Market, frozenset())
        self._missing_since: dict[tuple[Market, str], float] = {}
        self._kept: dict[str, BasisPair] = {}
        """Pairs as they were, of symbols that are listed on both markets and whose rows make no pair now."""
        self._rows: tuple[Mapping[str, SymbolRow], ...] = ({}, {})
        self._shown: frozenset[str] = frozenset()
        """Symbols that have a mark, and a book on both markets."""
        self._looks = 0
        self._judged: list[Mapping[str, SymbolRow]] = [{}, {}]
        """The listings that were held against what is shown last."""
        self._made_of: tuple[object, ...] = ()
        """The listings, and what else the pairs were made of."""

    def care_about(self, symbols: Iterable[str]) -> None:
        """Read the exact commission of these symbols, and show them even when their spot market is gone."""
        self._interesting.update(symbols)

    def traded(self, symbols: frozenset[str]) -> None:
        """Take over which symbols have a mark and both books: a listing that lacks one of them is read again soon."""
        if symbols != self._shown:
            self._shown, self._judged = symbols, [{}, {}]
        self._look_again()

    def _look_again(self) -> None:
        """Let readings that lack a symbol be followed by another one, with pauses that double."""
        listed = [info.known or {} for info in self._infos.values()]
        if all(new is judged for new, judged in zip(listed, self._judged, strict=True)):
            return
        self._judged = listed
        if all(self._shown <= rows.keys() for rows in listed):
            self._looks = 0
            return
        pause = min(FIRST_LOOK_SECONDS * 2.0 ** min(self._looks, MOST_DOUBLINGS), LISTING_SECONDS)
        self._looks += 1
        for info in self._infos.values():
            info.hasten(pause)

    def expire(self) -> None:
        """Read the listing again at the next request; what is known stays until that succeeds."""
        for info in self._infos.values():
            info.hasten()

    async def pairs(self) -> Mapping[str, BasisPair]:
        """Return every pair by symbol, in the venue's order; the same mapping until something changes.

        A pair that vanished from the venue's list stays, unlisted.

        Raises:
            VenueError: the listing cannot be read.
        """
        spot, perp = await all_of(self._infos[Market.SPOT].get(), self._infos[Market.PERP].get())
        for market in {market for market, _ in self._missing_since}:
            self._infos[market].hasten()
        await self._renew_fees([symbol for symbol in perp if symbol in spot])
        made_of = (frozenset(self._interesting), *self._fees.values(), *self._typical.values())
        if spot is not self._rows[0] or perp is not self._rows[1] or made_of != self._made_of:
            self._pairs = self._build(spot, perp)
            self._rows, self._made_of = (spot, perp), made_of
        return self._pairs

    async def pair(self, symbol: str, *, fresh: bool) -> BasisPair:
        """Return one pair; ``fresh`` reads both listings again first.

        Raises:
            VenueError: the listing cannot be read, or shows neither the pair nor what is left of it.
        """
        self.care_about((symbol,))
        if fresh:
            await all_of(*(info.read_now() for info in self._infos.values()))
        pair = (await self.pairs()).get(symbol)
        listed = any(symbol in (info.known or {}) for info in self._infos.values())
        if pair is None or not listed:
            raise VenueError(f"{symbol}: the exchange lists no such pair")
        if self._is_unsure(symbol):
            raise VenueError(f"{symbol}: the exchange's newest listing has no row of it that can be read")
        return pair

    @property
    def perpetuals(self) -> frozenset[str] | None:
        """Every perpetual of the newest listing, whatever its state; None before the first."""
        known = self._infos[Market.PERP].known
        return None if known is None else frozenset(known) | self._hidden[Market.PERP]

    async def renew(self, ahead_seconds: float) -> None:
        """Read again what falls due soon."""
        await all_of(*(info.renew(ahead_seconds) for info in self._infos.values()))
        self._look_again()

    @property
    def exact(self) -> frozenset[tuple[Market, str]]:
        """The instruments whose own commission was read."""
        return frozenset(self._fees)

    def _timed_info(self, market: Market) -> CachedRead[Mapping[str, SymbolRow]]:
        async def read() -> Mapping[str, SymbolRow]:
            return self._symbols(market, await self._client.listing(market))

        return CachedRead(self._clock, read, seconds=LISTING_SECONDS)

    def _symbols(self, market: Market, found: Rows[SymbolRow]) -> Mapping[str, SymbolRow]:
        """Return what is listed: the readable rows, and as they were those that are missing only since lately.

        Raises:
            VenueError: nothing is listed any more.
        """
        before = self._infos[market].known or {}
        if before and not found.rows:
            raise VenueError(f"the exchange lists no symbol on its {market} market any more")
        rows = {row.symbol: row for row in found.rows}
        absent = frozenset(before) - rows.keys() - found.unreadable
        hidden = found.unreadable | (absent if found.nameless else frozenset[str]())
        now = self._clock.monotonic()
        since = {(market, symbol): self._missing_since.get((market, symbol), now) for symbol in absent - hidden}
        lately = {key: at for key, at in since.items() if now - at < GONE_SECONDS}
        others = {key: at for key, at in self._missing_since.items() if key[0] is not market}
        self._missing_since = {**others, **lately}
        self._hidden[market] = hidden
        stays = hidden | {symbol for _, symbol in lately}
        return {**rows, **{symbol: row for symbol, row in before.items() if symbol in stays}}

    def _is_unsure(self, symbol: str) -> bool:
        """Return whether the newest listing hides a symbol, misses it since lately, or shows rows that make no pair."""
        perp = (self._infos[Market.PERP].known or {}).get(symbol)
        spot = self._spot_row(symbol, self._infos[Market.SPOT].known or {}, perp)
        return symbol in self._kept or any(
            symbol in self._hidden[market] or (row is not None and (market, symbol) in self._missing_since)
            for market, row in ((Market.SPOT, spot), (Market.PERP, perp))
        )

    def _spot_row(self, symbol: str, spot: Mapping[str, SymbolRow], perp: SymbolRow | None) -> SymbolRow | None:
        """Return a symbol's row on the spot market, None for one that is gone from its list."""
        missing = (Market.SPOT, symbol) in self._missing_since
        stopped = perp is not None and perp.status != TradingStatus.TRADING
        return None if missing and stopped else spot.get(symbol)

    def _build(self, spot: Mapping[str, SymbolRow], perp: Mapping[str, SymbolRow]) -> dict[str, BasisPair]:
        built: dict[str, BasisPair] = {}
        for symbol, row in perp.items():
            pair = self._pair(self._spot_row(symbol, spot, row), row)
            if pair is not None:
                built[symbol] = pair
        others = {symbol: pair for symbol, pair in self._pairs.items() if symbol not in built}
        spots = {symbol: self._spot_row(symbol, spot, perp.get(symbol)) for symbol in others}
        self._kept = {symbol: pair for symbol, pair in others.items() if symbol in perp and spots[symbol] is not None}
        gone = {symbol: pair for symbol, pair in others.items() if symbol not in self._kept}
        return {**built, **self._kept, **{s: self._left_of(pair, spots[s]) for s, pair in gone.items()}}

    def _left_of(self, pair: BasisPair, spot: SymbolRow | None) -> BasisPair:
        """Return a pair whose perpetual is not listed any more: closed, and its coins on the grid of the present."""
        leg = self._instrument(Market.SPOT, spot) if spot else None
        closed = _closed(pair)
        return replace(closed, spot=leg) if leg is not None and leg.base == pair.base else closed

    def _pair(self, spot: SymbolRow | None, perp: SymbolRow) -> BasisPair | None:
        if perp.contract_type not in {"", "PERPETUAL"} or (spot and spot.base_asset != perp.base_asset):
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
        spot = replace(perp, market=Market.SPOT, status=TradingStatus.UNLISTED, fees=self._typical[Market.SPOT])
        return BasisPair(spot=replace(spot, price_down=ZERO, price_up=ZERO), perp=perp)

    async def _renew_fees(self, listed: list[str]) -> None:
        if self._client.signer is None or not listed:
            return
        wanted = [listed[0], *(symbol for symbol in listed[1:] if symbol in self._interesting)]
        now = self._clock.monotonic()
        due = [(m, s) for m in Market for s in wanted if now >= self._fees_due.get((m, s), 0.0)]
        await all_of(*(self._read_fee(market, symbol, listed[0]) for market, symbol in due))

    async def _read_fee(self, market: Market, symbol: str, typical: str) -> None:
        key = (market, symbol)
        try:
            fees = fees_of(await self._client.commission(market, symbol))
        except VenueError:
            # The venue is known to fail signed spot reads for weeks (docs/aster-api.md 13, Q1); trading goes on.
            self._fees_due[key] = self._clock.monotonic() + FEES_RETRY_SECONDS
            return
        self._fees[key] = fees
        self._fees_due[key] = self._clock.monotonic() + FEES_SECONDS
        if symbol == typical:
            self._typical[market] = fees


def _closed(pair: BasisPair) -> BasisPair:
    return BasisPair(
        spot=replace(pair.spot, status=TradingStatus.UNLISTED), perp=replace(pair.perp, status=TradingStatus.UNLISTED)
    )
