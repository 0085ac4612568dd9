"""Quality of a series: contradicting rows are refused, rows without a value dropped, gaps named."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise
from math import isfinite

from msgspec import Struct

from hedgerow.domain.errors import HistoryError
from hedgerow.domain.funding import EPOCH
from hedgerow.history.parquet import ParquetRows

__all__ = [
    "Gap",
    "HourlyClose",
    "Print",
    "clean_closes",
    "clean_prints",
    "gaps_between",
    "unusable_closes",
    "unusable_prints",
    "utc_text",
]

SAME_SETTLEMENT_MS = 60_000
"""Prints closer than this are one settlement; the venue's jitter is 15 s at most (docs/aster-api.md 11)."""
LARGEST_RATE = 1.0
"""A settled rate beyond this, either sign, is no rate: venues cap one interval at 2 to 3 % (docs/aster-api.md 11)."""


class HourlyClose(Struct, frozen=True):
    """One hour's closes."""

    open_ms: int
    spot: float
    perp: float
    mark: float


class Print(Struct, frozen=True):
    """One settled funding rate."""

    at_ms: int
    rate: float
    interval_hours: int


class Gap(Struct, frozen=True, kw_only=True):
    """A stretch without a readable price."""

    from_ms: int
    until_ms: int

    @property
    def hours(self) -> float:
        """Length in hours."""
        return (self.until_ms - self.from_ms) / 3_600_000


def clean_closes(rows: ParquetRows) -> list[HourlyClose]:
    """Return the hours with a spot and a perpetual close; the perpetual's replaces a mark that is not known.

    Raises:
        HistoryError: one hour is listed twice with different closes.
    """
    columns = (rows.numbers[name] for name in ("spot_close", "perp_close", "mark_close"))
    kept: list[HourlyClose] = []
    for open_ms, spot, perp, mark in zip(rows.times_ms, *columns, strict=True):
        if not (_is_price(spot) and _is_price(perp)):
            continue
        close = HourlyClose(open_ms, spot or 0.0, perp or 0.0, (mark if _is_price(mark) else perp) or 0.0)
        if not kept or kept[-1].open_ms < open_ms:
            kept.append(close)
        elif kept[-1] != close:
            raise HistoryError(f"two different closes for the hour from {utc_text(open_ms)}")
    return kept


def clean_prints(rows: ParquetRows) -> list[Print]:
    """Return the settled rates at their real times, one per settlement.

    Raises:
        HistoryError: one settlement is listed twice with different rates, or an interval is not whole hours.
    """
    kept: list[Print] = []
    for at_ms, rate, hours in zip(rows.times_ms, rows.numbers["rate"], rows.numbers["interval_hours"], strict=True):
        if rate is None or not isfinite(rate):
            continue
        if abs(rate) > LARGEST_RATE:
            raise HistoryError(
                f"funding rate of {utc_text(at_ms)} is {rate:.0%}; at most {LARGEST_RATE:.0%} is plausible"
            )
        if hours is None or not isfinite(hours) or hours < 1 or hours != int(hours):
            raise HistoryError(f"funding interval of {utc_text(at_ms)} must be whole hours, not {hours}")
        if not kept or at_ms - kept[-1].at_ms >= SAME_SETTLEMENT_MS:
            kept.append(Print(at_ms, rate, int(hours)))
        elif (kept[-1].rate, kept[-1].interval_hours) != (rate, hours):
            raise HistoryError(f"two different funding rates for the settlement of {utc_text(at_ms)}")
    return kept


def unusable_closes(rows: ParquetRows) -> Iterator[str]:
    """Yield a line for spot and perpetual closes that stand in the file and are no price; a missing one is none."""
    for name in ("spot_close", "perp_close"):
        bad = [at for at, value in zip(rows.times_ms, rows.numbers[name], strict=True) if _is_bad(value)]
        if bad:
            yield f"{len(bad)} {name} left out that {_is_or_are(bad)} no price, the first of {utc_text(bad[0])}"


def unusable_prints(rows: ParquetRows) -> Iterator[str]:
    """Yield a line for settled rates that are no number."""
    bad = [
        at
        for at, value in zip(rows.times_ms, rows.numbers["rate"], strict=True)
        if value is not None and not isfinite(value)
    ]
    if bad:
        yield f"{len(bad)} funding rate left out that {_is_or_are(bad)} no number, the first of {utc_text(bad[0])}"


def gaps_between(known_ms: Sequence[int], *, start_ms: int, end_ms: int, longest_ms: int) -> list[Gap]:
    """Return the parts of ``[start_ms, end_ms]`` where the newest close is ``longest_ms`` old or older."""
    stamps = [start_ms - longest_ms, *known_ms, end_ms]
    spans = ((max(start_ms, a + longest_ms), min(end_ms, b)) for a, b in pairwise(stamps))
    return [Gap(from_ms=a, until_ms=b) for a, b in spans if a < b]


def utc_text(at_ms: int) -> str:
    """Return a time for people, to the minute, UTC."""
    return format(EPOCH + timedelta(milliseconds=at_ms), "%Y-%m-%d %H:%M")


def _is_bad(value: float | None) -> bool:
    return value is not None and not _is_price(value)


def _is_or_are(found: Sequence[int]) -> str:
    return "is" if len(found) == 1 else "are"


def _is_price(value: float | None) -> bool:
    return value is not None and isfinite(value) and value > 0
