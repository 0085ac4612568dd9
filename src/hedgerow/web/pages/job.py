"""A trade in flight: what is open and for how long, both legs, the steps, and what follows if the other leg fails."""

from typing import Final

from hedgerow.dashboard import formats
from hedgerow.dashboard.job_view import JobLeg, JobOrder, JobView, StepStatus
from hedgerow.dashboard.view import View
from hedgerow.domain.instrument import Side
from hedgerow.domain.money import plain
from hedgerow.web.html import Html, element, join
from hedgerow.web.pages.parts import Panel, figure, meter, nothing, panel, remark
from hedgerow.web.pages.state import Shown, as_of

__all__ = ["job_cards", "others_in_flight"]

MOST_ORDERS: Final = 5


def job_cards(shown: Shown, job: JobView) -> tuple[Panel, ...]:
    """Return the two cards of a trade in flight; they take the place of the three questions."""
    return (_open(shown.view, job), _steps(shown.view, job))


def _open(view: View, job: JobView) -> Panel:
    over = job.naked_seconds > job.allowed_seconds
    amount = figure("job.open_notional", formats.money(job.open_notional), "loss" if over else "")
    limit = f"{plain(job.price_limit_bps)} bp"
    held = "the legs match" if not job.open_quantity else ""
    time = (
        join((figure("job.naked_seconds", formats.seconds(job.naked_seconds)), " of "))
        if job.naked_since is not None
        else Html("")
    )
    return panel(
        "hedged",
        f"Am I hedged?{as_of(view)}",
        element("p", amount, " open", class_="fig"),
        remark(
            held or time,
            "" if held else figure("job.allowed_seconds", formats.seconds(job.allowed_seconds)),
            "" if held else " allowed",
            f" \N{MIDDLE DOT} price limit {limit}",
        ),
        _leg(job, job.spot, "job.spot"),
        _leg(job, job.perp, "job.perp"),
        remark(_at_work(job)),
        kind="c4 o1 t-now",
    )


def _leg(job: JobView, leg: JobLeg, key: str) -> Html:
    name = f"{formats.leg_name(leg.market)} {'bought' if leg.side is Side.BUY else 'sold'}"
    share = float(leg.filled / leg.planned) if leg.planned else None
    value = join(
        (
            figure(f"{key}.filled", formats.quantity(leg.filled, step=leg.step)),
            " of ",
            figure(f"{key}.planned", formats.quantity(leg.planned, job.base, leg.step)),
        )
    )
    return element(
        "div",
        element("span", name),
        element("span", value, class_="value"),
        meter(share, name=name, kind="busy"),
        class_="progress",
    )


def _at_work(job: JobView) -> str:
    parts = [job.state.value.lower()]
    if job.slices_left:
        parts.append(f"about {job.slices_left} slice{'' if job.slices_left == 1 else 's'} to go")
    if job.working is not None:
        parts.append(_order_text(job.working, limit=True))
    if job.detail:
        parts.append(job.detail)
    if job.is_suspended:
        parts.append("waits for another hedge")
    return " \N{MIDDLE DOT} ".join(parts)


def _steps(view: View, job: JobView) -> Panel:
    words = {StepStatus.DONE: "done", StepStatus.NOW: "now", StepStatus.TO_DO: "to do"}
    steps = element(
        "ol",
        *(
            element(
                "li",
                element("span", step.name.value.capitalize()),
                element("span", words[step.status], class_="value"),
                class_=step.status.name.lower(),
            )
            for step in job.steps
        ),
        class_="steps",
    )
    cost = join(("It costs at most ", figure("job.undo_cost", formats.money(job.undo_cost)), " to undo what is open."))
    follows = element(
        "div",
        element("h3", "If the other leg does not follow"),
        element("ul", *(element("li", formats.fallback_text(each)) for each in job.fallbacks), class_="plain"),
        remark(cost),
        element("h3", "Last orders"),
        element("ul", *(element("li", _order(order)) for order in job.orders[:MOST_ORDERS]), class_="orders")
        if job.orders
        else nothing("No order was sent yet."),
    )
    title = f"{job.kind.value.capitalize()} {job.symbol} for {formats.seconds(job.seconds)}: {job.reason}{as_of(view)}"
    return panel("job", title, element("div", steps, follows, class_="halves"), kind="c8 o2 t-now")


def _order(order: JobOrder) -> str:
    return f"{order.at:%H:%M:%S} {_order_text(order, limit=False)}"


def _order_text(order: JobOrder, *, limit: bool) -> str:
    leg = formats.leg_name(order.market)
    if limit:
        bound = "at most" if order.side is Side.BUY else "at least"
        return f"{leg} {order.side.value} {formats.quantity(order.quantity)} {bound} {formats.price(order.price)}"
    filled = formats.quantity(order.filled)
    price = "" if order.average_price is None else f" at {formats.price(order.average_price)}"
    return (
        f"{leg} {order.side.value} {formats.quantity(order.quantity)}: {order.status.lower()}, {filled} filled{price}"
    )


def others_in_flight(shown: Shown) -> tuple[Panel, ...]:
    """Return the other trades in flight, one line each; nothing where there is only one."""
    view = shown.view
    others = [job for job in view.jobs if view.job is None or job.hedge_id != view.job.hedge_id]
    if not others:
        return ()
    lines = (
        element("li", f"{job.kind.value} {job.symbol}: {job.state.value}, {formats.money(job.open_notional)} open")
        for job in others
    )
    body = element("ul", *lines, class_="plain")
    return (panel("jobs", f"Other trades in flight{as_of(view)}", body, kind="c12 o3 t-now"),)
