"""`backtest` and `bound`: plays policies over market history, compiled or through the engine, and judges the result."""

import json
import random
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from hedgerow.app.bot import Bot, build_bot
from hedgerow.backtest.figures import DEFINITIONS, Figures
from hedgerow.backtest.kernel import not_compiled
from hedgerow.backtest.replay import HoldFirst, replay, replay_parameters
from hedgerow.backtest.report.curves import curves_of, days_of, payments_of
from hedgerow.backtest.study import Best, Result, Study
from hedgerow.config import config_table, decode_config, load_settings, render_config
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.formats import utc_minute
from hedgerow.domain.settings.rows import SettingRow
from hedgerow.domain.settings.suggestions import nearest_names
from hedgerow.engine.notices import Observer
from hedgerow.engine.runner import RunOptions
from hedgerow.ports import Clock, Store, Venue
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import load_policy
from hedgerow.strategy.policy import Policy, settled_rates

__all__ = [
    "GUIDE",
    "HOLD",
    "Via",
    "backtest_parameters",
    "bound_lines",
    "days_json",
    "failure_line",
    "figure_rows",
    "play_policy",
    "refuse_unplayable",
    "result_json",
    "setting_named",
    "settled_wanted",
    "via_of",
    "via_option",
    "window_json",
    "window_text",
]

HOLD: Final = "hold"
GUIDE: Final = "volume_farming"
RATIOS: Final = frozenset({"capture_ratio", "excess_capture"})
PERCENT_DIGITS: Final = 4


class Via(StrEnum):
    """What plays a policy."""

    KERNEL = "kernel"
    """The guide's rules, compiled."""
    REPLAY = "replay"
    """The engine that trades live, with any policy."""


def backtest_parameters(config: Path | None, overrides: Sequence[str], policy: str) -> StrategyParameters:
    """Return the settings of a configuration file (None = the guide's) with ``KEY=VALUE`` instead of what it says.

    Raises:
        ConfigError: the file or an override is not allowed.
    """
    settings = StrategyParameters() if config is None else load_settings(config, named=True).parameters
    document: dict[str, Any] = dict(render_config(settings))
    named: set[str] = set()
    for text in overrides:
        name = _set(document, text)
        if name in named:
            raise ConfigError(f"--set {name} is given twice; allowed is one --set for each setting")
        named.add(name)
    if settings.policy_settings:
        document["policy_settings"] = dict(settings.policy_settings)
    changed = decode_config(json.dumps(document, default=str).encode(), name="--set") if overrides else settings
    return replace(changed, policy=GUIDE if policy == HOLD else policy)


def setting_named(key: str, option: str) -> SettingRow:
    """Return the setting that an option names, with its section or without.

    Raises:
        ConfigError: there is none; the one that was probably meant is named.
    """
    found = next((row for row in config_table() if key in {row.name, row.key}), None)
    if found is not None:
        return found
    nearest = next(iter(nearest_names(key, (row.name for row in config_table()))), None)
    known = f"the nearest known one is {nearest}" if nearest else "hedgerow config lists those there are"
    raise ConfigError(f"{option}: unknown key {key}; {known}")


def _set(document: dict[str, Any], text: str) -> str:
    """Put a value of the command line into the document; return the name of its setting."""
    key, equals, value = text.partition("=")
    if not key or not equals or not value:
        raise ConfigError(f"--set {text}: allowed is KEY=VALUE")
    row = setting_named(key, f"--set {text}")
    section = document.setdefault(row.section, {}) if row.section else document
    try:
        section[row.key] = json.loads(value)
    except json.JSONDecodeError:
        section[row.key] = value
    return row.name


def via_of(policy: str) -> Via:
    """Return what plays a policy when nothing else is asked for: the compiled rules where they are its own."""
    return Via.KERNEL if policy in {GUIDE, HOLD} else Via.REPLAY


def settled_wanted(policy: str, parameters: StrategyParameters) -> int:
    """Return how many settled rates of each pair a policy wants to see at the start.

    Raises:
        ConfigError: it cannot be loaded.
    """
    if policy in {GUIDE, HOLD}:
        return parameters.funding_rate_strategy.funding_ma_periods
    return settled_rates(load_policy(policy, parameters))


def via_option(text: str) -> Via:
    """Return what plays a policy.

    Raises:
        ConfigError: it is neither.
    """
    if text not in {via.value for via in Via}:
        raise ConfigError(f"--via {text}: allowed are {' and '.join(Via)}")
    return Via(text)


def refuse_unplayable(policy: str, via: Via, parameters: StrategyParameters) -> None:
    """Find out before anything is read whether a policy can be played with these settings.

    Raises:
        ConfigError: it cannot be loaded, or is none that is compiled.
    """
    if policy == GUIDE and via is Via.KERNEL and (setting := not_compiled(parameters)) is not None:
        raise ConfigError(f"{setting}: the compiled rules do not follow it; --via replay does")
    if policy in {GUIDE, HOLD}:
        return
    load_policy(policy, parameters)
    if via is Via.KERNEL:
        raise ConfigError(f"--policy {policy}: compiled are {GUIDE} and {HOLD}; --via replay plays every policy")


def play_policy(study: Study, parameters: StrategyParameters, policy: str, via: Via) -> Result:
    """Play a policy by its name.

    Raises:
        ConfigError: it cannot be loaded.
        HistoryError: *hold* finds no price.
    """
    if via is Via.KERNEL:
        return study.hold() if policy == HOLD else study.run(parameters)
    return replay(study, _policy(study, replay_parameters(study, parameters), policy), _built)


def _policy(study: Study, parameters: StrategyParameters, policy: str) -> Policy:
    if policy != HOLD:
        return load_policy(policy, parameters)
    return HoldFirst(parameters, study.plan.symbols[0] if study.plan.symbols else study.symbols[0])


def _built(
    *,
    venue: Venue,
    store: Store,
    clock: Clock,
    policy: Policy,
    options: RunOptions,
    observers: Sequence[Observer],
) -> Bot:
    ids = random.Random(0)  # noqa: S311 - of ids, not of secrets
    return build_bot(
        venue=venue, store=store, clock=clock, policy=policy, options=options, observers=observers, randomness=ids
    )


def figure_rows(figures: Figures) -> list[tuple[str, str, str]]:
    """Return name, value and definition of each figure, in words."""
    rows: list[tuple[str, str, str]] = []
    for name, meaning in DEFINITIONS.items():
        value = getattr(figures, name)
        rows.append((name, _shown(name, value), meaning))
    exits = ", ".join(f"{count} {reason}" for reason, count in sorted(figures.exits.items(), key=lambda e: -e[1]))
    rows.append(("entries", str(figures.entries), f"openings; closed by: {exits or 'none'}"))
    parts = ", ".join(f"{name.replace('_', ' ')} {_percent(value)}" for name, value in figures.attribution.items())
    rows.append(("gap on notional", f"{figures.bound_apr - figures.net_apr_on_notional:.2%}", f"a year: {parts}"))
    return rows


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name == "turnover":
        return f"{value:,.0f}"
    return f"{value:.2f}" if name in RATIOS else _percent(value)


def _percent(value: float) -> str:
    """Return a fraction in percent; what rounds to zero has no sign."""
    return f"{round(value, PERCENT_DIGITS) + 0.0:.2%}"


def window_json(study: Study) -> dict[str, Any]:
    """Return what a result is about."""
    plan = study.plan
    return {
        "data": str(plan.data),
        "start": study.market_data.start,
        "end": study.market_data.end,
        "exchange": plan.exchange,
        "symbols": list(study.symbols),
        "sources": dict(study.market_data.sources),
        "cost_bps": None if plan.cost_bps is None else float(plan.cost_bps),
        "cash_apr": plan.money.cash_apr,
        "leverage": plan.money.leverage,
        "capital": plan.money.capital,
        "cycle_seconds": plan.cycle_seconds,
        "notes": list(study.notes),
    }


def failure_line(study: Study, result: Result) -> str:
    """Return how many checks the engine did not complete, and most often why."""
    found = result.failure
    why = "a trade lasted longer than the time between two checks"
    if found is not None:
        why = f"most often {' '.join(found.cause.split())}, the first time at {utc_minute(found.first_at)} UTC"
    return f"The engine did not complete {result.failed_checks:,} of {study.grid.steps:,} checks; {why}"


def result_json(result: Result) -> dict[str, Any]:
    """Return figures and trades."""
    figures = {name: getattr(result.figures, name) for name in result.figures.__struct_fields__}
    return {**figures, "failed_checks": result.failed_checks, "trades": list(result.trades)}


def days_json(study: Study, result: Result) -> dict[str, Any]:
    """Return sums day by day beside *hold*, cash and hindsight, and every settlement that was paid."""
    return {"daily": list(days_of(curves_of(study, result))), "payments": list(payments_of(study, result))}


def bound_lines(study: Study, best: Best) -> list[str]:
    """Return the bound in words."""
    money, hold = study.plan.money, best.hold_apr
    each = "" if best.hedges == 1 else f", of each of {best.hedges} equal hedges"
    often = f"{best.entries} entries ({best.entries_per_year:.1f} a year)"
    return [
        f"  On notional   {best.bound_apr:.2%} a year{each}; {often}",
        f"  On capital    {best.bound_apr_on_capital:.2%} a year at {money.leverage:g}x, idle at {money.cash_apr:.2%}",
        f"  Hold          {'-' if hold is None else format(hold, '.2%')} a year on notional",
    ]


def window_text(study: Study) -> str:
    """Return the window in words."""
    plan, data = study.plan, study.market_data
    cost = "the venue's fees and declared books" if plan.cost_bps is None else f"{plan.cost_bps} bp a round trip"
    days = (study.grid.end_ms - study.grid.start_ms) / 86_400_000
    return (
        f"{utc_minute(data.start)} to {utc_minute(data.end)} UTC ({days:,.0f} d), {', '.join(study.symbols)}, "
        f"funding of {plan.exchange or 'the preferred venues'}, {cost}, checks every {plan.cycle_seconds:g} s"
    )
