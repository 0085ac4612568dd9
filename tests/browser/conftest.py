"""A real Chromium, and dashboards of bots for it to look at."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from hedgerow.dashboard.bot_state import BotState
from support.browsers import CHROMIUM, BrowserHarness, bots_in_every_state, showing
from support.shown_bots import ShownBot, view_in


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for one module of tests: while Playwright is there no other test of its process may run a loop."""
    if CHROMIUM is None:
        if os.environ.get("REQUIRE_COMPONENTS") == "1":
            pytest.fail("no Chromium is installed, and REQUIRE_COMPONENTS is set")
        pytest.skip("no Chromium is installed (Debian: apt install chromium fonts-noto-core)")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@pytest.fixture(scope="session")
def all_bots() -> dict[str, ShownBot]:
    return bots_in_every_state()


@pytest.fixture
def screens(browser: Browser, all_bots: dict[str, ShownBot]) -> Iterator[BrowserHarness]:
    """A dashboard of bots in every state, and one that holds several hedges."""
    with showing(browser, all_bots) as found:
        yield found


@pytest.fixture
def hedged(browser: Browser) -> Iterator[BrowserHarness]:
    """A dashboard of one bot that is hedged."""
    with showing(browser, {"ridge-1": ShownBot(view_in(BotState.HEDGED))}) as found:
        yield found
