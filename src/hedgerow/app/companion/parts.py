"""Wires the companion of one bot: its log and the bot from outside, the state on disk, targets, commands."""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from hedgerow.app.bot_view import look_at_bot
from hedgerow.app.companion.asking import Asker, Box, closing_price
from hedgerow.app.companion.request_answers import answer_of
from hedgerow.app.identity import identity_of
from hedgerow.app.session import settings_or_defaults
from hedgerow.app.storage.select import open_log, request_box
from hedgerow.app.venues.environment import Environment
from hedgerow.app.venues.select import environment_of
from hedgerow.aster.http.transport import HttpTransport
from hedgerow.clock import SystemClock
from hedgerow.config import Home
from hedgerow.dashboard.view import View, view_of_bot
from hedgerow.domain.errors import StoreError
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.operator_requests import Answer, OperatorRequest, RequestOrigin
from hedgerow.domain.run_identity import RunIdentity
from hedgerow.notify.commands import CommandServices, TelegramCommands
from hedgerow.notify.companion import BotSource, Companion, LogPart
from hedgerow.notify.delivery import AppriseTarget, Target, TelegramTarget
from hedgerow.notify.settings import TELEGRAM, NotifySettings, TelegramSettings, notify_settings
from hedgerow.notify.state import NotifyState
from hedgerow.notify.telegram import TelegramClient
from hedgerow.ports import Clock, Transport
from hedgerow.small_files import read_small_file
from hedgerow.store.files import PRIVATE, replace_file
from hedgerow.strategy.closing_price import ClosingPrice

__all__ = [
    "TEST_TEXT",
    "BotRequests",
    "CompanionParts",
    "HomeLog",
    "StateKept",
    "WatchedBot",
    "companion_for",
    "companion_of",
    "settings_of",
    "telegram_client",
]

LOGGER = "hedgerow.notify"
LARGEST_STATE = 32 * 2**20
TEST_TEXT = "Hedgerow: this is a test message. Alerts arrive here."


class HomeLog:
    """The bot of a home, read from outside; the log is opened at each look, as a bot may replace it."""

    def __init__(self, home: Home, clock: Clock, identity: RunIdentity) -> None:
        self._home = home
        self._clock = clock
        self._identity = identity

    async def read(self, after: int, limit: int) -> LogPart:
        """Return at most ``limit`` events after number ``after``.

        Raises:
            StoreError: the log cannot be read.
        """
        reader = open_log(self._home)
        if reader is None:
            return LogPart(began_at=None, count=0, events=())
        try:
            first = reader.part(after=0, limit=1)
            events = reader.part(after=after, limit=limit)
            return LogPart(
                began_at=first[0].at if first else None, count=max(reader.count, after + len(events)), events=events
            )
        finally:
            reader.release()

    async def ledger_at(self, seq: int) -> Ledger:
        """Return the fold of the first ``seq`` events.

        Raises:
            StoreError: the log cannot be read.
        """
        reader = open_log(self._home)
        if reader is None:
            return Ledger()
        try:
            return reader.load_at(seq)
        finally:
            reader.release()

    async def look(self) -> View:
        """Return what is seen of the bot now.

        Raises:
            StoreError: the log cannot be read.
        """
        return view_of_bot((await look_at_bot(self._home, self._clock)).view, identity=self._identity)


class StateKept:
    """The state of the companion in a file that only its owner reads."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> NotifyState | None:
        """Return what was kept; None at the first start.

        Raises:
            StoreError: it cannot be read.
        """
        try:
            return msgspec.json.decode(read_small_file(self._path, largest=LARGEST_STATE), type=NotifyState)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError) as error:
            raise StoreError(
                f"{self._path} cannot be read: {error}; move it away: alerts then begin at the end of the log"
            ) from error

    def save(self, state: NotifyState) -> None:
        """Replace it; it survives a power cut once this returns.

        Raises:
            StoreError: it cannot be written.
        """
        try:
            replace_file(self._path, msgspec.json.encode(state), mode=PRIVATE)
        except OSError as error:
            raise StoreError(f"{self._path} cannot be written: {error.strerror or error}") from error


class CompanionParts(Struct, frozen=True, kw_only=True):
    """A companion that is ready to run."""

    companion: Companion
    commands: TelegramCommands | None
    """None where Telegram is not configured, or no one may command."""
    targets: tuple[Target, ...]
    settings: NotifySettings
    client: TelegramClient | None
    """None where Telegram is not configured."""

    async def run(self) -> None:
        """Look, send and answer until cancelled."""
        await self.companion.run(*(() if self.commands is None else (self.commands.run,)))


def settings_of(home: Home) -> NotifySettings:
    """Return the settings of alerts of a home.

    Raises:
        ConfigError: a variable cannot be used.
    """
    return notify_settings(environment_of(home).notify_variables)


class BotRequests:
    """Leaves requests and questions of Telegram's users for one bot and waits for its answers."""

    def __init__(self, source: BotSource, box: Box, clock: Clock, who: str) -> None:
        """``who`` names the bot in an answer."""
        self._source = source
        self._box = box
        self._clock = clock
        self._who = who

    async def ask(self, request: OperatorRequest) -> Answer:
        """Leave a request and wait for its answer.

        Raises:
            MailboxError: it cannot be left.
        """
        with self._box() as box:
            box.post(request)
            return await answer_of(box, request, self._clock, self._who)

    async def closing_price(self, symbol: str, user: str) -> ClosingPrice | None:
        """Ask, as a user, what closing the hedge of a pair costs by the books of now; None = the bot does not say.

        Raises:
            StoreError: the log cannot be read.
        """
        asker = Asker(user=user, origin=RequestOrigin.TELEGRAM)
        return await closing_price(await self._source.look(), self._box, symbol, self._clock, asker)


class WatchedBot(Struct, frozen=True, kw_only=True):
    """The bot that a companion is about."""

    source: BotSource
    requests: BotRequests
    state: Path
    """File of what was read and sent."""
    who: str
    """Its name in each text."""


@asynccontextmanager
async def companion_of(
    home: Home,
    *,
    log: Callable[[str], None] | None = None,
    login: Callable[[str], str | None] | None = None,
    clock: Clock | None = None,
    config: Path | None = None,
) -> AsyncGenerator[CompanionParts]:
    """Return the companion of a home inside a running event loop; ``login`` makes links into the screen.

    Raises:
        ConfigError: a setting cannot be used.
        StoreError: the state of an earlier companion cannot be read.
    """
    clock = clock or SystemClock()
    settings, environment = settings_of(home), environment_of(home)
    source = HomeLog(home, clock, identity_of(home, settings_or_defaults(home, config)[0]))
    requests = BotRequests(source, lambda: request_box(home, clock), clock, "the bot of this home")
    bot = WatchedBot(
        source=source,
        requests=requests,
        state=home.notify,
        who=f"{home.folder.absolute().name}{home.mode.value}",
    )
    async with companion_for(bot, settings, environment, log=log, login=login, clock=clock) as parts:
        yield parts


@asynccontextmanager
async def companion_for(
    bot: WatchedBot,
    settings: NotifySettings,
    environment: Environment,
    *,
    log: Callable[[str], None] | None = None,
    login: Callable[[str], str | None] | None = None,
    clock: Clock,
) -> AsyncGenerator[CompanionParts]:
    """Return the companion of a bot inside a running event loop; ``environment`` names the proxy.

    Raises:
        ConfigError: a setting cannot be used.
        StoreError: the state of an earlier companion cannot be read.
    """
    log = log or logging.getLogger(LOGGER).info
    async with HttpTransport(environment.proxy()) as transport:
        telegram, apprise = settings.telegram, tuple(map(AppriseTarget, settings.apprise))
        client = None if telegram is None else telegram_client(transport, clock, telegram)
        chats = () if telegram is None or client is None else tuple(TelegramTarget(client, c) for c in telegram.chats)
        targets: tuple[Target, ...] = (*chats, *apprise)
        companion = Companion(
            source=bot.source,
            keeper=StateKept(bot.state),
            targets=targets,
            rules=settings.rules,
            clock=clock,
            log=log,
            who=bot.who,
        )
        commands = None
        if telegram is not None and client is not None and telegram.chats and telegram.users:
            services = CommandServices(
                look=bot.source.look,
                ask=bot.requests.ask,
                closing_price=bot.requests.closing_price,
                login=login or _no_screen,
            )
            commands = TelegramCommands(client, telegram, services, companion, clock, log)
        try:
            yield CompanionParts(
                companion=companion, commands=commands, targets=targets, settings=settings, client=client
            )
        finally:
            for each in apprise:
                each.close()


def telegram_client(transport: Transport, clock: Clock, settings: TelegramSettings) -> TelegramClient:
    """Return the client of a bot of Telegram."""
    # The pace is a limit of the public server; one of a user's own has none.
    pace = {} if settings.address == TELEGRAM else {"pace": 0.0}
    return TelegramClient(transport, clock, settings.token, settings.address, **pace)


def _no_screen(_name: str) -> str | None:
    return None
