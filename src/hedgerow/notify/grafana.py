"""The dashboard for Grafana, made from code as the JSON that Grafana imports. Pure.

No test opens it in Grafana: each expression is held against a real Prometheus, and the form of the file follows
grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model.
"""

import json
from typing import Any, Final

from msgspec import Struct

__all__ = ["PANELS", "Panel", "grafana_text"]

WIDTH: Final = 24
"""Columns of Grafana's grid."""
VARIABLE: Final = '{bot=~"$bot"}'
VARIABLE_EXPRESSION: Final = "hedgerow_up"


class Panel(Struct, frozen=True, kw_only=True):
    """One panel."""

    title: str
    kind: str
    """``stat``, ``timeseries`` or ``table``."""
    unit: str
    expressions: tuple[tuple[str, str], ...]
    """Expression with ``%s`` for the choice of bots, and its legend."""
    width: int = 6
    height: int = 6
    red_above: float | None = None


PANELS: Final = (
    Panel(title="Runs", kind="stat", unit="bool_yes_no", expressions=(("hedgerow_up%s", "{{bot}}"),), height=4),
    Panel(
        title="State",
        kind="stat",
        unit="none",
        expressions=(("hedgerow_state%s == 1", "{{bot}}: {{state}}"),),
        width=9,
        height=4,
    ),
    Panel(
        title="Unhedged",
        kind="stat",
        unit="s",
        expressions=(("hedgerow_naked_seconds%s", "{{bot}}"),),
        width=5,
        height=4,
        red_above=5,
    ),
    Panel(
        title="Not read for",
        kind="stat",
        unit="s",
        expressions=(("hedgerow_blind_seconds%s", "{{bot}}"),),
        width=4,
        height=4,
        red_above=300,
    ),
    Panel(
        title="Result since the start, if closed now",
        kind="timeseries",
        unit="currencyUSD",
        expressions=(("hedgerow_net_usd%s", "{{bot}}"), ("hedgerow_closed_net_usd%s", "{{bot}} ended hedges")),
        width=12,
        height=8,
    ),
    Panel(
        title="Held hedges: parts of the result",
        kind="timeseries",
        unit="currencyUSD",
        expressions=(
            ("hedgerow_hedge_net_if_closed_usd%s", "{{bot}} {{symbol}} net if closed"),
            ("hedgerow_hedge_funding_usd%s", "{{bot}} {{symbol}} funding"),
            ("hedgerow_hedge_basis_usd%s", "{{bot}} {{symbol}} basis"),
            ("-hedgerow_hedge_fees_usd%s", "{{bot}} {{symbol}} fees"),
        ),
        width=12,
        height=8,
    ),
    Panel(
        title="Coins over short, of the larger leg",
        kind="timeseries",
        unit="percentunit",
        expressions=(("hedgerow_hedge_difference_ratio%s", "{{bot}} {{symbol}}"),),
        width=8,
        height=7,
    ),
    Panel(
        title="Distance to liquidation",
        kind="timeseries",
        unit="percentunit",
        expressions=(("hedgerow_hedge_liquidation_distance_ratio%s", "{{bot}} {{symbol}}"),),
        width=8,
        height=7,
    ),
    Panel(
        title="Funding: APR on one leg",
        kind="timeseries",
        unit="percentunit",
        expressions=(("hedgerow_hedge_apr_ratio%s", "{{bot}} {{symbol}}"),),
        width=8,
        height=7,
    ),
    Panel(
        title="Next payment",
        kind="stat",
        unit="currencyUSD",
        expressions=(("hedgerow_hedge_next_payment_usd%s", "{{bot}} {{symbol}}"),),
    ),
    Panel(
        title="Until the next payment",
        kind="stat",
        unit="s",
        expressions=(("hedgerow_hedge_next_payment_seconds%s", "{{bot}} {{symbol}}"),),
    ),
    Panel(
        title="Equity and free USDT",
        kind="timeseries",
        unit="currencyUSD",
        expressions=(("hedgerow_equity_usd%s", "{{bot}} equity"), ("hedgerow_free_usd%s", "{{bot}} free {{wallet}}")),
    ),
    Panel(
        title="Hedges and checks",
        kind="timeseries",
        unit="none",
        expressions=(
            ("hedgerow_hedges_opened_total%s", "{{bot}} opened"),
            ("hedgerow_hedges_closed_total%s", "{{bot}} closed"),
            ("rate(hedgerow_checks_total%s[5m]) * 3600", "{{bot}} checks an hour"),
        ),
    ),
)


def grafana_text() -> str:
    """Return the file that Grafana imports; it asks for the Prometheus data source then."""
    return json.dumps(_document(), indent=2) + "\n"


def _document() -> dict[str, Any]:
    return {
        "__inputs": [
            {
                "name": "DS_PROMETHEUS",
                "label": "Prometheus",
                "type": "datasource",
                "pluginId": "prometheus",
                "pluginName": "Prometheus",
            }
        ],
        "__requires": [{"type": "datasource", "id": "prometheus", "name": "Prometheus", "version": "1.0.0"}],
        "title": "Hedgerow",
        "uid": "hedgerow",
        "tags": ["hedgerow"],
        "timezone": "utc",
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {"list": [_bots()]},
        "panels": [_panel(number, panel, *place) for number, (panel, place) in enumerate(_placed(), start=1)],
    }


def _bots() -> dict[str, Any]:
    query = f"label_values({VARIABLE_EXPRESSION}, bot)"
    return {
        "name": "bot",
        "label": "Bot",
        "type": "query",
        "datasource": _source(),
        "query": {"query": query, "refId": "bots"},
        "definition": query,
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
        "refresh": 2,
        "sort": 1,
    }


def _source() -> dict[str, str]:
    return {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}


def _placed() -> list[tuple[Panel, tuple[int, int]]]:
    """Return each panel with its column and row: from left to right, a new row where one is full."""
    placed: list[tuple[Panel, tuple[int, int]]] = []
    column = row = tallest = 0
    for panel in PANELS:
        if column + panel.width > WIDTH:
            column, row, tallest = 0, row + tallest, 0
        placed.append((panel, (column, row)))
        column, tallest = column + panel.width, max(tallest, panel.height)
    return placed


def _panel(number: int, panel: Panel, column: int, row: int) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.red_above is not None:
        steps.append({"color": "red", "value": panel.red_above})
    targets = [
        {"refId": chr(ord("A") + index), "datasource": _source(), "expr": expression % VARIABLE, "legendFormat": legend}
        for index, (expression, legend) in enumerate(panel.expressions)
    ]
    return {
        "id": number,
        "title": panel.title,
        "type": panel.kind,
        "datasource": _source(),
        "gridPos": {"x": column, "y": row, "w": panel.width, "h": panel.height},
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
        "targets": targets,
    }
