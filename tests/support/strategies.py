"""Hypothesis strategies for every domain value, derived from the types themselves: a new field is covered at once."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st

from hedgerow.domain.commands import TransferFunds
from hedgerow.domain.events import Event
from hedgerow.domain.funding import EPOCH
from hedgerow.domain.instrument import BasisPair, Instrument, Market
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.operator_requests import OperatorRequest
from hedgerow.domain.order import OrderRequest
from hedgerow.store.old_events import migrated

__all__ = ["EVENT_TYPES", "any_event", "any_ledger", "any_value"]

EVENT_TYPES: tuple[type[msgspec.Struct], ...] = get_args(Event)

MONEY = st.decimals(allow_nan=False, allow_infinity=False)
POSITIVE = st.decimals(min_value=Decimal("1e-12"), max_value=Decimal("1e12"), allow_nan=False)
TIMES = st.integers(0, 2**52).map(lambda microseconds: EPOCH + timedelta(microseconds=microseconds))
ASKED = datetime(2026, 1, 5, tzinfo=UTC)
"""About when requests are made; times long ago are refused."""
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)

SCALARS: Mapping[object, st.SearchStrategy[Any]] = {
    Decimal: MONEY,
    float: st.floats(allow_nan=False, allow_infinity=False),
    int: st.integers(-(2**63), 2**63 - 1),
    bool: st.booleans(),
    str: TEXT,
    datetime: TIMES,
    NoneType: st.none(),
    msgspec.UnsetType: st.just(msgspec.UNSET),
}
"""Strategies of the leaves."""
BOUNDED: Mapping[type, Mapping[str, st.SearchStrategy[Any]]] = {
    OrderRequest: {
        "client_id": st.text(st.characters(codec="ascii"), min_size=1, max_size=36),
        "quantity": POSITIVE,
        "price": POSITIVE,
    },
    TransferFunds: {"amount": POSITIVE},
    OperatorRequest: {
        "request_id": st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
        "asked_at": st.integers(0, 1799).map(lambda seconds: ASKED + timedelta(seconds=seconds)),
        "valid_until": st.integers(1800, 3600).map(lambda seconds: ASKED + timedelta(seconds=seconds)),
    },
    Instrument: dict.fromkeys(("tick", "lot", "max_quantity", "min_quantity", "min_notional"), POSITIVE),
}
"""Fields that refuse part of what their type allows."""


def any_event(kind: type[msgspec.Struct] | None = None) -> st.SearchStrategy[Any]:
    """Return events of one kind, or of any, as they are written now: what older logs hold in words is a field."""
    return (any_value(kind) if kind else st.sampled_from(EVENT_TYPES).flatmap(any_value)).map(migrated)


def any_ledger() -> st.SearchStrategy[Ledger]:
    """Return ledgers, whether or not events could lead to them."""
    return any_value(Ledger)


@cache
def any_value(kind: Any) -> st.SearchStrategy[Any]:
    """Return values of any type that a domain value is made of."""
    if kind in SCALARS:
        return SCALARS[kind]
    if kind is BasisPair:
        return _pairs()
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _structs(kind)
    return _composed(get_origin(kind), get_args(kind))


def _composed(origin: Any, arguments: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    builders: Mapping[Any, Callable[[], st.SearchStrategy[Any]]] = {
        Union: lambda: st.one_of(*map(any_value, arguments)),
        UnionType: lambda: st.one_of(*map(any_value, arguments)),
        tuple: lambda: _tuples(arguments),
        frozenset: lambda: st.frozensets(any_value(arguments[0]), max_size=3),
        Mapping: lambda: st.dictionaries(any_value(arguments[0]), any_value(arguments[1]), max_size=2),
    }
    return builders[origin]()


def _tuples(arguments: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if arguments[-1] is Ellipsis:
        return st.lists(any_value(arguments[0]), max_size=2).map(tuple)
    return st.tuples(*map(any_value, arguments))


def _structs(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    bounded = BOUNDED.get(kind, {})
    hints = get_type_hints(kind)
    return st.builds(
        kind, **{name: bounded[name] if name in bounded else any_value(hints[name]) for name in kind.__struct_fields__}
    )


def _pairs() -> st.SearchStrategy[BasisPair]:
    def joined(spot: Instrument, perp: Instrument) -> BasisPair:
        return BasisPair(
            spot=msgspec.structs.replace(spot, market=Market.SPOT, symbol=perp.symbol, base=perp.base),
            perp=msgspec.structs.replace(perp, market=Market.PERP),
        )

    return st.builds(joined, any_value(Instrument), any_value(Instrument))
