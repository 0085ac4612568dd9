"""A real Chromium that looks at a dashboard: what it complains of, what is too wide, what axe finds.

``HEDGEROW_SCREENSHOTS=DIR`` keeps a picture of every page that is looked at; ``HEDGEROW_DOCS_IMAGES=DIR`` those of
the docs.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from hedgerow.clock import SystemClock
from hedgerow.dashboard.bot_state import BotState
from hedgerow.web.access import Role
from hedgerow.web.routes import DashboardRoutes
from support.dashboards import KeptAccess, Served, served_dashboard
from support.shown_bots import STATES, ShownBot, several, view_in

__all__ = [
    "CHROMIUM",
    "DESK",
    "PHONE",
    "BrowserHarness",
    "bots_in_every_state",
    "keep",
    "name_of",
    "overflow",
    "showing",
    "violations",
]

CHROMIUM = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
AXE = Path(__file__).parents[1] / "browser" / "axe" / "axe.min.js"
DESK, PHONE = ViewportSize(width=1320, height=900), ViewportSize(width=360, height=740)
DOCUMENTED = {
    "naked-desk-dark": "dashboard-naked",
    "dialog-desk-light": "dashboard-close",
}
"""Pictures of docs/dashboard.md, by the name of the page that they show; those of a hedged bot are of the demo."""
RULES = {"resultTypes": ["violations"]}


class BrowserHarness:
    """A dashboard in a browser: its bots by name, and what the browser complained about."""

    def __init__(self, browser: Browser, served: Served, bots: dict[str, ShownBot]) -> None:
        self.served = served
        self.bots = bots
        self.complaints: list[str] = []
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    def context(self, *, script: bool = True, role: Role = Role.OPERATOR, **how: Any) -> BrowserContext:
        """Return a browser that is signed in."""
        cookie, _ = self.served.session(role)
        name, _, value = cookie.partition("=")
        found = self._browser.new_context(java_script_enabled=script, viewport=how.pop("viewport", DESK), **how)
        found.add_cookies([{"name": name, "value": value, "url": self.served.origin, "sameSite": "Strict"}])
        self._contexts.append(found)
        return found

    def open(self, path: str = "/", context: BrowserContext | None = None, **how: Any) -> Page:
        page = (context or self.context(**how)).new_page()
        page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.goto(f"{self.served.origin}{path}", wait_until="load")
        return page

    def leave_open(self) -> None:
        """Leave the pages as they are when the server ends."""
        self._contexts.clear()

    def close(self) -> None:
        for context in self._contexts:
            context.close()
        self._contexts.clear()


def bots_in_every_state() -> dict[str, ShownBot]:
    found = {name_of(state): ShownBot(view_in(state), name_of(state)) for state in STATES}
    return {**found, "several": ShownBot(several(), "several")}


def name_of(state: BotState) -> str:
    return state.name.lower().replace("_", "-")


@contextmanager
def showing(
    browser: Browser, bots: dict[str, ShownBot], *, port: int = 0, access: KeptAccess | None = None
) -> Iterator[BrowserHarness]:
    """Serve a dashboard of some bots."""
    with ExitStack() as stack:
        routes = DashboardRoutes(list(bots.values()), SystemClock())
        served = stack.enter_context(served_dashboard(routes.routes(), stop=routes.stop, port=port, access=access))
        found = BrowserHarness(browser, served, bots)
        stack.callback(found.close)
        yield found


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


def violations(page: Page) -> list[str]:
    """Return what axe finds, one line for each place."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("rules => axe.run(document, rules)", RULES)
    places = ((each["id"], node) for each in found["violations"] for node in each["nodes"])
    return [f"{rule}: {node['html'][:160]} {node['failureSummary'][:200]}" for rule, node in places]


def keep(page: Page, name: str) -> None:
    """Keep a picture of a page where pictures were asked for."""
    folder, documented = os.environ.get("HEDGEROW_SCREENSHOTS"), os.environ.get("HEDGEROW_DOCS_IMAGES")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
    if documented and name in DOCUMENTED:
        page.screenshot(path=Path(documented) / f"{DOCUMENTED[name]}.png")
