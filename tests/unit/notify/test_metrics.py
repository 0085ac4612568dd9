"""Metrics: every number is the view's, what is not known is absent, and Prometheus accepts the files."""

import json
import subprocess
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from hedgerow.cli import main
from hedgerow.dashboard.bot_state import BotState, Naked, Process, ProcessState
from hedgerow.dashboard.view import HedgeView, View
from hedgerow.dashboard.view_parts import HaltView
from hedgerow.notify import metrics
from hedgerow.notify.alert_rules import RULES, rules_text
from hedgerow.notify.alerts import AlertKind
from hedgerow.notify.grafana import PANELS, grafana_text
from hedgerow.notify.metrics import metrics_text
from hedgerow.notify.series import SERIES, Sample, Series, SeriesKind, bot_label
from support.alert_scenarios import SCENARIOS, played
from support.components import needed
from support.drawing import examples
from support.figures import drawn_views
from support.pages import files
from support.shown_bots import view_in

pytestmark = pytest.mark.slow


Scraped: TypeAlias = dict[tuple[str, tuple[str, ...]], float | None]


def scraped(*views: View) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return what a scraper reads: by name and labels without the bot's."""
    found: dict[tuple[str, tuple[str, ...]], float] = {}
    for family in text_string_to_metric_families(metrics_text(views).decode()):
        for sample in family.samples:
            labels = tuple(value for name, value in sample.labels.items() if name != "bot")
            found[sample.name, labels] = sample.value
    return found


def views_of(kind: AlertKind, folder: Path) -> list[View]:
    return [step.view for step in played(kind, folder).steps if step.view is not None]


def number(value: Decimal | float | None) -> float | None:
    return None if value is None else float(value)


def seconds_since(at: datetime | None, view: View) -> float | None:
    return None if at is None else max((view.times.now - at).total_seconds(), 0.0)


def expected_of(view: View) -> Scraped:
    """Return every sample of a view, in numbers that are taken from it directly; None = no sample."""
    totals, report, health, times = view.totals, view.report, view.health, view.times
    naked, identity = report.naked, view.identity
    mode = identity.mode.value if identity.mode else ""
    facts = (mode, identity.network, identity.policy, identity.venue, identity.version)
    expected: Scraped = {
        ("hedgerow_info", facts): 1.0,
        ("hedgerow_up", ()): float(view.process.state is ProcessState.RUNNING),
        ("hedgerow_severity", ()): ["OK", "BUSY", "WARNING", "ALARM"].index(report.severity.name),
        ("hedgerow_heartbeat_age_seconds", ()): seconds_since(view.process.last_beat, view),
        ("hedgerow_check_age_seconds", ()): seconds_since(times.checked_at, view),
        ("hedgerow_reading_age_seconds", ()): seconds_since(times.read_at, view),
        ("hedgerow_blind_seconds", ()): seconds_since(times.blind_since, view) or 0.0,
        ("hedgerow_hedges", ()): len(view.hedges),
        ("hedgerow_naked_seconds", ()): seconds_since(naked.since, view) if naked else 0.0,
        ("hedgerow_naked_usd", ()): number(naked.notional) if naked else 0.0,
        ("hedgerow_longest_naked_seconds", ()): totals.longest_naked_seconds,
        ("hedgerow_equity_usd", ()): number(totals.equity),
        ("hedgerow_net_usd", ()): number(totals.net_if_closed),
        ("hedgerow_closed_net_usd", ()): number(totals.net_closed),
        ("hedgerow_closed_funding_usd", ()): number(totals.funding),
        ("hedgerow_closed_fees_usd", ()): number(totals.fees),
        ("hedgerow_free_usd", ("spot",)): number(totals.free_spot),
        ("hedgerow_free_usd", ("perp",)): number(totals.free_perp),
        ("hedgerow_hedges_opened_total", ()): totals.opened,
        ("hedgerow_hedges_closed_total", ()): totals.closed,
        ("hedgerow_openings_aborted_total", ()): totals.aborted,
        ("hedgerow_checks_total", ()): totals.cycles,
        ("hedgerow_pairs_enterable", ()): len([row for row in view.pairs if row.may_enter]) if view.pairs else None,
        ("hedgerow_doubtful_orders", ()): health.doubtful_orders,
        ("hedgerow_clock_skew_seconds", ()): health.clock_skew_seconds,
        ("hedgerow_key_expires_seconds", ()): (
            (health.key_expires_at - times.now).total_seconds() if health.key_expires_at else None
        ),
        **{("hedgerow_halted", (halt.reason,)): 1.0 for halt in view.halts},
        **{("hedgerow_books_difference", (place,)): float(each) for place, each in health.differences.items()},
        **{("hedgerow_state", (state.value,)): float(state is report.state) for state in BotState},
    }
    for hedge in view.hedges:
        expected |= expected_of_hedge(hedge, view)
    return expected


def expected_of_hedge(hedge: HedgeView, view: View) -> Scraped:
    made, symbol, funding, difference = hedge.result, (hedge.symbol,), hedge.funding, hedge.difference
    due = funding.next
    return {
        ("hedgerow_hedge_notional_usd", symbol): number(hedge.entry_notional),
        ("hedgerow_hedge_age_seconds", symbol): seconds_since(hedge.opened_at, view),
        ("hedgerow_hedge_difference_ratio", symbol): difference.fraction if difference else None,
        ("hedgerow_hedge_difference_usd", symbol): number(difference.value) if difference else None,
        ("hedgerow_hedge_funding_usd", symbol): number(hedge.funding_received),
        ("hedgerow_hedge_fees_usd", symbol): number(hedge.fees_paid),
        ("hedgerow_hedge_net_if_closed_usd", symbol): number(made.net_if_closed) if made else None,
        ("hedgerow_hedge_basis_usd", symbol): number(made.basis) if made else None,
        ("hedgerow_hedge_exit_cost_usd", symbol): number(made.exit_cost) if made else None,
        ("hedgerow_hedge_liquidation_distance_ratio", symbol): hedge.liquidation_distance,
        ("hedgerow_hedge_apr_ratio", symbol): funding.apr_on_leg,
        ("hedgerow_hedge_next_payment_usd", symbol): number(due.amount) if due else None,
        ("hedgerow_hedge_next_payment_seconds", symbol): (
            max((due.at - view.times.now).total_seconds(), 0.0) if due else None
        ),
        ("hedgerow_hedge_funding_rate_ratio", symbol): due.rate if due else None,
    }


def assert_scraped_is_the_view(view: View) -> None:
    found = scraped(view)
    expected = {name: value for name, value in expected_of(view).items() if value is not None}
    assert found.keys() == expected.keys(), "a sample is missing, or there is one of what is not known"
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-12), name


@pytest.mark.parametrize("kind", SCENARIOS)
def test_every_number_that_is_scraped_is_the_views(kind: AlertKind, tmp_path: Path) -> None:
    for view in views_of(kind, tmp_path)[-4:]:
        assert_scraped_is_the_view(view)


@settings(max_examples=examples(25))
@given(drawn_views())
def test_every_number_of_a_drawn_view_is_scraped(view: View) -> None:
    assert_scraped_is_the_view(view)


def eventful() -> View:
    """Return a view of which every series has a sample."""
    view = view_in(BotState.HEDGED)
    now = view.times.now
    halt = HaltView(reason="by hand", detail="", since=now, symbols=(), lifts_itself=False, amount=Decimal(0))
    health = replace(
        view.health,
        differences={"spot USDT": Decimal("1.5")},
        doubtful_orders=1,
        clock_skew_seconds=0.25,
        key_expires_at=now + timedelta(days=3),
    )
    naked = Naked(since=now - timedelta(seconds=4), notional=Decimal(12))
    report = replace(view.report, naked=naked)
    times = replace(view.times, blind_since=now - timedelta(seconds=9))
    return replace(view, halts=(halt,), health=health, report=report, times=times)


@pytest.mark.parametrize("series", SERIES, ids=lambda each: each.name)
def test_a_series_that_is_wrong_is_found(series: Series, monkeypatch: pytest.MonkeyPatch) -> None:
    view = eventful()
    assert_scraped_is_the_view(view)
    assert list(series.value(view)), "nothing would be found to be wrong"

    def wrong(view: View) -> list[Sample]:
        return [Sample(each.value * 2 + 1, each.labels) for each in series.value(view)]

    changed = tuple(replace(each, value=wrong) if each is series else each for each in SERIES)
    monkeypatch.setattr(metrics, "SERIES", changed)
    with pytest.raises(AssertionError, match=r"hedgerow_"):
        assert_scraped_is_the_view(view)


def test_what_is_not_known_has_no_sample(tmp_path: Path) -> None:
    view = views_of(AlertKind.OPENED, tmp_path)[-1]
    blind = replace(view, hedges=(replace(view.hedges[0], result=None, liquidation_distance=None, difference=None),))
    found = scraped(blind)
    assert ("hedgerow_hedge_net_if_closed_usd", ("AAAUSDT",)) not in found
    assert ("hedgerow_hedge_liquidation_distance_ratio", ("AAAUSDT",)) not in found
    assert ("hedgerow_hedge_notional_usd", ("AAAUSDT",)) in found


def test_two_bots_have_a_label_each_and_neither_an_account_nor_a_home_is_shown(tmp_path: Path) -> None:
    view = views_of(AlertKind.OPENED, tmp_path)[-1]
    first = replace(
        view, identity=replace(view.identity, name="main", account="0xabcd...1234", home="/srv/hidden/main")
    )
    second = replace(first, identity=replace(first.identity, name="other"), process=Process(state=ProcessState.GONE))
    text = metrics_text((first, second)).decode()
    assert text.count("\nhedgerow_up{") == 2
    assert f'hedgerow_up{{bot="{bot_label(first)}"}} 1.0' in text
    assert f'hedgerow_up{{bot="{bot_label(second)}"}} 0.0' in text
    assert "0xabcd" not in text
    assert "/srv" not in text


def test_a_series_has_one_name_and_says_what_it_is() -> None:
    names = [series.name for series in SERIES]
    assert len(set(names)) == len(names) >= 30
    assert all(series.help and not series.help.endswith(".") for series in SERIES)


def test_rules_and_panels_use_series_that_are_there() -> None:
    names = {f"{each.name}_total" if each.kind is SeriesKind.COUNTER else each.name for each in SERIES}
    expressions = [rule.expression for rule in RULES] + [each for panel in PANELS for each, _ in panel.expressions]
    used = {
        word for text in expressions for word in "".join(c if c.isalnum() or c == "_" else " " for c in text).split()
    }
    assert {word for word in used if word.startswith("hedgerow_")} <= names


def test_the_files_beside_the_code_are_those_that_it_writes() -> None:
    for path, text in files().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run make pages"
    panels = json.loads(grafana_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(PANELS)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells)), "panels lie over one another"
    assert max(x for x, _ in cells) < 24


def promtool(*arguments: str, text: str = "") -> str:
    done = subprocess.run(  # noqa: S603 - Prometheus' own tool
        [needed("promtool"), *arguments], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_command_prints_the_files_as_they_are(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["metrics", "grafana"]) == 0
    assert capsys.readouterr().out == grafana_text()
    assert main(["metrics", "rules"]) == 0
    assert capsys.readouterr().out == rules_text()
    assert main(["metrics", "rules", "--output", str(tmp_path / "none" / "x")]) == 2
    assert capsys.readouterr().err.startswith(f"hedgerow: --output {tmp_path / 'none' / 'x'} cannot be written: ")


def test_promtool_has_nothing_to_say_about_the_metrics(tmp_path: Path) -> None:
    text = metrics_text(views_of(AlertKind.OPENED, tmp_path)[-1:]).decode()
    assert promtool("check", "metrics", text=text).strip() == ""


FIRING = {
    "HedgerowNotScraped": ('up{job="hedgerow"}', "0", "1"),
    "HedgerowDown": ('hedgerow_up{bot="b"}', "0", "1"),
    "HedgerowNaked": ('hedgerow_naked_seconds{bot="b"}', "9", "0"),
    "HedgerowLegsDiffer": ('hedgerow_hedge_difference_ratio{bot="b"}', "-0.05", "0.001"),
    "HedgerowMarginLow": ('hedgerow_hedge_liquidation_distance_ratio{bot="b"}', "0.1", "0.4"),
    "HedgerowBlind": ('hedgerow_blind_seconds{bot="b"}', "400", "0"),
    "HedgerowChecksStopped": ('hedgerow_check_age_seconds{bot="b"}', "4000", "60"),
    "HedgerowHalted": ('hedgerow_halted{bot="b"}', "1", "0"),
    "HedgerowBooksDiffer": ('hedgerow_books_difference{bot="b"}', "-3", "0"),
    "HedgerowOrderInDoubt": ('hedgerow_doubtful_orders{bot="b"}', "1", "0"),
    "HedgerowKeyExpires": ('hedgerow_key_expires_seconds{bot="b"}', "86400", "8640000"),
}
"""Of each rule: a series, a value at which it fires, one at which it does not."""


def test_each_rule_fires_on_what_it_is_for_and_on_nothing_else(tmp_path: Path) -> None:
    assert {rule.name for rule in RULES} == set(FIRING)
    rules, cases = tmp_path / "hedgerow.rules.yml", tmp_path / "cases.yml"
    assert main(["metrics", "rules", "--output", str(rules)]) == 0
    promtool("check", "rules", str(rules))
    found = [case(rule.name, fires=fires) for rule in RULES for fires in (True, False)]
    cases.write_text(
        json.dumps({"rule_files": [rules.name], "evaluation_interval": "1m", "tests": found}), encoding="utf-8"
    )
    assert "SUCCESS" in promtool("test", "rules", str(cases))


def case(rule: str, *, fires: bool) -> dict[str, object]:
    """Return a case of promtool: one series, constant for half an hour, beside a bot that is up."""
    series, value = FIRING[rule][0], FIRING[rule][1 if fires else 2]
    given = {'hedgerow_up{bot="b"}': "1", series: value}
    count = f'count(ALERTS{{alertname="{rule}", alertstate="firing"}}) or vector(0)'
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": f"{number}x40"} for name, number in given.items()],
        "promql_expr_test": [
            {"expr": count, "eval_time": "30m", "exp_samples": [{"labels": "{}", "value": 1 if fires else 0}]}
        ],
    }
