"""A home opened for work: its settings, its account, its log, and the bot wired from them."""

import random
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.app.bot import Bot, BotParts, build_bot
from hedgerow.app.paper import PaperExchange, PaperTerms
from hedgerow.app.state_file import StateFile
from hedgerow.clock import SystemClock, VirtualClock
from hedgerow.config import Home, HomeMode, Settings, load_settings, with_overrides
from hedgerow.domain.ledger import Ledger
from hedgerow.emulator.venue import EmulatedVenue
from hedgerow.engine.moments import Listener, Warned
from hedgerow.engine.runner import RunOptions
from hedgerow.ports import Clock, Store, Venue
from hedgerow.store import guide_state
from hedgerow.store.account_lock import AccountLock
from hedgerow.store.mailbox import FolderMailbox
from hedgerow.store.sqlite import SqliteStore

__all__ = ["Session", "open_session", "read_ledger", "read_settings"]


class Session(Struct, frozen=True, kw_only=True):
    """One home, ready for a bot."""

    home: Home
    settings: Settings
    clock: Clock
    exchange: PaperExchange
    venue: Venue
    store: Store
    notices: tuple[str, ...]
    parts: BotParts

    def bot(self, listeners: Sequence[Listener] = (), options: RunOptions | None = None) -> Bot:
        """Wire the bot; call it inside the event loop."""
        heard = (*listeners, StateFile(self.home.state)) if listeners else (StateFile(self.home.state),)
        bot = build_bot(replace(self.parts, listeners=heard, options=options or self.parts.options))
        for text in self.notices:
            bot.journal.say(Warned(at=self.clock.now(), text=text))
        return bot


def read_settings(home: Home, config: Path | None, ma_periods: int | None = None) -> Settings:
    """Read the home's configuration, or the file the user named.

    Raises:
        ConfigError: it is missing though named, unreadable, or holds anything that is not allowed.
    """
    settings = load_settings(config or home.config, named=config is not None)
    return with_overrides(settings, ma_periods=ma_periods)


async def read_ledger(home: Home) -> Ledger | None:
    """Return what the home's log says, or None when there is no log yet; takes no lock and changes nothing.

    Raises:
        StoreError: the log is corrupt or newer than this version.
    """
    if not home.events.exists():
        return None
    store = SqliteStore(home.events)
    try:
        return await store.load()
    finally:
        await store.close()


@contextmanager
def open_session(
    home: Home,
    settings: Settings,
    *,
    terms: PaperTerms | None = None,
    speed: float | None = 1.0,
) -> Iterator[Session]:
    """Open a home for trading: sole holder of its account until the context ends.

    ``speed`` is virtual seconds per real second; 1 = the wall clock, None = as fast as the machine allows.

    Raises:
        ConfigError: the folder cannot be used, or another bot trades this account.
        StoreError: the log or the exchange's file is corrupt or newer than this version.
    """
    home.prepare()
    with AccountLock(f"paper:{home.exchange.resolve()}"):
        exchange = PaperExchange(home.exchange, terms or PaperTerms(), SystemClock().now)
        if not exchange.created:
            # The log's books begin with this account: it must be the same one at the next start.
            exchange.save(exchange.world)
        clock: Clock = SystemClock() if speed == 1.0 else VirtualClock(exchange.world.now, speed=speed)
        venue = EmulatedVenue(exchange.world, clock, on_change=exchange.save, name="paper exchange")
        store = SqliteStore(home.events)
        yield _session(home, settings, clock, exchange, venue, store)


def _session(
    home: Home,
    settings: Settings,
    clock: Clock,
    exchange: PaperExchange,
    venue: Venue,
    store: Store,
) -> Session:
    old = guide_state.read(home.state, at=clock.now())
    corrupt = old if isinstance(old, guide_state.CorruptState) else None
    state = old if isinstance(old, guide_state.GuideState) else None
    position = state.current_position if state else None
    parts = BotParts(
        venue=venue,
        store=store,
        clock=clock,
        parameters=settings.parameters,
        randomness=random.Random(secrets.randbits(64)),  # noqa: S311 - ids must differ between runs, not be secret
        options=RunOptions(interval_seconds=settings.parameters.position_management.loop_interval_seconds),
        dry_run=home.mode is HomeMode.DRY_RUN,
        imported=guide_state.to_import(state, clock.now()) if state else None,
        value_before=position.capital if position else None,
        mailbox=FolderMailbox(home.requests),
    )
    return Session(
        home=home,
        settings=settings,
        clock=clock,
        exchange=exchange,
        venue=venue,
        store=store,
        notices=(*settings.notices, *settings.warnings, *((_corrupt(corrupt, home.state),) if corrupt else ())),
        parts=parts,
    )


def _corrupt(found: guide_state.CorruptState, path: Path) -> str:
    kept = f"set aside as {found.set_aside.name}" if found.set_aside else "could not be set aside"
    return f"{path.name} is corrupt ({found.problem}): {kept}; rebuilt from the log and the exchange"
