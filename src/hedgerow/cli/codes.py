"""Exit codes of every command."""

from enum import IntEnum

__all__ = ["ExitCode"]


class ExitCode(IntEnum):
    """Exit codes."""

    DONE = 0
    """The command did what it was asked."""
    FAILED = 1
    """It did not, or only in part: refused, interrupted, or ``run --once`` could not read everything or failed.

    ``hedgerow data check``: something was found.
    """
    USAGE = 2
    """Arguments, configuration, folder or log cannot be used; nothing was done."""
    HALTED = 3
    """A one-shot command, or the end of a run, found openings halted.

    ``hedgerow status``: 0 a bot runs and is well; 1 none runs, or it is blind or naked; 3 openings are halted.
    """
