"""Exit codes of every command."""

from enum import IntEnum

__all__ = ["Exit"]


class Exit(IntEnum):
    """Exit codes."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    """Arguments, configuration, folder or log cannot be used; nothing was done."""
    HALTED = 3
    """A one-shot command, or the end of a run, found openings halted."""
