"""A real PostgreSQL server as our own child process: started, killed without warning, started again."""

import functools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from itertools import count
from pathlib import Path

import psycopg
import pytest

from hedgerow.clock import SystemClock
from hedgerow.store.postgres.log import BotRow, PostgresStore

__all__ = [
    "PASSWORD",
    "PostgresServer",
    "new_bot",
    "new_log",
    "postgres_programs",
    "require_postgres",
    "serve_postgres",
]

PASSWORD = "not-for-the-log"  # noqa: S105 - of a server that lives as long as the test
PATIENCE_SECONDS = 60.0
_NUMBERS = count(1)


@functools.cache
def postgres_programs() -> Path | None:
    """Return the folder of ``POSTGRES_PROGRAMS``, else of the newest server that is installed; None = there is none."""
    named = os.environ.get("POSTGRES_PROGRAMS")
    if named:
        return Path(named)
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    known = shutil.which("postgres")
    return Path(known).resolve().parent if known else None


def require_postgres() -> Path:
    """Return the server's programs; skip the test where there are none and none are required."""
    found = postgres_programs()
    if found is None and os.environ.get("REQUIRE_COMPONENTS") == "1":
        pytest.fail("no PostgreSQL server is installed, and REQUIRE_COMPONENTS is set")
    if found is None:
        pytest.skip("no PostgreSQL server is installed (Debian: postgresql)")
    return found


class PostgresServer:
    """One server on loopback with a folder of its own; its role ``hedgerow`` may do everything."""

    def __init__(self, folder: Path, programs: Path) -> None:
        """``folder`` must be one that the server's user can enter."""
        self._data = folder / "data"
        self._programs = programs
        self._process: subprocess.Popen[bytes] | None = None
        self._options: dict[str, str] = {}
        self._user = "postgres" if os.geteuid() == 0 else None
        self.port = _free_port()
        password = folder / "password"
        password.write_text(PASSWORD, encoding="ascii")
        if self._user:
            shutil.chown(folder, self._user)
            shutil.chown(password, self._user)
        words = ["initdb", "--no-sync", "-U", "hedgerow", "-E", "UTF8", "--locale=C", "--auth=scram-sha-256"]
        self._run(*words, "-D", str(self._data), f"--pwfile={password}")

    def _run(self, program: str, *words: str) -> None:
        subprocess.run(  # noqa: S603 - programs of the server
            [self._programs / program, *words], check=True, capture_output=True, cwd="/", user=self._user
        )

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it was started and not killed since."""
        return self._process is not None and self._process.poll() is None

    def start(self, **options: str) -> None:
        """Start it, and return once it answers; children of one that was killed may hold its memory for a moment.

        Settings of the server that are given stay for later starts.
        """
        self._options |= options
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "60",
            "shared_buffers": "16MB",
            "logging_collector": "off",
            **self._options,
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        deadline = SystemClock().monotonic() + PATIENCE_SECONDS
        while True:
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(  # noqa: S603 - as above
                    [self._programs / "postgres", "-D", str(self._data), "-p", str(self.port), *words],
                    cwd="/",
                    user=self._user,
                    group=self._user,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                if SystemClock().monotonic() > deadline:
                    raise
                threading.Event().wait(0.05)
            else:
                return

    def kill(self) -> None:
        """End it and every process of a connection as a power cut would; may be called twice."""
        if self._process is None:
            return
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        with suppress(OSError):
            for pid in map(int, children.read_text(encoding="ascii").split()):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait(timeout=PATIENCE_SECONDS)

    def url(self, database: str = "postgres", *, user: str = "hedgerow", password: str = PASSWORD) -> str:
        """Return the address of a database."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Create an empty database, and return its address."""
        name = f"test_{os.getpid()}_{next(_NUMBERS)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Carry out a statement as the owner; returns its rows."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            done = connection.execute(statement.encode())
            return done.fetchall() if done.description else []


def new_bot(name: str = "") -> BotRow:
    """Return a bot that no database knows yet."""
    number = f"{os.getpid()}-{next(_NUMBERS)}"
    return BotRow(account=sha256(number.encode()).hexdigest()[:32], name=name or f"bot {number}", mode="PAPER")


def new_log(server: PostgresServer) -> PostgresStore:
    """Open an empty log in the server's own database."""
    return PostgresStore(server.url(), "the database", new_bot())


@contextmanager
def serve_postgres(programs: Path, **options: str) -> Iterator[PostgresServer]:
    """Serve databases while the context lasts."""
    folder = Path(tempfile.mkdtemp(prefix="hedgerow-postgres-"))
    server = PostgresServer(folder, programs)
    try:
        server.start(**options)
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
