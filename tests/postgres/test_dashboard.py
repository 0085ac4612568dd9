"""The dashboard of a fleet: every bot of a database, and what an operator asks of one."""

import asyncio
import os
from socket import gethostname

import msgspec
import pytest

from hedgerow.app.commands.dashboard import database_sources
from hedgerow.app.commands.web.fleet_source import sources_in
from hedgerow.app.heartbeat import Beat
from hedgerow.app.storage.database import BEAT, LOG, connection_to
from hedgerow.clock import SystemClock
from hedgerow.config import Database
from hedgerow.dashboard.bot_state import ProcessState
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.operator_requests import HaltRequested, RequestOrigin
from hedgerow.store.postgres.log import PostgresStore
from hedgerow.store.postgres.mailbox import PostgresMailbox
from hedgerow.store.postgres.publisher import Publisher
from hedgerow.web.sources import AskOutcome
from support.postgres import PostgresServer, new_bot

CLOCK = SystemClock()


def test_a_database_without_a_bot_is_refused_in_one_line(postgres_server: PostgresServer) -> None:
    with pytest.raises(ConfigError, match="no bot has run on this database yet"):
        database_sources(postgres_server.new_database(), CLOCK, print)


def test_the_bots_of_a_database_are_shown_and_asked(postgres_server: PostgresServer) -> None:
    address, log = postgres_server.new_database(), list[str]()
    row, other = new_bot("alpha"), new_bot("beta")
    store = PostgresStore(address, "the database", row)
    PostgresStore(address, "the database", other).release()
    first, second = sources_in(address, CLOCK, named=lambda name, _: name, log=log.append)
    assert [first.slug, second.slug] == ["alpha", "beta"]
    assert second.read().process.state is ProcessState.STOPPED
    refused = asyncio.run(second.ask(HaltRequested(), None, "anna"))
    assert refused.outcome is AskOutcome.REFUSED
    publisher = Publisher(connection_to(Database(address), writes=True), row.account, store.epoch, CLOCK)
    publisher.sink(BEAT)(msgspec.json.encode(Beat(pid=os.getpid(), number=1, host=gethostname())))
    publisher.follow(LOG, lambda: b"one\ntwo")
    publisher.start()
    publisher.close()
    assert first.read().process.state is ProcessState.RUNNING
    assert (first.log_lines(1), second.log_lines(9)) == (("two",), ())
    asked = asyncio.run(first.ask(HaltRequested(detail="halted on the dashboard"), None, "anna"))
    assert asked.outcome is AskOutcome.WAITING
    box = PostgresMailbox(connection_to(Database(address)), row.account)
    (request,) = box.take()
    assert (request.origin, request.user) == (RequestOrigin.WEB, "anna")
    assert len(log) == 1
    box.release()
    store.release()
    first.close()
