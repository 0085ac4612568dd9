"""Many parameter sets over one window: trades are remembered by symbol and row, and chained from exit to entry.

What happens after an entry does not depend on the parameter set, only when it ends. So the first row at which funding
covers the fees, a stop is hit or prices cannot be used is remembered for every entry that any set has made; the next
row with a better pair or with negative funding is a table. A set then jumps from an entry to the first check that can
do more than hold, and makes that check, and those after it until the hedge has ended, as ``kernel`` does: the result is
the same.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np

from hedgerow.backtest.compiling import compiled_in_place, compiled_rules, inlined
from hedgerow.backtest.kernel import (
    AGE_STEP,
    BUSY_MS,
    CLOSE,
    COINS,
    FEES_IN,
    FIRST_PRINT,
    FUNDING,
    HALTED,
    KNOWN,
    LINES,
    OPEN,
    OPENED_STEP,
    PAID_MARK,
    PERP,
    PERP_FEE,
    QUANTITY,
    RATE,
    READABLE,
    REST_STEP,
    SPOT,
    SPOT_FEE,
    SYMBOL,
    TRADES,
    WINDOW_ENDS,
    Market,
    Played,
    Rules,
    Scratch,
    Signals,
    best_apr_of,
    check,
    close,
    enter,
    next_step,
    play,
    say,
    scratch,
    signals_of,
    stop_of,
)
from hedgerow.backtest.tables import Floats, Ints
from hedgerow.strategy.evidence.underlying import HELD_BOUND

__all__ = ["Chain"]

_RULES: Any = compiled_rules()
_agrees, _fees_covered, _pair_fee = _RULES.agrees, _RULES.fees_covered, _RULES.pair_fee
_first_admitted: Any = _RULES.first_admitted
NOTHING, COVERED, IRREGULAR = 0, 3, 9
"""What the remembered walk from an entry met first."""
MOST_KEPT = {"signals": 2, "next": 2, "walks": 8}
"""How many tables of each kind are kept: some are 40 MB at 16 symbols and five years."""
Kept = TypeVar("Kept")


class _Rows(NamedTuple):
    """Of a market."""

    of_step: Ints
    """The row that a check sees."""
    after: Ints
    """The first check's row at or after each row."""
    ended: Ints
    """The check at which a pair is left because its prices end, by symbol."""


class _Next(NamedTuple):
    """Of signals, a least gain and an exit APR: the first check's row at or after each row; -1 = none."""

    entry: Ints
    better: Ints
    negative: Ints


class _Walks(NamedTuple):
    """How far each entry was followed, ``[acting row, symbol]``."""

    step: Ints
    """Check of the entry; -1 = never made."""
    quantity: Floats
    row: Ints
    """The last row that was looked at."""
    met: Ints
    """``NOTHING`` so far, or what was met in that row."""
    prints: Ints
    funding: Floats


class Chain:
    """Plays many parameter sets over one market."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._rows = _rows_of(market)
        self._kept: dict[tuple[object, ...], Any] = {}
        most = 4 * len(market.row_ms) + 16
        self._room = np.zeros((most, 8), dtype=np.int64), np.zeros((most, 8)), np.zeros((2 * most, 4), dtype=np.int64)

    def play(self, rules: Rules) -> Played:
        """Play one set; what it computes is kept for the next ones."""
        if 2 * self._market.guard_ms > self._market.cycle_ms:
            return play(self._market, rules)  # checks would fall into the time that the guard puts trades off for
        signals = self._signals(rules)
        whole, numbers, log = self._room
        trades, lines = _chained(
            self._market,
            rules,
            signals,
            self._rows,
            self._next(rules, signals),
            self._walks(rules),
            scratch(),
            *self._room,
        )
        if trades < 0:
            return play(self._market, rules, signals)
        return Played(whole=whole[:trades].copy(), numbers=numbers[:trades].copy(), log=log[:lines].copy())

    def _signals(self, rules: Rules) -> Signals:
        return self._keep(_signals_key(rules), lambda: signals_of(self._market, rules))

    def _next(self, rules: Rules, signals: Signals) -> _Next:
        key = ("next", *_signals_key(rules), rules.gain, rules.exit_apr)
        return self._keep(key, lambda: _next_of(self._market, rules, signals))

    def _walks(self, rules: Rules) -> _Walks:
        key = ("walks", rules.multiplier, rules.loss, rules.short_alone)
        return self._keep(key, lambda: _empty_walks(self._market))

    def _keep(self, key: tuple[object, ...], make: Callable[[], Kept]) -> Kept:
        """Return what was computed for a key; of each kind, what was used longest ago is forgotten."""
        kept: Kept = self._kept.pop(key) if key in self._kept else make()
        same_kind = [other for other in self._kept if other[0] == key[0]]
        if len(same_kind) >= MOST_KEPT[str(key[0])]:
            del self._kept[same_kind[0]]
        self._kept[key] = kept
        return kept


def _signals_key(rules: Rules) -> tuple[object, ...]:
    limits = (rules.min_apr, rules.min_volume, rules.max_spread, rules.max_discount, rules.max_premium)
    return ("signals", rules.periods if rules.average else 0, *limits)


def _rows_of(market: Market) -> _Rows:
    checks = np.flatnonzero(market.step >= 0)
    steps = -((market.start_ms - market.end_ms) // market.cycle_ms)
    of_step = checks[np.searchsorted(market.step[checks], np.arange(steps), side="right") - 1]
    place = np.searchsorted(checks, np.arange(len(market.row_ms)))
    after = np.where(place < len(checks), checks[np.minimum(place, len(checks) - 1)], -1)
    ended = [int(-((market.start_ms - int(at)) // market.cycle_ms)) for at in market.ended_ms]
    return _Rows(of_step=of_step, after=after, ended=np.array([max(0, step) for step in ended], dtype=np.int64))


def _empty_walks(market: Market) -> _Walks:
    shape = market.state.shape[:2]
    return _Walks(
        step=np.full(shape, -1, dtype=np.int64),
        quantity=np.zeros(shape),
        row=np.zeros(shape, dtype=np.int64),
        met=np.zeros(shape, dtype=np.int64),
        prints=np.zeros(shape, dtype=np.int64),
        funding=np.zeros(shape),
    )


def _next_of(market: Market, rules: Rules, signals: Signals) -> _Next:
    shape = market.state.shape[:2]
    found = _Next(
        entry=np.full(shape[0] + 1, -1, dtype=np.int64),
        better=np.full((shape[0] + 1, shape[1]), -1, dtype=np.int64),
        negative=np.full((shape[0] + 1, shape[1]), -1, dtype=np.int64),
    )
    _fill_next(market, rules, signals, found)
    return found


@compiled_in_place
def _fill_next(market: Market, rules: Rules, signals: Signals, found: _Next) -> None:
    rows, symbols = market.state.shape[0], market.state.shape[1]
    for row in range(rows - 1, -1, -1):
        found.entry[row] = found.entry[row + 1]
        is_check = market.step[row] >= 0
        if is_check and _first_admitted(signals.admitted[row, : signals.ranked[row]]) >= 0:
            found.entry[row] = row
        for symbol in range(symbols):
            found.better[row, symbol] = found.better[row + 1, symbol]
            found.negative[row, symbol] = found.negative[row + 1, symbol]
            if not is_check:
                continue
            if best_apr_of(rules, signals, row, symbol, np.inf)[0] >= 0:
                found.better[row, symbol] = row
            if signals.apr[row, symbol] < rules.exit_apr:
                found.negative[row, symbol] = row


@inlined
def _step_from(market: Market, rows: _Rows, following: Ints, step: int, never: int) -> int:
    """Return the first check from ``step`` on whose row is in a table of next rows."""
    if step >= len(rows.of_step):
        return never
    row = rows.of_step[step]
    found = following[row]
    if found < 0:
        return never
    return step if found == row else int(market.step[found])


@inlined
def _limit(market: Market, rows: _Rows, following: _Next, held: Ints, never: int) -> int:
    """Return the check at which a hedge ends for its age, a better pair, negative funding or the end of its prices."""
    symbol, first = held[SYMBOL], held[OPENED_STEP] + 1
    limit = min(max(held[AGE_STEP], first), max(rows.ended[symbol], first), never)
    better = _step_from(market, rows, following.better[:, symbol], max(held[REST_STEP], first), never)
    negative = _step_from(market, rows, following.negative[:, symbol], first, never)
    return min(limit, better, negative)


@inlined
def _walk_on(market: Market, rules: Rules, walks: _Walks, held: Ints, money: Floats, acting: int, until: int) -> None:
    """Follow an entry to row ``until``, from where it was followed before, or to where something is met."""
    symbol = held[SYMBOL]
    row, met = walks.row[acting, symbol], walks.met[acting, symbol]
    number, funding = walks.prints[acting, symbol], walks.funding[acting, symbol]
    while met == NOTHING and row < until:
        row += 1
        if market.step[row] < 0:
            continue
        while number < market.state[row, symbol, KNOWN]:
            paid = money[QUANTITY] * market.prints[number, symbol, PAID_MARK] * market.prints[number, symbol, RATE]
            funding += paid
            number += 1
        met = _met(market, rules, money, symbol, row, funding)
    walks.row[acting, symbol], walks.met[acting, symbol] = row, met
    walks.prints[acting, symbol], walks.funding[acting, symbol] = number, funding


@inlined
def _met(market: Market, rules: Rules, money: Floats, symbol: int, row: int, funding: float) -> int:
    spot, perp = market.seen[row, symbol, SPOT], market.seen[row, symbol, PERP]
    if market.state[row, symbol, READABLE] == 0 or not _agrees(perp, spot, HELD_BOUND):
        return IRREGULAR
    money[FUNDING] = funding
    hit, _ = stop_of(market, rules, money, row, symbol)
    if hit:
        return IRREGULAR
    fee = _pair_fee(
        1.0,
        money[COINS] * spot,
        market.books[symbol, SPOT_FEE],
        money[QUANTITY] * perp,
        market.books[symbol, PERP_FEE],
    )
    return COVERED if _fees_covered(funding, rules.multiplier, money[FEES_IN], fee) else NOTHING


@inlined
def _begin_walk(rows: _Rows, walks: _Walks, held: Ints, money: Floats, acting: int, first: int) -> bool:
    """Return whether the walk from this entry may be used; begins it the first time."""
    symbol, step = held[SYMBOL], held[OPENED_STEP]
    if walks.step[acting, symbol] < 0:
        walks.step[acting, symbol], walks.quantity[acting, symbol] = step, money[QUANTITY]
        walks.row[acting, symbol] = rows.of_step[first] - 1
        walks.prints[acting, symbol] = held[FIRST_PRINT]
    return walks.step[acting, symbol] == step and walks.quantity[acting, symbol] == money[QUANTITY]


@inlined
def _exit(
    market: Market, rules: Rules, rows: _Rows, following: _Next, walks: _Walks, held: Ints, money: Floats, acting: int
) -> int:
    """Return the first check that can do more than hold what was opened; the number of checks when none can."""
    never, first = len(rows.of_step), held[OPENED_STEP] + 1
    if first >= never:
        return never
    step, symbol = _limit(market, rows, following, held, never), held[SYMBOL]
    if not _begin_walk(rows, walks, held, money, acting, first):
        return first
    last = rows.of_step[min(step, never - 1)]
    if walks.met[acting, symbol] == NOTHING and walks.row[acting, symbol] < last:
        _walk_on(market, rules, walks, held, money, acting, last)
        money[FUNDING] = 0.0
    if walks.met[acting, symbol] != NOTHING and walks.row[acting, symbol] <= last:
        return min(step, max(market.step[walks.row[acting, symbol]], first))
    return step


@inlined
def _one_by_one(
    market: Market,
    rules: Rules,
    signals: Signals,
    rows: _Rows,
    held: Ints,
    money: Floats,
    memory: Ints,
    step: int,
    trades: Any,
    numbers: Any,
    log: Any,
) -> int:
    """Make every check from ``step`` on until the held hedge has ended; returns the last one made."""
    before, steps = memory[TRADES], len(rows.of_step)
    while True:
        row = rows.of_step[step]
        check(market, rules, signals, held, money, memory, row, step, trades, numbers, log)
        if memory[TRADES] > before:
            return step
        following = rows.after[row + 1] if row + 1 < len(rows.after) else -1
        step = next_step(held, step, market.step[following] if following >= 0 else steps)
        if step >= steps or memory[LINES] + 3 >= len(log):
            return step


@inlined
def _opens(
    market: Market,
    rules: Rules,
    signals: Signals,
    rows: _Rows,
    following: _Next,
    held: Ints,
    money: Floats,
    memory: Ints,
    row: int,
    log: Any,
) -> bool:
    """Open at the first check in or after a row that can; returns whether there is one."""
    while row < len(rows.after) and following.entry[row] >= 0:
        row = following.entry[row]
        if enter(market, rules, signals, held, money, memory, row, market.step[row]):
            say(memory, log, market.step[row], OPEN, held[SYMBOL], 0)
            return True
        row += 1
    return False


@compiled_in_place
def _chained(
    market: Market,
    rules: Rules,
    signals: Signals,
    rows: _Rows,
    following: _Next,
    walks: _Walks,
    state: Scratch,
    trades: Any,
    numbers: Any,
    log: Any,
) -> tuple[int, int]:
    """Play a set into arrays; returns numbers of trades and log lines, negative when there was no room."""
    held, money, memory = state
    steps, row = len(rows.of_step), 0
    while memory[HALTED] == 0:
        if memory[TRADES] + 2 >= len(trades) or memory[LINES] + 3 >= len(log):
            return -1, -1
        if held[SYMBOL] < 0 and not _opens(market, rules, signals, rows, following, held, money, memory, row, log):
            break
        acting = _row_at(market, memory[BUSY_MS], rows, held[OPENED_STEP])
        step = _exit(market, rules, rows, following, walks, held, money, acting)
        if step < steps:
            step = _one_by_one(market, rules, signals, rows, held, money, memory, step, trades, numbers, log)
        if step >= steps:
            break
        row = rows.of_step[step] + 1
    if held[SYMBOL] >= 0:
        symbol = held[SYMBOL]
        close(market, held, money, memory, len(market.row_ms) - 1, steps, WINDOW_ENDS, trades, numbers)
        say(memory, log, steps, CLOSE, symbol, WINDOW_ENDS)
    return memory[TRADES], memory[LINES]


@inlined
def _row_at(market: Market, at_ms: int, rows: _Rows, step: int) -> int:
    """Return the row at whose time, or in which, an entry was made."""
    row = rows.of_step[step]
    while row + 1 < len(market.row_ms) and market.row_ms[row + 1] <= at_ms:
        row += 1
    return row
