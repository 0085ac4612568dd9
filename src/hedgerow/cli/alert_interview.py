"""The questions of ``hedgerow init`` about alerts, and a test message to each target."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import typer

from hedgerow.app.companion.trial import look_at_telegram, send_tests
from hedgerow.app.env_file import write_variables
from hedgerow.app.venues.select import environment_of
from hedgerow.cli.common import say
from hedgerow.config import Home
from hedgerow.domain.errors import ConfigError, HedgerowError
from hedgerow.notify.settings import notify_settings
from hedgerow.notify.variables import APPRISE, CHATS, QUIET, SECRET_VARIABLES, TOKEN, USERS, ZONE

__all__ = ["ask_alerts"]

NONE: Final = "none"
"""Answer that clears a variable."""
WORDS: Final[Mapping[str, str]] = {
    TOKEN: "Token of your Telegram bot, from @BotFather",
    CHATS: "Numbers of the chats that get alerts, with commas between them; a group's is negative",
    USERS: "Numbers of the users who may halt, resume and close from there; none = no one",
    APPRISE: "Addresses of Apprise for other targets, such as ntfy://topic, with blanks between them",
    QUIET: "Hours in which only pages are sent, such as 22:00-07:00",
    ZONE: "Time zone of these hours, such as Europe/Berlin",
}
NEEDS: Final[Mapping[str, str]] = {CHATS: TOKEN, USERS: TOKEN, ZONE: QUIET}
"""Variables that are asked for only where another one is set."""


def ask_alerts(place: Home, config: Path | None) -> None:
    """Ask where alerts go, keep the answers in ``.env``, and send a test message; again where one does not arrive.

    Raises:
        ConfigError: ``.env`` cannot be read or written.
    """
    say("Alerts say on your phone what happened and what to do, by a bot of Telegram or by Apprise (docs/alerts.md).")
    say(_present(place))
    if not typer.confirm("Set up alerts now?", default=False):
        return
    again = True
    while again:
        present = environment_of(place).notify_variables
        changed = {name: value for name, value in _answers(place, present).items() if value != present.get(name, "")}
        if changed:
            write_variables(place.secrets, changed)
            say(f"Wrote {place.secrets}, readable by you alone")
        for name in (name for name in changed if os.environ.get(name)):
            say(f"{name} is set in the environment, which counts more than this file")
        again = not _arrived(place, config) and typer.confirm("Enter them again?", default=True)


def _present(place: Home) -> str:
    try:
        targets = notify_settings(environment_of(place).notify_variables).targets
    except ConfigError as error:
        return str(error)
    return f"They go to {', '.join(targets)}." if targets else "None are sent yet."


def _answers(place: Home, present: Mapping[str, str]) -> dict[str, str]:
    """Ask for each variable; an empty line keeps the present value. No secret is shown."""
    say(f"An empty line keeps what is in brackets, {NONE} clears it. What is secret is not shown while you type.")
    answers: dict[str, str] = {}
    for name in WORDS:
        needs = NEEDS.get(name)
        if needs is not None and not answers[needs]:
            answers[name] = ""
            continue
        answers[name] = _asked(name, present, answers)
        if name == TOKEN and answers[name]:
            say(_telegram(place, {**present, TOKEN: answers[name], CHATS: "", USERS: ""}))
    return answers


def _asked(name: str, present: Mapping[str, str], answers: Mapping[str, str]) -> str:
    """Ask until the answer can be used."""
    say(f"{WORDS[name]}.")
    default, secret = present.get(name, ""), name in SECRET_VARIABLES
    shown = ("kept" if secret else default) if default else NONE
    while True:
        text: str = typer.prompt(f"{name} [{shown}]", default="", show_default=False, hide_input=secret).strip()
        value = default if not text else "" if text.lower() == NONE else text
        try:
            notify_settings({**answers, name: value})
        except ConfigError as error:
            say(str(error))
        else:
            return value


def _telegram(place: Home, variables: Mapping[str, str]) -> str:
    """Return what Telegram says about the token, and the numbers of those who wrote to the bot."""
    try:
        seen = asyncio.run(look_at_telegram(place, variables))
    except HedgerowError as error:
        return f"{error}; the token is kept, and tried below"
    people = "; ".join(f"{each.name} is user {each.user} in chat {each.chat}" for each in seen.wrote)
    wrote = f"Lately wrote to it: {people}" if people else "No one wrote to it lately: write /help to see numbers here"
    return f"Telegram knows the bot @{seen.name}. {wrote}."


def _arrived(place: Home, config: Path | None) -> bool:
    """Send the test messages; return whether every target took its own."""
    try:
        results = asyncio.run(send_tests(place, config))
    except HedgerowError as error:
        say(f"No test message was sent: {error}")
        return False
    for result in results:
        say(f"Test message to {result.line}")
    if not results:
        say("No target is set: no alert is sent.")
        return True
    arrived = all(result.arrived for result in results)
    if arrived:
        say("From now on: hedgerow notify, a process of its own beside the bot.")
    else:
        say("The answers are kept. hedgerow notify --test tries again, hedgerow init asks again.")
    return arrived
