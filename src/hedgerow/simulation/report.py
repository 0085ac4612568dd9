"""The results of runs: one by one, added up, and as text."""

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec
from msgspec import Struct

from hedgerow.domain.events import Event
from hedgerow.domain.money import ZERO, plain
from hedgerow.simulation.checks.exposure import SHARES, Distribution, TradeExposure, distributions, quantiles
from hedgerow.simulation.checks.invariants import Violation
from hedgerow.simulation.scenario import RunPlan

__all__ = ["Failure", "RunResult", "Summary", "as_json", "failure_lines", "result_lines", "summary_lines"]

LONG_SECONDS = 60.0
QUANTILES = (0.5, 0.9, 0.99, 1.0)


class RunResult(Struct, frozen=True, kw_only=True):
    """How one run ended."""

    seed: int
    days: float
    """How many were played: more than were asked for, where the seed draws a run of months."""
    violation: Violation | None
    """The first one; the run ends with it."""
    tail: tuple[Event, ...]
    """The newest events of a run that failed."""
    crash_points: int
    """Times at which the bot really died."""
    restarts: int
    faults_injected: int
    """Commands and reads that a fault met, acts of the owner and of the venue, deaths."""
    max_naked_seconds: float
    """Longest time that the legs differed on the exchange by the bot's own trading."""
    max_naked_usd: Decimal
    max_taken_seconds: float
    """Longest time that they differed because the owner or the venue took from one."""
    max_dead_seconds: float
    """Longest time that they differed while the bot was dead."""
    trades: tuple[TradeExposure, ...]
    """Every job of two legs, oldest first."""
    opened: int
    closed: int
    aborted: int
    events: int
    events_sha256: str


class Failure(Struct, frozen=True, kw_only=True):
    """A run that failed, with the smallest plan that fails alike."""

    plan: RunPlan
    drawn: int
    """How many faults the seed had drawn."""
    days: float
    """How many were asked for; the run of months that some seeds have is longer."""
    result: RunResult
    options: str = ""
    """What the command line needs besides the seed and the days."""


class Summary(Struct, frozen=True, kw_only=True):
    """Many runs, added up."""

    runs: int
    days: float
    """Of each run, as asked for."""
    longer: int
    """How many runs were of months instead."""
    days_simulated: float
    """Of all runs together."""
    first_seed: int
    violations: int
    failed_seeds: tuple[int, ...]
    crash_points: int
    restarts: int
    faults_injected: int
    max_naked_seconds: float
    max_naked_usd: Decimal
    max_taken_seconds: float
    max_dead_seconds: float
    naked_seconds: tuple[float, ...]
    """Longest of each run at the ``QUANTILES``."""
    naked_usd: tuple[Decimal, ...]
    exposure: tuple[Distribution, ...]
    """Over all trades, by style and kind."""
    long: tuple[TradeExposure, ...]
    """Trades naked for more than ``LONG_SECONDS``, the longest first."""
    opened: int
    closed: int
    aborted: int
    events: int

    @staticmethod
    def of(results: Sequence[RunResult], *, days: float) -> "Summary":
        """Add runs up."""
        failed = tuple(r.seed for r in results if r.violation is not None)
        return Summary(
            runs=len(results),
            days=days,
            longer=sum(r.days > days for r in results),
            days_simulated=sum(r.days for r in results),
            first_seed=min((r.seed for r in results), default=0),
            violations=len(failed),
            failed_seeds=failed,
            crash_points=sum(r.crash_points for r in results),
            restarts=sum(r.restarts for r in results),
            faults_injected=sum(r.faults_injected for r in results),
            max_naked_seconds=max((r.max_naked_seconds for r in results), default=0.0),
            max_naked_usd=max((r.max_naked_usd for r in results), default=ZERO),
            max_taken_seconds=max((r.max_taken_seconds for r in results), default=0.0),
            max_dead_seconds=max((r.max_dead_seconds for r in results), default=0.0),
            naked_seconds=tuple(quantiles([r.max_naked_seconds for r in results], QUANTILES)),
            naked_usd=tuple(quantiles([r.max_naked_usd for r in results], QUANTILES)),
            exposure=tuple(distributions([trade for r in results for trade in r.trades])),
            long=_long(results),
            opened=sum(r.opened for r in results),
            closed=sum(r.closed for r in results),
            aborted=sum(r.aborted for r in results),
            events=sum(r.events for r in results),
        )


def _long(results: Sequence[RunResult]) -> tuple[TradeExposure, ...]:
    found = (trade for result in results for trade in result.trades if trade.seconds > LONG_SECONDS)
    return tuple(sorted(found, key=lambda trade: -trade.seconds))


def as_json(summary: Summary) -> dict[str, object]:
    """Return a summary as JSON carries it: money as decimal strings, durations in seconds."""
    document: dict[str, object] = msgspec.to_builtins(summary)
    document["max_naked_usd"] = plain(summary.max_naked_usd)
    document["naked_usd"] = [plain(value) for value in summary.naked_usd]
    document["exposure"] = [
        {**msgspec.to_builtins(row), "usd": [plain(value) for value in row.usd]} for row in summary.exposure
    ]
    document["long"] = [{**msgspec.to_builtins(trade), "usd": plain(trade.usd)} for trade in summary.long]
    return document


def summary_lines(summary: Summary) -> Iterator[str]:
    """Yield a summary, line by line."""
    yield (
        f"{summary.runs} runs of {summary.days:g} days from seed {summary.first_seed}: {summary.violations} violations"
    )
    if summary.longer:
        yield f"Runs of months       {summary.longer}; {summary.days_simulated:,.0f} days in all runs"
    yield f"Faults injected      {summary.faults_injected}"
    yield f"Crash points         {summary.crash_points}, restarts {summary.restarts}"
    yield f"Hedges               {summary.opened} opened, {summary.closed} closed, {summary.aborted} aborted"
    yield f"Events judged        {summary.events}"
    shares = ", ".join(f"{share:.0%}" for share in QUANTILES)
    yield f"Naked, worst of each run at {shares} of the runs:"
    yield f"  seconds            {', '.join(f'{value:.2f}' for value in summary.naked_seconds)}"
    yield f"  USDT               {', '.join(f'{value:.2f}' for value in summary.naked_usd)}"
    shares = ", ".join(f"{share * 100:g} %" for share in SHARES)
    yield f"Naked by trade, at {shares} of the trades:"
    for row in summary.exposure:
        yield f"  {row.style}, {row.kind}: {row.trades} trades, {row.never / row.trades:.0%} never naked"
        yield f"    seconds          {', '.join(f'{value:.2f}' for value in row.seconds)}"
        yield f"    USDT             {', '.join(f'{value:.2f}' for value in row.usd)}"
    long = [trade for trade in summary.long if trade.causes]
    yield f"Trades naked for more than {LONG_SECONDS:.0f} s: {len(summary.long)}, {len(long)} of them explained by"
    for cause, number in Counter(cause for trade in long for cause in trade.causes).most_common():
        yield f"  {cause}: {number}"
    yield f"Longest after the owner or the venue took from a leg: {summary.max_taken_seconds:.0f} s"
    yield f"Longest while the bot was dead: {summary.max_dead_seconds:.0f} s"


def result_lines(plan: RunPlan, result: RunResult) -> Iterator[str]:
    """Yield one run, line by line: what was drawn, and how it ended."""
    yield f"Seed {plan.seed}, {plan.days:g} days, {plan.pairs} pairs, {plan.usdt} USDT in each wallet; faults:"
    yield from (f"  {_text(fault)}" for fault in plan.drawn_faults)
    yield _verdict(result)
    yield f"Faults injected      {result.faults_injected}"
    yield f"Crash points         {result.crash_points}, restarts {result.restarts}"
    yield f"Hedges               {result.opened} opened, {result.closed} closed, {result.aborted} aborted"
    yield f"Naked, at worst      {result.max_naked_seconds:.2f} s, {result.max_naked_usd:.2f} USDT"
    yield f"Events               {result.events}, sha256 {result.events_sha256}"


def _verdict(result: RunResult) -> str:
    found = result.violation
    return f"VIOLATION at {found.at:%Y-%m-%d %H:%M:%S} of {found.rule.value!r}: {found.text}" if found else "all well"


def failure_lines(failure: Failure) -> Iterator[str]:
    """Yield a failure, line by line: the seed, the smallest plan, and the newest events."""
    plan, result = failure.plan, failure.result
    yield f"Seed {plan.seed}: {_verdict(result)}"
    yield f"Smallest plan that fails: {len(plan.drawn_faults)} of {failure.drawn} faults"
    yield from (f"  {_text(fault)}" for fault in plan.drawn_faults)
    yield f"The last {len(result.tail)} events:"
    yield from (f"  {_text(event)}" for event in result.tail)
    yield f"Again: hedgerow simulate --seed {plan.seed} --days {failure.days:g}{failure.options}"


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
