"""Takes the pictures of docs/dashboard.md that show a hedged bot, from a real run of the demo: ``make screenshots``."""

import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from playwright.sync_api import Browser, Page, sync_playwright

from hedgerow.app.commands.dashboard import make_link
from hedgerow.clock import SystemClock
from hedgerow.web.access import Role
from support.browsers import CHROMIUM, DESK, PHONE
from support.command_runner import COMMAND

__all__ = ["main"]

NAME = "ridge-1"
LEAST_DAYS = 3.0
"""Of the run, before a picture is taken: the curve and the comparison need a past."""
DEMO = ("demo", "--preset", "patient", "--days", "8", "--speed", "7200", "--serve", "--port", "0")
PATIENCE_SECONDS = 900.0


def main(folder: Path) -> None:
    """Play the demo, and take the pictures once it has held something for days."""
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary) / NAME
        said = Path(temporary) / "said.txt"
        with said.open("w", encoding="utf-8") as file:
            words = [COMMAND, *DEMO, "--home", str(home), "--report", str(Path(temporary) / "report.html")]
            demo = subprocess.Popen(words, stdout=file, stderr=subprocess.STDOUT, cwd=temporary)  # noqa: S603 - ours
        try:
            origin = _until(lambda: _address(said))
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
                _take(browser, origin, home, folder)
                browser.close()
        finally:
            demo.kill()
            demo.wait()


def _address(said: Path) -> str:
    found = re.search(r"Dashboard: (http://127\.0\.0\.1:\d+)/", said.read_text(encoding="utf-8"))
    return found[1] if found else ""


def _until(found: Callable[[], Any]) -> Any:
    clock = SystemClock()
    end = clock.monotonic() + PATIENCE_SECONDS
    while not (value := found()):
        assert clock.monotonic() < end, "not in time"
        threading.Event().wait(2.0)
    return value


def _take(browser: Browser, origin: str, home: Path, folder: Path) -> None:
    context = browser.new_context(viewport=DESK)
    desk = context.new_page()
    desk.goto(f"{origin}/login/{make_link(home, Role.OPERATOR, SystemClock())}")
    desk.get_by_role("button", name="Sign in").click()
    _until(lambda: _is_ready(desk, origin))
    desk.goto(origin)
    desk.screenshot(path=folder / "dashboard-hedged.png")
    phone = browser.new_context(viewport=PHONE, storage_state=context.storage_state()).new_page()
    phone.goto(origin)
    phone.screenshot(path=folder / "dashboard-phone.png")


def _is_ready(page: Page, origin: str) -> bool:
    """Whether the bot has run for days and holds a hedge that is a day old."""
    view = msgspec.json.decode(page.request.get(f"{origin}/api/view").body())
    began, now = view["times"]["log_began_at"], view["times"]["now"]
    return bool(view["report"]["state"] == "hedged" and began and _days(began, now) > LEAST_DAYS and not view["job"])


def _days(since: str, until: str) -> float:
    return (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds() / 86_400


if __name__ == "__main__":
    main(Path(sys.argv[1]))
