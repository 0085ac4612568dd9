"""The reference pages in docs/api: each public class and function with its signature and its docstring."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from support.admin_pages import bare, documents_of

__all__ = ["API_PAGES", "api_page"]

API_PAGES: Mapping[str, tuple[str, ...]] = {
    "aster": (
        "hedgerow.aster",
        "hedgerow.aster.http.transport",
        "hedgerow.domain.errors",
    ),
    "ports": ("hedgerow.ports",),
    "strategy": (
        "hedgerow.strategy",
        "hedgerow.strategy.policy",
        "hedgerow.strategy.policies",
        "hedgerow.strategy.parameters",
        "hedgerow.strategy.observation",
        "hedgerow.strategy.rules",
        "hedgerow.strategy.evaluation.ranking",
        "hedgerow.strategy.evaluation.screening",
        "hedgerow.strategy.evaluation.sizing",
        "hedgerow.strategy.evaluation.exits",
    ),
    "testing": ("hedgerow.testing",),
}
"""By page: the modules whose ``__all__`` it shows."""
WIDTH = 110
Function = ast.FunctionDef | ast.AsyncFunctionDef


def api_page(page: str) -> list[str]:
    """Return the lines of one reference page."""
    lines: list[str] = []
    for name in API_PAGES[page]:
        module = importlib.import_module(name)
        lines += ["", f"## {name}", *_text(module.__doc__)]
        for public in getattr(module, "__all__", ()):
            lines += ["", f"### {public}", "", *_member(module, public)]
    return lines[1:]


def _member(module: ModuleType, name: str) -> list[str]:
    value = getattr(module, name)
    if inspect.isclass(value) and value.__module__.startswith("hedgerow."):
        return _class(value)
    if inspect.isfunction(value):
        node = ast.parse(inspect.getsource(value)).body[0]
        assert isinstance(node, Function)
        return [*_code(_signature(node)), *_text(ast.get_docstring(node))]
    return _constant(module, name)


def _class(kind: type[Any]) -> list[str]:
    node = _class_node(kind)
    bases = [ast.unparse(base) for base in node.bases]
    head = f"class {node.name}({', '.join(bases)})" if bases else f"class {node.name}"
    methods = dict(_methods(kind))
    made = methods.pop("__init__", None)
    lines = _code(_signature(made, head=head, skip=1) if made is not None else head)
    lines += _text(ast.get_docstring(node))
    lines += _values(kind) if issubclass(kind, Enum) else _fields(kind)
    for name, method in methods.items():
        if not name.startswith("_"):
            lines += ["", f"#### {node.name}.{name}", "", *_method(method)]
    return lines


def _method(node: Function) -> list[str]:
    marks = [ast.unparse(each) for each in node.decorator_list]
    if "property" in marks:
        returns = _annotation(node.returns)
        return [*_code(f"{node.name}: {returns}"), *_text(ast.get_docstring(node))]
    fixed = next((f"@{mark}\n" for mark in marks if mark in {"classmethod", "staticmethod"}), "")
    skip = 0 if "staticmethod" in marks else 1
    return [*_code(f"{fixed}{_signature(node, skip=skip)}"), *_text(ast.get_docstring(node))]


def _methods(kind: type[Any]) -> Iterator[tuple[str, Function]]:
    """Yield the functions of a class and of ours that it extends, the nearest definition of each name."""
    found: dict[str, Function] = {}
    for each in reversed(kind.__mro__):
        if each.__module__.startswith("hedgerow."):
            found |= {node.name: node for node in _class_node(each).body if isinstance(node, Function)}
    yield from found.items()


def _class_node(kind: type[Any]) -> ast.ClassDef:
    """Return the definition of a class; of one that a decorator made, that of the class before."""
    return next(
        each for each in _tree(kind.__module__).body if isinstance(each, ast.ClassDef) and each.name == kind.__name__
    )


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(_text_of(module))


@cache
def _text_of(module: str) -> str:
    path = importlib.import_module(module).__file__
    assert path is not None
    return Path(path).read_text(encoding="utf-8")


def _written(node: ast.expr) -> str:
    """Return an expression as it is written, with double quotes."""
    return re.sub(r"'([^'\"]*)'", r'"\1"', ast.unparse(node))


def _signature(node: Function, *, head: str = "", skip: int = 0) -> str:
    """Return the signature of a function as it is written, one argument a line where it is long."""
    parts = _arguments(node.args)[skip:]
    if not head:
        head = f"{'async def' if isinstance(node, ast.AsyncFunctionDef) else 'def'} {node.name}"
        tail = f") -> {_annotation(node.returns)}"
    else:
        tail = ")"
        head = head.replace(")", "").replace("(", ": ") if "(" in head else head
    line = f"{head}({', '.join(parts)}{tail}"
    return line if len(line) <= WIDTH else "\n".join((f"{head}(", *(f"    {part}," for part in parts), tail))


def _arguments(node: ast.arguments) -> list[str]:
    positional = [*node.posonlyargs, *node.args]
    missing = len(positional) - len(node.defaults)
    parts = [_argument(arg, node.defaults[i - missing] if i >= missing else None) for i, arg in enumerate(positional)]
    if node.vararg is not None:
        parts.append(f"*{_argument(node.vararg, None)}")
    elif node.kwonlyargs:
        parts.append("*")
    parts += [_argument(arg, default) for arg, default in zip(node.kwonlyargs, node.kw_defaults, strict=True)]
    return [*parts, f"**{_argument(node.kwarg, None)}"] if node.kwarg is not None else parts


def _argument(arg: ast.arg, default: ast.expr | None) -> str:
    kind = f": {_annotation(arg.annotation)}" if arg.annotation is not None else ""
    if default is None:
        return f"{arg.arg}{kind}"
    return f"{arg.arg}{kind}{' = ' if kind else '='}{_written(default)}"


def _annotation(node: ast.expr | None) -> str:
    """Return an annotation as it is written, without the quotes of a name that is defined later."""
    if node is None:
        return "None"
    return str(node.value) if isinstance(node, ast.Constant) and node.value is not None else _written(node)


def _fields(kind: type[Any]) -> list[str]:
    """Return the table of the fields of a struct, or of the attributes that a class declares."""
    meanings = documents_of(kind)
    rows: list[str] = []
    for each in reversed(kind.__mro__):
        if each.__module__.startswith("hedgerow."):
            for node in _class_node(each).body:
                if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                    name, default = node.target.id, _written(node.value) if node.value is not None else None
                    if not name.startswith("_"):
                        shown = "" if default is None else f"`{default}`"
                        rows.append(
                            _row(f"`{name}`", f"`{_annotation(bare(node.annotation))}`", shown, meanings.get(name, ""))
                        )
    return ["", "| field | type | default | meaning |", "|---|---|---|---|", *rows] if rows else []


def _values(kind: type[Enum]) -> list[str]:
    meanings = documents_of(kind)
    rows = [_row(f"`{value.name}`", f"`{value.value}`", meanings.get(value.name, "")) for value in kind]
    return ["", "| name | value | meaning |", "|---|---|---|", *rows]


def _constant(module: ModuleType, name: str) -> list[str]:
    """Return a constant or an alias of types as it is assigned, with the text under it."""
    body = _tree(module.__name__).body
    for index, node in enumerate(body):
        if isinstance(node, ast.ImportFrom) and any((each.asname or each.name) == name for each in node.names):
            return _constant(importlib.import_module(str(node.module)), name)
        if name in _assigned(node):
            below = body[index + 1] if index + 1 < len(body) else None
            text = below.value.value if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) else ""
            return [*_code(ast.get_source_segment(_text_of(module.__name__), node) or ""), *_text(str(text))]
    raise AssertionError(f"{module.__name__} has no {name}")


def _assigned(node: ast.stmt) -> set[str]:
    """Return the names that a statement assigns."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}


def _code(text: str) -> list[str]:
    return ["```python", *text.splitlines(), "```"]


def _row(*cells: str) -> str:
    """Return a row of a table; a bar inside code is escaped, as GitHub wants it."""
    plain = (" ".join(cell.replace("``", "`").split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(plain)} |".replace("|  |", "| |").replace("|  |", "| |")


def _text(docstring: str | None) -> list[str]:
    """Return a docstring as Markdown: what is raised becomes a list, continued lines are joined to theirs."""
    if not docstring:
        return []
    lines: list[str] = [""]
    raises = False
    for line in inspect.cleandoc(docstring).splitlines():
        if line == "Raises:":
            raises = True
            lines += ["Raises:", ""]
        elif raises and re.match(r" {4}\w+: ", line):
            name, _, rest = line.strip().partition(": ")
            lines.append(f"- `{name}`: {rest}")
        elif raises and line.startswith(" "):
            lines[-1] += f" {line.strip()}"
        else:
            lines.append(line)
    return [line.replace("``", "`") for line in lines]
