"""examples/ as their users run them: programs and tests of their own."""

import asyncio
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hedgerow.domain import events as ev
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import Fill
from hedgerow.store.sqlite import SqliteStore
from hedgerow.testing import local_aster

EXAMPLES = Path(__file__).parents[2] / "examples"
AT = datetime(2026, 11, 28, 20, tzinfo=UTC)
LONGEST_SECONDS = 120


def run(*words: object, folder: Path, environment: dict[str, str] | None = None) -> str:
    """Run a Python program and return its standard output."""
    done = subprocess.run(  # noqa: S603 - our own examples
        [sys.executable, *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_example_is_named_and_there() -> None:
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    named = {link.partition("/")[0] for link in re.findall(r"\]\((?!\.\.)([^)]+)\)", page)}
    there = {path.name for path in EXAMPLES.iterdir() if path.name not in {"README.md", "__pycache__"}}
    assert named == there


def test_the_client_alone_prints_the_highest_rates_first(tmp_path: Path) -> None:
    with local_aster(pairs=6) as aster:
        aster.set_funding("BTCUSDT", "0.0021", interval_hours=8)
        said = run(EXAMPLES / "best_funding.py", folder=tmp_path, environment=aster.environment).splitlines()
    assert len(said) == 5
    assert said[0].startswith("BTCUSDT")
    assert "0.2100% at the next settlement" in said[0]
    rates = [float(re.findall(r"(-?[\d.]+)%", line)[0]) for line in said]
    assert rates == sorted(rates, reverse=True)


def failed(*words: object, folder: Path, environment: dict[str, str] | None = None) -> str:
    """Run a Python program that must fail, and return its one line on standard error."""
    done = subprocess.run(  # noqa: S603 - our own examples
        [sys.executable, *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    return line


def test_without_a_network_the_client_alone_ends_with_one_line(tmp_path: Path) -> None:
    nowhere = {"HEDGEROW_FUTURES_REST": "http://127.0.0.1:9", "HEDGEROW_SPOT_REST": "http://127.0.0.1:9"}
    line = failed(EXAMPLES / "best_funding.py", folder=tmp_path, environment=nowhere)
    assert line.startswith("the funding rates cannot be read: ")


def test_a_folder_or_a_file_that_is_no_log_ends_with_one_line(tmp_path: Path) -> None:
    script, other = EXAMPLES / "read_log.py", tmp_path / "other.db"
    other.write_text("not a database", encoding="utf-8")
    assert failed(script, tmp_path, folder=tmp_path).startswith(f"{tmp_path} is a folder: ")
    assert "hedgerow.db is not there: " in failed(script, folder=tmp_path)
    assert failed(script, other, folder=tmp_path).startswith(f"{other} cannot be read as an event log: ")


@pytest.mark.slow
def test_the_command_that_the_page_prints_runs_the_tests_of_a_bot_in_a_checkout() -> None:
    command = "pytest examples/emulator_in_a_test"
    assert f"`{command}`" in (EXAMPLES / "README.md").read_text(encoding="utf-8")
    quiet = ("-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:xdist")
    said = run("-m", *command.split(), *quiet, folder=EXAMPLES.parent)
    assert re.search(r"^3 passed", said, re.MULTILINE), said


def test_the_log_is_read_and_added_up_by_day(tmp_path: Path) -> None:
    def payment(number: int, at: datetime) -> ev.FundingReceived:
        return ev.FundingReceived(
            at=at, payment=FundingPayment(symbol="BTCUSDT", amount=Decimal("0.1250"), at=at, tran_id=number)
        )

    fill = Fill(
        market=Market.PERP,
        symbol="BTCUSDT",
        trade_id=1,
        order_id=1,
        client_id="h-p-1",
        side=Side.SELL,
        quantity=Decimal("0.005"),
        price=Decimal(60_000),
        fee=Decimal("0.12"),
        fee_asset="USDT",
        at=AT,
        maker=False,
    )
    later = AT + timedelta(hours=8)
    log = (
        ev.FeeBooked(at=AT, client_id="h-p-1", fill=fill, fee_quote=Decimal("0.12")),
        ev.HedgeOpened(at=AT, hedge_id="h"),
        payment(1, AT + timedelta(hours=1)),
        payment(2, later),
        payment(3, later + timedelta(hours=8)),
    )
    store = SqliteStore(tmp_path / "hedgerow.db")
    asyncio.run(store.append(log, durable=True))
    try:
        said = run(EXAMPLES / "read_log.py", "hedgerow.db", folder=tmp_path).splitlines()
    finally:
        asyncio.run(store.close())
    assert said == [
        "day         payments  funding $  trades  fees $  opened  closed",
        "2026-11-28         1     0.1250       1    0.12       1       0",
        "2026-11-29         2     0.2500       0    0.00       0       0",
    ]


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.py")), ids=lambda path: path.name)
def test_an_example_says_what_it_is_for(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith('"""')
