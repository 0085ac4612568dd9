"""PostgreSQL killed without warning under a bot that trades: nothing is lost, nothing is sent twice.

The bot runs on a simulated clock against the emulator; the server is a real one. ``benchmarks/kill_postgres.py`` does
the same for long, with the bot and the exchange as processes of their own.
"""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest

from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.errors import LogUnavailable, StoreError
from hedgerow.domain.events import CommandIssued, Event, HedgeOpened
from hedgerow.ports import Clock
from hedgerow.store.postgres.connection import Connection
from hedgerow.store.postgres.log import BotRow, PostgresReader, PostgresStore
from support.bot_harness import BotHarness
from support.postgres import PostgresServer, new_bot, require_postgres, serve_postgres
from support.regressions import settings

AWAY_SECONDS = 20.0


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with serve_postgres(require_postgres(), fsync="off") as served:
        yield served


class StoreOfAKilledServer(PostgresStore):
    """A log whose server is killed around chosen appends, and comes back while the bot waits."""

    def __init__(self, server: PostgresServer, bot: BotRow, clock: Clock, kills: list[int]) -> None:
        super().__init__(server.url(), "the database", bot, clock)
        self._server, self._clock, self._kills, self._orders = server, clock, kills, 0
        self.killed = 0

    async def append(self, events: Sequence[Event], *, durable: bool) -> None:
        orders = sum(isinstance(e, CommandIssued) and isinstance(e.command, PlaceOrder) for e in events)
        self._orders += orders
        due = bool(self._kills) and self._orders >= self._kills[0]
        if not due:
            return await super().append(events, durable=durable)
        self._kills.pop(0)
        self.killed += 1
        before = self.killed % 2
        if before:  # the intent is not in the log yet
            self._server.kill()
        else:  # the order is in the log, and its outcome is not
            await super().append(events, durable=durable)
            self._server.kill()
            return None
        appending = asyncio.ensure_future(super().append(events, durable=durable))
        await self._clock.sleep(AWAY_SECONDS)
        assert not appending.done()
        self._server.start()
        return await appending


class RestartingStore(StoreOfAKilledServer):
    """The same, and a server that was killed after an append comes back before the next one."""

    async def append(self, events: Sequence[Event], *, durable: bool) -> None:
        if self.killed and self.killed % 2 == 0 and not self._server.runs:
            appending = asyncio.ensure_future(PostgresStore.append(self, events, durable=durable))
            await self._clock.sleep(AWAY_SECONDS)
            assert not appending.done()
            self._server.start()
            return await appending
        return await super().append(events, durable=durable)


def stored(server: PostgresServer, bot: BotRow) -> tuple[Event, ...]:
    reader = PostgresReader(Connection(server.url(), "the database"), bot)
    events = tuple(reader.stream())
    reader.release()
    return events


def test_a_server_killed_around_three_orders_loses_nothing_and_nothing_is_sent_twice(server: PostgresServer) -> None:
    bot, kills = new_bot(), [1, 2, 4]
    harness = BotHarness(
        parameters=settings(position_management={"max_position_age_hours": 0.4}),
        open_store=lambda: RestartingStore(server, bot, harness.clock, kills),
    )
    harness.run(1.2)
    assert kills == []
    harness.check()
    assert tuple(harness.log) == stored(server, bot), "what was confirmed is there, and nothing else"
    sent = [order.order.client_id for order in harness.venue.orders]
    assert len(sent) == len(set(sent)) >= 4
    logged = [
        e.command.order.client_id
        for e in harness.log
        if isinstance(e, CommandIssued) and isinstance(e.command, PlaceOrder)
    ]
    assert sent == logged
    done = {fill.client_id for fill in harness.world.dump().journal.fills}
    assert done <= set(sent), "the exchange knows no order that the log does not"


def test_a_database_that_stays_away_in_mid_trade_ends_the_bot_and_the_next_one_finishes_the_trade(
    server: PostgresServer,
) -> None:
    bot = new_bot()

    class Gone(PostgresStore):
        async def append(self, events: Sequence[Event], *, durable: bool) -> None:
            await super().append(events, durable=durable)
            if any(isinstance(e, CommandIssued) and isinstance(e.command, PlaceOrder) for e in events):
                server.kill()

    harness = BotHarness(open_store=lambda: Gone(server.url(), "the database", bot, harness.clock))
    began = harness.clock.now()
    with pytest.raises(LogUnavailable, match="cannot be reached"):
        harness.run(1)
    assert timedelta(seconds=300) <= harness.clock.now() - began < timedelta(seconds=320)
    assert len(harness.venue.orders) == 1, "nothing is sent that cannot be logged"
    server.start()
    again = BotHarness(
        world=harness.world, open_store=lambda: PostgresStore(server.url(), "the database", bot, again.clock)
    )
    again.run(0.2)
    again.check_whole()
    assert len(again.logged(HedgeOpened)) == 1


@pytest.mark.parametrize("nth", [1, 2], ids=["before the leading leg", "before the following leg"])
def test_a_fence_taken_by_hand_stops_the_old_bot_before_its_next_order(server: PostgresServer, nth: int) -> None:
    bot = new_bot()

    class Fenced(PostgresStore):
        left = nth

        async def append(self, events: Sequence[Event], *, durable: bool) -> None:
            if any(isinstance(e, CommandIssued) and isinstance(e.command, PlaceOrder) for e in events):
                self.left -= 1
                if self.left == 0:
                    server.execute(f"UPDATE hedgerow.bots SET epoch = epoch + 1 WHERE account = '{bot.account}'")
            await super().append(events, durable=durable)

    harness = BotHarness(open_store=lambda: Fenced(server.url(), "the database", bot, harness.clock))
    with pytest.raises(StoreError, match="another bot has taken over this account"):
        harness.run(1)
    assert len(harness.venue.orders) == nth - 1
    again = BotHarness(
        world=harness.world, open_store=lambda: PostgresStore(server.url(), "the database", bot, again.clock)
    )
    again.run(0.2)
    again.check_whole()
