"""Carries a person's request out: through the running bot if there is one, else by opening its home for a moment."""

import secrets
from collections.abc import Sequence
from pathlib import Path

from hedgerow.app.choice import access_to
from hedgerow.app.session import Session, open_session, read_settings
from hedgerow.app.signals import stop_between_trades
from hedgerow.clock import SystemClock
from hedgerow.config import Home
from hedgerow.domain.errors import AccountBusy
from hedgerow.domain.requests import Answer, Request
from hedgerow.engine.moments import Listener
from hedgerow.ports import Clock
from hedgerow.store.mailbox import FolderMailbox

__all__ = ["ask"]

PATIENCE_SECONDS = 180.0
"""A closing takes its slices; after this the request is taken back if the bot has not begun it."""
LOOK_SECONDS = 0.2


async def ask(home: Home, config: Path | None, request: Request, listeners: Sequence[Listener]) -> Answer:
    """Carry one request out and say how it ended.

    Raises:
        ConfigError: the configuration or the folder cannot be used.
        StoreError: the log cannot be read or written.
    """
    settings = read_settings(home, config)
    access = access_to(home)
    try:
        with open_session(home, settings, access) as session:
            return await _here(session, request, listeners)
    except AccountBusy:
        return await _through_the_bot(FolderMailbox(home.requests), request, SystemClock())


async def _here(session: Session, request: Request, listeners: Sequence[Listener]) -> Answer:
    async with session.awake(listeners) as bot:
        with stop_between_trades(bot):
            await bot.startup.run()
            return await bot.service.carry_out(request)


async def _through_the_bot(mailbox: FolderMailbox, request: Request, clock: Clock) -> Answer:
    request_id = secrets.token_hex(8)
    mailbox.post(request_id, request)
    until = clock.monotonic() + PATIENCE_SECONDS
    while clock.monotonic() < until:
        answer = mailbox.collect(request_id)
        if answer is not None:
            return answer
        await clock.sleep(LOOK_SECONDS)
    mailbox.withdraw(request_id)
    # The bot may have answered between the last look and the withdrawal.
    return mailbox.collect(request_id) or Answer(
        done=False, text=f"The running bot did not answer within {PATIENCE_SECONDS:.0f} s; see its log."
    )
