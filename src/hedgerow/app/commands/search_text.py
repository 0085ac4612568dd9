"""What `sweep` and `walkforward` print: each figure in words that say what it can and cannot show."""

from collections.abc import Iterator, Mapping
from typing import Any

from hedgerow.app.commands.backtest import GUIDE
from hedgerow.app.commands.search import Search, Walked
from hedgerow.backtest.search.inference import Interval
from hedgerow.backtest.search.judge import Judgement, Verdict
from hedgerow.backtest.search.scoring import SCORES
from hedgerow.backtest.search.stress import Stress
from hedgerow.config import in_words
from hedgerow.domain.formats import utc_minute

__all__ = [
    "scored",
    "settings_text",
    "sweep_lines",
    "verdict_facts",
    "verdict_lines",
    "walkforward_facts",
    "walkforward_lines",
]


def sweep_lines(search: Search, judgement: Judgement) -> Iterator[str]:
    """Yield what a search found."""
    by, spread, money = judgement.by, judgement.spread, search.study.plan.money
    drawn = "" if judgement.played == judgement.sets else f" drawn of {judgement.sets:,}"
    yield f"  {judgement.played:,} sets{drawn}, {judgement.distinct:,} of them with decisions of their own"
    if judgement.incomplete:
        yield f"  {judgement.incomplete:,} sets had checks that the engine did not complete (failed_checks in --json)"
    if judgement.dead_parameters:
        yield f"  Without any effect here: {', '.join(judgement.dead_parameters)}"
    hold = judgement.best.figures["hold_apr"]
    bound = f"{judgement.best.figures['bound_apr_on_capital']:.2%}"
    held = "-" if hold is None else f"{money.share * hold:.2%}"
    yield f"  Beside every set: cash {money.cash_apr:.2%}, hold {held}, hindsight at best {bound} a year on capital"
    yield (
        f"  All sets, {SCORES[by]}: median {scored(by, spread.median)}, half of them between "
        f"{scored(by, spread.quarter)} and {scored(by, spread.three_quarters)}; "
        f"{spread.positive:.0%} above {'cash' if by == 'net_apr_on_capital' else 'zero'}"
    )
    yield ""
    yield f"Best of {judgement.played:,}: {scored(by, spread.most)} on the very history it was chosen on"
    yield from verdict_lines(judgement.best, judgement.distinct)
    plateau = judgement.plateau
    if plateau is not None and judgement.plateau_median is not None:
        yield ""
        around = scored(by, judgement.plateau_median)
        same = plateau.place == judgement.best.place
        yield f"Best neighbourhood: median {around} of a set and those one step away" + (
            ": the same set" if same else ""
        )
        if not same:
            yield from verdict_lines(plateau, judgement.distinct)
    yield ""
    yield "Chosen and measured on one history, every figure above is too good; hedgerow walkforward uses another."


def verdict_lines(verdict: Verdict, different: int) -> Iterator[str]:
    """Yield what is known of one set."""
    yield f"  {'Settings':<20}{settings_text(verdict.parameters)}"
    for name, text in verdict_facts(verdict, different).items():
        yield f"  {name:<20}{text}"


def verdict_facts(verdict: Verdict, different: int) -> dict[str, str]:
    """Return what is known of one set, by name; ``different`` sets with decisions of their own were played."""
    figures = verdict.figures
    found = {
        "Net": f"{figures['net_apr_on_capital']:.2%} a year on capital, {figures['net_apr_on_notional']:.2%} on "
        f"notional, {figures['entries']:,} openings, largest drawdown {figures['max_drawdown']:.2%} of notional",
        "Over cash": _interval(verdict.over_cash, "cash"),
        "Over hold": _interval(verdict.over_hold, "hold"),
    }
    if verdict.deflated_sharpe is None:
        found["Luck of the draw"] = "unknown: too few weeks, or nothing varies"
    else:
        found["Luck of the draw"] = (
            f"{verdict.deflated_sharpe:.0%} that it is better over cash than the luckiest of {different:,} "
            "different sets without merit (deflated Sharpe ratio; 95% is usual)"
        )
    if verdict.stress is None:
        return {**found, "Stresses": f"not played: doubled costs, fewer symbols and shuffled rates are {GUIDE}'s only"}
    return {**found, **_stress_facts(verdict.stress)}


def _interval(interval: Interval | None, name: str) -> str:
    if interval is None:
        return "too few days, or the same every day"
    return (
        f"{_points(interval.mean)} a year; other orders of the same days give {_points(interval.low)} to "
        f"{_points(interval.high)}, above {name} in {interval.above_zero:.0%} (blocks of {interval.block_days:.0f} d)"
    )


def _stress_facts(stress: Stress) -> dict[str, str]:
    twice = (
        f"{stress.doubled_cost:.2%} on notional with the same decisions, "
        f"{stress.doubled_cost_decided:.2%} decided again"
    )
    if stress.best_symbol is None:
        name, text = "Best symbol", "none: nothing was opened"
    elif stress.without_best_symbol is None:
        name, text = "Best symbol", f"{stress.best_symbol} is the only one: nothing is left without it"
    else:
        name = f"Without {stress.best_symbol}"
        text = f"{stress.without_best_symbol:.2%} on notional: it had earned most"
    shuffled = (
        f"{stress.shuffled_median:.2%} on notional (median of {stress.shuffles}); as good as the real order in "
        f"{stress.shuffled_beats:.0%}: the higher, the less of it is timing"
    )
    return {"At twice the cost": twice, name: text, "Rates shuffled": shuffled}


def settings_text(parameters: Mapping[str, Any]) -> str:
    """Return the settings of a set."""
    return ", ".join(f"{name.rpartition('.')[2]} {in_words(value)}" for name, value in parameters.items())


def scored(by: str, value: float) -> str:
    """Return a figure that a search is decided by."""
    return f"{value:.2f}" if by == "weekly_sharpe" else f"{value:.2%}"


def _points(value: float) -> str:
    return f"{value * 100:+.2f} points"


def walkforward_facts(walk: Walked) -> dict[str, str]:
    """Return what all tests of a walk-forward gave, by name."""
    shown = _means(walk)
    return {
        "Test": f"{shown['test']} with settings that were chosen before",
        "Train": f"{shown['train']}: the same settings where they were chosen",
        "Unchanged": f"{shown['unchanged']} with the settings that were not searched",
        "Hold": shown["hold"],
        "Cash": shown["cash"],
        "Hindsight": f"{shown['bound']} at best",
        "Over cash": _interval(walk.over_cash, "cash"),
        "Over hold": _interval(walk.over_hold, "hold"),
    }


def _means(walk: Walked) -> dict[str, str]:
    return {name: "-" if value is None else f"{value:.2%}" for name, value in walk.mean.items()}


def walkforward_lines(walk: Walked) -> Iterator[str]:
    """Yield what parameters earned where they were not chosen; figures a year, on capital."""
    yield "  tested                      its train     test  unchanged     hold  settings"
    for each in walk.folds:
        when = f"{utc_minute(each.fold.test_start)[:10]} to {utc_minute(each.fold.test_end)[:10]}"
        hold = "-" if each.hold is None else f"{each.hold:.2%}"
        yield (
            f"  {when:<26}{each.train:>11.2%}{each.test:>9.2%}{each.unchanged:>11.2%}{hold:>9}  "
            f"{settings_text(each.parameters)}"
        )
    yield ""
    shown = _means(walk)
    yield (
        f"  All tests together: {shown['test']} a year on capital with settings that were chosen before; "
        f"where they were chosen the same settings had made {shown['train']}"
    )
    yield (
        f"  On the same tests: unchanged settings {shown['unchanged']}, hold {shown['hold']}, cash {shown['cash']}, "
        f"hindsight at best {shown['bound']}"
    )
    for name, interval in (("cash", walk.over_cash), ("hold", walk.over_hold)):
        yield f"  Over {name}: {_interval(interval, name)}"
