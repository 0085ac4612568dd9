"""Quality of a series: what is a price, a rate and an interval; what of a series is left out, refused or missing.

`hedgerow data check` and everything that plays history judge values by the same functions.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise
from math import isfinite

from msgspec import Struct

from hedgerow.domain.errors import HistoryError
from hedgerow.domain.funding import EPOCH
from hedgerow.history.parquet import ParquetRows

__all__ = [
    "HIGHEST_RATE",
    "HOUR_MS",
    "INTERVALS",
    "JITTER_MS",
    "LARGEST_MOVE",
    "SAME_SETTLEMENT_MS",
    "WIDEST_BASIS",
    "Doubt",
    "Gap",
    "HourlyClose",
    "Print",
    "clean_closes",
    "clean_prints",
    "doubtful_closes",
    "doubtful_prints",
    "figure",
    "gaps_between",
    "is_interval",
    "is_on_the_hour",
    "is_price",
    "is_rate",
    "look_like_percent",
    "missing_between",
    "percent",
    "unusable_closes",
    "unusable_prints",
    "utc_text",
]

HOUR_MS = 3_600_000
SAME_SETTLEMENT_MS = 60_000
"""Prints closer than this are one settlement; the venue's jitter is 15 s at most (docs/aster-api.md 11)."""
LARGEST_RATE = 1.0
"""A settled rate beyond this, either sign, is no rate: venues cap one interval at 2 to 3 % (docs/aster-api.md 11)."""
INTERVALS = (1, 2, 4, 8)
"""Hours between two settlements (docs/aster-api.md 11)."""
LOWEST_PRICE, HIGHEST_PRICE = 1e-8, 1e8
"""USDT for one coin: exchanges quote no finer, and beyond it is no price of any coin."""
FURTHEST_APART = 2.0
"""A perpetual and its coin, or its mark, whose prices differ by more than this factor are not prices of one thing."""
FURTHEST_MOVE, LONGEST_MOVE_MS = 10.0, 7 * 24 * HOUR_MS
"""Spot and perpetual that both change by more than this factor, with no gap so long, are prices of another unit."""
LEAST_SPIKE, SPIKE_RETURN = 3.0, 1.1
"""One hour whose spot and perpetual both move by this factor or more, and are back within the second in the next hour,
is an error of the data."""
LARGEST_MOVE = 2.0
"""A price that changes by this factor or more within an hour deserves a look: a split, an error, another coin."""
WIDEST_BASIS = 0.05
"""Fraction by which a perpetual's close may differ from the spot close and from the mark without deserving a look."""
HIGHEST_RATE = 0.01
"""A settled rate beyond this, either sign, deserves a look; fraction of notional for one interval."""
USUAL_RATE = 0.002
"""Rates of which more than half are beyond this, either sign, look like percent: settled ones are 0.01 % mostly."""
JITTER_MS = 60_000
"""A settlement's stamp lies at most this far from its full hour."""
SHOWN_PERCENT = 1e6
"""Percentages beyond it are shown with an exponent."""


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


def is_price(value: float | None) -> bool:
    """Return whether a close can be a price."""
    return value is not None and LOWEST_PRICE <= value <= HIGHEST_PRICE


def is_rate(value: float | None) -> bool:
    """Return whether a settled rate can be one."""
    return value is not None and abs(value) <= LARGEST_RATE


def is_interval(hours: float | None) -> bool:
    """Return whether a venue settles every so many hours."""
    return hours in INTERVALS


def is_on_the_hour(at_ms: int) -> bool:
    """Return whether a settlement may be of that time: venues settle on the full hour."""
    return min(at_ms % HOUR_MS, -at_ms % HOUR_MS) <= JITTER_MS


def figure(value: float | None) -> str:
    """Return a number in a few characters, or that it is missing."""
    return "missing" if value is None else f"{value:g}"


def percent(fraction: float, digits: int = 0, *, sign: str = "") -> str:
    """Return a fraction as a percentage of a few characters, however large it is."""
    shown = fraction * 100
    return f"{shown:{sign}.{digits}f}%" if abs(shown) <= SHOWN_PERCENT else f"{shown:{sign}.3g}%"


def clean_closes(rows: ParquetRows) -> list[HourlyClose]:
    """Return the hours with a spot and a perpetual close; the perpetual's replaces a mark that is not known.

    Hours in another unit than most, and one that the next takes back, are left out. Both are judged by hours before and
    after: which rows are errors is a property of the data, and not known at the time.

    Raises:
        HistoryError: one hour is listed twice with different closes.
    """
    kept: list[HourlyClose] = []
    for close in _judged_closes(rows).kept:
        if not kept or kept[-1].open_ms < close.open_ms:
            kept.append(close)
        elif kept[-1] != close:
            raise HistoryError(f"two different closes for the hour from {utc_text(close.open_ms)}")
    return kept


def clean_prints(rows: ParquetRows) -> list[Print]:
    """Return the settled rates at their real times, one per settlement.

    Raises:
        HistoryError: one settlement is listed twice with different rates, a rate is too large, or an interval is none.
    """
    kept: list[Print] = []
    for at_ms, rate, hours in zip(rows.times_ms, rows.numbers["rate"], rows.numbers["interval_hours"], strict=True):
        if rate is None or not isfinite(rate) or not is_on_the_hour(at_ms):
            continue
        if not is_rate(rate):
            raise HistoryError(
                f"funding rate of {utc_text(at_ms)} is {percent(rate)}; at most {percent(LARGEST_RATE)} is plausible"
            )
        if hours is None or not is_interval(hours):
            raise HistoryError(f"funding interval of {utc_text(at_ms)} must be 1, 2, 4 or 8 hours, not {figure(hours)}")
        if not kept or at_ms - kept[-1].at_ms >= SAME_SETTLEMENT_MS:
            kept.append(Print(at_ms, rate, int(hours)))
        elif (kept[-1].rate, kept[-1].interval_hours) != (rate, hours):
            raise HistoryError(f"two different funding rates for the settlement of {utc_text(at_ms)}")
    return kept


def unusable_closes(rows: ParquetRows) -> Iterator[str]:
    """Yield a line for closes that stand in the file and are not used; a missing one is none."""
    odd = [at for at in rows.times_ms if at % HOUR_MS]
    if odd:
        yield _left_out(odd, "hour", "that does not begin on the hour", several="that do not begin on the hour")
    for name in ("spot_close", "perp_close", "mark_close"):
        bad = [at for at, value in zip(rows.times_ms, rows.numbers[name], strict=True) if _is_bad(value)]
        if bad:
            yield _left_out(bad, name, "that is no price", several="that are no price")
    apart = [at for at, spot, perp, _ in _closes(rows) if _are_prices(spot, perp) and not _are_near(spot, perp)]
    if apart:
        yield _left_out(apart, "hour", f"whose spot and perpetual are more than a factor of {FURTHEST_APART:g} apart")
    judged = _judged_closes(rows)
    if judged.of_another_unit:
        why = f"more than a factor of {FURTHEST_MOVE:g} from the prices of most hours: another unit"
        yield _left_out(judged.of_another_unit, "hour", why)
    if judged.spikes:
        why = f"a factor of {LEAST_SPIKE:g} or more from the hours before and after"
        yield _left_out(judged.spikes, "hour", f"{why} it", several=f"{why} them")
    apart = [at for at, _, perp, mark in _closes(rows) if _are_prices(perp, mark) and not _are_near(perp, mark)]
    if apart:
        yield _left_out(apart, "mark_close", f"more than a factor of {FURTHEST_APART:g} from the perpetual's close")


def unusable_prints(rows: ParquetRows) -> Iterator[str]:
    """Yield a line for rows without a settled rate, and one for rates that are no number."""
    values = list(zip(rows.times_ms, rows.numbers["rate"], strict=True))
    missing = [at for at, value in values if value is None]
    if missing:
        yield _left_out(missing, "settlement", "without a funding rate")
    odd = [at for at in rows.times_ms if not is_on_the_hour(at)]
    if odd:
        yield _left_out(odd, "settlement", "more than a minute from the full hour")
    bad = [at for at, value in values if value is not None and not isfinite(value)]
    if bad:
        yield _left_out(bad, "funding rate", "that is no number", several="that are no number")


class Doubt(Struct, frozen=True, kw_only=True):
    """Something of a series that is played and deserves a look."""

    kind: str
    """What it is, of any number of pairs."""
    text: str
    """How often and where, of one pair."""


def doubtful_closes(closes: Sequence[HourlyClose]) -> Iterator[Doubt]:
    """Yield one for prices that are played and deserve a look."""
    jumps = [
        after.open_ms
        for before, after in pairwise(closes)
        if after.open_ms - before.open_ms == HOUR_MS
        and (_jumps(before.spot, after.spot) or _jumps(before.perp, after.perp))
    ]
    if jumps:
        what = f"prices that change by a factor of {LARGEST_MOVE:g} or more within an hour"
        text = f"{len(jumps)} hour{'' if len(jumps) == 1 else 's'} with {what}, the first of {utc_text(jumps[0])}"
        yield Doubt(kind=what, text=text)
    apart = sum(abs(close.perp / close.spot - 1) > WIDEST_BASIS for close in closes)
    if 2 * apart > len(closes):
        what = f"spot and perpetual are more than {percent(WIDEST_BASIS)} apart"
        yield Doubt(kind=f"{what} in most hours", text=f"{what} in {apart} of {len(closes)} hours")
    still = sum(before.spot == after.spot and before.perp == after.perp for before, after in pairwise(closes))
    if 2 * still > len(closes):
        what = "prices stand still in"
        yield Doubt(kind=f"{what} most hours", text=f"{what} {still} of {len(closes)} hours")


def doubtful_prints(prints: Sequence[Print]) -> Iterator[Doubt]:
    """Yield one for rates that are played and deserve a look, for missing settlements, and for early ones."""
    rates = [each.rate for each in prints]
    high = [each.at_ms for each in prints if abs(each.rate) > HIGHEST_RATE]
    if look_like_percent(rates):
        half = f"half of them are beyond {percent(USUAL_RATE, 1)} of notional for one interval"
        what = "funding rates look like percent instead of fractions"
        yield Doubt(kind=what, text=f"{what}: {half}")
    elif high:
        beyond = f"beyond {percent(HIGHEST_RATE)} of notional for one interval"
        text = f"{len(high)} funding rate{'' if len(high) == 1 else 's'} {beyond}, the first of {utc_text(high[0])}"
        yield Doubt(kind=f"funding rates {beyond}", text=text)
    missing = early = 0
    first_missing: int | None = None
    first_early: Print | None = None
    for before, after in pairwise(prints):
        between = missing_between(before.at_ms, after.at_ms, after.interval_hours)
        if between > 0:
            missing += between
            first_missing = first_missing or before.at_ms + after.interval_hours * HOUR_MS
        elif between < 0:
            early += 1
            first_early = first_early or after
    if first_missing is not None:
        what = f"settlement{'' if missing == 1 else 's'} missing, the first of {utc_text(first_missing)}"
        text = f"{missing:,} {what}; nothing is paid for {'it' if missing == 1 else 'them'}"
        yield Doubt(kind="settlements missing, for which nothing is paid", text=text)
    if first_early is not None:
        sooner = "sooner after the one before than the interval"
        first = f"the first of {utc_text(first_early.at_ms)} with {first_early.interval_hours} h"
        text = f"{early:,} settlement{'' if early == 1 else 's'} {sooner}, {first}"
        yield Doubt(kind=f"settlements {sooner}", text=text)


def look_like_percent(rates: Sequence[float]) -> bool:
    """Return whether most rates of a series are so high that they may be in percent instead of fractions."""
    return 2 * sum(abs(rate) > USUAL_RATE for rate in rates) > len(rates)


def missing_between(before_ms: int, at_ms: int, hours: float) -> int:
    """Return how many settlements every ``hours`` are missing between two; negative = they follow too soon."""
    return round((at_ms - before_ms) / HOUR_MS / hours) - 1


def _jumps(before: float, after: float) -> bool:
    return not 1 / LARGEST_MOVE < after / before < LARGEST_MOVE


def gaps_between(known_ms: Sequence[int], *, start_ms: int, end_ms: int, longest_ms: int) -> list[Gap]:
    """Return the parts of ``[start_ms, end_ms]`` where the newest close is ``longest_ms`` old or older."""
    stamps = [start_ms - longest_ms, *known_ms, end_ms]
    spans = ((max(start_ms, a + longest_ms), min(end_ms, b)) for a, b in pairwise(stamps))
    return [Gap(from_ms=a, until_ms=b) for a, b in spans if a < b]


def utc_text(at_ms: int) -> str:
    """Return a time for people, to the minute, UTC."""
    return format(EPOCH + timedelta(milliseconds=at_ms), "%Y-%m-%d %H:%M")


def _closes(rows: ParquetRows) -> Iterator[tuple[int, float | None, float | None, float | None]]:
    return zip(rows.times_ms, *(rows.numbers[name] for name in ("spot_close", "perp_close", "mark_close")), strict=True)


def _are_prices(one: float | None, other: float | None) -> bool:
    return is_price(one) and is_price(other)


def _are_near(one: float | None, other: float | None) -> bool:
    """Return whether two prices may be of one thing; None is near nothing."""
    return one is not None and other is not None and one <= FURTHEST_APART * other and other <= FURTHEST_APART * one


class _Judged(Struct, frozen=True, kw_only=True):
    """The hours with two prices of one thing; of those that are left out, when they began."""

    kept: Sequence[HourlyClose]
    of_another_unit: Sequence[int]
    spikes: Sequence[int]


def _judged_closes(rows: ParquetRows) -> _Judged:
    closes = list(_with_two_prices(rows))
    stretches = _stretches(closes)
    hours: Counter[tuple[int, int]] = Counter()
    for each in stretches:
        hours[each.run, each.unit] += each.end - each.begin
    # Of each run the unit of most hours, of as many the first: the last one of a run stays.
    most = dict(sorted(hours, key=lambda each: (hours[each], -each[1])))
    of_one_unit: list[HourlyClose] = []
    other: list[int] = []
    for each in stretches:
        part = closes[each.begin : each.end]
        if most[each.run] == each.unit:
            of_one_unit += part
        else:
            other += [close.open_ms for close in part]
    kept, spikes = _without_spikes(of_one_unit)
    return _Judged(kept=kept, of_another_unit=other, spikes=spikes)


def _with_two_prices(rows: ParquetRows) -> Iterator[HourlyClose]:
    for open_ms, spot, perp, mark in _closes(rows):
        if spot is None or perp is None or open_ms % HOUR_MS or not (_are_prices(spot, perp) and _are_near(spot, perp)):
            continue
        known = mark if mark is not None and is_price(mark) and _are_near(mark, perp) else perp
        yield HourlyClose(open_ms, spot, perp, known)


class _Stretch(Struct, frozen=True, kw_only=True):
    """Closes ``[begin, end)``, of one unit without a long gap."""

    run: int
    """Number of the stretch of time without a long gap."""
    unit: int
    """Number of the unit in the run."""
    begin: int
    end: int


def _stretches(closes: Sequence[HourlyClose]) -> list[_Stretch]:
    found: list[_Stretch] = []
    newest: list[HourlyClose] = []
    """Of each unit of the run."""
    run = unit = begin = 0
    for end, (close, after) in enumerate(zip(closes, [*closes[1:], None], strict=False), 1):
        goes_on = after is not None and after.open_ms - close.open_ms < LONGEST_MOVE_MS
        if after is not None and goes_on and not _is_other_unit(close, after):
            continue
        found.append(_Stretch(run=run, unit=unit, begin=begin, end=end))
        begin = end
        newest[unit : unit + 1] = [close]
        if after is None or not goes_on:
            run, unit, newest = run + 1, 0, []
        else:
            unit = next((n for n, other in enumerate(newest) if not _is_other_unit(other, after)), len(newest))
    return found


def _without_spikes(closes: Sequence[HourlyClose]) -> tuple[list[HourlyClose], list[int]]:
    """Return the hours without those that the next one takes back, and when those began."""
    kept = list(closes[:1])
    spikes: list[int] = []
    for number, close in enumerate(closes[1:], 1):
        before = kept[-1]
        if 1 / LEAST_SPIKE < close.spot / before.spot < LEAST_SPIKE or not _is_spike(
            before, *closes[number : number + 2]
        ):
            kept.append(close)
        else:
            spikes.append(close.open_ms)
    return kept, spikes


def _is_spike(before: HourlyClose, close: HourlyClose, after: HourlyClose | None = None) -> bool:
    """Return whether one hour is far from both around it, and these near each other."""
    if after is None or not close.open_ms - before.open_ms == after.open_ms - close.open_ms == HOUR_MS:
        return False
    moves = close.spot / before.spot, close.perp / before.perp
    back = after.spot / before.spot, after.perp / before.perp
    is_far = min(moves) >= LEAST_SPIKE or max(moves) <= 1 / LEAST_SPIKE
    return is_far and min(back) >= 1 / SPIKE_RETURN and max(back) <= SPIKE_RETURN


def _is_other_unit(before: HourlyClose, after: HourlyClose) -> bool:
    spot, perp = after.spot / before.spot, after.perp / before.perp
    return min(spot, perp) > FURTHEST_MOVE or max(spot, perp) < 1 / FURTHEST_MOVE


def _is_bad(value: float | None) -> bool:
    return value is not None and not is_price(value)


def _left_out(found: Sequence[int], what: str, why: str, *, several: str | None = None) -> str:
    """Return one line; ``several`` is the reason of more than one. The name of a column has no plural."""
    if len(found) > 1:
        what, why = what if "_" in what else f"{what}s", several or why
    return f"{len(found)} {what} left out {why}, the first of {utc_text(found[0])}"
