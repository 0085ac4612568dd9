"""Settings of alerts: what cannot be used is refused in one line that shows no secret."""

from datetime import time

import pytest

from hedgerow.domain.errors import ConfigError
from hedgerow.notify.settings import NotifySettings, notify_settings
from hedgerow.notify.variables import MEANINGS
from support.telegram_server import TOKEN

WHOLE = {
    "HEDGEROW_TELEGRAM_TOKEN": TOKEN,
    "HEDGEROW_TELEGRAM_CHATS": "-1001, 5",
    "HEDGEROW_TELEGRAM_USERS": "7",
    "HEDGEROW_APPRISE_URLS": "ntfy://:password@host/topic json://localhost/x",
    "HEDGEROW_ALERTS_QUIET": "22:00-07:30",
    "HEDGEROW_ALERTS_DIGEST": "9:15",
    "HEDGEROW_ALERTS_ZONE": "Europe/Berlin",
    "HEDGEROW_DASHBOARD_URL": "https://bots.example/",
}


def test_every_variable_is_read() -> None:
    settings = notify_settings(WHOLE)
    assert settings.telegram is not None
    assert (settings.telegram.chats, settings.telegram.users) == ((-1001, 5), (7,))
    assert settings.targets[:2] == ("telegram:-1001", "telegram:5")
    assert (settings.rules.quiet_from, settings.rules.quiet_until) == (time(22), time(7, 30))
    assert (settings.rules.digest_at, settings.rules.zone) == (time(9, 15), "Europe/Berlin")
    assert settings.screen == "https://bots.example"
    assert {*WHOLE, "HEDGEROW_TELEGRAM_API"} == set(MEANINGS)


def test_no_text_of_the_settings_shows_a_secret() -> None:
    settings = notify_settings(WHOLE)
    shown = f"{settings!r} {settings.telegram!r} {settings.apprise!r} {settings.targets} {[*settings.targets]}"
    assert TOKEN not in shown
    assert "password" not in shown


def test_without_variables_nothing_is_sent_and_nobody_may_command() -> None:
    settings: NotifySettings = notify_settings({})
    assert (settings.targets, settings.telegram) == ((), None)


def test_without_a_list_of_users_it_is_empty() -> None:
    settings = notify_settings({"HEDGEROW_TELEGRAM_TOKEN": TOKEN, "HEDGEROW_TELEGRAM_CHATS": "1"})
    assert settings.telegram is not None
    assert settings.telegram.users == ()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HEDGEROW_TELEGRAM_TOKEN", "not-a-token-SECRET", "copy it again from @BotFather"),
        ("HEDGEROW_TELEGRAM_CHATS", "@group", "allowed are numbers"),
        ("HEDGEROW_TELEGRAM_USERS", "7 anna", "anna: allowed are numbers"),
        ("HEDGEROW_TELEGRAM_API", "ftp://x", "address of a Bot API server"),
        ("HEDGEROW_TELEGRAM_API", "http://user:SECRET@x", "address of a Bot API server"),
        ("HEDGEROW_APPRISE_URLS", "SECRET", "addresses of Apprise"),
        ("HEDGEROW_ALERTS_QUIET", "22:00", "two hours, such as 22:00-07:00"),
        ("HEDGEROW_ALERTS_QUIET", "22:00-25:00", "an hour of the day"),
        ("HEDGEROW_ALERTS_DIGEST", "noon", "an hour of the day"),
        ("HEDGEROW_DASHBOARD_URL", "bots.example", "http:// or https:// address"),
        ("HEDGEROW_ALERTS_ZONE", "Mars/Olympus", "name of a time zone"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_without_its_secret(name: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as raised:
        notify_settings({**WHOLE, name: value})
    assert name in str(raised.value)
    assert "SECRET" not in str(raised.value)


def test_chats_without_a_token_are_refused() -> None:
    with pytest.raises(ConfigError, match="@BotFather makes a bot"):
        notify_settings({"HEDGEROW_TELEGRAM_CHATS": "1"})
