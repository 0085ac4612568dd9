"""The frame of every page: head, style sheets, scripts. Nothing is inline, nothing comes from another host."""

from typing import Final

from hedgerow.web.html import Html, element

__all__ = ["whole_page"]

SCRIPTS: Final = ("vendor/idiomorph.min.js", "vendor/uPlot.iife.min.js", "dashboard.js")


def whole_page(title: str, body: Html, *, script: bool = True, **data: str) -> str:
    """Return a page; ``data`` are attributes of its body."""
    scripts = "".join(f'<script src="/static/{name}" defer></script>' for name in SCRIPTS) if script else ""
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="robots" content="noindex">'
        f"{element('title', f'{title} - Hedgerow')}"
        '<link rel="icon" href="/static/icon.svg" type="image/svg+xml">'
        '<link rel="stylesheet" href="/static/vendor/uPlot.min.css">'
        '<link rel="stylesheet" href="/static/dashboard.css">'
        f"{scripts}"
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>{element("body", body, **data)}</html>\n'
