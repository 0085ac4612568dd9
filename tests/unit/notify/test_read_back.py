"""Numbers of terminal, Telegram and JSON, read back, are those of the view; a changed formatter is found on each."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from rich.console import Console, RenderableType

from hedgerow.dashboard import formats, terminal_cards
from hedgerow.dashboard import view as view_module
from hedgerow.dashboard.bot_state import BotState
from hedgerow.dashboard.view import HedgeView, View, view_document
from hedgerow.notify import answers
from support.drawing import examples
from support.figures import assert_says, drawn_views
from support.shown_bots import view_in

pytestmark = pytest.mark.slow
BOX = str.maketrans("\N{BOX DRAWINGS LIGHT VERTICAL}", " ")


def minus(value: Decimal | None) -> Decimal | None:
    return None if value is None else -value


# --- terminal --------------------------------------------------------------------------------------------------------


def drawn(part: RenderableType) -> str:
    console = Console(width=140, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(part)
    return "\n".join(line.translate(BOX).strip() for line in capture.get().splitlines())


def assert_the_terminal_says_what_the_view_holds(view: View) -> None:
    for which, hedge in enumerate(view.hedges):
        text, difference, result = drawn(terminal_cards.hedged_card(view, which)), hedge.difference, hedge.result
        assert difference is not None
        assert_says(text, "Legs differ by  {}  {}", difference.fraction, difference.value)
        assert_says(text, f"Spot  {{}} {hedge.base}", hedge.spot.quantity)
        assert_says(text, f"Perpetual  {{}} {hedge.base}", hedge.perp.quantity)
        assert_says(text, "Worth  {}  {}", hedge.spot.value, hedge.perp.value)
        assert_says(text, "Liquidation  {} away", hedge.liquidation_distance)
        assert_says(text, "Basis (at entry)  {} ({})", hedge.basis, hedge.entry_basis)
        assert_says(text, "Longest naked  {}", view.totals.longest_naked_seconds)
        text = drawn(terminal_cards.made_card(view, which))
        assert_says(text, f"Funding, {hedge.funding_payments} payments  {{}}", hedge.funding_received)
        assert_says(text, "Basis P/L  {}", result.basis if result else None)
        assert_says(text, "Fees paid  {}", -hedge.fees_paid)
        assert_says(text, "Fees, spread to close  {}", minus(result.exit_cost) if result else None)
        assert_says(text, "If closed now  {}", result.net_if_closed if result else None)
        assert_says(text, f"With {view.totals.closed} closed  {{}}", view.totals.net_if_closed)
    text = drawn(terminal_cards.pairs_table(view))
    for seen in (pair.seen for pair in view.pairs):
        line = f"{seen.symbol}  {{}}  {{}}  {seen.interval_hours} h  {{}}  {{}}  ..."
        assert_says(text, line, seen.apr, seen.predicted, seen.basis, seen.volume)


# --- Telegram --------------------------------------------------------------------------------------------------------


def assert_telegram_says_what_the_view_holds(view: View) -> None:
    totals, held = view.totals, view.together
    assert held is not None
    text = answers.money_text(view)
    assert_says(text, "Held: {} if closed now", held.net_if_closed)
    assert_says(
        text,
        "  funding {}, basis {}, fees {}, cost to close {}",
        held.funding,
        held.basis,
        held.fees_paid,
        held.exit_cost,
    )
    line = f"Ended: {{}} by {totals.closed}\n  funding {{}}, basis {{}}, fees {{}}"
    assert_says(text, line, totals.net_closed, totals.funding, totals.basis, totals.fees)
    assert_says(text, "Since the start: {}", totals.net_if_closed)
    assert_says(text, "Equity {}; free {} spot, {} perpetual", totals.equity, totals.free_spot, totals.free_perp)
    assert_says(text, "Longest with one leg: {}", totals.longest_naked_seconds)
    text = answers.status_text(view)
    assert_says(text, "If closed now: {} ({} of a leg)", held.net_if_closed, held.net_on_notional)
    assert_says(text, "Since the start: {}", totals.net_if_closed)
    for hedge in view.hedges:
        assert_telegram_says_of_a_hedge_what_the_view_holds(view, hedge)
    text = answers.hedges_text(view)
    for row in view.closed:
        line = f"... {row.symbol} {{}}: {row.reason}, funding {{}}, basis {{}}, fees {{}}"
        assert_says(text, line, row.net, row.funding, row.basis, row.fees)
    for seen in (pair.seen for pair in view.pairs[:10]):
        line = f"{seen.symbol} {{}} ({{}}/{seen.interval_hours} h), {{}}: ..."
        assert_says(answers.pairs_text(view), line, seen.apr, seen.rate, seen.volume)


def assert_telegram_says_of_a_hedge_what_the_view_holds(view: View, hedge: HedgeView) -> None:
    difference, result, funding, due = hedge.difference, hedge.result, hedge.funding, hedge.funding.next
    assert difference is not None
    assert due is not None
    away = ", liquidation {} away" if hedge.liquidation_distance is not None else ""
    known = () if hedge.liquidation_distance is None else (hedge.liquidation_distance,)
    line = f"{hedge.symbol}: legs differ by {{}} ({{}}){away}"
    assert_says(answers.status_text(view), line, difference.fraction, difference.value, *known)
    text, net = answers.hedges_text(view), result.net_if_closed if result else None
    assert_says(text, f"{hedge.symbol}: {{}} if closed now", net)
    line = f"  spot {{}} {hedge.base}, perpetual {{}} {hedge.base}"
    assert_says(text, line, hedge.spot.quantity, hedge.perp.quantity)
    assert_says(text, f"  {{}} a leg, for {formats.duration(view.times.now - hedge.opened_at)}", hedge.entry_notional)
    assert_says(text, "  liquidation at {}, {} away", hedge.liquidation_price, hedge.liquidation_distance)
    text = answers.close_question(hedge, view, None, 60)
    cost = result.exit_cost if result else None
    assert_says(text, "Net if closed: {} (cost to close {} is in it)", net, cost)
    text = answers.funding_text(view)
    line = f"{hedge.symbol}: {{}} in {formats.countdown(due.at, view.times.now)}, rate {{}} every ..."
    assert_says(text, line, due.amount, due.rate)
    line = f"  APR {{}} of a leg, {{}} of all capital; received {{}} in {hedge.funding_payments}"
    assert_says(text, line, funding.apr_on_leg, funding.apr_on_capital, hedge.funding_received)


# --- JSON ------------------------------------------------------------------------------------------------------------


def assert_the_document_is(found: object, value: object, place: str = "view") -> int:
    """Check that JSON holds every value of a view; return how many there are. ``value`` is encoded independently."""
    if isinstance(value, Mapping):
        assert isinstance(found, Mapping), place
        document = cast("Mapping[str, object]", found)
        items = cast("Mapping[str, object]", value).items()
        return sum(assert_the_document_is(document[key], each, f"{place}.{key}") for key, each in items)
    if isinstance(value, list):
        rows, given_rows = cast("list[object]", found), cast("list[object]", value)
        pairs = zip(rows, given_rows, strict=True)
        return sum(assert_the_document_is(row, each, f"{place}.{at}") for at, (row, each) in enumerate(pairs))
    same = found == value or (isinstance(found, str) and isinstance(value, str) and _number(found) == _number(value))
    assert same, f"{place}: {found} is written for {value}"
    return 1


def _number(text: str) -> object:
    try:
        return Decimal(text)
    except ArithmeticError:
        return text


def assert_the_json_says_what_the_view_holds(view: View) -> None:
    found = msgspec.json.decode(msgspec.json.encode(view_document(view)))
    value = msgspec.json.decode(msgspec.json.encode(view))
    assert assert_the_document_is(found, value) > 200


# --- all of them -----------------------------------------------------------------------------------------------------

Check = Callable[[View], None]
CHECKS = (
    assert_the_terminal_says_what_the_view_holds,
    assert_telegram_says_what_the_view_holds,
    assert_the_json_says_what_the_view_holds,
)


@pytest.mark.parametrize("check", CHECKS)
def test_what_a_screen_says_of_a_hedged_bot_is_what_the_view_holds(check: Check) -> None:
    check(view_in(BotState.HEDGED))


@settings(max_examples=examples(40))
@given(drawn_views())
def test_every_number_of_terminal_telegram_and_json_is_the_views(view: View) -> None:
    for check in CHECKS:
        check(view)


TERMINAL = (
    "signed_percent",
    "signed_money",
    "quantity",
    "money",
    "percent",
    "signed_bps",
    "seconds",
    "apr",
    "rate",
    "volume",
)
TELEGRAM = (
    "signed_money",
    "money",
    "signed_percent",
    "percent",
    "quantity",
    "price",
    "apr",
    "rate",
    "volume",
    "seconds",
)
MUTANTS = [
    *((formats, name, CHECKS[0]) for name in TERMINAL),
    *((answers, name, CHECKS[1]) for name in TELEGRAM),
    (view_module, "plain", CHECKS[2]),
]


@pytest.mark.parametrize(
    ("module", "name", "check"), MUTANTS, ids=[f"{module.__name__}-{name}" for module, name, _ in MUTANTS]
)
def test_a_formatter_that_is_wrong_is_found_on_its_screen(
    module: ModuleType, name: str, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = getattr(module, name)

    def wrong(value: Any, *more: Any, **how: Any) -> str:
        return str(right(None if value is None else value * 2, *more, **how))

    monkeypatch.setattr(module, name, wrong)
    with pytest.raises(AssertionError, match=r"is shown for|is written for"):
        check(view_in(BotState.HEDGED))


@pytest.mark.parametrize(("kind", "by"), [(float, 0.5), (int, 1), (str, "!")])
def test_a_number_or_a_word_that_json_changes_is_found(kind: type, by: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    right = msgspec.to_builtins

    def wrong(value: object) -> object:
        found: Any = right(value)
        return found + by if type(found) is kind else found

    monkeypatch.setattr(view_module, "msgspec", SimpleNamespace(to_builtins=wrong))
    with pytest.raises(AssertionError, match="is written for"):
        assert_the_json_says_what_the_view_holds(view_in(BotState.HEDGED))


def test_a_time_that_json_changes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = msgspec.to_builtins

    def wrong(value: object) -> object:
        return right(value.replace(microsecond=1) if isinstance(value, datetime) else value)

    monkeypatch.setattr(view_module, "msgspec", SimpleNamespace(to_builtins=wrong))
    with pytest.raises(AssertionError, match="is written for"):
        assert_the_json_says_what_the_view_holds(view_in(BotState.HEDGED))
