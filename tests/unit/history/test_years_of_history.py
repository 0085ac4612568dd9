"""Market data over an archive of years: the made one, and the real one where it is at hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from hedgerow.history.archive import ArchiveMarketData


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_year_has_the_majors_with_asters_funding_and_binances_prices(history: Path) -> None:
    market_data = ArchiveMarketData.load(history, start=day("2024-07-01"), days=365)
    assert (market_data.start, market_data.end) == (day("2024-07-01"), day("2025-07-01"))
    for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
        assert market_data.sources[symbol] == "funding aster, prices binance"
        assert len(market_data.newest_settled(symbol, market_data.start, 60)) == 60
        assert market_data.gaps(symbol) == []
    assert market_data.sources["XRPUSDT"] == "funding binance, prices binance"


def test_a_pair_that_pays_every_four_hours_does(history: Path) -> None:
    market_data = ArchiveMarketData.load(history, start=day("2024-08-01"), days=30)
    rates = market_data.settled("ENAUSDT", market_data.start, market_data.end)
    assert {rate.interval_hours for rate in rates} == {4}
    assert len(rates) == 30 * 6
    predicted = market_data.predicted("ENAUSDT", market_data.start + timedelta(hours=5))
    assert predicted is not None
    assert predicted.at == market_data.start + timedelta(hours=8)


def test_the_hole_in_trx_is_unreadable(history: Path) -> None:
    market_data = ArchiveMarketData.load(history, start=day("2025-04-10"), days=40)
    (gap,) = market_data.gaps("TRXUSDT")
    assert gap.hours == 398
    assert market_data.prices("TRXUSDT", day("2025-04-20")) is None
    assert market_data.prices("TRXUSDT", day("2025-05-03")) is not None
    assert any(note.startswith("TRXUSDT: no readable price for 398 h") for note in market_data.notes)


def test_pairs_that_were_not_listed_yet_are_skipped(history: Path) -> None:
    market_data = ArchiveMarketData.load(history, start=day("2022-01-01"), days=30)
    assert {"SOLUSDT", "ENAUSDT"} <= set(market_data.skipped)
    assert "BTCUSDT" in market_data.sources


def test_captured_filters_apply_to_recent_prices_and_not_to_those_of_years_ago(history: Path) -> None:
    recent = {pair.symbol: pair for pair in ArchiveMarketData.load(history, start=day("2025-06-01"), days=2).pairs}
    assert (recent["BTCUSDT"].perp.tick, recent["BTCUSDT"].perp.lot) == (Decimal("0.1"), Decimal("0.001"))
    assert recent["BTCUSDT"].spot.lot == Decimal("0.00001")
    early = {pair.symbol: pair for pair in ArchiveMarketData.load(history, start=day("2020-03-01"), days=2).pairs}
    assert early["ADAUSDT"].perp.tick < Decimal("0.0001")


def test_the_prediction_an_hour_before_a_settlement_is_near_it(history: Path) -> None:
    market_data = ArchiveMarketData.load(history, start=day("2024-01-01"), days=90)
    misses = []
    for rate in market_data.settled("XRPUSDT", market_data.start + timedelta(hours=1), market_data.end):
        predicted = market_data.predicted("XRPUSDT", rate.at - timedelta(hours=1))
        assert predicted is not None
        misses.append(abs(predicted.rate - rate.rate))
    assert sum(misses) / len(misses) < Decimal("0.0002")
