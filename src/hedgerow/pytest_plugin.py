"""pytest fixtures for the tests of any bot; found by pytest once Hedgerow is installed.

``aster`` is an exchange of the test's own, ``aster_session`` one for the whole run. Both open with what the fixture
``aster_options`` returns, which a project may override; ``@pytest.mark.aster(...)`` adds to it for one test. Hedgerow
itself is imported only when a fixture is asked for: a run without them pays nothing.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hedgerow.testing import LocalAster

__all__ = ["aster", "aster_options", "aster_session", "pytest_configure"]


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", "aster(**options): how the local Aster of this test opens (hedgerow.testing)")


@pytest.fixture(scope="session")
def aster_options() -> dict[str, Any]:
    """Options of ``hedgerow.testing.local_aster`` for every exchange of the run; override it to change them."""
    return {}


@pytest.fixture
def aster(request: pytest.FixtureRequest, aster_options: dict[str, Any]) -> Iterator["LocalAster"]:
    """Serve a local Aster that only this test knows."""
    from hedgerow.testing import local_aster  # noqa: PLC0415 - imported only by those who ask for it

    marks = {name: value for mark in request.node.iter_markers("aster") for name, value in mark.kwargs.items()}
    with local_aster(**{**aster_options, **marks}) as served:
        yield served


@pytest.fixture(scope="session")
def aster_session(aster_options: dict[str, Any]) -> Iterator["LocalAster"]:
    """Serve one local Aster for all tests: what one of them does, the next one finds."""
    from hedgerow.testing import local_aster  # noqa: PLC0415 - imported only by those who ask for it

    with local_aster(**aster_options) as served:
        yield served
