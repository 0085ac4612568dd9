"""`data download`: reads market history of the exchange into a folder, resumable, within its rate limits."""

import gzip
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from msgspec import Struct

from hedgerow.app.venues.environment import Environment
from hedgerow.app.venues.live import live_exchange
from hedgerow.aster import AsterClient, KlineSeries
from hedgerow.aster.market.price_history import PriceHistory, Series
from hedgerow.aster.schema.market_rows import FundingInfoRow, SymbolRow, from_millis, listed_rows, to_millis
from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.errors import ConfigError, HistoryError, Rejected
from hedgerow.domain.formats import utc_minute
from hedgerow.domain.instrument import Market
from hedgerow.history.arrow import load_arrow
from hedgerow.history.market_files import MarketFiles, Part, SeriesName, Span
from hedgerow.ports import Clock
from hedgerow.store.account_lock import FolderLock
from hedgerow.store.files import replace_file

__all__ = [
    "EXCHANGE",
    "DownloadPlan",
    "DownloadResult",
    "Listed",
    "Progress",
    "download",
    "listed_symbols",
    "writable_folder",
]

EXCHANGE: Final = "aster"
HOUR: Final = timedelta(hours=1)
YEAR: Final = timedelta(days=365)
PERPETUAL: Final = "PERPETUAL"
TRADING: Final = "TRADING"
TEST: Final = "TEST"
"""Symbols that begin with it are never traded (docs/aster-api.md 5.1)."""
SYMBOL: Final = re.compile(r"\w{2,40}")
CAPTURES: Final = "aster"
"""Folder of the replies that are kept as they came, with the name that the demo and the emulator look for."""
Progress = Callable[[str, int, int], None]
"""Gets what is read now, and how many series of how many are done."""


class DownloadPlan(Struct, frozen=True, kw_only=True):
    """What to download."""

    folder: Path
    symbols: tuple[str, ...] | None = None
    """None = every pair that trades on both markets."""
    start: datetime | None = None
    """None = a year before the end."""
    end: datetime | None = None
    """Excluded; None = the newest hour that is over."""


class DownloadResult(Struct, frozen=True, kw_only=True):
    """What was downloaded."""

    symbols: tuple[str, ...]
    start: datetime
    end: datetime
    read: int
    """Series that were read; the others were there."""
    failed: tuple[str, ...]
    """One line for each series that the exchange refused."""


class Listed(Struct, frozen=True, kw_only=True):
    """The symbols of an exchange that a bot could hedge with."""

    perpetuals: Mapping[str, SymbolRow]
    spots: Mapping[str, SymbolRow]

    @property
    def pairs(self) -> tuple[str, ...]:
        """Symbols that trade on both markets, sorted."""
        both = (name for name, row in self.perpetuals.items() if row.status == TRADING and name in self.spots)
        return tuple(sorted(name for name in both if self.spots[name].status == TRADING and not name.startswith(TEST)))

    def chosen(self, symbols: Sequence[str] | None) -> tuple[str, ...]:
        """Return the symbols asked for, or all pairs.

        Raises:
            ConfigError: one of them is not listed.
        """
        for symbol in symbols or ():
            if symbol not in self.perpetuals:
                near = get_close_matches(symbol, self.perpetuals, n=3, cutoff=0.6)
                hint = f"near it are {', '.join(near)}" if near else f"there are {len(self.perpetuals)} others"
                raise ConfigError(f"--symbols {symbol}: the exchange lists no such perpetual; {hint}")
        chosen = self.pairs if symbols is None else tuple(dict.fromkeys(symbols))
        if not chosen:
            raise ConfigError("--symbols: no pair trades on both markets now; name the perpetuals to read")
        return chosen


def writable_folder(option: str, folder: Path) -> Path:
    """Return a folder that files can be written to; it is made where it is missing.

    Raises:
        ConfigError: it cannot be.
    """
    probe = folder / ".writable"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigError(f"{option} {folder} cannot be written: {error.strerror or error}") from error
    return folder


async def download(
    plan: DownloadPlan, environment: Environment, show: Callable[[str], None], progress: Progress
) -> DownloadResult:
    """Read what is missing and merge it with what is there.

    Raises:
        ConfigError: window, symbols, folder or hosts cannot be used.
        HistoryError: files of the folder cannot be read or written, or pyarrow is missing.
        VenueError: the exchange cannot be read; what was read is kept and need not be read again.
    """
    load_arrow()
    source = environment.hosts().futures_rest
    folder = writable_folder("--data", plan.folder)
    with FolderLock(folder):
        files = MarketFiles(folder, exchange=EXCHANGE, source=source)
        exchange = live_exchange(environment, None)
        async with exchange.connected(stay=False):
            return await _Download(plan, files, exchange.client.giving_way(), exchange.clock, show).run(progress)


async def listed_symbols(client: AsterClient, folder: Path | None = None, at: datetime | None = None) -> Listed:
    """Return what the exchange lists now; with ``folder`` and ``at`` the replies are kept in it, dated.

    Raises:
        VenueError: the exchange cannot be read.
        OSError: a reply cannot be kept.
    """
    found: dict[Market, Mapping[str, SymbolRow]] = {}
    for market, name in ((Market.PERP, "futures"), (Market.SPOT, "spot")):
        reply = await client.capture(market, "exchangeInfo")
        rows = client.listed(market, reply).rows
        found[market] = {row.symbol: row for row in rows if _is_pair(row) and SYMBOL.fullmatch(row.symbol)}
        if folder is not None and at is not None:
            _keep(folder, f"{name}_exchangeInfo", at, reply)
    perpetuals = {name: row for name, row in found[Market.PERP].items() if row.contract_type == PERPETUAL}
    return Listed(perpetuals=perpetuals, spots=found[Market.SPOT])


class _Download:
    """One download."""

    def __init__(
        self, plan: DownloadPlan, files: MarketFiles, client: AsterClient, clock: Clock, show: Callable[[str], None]
    ) -> None:
        self._plan = plan
        self._files = files
        self._client = client
        self._history = PriceHistory(client, clock, show)
        self._show = show

    async def run(self, progress: Progress) -> DownloadResult:
        now = await self._client.server_time()
        span = self._window(now)
        if self._files.parts:
            self._show(f"going on with an earlier download: {len(self._files.parts)} series of it are read")
        try:
            listed = await listed_symbols(self._client, self._files.folder, now)
            symbols = listed.chosen(self._plan.symbols)
            intervals = await self._intervals(now)
            read, failed = await self._read(symbols, listed, span, progress)
            self._files.merge(intervals)
        except OSError as error:
            place = error.filename or self._files.folder
            raise HistoryError(f"{place} cannot be written: {error.strerror or error}") from error
        return DownloadResult(
            symbols=symbols,
            start=from_millis(span.from_ms),
            end=from_millis(span.until_ms),
            read=read,
            failed=tuple(failed),
        )

    def _window(self, now: datetime) -> Span:
        """Return the whole hours to read.

        Raises:
            ConfigError: there is none.
        """
        end = now if self._plan.end is None else min(self._plan.end, now)
        start = end - YEAR if self._plan.start is None else self._plan.start
        if self._plan.end is not None and start >= self._plan.end:
            raise ConfigError(f"--end {utc_minute(self._plan.end)}: is not after --start {utc_minute(start)}")
        span = Span(from_ms=_hour(start), until_ms=_hour(end))
        if span.from_ms >= span.until_ms:
            clock = f"at the exchange it is {utc_minute(now)} UTC"
            raise ConfigError(f"--start {utc_minute(start)}: no whole hour has passed since then; {clock}")
        return span

    async def _intervals(self, now: datetime) -> dict[str, int]:
        reply = await self._client.capture(Market.PERP, "fundingInfo")
        _keep(self._files.folder, "futures_fundingInfo", now, reply)
        rows = listed_rows(reply, FundingInfoRow).rows
        return {row.symbol: row.funding_interval_hours for row in rows if row.funding_interval_hours}

    async def _read(
        self, symbols: Sequence[str], listed: Listed, span: Span, progress: Progress
    ) -> tuple[int, list[str]]:
        """Read what is missing; return how many windows of a series were read, and what was refused."""
        for symbol in symbols:
            if symbol not in listed.spots:
                self._show(f"{symbol} has no spot market at the exchange: its spot_close stays empty")
        wanted = [(symbol, series) for symbol in symbols for series in SeriesName]
        work = [
            (symbol, series, missing)
            for symbol, series in wanted
            if series is not SeriesName.SPOT or symbol in listed.spots
            for missing in self._files.missing(symbol, series, span)
        ]
        failed: list[str] = []
        for done, (symbol, series, missing) in enumerate(work):
            progress(f"{symbol} {series}", done, len(work))
            try:
                await self._piece(symbol, series, missing)
            except Rejected as refused:
                failed.append(f"{symbol} {series}: {refused}")
        progress("", len(work), len(work))
        return len(work) - len(failed), failed

    async def _piece(self, symbol: str, series: SeriesName, span: Span) -> None:
        since, until = from_millis(span.from_ms), from_millis(span.until_ms)
        if series is SeriesName.FUNDING:
            found = await self._history.settlements(symbol, since, until)
        else:
            found = await self._history.closes(KlineSeries(series), symbol, since, until)
        if found.unreadable:
            self._show(f"{symbol} {series}: {found.unreadable} rows of the exchange cannot be read and are left out")
        self._files.add(_part(symbol, series, span, found))


def _part(symbol: str, series: SeriesName, span: Span, found: Series) -> Part:
    if series is SeriesName.FUNDING:
        times, values = (each.at_ms for each in found.settlements), (each.rate for each in found.settlements)
    else:
        times, values = (each.open_ms for each in found.closes), (each.close for each in found.closes)
    is_traded = series in {SeriesName.SPOT, SeriesName.PERP}
    return Part(
        symbol=symbol,
        series=series,
        span=span,
        times_ms=tuple(times),
        values=tuple(values),
        turnovers=tuple(each.quote_volume for each in found.closes) if is_traded else (),
    )


def _hour(at: datetime) -> int:
    """Return the beginning of the hour of a time, milliseconds since the epoch."""
    hour = HOUR // timedelta(milliseconds=1)
    return to_millis(at) // hour * hour


def _is_pair(row: SymbolRow) -> bool:
    return row.quote_asset == QUOTE_ASSET and row.symbol == row.base_asset + QUOTE_ASSET


def _keep(folder: Path, name: str, at: datetime, reply: bytes) -> None:
    """Keep a reply as it came, packed; the name has its day."""
    captures = folder / CAPTURES
    captures.mkdir(exist_ok=True)
    replace_file(captures / f"{name}_{at:%Y-%m-%d}.json.gz", gzip.compress(reply, mtime=0))
