"""Every figure of a page, read back from its HTML, is the one of the view; and that of the JSON is exactly it."""

from collections.abc import Iterator
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings

from hedgerow.dashboard import formats
from hedgerow.dashboard.bot_state import BotState
from hedgerow.dashboard.view import View, view_document
from hedgerow.web.access import Role
from hedgerow.web.pages.bot import Beside, bot_page, panels
from hedgerow.web.pages.state import Shown
from support.drawing import examples
from support.figures import drawn_views, read_back
from support.shown_bots import view_in

pytestmark = pytest.mark.slow
COSTS = ("fees_paid", "exit_fees", "exit_spread", "exit_cost", "totals.fees", ".fees")
"""Costs are shown as the losses that they are."""
NUMBERS = (
    "apr",
    "count",
    "money",
    "percent",
    "price",
    "quantity",
    "rate",
    "seconds",
    "signed_bps",
    "signed_money",
    "signed_percent",
    "volume",
    "whole_money",
)
"""Formatters of numbers of a view that the pages use."""


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


@settings(max_examples=examples(40))
@given(drawn_views())
def test_every_number_of_the_page_and_of_the_json_is_the_views(view: View) -> None:
    assert assert_the_page_says_what_the_view_holds(view) > 50


def every_state() -> Iterator[View]:
    yield from (view_in(state) for state in BotState)


def test_in_every_state_the_page_says_what_the_view_holds() -> None:
    for view in every_state():
        assert assert_the_page_says_what_the_view_holds(view) > 15, view.report.state


@pytest.mark.parametrize("name", NUMBERS)
def test_a_formatter_that_is_wrong_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = getattr(formats, name)

    def wrong(value: Any, *more: Any, **how: Any) -> str:
        return str(right(None if value is None else value * 2, *more, **how))

    monkeypatch.setattr(formats, name, wrong)
    with pytest.raises(AssertionError, match="is shown for"):
        assert_the_page_says_what_the_view_holds(view_in(BotState.HEDGED))
