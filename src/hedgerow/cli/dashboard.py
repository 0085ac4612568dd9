"""``hedgerow dashboard``: the screen of one bot or many, in a browser; a process of its own without any key."""

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from hedgerow.app.commands.dashboard import bots_of, make_link, make_token, needing_the_driver, serve_dashboard
from hedgerow.app.home_past import CASH_RATE
from hedgerow.cli.codes import ExitCode
from hedgerow.cli.common import echo
from hedgerow.clock import SystemClock
from hedgerow.config import Home
from hedgerow.domain.errors import ConfigError
from hedgerow.web.access import Role
from hedgerow.web.server import DashboardServer, ServerOptions

__all__ = ["AllowHostOption", "PortOption", "dashboard", "show_address"]

ACTIONS = ("token", "link")
PortOption = Annotated[int, typer.Option("--port", metavar="P", min=0, max=65535, help="Port; 0 takes a free one.")]
AllowHostOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host", metavar="NAME", help="Name under which a proxy with TLS passes requests on; repeatable."
    ),
]


def dashboard(  # noqa: PLR0913 - one parameter per option
    action: Annotated[
        str | None,
        typer.Argument(
            metavar="[token|link]",
            help="token: make a token to sign in with; link: a login link, valid once, 5 minutes.",
        ),
    ] = None,
    home: Annotated[
        list[Path] | None, typer.Option("--home", metavar="DIR", help="Folder of a bot; repeatable, for many bots.")
    ] = None,
    *,
    store: Annotated[
        str | None,
        typer.Option("--store", metavar="URL", help="Show every bot of this PostgreSQL database instead of homes."),
    ] = None,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: PortOption = 8765,
    allow_host: AllowHostOption = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="No operator; with token or link: of a viewer, who only looks.")
    ] = False,
    notify: Annotated[
        bool,
        typer.Option(
            "--notify", help="Also send the alerts of these bots and carry out commands from Telegram, as notify does."
        ),
    ] = False,
    cash_apr: Annotated[
        float,
        typer.Option("--cash-apr", metavar="PERCENT", min=0, max=100, help="What cash is compared at, percent a year."),
    ] = 100 * CASH_RATE,
) -> int:
    """Show bots in a browser, also when a bot is dead: positions, money, what would make it act; halt, resume, close.

    It holds no key of the exchange: what an operator asks is passed on to the running bot. Sign in with a token.
    """
    folders = home or [Path()]
    if action is not None:
        return _access(action, folders[0], Role.VIEWER if read_only else Role.OPERATOR)
    options = ServerOptions(host=host, port=port, allowed=tuple(allow_host or ()), read_only=read_only)
    role = Role.VIEWER if read_only else Role.OPERATOR

    def started(server: DashboardServer) -> None:
        show_address(server, folders[0], role)

    with _alerts(folders, store) if notify else nullcontext():
        serve_dashboard(folders, options, SystemClock(), database=store, started=started, cash_rate=cash_apr / 100)
    return ExitCode.DONE


@contextmanager
def _alerts(folders: Sequence[Path], store: str | None) -> Generator[None]:
    """Run the companions of the bots in these folders, or in a database, beside the server.

    Raises:
        ConfigError: the database cannot be used, or no target of alerts is set up.
        StoreError: the database cannot be read.
    """
    from hedgerow.app.companion.hosting import companions_beside, hosted_home  # noqa: PLC0415 - only where asked
    from hedgerow.cli.companion import CompanionLines, login_of  # noqa: PLC0415 - as above

    if store is None:
        homes = bots_of(folders)
        names = [f"{home.folder.absolute().name}{home.mode.value}" if len(homes) > 1 else "" for home in homes]
        logs = [CompanionLines(home.notify_log, name) for home, name in zip(homes, names, strict=True)]
        found = [hosted_home(home, log=log.write, login=login_of(home)) for home, log in zip(homes, logs, strict=True)]
        with companions_beside(found):
            yield
        return
    with needing_the_driver():
        from hedgerow.app.companion.fleet import hosted_bots  # noqa: PLC0415 - an extra
    place = Home(folder=folders[0])

    def write(name: str, text: str) -> None:
        CompanionLines(place.notify_log, name, in_file=True).write(text)

    with hosted_bots(place, store, log=write, login=login_of(place)) as bots, companions_beside(bots):
        yield


def show_address(
    server: DashboardServer, folder: Path, role: Role, *, link: bool | None = None, err: bool = False
) -> None:
    """Print where the dashboard is; on a terminal with a link that signs in once (``link`` decides otherwise)."""
    if sys.stdout.isatty() if link is None else link:
        code = make_link(folder, role, SystemClock())
        echo(f"Dashboard: {server.address}login/{code}", err=err)
        echo("The link signs in once, within 5 minutes. Later: hedgerow dashboard token", err=err)
    else:
        echo(f"Dashboard: {server.address} (to sign in: hedgerow dashboard token)", err=err)
    sys.stdout.flush()


def _access(action: str, folder: Path, role: Role) -> ExitCode:
    if action not in ACTIONS:
        raise ConfigError(f"hedgerow dashboard {action}: allowed is token or link, or nothing to serve")
    if not folder.is_dir():
        raise ConfigError(f"--home {folder}: there is no such folder")
    if action == "token":
        echo(make_token(folder, role, SystemClock()))
        echo(f"Token of the {role.value}. It is shown once; the one before and its sessions have ended.", err=True)
    else:
        echo(f"/login/{make_link(folder, role, SystemClock())}")
        echo("Put it behind the dashboard's address; it signs in once, within 5 minutes.", err=True)
    return ExitCode.DONE
