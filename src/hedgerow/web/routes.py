"""The addresses of a dashboard: pages, streams, JSON, questions, and what an operator asks of a bot."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import msgspec
from aiohttp import web

from hedgerow.dashboard.bot_state import BotState, ProcessState
from hedgerow.dashboard.view import View, view_document
from hedgerow.domain.errors import HedgerowError
from hedgerow.domain.operator_requests import (
    CloseAllRequested,
    CloseOnExitRequested,
    CloseRequested,
    HaltRequested,
    HedgeSeen,
    Request,
    ResumeRequested,
)
from hedgerow.ports import Clock
from hedgerow.web.access import Role, fingerprint
from hedgerow.web.board import Board
from hedgerow.web.html import Html
from hedgerow.web.pages import controls
from hedgerow.web.pages.bot import bot_page, main_tag, question_page
from hedgerow.web.pages.fleet import fleet_page, fleet_panel, worst_first
from hedgerow.web.pages.past import RANGES
from hedgerow.web.pages.settings import FIELD, preview_form
from hedgerow.web.pages.state import Shown, bar
from hedgerow.web.protection import SignedIn, signed_in
from hedgerow.web.rendering import Renderer
from hedgerow.web.sources import Asked, AskOutcome, BotSource
from hedgerow.web.stream import PageNow, Streams

__all__ = ["DashboardRoutes", "not_ready"]

FRAGMENT: Final = "X-Fragment"
"""A request with this header gets a question alone, without the page around it."""
QUESTIONS: Final = ("halt", "resume", "close", "on-exit")
CHANGES: Final = ("halt", "resume", "close", "close-all", "on-exit")
LONGEST: Final = 200
NOTICE_SECONDS: Final = 60.0
OPERATOR: Final = "dashboard operator"
ALL_RANGES: Final = "all"
Price = TypeVar("Price")


class DashboardRoutes:
    """The routes of one server."""

    def __init__(
        self, bots: Sequence[BotSource], clock: Clock, *, metrics: Callable[[Sequence[View]], bytes] | None = None
    ) -> None:
        """``metrics`` writes what Prometheus scrapes; None = there is no such page."""
        self._board = Board(bots, clock)
        self._streams = Streams(clock)
        self._renderer = Renderer()
        self._metrics = metrics
        self._clock = clock
        self._notices: dict[str, tuple[str, float]] = {}
        """How its last request ended, and until when (monotonic seconds) that is shown; by a session's fingerprint."""

    def stop(self) -> None:
        """End the open streams."""
        self._streams.stop()

    def routes(self) -> tuple[web.RouteDef, ...]:
        """Return every route."""
        bot = "/bots/{slug}"
        pages = (
            web.get("/", self._home),
            web.get("/events", self._fleet_events),
            web.get("/api/view", self._view),
            web.get("/api" + bot + "/view", self._bot_view),
            web.get(bot, self._bot),
            web.get(bot + "/events", self._events),
            web.get(bot + "/curve", self._curve),
            web.get("/healthz", self._healthz),
            web.get("/readyz", self._readyz),
        )
        questions = tuple(web.get(f"{bot}/{name}", self._question) for name in QUESTIONS)
        changes = tuple(web.post(f"{bot}/{name}", self._change) for name in CHANGES)
        settings = (
            web.post(bot + "/settings/preview", self._preview),
            web.post(bot + "/settings", self._write_settings),
        )
        metrics = () if self._metrics is None else (web.get("/metrics", self._scraped),)
        return (*pages, *questions, *changes, *settings, *metrics)

    # --- pages -------------------------------------------------------------------------------------------------------

    async def _home(self, request: web.Request) -> web.Response:
        only = self._only
        if only is not None:
            return await self._page(request, only)
        rows = await self._board.rows()
        return _html(fleet_page(rows, signed_in(request).csrf))

    async def _bot(self, request: web.Request) -> web.Response:
        return await self._page(request, self._slug(request))

    async def _page(self, request: web.Request, slug: str) -> web.Response:
        shown = await self._shown(request, slug, notice=self._notice(_who(request)))
        chosen = request.query.get("range", ALL_RANGES)
        beside = await self._board.beside(slug, shown.view, chosen if chosen in RANGES else ALL_RANGES)
        return _html(bot_page(shown, self._renderer.panels(shown, beside)))

    async def _shown(self, request: web.Request, slug: str, *, notice: str = "") -> Shown:
        session = signed_in(request)
        try:
            view = await self._board.view(slug)
        except HedgerowError as error:
            raise web.HTTPServiceUnavailable(reason="this bot cannot be read now") from error
        return _shown(view, slug, session, request.query.get("hedge", ""), notice=notice, several=self._only is None)

    # --- streams -----------------------------------------------------------------------------------------------------

    async def _events(self, request: web.Request) -> web.StreamResponse:
        slug, session, chosen = self._slug(request), signed_in(request), request.query.get("hedge", "")

        async def page() -> PageNow:
            _refuse_ended(session)
            view = await self._board.view(slug)
            notice = self._notice(fingerprint(session.secret))
            shown = _shown(view, slug, session, chosen, notice=notice, several=self._only is None)
            found = self._renderer.panels(shown, await self._board.beside(slug, view, ALL_RANGES))
            return PageNow(title=f"{view.report.title} - Hedgerow", main=main_tag(shown), panels=found, bar=bar(shown))

        return await self._streams.send(request, page)

    async def _fleet_events(self, request: web.Request) -> web.StreamResponse:
        session = signed_in(request)

        async def page() -> PageNow:
            _refuse_ended(session)
            found = fleet_panel(await self._board.rows())
            return PageNow(title="Bots - Hedgerow", main='<main id="main">', panels=(found,))

        return await self._streams.send(request, page)

    # --- JSON --------------------------------------------------------------------------------------------------------

    async def _view(self, _: web.Request) -> web.Response:
        only = self._only
        if only is not None:
            return await self._document(only)
        rows = worst_first(await self._board.rows())
        found = [{"bot": row.slug, "view": row.view and view_document(row.view)} for row in rows]
        return _json({"bots": found})

    async def _bot_view(self, request: web.Request) -> web.Response:
        return await self._document(self._slug(request))

    async def _document(self, slug: str) -> web.Response:
        try:
            return _json(view_document(await self._board.view(slug)))
        except HedgerowError as error:
            raise web.HTTPServiceUnavailable from error

    async def _curve(self, request: web.Request) -> web.Response:
        slug, chosen = self._slug(request), request.query.get("range", ALL_RANGES)
        if chosen not in RANGES:
            raise web.HTTPBadRequest
        shown = await self._shown(request, slug)
        curve = await self._board.curve(slug, shown.view, chosen)
        lines = {
            name: [None if value is None else float(value) for value in (getattr(p, name) for p in curve.points)]
            for name in ("net", "funding", "fees", "basis")
        }
        marks = [{"t": mark.at.timestamp(), "kind": mark.kind, "text": mark.text} for mark in curve.marks]
        return _json({"t": [point.at.timestamp() for point in curve.points], **lines, "marks": marks})

    # --- for machines ------------------------------------------------------------------------------------------------

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        rows = await self._board.rows()
        reasons = sorted({reason for row in rows for reason in not_ready(row.view)})
        return _json({"ready": not reasons, "reasons": reasons}, status=503 if reasons else 200)

    async def _scraped(self, _: web.Request) -> web.Response:
        views = [row.view for row in await self._board.rows() if row.view is not None]
        body = b"" if self._metrics is None else self._metrics(views)
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    # --- what an operator asks ---------------------------------------------------------------------------------------

    async def _question(self, request: web.Request) -> web.Response:
        shown = await self._shown(request, self._slug(request))
        if not shown.may_act:
            raise web.HTTPForbidden
        question = await self._asked_back(shown, request)
        if FRAGMENT in request.headers:
            return _html(f"<!doctype html><title>?</title>{question}")
        return _html(question_page(shown, question))

    async def _asked_back(self, shown: Shown, request: web.Request) -> Html:
        hedge, bot = shown.hedge, self._board.bots[self._slug(request)]
        if not request.path.endswith("/close") or not shown.view.hedges:
            return _question_of(shown, request)
        if request.query.get("all"):
            return controls.close_all_dialog(shown, await _read_now(bot.closing_prices(OPERATOR)) or ())
        if hedge is None:
            return controls.which_dialog(shown)
        return controls.close_dialog(shown, *hedge, await _read_now(bot.closing_price(hedge[1].symbol, OPERATOR)))

    async def _change(self, request: web.Request) -> web.Response:
        action, hedge = _asked_for(request.path.rpartition("/")[2], await _form(request))
        asked = await self._ask(self._slug(request), action, hedge)
        return self._after(request, asked)

    async def _ask(self, slug: str, action: Request, hedge: HedgeSeen | None) -> Asked:
        bot = self._board.bots[slug]
        try:
            return await bot.ask(action, hedge, OPERATOR)
        except HedgerowError as error:
            return Asked(outcome=AskOutcome.REFUSED, text=str(error))

    async def _preview(self, request: web.Request) -> web.Response:
        shown, changes = await self._shown(request, self._slug(request)), _settings(await _form(request))
        preview = await self._board.bots[self._slug(request)].preview(changes, OPERATOR)
        return _html(question_page(shown, preview_form(shown, preview)))

    async def _write_settings(self, request: web.Request) -> web.Response:
        changes = _settings(await _form(request))
        bot = self._board.bots[self._slug(request)]
        return self._after(request, await bot.change_settings(changes, OPERATOR))

    def _notice(self, who: str) -> str:
        """Return how the last request of a session ended, for a while."""
        text, until = self._notices.get(who, ("", 0.0))
        return text if self._clock.monotonic() < until else ""

    def _after(self, request: web.Request, asked: Asked) -> web.Response:
        """Lead back to the page, which shows how the request ended."""
        self._notices[_who(request)] = (asked.text, self._clock.monotonic() + NOTICE_SECONDS)
        while len(self._notices) > LONGEST:
            del self._notices[next(iter(self._notices))]
        return web.Response(status=303, headers={"Location": f"/bots/{self._slug(request)}"})

    # --- which bot ---------------------------------------------------------------------------------------------------

    @property
    def _only(self) -> str | None:
        slugs = list(self._board.bots)
        return slugs[0] if len(slugs) == 1 else None

    def _slug(self, request: web.Request) -> str:
        slug = request.match_info["slug"]
        if slug not in self._board.bots:
            raise web.HTTPNotFound
        return slug


def not_ready(view: View | None) -> tuple[str, ...]:
    """Return why a bot is not ready, in words that name no account and no amount; none = it is."""
    if view is None:
        return ("the log cannot be read",)
    found: list[str] = []
    if view.process.state is not ProcessState.RUNNING:
        found.append("no process runs" if view.process.state is not ProcessState.SILENT else "the process is silent")
    if view.times.blind_since is not None or view.times.read_at is None:
        found.append("the exchange cannot be read")
    streams = view.health
    if streams.streams and (streams.streams_up or 0) < streams.streams:
        found.append("a stream is down")
    if view.report.naked is not None or view.report.state is BotState.NAKED:
        found.append("a leg is not hedged")
    return tuple(found)


def _question_of(shown: Shown, request: web.Request) -> Html:
    name = request.path.rpartition("/")[2]
    if name == "halt":
        return controls.halt_dialog(shown)
    if name == "resume":
        return controls.resume_dialog(shown)
    if name == "on-exit":
        return controls.on_exit_dialog(shown)
    return controls.nothing_dialog(shown)


async def _read_now(asked: Awaitable[Price]) -> Price | None:
    """Return what a bot says by books that it reads now; None where it cannot be asked."""
    try:
        return await asked
    except HedgerowError:
        return None


def _asked_for(name: str, form: dict[str, str]) -> tuple[Request, HedgeSeen | None]:
    """Return the request of a form, and the hedge that was seen where it is about one."""
    match name:
        case "halt":
            return HaltRequested(detail="halted on the dashboard"), None
        case "resume":
            return ResumeRequested(), None
        case "close-all":
            return CloseAllRequested(), None
        case "on-exit":
            return CloseOnExitRequested(on=form.get("close") == "yes"), None
        case _:
            hedge_id, symbol = form.get("hedge", ""), form.get("symbol", "")
            if not hedge_id or not symbol or len(hedge_id) > LONGEST or len(symbol) > LONGEST:
                raise web.HTTPBadRequest
            return CloseRequested(symbol=symbol), HedgeSeen(hedge_id=hedge_id, symbol=symbol)


async def _form(request: web.Request) -> dict[str, str]:
    return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}


def _settings(form: dict[str, str]) -> dict[str, str]:
    return {name.removeprefix(FIELD): value for name, value in form.items() if name.startswith(FIELD)}


def _shown(view: View, slug: str, session: SignedIn, chosen: str, *, notice: str = "", several: bool) -> Shown:
    known = any(hedge.hedge_id == chosen for hedge in view.hedges)
    return Shown(
        view=view,
        base=f"/bots/{slug}",
        role=session.role if session.role is Role.OPERATOR else Role.VIEWER,
        csrf=session.csrf,
        several_bots=several,
        chosen=chosen if known else "",
        notice=notice,
    )


def _refuse_ended(session: SignedIn) -> None:
    if not session.is_open():
        raise web.HTTPUnauthorized


def _who(request: web.Request) -> str:
    return fingerprint(signed_in(request).secret)


def _html(page: str) -> web.Response:
    return web.Response(text=page, content_type="text/html", charset="utf-8")


def _json(document: object, *, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(document), content_type="application/json")
