"""``hedgerow close`` when the log is gone or damaged: what the exchange shows is closed, or a line says why not."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from hedgerow.domain.instrument import Market, Side
from support.command_runner import EAGER, Shell, write_config
from support.local_aster import LocalAster, local_aster

CONFIG = "config_volume_farming_strategy.json"
LOG = "hedgerow-paper.db"


@pytest.fixture
def symbol(shell: Shell, place: Path) -> str:
    """A paper bot that opened a hedge and was stopped."""
    write_config(place / CONFIG, EAGER)
    assert shell("run", "--paper", "--once").code == 0
    held = shell("status", "--paper", "--json", "-").document["position"]
    assert held is not None
    return str(held["symbol"])


def lose(place: Path) -> None:
    for path in place.glob(f"{LOG}*"):
        path.unlink()


def test_a_hedge_whose_log_is_gone_is_found_and_closed(shell: Shell, place: Path, symbol: str) -> None:
    lose(place)
    assert shell("close", "--paper", "--yes").err == "No position is held.\n"
    said = shell("close", symbol.lower(), "--paper", "--yes")
    assert said.code == 0, said
    assert f"{symbol}: the exchange shows " in said.out
    assert f"Closed {symbol}: net $" in said.out
    assert shell("status", "--paper").code == 3, "openings stay halted"
    books = shell("books", "--paper", "--json", "-")
    assert books.code == 0, books
    assert [reported["reason"] for reported in books.document["hedges"]] == ["asked by the user"]


@pytest.mark.parametrize("damage", ["garbage", "a missing event"])
def test_a_damaged_log_is_set_aside_for_a_fresh_one(damage: str, shell: Shell, place: Path, symbol: str) -> None:
    if damage == "garbage":
        lose(place)
        (place / LOG).write_bytes(b"no database at all" * 100)
    else:
        with closing(sqlite3.connect(place / LOG)) as log:
            log.execute("DELETE FROM snapshot")  # what it covers is not read
            log.execute("DELETE FROM events WHERE seq = 3")
            log.execute("DELETE FROM snapshot")  # with one that covers the gap, the log is not read so far back
            log.commit()
    assert "hedgerow close SYMBOL closes what the exchange shows" in shell.refused("close", "--paper", "--yes")
    said = shell("close", symbol, "--paper", "--yes")
    assert said.code == 0, said
    assert f"Closed {symbol}" in said.out
    assert len(list(place.glob(f"{LOG}.corrupt-*"))) >= 1
    assert shell("reconcile", "--paper").code == 3


@pytest.mark.parametrize("command", [["run", "--paper", "--once"], ["status", "--paper"], ["reconcile", "--paper"]])
def test_a_damaged_log_is_refused_with_what_to_do_about_it(
    command: list[str], shell: Shell, place: Path, symbol: str
) -> None:
    lose(place)
    (place / LOG).write_bytes(b"no database at all" * 100)
    line = shell.refused(*command)
    assert "file is not a database" in line
    assert "move the file away together with its -wal and -shm files and start again" in line
    lose(place)
    assert shell("run", "--paper", "--once").code == 0
    assert shell("status", "--paper", "--json", "-").document["position"]["symbol"] == symbol, "as the recipe says"


def test_a_log_of_a_newer_version_is_left_alone(shell: Shell, place: Path, symbol: str) -> None:
    with closing(sqlite3.connect(place / LOG)) as log:
        log.execute("PRAGMA user_version = 99")
    assert "newer Hedgerow" in shell.refused("close", symbol, "--paper", "--yes")
    assert list(place.glob("*.corrupt-*")) == []


def test_nothing_to_close_is_one_line_and_nothing_is_touched(shell: Shell, place: Path, symbol: str) -> None:
    assert shell("close", "--paper", "--yes").code == 0
    lose(place)
    said = shell("close", symbol, "--paper", "--yes")
    assert said.code == 1
    assert "a short of 0: no hedge that could be closed" in said.err
    assert not (place / LOG).exists()


def test_the_command_that_ends_the_halt_means_the_bot_that_was_closed(shell: Shell, symbol: str) -> None:
    said = shell("close", symbol, "--paper", "--yes")
    assert said.out.endswith("Openings are halted until: hedgerow resume --paper\n"), said


def test_what_is_said_after_all_were_closed_is_sentences(shell: Shell, place: Path) -> None:
    write_config(place / CONFIG, {**EAGER, "position_management": {"max_positions": 2}})
    assert shell("run", "--paper", "--once").code == 0
    assert shell("close", "--paper", "--yes").err.startswith("Several positions are held: ")
    said = shell("close", "--all", "--paper", "--yes")
    assert said.out.endswith("Openings are halted until: hedgerow resume --paper. No bot is running.\n"), said


def test_nobody_to_ask_is_no_consent(shell: Shell, place: Path, symbol: str) -> None:
    lose(place)
    said = shell("close", symbol, "--paper")
    assert said.code == 2
    assert "--yes" in said.err


@pytest.fixture
def aster(monkeypatch: pytest.MonkeyPatch, place: Path) -> Iterator[LocalAster]:
    write_config(place / CONFIG, EAGER)
    with local_aster() as exchange:
        for name, value in exchange.variables.items():
            monkeypatch.setenv(name, value)
        yield exchange


def test_over_the_wire_a_hedge_made_elsewhere_is_closed_and_the_owners_coins_stay(
    aster: LocalAster, shell: Shell
) -> None:
    world = aster.world
    pair = world.market(1).pairs[0]
    price = world.account().perp.balance / 4
    quote = world.market(1).quote(Market.SPOT, pair.symbol)
    assert quote is not None
    assert quote.ask is not None
    lot = pair.perp.floor_quantity(price / quote.ask)
    world.trade_by_hand(Market.PERP, pair.symbol, Side.SELL, lot)
    world.trade_by_hand(Market.SPOT, pair.symbol, Side.BUY, pair.spot.floor_quantity(lot * Decimal("1.5")))
    before = world.account().coin(pair.base).total
    said = shell("close", pair.symbol, "--yes")
    assert said.code == 0, said
    assert "coins beyond the short stay yours" in said.out
    account = world.account()
    assert account.short(pair.symbol) == 0
    assert account.coin(pair.base).total >= before - lot - pair.spot.lot
    assert account.coin(pair.base).total <= before - lot + pair.spot.lot
    books = shell("books")
    assert books.code == 0, books
    assert "The books agree with the exchange: difference 0." in books.out
