"""The live client with its streams over a wire in memory that is cut again and again, under virtual time."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import cast

import pytest
from msgspec import Struct

from _exchange import wrongs
from hedgerow.app.bot import Bot, build_bot
from hedgerow.app.venues.live import LiveExchange
from hedgerow.aster import AsterClient, Credentials
from hedgerow.aster.endpoints import MAINNET
from hedgerow.aster.http.transport import HttpTransport
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.events import Event, ExecutionStarted, HedgeClosed, HedgeOpened, OrderOutcomeUnknown
from hedgerow.domain.instrument import Market
from hedgerow.emulator.latency import LatencyModel
from hedgerow.emulator.wire.exchange.exchange import Exchange
from hedgerow.emulator.wire.memory_transport import MemoryTransport
from hedgerow.emulator.wire.protocol.clock import ExchangeClock
from hedgerow.emulator.wire.protocol.credentials import Agent
from hedgerow.emulator.wire.venue import WireVenue
from hedgerow.engine.runner import RunOptions
from hedgerow.ports import Clock
from hedgerow.simulation.faults.wire import NetworkFault
from hedgerow.store.memory import MemoryStore
from hedgerow.strategy.parameters import (
    FundingRateStrategy,
    PositionManagement,
    StrategyParameters,
)
from hedgerow.strategy.policies import load_policy
from support.cut_wire import Cut, CutWire
from support.wire import AGENT, USER
from support.worlds import START, Listing, ScriptedMarketData

BEGIN = START + timedelta(hours=1)
FRESH_SECONDS = 5.0
"""How old a reading may be when a job begins: mark prices count for three seconds, and a job needs them."""
TURN_SECONDS = 270.0
"""Between two cuts: at its end silence and back-off are over, and everything is received again."""
INTERVAL = 60.0
CUTS = 10
TRADING = StrategyParameters(
    funding_rate_strategy=FundingRateStrategy(min_funding_apr=0.05),
    position_management=PositionManagement(
        max_position_age_hours=0.01, loop_interval_seconds=INTERVAL, fee_coverage_multiplier=1000
    ),
)
"""Closed and opened again in every check."""


class CalmVenue(WireVenue):
    """An exchange that looks for news once a second at most, so that an hour of it is affordable."""

    def next_due(self) -> datetime | None:
        due = super().next_due()
        return None if due is None else max(due, self.clock.now() + timedelta(seconds=1))


class Outcome(Struct, frozen=True):
    """What a run left behind."""

    events: tuple[Event, ...]
    wrongs: list[str]
    wire: CutWire
    silent: list[int]
    """Turns at whose end something was not received again."""


def drawn(random: Random, count: int) -> list[Cut]:
    """Return cuts of every kind, one in each turn, every other one in the middle of a trade."""
    network_faults = list(NetworkFault)
    return [
        Cut(
            begin=BEGIN + timedelta(seconds=TURN_SECONDS * number + 30 * random.random()),
            seconds=2.0 * 30.0 ** random.random(),
            network_fault=network_faults[number // 2 % len(network_faults)],
            in_trade=number % 2 == 0,
        )
        for number in range(count)
    ]


def play(cuts: Sequence[Cut], seed: int) -> Outcome:
    clock = VirtualClock(BEGIN)
    market_data = ScriptedMarketData([Listing(rate="0.0004"), Listing("BBBUSDT", spot=20, rate="0.0003")])
    exchange = Exchange(market_data, start=BEGIN)
    exchange_account = exchange.open_account(USER, spot={"USDT": Decimal(1000)}, perp=Decimal(1000))
    exchange.permit(USER, Agent(signer=AGENT.lower()))
    memory = MemoryTransport(
        CalmVenue(exchange, ExchangeClock(clock, BEGIN)),
        clock,
        latency=LatencyModel(median_seconds=0.02),
        random=Random(seed),
    )
    wire = CutWire(memory, clock, cuts)
    store = MemoryStore()
    silent: list[int] = []

    async def script() -> None:
        live = live_exchange(wire, clock, seed)
        async with live.open_connection(store, stay=True):
            bot = wired(live, store, clock, seed)
            listening = asyncio.create_task(note_silent_turns(live, len(cuts), silent))
            running = asyncio.create_task(bot.runner.run())
            await clock.sleep(TURN_SECONDS * (len(cuts) + 1))
            bot.stop.set()
            await running
            await listening

    run_virtual(clock, script())
    events = asyncio.run(store.events())
    return Outcome(events, wrongs(events, exchange_account.state()), wire, silent)


def live_exchange(wire: CutWire, clock: Clock, seed: int) -> LiveExchange:
    credentials = Credentials(user=USER, signer=AGENT, private_key=f"{1:064x}")
    client = AsterClient(transport=wire, clock=clock, random=Random(seed), credentials=credentials, hosts=MAINNET)
    return LiveExchange(cast("HttpTransport", wire), client, clock, Random(seed))


def wired(live: LiveExchange, store: MemoryStore, clock: Clock, seed: int) -> Bot:
    return build_bot(
        venue=live.venue,
        store=store,
        clock=clock,
        policy=load_policy(TRADING.policy, TRADING),
        randomness=Random(seed),
        options=RunOptions(interval_seconds=INTERVAL),
    )


async def note_silent_turns(live: LiveExchange, turns: int, silent: list[int]) -> None:
    """Note each turn at whose end not everything is received again."""
    for turn in range(turns):
        await live.clock.sleep((BEGIN - live.clock.now()).total_seconds() + TURN_SECONDS * (turn + 1))
        venue, now = live.venue, live.clock.now()
        users = all(venue.account_cache.is_open(market) for market in Market)
        if not users or venue.market_cache.premiums(now) is None:
            silent.append(turn)


def undue(events: Sequence[Event], cuts: Sequence[Cut]) -> list[Event]:
    """Return every job that began while nothing could be read."""
    whole = [cut for cut in cuts if cut.network_fault is not NetworkFault.STREAMS]
    slack = timedelta(seconds=FRESH_SECONDS)
    return [
        event
        for event in events
        if isinstance(event, ExecutionStarted) and any(cut.begin + slack < event.at < cut.end for cut in whole)
    ]


@pytest.mark.parametrize("seed", [1])
def test_nothing_is_decided_on_what_is_not_received_and_everything_is_received_again(seed: int) -> None:
    outcome = play(drawn(Random(seed), CUTS), seed)
    cuts = outcome.wire.past
    assert len(cuts) == CUTS
    assert outcome.wrongs == []
    assert undue(outcome.events, cuts) == []
    assert outcome.silent == []
    assert all(
        outcome.wire.met[network_fault] > 0
        for network_fault in NetworkFault
        if network_fault is not NetworkFault.STREAMS
    )
    kinds = [type(event) for event in outcome.events]
    assert kinds.count(HedgeOpened) > 4
    assert kinds.count(HedgeClosed) > 4
    assert OrderOutcomeUnknown in kinds, "no cut fell between an order and its answer"
