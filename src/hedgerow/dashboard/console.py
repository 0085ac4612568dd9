"""Log lines on the console and in ``volume_farming.log``. An error here never stops the bot."""

import logging
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.text import Text

from hedgerow.dashboard.json_lines import JsonFormatter, facts_of
from hedgerow.dashboard.narration.wording import LineLevel, LogLine, is_routine, narrate, one_line, time_of
from hedgerow.dashboard.wrapping import wrapped
from hedgerow.domain.errors import ConfigError
from hedgerow.engine.notices import CycleBegan, Notice, Started

__all__ = ["LogObserver", "close_logging", "configure_logging"]

LOGGER = "hedgerow"
CLOCK_SET_BACK = timedelta(minutes=1)
"""A notice that is older than the one before by more than this means that the clock was set back."""
FILE_BYTES = 10 * 1024 * 1024
FILES_KEPT = 5
SILENT = logging.CRITICAL + 1
_LEVELS = {
    LineLevel.INFO: logging.INFO,
    LineLevel.HEADING: logging.INFO,
    LineLevel.SUCCESS: logging.INFO,
    LineLevel.WARNING: logging.WARNING,
    LineLevel.ERROR: logging.ERROR,
    LineLevel.ALARM: logging.CRITICAL,
}
_STYLES = {
    LineLevel.INFO: "",
    LineLevel.HEADING: "bold cyan",
    LineLevel.SUCCESS: "green",
    LineLevel.WARNING: "yellow",
    LineLevel.ERROR: "bold red",
    LineLevel.ALARM: "bold white on red",
}
_STYLES_OF_OTHERS = {
    logging.WARNING: _STYLES[LineLevel.WARNING],
    logging.ERROR: _STYLES[LineLevel.ERROR],
    logging.CRITICAL: _STYLES[LineLevel.ALARM],
}


def configure_logging(  # noqa: PLR0913 - one parameter per choice
    log_file: Path | None,
    *,
    console: bool,
    colour: bool | None = None,
    level: int = logging.INFO,
    stream: TextIO | None = None,
    name: str = LOGGER,
    json: bool = False,
) -> None:
    """Send the log to ``log_file`` (10 MB, five old ones kept) and to ``stream``, standard output unless given.

    ``colour`` of None: only on a terminal. A second call replaces the first. Without any destination
    nothing is formatted. ``name`` is another logger's for a second log with a content of its own. ``json``: an object a
    line in ``stream``; the file keeps its lines.

    Raises:
        ConfigError: the file cannot be written.
    """
    close_logging(name)
    logger = logging.getLogger(name)
    handlers: list[logging.Handler] = []
    if log_file is not None:
        handlers.append(_file_handler(log_file))
    if console:
        handlers.append(_json_handler(stream) if json else _ConsoleHandler(stream or sys.stdout, colour=colour))
    for handler in handlers:
        logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(level if handlers else SILENT)


def close_logging(name: str = LOGGER) -> None:
    """Flush, close and remove the destinations of ``configure_logging``."""
    logger = logging.getLogger(name)
    for handler in logger.handlers[:]:
        if isinstance(handler, _FileHandler | _ConsoleHandler | _JsonHandler):
            logger.removeHandler(handler)
            with suppress(OSError, ValueError):  # a full disk, or a stream that its owner closed already
                handler.close()
    logger.propagate = True
    logger.setLevel(logging.NOTSET)


class LogObserver:
    """Logs every notice to a logger, ``hedgerow`` unless another is named, stamped with the time of the notice."""

    def __init__(self, name: str = LOGGER) -> None:
        self._logger = logging.getLogger(name)
        self._now = datetime.fromtimestamp(0, UTC)

    def on_notice(self, notice: Notice) -> None:
        """Log one notice; never raises, and does not format what no handler would write."""
        try:
            self._now = self._line_time(notice)
            if self._wanted(notice):
                self._write(narrate(notice), notice)
        except Exception as error:  # noqa: BLE001 - a fault in a log line must not stop a bot that holds a position
            self._write((LogLine(text=f"A notice could not be logged: {error!r}", level=LineLevel.ERROR),))

    def _line_time(self, notice: Notice) -> datetime:
        """Return the time of a notice's lines, which never decreases: what is reported late is logged now.

        The beginning of a check follows the bot's clock even when it was set back.
        """
        at = time_of(notice) or self._now
        set_back = isinstance(notice, CycleBegan | Started) and self._now - at > CLOCK_SET_BACK
        return at if set_back else max(at, self._now)

    def _wanted(self, notice: Notice) -> bool:
        least = logging.INFO if is_routine(notice) else logging.CRITICAL
        return self._logger.isEnabledFor(least) and self._logger.hasHandlers()

    def _write(self, lines: tuple[LogLine, ...], notice: Notice | None = None) -> None:
        for line in lines:
            level = _LEVELS[line.level]
            if self._logger.isEnabledFor(level):
                self._logger.handle(_LineRecord(line, level, self._now, notice))


class _LineRecord(logging.LogRecord):
    """A record of one line at the time of its notice, real or simulated."""

    def __init__(self, line: LogLine, level: int, at: datetime, notice: Notice | None) -> None:
        super().__init__(LOGGER, level, __file__, 0, line.text, None, None)
        self._notice = notice
        self.line_level = line.level
        self.created = at.timestamp()
        self.msecs = float(at.microsecond // 1000)

    @property
    def facts(self) -> dict[str, str | int]:
        """What the line is about; computed for those alone who ask."""
        return {} if self._notice is None else facts_of(self._notice)


class _FileFormatter(logging.Formatter):
    """Plain text with UTC time and level; a blank line stays blank, a traceback stays readable."""

    def format(self, record: logging.LogRecord) -> str:
        text = one_line(record.getMessage())
        if not text:
            return ""
        at = datetime.fromtimestamp(record.created, UTC)
        head = f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d} - {record.levelname} - {text}"
        if not record.exc_info:
            return head
        trace = (one_line(line) for line in self.formatException(record.exc_info).splitlines())
        return "\n".join((head, *trace))


class _Quiet(logging.Handler):
    """Reports once on standard error that a destination cannot be written, and continues."""

    destination = "log"
    failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        """Keep a failure of the log from stopping the program."""
        del record
        if self.failed:
            return
        self.failed = True
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(f"hedgerow: the {self.destination} cannot be written ({sys.exc_info()[1]}); continuing\n")


class _FileHandler(_Quiet, RotatingFileHandler):
    pass


class _ConsoleHandler(_Quiet):
    """The guide's bare lines; on a terminal in colour, and broken at blanks where it is narrower than the line."""

    destination = "console"

    def __init__(self, stream: TextIO, *, colour: bool | None) -> None:
        super().__init__()
        self._stream = stream
        rich = Console(
            file=stream,
            force_terminal=colour,
            # Requested explicitly, colour overrides NO_COLOR and a TERM without colour.
            color_system="standard" if colour else "auto",
            no_color=False if colour else None,
            highlight=False,
        )
        self._rich = rich if colour is not False and rich.is_terminal else None

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            text = self._encodable(one_line(record.getMessage()))
            if self._rich is None:
                self._stream.write(f"{text}\n")
                self._stream.flush()
            else:
                for line in wrapped(text, self._rich.width):
                    self._rich.print(Text(line, style=_style(record)), soft_wrap=True)
        except Exception:  # noqa: BLE001 - as every handler of the standard library: report, do not raise
            self.handleError(record)

    def _encodable(self, text: str) -> str:
        encoding = self._stream.encoding or "utf-8"
        return text.encode(encoding, "backslashreplace").decode(encoding)


class _JsonHandler(_Quiet, logging.StreamHandler[TextIO]):
    """One object a line; a blank line is none."""

    destination = "console"

    def filter(self, record: logging.LogRecord) -> bool:
        """Leave out lines that only part blocks of text."""
        return bool(record.getMessage().strip())


def _json_handler(stream: TextIO | None) -> _JsonHandler:
    handler = _JsonHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter())
    return handler


def _style(record: logging.LogRecord) -> str:
    if isinstance(record, _LineRecord):
        return _STYLES[record.line_level]
    return _STYLES_OF_OTHERS.get(record.levelno, "")


def _file_handler(log_file: Path) -> _FileHandler:
    try:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        handler = _FileHandler(
            log_file, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8", errors="backslashreplace"
        )
    except OSError as error:
        raise ConfigError(f"log file {log_file} cannot be written: {error.strerror or error}") from error
    handler.destination = f"log file {log_file}"
    handler.setFormatter(_FileFormatter())
    return handler
