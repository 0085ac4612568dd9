"""Whoever asks a running bot learns what became of the request, also where the bot says nothing."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from hedgerow.app.commands.operator_request import ask_the_bot
from hedgerow.app.companion.asking import new_request, user_name
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.errors import MailboxError
from hedgerow.domain.operator_requests import Answer, CloseRequested, HaltRequested, OperatorRequest, RequestOrigin
from hedgerow.store.mailbox import FolderMailbox
from support.bot_harness import OPENED

HOLDER = "process 7 already trades this account"


class RequestHarness:
    """Somebody who asks, and a bot that does what a test says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = VirtualClock(OPENED)
        self.mailbox = FolderMailbox(folder, self.clock)
        self.request = new_request(HaltRequested(), self.clock, user="anna")

    def ask(self, bot: Callable[[], Coroutine[None, None, None]] | None = None) -> Answer:
        async def both() -> Answer:
            working = asyncio.ensure_future(bot()) if bot else None
            answer = await ask_the_bot(self.mailbox, self.request, self.clock, HOLDER)
            if working is not None:
                await working
            return answer

        return run_virtual(self.clock, both())

    def take(self) -> OperatorRequest:
        (request,) = self.mailbox.take()
        self.mailbox.claim(request.request_id)
        return request

    @property
    def seconds(self) -> float:
        return (self.clock.now() - OPENED).total_seconds()


@pytest.fixture
def harness(tmp_path: Path) -> RequestHarness:
    return RequestHarness(tmp_path / "requests")


def test_a_request_that_no_bot_takes_is_withdrawn_when_its_time_is_over(harness: RequestHarness) -> None:
    answer = harness.ask()
    assert answer == Answer(done=False, text=f"No bot took it within 60 s: withdrawn, nothing was done ({HOLDER}).")
    assert 60 < harness.seconds < 64
    assert list(harness.folder.iterdir()) == []


def test_a_closing_that_takes_longer_than_a_request_is_valid_is_waited_for(harness: RequestHarness) -> None:
    done = Answer(done=True, text="closed")

    async def bot() -> None:
        await harness.clock.sleep(5)
        request = harness.take()
        await harness.clock.sleep(200)
        harness.mailbox.answer(request.request_id, done)

    assert harness.ask(bot) == done


def test_a_request_that_was_begun_and_never_answered_is_said_to_go_on(harness: RequestHarness) -> None:
    async def bot() -> None:
        await harness.clock.sleep(1)
        harness.take()

    answer = harness.ask(bot)
    assert not answer.done
    assert "the bot has begun it and continues" in answer.text
    assert harness.seconds > 600


def test_an_answer_that_the_bot_could_not_write_is_looked_for_in_its_log(harness: RequestHarness) -> None:
    async def bot() -> None:
        await harness.clock.sleep(1)
        request = harness.take()
        (harness.folder / f"{request.request_id}.answer.json").mkdir()
        with pytest.raises(MailboxError):
            harness.mailbox.answer(request.request_id, Answer(done=True, text="ok"))

    answer = harness.ask(bot)
    assert not answer.done
    assert "its answer could not be written: see its log" in answer.text


@pytest.mark.parametrize("begun", [False, True])
def test_an_interrupted_command_says_whether_the_bot_goes_on(harness: RequestHarness, begun: bool) -> None:  # noqa: FBT001 - as above
    async def bot() -> None:
        await harness.clock.sleep(1)
        if begun:
            harness.take()
        os.kill(os.getpid(), signal.SIGTERM)
        await harness.clock.sleep(1)

    text = harness.ask(bot).text
    expected = "the bot has begun it and continues" if begun else "the request was withdrawn, nothing was done"
    assert text.startswith("Interrupted: ")
    assert expected in text


def test_who_asked_has_a_name_where_the_system_knows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found")

    assert user_name()
    monkeypatch.setattr("getpass.getuser", nobody)
    assert user_name() == f"uid {os.geteuid()}"


def test_a_request_of_a_screen_or_a_phone_names_its_origin_and_its_own_validity() -> None:
    clock = VirtualClock(OPENED)
    request = new_request(CloseRequested(), clock, user="anna", origin=RequestOrigin.TELEGRAM, seconds=30)
    assert request.origin == "telegram"
    assert (request.valid_until - request.asked_at).total_seconds() == 30
