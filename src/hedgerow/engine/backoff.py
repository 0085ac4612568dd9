"""Back-off: pauses between failed attempts, doubled up to a maximum."""

__all__ = ["backoff_seconds"]

MAX_DOUBLINGS = 30
"""Bounds the exponent: after a thousand failures two to that power is no float any more."""


def backoff_seconds(first: float, longest: float, failures: int) -> float:
    """Return the seconds to wait after so many failures in a row, counted from 1."""
    doublings = min(max(failures - 1, 0), MAX_DOUBLINGS)
    return min(first * 2.0**doublings, longest)
