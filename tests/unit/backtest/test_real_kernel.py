"""The compiled rules on real history: what a plain account of them decides, check by check."""

import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from hedgerow.backtest.tables import Grid
from hedgerow.domain.instrument import FeeRates
from hedgerow.history.archive import ArchiveMarketData
from hedgerow.strategy.parameters import SamePair, StrategyParameters
from support.kernel_and_oracle import kernel_and_oracle

DATA = Path(os.environ.get("HEDGEROW_DATA") or Path(__file__).parents[4] / "shared" / "data")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (DATA / "prices_hourly.parquet").is_file(), reason=f"no market archive at {DATA} (HEDGEROW_DATA names one)"
    ),
]
DAYS, FEE = 12, 0.0004


@pytest.mark.parametrize("same_pair", list(SamePair))
@pytest.mark.parametrize(
    ("first", "symbols"),
    [
        pytest.param((2020, 3, 6), ("BTCUSDT", "ETHUSDT"), id="the fall of March 2020"),
        pytest.param((2021, 4, 12), None, id="high funding"),
        pytest.param((2025, 4, 10), None, id="a pair without prices for weeks, pairs of 4 h"),
    ],
)
def test_the_kernel_does_what_the_plain_rules_do_on_real_history(
    first: tuple[int, int, int], symbols: tuple[str, ...] | None, same_pair: SamePair
) -> None:
    start = datetime(*first, tzinfo=UTC)
    fee = Decimal(str(FEE))
    market_data = ArchiveMarketData.load(
        DATA, start=start, days=DAYS, symbols=symbols, exchange="binance", fees=FeeRates(maker=fee, taker=fee)
    )
    guide = StrategyParameters()
    parameters = replace(
        guide,
        position_management=replace(guide.position_management, same_pair=same_pair),
        funding_rate_strategy=replace(guide.funding_rate_strategy, min_funding_apr=0.05),
    )
    grid = Grid.of(start, start + timedelta(days=DAYS), 300, 60)
    kernel, oracle = kernel_and_oracle(market_data, parameters, grid, FEE)
    assert kernel == oracle
    assert oracle[1], "nothing was decided"
