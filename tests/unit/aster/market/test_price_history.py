"""Long series page by page: short pages, rows that cannot be read, limits, and an exchange that is away for minutes."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from hedgerow.aster import KlineSeries
from hedgerow.aster.market.price_history import PriceHistory, Series
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.errors import NotSent, Rejected
from support.scripted_aster import HTML_500, NOW, SYMBOL, ScriptedAster, error, make_client, millis

HOUR = timedelta(hours=1)
KLINES, FUNDING = "GET /fapi/v3/klines", "GET /fapi/v3/fundingRate"
BEGIN = NOW - 3000 * HOUR


def kline(index: int, close: str = "") -> list[Any]:
    opened = millis(BEGIN + index * HOUR)
    price = close or str(100 + index)
    return [opened, price, price, price, price, "2", opened + 3_599_999, "250.5", 7, "1", "100", "0"]


def listed(hours: int, *, most: int = 1000, skip: frozenset[int] = frozenset()) -> Callable[[dict[str, str]], Any]:
    """Return klines as the exchange pages them: the first rows from ``startTime``, at most ``most`` of them."""

    def answer(parameters: dict[str, str]) -> list[list[Any]]:
        first, last = int(parameters["startTime"]), int(parameters["endTime"])
        rows = [kline(index) for index in range(hours) if index not in skip]
        return [row for row in rows if first <= row[0] <= last][: min(most, int(parameters["limit"]))]

    return answer


class HistoryHarness:
    def __init__(self) -> None:
        self.aster = ScriptedAster()
        self.clock = VirtualClock(NOW)
        self.shown: list[str] = []
        self.history = PriceHistory(make_client(self.aster, self.clock), self.clock, self.shown.append)

    def closes(self, hours: int, *, first: int = 0) -> Series:
        until = BEGIN + (first + hours) * HOUR
        reading = self.history.closes(KlineSeries.PERP, SYMBOL, BEGIN + first * HOUR, until)
        return run_virtual(self.clock, reading)

    def rates(self, until: int) -> Series:
        return run_virtual(self.clock, self.history.settlements(SYMBOL, BEGIN, BEGIN + until * HOUR))

    def hours(self, found: Series) -> list[int]:
        return [(each.open_ms - millis(BEGIN)) // 3_600_000 for each in found.closes]


@pytest.fixture
def harness() -> HistoryHarness:
    return HistoryHarness()


def test_pages_follow_each_other_and_the_last_one_is_not_asked_for_twice(harness: HistoryHarness) -> None:
    harness.aster.on(KLINES, listed(3000))
    assert harness.hours(harness.closes(2500)) == list(range(2500))
    sent = harness.aster.sent(KLINES)
    assert [(int(each["startTime"]) - millis(BEGIN)) // 3_600_000 for each in sent] == [0, 1000, 2000]
    assert {each["limit"] for each in sent} == {"1000"}


def test_a_short_page_in_the_middle_does_not_end_a_series(harness: HistoryHarness) -> None:
    harness.aster.on(KLINES, listed(3000, most=300, skip=frozenset(range(310, 420))))
    assert harness.hours(harness.closes(1000)) == [*range(310), *range(420, 1000)]


def test_a_series_that_ends_early_ends_with_an_empty_page(harness: HistoryHarness) -> None:
    harness.aster.on(KLINES, listed(700))
    assert harness.hours(harness.closes(1500)) == list(range(700))
    assert len(harness.aster.sent(KLINES)) == 2


def test_close_and_turnover_are_those_of_the_row(harness: HistoryHarness) -> None:
    harness.aster.on(KLINES, listed(3000))
    (found,) = harness.closes(1, first=5).closes
    assert (found.close, found.quote_volume) == (105.0, 250.5)


def test_an_hour_that_is_not_over_is_left_out(harness: HistoryHarness) -> None:
    running = kline(9)
    running[6] += 3_600_000
    harness.aster.on(KLINES, [kline(8), running], [])
    assert harness.hours(harness.closes(2, first=8)) == [8]


@pytest.mark.parametrize("close", ["NaN", "0", "-1", "1e99", "oops"])
def test_a_row_that_cannot_be_read_is_counted_and_hides_no_other(harness: HistoryHarness, close: str) -> None:
    rows = [kline(index, close if index in {1, 3} else "") for index in range(4)]
    harness.aster.on(KLINES, rows, [])
    found = harness.closes(10)
    assert harness.hours(found) == [0, 2]
    assert found.unreadable == 2


def test_eleven_columns_are_enough(harness: HistoryHarness) -> None:
    harness.aster.on(KLINES, [kline(0)[:11]], [])
    assert harness.hours(harness.closes(10)) == [0]


def test_a_busy_exchange_is_waited_for_as_long_as_it_says(harness: HistoryHarness) -> None:
    limited = error(-1003, "Too many requests.", status=429, retry_after="120")
    harness.aster.on(KLINES, limited, listed(3000))
    assert len(harness.closes(10).closes) == 10
    assert harness.clock.monotonic() >= 120
    assert harness.shown == ["the exchange asks to wait 120 s"]


def test_minutes_without_an_answer_are_survived_and_said_once(harness: HistoryHarness) -> None:
    harness.aster.on(KLINES, *[HTML_500] * 12, listed(3000))
    assert len(harness.closes(10).closes) == 10
    assert len(harness.shown) == 1
    assert harness.shown[0].endswith("; trying again")


def test_an_exchange_that_stays_away_ends_it(harness: HistoryHarness) -> None:
    harness.aster.on(KLINES, NotSent("no connection"))
    with pytest.raises(NotSent):
        harness.closes(10)
    assert 300 < harness.clock.monotonic() < 900


def test_a_refusal_is_not_repeated(harness: HistoryHarness) -> None:
    harness.aster.on(KLINES, error(-1121, "Invalid symbol."))
    with pytest.raises(Rejected, match="Invalid symbol"):
        harness.closes(10)
    assert len(harness.aster.sent(KLINES)) == 1


def test_a_long_download_fills_half_of_the_limit_and_no_more(harness: HistoryHarness) -> None:
    harness.aster.on(KLINES, listed(3000, most=10))
    harness.closes(3000)
    # 300 pages of weight 5 are 1,500; 600 of 1,200 a minute are allowed.
    assert 120 <= harness.clock.monotonic() < 190


def rate(at: int, value: str = "0.0001") -> dict[str, Any]:
    return {"symbol": SYMBOL, "fundingTime": millis(BEGIN + at * HOUR) + 3, "fundingRate": value}


def test_settlements_are_read_on_behind_a_full_page_of_one_symbol(harness: HistoryHarness) -> None:
    def answer(parameters: dict[str, str]) -> list[dict[str, Any]]:
        rows = [rate(at) for at in range(0, 2400, 2)]
        return [row for row in rows if row["fundingTime"] >= int(parameters["startTime"])][:1000]

    harness.aster.on(FUNDING, answer)
    found = harness.rates(2300)
    assert [each.at_ms for each in found.settlements] == [rate(at)["fundingTime"] for at in range(0, 2300, 2)]
    assert [each["symbol"] for each in harness.aster.sent(FUNDING)] == [SYMBOL, SYMBOL]


def test_a_rate_of_500_percent_is_left_out_and_counted(harness: HistoryHarness) -> None:
    harness.aster.on(FUNDING, [rate(0), rate(8, "5"), rate(16, "-0.0002")])
    found = harness.rates(24)
    assert [each.rate for each in found.settlements] == [0.0001, -0.0002]
    assert found.unreadable == 1
