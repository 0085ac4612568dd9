"""The address of a database, of which no text shows the password."""

from typing import Final
from urllib.parse import SplitResult, urlsplit

from hedgerow.domain.errors import ConfigError

__all__ = ["Database"]

SCHEMES: Final = frozenset({"postgresql", "postgres"})
ALLOWED: Final = "allowed is postgresql://USER@HOST:PORT/NAME"


class Database:
    """A PostgreSQL database."""

    __slots__ = ("address", "shown")

    def __init__(self, text: str) -> None:
        """``text`` is its URL.

        Raises:
            ConfigError: it is none; the message does not repeat it, because it may hold a password.
        """
        try:
            parts = urlsplit(text.strip())
            shown = _shown(parts)
        except ValueError:
            raise ConfigError(f"the address of the database cannot be read: {ALLOWED}") from None
        if parts.scheme not in SCHEMES:
            raise ConfigError(f"the address of the database does not begin with postgresql://: {ALLOWED}")
        self.address: Final = text.strip()
        """With the password, for the driver alone."""
        self.shown: Final = shown
        """For people: without password and parameters."""

    def __repr__(self) -> str:
        return f"Database({self.shown})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Database) and other.address == self.address

    def __hash__(self) -> int:
        return hash(self.address)


def _shown(parts: SplitResult) -> str:
    place = parts.netloc.rpartition("@")[2]
    if "," not in place:  # several hosts are allowed, each with its port
        parts.port  # noqa: B018 - refuses what is no port
    user = f"{parts.username}@" if parts.username else ""
    return f"postgresql://{user}{place}{parts.path}"
