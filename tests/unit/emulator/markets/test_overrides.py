"""A tape whose funding is changed while it plays: the windows asked for always fit together."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.domain.instrument import Market, Side
from hedgerow.emulator.markets.generated import GeneratedMarketData
from hedgerow.emulator.markets.overrides import AmendedMarketData
from support.drawing import examples
from support.worlds import HISTORY, START, SYMBOL, ScriptedMarketData

HOUR = timedelta(hours=1)
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 100),
        st.none() | st.integers(-200, 200),
        st.none() | st.sampled_from([1, 2, 4, 8]),
    ),
    max_size=4,
).map(lambda rows: sorted(rows, key=lambda row: row[0]))


def amended(changes: list[tuple[int, int | None, int | None]]) -> AmendedMarketData:
    market_data = AmendedMarketData(ScriptedMarketData())
    for minutes, rate, hours in changes:
        at = START + minutes * 15 * timedelta(minutes=1)
        market_data.change_funding(
            SYMBOL, at, rate=None if rate is None else Decimal(rate) / 10_000, interval_hours=hours
        )
    return market_data


@settings(max_examples=examples(150), deadline=None, derandomize=True)
@given(changes=CHANGES, first=st.integers(-50, 120), more=st.integers(0, 120), count=st.integers(1, 20))
def test_windows_join_and_the_newest_are_the_last_of_them(
    changes: list[tuple[int, int | None, int | None]], first: int, more: int, count: int
) -> None:
    market_data = amended(changes)
    middle, end = START + first * HOUR / 4, START + (first + more) * HOUR / 4
    begin = START - HISTORY / 2
    whole = market_data.settled(SYMBOL, begin, end)
    assert market_data.settled(SYMBOL, begin, middle) + market_data.settled(SYMBOL, middle, end) == whole
    assert market_data.newest_settled(SYMBOL, end, count) == whole[-count:]
    assert [rate.at for rate in whole] == sorted({rate.at for rate in whole})
    predicted = market_data.predicted(SYMBOL, end)
    assert predicted is not None
    assert predicted.at > end
    assert not predicted.settled


def test_without_changes_it_is_its_tape() -> None:
    market_data, plain = AmendedMarketData(ScriptedMarketData()), ScriptedMarketData()
    assert market_data.settled(SYMBOL, START, START + 24 * HOUR) == plain.settled(SYMBOL, START, START + 24 * HOUR)
    assert market_data.predicted(SYMBOL, START) == plain.predicted(SYMBOL, START)
    assert (market_data.start, market_data.end, market_data.step, list(market_data.pairs)) == (
        plain.start,
        plain.end,
        plain.step,
        list(plain.pairs),
    )
    assert (market_data.sources, market_data.volume(SYMBOL, START)) == (plain.sources, plain.volume(SYMBOL, START))
    assert market_data.missing_side(Market.SPOT, SYMBOL, START) is None


def test_what_is_not_given_stays_as_it_was() -> None:
    market_data = AmendedMarketData(ScriptedMarketData())
    first = market_data.change_funding(SYMBOL, START, rate=Decimal("0.001"))
    assert (first.rate, first.interval_hours) == (Decimal("0.001"), 8)
    second = market_data.change_funding(SYMBOL, START + HOUR, interval_hours=1)
    assert (second.rate, second.interval_hours) == (Decimal("0.001"), 1)
    assert market_data.changes == (first, second)
    again = AmendedMarketData(ScriptedMarketData(), changes=market_data.changes)
    assert again.settled(SYMBOL, START, START + 9 * HOUR) == market_data.settled(SYMBOL, START, START + 9 * HOUR)


@pytest.mark.parametrize(("rate", "hours"), [("0.031", 8), ("-0.5", 8), ("NaN", 8), ("0", 3), ("0", 0)])
def test_what_no_venue_does_is_refused(rate: str, hours: int) -> None:
    with pytest.raises(ValueError, match=r"between|one of"):
        AmendedMarketData(ScriptedMarketData()).change_funding(SYMBOL, START, rate=Decimal(rate), interval_hours=hours)


def test_a_market_that_stands_still_stands_still_on_both_sides_of_the_book() -> None:
    market_data = GeneratedMarketData(seed=1, start=START, pairs=15)
    still = AmendedMarketData(market_data, still_at=START + HOUR)
    for symbol in (pair.symbol for pair in market_data.pairs):
        assert still.prices(symbol, START) == market_data.prices(symbol, START)
        assert still.prices(symbol, START + 90 * HOUR) == market_data.prices(symbol, START + HOUR)
        sides = {still.missing_side(Market.SPOT, symbol, START + hour * HOUR) for hour in range(1, 30)}
        assert len(sides) == 1
        assert sides <= {None, Side.BUY}
