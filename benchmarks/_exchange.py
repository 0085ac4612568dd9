"""Two processes on loopback: an exchange kept in a file, bots that live by its clock, and what must agree at the end.

Whatever ends here ends by ``kill -9``, unless it is asked to stop; the files of both stay in one folder.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from hedgerow.config import Home, HomeMode
from hedgerow.domain.account import AccountView, PerpWallet
from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.events import (
    CommandIssued,
    Event,
    FundingReceived,
    OrderAccepted,
    OrderEnded,
    OrderProgressed,
)
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.books import books_difference
from hedgerow.domain.ledger.reducers import apply, fold
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.order import Fill
from hedgerow.emulator.wire.exchange.state import ExchangeAccountState, ExchangeState
from hedgerow.store.sqlite import SqliteStore

COMMAND = str(Path(sys.executable).with_name("hedgerow"))
HOST = "127.0.0.1"
PATIENCE = 120.0
"""Real seconds; a machine may be slow, and nothing here measures how slow."""
USER, OTHER_USER = "0x1111111111111111111111111111111111111111", "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"
SIGNER, KEY = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf", f"{1:064x}"
"""Of the emulator's own account, with the key 1: worth nothing anywhere else."""
START = datetime(2026, 1, 5, 1, tzinfo=UTC)
"""A Monday, an hour after the settlements."""
CONFIG = "config_volume_farming_strategy.json"
EAGER = {
    "min_funding_apr": 0,
    "min_volume_usd": 0,
    "max_spread_bps": 10000,
    "max_entry_discount_bps": 10000,
    "funding_ma_periods": 1,
}
"""Something can be opened at any hour with one positive rate."""


Answer = TypeVar("Answer")


class Dump(Struct, frozen=True, kw_only=True, rename={"exchange_accounts": "members"}):
    """The whole exchange, as its administration tells it."""

    exchange: ExchangeState
    exchange_accounts: tuple[ExchangeAccountState, ...]


class Exchange:
    """``hedgerow emulator --state`` in a folder: killed and started again, it listens on the same ports."""

    def __init__(self, folder: Path, *, seed: int = 3, pairs: int = 6, balance: int = 1000) -> None:
        self.folder = folder
        self.port = _two_free_ports()
        self._words = ("--seed", seed, "--pairs", pairs, "--balance", balance, "--start", START.isoformat())
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return once it listens."""
        words = ("emulator", "--port", self.port, "--speed", 0, "--state", self.folder / "exchange.db", *self._words)
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            [COMMAND, *map(str, words)],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=None,
            env=_surroundings(self.folder, {}),
        )
        said = self._process.stdout
        if said is None or not said.readline().startswith(b"Futures"):
            raise RuntimeError(f"the exchange did not start on port {self.port}")

    def kill(self) -> None:
        """End it as a power cut would; may be called twice."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate(timeout=PATIENCE)
            self._process = None

    @property
    def cpu_seconds(self) -> float:
        """Processor time of the present process."""
        return 0.0 if self._process is None else cpu_seconds(self._process.pid)

    def ask(self, method: str, action: str, body: Mapping[str, Any] | None = None) -> bytes:
        """Ask its administration for something."""
        connection = HTTPConnection(HOST, self.port, timeout=PATIENCE)
        try:
            connection.request(method, f"/admin/{action}", None if body is None else json.dumps(body, default=str))
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200:  # noqa: PLR2004 - OK
                raise RuntimeError(f"{action}: {content.decode()}")
            return content
        finally:
            connection.close()

    @property
    def now(self) -> datetime:
        """Its time."""
        return datetime.fromisoformat(json.loads(self.ask("GET", "time"))["time"])

    def advance_time(self, hours: float) -> None:
        """Let time pass while no bot lives."""
        self.ask("POST", "advance", {"seconds": hours * 3600})

    def trade(self, market: Market, symbol: str, side: Side, quantity: Decimal, *, user: str = USER) -> None:
        """Trade on the exchange's own page."""
        terms = {"user": user, "market": market, "symbol": symbol, "side": side, "quantity": quantity}
        self.ask("POST", "trade", terms)

    def exchange_account(self, user: str = USER) -> ExchangeAccountState:
        """Return all about one account."""
        dump = msgspec.json.decode(self.ask("GET", "state"), type=Dump)
        return next(
            exchange_account for exchange_account in dump.exchange_accounts if exchange_account.user == user.lower()
        )


def variables(futures: int, spot: int) -> dict[str, str]:
    """Return what leads a bot to two ports."""
    found = {"API_USER": USER, "API_SIGNER": SIGNER, "API_PRIVATE_KEY": KEY}
    for market, port in (("FUTURES", futures), ("SPOT", spot)):
        found[f"HEDGEROW_{market}_REST"] = f"http://{HOST}:{port}"
        found |= {f"HEDGEROW_{market}_{kind}_WS": f"ws://{HOST}:{port}" for kind in ("MARKET", "USER")}
    return found


class Bot:
    """``hedgerow run --venue-clock`` in a folder; what it says goes into a file there."""

    def __init__(self, folder: Path, given: Mapping[str, str], *words: str) -> None:
        self.folder = folder
        with (folder / "said.txt").open("ab") as said:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                [COMMAND, "run", "--venue-clock", *words],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env=_surroundings(folder, {"XDG_STATE_HOME": str(folder / "locks"), **given}),
            )

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    @property
    def cpu_seconds(self) -> float:
        """Processor time so far."""
        return cpu_seconds(self.process.pid)

    def rest(self) -> None:
        """Give it a little real time; shorter when it ends."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=0.1)

    def kill(self) -> None:
        """End it as a power cut would; may be called twice."""
        self.process.kill()
        self.process.wait(timeout=PATIENCE)

    def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE)


@contextmanager
def exchange(folder: Path, **options: Any) -> Iterator[Exchange]:
    """Serve an exchange in a new folder."""
    served = Exchange(folder, **options)
    served.start()
    try:
        yield served
    finally:
        served.kill()


def configure(folder: Path, **sections: Mapping[str, Any]) -> None:
    """Write a configuration that trades whatever it may."""
    document = {"funding_rate_strategy": EAGER, "execution": {"settlement_guard_seconds": 0}, **sections}
    (folder / CONFIG).write_text(json.dumps(document), encoding="utf-8")


def events_of(folder: Path) -> tuple[Event, ...]:
    """Return the bot's whole log."""
    return asyncio.run(_asked(folder, lambda store: store.events()))


def ledger_of(folder: Path) -> Ledger:
    """Return what the bot's log says."""
    return asyncio.run(_asked(folder, lambda store: store.load()))


async def _asked(folder: Path, question: Callable[[SqliteStore], Coroutine[None, None, Answer]]) -> Answer:
    store = SqliteStore(Home(folder=folder, mode=HomeMode.LIVE).events)
    try:
        return await question(store)
    finally:
        await store.close()


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process, user and system; 0 where it is not known."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- what must agree -------------------------------------------------------------------------------------------------


UNTRADABLE_NOTIONAL = 15
"""Quote units; legs that differ by less may be too near for an order."""
REPORT_SLACK_SECONDS = 3.0
"""What a report of naked time may lack: the way of the fills' reports."""


def naked_seconds(fills: Sequence[Fill]) -> float:
    """Return the longest time for which the legs of one symbol differed, from the exchange's fills, downtime included.

    Coins held for good beside the hedges (dust, what the owner has) must be less than ``UNTRADABLE_NOTIONAL``.
    """
    longest = 0.0
    difference: dict[str, Decimal] = {}
    since: dict[str, datetime] = {}
    for fill in sorted(fills, key=lambda fill: fill.at):
        symbol = fill.symbol
        if symbol in since:
            longest = max(longest, (fill.at - since[symbol]).total_seconds())
        spot = fill.market is Market.SPOT
        coins = fill.net_base(symbol.removesuffix("USDT")) if spot else fill.quantity * fill.side.sign
        difference[symbol] = difference.get(symbol, Decimal(0)) + coins
        if abs(difference[symbol]) * fill.price <= UNTRADABLE_NOTIONAL:
            since.pop(symbol, None)
        else:
            since.setdefault(symbol, fill.at)
    return longest


def understated(naked: float, reported: float) -> list[str]:
    """Return in words that a bot reported less naked time than there was: seconds, by the exchange and by the log."""
    much = naked > reported + REPORT_SLACK_SECONDS
    return [f"legs differed for {naked:.1f} s, and the bot reported {reported:.1f} s"] if much else []


def wrongs(events: tuple[Event, ...], exchange_account: ExchangeAccountState, *, by_hand: bool = False) -> list[str]:
    """Return everything in which a log and the exchange differ; empty = all is well.

    ``by_hand`` says that the owner traded too, so that the exchange may know orders that the log does not.
    """
    ledger = fold(events)
    found = [] if ledger.execution is None and ledger.transfer is None else ["something is still in flight"]
    difference = books_difference(ledger.books, _account(exchange_account))
    found += [f"books: {key} differs by {amount}" for key, amount in difference.items()]
    found += _misheld(ledger, exchange_account, by_hand=by_hand)
    found += _misordered(events, exchange_account, by_hand=by_hand)
    found += _oversold(events)
    return found + _mispaid(events, exchange_account)


def _account(exchange_account: ExchangeAccountState) -> AccountView:
    world = exchange_account.world
    wallet = PerpWallet(balance=world.perp_balance, available=Decimal(0), transferable=Decimal(0))
    return AccountView(at=world.now, spot=world.spot, perp=wallet)


def _misheld(ledger: Ledger, exchange_account: ExchangeAccountState, *, by_hand: bool) -> list[str]:
    """Hedged or flat, and by the log as by the exchange; coins beyond that are the owner's."""
    hedge, found = ledger.largest, []
    due = {hedge.symbol: -hedge.short} if hedge else {}
    held = {symbol: holding.quantity for symbol, holding in exchange_account.world.holdings.items() if holding.quantity}
    if (due.items() - held.items()) if by_hand else held != due:
        found.append(f"positions {held} on the exchange, {due} in the log")
    if hedge and abs(hedge.spot_quantity - hedge.short) > max(
        hedge.pair.lot_step, hedge.pair.spot.min_notional / hedge.entry_price
    ):
        found.append(f"not hedged: {hedge.spot_quantity} coins against {hedge.short}")
    for asset, balance in exchange_account.world.spot.items():
        owned = ledger.owned(asset)
        if asset != "USDT" and (balance.total < owned if by_hand else balance.total != owned):
            found.append(f"{asset}: {balance.total} on the exchange, {owned} owned")
    return found


def _misordered(events: tuple[Event, ...], exchange_account: ExchangeAccountState, *, by_hand: bool) -> list[str]:
    """Each order was sent once and first in the log, and has filled by the log as by the exchange."""
    intents = Counter(
        event.command.order.client_id
        for event in events
        if isinstance(event, CommandIssued) and isinstance(event.command, PlaceOrder)
    )
    filled: dict[str, Decimal] = dict.fromkeys(intents, Decimal(0))
    accepted: dict[str, int] = {}
    for event in events:
        if isinstance(event, OrderProgressed | OrderEnded):
            filled[event.client_id] = max(filled[event.client_id], event.filled_quantity)
        elif isinstance(event, OrderAccepted):
            accepted[event.client_id] = event.order_id
    exchange_orders = Counter(exchange_order.client_id for exchange_order in exchange_account.exchange_orders)
    found = [f"{client_id}: {times} intents" for client_id, times in intents.items() if times > 1]
    found += [f"{client_id}: sent {times} times" for client_id, times in exchange_orders.items() if times > 1]
    if not by_hand:
        found += [f"{client_id}: not in the log" for client_id in exchange_orders.keys() - intents.keys()]
    executed = {
        exchange_order.client_id: exchange_order.executed for exchange_order in exchange_account.exchange_orders
    }
    numbers = {exchange_order.client_id: exchange_order.order_id for exchange_order in exchange_account.exchange_orders}
    found += [
        f"{name}: {quantity} filled by the log"
        for name, quantity in filled.items()
        if quantity != executed.get(name, 0)
    ]
    return found + [
        f"{name}: acknowledged and lost" for name, number in accepted.items() if numbers.get(name) != number
    ]


def _oversold(events: tuple[Event, ...]) -> list[str]:
    """No coin was offered that the ledger did not own."""
    ledger, found = Ledger(), []
    for event in events:
        order = (
            event.command.order if isinstance(event, CommandIssued) and isinstance(event.command, PlaceOrder) else None
        )
        if order is not None and order.market is Market.SPOT and order.side is Side.SELL:
            owned = ledger.owned(order.symbol.removesuffix("USDT"))
            if order.quantity > owned:
                found.append(f"{order.client_id} sells {order.quantity} of {owned} owned")
        ledger = apply(ledger, event)
    return found


def _mispaid(events: tuple[Event, ...], exchange_account: ExchangeAccountState) -> list[str]:
    """Every funding payment since the books were opened was booked, and once."""
    booked = Counter(event.payment.tran_id for event in events if isinstance(event, FundingReceived))
    paid = {payment.tran_id for payment in exchange_account.world.journal.payments}
    found = [f"funding {tran_id} booked {times} times" for tran_id, times in booked.items() if times > 1]
    missing = paid - booked.keys()
    return found + ([f"{len(missing)} of {len(paid)} funding payments are not booked"] if missing else [])


def _two_free_ports() -> int:
    """Return a port that is free, with the next one."""
    for _ in range(100):
        with socket.socket() as first, socket.socket() as second:
            first.bind((HOST, 0))
            port = int(first.getsockname()[1])
            try:
                second.bind((HOST, port + 1))
            except OSError:
                continue
            return port
    raise RuntimeError("no two free ports side by side")


def _surroundings(folder: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process: nothing of ours from outside; modules are compiled once."""
    ours = ("API_", "APIV1_", "HEDGEROW_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    cache = {"PYTHONPYCACHEPREFIX": str(folder / "compiled")} if "PYTHONDONTWRITEBYTECODE" in os.environ else {}
    return {**kept, **cache, "PYTHONUNBUFFERED": "1", **given}
