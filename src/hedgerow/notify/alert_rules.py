"""Alert rules for Prometheus, over the series of this package, as the text of a rules file. Pure."""

import json
from typing import Final

from msgspec import Struct

from hedgerow.notify.alerts import AlertLevel

__all__ = ["RULES", "AlertRule", "rules_text"]

HEAD: Final = (
    "# Alert rules over the series of docs/metrics.md. Written by `make pages`: change the code, not this file.\n"
)


class AlertRule(Struct, frozen=True, kw_only=True):
    """One rule."""

    name: str
    expression: str
    lasts: str
    """For how long the expression has to hold, as Prometheus writes durations."""
    level: AlertLevel
    summary: str
    """One sentence; ``{{ $labels.bot }}`` and ``{{ $value }}`` as Prometheus fills them in."""
    does: str
    """What to do about it."""


RULES: Final = (
    AlertRule(
        name="HedgerowNotScraped",
        expression='up{job="hedgerow"} == 0 or absent(hedgerow_up)',
        lasts="2m",
        level=AlertLevel.PAGE,
        summary="The companion of the bots does not answer: nothing is known of them.",
        does="See whether `hedgerow dashboard` runs.",
    ),
    AlertRule(
        name="HedgerowDown",
        expression="hedgerow_up == 0",
        lasts="1m",
        level=AlertLevel.PAGE,
        summary="The bot {{ $labels.bot }} does not run.",
        does="Start it with `hedgerow run`; what it holds is unwatched until then.",
    ),
    AlertRule(
        name="HedgerowNaked",
        expression="hedgerow_naked_seconds > 5",
        lasts="0s",
        level=AlertLevel.PAGE,
        summary="One leg of {{ $labels.bot }} has had no other one for {{ $value }} s.",
        does="The bot makes the legs match; close the open part on the exchange's page if it cannot.",
    ),
    AlertRule(
        name="HedgerowLegsDiffer",
        expression="abs(hedgerow_hedge_difference_ratio) > 0.02",
        lasts="10m",
        level=AlertLevel.WARN,
        summary="The legs of {{ $labels.symbol }} on {{ $labels.bot }} have differed by more than 2 % for ten minutes.",
        does="Look at /status; the bot trims the larger leg.",
    ),
    AlertRule(
        name="HedgerowMarginLow",
        expression="hedgerow_hedge_liquidation_distance_ratio < 0.15",
        lasts="1m",
        level=AlertLevel.PAGE,
        summary="Liquidation of {{ $labels.symbol }} on {{ $labels.bot }} is {{ $value | humanizePercentage }} away.",
        does="Move USDT to the perpetual wallet, or close the hedge.",
    ),
    AlertRule(
        name="HedgerowBlind",
        expression="hedgerow_blind_seconds > 300",
        lasts="0s",
        level=AlertLevel.PAGE,
        summary="The bot {{ $labels.bot }} has not read the exchange for {{ $value | humanizeDuration }}.",
        does="Look at the exchange's status and at the network.",
    ),
    AlertRule(
        name="HedgerowChecksStopped",
        expression="hedgerow_check_age_seconds > 1800 and on(bot) hedgerow_up == 1",
        lasts="1m",
        level=AlertLevel.WARN,
        summary="The last check of {{ $labels.bot }} ended {{ $value | humanizeDuration }} ago.",
        does="A trade may last so long; otherwise restart the bot.",
    ),
    AlertRule(
        name="HedgerowHalted",
        expression="hedgerow_halted == 1",
        lasts="1m",
        level=AlertLevel.WARN,
        summary="Openings of {{ $labels.bot }} are halted: {{ $labels.reason }}.",
        does="Look into the cause, then `hedgerow resume`.",
    ),
    AlertRule(
        name="HedgerowBooksDiffer",
        expression="hedgerow_books_difference != 0",
        lasts="15m",
        level=AlertLevel.WARN,
        summary="The books of {{ $labels.bot }} differ from the exchange in {{ $labels.place }}.",
        does="`hedgerow books` names the difference.",
    ),
    AlertRule(
        name="HedgerowOrderInDoubt",
        expression="hedgerow_doubtful_orders > 0",
        lasts="10m",
        level=AlertLevel.WARN,
        summary="The outcome of an order of {{ $labels.bot }} has not been known for ten minutes.",
        does="Look at the exchange's order history.",
    ),
    AlertRule(
        name="HedgerowKeyExpires",
        expression="hedgerow_key_expires_seconds < 7 * 86400",
        lasts="0s",
        level=AlertLevel.WARN,
        summary="The agent key of {{ $labels.bot }} expires in {{ $value | humanizeDuration }}.",
        does="Make a new agent on the exchange's page.",
    ),
)


def rules_text() -> str:
    """Return the rules file: YAML whose strings are quoted as JSON quotes them."""
    lines = ["groups:", "  - name: hedgerow", "    rules:"]
    for rule in RULES:
        lines += [
            f"      - alert: {rule.name}",
            f"        expr: {json.dumps(rule.expression)}",
            f"        for: {rule.lasts}",
            "        labels:",
            f"          severity: {rule.level.value}",
            "        annotations:",
            f"          summary: {json.dumps(rule.summary)}",
            f"          description: {json.dumps(rule.does)}",
        ]
    return HEAD + "\n".join(lines) + "\n"
