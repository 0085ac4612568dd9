"""Dry run: live market data, an emulated account kept in the home folder, no order is ever sent."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from msgspec import Struct

from hedgerow.app.json_files import keep, kept
from hedgerow.app.venues.connection import OpenConnection, VenueAccess, VenueConnection
from hedgerow.app.venues.environment import Environment
from hedgerow.app.venues.live import LiveExchange, live_exchange
from hedgerow.app.venues.paper import DEFAULT_USDT
from hedgerow.config import Home
from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.errors import ConfigError
from hedgerow.emulator.core.snapshot import WorldState
from hedgerow.emulator.core.world import World
from hedgerow.emulator.inprocess.sandbox import SandboxVenue
from hedgerow.ports import MarketData, Store

__all__ = ["dry_run_venue_access", "kept_account"]


class _DryFile(Struct, frozen=True, kw_only=True):
    """The emulated account on disk."""

    state: WorldState


def dry_run_venue_access(
    home: Home, environment: Environment, *, usdt: Decimal | None = None, lockstep: bool | None = False
) -> VenueAccess:
    """Return the access to the home's dry run.

    Its account begins with ``usdt``; without it with the USDT of the live account, or 1000 where there are no
    credentials.

    Raises:
        ConfigError: there are credentials, and they or the hosts cannot be used.
    """
    credentials = environment.credentials()
    environment.hosts()

    def connect() -> VenueConnection:
        live = live_exchange(environment, credentials, lockstep=lockstep)
        venue = SandboxVenue(
            live.venue,
            live.clock,
            _opening(home.exchange, live, usdt),
            notifications=live.venue,
            on_change=lambda world: keep(home.exchange, _DryFile(state=world.dump())),
            name="dry run: live market, emulated account",
        )
        return VenueConnection(
            venue=venue,
            clock=live.clock,
            open_connection=_attended(live),
            observers=(live,),
            notices=environment.warnings,
            mail_seconds=live.mail_seconds,
            notifications=venue,
            poll_seconds=live.poll_seconds,
            report_to=live.report_to,
            health=live.health,
        )

    return VenueAccess(account=f"dry-run:{home.exchange.resolve()}", connect=connect)


def kept_account(file: Path) -> Callable[[MarketData], Awaitable[World]]:
    """Return what opens the account as it is kept, for reading only.

    Raises:
        ConfigError: there is none.
        StoreError: the file cannot be used.
    """
    found = kept(file, _DryFile, "a dry run")
    if found is None:
        raise ConfigError(f"{file} is not there: the account of this dry run is gone")
    state = found.state

    async def opened(market_data: MarketData) -> World:
        return World.load(market_data, state)

    return opened


def _opening(file: Path, live: LiveExchange, usdt: Decimal | None) -> Callable[[MarketData], Awaitable[World]]:
    found = kept(file, _DryFile, "a dry run")

    async def opened(market_data: MarketData) -> World:
        if found is not None:
            return World.load(market_data, found.state)
        spot, perp = await _balances(live, usdt)
        world = World(market_data, start=live.clock.now(), spot={QUOTE_ASSET: spot}, perp=perp)
        # The log's books begin with this account: it must be the same one at the next start.
        keep(file, _DryFile(state=world.dump()))
        return world

    return opened


async def _balances(live: LiveExchange, usdt: Decimal | None) -> tuple[Decimal, Decimal]:
    """Return what both wallets begin with."""
    if usdt is None and live.client.credentials is not None:
        account = await live.venue.account()
        return account.spot_usdt, account.perp.transferable
    half = (DEFAULT_USDT if usdt is None else usdt) / 2
    return half, half


def _attended(live: LiveExchange) -> OpenConnection:
    """Return the opening of the live side; credentials that do not suffice for trading suffice for reading."""

    @asynccontextmanager
    async def open_connection(store: Store, stay: bool) -> AsyncGenerator[tuple[str, ...]]:  # noqa: FBT001 - as Attend
        del store  # what the dry run did is not the live account's
        async with live.connected(stay=stay):
            yield ()

    return open_connection
