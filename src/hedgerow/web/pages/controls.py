"""The pages that ask again before something is done. With a script they open as dialogs; without one as pages."""

from collections.abc import Sequence
from typing import Final

from hedgerow.dashboard import formats
from hedgerow.dashboard.closing import books_of_all, books_of_one, closing_all, closing_one
from hedgerow.dashboard.view import HedgeView
from hedgerow.strategy.closing_price import ClosingPrice
from hedgerow.web.html import Html, element, join, void
from hedgerow.web.pages.parts import cost, facts, gain, remark
from hedgerow.web.pages.state import Shown

__all__ = [
    "close_all_dialog",
    "close_dialog",
    "halt_dialog",
    "nothing_dialog",
    "on_exit_dialog",
    "resume_dialog",
    "which_dialog",
]

AFTERWARDS: Final = "Openings are halted afterwards until you resume them. Prices are read again when the bot closes."


def close_dialog(shown: Shown, index: int, hedge: HedgeView, price: ClosingPrice | None = None) -> Html:
    """Return what closing one hedge would cost and bring; "Keep it" has the focus.

    ``price`` is by books that the bot read for this question; without it the last reading is shown, and said to be old.
    """
    view, closing = shown.view, closing_one(hedge, price)
    key, result, due = f"hedges.{index}" if closing.read_at is None else "now", closing.result, closing.next_payment
    sold = formats.quantity(hedge.spot.quantity, hedge.base, hedge.spot.step)
    bought = formats.quantity(abs(hedge.perp.quantity), hedge.base, hedge.perp.step)
    fees, spread = (result.exit_fees, result.exit_spread) if result else (None, None)
    missed = (
        f"Next payment, missed if closed now, in {formats.countdown(due.at, view.times.now)}" if due else "Next payment"
    )
    rows = facts(
        ("Fees, expected", cost(f"{key}.result.exit_fees", fees)),
        ("Spread and slippage, by the books", cost(f"{key}.result.exit_spread", spread)),
        (
            "This hedge after closing",
            gain(f"{key}.result.net_if_closed", result.net_if_closed if result else None),
            "tot",
        ),
        (missed, gain(f"{key}.funding.next.amount", due.amount if due else None)),
    )
    hidden = (
        void("input", type="hidden", name="hedge", value=hedge.hedge_id),
        void("input", type="hidden", name="symbol", value=hedge.symbol),
    )
    return _dialog(
        shown,
        f"Close {hedge.symbol} now?",
        element("p", f"Sells {sold} and buys {bought} back, in slices."),
        rows,
        remark(f"{books_of_one(closing, view.times.now)} {AFTERWARDS}"),
        action="close",
        button=f"Close {hedge.symbol}",
        keep="Keep it",
        hidden=hidden,
    )


def close_all_dialog(shown: Shown, prices: Sequence[ClosingPrice] = ()) -> Html:
    """Return what closing everything would cost and bring; "Keep them" has the focus.

    ``prices`` are by books that the bot read for this question; of the other hedges the last reading is shown, and said
    to be old.
    """
    view = shown.view
    names, sums = ", ".join(hedge.symbol for hedge in view.hedges), closing_all(view.hedges, prices)
    key = "together" if sums.read_at is None else "now"
    rows = facts(
        ("Fees and spread, expected", cost(f"{key}.exit_cost", sums.exit_cost)),
        ("These hedges after closing", gain(f"{key}.net_if_closed", sums.net_if_closed), "tot"),
        ("Next payment, missed if closed now", gain(f"{key}.next_payment", sums.next_payment)),
    )
    return _dialog(
        shown,
        "Close every hedge now?",
        element("p", f"Closes {names}, one after the other."),
        rows,
        remark(f"{books_of_all(sums, view.times.now)} {AFTERWARDS}"),
        action="close-all",
        button="Close all",
        keep="Keep them",
    )


def which_dialog(shown: Shown) -> Html:
    """Return the choice of what to close where several hedges are held."""
    links = (
        element(
            "a",
            f"Close {each.symbol}\N{HORIZONTAL ELLIPSIS}",
            href=f"{shown.base}/close?hedge={each.hedge_id}",
            class_="button hard",
            data_dialog="",
        )
        for each in shown.view.hedges
    )
    everything = element(
        "a", "Close all\N{HORIZONTAL ELLIPSIS}", href=f"{shown.base}/close?all=1", class_="button hard", data_dialog=""
    )
    keep = element("a", "Keep them", href=shown.base or "/", class_="button", data_keep="", autofocus=True)
    return join(
        (
            element("h1", "Close which hedge?", id="dialog-title"),
            element("nav", keep, *links, everything, class_="acts column"),
        )
    )


def nothing_dialog(shown: Shown) -> Html:
    """Return that there is nothing to close."""
    keep = element("a", "Back", href=shown.base or "/", class_="button", data_keep="", autofocus=True)
    return join((element("h1", "Nothing is held", id="dialog-title"), element("nav", keep, class_="acts")))


def halt_dialog(shown: Shown) -> Html:
    """Return the question before openings are halted."""
    held = "What is held stays hedged, and its exits and the guard go on." if shown.view.hedges else "Nothing is held."
    return _dialog(
        shown,
        "Halt openings?",
        element("p", f"No hedge is opened until you resume. {held}"),
        action="halt",
        button="Halt openings",
        keep="Go on",
    )


def resume_dialog(shown: Shown) -> Html:
    """Return the question before openings are allowed again, with why they are halted."""
    view = shown.view
    why = (
        element("p", f"Halted since {formats.date_time(halt.since)} UTC: {halt.reason}. {halt.detail}")
        for halt in view.halts
    )
    return _dialog(
        shown,
        "Resume openings?",
        *why,
        element("p", "The next check may open a hedge."),
        action="resume",
        button="Resume openings",
        keep="Keep them halted",
    )


def on_exit_dialog(shown: Shown) -> Html:
    """Return the choice of what becomes of positions when the bot stops."""
    keep = element("a", "Leave it as it is", href=shown.base or "/", class_="button", data_keep="", autofocus=True)
    close = element("button", "Close them", type="submit", name="close", value="yes", class_="hard")
    hold = element("button", "Keep them", type="submit", name="close", value="no")
    form = element(
        "form",
        void("input", type="hidden", name="csrf", value=shown.csrf),
        element("nav", keep, hold, close, class_="acts column"),
        method="post",
        action=f"{shown.base}/on-exit",
    )
    said = "When this bot is stopped, its positions can be closed, or kept and taken up again at the next start."
    return join((element("h1", "When the bot stops", id="dialog-title"), element("p", said), form))


def _dialog(
    shown: Shown, title: str, *parts: Html, action: str, button: str, keep: str, hidden: tuple[Html, ...] = ()
) -> Html:
    form = element(
        "form",
        *hidden,
        void("input", type="hidden", name="csrf", value=shown.csrf),
        element(
            "nav",
            element("a", keep, href=shown.base or "/", class_="button", data_keep="", autofocus=True),
            element("button", button, type="submit", class_="hard"),
            class_="acts",
        ),
        method="post",
        action=f"{shown.base}/{action}",
    )
    return join((element("h1", title, id="dialog-title"), *parts, form))
