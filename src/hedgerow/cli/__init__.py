"""The command line: one module per command. Exit codes are in ``codes``."""

from hedgerow.cli.main import main

__all__ = ["main"]
