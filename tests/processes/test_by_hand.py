"""What the owner does through the API while the bot is off, or beside it: adopted, let go, replaced or confirmed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from _exchange import PATIENCE, Bot, Exchange, configure, events_of, exchange, ledger_of, variables, wrongs
from hedgerow.clock import SystemClock
from hedgerow.domain.events import HedgeAdopted
from hedgerow.domain.position import Reason
from support.manual_trader import ManualTrader

PATIENT = {
    "fee_coverage_multiplier": 1000,
    "max_position_age_hours": 1000,
    "better_opportunity_apr_points": 10000,
    "loop_interval_seconds": 300,
}
"""Nothing is closed for profit."""
NEVER = {"min_funding_apr": 10_000, "min_volume_usd": 0, "exit_funding_apr": -10_000, "funding_ma_periods": 1}
"""Nothing is opened, and nothing closed for its funding."""
CLOSED = (
    "Position {0} tracked in state but not found on exchange",
    "Position was likely closed externally. Clearing state.",
)
FOUND = ("Exchange has delta-neutral position but not tracked in state",)
REPLACED = ("Tracked position {0} not found on exchange", "Exchange has: {1}", "Adopting the exchange position...")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Exchange]:
    with exchange(tmp_path) as served:
        yield served


def one_check(place: Exchange) -> str:
    """Let a bot start, check once and end; returns what it said. Minutes later than before: requests are limited."""
    place.advance_time(0.05)
    said = place.folder / "said.txt"
    said.unlink(missing_ok=True)
    bot = Bot(place.folder, variables(place.port, place.port + 1), "--once")
    assert bot.process.wait(PATIENCE) in {0, 3}, said.read_text()
    return said.read_text()


def check_sound(place: Exchange) -> None:
    assert wrongs(events_of(place.folder), place.exchange_account(), by_hand=True) == []


def assert_in_order(lines: tuple[str, ...], said: str) -> None:
    assert "Traceback" not in said
    at = 0
    for line in lines:
        at = said.find(line, at)
        assert at >= 0, f"{line!r} is not there, or not in its place:\n{said}"


def test_the_four_cases_of_the_guide_over_the_wire(place: Exchange) -> None:
    hands, folder = ManualTrader(place), place.folder
    configure(folder, position_management=PATIENT)
    one_check(place)
    first = ledger_of(folder).largest
    assert first is not None
    configure(folder, position_management=PATIENT, funding_rate_strategy=NEVER)
    assert_in_order((f"Position {first.symbol} confirmed on exchange",), one_check(place))
    check_sound(place)
    # The last one listed is a small coin: 40 lots of it cost less than the account has.
    other = next(symbol for symbol in reversed(hands.listed()) if symbol != first.symbol)
    hands.close(first.symbol)
    hands.open(other, 40)
    assert_in_order(tuple(line.format(first.symbol, other) for line in REPLACED), one_check(place))
    check_sound(place)
    second = ledger_of(folder).largest
    assert second is not None
    assert (second.symbol, second.adopted) == (other, True)
    hands.close(other)
    assert_in_order(tuple(line.format(other) for line in CLOSED), one_check(place))
    check_sound(place)
    after = ledger_of(folder)
    assert after.foremost is None
    assert [closed.reason for closed in after.closed] == [Reason.REPLACED, Reason.CLOSED_EXTERNALLY]
    hands.open(first.symbol, 40)
    assert_in_order(FOUND, one_check(place))
    check_sound(place)
    third = ledger_of(folder).largest
    assert third is not None
    assert (third.symbol, third.short, third.adopted) == (first.symbol, third.pair.lot_step * 40, True)


def test_a_position_opened_beside_a_running_bot_is_adopted(place: Exchange) -> None:
    hands, folder, clock = ManualTrader(place), place.folder, SystemClock()
    configure(folder, position_management=PATIENT, funding_rate_strategy=NEVER)
    bot = Bot(folder, variables(place.port, place.port + 1))
    try:
        symbol = hands.listed()[0]
        hands.open(symbol, 2)
        deadline = clock.monotonic() + PATIENCE
        while not any(isinstance(event, HedgeAdopted) for event in events_of(folder)):
            assert bot.alive
            assert clock.monotonic() < deadline, "it was never adopted"
            bot.rest()
        assert bot.stop() in {0, 3}
    finally:
        bot.kill()
    hedge = ledger_of(folder).largest
    assert hedge is not None
    assert (hedge.symbol, hedge.adopted) == (symbol, True)
    check_sound(place)
