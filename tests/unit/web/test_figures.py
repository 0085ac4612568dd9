"""Every figure of a page, read back from its HTML, is the one of the view; and that of the JSON is exactly it."""

import re
from collections.abc import Iterator
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hedgerow.dashboard import formats
from hedgerow.dashboard import view as view_module
from hedgerow.dashboard.bot_state import BotState
from hedgerow.dashboard.view import View, view_document
from hedgerow.web.access import Role
from hedgerow.web.pages.bot import Beside, bot_page, panels
from hedgerow.web.pages.state import Shown
from support.drawing import examples
from support.shown_bots import view_in

pytestmark = pytest.mark.slow
NUMBER = re.compile(r"(?P<sign>[-+\N{MINUS SIGN}]?)\$?(?P<digits>[\d,]+(?:\.\d+)?)")
SCALES = {
    "%": Decimal("0.01"),
    "bp": Decimal("0.0001"),
    "B": Decimal(10) ** 9,
    "M": Decimal(10) ** 6,
    "k": Decimal(10) ** 3,
}
COSTS = ("fees_paid", "exit_fees", "exit_spread", "exit_cost", "totals.fees", ".fees")
"""Costs are shown as the losses that they are."""


class Figures(HTMLParser):
    """Collects the text of every element that names the place of its value."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._open: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"meta", "link", "input", "br"}:
            return
        key = dict(attrs).get("data-key")
        self._open.append(key)
        if key is not None:
            self.found.append((key, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"meta", "link", "input", "br"}:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] is not None:
            key, text = self.found[-1]
            self.found[-1] = (key, text + data)


def figures(view: View) -> list[tuple[str, str]]:
    shown = Shown(view=view, base="/bots/a", role=Role.OPERATOR, csrf="0" * 64)
    reader = Figures()
    reader.feed(bot_page(shown, panels(shown, Beside())))
    return reader.found


def value_at(document: object, key: str) -> object:
    for part in key.split("."):
        if isinstance(document, list):
            document = cast("list[object]", document)[int(part)]
        elif document is None:
            return None
        else:
            document = cast("dict[str, object]", document)[part]
    return document


def read_back(text: str) -> tuple[Decimal, Decimal]:
    """Return the number of a text, and half of its last digit: what rounding may have taken."""
    found = NUMBER.search(text)
    assert found is not None, text
    digits = found["digits"].replace(",", "")
    unit = next((unit for unit in SCALES if text.endswith(f" {unit}")), "")
    scale = SCALES.get(unit, Decimal(1))
    if text.endswith(" d") and " " in text:  # an age limit of days
        scale = Decimal(24)
    last = Decimal(1).scaleb(-len(digits.partition(".")[2])) * scale
    value = Decimal(digits) * scale
    return (-value if found["sign"] in {"-", "\N{MINUS SIGN}"} else value), last * Decimal("0.5000001")


def assert_the_page_says_what_the_view_holds(view: View) -> int:
    document = msgspec.json.decode(msgspec.json.encode(view_document(view)))
    found = figures(view)
    for key, text in found:
        value = value_at(document, key)
        if value is None:
            assert text in {formats.UNKNOWN, ""}, f"{key}: {text} is shown for what is not known"
            continue
        number, rounding = read_back(text)
        expected = Decimal(str(value))
        if key.endswith(COSTS) and not key.startswith("job"):
            expected = -expected
        if key.endswith("difference.quantity"):
            expected = abs(expected)
        assert abs(number - expected) <= rounding, f"{key}: {text} is shown for {value}"
    return len(found)


money = st.decimals(min_value=-(10**7), max_value=10**7, places=8, allow_nan=False)
part = st.floats(min_value=-3, max_value=30, allow_nan=False)
positive = st.decimals(min_value=Decimal("0.00000001"), max_value=10**6, places=8, allow_nan=False)


def unknown_or(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), values)


@st.composite
def drawn_views(draw: st.DrawFn) -> View:
    """Return a view whose figures are drawn, unknown ones among them."""
    base = view_in(BotState.HEDGED)
    hedge = base.hedges[0]
    result = hedge.result
    assert result is not None
    result = replace(
        result,
        funding=draw(money),
        spot_pnl=draw(unknown_or(money)),
        perp_pnl=draw(unknown_or(money)),
        exit_fees=draw(unknown_or(money)),
        exit_spread=draw(unknown_or(money)),
    )
    quantity = draw(money)
    hedge = replace(
        hedge,
        result=draw(unknown_or(st.just(result))),
        spot=replace(
            hedge.spot, quantity=draw(positive), price=draw(unknown_or(positive)), value=draw(unknown_or(money))
        ),
        perp=replace(hedge.perp, pnl=draw(unknown_or(money)), entry_price=draw(unknown_or(positive))),
        difference=view_module.Difference(quantity=quantity, fraction=draw(part), value=draw(unknown_or(money))),
        basis=draw(unknown_or(part)),
        liquidation_distance=draw(unknown_or(part)),
        maintenance=draw(unknown_or(money)),
        adl_rank=draw(unknown_or(st.integers(0, 4))),
        funding_received=draw(money),
        fees_paid=draw(money),
        funding=replace(hedge.funding, mean=draw(unknown_or(part)), apr_on_leg=draw(unknown_or(part))),
    )
    hedges = (hedge,) if draw(st.booleans()) else (hedge, replace(hedge, hedge_id="h2", symbol="BTCUSDT"))
    totals = replace(
        base.totals,
        net_if_closed=draw(unknown_or(money)),
        equity=draw(unknown_or(money)),
        largest_naked=draw(positive),
        longest_naked_seconds=draw(st.floats(min_value=0, max_value=10**5)),
    )
    pairs = tuple(
        replace(pair, seen=replace(pair.seen, apr=draw(unknown_or(part)), volume=draw(unknown_or(positive))))
        for pair in base.pairs[:2]
    )
    return replace(base, hedges=hedges, together=view_module._together(hedges), totals=totals, pairs=pairs)


@settings(max_examples=examples(40))
@given(drawn_views())
def test_every_number_of_the_page_and_of_the_json_is_the_views(view: View) -> None:
    assert assert_the_page_says_what_the_view_holds(view) > 50


def every_state() -> Iterator[View]:
    yield from (view_in(state) for state in BotState)


def test_in_every_state_the_page_says_what_the_view_holds() -> None:
    for view in every_state():
        assert assert_the_page_says_what_the_view_holds(view) > 15, view.report.state


@pytest.mark.parametrize("name", ["money", "signed_money", "percent", "signed_percent", "price", "quantity", "volume"])
def test_a_formatter_that_is_wrong_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = getattr(formats, name)

    def wrong(value: Any, *more: Any, **how: Any) -> str:
        return str(right(None if value is None else value * 2, *more, **how))

    monkeypatch.setattr(formats, name, wrong)
    with pytest.raises(AssertionError, match="is shown for"):
        assert_the_page_says_what_the_view_holds(view_in(BotState.HEDGED))
