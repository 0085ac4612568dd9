"""``hedgerow books`` as a user has it: on a paper home, beside a running bot, over the wire, and when things differ."""

import csv
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path

import pytest

from hedgerow.cli.main import COMMANDS
from hedgerow.dashboard.books.report import CSV_COLUMNS
from hedgerow.domain.events import Wallet
from support.command_runner import COMMAND, EAGER, Shell, process, write_config
from support.local_aster import USER, LocalAster, local_aster

CONFIG = "config_volume_farming_strategy.json"
PATIENT = {
    "funding_rate_strategy": {**EAGER["funding_rate_strategy"], "exit_funding_apr": -10000},
    "position_management": {
        "fee_coverage_multiplier": 1000,
        "max_position_age_hours": 10000,
        "better_opportunity_apr_points": 10000,
    },
    "execution": {"settlement_guard_seconds": 0},
}
PAGE = Path(__file__).parents[2] / "docs" / "books.md"


@pytest.fixture
def held(shell: Shell, place: Path) -> str:
    """A paper bot that opened a hedge and was stopped; returns the hedge's id."""
    write_config(place / CONFIG, EAGER)
    assert shell("run", "--paper", "--once").code == 0
    document = shell("books", "--paper", "--json", "-").document
    return str(document["hedges"][0]["hedge"])


def test_the_books_of_a_paper_home_agree_and_every_table_is_written(held: str, shell: Shell, place: Path) -> None:
    said = shell("books", "--paper", "--csv", "books")
    assert said.code == 0, said
    assert "The books agree with the exchange: difference 0." in said.out
    assert held in said.out
    document = shell("books", "--paper", "--json", "-").document
    assert document["agrees"] is True
    assert document["books_difference"] == {}
    for name, columns in CSV_COLUMNS.items():
        with (place / "books" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        assert tuple(rows[0]) == columns
        assert len(rows) - 1 == len(document[name])
        assert all(tuple(row) == columns for row in map(tuple, document[name]))
    kinds = {line["kind"] for line in document["lines"]}
    assert {"fill", "fee", "realised pnl"} <= kinds  # and a payment, when the hour just turned
    [hedge] = document["hedges"]
    parts = [Decimal(hedge[name]) for name in ("funding", "basis_pnl", "fees")]
    assert Decimal(hedge["net_profit"]) == parts[0] + parts[1] - parts[2]
    assert Decimal(hedge["fees"]) == sum(Decimal(fee["value"]) for fee in document["fees"])
    costs = Decimal(hedge["exit_fees"]) + Decimal(hedge["exit_spread"])
    assert Decimal(hedge["net_if_closed"]) == Decimal(hedge["net_profit"]) - costs
    assert costs > 0
    assert document["since_start"]["net_so_far"] == hedge["net_profit"]


def test_the_page_lists_the_columns_there_are() -> None:
    found = re.search(r"<!-- columns:begin -->\n(.*?)<!-- columns:end -->", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    rows = [f"| `{name}` | {', '.join(f'`{c}`' for c in columns)} |" for name, columns in CSV_COLUMNS.items()]
    assert found[1].strip().splitlines()[2:] == rows


def test_one_hedge_is_reported_part_by_part(held: str, shell: Shell) -> None:
    said = shell("books", "--paper", "--hedge", held)
    assert said.code == 0
    for part in ("spot leg", "perpetual leg", "fee"):
        assert part in said.out
    assert "the log has no such hedge" in shell.refused("books", "--paper", "--hedge", "nobody")


def test_without_a_price_of_the_open_hedge_the_sums_of_the_ended_ones_are_still_there(
    shell: Shell, place: Path
) -> None:
    write_config(place / CONFIG, EAGER)
    assert shell("run", "--paper", "--once").code == 0
    assert shell("close", "--paper", "--yes").code == 0
    assert shell("resume", "--paper").code == 0
    assert shell("run", "--paper", "--once").code == 0
    online = shell("books", "--paper", "--json", "-").document
    document = shell("books", "--paper", "--offline", "--json", "-").document
    assert document["totals"]["net_profit"] is None
    [ended] = [hedge for hedge in document["hedges"] if hedge["ended_at"] is not None]
    assert document["totals"]["ended"]["net_profit"] == ended["net_profit"] == online["totals"]["ended"]["net_profit"]
    assert ended["net_if_closed"] == ended["net_profit"]
    said = shell("books", "--paper", "--offline").out
    rows = {line.split()[0]: line for line in said.splitlines() if line.split()[:1] in (["Ended"], ["Total"])}
    assert "unknown" in rows["Total"]
    assert "unknown" not in rows["Ended"]


def test_the_lines_alone_fit_into_one_file(held: str, shell: Shell, place: Path) -> None:
    assert shell("books", "--paper", "--csv", "lines.csv").code == 0
    lines = (place / "lines.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == ",".join(CSV_COLUMNS["lines"])
    trades = [line for line in lines if ",fill," in line]
    assert len(trades) > 1
    assert all(held in line for line in trades)


def test_money_that_the_log_does_not_know_of_is_a_difference(held: str, shell: Shell, place: Path) -> None:
    del held
    exchange = place / "hedgerow-paper.exchange"
    document = json.loads(exchange.read_text(encoding="utf-8"))
    usdt = document["state"]["spot"]["USDT"]
    usdt["free"] = str(Decimal(usdt["free"]) + 1)
    exchange.write_text(json.dumps(document), encoding="utf-8")
    said = shell("books", "--paper")
    assert said.code == 1
    assert "BOOKS DIFFER from the exchange by: spot:USDT 1" in said.out
    assert shell("books", "--paper", "--offline").code == 0, "the log alone knows nothing of it"


def test_a_lost_trade_of_the_exchange_is_a_line_of_the_log_alone(held: str, shell: Shell, place: Path) -> None:
    del held
    exchange = place / "hedgerow-paper.exchange"
    document = json.loads(exchange.read_text(encoding="utf-8"))
    lost = document["state"]["journal"]["fills"].pop(0)
    exchange.write_text(json.dumps(document), encoding="utf-8")
    said = shell("books", "--paper")
    assert said.code == 1
    assert "Unmatched lines (" in said.out
    assert f"{lost['market']}:{lost['symbol']}:{lost['trade_id']}" in said.out
    assert "only in the log" in said.out


def test_what_cannot_be_used_is_one_line(shell: Shell, place: Path) -> None:
    said = shell("books", "--paper")
    assert (said.code, said.out.count("\n")) == (1, 1)
    assert "the bot has not run here yet" in said.out
    assert "--since yesterday" in shell.refused("books", "--paper", "--since", "yesterday")
    assert "are different bots" in shell.refused("books", "--paper", "--demo")
    (place / "file").write_text("mine", encoding="utf-8")
    assert shell("books", "--paper", "--csv", "file/books").code == 1
    assert "books" in COMMANDS


def test_a_home_whose_exchange_is_gone_says_so(held: str, shell: Shell, place: Path) -> None:
    del held
    (place / "hedgerow-paper.exchange").unlink()
    assert "the account of this paper bot is gone" in shell.refused("books", "--paper")
    assert shell("books", "--paper", "--offline").code == 0


def test_what_ended_before_is_left_out(held: str, shell: Shell) -> None:
    assert shell("close", "--paper", "--yes").code == 0
    document = shell("books", "--paper", "--since", "2099-01-01", "--json", "-").document
    assert document["hedges"] == document["lines"] == []
    assert document["wallets"], "wallets cover all of the log"
    assert [reported["hedge"] for reported in shell("books", "--paper", "--json", "-").document["hedges"]] == [held]


def test_a_kept_demo_has_books_of_its_own(shell: Shell, place: Path) -> None:
    assert shell("demo", "--days", 1, "--pairs", 4, "--home", place, "--json", place / "demo.json").code == 0
    report = json.loads((place / "demo.json").read_text(encoding="utf-8"))
    said = shell("books", "--demo", "--json", "-")
    assert said.code == 0
    ended = [reported for reported in said.document["hedges"] if reported["ended_at"]]
    assert len(ended) == sum(1 for reported in report["hedges"] if reported["closed_at"])


def test_beside_a_running_bot_the_books_are_read_without_its_lock(shell: Shell, place: Path) -> None:
    write_config(place / CONFIG, EAGER)
    bot = process(COMMAND, "run", "--paper", home=place)
    try:
        assert bot.stdout is not None
        for line in bot.stdout:
            if "Total positions opened: 1" in line:
                break
        said = shell("books", "--paper")
        assert said.code == 0, said
        assert bot.poll() is None
    finally:
        bot.kill()
        bot.communicate()


# --- over the wire ---------------------------------------------------------------------------------------------------


@pytest.fixture
def aster(monkeypatch: pytest.MonkeyPatch, place: Path) -> Iterator[LocalAster]:
    write_config(place / CONFIG, PATIENT)
    # Far from every settlement, so that none falls between a check of the bot and the look at its books.
    with local_aster(start=datetime(2026, 1, 5, 1, 10, tzinfo=UTC)) as exchange:
        for name, value in exchange.variables.items():
            monkeypatch.setenv(name, value)
        yield exchange


def advance(aster: LocalAster, days: float) -> None:
    """Let days pass on the exchange while no bot lives."""
    connection = HTTPConnection("127.0.0.1", aster.server.ports[0], timeout=120)
    connection.request("POST", "/admin/advance", json.dumps({"seconds": days * 86_400}))
    assert connection.getresponse().status == 200
    connection.close()


def by_hand(aster: LocalAster, amount: str) -> None:
    connection = HTTPConnection("127.0.0.1", aster.server.ports[0], timeout=120)
    body = {"user": USER, "wallet": Wallet.SPOT.value, "asset": "USDT", "amount": amount}
    connection.request("POST", "/admin/fund", json.dumps(body))
    assert connection.getresponse().status == 200
    connection.close()


def test_forty_days_over_the_wire_are_paged_and_every_line_is_matched(aster: LocalAster, shell: Shell) -> None:
    assert shell("run", "--once", "--venue-clock").code == 0
    by_hand(aster, "12.5")
    advance(aster, 40)
    waiting = shell("books", "--json", "-")
    assert waiting.code == 0, waiting
    assert waiting.document["standings"]["not booked yet"] >= 40 * 3
    assert shell("run", "--once", "--venue-clock").code == 0
    advance(aster, 2 / 1440)  # the limits of a minute are the exchange's
    said = shell("books", "--json", "-")
    assert said.code == 0, said
    document = said.document
    assert document["standings"] == {
        "matched": len(document["lines"]),
        "not booked yet": 0,
        "differs": 0,
        "only in the log": 0,
        "only at the exchange": 0,
    }
    kinds = [line["kind"] for line in document["lines"]]
    assert kinds.count("funding") >= 40 * 3
    assert [row["class"] for row in document["rows"]] == ["deposit"]
    assert {"fill", "fee"} <= set(kinds)
