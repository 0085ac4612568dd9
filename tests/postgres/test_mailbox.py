"""Requests in the database: each is carried out once, by the bot that holds the fence, while it is valid."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from hedgerow.clock import SystemClock
from hedgerow.domain.errors import MailboxError
from hedgerow.domain.operator_requests import Answer, Claim, HaltRequested, OperatorRequest, ResumeRequested
from hedgerow.store.postgres.connection import Connection
from hedgerow.store.postgres.log import BotRow, PostgresStore
from hedgerow.store.postgres.mailbox import PostgresMailbox
from hedgerow.store.postgres.publisher import Publisher, published
from support.postgres import PostgresServer, new_bot, require_postgres, serve_postgres

LONG_AGO = datetime(2001, 1, 5, tzinfo=UTC)
"""Of a machine whose clock is wrong by decades: the database's clock decides."""
CLOCK = SystemClock()
DONE = Answer(done=True, text="done")


class Bots:
    """One bot of a database, and those who ask it."""

    def __init__(self, server: PostgresServer, bot: BotRow) -> None:
        self.server, self.bot = server, bot
        self.made: list[PostgresMailbox] = []
        self.store = PostgresStore(server.url(), "the database", bot)
        self.asker = self.mailbox(epoch=0)
        self.carrier = self.mailbox()
        self.reports: list[str] = []
        self.carrier.report_to(self.reports.append)

    def mailbox(self, epoch: int | None = None, publisher: Publisher | None = None) -> PostgresMailbox:
        fence = self.store.epoch if epoch is None else epoch
        made = PostgresMailbox(self.connection(), self.bot.account, epoch=fence, publisher=publisher)
        self.made.append(made)
        return made

    def connection(self) -> Connection:
        return Connection(self.server.url(), "the database", writes=True)

    def post(self, name: str, seconds: float = 60, at: datetime = LONG_AGO) -> OperatorRequest:
        request = OperatorRequest(
            request_id=name,
            action=HaltRequested(detail=name) if name != "resume" else ResumeRequested(),
            user="anna",
            asked_at=at,
            valid_until=at + timedelta(seconds=seconds),
        )
        self.asker.post(request)
        return request

    def close(self) -> None:
        for mailbox in self.made:
            mailbox.release()
        self.store.release()


@pytest.fixture
def bots(postgres_server: PostgresServer) -> Iterator[Bots]:
    found = Bots(postgres_server, new_bot())
    yield found
    found.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = CLOCK.monotonic() + 20
    while not condition():
        assert CLOCK.monotonic() < deadline
        asyncio.run(CLOCK.sleep(0.02))


def test_requests_are_taken_in_the_order_in_which_they_were_posted_whatever_their_clocks_say(bots: Bots) -> None:
    posted = [bots.post(name, at=LONG_AGO - timedelta(days=n)) for n, name in enumerate(["c", "resume", "a", "b"])]
    assert bots.carrier.take() == tuple(posted)


def test_a_request_is_carried_out_once_and_answered(bots: Bots) -> None:
    bots.post("a")
    assert (bots.asker.waits("a"), bots.asker.begun("a")) == (True, False)
    assert bots.carrier.claim("a") is Claim.TAKEN
    assert (bots.asker.waits("a"), bots.asker.begun("a")) == (False, True)
    assert bots.mailbox().claim("a") is Claim.WITHDRAWN
    assert bots.carrier.take() == ()
    assert bots.asker.collect("a") is None
    assert not bots.asker.withdraw("a")
    bots.carrier.answer("a", DONE)
    bots.carrier.answer("a", Answer(done=False, text="again"))
    assert bots.asker.collect("a") == DONE
    assert (bots.asker.waits("a"), bots.asker.begun("a")) == (False, False)
    assert bots.mailbox().take() == ()


def test_a_request_that_waited_too_long_by_the_databases_clock_is_not_begun(bots: Bots) -> None:
    bots.post("a", seconds=0.01)
    asyncio.run(CLOCK.sleep(0.05))
    assert [each.request_id for each in bots.carrier.take()] == ["a"]
    assert bots.carrier.claim("a") is Claim.EXPIRED


def test_a_request_that_was_withdrawn_is_not_begun(bots: Bots) -> None:
    bots.post("a")
    taken = bots.carrier.take()
    assert bots.asker.withdraw("a")
    assert len(taken) == 1
    assert bots.carrier.claim("a") is Claim.WITHDRAWN
    assert bots.carrier.take() == ()


def test_the_same_request_is_not_posted_twice(bots: Bots) -> None:
    bots.post("a")
    with pytest.raises(MailboxError, match="a is there already"):
        bots.post("a")


def test_a_bot_whose_fence_was_raised_begins_nothing(bots: Bots) -> None:
    bots.post("a")
    assert bots.mailbox(epoch=bots.store.epoch - 1).claim("a") is Claim.WITHDRAWN
    assert bots.carrier.claim("a") is Claim.TAKEN


def test_a_request_of_another_account_is_not_seen(bots: Bots, postgres_server: PostgresServer) -> None:
    bots.post("a")
    other = Bots(postgres_server, new_bot())
    assert other.carrier.take() == ()
    assert other.carrier.claim("a") is Claim.WITHDRAWN
    other.close()


def test_what_an_earlier_bot_had_begun_is_known_to_the_next_one(bots: Bots) -> None:
    request = bots.post("a")
    bots.post("b")
    assert bots.carrier.claim("a") is Claim.TAKEN
    assert bots.carrier.abandoned() == ()
    following = bots.mailbox()
    assert following.abandoned() == (request,)
    following.answer("a", DONE)
    assert following.abandoned() == ()
    assert bots.asker.collect("a") == DONE


def test_a_request_that_cannot_be_read_is_answered_so_and_the_others_are_carried_out(bots: Bots) -> None:
    bots.server.execute(
        "INSERT INTO hedgerow.requests (account, request_id, request, valid)"
        f" VALUES ('{bots.bot.account}', 'bad', 'nonsense', '1 minute')"
    )
    good = bots.post("good")
    assert bots.carrier.take() == (good,)
    assert len(bots.reports) == 1
    answer = bots.asker.collect("bad")
    assert answer is not None
    assert answer.text.startswith("unreadable request")


def test_a_request_filed_for_longer_than_it_says_is_not_carried_out(bots: Bots) -> None:
    bots.post("a", seconds=1)
    bots.server.execute(f"UPDATE hedgerow.requests SET valid = '1 year' WHERE account = '{bots.bot.account}'")
    assert bots.carrier.take() == ()
    answer = bots.asker.collect("a")
    assert answer is not None
    assert "not the request it is filed as" in answer.text


def test_a_database_that_is_away_costs_the_bot_no_wait_and_is_reported_once() -> None:
    with serve_postgres(require_postgres(), fsync="off") as server:
        clock = LateClock()
        bots = Bots(server, new_bot())
        publisher = Publisher(bots.connection(), bots.bot.account, bots.store.epoch, clock)
        mailbox = bots.mailbox(publisher=publisher)
        mailbox.report_to(bots.reports.append)
        publisher.start()
        bots.post("a")
        until(lambda: len(mailbox.take()) == 1)
        server.kill()
        clock.late = 60.0
        began = CLOCK.monotonic()
        for _ in range(100):
            mailbox.take()
        assert CLOCK.monotonic() - began < 1
        assert len(bots.reports) == 1
        assert "requests are not read" in bots.reports[0]
        with pytest.raises(MailboxError):
            mailbox.claim("a")
        assert mailbox.take() == (), "it is not taken again"
        with pytest.raises(MailboxError):
            bots.post("b")
        server.start()
        until(lambda: publisher.silent_seconds < 60.5)
        publisher.close()
        bots.close()


class LateClock(SystemClock):
    """Real time, which may be put forward."""

    late = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.late


KINDS = ("beat", "outlook")


def test_a_publisher_announces_requests_at_once_and_shows_the_newest_of_each_kind(bots: Bots) -> None:
    publisher = Publisher(bots.connection(), bots.bot.account, bots.store.epoch, CLOCK)
    publisher.start()
    beat, outlook = publisher.sink("beat"), publisher.sink("outlook")
    for number in range(100):
        beat(b"%d" % number)
    outlook(b"seen")
    until(lambda: len(published(bots.asker._connection, bots.bot.account, KINDS)) == 2)
    began = CLOCK.monotonic()
    bots.post("a")
    until(lambda: [each.request_id for each in publisher.waiting] == ["a"])
    assert CLOCK.monotonic() - began < 5
    beat(None)
    publisher.close()
    shown = published(bots.asker._connection, bots.bot.account, KINDS)
    assert {kind: each.payload for kind, each in shown.items()} == {"outlook": b"seen"}
    assert 0 <= shown["outlook"].age_seconds < 30


def test_a_publisher_whose_bot_was_replaced_shows_nothing_more(bots: Bots) -> None:
    publisher = Publisher(bots.connection(), bots.bot.account, bots.store.epoch - 1, CLOCK)
    publisher.start()
    publisher.sink("beat")(b"of the old bot")
    publisher.close()
    assert published(bots.asker._connection, bots.bot.account, KINDS) == {}
