"""Settings of alerts, from the environment or the ``.env`` file of the home; secrets have no text."""

import re
from collections.abc import Mapping
from datetime import UTC, time
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from hedgerow.domain.errors import ConfigError
from hedgerow.notify.state import Rules
from hedgerow.notify.variables import (
    ADDRESS,
    APPRISE,
    CHATS,
    DIGEST,
    NOTIFY_VARIABLES,
    QUIET,
    SCREEN,
    TOKEN,
    USERS,
    ZONE,
)

__all__ = ["TELEGRAM", "NotifySettings", "Secret", "TelegramSettings", "apprise_name", "notify_settings"]

TELEGRAM: Final = "https://api.telegram.org"
_TOKEN: Final = re.compile(r"\d{3,20}:[A-Za-z0-9_-]{20,100}")
"""A number, a colon, letters (core.telegram.org/bots/api, "Authorizing your bot")."""
_NUMBER: Final = re.compile(r"-?\d{1,20}")
_HOURS: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


class Secret:
    """A text that nothing shows: not its representation, not a dump, not a message."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, for the connection alone."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written anywhere")


class TelegramSettings:
    """The bot of Telegram, and who may talk to it."""

    __slots__ = ("address", "chats", "token", "users")

    def __init__(self, token: Secret, chats: tuple[int, ...], users: tuple[int, ...], address: str = TELEGRAM) -> None:
        self.token = token
        self.chats = chats
        """Chats that get alerts, and in which commands are read."""
        self.users = users
        """Users whose commands are carried out, in one of those chats; none = no one's."""
        self.address = address

    def __repr__(self) -> str:
        return f"TelegramSettings(chats={self.chats}, users={self.users}, address={self.address!r})"


class NotifySettings:
    """Where alerts go, and when."""

    __slots__ = ("apprise", "rules", "screen", "telegram")

    def __init__(
        self, rules: Rules, telegram: TelegramSettings | None = None, apprise: tuple[Secret, ...] = (), screen: str = ""
    ) -> None:
        self.rules = rules
        self.telegram = telegram
        self.apprise = apprise
        self.screen = screen
        """Address of the dashboard; empty = not known."""

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the targets, which hold no secret."""
        chats = () if self.telegram is None else self.telegram.chats
        return (*(f"telegram:{chat}" for chat in chats), *map(apprise_name, self.apprise))

    def __repr__(self) -> str:
        return f"NotifySettings(targets={self.targets}, rules={self.rules})"


def apprise_name(url: Secret) -> str:
    """Return the name of an Apprise target: its kind, and a hash, as its address holds a password or key."""
    text = url.reveal()
    return f"{urlsplit(text).scheme}:{sha256(text.encode()).hexdigest()[:8]}"


def notify_settings(values: Mapping[str, str]) -> NotifySettings:
    """Return the settings that the variables hold.

    Raises:
        ConfigError: one of them cannot be used; the message names it, and shows no secret.
    """
    given = {name: values.get(name, "").strip() for name in NOTIFY_VARIABLES}
    zone = given[ZONE] or "UTC"
    try:
        _ = UTC if zone == "UTC" else ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise ConfigError(f"{ZONE} {zone}: allowed is the name of a time zone, such as Europe/Berlin") from None
    quiet = _quiet(given[QUIET])
    rules = Rules(
        zone=zone,
        quiet_from=quiet[0] if quiet else None,
        quiet_until=quiet[1] if quiet else None,
        digest_at=_hour(DIGEST, given[DIGEST]) if given[DIGEST] else time(8),
    )
    urls = tuple(Secret(url) for url in given[APPRISE].split() if url)
    if any("://" not in url.reveal() for url in urls):
        raise ConfigError(
            f"{APPRISE}: allowed are addresses of Apprise, such as ntfy://topic, with blanks between them"
        )
    screen = given[SCREEN].rstrip("/")
    if screen and not screen.startswith(("http://", "https://")):
        raise ConfigError(f"{SCREEN} {screen}: allowed is an http:// or https:// address")
    return NotifySettings(rules, _telegram(given), urls, screen)


def _telegram(given: Mapping[str, str]) -> TelegramSettings | None:
    token, chats, users = given[TOKEN], given[CHATS], given[USERS]
    if not token:
        if chats or users:
            raise ConfigError(f"{CHATS} or {USERS} is set, and {TOKEN} is not: @BotFather makes a bot and its token")
        return None
    if not _TOKEN.fullmatch(token):
        raise ConfigError(f"{TOKEN}: this is no token of a bot of Telegram: copy it again from @BotFather")
    address = given[ADDRESS].rstrip("/") or TELEGRAM
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
        raise ConfigError(f"{ADDRESS}: allowed is an http:// or https:// address of a Bot API server")
    return TelegramSettings(Secret(token), _numbers(CHATS, chats), _numbers(USERS, users), address)


def _numbers(name: str, text: str) -> tuple[int, ...]:
    parts = [part for part in re.split(r"[\s,]+", text) if part]
    wrong = next((part for part in parts if not _NUMBER.fullmatch(part)), None)
    if wrong is not None:
        raise ConfigError(f"{name} {wrong}: allowed are numbers of Telegram, with commas between them")
    return tuple(dict.fromkeys(map(int, parts)))


def _quiet(text: str) -> tuple[time, time] | None:
    if not text:
        return None
    begin, dash, end = text.partition("-")
    if not dash:
        raise ConfigError(f"{QUIET} {text}: allowed are two hours, such as 22:00-07:00")
    return _hour(QUIET, begin.strip()), _hour(QUIET, end.strip())


def _hour(name: str, text: str) -> time:
    found = _HOURS.fullmatch(text)
    if found is None:
        raise ConfigError(f"{name} {text}: allowed is an hour of the day, such as 07:30")
    return time(int(found[1]), int(found[2]))
