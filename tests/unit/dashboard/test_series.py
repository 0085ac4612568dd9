"""What is made of a bot's past: marks of a day, and what its money could have made instead, as in the backtest."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import numpy as np
import pytest
from msgspec.structs import replace

from hedgerow.backtest.bound import Opportunities, bound_of
from hedgerow.dashboard.bot_state import BotState
from hedgerow.dashboard.series import best_path, day_marks, mark_kind, series_of, worth_of
from hedgerow.domain.records.time_series import MarkKind, PairCost, PairRate, SeriesBatch, SeriesPoint
from hedgerow.store.timeseries import SqliteTimeSeries

NOW = datetime(2026, 1, 10, 12, 7, tzinfo=UTC)
START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR_MS = 3_600_000


def point(at: datetime, kind: MarkKind = MarkKind.HEDGED, covered: float = 300.0, net: int | None = 0) -> SeriesPoint:
    return SeriesPoint(
        at=at,
        kind=kind,
        covered_seconds=covered,
        equity=Decimal(1000),
        net=None if net is None else Decimal(net),
        funding=Decimal(0),
        fees=Decimal(0),
        basis=None if net is None else Decimal(net),
        notional=Decimal(400),
        symbols="AAAUSDT,CCCUSDT",
    )


def rates(symbol: str, *found: float, hours: int = 8, start: datetime = START) -> list[PairRate]:
    return [
        PairRate(symbol=symbol, at=start + timedelta(hours=hours * (number + 1)), rate=rate, interval_hours=hours)
        for number, rate in enumerate(found)
    ]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteTimeSeries]:
    with closing(SqliteTimeSeries(tmp_path / "series.db")) as opened:
        yield opened


def test_a_day_has_96_marks_and_what_was_not_watched_is_not_seen() -> None:
    marks = day_marks([point(NOW - timedelta(minutes=30)), point(NOW - timedelta(hours=30))], NOW)
    assert len(marks) == 96
    assert marks[-1].at == datetime(2026, 1, 10, 12, 0, tzinfo=UTC)
    assert marks[0].at == datetime(2026, 1, 9, 12, 15, tzinfo=UTC)
    seen = {mark.at: mark.kind for mark in marks if mark.kind is not MarkKind.NOT_SEEN}
    assert seen == {datetime(2026, 1, 10, 11, 30, tzinfo=UTC): MarkKind.HEDGED}


def test_a_mark_is_the_worst_that_was_seen_in_its_time() -> None:
    at = datetime(2026, 1, 10, 11, 40, tzinfo=UTC)
    kinds = [MarkKind.HEDGED, MarkKind.NAKED, MarkKind.FLAT]
    marks = day_marks([point(at + timedelta(seconds=n), kind) for n, kind in enumerate(kinds)], NOW)
    assert {mark.kind for mark in marks} == {MarkKind.NAKED, MarkKind.NOT_SEEN}


def test_a_check_an_hour_stands_for_the_hour_before_it() -> None:
    marks = day_marks([point(datetime(2026, 1, 10, 11, 59, tzinfo=UTC), covered=3600.0)], NOW)
    assert [mark.kind for mark in marks[-7:]] == [MarkKind.NOT_SEEN, *[MarkKind.HEDGED] * 5, MarkKind.NOT_SEEN]


def test_every_state_of_a_bot_that_watches_has_a_mark() -> None:
    unseen = {state for state in BotState if mark_kind(state) is MarkKind.NOT_SEEN}
    assert unseen == {BotState.STARTING, BotState.STOPPED, BotState.DOWN}


def test_hindsight_rotates_where_it_pays_and_stays_out_where_nothing_does() -> None:
    costs = {"A": 0.002, "B": 0.002}
    assert best_path({"A": rates("A", 0.001, 0.0005)}, {"A": 0.002}) == pytest.approx(0.0)
    assert best_path({"A": rates("A", 0.01, 0.01)}, {"A": 0.002}) == pytest.approx(0.018)
    both = {"A": rates("A", 0.01, -0.01), "B": rates("B", -0.01, 0.01)}
    assert best_path(both, costs) == pytest.approx(0.016)
    assert best_path({}, {}) == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_hindsight_is_that_of_the_backtest(seed: int) -> None:
    drawn = Random(seed)
    symbols, stamps = ["A", "B", "C"], 25
    reward = [[drawn.gauss(0.0003, 0.002) for _ in symbols] for _ in range(stamps)]
    costs = [drawn.uniform(0.0005, 0.004) for _ in symbols]
    able = np.ones((stamps, len(symbols)), dtype=np.bool_)
    at = np.array([(number + 1) * 8 * HOUR_MS for number in range(stamps)], dtype=np.int64)
    chances = Opportunities(
        stamp_ms=at,
        reward=np.array(reward),
        may_open=able,
        may_close=able,
        first_ms=np.repeat(at[:, None] - HOUR_MS, len(symbols), axis=1),
        last_ms=np.repeat(at[:, None] - HOUR_MS, len(symbols), axis=1),
        open_cost=np.array(costs) / 2,
        close_cost=np.array(costs) / 2,
        start_ms=0,
        end_ms=int(at[-1]),
    )
    by_symbol = {symbol: rates(symbol, *(row[number] for row in reward)) for number, symbol in enumerate(symbols)}
    found = best_path(by_symbol, dict(zip(symbols, costs, strict=True)))
    assert found == pytest.approx(float(bound_of(chances).value))


def test_what_else_the_money_could_have_made_is_known_once_a_hedge_was_seen(store: SqliteTimeSeries) -> None:
    assert worth_of(store, NOW, 0.05) is None
    until = START + timedelta(hours=81)
    store.add(
        SeriesBatch(
            points=(
                replace(point(START - timedelta(minutes=5), net=0), notional=Decimal(0)),
                point(START, net=-1),
                point(until, net=4),
            ),
            rates=(*rates("AAAUSDT", *[0.001] * 10), *rates("BTCUSDT", *[0.0002] * 10)),
            costs=(
                PairCost(symbol="AAAUSDT", fraction=Decimal("0.004")),
                PairCost(symbol="BTCUSDT", fraction=Decimal("0.001")),
            ),
        )
    )
    worth = worth_of(store, until, 0.05)
    assert worth is not None
    # Since before the opening, less closing 400 of two pairs, of which the cost of one is known.
    assert (worth.bot, worth.same_pair, worth.capital) == (Decimal("3.6"), "AAAUSDT", Decimal(1000))
    assert worth.same_pair_held == Decimal("2.4")
    assert worth.btc_held == Decimal("0.4")
    assert float(worth.cash) == pytest.approx(1000 * 0.05 * 81 / 8760)
    assert worth.hindsight == worth.same_pair_held
    series = series_of(store, until, held=["AAAUSDT"])
    assert len(series.rates["AAAUSDT"]) == 10
    assert sum(series.shares.values()) == pytest.approx(1.0)


def test_a_pair_of_which_rates_are_missing_is_not_compared(store: SqliteTimeSeries) -> None:
    until = START + timedelta(hours=81)
    store.add(
        SeriesBatch(
            points=(point(START), point(until, net=None)),
            rates=(*rates("AAAUSDT", *[0.001] * 4), *rates("BTCUSDT", *[0.0002] * 10)),
            costs=(PairCost(symbol="AAAUSDT", fraction=Decimal("0.004")),),
        )
    )
    worth = worth_of(store, until, 0.0)
    assert worth is not None
    assert (worth.same_pair_held, worth.btc_held) == (None, None)
    assert worth.bot is None
