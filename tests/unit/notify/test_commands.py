"""Commands from Telegram: who may send them, what they answer, and buttons that act once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec import Struct
from msgspec.structs import replace

from hedgerow.aster.http.transport import HttpTransport
from hedgerow.dashboard.bot_state import Process, ProcessState
from hedgerow.dashboard.formats import clock_time, money, signed_money
from hedgerow.dashboard.view import HaltView, View
from hedgerow.domain.operator_requests import (
    Answer,
    CloseRequested,
    HaltRequested,
    HedgeSeen,
    OperatorRequest,
    RequestOrigin,
    ResumeRequested,
)
from hedgerow.notify.alerts import AlertKind
from hedgerow.notify.commands import BUTTON_SECONDS, CommandServices, TelegramCommands
from hedgerow.notify.settings import Secret, TelegramSettings
from hedgerow.notify.state import NotifyState
from hedgerow.notify.telegram import TelegramClient
from hedgerow.strategy.closing_price import ClosingPrice
from hedgerow.strategy.next_payment import NextPayment
from support.alert_scenarios import played
from support.fast_clock import FastClock
from support.telegram_server import ADMIN, GROUP, STRANGER, TOKEN, TelegramServer

pytestmark = pytest.mark.slow


class MemoryOutbox:
    """An outbox in memory."""

    def __init__(self) -> None:
        self.state = NotifyState()

    def change(self, change: Callable[[NotifyState], NotifyState]) -> None:
        self.state = change(self.state)


class GroupHarness(Struct, kw_only=True):
    """A group, a bot that answers every request, and the commands between them."""

    server: TelegramServer
    commands: TelegramCommands
    clock: FastClock
    view: View
    asked: list[OperatorRequest]
    said: list[str]
    outbox: MemoryOutbox
    price: ClosingPrice | None = None
    """What the bot says of closing."""

    async def send(self, text: str, *, user: int = ADMIN, chat: int = GROUP, late: float = 0.0) -> list[str]:
        """Send a text; return what is answered."""
        now = int(self.clock.now().timestamp() - late)
        self.server.say(text, user=user, chat=chat, at=now)
        return await self.read()

    async def press(self, data: str, *, user: int = ADMIN, times: int = 1) -> list[str]:
        for _ in range(times):
            self.server.press(data, user=user)
        return await self.read()

    async def read(self) -> list[str]:
        before = len(self.server.texts)
        for update in await self.commands._client.updates(self.outbox.state.offset, seconds=0):
            await self.commands.handle(update)
            self.commands._confirm(update.number)
        await self.commands.settled()
        return [text for _, text in self.server.texts[before:]]

    @property
    def button(self) -> str:
        return self.server.buttons[-1][1]


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    with TelegramServer() as served:
        yield served


@pytest.fixture
def view(tmp_path: Path) -> View:
    """A bot that holds a hedge."""
    found = [step.view for step in played(AlertKind.OPENED, tmp_path).steps if step.view is not None][-1]
    assert found.hedges
    return found


@pytest.fixture
def in_group(server: TelegramServer, view: View) -> Callable[[Callable[[GroupHarness], Awaitable[None]]], GroupHarness]:
    def run(act: Callable[[GroupHarness], Awaitable[None]], users: tuple[int, ...] = (ADMIN,)) -> GroupHarness:
        return asyncio.run(_in_group(server, view, users, act))

    return run


async def _in_group(
    server: TelegramServer, view: View, users: tuple[int, ...], act: Callable[[GroupHarness], Awaitable[None]]
) -> GroupHarness:
    clock, asked, said, outbox = FastClock(1.0), list[OperatorRequest](), list[str](), MemoryOutbox()
    settings = TelegramSettings(Secret(TOKEN), (GROUP,), users, server.address)
    async with HttpTransport() as transport:
        client = TelegramClient(transport, clock, settings.token, server.address, pace=0.0)
        group: GroupHarness

        async def look() -> View:
            return group.view

        async def ask(request: OperatorRequest) -> Answer:
            asked.append(request)
            return Answer(done=True, text="as asked")

        async def closing_price(symbol: str, user: str) -> ClosingPrice | None:
            assert user == f"u{ADMIN}"
            return group.price and replace(group.price, symbol=symbol)

        def login(name: str) -> str:
            return f"http://127.0.0.1/login/{name}"

        services = CommandServices(look=look, ask=ask, closing_price=closing_price, login=login)
        commands = TelegramCommands(client, settings, services, outbox, clock, said.append)
        commands._name = "hedge_test_bot"
        group = GroupHarness(
            server=server, commands=commands, clock=clock, view=view, asked=asked, said=said, outbox=outbox
        )
        await act(group)
        return group


Run = Callable[..., GroupHarness]
TEXTS = ["/status", "/why", "/whynot", "/funding", "/money", "/pairs", "/hedges"]


@pytest.mark.parametrize("command", TEXTS)
def test_a_question_is_answered_from_the_view_alone(command: str, in_group: Run) -> None:
    async def act(group: GroupHarness) -> None:
        [answer] = await group.send(command)
        assert "AAAUSDT" in answer or command == "/money"
        assert "None" not in answer
        assert "Decimal" not in answer

    assert in_group(act).asked == []


@pytest.mark.parametrize(
    ("user", "chat"), [(STRANGER, GROUP), (ADMIN, -2002), (STRANGER, STRANGER)], ids=["group", "elsewhere", "private"]
)
def test_a_stranger_commands_nothing_and_gets_no_answer(user: int, chat: int, in_group: Run) -> None:
    async def act(group: GroupHarness) -> None:
        for text in (*TEXTS, "/close", "/halt", "/resume", "/mute", "/login", "/help", "hello", "/halt@hedge_test_bot"):
            assert await group.send(text, user=user, chat=chat) == []
        assert len(group.said) == 1, "it is logged now and then, not each time"
        await group.send("/close")
        assert await group.press(group.button, user=STRANGER) == []

    group = in_group(act)
    assert group.asked == []
    assert f"Ignored a command of user {user} in chat {chat}" in group.said[0]


def test_an_empty_list_of_users_is_nobodys(in_group: Run) -> None:
    async def act(group: GroupHarness) -> None:
        assert await group.send("/status") == []

    in_group(act, ())


def test_a_close_needs_a_button_and_is_bound_to_the_hedge(in_group: Run, view: View) -> None:
    async def act(group: GroupHarness) -> None:
        [question] = await group.send("/close")
        assert "Close AAAUSDT now?" in question
        assert group.asked == []
        assert await group.press(group.button) == ["Done: as asked"]

    [request] = in_group(act).asked
    assert request.action == CloseRequested(symbol="AAAUSDT")
    assert request.hedge == HedgeSeen(hedge_id=view.hedges[0].hedge_id, symbol="AAAUSDT")
    assert (request.origin, request.user) == (RequestOrigin.TELEGRAM, f"u{ADMIN}")


def test_a_close_shows_what_it_costs_by_the_books_that_the_bot_reads_for_the_question(in_group: Run) -> None:
    async def act(group: GroupHarness) -> None:
        hedge, now = group.view.hedges[0], group.view.times.now
        assert hedge.result is not None
        worse = replace(hedge.result, exit_spread=Decimal("7.77"))
        due = NextPayment(at=now + timedelta(minutes=9), rate=0.0001, amount=Decimal("0.31"), interval_hours=8)
        price = ClosingPrice(hedge_id=hedge.hedge_id, symbol="", at=now, result=worse, next_payment=due)
        group.price = price
        [question] = await group.send("/close")
        assert f"Net if closed: {signed_money(worse.net_if_closed)} (cost to close {money(worse.exit_cost)}" in question
        assert "Payment missed: +$0.31 in 9:00" in question
        assert f"as the bot read them for this question, at {clock_time(now, now)}." in question
        group.price = replace(price, hedge_id="earlier")
        for _ in range(2):
            [question] = await group.send("/close")
            assert f"Net if closed: {signed_money(hedge.result.net_if_closed)} (" in question
            assert "The bot did not read the books for this" in question
            assert f"as of {clock_time(hedge.read_at, now)}." in question
            group.price = None

    in_group(act)


def test_two_presses_of_one_button_act_once(in_group: Run) -> None:
    async def act(group: GroupHarness) -> None:
        await group.send("/close")
        await group.press(group.button, times=2)
        await group.press(group.button)

    group = in_group(act)
    assert len(group.asked) == 1
    assert group.server.presses_answered.count("This button is no longer valid: nothing was done.") == 2


def test_an_old_button_does_nothing(in_group: Run) -> None:
    async def act(group: GroupHarness) -> None:
        await group.send("/close")
        group.clock.jump(BUTTON_SECONDS)
        assert await group.press(group.button) == []

    assert in_group(act).asked == []


def test_a_button_of_a_hedge_that_is_gone_does_nothing(in_group: Run) -> None:
    async def act(group: GroupHarness) -> None:
        await group.send("/close")
        group.view = replace(group.view, hedges=(replace(group.view.hedges[0], hedge_id="another"),))
        [answer] = await group.press(group.button)
        assert "is not held any more: nothing was done" in answer

    assert in_group(act).asked == []


def test_a_button_of_an_earlier_process_does_nothing(in_group: Run) -> None:
    data: list[str] = []

    async def before(group: GroupHarness) -> None:
        await group.send("/close")
        data.append(group.button)

    async def after(group: GroupHarness) -> None:
        await group.press(data[0])
        assert "no longer valid" in group.server.presses_answered[-1]

    in_group(before)
    assert in_group(after).asked == []


def test_another_allowed_user_cannot_press_the_button(in_group: Run) -> None:
    async def act(group: GroupHarness) -> None:
        await group.send("/close")
        assert await group.press(group.button, user=8) == []

    assert in_group(act, (ADMIN, 8)).asked == []


def test_a_resume_is_bound_to_the_halt_that_was_shown(in_group: Run) -> None:
    async def act(group: GroupHarness) -> None:
        now = group.view.times.now
        halt = HaltView(since=now, reason="asked", detail="", symbols=(), lifts_itself=False, amount=0)  # type: ignore[arg-type]
        assert await group.send("/resume") == ["Openings are not halted."]
        group.view = replace(group.view, halts=(halt,))
        await group.send("/resume")
        first = group.button
        group.view = replace(group.view, halts=(replace(halt, since=now + timedelta(minutes=1)),))
        [answer] = await group.press(first)
        assert "does not stand any more" in answer
        await group.send("/resume")
        await group.press(group.button)

    assert [request.action for request in in_group(act).asked] == [ResumeRequested()]


def test_a_halt_acts_at_once_and_a_command_that_is_read_twice_has_one_id(in_group: Run) -> None:
    async def act(group: GroupHarness) -> None:
        number = group.server.say("/halt too risky", at=int(group.clock.now().timestamp()))
        for _ in range(2):
            for update in await group.commands._client.updates(number, seconds=0):
                await group.commands.handle(update)
        await group.commands.settled()

    first, second = in_group(act).asked
    assert first.action == HaltRequested(detail="too risky")
    assert first.request_id == second.request_id


def test_a_command_that_comes_late_changes_nothing(in_group: Run) -> None:
    async def act(group: GroupHarness) -> None:
        [answer] = await group.send("/halt", late=7_200)
        assert "nothing was done; send it again" in answer
        assert await group.send("/status", late=7_200) != []

    assert in_group(act).asked == []


def test_nothing_is_asked_of_a_bot_that_does_not_run(in_group: Run) -> None:
    async def act(group: GroupHarness) -> None:
        group.view = replace(group.view, process=Process(state=ProcessState.GONE, pid=1))
        for command in ("/close", "/halt", "/resume"):
            [answer] = await group.send(command)
            assert "No bot runs" in answer

    assert in_group(act).asked == []


def test_several_hedges_are_closed_by_name(in_group: Run) -> None:
    async def act(group: GroupHarness) -> None:
        other = replace(group.view.hedges[0], hedge_id="h2", symbol="BBBUSDT")
        group.view = replace(group.view, hedges=(*group.view.hedges, other))
        [answer] = await group.send("/close")
        assert answer == "Several hedges are held: /close AAAUSDT, /close BBBUSDT"
        [answer] = await group.send("/close CCCUSDT")
        assert "held is AAAUSDT, BBBUSDT" in answer
        await group.send("/close bbbusdt")
        await group.press(group.button)

    assert [request.hedge for request in in_group(act).asked] == [HedgeSeen(hedge_id="h2", symbol="BBBUSDT")]


@pytest.mark.parametrize(("text", "hours"), [("/mute", 8), ("/mute 2d", 48), ("/mute 90m", 1.5), ("/mute 999d", 168)])
def test_a_mute_lasts_as_long_as_asked_and_a_week_at_most(text: str, hours: float, in_group: Run) -> None:
    async def act(group: GroupHarness) -> None:
        await group.send(text)
        until = group.outbox.state.muted_until
        assert until is not None
        assert (until - group.clock.now()) == pytest.approx(timedelta(hours=hours), abs=timedelta(minutes=10))
        await group.send("/mute off")
        assert group.outbox.state.muted_until is None

    in_group(act)


def test_other_commands_are_told_what_there_is_and_those_for_other_bots_are_left_alone(in_group: Run) -> None:
    async def act(group: GroupHarness) -> None:
        assert "/mute 8h" in (await group.send("/help"))[0]
        assert "/nonsense is no command." in (await group.send("/nonsense"))[0]
        assert await group.send("/status@another_bot") == []
        assert await group.send("/status@Hedge_Test_Bot") != []
        assert await group.send("good morning") == []
        assert "http://127.0.0.1/login/u7" in (await group.send("/login"))[0]

    in_group(act)
