"""A folder of Parquet files as market data: real hourly prices and settled funding, each from when it was known.

What is known when: an hour's close from the end of its hour; a settled rate from its own time, jitter included; the
predicted rate is computed from closes and prints known by then. Which venue a series comes from, and which pairs take
part, is decided once for the whole window.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.errors import HistoryError
from hedgerow.domain.funding import FundingRate, last_settlement, next_settlement
from hedgerow.domain.instrument import BasisPair, FeeRates, Market
from hedgerow.history.grids import Captures, basis_pair, declared_liquidity, declared_volume, load_captures
from hedgerow.history.parquet import (
    FUNDING_FILE,
    PRICES_FILE,
    ParquetRows,
    read_rows,
    symbols_of,
    time_range,
    unplaced_rows_in,
)
from hedgerow.history.quality import (
    Doubt,
    Gap,
    clean_closes,
    clean_prints,
    doubtful_closes,
    doubtful_prints,
    gaps_between,
    unusable_closes,
    unusable_prints,
    utc_text,
)
from hedgerow.history.series import (
    HOUR_MS,
    MAX_HELD_MS,
    FundingSeries,
    PriceSeries,
    at_ms,
    funding_from_premium,
    to_ms,
)
from hedgerow.ports import Liquidity, MarketPrices

__all__ = ["FUNDING_WARM_UP_DAYS", "ArchiveMarketData"]

DAY_MS = 24 * HOUR_MS
PREFERRED_VENUES = ("aster", "binance")
"""First choice first; any other venue comes after these, by name."""
LONGEST_WINDOW_DAYS = 36_525.0
FUNDING_WARM_UP_DAYS = 40.0
"""120 prints of 8 h: more than 60 are left even after the longest hole of the known archives (17 days)."""
MOST_GAPS_LISTED = 3
"""So many gaps of a pair are announced one by one."""
MOST_PAIRS_LISTED = 3
"""So many pairs with a doubt of one kind have a line each; more have one together."""
MOST_NAMES = 20
"""So many symbols are listed where one is unknown."""
QUOTES = ("USDT", "USDC", "USD")
LEAST_LIKENESS = 0.6
"""Of the coin of a symbol that is suggested, from 0 to 1: a letter of four may be wrong."""
RATE_DIGITS = 8
"""Decimals of a published rate."""

Cleaned = TypeVar("Cleaned")


class _Window(Struct, frozen=True, kw_only=True):
    start_ms: int
    end_ms: int


class _PairHistory(Struct, frozen=True, kw_only=True):
    """Everything the tape knows of one pair."""

    pair: BasisPair
    prices: PriceSeries
    prices_from: str
    funding: FundingSeries
    funding_from: str
    left_out: tuple[str, ...] = ()
    """Rows of the files that are no price or rate, in words."""
    doubts: tuple[Doubt, ...] = ()
    """What is played and deserves a look."""

    @property
    def source(self) -> str:
        return f"funding {self.funding_from}, prices {self.prices_from}"


class ArchiveMarketData:
    """Market history of one window; implements ``ports.MarketData``."""

    def __init__(
        self,
        asked: _Window,
        window: _Window,
        histories: Sequence[_PairHistory],
        skipped: Mapping[str, str],
        unplaced: Sequence[str],
        directory: Path,
    ) -> None:
        self._directory = directory
        self._asked = asked
        self._window = window
        self._unplaced = tuple(unplaced)
        """Rows of the files that belong to no series, in words."""
        self._histories = {each.pair.symbol: each for each in histories}
        self._pairs = tuple(each.pair for each in histories)
        self.skipped = skipped
        """Symbols of the archive that do not take part, with the reason."""
        self._estimates: dict[str, tuple[tuple[int, int, int], FundingRate]] = {}
        """By symbol, the newest estimate of its next rate, and what it follows from: see ``predicted``."""

    @classmethod
    def load(  # noqa: PLR0913 - keyword-only, and each is one choice of what is read
        cls,
        directory: Path,
        *,
        start: datetime,
        days: float,
        warm_up_days: float = FUNDING_WARM_UP_DAYS,
        symbols: Sequence[str] | None = None,
        exchange: str | None = None,
        fees: FeeRates | None = None,
    ) -> "ArchiveMarketData":
        """Read ``days`` from ``start``, and ``warm_up_days`` of settled funding before it where they exist.

        A window that runs past the data is shortened to it; ``start`` and ``end`` say what is left. ``symbols`` are the
        pairs to read (None = all), ``exchange`` is the venue of their funding (None = the preferred one of each pair),
        ``fees`` are charged on both markets instead of the venue's.

        Raises:
            HistoryError: the directory or a file is missing or unreadable, a symbol or the exchange is in none of them,
                or the window holds no usable pair.
        """
        asked = window = _asked_window(start, days)
        if not directory.is_dir():
            found = "a file, not a directory" if directory.exists() else "no such directory"
            raise HistoryError(f"{directory}: {found}; it should hold {FUNDING_FILE} and {PRICES_FILE}")
        prices = read_rows(directory / PRICES_FILE, first_ms=window.start_ms - DAY_MS, last_ms=window.end_ms - HOUR_MS)
        funding = read_rows(
            directory / FUNDING_FILE,
            first_ms=window.start_ms - int(warm_up_days * DAY_MS),
            last_ms=window.end_ms,
        )
        window = _within_data(window, prices, directory)
        if exchange is not None:
            funding = _of_exchange(exchange, funding, directory)
        known = {*symbols_of(directory / PRICES_FILE), *symbols_of(directory / FUNDING_FILE)}
        asked_for = known if symbols is None else _known_symbols(symbols, known, directory)
        captures = load_captures(directory)
        histories: list[_PairHistory] = []
        skipped: dict[str, str] = {}
        for symbol in sorted(asked_for):
            try:
                history = _history(symbol, window, prices.get(symbol, {}), funding.get(symbol, {}), captures)
                histories.append(history if fees is None else _charging(history, fees))
            except HistoryError as error:
                skipped[symbol] = str(error)
        unplaced = [str(each) for each in unplaced_rows_in(directory)]
        if not histories:
            raise HistoryError("; ".join([f"{directory}: no pair is left: {_listing(skipped)}", *unplaced]))
        return cls(asked, window, histories, skipped, unplaced, directory)

    @property
    def start(self) -> datetime:
        """First time that can be asked for."""
        return at_ms(self._window.start_ms)

    @property
    def end(self) -> datetime:
        """Last time that can be asked for."""
        return at_ms(self._window.end_ms)

    @property
    def step(self) -> timedelta:
        """Prices change on the hour."""
        return timedelta(hours=1)

    @property
    def pairs(self) -> Sequence[BasisPair]:
        """Pairs with prices and funding in the window, by symbol."""
        return self._pairs

    @property
    def sources(self) -> Mapping[str, str]:
        """The venue of each symbol's series."""
        return {symbol: history.source for symbol, history in self._histories.items()}

    @property
    def notes(self) -> Sequence[str]:
        """One line per thing to announce: a shortened window, skipped pairs, rows left out, gaps, what is in doubt."""
        notes = list(self._unplaced)
        if self._asked != self._window:
            reach = f"{utc_text(self._window.start_ms)} to {utc_text(self._window.end_ms)} UTC"
            notes.append(f"the data reach only part of the window asked for; it runs from {reach}")
        notes += [f"{symbol} skipped: {reason}" for symbol, reason in self.skipped.items()]
        for symbol, history in self._histories.items():
            notes += [f"{symbol}: {text}" for text in history.left_out]
            notes += [f"{symbol}: no readable price {text}" for text in _stretches(self.gaps(symbol))]
        doubts = _doubts({symbol: history.doubts for symbol, history in self._histories.items()})
        if doubts:
            notes += doubts
            notes.append(
                f"What looks wrong is played all the same; hedgerow data check --data {self._directory} lists all of it"
            )
        return notes

    def series(self, symbol: str) -> tuple[PriceSeries, FundingSeries]:
        """Return all that is known of a pair: its closes, and its settled rates."""
        history = self._histories[symbol]
        return history.prices, history.funding

    def predicts_by_premium(self, symbol: str) -> bool:
        """Return whether the next rate is estimated from the premium; else the newest settled rate is used."""
        history = self._histories[symbol]
        return history.prices_from == history.funding_from

    def gaps(self, symbol: str) -> Sequence[Gap]:
        """Return the stretches of the window in which the pair's prices are unreadable."""
        known, window = self._histories[symbol].prices.known, self._window
        return gaps_between(known, start_ms=window.start_ms, end_ms=window.end_ms, longest_ms=MAX_HELD_MS)

    def prices(self, symbol: str, at: datetime) -> MarketPrices | None:
        """Return the newest closes known; None before the first and once they are two hours old."""
        return self._histories[symbol].prices.at(to_ms(at))

    def liquidity(self, market: Market, symbol: str, at: datetime) -> Liquidity:
        """Return the declared shape of the book; history carries none."""
        del at
        return declared_liquidity(market, self._histories[symbol].pair.base)

    def volume(self, symbol: str, at: datetime) -> Decimal:
        """Return the declared 24 h quote volume; history carries none."""
        del at
        return declared_volume(self._histories[symbol].pair.base)

    def settled(self, symbol: str, after: datetime, until: datetime) -> tuple[FundingRate, ...]:
        """Return the rates settled in ``(after, until]``, oldest first, at their real times."""
        return self._histories[symbol].funding.between(to_ms(after), to_ms(until))

    def newest_settled(self, symbol: str, at: datetime, count: int) -> tuple[FundingRate, ...]:
        """Return at most ``count`` newest rates settled at or before ``at``, oldest first."""
        return self._histories[symbol].funding.newest(to_ms(at), count)

    def predicted(self, symbol: str, at: datetime) -> FundingRate | None:
        """Return the estimate for the next settlement, from what was known at ``at``.

        The interval is that of the newest print. Where prices and funding are of one venue, the rate follows from the
        mean premium of the closes held since the last settlement by the venue's formula. Another venue's premium says
        little about this one's rate, so there the newest settled rate is used. None before the first print, while
        prices are unreadable, and once three settlements in a row have failed to appear.
        """
        history, now_ms = self._histories[symbol], to_ms(at)
        prints, close = history.funding.known(now_ms), history.prices.held(now_ms)
        if not prints or close is None or history.funding.is_stale(prints - 1, now_ms):
            return None
        # Settlements are on full hours: within one, the estimate changes with a new print or close alone.
        follows_from = prints, close, now_ms // HOUR_MS
        known = self._estimates.get(symbol)
        if known is None or known[0] != follows_from:
            known = self._estimates[symbol] = follows_from, self._estimate(history, prints - 1, at)
        return known[1]

    def _estimate(self, history: _PairHistory, newest_print: int, at: datetime) -> FundingRate:
        """Return the estimate for the next settlement, while prices are readable and prints are not stale."""
        newest = history.funding.rate(newest_print)
        symbol, hours, rate = newest.symbol, newest.interval_hours, newest.rate
        if self.predicts_by_premium(symbol):
            premium = history.prices.mean_premium(to_ms(last_settlement(at, hours)), to_ms(at))
            if premium is not None:
                rate = round(Decimal(funding_from_premium(symbol, premium, hours)), RATE_DIGITS)
        return FundingRate(symbol=symbol, rate=rate, interval_hours=hours, at=next_settlement(at, hours), settled=False)


def _asked_window(start: datetime, days: float) -> _Window:
    if start.tzinfo is None:
        raise HistoryError(f"the start {start.isoformat()} needs a time zone")
    if not 0 < days <= LONGEST_WINDOW_DAYS:
        raise HistoryError(f"days must be above 0 and at most {LONGEST_WINDOW_DAYS:.0f}, not {days:g}")
    try:
        end = start + timedelta(days=days)
    except OverflowError as error:
        raise HistoryError(f"{days:g} days from {start.isoformat()} is past the end of the calendar") from error
    return _Window(start_ms=to_ms(start), end_ms=to_ms(end))


def _within_data(window: _Window, prices: Mapping[str, Mapping[str, ParquetRows]], directory: Path) -> _Window:
    """Return the part of the window that the prices reach.

    Raises:
        HistoryError: there is none; says which range exists.
    """
    stamps = [rows.times_ms for by_venue in prices.values() for rows in by_venue.values()]
    if stamps:
        start_ms = max(window.start_ms, min(times[0] for times in stamps) + HOUR_MS)
        last_known = max(times[-1] for times in stamps) + HOUR_MS
        # The newest close of a window that ends within an hour is that of the hour before.
        end_ms = window.end_ms if last_known >= window.end_ms // HOUR_MS * HOUR_MS else last_known
        if start_ms < end_ms:
            return _Window(start_ms=start_ms, end_ms=end_ms)
    found = time_range(directory / PRICES_FILE)
    asked = f"{directory}: no prices from {utc_text(window.start_ms)} to {utc_text(window.end_ms)} UTC"
    if found is None:
        raise HistoryError(f"{asked}; the file holds no prices at all")
    reach = f"{utc_text(found.first_ms + HOUR_MS)} to {utc_text(found.last_ms + HOUR_MS)}"
    raise HistoryError(f"{asked}; there are prices from {reach}")


def _history(
    symbol: str,
    window: _Window,
    prices: Mapping[str, ParquetRows],
    funding: Mapping[str, ParquetRows],
    captures: Captures,
) -> _PairHistory:
    """Return a pair's history.

    Raises:
        HistoryError: the pair cannot take part; the text is the reason.
    """
    prices_from, closes = _chosen(
        "spot and perpetual prices", prices, window, clean_closes, unusable_closes, lambda c: c.open_ms + HOUR_MS
    )
    funding_from, prints = _chosen("funding", funding, window, clean_prints, unusable_prints, lambda p: p.at_ms)
    series = PriceSeries(closes)
    left_out = (*unusable_closes(prices[prices_from]), *unusable_prints(funding[funding_from]))
    price = Decimal(repr(series.spot_near(window.start_ms)))
    return _PairHistory(
        pair=basis_pair(symbol, price, captures),
        prices=series,
        prices_from=prices_from,
        funding=FundingSeries(symbol, prints),
        funding_from=funding_from,
        left_out=left_out,
        doubts=(*doubtful_closes(closes), *doubtful_prints(prints)),
    )


def _charging(history: _PairHistory, fees: FeeRates) -> _PairHistory:
    pair = history.pair
    return replace(history, pair=replace(pair, spot=replace(pair.spot, fees=fees), perp=replace(pair.perp, fees=fees)))


def _known_symbols(symbols: Sequence[str], known: Collection[str], directory: Path) -> set[str]:
    for symbol in symbols:
        if symbol not in known:
            meant = _meant(symbol, known)
            hint = f" (do you mean {meant}?)" if meant else ""
            raise HistoryError(f"{directory}: no symbol {symbol}{hint}; there are {_first_names(sorted(known))}")
    return set(symbols)


def _meant(typed: str, known: Iterable[str]) -> str | None:
    """Return the symbol that a wrong one stands for: in another case, without or with another quote, or mistyped."""
    by_base = {_base(symbol): symbol for symbol in sorted(known)}
    near = get_close_matches(_base(typed), by_base, n=1, cutoff=LEAST_LIKENESS)
    return by_base[near[0]] if near else None


def _base(symbol: str) -> str:
    """Return the coin of a symbol, however it is written: all quotes are alike in what is near a name."""
    plain = "".join(letter for letter in symbol.upper() if letter.isalnum()).removesuffix("PERP")
    return next((plain.removesuffix(quote) for quote in QUOTES if plain.endswith(quote)), plain)


def _first_names(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    return (", ".join(names[:MOST_NAMES]) or "none") + (f" and {more} more" if more > 0 else "")


def _of_exchange(
    exchange: str, funding: Mapping[str, Mapping[str, ParquetRows]], directory: Path
) -> Mapping[str, Mapping[str, ParquetRows]]:
    """Return the funding of one exchange alone.

    Raises:
        HistoryError: the window holds none of it; says of which exchanges there is some.
    """
    chosen = {symbol: {exchange: venues[exchange]} for symbol, venues in funding.items() if exchange in venues}
    if not chosen:
        found = sorted({venue for venues in funding.values() for venue in venues})
        raise HistoryError(
            f"{directory / FUNDING_FILE}: no funding of {exchange} in the window; there is some of "
            f"{', '.join(found) or 'no exchange'}"
        )
    return chosen


def _chosen(
    what: str,
    by_venue: Mapping[str, ParquetRows],
    window: _Window,
    clean: Callable[[ParquetRows], list[Cleaned]],
    unusable: Callable[[ParquetRows], Iterable[str]],
    known_ms: Callable[[Cleaned], int],
) -> tuple[str, list[Cleaned]]:
    """Return the preferred venue that covers the window, else the preferred one that has anything in it.

    A day is forgiven at either end: a short window may lie between two settlements.
    """
    present: list[tuple[str, list[Cleaned]]] = []
    for venue in sorted(by_venue, key=_preference):
        rows = clean(by_venue[venue])
        if not any(window.start_ms - DAY_MS < known_ms(row) <= window.end_ms for row in rows):
            continue
        present.append((venue, rows))
        if known_ms(rows[0]) <= window.start_ms + DAY_MS and known_ms(rows[-1]) >= window.end_ms - DAY_MS:
            return venue, rows
    if not present:
        left_out = "; ".join(text for venue in sorted(by_venue, key=_preference) for text in unusable(by_venue[venue]))
        raise HistoryError(f"no {what} in the window" + (f" ({left_out})" if left_out else ""))
    return present[0]


def _preference(venue: str) -> tuple[int, str]:
    known = venue in PREFERRED_VENUES
    return (PREFERRED_VENUES.index(venue) if known else len(PREFERRED_VENUES), venue)


def _doubts(by_symbol: Mapping[str, Sequence[Doubt]]) -> list[str]:
    """Return a line for each pair and kind, or one for a kind that many pairs have."""
    of_kind: dict[str, list[tuple[str, str]]] = {}
    for symbol, doubts in by_symbol.items():
        for doubt in doubts:
            of_kind.setdefault(doubt.kind, []).append((symbol, doubt.text))
    lines: list[str] = []
    for kind, found in of_kind.items():
        if len(found) <= MOST_PAIRS_LISTED:
            lines += [f"{symbol}: {text}" for symbol, text in found]
        else:
            symbol, text = found[0]
            names = _first_names([each for each, _ in found])
            lines.append(f"{len(found)} of {len(by_symbol)} pairs: {kind} ({names}); of {symbol}: {text}")
    return lines


def _stretches(gaps: Sequence[Gap]) -> list[str]:
    """Return a line for each gap, or one for all of many."""
    if len(gaps) <= MOST_GAPS_LISTED:
        return [f"for {_stretch(gap)}" for gap in gaps]
    longest = max(gaps, key=lambda gap: gap.hours)
    return [f"in {len(gaps)} gaps of {sum(gap.hours for gap in gaps):g} h together, the longest {_stretch(longest)}"]


def _stretch(gap: Gap) -> str:
    return f"{gap.hours:g} h from {utc_text(gap.from_ms)} UTC"


def _listing(skipped: Mapping[str, str]) -> str:
    return "; ".join(f"{symbol}: {reason}" for symbol, reason in skipped.items()) or "the files hold no symbol"
