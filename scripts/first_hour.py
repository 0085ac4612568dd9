#!/usr/bin/env python3
"""Does what docs/first_hour.md says, from a clone to a closed paper hedge, and checks and times each step.

Usage: first_hour.py [--program PATH]. It clones this checkout, installs it with ``make setup`` and runs the commands of
the page; with --program it takes the ``hedgerow`` command at PATH instead of installing one, and leaves out the demo.
Only ``make setup`` needs a network: the exchange is ``hedgerow emulator`` and the paper bot's own. Needs no package.
"""

import argparse
import http.client
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parents[1]
HOME = "my-bot"
REHEARSAL = "rehearsal"
"""A home of its own: a log belongs to one account."""
PATIENCE_SECONDS = 240.0
"""For one step; before a settlement the bot waits up to a minute with an opening."""
SETUP_SECONDS = 1_800.0
HALTED = 3
"""Exit code of a run that ends with openings halted."""
CANNOT_EXECUTE = 126
ANSWERS = (
    ("Which preset (guide, patient, cautious): ", "guide"),
    ("max_capital_usd [none]: ", ""),
    ("style [taker]: ", ""),
    ("Enter the keys now? [y/N]: ", ""),
    ("Set up alerts now? [y/N]: ", ""),
)
"""What ``hedgerow init`` asks, and what the newcomer answers."""


class FailedStepError(Exception):
    """A step did not do what the page says."""


class Newcomer:
    """Runs commands in one folder, and times what it does."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder = folder
        self.program = program
        self.variables = {"XDG_STATE_HOME": str(folder / "locks"), "PYTHONUNBUFFERED": "1"}
        self.steps: list[tuple[str, float]] = []
        """Each step with its seconds."""

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step and print it."""
        began = time.monotonic()
        yield
        self.steps.append((name, time.monotonic() - began))
        print(f"{self.steps[-1][1]:7.1f} s  {name}", flush=True)

    def _words(self, command: str) -> list[str]:
        """Return the words of a command line of the page."""
        words = command.split()
        return [self.program, *words[1:]] if words[0] == "hedgerow" else words

    def _environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        return {**os.environ, **self.variables, **(more or {})}

    def run(
        self,
        command: str,
        *expected: str,
        code: int = 0,
        more: Mapping[str, str] | None = None,
        seconds: float = PATIENCE_SECONDS,
    ) -> str:
        """Run a command to its end; check its exit code, and that it says what is expected."""
        with self.step(command):
            done = subprocess.run(  # noqa: S603 - commands of the page
                self._words(command),
                cwd=self.folder,
                env=self._environment(more),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
            said = done.stdout + done.stderr
            missing = [each for each in expected if each not in said]
            if done.returncode != code or missing:
                raise FailedStepError(f"{command}: exit code {done.returncode} for {code}, not said: {missing}\n{said}")
        return done.stdout

    @contextmanager
    def started(self, command: str) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
        """Start a command beside the others; yield it and the file of what it says. Ends it if nothing else did."""
        said = self.folder / f"said-{len(self.steps)}.txt"
        with said.open("w", encoding="utf-8") as file:
            running = subprocess.Popen(  # noqa: S603 - commands of the page
                self._words(command),
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
            )
        try:
            yield running, said
        except BaseException:
            print(said.read_text(encoding="utf-8")[-3000:], file=sys.stderr)
            raise
        finally:
            if running.poll() is None:
                running.kill()
                running.wait()

    def answer(self, command: str, answers: Sequence[tuple[str, str]]) -> None:
        """Run a command on a terminal and answer its questions."""
        with self.step(command):
            child, terminal = pty.fork()
            if child == 0:
                self._become(self._words(command))
            shown, left = "", list(answers)
            until = time.monotonic() + PATIENCE_SECONDS
            while _may_read(terminal, until):
                try:
                    shown += os.read(terminal, 65536).decode("utf-8", "replace")
                except OSError:
                    break
                if left and left[0][0] in shown:
                    os.write(terminal, f"{left.pop(0)[1]}\r".encode())
            os.close(terminal)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            if code or left:
                raise FailedStepError(
                    f"{command}: exit code {code}, not asked: {[asked for asked, _ in left]}\n{shown}"
                )

    def _become(self, words: list[str]) -> NoReturn:
        try:
            os.chdir(self.folder)
            os.execvpe(words[0], words, self._environment())  # noqa: S606 - a command of the page
        finally:
            os._exit(CANNOT_EXECUTE)


def _may_read(terminal: int, until: float) -> bool:
    left = until - time.monotonic()
    return left > 0 and bool(select.select([terminal], [], [], left)[0])


def wait_for(found: Callable[[], Any], what: str) -> Any:
    """Return the first value that is true."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        value = found()
        if value:
            return value
        time.sleep(0.1)
    raise FailedStepError(f"{what}: not within {PATIENCE_SECONDS:.0f} s")


class Screen:
    """The dashboard, as a signed-in reader has it."""

    def __init__(self, port: int, link: str) -> None:
        self._port = port
        reply, _ = self._asked("POST", "/login", urlencode({"secret": link.strip().removeprefix("/login/")}))
        self._cookie = str(reply.headers.get("Set-Cookie")).partition(";")[0]
        if reply.status != http.client.SEE_OTHER:
            raise FailedStepError(f"the login link was refused: {reply.status}")

    def view(self) -> dict[str, Any]:
        """Return what the screen shows, as data."""
        reply, text = self._asked("GET", "/api/view")
        if reply.status != http.client.OK:
            raise FailedStepError(f"/api/view: {reply.status}")
        found: dict[str, Any] = json.loads(text)
        return found

    def page(self) -> str:
        """Return the page of the bot."""
        return self._asked("GET", "/")[1]

    def _asked(self, method: str, path: str, body: str | None = None) -> tuple[http.client.HTTPResponse, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        headers = {"Origin": f"http://127.0.0.1:{self._port}", "Cookie": getattr(self, "_cookie", "")}
        headers |= {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        try:
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            return reply, reply.read().decode()
        finally:
            connection.close()


def port_in(said: Path) -> int:
    """Return the port of the first address that a command has printed; 0 while there is none."""
    found = re.search(r"http://127\.0\.0\.1:(\d+)", said.read_text(encoding="utf-8"))
    return int(found[1]) if found else 0


def paper_hour(newcomer: Newcomer) -> None:
    """Run the paper bot with its screen until it holds a hedge, look at it, close it and stop."""
    with newcomer.started(f"hedgerow run --paper --dashboard --home {HOME} --port 0") as (bot, said):
        with newcomer.step("hedgerow run --paper --dashboard: the screen answers"):
            port = wait_for(lambda: port_in(said), "address of the dashboard")
        screen = Screen(port, newcomer.run(f"hedgerow dashboard link --home {HOME}", "within 5 minutes"))
        with newcomer.step("/api/view: a hedge is shown"):
            view = wait_for(lambda: _with_hedge(screen.view()), "a hedge on the screen")
            symbol = view["hedges"][0]["symbol"]
            if symbol not in screen.page():
                raise FailedStepError(f"the page does not name {symbol}")
        newcomer.run(f"hedgerow status --paper --home {HOME}", f"Hedged on {symbol}")
        newcomer.run(f"hedgerow scan --paper --home {HOME}", symbol, "verdict", "below")
        newcomer.run(
            f"hedgerow books --paper --home {HOME}", symbol, "The books agree with the exchange: difference 0."
        )
        newcomer.run(f"hedgerow halt --paper --home {HOME}", "halted")
        newcomer.run(f"hedgerow close --paper --home {HOME} --yes", symbol, "net")
        with newcomer.step("/api/view: flat, openings halted"):
            wait_for(lambda: screen.view()["report"]["state"] == "halted, flat", "flat and halted")
        with newcomer.step("Ctrl-C: the bot stops"):
            bot.send_signal(signal.SIGINT)
            if bot.wait(PATIENCE_SECONDS) != HALTED:
                raise FailedStepError(
                    f"the bot ended with exit code {bot.returncode} for {HALTED}: openings are halted"
                )
    newcomer.run(f"hedgerow status --paper --home {HOME}", "Stopped", code=HALTED)
    newcomer.run(f"hedgerow resume --paper --home {HOME}", "penings are allowed")


def _with_hedge(view: dict[str, Any]) -> dict[str, Any] | None:
    return view if view["report"]["state"] == "hedged" and view["hedges"] else None


def before_real_money(newcomer: Newcomer) -> None:
    """Do what comes before real money, against ``hedgerow emulator`` in place of the exchange."""
    with newcomer.started("hedgerow emulator --port 0 --pairs 8") as (_, said):
        with newcomer.step("hedgerow emulator: it answers"):
            wait_for(lambda: "export API_PRIVATE_KEY" in said.read_text(encoding="utf-8"), "the emulator")
        account = dict(re.findall(r"^export (\w+)=(\S+)$", said.read_text(encoding="utf-8"), re.MULTILINE))
        hosts = {name: value for name, value in account.items() if not name.startswith("API_")}
        newcomer.run(
            f"hedgerow doctor --home {HOME}", "credentials: none", "futures rest", "answers", code=1, more=hosts
        )
        newcomer.run(f"hedgerow run --dry-run --once --home {HOME}", "Mode: DRY RUN", "CYCLE #1", more=hosts)
        newcomer.run(f"hedgerow init --home {REHEARSAL} --yes", "Wrote")
        newcomer.run(f"hedgerow doctor --home {REHEARSAL}", "0 problem(s)", "first check", more=account)
        opened = "Position opened successfully"
        newcomer.run(f"hedgerow run --once --home {REHEARSAL}", "Mode: LIVE", opened, more=account)
        newcomer.run(f"hedgerow close --home {REHEARSAL} --yes", "net", more=account)


def install(newcomer: Newcomer, clone: Path) -> None:
    """Clone this checkout, install it, and play the demo in it."""
    newcomer.run(f"git clone --quiet --no-hardlinks {ROOT} {clone}")
    newcomer.folder = clone
    newcomer.run("make setup", "with hedgerow in", seconds=SETUP_SECONDS)
    newcomer.run("hedgerow demo --days 2", "Net profit", "The demo kills the bot here", "demo-report.html")
    if not (clone / "demo-report.html").is_file():
        raise FailedStepError("the demo left no report")


def main() -> int:
    """Do it all and return the exit code."""
    parser = argparse.ArgumentParser(description="Do what docs/first_hour.md says; check and time each step.")
    parser.add_argument("--program", type=Path, help="the hedgerow command to try, instead of one from a clone")
    program = parser.parse_args().program
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what it starts with & ignore Ctrl-C
    with tempfile.TemporaryDirectory() as temporary:
        clone = Path(temporary) / "hedgerow"
        newcomer = Newcomer(Path(temporary), str(program.absolute() if program else clone / ".venv/bin/hedgerow"))
        try:
            if program is None:
                install(newcomer, clone)
            newcomer.answer(f"hedgerow init --home {HOME}", ANSWERS)
            newcomer.run(f"hedgerow config --home {HOME}", "max_capital_usd")
            paper_hour(newcomer)
            before_real_money(newcomer)
        except FailedStepError as error:
            print(f"first hour: FAILED: {error}", file=sys.stderr)
            return 1
    print(f"{sum(seconds for _, seconds in newcomer.steps):7.1f} s  all {len(newcomer.steps)} steps")
    return 0


if __name__ == "__main__":
    sys.exit(main())
