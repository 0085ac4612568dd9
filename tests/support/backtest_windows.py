"""Windows in which the compiled rules and the engine are compared: drawn from a seed, on generated or real history."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.app.bot import Bot, build_bot
from hedgerow.backtest.replay import replay, replay_parameters
from hedgerow.backtest.study import Result, Study, StudyPlan
from hedgerow.engine.notices import Observer
from hedgerow.engine.runner import RunOptions
from hedgerow.ports import Clock, Store, Venue
from hedgerow.strategy.parameters import RiskManagement, StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from hedgerow.strategy.policy import Policy
from support.backtest_markets import FIRST, Coin, drawn_parameters, write_market

LOT_BOUND = 0.01
"""Largest difference of the price part of one hedge, a fraction of notional: lots are at most $10 of $5,000, so legs
differ by 0.2 %, on prices that move by some percent; and the coins that are bought to pay a fee in coin."""


class Compared(Struct, frozen=True, kw_only=True):
    """One window, played twice."""

    name: str
    compiled: Result
    replayed: Result


def built(
    *,
    venue: Venue,
    store: Store,
    clock: Clock,
    policy: Policy,
    options: RunOptions,
    observers: Sequence[Observer],
) -> Bot:
    return build_bot(
        venue=venue,
        store=store,
        clock=clock,
        policy=policy,
        options=options,
        observers=observers,
        randomness=random.Random(0),
    )


def compared(name: str, study: Study, parameters: StrategyParameters) -> Compared:
    engine = replay(study, VolumeFarming(replay_parameters(study, parameters)), built)
    return Compared(name=name, compiled=study.run(parameters), replayed=engine)


def generated_window(seed: int, folder: Path) -> Compared:
    """Pairs of 4 and 8 hours, gaps, ties, prices that end, any parameters."""
    draw = Random(seed)
    coins = [
        Coin(
            interval=draw.choice([8, 8, 4]),
            level=draw.choice([1e-4, 3e-4, 1e-3]),
            gap=draw.choice([None, None, (30, 34), (47, 60), (24, 26)]),
            last_hour=draw.choice([None, None, None, 55, 64]),
            jitter_ms=draw.choice([0, 9, 9]),
            coarse=draw.random() < 0.3,
            basis=draw.choice([1e-4, 5e-4]),
        )
        for _ in range(draw.choice([1, 2, 3, 4]))
    ]
    write_market(folder, seed, coins, days=5)
    parameters = replace(drawn_parameters(draw), risk_management=RiskManagement())
    plan = StudyPlan(
        data=folder,
        start=FIRST,
        end=FIRST + timedelta(days=draw.choice([3, 4, 5])),
        cost_bps=Decimal(draw.choice([2, 4, 20])),
        cycle_seconds=draw.choice([300, 300, 900]),
    )
    return compared(f"seed {seed}", Study.load(plan), parameters)


REAL_FIRST, REAL_DAYS = datetime(2020, 1, 5, tzinfo=UTC), 1990


def real_window(seed: int, data: Path) -> Compared:
    """Ten days of real history at a time, of several pairs, any parameters."""
    draw = Random(seed)
    start = REAL_FIRST + timedelta(days=draw.randrange(REAL_DAYS))
    symbols = draw.choice([("BTCUSDT", "ETHUSDT"), ("BTCUSDT", "ETHUSDT", "BCHUSDT", "LTCUSDT", "XRPUSDT")])
    plan = StudyPlan(
        data=data,
        start=start,
        end=start + timedelta(days=10),
        symbols=symbols,
        exchange="binance",
        cost_bps=Decimal(draw.choice([4, 11, 20])),
    )
    parameters = replace(drawn_parameters(draw), risk_management=RiskManagement())
    return compared(f"seed {seed}, {start:%Y-%m-%d}", Study.load(plan), parameters)


def differences(window: Compared) -> list[str]:
    """Return what differs: decisions, costs and rates exactly to rounding, prices within the lots."""
    ours, theirs = window.compiled, window.replayed
    found = [
        f"{window.name}: compiled {mine}, replayed {its}"
        for mine, its in zip(ours.decisions, theirs.decisions, strict=False)
        if mine != its
    ][:1]
    if len(ours.decisions) != len(theirs.decisions):
        found.append(f"{window.name}: {len(ours.decisions)} decisions compiled, {len(theirs.decisions)} replayed")
    for mine, its in zip(ours.trades, theirs.trades, strict=False):
        if abs(mine.cost - its.cost) > 1e-6 or abs(mine.rates - its.rates) > 1e-6:
            found.append(f"{window.name}: compiled {mine}, replayed {its}")
        elif abs(mine.basis - its.basis) > LOT_BOUND:
            found.append(f"{window.name}: basis {mine.basis:.6f} compiled, {its.basis:.6f} replayed of {mine}")
    return found
