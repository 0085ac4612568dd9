"""Tries the settings of alerts: what Telegram says about the token, a test message to each target."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from hedgerow.app.companion.parts import TEST_TEXT, companion_of, telegram_client
from hedgerow.app.venues.select import environment_of
from hedgerow.aster.http.transport import HttpTransport
from hedgerow.clock import SystemClock
from hedgerow.config import Home
from hedgerow.notify.delivery import Attempt, Outcome, Target
from hedgerow.notify.settings import notify_settings
from hedgerow.notify.telegram import NotReached, TelegramError, Update

__all__ = ["TelegramSeen", "TrialResult", "look_at_telegram", "send_tests"]

PATIENCE_SECONDS: Final = 60.0
"""For one target: Telegram may ask to wait for an hour."""


class TelegramSeen(Struct, frozen=True, kw_only=True):
    """What Telegram says about a token."""

    name: str
    """Of the bot, without ``@``."""
    wrote: tuple[Update, ...]
    """Who wrote to it lately, one a person and chat; empty also where another companion reads them."""


class TrialResult(Struct, frozen=True, kw_only=True):
    """One test message."""

    target: str
    """Name without any secret."""
    attempt: Attempt

    @property
    def arrived(self) -> bool:
        """Whether the target took it."""
        return self.attempt.outcome is Outcome.SENT

    @property
    def line(self) -> str:
        """One line about it."""
        detail = f" ({self.attempt.detail})" if self.attempt.detail else ""
        return f"{self.target}: {self.attempt.outcome.value}{detail}"


async def look_at_telegram(home: Home, variables: Mapping[str, str]) -> TelegramSeen:
    """Return what Telegram says about the token among the variables of alerts; nothing is taken from its queue.

    Raises:
        ConfigError: a variable cannot be used.
        TelegramError: Telegram cannot be reached, or does not know the token.
    """
    settings, clock = notify_settings(variables).telegram, SystemClock()
    if settings is None:
        raise NotReached("there is no token")
    async with HttpTransport(environment_of(home).proxy()) as transport:
        client = telegram_client(transport, clock, settings)
        try:
            async with clock.timeout(PATIENCE_SECONDS):
                name = await client.name()
                try:
                    updates = await client.updates(0, 0)
                except TelegramError:
                    updates = ()
        except TimeoutError:
            raise NotReached("Telegram asks to wait: try again later") from None
    people = {(update.chat, update.user): update for update in updates if None not in {update.chat, update.user}}
    return TelegramSeen(name=name, wrote=tuple(people.values()))


async def send_tests(home: Home, config: Path | None) -> tuple[TrialResult, ...]:
    """Send a test message to each target of a home, in the way in which alerts are sent.

    Raises:
        ConfigError: a setting cannot be used.
        StoreError: the state of the companion cannot be read.
    """
    async with companion_of(home, config=config) as parts:
        return tuple([TrialResult(target=each.name, attempt=await _attempt(each)) for each in parts.targets])


async def _attempt(target: Target) -> Attempt:
    try:
        async with SystemClock().timeout(PATIENCE_SECONDS):
            return await target.send(TEST_TEXT)
    except TimeoutError:
        return Attempt(outcome=Outcome.UNKNOWN, detail=f"no answer within {PATIENCE_SECONDS:.0f} s")
