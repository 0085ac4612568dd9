"""The commands of a bot whose log is in a database: the same words, the same answers, and no password anywhere."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from hedgerow.app.commands.web.fleet_source import sources_in
from hedgerow.app.companion.parts import HomeLog
from hedgerow.app.fleet import FleetReader
from hedgerow.app.identity import identity_of
from hedgerow.app.session import read_settings
from hedgerow.app.storage.select import with_database
from hedgerow.clock import SystemClock
from hedgerow.config import Database, Home, HomeMode
from hedgerow.domain.ledger.reducers import fold
from hedgerow.store.postgres.migrations import known_migrations
from hedgerow.store.sqlite_reader import SqliteReader
from support.command_runner import COMMAND, EAGER, Shell, process, write_config
from support.postgres import PASSWORD, PostgresServer

CONFIG = "config_volume_farming_strategy.json"
PAGE = (Path(__file__).parents[2] / "docs" / "fleet.md").read_text(encoding="utf-8")
CLOCK = SystemClock()


@pytest.fixture
def address(postgres_server: PostgresServer) -> str:
    return postgres_server.new_database()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "main"
    folder.mkdir()
    write_config(folder / CONFIG, EAGER)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "locks"))
    return folder


@pytest.fixture
def shell(place: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Shell]:
    yield Shell(capsys)
    for path in place.rglob("*"):
        assert not path.is_file() or PASSWORD not in path.read_text(encoding="utf-8", errors="replace"), path


def without_password(address: str) -> str:
    return re.sub(r":[^:@/]+@", "@", address)


def test_every_command_works_on_a_bot_in_a_database(
    shell: Shell, place: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = without_password(address)
    assert shell("status", "--paper", "--store", address).out.startswith(f"No log at {shown}: the bot has not run here")
    assert shell("books", "--paper", "--store", address).code == 1
    assert shell("run", "--paper", "--once", "--store", address).code == 0
    assert not (place / "hedgerow-paper.db").exists()
    (source,) = sources_in(address, SystemClock(), named=lambda name, _: name, log=print)
    view, lines = source.read(), source.log_lines(40)
    assert view.series is not None
    assert source.curve(view, None).points
    assert (place / "volume_farming-paper.log").read_text(encoding="utf-8").splitlines()[-40:] == list(lines)
    source.close()
    monkeypatch.setenv("HEDGEROW_DATABASE", address)
    status = shell("status", "--paper", "--json", "-")
    assert status.code == 1, "no bot runs"
    symbol = status.document["position"]["symbol"]
    assert shell("books", "--paper").code == 0
    assert shell("reconcile", "--paper").code == 0
    assert shell("halt", "--paper", "--reason", "a test").code == 0
    assert shell("status", "--paper", "--json", "-").document["halt"] is not None
    assert shell("resume", "--paper").code == 0
    closed = shell("close", symbol, "--yes", "--paper")
    assert closed.code == 0
    assert symbol in closed.out
    backup = shell("backup", "safe.db", "--paper")
    assert backup.code == 0
    assert backup.out.startswith(f"{shown}: ")
    reader = SqliteReader(place / "safe.db")
    assert f" {reader.count:,} events copied" in backup.out
    reader.release()


def test_a_bot_that_moves_to_another_machine_with_other_settings_logs_what_changed(
    shell: Shell, place: Path, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEDGEROW_BOT", "eth")
    monkeypatch.setenv("HEDGEROW_DATABASE", address)
    write_config(place / CONFIG, {"funding_rate_strategy": {"min_funding_apr": 9999}})
    other = tmp_path / "other"
    other.mkdir()
    write_config(other / CONFIG, {"funding_rate_strategy": {"min_funding_apr": 8888}})
    line = "  funding_rate_strategy.min_funding_apr: 9999 becomes 8888"
    assert line not in shell("run", "--paper", "--once").out
    for expected in (1, 0):
        assert shell("run", "--paper", "--once", "--home", other).out.count(line) == expected


def test_a_home_whose_log_is_in_a_database_begins_no_second_log(shell: Shell, place: Path, address: str) -> None:
    assert shell("run", "--paper", "--once", "--store", address).code == 0
    for words in (("run", "--once"), ("status",), ("books",), ("halt",), ("reconcile",)):
        line = shell.refused(*words, "--paper")
        assert line.startswith(f"the log of this bot is in {without_password(address)}: name it by --store")
    assert not (place / "hedgerow-paper.db").exists()


def test_a_log_left_behind_in_the_home_is_copied_first(shell: Shell, address: str) -> None:
    assert shell("run", "--paper", "--once").code == 0
    line = shell.refused("run", "--paper", "--once", "--store", address)
    assert "hedgerow store copy hedgerow-paper.db" in line
    copied = shell("store", "copy", "hedgerow-paper.db", address, "--paper")
    assert copied.code == 0, copied
    assert "every event and their fold compared, no difference" in copied.out
    assert "the log of this bot is in" in shell.refused("run", "--paper", "--once")
    said = shell("run", "--paper", "--once", "--store", address)
    assert said.code == 0
    assert "confirmed on exchange" in said.out


def test_a_log_is_copied_back_to_a_file_and_goes_on_there(shell: Shell, place: Path, address: str) -> None:
    assert shell("run", "--paper", "--once", "--store", address).code == 0
    assert shell("store", "copy", address, "hedgerow-paper.db", "--paper").code == 0
    assert (place / "hedgerow-paper.db").stat().st_mode & 0o777 == 0o600
    assert shell("run", "--paper", "--once").code == 0
    assert shell("books", "--paper").code == 0
    line = shell.refused("run", "--paper", "--once", "--store", address)
    assert "events and" in line, "the file is ahead of the database now"


def test_a_log_is_never_copied_over_another(shell: Shell, place: Path, address: str) -> None:
    assert shell("run", "--paper", "--once", "--store", address).code == 0
    assert shell("store", "copy", address, "copy.db", "--paper").code == 0
    line = shell.refused("store", "copy", "copy.db", address, "--paper")
    assert "events already; a log is copied to an empty one only" in line
    before = (place / "copy.db").read_bytes()
    assert "copy.db is there already" in shell.refused("store", "copy", address, "copy.db", "--paper")
    assert (place / "copy.db").read_bytes() == before
    assert "are two files" in shell.refused("store", "copy", "copy.db", "other.db", "--paper")
    assert "none.db is not there" in shell.refused("store", "copy", "none.db", address, "--paper")


def test_what_cannot_be_copied_leaves_no_file(shell: Shell, place: Path, address: str) -> None:
    assert shell("store", "upgrade", "--store", address).code == 0
    assert "nothing to copy" in shell.refused("store", "copy", address, "empty.db", "--paper")
    assert not [path for path in place.iterdir() if "empty" in path.name]


def test_the_tables_are_set_up_and_upgraded_by_a_command(shell: Shell, address: str) -> None:
    shown, newest = without_password(address), len(known_migrations())
    assert shell("store", "upgrade", "--store", address).out == f"{shown}: schema 0 upgraded to {newest}\n"
    assert shell("store", "upgrade", "--store", address).out == f"{shown}: schema {newest} already\n"
    assert "no database is named" in shell.refused("store", "upgrade")


@pytest.mark.parametrize(
    "text", ["mysql://u:SECRET@h/db", "postgresql://u:SECRET@h:port/db", "u:SECRET@h/db", "postgresql://u:SECRET@[h/db"]
)
def test_an_address_that_is_none_is_refused_without_being_repeated(shell: Shell, text: str) -> None:
    line = shell.refused("status", "--paper", "--store", text)
    assert "SECRET" not in line
    assert "allowed is postgresql://USER@HOST:PORT/NAME" in line


def test_a_database_that_does_not_answer_is_a_failure_of_one_line(shell: Shell) -> None:
    said = shell("status", "--paper", "--store", f"postgresql://hedgerow:{PASSWORD}@127.0.0.1:1/x")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("hedgerow: postgresql://hedgerow@127.0.0.1:1/x cannot be reached:")
    assert said.err.count("\n") == 1
    assert PASSWORD not in said.err


def test_a_missing_driver_is_named(place: Path, address: str) -> None:
    hidden = "import sys; sys.modules['psycopg'] = None; from hedgerow.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", hidden, "status", "--paper", "--store", address],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"hedgerow: {without_password(address)} needs the PostgreSQL driver: pip install")


def test_a_bot_without_a_database_does_not_import_the_driver(place: Path) -> None:
    asked = (
        "import sys; from hedgerow.cli import main; main(['run', '--paper', '--once']); print('psycopg' in sys.modules)"
    )
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", asked], cwd=place, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "False"


def wait_for(file: Path, text: str, bot: "subprocess.Popen[str]") -> None:
    deadline = CLOCK.monotonic() + 60
    while text not in file.read_text(encoding="utf-8"):
        assert bot.poll() is None, file.read_text(encoding="utf-8")
        assert CLOCK.monotonic() < deadline, file.read_text(encoding="utf-8")
        subprocess.run(["sleep", "0.1"], check=True)  # noqa: S607


def wait_for_points(address: str, bot: "subprocess.Popen[str]") -> None:
    """Return once the database has a time series of its only bot."""
    reader = FleetReader(Database(address), CLOCK)
    (row,) = reader.bots()
    while not reader.series(row).points(datetime(2001, 1, 1, tzinfo=UTC)):
        assert bot.poll() is None
    reader.close()


def test_a_running_bot_is_seen_asked_and_fenced_from_another_machine(  # noqa: PLR0915 - one bot, one sequence
    shell: Shell, place: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEDGEROW_DATABASE", address)
    monkeypatch.setenv("HEDGEROW_BOT", "alpha")
    said = place / "said.txt"
    with said.open("w") as output:
        bot = process(COMMAND, "run", "--paper", home=place, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_for(said, "Total positions opened: 1", bot)
        elsewhere = place.parent / "elsewhere"
        elsewhere.mkdir()
        monkeypatch.setenv("XDG_STATE_HOME", str(elsewhere / "locks"))
        there = ("--paper", "--home", elsewhere)
        states: list[str] = []
        while "hedged" not in states:
            assert len(states) < 300, states
            status = shell("status", *there, "--json", "-")
            states.append(status.document["state"])
            assert status.code == 0 or "hedged" not in states, status  # 1 until the bot has published its first view
        wait_for_points(address, bot)
        assert not (place / "hedgerow-paper.series.db").exists()
        busy = shell.refused("run", "--once", *there)
        assert f"process {bot.pid} on " in busy, "two bots, one account"
        assert "already trades this account" in busy
        assert shell("halt", *there).code == 0
        wait_for(said, "OPENINGS HALTED", bot)
        assert shell("status", *there).code == 3
        fenced = shell("store", "fence", *there, "--yes")
        assert fenced.out.startswith("alpha: the fence is raised")
        closing = shell("close", "--yes", *there)
        assert closing.code in {0, 1}
        assert bot.wait(timeout=60) == 2
        assert "another bot has taken over this account" in said.read_text(encoding="utf-8")
    finally:
        bot.kill()
        bot.wait()
    assert PASSWORD not in said.read_text(encoding="utf-8")


def test_the_grants_of_the_page_suffice_and_allow_nothing_more(
    shell: Shell, postgres_server: PostgresServer, address: str
) -> None:
    name = address.rpartition("/")[2]
    assert shell("store", "upgrade", "--store", address).code == 0
    (grants,) = re.findall(r"<!-- grants:begin -->\n```sql\n(.*?)```\n<!-- grants:end -->", PAGE, flags=re.DOTALL)
    kinds = ("bot", "operator", "viewer")
    for kind in kinds:
        postgres_server.execute(f"CREATE ROLE {name}_{kind} LOGIN PASSWORD '{PASSWORD}'")
        grants = grants.replace(f"hedgerow_{kind}", f"{name}_{kind}")
    for statement in filter(str.strip, re.split(r";\n", grants)):
        postgres_server.execute(statement, name)
    bot, operator, viewer = (postgres_server.url(name, user=f"{name}_{kind}") for kind in kinds)
    assert shell("run", "--paper", "--once", "--store", bot).code == 0
    assert shell("halt", "--paper", "--store", bot).code == 0
    assert shell("status", "--paper", "--store", viewer).code == 3
    assert "permission denied" in shell.refused("run", "--paper", "--once", "--store", operator)
    for address_of, statement in (
        (bot, "DELETE FROM hedgerow.events"),
        (bot, "UPDATE hedgerow.events SET kind = ''"),
        (operator, "UPDATE hedgerow.bots SET epoch = epoch + 1"),
        (operator, "INSERT INTO hedgerow.events SELECT account, 9999, kind, payload FROM hedgerow.events LIMIT 1"),
        (operator, "UPDATE hedgerow.requests SET answer = ''"),
        (viewer, "INSERT INTO hedgerow.requests (account, request_id, request, valid) VALUES ('', '', '', '1 s')"),
    ):
        with psycopg.connect(address_of) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())


def test_the_companion_reads_a_bot_in_a_database_in_parts(shell: Shell, place: Path, address: str) -> None:
    assert shell("run", "--paper", "--once", "--store", address).code == 0
    home = with_database(Home(folder=place, mode=HomeMode.PAPER), address)
    log = HomeLog(home, CLOCK, identity_of(home, read_settings(home, None)))

    async def read() -> None:
        first = await log.read(0, 5)
        rest = await log.read(5, 100_000)
        assert first.began_at == first.events[0].at
        assert len(first.events) == 5
        assert first.count == rest.count == 5 + len(rest.events)
        events = (*first.events, *rest.events)
        for seq in (0, 3, rest.count):
            assert await log.ledger_at(seq) == fold(events[:seq])
        assert (await log.look()).hedges

    asyncio.run(read())
