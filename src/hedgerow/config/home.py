"""The home of one bot: one folder, with file names of their own for paper, dry run and demo."""

from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from hedgerow.config.database import Database
from hedgerow.domain.errors import ConfigError

__all__ = ["Home", "HomeMode"]


class HomeMode(StrEnum):
    """Which of a folder's bots it is; the value is the suffix of its file names."""

    LIVE = ""
    PAPER = "-paper"
    DRY_RUN = "-dry-run"
    DEMO = "-demo"


class Home(Struct, frozen=True, kw_only=True):
    """The files of one bot (``--home DIR``); the configuration is shared by all modes."""

    folder: Path
    mode: HomeMode = HomeMode.LIVE
    database: Database | None = None
    """Where log and requests are, and what the bot shows; None = in the folder."""
    bot_name: str = ""
    """The bot's name in the database; empty = the name of the folder."""

    @property
    def config(self) -> Path:
        """The settings, in the guide's format."""
        return self.folder / "config_volume_farming_strategy.json"

    @property
    def state(self) -> Path:
        """The guide's state file."""
        return self.folder / f"volume_farming_state{self.mode.value}.json"

    @property
    def log(self) -> Path:
        """The log, in the lines of the guide."""
        return self.folder / f"volume_farming{self.mode.value}.log"

    @property
    def events(self) -> Path:
        """The event log, from which every other state is computed."""
        return self.folder / f"hedgerow{self.mode.value}.db"

    @property
    def event_files(self) -> tuple[Path, ...]:
        """The event log, and the two files that SQLite keeps next to it."""
        return tuple(self.events.with_name(f"{self.events.name}{ending}") for ending in ("", "-wal", "-shm"))

    @property
    def exchange(self) -> Path:
        """The emulated exchange of a paper bot or a dry run."""
        return self.folder / f"hedgerow{self.mode.value}.exchange"

    @property
    def secrets(self) -> Path:
        """Variables with the credentials, read when the environment does not set them."""
        return self.folder / ".env"

    @property
    def requests(self) -> Path:
        """Folder through which commands reach the running bot."""
        return self.folder / f"hedgerow{self.mode.value}.requests"

    @property
    def heartbeat(self) -> Path:
        """The running bot's heartbeat."""
        return self.folder / f"hedgerow{self.mode.value}.heartbeat"

    @property
    def outlook(self) -> Path:
        """What the running bot has read: prices, result, distances, next payment."""
        return self.folder / f"hedgerow{self.mode.value}.outlook.json"

    @property
    def series(self) -> Path:
        """What screens show of the past; it may be deleted without harm."""
        return self.folder / f"hedgerow{self.mode.value}.series.db"

    @property
    def database_note(self) -> Path:
        """Names the database that holds the log, so that no bot begins a second log in the folder by mistake."""
        return self.folder / f"hedgerow{self.mode.value}.database"

    @property
    def watchdog(self) -> Path:
        """The watchdog's own log."""
        return self.folder / f"hedgerow{self.mode.value}.watchdog.log"

    @property
    def dashboard(self) -> Path:
        """Who may come into the dashboard: tokens and sessions, as SHA-256; of the folder, not of one bot in it."""
        return self.folder / "hedgerow.dashboard.json"

    @property
    def dashboard_log(self) -> Path:
        """The dashboard's own log."""
        return self.folder / "hedgerow.dashboard.log"

    @property
    def notify(self) -> Path:
        """What the companion has read and sent."""
        return self.folder / f"hedgerow{self.mode.value}.notify.json"

    def notify_of(self, account: str) -> Path:
        """What a companion here has read and sent of one bot of a database, whose log is filed under ``account``."""
        return self.folder / f"hedgerow-{account}.notify.json"

    @property
    def notify_log(self) -> Path:
        """The companion's own log."""
        return self.folder / f"hedgerow{self.mode.value}.notify.log"

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that the bots of the folder keep, of all modes, without the settings; whether it exists or not."""
        found = [self.secrets, self.dashboard, self.dashboard_log]
        for mode in HomeMode:
            one = Home(folder=self.folder, mode=mode)
            found += [*one.event_files, one.state, one.log, one.exchange, one.heartbeat, one.outlook, one.series]
            found += [one.database_note, one.watchdog, one.notify, one.notify_log]
        return tuple(found)

    def prepare(self) -> None:
        """Create the folder when missing.

        Raises:
            ConfigError: it cannot be created, or is not a folder.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"--home {self.folder} cannot be used: {error.strerror or error}") from error
