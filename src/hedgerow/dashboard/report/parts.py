"""The parts of a report's page: no script, no request, readable on a phone and on paper, light and dark."""

from collections.abc import Iterable
from html import escape
from importlib.resources import files

__all__ = ["card", "legend", "nothing", "page_of", "panel"]


def page_of(title: str, sections: Iterable[str], *, style: str = "") -> str:
    """Return a whole page; ``style`` is CSS beside that of every report."""
    css = files("hedgerow.dashboard").joinpath("report.css").read_text(encoding="utf-8") + style
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>\n{css}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(sections)
        + "\n</main>\n</body>\n</html>\n"
    )


def card(name: str, value: str, remark: str, *, alarm: bool = False) -> str:
    """Return one figure in a frame."""
    style = "card alarm" if alarm else "card"
    return f'<div class="{style}"><h2>{name}</h2><p class="figure">{value}</p><p class="remark">{remark}</p></div>'


def panel(title: str, lead: str, body: str) -> str:
    """Return a part of the page with a heading."""
    paragraph = f'<p class="remark">{lead}</p>' if lead else ""
    return f'<section class="panel"><h2>{title}</h2>{paragraph}{body}</section>'


def legend(*entries: tuple[str, str]) -> str:
    """Return what the styles of a chart mean."""
    items = "".join(f'<li><span class="swatch {style}"></span>{name}</li>' for style, name in entries)
    return f'<ul class="legend">{items}</ul>'


def nothing(text: str) -> str:
    """Return what stands where a chart would have no point."""
    return f'<p class="nothing">{text}</p>'
