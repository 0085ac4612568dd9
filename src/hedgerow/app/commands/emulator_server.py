"""``emulator``: an exchange made from options, kept in a file, served on two ports."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from hedgerow.app.signals import on_stop_signals
from hedgerow.clock import SystemClock
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.funding import EPOCH
from hedgerow.domain.money import ZERO
from hedgerow.emulator.markets.generated import GeneratedMarketData
from hedgerow.emulator.markets.instruments import catalogue
from hedgerow.emulator.markets.universe import Universe, universe
from hedgerow.emulator.wire.captured_market import CapturedMarketData, has_captures, load_captures
from hedgerow.emulator.wire.exchange.exchange import Exchange, ExchangeRules
from hedgerow.emulator.wire.exchange.main_wallets import account_name, is_main_wallet
from hedgerow.emulator.wire.exchange.state_file import ExchangeStateFile
from hedgerow.emulator.wire.protocol.clock import ExchangeClock
from hedgerow.emulator.wire.protocol.credentials import Agent, ApiKey
from hedgerow.emulator.wire.protocol.exchange_info import Captures, Profile
from hedgerow.emulator.wire.protocol.signing import MAINNET, is_address
from hedgerow.emulator.wire.server import WireServer
from hedgerow.emulator.wire.venue import WireVenue
from hedgerow.history.archive import ArchiveMarketData
from hedgerow.history.parquet import PRICES_FILE
from hedgerow.ports import MarketData

__all__ = ["DEFAULT_ACCOUNTS", "EmulatorPlan", "WiredAccount", "build_venue", "serve"]

MARKET_LEAD = timedelta(days=30)
"""How long before the exchange's first day its generated market begins, so that there is history to ask for."""
ARCHIVE_DAYS = 366.0
SMALL_MARKET = 20
CHAIN_IDS = 2**256
"""A chain id is a positive number below it: 32 bytes of what is signed."""
WINDOW_SECONDS = 60.0
WALLETS = "allowed is 0x and 40 hexadecimal digits, or the base58 address of a wallet on Solana with :0xAGENT behind it"
AGENTS = "not 0x and 40 hexadecimal digits"


class WiredAccount(Struct, frozen=True, kw_only=True):
    """An account to open: its main wallet, and the agent that signs for it."""

    user: str
    signer: str

    @property
    def api_key(self) -> str:
        """Key of the old kind, the same for the same wallet."""
        return sha256(f"key of {account_name(self.user)}".encode()).hexdigest()

    @property
    def api_secret(self) -> str:
        """Secret of that key."""
        return sha256(f"secret of {account_name(self.user)}".encode()).hexdigest()


DEFAULT_ACCOUNTS = (
    WiredAccount(
        user="0x1111111111111111111111111111111111111111", signer="0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
    ),
    WiredAccount(
        user="0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF", signer="0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"
    ),
)
"""Signers of the private keys 1 and 2: for a local exchange only."""


class EmulatorPlan(Struct, frozen=True, kw_only=True):
    """What to serve."""

    host: str = "127.0.0.1"
    port: int = 8900
    seed: int = 1
    pairs: int | None = None
    """Of the generated market; None = 20, or as many as the universe has."""
    universe: Universe | None = None
    """Which generated market; None = a small one."""
    data: Path | None = None
    """Folder with captured replies, real history, or both."""
    start: datetime | None = None
    """Time at which the exchange begins; None = now."""
    speed: float = 1.0
    """Seconds of the exchange per real second; 0 = only through /admin."""
    state: Path | None = None
    accounts: tuple[WiredAccount, ...] = DEFAULT_ACCOUNTS
    balance: Decimal = Decimal(1000)
    """USDT of each account, split over both wallets."""
    chain_id: int = MAINNET
    still: bool = False
    """Whether prices stay as they are at the start until they are set through /admin."""
    any_nonce: bool = False
    """Whether nonces and timestamps of any time are taken, for clients whose clock is not the exchange's."""
    spot_delay_seconds: float = 0.02
    """Time between the acknowledgement of a spot order and its matching."""

    def __post_init__(self) -> None:
        if not 0 < self.chain_id < CHAIN_IDS:
            raise ConfigError(f"--chain-id {self.chain_id}: allowed is 1 to 2^256 - 1")
        for account in self.accounts:
            if not is_main_wallet(account.user):
                raise ConfigError(f"--account {account.user}: {WALLETS}")
            if not is_address(account.signer):
                raise ConfigError(f"--account {account.user}: the agent's address {account.signer!r} is {AGENTS}")


class _Terms(Struct, frozen=True, kw_only=True):
    """What a saved exchange's market is made from; it keeps them, regardless of later options."""

    seed: int
    pairs: int
    universe: Universe | None = None
    market_start: datetime
    data: str | None
    follows_real_time: bool


def build_venue(plan: EmulatorPlan, real: SystemClock) -> tuple[WireVenue, ExchangeStateFile | None]:
    """Return the exchange, new or as its file left it, and the file.

    Raises:
        ConfigError: data or accounts cannot be used.
        StoreError: the file cannot be used.
        HistoryError: the history cannot be read.
    """
    file = None if plan.state is None else ExchangeStateFile(plan.state)
    try:
        return _built(plan, real, file), file
    except BaseException:
        if file is not None:
            file.close()
        raise


def _built(plan: EmulatorPlan, real: SystemClock, file: ExchangeStateFile | None) -> WireVenue:
    found = None if file is None else file.load()
    terms = _terms(plan, real.now()) if found is None else msgspec.json.decode(found.terms, type=_Terms)
    captures = _captures(terms)
    market_data = CapturedMarketData(_market_data(terms), captures)
    start = real.now() if terms.follows_real_time else max(market_data.start, plan.start or terms.market_start)
    rules = ExchangeRules(
        chain_id=plan.chain_id,
        nonce_window_seconds=_window(plan, terms),
        spot_delay_seconds=plan.spot_delay_seconds,
        still=plan.still,
        restless=not plan.still,
    )
    profile = Profile(market_data.pairs, captures)
    if found is None:
        exchange = Exchange(market_data, start=start, rules=rules, profile=profile)
        _open_accounts(exchange, plan)
        if file is not None:
            file.begin(msgspec.json.encode(terms))
    else:
        exchange = Exchange(market_data, start=start, rules=rules, profile=profile, state=found.exchange)
        for exchange_account in found.exchange_accounts:
            exchange.restore(exchange_account)
    # An exchange at real pace catches up after a pause: what fell due in it happens on the first tick.
    catches_up = terms.follows_real_time and plan.speed == 1
    clock = ExchangeClock(real, max(real.now(), exchange.now) if catches_up else exchange.now, speed=plan.speed)
    venue = WireVenue(exchange, clock, save=None if file is None else file.save, seed=plan.seed)
    venue.tick()
    return venue


async def serve(plan: EmulatorPlan, announce: Callable[[WireServer], None]) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP; ``announce`` is called once both ports listen."""
    real = SystemClock()
    venue, file = build_venue(plan, real)
    server = WireServer(venue, real, host=plan.host, port=plan.port)
    stop, started = asyncio.Event(), asyncio.Event()
    on_stop_signals(stop.set)
    serving = asyncio.create_task(server.serve(stop, started))
    starting = asyncio.create_task(started.wait())
    try:
        await asyncio.wait((serving, starting), return_when=asyncio.FIRST_COMPLETED)
        if started.is_set():
            announce(server)
        await serving
    finally:
        starting.cancel()
        if file is not None:
            file.save(venue.exchange)
            file.close()


def _terms(plan: EmulatorPlan, now: datetime) -> _Terms:
    first = plan.start or now
    midnight = first - (first - EPOCH) % timedelta(days=1)
    return _Terms(
        seed=plan.seed,
        pairs=_count(plan),
        universe=plan.universe,
        market_start=first if _has_history(plan.data) else midnight - MARKET_LEAD,
        data=None if plan.data is None else str(plan.data.resolve()),
        follows_real_time=plan.start is None and not _has_history(plan.data),
    )


def _count(plan: EmulatorPlan) -> int:
    if plan.pairs is not None:
        return plan.pairs
    return SMALL_MARKET if plan.universe is None else plan.universe.perpetuals


def _market_data(terms: _Terms) -> MarketData:
    folder = None if terms.data is None else Path(terms.data)
    if folder is not None and _has_history(folder):
        return ArchiveMarketData.load(folder, start=terms.market_start, days=ARCHIVE_DAYS)
    try:
        characters = universe(terms.pairs) if terms.universe is not None else catalogue(terms.pairs)
        return GeneratedMarketData(seed=terms.seed, start=terms.market_start, characters=characters)
    except ValueError as error:
        raise ConfigError(f"--pairs {terms.pairs}: {error}") from error


def _captures(terms: _Terms) -> Captures:
    if terms.data is None:
        return Captures()
    folder = Path(terms.data)
    if not has_captures(folder) and not _has_history(folder):
        raise ConfigError(f"--data {folder}: neither captured exchangeInfo replies nor {PRICES_FILE} in it")
    return load_captures(folder)


def _has_history(folder: Path | None) -> bool:
    return folder is not None and (folder / PRICES_FILE).exists()


def _window(plan: EmulatorPlan, terms: _Terms) -> float | None:
    """Return the nonce window; a client on real time cannot follow a clock that is somewhere else."""
    follows = terms.follows_real_time and plan.speed == 1 and not plan.any_nonce
    return WINDOW_SECONDS if follows else None


def _open_accounts(exchange: Exchange, plan: EmulatorPlan) -> None:
    half = plan.balance / 2
    for account in plan.accounts:
        exchange_account = exchange.open_account(
            account.user, spot={"USDT": half} if half else {}, perp=max(ZERO, half)
        )
        exchange.permit(exchange_account.user, Agent(signer=account.signer.lower()))
        exchange.add_key(exchange_account.user, ApiKey(key=account.api_key, secret=account.api_secret))
