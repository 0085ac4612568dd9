"""``hedgerow top``: what it shows is the view's, its keys ask before they act, and a request names the hedge."""

import asyncio
import os
import re
from collections.abc import Callable, Coroutine
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from socket import gethostname
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from rich.console import Console, RenderableType
from textual.widgets import Static

from hedgerow.app.heartbeat import Beat
from hedgerow.app.identity import identity_of
from hedgerow.app.outlook_file import OutlookFile, read_outlook
from hedgerow.app.series_file import SeriesFile
from hedgerow.app.terminal.source import HomeReader, Seen
from hedgerow.app.terminal.top import Confirmation, Top
from hedgerow.cli.top import top
from hedgerow.clock import SystemClock
from hedgerow.config import load_settings
from hedgerow.config.home import Home, HomeMode
from hedgerow.dashboard import formats, terminal_cards
from hedgerow.dashboard.bot_state import ProcessState
from hedgerow.dashboard.outlook import OutlookBuilder
from hedgerow.dashboard.view import HaltView, View, Worth
from hedgerow.domain.errors import ConfigError, StoreError
from hedgerow.domain.events import HaltReason
from hedgerow.domain.operator_requests import (
    Answer,
    CloseRequested,
    ClosingPriced,
    HaltRequested,
    HedgeSeen,
    OperatorRequest,
    Request,
)
from hedgerow.domain.records.time_series import MarkKind
from hedgerow.domain.run_identity import RunIdentity
from hedgerow.store.mailbox import FolderMailbox
from hedgerow.store.sqlite import SqliteStore
from hedgerow.strategy.closing_price import ClosingPrice
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from support.bot_harness import BotHarness
from support.shown_views import ViewRecorder, marked, recorded_views
from support.terminal import Terminal, on_terminal
from support.worlds import Listing, ScriptedMarketData


class FakeSource:
    """Shows one view, and keeps what was asked."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.failure = ""
        self.asked: list[tuple[Request, HedgeSeen | None]] = []
        self.price: ClosingPrice | None = None
        self.reads_books = asyncio.Event()
        """Whether the bot has read the books for the question."""
        self.reads_books.set()

    async def read(self) -> Seen:
        if self.failure:
            raise StoreError(self.failure)
        return Seen(view=self.view, has_log=True)

    def log_lines(self, most: int) -> tuple[str, ...]:
        return ("first line", "second line")[:most]

    async def closing_price(self, symbol: str) -> ClosingPrice | None:
        await self.reads_books.wait()
        if self.failure:
            raise StoreError(self.failure)
        assert self.price is None or self.price.symbol == symbol
        return self.price

    async def ask(self, action: Request, hedge: HedgeSeen | None = None) -> str:
        self.asked.append((action, hedge))
        return "Done as asked."


@pytest.fixture(scope="module")
def run() -> ViewRecorder:
    data = ScriptedMarketData([Listing(rate="0.0004"), Listing("BBBUSDT", spot=20, rate="0.0001")])
    return recorded_views(BotHarness(data), 9)


@pytest.fixture(scope="module")
def hedged(run: ViewRecorder) -> View:
    view = run.ended[-1]
    return replace(view, series=marked(view.times.now, MarkKind.HEDGED, MarkKind.HEDGED, MarkKind.TRADING))


@pytest.fixture(scope="module")
def trading(run: ViewRecorder) -> View:
    return [view for view in run.views if view.job is not None and view.job.orders][-1]


def drawn(part: RenderableType, width: int = 80) -> str:
    console = Console(width=width, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(part)
    return capture.get()


def piloted(
    source: FakeSource, act: Callable[[Top, Any], Coroutine[Any, Any, None]], width: int = 80, height: int = 24
) -> None:
    async def run_it() -> None:
        app = Top(source)
        async with app.run_test(size=(width, height)) as pilot:
            await pilot.pause()
            await act(app, pilot)

    asyncio.run(run_it())


def text_of(app: Top, name: str) -> str:
    shown = app.screen_stack[0].query_one(name, Static)
    return "\n".join(line.text.rstrip() for line in shown.render_lines(shown.size.region))


# --- cards -----------------------------------------------------------------------------------------------------------


def test_the_cards_have_the_numbers_of_the_view(hedged: View) -> None:
    hedge = hedged.hedges[0]
    assert hedge.result is not None
    first = drawn(terminal_cards.hedged_card(hedged), 40)
    assert hedge.difference is not None
    for written in (
        formats.signed_percent(hedge.difference.fraction, 3),
        formats.quantity(hedge.spot.quantity, hedge.base, hedge.spot.step),
        formats.quantity(hedge.perp.quantity, hedge.base, hedge.perp.step),
        formats.percent(hedge.liquidation_distance, 0),
        formats.signed_bps(hedge.basis),
    ):
        assert written in first
    second = drawn(terminal_cards.made_card(hedged), 40)
    assert formats.signed_money(hedge.result.net_if_closed) in second
    assert formats.signed_money(hedge.funding_received) in second
    exits = drawn(terminal_cards.exits_card(hedged, shown=9))
    for found in hedge.exits:
        assert formats.exit_value(found.distance) in exits
        assert formats.exit_limit(found.distance) in exits
    assert formats.consequence_text(hedge.exits[0])[:40] in exits


def test_a_trade_in_flight_takes_the_place_of_the_cards(trading: View) -> None:
    assert trading.job is not None
    first, second = (drawn(card, 40) for card in terminal_cards.trading_cards(trading, trading.job))
    assert formats.money(trading.job.open_notional) in first
    assert formats.quantity(trading.job.spot.filled, step=trading.job.spot.step) in first
    assert "both legs in slices" in second
    assert "The trade in flight ends first." in drawn(terminal_cards.exits_card(trading))


def test_what_is_not_known_is_a_question_mark_and_old_figures_are_dated(run: ViewRecorder, hedged: View) -> None:
    hedge = hedged.hedges[0]
    unknown = replace(
        hedge,
        result=None,
        liquidation_distance=None,
        basis=None,
        exits=tuple(
            replace(each, distance=replace(each.distance, value=None, left=None), consequence=None)
            for each in hedge.exits
        ),
        profit_rules_known=False,
    )
    old = replace(hedged, hedges=(unknown,), times=replace(hedged.times, is_old=True))
    text = "".join(
        drawn(part)
        for part in (
            terminal_cards.state_lines(old),
            terminal_cards.hedged_card(old),
            terminal_cards.made_card(old),
            terminal_cards.exits_card(old),
        )
    )
    assert text.count("?") > 8
    assert "as of" in text
    assert "read 0 s ago" not in text
    assert "read" in drawn(terminal_cards.state_lines(hedged))
    assert "safety rules only" in text
    assert run.views


def test_nothing_old_is_green(hedged: View) -> None:
    old = replace(hedged, times=replace(hedged.times, is_old=True))
    for part in (terminal_cards.hedged_card(old), terminal_cards.made_card(old), terminal_cards.exits_card(old)):
        console = Console(width=80, color_system="truecolor", force_terminal=True)
        with console.capture() as capture:
            console.print(part)
        assert not re.search(r"\x1b\[[0-9;]*32m", capture.get())


def test_a_bot_that_holds_nothing_shows_its_total_and_why_it_waits() -> None:
    recorder = recorded_views(BotHarness(usdt=5, perp=5), 0.2)
    view = recorder.ended[-1]
    text = "".join(
        drawn(part)
        for part in (
            terminal_cards.hedged_card(view),
            terminal_cards.made_card(view),
            terminal_cards.exits_card(view),
            terminal_cards.day_card(view),
            terminal_cards.decisions_table(view),
        )
    )
    assert "nothing held" in text
    assert "too little capital" in text
    assert "no time series yet" in text
    assert "hold" in text


def test_the_tables_have_every_pair_and_why_not(hedged: View) -> None:
    pairs = drawn(terminal_cards.pairs_table(hedged), 160)
    for row in hedged.pairs:
        assert row.seen.symbol in pairs
        assert formats.apr(row.seen.apr) in pairs
    assert "held" in pairs
    empty = replace(hedged, pairs=(), decisions=())
    assert "No check has read" in drawn(terminal_cards.pairs_table(empty))
    assert "No decision is known" in drawn(terminal_cards.decisions_table(empty))


@pytest.fixture(scope="module")
def compared(hedged: View) -> View:
    assert hedged.series is not None
    worth = Worth(
        since=hedged.times.now - timedelta(days=9),
        until=hedged.times.now,
        capital=Decimal(2000),
        bot=Decimal("12.34"),
        same_pair="AAAUSDT",
        same_pair_held=Decimal("20.50"),
        btc_held=Decimal("-4.10"),
        cash=Decimal("1.97"),
        cash_rate=0.04,
        hindsight=None,
    )
    return replace(hedged, series=replace(hedged.series, worth=worth))


def test_what_is_drawn_once_more_while_the_screen_is_taken_down_is_left_alone(hedged: View) -> None:
    async def ended() -> Top:
        app = Top(FakeSource(hedged))
        async with app.run_test() as pilot:
            await pilot.pause()
        app.action_show("pairs")
        return app

    assert not asyncio.run(ended()).is_running


def test_what_the_money_would_have_made_otherwise_has_a_bar_each(compared: View) -> None:
    lines = drawn(terminal_cards.worth_card(compared)).splitlines()
    bars = {line.split()[1]: line.count("\N{BOX DRAWINGS HEAVY HORIZONTAL}") for line in lines[1:6]}
    values = [line.split()[-2] for line in lines[1:6]]
    assert values == ["+$12.34", "+$20.50", f"{formats.MINUS}$4.10", "+$1.97", "?"]
    assert bars["AAAUSDT,"] > bars["This"] > bars["BTC"] > bars["Cash"] > bars["Best"] == 0
    assert round(bars["AAAUSDT,"] * 12.34 / 20.5) == bars["This"]
    assert "9 d: no forecast), after fees, on $2,000.00" in lines[6]
    assert "Nothing is recorded" in drawn(terminal_cards.worth_card(replace(compared, series=None)))
    assert all(len(line) <= 80 for line in lines)


# --- the program -----------------------------------------------------------------------------------------------------


def test_everything_fits_80_by_24(hedged: View) -> None:
    async def act(app: Top, _pilot: Any) -> None:
        base = app.screen_stack[0]
        day = base.query_one("#day", Static)
        assert day.region.bottom <= 23
        assert day.region.height == 3
        for name in ("#first", "#second", "#exits", "#day", "#state"):
            part = base.query_one(name, Static)
            assert part.region.right <= 80
            assert part.region.height > 1

    piloted(FakeSource(hedged), act)


@pytest.mark.parametrize("width", [80, 40])
def test_no_number_is_cut_however_narrow_the_terminal_is(hedged: View, width: int) -> None:
    text = " ".join(
        drawn(terminal_cards.exits_card(hedged), width).replace("\N{BOX DRAWINGS LIGHT VERTICAL}", " ").split()
    )
    for found in hedged.hedges[0].exits[: terminal_cards.EXITS_SHOWN]:
        for number in (formats.exit_value(found.distance), formats.exit_limit(found.distance)):
            assert set(number.split()) <= set(text.replace(",", "").split()) | set(text.split())
    card = drawn(terminal_cards.made_card(hedged), width // 2)
    assert formats.signed_money(hedged.hedges[0].funding_received) in card
    assert formats.signed_money(hedged.totals.net_if_closed) in card


def test_was_it_worth_it_is_below_the_cards_where_there_is_room_and_behind_a_key_elsewhere(compared: View) -> None:
    async def small(app: Top, pilot: Any) -> None:
        assert app.screen_stack[0].query_one("#worth", Static).region.height == 0
        await pilot.press("w")
        assert "+$12.34" in text_of(app, "#rows")

    async def tall(app: Top, _pilot: Any) -> None:
        part = app.screen_stack[0].query_one("#worth", Static).region
        assert (part.height, part.bottom <= 35) == (8, True)
        assert "+$12.34" in text_of(app, "#worth")

    piloted(FakeSource(compared), small)
    piloted(FakeSource(compared), tall, height=36)


def test_close_asks_first_and_is_bound_to_the_hedge_that_was_shown(hedged: View) -> None:
    source = FakeSource(hedged)
    hedge = hedged.hedges[0]

    async def act(app: Top, pilot: Any) -> None:
        for refusal in ("enter", "escape", "n"):
            await pilot.press("c")
            assert isinstance(app.screen, Confirmation)
            await pilot.press(refusal)
            assert not isinstance(app.screen, Confirmation)
        assert source.asked == []
        await pilot.press("c", "y")
        await pilot.pause()
        assert "Done as asked." in text_of(app, "#message")

    piloted(source, act)
    expected = HedgeSeen(hedge_id=hedge.hedge_id, symbol=hedge.symbol)
    assert source.asked == [(CloseRequested(symbol=hedge.symbol), expected)]


def facts_of(app: Top) -> str:
    """Return what the question shows, as one line."""
    shown = app.screen.query_one("#facts", Static)
    return " ".join(" ".join(line.text for line in shown.render_lines(shown.size.region)).split())


def test_close_shows_what_it_costs_by_the_books_that_the_bot_reads_for_the_question(hedged: View) -> None:
    source, hedge = FakeSource(hedged), hedged.hedges[0]
    assert hedge.result is not None
    worse = replace(hedge.result, exit_spread=Decimal("7.77"))
    read_at = hedged.times.now + timedelta(seconds=2)
    source.price = ClosingPrice(hedge_id=hedge.hedge_id, symbol=hedge.symbol, at=read_at, result=worse)
    source.reads_books.clear()

    async def act(app: Top, pilot: Any) -> None:
        await pilot.press("c")
        assert facts_of(app) == "The bot reads the books for this..."
        source.reads_books.set()
        await pilot.pause()
        text = facts_of(app)
        assert f"Fees and spread, expected: {formats.money(worse.exit_cost)}" in text
        assert f"Result after it: {formats.signed_money(worse.net_if_closed)}" in text
        assert f"for this question, at {formats.clock_time(read_at, hedged.times.now)}." in text

    piloted(source, act)


@pytest.mark.parametrize("why", ["no answer", "another hedge", "a log that cannot be read"])
def test_close_dates_the_figures_where_the_books_of_now_are_not_known(hedged: View, why: str) -> None:
    source, hedge = FakeSource(hedged), hedged.hedges[0]
    assert hedge.result is not None
    if why == "another hedge":
        worse = replace(hedge.result, exit_spread=Decimal("7.77"))
        source.price = ClosingPrice(hedge_id="earlier", symbol=hedge.symbol, at=hedged.times.now, result=worse)

    async def act(app: Top, pilot: Any) -> None:
        source.failure = "the log is damaged" if why.startswith("a log") else ""
        await pilot.press("c")
        await pilot.pause()
        text = facts_of(app)
        assert hedge.result is not None
        assert f"Result after it: {formats.signed_money(hedge.result.net_if_closed)}" in text
        assert "The bot did not read the books for this" in text
        assert f"as of {formats.clock_time(hedge.read_at, hedged.times.now)}." in text

    piloted(source, act)


def test_halt_asks_first_and_says_when_openings_are_halted_already(hedged: View, run: ViewRecorder) -> None:
    source = FakeSource(hedged)

    async def act(app: Top, pilot: Any) -> None:
        await pilot.press("h", "y")
        await pilot.pause()
        assert [type(action) for action, _ in source.asked] == [HaltRequested]
        source.view = replace(hedged, halts=(_halt(run),))
        await app._read()  # pyright: ignore[reportPrivateUsage]
        await pilot.press("h")
        assert not isinstance(app.screen, Confirmation)
        assert "halted already" in text_of(app, "#message")

    piloted(source, act)


def _halt(run: ViewRecorder) -> Any:
    return HaltView(
        since=run.ended[0].times.now,
        reason=HaltReason.USER.value,
        detail="asked",
        symbols=(),
        lifts_itself=False,
        amount=run.ended[0].totals.fees,
    )


def test_keys_show_pairs_decisions_and_log_and_lead_back(hedged: View) -> None:
    async def act(app: Top, pilot: Any) -> None:
        await pilot.press("p")
        assert "BBBUSDT" in text_of(app, "#rows")
        await pilot.press("d")
        assert "position healthy" in text_of(app, "#rows")
        await pilot.press("l")
        assert text_of(app, "#rows").splitlines()[0].startswith("second line")
        assert app.screen.has_class("listed")
        await pilot.press("escape")
        assert not app.screen.has_class("listed")
        await pilot.press("c", "n", "q")

    piloted(FakeSource(hedged), act)


def test_tab_shows_the_next_of_several_hedges() -> None:
    data = ScriptedMarketData([Listing(rate="0.0004"), Listing("BBBUSDT", spot=20, rate="0.0003")])
    parameters = StrategyParameters(position_management=PositionManagement(max_positions=2))
    view = recorded_views(BotHarness(data, parameters=parameters, usdt=900, perp=900), 0.4).ended[-1]
    source = FakeSource(view)

    async def act(app: Top, pilot: Any) -> None:
        before = text_of(app, "#first")
        await pilot.press("tab")
        assert text_of(app, "#first") != before
        await pilot.press("c", "y")
        await pilot.pause()

    piloted(source, act)
    ((_, hedge),) = source.asked
    assert hedge is not None
    assert hedge.hedge_id == view.hedges[1].hedge_id


def test_a_log_that_cannot_be_read_is_said_and_nothing_is_shown_as_current(hedged: View) -> None:
    source = FakeSource(hedged)

    async def act(app: Top, pilot: Any) -> None:
        source.failure = "the log is damaged"
        await app._read()  # pyright: ignore[reportPrivateUsage]
        await pilot.pause()
        assert "the log is damaged" in text_of(app, "#state")

    piloted(source, act)


# --- the home --------------------------------------------------------------------------------------------------------


def test_a_request_is_left_for_a_running_bot_and_its_answer_shown(tmp_path: Path, hedged: View) -> None:
    home = Home(folder=tmp_path, mode=HomeMode.PAPER)
    reader = HomeReader(home, SystemClock(), _identity(tmp_path))
    assert "No bot runs" in asyncio.run(reader.ask(HaltRequested()))
    assert reader.log_lines(5) == ()
    home.log.write_text("one\ntwo\n", encoding="utf-8")
    assert reader.log_lines(1) == ("two",)

    async def both() -> str:
        running = replace(hedged, process=replace(hedged.process, state=ProcessState.RUNNING))
        reader.read = lambda: _known(running)  # type: ignore[method-assign] # a bot that runs
        asking = asyncio.ensure_future(reader.ask(HaltRequested()))
        mailbox = FolderMailbox(home.requests, SystemClock())
        await SystemClock().sleep(0.05)
        while not (requests := mailbox.take()):
            await SystemClock().sleep(0.05)
        mailbox.claim(requests[0].request_id)
        mailbox.answer(requests[0].request_id, Answer(done=True, text="Openings are halted."))
        return await asking

    assert asyncio.run(both()) == "Openings are halted."


async def _known(view: View) -> Seen:
    return Seen(view=view, has_log=True)


def _identity(folder: Path) -> RunIdentity:
    return identity_of(Home(folder=folder, mode=HomeMode.PAPER), load_settings(folder / "none.json", named=False))


def _left_by_a_running_bot(folder: Path) -> Home:
    """Return a home as a bot has it that runs and holds; the process of the test stands for the bot's."""
    home = Home(folder=folder, mode=HomeMode.PAPER)
    harness = BotHarness(open_store=lambda: SqliteStore(home.events))
    outlook = OutlookFile(home.outlook, OutlookBuilder(VolumeFarming(StrategyParameters())), harness.clock)
    series = SeriesFile(home.series, outlook.latest)
    harness.run(9, observers=(outlook, series))
    series.flush()
    series.close()
    now = SystemClock().now()
    known = read_outlook(home.outlook)
    assert known is not None
    due = known.at + timedelta(minutes=5)
    home.outlook.write_bytes(
        msgspec.json.encode(replace(known, written_at=now, stopped_at=None, next_check_at=due, pid=os.getpid()))
    )
    home.heartbeat.write_bytes(msgspec.json.encode(Beat(pid=os.getpid(), number=1, host=gethostname())))
    return home


def test_on_a_terminal_it_shows_a_running_bot_and_closes_the_hedge_that_is_shown(tmp_path: Path) -> None:
    home = _left_by_a_running_bot(tmp_path)
    mailbox = FolderMailbox(home.requests, SystemClock())
    with Terminal("top", "--paper", "--home", tmp_path, home=tmp_path, columns=80, rows=24) as terminal:
        terminal.wait_for("What would make it act")
        shown = terminal.wait_for("Last 24 h")
        assert "Hedged on AAAUSDT" in shown
        terminal.press("c")
        terminal.wait_for("Close AAAUSDT now, and halt openings?")
        question = _asked_of(mailbox)
        assert question.action == ClosingPriced(symbol="AAAUSDT")
        mailbox.claim(question.request_id)
        mailbox.answer(question.request_id, Answer(done=True, text="Now.", document=_priced(tmp_path)))
        terminal.wait_for("as the bot read them for this question")
        assert f"{formats.MINUS}$123.45" in terminal.wait_for("Result after it")
        terminal.press("y")
        terminal.wait_for("waiting for the bot")
        request = _asked_of(mailbox)
        mailbox.claim(request.request_id)
        mailbox.answer(request.request_id, Answer(done=True, text="AAAUSDT is closed."))
        terminal.wait_for("AAAUSDT is closed.")
        terminal.press("q")
        assert terminal.end().code == 0
    assert isinstance(request.action, CloseRequested)
    assert request.hedge is not None
    assert request.hedge.symbol == "AAAUSDT"


def _priced(folder: Path) -> str:
    """Return what closing the hedge of a home costs, as its bot answers: it leaves a loss of $123.45."""
    outlook = read_outlook(Home(folder=folder, mode=HomeMode.PAPER).outlook)
    assert outlook is not None
    assert outlook.held is not None
    held = outlook.held
    assert held.result.net_if_closed is not None
    assert held.result.exit_spread is not None
    lost = held.result.exit_spread + held.result.net_if_closed + Decimal("123.45")
    result = replace(held.result, exit_spread=lost)
    price = ClosingPrice(hedge_id=held.hedge_id, symbol="AAAUSDT", at=SystemClock().now(), result=result)
    return msgspec.json.encode(price).decode()


def _asked_of(mailbox: FolderMailbox) -> OperatorRequest:
    until = SystemClock().monotonic() + 10
    while SystemClock().monotonic() < until:
        found = mailbox.take()
        if found:
            return found[0]
    raise AssertionError("nothing was asked")


def test_without_its_extra_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.stdin", _Terminal())
    monkeypatch.setattr("sys.stdout", _Terminal())
    monkeypatch.setattr("hedgerow.cli.top.find_spec", _missing)
    with pytest.raises(ConfigError, match="extra terminal"):
        top(home=tmp_path)


def _missing(_name: str) -> None:
    return None


class _Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_it_draws_on_a_terminal_and_ends_with_q(tmp_path: Path) -> None:
    with Terminal("top", "--paper", "--home", tmp_path, home=tmp_path, columns=80, rows=24) as terminal:
        terminal.wait_for("has not run here yet")
        terminal.press("q")
        assert terminal.end().code == 0


def test_it_refuses_a_pipe(tmp_path: Path) -> None:
    output = on_terminal("/bin/sh", "-c", f"hedgerow top --home {tmp_path} | cat", home=tmp_path)
    assert "draws on a terminal" in output.flat_text or "not found" in output.flat_text
