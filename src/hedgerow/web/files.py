"""The static files: our style sheet and script, and the two libraries, unchanged, each with its type."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from aiohttp import web

__all__ = ["STATIC", "static_file"]

STATIC: Final[Mapping[str, str]] = {
    "dashboard.css": "text/css",
    "dashboard.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    "vendor/uPlot.min.css": "text/css",
    "vendor/uPlot.iife.min.js": "text/javascript",
    "vendor/idiomorph.min.js": "text/javascript",
}
"""Everything that is served from the folder, by its path."""


async def static_file(request: web.Request) -> web.Response:
    """Answer with a static file; a path that is not listed is not there."""
    path = request.match_info["path"]
    if path not in STATIC:
        raise web.HTTPNotFound
    return web.Response(body=_content(path), content_type=STATIC[path], charset="utf-8")


@cache
def _content(path: str) -> bytes:
    return files("hedgerow.web").joinpath("static", *path.split("/")).read_bytes()
