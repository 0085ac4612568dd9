"""One parameter set's result as a record of fixed size: what its figures are made of, and the hash of its decisions."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from typing import Any, Final, TypeAlias
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from hedgerow.backtest.bound import Opportunities
from hedgerow.backtest.compiling import compiled
from hedgerow.backtest.figures import LEGS, Money, Trade
from hedgerow.backtest.kernel import OPEN, ROLL, Played
from hedgerow.backtest.study import ACTIONS, REASON_WORDS, Result, Study
from hedgerow.backtest.tables import Floats, Ints
from hedgerow.domain.position import Reason
from hedgerow.history.series import at_ms, to_ms

__all__ = [
    "DAY_MS",
    "RECORD",
    "SCORES",
    "WEEK_MS",
    "YEAR_MS",
    "DecisionWriter",
    "Records",
    "Scorer",
    "Trades",
    "buckets_of",
    "over_cash",
    "sealed",
    "sharpe_of",
    "unsealed",
]

Records: TypeAlias = NDArray[np.void]
Bytes: TypeAlias = NDArray[np.uint8]

WORDS: Final = tuple(dict.fromkeys([*REASON_WORDS.values(), *(reason.value for reason in Reason)]))
"""Reasons that end a hedge, in the order of a record's ``exits``."""
SUMS: Final = (
    "net",
    "basis",
    "held",
    "drawdown",
    "costs",
    "funding_usd",
    "fees_usd",
    "missed",
    "wrong",
    "sharpe",
    "deviation",
)
RECORD: Final = np.dtype(
    [
        ("crc", "<u4"),
        ("index", "<i8"),
        *((name, "<f8") for name in SUMS),
        ("entries", "<i4"),
        ("rolls", "<i4"),
        ("failed", "<i4"),
        ("exits", "<i4", (len(WORDS),)),
        ("decisions", "u1", (32,)),
    ]
)
"""``net`` to ``wrong`` are sums over the window (fractions of notional; ``held`` of its length).

``sharpe`` and ``deviation`` are of weekly results over cash, on capital; ``failed`` counts checks that the engine did
not complete.
"""
DAY_MS: Final = 24 * 3_600_000
WEEK_MS: Final = 7 * DAY_MS
LEAST_WEEKS: Final = 3
"""With fewer there is no Sharpe ratio."""
YEAR_MS: Final = 8760 * 3_600_000.0
SECOND_MS: Final = 1000
STAMP: Final = 27
"""Bytes of a line up to the end of its time, in whole seconds."""


class Trades:
    """Trades as arrays."""

    def __init__(self, symbol: Ints, opened_ms: Ints, closed_ms: Ints, numbers: Floats) -> None:
        self.symbol, self.opened_ms, self.closed_ms = symbol, opened_ms, closed_ms
        self.numbers = numbers
        """Columns rates, cost, basis, funding, fees."""

    @classmethod
    def of(cls, trades: Sequence[Trade], symbols: Sequence[str]) -> "Trades":
        """Return the trades of a result."""
        rows = [(t.rates, t.cost, t.basis, t.funding_usd, t.fees_usd) for t in trades]
        return cls(
            np.array([symbols.index(t.symbol) for t in trades], dtype=np.int64),
            np.array([to_ms(t.opened_at) for t in trades], dtype=np.int64),
            np.array([to_ms(t.closed_at) for t in trades], dtype=np.int64),
            np.array(rows, dtype=np.float64).reshape(len(trades), 5),
        )


class Scorer:
    """Makes records of what is played in one window."""

    def __init__(self, study: Study) -> None:
        self.study = study
        books, money = study.tables.books, study.plan.money
        self._fees = books.spot_fee, books.perp_fee
        self._cost = study.opportunities.open_cost + study.opportunities.close_cost
        self._held = study.bounds[0].held
        self._share, self._cash_week = money.share, money.cash_apr * (WEEK_MS / YEAR_MS)
        self._words = np.array([WORDS.index(REASON_WORDS.get(code, WORDS[0])) for code in range(max(REASON_WORDS) + 1)])
        self._writer = DecisionWriter(study)

    def played(self, index: int, played: Played, found: Records) -> None:
        """Fill the record, an array of one, of what the kernel played."""
        trades = Trades(*_columns(played.whole, played.numbers, self._cost, *self._fees))
        self._measure(found, index, trades)
        found["rolls"] = _count(played.whole, played.log, self._words, found["exits"][0])
        found["decisions"][0] = np.frombuffer(self._writer.digest(played.log), dtype=np.uint8)

    def result(self, index: int, result: Result) -> Records:
        """Return the record of a result."""
        found = np.zeros(1, dtype=RECORD)
        self._measure(found, index, Trades.of(result.trades, self.study.symbols))
        found["rolls"], found["failed"] = result.figures.rolls, result.failed_checks
        for word, count in result.figures.exits.items():
            found["exits"][0, WORDS.index(word)] += count
        found["decisions"][0] = np.frombuffer(bytes.fromhex(result.figures.decisions_sha256), dtype=np.uint8)
        return found

    def _measure(self, found: Records, index: int, trades: Trades) -> None:
        sums = np.zeros(len(SUMS))
        _sum_up(
            self.study.opportunities,
            self._held,
            *(trades.symbol, trades.opened_ms, trades.closed_ms, trades.numbers),
            *(self._share, self._cash_week, WEEK_MS, LEAST_WEEKS),
            sums,
        )
        found["index"], found["entries"] = index, len(trades.symbol)
        for name, value in zip(SUMS, sums.tolist(), strict=True):
            found[name] = value

    def row(self, record: Any) -> dict[str, Any]:
        """Return the keys of ``backtest`` from a record."""
        years, money = self.study.grid.years, self.study.plan.money
        net, held = float(record["net"]) / years, float(record["held"])
        on_capital = money.share * net + money.cash_apr * (1.0 - held)
        fixed = self._fixed
        bound, over, room = fixed["bound_apr"], fixed["bound_apr_on_capital"], self._room
        gap = bound - net
        parts = {"missed_carry": float(record["missed"]) / years, "wrong_symbol": float(record["wrong"]) / years}
        parts["turnover"] = (float(record["costs"]) - self.study.bounds[0].cost) / years
        parts["execution"] = gap - sum(parts.values())
        entries = int(record["entries"])
        return {
            "net_apr_on_notional": net,
            "basis_apr": float(record["basis"]) / years,
            "net_apr_on_capital": on_capital,
            "carry_apr_on_capital": money.share * net,
            **fixed,
            "capture_ratio": net / bound if bound > 0 else None,
            "excess_capture": (on_capital - money.cash_apr) / room if room else None,
            "gap_to_bound": over - on_capital,
            "entries": entries,
            "rolls": int(record["rolls"]),
            "failed_checks": int(record["failed"]),
            "turnover": float(2 * LEGS * entries),
            "max_drawdown": float(record["drawdown"]),
            "time_in_market": held,
            "costs": float(record["costs"]),
            "funding_usd": float(record["funding_usd"]),
            "fees_usd": float(record["fees_usd"]),
            "decisions_sha256": bytes(record["decisions"]).hex(),
            "exits": {word: int(count) for word, count in zip(WORDS, record["exits"], strict=True) if count},
            "attribution": parts,
            "weekly_sharpe": None if np.isnan(record["sharpe"]) else float(record["sharpe"]),
        }

    @cached_property
    def _fixed(self) -> dict[str, Any]:
        """What is the same in every row."""
        best = self.study.best(1)
        return {
            "hold_apr": best.hold_apr,
            "bound_apr": best.bound_apr,
            "bound_apr_on_capital": best.bound_apr_on_capital,
        }

    @property
    def _room(self) -> float:
        """Denominator of ``excess_capture``; 0 = too small to say anything."""
        room = float(self._fixed["bound_apr_on_capital"]) - self.study.plan.money.cash_apr
        return room if room >= LEAST_ROOM else 0.0

    def values(self, records: Records, key: str) -> Floats:
        """Return a figure of many records at once: ``SCORES``."""
        years, money = self.study.grid.years, self.study.plan.money
        net = records["net"].astype(np.float64) / years
        if key == "net_apr_on_notional":
            return net
        if key == "weekly_sharpe":
            return records["sharpe"].astype(np.float64)
        return money.share * net + money.cash_apr * (1.0 - records["held"].astype(np.float64))


LEAST_ROOM: Final = 0.005
SCORES: Final[Mapping[str, str]] = {
    "net_apr_on_capital": "net on capital, idle capital at the cash rate",
    "net_apr_on_notional": "net on notional",
    "weekly_sharpe": "mean / standard deviation of weekly results over cash",
}
"""Figures that a search can be decided by."""


def sealed(records: Records) -> bytes:
    """Return records as bytes, each with the checksum of its other bytes."""
    found, size = records.copy(), RECORD.itemsize
    content = memoryview(found.tobytes())
    found["crc"] = [crc32(content[start + 4 : start + size]) for start in range(0, len(content), size)]
    return found.tobytes()


def unsealed(content: bytes) -> Records:
    """Return the records up to the first that is incomplete or damaged."""
    whole = len(content) // RECORD.itemsize
    found = np.frombuffer(content[: whole * RECORD.itemsize], dtype=RECORD)
    for place in range(whole):
        start = place * RECORD.itemsize
        if crc32(content[start + 4 : start + RECORD.itemsize]) != int(found["crc"][place]):
            return found[:place]
    return found


def sharpe_of(results: Floats) -> float:
    """Return mean / standard deviation of results in equal times, not annualised; NaN where there is none."""
    if len(results) < LEAST_WEEKS:
        return float("nan")
    deviation = float(np.std(results, ddof=1))
    return float(np.mean(results)) / deviation if deviation > 0 else float("nan")


def buckets_of(chances: Opportunities, trades: Trades, bucket_ms: int) -> tuple[Floats, Floats]:
    """Return net (a fraction of notional) and share of time held, in whole buckets of time from the start.

    What is paid, or closed, when a bucket ends belongs to it.
    """
    count = int((chances.end_ms - chances.start_ms) // bucket_ms)
    pnl, held = np.zeros(count + 1), np.zeros(count + 1)
    cost = np.ascontiguousarray(trades.numbers[:, 1])
    _bucket(chances, trades.symbol, trades.opened_ms, trades.closed_ms, cost, bucket_ms, pnl, held)
    return pnl[:count], held[:count]


def over_cash(chances: Opportunities, trades: Trades, money: Money, bucket_ms: int) -> Floats:
    """Return results on capital in whole buckets of time, less what cash would have earned while something is held."""
    pnl, held = buckets_of(chances, trades, bucket_ms)
    return money.share * pnl - money.cash_apr * held * (bucket_ms / YEAR_MS)


class DecisionWriter:
    """Writes the lines of ``--decisions`` of what the kernel played; the same as ``figures.decision_lines``."""

    def __init__(self, study: Study) -> None:
        self._grid, self._symbols = study.grid, study.symbols
        self._whole = all(
            each % SECOND_MS == 0 for each in (self._grid.start_ms, self._grid.cycle_ms, self._grid.end_ms)
        )
        self._texts, self._lengths = self._endings()

    def digest(self, log: Ints) -> bytes:
        """Return the SHA-256 of all lines."""
        if not self._whole:
            return sha256("".join(self._line(*line) for line in log.tolist()).encode()).digest()
        room = np.empty(len(log) * (STAMP + self._texts.shape[-1]), dtype=np.uint8)
        length = _write_lines(log, self._stamps, self._texts, self._lengths, room)
        return sha256(room[:length].tobytes()).digest()

    @cached_property
    def _stamps(self) -> Bytes:
        """The beginning of a line, by check."""
        grid = self._grid
        at = grid.start_ms + np.arange(grid.steps + 1, dtype=np.int64) * grid.cycle_ms
        seconds = (np.minimum(at, grid.end_ms) // SECOND_MS).astype("datetime64[s]")
        texts = np.char.add(np.char.add(b'{"at":"', np.datetime_as_string(seconds).astype("S19")), b"Z")
        return texts.view(np.uint8).reshape(len(at), STAMP)

    def _endings(self) -> tuple[Bytes, Ints]:
        """Return the rest of a line and its length, by action, symbol and reason."""
        shape = len(ACTIONS), len(self._symbols), max(REASON_WORDS) + 1
        rest = {
            (action, symbol, reason): self._rest(action, symbol, reason).encode()
            for action, symbol, reason in np.ndindex(shape)
        }
        texts = np.zeros((*shape, max(map(len, rest.values()))), dtype=np.uint8)
        lengths = np.zeros(shape, dtype=np.int64)
        for place, text in rest.items():
            texts[place][: len(text)] = np.frombuffer(text, dtype=np.uint8)
            lengths[place] = len(text)
        return texts, lengths

    def _rest(self, action: int, symbol: int, reason: int) -> str:
        word = REASON_WORDS.get(0 if action == OPEN else reason, "")
        return f'","action":"{ACTIONS[action]}","symbol":"{self._symbols[symbol]}","reason":"{word}"}}\n'

    def _line(self, step: int, action: int, symbol: int, reason: int) -> str:
        at = at_ms(min(self._grid.start_ms + step * self._grid.cycle_ms, self._grid.end_ms))
        return f'{{"at":"{at.isoformat().replace("+00:00", "Z")}' + self._rest(action, symbol, reason)


@compiled
def _columns(whole: Any, numbers: Any, cost: Any, spot_fee: Any, perp_fee: Any) -> tuple[Ints, Ints, Ints, Floats]:
    """Return symbol, opening, closing, and ``Trades.numbers`` of what the kernel played."""
    count = len(whole)
    symbol, opened, closed = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    found = np.empty((count, 5))
    for row in range(count):
        coin = whole[row, 0]
        symbol[row], opened[row], closed[row] = coin, whole[row, 2], whole[row, 6]
        quantity, spot_in, perp_in = numbers[row, 0], numbers[row, 1], numbers[row, 2]
        spot_out, perp_out = numbers[row, 6], numbers[row, 7]
        found[row, 0], found[row, 1] = numbers[row, 5], cost[coin]
        found[row, 2] = ((spot_out - spot_in) - (perp_out - perp_in)) / spot_in
        found[row, 3] = numbers[row, 4]
        found[row, 4] = quantity * ((spot_in + spot_out) * spot_fee[coin] + (perp_in + perp_out) * perp_fee[coin])
    return symbol, opened, closed, found


@compiled
def _count(whole: Any, log: Any, words: Any, exits: Any) -> int:
    """Count how hedges ended; returns how many were rolled."""
    for row in range(len(whole)):
        exits[words[whole[row, 7]]] += 1
    rolls = 0
    for row in range(len(log)):
        rolls += log[row, 1] == ROLL
    return rolls


@compiled
def _write_lines(log: Any, stamps: Any, texts: Any, lengths: Any, room: Any) -> int:
    """Write all lines; returns how many bytes they have."""
    at = 0
    for row in range(len(log)):
        step, action, symbol, reason = log[row, 0], log[row, 1], log[row, 2], log[row, 3]
        for byte in range(stamps.shape[1]):
            room[at] = stamps[step, byte]
            at += 1
        for byte in range(lengths[action, symbol, reason]):
            room[at] = texts[action, symbol, reason, byte]
            at += 1
    return at


@compiled
def _bucket(  # noqa: PLR0913, PLR0917 - as above
    chances: Opportunities, symbol: Any, opened: Any, closed: Any, cost: Any, length: int, pnl: Any, held: Any
) -> None:
    last = len(pnl) - 1
    row, stamps = 0, chances.stamp_ms
    for trade in range(len(symbol)):
        first = min((opened[trade] - chances.start_ms) // length, last)
        final = min((closed[trade] - chances.start_ms - 1) // length, last)
        pnl[first] -= cost[trade] / 2
        pnl[final] -= cost[trade] / 2
        for bucket in range(first, final + 1):
            begin = chances.start_ms + bucket * length
            lasted = min(closed[trade], begin + length) - max(opened[trade], begin)
            held[bucket] += lasted / length
        while row < len(stamps) and stamps[row] <= opened[trade]:
            row += 1
        while row < len(stamps) and stamps[row] <= closed[trade]:
            pnl[min((stamps[row] - chances.start_ms - 1) // length, last)] += chances.reward[row, symbol[trade]]
            row += 1


@compiled
def _weigh(  # noqa: PLR0913, PLR0917 - as above
    chances: Opportunities,
    symbol: Any,
    opened: Any,
    closed: Any,
    numbers: Any,
    share: float,
    cash: float,
    week: int,
    least: int,
    sums: Any,
) -> None:
    """Fill mean / standard deviation of the weekly results over cash, and the deviation."""
    weeks = (chances.end_ms - chances.start_ms) // week
    pnl, held = np.zeros(weeks + 1), np.zeros(weeks + 1)
    _bucket(chances, symbol, opened, closed, numbers[:, 1], week, pnl, held)
    sums[9], sums[10] = np.nan, np.nan
    if weeks < least:
        return
    mean = 0.0
    for at in range(weeks):
        pnl[at] = share * pnl[at] - cash * held[at]
        mean += pnl[at] / weeks
    squares = 0.0
    for at in range(weeks):
        squares += (pnl[at] - mean) ** 2
    sums[10] = np.sqrt(squares / (weeks - 1))
    if sums[10] > 0.0:
        sums[9] = mean / sums[10]


@compiled
def _sum_up(  # noqa: PLR0913, PLR0917 - compiled functions get their state as arguments
    chances: Opportunities,
    best: Any,
    symbol: Any,
    opened: Any,
    closed: Any,
    numbers: Any,
    share: float,
    cash: float,
    week: int,
    least: int,
    sums: Any,
) -> None:
    """Fill ``sums`` in the order of ``SUMS``."""
    stamps = chances.stamp_ms
    path, high, row, lasted = 0.0, 0.0, 0, 0
    for trade in range(len(symbol)):
        coin, cost = symbol[trade], numbers[trade, 1]
        sums[0] += numbers[trade, 0] - cost
        sums[1] += numbers[trade, 2]
        lasted += closed[trade] - opened[trade]
        sums[4] += cost
        sums[5] += numbers[trade, 3]
        sums[6] += numbers[trade, 4]
        path -= cost / 2
        sums[3] = max(sums[3], high - path)
        while row < len(stamps) and stamps[row] <= opened[trade]:
            sums[7] += chances.reward[row, best[row]] if best[row] >= 0 else 0.0
            row += 1
        while row < len(stamps) and stamps[row] <= closed[trade]:
            own = chances.reward[row, coin]
            sums[8] += (chances.reward[row, best[row]] if best[row] >= 0 else 0.0) - own
            path += own
            high = max(high, path)
            sums[3] = max(sums[3], high - path)
            row += 1
        path -= cost / 2
        sums[3] = max(sums[3], high - path)
    while row < len(stamps):
        sums[7] += chances.reward[row, best[row]] if best[row] >= 0 else 0.0
        row += 1
    sums[2] = lasted / (chances.end_ms - chances.start_ms)
    _weigh(chances, symbol, opened, closed, numbers, share, cash, week, least, sums)
