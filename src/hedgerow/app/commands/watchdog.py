"""``watchdog``: cancels the resting spot orders of a bot whose heartbeat has stopped. It never trades.

The spot market has no dead-man switch. What the watchdog does is written to a file of its own, synced, before it is
sent: the event log has one writer, the bot, which finds its orders cancelled when it starts again.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from hedgerow.app.commands.books import NoLogError, archive, read_events
from hedgerow.app.heartbeat import Beat, read_beat
from hedgerow.app.venues.live import credentials_of
from hedgerow.app.venues.select import environment_of
from hedgerow.config import Home
from hedgerow.domain import events as ev
from hedgerow.domain.commands import CancelOrder, PlaceOrder
from hedgerow.domain.errors import StoreError, VenueError
from hedgerow.domain.events import Event
from hedgerow.domain.formats import utc_second
from hedgerow.domain.instrument import Market
from hedgerow.engine.runner import StopSignal
from hedgerow.ports import Clock, Venue

__all__ = ["Pulse", "Watchdog", "WatchdogLog", "resting_candidates"]

LOOK_SECONDS = 1.0
SWEEP_SECONDS = 10.0
LANDING_SECONDS = 120.0
"""How long after the bot's last heartbeat its orders may still arrive (docs/aster-api.md 2: a nonce is valid for a
minute); they are looked for until then."""


class Pulse(StrEnum):
    """State of the heartbeat."""

    ALIVE = "alive"
    QUIET = "quiet"
    """No beat since the last reading, but not for long."""
    DEAD = "dead"
    ABSENT = "absent"
    """No file: no bot is meant to run here, or it ended regularly."""


class WatchdogLog:
    """Lines with their time, on screen and on disk; a line is synced before its action is carried out."""

    def __init__(self, path: Path, clock: Clock, show: Callable[[str], None]) -> None:
        self._path = path
        self._clock = clock
        self._show = show

    def write(self, text: str) -> None:
        """Write and show one line.

        Raises:
            StoreError: it cannot be written.
        """
        line = f"{utc_second(self._clock.now())} {text}"
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreError(f"{self._path} cannot be written: {error.strerror or error}") from error
        self._show(line)


class _Watch(Struct, kw_only=True):
    """The last reading of the heartbeat."""

    beat: Beat | None
    changed_at: float
    """Monotonic seconds of this process: no other clock is compared."""


class Watchdog:
    """Watches one live home."""

    def __init__(self, home: Home, clock: Clock, log: WatchdogLog, *, after_seconds: float) -> None:
        """Prepare; the credentials are checked now, because they must work when the bot has crashed.

        Raises:
            ConfigError: there are none, or they cannot be used.
        """
        credentials_of(home, environment_of(home))
        self._home = home
        self._clock = clock
        self._log = log
        self._after = after_seconds
        self._watch = _Watch(beat=read_beat(home.heartbeat), changed_at=clock.monotonic())

    def look(self) -> Pulse:
        """Return the state of the heartbeat now."""
        beat, now = read_beat(self._home.heartbeat), self._clock.monotonic()
        if beat is None and not self._home.heartbeat.exists():
            self._watch = _Watch(beat=None, changed_at=now)
            return Pulse.ABSENT
        if beat != self._watch.beat:
            self._watch = _Watch(beat=beat, changed_at=now)
            return Pulse.ALIVE
        return Pulse.DEAD if now - self._watch.changed_at >= self._after else Pulse.QUIET

    async def run(self, stop: StopSignal, *, once: bool = False) -> Pulse:
        """Watch until stopped; with ``once`` until the bot's state is known and what it left is cancelled.

        Raises:
            StoreError: the watchdog's own log cannot be written.
        """
        pulse = Pulse.QUIET
        while not stop():
            pulse = self.look()
            if pulse is Pulse.DEAD:
                await self._clean_up(stop, once=once)
            if once and pulse is not Pulse.QUIET:
                break
            await stop.wait(self._clock, LOOK_SECONDS)
        return pulse

    async def _clean_up(self, stop: StopSignal, *, once: bool) -> None:
        """Alarm, and cancel until no order of the bot can arrive any more, or the bot runs again."""
        pid = self._watch.beat.pid if self._watch.beat else "?"
        self._log.write(f"ALARM: the bot (process {pid}) has been silent for {self._after:.0f} s")
        silent_at, swept = self._clock.monotonic(), False
        while not stop() and self.look() is Pulse.DEAD:
            expected = self._clock.monotonic() < silent_at + LANDING_SECONDS and not once
            if expected or not swept:
                swept = await self._sweep()
                if once and swept:
                    return
            await stop.wait(self._clock, SWEEP_SECONDS)
        if not stop():
            self._log.write("the bot's heartbeat is back, or the bot ended regularly")

    async def _sweep(self) -> bool:
        """Cancel resting orders; return whether all could be read and none is left."""
        try:
            events = await read_events(self._home, recent=True)
            async with self._connect(events) as venue:
                return await self._cancel(venue, events)
        except NoLogError:
            return True
        except (VenueError, StoreError) as error:
            self._log.write(f"ALARM: resting orders could not be read ({error}); trying again")
            return False

    def _connect(self, events: Sequence[Event]) -> AbstractAsyncContextManager[Venue]:
        return archive(self._home, events, self._clock)

    async def _cancel(self, venue: Venue, events: Iterable[Event]) -> bool:
        symbols, own = resting_candidates(events)
        clean = True
        for symbol in symbols:
            for order in await venue.open_orders(symbol):
                if order.client_id not in own:
                    continue
                if self.look() is not Pulse.DEAD:
                    return True
                self._log.write(f"cancelling spot order {order.client_id} on {symbol}")
                command = CancelOrder(market=Market.SPOT, symbol=symbol, client_id=order.client_id)
                for event in await venue.submit(command):
                    ended = isinstance(event, ev.OrderEnded)
                    clean = clean and ended
                    self._log.write(f"{order.client_id}: {'cancelled' if ended else f'not cancelled ({event})'}")
        return clean


def resting_candidates(events: Iterable[Event]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the symbols on which an order of the bot may rest on spot, and the client ids of all its spot orders."""
    own: dict[str, str] = {}
    ended: set[str] = set()
    for event in events:
        match event:
            case ev.CommandIssued(command=PlaceOrder(order=order)) if order.market is Market.SPOT:
                own[order.client_id] = order.symbol
            case ev.OrderEnded():
                ended.add(event.client_id)
            case _:
                pass
    unfinished = {symbol for client_id, symbol in own.items() if client_id not in ended}
    return tuple(sorted(unfinished)), frozenset(own)
