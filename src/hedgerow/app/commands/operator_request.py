"""Carries out an operator's request: through the running bot if there is one, otherwise in a session of its own."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from hedgerow.app.companion.asking import new_request, user_name
from hedgerow.app.companion.request_answers import GOES_ON, answer_of
from hedgerow.app.session import Session, open_session, settings_or_defaults
from hedgerow.app.signals import on_stop_signals, stop_between_trades
from hedgerow.app.storage.parts import RequestBox
from hedgerow.app.storage.select import request_box
from hedgerow.app.venues.select import venue_access
from hedgerow.clock import SystemClock, run_on
from hedgerow.config import Home
from hedgerow.domain.errors import AccountBusy, ConfigError, MailboxError
from hedgerow.domain.operator_requests import (
    VALID_SECONDS,
    Answer,
    CloseRequested,
    HedgeSeen,
    OperatorRequest,
    Request,
)
from hedgerow.engine.notices import Observer
from hedgerow.ports import Clock
from hedgerow.store.account_lock import AccountLock

__all__ = ["ask", "ask_the_bot", "refuse_broken_settings"]


def ask(
    home: Home,
    config: Path | None,
    action: Request,
    observers: Sequence[Observer],
    *,
    hedge: HedgeSeen | None = None,
    seconds: float = VALID_SECONDS,
) -> Answer:
    """Carry one request out and return how it ended; ``hedge`` is the one that the user saw.

    A bot that runs must begin it within so many seconds.

    Raises:
        ConfigError: the configuration cannot be used.
        MailboxError: a bot runs, and no request can be left for it.
        StoreError: the log cannot be read or written.
    """
    settings, broken = settings_or_defaults(home, config)
    clock = SystemClock()
    request = new_request(action, clock, user=user_name(), hedge=hedge, seconds=seconds)
    if broken:
        holder = _who_runs(home, broken)
        return _left_for(home, request, clock, holder)
    try:
        access = venue_access(home, lockstep=None)
    except ConfigError as error:
        if home.database is None:
            raise
        # A user without keys can still ask the bot that has them.
        return _left_for(home, request, clock, f"here it cannot be done: {error}")
    try:
        with open_session(home, settings, access) as session:
            return run_on(session.clock, lambda: _here(session, request, observers))
    except AccountBusy as busy:
        return _left_for(home, request, clock, str(busy))


def refuse_broken_settings(home: Home, config: Path | None) -> str:
    """Return what is wrong with the settings where a bot runs, which does without the file; empty = nothing.

    Raises:
        ConfigError: they cannot be used, and no bot runs that could be asked.
    """
    _settings, broken = settings_or_defaults(home, config)
    if broken:
        _who_runs(home, broken)
    return broken


def _who_runs(home: Home, broken: str) -> str:
    """Return who holds the account, or for a log in a database why the bot is asked.

    Raises:
        ConfigError: no process does: the request would be carried out here, by settings that cannot be read.
    """
    if home.database is not None:
        return f"here it cannot be done: {broken}"
    try:
        with AccountLock(venue_access(home).account):
            pass
    except AccountBusy as busy:
        return str(busy)
    raise ConfigError(f"{broken}; no bot runs that could be asked: correct the file, or name another with --config")


def _left_for(home: Home, request: OperatorRequest, clock: Clock, holder: str) -> Answer:
    with request_box(home, clock) as box:
        return asyncio.run(ask_the_bot(box, request, clock, holder))


async def _here(session: Session, request: OperatorRequest, observers: Sequence[Observer]) -> Answer:
    async with session.awake(observers) as bot:
        bot.service.act_alone()
        with stop_between_trades(bot, session.clock):
            await bot.startup.run()
            return await bot.service.handle(request)


async def ask_the_bot(mailbox: RequestBox, request: OperatorRequest, clock: Clock, holder: str) -> Answer:
    """Leave a request for the bot that runs, and wait for its answer; ``holder`` says who holds the account.

    It is withdrawn when this process is interrupted or no bot took it in time.

    Raises:
        MailboxError: it cannot be left.
    """
    try:
        mailbox.post(request)
    except MailboxError as error:
        way = "or close both legs on the exchange's own page" if isinstance(request.action, CloseRequested) else ""
        raise MailboxError(
            f"{error}: a bot runs ({holder}) and cannot be asked. Free disk space or fix the permissions, and ask again"
            + (f", {way}" if way else "")
        ) from error
    waiting = asyncio.ensure_future(answer_of(mailbox, request, clock, holder))

    def interrupted() -> None:
        waiting.cancel()

    on_stop_signals(interrupted)
    try:
        return await waiting
    except asyncio.CancelledError:
        if mailbox.withdraw(request.request_id):
            return Answer(done=False, text="Interrupted: the request was withdrawn, nothing was done.")
        return mailbox.collect(request.request_id) or Answer(done=False, text=f"Interrupted: {GOES_ON}")
