"""Paper trading: an emulated account that survives the process, on a generated market."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from msgspec import Struct

from hedgerow.app.json_files import keep, kept
from hedgerow.app.outlook_file import read_outlook
from hedgerow.app.venues.connection import VenueAccess, VenueConnection
from hedgerow.clock import SystemClock, VirtualClock
from hedgerow.config import Home
from hedgerow.domain.funding import EPOCH
from hedgerow.emulator.core.snapshot import WorldState
from hedgerow.emulator.core.world import World
from hedgerow.emulator.inprocess.venue import EmulatedVenue
from hedgerow.emulator.markets.generated import GeneratedMarketData
from hedgerow.ports import Clock

__all__ = ["DEFAULT_USDT", "PaperExchange", "PaperTerms", "paper_clock", "paper_venue_access"]

DEFAULT_USDT = Decimal(1000)


class PaperTerms(Struct, frozen=True, kw_only=True):
    """What a new paper exchange is made from; an existing one keeps its own."""

    seed: int = 1
    usdt: Decimal = DEFAULT_USDT
    """Split over both wallets."""


class _PaperFile(Struct, frozen=True, kw_only=True):
    """The exchange on disk."""

    seed: int
    market_start: datetime
    """Where the generated market begins; with the seed it decides every price."""
    state: WorldState


class PaperExchange:
    """An emulated account kept in one file, replaced as a whole after every change."""

    def __init__(self, path: Path, terms: PaperTerms, now: Callable[[], datetime]) -> None:
        self._path = path
        found = kept(path, _PaperFile, "a paper exchange")
        begun = _midnight(now()) if found is None else found.market_start
        self._seed = terms.seed if found is None else found.seed
        self._market_start = begun
        market_data = GeneratedMarketData(seed=self._seed, start=begun)
        if found is None:
            half = terms.usdt / 2
            self.world = World(market_data, start=now(), spot={"USDT": half}, perp=half)
        else:
            self.world = World.load(market_data, found.state)

    @property
    def created(self) -> bool:
        """Whether the exchange is kept on disk yet."""
        return self._path.exists()

    def save(self, world: World) -> None:
        """Keep the account; called after every change of it.

        Raises:
            StoreError: the file cannot be written.
        """
        keep(self._path, _PaperFile(seed=self._seed, market_start=self._market_start, state=world.dump()))


def paper_venue_access(home: Home, terms: PaperTerms | None = None, speed: float | None = 1.0) -> VenueAccess:
    """Return the access to the home's paper exchange.

    ``speed`` is virtual seconds per real second; 1 = that of the wall clock, None = as fast as the machine allows.
    """

    def connect() -> VenueConnection:
        exchange = PaperExchange(home.exchange, terms or PaperTerms(), SystemClock().now)
        start = _resumed_at(home, exchange)
        if not exchange.created:
            # The log's books begin with this account: it must be the same one at the next start.
            exchange.save(exchange.world)
        clock: Clock = paper_clock(home, exchange) if speed == 1.0 else VirtualClock(start, speed=speed)
        venue = EmulatedVenue(exchange.world, clock, on_change=exchange.save, name="paper exchange")
        return VenueConnection(venue=venue, clock=clock, notifications=venue)

    return VenueAccess(account=f"paper:{home.exchange.resolve()}", connect=connect)


class _AheadClock(SystemClock):
    """The wall clock, ahead by a constant."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead

    def now(self) -> datetime:
        return super().now() + self._ahead


def paper_clock(home: Home, exchange: PaperExchange) -> SystemClock:
    """Return the wall clock, ahead by as much as the exchange's time is after a faster run.

    The time of an exchange never runs backwards: a position would be younger than zero, and a book from the future.
    """
    ahead = _resumed_at(home, exchange) - SystemClock().now()
    return _AheadClock(ahead) if ahead > timedelta() else SystemClock()


def _resumed_at(home: Home, exchange: PaperExchange) -> datetime:
    """Return the time at which the exchange continues: the log may be newer than the file's last change."""
    seen = read_outlook(home.outlook) if exchange.created else None
    return exchange.world.now if seen is None else max(exchange.world.now, seen.at)


def _midnight(at: datetime) -> datetime:
    return at - (at - EPOCH) % timedelta(days=1)
