"""The rate board at the size of the venue, against the documented paging: first ``limit`` rows from ``startTime``."""

import asyncio
from bisect import bisect_left
from collections.abc import Mapping
from datetime import datetime, timedelta
from statistics import median
from typing import Any

import pytest

from hedgerow.aster.market.funding_history import FundingHistory
from hedgerow.domain.funding import RateBoard
from support.scripted_aster import NOW, ScriptedAster, make_client, millis

pytestmark = pytest.mark.slow

ROUTE = "GET /fapi/v3/fundingRate"
HOUR = timedelta(hours=1)
SIZES = {
    448: {1: 45, 2: 10, 4: 300, 8: 93},
    500: {1: 25, 2: 6, 4: 340, 8: 129},
    602: {1: 30, 2: 8, 4: 400, 8: 164},
    752: {1: 40, 2: 10, 4: 500, 8: 202},
    1000: {1: 60, 2: 20, 4: 660, 8: 260},
    1400: {1: 80, 2: 30, 4: 900, 8: 390},
}
"""How many perpetuals settle every so many hours."""


class SettledRates:
    """The venue's record of settled rates, as its endpoint shows it."""

    def __init__(self, hours: Mapping[str, int], *, dead: frozenset[str] = frozenset(), days: int = 4) -> None:
        self.now = NOW
        self.calls = 0
        self.wrong: dict[tuple[datetime, str], list[str]] = {}
        """Rates that the next replies show for a row; the last one stays."""
        self.late: dict[str, timedelta] = {}
        """How much later than its stamp each row of a symbol is listed."""
        first, last = NOW - timedelta(days=6), NOW + timedelta(days=days)
        count = int((last - first) / HOUR)
        self.rows = [
            (first + n * HOUR, symbol)
            for n in range(count)
            for symbol, interval in hours.items()
            if (first + n * HOUR).hour % interval == 0 and not (symbol in dead and first + n * HOUR > NOW)
        ]

    def __call__(self, parameters: dict[str, str]) -> list[dict[str, Any]]:
        self.calls += 1
        limit, symbol = int(parameters["limit"]), parameters.get("symbol")
        if "startTime" not in parameters:
            known = [row for row in self.rows if row[1] == symbol and self._listed(row)]
            return [self._row(row) for row in known[-limit:]]
        start = NOW + timedelta(milliseconds=int(parameters["startTime"]) - millis(NOW))
        found: list[dict[str, Any]] = []
        for row in self.rows[bisect_left(self.rows, start, key=lambda row: row[0]) :]:
            if row[0] > self.now or len(found) == limit:
                break
            if symbol in {None, row[1]} and self._listed(row):
                found.append(self._row(row))
        return found

    def _listed(self, row: tuple[datetime, str]) -> bool:
        return row[0] + self.late.get(row[1], timedelta(0)) <= self.now

    def _row(self, row: tuple[datetime, str]) -> dict[str, Any]:
        rates = self.wrong.get(row, ["0.0001"])
        rate = rates.pop(0) if len(rates) > 1 else rates[0]
        return {"symbol": row[1], "fundingTime": millis(row[0]), "fundingRate": rate}


class RecordedBoard:
    """A board read again and again, and when each print was first on it."""

    def __init__(self, venue: SettledRates, hours: Mapping[str, int], pairs: list[str]) -> None:
        aster = ScriptedAster()
        aster.on(ROUTE, venue)
        self.venue = venue
        self.hours = {symbol: hours[symbol] for symbol in pairs}
        self.history = FundingHistory(make_client(aster))
        self.seen: dict[tuple[str, datetime], datetime] = {}
        self.board = RateBoard(settled={})

    async def check(self, at: datetime) -> None:
        self.venue.now = at
        board = await self.history.board(dict(self.hours), 10, at)
        if board is not self.board:
            self.board = board
            for symbol, rates in board.settled.items():
                for rate in rates[-12:]:
                    self.seen.setdefault((symbol, rate.at), at)

    def run(self, *times: datetime) -> None:
        async def main() -> None:
            for at in times:
                await self.check(at)

        asyncio.run(main())

    def delays(self, after: datetime) -> list[float]:
        """Return the minutes from each print after ``after`` until the board had it."""
        due = [row for row in self.venue.rows if row[1] in self.hours and after < row[0] <= self.venue.now]
        return sorted((self.seen.get((s, at), self.venue.now + 99 * HOUR) - at).total_seconds() / 60 for at, s in due)


def universe(size: int) -> dict[str, int]:
    return {f"S{hours}N{number}USDT": hours for hours, count in SIZES[size].items() for number in range(count)}


def every(minutes: int, *, hours: float, after: datetime = NOW) -> list[datetime]:
    return [after + timedelta(minutes=n) for n in range(0, int(hours * 60) + 1, minutes)]


@pytest.mark.parametrize("dead", [0, 5], ids=["none dead", "five dead"])
@pytest.mark.parametrize("size", [448, 602, 1000])
def test_a_venue_of_hundreds_of_perpetuals_does_not_leave_the_board_one_settlement_old(size: int, dead: int) -> None:
    hours = universe(size)
    pairs = list(hours)[::5]
    venue = SettledRates(hours, dead=frozenset(pairs[3 :: len(pairs) // 5][:dead]))
    watched = RecordedBoard(venue, hours, pairs)
    watched.run(*every(1, hours=17))
    delays = watched.delays(NOW)
    assert median(delays) == 0
    assert delays[int(0.9 * len(delays))] <= 6
    assert delays[-1] <= 6
    calls = venue.calls - len(pairs)
    assert calls / (17 * 60) <= 0.2
    assert set(watched.board.overdue) == {p for p in pairs if p not in {s for at, s in venue.rows if at > NOW}}


def test_more_rows_of_one_stamp_than_a_page_holds_are_asked_for_one_by_one() -> None:
    hours = universe(1400)
    venue = SettledRates(hours)
    watched = RecordedBoard(venue, hours, list(hours)[::5])
    watched.run(*every(1, hours=13))
    assert watched.delays(NOW)[-1] <= 1


@pytest.mark.parametrize("pause", [9, 40, 90])
def test_hours_without_a_check_leave_no_print_out(pause: int) -> None:
    hours = universe(752)
    venue = SettledRates(hours)
    watched = RecordedBoard(venue, hours, list(hours)[::5])
    watched.run(*every(1, hours=2))
    back = NOW + (2 + pause) * HOUR
    before = venue.calls
    watched.run(*every(1, hours=0.1, after=back))
    settled = [row for row in venue.rows if row[1] in watched.hours and back - 9 * HOUR < row[0] <= back]
    assert all((symbol, at) in watched.seen for at, symbol in settled)
    assert watched.board.overdue == {}
    assert venue.calls - before <= max(10, len(watched.hours))


@pytest.mark.parametrize("late", [timedelta(minutes=4), timedelta(minutes=40), timedelta(hours=3)])
def test_a_rate_listed_late_is_taken_over_and_until_then_the_pair_is_overdue(late: timedelta) -> None:
    hours = universe(448)
    pairs = list(hours)[::5]
    slow = next(symbol for symbol in pairs if hours[symbol] == 4)
    venue = SettledRates(hours)
    venue.late = {slow: late}
    watched = RecordedBoard(venue, hours, pairs)
    settled = NOW + 4 * HOUR
    watched.run(*every(1, hours=4), settled + timedelta(minutes=2))
    assert watched.board.overdue == {}, "rows may lag by minutes"
    watched.run(settled + timedelta(minutes=6))
    assert (slow in watched.board.overdue) == (late > timedelta(minutes=6))
    watched.run(*every(1, hours=4, after=settled + timedelta(minutes=6)))
    known = watched.seen[slow, settled]
    assert known - settled <= 2 * late + timedelta(minutes=1)


def test_a_rate_listed_after_the_next_one_is_put_in_its_place() -> None:
    hours = {"AAAUSDT": 1, "BBBUSDT": 1}
    venue = SettledRates(hours)
    watched = RecordedBoard(venue, hours, list(hours))
    watched.run(*every(1, hours=0.5))
    hidden = [row for row in venue.rows if row == (NOW + HOUR, "AAAUSDT")]
    position = venue.rows.index(hidden[0])
    venue.rows[position] = (NOW + HOUR, "CCCUSDT")
    watched.run(NOW + 2 * HOUR, NOW + 2 * HOUR + timedelta(seconds=31))
    assert [rate.at for rate in watched.board.newest("AAAUSDT", 2)] == [NOW, NOW + 2 * HOUR]
    venue.rows[position] = (NOW + HOUR, "AAAUSDT")
    watched.run(NOW + 3 * HOUR)
    newest = watched.board.newest("AAAUSDT", 3)
    assert [rate.at for rate in newest] == [NOW + n * HOUR for n in (1, 2, 3)]
    assert {rate.interval_hours for rate in newest} == {1}


def test_a_pair_that_stopped_settling_long_ago_does_not_make_each_reading_reach_back_to_its_last_rate() -> None:
    hours = universe(752)
    pairs = list(hours)[::5]
    venue = SettledRates(hours, dead=frozenset(pairs[:3]), days=12)
    watched = RecordedBoard(venue, hours, pairs)
    watched.run(*every(5, hours=10 * 24))
    before = venue.calls
    watched.run(*every(5, hours=24, after=NOW + 10 * 24 * HOUR))
    assert venue.calls - before <= 0.2 * 24 * 60 / 2


def test_an_interval_that_became_shorter_is_followed_at_once() -> None:
    hours = {"AAAUSDT": 8}
    venue = SettledRates({"AAAUSDT": 1})
    venue.rows = [row for row in venue.rows if row[0] > NOW or row[0].hour % 8 == 0]
    watched = RecordedBoard(venue, hours, list(hours))
    watched.run(*every(5, hours=1))
    watched.hours = {"AAAUSDT": 1}
    watched.run(*every(5, hours=2, after=NOW + HOUR))
    assert watched.board.newest("AAAUSDT", 1)[0].at == NOW + 3 * HOUR


def test_a_rate_of_before_a_change_of_the_interval_keeps_its_own_though_it_is_the_oldest_one_asked_for() -> None:
    venue = SettledRates({})
    changed = NOW.replace(hour=0)
    venue.rows = [(changed + timedelta(hours=hours), "AUSDT") for hours in (-16, -8, 0, 4)]
    venue.now = changed + timedelta(hours=5)
    aster = ScriptedAster()
    aster.on(ROUTE, venue)
    board = asyncio.run(FundingHistory(make_client(aster)).board({"AUSDT": 4}, 2, venue.now))
    assert [rate.interval_hours for rate in board.settled["AUSDT"][-2:]] == [8, 4]


@pytest.mark.parametrize("rate", ["-5", "5", "0.11", "NaN", "1E+3"])
def test_a_rate_beyond_every_cap_is_no_rate_and_hides_no_row_behind_it(rate: str) -> None:
    hours = universe(1400)
    venue = SettledRates(hours)
    watched = RecordedBoard(venue, hours, list(hours)[::5])
    watched.run(*every(1, hours=0.5))
    bad = next(symbol for symbol in watched.hours if hours[symbol] == 1)
    venue.wrong[NOW + HOUR, bad] = [rate]
    watched.run(*every(1, hours=0.2, after=NOW + HOUR))
    assert watched.board.newest(bad, 1)[0].at == NOW
    assert watched.board.overdue == {bad: NOW + HOUR}
    others = [symbol for symbol in watched.hours if hours[symbol] == 1 and symbol != bad]
    assert {watched.board.newest(symbol, 1)[0].at for symbol in others} == {NOW + HOUR}
    assert all(abs(rate.rate) < 1 for rates in watched.board.settled.values() for rate in rates)


@pytest.mark.parametrize("wrong", ["-0.05", "0.05"])
def test_a_striking_rate_of_one_reply_alone_does_not_count(wrong: str) -> None:
    hours = {"AAAUSDT": 1, "BBBUSDT": 1}
    venue = SettledRates(hours)
    watched = RecordedBoard(venue, hours, list(hours))
    watched.run(*every(1, hours=0.5))
    venue.wrong[NOW + HOUR, "AAAUSDT"] = [wrong, "0.0001"]
    watched.run(*every(1, hours=0.2, after=NOW + HOUR))
    newest = watched.board.newest("AAAUSDT", 1)[0]
    assert (newest.at, str(newest.rate)) == (NOW + HOUR, "0.0001")


@pytest.mark.parametrize("known", [0, 2])
def test_a_striking_rate_that_two_replies_show_counts_and_is_asked_for_once(known: int) -> None:
    hours = {"AAAUSDT": 1, "BBBUSDT": 1}
    venue = SettledRates(hours)
    venue.wrong[NOW + HOUR, "AAAUSDT"] = ["0.02"]
    watched = RecordedBoard(venue, hours, list(hours))
    watched.run(*every(1, hours=0.5, after=NOW + known * HOUR))
    watched.run(*every(1, hours=0.2, after=NOW + (known + 1) * HOUR))
    rates = {rate.at: str(rate.rate) for rate in watched.board.settled["AAAUSDT"]}
    assert rates[NOW + HOUR] == "0.02"
    calls = venue.calls
    watched.run(NOW + 4 * HOUR)
    assert venue.calls == calls + 1
