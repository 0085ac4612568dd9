"""The client of Telegram, over HTTP against a stand-in that python-telegram-bot talks to as well."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.aster.http.transport import HttpTransport
from hedgerow.notify.delivery import AppriseTarget, Attempt, Outcome, TelegramTarget
from hedgerow.notify.settings import Secret
from hedgerow.notify.telegram import (
    LONGEST_TEXT,
    AnswerLost,
    Button,
    NotReached,
    TelegramClient,
    TelegramError,
    TelegramRefused,
    split_text,
)
from support.fast_clock import FastClock
from support.telegram_server import GROUP, TOKEN, TelegramServer

pytestmark = pytest.mark.slow
Use = Callable[[TelegramClient], Awaitable[object]]


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    with TelegramServer() as served:
        yield served


def use(server: TelegramServer, act: Use, *, token: str = TOKEN, clock: FastClock | None = None) -> object:
    async def main() -> object:
        async with HttpTransport() as transport:
            return await act(TelegramClient(transport, clock or FastClock(), Secret(token), server.address))

    return asyncio.run(main())


def test_a_text_arrives_with_its_button_and_the_bot_knows_its_name(server: TelegramServer) -> None:
    async def act(client: TelegramClient) -> str:
        await client.send(GROUP, "hello", (Button(text="Close", data="d1"),))
        return await client.name()

    assert use(server, act) == "hedge_test_bot"
    assert server.texts == [(GROUP, "hello")]
    assert server.buttons == [("Close", "d1")]


def test_a_limit_is_waited_for_as_long_as_telegram_asks_and_nothing_is_lost(server: TelegramServer) -> None:
    server.limit_next, server.retry_after = 2, 30
    clock = FastClock()
    use(server, lambda client: client.send(GROUP, "hello"), clock=clock)
    assert server.texts == [(GROUP, "hello")]
    assert clock.monotonic() >= 60
    assert server.calls == ["sendMessage"] * 3


def test_what_was_never_sent_is_not_taken_for_an_answer_that_was_lost(server: TelegramServer) -> None:
    server.drop_after = 1
    with pytest.raises(AnswerLost):
        use(server, lambda client: client.send(GROUP, "arrives"))
    server.stop()
    with pytest.raises(NotReached):
        use(server, lambda client: client.send(GROUP, "does not"))
    server.start()
    assert server.texts == [(GROUP, "arrives")]


@pytest.mark.parametrize("status", [500, 502])
def test_an_answer_of_a_gateway_says_nothing_of_the_message(status: int, server: TelegramServer) -> None:
    server.status = status
    with pytest.raises(AnswerLost):
        use(server, lambda client: client.send(GROUP, "hello"))


def test_a_wrong_token_keeps_the_alerts_until_it_is_right(server: TelegramServer) -> None:
    wrong = "123456789:AAwrong_WRONG_wrong_WRONG_wrong_00"

    async def act(client: TelegramClient) -> object:
        return await TelegramTarget(client, GROUP).send("hello")

    attempt = use(server, act, token=wrong)
    assert getattr(attempt, "outcome", None) is Outcome.NOT_SENT
    assert "Unauthorized" in getattr(attempt, "detail", "")


def test_nothing_that_is_raised_logged_or_shown_holds_the_token(
    server: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []

    async def act(client: TelegramClient) -> None:
        shown.append(repr(client))
        for state in ({"status": 502}, {"drop_after": 1}, {"limit_next": 1}, {}):
            vars(server).update({"status": 0, **state})
            try:
                await client.send(GROUP, "x" if state else "")
            except TelegramError as error:
                shown.extend((str(error), repr(error), repr(error.__cause__), repr(error.__context__)))

    use(server, act)
    server.stop()
    with pytest.raises(NotReached) as raised:
        use(server, lambda client: client.send(GROUP, "x"))
    shown += [str(raised.value), repr(raised.value.__cause__), caplog.text]
    assert not any(TOKEN in text or TOKEN.split(":")[1] in text for text in shown)
    with pytest.raises(TypeError):
        Secret(TOKEN).__reduce__()


def test_a_refusal_is_raised_with_its_code(server: TelegramServer) -> None:
    with pytest.raises(TelegramRefused, match="code 404") as raised:
        use(server, lambda client: client._call("noSuchMethod", {}))
    assert raised.value.code == 404


def test_a_poll_waits_and_forgets_what_was_confirmed(server: TelegramServer) -> None:
    server.say("/status")

    async def act(client: TelegramClient) -> tuple[int, int]:
        first = await client.updates(0)
        second = await client.updates(first[0].number + 1, seconds=0)
        return len(first), len(second)

    assert use(server, act) == (1, 0)


@given(st.text(alphabet=st.sampled_from("ab \n😀é"), min_size=1, max_size=400))
def test_a_long_text_is_split_into_parts_that_hold_all_of_it(text: str) -> None:
    parts = split_text(text, longest=37)
    assert all(len(part.encode("utf-16-le")) // 2 <= 37 for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_a_long_text_arrives_in_parts_with_the_button_below_the_last(server: TelegramServer) -> None:
    text = "\n".join(f"line {number}" for number in range(1_200))
    use(server, lambda client: client.send(GROUP, text, (Button(text="b", data="d"),)))
    assert len(server.texts) == 3
    assert all(len(part) <= LONGEST_TEXT for _, part in server.texts)
    assert "\n".join(part for _, part in server.texts) == text
    assert len(server.buttons) == 1


def test_python_telegram_bot_accepts_the_stand_in(server: TelegramServer) -> None:
    telegram = pytest.importorskip("telegram")
    server.say("/status")

    async def main() -> tuple[str, list[str]]:
        async with telegram.Bot(TOKEN, base_url=f"{server.address}/bot") as bot:
            sent = await bot.send_message(GROUP, "from another client")
            updates = await bot.get_updates(timeout=1)
            return sent.text, [update.message.text for update in updates]

    assert asyncio.run(main()) == ("from another client", ["/status"])
    assert server.texts == [(GROUP, "from another client")]


def test_an_update_of_an_unknown_form_is_passed_over_and_not_asked_for_again(server: TelegramServer) -> None:
    server._put({"message": {"message_id": "no number", "chat": 5}})
    server.say("/status")
    found = use(server, lambda client: client.updates(0))
    assert [update.text for update in found] == ["", "/status"]  # type: ignore[attr-defined] # updates
    assert found[0].chat is None  # type: ignore[index] # updates


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # its plugins import old modules
def test_apprise_sends_in_a_thread_and_says_what_it_cannot(
    server: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("apprise")
    port = server.address.rsplit(":", 1)[1]

    async def send(url: str) -> Attempt:
        target = AppriseTarget(Secret(url))
        try:
            return await target.send("hello")
        finally:
            target.close()

    posted = asyncio.run(send(f"json://anna:hush@127.0.0.1:{port}/x"))
    assert (posted, server.posted) == (Attempt(outcome=Outcome.SENT), ["hello"])
    unknown = asyncio.run(send("nosuchthing://hush"))
    assert unknown.outcome is Outcome.NOT_SENT
    server.stop()
    lost = asyncio.run(send(f"json://anna:hush@127.0.0.1:{port}/x"))
    assert lost.outcome is Outcome.UNKNOWN
    assert "hush" not in f"{unknown} {lost} {caplog.text}"
