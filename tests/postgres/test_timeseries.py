"""The time series in the database answers every question as the file of a home does."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hedgerow.app.storage.database import connection_to
from hedgerow.config import Database
from hedgerow.domain.records.time_series import (
    DecisionCount,
    MarkKind,
    PairCost,
    PairRate,
    PaymentMade,
    SeriesBatch,
    SeriesPoint,
)
from hedgerow.ports import TimeSeriesStore
from hedgerow.store.postgres.log import PostgresStore
from hedgerow.store.postgres.timeseries import PostgresTimeSeries
from hedgerow.store.timeseries import SqliteTimeSeries
from support.drawing import examples
from support.postgres import PostgresServer, new_bot

AT = datetime(2026, 1, 5, tzinfo=UTC)
amounts = st.decimals(-1000, 1000, places=4)
times = st.integers(0, 60 * 24 * 60).map(lambda minutes: AT + timedelta(minutes=minutes))
symbols = st.sampled_from(["AAAUSDT", "BBBUSDT", "币USDT"])
points = st.builds(
    SeriesPoint,
    at=times,
    kind=st.sampled_from(MarkKind),
    covered_seconds=st.floats(0, 300),
    equity=st.none() | amounts,
    net=st.none() | amounts,
    funding=amounts,
    fees=amounts,
    basis=st.none() | amounts,
    notional=st.decimals(0, 1000, places=2),
    symbols=symbols,
)
decisions = st.builds(
    DecisionCount,
    at=times,
    until=times,
    action=st.sampled_from(["hold", "open"]),
    reason=st.sampled_from(["a", "b"]),
    symbol=symbols | st.just(""),
    count=st.integers(1, 3),
)
batches = st.builds(
    SeriesBatch,
    points=st.lists(points, max_size=4).map(tuple),
    decisions=st.lists(decisions, max_size=4).map(tuple),
    payments=st.lists(
        st.builds(PaymentMade, at=times, symbol=symbols, amount=amounts, tran_id=st.integers(1, 9)), max_size=3
    ).map(tuple),
    rates=st.lists(
        st.builds(PairRate, symbol=symbols, at=times, rate=st.floats(-1, 1), interval_hours=st.integers(1, 8)),
        max_size=4,
    ).map(tuple),
    costs=st.lists(st.builds(PairCost, symbol=symbols, fraction=st.decimals(0, 1, places=6)), max_size=2).map(tuple),
)


def asked(store: TimeSeriesStore, since: datetime, until: datetime) -> tuple[object, ...]:
    return (
        store.points(since),
        store.points(since, until),
        store.first_points(3),
        store.decisions(5),
        sorted(store.payments(20), key=lambda each: (each.at, each.tran_id)),
        store.rates(since),
        store.rates(since, ["AAAUSDT"]),
        store.costs(),
    )


def test_a_database_answers_as_a_file_does(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    @settings(max_examples=examples(25), suppress_health_check=list(HealthCheck))
    @given(st.lists(batches, min_size=1, max_size=4), times, times)
    def answers_alike(added: list[SeriesBatch], since: datetime, until: datetime) -> None:
        with_file = SqliteTimeSeries(tmp_path_factory.mktemp("series") / "series.db")
        with_database, log = opened(postgres_server)
        for batch in added:
            with_file.add(batch)
            with_database.add(batch)
        assert asked(with_database, since, until) == asked(with_file, since, until)
        for each in (with_file, with_database):
            each.close()
        log.release()

    answers_alike()


def opened(server: PostgresServer) -> tuple[PostgresTimeSeries, PostgresStore]:
    bot = new_bot()
    log = PostgresStore(server.url(), "the database", bot)
    connection = connection_to(Database(server.url()), writes=True)
    return PostgresTimeSeries(connection, bot.account, epoch=log.epoch), log


def test_a_bot_that_was_replaced_adds_nothing(postgres_server: PostgresServer) -> None:
    series, log = opened(postgres_server)
    postgres_server.execute(f"UPDATE hedgerow.bots SET epoch = epoch + 1 WHERE account = '{log._bot.account}'")
    series.add(SeriesBatch(costs=(PairCost(symbol="AAAUSDT", fraction=Decimal("0.1")),)))
    assert series.costs() == ()
    series.close()
    log.release()
