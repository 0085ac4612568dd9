"""How screens write the numbers, times and rules of a ``View``: the one place, for web, terminal, Telegram and alerts.

A sign stands before the dollar and is a real minus (U+2212), thousands are separated, money has two decimals (more
where two would show nothing), quantities and prices are never cut, and what is not known is ``?``, never zero. Log
lines have the guide's formats, which are in ``hedgerow.domain.formats``.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from msgspec import Struct

from hedgerow.dashboard.bot_state import BotState
from hedgerow.dashboard.job_view import Fallback, FallbackKind
from hedgerow.dashboard.view_parts import Worth
from hedgerow.domain import formats as plain_formats
from hedgerow.domain.instrument import Market
from hedgerow.domain.money import plain
from hedgerow.domain.position import Reason
from hedgerow.strategy.decisions.consequences import Consequence, ForeseenExit, NextStep, Stage, StageAction
from hedgerow.strategy.decisions.distances import ExitDistance, ExitUnit

__all__ = [
    "MINUS",
    "UNKNOWN",
    "WorthRow",
    "ago",
    "apr",
    "bps",
    "clock_time",
    "consequence_text",
    "count",
    "countdown",
    "date_time",
    "duration",
    "exit_limit",
    "exit_name",
    "exit_value",
    "exit_when",
    "fallback_text",
    "iso",
    "leg_name",
    "longest_bar",
    "money",
    "percent",
    "price",
    "quantity",
    "rate",
    "ratio",
    "seconds",
    "share_done",
    "signed_bps",
    "signed_money",
    "signed_percent",
    "stage_text",
    "state_name",
    "volume",
    "whole_money",
    "without_dust",
    "worth_rows",
    "worth_since",
]

UNKNOWN: Final = "?"
MINUS: Final = "\N{MINUS SIGN}"
_DAY: Final = timedelta(days=1)
_LARGE: Final = ((Decimal(10) ** 9, "B"), (Decimal(10) ** 6, "M"), (Decimal(10) ** 3, "k"))
_MARKED_DAYS: Final = 2
"""From so many days on an age limit is written in days."""


# --- numbers ---------------------------------------------------------------------------------------------------------


def money(value: Decimal | None) -> str:
    """Return quote units: ``$1,234.50``, a loss as ``-$5.00`` with a real minus."""
    return UNKNOWN if value is None else _minus(plain_formats.amount(value))


def signed_money(value: Decimal | None) -> str:
    """Return quote units, a gain with its plus: ``+$1.96``."""
    return UNKNOWN if value is None else _minus(plain_formats.signed_amount(value))


def whole_money(value: Decimal | None) -> str:
    """Return a large amount without cents: ``$9,746``."""
    if value is None:
        return UNKNOWN
    return f"{MINUS if round(value) < 0 else ''}${abs(round(value)):,}"


def volume(value: Decimal | None) -> str:
    """Return a volume with three digits and its magnitude: ``$1.25 B``, ``$150 M``."""
    if value is None:
        return UNKNOWN
    for size, name in _LARGE:
        if value >= size:
            part = value / size
            return f"${part:.{max(0, 2 - part.adjusted())}f} {name}"
    return f"${value:.0f}"


def without_dust(assets: Sequence[str]) -> str:
    """Return which coins a sum is without, as they have no price: ``, without dust of AAA``; empty for none."""
    return f", without dust of {', '.join(assets)}" if assets else ""


def price(value: Decimal | None) -> str:
    """Return a price with every digit of the exchange's grid, without the dollar: ``3,472.05``."""
    return UNKNOWN if value is None else _minus(plain_formats.price(value).replace("$", ""))


def quantity(value: Decimal | None, asset: str = "", step: Decimal | None = None) -> str:
    """Return units of a coin with every digit, at least those of its grid ``step``, and its name: ``2.685 ETH``."""
    if value is None:
        return UNKNOWN
    text = plain(value)
    decimals = 0 if step is None else len(plain(step).partition(".")[2])
    if len(text.partition(".")[2]) < decimals:
        text = f"{value:.{decimals}f}"
    return _minus(f"{text} {asset}".rstrip())


def percent(fraction: float | None, decimals: int = 2) -> str:
    """Return a fraction as percent: ``12.34 %``."""
    return UNKNOWN if fraction is None else _minus(plain_formats.percent(fraction, decimals))


def signed_percent(fraction: float | None, decimals: int = 2) -> str:
    """Return a fraction as percent, with its sign: ``+1.23 %``."""
    return UNKNOWN if fraction is None else _minus(plain_formats.signed_percent(fraction, decimals))


def rate(fraction: float | None) -> str:
    """Return a funding rate per interval: ``0.0210 %``."""
    return percent(fraction, 4)


def apr(fraction: float | None) -> str:
    """Return an APR: ``96.3 %``."""
    return percent(fraction, 1)


def bps(fraction: float | None) -> str:
    """Return a fraction as basis points: ``4.5 bp``."""
    return UNKNOWN if fraction is None else _minus(plain_formats.bps(fraction))


def signed_bps(fraction: float | None) -> str:
    """Return a fraction as basis points, with its sign: ``+4.5 bp``."""
    return UNKNOWN if fraction is None else _minus(f"{fraction * 10_000:+z.1f} bp")


def ratio(value: float | None) -> str:
    """Return a ratio: ``7.59``."""
    return UNKNOWN if value is None else _minus(f"{value:z.2f}")


def count(value: int | None) -> str:
    """Return a whole number: ``1,234``."""
    return UNKNOWN if value is None else _minus(f"{value:,}")


# --- times -----------------------------------------------------------------------------------------------------------


def seconds(value: float | None) -> str:
    """Return a short time: ``5.2 s``."""
    return UNKNOWN if value is None else _minus(plain_formats.seconds(value))


def duration(value: timedelta | None) -> str:
    """Return a duration in its two largest units: ``9 d 20 h``."""
    return UNKNOWN if value is None else _minus(plain_formats.duration(value))


def ago(at: datetime | None, now: datetime) -> str:
    """Return how long ago something was: ``4 s ago``."""
    return UNKNOWN if at is None else f"{duration(max(now - at, timedelta()))} ago"


def countdown(at: datetime | None, now: datetime) -> str:
    """Return what is left until a time: ``3:12:48``, ``12:48``, ``2 d 3 h``; ``due`` once it has passed."""
    if at is None:
        return UNKNOWN
    left = int((at - now).total_seconds())
    if left <= 0:
        return "due"
    if left >= _DAY.total_seconds():
        return duration(timedelta(seconds=left))
    hours, rest = divmod(left, 3600)
    minutes, last = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{last:02}" if hours else f"{minutes}:{last:02}"


def clock_time(at: datetime | None, now: datetime) -> str:
    """Return a time to the second, with its date unless it is today: ``20:42:57 UTC``."""
    if at is None:
        return UNKNOWN
    utc = at.astimezone(UTC)
    today = utc.date() == now.astimezone(UTC).date()
    return f"{utc:%H:%M:%S} UTC" if today else f"{utc:%Y-%m-%d %H:%M:%S} UTC"


def date_time(at: datetime | None) -> str:
    """Return a time to the minute: ``2025-05-01 00:30``; UTC, which is said by what stands around it."""
    return UNKNOWN if at is None else plain_formats.utc_minute(at)


def iso(at: datetime | None) -> str:
    """Return a time for programs: ISO 8601, UTC, to the second; empty when it is not known."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


# --- words about rules -----------------------------------------------------------------------------------------------

_NAMES: Final = {
    Reason.FEES_COVERED: "Fees covered",
    Reason.MAX_AGE: "Age",
    Reason.BETTER_PAIR: "Better pair",
    Reason.NEGATIVE_FUNDING: "Funding no longer pays",
    Reason.EMERGENCY_STOP: "Emergency stop",
    Reason.LIQUIDATION_NEAR: "Liquidation",
    Reason.IMBALANCE: "Legs differ",
}
_ACTIONS: Final = {
    StageAction.TRIM: "the larger leg is trimmed",
    StageAction.TOP_UP: "idle USDT becomes margin",
    StageAction.REDUCE: "a part of both legs is closed",
    StageAction.CLOSE: "it is closed",
}


def exit_name(distance: ExitDistance) -> str:
    """Return the name of a rule: ``Fees covered``."""
    name = _NAMES.get(distance.rule, distance.rule.value.capitalize())
    return f"{name}: {distance.pair}" if distance.pair else name


def exit_value(distance: ExitDistance) -> str:
    """Return the value of a rule now."""
    return _in_unit(distance.value, distance)


def exit_limit(distance: ExitDistance) -> str:
    """Return at what a rule acts."""
    return _in_unit(distance.threshold, distance)


def share_done(distance: ExitDistance) -> float | None:
    """Return the share of the way to the rule that is behind: 1 = it holds; None = not known."""
    return None if distance.left is None else 1.0 - distance.left


def exit_when(distance: ExitDistance, now: datetime) -> str:
    """Return when a rule is reached at the present signal: ``in about 5 h 44 min``; empty where nothing foresees it."""
    if distance.due_at is None:
        return ""
    return f"in about {duration(max(distance.due_at - now, timedelta()))}"


def consequence_text(found: ForeseenExit) -> str:
    """Return what would follow now, as a sentence."""
    return UNKNOWN if found.consequence is None else _follows(found.consequence)


def stage_text(stage: Stage) -> str:
    """Return what is done on the way to a rule: ``at 25.00 % idle USDT becomes margin``."""
    return f"at {percent(stage.threshold)} {_ACTIONS[stage.action]}"


def fallback_text(fallback: Fallback) -> str:
    """Return what follows if the other leg does not fill: ``after 5.0 s price limit 30 bp``."""
    after = f"after {seconds(fallback.after_seconds)}"
    limit = UNKNOWN if fallback.price_limit_bps is None else f"{plain(fallback.price_limit_bps)} bp"
    match fallback.kind:
        case FallbackKind.WIDEN:
            return f"{after} price limit {limit}"
        case FallbackKind.ALARM:
            return f"{after} an alarm, openings halted"
        case FallbackKind.UNWIND:
            return f"{after} what has no other leg is undone, price limit up to {limit}"


def leg_name(market: Market) -> str:
    """Return the name of a leg."""
    return "Spot" if market is Market.SPOT else "Perpetual"


def state_name(state: BotState) -> str:
    """Return a state in a word or two: ``HEDGED``."""
    return state.value.upper()


def _follows(consequence: Consequence) -> str:
    halts = "; then openings are halted" if consequence.halts else ""
    match consequence.step:
        case NextStep.ROLL:
            return f"Rolled: the counters restart, no orders (still the best pair){halts}"
        case NextStep.REOPEN:
            return f"Closed; it is still the best pair and may be opened again{halts}"
        case NextStep.ROTATE:
            return f"Closed, then {consequence.pair} is opened{halts}"
        case NextStep.CLOSE:
            return f"Closed{halts}" if halts else "Closed; no pair passes the filters now"


def _in_unit(value: float | None, distance: ExitDistance) -> str:
    if value is None:
        return UNKNOWN
    match distance.unit:
        case ExitUnit.TIMES:
            return f"{ratio(value)}\N{MULTIPLICATION SIGN}"
        case ExitUnit.HOURS:
            long = distance.threshold >= _MARKED_DAYS * 24
            return f"{value / 24:z.1f} d" if long else f"{value:z.1f} h"
        case ExitUnit.FRACTION:
            return percent(value)


def _minus(text: str) -> str:
    return text.replace("-", MINUS) if text.startswith("-") else text


# --- was it worth it -------------------------------------------------------------------------------------------------


class WorthRow(Struct, frozen=True, kw_only=True):
    """What the same money would have made in one way."""

    name: str
    """The field of ``Worth``."""
    label: str
    value: Decimal | None


def worth_rows(found: Worth, same_pair: str) -> tuple[WorthRow, ...]:
    """Return what is compared, in the order of every screen; ``same_pair`` is the label of the first pair held."""
    return (
        WorthRow(name="bot", label="This bot", value=found.bot),
        WorthRow(name="same_pair_held", label=same_pair, value=found.same_pair_held),
        WorthRow(name="btc_held", label="BTC held hedged", value=found.btc_held),
        WorthRow(name="cash", label=f"Cash at {percent(found.cash_rate, 1)} a year", value=found.cash),
        WorthRow(name="hindsight", label="Best possible, in hindsight", value=found.hindsight),
    )


def longest_bar(rows: Sequence[WorthRow]) -> Decimal:
    """Return what the longest bar stands for, never zero."""
    return max((abs(row.value) for row in rows if row.value is not None), default=Decimal(0)) or Decimal(1)


def worth_since(found: Worth) -> str:
    """Return since when is compared, and that it is no forecast."""
    days = max(0, (found.until - found.since).days)
    return f"Since {date_time(found.since)} UTC ({count(days)} d: no forecast), after fees"
