"""Many bots on one database at once: each on an exchange of its own, on a simulated clock, in a thread of its own."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

from msgspec import Struct

from hedgerow.app.bot import build_bot
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.events import CommandIssued, Event, HedgeOpened
from hedgerow.domain.ledger.books import books_difference
from hedgerow.domain.ledger.reducers import fold
from hedgerow.emulator.core.world import World
from hedgerow.emulator.inprocess.venue import EmulatedVenue
from hedgerow.emulator.latency import LatencyModel
from hedgerow.emulator.markets.generated import GeneratedMarketData
from hedgerow.engine.runner import RunOptions
from hedgerow.store.postgres.connection import Connection
from hedgerow.store.postgres.log import BotRow, PostgresReader, PostgresStore
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import load_policy
from support.regressions import settings

__all__ = ["FleetBot", "eager", "play_fleet"]

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
PAIRS = 8
BOOKED_SECONDS = 5400.0
"""Time after the last settlement in which its payments are booked."""


class FleetBot(Struct, frozen=True, kw_only=True):
    """How one bot of a fleet ended."""

    name: str
    events: int
    orders: int
    opened: int
    wrongs: tuple[str, ...]
    """In what log, ledger and exchange differ; empty = all is well."""


def eager(interval_seconds: int) -> StrategyParameters:
    """Return settings that open whatever they may and close after four hours."""
    anything = {"min_funding_apr": 0, "min_volume_usd": 0, "max_spread_bps": 10000, "max_entry_discount_bps": 10000}
    return settings(
        funding_rate_strategy=anything,
        position_management={"loop_interval_seconds": interval_seconds, "max_position_age_hours": 4},
        execution={"settlement_guard_seconds": 0},
    )


def play_fleet(address: str, bots: int, days: float, *, parameters: StrategyParameters, seed: int) -> list[FleetBot]:
    """Let so many bots trade at once for so long; compare each log with its ledger and its exchange."""
    with ThreadPoolExecutor(bots) as threads:
        return list(threads.map(lambda n: _played(address, n, days, parameters, seed + n), range(bots)))


def _played(address: str, number: int, days: float, parameters: StrategyParameters, seed: int) -> FleetBot:
    world = World(
        GeneratedMarketData(seed=seed, start=START - timedelta(days=2), pairs=PAIRS),
        start=START,
        spot={"USDT": Decimal(1000)},
        perp=Decimal(1000),
    )
    clock, random = VirtualClock(START), Random(seed)
    row = BotRow(account=f"{number:032x}", name=f"bot {number}", mode="PAPER", shown_account="emulated")
    venue = EmulatedVenue(world, clock, latency=LatencyModel(median_seconds=0.05), random=random)
    bot = build_bot(
        venue=venue,
        store=PostgresStore(address, "the database", row, clock),
        clock=clock,
        policy=load_policy(parameters.policy, parameters),
        randomness=random,
        options=RunOptions(interval_seconds=parameters.position_management.loop_interval_seconds),
        notifications=venue,
    )

    async def script() -> None:
        running = asyncio.ensure_future(bot.runner.run())
        await asyncio.wait({running}, timeout=days * 86_400 + BOOKED_SECONDS)
        bot.stop.set()
        await running

    run_virtual(clock, script())
    reader = PostgresReader(Connection(address, "the database"), row)
    stored = tuple(reader.stream())
    reader.release()
    wrongs = []
    if fold(stored) != bot.journal.ledger:
        wrongs.append("the fold of the log is not the ledger of the bot")
    wrongs += [
        f"books: {key} differs by {value}"
        for key, value in books_difference(fold(stored).books, world.account()).items()
    ]
    logged = _orders(stored)
    if len(logged) != len(set(logged)):
        wrongs.append("an order was logged twice")
    done = {fill.client_id for fill in world.dump().journal.fills}
    if not done <= set(logged):
        wrongs.append(f"orders on the exchange that the log does not know: {sorted(done - set(logged))}")
    opened = sum(isinstance(event, HedgeOpened) for event in stored)
    return FleetBot(name=row.name, events=len(stored), orders=len(logged), opened=opened, wrongs=tuple(wrongs))


def _orders(events: Sequence[Event]) -> list[str]:
    return [
        event.command.order.client_id
        for event in events
        if isinstance(event, CommandIssued) and isinstance(event.command, PlaceOrder)
    ]
