"""Programs of others that tests drive: skipped with one reason where they are missing, except where CI demands them."""

import os
import shutil

import pytest

__all__ = ["needed"]

DEMANDED = "REQUIRE_COMPONENTS"


def needed(program: str) -> str:
    """Return the path of a program; skip the test without it, or fail it where ``DEMANDED`` is set."""
    found = shutil.which(program)
    if found is not None:
        return found
    if os.environ.get(DEMANDED) == "1":
        pytest.fail(f"{program} is not installed, and {DEMANDED} is set")
    pytest.skip(f"{program} is not installed")
