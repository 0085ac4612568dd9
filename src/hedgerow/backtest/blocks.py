"""What many parameter sets share: history cut into blocks of rows between which nothing settles.

Within a block every signal is the same, and so is the funding that a hedge has been paid; prices change. So a block is
passed over when its least favourable prices decide nothing, and only otherwise looked at row by row. Rounding keeps
the order of numbers: what the bounds rule out, no row of the block would have decided.
"""

from typing import Any, NamedTuple, TypeAlias

import numpy as np

from hedgerow.backtest.compiling import compiled_in_place, compiled_rules, inlined
from hedgerow.backtest.kernel import SPOT_SPREAD, VOLUME, Market, Rules
from hedgerow.backtest.tables import Flags, Floats, Ints
from hedgerow.strategy.evidence.underlying import HELD_BOUND

__all__ = [
    "BASIS_ROWS",
    "EVERY_ROW",
    "HIGH_PERP",
    "LEADERS",
    "LOW_PERP",
    "LOW_SPOT",
    "NO_ROW",
    "Aprs",
    "Blocks",
    "Filters",
    "Places",
    "blocks_of",
    "fill_aprs",
    "fill_filters",
    "usable",
]

Places: TypeAlias = Any
"""An array of 32-bit whole numbers; its elements are numbers, which numpy's types do not say."""
LOW_SPOT, LOW_PERP, HIGH_PERP = range(3)
BASIS_ROWS = 64
NO_ROW, SOME_ROWS, EVERY_ROW = range(3)
LEADERS = 4
TILE = 64
"""Windows that are summed at once, so that the sums do not wait for each other."""
_RULES: Any = compiled_rules()
_agrees, _funding_apr, _entry_refusals = _RULES.agrees, _RULES.funding_apr, _RULES.entry_refusals


class Blocks(NamedTuple):
    """A market cut into blocks; rows and steps as in ``Market``."""

    of_step: Places
    """The row that a check sees."""
    of_row: Places
    """The block of a row."""
    first: Places
    """First row of a block; one more at the end."""
    check: Places
    """First row at or after each row that is a check's; the number of rows = none."""
    act: Places
    """``[row, symbol]``, as in ``Market.state``."""
    known: Places
    """``[block, symbol]``: settled rates that are known."""
    prices: Floats
    """``[block, symbol, LOW_SPOT to HIGH_PERP]`` of all checks."""
    basis: Floats
    """``[rows together, symbol]``: the highest (perpetual - spot) / spot of ``BASIS_ROWS`` rows."""
    ended: Ints
    """The check at which a pair is left because its prices end, by symbol."""
    rates: Floats
    """``[symbol, number]``, as in ``Market.prints``."""
    hours: Floats
    """``[symbol, number]``: of all before it."""


class Aprs(NamedTuple):
    """The signal of a moving average, by block."""

    apr: Floats
    """``[block, symbol]``; NaN where there is no signal."""
    top: Floats
    """The highest; -inf without any."""
    leaders: Places
    """``[block, place]``: the ``LEADERS`` symbols that pay most, best first, ties in their order; -1 = no more."""


def blocks_of(market: Market, *, average: bool) -> Blocks:
    """Cut a market into blocks; a signal that is no average can change in every row."""
    known = market.known
    rows, symbols = (int(length) for length in known.shape)
    begins = np.ones(rows, dtype=np.bool_)
    if average:
        begins[1:] = np.any(known[1:] != known[:-1], axis=1)
    first = np.append(np.flatnonzero(begins), rows).astype(np.int32)
    of_row = (np.cumsum(begins) - 1).astype(np.int32)
    checks = np.flatnonzero(market.step >= 0)
    steps = -((market.start_ms - market.end_ms) // market.cycle_ms)
    of_step = np.repeat(checks.astype(np.int32), np.diff(market.step[checks], append=steps))
    place = np.searchsorted(checks, np.arange(rows + 1))
    check = np.where(place < len(checks), checks[np.minimum(place, len(checks) - 1)], rows)
    ended = [max(0, int(-((market.start_ms - int(at)) // market.cycle_ms))) for at in market.ended_ms]
    hours = market.hours.T
    blocks = Blocks(
        of_step=of_step,
        of_row=of_row,
        first=first,
        check=check.astype(np.int32),
        act=np.ascontiguousarray(market.act).astype(np.int32),
        known=np.ascontiguousarray(known[first[:-1]]).astype(np.int32),
        prices=np.empty((len(first) - 1, symbols, 3)),
        basis=np.full((-(-rows // BASIS_ROWS), symbols), -np.inf),
        ended=np.array(ended, dtype=np.int64),
        rates=np.ascontiguousarray(market.rate.T),
        hours=np.concatenate([np.zeros((symbols, 1)), np.cumsum(hours, axis=1)], axis=1),
    )
    _fill_prices(market, blocks)
    return blocks


@compiled_in_place
def _fill_prices(market: Market, blocks: Blocks) -> None:
    count, symbols = blocks.known.shape
    for block in range(count):
        lowest = blocks.prices[block]
        for symbol in range(symbols):
            lowest[symbol, LOW_SPOT] = lowest[symbol, LOW_PERP] = np.inf
            lowest[symbol, HIGH_PERP] = -np.inf
        for row in range(blocks.first[block], blocks.first[block + 1]):
            highest = blocks.basis[row // BASIS_ROWS]
            for symbol in range(symbols):
                spot, perp = market.spot[row, symbol], market.perp[row, symbol]
                basis = (perp - spot) / spot
                highest[symbol] = max(highest[symbol], basis)
                if market.step[row] < 0:
                    continue
                lowest[symbol, LOW_SPOT] = min(lowest[symbol, LOW_SPOT], spot)
                lowest[symbol, LOW_PERP] = min(lowest[symbol, LOW_PERP], perp)
                lowest[symbol, HIGH_PERP] = max(lowest[symbol, HIGH_PERP], perp)


@inlined
def usable(market: Market, row: int, symbol: int) -> bool:
    """Return whether a check can use the prices of a pair that is held."""
    if not market.readable[row, symbol]:
        return False
    return bool(_agrees(market.perp[row, symbol], market.spot[row, symbol], HELD_BOUND))


class Filters(NamedTuple):
    """Where every entry filter is passed that has nothing to do with the signal."""

    row: Flags
    """``[row, symbol]``"""
    block: Flags
    """``[block, symbol]``: at any of its checks."""
    passed: Places
    """``[block, symbol]``, 8 bits: at NO_ROW, SOME_ROWS or EVERY_ROW of the block."""


def fill_filters(market: Market, blocks: Blocks, rules: Rules, found: Filters) -> None:
    """Fill where the filters of the market are passed."""
    found.row[:] = False
    found.block[:] = False
    _fill_filters(market, blocks, rules, found)


@compiled_in_place
def _fill_filters(market: Market, blocks: Blocks, rules: Rules, found: Filters) -> None:
    rows, symbols = found.row.shape
    for row in range(rows):
        for symbol in range(symbols):
            if not market.readable[row, symbol] or market.row_ms[row] >= market.ended_ms[symbol]:
                _count_row(found, blocks, row, symbol, NO_ROW)
                continue
            refused = _entry_refusals(
                1.0,
                np.inf,
                -np.inf,
                market.predicted[row, symbol],
                market.books[symbol, VOLUME],
                rules.min_volume,
                2e4 * market.books[symbol, SPOT_SPREAD],
                rules.max_spread,
                market.basis[row, symbol],
                rules.max_discount,
                rules.max_premium,
            )
            found.row[row, symbol] = refused == 0
            _count_row(found, blocks, row, symbol, EVERY_ROW if refused == 0 else NO_ROW)
            if refused == 0 and market.step[row] >= 0:
                found.block[blocks.of_row[row], symbol] = True


@inlined
def _count_row(found: Filters, blocks: Blocks, row: int, symbol: int, passed: int) -> None:
    """Note whether a row passes, the rows of a block in their order."""
    block = blocks.of_row[row]
    if row == blocks.first[block]:
        found.passed[block, symbol] = passed
    elif found.passed[block, symbol] != passed:
        found.passed[block, symbol] = SOME_ROWS


def fill_aprs(market: Market, blocks: Blocks, rules: Rules, found: Aprs) -> None:
    """Fill the signal of every block."""
    found.top[:] = -np.inf
    found.leaders[:] = -1
    if rules.average:
        sums = np.empty((blocks.known.shape[1], blocks.rates.shape[1] + 1))
        _sum_windows(blocks, rules.periods, sums, np.empty(TILE))
        _fill_averages(blocks, sums, found)
    else:
        _fill_predicted(market, blocks, found)


@compiled_in_place
def _sum_windows(blocks: Blocks, periods: int, aprs: Floats, sums: Floats) -> None:
    """Fill the APR of every window by its end: the sums of ``rules.window_sums``, many side by side."""
    symbols, ends = aprs.shape
    for symbol in range(symbols):
        for end in range(min(periods, ends)):
            aprs[symbol, end] = np.nan
        rates, hours = blocks.rates[symbol], blocks.hours[symbol]
        for end in range(periods, ends, TILE):
            width = min(TILE, ends - end)
            for place in range(width):
                sums[place] = 0.0
            for number in range(end - periods, end):
                for place in range(width):
                    sums[place] += rates[number + place]
            for place in range(width):
                lasted = hours[end + place] - hours[end + place - periods]
                aprs[symbol, end + place] = _funding_apr(sums[place], lasted)


@inlined
def _rank(found: Aprs, block: int) -> None:
    """Fill the leaders of a block."""
    apr, leaders, filled = found.apr[block], found.leaders[block], 0
    for symbol in range(len(apr)):
        if np.isnan(apr[symbol]) or (filled == LEADERS and not apr[symbol] > apr[leaders[LEADERS - 1]]):
            continue
        place = filled if filled < LEADERS else LEADERS - 1
        filled = place + 1
        while place > 0 and apr[leaders[place - 1]] < apr[symbol]:
            leaders[place] = leaders[place - 1]
            place -= 1
        leaders[place] = symbol
    if filled > 0:
        found.top[block] = apr[leaders[0]]


@compiled_in_place
def _fill_averages(blocks: Blocks, aprs: Floats, found: Aprs) -> None:
    count, symbols = found.apr.shape
    for block in range(count):
        for symbol in range(symbols):
            found.apr[block, symbol] = aprs[symbol, blocks.known[block, symbol]]
        _rank(found, block)


@compiled_in_place
def _fill_predicted(market: Market, blocks: Blocks, found: Aprs) -> None:
    count, symbols = found.apr.shape
    for block in range(count):
        for symbol in range(symbols):
            predicted, known = market.predicted[blocks.first[block], symbol], blocks.known[block, symbol]
            apr = np.nan
            if known > 0 and np.isfinite(predicted):
                apr = _funding_apr(predicted, market.hours[known - 1, symbol])
            found.apr[block, symbol] = apr
        _rank(found, block)
