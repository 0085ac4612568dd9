"""A copy of a bot's event log that is whole, also while the bot writes."""

import os
from pathlib import Path

from hedgerow.app.storage.select import log_name, open_log
from hedgerow.config import Home
from hedgerow.domain.errors import ConfigError

__all__ = ["back_up"]


def back_up(home: Home, target: Path) -> int:
    """Write the home's event log to ``target``, a new file that its owner alone may read; returns the number of events.

    A log in a database becomes a file as well.

    Raises:
        ConfigError: there is no log, or ``target`` is there already or cannot be written.
        StoreError: the log is damaged, or newer than this version.
    """
    log = open_log(home)
    if log is None:
        raise ConfigError(f"{log_name(home)} is not there: nothing has run in this home")
    try:
        try:
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except OSError as error:
            raise ConfigError(f"{target} cannot be written: {error.strerror or error}") from error
        try:
            return log.copy_to(target)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
    finally:
        log.release()
