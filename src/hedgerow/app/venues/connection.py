"""The connection of a session to its venue: paper, dry run and live differ in this value and in nothing else."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias

from msgspec import Struct

from hedgerow.engine.notices import Observer
from hedgerow.ports import Clock, NotificationSource, Store, Venue

__all__ = ["OpenConnection", "VenueAccess", "VenueConnection", "at_once"]

OpenConnection: TypeAlias = Callable[[Store, bool], AbstractAsyncContextManager[tuple[str, ...]]]
"""Opens the way for as long as its context lasts and yields what its user should be told; given the log of earlier
runs, and whether the visit is a long one."""


@asynccontextmanager
async def at_once(store: Store, stay: bool) -> AsyncGenerator[tuple[str, ...]]:  # noqa: FBT001 - the shape of Attend
    """Open a way that needs no opening."""
    del store, stay
    yield ()


class VenueConnection(Struct, frozen=True, kw_only=True):
    """An exchange within reach."""

    venue: Venue
    clock: Clock
    open_connection: OpenConnection = at_once
    observers: Sequence[Observer] = ()
    """Who on this side wants to know what the bot does."""
    notices: tuple[str, ...] = ()
    mail_seconds: float = 1.0
    """How often a waiting bot looks for requests, on this clock."""
    notifications: NotificationSource | None = None
    """What the venue tells by itself."""
    report_to: Callable[[Callable[[str], None]], None] = lambda _: None
    """Takes what shows the user a line about the connection, for lines that come while it is open."""
    poll_seconds: float = 0.0
    """How often the guard looks while no news come, on this clock; 0 = never."""


class VenueAccess(Struct, frozen=True, kw_only=True):
    """One account of one exchange, not touched yet."""

    account: str
    """What is locked while a session lasts; only its hash is ever written."""
    connect: Callable[[], VenueConnection]
    """Called by the holder of the lock. Raises ConfigError or StoreError when its files cannot be used."""
