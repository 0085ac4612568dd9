"""What screens and alerts take: memory of a bot with its dashboard, of a companion, and processor for each open page.

    python benchmarks/screens.py [--pages N] [--seconds N] [--port P]

Whole processes on the real clock: a paper bot, its dashboard in the same process and in one of its own, alerts to a
bot of Telegram that is not there and to a JSON target of Apprise in this process. A page is a WebSocket that is sent
what changes.
"""

import argparse
import asyncio
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import aiohttp

from _processes import COMMAND, PATIENCE_SECONDS, processor_seconds, resident_megabytes, started
from _report import Budgets

SETTLING_SECONDS = 10.0
TELEGRAM = {
    "HEDGEROW_TELEGRAM_TOKEN": "123456789:AAnobody_NOBODY_nobody_NOBODY_nobod0",
    "HEDGEROW_TELEGRAM_CHATS": "1",
    "HEDGEROW_TELEGRAM_USERS": "1",
    "HEDGEROW_TELEGRAM_API": "http://127.0.0.1:9",
}
FIELD = re.compile(r'name="?(\w+)"? value="?([^" >]+)')


class Alerts(BaseHTTPRequestHandler):
    """Takes alerts of Apprise."""

    posted = threading.Event()

    def do_POST(self) -> None:
        """Take one."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.posted.set()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the library gives
        """Say nothing."""


def ran(*words: str) -> str:
    """Return what a command printed."""
    done = subprocess.run([COMMAND, *words], check=True, capture_output=True, text=True, timeout=PATIENCE_SECONDS)  # noqa: S603 - our own
    return done.stdout.strip()


@asynccontextmanager
async def signed_in(base: str, home: str) -> AsyncGenerator[aiohttp.ClientSession]:
    """Sign in to a dashboard once it answers."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                await session.get(f"{base}/healthz")
                break
            except aiohttp.ClientError:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.3)
        link = ran("dashboard", "link", "--home", home)
        page = await (await session.get(f"{base}{link}")).text()
        form = {"code": link.rpartition("/")[2], **dict(FIELD.findall(page))}
        (await session.post(f"{base}/login", data=form, headers={"Origin": base})).raise_for_status()
        yield session


async def used(program: "subprocess.Popen[str]", seconds: float) -> float:
    """Return the share of a core that a program takes over some seconds."""
    before, began = processor_seconds(program), time.monotonic()
    await asyncio.sleep(seconds)
    return (processor_seconds(program) - before) / (time.monotonic() - began)


async def opened(session: aiohttp.ClientSession, base: str, slug: str) -> None:
    """Keep a page open."""
    async with session.ws_connect(f"{base}/bots/{slug}/events", headers={"Origin": base}) as socket:
        async for _ in socket:
            pass


async def own_process(budgets: Budgets, base: str, home: str, asked: argparse.Namespace) -> None:
    """Measure the dashboard in a process of its own: memory, and processor by open pages."""
    words = ("dashboard", "--home", home, "--port", str(asked.port))
    with started(COMMAND, *words) as program:
        async with signed_in(base, home) as session:
            await session.get(f"{base}/metrics")
            body = await (await session.get(base)).text()
            found = re.search(r"/bots/([\w-]+)", body)
            slug = found[1] if found else ""
            idle = await used(program, asked.seconds)
            pages = [asyncio.ensure_future(opened(session, base, slug)) for _ in range(asked.pages)]
            await asyncio.sleep(SETTLING_SECONDS / 2)
            share = (await used(program, asked.seconds) - idle) / asked.pages
            for page in pages:
                page.cancel()
        budgets.line("hedgerow dashboard, no page open: share of a core", f"{idle:.2%}")
        budgets.most("each open page: percent of a core", round(100 * share, 2), 1, " %")
        budgets.most("hedgerow dashboard with pages, most memory", round(resident_megabytes(program)), 80, " MB")


async def alerts(budgets: Budgets, base: str, home: str, asked: argparse.Namespace) -> None:
    """Measure the dashboard that also sends alerts: by Telegram, and by Apprise once it has sent one."""
    words = ("dashboard", "--home", home, "--port", str(asked.port), "--notify")
    with started(COMMAND, *words, variables=TELEGRAM) as program:
        async with signed_in(base, home) as session:
            await session.get(f"{base}/metrics")
            await asyncio.sleep(SETTLING_SECONDS)
        budgets.most("the same with metrics and Telegram", round(resident_megabytes(program)), 80, " MB")
    target = HTTPServer(("127.0.0.1", 0), Alerts)
    threading.Thread(target=target.serve_forever, daemon=True).start()
    address = {"HEDGEROW_APPRISE_URLS": f"json://127.0.0.1:{target.server_port}/x"}
    with started(COMMAND, *words, variables=address) as program:
        async with signed_in(base, home):
            await asyncio.sleep(SETTLING_SECONDS / 2)
            ran("halt", "--paper", "--home", home)
            await asyncio.to_thread(Alerts.posted.wait, PATIENCE_SECONDS)
            ran("resume", "--paper", "--home", home)
        budgets.most("the same with Apprise, once it has sent an alert", round(resident_megabytes(program)), 100, " MB")
    target.shutdown()


async def measured(asked: argparse.Namespace) -> bool:
    """Print every figure; tell whether each budget holds."""
    budgets, base = Budgets(), f"http://127.0.0.1:{asked.port}"
    with tempfile.TemporaryDirectory() as home:
        paper = ("run", "--paper", "--home", home)
        with started(COMMAND, *paper, "--dashboard", "--port", str(asked.port)) as bot:
            async with signed_in(base, home) as session:
                await session.get(f"{base}/metrics")
                await asyncio.sleep(SETTLING_SECONDS)
            budgets.most("hedgerow run --dashboard, metrics scraped", round(resident_megabytes(bot)), 80, " MB")
        with started(COMMAND, *paper):
            await own_process(budgets, base, home, asked)
            await alerts(budgets, base, home, asked)
    return budgets.held


def main() -> int:
    """Print the figures; fails when a budget does not hold."""
    parser = argparse.ArgumentParser(description="Memory and processor of screens and alerts.")
    parser.add_argument("--pages", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=40.0, help="for how long a share of a core is measured")
    parser.add_argument("--port", type=int, default=18_950, help="a free port of this machine")
    return 0 if asyncio.run(measured(parser.parse_args())) else 1


if __name__ == "__main__":
    sys.exit(main())
