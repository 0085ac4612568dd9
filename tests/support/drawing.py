"""How many examples a property draws: its own number, scaled by the profile of Hypothesis (``tests/conftest.py``)."""

from hypothesis import settings

__all__ = ["examples"]

UNSCALED = 100
"""``max_examples`` of a profile that takes each property's own number."""
LEAST = 5


def examples(count: int) -> int:
    """Return ``count`` scaled by the profile that is loaded: a tenth under ``quick``, ten times under ``nightly``."""
    return max(min(count, LEAST), count * settings().max_examples // UNSCALED)
