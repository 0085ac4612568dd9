"""One account, several bots: only one trades it. And one bot that comes back after forty days."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from _exchange import (
    PATIENCE,
    USER,
    Bot,
    Exchange,
    configure,
    events_of,
    exchange,
    ledger_of,
    variables,
    wrongs,
)
from hedgerow.domain.events import FundingReceived, HedgeOpened
from hedgerow.domain.money import ZERO
from support.manual_trader import ManualTrader

AWAY_DAYS = 40
PATIENT = {
    "fee_coverage_multiplier": 1000,
    "max_position_age_hours": 10000,
    "better_opportunity_apr_points": 10000,
    "loop_interval_seconds": 300,
}
"""Nothing is closed for profit."""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Exchange]:
    with exchange(tmp_path) as served:
        configure(tmp_path, position_management=PATIENT)
        yield served


def one_check(place: Exchange) -> None:
    bot = Bot(place.folder, variables(place.port, place.port + 1), "--once")
    assert bot.process.wait(PATIENCE) in {0, 3}, (place.folder / "said.txt").read_text()


def test_two_homes_with_one_account_trade_it_once(place: Exchange) -> None:
    other = place.folder / "other"
    other.mkdir()
    configure(other, position_management=PATIENT)
    locks = {"XDG_STATE_HOME": str(place.folder / "locks")}
    given = {**variables(place.port, place.port + 1), **locks}
    first = Bot(place.folder, given)
    try:
        while not (place.folder / "said.txt").read_text().count("CYCLE #1 "):
            assert first.alive
            first.rest()
        # An address is the same account however its letters are written.
        second = Bot(other, {**given, "API_USER": USER.upper().replace("0X", "0x")})
        assert second.process.wait(PATIENCE) == 2
        (said,) = (other / "said.txt").read_text().splitlines()
        assert f"process {first.process.pid} already trades this account" in said
        assert first.alive
        first.kill()
        third = Bot(other, given, "--once")
        assert third.process.wait(PATIENCE) in {0, 3}, "whoever is killed holds nothing"
    finally:
        first.kill()


def test_forty_days_away_and_every_payment_is_booked_two_at_one_instant_too(place: Exchange) -> None:
    hands, folder = ManualTrader(place), place.folder
    one_check(place)
    held = ledger_of(folder).largest
    assert held is not None
    # The last one listed is a small coin: 40 lots of it cost less than the account has.
    other = next(symbol for symbol in reversed(hands.listed()) if symbol != held.symbol)
    hands.open(other, 40)
    place.advance_time(24 * AWAY_DAYS)
    paid = place.exchange_account().world.journal.payments
    stamps = [{payment.at for payment in paid if payment.symbol == symbol} for symbol in (held.symbol, other)]
    assert all(len(stamp) >= 3 * AWAY_DAYS for stamp in stamps)
    assert len(stamps[0] & stamps[1]) >= 3 * AWAY_DAYS - 1, "both are paid at the same instants"
    one_check(place)
    place.advance_time(0.1)
    one_check(place)
    events, exchange_account = events_of(folder), place.exchange_account()
    assert wrongs(events, exchange_account, by_hand=True) == []
    opened = next(event.at for event in events if isinstance(event, HedgeOpened))
    booked = [event.payment for event in events if isinstance(event, FundingReceived)]
    due = [payment for payment in exchange_account.world.journal.payments if payment.at > opened]
    assert {payment.tran_id for payment in booked} == {payment.tran_id for payment in due}
    for symbol in (held.symbol, other):
        mine = [[row.amount for row in rows if row.symbol == symbol] for rows in (booked, due)]
        assert sum(mine[0], ZERO) == sum(mine[1], ZERO)
