"""The tables of docs/log.md that are printed from the code: lines, events and their fields; and the exit codes."""

import ast
import inspect as python
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, get_args

from msgspec import inspect

from hedgerow.cli.codes import ExitCode
from hedgerow.domain import events as ev
from hedgerow.engine import notices as mo
from hedgerow.strategy import observation as ob
from hedgerow.strategy.decisions import verdicts as vd
from support.admin_pages import bare, documents_of, fields_of

__all__ = ["event_fields", "event_values", "exit_codes", "log_lines", "log_warnings"]

SOURCE = Path(__file__).parents[2] / "src" / "hedgerow"
NARRATION = sorted((SOURCE / "dashboard" / "narration").glob("*.py"))
KINDS = {"mo": mo, "ev": ev, "vd": vd, "ob": ob}
"""Modules by the names that narration imports them under."""
LEVELS: Mapping[str, str] = {
    "info": "info",
    "warning": "warning",
    "success": "success",
    "alarm": "alarm",
    "headed": "heading",
    "LogLine": "info",
}
"""By the function that makes a line."""
LEAST_ROWS = 100
Text = tuple[str, str]
"""Level and pattern of a line."""


class _Words:
    """The functions that word the log, by their names, and the lines that each of them can make."""

    def __init__(self) -> None:
        self._functions: dict[str, ast.FunctionDef] = {}
        for path in NARRATION:
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.FunctionDef):
                    self._functions.setdefault(node.name, node)
                    self._functions[f"{path.stem}.{node.name}"] = node

    def of(self, module: str, function: str) -> Iterator[tuple[type[Any], list[Text]]]:
        """Yield each kind that a function has a case for, with the lines of it and of the helpers that it calls."""
        node = self._functions[f"{module}.{function}"]
        for case in (each for match in ast.walk(node) if isinstance(match, ast.Match) for each in match.cases):
            called = [f"{module}.{_name(call.func)}" for part in case.body for call in _calls(part)]
            said = [text for name in called for text in self._lines(name, module, set())]
            for kind in _kinds(case.pattern):
                yield kind, list(dict.fromkeys(said))

    def _lines(self, name: str, module: str, seen: set[str]) -> Iterator[Text]:
        node = self._functions.get(name)
        if node is None or name in seen:
            return
        seen.add(name)
        for call in _calls(node):
            called = _name(call.func)
            if called in LEVELS:
                yield from _said(call, called, node)
            elif called in self._functions:
                local = f"{module}.{called}"
                found = local if local in self._functions else self._owner(called)
                yield from self._lines(found, found.partition(".")[0], seen)

    def _owner(self, called: str) -> str:
        return next(name for name, node in self._functions.items() if "." in name and name.endswith(f".{called}"))


def _kinds(pattern: ast.pattern) -> Iterator[type[Any]]:
    """Yield the classes of a case, in its order."""
    for node in ast.walk(pattern):
        if isinstance(node, ast.MatchClass) and isinstance(node.cls, ast.Attribute):
            yield getattr(KINDS[_name(node.cls.value)], node.cls.attr)


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls of a function in the order of its text."""
    found = [each for each in ast.walk(node) if isinstance(each, ast.Call)]
    yield from sorted(found, key=lambda call: (call.lineno, call.col_offset))


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _said(call: ast.Call, maker: str, function: ast.FunctionDef) -> Iterator[Text]:
    level = LEVELS[maker]
    arguments: list[ast.expr] = list(call.args)
    for keyword in call.keywords:
        if keyword.arg == "level":
            level = _level(keyword.value)
        elif keyword.arg == "text":
            arguments.append(keyword.value)
    for argument in arguments:
        for text in _texts(argument, function):
            if text.strip():
                yield level, text


def _level(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr.lower()
    return "info to alarm"


def _texts(node: ast.expr, function: ast.AST) -> Iterator[str]:  # noqa: C901, PLR0912 - one case per kind of expression
    """Yield the patterns that an expression can be."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr():
            yield "".join(_piece(part) for part in node.values)
        case ast.IfExp():
            yield from _texts(node.body, function)
            yield from _texts(node.orelse, function)
        case ast.Starred(value=ast.GeneratorExp(elt=inner)) | ast.Starred(value=inner):
            yield from _texts(inner, function)
        case ast.Call(func=ast.Attribute(value=ast.Name(id=table), attr="get")):
            yield from _values(table)
        case ast.Call(func=ast.Attribute(value=inner)):
            yield from _texts(inner, function)
        case ast.Call(func=ast.Name(id=called)):
            yield from _returned(called)
        case ast.BinOp(left=left):
            yield from _texts(left, function)
        case ast.Tuple(elts=elements):
            for element in elements:
                yield from _texts(element, function)
        case ast.Name(id=name):
            yield from _assigned(name, function)
        case _:
            return


def _assigned(name: str, function: ast.AST) -> Iterator[str]:
    """Yield what a local name can be: assigned, or taken from what a comprehension goes through."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            yield from _texts(node.value, function)
        elif isinstance(node, ast.comprehension) and isinstance(node.target, ast.Name) and node.target.id == name:
            yield from _texts(node.iter, function)


@cache
def _narration() -> tuple[ast.stmt, ...]:
    return tuple(node for path in NARRATION for node in ast.parse(path.read_text(encoding="utf-8")).body)


def _returned(called: str) -> Iterator[str]:
    """Yield the texts that a helper returns."""
    for function in _narration():
        if isinstance(function, ast.FunctionDef) and function.name == called:
            for node in ast.walk(function):
                if isinstance(node, ast.Return) and node.value is not None:
                    yield from _texts(node.value, function)


def _values(table: str) -> Iterator[str]:
    """Yield the texts of a table of the module."""
    for node in _narration():
        targets = node.targets if isinstance(node, ast.Assign) else []
        named = any(isinstance(target, ast.Name) and target.id == table for target in targets)
        if named and isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            for value in node.value.values:
                yield from _texts(value, node)


def _piece(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    assert isinstance(part, ast.FormattedValue)
    value = part.value
    if isinstance(value, ast.Constant):
        return str(value.value)
    if isinstance(value, ast.Name) and value.id.isupper():
        return _constant(value.id)
    return f"<{_word(value)}>"


def _constant(name: str) -> str:
    """Return the text of a constant of the modules that word the log."""
    assigned = (
        node for node in _narration() if isinstance(node, ast.Assign) and ast.unparse(node).startswith(f"{name} =")
    )
    return next(str(node.value.value) for node in assigned if isinstance(node.value, ast.Constant))


def _word(node: ast.expr) -> str:  # noqa: C901, PLR0911 - as above
    """Return the shortest name of what is put into a line."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(attr=name):
            return name
        case ast.Call(func=ast.Name(id="_in_brackets")):
            return "detail"
        case ast.Call(args=[first, *_]):
            return _word(first)
        case ast.Call(func=function):
            return _word(function)
        case ast.BinOp(left=left):
            return _word(left)
        case ast.Subscript(value=ast.Name(id=table), slice=key) if table.isupper():
            return _word(key)
        case ast.UnaryOp(operand=inner) | ast.Await(value=inner) | ast.Subscript(value=inner):
            return _word(inner)
        case ast.IfExp(body=body, orelse=other):
            return _word(other if isinstance(body, ast.Constant) else body)
        case _:
            return "..."


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


def _code(text: str) -> str:
    text = text.strip().replace("|", "\\|")
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _sentence(kind: type[Any]) -> str:
    return _plain((kind.__doc__ or "").partition("\n")[0])


def _plain(text: str) -> str:
    return " ".join(text.replace("``", "`").split()).replace("|", "\\|").replace("None", "null")


SECTIONS = (
    ("", "lifecycle", "lifecycle_lines"),
    ("", "cycle", "cycle_lines"),
    ("comparison: ", "verdicts", "_verdict_lines"),
    ("decision: ", "verdicts", "decided_lines"),
    ("event: ", "events", "recorded_lines"),
)
"""Title, module and function of each ``match`` over kinds of things that are worded."""


def log_lines() -> list[str]:
    """Return a row for each line that the log can hold, under what it is about."""
    words = _Words()
    rows = ["| about | level | line |", "|---|---|---|"]
    for title, module, function in SECTIONS:
        for kind, lines in words.of(module, function):
            for index, (level, text) in enumerate(lines):
                about = f"{title}{_sentence(kind)}" if index == 0 else ""
                rows.append(_row(about, level, _code(text)))
    assert len(rows) > LEAST_ROWS, "the functions that word the log are not found"
    return rows


def log_warnings() -> list[str]:
    """Return a row for each warning that is worded where it arises."""
    found: dict[str, None] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for call in _calls(node):
                    if _name(call.func) in {"Warned", "warn"}:
                        texts = (k.value for k in call.keywords if k.arg == "text")
                        found |= dict.fromkeys(text for value in texts for text in _texts(value, node))
    return ["| line |", "|---|", *(_row(_code(text)) for text in sorted(found))]


def event_fields() -> list[str]:
    """Return a row for each event and each of its fields."""
    rows = ["| event | field | type | meaning |", "|---|---|---|---|"]
    silent = {kind for kind, lines in _Words().of("events", "recorded_lines") if not lines}
    for kind in get_args(ev.Event):
        said = "" if kind not in silent else " Not in the log of words."
        rows.append(_row(f"**`{kind.__struct_config__.tag}`**", "", "", f"{_sentence(kind)}{said}"))
        meanings, types = documents_of(kind), _types(kind)
        rows.extend(
            _row("", f"`{name}`", types[name], _plain(meanings.get(name, ""))) for name in kind.__struct_fields__
        )
    return rows


def event_values() -> list[str]:
    """Return a row for each field of what events hold, and for each value of their enumerations."""
    found: dict[type[Any], None] = {}
    for kind in get_args(ev.Event):
        for field in fields_of(kind):
            _collect(field.type, found)
    rows = ["| of | field or value | type | meaning |", "|---|---|---|---|"]
    for kind in sorted(found, key=lambda each: each.__name__):
        tag = None if issubclass(kind, Enum) else kind.__struct_config__.tag
        rows.append(_row(f"**`{kind.__name__}`**", f"`type`: `{tag}`" if tag else "", "", _sentence(kind)))
        meanings = documents_of(kind)
        if issubclass(kind, Enum):
            rows.extend(_row("", f"`{value.value}`", "", _plain(meanings.get(value.name, ""))) for value in kind)
        else:
            types = _types(kind)
            names = kind.__struct_fields__
            rows.extend(_row("", f"`{name}`", types[name], _plain(meanings.get(name, ""))) for name in names)
    return rows


def _collect(kind: inspect.Type, found: dict[type[Any], None]) -> None:  # noqa: C901 - one case per kind of type
    match kind:
        case inspect.StructType(cls=struct, fields=fields):
            if struct not in found:
                found[struct] = None
                for field in fields:
                    _collect(field.type, found)
        case inspect.EnumType(cls=enum):
            found[enum] = None
        case inspect.UnionType(types=types):
            for each in types:
                _collect(each, found)
        case inspect.VarTupleType(item_type=item):
            _collect(item, found)
        case inspect.DictType(value_type=value):
            _collect(value, found)
        case _:
            return


def _types(kind: type[Any]) -> dict[str, str]:
    """Return the annotation of each field, in words of JSON."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if each.__module__.startswith("hedgerow."):
            body = ast.parse(python.getsource(each)).body[0]
            assert isinstance(body, ast.ClassDef)
            for node in body.body:
                if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                    found[node.target.id] = _json_type(ast.unparse(bare(node.annotation)))
    return found


def _json_type(annotation: str) -> str:
    names = {
        "datetime": "time",
        "Decimal": "decimal",
        "str": "text",
        "int": "whole number",
        "float": "number",
        "bool": "true or false",
        "None": "null",
    }
    items = re.fullmatch(r"(?:tuple|frozenset)\[(\w+)(?:, \.\.\.)?\](.*)", annotation)
    if items is not None:
        return f"list of {_json_type(items[1])}{' or null' if 'None' in items[2] else ''}"
    if "[" in annotation:
        return f"`{annotation}`".replace("|", "\\|")
    return " or ".join(
        names.get(part.strip(), f"`{part.strip()}`") for part in annotation.split("|") if part.strip() != "UnsetType"
    )


def exit_codes() -> list[str]:
    """Return a row for each exit code."""
    meanings = documents_of(ExitCode)
    rows = ["| code | meaning |", "|---|---|"]
    codes: Iterable[Enum] = ExitCode
    return [*rows, *(_row(str(code.value), _plain(meanings.get(code.name, code.name.lower()))) for code in codes)]
