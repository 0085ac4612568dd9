"""The three questions: am I hedged, what did this hedge make, what is paid next; and what is waited for when flat."""

from typing import Final

from hedgerow.dashboard import formats
from hedgerow.dashboard.view import HedgeView, View
from hedgerow.web.html import Html, element, join
from hedgerow.web.pages.parts import Panel, cost, facts, figure, gain, panel, remark, svg, time_of
from hedgerow.web.pages.state import Shown, as_of

__all__ = ["flat_cards", "hedge_cards", "together_cards"]

SCALE_WIDTH: Final = 1000.0
BAR_WIDTH, BAR_HEIGHT, BAR_GAP, BAR_LEAST = 30.0, 36.0, 2.0, 1.5


def hedge_cards(shown: Shown, index: int, hedge: HedgeView) -> tuple[Panel, ...]:
    """Return the cards of one hedge."""
    view, key = shown.view, f"hedges.{index}"
    return (_hedged(view, hedge, key), _made(view, hedge, key), _next(view, hedge, key))


def together_cards(shown: Shown) -> tuple[Panel, ...]:
    """Return the cards of several hedges: sums, and by name the one whose legs differ most."""
    view, widest, sums = shown.view, shown.view.widest, shown.view.together
    if widest is None or sums is None:
        return ()
    old, hedge = as_of(view), view.hedges[widest]
    return (
        panel(
            "hedged",
            f"Am I hedged?{old}",
            element("p", _difference(hedge, f"hedges.{widest}"), class_="fig"),
            remark(f"{hedge.symbol}, the largest difference of {formats.count(sums.hedges)} hedges"),
            facts(
                ("Unhedged, all together", figure("together.difference_value", formats.money(sums.difference_value))),
                ("One leg of all, at entry", figure("together.notional", formats.money(sums.notional))),
                ("Nearest liquidation", _away("together.liquidation_distance", sums.liquidation_distance)),
                _longest(view),
            ),
            kind="c4 o2 t-now",
        ),
        panel(
            "made",
            f"What did these hedges make?{old}",
            element(
                "p", gain("together.net_if_closed", sums.net_if_closed), " ", _small("if closed now"), class_="fig"
            ),
            remark(join(_on_leg("together.net_on_notional", sums.net_on_notional))),
            facts(
                ("Funding", gain("together.funding", sums.funding)),
                ("Basis P/L so far", gain("together.basis", sums.basis)),
                ("Fees paid", cost("together.fees_paid", sums.fees_paid)),
                ("Closing, fees and spread", cost("together.exit_cost", sums.exit_cost)),
                _with_closed(view),
            ),
            kind="c4 o1 t-now t-money",
        ),
        panel(
            "next",
            f"Next payment{old}",
            element(
                "p",
                time_of(sums.next_payment_at, formats.countdown(sums.next_payment_at, view.times.now)),
                class_="fig",
            ),
            remark("about ", gain("together.next_payment", sums.next_payment), " of all hedges paid then"),
            facts(
                ("APR on one leg", figure("together.apr_on_leg", formats.apr(sums.apr_on_leg))),
                ("APR on all capital", figure("together.apr_on_capital", formats.apr(sums.apr_on_capital))),
            ),
            kind="c4 o3 t-now",
        ),
    )


def flat_cards(shown: Shown) -> tuple[Panel, ...]:
    """Return the cards while nothing is held."""
    view, totals = shown.view, shown.view.totals
    old = as_of(view)
    best = view.pairs[0] if view.pairs else None
    passing = sum(1 for pair in view.pairs if pair.may_enter)
    waiting = (
        element("p", f"{best.seen.symbol} ", figure("pairs.0.seen.apr", formats.apr(best.seen.apr)), class_="fig")
        if best
        else element("p", formats.UNKNOWN, class_="fig")
    )
    return (
        panel(
            "hedged",
            f"Am I hedged?{old}",
            element("p", "Nothing held", class_="fig"),
            remark("No coins and no short that belong to the bot."),
            facts(
                ("Free on spot", figure("totals.free_spot", formats.money(totals.free_spot))),
                ("Free on perpetuals", figure("totals.free_perp", formats.money(totals.free_perp))),
                ("Equity", figure("totals.equity", formats.money(totals.equity))),
                _longest(view),
            ),
            kind="c4 o2 t-now",
        ),
        panel(
            "made",
            f"What did it make?{old}",
            element("p", gain("totals.net_closed", totals.net_closed), class_="fig"),
            remark(f"all hedges so far, {formats.count(totals.closed)} closed"),
            facts(
                ("Funding received", gain("totals.funding", totals.funding)),
                ("Basis P/L", gain("totals.basis", totals.basis)),
                ("Fees paid", cost("totals.fees", totals.fees)),
            ),
            kind="c4 o1 t-now t-money",
        ),
        panel(
            "next",
            f"What is it waiting for?{old}",
            waiting,
            remark(view.why_waiting or f"{passing} of {len(view.pairs)} pairs pass the entry filters"),
            facts(
                ("Pairs that pass", f"{passing} of {len(view.pairs)}"),
                (
                    "Best pair, announced rate",
                    figure("pairs.0.seen.predicted", formats.rate(best.seen.predicted)) if best else formats.UNKNOWN,
                ),
            ),
            kind="c4 o3 t-now",
        ),
    )


# --- am I hedged -----------------------------------------------------------------------------------------------------


def _hedged(view: View, hedge: HedgeView, key: str) -> Panel:
    found = hedge.difference
    lines: list[Html] = []
    if found is not None:
        word = "more" if found.quantity > 0 else "fewer"
        small = abs(found.quantity) < hedge.bounds.lot
        lines = [
            figure(f"{key}.difference.quantity", formats.quantity(abs(found.quantity), hedge.base)),
            Html(f" {word} coins than short, "),
            figure(f"{key}.difference.value", formats.signed_money(found.value)),
            Html(": less than a lot" if small else ""),
        ]
        if not found.quantity:
            lines = [Html("exactly as many coins as short")]
    return panel(
        "hedged",
        f"Am I hedged?{as_of(view)}",
        element("p", _difference(hedge, key), class_="fig"),
        remark(*lines),
        _scale(hedge),
        facts(
            ("Liquidation of the short", _away(f"{key}.liquidation_distance", hedge.liquidation_distance)),
            _longest(view),
        ),
        *(remark(text) for text in (*hedge.findings, *hedge.unknown)),
        kind="c4 o2 t-now",
    )


def _difference(hedge: HedgeView, key: str) -> Html:
    found = hedge.difference
    if found is None:
        return Html("nothing filled yet")
    return join((figure(f"{key}.difference.fraction", formats.signed_percent(found.fraction, 3)), " between the legs"))


def _away(key: str, distance: float | None) -> Html:
    return join((figure(key, formats.percent(distance, 1)), " away" if distance is not None else ""))


def _longest(view: View) -> tuple[str, Html]:
    totals = view.totals
    parts = (
        figure("totals.longest_naked_seconds", formats.seconds(totals.longest_naked_seconds)),
        ", ",
        figure("totals.largest_naked", formats.money(totals.largest_naked)),
    )
    return "Longest naked ever, largest", join(parts)


def _scale(hedge: HedgeView) -> Html:
    """Return where the difference lies between the bounds, as a drawing; the figures beside it say the same."""
    close, trim = hedge.bounds.close, hedge.bounds.trim
    value = hedge.difference.fraction if hedge.difference else 0.0
    place = SCALE_WIDTH / 2 * (1 + min(1.0, max(-1.0, value / close)))
    inner = SCALE_WIDTH / 2 * trim / close
    middle = SCALE_WIDTH / 2
    zones = (
        ("zone warn", 0.0, SCALE_WIDTH),
        ("zone ok", middle - inner, 2 * inner),
    )
    drawn = "".join(
        f'<rect class="{kind}" x="{x:.0f}" y="12" width="{width:.0f}" height="14"/>' for kind, x, width in zones
    )
    dot = (
        f'<rect class="here" x="{min(SCALE_WIDTH - 10, max(0.0, place - 5)):.1f}" y="2" width="10" height="34" rx="3"/>'
    )
    limits = f"trimmed at {formats.percent(trim, 0)}, closed at {formats.percent(close, 0)}"
    drawing = svg(f"{drawn}{dot}", "0 0 1000 38", f"difference {formats.signed_percent(value, 3)}, {limits}", "scale")
    low = (f"{formats.signed_percent(-close, 0)} close", formats.signed_percent(-trim, 0))
    high = (f"{formats.signed_percent(trim, 0)} trim", formats.signed_percent(close, 0))
    ends = (*low, "0", *high)
    return join((drawing, element("p", *(element("span", text) for text in ends), class_="ends", aria_hidden="true")))


# --- what did it make ------------------------------------------------------------------------------------------------


def _made(view: View, hedge: HedgeView, key: str) -> Panel:
    result = hedge.result
    net = result.net_if_closed if result else None
    lines: list[Html] = []
    if result is not None and result.net_on_notional is not None:
        lines += _on_leg(f"{key}.result.net_on_notional", result.net_on_notional)
    if net is not None and net >= 0:
        lines.append(Html(" \N{MIDDLE DOT} has paid its costs back"))
    elif result is not None and result.break_even_at is not None:
        at = result.break_even_at
        lines += [Html(" \N{MIDDLE DOT} paid back "), time_of(at, f"on {formats.date_time(at)} UTC at the mean rate")]
    elif result is not None:
        lines.append(Html(" \N{MIDDLE DOT} not paid back at the present rate"))
    count = f"{hedge.funding_payments} payment{'' if hedge.funding_payments == 1 else 's'}"
    return panel(
        "made",
        f"What did this hedge make?{as_of(view)}",
        element("p", gain(f"{key}.result.net_if_closed", net), " ", _small("if closed now"), class_="fig"),
        remark(*lines),
        facts(
            (f"Funding, {count}", gain(f"{key}.funding_received", hedge.funding_received)),
            ("Basis P/L so far", gain(f"{key}.result.basis", result.basis if result else None)),
            ("Fees paid", cost(f"{key}.fees_paid", hedge.fees_paid)),
            ("Closing: fees", cost(f"{key}.result.exit_fees", result.exit_fees if result else None)),
            ("Closing: spread", cost(f"{key}.result.exit_spread", result.exit_spread if result else None)),
            _with_closed(view),
        ),
        kind="c4 o1 t-now t-money",
    )


def _on_leg(key: str, value: float | None) -> list[Html]:
    return [figure(key, formats.signed_percent(value)), Html(" of one leg")]


def _with_closed(view: View) -> tuple[str, Html, str]:
    totals = view.totals
    label = f"With {formats.count(totals.closed)} closed hedge{'' if totals.closed == 1 else 's'}"
    return (
        f"{label}{formats.without_dust(totals.unpriced_dust)}",
        gain("totals.net_if_closed", totals.net_if_closed),
        "tot",
    )


def _small(text: str) -> Html:
    return element("span", text, class_="small")


# --- what is paid next -----------------------------------------------------------------------------------------------


def _next(view: View, hedge: HedgeView, key: str) -> Panel:
    funding = hedge.funding
    due = funding.next
    lines: list[Html | str] = ["nothing is announced"]
    if due is not None:
        lines = [
            "about ",
            gain(f"{key}.funding.next.amount", due.amount),
            " at the announced ",
            figure(f"{key}.funding.next.rate", formats.rate(due.rate)),
            f" \N{MIDDLE DOT} {formats.clock_time(due.at, view.times.now)}, every {due.interval_hours} h",
        ]
    mean = join(
        (
            figure(f"{key}.funding.mean", formats.rate(funding.mean)),
            " \N{PLUS-MINUS SIGN}",
            figure(f"{key}.funding.deviation", formats.rate(funding.deviation)),
        )
    )
    aprs = join(
        (
            figure(f"{key}.funding.apr_on_leg", formats.apr(funding.apr_on_leg)),
            " / ",
            figure(f"{key}.funding.apr_on_capital", formats.apr(funding.apr_on_capital)),
        )
    )
    left = formats.countdown(due.at if due else None, view.times.now)
    return panel(
        "next",
        f"Next payment{as_of(view)}",
        element("p", time_of(due.at if due else None, left), class_="fig"),
        remark(*lines),
        _rates(hedge),
        facts((f"Mean of the last {len(funding.rates)}", mean), ("APR on one leg / on all capital", aprs)),
        kind="c4 o3 t-now",
    )


def _rates(hedge: HedgeView) -> Html:
    """Return the last settled rates as bars, newest at the right."""
    rates = hedge.funding.rates
    if not rates:
        return Html("")
    high = max(0.0, *(each.rate for each in rates))
    low = min(0.0, *(each.rate for each in rates))
    span = (high - low) or 1.0
    zero = BAR_HEIGHT * high / span
    drawn: list[str] = []
    for index, each in enumerate(rates):
        height = max(BAR_LEAST, BAR_HEIGHT * abs(each.rate) / span)
        top = zero - height if each.rate >= 0 else zero
        kind = "gain" if each.rate >= 0 else "loss"
        text = f"{formats.date_time(each.at)} UTC {formats.rate(each.rate)}"
        x, width = index * BAR_WIDTH, BAR_WIDTH - BAR_GAP * 2
        drawn.append(
            f'<rect class="{kind}" x="{x:.0f}" y="{max(0.0, top):.1f}" width="{width:.0f}" height="{height:.1f}">'
            f"<title>{text}</title></rect>"
        )
    name = f"the last {len(rates)} settled rates, from {formats.rate(rates[0].rate)} to {formats.rate(rates[-1].rate)}"
    box = f"0 0 {len(rates) * BAR_WIDTH:.0f} {BAR_HEIGHT + BAR_LEAST:.1f}"
    return svg("".join(drawn), box, name, "rates")
