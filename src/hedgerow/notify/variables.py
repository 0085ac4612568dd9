"""Names of the variables that alerts are set up with; imports nothing, as every command reads the environment."""

from typing import Final

__all__ = [
    "ADDRESS",
    "APPRISE",
    "CHATS",
    "DIGEST",
    "MEANINGS",
    "NOTIFY_VARIABLES",
    "QUIET",
    "SCREEN",
    "SECRET_VARIABLES",
    "TOKEN",
    "USERS",
    "ZONE",
]

TOKEN: Final = "HEDGEROW_TELEGRAM_TOKEN"  # noqa: S105 - the name of a variable
CHATS: Final = "HEDGEROW_TELEGRAM_CHATS"
USERS: Final = "HEDGEROW_TELEGRAM_USERS"
ADDRESS: Final = "HEDGEROW_TELEGRAM_API"
APPRISE: Final = "HEDGEROW_APPRISE_URLS"
QUIET: Final = "HEDGEROW_ALERTS_QUIET"
DIGEST: Final = "HEDGEROW_ALERTS_DIGEST"
ZONE: Final = "HEDGEROW_ALERTS_ZONE"
SCREEN: Final = "HEDGEROW_DASHBOARD_URL"
MEANINGS: Final = {
    TOKEN: "token of your bot of Telegram, from @BotFather",
    CHATS: "numbers of the chats that get alerts, and in which commands are read, with commas; a group's is negative",
    USERS: "numbers of the users whose commands are carried out in one of those chats; empty = no one's",
    ADDRESS: "address of a Bot API server of your own; `https://api.telegram.org` unless it is set",
    APPRISE: "addresses of [Apprise](https://github.com/caronc/apprise), with blanks between them (extra `notify`)",
    QUIET: "hours in which only pages are sent, such as `22:00-07:00`; none unless it is set",
    DIGEST: "hour of the funding digest; `08:00` unless it is set",
    SCREEN: "address under which your phone finds the dashboard of this home, for `/login`; no link without it",
    ZONE: "time zone of both, such as `Europe/Berlin`; `UTC` unless it is set",
}
NOTIFY_VARIABLES: Final = tuple(MEANINGS)
SECRET_VARIABLES: Final = (TOKEN, APPRISE)
