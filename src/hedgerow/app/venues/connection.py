"""The connection of a session to its venue: paper, dry run and live differ in this value and in nothing else."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias

from msgspec import Struct

from hedgerow.dashboard.outlook import ProcessHealth
from hedgerow.engine.notices import Observer
from hedgerow.ports import Clock, NotificationSource, Store, Venue

__all__ = ["OpenConnection", "VenueAccess", "VenueConnection", "at_once"]

OpenConnection: TypeAlias = Callable[[Store, bool], AbstractAsyncContextManager[tuple[str, ...]]]
"""Opens the connection while its context lasts and yields warnings for the user; gets the log of earlier runs, and
whether the connection is for a long run."""


@asynccontextmanager
async def at_once(store: Store, stay: bool) -> AsyncGenerator[tuple[str, ...]]:  # noqa: FBT001 - the shape of Attend
    """Open a connection that needs no opening."""
    del store, stay
    yield ()


class VenueConnection(Struct, frozen=True, kw_only=True):
    """An exchange that a session can trade on."""

    venue: Venue
    clock: Clock
    open_connection: OpenConnection = at_once
    observers: Sequence[Observer] = ()
    """Observers of the bot that belong to the venue."""
    notices: tuple[str, ...] = ()
    mail_seconds: float = 1.0
    """How often a waiting bot looks for requests, on this clock."""
    notifications: NotificationSource | None = None
    """Source of the venue's notifications."""
    report_to: Callable[[Callable[[str], None]], None] = lambda _: None
    """Sets the function that shows the user lines about the open connection."""
    health: Callable[[], ProcessHealth] = ProcessHealth
    """How the connection is once it is open: request budget, streams, expiry of the key."""
    poll_seconds: float = 0.0
    """How often the guard reads the account without a notification, on this clock; 0 = never."""


class VenueAccess(Struct, frozen=True, kw_only=True):
    """One account of one exchange, not connected yet."""

    account: str
    """What is locked while a session lasts; only its hash is ever written."""
    connect: Callable[[], VenueConnection]
    """Called by the holder of the lock. Raises ConfigError or StoreError when its files cannot be used."""
