"""Requests and signals to a real bot in the middle of a maker opening: what was asked happens, once, in order, or not.

The paper bot lives in real time, on prices that follow from the date. Its first slice rests for 45 s in a book so deep
and wide that nothing of it is filled, whatever the prices do, so that whatever is asked within that time finds nothing.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from hedgerow.app.companion.asking import new_request
from hedgerow.app.venues.paper import PaperExchange, PaperTerms
from hedgerow.clock import SystemClock
from hedgerow.config import Home
from hedgerow.config.home import HomeMode
from hedgerow.domain.events import Event, HedgeAborted, HedgeClosed, RequestHandled
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.operator_requests import (
    Answer,
    CloseRequested,
    HaltRequested,
    OperatorRequest,
    Request,
    RequestOutcome,
    ResumeRequested,
)
from hedgerow.domain.position import Reason
from hedgerow.emulator.core.market_changes import BookDistortion
from hedgerow.store.mailbox import FolderMailbox
from hedgerow.store.sqlite import SqliteStore
from support.command_runner import COMMAND, EAGER, process, write_config

CONFIG = "config_volume_farming_strategy.json"
PATIENCE = 60.0
USDT = Decimal(5000)
CLOCK = SystemClock()


class PaperBot:
    """A paper bot in a home of its own."""

    def __init__(self, folder: Path, *, maker: bool) -> None:
        self.home = Home(folder=folder, mode=HomeMode.PAPER)
        style = {"execution": {**EAGER["execution"], "style": "maker"}} if maker else {}
        write_config(folder / CONFIG, {**EAGER, **style})
        if maker:
            self._fill_nothing_at_rest()
        self.mailbox = FolderMailbox(self.home.requests, CLOCK)
        self.said = (folder / "said.txt").open("ab")
        self.process = self._start("run", "--paper", "--usdt", USDT, stdout=self.said, stderr=subprocess.STDOUT)
        self.wait_for("Leverage confirmed" if maker else "Total positions opened: 1")
        if maker:
            self.rest(1.0)

    def _fill_nothing_at_rest(self) -> None:
        exchange = PaperExchange(self.home.exchange, PaperTerms(usdt=USDT), CLOCK.now)
        for pair in exchange.world.market_data.pairs:
            exchange.world.change_market(
                BookDistortion(symbol=pair.perp.symbol, depth_share=Decimal(10**6), spread_bps=Decimal(200))
            )
        exchange.save(exchange.world)

    def open_beside(self) -> None:
        """Start again with two slots: another pair is being opened, and nothing of it is filled."""
        self.signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0
        two = {"execution": {**EAGER["execution"], "style": "maker"}, "position_management": {"max_positions": 2}}
        write_config(self.home.folder / CONFIG, {**EAGER, **two})
        self._fill_nothing_at_rest()
        self.process = self._start("run", "--paper", "--usdt", USDT, stdout=self.said, stderr=subprocess.STDOUT)
        until = CLOCK.monotonic() + PATIENCE
        while self.ledger.execution is None:
            assert CLOCK.monotonic() < until, self.flat_text
            self.rest(0.2)

    def _start(self, *words: object, **more: object) -> "subprocess.Popen[str]":
        return process(COMMAND, *words, home=self.home.folder, **more)

    def rest(self, seconds: float) -> None:
        asyncio.run(CLOCK.sleep(seconds))

    @property
    def flat_text(self) -> str:
        return (self.home.folder / "said.txt").read_text(encoding="utf-8")

    def wait_for(self, text: str) -> None:
        until = CLOCK.monotonic() + PATIENCE
        while text not in self.flat_text:
            assert self.process.poll() is None, self.flat_text
            assert CLOCK.monotonic() < until, self.flat_text
            self.rest(0.05)

    def ask(self, *words: object) -> "subprocess.Popen[str]":
        return self._start(*words, "--paper")

    def run_command(self, *words: object) -> tuple[int, str, str]:
        asker = self.ask(*words)
        out, err = asker.communicate(timeout=PATIENCE)
        return asker.returncode, out, err

    def post(self, action: Request, seconds: float = 60) -> OperatorRequest:
        request = new_request(action, CLOCK, user="anna", seconds=seconds)
        self.mailbox.post(request)
        return request

    def answer(self, request: OperatorRequest) -> Answer:
        until = CLOCK.monotonic() + PATIENCE
        while True:
            answer = self.mailbox.collect(request.request_id)
            if answer is not None:
                return answer
            assert CLOCK.monotonic() < until, self.flat_text
            self.rest(0.05)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    @property
    def log(self) -> tuple[Event, ...]:
        return asyncio.run(self._events())

    @property
    def ledger(self) -> Ledger:
        return asyncio.run(self._folded())

    async def _events(self) -> tuple[Event, ...]:
        store = SqliteStore(self.home.events)
        try:
            return await store.events()
        finally:
            await store.close()

    async def _folded(self) -> Ledger:
        store = SqliteStore(self.home.events)
        try:
            return await store.load()
        finally:
            await store.close()

    @property
    def handled(self) -> list[tuple[str, RequestOutcome]]:
        return [(e.request.text, e.outcome) for e in self.log if isinstance(e, RequestHandled)]

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        self.said.close()


@pytest.fixture
def opening(tmp_path: Path) -> Iterator[PaperBot]:
    paper = PaperBot(tmp_path, maker=True)
    yield paper
    paper.end()


@pytest.fixture
def hedged(tmp_path: Path) -> Iterator[PaperBot]:
    paper = PaperBot(tmp_path, maker=False)
    yield paper
    paper.end()


def test_a_halt_in_the_middle_of_a_maker_opening_is_obeyed_at_once(opening: PaperBot) -> None:
    began = CLOCK.monotonic()
    code, out, err = opening.run_command("halt", "--reason", "enough")
    assert (code, err) == (0, "")
    assert "leads no further" in out
    assert CLOCK.monotonic() - began < 30, "the slice would have rested for longer"
    opening.wait_for("was not opened: asked by the user")
    assert opening.handled == [("halt", RequestOutcome.DONE)]
    assert opening.ledger.foremost is None
    handled = next(event for event in opening.log if isinstance(event, RequestHandled))
    assert handled.request.user
    assert handled.request.origin == "cli"


def test_a_close_in_the_middle_of_a_maker_opening_leaves_nothing(opening: PaperBot) -> None:
    code, out, err = opening.run_command("close", "--yes")
    assert (code, err) == (0, "")
    assert out.startswith("Nothing of ")
    assert [event.reason for event in opening.log if isinstance(event, HedgeAborted)] == [Reason.USER]
    assert opening.ledger.halt is not None
    assert len(opening.handled) == 1


def test_a_close_by_name_while_another_pair_is_opened_closes_the_one_and_opens_nothing(hedged: PaperBot) -> None:
    held = hedged.ledger.largest
    assert held is not None
    hedged.open_beside()
    job = hedged.ledger.execution
    assert job is not None
    assert (job.kind, job.symbol == held.symbol) == (ExecutionKind.OPEN, False)
    code, out, err = hedged.run_command("close", held.symbol.lower(), "--yes")
    assert (code, err) == (0, "")
    assert out.startswith(f"Closed {held.symbol}: net $")
    ledger, log = hedged.ledger, hedged.log
    assert (ledger.hedges, ledger.execution) == ({}, None)
    assert [(event.hedge_id, event.reason) for event in log if isinstance(event, HedgeAborted)] == [
        (job.hedge_id, Reason.USER)
    ]
    assert [event.hedge_id for event in log if isinstance(event, HedgeClosed)] == [held.hedge_id]
    assert ledger.halt is not None
    assert hedged.handled == [(f"close {held.symbol}", RequestOutcome.DONE)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=["Ctrl-C", "SIGTERM", "SIGHUP"])
def test_an_interrupted_close_is_withdrawn_and_not_carried_out_later(hedged: PaperBot, number: signal.Signals) -> None:
    hedged.signal(signal.SIGSTOP)
    asker = hedged.ask("close", "--yes")
    until = CLOCK.monotonic() + PATIENCE
    while not list(hedged.home.requests.glob("*.request.json")):
        assert CLOCK.monotonic() < until
        hedged.rest(0.05)
    hedged.rest(0.3)
    asker.send_signal(number)
    out, err = asker.communicate(timeout=PATIENCE)
    assert (asker.returncode, out) == (1, "")
    assert err == "Interrupted: the request was withdrawn, nothing was done.\n"
    hedged.signal(signal.SIGCONT)
    hedged.rest(2.5)
    assert hedged.handled == []
    assert hedged.ledger.largest is not None
    assert list(hedged.home.requests.iterdir()) == []


def test_a_request_whose_asker_died_is_not_carried_out_after_its_time(hedged: PaperBot) -> None:
    hedged.signal(signal.SIGSTOP)
    request = hedged.post(CloseRequested(), seconds=1)
    hedged.rest(1.5)
    hedged.signal(signal.SIGCONT)
    answer = hedged.answer(request)
    assert not answer.done
    assert answer.text.startswith("Expired: ")
    assert [outcome for _, outcome in hedged.handled] == [RequestOutcome.EXPIRED]
    assert hedged.ledger.largest is not None


def test_a_close_that_the_bot_does_not_begin_in_the_time_given_is_withdrawn(hedged: PaperBot) -> None:
    hedged.signal(signal.SIGSTOP)
    code, out, err = hedged.run_command("close", "--yes", "--valid-for", "1")
    assert (code, out) == (1, "")
    assert err.startswith("No bot took it within 1 s: withdrawn, nothing was done")
    hedged.signal(signal.SIGCONT)
    hedged.rest(1.5)
    assert hedged.handled == []
    assert hedged.ledger.largest is not None


def test_a_hundred_requests_that_wait_for_a_stopped_bot_are_answered_once_and_in_order(hedged: PaperBot) -> None:
    random = Random(3)
    hedged.signal(signal.SIGSTOP)
    actions = [random.choice((HaltRequested(), ResumeRequested())) for _ in range(100)]
    requests = [hedged.post(action) for action in actions]
    hedged.signal(signal.SIGCONT)
    answers = [hedged.answer(request) for request in requests]
    assert all(answer.done for answer in answers)
    handled = [event.request.request_id for event in hedged.log if isinstance(event, RequestHandled)]
    assert handled == [request.request_id for request in requests]
    assert (hedged.ledger.halt is not None) is isinstance(actions[-1], HaltRequested)


def test_a_request_is_for_the_owner_of_the_home_alone(hedged: PaperBot) -> None:
    hedged.signal(signal.SIGSTOP)
    request = hedged.post(HaltRequested())
    folder = hedged.home.requests
    path = folder / f"{request.request_id}.request.json"
    assert (folder.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
    path.chmod(0o666)
    hedged.signal(signal.SIGCONT)
    assert "other users can change it" in hedged.answer(request).text
    assert hedged.ledger.halt is None
    assert "A request could not be read and is not carried out" in hedged.flat_text


def test_the_first_ctrl_c_answers_at_once_and_an_opening_with_nothing_filled_ends_flat(opening: PaperBot) -> None:
    opening.signal(signal.SIGINT)
    opening.wait_for("(again = stop at once)")
    assert "starts no further slice; what has filled ends hedged or flat" in opening.flat_text
    assert opening.process.wait(PATIENCE) == 0
    assert opening.ledger.foremost is None
    assert "Total positions opened: 0" in opening.flat_text
    assert [event.reason for event in opening.log if isinstance(event, HedgeAborted)] == [Reason.SHUTDOWN]


def test_the_second_ctrl_c_says_what_is_left_behind_and_a_command_ends_it_without_buying_more(
    opening: PaperBot,
) -> None:
    opening.signal(signal.SIGSTOP)  # so that both arrive before it can do anything
    opening.signal(signal.SIGINT)
    os.kill(opening.process.pid, signal.SIGTERM)
    opening.signal(signal.SIGCONT)
    assert opening.process.wait(PATIENCE) == 1
    log = opening.home.log.read_text(encoding="utf-8")
    for words in (opening.flat_text, log):
        assert "Stopped at once. Left behind:" in words
        assert "rests at" in words
        assert "the next start or a running hedgerow watchdog cancels it" in words
    code, out, err = opening.run_command("halt")
    assert code == 0, err
    assert out == "Openings are halted. No bot is running.\n"
    ledger = opening.ledger
    assert (ledger.foremost, ledger.execution) == (None, None)


def test_halt_and_resume_without_a_bot_promise_no_watch(hedged: PaperBot) -> None:
    hedged.signal(signal.SIGTERM)
    assert hedged.process.wait(PATIENCE) == 0
    held = hedged.ledger.largest
    assert held is not None
    for words, begin in (("halt", "Openings are halted."), ("resume", "Openings are allowed again.")):
        code, out, err = hedged.run_command(words)
        assert (code, err) == (0, "")
        assert out == f"{begin} No bot is running: nothing watches {held.symbol} until one is started.\n"


def test_reconcile_beside_a_running_bot_is_refused_in_one_line(hedged: PaperBot) -> None:
    code, out, err = hedged.run_command("reconcile")
    assert (code, out) == (2, "")
    assert err.startswith("hedgerow: a running bot reconciles at every check")
    assert err.count("\n") == 1


def test_a_close_that_cannot_be_asked_for_says_what_is_left_to_do(hedged: PaperBot) -> None:
    hedged.home.requests.mkdir(exist_ok=True)
    hedged.home.requests.rmdir()
    hedged.home.requests.write_text("in its place")
    code, out, err = hedged.run_command("close", "--yes")
    assert (code, out) == (1, "")
    assert "a bot runs" in err
    assert "close both legs on the exchange's own page" in err
    assert err.count("\n") == 1
