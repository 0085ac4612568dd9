"""``hedgerow top``: the cards of one bot in a terminal, with keys to halt, close, and look at more.

A program of its own beside the bot: it reads the home as other screens do, and leaves requests there. Textual draws it.
"""

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, Final, Protocol

from rich.console import RenderableType
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from hedgerow.app.terminal.source import Seen
from hedgerow.dashboard import formats
from hedgerow.dashboard import terminal_cards as cards
from hedgerow.dashboard.closing import books_of_one, closing_one
from hedgerow.dashboard.view import HedgeView, View
from hedgerow.domain.errors import HedgerowError
from hedgerow.domain.operator_requests import CloseRequested, HaltRequested, HedgeSeen, Request
from hedgerow.strategy.closing_price import ClosingPrice

__all__ = ["Confirmation", "Source", "Top"]

READ_SECONDS: Final = 2.0
DRAWN_SECONDS: Final = 1.0
"""Countdowns go on between two readings."""
LOG_LINES: Final = 200
NARROW_COLUMNS: Final = 60
"""On fewer columns the two cards stand one below the other."""
TALL_ROWS: Final = 34
"""From this height on *Was it worth it?* has room below the other cards."""
NO_LOG: Final = "The bot has not run here yet."
READING: Final = "The bot reads the books for this..."


class Source(Protocol):
    """What is shown, and how a bot is asked."""

    async def read(self) -> Seen:
        """Return what is known of the bot now."""
        ...

    def log_lines(self, most: int) -> tuple[str, ...]:
        """Return the newest lines of its log, oldest first."""
        ...

    async def closing_price(self, symbol: str) -> ClosingPrice | None:
        """Return what closing a hedge costs by books that the bot reads now; None where it does not say so in time."""
        ...

    async def ask(self, action: Request, hedge: HedgeSeen | None = None) -> str:
        """Leave a request for the bot, and return how it ended."""
        ...


class Confirmation(ModalScreen[bool]):
    """Asks before anything is asked of the bot; Enter and Escape keep things as they are."""

    CSS = """
    Confirmation { align: center middle; }
    Confirmation > Vertical { width: 72; max-width: 100%; height: auto; border: heavy $warning; padding: 0 1;
        background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("n,escape,enter", "answer(False)", "No, keep it"),
    ]

    def __init__(self, question: str, facts: RenderableType) -> None:
        super().__init__()
        self._question = question
        self._facts = facts

    def compose(self) -> ComposeResult:
        """Draw the question, what is known about it, and the two keys."""
        with Vertical():
            yield Static(Text(self._question, "bold"))
            yield Static(self._facts, id="facts")
            yield Static(Text("y = yes     Enter, n, Esc = keep it", "dim"))

    def on_mount(self) -> None:
        """Draw what came while the screen was made."""
        self.show(self._facts)

    def show(self, facts: RenderableType) -> None:
        """Replace what is known about the question."""
        self._facts = facts
        for part in self.query("#facts").results(Static):
            part.update(facts)

    def action_answer(self, answer: bool) -> None:  # noqa: FBT001 - Textual passes it by place
        """End with the answer."""
        self.dismiss(answer)


class Top(App[None]):
    """The screen."""

    CSS = """
    Screen { layers: base; }
    #state, #exits, #day, #worth, #message { height: auto; }
    #worth { display: none; }
    .tall #worth { display: block; }
    #pair { height: auto; }
    #pair > Static { width: 1fr; height: auto; }
    .narrow #pair { layout: vertical; }
    .narrow #pair > Static { width: 100%; }
    #message { color: $warning; }
    #list { display: none; height: 1fr; }
    .listed #list { display: block; }
    .listed #main { display: none; }
    #main { height: 1fr; }
    """
    TITLE = "hedgerow top"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h", "halt", "halt"),
        Binding("c", "close", "close"),
        Binding("p", "show('pairs')", "pairs"),
        Binding("d", "show('decisions')", "decisions"),
        Binding("l", "show('log')", "log"),
        Binding("w", "show('worth')", "worth it?"),
        Binding("q", "quit", "quit"),
        Binding("escape", "show('')", "back", show=False),
        Binding("tab", "next_hedge", "next hedge", show=False, priority=True),
    ]

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self._seen: Seen | None = None
        self._failure = ""
        self._listed = ""
        self._which = 0

    def compose(self) -> ComposeResult:
        """Lay the cards out."""
        yield Static(id="state")
        with Vertical(id="main"):
            with Horizontal(id="pair"):
                yield Static(id="first")
                yield Static(id="second")
            yield Static(id="exits")
            yield Static(id="day")
            yield Static(id="worth")
        with VerticalScroll(id="list"):
            yield Static(id="rows")
        yield Static(id="message")
        yield Footer(show_command_palette=False)

    async def on_mount(self) -> None:
        """Read at once, then every few seconds."""
        await self._read()
        self.set_interval(READ_SECONDS, self._read)
        self.set_interval(DRAWN_SECONDS, self._draw)

    # --- keys ----------------------------------------------------------------------------------------------------

    def action_show(self, what: str) -> None:
        """Show a list in place of the cards; the same key again, or Escape, shows the cards."""
        self._listed = "" if self._listed == what else what
        self._draw()

    def action_next_hedge(self) -> None:
        """Show the next of several hedges."""
        view = self._view
        if view is not None and view.hedges:
            self._which = (self._which + 1) % len(view.hedges)
            self._draw()

    def action_halt(self) -> None:
        """Ask whether openings are to be halted."""
        view = self._view
        if view is None:
            return
        if view.halts:
            self._say(f"Openings are halted already: {view.halts[0].reason}; `hedgerow resume` allows them.")
            return
        facts = Text("Nothing is opened until `hedgerow resume`; what is held is watched and closed by its rules.")
        question = f"Halt openings of {view.identity.name or 'this bot'}?"
        self.push_screen(Confirmation(question, facts), self._asking(HaltRequested(detail="hedgerow top"), None))

    def action_close(self) -> None:
        """Ask whether the hedge that is shown is to be closed; the request is bound to it."""
        view = self._view
        if view is None or not view.hedges:
            self._say("Nothing is held.")
            return
        hedge = view.hedges[self._which % len(view.hedges)]
        seen = HedgeSeen(hedge_id=hedge.hedge_id, symbol=hedge.symbol)
        question = Confirmation(f"Close {hedge.symbol} now, and halt openings?", Text(READING))
        self.push_screen(question, self._asking(CloseRequested(symbol=hedge.symbol), seen))
        self.run_worker(self._price(question, hedge, view), exclusive=True)

    async def _price(self, question: Confirmation, hedge: HedgeView, view: View) -> None:
        """Show what closing costs by the books of now, or by the last reading where the bot does not say so."""
        try:
            price = await self._source.closing_price(hedge.symbol)
        except (HedgerowError, OSError):
            price = None
        question.show(_cost(hedge, view, price))

    def _asking(self, action: Request, hedge: HedgeSeen | None) -> Callable[[bool | None], Coroutine[Any, Any, None]]:
        async def answered(yes: bool | None) -> None:  # noqa: FBT001 - Textual passes it by place
            if yes:
                self._say("Asked; waiting for the bot...")
                self._say(await self._source.ask(action, hedge))

        return answered

    # --- drawing -------------------------------------------------------------------------------------------------

    @property
    def _view(self) -> View | None:
        return self._seen.view if self._seen else None

    def _say(self, text: str) -> None:
        self.query_one("#message", Static).update(Text(text))

    async def _read(self) -> None:
        try:
            self._seen, self._failure = await self._source.read(), ""
        except (HedgerowError, OSError) as error:
            self._failure = str(error)
        self._draw()

    def _draw(self) -> None:
        if not self.is_running:
            return  # the cards are taken down, and a timer or a reading comes once more
        base = self.screen_stack[0]
        view, state = self._view, base.query_one("#state", Static)
        if view is None or self._failure:
            state.update(Text(self._failure or NO_LOG, "bold red"))
            return
        if self._seen is not None and not self._seen.has_log:
            state.update(Text(NO_LOG))
            return
        base.set_class(bool(self._listed), "listed")
        state.update(cards.state_lines(view, self._which))
        if self._listed:
            base.query_one("#rows", Static).update(self._rows(view))
            return
        first, second = (
            cards.trading_cards(view, view.job)
            if view.job is not None
            else (cards.hedged_card(view, self._which), cards.made_card(view, self._which))
        )
        base.query_one("#first", Static).update(first)
        base.query_one("#second", Static).update(second)
        base.query_one("#exits", Static).update(cards.exits_card(view, self._which))
        base.query_one("#day", Static).update(cards.day_card(view, self.size.width))
        base.set_class(self.size.height >= TALL_ROWS, "tall")
        base.set_class(self.size.width < NARROW_COLUMNS, "narrow")
        base.query_one("#worth", Static).update(cards.worth_card(view, self.size.width))

    def _rows(self, view: View) -> RenderableType:
        if self._listed == "pairs":
            return cards.pairs_table(view)
        if self._listed == "decisions":
            return cards.decisions_table(view)
        if self._listed == "worth":
            return cards.worth_card(view, self.size.width)
        lines = self._source.log_lines(LOG_LINES)
        return Text("\n".join(reversed(lines)) or "No log file can be read.")


def _cost(hedge: HedgeView, view: View, price: ClosingPrice | None) -> Text:
    closing, now = closing_one(hedge, price), view.times.now
    result, payment = closing.result, closing.next_payment
    missed = formats.signed_money(payment.amount if payment else None)
    lines = [
        f"Fees and spread, expected: {formats.money(result.exit_cost if result else None)}",
        f"Result after it: {formats.signed_money(result.net_if_closed if result else None)}",
        f"Payment missed: {missed} in {formats.countdown(payment.at if payment else None, now)}",
        books_of_one(closing, now),
    ]
    return Text("\n".join(lines))
