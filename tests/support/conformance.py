"""Clients that others wrote, each in an environment of its own, in front of a served exchange."""

import json
import os
import subprocess
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from msgspec import Struct

from hedgerow.clock import SystemClock
from hedgerow.domain.instrument import Market, Side
from hedgerow.emulator.wire.exchange.exchange import Exchange
from hedgerow.emulator.wire.protocol.clock import ExchangeClock
from hedgerow.emulator.wire.protocol.credentials import Agent
from hedgerow.emulator.wire.venue import WireVenue
from support.served import HOST, ServedExchange
from support.worlds import Listing, ScriptedMarketData

__all__ = ["CLIENTS", "ENVIRONMENTS", "FUNDS", "HELD", "QUIET", "ROOT", "SYMBOL", "Client", "Run", "run_client"]

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / ".conformance"
PROGRAMS = ROOT / "tests" / "conformance"
SYMBOL, HELD, QUIET = "ETHUSDT", "BTCUSDT", "BNBUSDT"
FUNDS = Decimal(10_000)
"""USDT in each wallet at the opening."""
SINCE = timedelta(hours=9)
"""How long before the client comes the exchange opened: at least one settlement of every interval."""
LONGEST_SECONDS = 240


class Client(Struct, frozen=True, kw_only=True):
    """A client of a package registry, and the account it trades."""

    name: str
    folder: str
    """Its environment."""
    command: tuple[str, ...]
    """Program and script: relative to its environment, and to the programs."""
    package: str
    lock: str
    """File that pins it."""
    user: str
    """Main wallet."""
    key: int
    """Private key of whoever signs."""
    signer: str

    @property
    def interpreter(self) -> Path:
        """What runs its program."""
        return ENVIRONMENTS / self.folder / self.command[0]

    @property
    def ready(self) -> bool:
        """Whether its environment was made."""
        return self.interpreter.exists()


MAIN = "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"
"""Address of the private key 2: ccxt wants the main wallet's key."""
CLIENTS = (
    Client(
        name="ccxt (Python)",
        folder="ccxt",
        command=("bin/python", "programs/ccxt_python.py"),
        package="ccxt",
        lock="requirements/conformance-ccxt.txt",
        user=MAIN,
        key=2,
        signer=MAIN,
    ),
    Client(
        name="typed-aster",
        folder="typed-aster",
        command=("bin/python", "programs/typed_aster_python.py"),
        package="typed-aster",
        lock="requirements/conformance-typed-aster.txt",
        user="0x1111111111111111111111111111111111111111",
        key=1,
        signer="0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf",
    ),
    Client(
        name="ccxt (JavaScript)",
        folder="js",
        command=("bin/node", "js/ccxt_javascript.mjs"),
        package="ccxt",
        lock="tests/conformance/js/package.json",
        user=MAIN,
        key=2,
        signer=MAIN,
    ),
)


class Run(Struct, frozen=True, kw_only=True):
    """What a client reported, and what the exchange says of it."""

    client: Client
    reports: dict[str, dict[str, Any]]
    before: dict[str, Any]
    """The account as the exchange keeps it, before the client came."""
    after: dict[str, Any]
    now_ms: int
    """When the client came."""


def run_client(client: Client) -> Run:
    """Serve an exchange, let the client try everything, and return both sides' accounts of it."""
    clock = SystemClock()
    midnight = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    market_data = ScriptedMarketData(
        [Listing(SYMBOL), Listing(HELD), Listing(QUIET)], start=midnight - timedelta(days=2)
    )
    opened = clock.now() - SINCE
    exchange = Exchange(market_data, start=opened)
    exchange_account = exchange.open_account(client.user, spot={"USDT": FUNDS}, perp=FUNDS)
    exchange.permit(client.user, Agent(signer=client.signer.lower()))
    exchange_account.world.trade_by_hand(Market.PERP, HELD, Side.SELL, Decimal(10))
    exchange.advance(clock.now())
    with ServedExchange(WireVenue(exchange, ExchangeClock(clock, exchange.now))) as served:
        futures, spot = (f"{HOST}:{port}" for port in served.ports)
        before = _account(futures, client)
        came = clock.now()
        lines = _output(client, futures=futures, spot=spot)
        after = _account(futures, client)
    reports = {line.pop("capability"): line for line in lines}
    return Run(client=client, reports=reports, before=before, after=after, now_ms=int(came.timestamp() * 1000))


def _output(client: Client, *, futures: str, spot: str) -> list[dict[str, Any]]:
    setting = {
        "futures": futures,
        "spot": spot,
        "user": client.user,
        "key": "0x" + f"{client.key:064x}",
        "symbol": SYMBOL,
        "base": SYMBOL.removesuffix("USDT"),
        "quiet": QUIET,
        "modules": str(ENVIRONMENTS / "js" / "node_modules" / "ccxt" / "package.json"),
    }
    done = subprocess.run(  # noqa: S603 - our own programs
        [str(client.interpreter), str(PROGRAMS / client.command[1])],
        env={**os.environ, "CONFORMANCE": json.dumps(setting)},
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        raise AssertionError(f"{client.name} ended with {done.returncode}: {done.stderr[-2000:]}")
    return lines


def _account(address: str, client: Client) -> dict[str, Any]:
    with urlopen(f"http://{address}/admin/state", timeout=30) as reply:
        state = json.load(reply)
    found: dict[str, Any] = next(each for each in state["members"] if each["user"] == client.user.lower())
    return found
