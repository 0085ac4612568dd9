"""A page is rendered once for everyone who sees the same, and no one gets what is another session's."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from hedgerow.web import rendering
from hedgerow.web.access import Role
from hedgerow.web.pages.bot import Beside, panels
from hedgerow.web.pages.parts import Panel
from hedgerow.web.pages.state import Shown
from hedgerow.web.rendering import MOST, Renderer
from support.shown_bots import ShownBot, several

BOT = ShownBot(several(2))
BESIDE = Beside(log=tuple(BOT.log_lines(9)), settings=tuple(BOT.settings()))


def shown(number: int = 0, role: Role = Role.OPERATOR) -> Shown:
    """Return the page of a session with a token of its own."""
    return Shown(view=BOT.view, base="/bots/a", role=role, csrf=f"{number:064x}")


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[Shown]:
    """Count how often a page is rendered."""
    found: list[Shown] = []

    def counted(page: Shown, beside: Beside) -> tuple[Panel, ...]:
        found.append(page)
        return panels(page, beside)

    monkeypatch.setattr(rendering, "panels", counted)
    return found


def test_ten_sessions_cost_what_one_does_and_each_has_its_own_token(rendered: list[Shown]) -> None:
    renderer = Renderer()
    for number in range(10):
        assert renderer.panels(shown(number), replace(BESIDE)) == panels(shown(number), BESIDE)
    assert len(rendered) == 1
    pages = ["".join(panel.html for panel in renderer.panels(shown(number), BESIDE)) for number in (1, 2)]
    assert f"{1:064x}" in pages[0]
    assert f"{1:064x}" not in pages[1]
    assert rendered[0].csrf not in pages[0] + pages[1]


def test_what_differs_is_rendered_anew(rendered: list[Shown]) -> None:
    renderer, page, view = Renderer(), shown(), BOT.view
    later = replace(view, times=replace(view.times, now=view.times.now + timedelta(seconds=1)))
    hedge = view.hedges[1].hedge_id
    others = (
        (replace(page, view=later), BESIDE),
        (replace(page, role=Role.VIEWER), BESIDE),
        (replace(page, chosen=hedge), BESIDE),
        (replace(page, several_bots=True), BESIDE),
        (replace(page, base="/bots/b"), BESIDE),
        (page, replace(BESIDE, log=("another line",))),
    )
    for other, beside in ((page, BESIDE), *others):
        assert renderer.panels(other, beside) == panels(other, beside)
    assert len(rendered) == len(others) + 1


def test_what_a_session_is_answered_about_its_own_request_reaches_no_other_one(rendered: list[Shown]) -> None:
    renderer, answered = Renderer(), replace(shown(1), notice="Closed AAAUSDT: net $1.00.")
    assert renderer.panels(answered, BESIDE) == panels(answered, BESIDE)
    assert renderer.panels(shown(2), BESIDE) == panels(shown(2), BESIDE)
    assert renderer.panels(answered, BESIDE) == panels(answered, BESIDE)
    assert [page.notice for page in rendered] == [answered.notice, "", answered.notice]


def test_the_pages_that_are_kept_do_not_grow_without_end() -> None:
    renderer = Renderer()
    for number in range(MOST + 2):
        renderer.panels(replace(shown(), base=f"/bots/{number}"), BESIDE)
    assert len(renderer._kept) == 2
