"""What would make a bot act, nearest first; both legs of a hedge; and several hedges beside each other."""

from itertools import takewhile
from typing import Final

from hedgerow.dashboard import formats
from hedgerow.dashboard.view import HedgeView, LegView, View
from hedgerow.domain.instrument import Market
from hedgerow.strategy.decisions.consequences import ForeseenExit
from hedgerow.web.html import Html, element, join
from hedgerow.web.pages.parts import Cell, Panel, facts, figure, gain, meter, nothing, panel, remark, table, time_of
from hedgerow.web.pages.state import Shown, as_of

__all__ = ["acts", "acts_of_several", "kept_out", "legs", "several"]

NEAR: Final = 0.9
"""From this share of the way on a rule is shown as near."""
MOST_REASONS: Final = 6
_HELD: Final = (
    ("Pair", "l"),
    ("Difference", ""),
    ("Net if closed", ""),
    ("Next payment", ""),
    ("Due in", ""),
    ("APR", ""),
    ("Liquidation", ""),
    ("Nearest exit", "l"),
)


def acts(shown: Shown, index: int, hedge: HedgeView) -> Panel:
    """Return the rules that would end a hedge, nearest first."""
    view = shown.view
    rows = [_rule(view, each, f"hedges.{index}.exits.{place}") for place, each in enumerate(hedge.exits)]
    own = (
        ""
        if hedge.profit_rules_known
        else "The policy does not say how far its own rules are; those of safety are shown."
    )
    deferred = "" if hedge.deferred_until is None else "A closing waits because it costs too much now."
    body = element("ul", *rows, class_="rules") if rows else nothing("No rule is known before the first check.")
    title = f"What would make it act, nearest first{as_of(view)}"
    return panel("acts", title, body, remark(own), remark(deferred), kind="c5 o4 t-now")


def acts_of_several(shown: Shown) -> Panel:
    """Return the nearest rule of each of several hedges."""
    view = shown.view
    rows = [
        _rule(view, hedge.exits[0], f"hedges.{index}.exits.0", symbol=hedge.symbol)
        for index, hedge in enumerate(view.hedges)
        if hedge.exits
    ]
    body = element("ul", *rows, class_="rules") if rows else nothing("No rule is known before the first check.")
    return panel("acts", f"What would make it act: the nearest rule of each{as_of(view)}", body, kind="c5 o4 t-now")


def kept_out(shown: Shown) -> Panel:
    """Return what keeps the bot out of every pair, counted, while nothing is held."""
    view = shown.view
    counted: dict[str, int] = {}
    for pair in view.pairs:
        for reason in pair.why_not:
            word = _kind_of(reason)
            counted[word] = counted.get(word, 0) + 1
    rows = sorted(counted.items(), key=lambda each: (-each[1], each[0]))[:MOST_REASONS]
    listed = facts(*((name, f"{number} of {len(view.pairs)}") for name, number in rows))
    body = listed if rows else nothing("Nothing: at least one pair passes, or none was read yet.")
    halted = "Openings are halted: nothing is opened." if view.halts else view.why_waiting
    return panel("acts", f"What keeps it out{as_of(view)}", body, remark(halted), kind="c5 o4 t-now")


def _kind_of(reason: str) -> str:
    """Return what a reason is about, without its figures, so that it can be counted: ``APR``, ``Spot spread``."""
    words = reason.removeprefix("24 h ").split()
    name = " ".join(takewhile(lambda word: not any(letter.isdigit() for letter in word), words)) or reason
    return f"{name[:1].upper()}{name[1:]}"


def _rule(view: View, found: ForeseenExit, key: str, *, symbol: str = "") -> Html:
    distance = found.distance
    share = formats.share_done(distance)
    kind = "" if share is None or share < NEAR else "near"
    name = f"{symbol}: {formats.exit_name(distance)}" if symbol else formats.exit_name(distance)
    value = join(
        (
            figure(f"{key}.distance.value", formats.exit_value(distance)),
            ", acts at ",
            figure(f"{key}.distance.threshold", formats.exit_limit(distance)),
        )
    )
    when = formats.exit_when(distance, view.times.now)
    stages = "; ".join(formats.stage_text(stage) for stage in found.stages[:-1])
    said = [part for part in (when, formats.consequence_text(found), stages) if part and part != formats.UNKNOWN]
    return element(
        "li",
        element("b", name),
        element("span", value, class_="value"),
        meter(share, name=name, kind=kind),
        element("span", ". ".join(part[:1].upper() + part[1:] for part in said), class_="d") if said else "",
    )


def legs(shown: Shown, index: int, hedge: HedgeView) -> Panel:
    """Return both legs and what they are together."""
    view, key = shown.view, f"hedges.{index}"
    together = element(
        "div",
        element("h3", "Together"),
        element("p", gain(f"{key}.result.basis", hedge.result.basis if hedge.result else None), " basis", class_="q"),
        facts(
            ("Perp over spot", figure(f"{key}.basis", formats.signed_bps(hedge.basis))),
            ("At entry", figure(f"{key}.entry_basis", formats.signed_bps(hedge.entry_basis))),
            ("Liquidation at", figure(f"{key}.liquidation_price", formats.price(hedge.liquidation_price))),
            ("Maintenance margin", figure(f"{key}.maintenance", formats.money(hedge.maintenance))),
            ("Margin", _margin(hedge)),
            ("ADL rank, of 4", figure(f"{key}.adl_rank", formats.count(hedge.adl_rank))),
        ),
    )
    parts = (_leg(hedge, hedge.spot, f"{key}.spot"), _leg(hedge, hedge.perp, f"{key}.perp"), together)
    title = f"Both legs: {hedge.symbol}{as_of(view)}"
    return panel("legs", title, element("div", *parts, class_="legs"), kind="c7 o5 t-now")


def _leg(hedge: HedgeView, leg: LegView, key: str) -> Html:
    spot = leg.market is Market.SPOT
    size = formats.quantity(leg.quantity, hedge.base, leg.step)
    return element(
        "div",
        element("h3", "Long spot" if spot else "Short perpetual"),
        element("p", figure(f"{key}.quantity", size), class_="q"),
        facts(
            ("Worth", figure(f"{key}.value", formats.money(leg.value))),
            ("Price", figure(f"{key}.price", formats.price(leg.price))),
            ("Bought at" if spot else "Sold at", figure(f"{key}.entry_price", formats.price(leg.entry_price))),
            ("P/L", gain(f"{key}.pnl", leg.pnl)),
        ),
    )


def _margin(hedge: HedgeView) -> str:
    leverage = formats.UNKNOWN if hedge.leverage is None else f"{hedge.leverage}x"
    return f"{leverage}, {(hedge.margin_type or formats.UNKNOWN).lower()}"


def several(shown: Shown) -> Panel:
    """Return the live hedges as a table, the worst first, each with its own page."""
    view = shown.view
    rows: list[list[Html | str | Cell]] = []
    for index, hedge in enumerate(view.hedges):
        key, due = f"hedges.{index}", hedge.funding.next
        found, result = hedge.difference, hedge.result
        exit_ = hedge.exits[0].distance if hedge.exits else None
        nearest = (
            ""
            if exit_ is None
            else f"{formats.exit_name(exit_)}: {formats.exit_value(exit_)} of {formats.exit_limit(exit_)}"
        )
        rows.append(
            [
                element("a", hedge.symbol, href=f"{shown.base}?hedge={hedge.hedge_id}"),
                figure(f"{key}.difference.fraction", formats.signed_percent(found.fraction if found else None, 3)),
                gain(f"{key}.result.net_if_closed", result.net_if_closed if result else None),
                gain(f"{key}.funding.next.amount", due.amount if due else None),
                time_of(due.at if due else None, formats.countdown(due.at if due else None, view.times.now)),
                figure(f"{key}.funding.apr_on_leg", formats.apr(hedge.funding.apr_on_leg)),
                figure(f"{key}.liquidation_distance", formats.percent(hedge.liquidation_distance, 1)),
                nearest,
            ]
        )
    body = table("Live hedges, the worst first", _HELD, rows)
    return panel("several", f"Live hedges, the worst first{as_of(view)}", body, kind="c12 o5 t-now")
