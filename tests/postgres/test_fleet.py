"""Several bots on one database: each has its own log, and a reader without keys sees all of them."""

import asyncio
import os
from datetime import UTC, datetime
from socket import gethostname

import msgspec

from hedgerow.app.companion.asking import new_request
from hedgerow.app.fleet import FleetReader
from hedgerow.app.heartbeat import Beat
from hedgerow.app.storage.database import BEAT, connection_to
from hedgerow.clock import SystemClock
from hedgerow.config import Database
from hedgerow.dashboard.bot_state import ProcessState
from hedgerow.domain.events import CycleCompleted
from hedgerow.domain.operator_requests import HaltRequested
from hedgerow.store.postgres.log import PostgresStore
from hedgerow.store.postgres.mailbox import PostgresMailbox
from hedgerow.store.postgres.publisher import Publisher
from support.fleets import eager, play_fleet
from support.postgres import PostgresServer, new_bot

AT = datetime(2026, 1, 5, tzinfo=UTC)
CLOCK = SystemClock()


def test_four_bots_on_one_database_for_a_day_have_their_own_logs_and_books(postgres_server: PostgresServer) -> None:
    address = postgres_server.new_database()
    played = play_fleet(address, 4, 1.0, parameters=eager(1800), seed=11)
    assert [bot.wrongs for bot in played] == [()] * 4
    assert all(bot.opened for bot in played)
    reader = FleetReader(Database(address), CLOCK)
    bots = reader.bots()
    assert [bot.name for bot in bots] == [bot.name for bot in played]
    looks = [reader.look(bot) for bot in bots]
    assert [look.view.ledger.events for look in looks] == [bot.events for bot in played]
    assert {look.view.process.state for look in looks} == {ProcessState.STOPPED}
    reader.close()


def test_a_reader_of_a_database_sees_what_is_new_and_whether_each_bot_runs(postgres_server: PostgresServer) -> None:
    address = postgres_server.new_database()
    reader = FleetReader(Database(address), CLOCK)
    assert reader.bots() == ()
    row = new_bot("alpha")
    store = PostgresStore(address, "the database", row)
    (bot,) = reader.bots()
    look = reader.look(bot)
    assert (look.has_log, look.view.ledger.events, look.view.process.state) == (True, 0, ProcessState.STOPPED)
    publisher = Publisher(connection_to(Database(address), writes=True), row.account, store.epoch, CLOCK)
    publisher.sink(BEAT)(msgspec.json.encode(Beat(pid=os.getpid(), number=1, host=gethostname())))
    publisher.start()
    publisher.close()
    for number in range(1, 4):
        asyncio.run(store.append([CycleCompleted(at=AT, number=number)], durable=True))
        look = reader.look(bot)
        assert (look.view.ledger.events, look.view.process.state) == (number, ProcessState.RUNNING)
    box = reader.request_box(bot)
    box.post(new_request(HaltRequested(), CLOCK, user="anna"))
    taken = PostgresMailbox(connection_to(Database(address)), row.account)
    assert len(taken.take()) == 1
    taken.release()
    box.release()
    store.release()
    reader.close()
