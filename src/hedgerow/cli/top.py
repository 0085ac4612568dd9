"""``hedgerow top``: a bot in the terminal, live, with keys to halt and to close."""

import sys
from importlib.util import find_spec
from pathlib import Path

from hedgerow.app.identity import identity_of
from hedgerow.cli.codes import ExitCode
from hedgerow.cli.common import (
    ConfigOption,
    DemoOption,
    DryRunOption,
    HomeOption,
    PaperOption,
    StoreOption,
    home_of,
    settings_with_warning,
)
from hedgerow.clock import SystemClock
from hedgerow.domain.errors import ConfigError

__all__ = ["top"]


def top(
    home: HomeOption = Path(),
    config: ConfigOption = None,
    *,
    paper: PaperOption = False,
    dry_run: DryRunOption = False,
    demo: DemoOption = False,
    store: StoreOption = None,
) -> int:
    """Show a bot live: hedged or not, result, what would make it act, the last 24 hours.

    Keys: h halt, c close (both ask first), p pairs, d decisions, l log, w was it worth it, Tab next hedge, q quit.
    Reads the home as status does, without lock or key; needs the extra `terminal`.
    """
    place = home_of(home, paper=paper, dry_run=dry_run, demo=demo, store=store)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError("hedgerow top draws on a terminal; hedgerow status prints into a file or a pipe")
    if find_spec("textual") is None:
        raise ConfigError("hedgerow top needs the extra terminal: pip install '.[terminal]' in the checkout")
    identity = identity_of(place, settings_with_warning(place, config))
    from hedgerow.app.terminal.source import HomeReader  # noqa: PLC0415 - what only this command needs
    from hedgerow.app.terminal.top import Top  # noqa: PLC0415 - as above

    Top(HomeReader(place, SystemClock(), identity)).run()
    return ExitCode.DONE
