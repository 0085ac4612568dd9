"""Opens a home: settings, account lock, event log, and the bot built from them."""

import random
import secrets
import sys
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from hedgerow.app.background import Background
from hedgerow.app.bot import Bot, build_bot
from hedgerow.app.heartbeat import BeatingClock, BeatingMailbox, Heartbeat
from hedgerow.app.identity import identity_of
from hedgerow.app.series_file import published
from hedgerow.app.state_file import StateFile
from hedgerow.app.storage.configuration import keeper_of
from hedgerow.app.storage.parts import OpenStorage
from hedgerow.app.storage.select import open_log, open_storage
from hedgerow.app.venues.connection import VenueAccess, VenueConnection
from hedgerow.config import Home, HomeMode, Settings, load_settings, with_overrides
from hedgerow.config.loading import preset_settings
from hedgerow.config.presets import PresetName
from hedgerow.config.table import settings_in_words
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.events import StateImported
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.run_identity import RunIdentity
from hedgerow.engine.notices import Observer, Warned
from hedgerow.engine.runner import RunOptions
from hedgerow.engine.startup import SettingsFound
from hedgerow.ports import Clock, Mailbox
from hedgerow.store import guide_state
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import BUILT_IN_POLICIES, load_policy

__all__ = [
    "Session",
    "open_session",
    "read_ledger",
    "read_settings",
    "settings_or_defaults",
    "settings_or_preset",
]


class Session(Struct, frozen=True, kw_only=True):
    """One home, ready for a bot."""

    home: Home
    settings: Settings
    connection: VenueConnection
    storage: OpenStorage
    notices: tuple[str, ...]
    state_file: StateFile
    randomness: random.Random
    """For ids, which must differ between runs."""
    identity: RunIdentity
    imported: StateImported | None = None
    """Content of the guide's state file."""
    values_before: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    """Position values of that file by symbol, in USDT."""

    @property
    def clock(self) -> Clock:
        """The clock of the bot."""
        return self.connection.clock

    @asynccontextmanager
    async def awake(
        self, observers: Sequence[Observer] = (), options: RunOptions | None = None, *, stay: bool = False
    ) -> AsyncGenerator[Bot]:
        """Open the connection to the exchange and wire the bot, inside the event loop that it will run on.

        ``stay``: it runs for long, so that streams are worth opening.

        Raises:
            ConfigError: the exchange does not know these credentials, or they do not suffice.
        """
        policy = load_policy(self.settings.parameters.policy, self.settings.parameters)
        notified: tuple[Observer, ...] = (*observers, *self.connection.observers, self.state_file)
        clock: Clock = self.clock
        storage = self.storage
        mailbox: Mailbox = storage.mailbox
        background: Background | None = None
        if stay:
            storage.start()
            heart = Heartbeat(self.home.heartbeat, publish=storage.heartbeat)
            screens, background = published(
                self.home,
                policy,
                self.identity,
                process=lambda: replace(
                    self.connection.health(), listener_failures=dict(bot.journal.listener_failures)
                ),
                publish=storage.outlook,
                open_series=storage.open_series,
            )
            notified = (*notified, *screens, heart)
            clock, mailbox = BeatingClock(clock, heart), BeatingMailbox(mailbox, heart)
        bot = build_bot(
            venue=self.connection.venue,
            store=storage.store,
            clock=clock,
            policy=policy,
            randomness=self.randomness,
            options=replace(options or self._options(), mail_seconds=self.connection.mail_seconds),
            observers=notified,
            notifications=self.connection.notifications,
            mailbox=mailbox,
            state=self.state_file,
            settings=keeper_of(self.home, self.settings) if stay else None,
            settings_found=self._settings_found(policy.parameters) if stay else None,
            dry_run=self.home.mode is HomeMode.DRY_RUN,
            identity=self.identity,
            imported=self.imported,
            values_before=self.values_before,
        )

        def report(text: str) -> None:
            bot.journal.say(Warned(at=self.clock.now(), text=text))

        self.connection.report_to(report)
        storage.store.report_to(report)
        self.state_file.report_to(report)
        storage.mailbox.report_to(report)
        try:
            async with self.connection.open_connection(storage.store, stay) as warnings:
                for text in (*self.notices, *self.connection.notices, *warnings):
                    bot.journal.say(Warned(at=self.clock.now(), text=text))
                yield bot
        finally:
            await bot.journal.close()
            if background is not None:
                background.close()

    def _settings_found(self, parameters: StrategyParameters) -> SettingsFound:
        outlook = self.storage.previous_outlook()
        return SettingsFound(now=settings_in_words(parameters), before={} if outlook is None else outlook.settings)

    def _options(self) -> RunOptions:
        return RunOptions(
            interval_seconds=self.settings.parameters.position_management.loop_interval_seconds,
            poll_seconds=self.connection.poll_seconds,
        )


def read_settings(home: Home, config: Path | None, ma_periods: int | None = None) -> Settings:
    """Read the home's configuration, or the file the user named.

    A policy of the user's own may be in the home: Python then looks for modules there too, after everything that is
    installed.

    Raises:
        ConfigError: it is missing though named, unreadable, or holds anything that is not allowed.
    """
    settings = load_settings(config or home.config, named=config is not None)
    folder = str(home.folder.resolve())
    if settings.parameters.policy not in BUILT_IN_POLICIES and folder not in sys.path:
        sys.path.append(folder)
    return with_overrides(settings, ma_periods=ma_periods)


def settings_or_defaults(home: Home, config: Path | None) -> tuple[Settings, str]:
    """Return the settings and an empty text; where their file is broken, the guide's defaults and what is wrong.

    For what reads a log or asks the bot that runs: neither depends on the file.

    Raises:
        ConfigError: a file was named, and there is none.
    """
    try:
        return read_settings(home, config), ""
    except ConfigError as broken:
        if config is not None and not config.exists():
            raise
        return Settings(parameters=StrategyParameters(), source=config or home.config), str(broken)


def settings_or_preset(home: Home, config: Path | None, preset: PresetName | None) -> Settings:
    """Return the settings of ``preset`` where one was asked for, else those that ``read_settings`` reads.

    Raises:
        ConfigError: a file was named beside the preset, or cannot be used.
    """
    if preset is None:
        return read_settings(home, config)
    if config is not None:
        raise ConfigError(f"--preset {preset} and --config {config} are two configurations: give one of them")
    return preset_settings(preset)


async def read_ledger(home: Home) -> Ledger | None:
    """Return the ledger of the home's log, or None when there is no log yet; takes no lock and changes nothing.

    Raises:
        StoreError: the log is corrupt or newer than this version.
    """
    log = open_log(home)
    if log is None:
        return None
    try:
        return await log.load()
    finally:
        log.release()


@contextmanager
def open_session(home: Home, settings: Settings, access: VenueAccess) -> Generator[Session]:
    """Open a home for trading: sole holder of its account until the context ends, which releases its log.

    Raises:
        ConfigError: the folder cannot be used, or another bot trades this account.
        StoreError: the log or the exchange's file is corrupt or newer than this version.
    """
    home.prepare()
    with open_storage(home, access) as (connection, storage):
        yield _session(home, settings, connection, storage)


def _session(home: Home, settings: Settings, connection: VenueConnection, storage: OpenStorage) -> Session:
    clock = connection.clock
    old = guide_state.read(home.state, at=clock.now())
    corrupt = old if isinstance(old, guide_state.CorruptState) else None
    state = old if isinstance(old, guide_state.GuideState) else None
    return Session(
        home=home,
        settings=settings,
        connection=connection,
        storage=storage,
        notices=(*settings.notices, *settings.warnings, *((_corrupt(corrupt, home.state),) if corrupt else ())),
        state_file=StateFile(home.state, state),
        randomness=random.Random(secrets.randbits(64)),  # noqa: S311 - ids must differ between runs, not be secret
        identity=identity_of(home, settings),
        imported=guide_state.to_import(state, clock.now()) if state else None,
        values_before=_values_in(state),
    )


def _values_in(state: guide_state.GuideState | None) -> dict[str, Decimal]:
    """Return the value of each position of a state file by its symbol, USDT."""
    if state is None:
        return {}
    positions = state.positions or ((state.current_position,) if state.current_position else ())
    return {position.symbol: position.capital for position in positions}


def _corrupt(found: guide_state.CorruptState, path: Path) -> str:
    kept = f"set aside as {found.set_aside.name}" if found.set_aside else "could not be set aside"
    return f"{path.name} is corrupt ({found.problem}): {kept}; rebuilt from the log and the exchange"
