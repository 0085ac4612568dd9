"""The command line: one small module per command. Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 halted."""

from hedgerow.cli.main import main

__all__ = ["main"]
