"""The compiled rules against a plain account of them that makes every check."""

from datetime import timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hedgerow.backtest.chain import Chain
from hedgerow.backtest.kernel import CLOSE, OPEN, market_of, play, rules_of
from hedgerow.backtest.tables import Books, Grid, build_tables
from hedgerow.domain.instrument import FeeRates
from hedgerow.history.archive import ArchiveMarketData
from hedgerow.strategy.parameters import StrategyParameters
from support.backtest_markets import FIRST, Coin, drawn_coin, drawn_parameters, write_market
from support.drawing import examples
from support.kernel_and_oracle import kernel_and_oracle

pytestmark = pytest.mark.slow

FEES = (0.0005, 0.0001, 0.00275)


@given(seed=st.integers(0, 1 << 30))
@settings(max_examples=examples(60))
def test_the_kernel_does_what_the_plain_rules_do_check_by_check(seed: int) -> None:
    random = Random(seed)
    coins = [drawn_coin(random) for _ in range(random.choice([1, 2, 3, 4]))]
    fee, days = random.choice(FEES), random.choice([4, 5, 6])
    rates = FeeRates(maker=Decimal(str(fee)), taker=Decimal(str(fee)))
    with TemporaryDirectory() as folder:
        write_market(Path(folder), seed, coins, days=6)
        market_data = ArchiveMarketData.load(Path(folder), start=FIRST, days=6, fees=rates)
    cycle, guard = random.choice([300, 300, 300, 900, 3600, 90, 200, 7000]), random.choice([60, 60, 0, 45])
    grid = Grid.of(FIRST, FIRST + timedelta(days=days), cycle, guard)
    kernel, oracle = kernel_and_oracle(market_data, drawn_parameters(random), grid, fee)
    assert kernel == oracle


@given(seed=st.integers(0, 1 << 30))
@settings(max_examples=examples(25))
def test_chained_trades_are_those_of_every_check(seed: int) -> None:
    """Many sets over one market, so that what one set has left behind is used by the next."""
    random = Random(seed)
    coins = [drawn_coin(random) for _ in range(random.choice([1, 2, 3, 4]))]
    rates = FeeRates(maker=Decimal("0.0001"), taker=Decimal("0.0001"))
    with TemporaryDirectory() as folder:
        write_market(Path(folder), seed, coins, days=6)
        market_data = ArchiveMarketData.load(Path(folder), start=FIRST, days=6, fees=rates)
    cycle, guard = random.choice([300, 300, 900, 90, 200]), random.choice([60, 60, 0, 45])
    grid = Grid.of(FIRST, FIRST + timedelta(days=6), cycle, guard)
    tables = [
        build_tables(market_data, grid, Books.of(market_data, bottomless=True), every_check=every)
        for every in (False, True)
    ]
    market, whole = (market_of(each, 5000.0) for each in tables)
    chain = Chain(market)
    for _ in range(12):
        rules = rules_of(drawn_parameters(random))
        chained, walked = chain.play(rules), play(whole, rules)
        assert chained.log.tolist() == walked.log.tolist()
        assert chained.whole.tolist() == walked.whole.tolist()
        assert chained.numbers.tolist() == walked.numbers.tolist()


@given(seed=st.integers(0, 1 << 30))
@settings(max_examples=examples(10))
def test_sets_played_together_are_those_played_alone_whatever_is_forgotten(seed: int) -> None:
    """With room for few openings, multipliers and ages, what was learnt is forgotten again and again."""
    random = Random(seed)
    with TemporaryDirectory() as folder:
        write_market(Path(folder), seed, [drawn_coin(random) for _ in range(random.choice([2, 3]))], days=6)
        market_data = ArchiveMarketData.load(Path(folder), start=FIRST, days=6)
    grid = Grid.of(FIRST, FIRST + timedelta(days=6), 300, 60)
    tables = build_tables(market_data, grid, Books.of(market_data, bottomless=True))
    market = market_of(tables, 5000.0)
    sets = [rules_of(drawn_parameters(random)) for _ in range(8)]
    sets += [rules._replace(max_age=hours) for rules in sets for hours in (6.0, 12.0, 13.5)]
    signals = [(periods, least, gain) for periods in (1, 3) for least in (-1.0, 0.05, 0.3) for gain in (0.01, 0.1, 9.0)]
    for rules in sets[:3]:  # these share age and multiplier, and so the exits that no signal brings about
        sets += [rules._replace(periods=periods, min_apr=least, gain=gain) for periods, least, gain in signals]
    for rules in sets[:3]:  # and these share signal, limits and rest, and so the exits for better pairs
        hours, times, costs = (3.0, 7.5, 12.0, 30.0), (1.0, 2.0), (rules.max_exit_cost, -0.001)
        sets += [
            rules._replace(periods=1, min_apr=-1.0, gain=0.01, max_age=age, multiplier=multiplier, max_exit_cost=cost)
            for age, multiplier, cost in product(hours, times, costs)
        ]
    few, many = Chain(market, openings=8, walks=1, classes=1, changes=1), Chain(market)
    logs: dict[bytes, Any] = {}
    for rules, scant, ample in zip(sets, few.outcomes(sets), many.outcomes(sets), strict=True):
        found, expected = ample.played(), play(market, rules)
        assert [part.tolist() for part in found] == [part.tolist() for part in expected]
        assert [part.tolist() for part in scant.played()] == [part.tolist() for part in expected]
        cost = 2 * (tables.books.spot_fee + tables.books.perp_fee)
        assert ample.net == pytest.approx(float(np.sum(found.numbers[:, 5] - cost[found.whole[:, 0]])), abs=1e-12)
        assert logs.setdefault(ample.digest, found.log.tolist()) == found.log.tolist()
    assert len(logs) == len({str(log) for log in logs.values()})
    assert [[(found.net, found.digest) for found in many.outcomes(sets)] for _ in range(2)] == [
        [(found.net, found.digest) for found in Chain(market).outcomes(sets)]
    ] * 2


def played(folder: Path, parameters: StrategyParameters, *, days: int = 6) -> list[list[int]]:
    fee = FeeRates(maker=Decimal("0.0001"), taker=Decimal("0.0001"))
    market_data = ArchiveMarketData.load(folder, start=FIRST, days=days, fees=fee)
    tables = build_tables(
        market_data, Grid.of(FIRST, FIRST + timedelta(days=days), 300, 60), Books.of(market_data, bottomless=True)
    )
    log: list[list[int]] = play(market_of(tables, 5000.0), rules_of(parameters)).log.tolist()
    return log


def eager() -> StrategyParameters:
    base = StrategyParameters()
    return replace(
        base,
        position_management=replace(base.position_management, max_position_age_hours=7.0),
        funding_rate_strategy=replace(base.funding_rate_strategy, funding_ma_periods=3, min_funding_apr=0.05),
    )


def test_what_happens_later_changes_no_decision_before_it(tmp_path: Path) -> None:
    """Both markets are the same until the third day, and nothing is after it."""
    coins = [Coin(level=3e-4), Coin(level=4e-4)]
    other = [Coin(level=3e-4, turn=(72, -1e-3)), Coin(level=4e-4, turn=(72, 2e-3))]
    logs = []
    for name, market in (("a", coins), ("b", other)):
        folder = tmp_path / name
        folder.mkdir()
        logs.append(played(write_market(folder, 5, market, days=6), eager()))
    until = 72 * 12
    before = [[line for line in log if line[0] < until] for log in logs]
    assert before[0] == before[1]
    assert len(before[0]) > 4
    assert logs[0] != logs[1]


def test_a_pair_whose_prices_end_is_closed_in_that_hour_and_not_opened_again(tmp_path: Path) -> None:
    log = played(write_market(tmp_path, 3, [Coin(level=1e-3, last_hour=60)], days=4), StrategyParameters(), days=4)
    opened = [line[0] for line in log if line[1] == OPEN]
    assert opened, "nothing was ever opened"
    assert max(opened) < 60 * 12
    last = log[-1]
    assert last[1] == CLOSE
    assert 60 * 12 <= last[0] < 61 * 12
    assert last[3] == 7


def test_nothing_is_traded_in_a_gap(tmp_path: Path) -> None:
    log = played(write_market(tmp_path, 3, [Coin(level=1e-3, gap=(20, 44))], days=4), StrategyParameters(), days=4)
    inside = range((20 - 1 + 2) * 12, 44 * 12)
    assert log
    assert [line for line in log if line[0] in inside] == []
