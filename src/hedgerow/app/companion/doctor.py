"""Findings of ``doctor`` about alerts: whether they are set up, whether Telegram knows the bot, who may command it."""

from hedgerow.app.companion.parts import TEST_TEXT, CompanionParts, companion_of
from hedgerow.app.findings.account import ok, problem, warning
from hedgerow.app.findings.keys import DoctorFinding
from hedgerow.config import Home
from hedgerow.domain.errors import ConfigError, HedgerowError
from hedgerow.notify.delivery import Outcome
from hedgerow.notify.telegram import TelegramError

__all__ = ["alert_findings"]

SUBJECT = "alerts"
PAGE = "docs/alerts.md"


async def alert_findings(home: Home, *, test: bool) -> list[DoctorFinding]:
    """Return what is to be said about alerts; ``test``: each target gets a message."""
    try:
        async with companion_of(home) as parts:
            if not parts.targets and parts.settings.telegram is None:
                return [ok(SUBJECT, f"none are sent: no target is set ({PAGE})")]
            found = await _telegram(parts)
            for target in parts.targets if test else ():
                attempt = await target.send(TEST_TEXT)
                if attempt.outcome is Outcome.SENT:
                    found.append(ok(SUBJECT, f"{target.name} has a test message"))
                else:
                    found.append(problem(SUBJECT, f"{target.name}: {attempt.detail}", f"see {PAGE}"))
            if not test:
                names = ", ".join(target.name for target in parts.targets)
                found.append(ok(SUBJECT, f"they go to {names}; hedgerow doctor --test-alerts sends one to each"))
            return found
    except ConfigError as error:
        return [problem(SUBJECT, str(error), f"see {PAGE}")]
    except HedgerowError as error:
        return [problem(SUBJECT, str(error), "alerts are not sent until this is repaired")]


async def _telegram(parts: CompanionParts) -> list[DoctorFinding]:
    settings, client = parts.settings.telegram, parts.client
    if settings is None or client is None:
        return []
    try:
        found = [ok(SUBJECT, f"Telegram knows the bot @{await client.name()}")]
    except TelegramError as error:
        found = [problem(SUBJECT, str(error), "check HEDGEROW_TELEGRAM_TOKEN and the way to api.telegram.org")]
    if not settings.chats:
        fix = "write to the bot, then read the number of the chat from getUpdates: docs/alerts.md"
        found.append(problem(SUBJECT, "HEDGEROW_TELEGRAM_CHATS is empty: no one gets an alert", fix))
    if not settings.users:
        fix = "set HEDGEROW_TELEGRAM_USERS to allow commands"
        found.append(warning(SUBJECT, "HEDGEROW_TELEGRAM_USERS is empty: no one may command the bot", fix))
    return found
