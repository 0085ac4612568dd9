"""Commands that open the home briefly: what they find wrong is said, and half a position is never confirmed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hedgerow.domain.instrument import Market, Side
from support.command_runner import EAGER, Shell, write_config
from support.local_aster import LocalAster, local_aster

CONFIG = "config_volume_farming_strategy.json"


@pytest.fixture
def aster(monkeypatch: pytest.MonkeyPatch, place: Path) -> Iterator[LocalAster]:
    write_config(place / CONFIG, EAGER)
    with local_aster() as exchange:
        for name, value in exchange.variables.items():
            monkeypatch.setenv(name, value)
        yield exchange


def test_a_leg_that_was_sold_by_hand_is_said_by_every_command_that_finds_it(aster: LocalAster, shell: Shell) -> None:
    assert shell("run", "--once").code in {0, 3}
    held = shell("status", "--json", "-").document["position"]
    symbol, base = held["symbol"], held["symbol"].removesuffix("USDT")
    coins = aster.world.account().coin(base).total
    pair = aster.world.pair(symbol)
    assert pair is not None
    aster.world.trade_by_hand(Market.SPOT, symbol, Side.SELL, pair.spot.floor_quantity(coins))
    first = shell("halt", "--reason", "test")
    assert first.code == 0
    assert first.out == f"Openings are halted. No bot is running: nothing watches {symbol} until one is started.\n"
    assert f"Position {symbol} is only half on the exchange" in first.err
    assert "OPENINGS HALTED: asked by the user" not in first.err, "what was asked for is no finding"
    again = shell("reconcile")
    assert f"Position {symbol} is only half on the exchange" in again.out
    assert "confirmed on exchange" not in first.out + first.err + again.out + again.err


@pytest.mark.usefixtures("aster")
def test_a_whole_position_is_still_confirmed_in_the_guides_words(shell: Shell) -> None:
    assert shell("run", "--once").code in {0, 3}
    said = shell("reconcile")
    assert "confirmed on exchange" in said.out
    assert shell("halt").err == ""
