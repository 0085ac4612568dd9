"""A search: its records are those of single backtests, and no interruption and no number of workers changes a byte."""

import os
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache, partial
from pathlib import Path
from random import Random
from statistics import median_low
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hedgerow.backtest.kernel import rules_of
from hedgerow.backtest.search.judge import judgement_of
from hedgerow.backtest.search.players import KernelPlayer, RulesOf, kernel_player
from hedgerow.backtest.search.pools import Chunk, Here, Processes
from hedgerow.backtest.search.results import HEADER, ResultsFile
from hedgerow.backtest.search.scoring import RECORD, Scorer, unsealed
from hedgerow.backtest.search.space import Axis, Space
from hedgerow.backtest.search.stress import shuffled_study, stress_of, with_costs
from hedgerow.backtest.search.sweep import dead_settings, distinct, neighbourhoods, plateau_of, play_all
from hedgerow.backtest.search.trials import draw_all
from hedgerow.backtest.study import Study, StudyPlan
from hedgerow.domain.errors import ConfigError, HedgerowError
from hedgerow.history.series import at_ms
from hedgerow.strategy.parameters import StrategyParameters
from support.backtest_markets import FIRST, Coin, drawn_coin, drawn_parameters, write_market
from support.drawing import examples

pytestmark = pytest.mark.slow
DAYS = 40
ABOUT = {"search": "of a test"}


def axis(section: str, field: str, *values: object) -> Axis:
    return Axis(section=section, field=field, name=f"{section}.{field}", shown=values, accepted=values)


AGES = axis("position_management", "max_position_age_hours", 12.0, 24.0, 48.0, 5000.0)
TIMES = axis("position_management", "fee_coverage_multiplier", 0.5, 1.5, 3.0)
PERIODS = axis("funding_rate_strategy", "funding_ma_periods", 1, 3)
SPACE = Space(base=StrategyParameters(), axes=(PERIODS, AGES, TIMES))


def plan_of(folder: Path, days: int = DAYS, cost_bps: int = 8) -> StudyPlan:
    return StudyPlan(data=folder, start=FIRST, end=FIRST + timedelta(days=days), cost_bps=Decimal(cost_bps))


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("market")
    return write_market(folder, 11, [Coin(level=4e-4), Coin(level=5e-4, noise=5e-4), Coin(level=3e-4)], days=DAYS)


@cache
def loaded(folder: Path) -> Study:
    return Study.load(plan_of(folder))


def silent(done: int, total: int) -> None:
    pass


def whole(study: Study, folder: Path, name: str = "whole") -> bytes:
    path = folder / name
    with ResultsFile(path, ABOUT) as results:
        play_all(SPACE, Here(KernelPlayer(study, SPACE)), results, chunk=5, on_progress=silent)
    return path.read_bytes()


@given(seed=st.integers(0, 1 << 30))
@settings(max_examples=examples(15), deadline=None)
def test_a_record_has_the_figures_of_the_single_backtest(seed: int) -> None:
    random = Random(seed)
    with TemporaryDirectory() as name:
        coins = [drawn_coin(random) for _ in range(random.randint(1, 3))]
        write_market(Path(name), seed, coins, days=25)
        study = Study.load(plan_of(Path(name), days=25, cost_bps=random.choice([0, 4, 20])))
        space = Space(base=drawn_parameters(random), axes=(AGES,))
        records = unsealed(KernelPlayer(study, space)(range(space.size)))
        for record in records:
            found = Scorer(study).row(record)
            wanted = msgspec.structs.asdict(study.run(space.parameters(int(record["index"]))).figures)
            assert wanted.keys() <= found.keys()
            for key, value in wanted.items():
                assert found[key] == (
                    value if isinstance(value, str) or value is None else pytest.approx(value, rel=1e-9, abs=1e-12)
                ), key


class Stopping:
    """A player that is interrupted."""

    def __init__(self, player: KernelPlayer, after: int) -> None:
        self._player, self._left = player, after

    def __call__(self, chunk: Chunk) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise KeyboardInterrupt
        return self._player(chunk)


@pytest.mark.parametrize("after", [0, 1, 3])
def test_an_interrupted_search_ends_with_the_same_bytes(market: Path, tmp_path: Path, after: int) -> None:
    study = loaded(market)
    path, player = tmp_path / "stopped", KernelPlayer(study, SPACE)
    with ResultsFile(path, ABOUT) as results, pytest.raises(KeyboardInterrupt):
        play_all(SPACE, Here(Stopping(player, after)), results, chunk=5, on_progress=silent)
    with ResultsFile(path, ABOUT) as results:
        assert results.count == 5 * after
        play_all(SPACE, Here(player), results, chunk=7, on_progress=silent)
    assert path.read_bytes() == whole(study, tmp_path)


@given(cut=st.integers(0, HEADER + SPACE.size * RECORD.itemsize), damage=st.booleans())
@settings(max_examples=examples(12), deadline=None)
def test_a_file_cut_or_damaged_anywhere_ends_with_the_same_bytes(market: Path, cut: int, damage: bool) -> None:  # noqa: FBT001 - drawn
    study = loaded(market)
    with TemporaryDirectory() as name:
        folder = Path(name)
        content = whole(study, folder)
        spoilt = bytearray(content[:cut])
        if damage and cut > HEADER:
            spoilt[HEADER + (cut - HEADER) // 2] ^= 1
        (folder / "cut").write_bytes(bytes(spoilt))
        assert whole(study, folder, "cut") == content


def test_workers_change_no_byte(market: Path, tmp_path: Path) -> None:
    alone = whole(loaded(market), tmp_path)
    pool = Processes(partial(kernel_player, plan_of(market), SPACE), 2)
    path = tmp_path / "two"
    try:
        with ResultsFile(path, ABOUT) as results:
            play_all(SPACE, pool, results, chunk=4, on_progress=silent)
    finally:
        pool.close()
    assert path.read_bytes() == alone


def test_a_worker_that_cannot_load_its_window_is_one_error(tmp_path: Path) -> None:
    pool = Processes(partial(kernel_player, plan_of(tmp_path / "nowhere"), SPACE), 1)
    with pytest.raises(HedgerowError, match="a worker process ended"):
        list(pool.play([[0]]))
    pool.close()


def test_workers_of_a_ray_cluster_change_no_byte(market: Path, tmp_path: Path) -> None:
    if not os.environ.get("CI"):
        pytest.importorskip("ray")
    from hedgerow.backtest.search.ray_cluster import LOCAL, RayCluster  # noqa: PLC0415 - an extra

    alone, path = whole(loaded(market), tmp_path), tmp_path / "ray"
    cluster = RayCluster(partial(kernel_player, plan_of(market), SPACE), LOCAL, 2)
    try:
        with ResultsFile(path, ABOUT) as results:
            play_all(SPACE, cluster, results, chunk=4, on_progress=silent)
    finally:
        cluster.close()
    assert path.read_bytes() == alone


def test_results_of_another_search_are_not_mixed(tmp_path: Path) -> None:
    path = tmp_path / "results"
    ResultsFile(path, {"grid": [1], "code": "a"}).__exit__(None, None, None)
    with pytest.raises(ConfigError, match=r"holds results of another search \(different: grid\)"):
        ResultsFile(path, {"grid": [2], "code": "a"})
    (tmp_path / "text").write_text("what is this")
    with pytest.raises(ConfigError, match="is no results file"):
        ResultsFile(tmp_path / "text", {"grid": [2]})


def test_two_processes_do_not_write_one_file(tmp_path: Path) -> None:
    with ResultsFile(tmp_path / "results", ABOUT), pytest.raises(ConfigError, match="another process writes"):
        ResultsFile(tmp_path / "results", ABOUT)


class Counted:
    """A pool that counts what it plays."""

    def __init__(self, player: KernelPlayer, most: int) -> None:
        self.played, self._player, self._most = 0, player, most

    def play(self, chunks: Iterable[Chunk]) -> Iterator[bytes]:
        for chunk in chunks:
            if self.played >= self._most:
                raise KeyboardInterrupt
            self.played += len(chunk)
            yield self._player(chunk)

    def close(self) -> None:
        pass


def test_drawn_sets_are_the_same_after_an_interruption(market: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    study = loaded(market)
    scorer = Scorer(study)

    def drawn(path: Path, most: int) -> int:
        pool = Counted(KernelPlayer(study, SPACE), most)
        with ResultsFile(path, ABOUT) as results:
            draw_all(
                SPACE,
                pool,
                results,
                trials=20,
                seed=3,
                score=lambda records: scorer.values(records, "net_apr_on_capital").tolist(),
                on_progress=silent,
            )
        return pool.played

    assert drawn(tmp_path / "whole", 20) == 20
    with pytest.raises(KeyboardInterrupt):
        drawn(tmp_path / "cut", 13)
    assert drawn(tmp_path / "cut", 20) == 7
    assert (tmp_path / "cut").read_bytes() == (tmp_path / "whole").read_bytes()


def test_the_thresholds_of_a_set_are_those_of_its_parameters() -> None:
    stops = Axis(
        section="risk_management",
        field="emergency_stop_loss",
        name="risk_management.emergency_stop_loss_pct",
        shown=(-20.0, -10.0),
        accepted=(-0.2, -0.1),
    )
    space = Space(base=StrategyParameters(), axes=(PERIODS, stops, AGES, TIMES))
    of = RulesOf(space)
    assert [of(index) for index in range(space.size)] == [rules_of(space.parameters(i)) for i in range(space.size)]


@pytest.mark.parametrize("start", [FIRST, FIRST + timedelta(milliseconds=1500)])
def test_decisions_are_hashed_as_they_are_written_also_between_whole_seconds(market: Path, start: datetime) -> None:
    study = Study.load(replace(plan_of(market), start=start, cycle_seconds=450.0))
    record = unsealed(KernelPlayer(study, SPACE)([0]))[0]
    assert bytes(record["decisions"]).hex() == study.run(SPACE.parameters(0)).figures.decisions_sha256


# --- what is found ---------------------------------------------------------------------------------------------------


def test_a_setting_that_changes_no_decision_is_found_dead(market: Path) -> None:
    study = loaded(market)
    useless = axis("funding_rate_strategy", "min_volume_usd", Decimal(1), Decimal(2))
    space = Space(base=StrategyParameters(), axes=(AGES, useless, TIMES))
    records = unsealed(KernelPlayer(study, space)(range(space.size)))
    assert dead_settings(space, records) == (useless.name,)
    assert len(distinct(records)) <= space.size // 2


@given(seed=st.integers(0, 1 << 30))
@settings(max_examples=examples(30))
def test_a_neighbourhood_is_the_set_and_those_one_step_away(seed: int) -> None:
    random = Random(seed)
    shape = [random.randint(1, 4) for _ in range(random.randint(1, 3))]
    axes = tuple(
        Axis(
            section="",
            field=f"f{n}",
            name=f"f{n}",
            shown=tuple(range(size)) if n else tuple("abcd"[:size]),
            accepted=tuple(range(size)),
        )
        for n, size in enumerate(shape)
    )
    space = Space(base=StrategyParameters(), axes=axes)
    scores = np.array([random.choice([random.random(), random.random(), np.nan]) for _ in range(space.size)])
    found = neighbourhoods(space, scores)
    for place in range(space.size):
        own = space.digits(place)
        assert space.index(own) == place
        near = [scores[place]]
        for other in range(space.size):
            moved = [(n, abs(a - b)) for n, (a, b) in enumerate(zip(own, space.digits(other), strict=True)) if a != b]
            if len(moved) == 1 and (moved[0][1] == 1 or not axes[moved[0][0]].ordered):
                near.append(scores[other])
        known = [score for score in near if not np.isnan(score)]
        assert found[place] == (median_low(known) if known else -np.inf)


def test_the_plateau_is_not_a_lonely_peak() -> None:
    space = Space(base=StrategyParameters(), axes=(axis("a", "b", 1, 2, 3, 4, 5, 6, 7),))
    place, median = plateau_of(space, np.array([0.0, 9.0, 0.0, 3.0, 4.0, 3.5, 3.0]))
    assert (place, median) == (4, 3.5)


def test_the_judgement_names_the_best_set_and_the_middle_of_all(market: Path) -> None:
    pytest.importorskip("arch")
    study = loaded(market)
    records = unsealed(KernelPlayer(study, SPACE)(range(SPACE.size)))
    scorer = Scorer(study)
    judged = judgement_of(scorer, SPACE, records, by="net_apr_on_notional", play=study.run, compiled=True)
    scores = scorer.values(records, "net_apr_on_notional")
    assert judged.best.figures["net_apr_on_notional"] == pytest.approx(scores.max())
    assert judged.spread.median == pytest.approx(np.median(scores))
    assert judged.result.figures.net_apr_on_notional == pytest.approx(scores.max())
    assert judged.plateau is not None
    assert judged.best.stress is not None
    assert judged.best.over_cash is not None
    assert judged.best.over_cash.low <= judged.best.over_cash.mean <= judged.best.over_cash.high


# --- stresses --------------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 1 << 30))
@settings(max_examples=examples(10), deadline=None)
def test_doubling_costs_never_raises_a_result(seed: int) -> None:
    random = Random(seed)
    with TemporaryDirectory() as name:
        write_market(Path(name), seed, [drawn_coin(random) for _ in range(2)], days=20)
        plan = plan_of(Path(name), days=20)
        study = Study.load(replace(plan, cost_bps=None) if random.random() < 0.5 else plan)
        parameters = drawn_parameters(random)
        result = study.run(parameters)
        dear = with_costs(study, 2.0)
        assert stress_of(study, parameters, result).doubled_cost <= result.figures.net_apr_on_notional
        assert dear.bounds[0].value <= study.bounds[0].value
        if study.hold_trade is not None and dear.hold_trade is not None:
            assert dear.hold_trade.rates - dear.hold_trade.cost <= study.hold_trade.rates - study.hold_trade.cost


def test_costs_that_are_doubled_are_those_of_a_study_at_twice_the_cost(market: Path) -> None:
    twice = with_costs(loaded(market), 2.0).run(SPACE.base).figures
    assert twice.net_apr_on_notional == pytest.approx(
        Study.load(plan_of(market, cost_bps=16)).run(SPACE.base).figures.net_apr_on_notional
    )


def test_shuffled_history_pays_the_same_rates_in_another_order(market: Path) -> None:
    real, shuffled = loaded(market), shuffled_study(loaded(market), 4)
    assert not np.array_equal(real.tables.rate, shuffled.tables.rate)
    assert np.array_equal(np.sort(real.tables.rate, axis=0), np.sort(shuffled.tables.rate, axis=0))
    days: dict[int, set[tuple[float, ...]]] = {}
    for number, each in enumerate((real, shuffled)):
        rates, stamps = each.tables.rate[:-3], each.tables.stamp_ms[:-3, 0] // 86_400_000
        days[number] = {tuple(rates[stamps == day].ravel()) for day in np.unique(stamps)}
    assert len(days[0] & days[1]) >= len(days[0]) - 3  # whole days of all symbols moved together
    assert np.array_equal(real.tables.stamp_ms, shuffled.tables.stamp_ms)
    assert np.array_equal(real.tables.spot, shuffled.tables.spot)


def test_without_its_best_symbol_a_result_is_that_of_the_others(market: Path) -> None:
    study = loaded(market)
    stress = stress_of(study, SPACE.base, study.run(SPACE.base))
    assert stress.best_symbol in study.symbols
    others = tuple(symbol for symbol in study.symbols if symbol != stress.best_symbol)
    alone = Study.load(replace(study.plan, symbols=others)).run(SPACE.base)
    assert stress.without_best_symbol == alone.figures.net_apr_on_notional
    assert all(trade.closed_at <= at_ms(study.grid.end_ms) for trade in alone.trades)
