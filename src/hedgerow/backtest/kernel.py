"""The rules of the guide, compiled, over the rows of ``Tables``: the same decisions at the same checks as the live bot.

A check between two rows sees what the row before it shows; only the age of what is held is different there. So a check
is made at each row and where an age limit is reached, and the result is that of making every one. What the kernel
leaves out is said in docs/results.md: margin, liquidation, orders that fail.
"""

from typing import Any, NamedTuple, TypeAlias

import numpy as np

from hedgerow.backtest.compiling import compiled_in_place, compiled_rules, inlined, inlined_once
from hedgerow.backtest.tables import Flags, Floats, Ints, Tables
from hedgerow.strategy.evidence.prices import support_bound
from hedgerow.strategy.evidence.underlying import HELD_BOUND
from hedgerow.strategy.exit_costs import LONGEST_WAIT
from hedgerow.strategy.parameters import AfterEmergency, SamePair, StopOn, StrategyParameters

__all__ = [
    "CLOSE",
    "FIELDS",
    "NUMBERS",
    "OPEN",
    "PRICES_END",
    "ROLL",
    "WINDOW_ENDS",
    "Market",
    "Played",
    "Rules",
    "Signals",
    "at_step",
    "check",
    "chosen_ms",
    "close",
    "count_from",
    "empty_signals",
    "exit_costs_too_much",
    "judge",
    "market_of",
    "next_step",
    "not_compiled",
    "play",
    "rank_row",
    "roll_on",
    "rules_of",
    "say",
    "scratch",
    "signals_of",
    "stop_hit_at",
    "take",
    "target_until",
    "walk",
]

_RULES: Any = compiled_rules()
_agrees, _stop_hit, _too_old, _floor_lots = _RULES.agrees, _RULES.stop_hit, _RULES.too_old, _RULES.floor_lots
_funding_apr, _window_sums, _entry_refusals = _RULES.funding_apr, _RULES.window_sums, _RULES.entry_refusals
_pair_pnl, _pair_fee, _exit_cost, _first_exit = _RULES.pair_pnl, _RULES.pair_fee, _RULES.exit_cost, _RULES.first_exit
_profit_reasons, _first_better, _first_admitted = _RULES.profit_reasons, _RULES.first_better, _RULES.first_admitted
EMERGENCY, FEES_COVERED, BETTER_PAIR = 1, 3, 5
PRICES_END, WINDOW_ENDS = 7, 8
"""Reasons beside those of ``rules.first_exit``."""
SPOT_FEE, PERP_FEE, SPOT_SPREAD, PERP_SPREAD, VOLUME, LOT, SPOT_LOT, COIN_FEE = range(8)
OPEN, CLOSE, ROLL = 0, 1, 2
"""Actions of the log."""
PROFIT_ORDER: tuple[int, ...] = _RULES.PROFIT_ORDER
NEVER_STEP = 1 << 60
MOST_HOURS = 1e7
"""An age limit above this is never reached."""
WAIT_MS = round(LONGEST_WAIT.total_seconds() * 1000)
MS_PER_HOUR = 3_600_000.0

# Whole numbers of a held hedge, then of a trade.
SYMBOL, OPENED_STEP, OPENED_MS, FIRST_PRINT, LAST_PRINT, CLOSED_STEP, CLOSED_MS, REASON = range(8)
FIELDS = ("symbol", "opened_step", "opened_ms", "first_print", "last_print", "closed_step", "closed_ms", "reason")
"""Whole numbers of a trade, in the order of the columns; it is paid for the prints from ``first_print`` on."""
COUNTED_MS, AGE_STEP, REST_STEP, FRESH_STEP, DEFERRED_MS, WHOLE = 8, 9, 10, 11, 12, 13
# Numbers of a held hedge, then of a trade.
QUANTITY, SPOT_IN, PERP_IN, FEES_IN, FUNDING, RATES, SPOT_OUT, PERP_OUT = range(8)
NUMBERS = ("quantity", "spot_in", "perp_in", "fees_in", "funding", "rates", "spot_out", "perp_out")
"""Numbers of a trade, in the order of the columns; ``rates`` is the sum of the rates it was paid."""
FUNDING_BEFORE, COINS, PARTS = 8, 9, 10
NEARLY_WHOLE = 1e-9
"""A quotient so near above a whole number of lots is that number."""
# What is remembered while nothing is held.
TARGET, TARGET_UNTIL, HALTED, BUSY_MS, TRADES, LINES, MEMORY = range(7)


Scratch: TypeAlias = tuple[Ints, Floats, Ints]
"""What is held in whole numbers and in numbers, and what is remembered while nothing is."""


class Market(NamedTuple):
    """``Tables`` for compiled code."""

    row_ms: Ints
    step: Ints
    spot: Floats
    """``[row, symbol]``, as all of these to ``act``."""
    perp: Floats
    mark: Floats
    predicted: Floats
    basis: Floats
    readable: Flags
    known: Ints
    act: Ints
    ended_ms: Ints
    stamp_ms: Ints
    rate: Floats
    """``[number, symbol]``, as ``stamp_ms`` and these to ``paid_mark``."""
    hours: Floats
    paid_mark: Floats
    books: Floats
    """``[symbol, SPOT_FEE to COIN_FEE]``."""
    start_ms: int
    end_ms: int
    cycle_ms: int
    guard_ms: int
    notional: float
    """Quote units of a leg."""


class Rules(NamedTuple):
    """The thresholds of one parameter set; ratios are fractions, ages hours."""

    periods: int
    average: bool
    """False: the predicted rate alone is the signal."""
    min_apr: float
    min_volume: float
    max_spread: float
    max_discount: float
    max_premium: float
    exit_apr: float
    multiplier: float
    max_age: float
    gain: float
    min_age: float
    roll: bool
    max_exit_cost: float
    loss: float
    """The emergency stop's limit, negative."""
    short_alone: bool
    halts: bool
    """Whether nothing is opened any more after an emergency stop."""
    support: float
    """Within which fraction two prices confirm each other."""


class Signals(NamedTuple):
    """What the rules make of each row: ``[row, symbol]``, and ``[row, rank]`` best first."""

    apr: Floats
    """NaN where there is no signal."""
    rank: Ints
    """Place of a symbol; -1 = its window is not full."""
    ranked: Ints
    """How many symbols have a place, by row."""
    order: Ints
    aprs: Floats
    admitted: Flags


def rules_of(parameters: StrategyParameters) -> Rules:
    """Return the thresholds that the kernel needs."""
    rate, position, risk = (
        parameters.funding_rate_strategy,
        parameters.position_management,
        parameters.risk_management,
    )
    return Rules(
        periods=rate.funding_ma_periods,
        average=rate.use_funding_ma,
        min_apr=rate.min_funding_apr,
        min_volume=float(rate.min_volume_usd),
        max_spread=float(rate.max_spread_bps),
        max_discount=float(rate.max_entry_discount_bps) / 1e4,
        max_premium=float(rate.max_entry_premium_bps) / 1e4,
        exit_apr=rate.exit_funding_apr,
        multiplier=position.fee_coverage_multiplier,
        max_age=position.max_position_age_hours,
        gain=position.better_opportunity_apr,
        min_age=position.better_opportunity_min_hours,
        roll=position.same_pair is SamePair.ROLL,
        max_exit_cost=float(position.max_exit_cost_bps) / 1e4,
        loss=risk.emergency_stop_loss,
        short_alone=risk.stop_on is StopOn.PERP_LEG,
        halts=risk.after_emergency is AfterEmergency.HALT,
        support=support_bound(risk.emergency_stop_loss),
    )


def not_compiled(parameters: StrategyParameters) -> str | None:
    """Return which setting the compiled rules do not follow, or None."""
    risk = parameters.risk_management
    if risk.after_emergency is not AfterEmergency.HALT:
        return f"risk_management.after_emergency {risk.after_emergency}"
    if risk.daily_loss_limit_usd is not None or risk.daily_loss_limit is not None:
        return "risk_management.daily_loss_limit"
    if parameters.position_management.max_positions > 1:
        return f"position_management.max_positions {parameters.position_management.max_positions}"
    return None


def market_of(tables: Tables, notional: float) -> Market:
    """Return the tables for compiled code; ``notional`` is the size of a leg in quote units."""
    grid, books = tables.grid, tables.books
    spreads = (books.spot_half_spread, books.perp_half_spread)
    lots = (books.lot, books.spot_lot, books.coin_fee)
    costs = (books.spot_fee, books.perp_fee, *spreads, books.volume, *lots)
    return Market(
        row_ms=tables.row_ms,
        step=tables.step,
        spot=tables.spot,
        perp=tables.perp,
        mark=tables.mark,
        predicted=tables.predicted,
        basis=tables.basis,
        readable=tables.readable,
        known=tables.known,
        act=tables.act,
        ended_ms=tables.ended_ms,
        stamp_ms=tables.stamp_ms,
        rate=tables.rate,
        hours=tables.hours,
        paid_mark=tables.paid_mark,
        books=np.stack(costs, axis=1),
        start_ms=grid.start_ms,
        end_ms=grid.end_ms,
        cycle_ms=grid.cycle_ms,
        guard_ms=grid.guard_ms,
        notional=notional,
    )


def signals_of(market: Market, rules: Rules) -> Signals:
    """Rank all symbols at all rows, and judge which may be entered."""
    shape = market.spot.shape
    signals = empty_signals(*shape)
    symbols = int(shape[1])
    _fill_signals(market, rules, signals, np.zeros(symbols), np.full(symbols, -1, dtype=np.int64))
    return signals


def empty_signals(rows: int, symbols: int) -> Signals:
    """Return room for what the rules make of so many rows."""
    shape = rows, symbols
    apr, rank = np.full(shape, np.nan), np.full(shape, -1, dtype=np.int64)
    ranked, order = np.zeros(shape[0], dtype=np.int64), np.zeros(shape, dtype=np.int64)
    aprs, admitted = np.full(shape, np.nan), np.zeros(shape, dtype=np.bool_)
    return Signals(apr=apr, rank=rank, ranked=ranked, order=order, aprs=aprs, admitted=admitted)


class Played(NamedTuple):
    """What one parameter set did."""

    whole: Ints
    """One row per trade, columns ``FIELDS``."""
    numbers: Floats
    """One row per trade, columns ``NUMBERS``."""
    log: Ints
    """One row per decision: step, action, symbol, reason. The step of a closing at the end is the number of steps."""


def play(market: Market, rules: Rules, signals: Signals | None = None) -> Played:
    """Play one parameter set from the start to the end of the window."""
    signals = signals_of(market, rules) if signals is None else signals
    most = 4 * len(market.row_ms) + 16
    while True:
        whole, numbers = np.zeros((most, len(FIELDS)), dtype=np.int64), np.zeros((most, len(NUMBERS)))
        log = np.zeros((2 * most, 4), dtype=np.int64)
        trades, lines = walk(market, rules, signals, scratch(), whole, numbers, log)
        if trades >= 0:
            return Played(whole=whole[:trades].copy(), numbers=numbers[:trades].copy(), log=log[:lines].copy())
        most *= 4


@inlined
def _signal(market: Market, rules: Rules, row: int, symbol: int) -> tuple[float, float]:
    """Return mean rate and APR of a symbol's signal; NaN without a full window."""
    known = market.known[row, symbol]
    if not rules.average:
        predicted = market.predicted[row, symbol]
        if known == 0 or not np.isfinite(predicted):
            return np.nan, np.nan
        return predicted, _funding_apr(predicted, market.hours[known - 1, symbol])
    if known < rules.periods:
        return np.nan, np.nan
    rates, hours = _window_sums(market.rate[:, symbol], market.hours[:, symbol], known, rules.periods)
    return rates / hours * market.hours[known - 1, symbol], _funding_apr(rates, hours)


@inlined
def _may_enter(market: Market, rules: Rules, row: int, symbol: int, mean: float, apr: float) -> bool:
    if not market.readable[row, symbol] or market.row_ms[row] >= market.ended_ms[symbol]:
        return False
    refused = _entry_refusals(
        mean,
        apr,
        rules.min_apr,
        market.predicted[row, symbol],
        market.books[symbol, VOLUME],
        rules.min_volume,
        2e4 * market.books[symbol, SPOT_SPREAD],
        rules.max_spread,
        market.basis[row, symbol],
        rules.max_discount,
        rules.max_premium,
    )
    return refused == 0


@compiled_in_place
def _fill_signals(market: Market, rules: Rules, signals: Signals, means: Floats, before: Ints) -> None:
    rows, symbols = market.spot.shape
    for row in range(rows):
        same = rules.average and row > 0
        for symbol in range(symbols):
            if rules.average and market.known[row, symbol] == before[symbol] and row > 0:
                signals.apr[row, symbol] = signals.apr[row - 1, symbol]
            else:
                same = False
                means[symbol], signals.apr[row, symbol] = _signal(market, rules, row, symbol)
            before[symbol] = market.known[row, symbol]
        if same:
            _rank_as_before(signals, row)
        else:
            rank_row(signals, row)
        for place in range(signals.ranked[row]):
            symbol, apr = signals.order[row, place], signals.aprs[row, place]
            signals.admitted[row, place] = _may_enter(market, rules, row, symbol, float(means[symbol]), apr)


@inlined
def _rank_as_before(signals: Signals, row: int) -> None:
    signals.ranked[row] = signals.ranked[row - 1]
    for place in range(signals.apr.shape[1]):
        signals.order[row, place] = signals.order[row - 1, place]
        signals.aprs[row, place] = signals.aprs[row - 1, place]
        signals.rank[row, place] = signals.rank[row - 1, place]


@inlined
def rank_row(signals: Signals, row: int) -> None:
    """Sort a row best first; ties keep the order of the symbols."""
    count = 0
    for symbol in range(signals.apr.shape[1]):
        apr = signals.apr[row, symbol]
        if not np.isfinite(apr):
            continue
        place = count
        while place > 0 and signals.aprs[row, place - 1] < apr:
            signals.aprs[row, place] = signals.aprs[row, place - 1]
            signals.order[row, place] = signals.order[row, place - 1]
            place -= 1
        signals.aprs[row, place] = apr
        signals.order[row, place] = symbol
        count += 1
    signals.ranked[row] = count
    for place in range(count):
        signals.rank[row, signals.order[row, place]] = place


@inlined
def _hours(since_ms: int, until_ms: int) -> float:
    return (until_ms - since_ms) / 1000.0 / 3600.0


@compiled_in_place
def _first_step(start_ms: int, cycle_ms: int, counted_ms: int, hours: float) -> int:
    """Return the first check at which an age of ``hours`` is reached."""
    if hours > MOST_HOURS:
        return NEVER_STEP
    reached = counted_ms + hours * MS_PER_HOUR
    step = int((reached - start_ms) / cycle_ms)
    while step > 0 and _too_old(_hours(counted_ms, start_ms + (step - 1) * cycle_ms), hours):
        step -= 1
    while not _too_old(_hours(counted_ms, start_ms + step * cycle_ms), hours):
        step += 1
    return step


@inlined
def count_from(market: Market, rules: Rules, held: Ints, at_ms: int, step: int) -> None:
    """Count age from ``at_ms`` on; the check after this one sees what it changes."""
    held[COUNTED_MS] = at_ms
    held[AGE_STEP] = _first_step(market.start_ms, market.cycle_ms, at_ms, rules.max_age)
    held[REST_STEP] = _first_step(market.start_ms, market.cycle_ms, at_ms, rules.min_age)
    held[FRESH_STEP] = step
    held[DEFERRED_MS] = 0


@inlined
def _collect(market: Market, held: Ints, money: Floats, row: int) -> None:
    """Add what was paid up to a row."""
    symbol = held[SYMBOL]
    for number in range(held[LAST_PRINT], market.known[row, symbol]):
        rate = market.rate[number, symbol]
        money[FUNDING] += money[QUANTITY] * market.paid_mark[number, symbol] * rate
        money[RATES] += rate
    held[LAST_PRINT] = max(held[LAST_PRINT], market.known[row, symbol])


@inlined
def _stop_of(market: Market, rules: Rules, money: Floats, row: int, symbol: int) -> tuple[bool, bool]:
    """Return whether the emergency stop is hit, and whether other prices confirm it."""
    spot, perp, mark = market.spot[row, symbol], market.perp[row, symbol], market.mark[row, symbol]
    if not stop_hit_at(rules, money, spot, perp):
        return False, False
    if _agrees(perp, mark, rules.support) or _agrees(perp, spot, rules.support):
        return True, True
    return True, stop_hit_at(rules, money, spot, min(perp, mark))


@inlined
def stop_hit_at(rules: Rules, money: Floats, spot: float, perp: float) -> bool:
    """Return whether the emergency stop is hit at these prices."""
    return bool(_stop_hit(_loss(rules, money, spot, perp), rules.loss * (money[COINS] * money[SPOT_IN])))


@inlined
def _loss(rules: Rules, money: Floats, spot: float, perp: float) -> float:
    if rules.short_alone:
        return money[QUANTITY] * (money[PERP_IN] - perp)
    value = money[COINS] * spot - money[QUANTITY] * perp
    entry_value = money[COINS] * money[SPOT_IN] - money[QUANTITY] * money[PERP_IN]
    return _pair_pnl(1.0, value, entry_value, money[FUNDING], money[FEES_IN])


@inlined
def _best_apr_of(rules: Rules, signals: Signals, at: int, symbol: int, age: float) -> tuple[int, float]:
    """Return the better pair and its APR; -1 and NaN without one."""
    ranked = signals.ranked[at]
    place = _first_better(
        signals.aprs[at, :ranked],
        signals.admitted[at, :ranked],
        signals.rank[at, symbol],
        signals.apr[at, symbol],
        rules.gain,
        age,
        rules.min_age,
    )
    if place < 0:
        return -1, np.nan
    return signals.order[at, place], signals.aprs[at, place]


@inlined
def _profit(
    market: Market, rules: Rules, signals: Signals, at: int, held: Ints, money: Floats, row: int, at_ms: int
) -> tuple[int, int]:
    """Return which reason to close holds first, and the better pair."""
    symbol = held[SYMBOL]
    age = _hours(held[COUNTED_MS], at_ms)
    better, best_apr = _best_apr_of(rules, signals, at, symbol, age)
    spot, perp = money[COINS] * market.spot[row, symbol], money[QUANTITY] * market.perp[row, symbol]
    fees = _pair_fee(1.0, spot, market.books[symbol, SPOT_FEE], perp, market.books[symbol, PERP_FEE])
    reasons = _profit_reasons(
        money[FUNDING] - money[FUNDING_BEFORE],
        rules.multiplier,
        money[FEES_IN],
        fees,
        age,
        rules.max_age,
        signals.apr[at, symbol],
        rules.exit_apr,
        best_apr,
        rules.gain,
        rules.min_age,
    )
    return _first_exit(PROFIT_ORDER, reasons), better


@inlined
def exit_costs_too_much(market: Market, rules: Rules, money: Floats, row: int, symbol: int) -> bool:
    """Return whether prices make a closing cost too much."""
    spot = market.spot[row, symbol]
    cost = _exit_cost(
        market.books[symbol, SPOT_SPREAD],
        market.books[symbol, PERP_SPREAD],
        (market.perp[row, symbol] - spot) / spot,
        (money[PERP_IN] - money[SPOT_IN]) / money[SPOT_IN],
    )
    return bool(cost > rules.max_exit_cost)


@inlined
def _deferred(market: Market, rules: Rules, held: Ints, money: Floats, row: int, at_ms: int) -> bool:
    """Return whether a closing waits."""
    if not exit_costs_too_much(market, rules, money, row, held[SYMBOL]):
        return False
    if held[DEFERRED_MS] == 0:
        held[DEFERRED_MS] = at_ms + WAIT_MS
        return True
    return at_ms < held[DEFERRED_MS]


@inlined
def _is_still_best(signals: Signals, at: int, symbol: int) -> bool:
    place = _first_admitted(signals.admitted[at, : signals.ranked[at]])
    return place >= 0 and signals.order[at, place] == symbol


@inlined
def judge(
    market: Market, rules: Rules, signals: Signals, at: int, held: Ints, money: Floats, row: int, at_ms: int
) -> tuple[int, int, bool]:
    """Return the reason to act on, the better pair, and whether to roll; 0 = hold.

    ``at`` is the row's place in ``signals``.
    """
    symbol = held[SYMBOL]
    _collect(market, held, money, row)
    if at_ms >= market.ended_ms[symbol]:
        return PRICES_END, -1, False
    if not market.readable[row, symbol]:
        return 0, -1, False
    hit, confirmed = _stop_of(market, rules, money, row, symbol)
    if confirmed:
        return EMERGENCY, -1, False
    if hit or not _agrees(market.perp[row, symbol], market.spot[row, symbol], HELD_BOUND):
        return 0, -1, False
    code, better = _profit(market, rules, signals, at, held, money, row, at_ms)
    if code == 0:
        held[DEFERRED_MS] = 0
        return 0, -1, False
    if code == FEES_COVERED and rules.roll and _is_still_best(signals, at, symbol):
        return code, -1, True
    if _deferred(market, rules, held, money, row, at_ms):
        return 0, -1, False
    return code, better, False


@inlined
def _choice(signals: Signals, memory: Ints, row: int, at_ms: int) -> int:
    """Return what is opened in a row: the pair decided for while closing, else the best; -1 = nothing."""
    ranked = signals.ranked[row]
    if at_ms < memory[TARGET_UNTIL]:
        place = signals.rank[row, memory[TARGET]]
        if place >= 0 and signals.admitted[row, place]:
            return memory[TARGET]
    place = _first_admitted(signals.admitted[row, :ranked])
    return signals.order[row, place] if place >= 0 else -1


@inlined
def _buy(market: Market, money: Floats, symbol: int) -> None:
    """Buy so many coins that those left after a fee in coin cover the short, and count the fees of both legs."""
    fee, lot = market.books[symbol, SPOT_FEE], market.books[symbol, SPOT_LOT]
    gross = np.ceil(money[QUANTITY] / (1.0 - fee) / lot - NEARLY_WHOLE) * lot
    money[COINS] = gross * (1.0 - fee) if market.books[symbol, COIN_FEE] > 0.0 else gross
    spot, perp = gross * money[SPOT_IN], money[QUANTITY] * money[PERP_IN]
    money[FEES_IN] = _pair_fee(1.0, spot, fee, perp, market.books[symbol, PERP_FEE])


@inlined
def _enter(
    market: Market,
    rules: Rules,
    signals: Signals,
    held: Ints,
    money: Floats,
    memory: Ints,
    row: int,
    step: int,
) -> bool:
    """Open what the rules choose in a row; returns whether something was opened."""
    symbol = _choice(signals, memory, row, chosen_ms(market, row, step))
    if symbol < 0 or not take(market, held, money, row, step, symbol):
        return False
    count_from(market, rules, held, held[OPENED_MS], step)
    memory[TARGET_UNTIL] = 0
    memory[BUSY_MS] = held[OPENED_MS]
    return True


@inlined
def chosen_ms(market: Market, row: int, step: int) -> int:
    """Return the time at which a pair is chosen in a row."""
    return market.row_ms[row] if market.step[row] < 0 else at_step(market, step)


@inlined
def take(market: Market, held: Ints, money: Floats, row: int, step: int, symbol: int) -> bool:
    """Open a pair that was chosen in a row; returns whether it could be."""
    acting = market.act[row, symbol]
    if acting < 0 or not market.readable[acting, symbol]:
        return False
    at_ms = max(market.row_ms[acting], at_step(market, step))
    quantity = _floor_lots(market.notional / market.spot[row, symbol], market.books[symbol, LOT])
    if quantity <= 0.0:
        return False
    held[SYMBOL], held[OPENED_STEP], held[OPENED_MS] = symbol, step, at_ms
    held[FIRST_PRINT] = held[LAST_PRINT] = market.known[acting, symbol]
    spot, perp = market.spot[acting, symbol], market.perp[acting, symbol]
    for part in range(PARTS):
        money[part] = 0.0
    money[QUANTITY], money[SPOT_IN], money[PERP_IN] = quantity, spot, perp
    _buy(market, money, symbol)
    return True


@inlined
def at_step(market: Market, step: int) -> int:
    """Return the time of a check."""
    return market.start_ms + step * market.cycle_ms


@inlined
def close(
    market: Market, held: Ints, money: Floats, memory: Ints, row: int, step: int, reason: int, trades: Any, numbers: Any
) -> int:
    """End what is held; returns the row at whose time that was, -1 for the end of the window."""
    symbol = held[SYMBOL]
    urgent = reason in (EMERGENCY, WINDOW_ENDS)
    acting = row if urgent else market.act[row, symbol]
    seen = acting if acting >= 0 else len(market.row_ms) - 1
    at_ms = max(market.row_ms[seen], at_step(market, step)) if acting >= 0 else market.end_ms
    if reason == WINDOW_ENDS or acting < 0:
        at_ms = market.end_ms
        held[LAST_PRINT] = _paid_until(market, held, money, at_ms)
    else:
        _collect(market, held, money, acting)
    money[SPOT_OUT], money[PERP_OUT] = market.spot[seen, symbol], market.perp[seen, symbol]
    held[CLOSED_STEP], held[CLOSED_MS], held[REASON] = step, at_ms, reason
    for column in range(REASON + 1):
        trades[memory[TRADES], column] = held[column]
    for column in range(PERP_OUT + 1):
        numbers[memory[TRADES], column] = money[column]
    memory[TRADES] += 1
    memory[BUSY_MS] = at_ms
    held[SYMBOL] = -1
    return acting


@inlined
def _paid_until(market: Market, held: Ints, money: Floats, end_ms: int) -> int:
    """Add what is paid up to the end of the window; returns the number of the print after it."""
    number, symbol = held[LAST_PRINT], held[SYMBOL]
    while number < len(market.stamp_ms) and market.stamp_ms[number, symbol] <= end_ms:
        rate = market.rate[number, symbol]
        money[FUNDING] += money[QUANTITY] * market.paid_mark[number, symbol] * rate
        money[RATES] += rate
        number += 1
    return number


@inlined
def say(memory: Ints, log: Any, step: int, action: int, symbol: int, reason: int) -> None:
    """Add a line to the log."""
    line = memory[LINES]
    log[line, 0], log[line, 1], log[line, 2], log[line, 3] = step, action, symbol, reason
    memory[LINES] += 1


@inlined
def next_step(held: Ints, step: int, following: int) -> int:
    """Return the next check before row ``following`` that can differ from this one, or its first."""
    if held[SYMBOL] < 0:
        return following
    if held[FRESH_STEP] == step or held[DEFERRED_MS] > 0:
        return min(step + 1, following)
    found = following
    for limit in (held[AGE_STEP], held[REST_STEP]):
        if step < limit < found:
            found = limit
    return found


@inlined
def target_until(market: Market, row: int, step: int, better: int) -> int:
    """Return until when the pair that a hedge was left for is preferred to others."""
    interval = market.hours[market.known[row, better] - 1, better]
    return at_step(market, step) + int(2.0 * interval * MS_PER_HOUR)


@inlined
def roll_on(market: Market, rules: Rules, held: Ints, money: Floats, step: int) -> None:
    """Keep what is held as if it had been opened now; the fees of its opening count once more."""
    money[FUNDING_BEFORE] = money[FUNDING]
    count_from(market, rules, held, at_step(market, step), step)


@inlined_once
def check(
    market: Market,
    rules: Rules,
    signals: Signals,
    held: Ints,
    money: Floats,
    memory: Ints,
    row: int,
    step: int,
    trades: Any,
    numbers: Any,
    log: Any,
) -> None:
    """Make one check."""
    acting = row
    if held[SYMBOL] >= 0:
        symbol = held[SYMBOL]
        reason, better, roll = judge(market, rules, signals, row, held, money, row, at_step(market, step))
        if reason == 0:
            return
        if roll:
            roll_on(market, rules, held, money, step)
            say(memory, log, step, ROLL, symbol, reason)
            return
        if reason == BETTER_PAIR:
            memory[TARGET], memory[TARGET_UNTIL] = better, target_until(market, row, step, better)
        acting = close(market, held, money, memory, row, step, reason, trades, numbers)
        say(memory, log, step, CLOSE, symbol, reason)
        if reason == EMERGENCY and rules.halts:
            memory[HALTED] = 1
    if memory[HALTED] or acting < 0:
        return
    if _enter(market, rules, signals, held, money, memory, acting, step):
        say(memory, log, step, OPEN, held[SYMBOL], 0)


def scratch() -> Scratch:
    """Return the state before anything is held."""
    held = np.zeros(WHOLE, dtype=np.int64)
    held[SYMBOL] = -1
    return held, np.zeros(PARTS), np.zeros(MEMORY, dtype=np.int64)


@compiled_in_place
def walk(
    market: Market, rules: Rules, signals: Signals, state: Scratch, trades: Any, numbers: Any, log: Any
) -> tuple[int, int]:
    """Play a parameter set into arrays; returns numbers of trades and log lines, negative when there was no room."""
    held, money, memory = state
    rows, steps = len(market.row_ms), -((market.start_ms - market.end_ms) // market.cycle_ms)
    row = 0
    while row < rows and market.step[row] < 0:
        row += 1
    while row < rows:
        following = row + 1
        while following < rows and market.step[following] < 0:
            following += 1
        step, last = market.step[row], market.step[following] if following < rows else steps
        while step < last:
            if memory[TRADES] + 2 >= len(trades) or memory[LINES] + 3 >= len(log):
                return -1, -1
            if at_step(market, step) >= memory[BUSY_MS]:
                check(market, rules, signals, held, money, memory, row, step, trades, numbers, log)
                step = next_step(held, step, last)
            else:
                step += 1
        row = following
    if held[SYMBOL] >= 0:
        symbol = held[SYMBOL]
        close(market, held, money, memory, rows - 1, steps, WINDOW_ENDS, trades, numbers)
        say(memory, log, steps, CLOSE, symbol, WINDOW_ENDS)
    return memory[TRADES], memory[LINES]
