"""Shrinks a failing scenario: drops every fault that the failure does not need."""

from collections.abc import Callable
from typing import TypeVar

__all__ = ["minimised"]

Item = TypeVar("Item")


def minimised(items: tuple[Item, ...], fails: Callable[[tuple[Item, ...]], bool]) -> tuple[Item, ...]:
    """Return a part of ``items`` that still fails and of which nothing can be left out alone.

    Halves are tried first, then smaller parts, down to single items; ``items`` itself must fail.
    """
    size = max(1, len(items) // 2)
    while items:
        shorter = _without_a_part(items, size, fails)
        if shorter is not None:
            items = shorter
            size = min(size, max(1, len(items) // 2))
        elif size > 1:
            size //= 2
        else:
            break
    return items


def _without_a_part(
    items: tuple[Item, ...], size: int, fails: Callable[[tuple[Item, ...]], bool]
) -> tuple[Item, ...] | None:
    for begin in range(0, len(items), size):
        left = items[:begin] + items[begin + size :]
        if fails(left):
            return left
    return None
