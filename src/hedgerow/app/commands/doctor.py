"""``doctor``: reads everything that decides whether the bot can trade, and changes nothing."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from hedgerow.app.commands.scan import policy_errors
from hedgerow.app.companion.doctor import alert_findings
from hedgerow.app.findings import account as doctor
from hedgerow.app.findings.keys import WHERE, DoctorFinding, agent_findings, refused
from hedgerow.app.forecast import forecast
from hedgerow.app.session import read_ledger, read_settings
from hedgerow.app.venues.environment import Environment
from hedgerow.app.venues.live import LiveExchange, account_name, live_exchange
from hedgerow.app.venues.select import environment_of
from hedgerow.aster import AsterClient, Credentials
from hedgerow.aster.http.proxy import Proxy
from hedgerow.aster.schema.convert import DOCUMENTED_FEES, fees_of
from hedgerow.config import Home, Settings
from hedgerow.domain.account import AccountView
from hedgerow.domain.errors import AccountBusy, NotSent, StoreError, Unauthorized, VenueError
from hedgerow.domain.instrument import FeeRates, Market
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.market import MarketView
from hedgerow.store.account_lock import AccountLock
from hedgerow.strategy.decisions.scan import Scan, scan
from hedgerow.strategy.policies import load_policy
from hedgerow.strategy.policy import Policy

__all__ = ["examine"]

Value = TypeVar("Value")
STREAM_SECONDS = 5.0
RECENT = timedelta(days=6, hours=23)
"""The venue's pages end seven days after their start: the last hour allows for clocks that differ."""
STREAM = "stream?streams=!bookTicker"


async def examine(home: Home, config: Path | None, *, test_alerts: bool = False) -> tuple[DoctorFinding, ...]:
    """Return every finding, in the order in which things would have to be fixed.

    ``test_alerts``: each target of alerts gets a message.

    Raises:
        ConfigError: the configuration, the hosts or the file of the credentials cannot be used at all, or the policy
            fails.
    """
    settings, environment = read_settings(home, config), environment_of(home)
    found = doctor.config_findings(settings.warnings, settings.notices, environment.warnings)
    ledger, log_findings = await _log(home)
    found += log_findings
    credentials, key_findings = _credentials(environment)
    found += key_findings
    live = live_exchange(environment, credentials)
    async with live.connected(stay=False):
        found += await _exchange(live, settings, ledger, environment.proxy())
    found += await alert_findings(home, test=test_alerts)
    return tuple(found)


def _credentials(environment: Environment) -> tuple[Credentials | None, list[DoctorFinding]]:
    if not environment.has_credentials:
        text = "none: the account cannot be read, and hedgerow run cannot trade"
        fix = f"create an agent at {WHERE} and set API_USER, API_SIGNER and API_PRIVATE_KEY"
        return None, [doctor.problem("credentials", text, fix)]
    mistakes = environment.mistakes
    if mistakes:
        return None, [doctor.problem("credentials", text, f"copy it again from {WHERE}") for text in mistakes]
    credentials = environment.credentials()
    named = credentials.account if credentials else ""
    return credentials, [doctor.ok("credentials", f"well formed, for account {named}")]


async def _log(home: Home) -> tuple[Ledger | None, list[DoctorFinding]]:
    try:
        ledger = await read_ledger(home)
    except StoreError as error:
        return None, [
            doctor.problem("log", str(error), "restore it from a backup, or move it away to start with a new one")
        ]
    return ledger, doctor.ledger_findings(ledger)


async def _exchange(
    live: LiveExchange, settings: Settings, ledger: Ledger | None, proxy: Proxy | None
) -> list[DoctorFinding]:
    offset = await _tried(live.client.synchronise())
    found = await _hosts(live, offset if isinstance(offset, VenueError) else None, proxy)
    if isinstance(offset, VenueError):
        return [*found, doctor.problem("exchange", "nothing else could be checked", "fix the hosts first")]
    found.append(doctor.clock_finding(offset))
    market = await _market(live, settings)
    seen = market if isinstance(market, VenueError) else _scanned(market, settings)
    if live.client.credentials is not None:
        found += await _account(live, live.client.credentials, settings, ledger, market)
    return found + doctor.scan_findings(seen)


async def _hosts(live: LiveExchange, futures: VenueError | None, proxy: Proxy | None) -> list[DoctorFinding]:
    """Ask every address once."""

    async def ask(name: str, address: str) -> DoctorFinding:
        if address == live.client.hosts.futures_rest:
            return doctor.host_finding(name, address, futures, proxy)
        reply = _opened(live, address) if address.startswith("ws") else live.client.exchange_info(Market.SPOT)
        answer = await _tried(reply)
        return doctor.host_finding(name, address, answer if isinstance(answer, VenueError) else None, proxy)

    return list(await asyncio.gather(*(ask(*each) for each in doctor.hosts_of(live.client.hosts))))


async def _opened(live: LiveExchange, address: str) -> None:
    try:
        async with live.clock.timeout(STREAM_SECONDS), live.sockets.connect(f"{address}/{STREAM}"):
            return
    except TimeoutError:
        raise NotSent(f"no connection within {STREAM_SECONDS:.0f} s") from None


async def _account(
    live: LiveExchange,
    credentials: Credentials,
    settings: Settings,
    ledger: Ledger | None,
    market: MarketView | VenueError,
) -> list[DoctorFinding]:
    key, may_read = await _key(live, credentials)
    if not may_read:
        return key
    client = live.client
    hedge_mode, multi_assets, spot, trades, fees, account = await asyncio.gather(
        _tried(client.hedge_mode()),
        _tried(client.multi_assets()),
        _tried(client.spot_account()),
        _tried(client.trades(Market.SPOT, None, start=live.now - RECENT, end=None)),
        _fees(client),
        _tried(live.venue.account()),
    )
    management = settings.parameters.position_management
    return [
        *key,
        *_lock(live, credentials),
        *doctor.mode_findings(hedge_mode=hedge_mode, multi_assets=multi_assets),
        doctor.spot_reads_finding(spot if isinstance(spot, VenueError) else None),
        *doctor.fee_findings(fees, DOCUMENTED_FEES, settings.parameters.position_management.max_position_age_hours),
        doctor.fee_coin_finding(trades),
        *doctor.account_findings(account, ledger, settings.parameters),
        *doctor.position_findings(account, market, ledger, management.adopt, management.max_positions),
        *await _orders(live, account, None if isinstance(market, VenueError) else _scanned(market, settings)),
        await _forecast(live, ledger, settings, (market, account)),
    ]


async def _forecast(
    live: LiveExchange,
    ledger: Ledger | None,
    settings: Settings,
    read: tuple[MarketView | VenueError, AccountView | VenueError],
) -> DoctorFinding:
    with policy_errors(settings.parameters.policy):
        return await forecast(live.venue, ledger, _policy(settings), read)


async def _key(live: LiveExchange, credentials: Credentials) -> tuple[list[DoctorFinding], bool]:
    """Return the findings about the key, and whether the exchange answers signed reads at all."""
    try:
        if credentials.legacy:
            await live.client.balances()
            return [doctor.ok("key", "legacy API key, accepted; its rights cannot be seen")], True
        return list(agent_findings(await live.client.agents(), credentials, live.now)), True
    except Unauthorized as error:
        return [refused(error, credentials)], False
    except VenueError as error:
        return [doctor.unread("key", error)], True


async def _orders(live: LiveExchange, account: AccountView | VenueError, seen: Scan | None) -> list[DoctorFinding]:
    """Look for resting orders where they matter: on what is held, and on what would be opened."""
    held = [] if isinstance(account, VenueError) else [s for s, p in account.positions.items() if p.quantity]
    best = seen.best if seen else None
    symbols = dict.fromkeys((*held, *((best.pair.symbol,) if best else ())))
    found: list[DoctorFinding] = []
    for symbol in symbols:
        found += doctor.order_findings(symbol, await _tried(live.venue.open_orders(symbol)))
    return found


def _lock(live: LiveExchange, credentials: Credentials) -> list[DoctorFinding]:
    try:
        with AccountLock(account_name(live.client.hosts, credentials)):
            return [doctor.ok("lock", "no bot of this user trades this account now")]
    except AccountBusy as busy:
        return [doctor.ok("lock", str(busy).partition(":")[0])]


async def _fees(client: AsterClient) -> dict[Market, FeeRates | VenueError]:
    listed = await _tried(client.exchange_info(Market.SPOT))
    if isinstance(listed, VenueError) or not listed:
        error = listed if isinstance(listed, VenueError) else NotSent("no symbol is listed")
        return dict.fromkeys(Market, error)
    rows = await asyncio.gather(*(_tried(client.commission(market, listed[0].symbol)) for market in Market))
    return {
        market: row if isinstance(row, VenueError) else fees_of(row) for market, row in zip(Market, rows, strict=True)
    }


async def _market(live: LiveExchange, settings: Settings) -> MarketView | VenueError:
    return await _tried(live.venue.market(settings.parameters.funding_rate_strategy.funding_ma_periods))


def _scanned(market: MarketView, settings: Settings) -> Scan:
    with policy_errors(settings.parameters.policy):
        return scan(market, _policy(settings))


def _policy(settings: Settings) -> Policy:
    return load_policy(settings.parameters.policy, settings.parameters)


async def _tried(read: Awaitable[Value]) -> Value | VenueError:
    try:
        return await read
    except VenueError as error:
        return error
