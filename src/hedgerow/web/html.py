"""HTML as values: a text is escaped where it becomes a part of a page, and markup is marked as such."""

from collections.abc import Iterable
from html import escape

__all__ = ["Html", "attributes", "element", "join", "text", "void"]


class Html(str):
    """Markup that is complete and escaped."""

    __slots__ = ()


Part = Html | str
"""A plain ``str`` is text, whatever it contains."""


def text(value: str) -> Html:
    """Return a text as markup."""
    return Html(escape(value, quote=True))


def join(parts: Iterable[Part]) -> Html:
    """Return parts one after the other."""
    return Html("".join(part if isinstance(part, Html) else text(part) for part in parts))


def element(tag: str, /, *parts: Part, **given: str | bool | None) -> Html:
    """Return an element with its content; attributes as in ``attributes``."""
    return Html(f"<{tag}{attributes(**given)}>{join(parts)}</{tag}>")


def void(tag: str, /, **given: str | bool | None) -> Html:
    """Return an element that has no content and no end."""
    return Html(f"<{tag}{attributes(**given)}>")


def attributes(**given: str | bool | None) -> str:
    """Return attributes: ``data_x`` is ``data-x``, ``class_`` is ``class``; True stands alone, None is left out.

    A style attribute is refused: the Content-Security-Policy would drop it.
    """
    found: list[str] = []
    for key, value in given.items():
        name = key.rstrip("_").replace("_", "-")
        if name == "style":
            raise ValueError("style attributes are not allowed: use a class, <meter> or SVG")
        if value is True:
            found.append(f" {name}")
        elif value is not None and value is not False:
            found.append(f' {name}="{escape(value, quote=True)}"')
    return "".join(found)
