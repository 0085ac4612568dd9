"""Every state on a desk and a phone, light and dark: nothing overflows, axe finds nothing, the console is empty."""

import pytest

from support.browsers import DESK, PHONE, BrowserHarness, keep, name_of, overflow, violations
from support.shown_bots import STATES

NAMES = (*(name_of(state) for state in STATES), "several")


@pytest.mark.parametrize("name", NAMES)
def test_a_state_fits_and_is_accessible_at_both_widths_in_both_schemes(screens: BrowserHarness, name: str) -> None:
    page = screens.open(f"/bots/{name}")
    found: list[str] = []
    for width, viewport in (("desk", DESK), ("phone", PHONE)):
        page.set_viewport_size(viewport)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert overflow(page) <= 0, f"{name} {width} {scheme} is too wide"
            found += [f"{width} {scheme} {each}" for each in violations(page)]
            keep(page, f"{name}-{width}-{scheme}")
    assert found == []
    assert screens.complaints == []
