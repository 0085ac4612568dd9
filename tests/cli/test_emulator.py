"""``hedgerow emulator`` as a program: what it says, what its administration does, and that it ends when asked to."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from coincurve import PrivateKey

from hedgerow.aster.credentials import address_of
from support.command_runner import COMMAND, Shell, process

PATIENCE_SECONDS = 60
LINES = 19
"""Addresses, three lines for each of two accounts, and what a bot's environment needs."""


class Served:
    """The program, and the addresses it printed."""

    def __init__(self, program: "subprocess.Popen[str]") -> None:
        assert program.stdout is not None
        self.program = program
        self.lines = [program.stdout.readline() for _ in range(LINES)]
        self.futures, self.spot = (line.split()[1] for line in self.lines[:2])

    def ask(self, method: str, path: str, **content: Any) -> tuple[int, Any]:
        body = json.dumps(content).encode() if content else None
        try:
            with urlopen(Request(self.futures + path, data=body, method=method), timeout=20) as reply:  # noqa: S310 - loopback
                return reply.status, json.load(reply)
        except HTTPError as refused:
            with refused:
                return refused.code, json.load(refused)


@pytest.fixture
def served(place: Path) -> Iterator[Served]:
    words = ("emulator", "--port", 0, "--pairs", 2, "--start", "2026-01-05", "--speed", 0, "--still")
    program = process(COMMAND, *words, home=place)
    try:
        yield Served(program)
    finally:
        program.kill()
        program.communicate()


def test_it_says_where_it_is_and_for_whom(served: Served) -> None:
    said = "".join(served.lines)
    assert "Account  0x1111111111111111111111111111111111111111" in said
    assert "1000 USDT" in said
    assert served.futures != served.spot
    assert served.ask("GET", "/fapi/v3/ping") == (200, {})


def test_it_prints_what_a_bot_s_environment_needs(served: Served) -> None:
    exported = [line.removeprefix("export ").strip() for line in served.lines if line.startswith("export ")]
    found = dict(line.split("=") for line in exported)
    assert (found["HEDGEROW_FUTURES_REST"], found["HEDGEROW_SPOT_REST"]) == (served.futures, served.spot)
    assert found["HEDGEROW_SPOT_USER_WS"] == served.spot.replace("http", "ws")
    assert found["API_SIGNER"] == address_of(PrivateKey.from_hex(found["API_PRIVATE_KEY"][2:]))
    assert found["HEDGEROW_CHAIN_ID"] == "1666"


@pytest.mark.parametrize(("host", "warned"), [("0.0.0.0", True), ("127.0.0.1", False), ("localhost", False)])  # noqa: S104 - the host that is warned about
def test_an_administration_that_others_can_reach_is_warned_about(place: Path, host: str, *, warned: bool) -> None:
    solana = "So11111111111111111111111111111111111111112:0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
    words = ("emulator", "--port", 0, "--pairs", 1, "--still", "--host", host, "--account", solana)
    program = process(COMMAND, *words, home=place)
    try:
        assert program.stdout is not None
        while not (line := program.stdout.readline()).startswith("export API_USER"):
            assert line
        assert line == "export API_USER=So11111111111111111111111111111111111111112\n"
    finally:
        program.terminate()
        _, errors = program.communicate(timeout=PATIENCE_SECONDS)
    assert ("no loopback address" in errors) is warned


def test_its_administration_moves_and_breaks_it(served: Served) -> None:
    assert served.ask("POST", "/admin/price", symbol="BTCUSDT", price="50000")[0] == 200
    served.ask("POST", "/admin/advance", seconds=7 * 86_400)
    status, row = served.ask("GET", "/fapi/v3/ticker/price?symbol=BTCUSDT")
    assert (status, float(row["price"])) == (200, 50_000)
    served.ask("POST", "/admin/faults", fault="503_before", for_seconds=60)
    assert served.ask("GET", "/fapi/v3/ping")[0] == 503
    served.ask("POST", "/admin/advance", seconds=60)
    assert served.ask("GET", "/fapi/v3/ping")[0] == 200
    status, refused = served.ask("POST", "/admin/faults", fault="earthquake")
    assert (status, "earthquake" in refused["error"]) == (400, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_asked_to(served: Served, number: signal.Signals) -> None:
    served.program.send_signal(number)
    _, errors = served.program.communicate(timeout=PATIENCE_SECONDS)
    assert (served.program.returncode, errors) == (0, "")


def test_it_serves_the_market_of_a_month(place: Path) -> None:
    words = ("emulator", "--port", 0, "--universe", "2026-09", "--pairs", 450, "--speed", 0)
    program = process(COMMAND, *words, home=place)
    try:
        status, info = Served(program).ask("GET", "/fapi/v3/fundingInfo")
    finally:
        program.kill()
        program.communicate()
    assert status == 200
    assert len(info) == 450
    assert {row["fundingIntervalHours"] for row in info} == {1, 2, 4, 8}


def test_a_port_in_use_is_refused_in_one_line(served: Served, shell: Shell) -> None:
    port = int(served.futures.rpartition(":")[2])
    assert f"--port {port}" in shell.refused("emulator", "--port", port, "--pairs", 1)
