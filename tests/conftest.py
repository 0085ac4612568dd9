"""Profiles of Hypothesis, and the mark ``slow``.

On a CI machine Hypothesis tries the same examples every time, elsewhere new ones at each run.
"""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True)
settings.register_profile("local")
settings.load_profile("ci" if os.environ.get("CI") else "local")

TESTS = Path(__file__).parent
SLOW_FOLDERS = frozenset(
    {
        "cli",
        "conformance",
        "contract",
        "defects",
        "engine",
        "examples",
        "processes",
        "property",
        "simulation",
        "terminal",
    }
)
"""Folders of which every test counts as slow: whole bots, processes, sockets, drawn examples."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the slow folders."""
    for item in items:
        if item.path.is_relative_to(TESTS) and item.path.relative_to(TESTS).parts[0] in SLOW_FOLDERS:
            item.add_marker(pytest.mark.slow)
