"""What the emulator carries: 400 perpetuals, 60 spot markets and 200 clients on loopback sockets.

    python benchmarks/emulator_load.py

The exchange is a process of its own, the clients share this one, so that on two cores each side has one. Every client
has an account, a key and an address of the loopback network: the exchange's limits count by address and by account.
First all clients ask as fast as they are answered, then all of them together at a quarter of that pace, then each
listens to the marks of five perpetuals, which come once a second.
"""

import argparse
import asyncio
import itertools
import json
import math
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import aiohttp
from coincurve import PrivateKey
from msgspec.structs import replace
from yarl import URL

from _processes import processor_seconds, resident_megabytes, started, wait_for
from _report import Budgets
from hedgerow.aster.credentials import Credentials, address_of
from hedgerow.aster.http.nonces import NonceSource, VenueTime
from hedgerow.aster.http.rest import FORM
from hedgerow.aster.http.signing import AgentSigner, Param, encode
from hedgerow.clock import SystemClock
from hedgerow.domain.instrument import BasisPair, TradingStatus
from hedgerow.emulator.markets.generated import GeneratedMarketData
from hedgerow.emulator.wire.exchange.exchange import Exchange
from hedgerow.emulator.wire.protocol.clock import ExchangeClock
from hedgerow.emulator.wire.protocol.credentials import Agent
from hedgerow.emulator.wire.server import WireServer
from hedgerow.emulator.wire.venue import WireVenue

PERPS, SPOTS, CLIENTS = 400, 60, 200
CHAIN, FUNDS = 1666, Decimal(50_000)
ASKING_SECONDS, PACED_SECONDS, LISTENING_SECONDS = 8.0, 8.0, 8.0
SHARE = 4
NOTIONAL = 20
"""What an order is worth at least, in USDT."""
FOLLOWED = 5


def credentials_of(number: int) -> Credentials:
    """Return the account of a client; its main wallet is its own agent."""
    key = f"{number + 1000:064x}"
    address = address_of(PrivateKey.from_int(number + 1000))
    return Credentials(user=address, signer=address, private_key=key)


class HalfListed(GeneratedMarketData):
    """A generated market of which only the first pairs trade on spot."""

    @property
    def pairs(self) -> Sequence[BasisPair]:
        """Every perpetual; the spot market of most is closed."""
        return self._partly

    @cached_property
    def _partly(self) -> tuple[BasisPair, ...]:
        found = tuple(super().pairs)
        closed = (replace(pair, spot=replace(pair.spot, status=TradingStatus.CLOSED)) for pair in found[SPOTS:])
        return (*found[:SPOTS], *closed)


async def serve(port: int) -> None:
    """Serve the exchange until SIGTERM."""
    real = SystemClock()
    now = real.now()
    exchange = Exchange(HalfListed(seed=1, start=now, pairs=PERPS), start=now)
    for number in range(CLIENTS):
        user = credentials_of(number).user
        exchange.open_account(user, spot={"USDT": FUNDS}, perp=FUNDS)
        exchange.permit(user, Agent(signer=user.lower()))
    venue = WireVenue(exchange, ExchangeClock(real, now))
    server, stop, up = WireServer(venue, real, host="127.0.0.1", port=port), asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    serving = asyncio.create_task(server.serve(stop, up))
    await up.wait()
    print("listens", flush=True)
    await serving


class Client:
    """One account that asks what a bot asks: prices, its position, an order at the market, and the end of all."""

    def __init__(self, number: int, port: int, orders: Mapping[str, Decimal]) -> None:
        symbols = list(orders)
        self._futures = f"http://127.0.0.1:{port}"
        self._symbol = symbols[number % len(symbols)]
        self._quantity = f"{orders[self._symbol]:f}"
        self._followed = [symbols[(number + offset) % len(symbols)] for offset in range(FOLLOWED)]
        self._signer = AgentSigner(credentials_of(number), chain_id=CHAIN, nonces=NonceSource(VenueTime(SystemClock())))
        local = (f"127.0.{1 + number // 200}.{1 + number % 200}", 0)
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=local))
        self.seconds: list[float] = []
        self.refused: dict[str, int] = {}
        self._round = itertools.cycle((self._premium, self._position, self._order, self._cancel))

    async def ask(self) -> None:
        """Send the next request, and take its time."""
        began = time.perf_counter()
        await next(self._round)()
        self.seconds.append(time.perf_counter() - began)

    async def _send(self, method: str, name: str, params: dict[str, Param], *, signed: bool = True) -> None:
        query = self._signer.sign(encode(params)).query if signed else encode(params)
        url = URL(f"{self._futures}/fapi/v3/{name}?{query}", encoded=True)
        async with self.session.request(method, url, headers={} if method == "GET" else FORM) as answer:
            reply = await answer.text()
            if answer.status != 200:  # noqa: PLR2004 - OK
                self.refused[reply[:40]] = self.refused.get(reply[:40], 0) + 1

    async def _premium(self) -> None:
        await self._send("GET", "premiumIndex", {"symbol": self._symbol}, signed=False)

    async def _position(self) -> None:
        await self._send("GET", "positionRisk", {"symbol": self._symbol})

    async def _order(self) -> None:
        await self._send(
            "POST", "order", {"symbol": self._symbol, "side": "BUY", "type": "MARKET", "quantity": self._quantity}
        )

    async def _cancel(self) -> None:
        await self._send("DELETE", "allOpenOrders", {"symbol": self._symbol})

    async def listen(self, until: float) -> int:
        """Count the messages of the marks that this client follows."""
        count = 0
        names = "/".join(f"{symbol.lower()}@markPrice@1s" for symbol in self._followed)
        async with self.session.ws_connect(f"{self._futures.replace('http', 'ws')}/stream?streams={names}") as stream:
            while (left := until - time.perf_counter()) > 0:
                try:
                    await stream.receive(timeout=left)
                except TimeoutError:
                    break
                count += 1
        return count


async def ask_all(clients: Sequence[Client], seconds: float, pace: float | None = None) -> tuple[float, list[float]]:
    """Let all clients ask for a while, at most ``pace`` requests a second in all; returns requests/s and times."""
    for client in clients:
        client.seconds.clear()
    began = time.perf_counter()

    async def one(number: int, client: Client) -> None:
        gap = 0.0 if pace is None else len(clients) / pace
        due = began + gap * number / len(clients)
        while (now := time.perf_counter()) < began + seconds:
            if now < due:
                await asyncio.sleep(due - now)
            due += gap
            await client.ask()

    await asyncio.gather(*(one(number, client) for number, client in enumerate(clients)))
    times = [each for client in clients for each in client.seconds]
    return len(times) / (time.perf_counter() - began), times


async def orders_of(port: int) -> dict[str, Decimal]:
    """Return the pairs that trade on both markets, each with the least quantity that is worth ``NOTIONAL``."""
    futures, spot = f"http://127.0.0.1:{port}/fapi/v3", f"http://127.0.0.1:{port + 1}/api/v3"
    async with aiohttp.ClientSession() as session:

        async def read(url: str) -> Any:
            async with session.get(url) as answer:
                return json.loads(await answer.text())

        perps, spots = [
            {
                row["symbol"]: row
                for row in (await read(f"{base}/exchangeInfo"))["symbols"]
                if row["status"] == "TRADING"
            }
            for base in (futures, spot)
        ]
        marks = {row["symbol"]: Decimal(row["markPrice"]) for row in await read(f"{futures}/premiumIndex")}
    if [len(perps), len(spots)] != [PERPS, SPOTS]:
        raise SystemExit(f"the exchange lists {[len(perps), len(spots)]} markets")
    steps = {
        symbol: max(Decimal(each["stepSize"]) for each in perps[symbol]["filters"] if "stepSize" in each)
        for symbol in sorted(perps.keys() & spots.keys())
    }
    return {symbol: math.ceil(NOTIONAL / marks[symbol] / step) * step for symbol, step in steps.items()}


def times_of(seconds: Sequence[float]) -> str:
    """Return the middle and the 99th percentile."""
    cuts = statistics.quantiles(seconds, n=100)
    return f"{1e3 * cuts[49]:.1f}, {1e3 * cuts[98]:.1f} ms"


async def load(budgets: Budgets, port: int, used: Callable[[], float]) -> None:
    """Load the exchange in three ways; ``used`` tells the processor time it has taken."""
    orders = await orders_of(port)
    clients = [Client(number, port, orders) for number in range(CLIENTS)]
    try:
        before = used()
        rate, answered = await ask_all(clients, ASKING_SECONDS)
        each = 1e3 * (used() - before) / len(answered)
        budgets.line("processor time of the exchange for a request", f"{each:.1f} ms")
        budgets.line(f"{CLIENTS} clients as fast as they are answered", f"{rate:.0f} requests/s")
        pace, times = await ask_all(clients, PACED_SECONDS, rate / SHARE)
        budgets.line(f"{CLIENTS} clients at {pace:.0f} requests/s: median, p99", times_of(times))
        refused = sum((Counter(client.refused) for client in clients), Counter[str]())
        budgets.most("requests refused", refused.total(), 0)
        for reason, count in refused.most_common(3):
            print(f"      {count}: {reason[:90]}")
        until = time.perf_counter() + LISTENING_SECONDS
        received = sum(await asyncio.gather(*(client.listen(until) for client in clients)))
        what = f"{CLIENTS} listeners, of {CLIENTS * FOLLOWED} messages/s that are due"
        budgets.line(what, f"{received / LISTENING_SECONDS:.0f} messages/s")
    finally:
        await asyncio.gather(*(client.session.close() for client in clients))


def main() -> int:
    """Print the figures; every request must be answered."""
    parser = argparse.ArgumentParser(description="What the emulator carries.")
    parser.add_argument("--port", type=int, default=18_920, help="first of two free ports of this machine")
    parser.add_argument("--serve", action="store_true", help="be the exchange")
    asked = parser.parse_args()
    if asked.serve:
        asyncio.run(serve(asked.port))
        return 0
    budgets = Budgets()
    budgets.title(f"{PERPS} perpetuals, {SPOTS} spot markets, {CLIENTS} accounts")
    began = time.perf_counter()
    with started(sys.executable, str(Path(__file__)), "--serve", "--port", str(asked.port)) as exchange:
        assert exchange.stdout is not None  # noqa: S101 - asked for
        wait_for(exchange.stdout, "listens")
        up = time.perf_counter() - began
        asyncio.run(load(budgets, asked.port, lambda: processor_seconds(exchange)))
        budgets.line("start of the exchange, until it answers", f"{up:.2f} s")
        budgets.line("most memory resident", f"{resident_megabytes(exchange):.0f} MB")
    return 0 if budgets.held else 1


if __name__ == "__main__":
    sys.exit(main())
