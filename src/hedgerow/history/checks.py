"""Checks market history: gaps, repetitions, intervals that change, outliers and frozen prices, one line for each.

Thresholds are those of hourly closes and settled rates of liquid perpetuals: what they find deserves a look, and is not
always wrong. A price that jumps may have jumped.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import pairwise
from math import isfinite, log
from pathlib import Path
from statistics import median

from msgspec import Struct

from hedgerow.domain.errors import HistoryError
from hedgerow.history.parquet import FUNDING_FILE, PRICES_FILE, ParquetRows, read_rows, unplaced_rows
from hedgerow.history.quality import (
    HIGHEST_RATE,
    HOUR_MS,
    LARGEST_MOVE,
    SAME_SETTLEMENT_MS,
    WIDEST_BASIS,
    figure,
    is_interval,
    is_on_the_hour,
    is_price,
    is_rate,
    look_like_percent,
    missing_between,
    percent,
)

__all__ = ["Finding", "FindingKind", "Inventory", "check_folder", "inventory"]

CLOSES = ("spot_close", "perp_close", "mark_close")
LEAST_JUMP, JUMPS = 0.1, 25.0
"""A move of one hour is an outlier beyond 10 % where it is more than so many times the usual move."""
FROZEN_HOURS = 6
"""So many equal closes in a row are frozen."""


class FindingKind(StrEnum):
    """What is found."""

    GAP = "gap"
    DUPLICATE = "duplicate"
    INTERVAL = "interval change"
    OUTLIER = "outlier"
    FROZEN = "frozen"
    UNUSABLE = "unusable"


class Finding(Struct, frozen=True, kw_only=True):
    """One finding in one series."""

    file: str
    exchange: str
    symbol: str
    kind: FindingKind
    at_ms: int
    """Where it begins, milliseconds since the epoch, UTC."""
    detail: str


class Inventory(Struct, frozen=True, kw_only=True):
    """What a file holds of one symbol of one exchange."""

    file: str
    exchange: str
    symbol: str
    first_ms: int
    last_ms: int
    rows: int
    known: Mapping[str, int]
    """How many values each column of numbers has."""


def inventory(folder: Path) -> tuple[Inventory, ...]:
    """Return what the two files hold, by file, symbol and exchange.

    Raises:
        HistoryError: a file is missing, unreadable, has other columns or no rows.
    """
    return tuple(
        Inventory(
            file=file,
            exchange=exchange,
            symbol=symbol,
            first_ms=rows.times_ms[0],
            last_ms=rows.times_ms[-1],
            rows=len(rows.times_ms),
            known={name: sum(value is not None for value in values) for name, values in rows.numbers.items()},
        )
        for file, symbol, exchange, rows in _series(folder)
    )


def check_folder(folder: Path) -> tuple[Finding, ...]:
    """Return what is found in the two files, by file, symbol, exchange and time.

    Raises:
        HistoryError: a file is missing, unreadable, has other columns or no rows.
    """
    findings: list[Finding] = []
    series = list(_series(folder))
    for file, symbol, exchange, rows in series:
        check = _funding if file == FUNDING_FILE else _prices
        found = [
            Finding(file=file, exchange=exchange, symbol=symbol, kind=kind, at_ms=at, detail=detail)
            for kind, at, detail in check(rows)
        ]
        findings += sorted(found, key=lambda finding: (finding.at_ms, finding.kind, finding.detail))
    return (*findings, *_alone(series))


def _alone(series: Sequence[tuple[str, str, str, ParquetRows]]) -> Iterator[Finding]:
    """Yield the symbols of one file that the other one does not have."""
    other_than = {PRICES_FILE: FUNDING_FILE, FUNDING_FILE: PRICES_FILE}
    held = {(file, symbol) for file, symbol, _, _ in series}
    for file, symbol, exchange, rows in series:
        if (other_than[file], symbol) not in held:
            detail = f"not in {other_than[file]}; the pair cannot be replayed"
            yield Finding(
                file=file,
                exchange=exchange,
                symbol=symbol,
                kind=FindingKind.GAP,
                at_ms=rows.times_ms[0],
                detail=detail,
            )


_Found = tuple[FindingKind, int, str]


def _series(folder: Path) -> Iterator[tuple[str, str, str, ParquetRows]]:
    for file in (PRICES_FILE, FUNDING_FILE):
        found = read_rows(folder / file)
        if not found:
            why = "".join(f"; {each.rows:,} left out {each.reason}" for each in unplaced_rows(folder / file))
            raise HistoryError(f"{folder / file}: no rows{why}")
        for symbol, venues in sorted(found.items()):
            for exchange, rows in sorted(venues.items()):
                yield file, symbol, exchange, rows


def _prices(rows: ParquetRows) -> Iterator[_Found]:
    yield from _repeated(rows, lambda a, b: a == b, "hour")
    odd = [at for at in rows.times_ms if at % HOUR_MS]
    if odd:
        yield FindingKind.UNUSABLE, odd[0], f"{_times(odd, 'hour')} not on the full hour"
    series = {name: dict(_usable(rows, name)) for name in CLOSES}
    for name, known in series.items():
        bad = [at for at, value in _values(rows, name) if value is not None and not is_price(value)]
        if bad:
            yield FindingKind.UNUSABLE, bad[0], f"{name}: {_times(bad, 'value')} no price"
        if known:
            yield from _jumps(name, series)
            yield from _frozen(name, known)
    yield from _price_gaps(series)
    for name in ("spot_close", "perp_close"):
        if not series[name]:
            yield FindingKind.GAP, rows.times_ms[0], f"{name}: no value at all; the pair cannot be replayed"
    for name in ("spot_close", "mark_close"):
        yield from _apart(name, series["perp_close"], series[name])


def _price_gaps(series: Mapping[str, Mapping[int, float]]) -> Iterator[_Found]:
    """Yield each gap, with the prices that have the same one."""
    gaps: dict[tuple[int, int], list[str]] = {}
    for name, known in series.items():
        for before, after in pairwise(known):
            if after - before > HOUR_MS:
                gaps.setdefault((before + HOUR_MS, after), []).append(name)
    for (begin, end), names in gaps.items():
        yield FindingKind.GAP, begin, f"{', '.join(names)}: {(end - begin) // HOUR_MS} h missing"


def _jumps(name: str, series: Mapping[str, Mapping[int, float]]) -> Iterator[_Found]:
    """Yield the moves of one hour that no other price of the pair shares, and those by which everything halves."""
    known, others = series[name], [prices for other, prices in series.items() if other != name]
    moves = {at: log(known[at] / known[at - HOUR_MS]) for at in known if at - HOUR_MS in known}
    if not moves:
        return
    least = max(log(1 + LEAST_JUMP), JUMPS * median(abs(move) for move in moves.values()))
    for at, move in moves.items():
        is_alone = abs(move) > least and not any(_shares(prices, at, move) for prices in others)
        if is_alone or abs(move) >= log(LARGEST_MOVE):
            change = percent(known[at] / known[at - HOUR_MS] - 1, 1, sign="+")
            yield FindingKind.OUTLIER, at, f"{name}: {change} in one hour, to {known[at]:.10g}"


def _shares(prices: Mapping[int, float], at: int, move: float) -> bool:
    """Return whether another price moved the same way, by half as much or more."""
    if at not in prices or at - HOUR_MS not in prices:
        return False
    other = log(prices[at] / prices[at - HOUR_MS])
    return other * move > 0 and abs(other) >= abs(move) / 2


def _frozen(name: str, known: Mapping[int, float]) -> Iterator[_Found]:
    for stretch in _stretches(list(known), lambda before, after: known[before] == known[after]):
        if len(stretch) >= FROZEN_HOURS:
            yield FindingKind.FROZEN, stretch[0], f"{name}: {known[stretch[0]]:.10g} for {len(stretch)} h"


def _apart(name: str, perp: Mapping[int, float], other: Mapping[int, float]) -> Iterator[_Found]:
    far = {at: perp[at] / other[at] - 1 for at in perp if at in other and abs(perp[at] / other[at] - 1) > WIDEST_BASIS}
    for stretch in _stretches(list(far), lambda _, __: True):
        widest = max((far[at] for at in stretch), key=abs)
        detail = f"perp_close {percent(widest, 1, sign='+')} from {name}"
        yield FindingKind.OUTLIER, stretch[0], detail + (f" at most, for {len(stretch)} h" if len(stretch) > 1 else "")


def _stretches(times: Sequence[int], is_like: Callable[[int, int], bool]) -> Iterator[list[int]]:
    """Yield the stretches of hours that follow each other and are alike, oldest first."""
    stretch: list[int] = []
    for at in times:
        if stretch and not (at - stretch[-1] == HOUR_MS and is_like(stretch[-1], at)):
            yield stretch
            stretch = []
        stretch.append(at)
    if stretch:
        yield stretch


def _funding(rows: ParquetRows) -> Iterator[_Found]:
    yield from _repeated(rows, lambda a, b: b - a < SAME_SETTLEMENT_MS, "settlement")
    odd = [at for at in rows.times_ms if not is_on_the_hour(at)]
    if odd:
        yield FindingKind.UNUSABLE, odd[0], f"{_times(odd, 'settlement')} more than a minute from the full hour"
    for at, rate in _values(rows, "rate"):
        if rate is None or not isfinite(rate):
            yield FindingKind.UNUSABLE, at, "rate: missing" if rate is None else f"rate: {rate:g} is no number"
            continue
        shown = f"rate: {percent(rate, 3, sign='+')} of notional for one interval"
        if not is_rate(rate):
            yield FindingKind.UNUSABLE, at, f"{shown} is no rate"
        elif abs(rate) > HIGHEST_RATE:
            yield FindingKind.OUTLIER, at, shown
    rates = [rate for _, rate in _values(rows, "rate") if rate is not None and is_rate(rate)]
    if look_like_percent(rates):
        detail = "rate: most look like percent instead of fractions of notional"
        yield FindingKind.OUTLIER, rows.times_ms[0], detail
    yield from _intervals(rows)


def _intervals(rows: ParquetRows) -> Iterator[_Found]:
    settled: list[tuple[int, float]] = []
    for at, hours in _values(rows, "interval_hours"):
        if hours is not None and is_interval(hours):
            settled.append((at, hours))
            continue
        yield FindingKind.UNUSABLE, at, f"interval_hours: {figure(hours)}, and not 1, 2, 4 or 8"
        settled += [(at, settled[-1][1])] if settled else []
    for (before, old), (at, new) in pairwise(settled):
        if new != old:
            yield FindingKind.INTERVAL, at, f"every {new:g} h, before every {old:g} h"
        missing = missing_between(before, at, new)
        if missing > 0:
            yield FindingKind.GAP, before + int(new * HOUR_MS), f"{missing} of the settlements every {new:g} h missing"
        elif missing < 0 and at - before >= SAME_SETTLEMENT_MS:
            hours = (at - before) / HOUR_MS
            yield FindingKind.OUTLIER, at, f"{hours:.3g} h after the settlement before, with an interval of {new:g} h"


def _repeated(rows: ParquetRows, is_same: Callable[[int, int], bool], what: str) -> Iterator[_Found]:
    values = list(zip(*rows.numbers.values(), strict=True))
    for index, (before, at) in enumerate(pairwise(rows.times_ms)):
        if is_same(before, at):
            alike = repr(values[index]) == repr(values[index + 1])
            yield FindingKind.DUPLICATE, at, f"the {what} is there twice, {'alike' if alike else 'with two readings'}"


def _values(rows: ParquetRows, name: str) -> Iterator[tuple[int, float | None]]:
    return zip(rows.times_ms, rows.numbers[name], strict=True)


def _usable(rows: ParquetRows, name: str) -> Iterator[tuple[int, float]]:
    for at, value in _values(rows, name):
        if value is not None and is_price(value) and at % HOUR_MS == 0:
            yield at, value


def _times(found: Sequence[int], what: str) -> str:
    return f"1 {what} is" if len(found) == 1 else f"{len(found)} {what}s are"
