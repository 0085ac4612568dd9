"""Renders the panels of a page once for everyone who sees the same: ten open pages cost what one does."""

import secrets
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.dashboard.view import View
from hedgerow.web.html import Html
from hedgerow.web.pages.bot import Beside, panels
from hedgerow.web.pages.parts import Panel
from hedgerow.web.pages.state import Shown

__all__ = ["Renderer"]

MOST: Final = 64
"""Pages that are kept: a bot has one for each role and each of its hedges."""


class _Rendered(Struct, frozen=True, kw_only=True):
    view: View
    beside: Beside
    panels: tuple[Panel, ...]
    """With the mark in place of the token of a session's forms."""


class Renderer:
    """Keeps the panels of each page until the view, or what is shown beside it, is another one."""

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], _Rendered] = {}
        self._mark = secrets.token_hex(32)
        """As long as the token that takes its place, and unknown to everyone whose text a page shows."""

    def panels(self, shown: Shown, beside: Beside) -> tuple[Panel, ...]:
        """Return the panels for a session; those with a notice, which is its own, are not kept."""
        if shown.notice:
            return panels(shown, beside)
        key = (shown.base, shown.role, shown.several_bots, shown.chosen)
        kept = self._kept.get(key)
        if kept is None or kept.view is not shown.view or kept.beside != beside:
            if len(self._kept) >= MOST:
                self._kept.clear()
            found = panels(replace(shown, csrf=self._mark), beside)
            kept = self._kept[key] = _Rendered(view=shown.view, beside=beside, panels=found)
        return tuple(self._of_session(panel, shown.csrf) for panel in kept.panels)

    def _of_session(self, panel: Panel, csrf: str) -> Panel:
        if self._mark not in panel.html:
            return panel
        return replace(panel, html=Html(panel.html.replace(self._mark, csrf)))
