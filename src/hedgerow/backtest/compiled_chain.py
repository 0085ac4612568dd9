"""Plays parameter sets by jumping from an opening to its closing, and from there to the next opening; compiled.

What happens after an opening does not depend on the parameter set, only when it ends. So an opening is known by its
check, row and pair, and what was found out about it stays: when funding covers the fees so often, and the exits from
it, with what each made. Sets that share age and multiplier have the same exit from an opening, unless another pair pays
so much more, or funding is so low, before: the next block with that belongs to the signal. A check
at which prices cannot be used, a stop is hit, a closing waits or a hedge is rolled is made as ``kernel`` makes it, and
those after it until the hedge has ended.
"""

from typing import Any, NamedTuple

import numpy as np

from hedgerow.backtest.blocks import (
    BASIS_ROWS,
    EVERY_ROW,
    HIGH_PERP,
    LEADERS,
    LOW_PERP,
    LOW_SPOT,
    NO_ROW,
    Aprs,
    Blocks,
    Filters,
    Places,
    usable,
)
from hedgerow.backtest.compiling import called, compiled_in_place, compiled_rules, inlined, inlined_once
from hedgerow.backtest.kernel import (
    AGE_STEP,
    BETTER_PAIR,
    CLOSE,
    COINS,
    DEFERRED_MS,
    EMERGENCY,
    FEES_COVERED,
    FEES_IN,
    FIRST_PRINT,
    FRESH_STEP,
    FUNDING,
    LAST_PRINT,
    LINES,
    OPEN,
    OPENED_MS,
    OPENED_STEP,
    PERP_FEE,
    PERP_IN,
    PERP_SPREAD,
    PRICES_END,
    QUANTITY,
    REST_STEP,
    SPOT_FEE,
    SPOT_IN,
    SPOT_SPREAD,
    SYMBOL,
    TRADES,
    WINDOW_ENDS,
    Market,
    Rules,
    Signals,
    at_step,
    chosen_ms,
    close,
    count_from,
    exit_costs_too_much,
    judge,
    rank_row,
    roll_on,
    say,
    stop_hit_at,
    take,
    target_until,
)
from hedgerow.backtest.kernel import ROLL as ROLL_ACTION
from hedgerow.backtest.tables import Floats, Ints

__all__ = [
    "COUNT",
    "ENTRY_FIELDS",
    "EXIT_FIELDS",
    "PAID_FIELDS",
    "STATE_FIELDS",
    "TRADE_FIELDS",
    "WALK_FIELDS",
    "Following",
    "Memory",
    "Outcomes",
    "Sets",
    "chain_sets",
    "expand",
    "fill_entries",
    "fill_leavings",
    "gathered",
]

_RULES: Any = compiled_rules()
_admits, _better_pair, _exit_cost = _RULES.admits, _RULES.better_pair, _RULES.exit_cost
_fees_covered, _pair_fee = _RULES.fees_covered, _RULES.pair_fee
MAX_AGE, NEGATIVE_FUNDING, ROLLED = 4, 6, 9
"""Reasons beside those of ``kernel``; a rolled hedge is not closed."""
(
    LATE_MS,
    FIRST_ROW,
    FIRST_BLOCK,
    EARLIER,
    LAST_EXIT,
    RESTED_OF,
    RESTED,
    RESTED_BLOCK,
    PRINTS,
) = (2, *range(4, 12))
ENTRY_FIELDS = 16
"""Of an opening, beside the whole numbers of ``kernel.FIELDS`` to FIRST_PRINT: by how much it is later than its check;
row and block of the check after it; the opening of that row before it; its newest exit; for
which rest the next two were computed, the check at which that is over and the block of it; and how many settled rates
were summed. 64 bytes: those that are looked up together are together."""
SUM, BASIS_IN, PAID_FIELDS = range(3)
"""Of an opening: the sum of the settled rates, and (perpetual - spot) / spot."""
NEXT_BLOCK, PRINT, MET_ROW, MET, WALK_FIELDS = range(5)
"""Of a walk from an opening: the first block not looked at, settled rates that were added, and what was met."""
OPENING, STEP, REASON, ROW, BLOCK, ACTING, ACTING_BLOCK, THEN_PAIR, THEN, OTHER, BETTER, AFTER_OF, AFTER = range(13)
EXIT_FIELDS = 16
"""Of an exit: the opening it ends, the check that decided it, why, the row that this check saw and its block; the row
at whose time it was traded (-1 = at the end) and its block; the pair opened then, and that opening; the exit of the
same opening before it; the pair that it was left for, -1 = none; for which limits the opening after it was found, and
that opening. 64 bytes."""
NOTHING, COVERED, STOPPED = range(3)
LATER = -1
"""The reason is one that comes after those of prices and fees."""
EXIT, BEFORE, TRADE_FIELDS = range(3)
"""Of a trade: number of the exit, and the line of the set's trade before it."""
HELD, LAST, COUNT, STATE_FIELDS = range(4)
"""Of a set at work: the opening that is held, the line of its last trade, and how many lines it has."""
TILES = 64
"""Parts of the window: all sets are played through one before the next, so that what they look up stays near."""
(
    WALK_SLOT,
    CLASS_SLOT,
    AGE_MS,
    AGE_STEPS,
    REST_MS,
    REST_STEPS,
    REST,
    ROLL,
    HALTS,
    SIGNAL_SLOT,
    FILTER_SLOT,
    LIMIT_SLOT,
    LEAVING_SLOT,
    LIMIT,
    CHANGE_SLOT,
) = range(15)
MULTIPLIER, MAX_HOURS, MIN_HOURS, EXIT_COST, LOSS, SHORT_ALONE, SUPPORT, MIN_APR, EXIT_APR, GAIN = range(10)
FIRST_MIX, SECOND_MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
SHIFT = np.uint64(29)
NO_OPENING, NO_ROOM, BEGIN = -1, -2, -3
NO_EXIT = -1
NO_PAIR = -2
"""Of an exit: with it, no opening is known yet that all sets make whose signal chooses one pair in the whole block."""
OPENINGS, EXITS = 0, 1
"""Of ``Memory.size``."""
MOST_AHEAD = 16_000
"""Blocks; so many fit into 16 bits."""
LEAST_ROOM = 2


class Following(NamedTuple):
    """Of a signal and limits of it: the first block from each on in which something may be decided."""

    entry: Places
    """``[block]``: in which a pair pays enough to be opened."""
    opens: Places
    """``[block]``, 16 bits: the pair that is opened at every row of it; -1 = it depends on the row."""
    negative: Places
    """``[block, symbol]``: in which holding ends because of funding."""
    better: Places
    """``[block, symbol]``, 16 bits: 0 = not looked for; else 1 + 2 x how many blocks ahead the first is that may hold
    a better pair, and 1 more where it does: without that, it has not been looked at."""


class Memory(NamedTuple):
    """What was found out about openings and exits, by their numbers."""

    heads: Places
    """``[row]``: the newest opening that was chosen in it, and one; 0 = none."""
    entries: Places
    """``[opening, SYMBOL to PRINTS]``"""
    numbers: Floats
    """``[opening, QUANTITY to COINS]``, as ``kernel.NUMBERS``"""
    paid: Floats
    """``[opening, SUM to BASIS_IN]``"""
    walks: Places
    """``[slot, opening, NEXT_BLOCK to MET]``"""
    funding: Floats
    """``[slot, opening]``: paid on the walk."""
    classes: Places
    """``[slot, opening]``: the exit, and one, of sets that share age and multiplier if no signal comes before; 0 = not
    known, and -1 = only making checks decides. The last slot is empty."""
    changes: Places
    """``[slot, opening]``: the exit, and one, for the first better pair of sets that share signal, limits and rest; 0 =
    not known, and -1 - row = there is no better pair up to a row. The last slot is empty."""
    exits: Places
    """``[exit, OPENING to OTHER]``"""
    made: Floats
    """``[exit]``: rates less costs, a fraction of notional."""
    size: Ints
    """How many openings there are, and exits."""


class Sets(NamedTuple):
    """Parameter sets that are played at once."""

    whole: Ints
    """``[set, WALK_SLOT to CHANGE_SLOT]``"""
    numbers: Floats
    """``[set, MULTIPLIER to GAIN]``"""


class Outcomes(NamedTuple):
    """What sets did."""

    trades: Places
    """``[trade, EXIT to BEFORE]``, those of all sets mixed."""
    state: Ints
    """``[set, HELD to COUNT]``"""
    net: Floats
    """Rates less costs, fractions of notional."""
    digest: Any
    """``[set, 2]``: hash of what was decided so far."""
    cost: Floats
    """Of a round trip, by symbol."""


class _Window(NamedTuple):
    """What compiled functions need beside a set."""

    market: Market
    blocks: Blocks
    filters: Filters
    aprs: Aprs
    following: Following
    memory: Memory


class _Known(NamedTuple):
    """Where known trades of a set are looked up: what belongs to its slots, and the number of its limits.

    A place that is known not to be negative is a ``uint64``: with it compiled code does not ask whether it is counted
    from the end.
    """

    classes: Places
    changes: Places
    opens: Places
    negative: Places
    better: Places
    limit: int


@compiled_in_place
def fill_entries(blocks: Blocks, filters: Filters, aprs: Aprs, min_apr: float, entry: Places, opens: Places) -> None:
    """Fill the next blocks of entries, and what is opened in each."""
    count, symbols = aprs.apr.shape
    entry[count] = count
    for block in range(count - 1, -1, -1):
        entry[block], opens[block] = entry[block + 1], -1
        if not _admits(aprs.top[block], min_apr):
            continue
        if blocks.check[blocks.first[block]] < blocks.first[block + 1]:
            for symbol in range(symbols):
                if filters.block[block, symbol] and _admits(aprs.apr[block, symbol], min_apr):
                    entry[block] = block
        opens[block] = _opened_in(filters, aprs, min_apr, block)


@inlined
def _opened_in(filters: Filters, aprs: Aprs, min_apr: float, block: int) -> int:
    """Return the pair that is opened at every row of a block; -1 = it depends on the row, or none is."""
    apr, passed = aprs.apr[block], filters.passed[block]
    for place in range(min(LEADERS, len(apr))):
        leader = aprs.leaders[block, place]
        if leader < 0 or not (apr[leader] > 0.0 and _admits(apr[leader], min_apr)):
            return -1
        if passed[leader] != NO_ROW:
            return leader if passed[leader] == EVERY_ROW else -1
    return -1


@compiled_in_place
def fill_leavings(blocks: Blocks, aprs: Aprs, exit_apr: float, negative: Places) -> None:
    """Fill the next blocks of negative funding."""
    count, symbols = aprs.apr.shape
    for symbol in range(symbols):
        negative[count, symbol] = count
    for block in range(count - 1, -1, -1):
        is_checked = blocks.check[blocks.first[block]] < blocks.first[block + 1]
        for symbol in range(symbols):
            leaves = is_checked and aprs.apr[block, symbol] < exit_apr
            negative[block, symbol] = block if leaves else negative[block + 1, symbol]


@inlined
def _pays(rules: Rules, apr: Any) -> bool:
    """Return whether a signal passes the filters of the signal; its mean has the sign of its APR."""
    return bool(apr > 0.0 and _admits(apr, rules.min_apr))


@inlined
def _best(window: _Window, rules: Rules, row: int, other_than: int) -> int:
    """Return the pair that pays most of those that may be entered, the first of equal ones; -1 = none."""
    block, passed = window.blocks.of_row[row], window.filters.row[row]
    if not _pays(rules, window.aprs.top[block]):
        return -1
    for place in range(min(LEADERS, len(passed))):
        leader = window.aprs.leaders[block, place]
        if leader < 0 or not _pays(rules, window.aprs.apr[block, leader]):
            return -1
        if passed[leader] and leader != other_than:
            return leader
    best, most = -1, -np.inf
    for symbol in range(len(passed)):
        apr = window.aprs.apr[block, symbol]
        if apr > most and passed[symbol] and symbol != other_than and _pays(rules, apr):
            best, most = symbol, apr
    return best


@inlined
def _better(window: _Window, rules: Rules, row: int, held: int) -> int:
    """Return the pair that a held one would be left for, its rest over; -1 = none."""
    apr = window.aprs.apr[window.blocks.of_row[row]]
    best = _best(window, rules, row, held)
    if best >= 0 and _better_pair(apr[held], apr[best], rules.gain, 0.0, 0.0):
        return best
    return -1


@inlined
def _may_be_better(window: _Window, rules: Rules, block: int, held: int) -> bool:
    """Return whether a block may hold a better pair: all filters are passed in it, perhaps at other checks."""
    apr, passed = window.aprs.apr[block], window.filters.block[block]
    if not _better_pair(apr[held], window.aprs.top[block], rules.gain, 0.0, 0.0):
        return False
    for symbol in range(len(apr)):
        pays = symbol != held and passed[symbol] and _pays(rules, apr[symbol])
        if pays and _better_pair(apr[held], apr[symbol], rules.gain, 0.0, 0.0):
            return True
    return False


@inlined
def _next_better(window: _Window, rules: Rules, block: int, last: int, held: int) -> int:
    """Return the first block up to ``last`` that may hold a better pair, or one after ``last``."""
    better = window.following.better
    at, hit = block, 0
    while at <= last:
        known = int(better[at, held])
        if known:
            at, hit = at + ((known - 1) >> 1), (known - 1) & 1
            if hit:
                break
        elif _may_be_better(window, rules, at, held):
            hit = 1
            break
        else:
            at += 1
    passed = block
    while passed < at:
        known, ahead = int(better[passed, held]), at - passed
        better[passed, held] = 1 + 2 * ahead + hit if ahead <= MOST_AHEAD else 1 + 2 * MOST_AHEAD
        passed += max((known - 1) >> 1, 1) if known else 1
    if hit:
        better[at, held] = 2
    return at


@inlined
def _delayed(window: _Window, entry: int, delay_ms: int, delay_steps: int) -> tuple[int, int]:
    """Return the first check after an opening at which so much time has passed, and its row; at most the last one."""
    of_step, whole = window.blocks.of_step, window.memory.entries[entry]
    never, late = len(of_step), whole[LATE_MS]
    steps = delay_steps if late == 0 else -(-(late + delay_ms) // window.market.cycle_ms)
    step = min(whole[OPENED_STEP] + max(steps, 1), never)
    return step, of_step[min(step, never - 1)]


@inlined
def _rested(window: _Window, own: Ints, entry: int) -> tuple[int, int]:
    """Return the first check after an opening at which a better pair is looked for, and its block."""
    whole = window.memory.entries[entry]
    if whole[RESTED_OF] != own[REST]:
        step, row = _delayed(window, entry, own[REST_MS], own[REST_STEPS])
        whole[RESTED_OF], whole[RESTED], whole[RESTED_BLOCK] = own[REST], step, window.blocks.of_row[row]
    return whole[RESTED], whole[RESTED_BLOCK]


@inlined
def _entry(window: _Window, held: Ints, money: Floats, step: int, row: int, symbol: int) -> int:
    """Return the number of an opening; NO_OPENING = it cannot be made, NO_ROOM = to remember it."""
    market, memory = window.market, window.memory
    entry = memory.heads[row] - 1
    while entry >= 0:
        known = memory.entries[entry]
        if known[OPENED_STEP] == step and known[SYMBOL] == symbol:
            return entry
        entry = known[EARLIER] - 1
    if not take(market, held, money, row, step, symbol):
        return NO_OPENING
    entry = memory.size[OPENINGS]
    if entry >= len(memory.entries):
        return NO_ROOM
    memory.size[OPENINGS] = entry + 1
    _note(window, held, money, entry, row)
    return entry


@inlined
def _note(window: _Window, held: Ints, money: Floats, entry: int, row: int) -> None:
    """Remember an opening."""
    memory, blocks = window.memory, window.blocks
    whole, numbers = memory.entries[entry], memory.numbers[entry]
    whole[SYMBOL], whole[OPENED_STEP], whole[FIRST_PRINT] = held[SYMBOL], held[OPENED_STEP], held[FIRST_PRINT]
    whole[LATE_MS] = held[OPENED_MS] - at_step(window.market, held[OPENED_STEP])
    for column in range(len(numbers)):
        numbers[column] = money[column]
    first = held[OPENED_STEP] + 1
    whole[FIRST_ROW] = blocks.of_step[first] if first < len(blocks.of_step) else len(window.market.row_ms)
    whole[FIRST_BLOCK] = blocks.of_row[min(whole[FIRST_ROW], len(window.market.row_ms) - 1)]
    whole[EARLIER], memory.heads[row] = memory.heads[row], entry + 1
    memory.paid[entry, BASIS_IN] = (money[PERP_IN] - money[SPOT_IN]) / money[SPOT_IN]


@inlined_once
def _walk(window: _Window, rules: Rules, slot: int, entry: int, last: int) -> tuple[int, int]:
    """Follow an opening through all blocks up to ``last``; returns the row at which something is met, and what."""
    walk = window.memory.walks[slot, entry]
    if walk[MET] == NOTHING and walk[NEXT_BLOCK] <= last:
        _walk_on(window, rules, slot, entry, last)
    return walk[MET_ROW], walk[MET]


@inlined
def _walk_on(window: _Window, rules: Rules, slot: int, entry: int, last: int) -> None:
    market, blocks, walk = window.market, window.blocks, window.memory.walks[slot, entry]
    whole, numbers = window.memory.entries[entry], window.memory.numbers[entry]
    symbol, first = whole[SYMBOL], whole[FIRST_ROW]
    number, funding = walk[PRINT], window.memory.funding[slot, entry]
    block = walk[NEXT_BLOCK]
    if block == 0:
        block, number = blocks.of_row[first], whole[FIRST_PRINT]
    while block <= last:
        while number < blocks.known[block, symbol]:
            funding += numbers[QUANTITY] * market.paid_mark[number, symbol] * market.rate[number, symbol]
            number += 1
        numbers[FUNDING] = funding
        prices = blocks.prices[block, symbol]
        if _met(market, rules, numbers, symbol, prices[LOW_SPOT], prices[LOW_PERP], prices[HIGH_PERP]) != NOTHING:
            rows = max(first, blocks.first[block]), blocks.first[block + 1]
            walk[MET_ROW], walk[MET] = _met_in(market, rules, numbers, symbol, rows[0], rows[1])
        block += 1
        if walk[MET] != NOTHING:
            break
    walk[NEXT_BLOCK], walk[PRINT], window.memory.funding[slot, entry] = block, number, funding
    numbers[FUNDING] = 0.0


@inlined
def _met_in(market: Market, rules: Rules, numbers: Floats, symbol: int, first: int, end: int) -> tuple[int, int]:
    """Return the first check's row from ``first`` to before ``end`` at which something is met, and what."""
    for row in range(first, end):
        if market.step[row] < 0 or not market.readable[row, symbol]:
            continue
        spot, perp = market.spot[row, symbol], market.perp[row, symbol]
        met = _met(market, rules, numbers, symbol, spot, perp, perp)
        if met == STOPPED or (met == COVERED and usable(market, row, symbol)):
            return row, met
    return 0, NOTHING


@inlined
def _met(
    market: Market, rules: Rules, numbers: Floats, symbol: int, low_spot: float, low_perp: float, high_perp: float
) -> int:
    """Return what may be met at these prices: a stop, or that funding covers the fees."""
    if stop_hit_at(rules, numbers, low_spot, high_perp):
        return STOPPED
    if not numbers[FUNDING] > 0.0:
        return NOTHING
    fee = _pair_fee(
        1.0,
        numbers[COINS] * low_spot,
        market.books[symbol, SPOT_FEE],
        numbers[QUANTITY] * low_perp,
        market.books[symbol, PERP_FEE],
    )
    return COVERED if _fees_covered(numbers[FUNDING], rules.multiplier, numbers[FEES_IN], fee) else NOTHING


@inlined
def _seen_from(market: Market, row: int, first: int) -> int:
    """Return the first check from ``first`` on that sees a row."""
    return max(int(market.step[row]), first)


@inlined_once
def _exit(  # noqa: C901 - one candidate after the other
    window: _Window, rules: Rules, own: Ints, entry: int, has_signal: int
) -> tuple[int, int, int, int]:
    """Return the first check that can do more than hold, its row, its reason and the better pair.

    The reason is 0 where only making the check decides. With ``has_signal`` 0 it is that of age, prices and funding.
    """
    market, blocks, whole = window.market, window.blocks, window.memory.entries[entry]
    symbol, first, first_row = whole[SYMBOL], whole[OPENED_STEP] + 1, whole[FIRST_ROW]
    never = len(blocks.of_step)
    if first >= never:
        return never, len(market.row_ms) - 1, WINDOW_ENDS, -1
    aged, row = _delayed(window, entry, own[AGE_MS], own[AGE_STEPS])
    step, better = aged, -1
    if blocks.ended[symbol] < step:
        step = max(int(blocks.ended[symbol]), first)
        row = blocks.of_step[step]
    block = window.following.negative[whole[FIRST_BLOCK], symbol]
    if has_signal != 0 and block <= blocks.of_row[row]:
        found = max(first_row, blocks.check[blocks.first[block]])
        if found <= row:
            row, step = found, _seen_from(market, found, first)
    met_row, met = _walk(window, rules, own[WALK_SLOT], entry, blocks.of_row[row])
    if met != NOTHING and met_row <= row:
        row, step = met_row, _seen_from(market, met_row, first)
    rested, _ = _rested(window, own, entry)
    if has_signal != 0 and rested <= step:
        found, better = _first_better(window, rules, blocks.of_step[min(rested, never - 1)], row, symbol)
        if better >= 0:
            row, step = found, _seen_from(market, found, rested)
        elif own[CHANGE_SLOT] >= 0 and window.memory.changes[own[CHANGE_SLOT], entry] <= 0:
            window.memory.changes[own[CHANGE_SLOT], entry] = min(
                window.memory.changes[own[CHANGE_SLOT], entry], -1 - row
            )
    if step >= never:
        return never, len(market.row_ms) - 1, WINDOW_ENDS, -1
    reason = _reason(window, rules, own, entry, row, step, met if met_row == row else NOTHING)
    if reason == LATER:
        reason = MAX_AGE if step >= aged else BETTER_PAIR if better >= 0 else NEGATIVE_FUNDING
    return step, row, reason, better if reason == BETTER_PAIR else -1


@inlined
def _reason(window: _Window, rules: Rules, own: Ints, entry: int, row: int, step: int, met: int) -> int:
    """Return the reason of a check that comes before those of the signal and of age, or that it is one of them."""
    market, symbol = window.market, window.memory.entries[entry, SYMBOL]
    if step >= window.blocks.ended[symbol]:
        return PRICES_END
    if met == STOPPED or not usable(market, row, symbol) or _waits(window, rules, entry, row, symbol):
        return 0
    if met == NOTHING:
        return LATER
    if own[ROLL] and _best(window, rules, row, -1) == symbol:
        return 0
    return FEES_COVERED


@inlined
def _waits(window: _Window, rules: Rules, entry: int, row: int, symbol: int) -> bool:
    """Return whether prices make a closing cost too much."""
    books = window.market.books[symbol]
    highest, basis_in = window.blocks.basis[row // BASIS_ROWS, symbol], window.memory.paid[entry, BASIS_IN]
    if _exit_cost(books[SPOT_SPREAD], books[PERP_SPREAD], highest, basis_in) <= rules.max_exit_cost:
        return False
    return exit_costs_too_much(window.market, rules, window.memory.numbers[entry], row, symbol)


@inlined_once
def _first_better(window: _Window, rules: Rules, row: int, last: int, held: int) -> tuple[int, int]:
    """Return the first check's row from ``row`` to ``last`` with a better pair, and the pair; -1 = none."""
    blocks = window.blocks
    block = blocks.of_row[row]
    while True:
        block = _next_better(window, rules, block, blocks.of_row[last], held)
        if block > blocks.of_row[last]:
            return -1, -1
        for found in range(max(row, blocks.first[block]), min(last + 1, blocks.first[block + 1])):
            if window.market.step[found] >= 0:
                better = _better(window, rules, found, held)
                if better >= 0:
                    return found, better
        block += 1


@called
def _by_checks(
    window: _Window,
    rules: Rules,
    one: Signals,
    held: Ints,
    money: Floats,
    entry: int,
    step: int,
    out: Outcomes,
    number: int,
    line: int,
) -> tuple[int, int, int, int, int]:
    """Make every check from ``step`` on until the hedge ends; returns as ``_exit``, and the next trade's place."""
    market, blocks = window.market, window.blocks
    _hold(market, window.memory, held, money, entry)
    count_from(market, rules, held, held[OPENED_MS], held[OPENED_STEP])
    never, filled = len(blocks.of_step), -1
    while step < never and line + LEAST_ROOM < len(out.trades):
        row = blocks.of_step[step]
        if row != filled:
            _fill_one(window, rules, one, row)
            filled = row
        reason, better, roll = judge(market, rules, one, 0, held, money, row, at_step(market, step))
        if roll:
            roll_on(market, rules, held, money, step)
            rolled = _exit_number(window, out, entry, step, row, ROLLED, -1)
            if rolled == NO_ROOM:
                return step, row, WINDOW_ENDS, -1, len(out.trades)
            _write(window.memory, out, number, line, rolled)
            line += 1
        elif reason:
            return step, row, reason, better, line
        following = blocks.check[row + 1]
        last = int(market.step[following]) if following < len(market.row_ms) else never
        step = _next_check(market, held, step, last)
    return never, len(market.row_ms) - 1, WINDOW_ENDS, -1, line


@inlined
def _hold(market: Market, memory: Memory, held: Ints, money: Floats, entry: int) -> None:
    """Hold an opening as ``kernel`` holds it."""
    whole = memory.entries[entry]
    held[SYMBOL], held[OPENED_STEP], held[FIRST_PRINT] = whole[SYMBOL], whole[OPENED_STEP], whole[FIRST_PRINT]
    held[OPENED_MS], held[LAST_PRINT] = at_step(market, whole[OPENED_STEP]) + whole[LATE_MS], whole[FIRST_PRINT]
    for column in range(len(money)):
        money[column] = memory.numbers[entry, column]


@inlined
def _next_check(market: Market, held: Ints, step: int, following: int) -> int:
    """Return the next check that can differ from this one: a closing waits alike at all checks of a row."""
    if held[FRESH_STEP] == step:
        return min(step + 1, following)
    found = following
    for limit in (held[AGE_STEP], held[REST_STEP], -((market.start_ms - held[DEFERRED_MS]) // market.cycle_ms)):
        if step < limit < found:
            found = limit
    return found


@inlined
def _fill_one(window: _Window, rules: Rules, one: Signals, row: int) -> None:
    """Fill ``one`` with what the rules make of a row."""
    apr, passed = window.aprs.apr[window.blocks.of_row[row]], window.filters.row[row]
    for symbol in range(len(apr)):
        one.apr[0, symbol], one.rank[0, symbol] = apr[symbol], -1
    rank_row(one, 0)
    for place in range(one.ranked[0]):
        one.admitted[0, place] = passed[one.order[0, place]] and _pays(rules, one.aprs[0, place])


@inlined
def _exit_number(window: _Window, out: Outcomes, entry: int, step: int, row: int, reason: int, better: int) -> int:
    """Return the number of an exit; NO_ROOM = to remember it."""
    memory, blocks = window.memory, window.blocks
    whole = memory.entries[entry]
    number = whole[LAST_EXIT] - 1
    while number >= 0:
        known = memory.exits[number]
        if known[STEP] == step and known[REASON] == reason and known[ROW] == row and known[BETTER] == better:
            return number
        number = known[OTHER] - 1
    number = memory.size[EXITS]
    if number >= len(memory.exits):
        return NO_ROOM
    memory.size[EXITS] = number + 1
    its, symbol = memory.exits[number], whole[SYMBOL]
    its[OTHER], whole[LAST_EXIT], its[BETTER] = whole[LAST_EXIT], number + 1, better
    its[OPENING], its[STEP], its[REASON], its[ROW], its[BLOCK] = entry, step, reason, row, blocks.of_row[row]
    acting = row if reason in (EMERGENCY, WINDOW_ENDS) else blocks.act[row, symbol]
    ends = reason == WINDOW_ENDS or acting < 0
    its[ACTING], its[ACTING_BLOCK], its[THEN_PAIR] = -1 if ends else acting, blocks.of_row[max(acting, 0)], NO_PAIR
    if reason != ROLLED:
        memory.made[number] = _rates(window, entry, max(row, acting), ends) - out.cost[symbol]
    return number


@inlined
def _write(memory: Memory, out: Outcomes, number: Any, line: Any, exit_: Any) -> None:
    """Add a line to what a set did, and to the hash of its decisions."""
    trade, state, digest, its = out.trades[line], out.state[number], out.digest[number], memory.exits[exit_]
    trade[EXIT], trade[BEFORE] = exit_, state[LAST]
    state[LAST] = line
    state[COUNT] += 1
    whole = memory.entries[np.uint64(its[OPENING])]
    opened = np.uint64(np.int64(whole[OPENED_STEP]) * 65_536 + whole[SYMBOL])
    closed = np.uint64(np.int64(its[STEP]) * 16 + its[REASON])
    mix = (digest[0] ^ opened) * FIRST_MIX
    mix = (mix ^ (mix >> SHIFT) ^ closed) * SECOND_MIX
    digest[1] = (digest[1] ^ (digest[1] >> SHIFT) ^ mix) * FIRST_MIX
    digest[0] = mix


@inlined
def _choice(window: _Window, rules: Rules, row: int, at_ms: int, target: int, until_ms: int) -> int:
    """Return what is opened in a row: the pair decided for while closing, else the best; -1 = nothing."""
    preferred = at_ms < until_ms and window.filters.row[row, target]
    if preferred and _pays(rules, window.aprs.apr[window.blocks.of_row[row], target]):
        return target
    return _best(window, rules, row, -1)


@inlined
def _rates(window: _Window, entry: int, row: int, is_open: bool) -> float:  # noqa: FBT001 - compiled code passes no keywords
    """Return the sum of the rates that a hedge was paid: up to a row, or while it is open up to the end."""
    market, known, whole = window.market, window.memory.paid[entry], window.memory.entries[entry]
    symbol = whole[SYMBOL]
    last = window.blocks.known[window.blocks.of_row[row], symbol]
    if is_open:
        last = max(last, whole[FIRST_PRINT])
        while last < len(market.stamp_ms) and market.stamp_ms[last, symbol] <= market.end_ms:
            last += 1
    number, total = int(whole[PRINTS]), known[SUM]
    if number > last or number < whole[FIRST_PRINT]:
        number, total = int(whole[FIRST_PRINT]), 0.0
    while number < last:
        total += window.blocks.rates[symbol, number]
        number += 1
    whole[PRINTS], known[SUM] = number, total
    return total


@compiled_in_place
def chain_sets(
    market: Market,
    blocks: Blocks,
    filters: Filters,
    aprs: Aprs,
    following: Following,
    memory: Memory,
    rules: Rules,
    sets: Sets,
    first: int,
    end: int,
    one: Signals,
    held: Ints,
    money: Floats,
    out: Outcomes,
) -> bool:
    """Play the sets from ``first`` to before ``end``; returns False when there was no room for trades or openings.

    Of filters, signals and what follows from them there are several: the slots of each set say which are its own.
    """
    for number in range(first, end):
        out.state[number, HELD], out.state[number, LAST], out.state[number, COUNT] = BEGIN, -1, 0
        out.digest[number, 0], out.digest[number, 1] = FIRST_MIX, SECOND_MIX
        out.net[number] = 0.0
    steps, line = len(blocks.of_step), 0
    tables = _Window(market, blocks, filters, aprs, following, memory)
    for tile in range(TILES):
        until = steps * (tile + 1) // TILES
        for number in range(first, end):
            own, entry = sets.whole[number], out.state[number, HELD]
            known = _known_of(following, memory, own)
            while entry == BEGIN or (entry >= 0 and memory.entries[np.uint64(entry), OPENED_STEP] < until):
                if line + LEAST_ROOM >= len(out.trades):
                    return False
                entry, line = _traded(tables, known, rules, sets, one, held, money, entry, out, number, line)
            out.state[number, HELD] = entry
            if entry == NO_ROOM:
                return False
    return True


@inlined
def _known_of(following: Following, memory: Memory, own: Ints) -> _Known:
    """Return where the trades of a set are looked up; where it has no slot, in an empty one."""
    limit = own[LIMIT_SLOT]
    return _Known(
        memory.classes[own[CLASS_SLOT]],
        memory.changes[own[CHANGE_SLOT]],
        following.opens[limit],
        following.negative[own[LEAVING_SLOT]],
        following.better[limit],
        own[LIMIT],
    )


@inlined_once
def _traded(
    tables: _Window,
    known: _Known,
    rules: Rules,
    sets: Sets,
    one: Signals,
    held: Ints,
    money: Floats,
    entry: int,
    out: Outcomes,
    number: int,
    line: int,
) -> tuple[int, int]:
    """End a hedge and make the next opening; returns it, NO_OPENING or NO_ROOM, and the next trade's line."""
    memory, own, exit_ = tables.memory, sets.whole[number], NO_EXIT
    if entry != BEGIN:
        exit_ = _known_exit(tables, known, own, np.uint64(entry))
        if exit_ == NO_EXIT:
            window, its_rules = _window_of(tables, own), _rules_of(rules, own, sets.numbers[number])
            exit_, line = _found_exit(window, its_rules, own, one, held, money, entry, out, number, line)
            if exit_ == NO_ROOM:
                return NO_ROOM, line
        place = np.uint64(exit_)
        _write(memory, out, np.uint64(number), np.uint64(line), place)
        line += 1
        out.net[np.uint64(number)] += memory.made[place]
        its = memory.exits[place]
        if its[ACTING] < 0 or (its[REASON] == EMERGENCY and own[HALTS] != 0):
            return NO_OPENING, line
        if its[THEN_PAIR] == known.opens[np.uint64(its[ACTING_BLOCK])]:
            return its[THEN], line
        if its[AFTER_OF] == known.limit:
            return its[AFTER], line
    window, its_rules = _window_of(tables, own), _rules_of(rules, own, sets.numbers[number])
    opened = _opened_after(window, its_rules, held, money, exit_)
    if exit_ != NO_EXIT and opened != NO_ROOM:
        memory.exits[exit_, AFTER_OF], memory.exits[exit_, AFTER] = known.limit, opened
    return opened, line


@inlined_once
def _opened_after(window: _Window, rules: Rules, held: Ints, money: Floats, exit_: int) -> int:
    """Return the opening that is made with an exit or after it, NO_OPENING or NO_ROOM."""
    row, target, until_ms = 0, -1, 0
    if exit_ != NO_EXIT:
        its = window.memory.exits[exit_]
        step, acting, target = its[STEP], its[ACTING], its[BETTER]
        if target >= 0:
            until_ms = target_until(window.market, its[ROW], step, target)
        symbol = window.following.opens[its[ACTING_BLOCK]]
        if target >= 0 or symbol < 0:
            symbol = _choice(window, rules, acting, chosen_ms(window.market, acting, step), target, until_ms)
        if symbol >= 0:
            opened = _entry(window, held, money, step, acting, symbol)
            if opened >= 0 and target < 0:
                its[THEN_PAIR], its[THEN] = symbol, opened
            if opened != NO_OPENING:
                return opened
        row = window.blocks.of_step[step] + 1
    return _opening(window, rules, held, money, row, target, until_ms)


@inlined
def _known_exit(tables: _Window, known: _Known, own: Ints, entry: Any) -> int:
    """Return the exit from an opening where it is known; NO_EXIT where it is not."""
    memory, exit_ = tables.memory, known.classes[entry] - 1
    if exit_ < 0:
        return NO_EXIT
    its, whole = memory.exits[np.uint64(exit_)], memory.entries[entry]
    symbol = np.uint64(whole[SYMBOL])
    negative = int(known.negative[np.uint64(whole[FIRST_BLOCK]), symbol]) - its[BLOCK]
    rested, block = _rested(tables, own, entry)
    better = block + ((int(known.better[np.uint64(block), symbol]) - 1) >> 1) - its[BLOCK]
    if min(negative, max(better, rested - its[STEP])) > 0:
        return exit_
    return _known_change(memory, known.changes[entry], exit_) if negative > 0 else NO_EXIT


@inlined
def _known_change(memory: Memory, change: int, exit_: int) -> int:
    """Return the exit for a better pair, or the one that is made without; NO_EXIT where it is not known."""
    if change == 0:
        return NO_EXIT
    until, row = memory.exits[change - 1, ROW] if change > 0 else -change, memory.exits[exit_, ROW]
    if until > row:
        return exit_
    return change - 1 if change > 0 and until < row else NO_EXIT


@inlined_once
def _found_exit(
    window: _Window,
    rules: Rules,
    own: Ints,
    one: Signals,
    held: Ints,
    money: Floats,
    entry: int,
    out: Outcomes,
    number: int,
    line: int,
) -> tuple[int, int]:
    """Return the exit from an opening, and the next trade's line; the exit can be NO_ROOM."""
    memory, in_class, changes = window.memory, own[CLASS_SLOT], own[CHANGE_SLOT]
    exit_ = NO_EXIT
    for has_signal in range(int(in_class < 0 or memory.classes[in_class, entry] != 0), 2):
        step, row, reason, better = _exit(window, rules, own, entry, has_signal)
        changed = has_signal != 0 and reason == BETTER_PAIR
        if has_signal != 0 and reason == 0:
            step, row, reason, better, line = _by_checks(
                window, rules, one, held, money, entry, step, out, number, line
            )
        if has_signal == 0 and not (reason == MAX_AGE or (reason == FEES_COVERED and not own[ROLL])):
            memory.classes[in_class, entry] = -1
            continue
        if line + LEAST_ROOM >= len(out.trades):
            return NO_ROOM, line
        exit_ = _exit_number(window, out, entry, step, row, reason, better if reason == BETTER_PAIR else -1)
        if exit_ == NO_ROOM:
            return NO_ROOM, line
        if has_signal == 0:
            memory.classes[in_class, entry] = exit_ + 1
        elif changed and changes >= 0:
            memory.changes[changes, entry] = exit_ + 1
    return exit_, line


@inlined_once
def _opening(window: _Window, rules: Rules, held: Ints, money: Floats, row: int, target: int, until_ms: int) -> int:
    """Return the first opening at a check in or after a row."""
    blocks, rows = window.blocks, len(window.market.row_ms)
    row = blocks.check[row]
    while row < rows:
        block = blocks.of_row[row]
        following = window.following.entry[block]
        if following > block:
            row = blocks.check[blocks.first[following]]
            continue
        step = window.market.step[row]
        symbol = _choice(window, rules, row, at_step(window.market, step), target, until_ms)
        if symbol >= 0:
            entry = _entry(window, held, money, step, row, symbol)
            if entry != NO_OPENING:
                return entry
        row = blocks.check[row + 1]
    return NO_OPENING


@inlined
def _window_of(tables: _Window, own: Ints) -> _Window:
    """Return what belongs to a set."""
    signal, passed, limit = own[SIGNAL_SLOT], own[FILTER_SLOT], own[LIMIT_SLOT]
    filters, aprs, following = tables.filters, tables.aprs, tables.following
    return _Window(
        tables.market,
        tables.blocks,
        Filters(filters.row[passed], filters.block[passed], filters.passed[passed]),
        Aprs(aprs.apr[signal], aprs.top[signal], aprs.leaders[signal]),
        Following(
            following.entry[limit],
            following.opens[limit],
            following.negative[own[LEAVING_SLOT]],
            following.better[limit],
        ),
        tables.memory,
    )


@inlined
def _rules_of(rules: Rules, own: Ints, numbers: Floats) -> Rules:
    """Return the thresholds of a set; those that only tables are made with are any set's."""
    return Rules(
        rules.periods,
        rules.average,
        numbers[MIN_APR],
        rules.min_volume,
        rules.max_spread,
        rules.max_discount,
        rules.max_premium,
        numbers[EXIT_APR],
        numbers[MULTIPLIER],
        numbers[MAX_HOURS],
        numbers[GAIN],
        numbers[MIN_HOURS],
        own[ROLL] != 0,
        numbers[EXIT_COST],
        numbers[LOSS],
        numbers[SHORT_ALONE] != 0.0,
        own[HALTS] != 0,
        numbers[SUPPORT],
    )


@compiled_in_place
def gathered(out: Outcomes, number: int, lines: Places) -> Places:
    """Fill the lines of a set in their order; returns them."""
    line, place = out.state[number, LAST], len(lines)
    while line >= 0:
        place -= 1
        for column in range(TRADE_FIELDS):
            lines[place, column] = out.trades[line, column]
        line = out.trades[line, BEFORE]
    return lines


@compiled_in_place
def expand(
    market: Market, memory: Memory, lines: Places, state: Any, whole: Ints, numbers: Floats, log: Ints
) -> tuple[int, int]:
    """Fill the trades and the log of a set as ``kernel`` writes them; returns how many there are."""
    held, money, counts = state
    counts[TRADES], counts[LINES] = 0, 0
    is_open = False
    for line in range(len(lines)):
        its = memory.exits[lines[line, EXIT]]
        step, reason, row = its[STEP], its[REASON], its[ROW]
        if not is_open:
            _hold(market, memory, held, money, its[OPENING])
            say(counts, log, held[OPENED_STEP], OPEN, held[SYMBOL], 0)
        is_open = reason == ROLLED
        symbol = held[SYMBOL]
        if is_open:
            say(counts, log, step, ROLL_ACTION, symbol, FEES_COVERED)
        else:
            close(market, held, money, counts, row, step, reason, whole, numbers)
            say(counts, log, step, CLOSE, symbol, reason)
    return counts[TRADES], counts[LINES]
