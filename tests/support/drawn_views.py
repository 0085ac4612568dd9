"""Draws views for the tests of screens: any numbers, times and missing values that the types of a view allow."""

import types
import typing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, get_args, get_origin

from hypothesis import strategies as st
from msgspec import Struct

from hedgerow.dashboard.view import View

__all__ = ["NOW", "drawn", "views"]

NOW = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)
MOST = 3
"""Longest tuple or mapping that is drawn."""
AMOUNTS = st.decimals(min_value=Decimal(-99_999), max_value=Decimal(99_999), places=4)
TIMES = st.integers(min_value=-40 * 86_400, max_value=40 * 86_400).map(lambda s: NOW + timedelta(seconds=s))
TEXTS = st.sampled_from(["", "AAAUSDT", "why it is so", "<b>&\"'", "0x7E5F...5Bdf", "\u5e01\u5b89\u4eba\u751fUSDT"])
GRIDS = frozenset({"lot", "step"})
NAMED: dict[str, st.SearchStrategy[Any]] = {
    "now": st.just(NOW),
    "symbol": st.sampled_from(["AAAUSDT", "BBBUSDT", "\u5e01\u5b89\u4eba\u751fUSDT"]),
    "interval_hours": st.sampled_from([1, 4, 8]),
    "left": st.none() | st.floats(min_value=0, max_value=1),
    "unpriced_dust": st.sampled_from([(), ("AAA",), ("AAA", "BBB")]),
    "job": st.none(),
    "jobs": st.just(()),
}
"""Fields that not every value of their type is a value of."""


@cache
def drawn(kind: type[Struct]) -> st.SearchStrategy[Any]:
    """Return what draws values of a struct."""
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{name: _named(hints[name], name) for name in kind.__struct_fields__})


def _named(kind: Any, name: str) -> st.SearchStrategy[Any]:
    if name in GRIDS and kind is Decimal:
        return st.sampled_from([Decimal(1), Decimal("0.1"), Decimal("0.001")])
    return NAMED[name] if name in NAMED else _of(kind, name)


def _of(kind: Any, name: str) -> st.SearchStrategy[Any]:  # noqa: C901, PLR0911, PLR0912 - one case per type
    origin, parts = get_origin(kind), get_args(kind)
    if origin in {types.UnionType, typing.Union}:
        return st.one_of(*(_of(part, name) for part in parts))
    if origin is tuple:
        return st.lists(_of(parts[0], name), max_size=MOST).map(tuple)
    if origin is dict:
        return st.dictionaries(st.sampled_from(["one", "two"]), _of(parts[1], name), max_size=2)
    if kind is type(None):
        return st.none()
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.integers(min_value=0, max_value=10_000)
    if kind is float:
        least = 0.0 if name.endswith("seconds") else -9.0
        return st.floats(min_value=least, max_value=9.0, allow_subnormal=False)
    if kind is Decimal:
        return AMOUNTS
    if kind is datetime:
        return TIMES
    if kind is str:
        return TEXTS
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    assert issubclass(kind, Struct), f"{name}: no values are drawn of {kind}"
    return st.deferred(lambda: drawn(kind))


def views() -> st.SearchStrategy[View]:
    """Return what draws whole views, without a trade in flight."""
    return drawn(View)
