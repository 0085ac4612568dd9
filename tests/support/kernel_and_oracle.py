"""Plays one market by the kernel and by the plain rules, in a form in which both can be compared."""

from typing import Any

from hedgerow.backtest.kernel import market_of, play, rules_of
from hedgerow.backtest.tables import Books, Grid, build_tables
from hedgerow.history.archive import ArchiveMarketData
from hedgerow.strategy.parameters import StrategyParameters
from support.backtest_oracle import REASONS, Oracle

__all__ = ["kernel_and_oracle"]


def kernel_and_oracle(
    market_data: ArchiveMarketData, parameters: StrategyParameters, grid: Grid, fee: float
) -> tuple[Any, Any]:
    """Return trades and log of the kernel, and those of the oracle."""
    times = {"start_ms": grid.start_ms, "end_ms": grid.end_ms, "cycle_ms": grid.cycle_ms, "guard_ms": grid.guard_ms}
    oracle = Oracle(market_data, parameters, fee=fee, **times).play()
    tables = build_tables(market_data, grid, Books.of(market_data, bottomless=True))
    played = play(market_of(tables, 5000.0), rules_of(parameters))
    trades = [
        (tables.symbols[w[0]], w[1], w[2], w[5], w[6], REASONS[w[7]], n[0], n[4], n[5])
        for w, n in zip(played.whole.tolist(), played.numbers.tolist(), strict=True)
    ]
    words = ("open", "close", "roll")
    log = [(a, words[b], tables.symbols[c], REASONS.get(d, "")) for a, b, c, d in played.log.tolist()]
    return (trades, log), ([tuple(trade[:-1]) for trade in oracle.trades], oracle.log)
