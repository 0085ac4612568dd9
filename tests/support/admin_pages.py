"""The tables of docs/testing_your_bot.md that are printed from the code: requests to /admin, fields, values."""

import ast
import inspect as source
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, get_args

import msgspec
from msgspec import Struct, inspect, structs

from hedgerow.domain.settings.declaration import Setting, Unit
from hedgerow.emulator.core.market_changes import MarketChange
from hedgerow.emulator.fault_kinds import ON_THE_WIRE, FaultKind
from hedgerow.emulator.wire.admin.fault_routes import (
    Allowance,
    FaultSpan,
    Funding,
    Jitter,
    Liquidation,
    Listeners,
    Seed,
    Skew,
)
from hedgerow.emulator.wire.admin.routes import (
    Advance,
    Deleverage,
    FundsBody,
    HandTrade,
    HandTransfer,
    NewAccount,
    Price,
    Speed,
    Status,
)
from hedgerow.emulator.wire.protocol.credentials import Agent, ApiKey
from hedgerow.emulator.wire.rest.faults import RequestFault, StreamFault

__all__ = ["BODIES", "admin_fields", "admin_values", "bare", "documents_of", "fields_of"]

Body = tuple[type[Struct], ...]
BODIES: Mapping[str, tuple[str, Body]] = {
    "GET time": ("The exchange's time and speed.", ()),
    "POST advance": ("Let time pass at once, with everything that falls due.", (Advance,)),
    "POST speed": ("Let time pass at another speed.", (Speed,)),
    "POST price": ("Let all prices of a symbol jump.", (Price,)),
    "POST status": ("Open, close or delist a symbol.", (Status,)),
    "POST funding": ("Another funding rate or interval.", (Funding,)),
    "POST jitter": ("Charge funding before or after its stamp.", (Jitter,)),
    "POST account": ("Open an account, or replace its agents.", (NewAccount,)),
    "POST fund": ("Put money or coins into a wallet.", (FundsBody,)),
    "POST trade": ("Trade manually.", (HandTrade,)),
    "POST transfer": ("Transfer manually.", (HandTransfer,)),
    "POST deleverage": ("Let the venue reduce a position.", (Deleverage,)),
    "POST liquidate": ("Drive a position past its liquidation price.", (Liquidation,)),
    "GET state": ("Everything that the exchange keeps.", ()),
    "GET faults": ("The faults that are set.", ()),
    "POST faults": ("Set a fault: of requests, or with `stream` of messages.", (RequestFault,)),
    "POST faults/streams": (
        "Set a fault of messages; `trouble`, its former name, is accepted for `fault` until the next release.",
        (StreamFault,),
    ),
    "POST faults/seed": ("Start the random numbers again.", (Seed,)),
    "DELETE faults": ("Forget all faults and the skew of the clock.", ()),
    "POST skew": ("Let `GET time` be off.", (Skew,)),
    "POST stop-books": ("Stop updating public order books.", (FaultSpan,)),
    "POST lag": ("Show balances and positions as they were.", (FaultSpan,)),
    "POST limits": ("Other limits than the venue's.", (Allowance,)),
    "DELETE streams": ("Cut every stream.", ()),
    "DELETE listen-keys": ("Expire listen keys.", (Listeners,)),
    "GET markets": ("The changes of markets.", ()),
    "POST markets": ("Change a market; `type` chooses the row of fields.", get_args(MarketChange)),
    "DELETE markets": ("End the changes of markets.", ()),
}
"""By request: what it does, and what its body may be."""
FEW = 3
"""So many values of an enumeration are listed where its field is, unless they are explained."""
NESTED: Body = (Agent, ApiKey)
NAMES: Mapping[type[inspect.Type], str] = {
    inspect.StrType: "text",
    inspect.FloatType: "number",
    inspect.IntType: "whole number",
    inspect.BoolType: "true or false",
    inspect.DecimalType: "decimal",
    inspect.DateTimeType: "time (ISO 8601)",
    inspect.DictType: "object of decimals",
}


def admin_fields() -> list[str]:
    """Return a row for each field of each body."""
    rows = ["| request | field | type | default | meaning |", "|---|---|---|---|---|"]
    for request, (does, bodies) in BODIES.items():
        method, name = request.split(" ")
        rows.append(f"| **`{method} /admin/{name}`** | | | | {does} |")
        for body in bodies:
            tag = body.__struct_config__.tag
            if tag is not None:
                rows.append(f"| | `type` | text | | `{tag}`: {_first_sentence(body)} |")
            rows.extend(_field_rows(body))
    for body in NESTED:
        rows.append(f"| **in `{'agents' if body is Agent else 'keys'}`** | | | | {_first_sentence(body)} |")
        rows.extend(_field_rows(body))
    return rows


def admin_values() -> list[str]:
    """Return a row for each value of each enumeration of the bodies."""
    found: dict[type[Enum], list[str]] = {}
    for bodies in (*(bodies for _, bodies in BODIES.values()), NESTED):
        for body in bodies:
            for field in fields_of(body):
                for part in _parts(field.type):
                    if isinstance(part, inspect.EnumType) and _is_explained(part.cls):
                        names = found.setdefault(part.cls, [])
                        names += [name for name in (field.name,) if name not in names]
    rows = ["| field | value | meaning |", "|---|---|---|"]
    for enum, fields in found.items():
        meanings = documents_of(enum)
        for index, exchange_account in enumerate(_members(enum)):
            named = ", ".join(f"`{name}`" for name in fields) if index == 0 else ""
            rows.append(
                f"| {named} | `{exchange_account.value}` | {_plain(meanings.get(exchange_account.name, ''))} |".replace(
                    "|  |", "| |"
                )
            )
    return rows


def _members(enum: type[Enum]) -> tuple[Enum, ...]:
    """Return the values that a body may give; of faults those of the wire."""
    return ON_THE_WIRE if enum is FaultKind else tuple(enum)


def _is_explained(enum: type[Enum]) -> bool:
    return len(enum) > FEW or bool(documents_of(enum))


def fields_of(body: type[Struct]) -> tuple[inspect.Field, ...]:
    """Return the fields of a body, as it is decoded."""
    kind = inspect.type_info(body)
    assert isinstance(kind, inspect.StructType)
    return kind.fields


def documents_of(kind: type[Any]) -> dict[str, str]:
    """Return the texts of the fields or values of a class and of those it extends: as a setting, and under it."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if each.__module__.startswith("hedgerow."):
            found |= _documents(each)
    for name, text in _settings(kind):
        found[name] = f"{text[0].upper()}{text[1:]}. {found.get(name, '')}".strip()
    return found


def _settings(kind: type[Any]) -> Iterable[tuple[str, str]]:
    """Return the meanings of the fields that are settings; one that is percent in the file is a fraction here."""
    for field in structs.fields(kind) if issubclass(kind, Struct) else ():
        for part in getattr(field.type, "__metadata__", ()):
            if isinstance(part, Setting):
                is_percent = part.unit is Unit.PERCENT
                yield field.name, part.text.replace("{unit}", "a fraction") if is_percent else part.meaning


def bare(annotation: ast.expr) -> ast.expr:
    """Return an annotation without the metadata of ``Annotated``."""
    match annotation:
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[kind, *_])):
            return kind
        case _:
            return annotation


def _documents(kind: type[Any]) -> dict[str, str]:
    tree = ast.parse(source.getsource(kind)).body[0]
    assert isinstance(tree, ast.ClassDef)
    found: dict[str, str] = {}
    name = None
    for node in tree.body:
        if name is not None and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found[name] = str(node.value.value)
        name = None
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
    return found


def _field_rows(body: type[Struct]) -> Iterable[str]:
    meanings = documents_of(body)
    for field in fields_of(body):
        shown = "" if field.required else f"`{_default(field)}`"
        meaning = _plain(meanings.get(field.name, ""))
        yield f"| | `{field.name}` | {_type_name(field.type)} | {shown} | {meaning} |".replace("|  |", "| |").replace(
            "|  |", "| |"
        )


def _default(field: inspect.Field) -> str:
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    return msgspec.json.encode(value).decode()


def _parts(kind: inspect.Type) -> tuple[inspect.Type, ...]:
    return kind.types if isinstance(kind, inspect.UnionType) else (kind,)


def _type_name(kind: inspect.Type) -> str:
    parts = [part for part in _parts(kind) if not isinstance(part, inspect.NoneType)]
    return " or ".join(_part_name(part) for part in parts)


def _part_name(kind: inspect.Type) -> str:
    match kind:
        case inspect.EnumType(cls=enum):
            return (
                f"one of {len(_members(enum))} [values](#values)"
                if _is_explained(enum)
                else ", ".join(f"`{e.value}`" for e in enum)
            )
        case inspect.VarTupleType(item_type=inspect.StructType()):
            return "list of objects"
        case inspect.VarTupleType():
            return "list of texts"
        case _:
            return NAMES[type(kind)]


def _first_sentence(kind: type[Any]) -> str:
    return _plain((kind.__doc__ or "").partition("\n")[0])


def _plain(text: str) -> str:
    return " ".join(text.replace("``", "`").split()).replace("|", "\\|").replace("None", "null")
