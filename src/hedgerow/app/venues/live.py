"""The live exchange: sockets, credentials and streams, opened and closed with a session."""

import asyncio
import random
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn, Protocol

from hedgerow.app.findings.account import clock_finding
from hedgerow.app.findings.keys import Severity, agent_findings, expiry_of, refused
from hedgerow.app.venues.connection import VenueAccess, VenueConnection
from hedgerow.app.venues.environment import Environment
from hedgerow.app.venues.lockstep import AttendedTransport, LockstepClock, stands_still
from hedgerow.aster import AsterClient, AsterVenue, Credentials, Hosts
from hedgerow.aster.http.error_codes import NonceRefused
from hedgerow.aster.http.transport import HttpTransport
from hedgerow.aster.streams import AsterStreams
from hedgerow.clock import SystemClock
from hedgerow.config import Home
from hedgerow.dashboard.outlook import ProcessHealth
from hedgerow.domain.errors import ConfigError, Unauthorized, VenueError
from hedgerow.domain.events import Wallet
from hedgerow.domain.ledger.state import Ledger
from hedgerow.engine.notices import CycleEnded, Notice
from hedgerow.ports import Clock, Store, StreamTransport, Transport
from hedgerow.store.account_lock import default_lock_folder
from hedgerow.tasks import supervise

__all__ = ["Connections", "LiveExchange", "account_name", "credentials_of", "live_exchange", "live_venue_access"]

MAIL_SECONDS, MAIL_SECONDS_IN_LOCKSTEP = 1.0, 300.0
"""On a clock that the exchange is asked to move, a wait of a second costs a request; five minutes pass as quickly."""

POLL_SECONDS = 30.0
"""A poll is three signed reads, 10 weight of the futures and 5 of the spot market: two a minute are below 1 %."""


def live_venue_access(home: Home, environment: Environment, *, lockstep: bool | None = False) -> VenueAccess:
    """Return the access to the account that the credentials name; ``lockstep`` as in ``live_exchange``.

    Raises:
        ConfigError: there are no credentials, or they or the hosts cannot be used.
    """
    credentials, hosts = credentials_of(home, environment), environment.hosts()

    def connect() -> VenueConnection:
        exchange = live_exchange(environment, credentials, lockstep=lockstep)
        return VenueConnection(
            venue=exchange.venue,
            clock=exchange.clock,
            open_connection=exchange.open_connection,
            observers=(exchange,),
            notices=environment.warnings,
            mail_seconds=exchange.mail_seconds,
            notifications=exchange.venue,
            poll_seconds=exchange.poll_seconds,
            report_to=exchange.report_to,
            health=exchange.health,
        )

    return VenueAccess(account=account_name(hosts, credentials), connect=connect)


def account_name(hosts: Hosts, credentials: Credentials) -> str:
    """Return the id of an account, unique over all networks."""
    return f"aster:{hosts.chain_id}:{credentials.account}"


def credentials_of(home: Home, environment: Environment) -> Credentials:
    """Return the credentials.

    Raises:
        ConfigError: there are none; the message says how to get them.
    """
    credentials = environment.credentials()
    if credentials is None:
        raise ConfigError(
            "no credentials: create an agent without the right to withdraw at www.asterdex.com/en/api-wallet and set"
            f" API_USER, API_SIGNER and API_PRIVATE_KEY in the environment or in {home.secrets};"
            " hedgerow demo and hedgerow run --paper need none"
        )
    return credentials


def live_exchange(
    environment: Environment, credentials: Credentials | None, *, lockstep: bool | None = False
) -> "LiveExchange":
    """Return the live exchange, not connected yet; without credentials only public data can be read.

    ``lockstep``: whether its clock is that of an emulator; None = if it is one whose time stands still otherwise.

    Raises:
        ConfigError: hosts or nonces cannot be used, or the exchange's clock cannot be followed.
    """
    hosts = environment.hosts()
    sockets = HttpTransport(environment.proxy())
    patience = environment.lockstep_patience()
    lockstep = stands_still(hosts.futures_rest) if lockstep is None else lockstep
    clock: Clock = LockstepClock(hosts.futures_rest, answer_seconds=patience) if lockstep else SystemClock()
    chance = random.Random(secrets.randbits(64))  # noqa: S311 - spreads retries, nothing secret
    client = AsterClient(
        transport=AttendedTransport(sockets, clock) if isinstance(clock, LockstepClock) else sockets,
        clock=clock,
        random=chance,
        credentials=credentials,
        hosts=hosts,
        nonce_file=_nonce_file(credentials) if credentials and not credentials.legacy else None,
    )
    return LiveExchange(sockets, client, clock, chance)


class Connections(Transport, StreamTransport, Protocol):
    """The open connections to the exchange."""

    async def close(self) -> None:
        """Close every connection."""
        ...


class LiveExchange:
    """An ``AsterVenue`` with what must be opened and closed around it."""

    def __init__(self, sockets: Connections, client: AsterClient, clock: Clock, chance: random.Random) -> None:
        self.sockets = sockets
        self.client = client
        self.clock = clock
        self.venue = AsterVenue(client, clock)
        self._chance = chance
        self.key_expires_at: datetime | None = None
        """When the key expires, once its rights were read; None = not known, or never."""
        self._streams: AsterStreams | None = None
        """Of a long run."""
        self._held: frozenset[str] = frozenset()
        self._notifications = asyncio.Event()

    def on_notice(self, notice: Notice) -> None:
        """Record which pair is held, whose order books are streamed, and drop own orders that are no longer needed."""
        if isinstance(notice, CycleEnded):
            if notice.ledger.log_marks:
                self.venue.forget(notice.ledger.log_marks[0].at)
            held = frozenset(hedge.symbol for hedge in notice.ledger.open_hedges)
            if held != self._held:
                self._held = held
                self._notifications.set()

    def health(self) -> ProcessHealth:
        """Return how the connection is now."""
        left = [limiter.left() for limiter in self.client.rest.limiters.values()]
        known = [part for part in left if part is not None]
        streams = self._streams.open_streams if self._streams else None
        return ProcessHealth(
            request_budget=min(known, default=None),
            streams_up=None if streams is None else sum(streams),
            streams=None if streams is None else len(streams),
            key_expires_at=self.key_expires_at,
        )

    def report_to(self, show: Callable[[str], None]) -> None:
        """Report failures of the streams and the background work through ``show`` from now on."""
        self.venue.report.show = show

    @property
    def now(self) -> datetime:
        """The exchange's time as far as it is known."""
        return self.client.rest.time.now()

    @property
    def mail_seconds(self) -> float:
        """How often a waiting bot looks for requests on this clock."""
        return MAIL_SECONDS_IN_LOCKSTEP if isinstance(self.clock, LockstepClock) else MAIL_SECONDS

    @property
    def poll_seconds(self) -> float:
        """Seconds between the guard's readings without a notification; 0 in lockstep, where the bot moves the time."""
        return 0.0 if isinstance(self.clock, LockstepClock) else POLL_SECONDS

    @asynccontextmanager
    async def open_connection(self, store: Store, stay: bool) -> AsyncGenerator[tuple[str, ...]]:  # noqa: FBT001 - as Attend
        """Load the bot's own orders, check the key, and stay connected.

        Raises:
            ConfigError: the exchange refuses the credentials, or they do not suffice.
        """
        async with self.connected(stay=stay):
            ledger = await store.load()
            self.venue.remember(await store.events(after=ledger.recent_from), ledger.kept_orders)
            self._expect(ledger)
            yield await self._introduced()

    def _expect(self, ledger: Ledger) -> None:
        """Pass the venue the spot balances that the log expects; a trade or transfer in flight may change it."""
        since = ledger.statement_from or ledger.books_since
        if since is None or ledger.shown_job is not None or ledger.transfer is not None:
            return
        self.venue.expect(ledger.books.held(Wallet.SPOT), since)

    @asynccontextmanager
    async def connected(self, *, stay: bool) -> AsyncGenerator[None]:
        """Open the streams of a long run, and close everything at the end; in lockstep there are none."""
        staying = stay and not isinstance(self.clock, LockstepClock)
        tasks = [asyncio.create_task(part) for part in self._background()] if staying else []
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.sockets.close()
            if isinstance(self.clock, LockstepClock):
                self.clock.close()

    async def _introduced(self) -> tuple[str, ...]:
        """Check the permissions of the key before trading; an exchange that does not answer is a warning only."""
        credentials = self.client.credentials
        if credentials is None:
            return ()
        try:
            clock = clock_finding(await self.venue.synchronise())
            clocks = () if clock.level is Severity.OK else (clock.line,)
            if credentials.legacy:
                await self.client.balances()
                return clocks
            rows = await self.client.agents()
        except VenueError as error:
            # A nonce is refused because of the time, not because of the key.
            if isinstance(error, Unauthorized) and not isinstance(error, NonceRefused):
                raise ConfigError(refused(error, credentials).line) from None
            return (f"key: its rights could not be read ({error})",)
        found = agent_findings(rows, credentials, self.now)
        self.key_expires_at = expiry_of(rows, credentials)
        problem = next((finding for finding in found if finding.level is Severity.PROBLEM), None)
        if problem is not None:
            raise ConfigError(problem.line)
        return (*clocks, *(finding.line for finding in found if finding.level is Severity.WARNING))

    def _background(self) -> tuple[Coroutine[Any, Any, NoReturn], ...]:
        """Return what runs while a session lasts; a part that fails is reported and restarted (reconnect)."""
        self._streams = streams = AsterStreams(
            self.venue, transport=self.sockets, clock=self.clock, random=self._chance
        )
        work: tuple[tuple[str, Callable[[], Awaitable[object]]], ...] = (
            ("listening to the exchange's streams", streams.run),
            ("following the books of the held pair", lambda: self._follow(streams)),
            ("renewing what is read on timers", self.venue.keep_up),
        )
        report = self.venue.report.again
        return tuple(supervise(part, name=name, clock=self.clock, report=report) for name, part in work)

    async def _follow(self, streams: AsterStreams) -> None:
        """Keep the books of the held pair on the streams."""
        self._notifications.set()
        while True:
            await self._notifications.wait()
            self._notifications.clear()
            try:
                await streams.watch(self._held)
            except VenueError:
                continue  # the connection is lost, and the next one subscribes again


def _nonce_file(credentials: Credentials) -> Path:
    """Return where this signer's last nonce is kept, for all homes of this user."""
    folder = default_lock_folder().parent / "nonces"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(f"nonces cannot be kept: {folder}: {error.strerror or error}") from error
    return folder / sha256(credentials.signer.lower().encode()).hexdigest()[:32]
