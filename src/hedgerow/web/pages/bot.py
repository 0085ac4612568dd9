"""The page of one bot: its panels in order, and the frame around them."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from hedgerow.dashboard.bot_state import BotState
from hedgerow.web.html import Html, attributes, element, join
from hedgerow.web.page import whole_page
from hedgerow.web.pages import cards, hedge, job, past, tables
from hedgerow.web.pages.parts import Panel
from hedgerow.web.pages.settings import settings
from hedgerow.web.pages.state import Shown, as_of, bar, strip
from hedgerow.web.sources import Curve, SettingShown

__all__ = ["Beside", "bot_page", "main_tag", "panels", "question_page"]

_FOOT: Final = (("now", "Now"), ("money", "Money"), ("pairs", "Pairs"), ("log", "Log"), ("act", "Act"))


class Beside(Struct, frozen=True, kw_only=True):
    """What a page shows beside the view."""

    curve: Curve = Curve()
    range: str = "all"
    log: tuple[str, ...] = ()
    settings: tuple[SettingShown, ...] = ()
    settings_problem: str = ""


def panels(shown: Shown, beside: Beside) -> tuple[Panel, ...]:
    """Return the panels of a bot's page, in their order."""
    return (
        strip(shown),
        *_choice(shown),
        *_now(shown),
        past.curve_panel(shown, beside.curve, beside.range),
        *_foreseen(shown),
        past.worth(shown),
        past.day(shown),
        tables.tabs(),
        tables.pairs(shown),
        tables.hedges(shown),
        tables.payments(shown),
        tables.decisions(shown),
        tables.health(shown),
        tables.log(beside.log),
        settings(shown, beside.settings, beside.settings_problem),
    )


def _choice(shown: Shown) -> tuple[Panel, ...]:
    """Return a tab for each of several hedges, the worst first, and one for all of them."""
    hedges = shown.view.hedges
    if len(hedges) < 2:  # noqa: PLR2004 - several
        return ()
    names = [("", "All hedges"), *((each.hedge_id, each.symbol) for each in hedges)]
    links = (
        element(
            "a",
            name,
            href=f"{shown.base}?hedge={hedge_id}" if hedge_id else shown.base or "/",
            aria_current="page" if hedge_id == shown.chosen else None,
        )
        for hedge_id, name in names
    )
    nav = element("nav", *links, id="which", class_="tabs c12", aria_label="Hedges")
    return (Panel(name="which", html=nav),)


def _now(shown: Shown) -> tuple[Panel, ...]:
    view, chosen = shown.view, shown.hedge
    if shown.trading and view.job is not None:
        return (*job.job_cards(shown, view.job), *job.others_in_flight(shown))
    if chosen is not None:
        return cards.hedge_cards(shown, *chosen)
    return cards.together_cards(shown) if view.hedges else cards.flat_cards(shown)


def _foreseen(shown: Shown) -> tuple[Panel, ...]:
    """Return what would make it act, and both legs; while a trade is in flight they would contradict it."""
    view, chosen = shown.view, shown.hedge
    if shown.trading and view.job is not None and len(view.hedges) < 2:  # noqa: PLR2004 - several
        return ()
    if chosen is not None:
        return (hedge.acts(shown, *chosen), hedge.legs(shown, *chosen))
    if view.hedges:
        return (hedge.acts_of_several(shown), hedge.several(shown))
    return (hedge.kept_out(shown),)


def bot_page(shown: Shown, parts: Sequence[Panel]) -> str:
    """Return the whole page of a bot."""
    view = shown.view
    skip = Html('<a class="skip" href="#pairs">Skip to the tables</a>')
    main = Html(f"{main_tag(shown)}{join(part.html for part in parts)}</main>")
    foot = element(
        "nav",
        *(element("a", text, href=f"#{name}", data_foot=name) for name, text in _FOOT),
        class_="foot",
        aria_label="Parts of the page",
    )
    dialog = Html('<dialog id="dialog" aria-labelledby="dialog-title"></dialog>')
    body = join((skip, bar(shown).html, main, foot, dialog))
    stream = f"{shown.base}/events" + (f"?hedge={shown.chosen}" if shown.chosen else "")
    return whole_page(view.report.title, body, data_tab="now", data_stream=stream)


def main_tag(shown: Shown) -> str:
    """Return the opening tag of the main part; its class makes old figures grey."""
    old = bool(as_of(shown.view)) or shown.view.report.state is BotState.DOWN
    return f"<main{attributes(id='main', class_='asof' if old else None)}>"


def question_page(shown: Shown, question: Html) -> str:
    """Return a page that asks one question."""
    main = element("main", element("section", question, class_="question c12"), id="main")
    return whole_page(shown.view.report.title, join((bar(shown).html, main)), data_tab="act")
