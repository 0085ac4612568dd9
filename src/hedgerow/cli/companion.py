"""What a companion needs of the command line: lines on screen and in a file, links into the dashboard."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hedgerow.app.companion.parts import settings_of
from hedgerow.cli.common import say
from hedgerow.clock import SystemClock
from hedgerow.config import Home
from hedgerow.domain.formats import utc_second

__all__ = ["CompanionLines", "login_of"]


class CompanionLines:
    """Lines with their time, on screen and in a file; a full disk stops neither."""

    def __init__(self, path: Path, name: str = "", *, in_file: bool = False) -> None:
        """``name`` begins each line on screen, with ``in_file`` also what follows the time in a file of many bots."""
        self._path = path
        self._name = f"{name}: " if name else ""
        self._in_file = in_file
        self._clock = SystemClock()

    def write(self, text: str) -> None:
        """Write one line."""
        at = utc_second(self._clock.now())
        say(f"{self._name}{at} {text}")
        with suppress(OSError), self._path.open("a", encoding="utf-8") as file:
            file.write(f"{at} {self._name if self._in_file else ''}{text}\n")


def login_of(place: Home) -> Callable[[str], str | None]:
    """Return what makes a link into the dashboard of this home, valid once; no link where its address is not set."""
    address = settings_of(place).screen

    def login(_name: str) -> str | None:
        from hedgerow.app.commands.dashboard import make_link  # noqa: PLC0415 - for those alone who ask for one
        from hedgerow.web.access import Role  # noqa: PLC0415 - as above

        if not address:
            return None
        return f"{address}/login/{make_link(place.folder, Role.OPERATOR, SystemClock())}"

    return login
