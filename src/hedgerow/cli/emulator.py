"""``hedgerow emulator``: a local Aster on two ports to test any bot against."""

import asyncio
from datetime import datetime
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

from hedgerow.app.commands.emulator_server import DEFAULT_ACCOUNTS, EmulatorPlan, WiredAccount, serve
from hedgerow.cli.arguments import money_option, time_option
from hedgerow.cli.codes import ExitCode
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.money import plain
from hedgerow.emulator.markets.universe import Universe
from hedgerow.emulator.wire.protocol.clock import FASTEST, checked_speed
from hedgerow.emulator.wire.server import WireServer

__all__ = ["emulator"]

LOCAL_NAMES = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - compared with, not bound to
"""Where a client on this machine finds a server that listens everywhere."""
KEYS = {each.signer.lower(): f"0x{number:064x}" for number, each in enumerate(DEFAULT_ACCOUNTS, 1)}
"""Private keys of the default accounts' agents: public, for a local exchange only."""
LAST_PORT = 65_534
"""Spot answers on the port after the futures'."""


def emulator(  # noqa: PLR0913 - one parameter per option
    *,
    port: Annotated[
        int, typer.Option("--port", metavar="N", help="Futures answer here, spot on the next port.")
    ] = 8900,
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Folder with captured exchangeInfo replies or Parquet history."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="The same seed gives the same market.")] = 1,
    pairs: Annotated[
        int | None, typer.Option("--pairs", metavar="N", help="Pairs listed; 20, or all of the universe.")
    ] = None,
    universe: Annotated[
        Universe | None,
        typer.Option("--universe", metavar="MONTH", help="A market of the size and intervals of that month: 2026-09."),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", metavar="DATE", help="Start time of the exchange; now unless given.")
    ] = None,
    speed: Annotated[
        str, typer.Option("--speed", metavar="N", help="Seconds per real second; 0 = only by POST /admin/advance.")
    ] = ("1"),
    still: Annotated[bool, typer.Option("--still", help="Prices move only by POST /admin/price.")] = False,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="FILE", help="File that keeps the exchange; it survives kill -9.")
    ] = None,
    account: Annotated[
        list[str] | None,
        typer.Option(
            "--account",
            metavar="ADDRESS",
            help="USER or USER:AGENT address; USER may be a Solana wallet; may be repeated.",
        ),
    ] = None,
    balance: Annotated[
        str, typer.Option("--balance", metavar="N", help="USDT of each account, split over both wallets.")
    ] = "1000",
    chain_id: Annotated[
        int, typer.Option("--chain-id", metavar="N", help="1666 like mainnet, 714 like testnet.")
    ] = 1666,
) -> ExitCode:
    """Serve Aster's REST and WebSocket interface over an exchange of your own, until Ctrl-C."""
    if not 0 <= port <= LAST_PORT:
        raise ConfigError(f"--port {port}: allowed is 0 to {LAST_PORT}")
    if data is not None and not data.is_dir():
        raise ConfigError(f"--data {data}: no such folder")
    plan = EmulatorPlan(
        host=host,
        port=port,
        seed=seed,
        pairs=pairs,
        universe=universe,
        data=data,
        start=_start(start),
        speed=_speed(speed),
        still=still,
        state=state,
        accounts=tuple(_account(text) for text in account) if account else DEFAULT_ACCOUNTS,
        balance=money_option("--balance", balance, least=Decimal(0)),
        chain_id=chain_id,
    )
    asyncio.run(serve(plan, lambda server: _announce(plan, server)))
    return ExitCode.DONE


def _start(text: str | None) -> datetime | None:
    return None if text is None else time_option("--start", text)


def _speed(text: str) -> float:
    try:
        return checked_speed(float(text))
    except ValueError as error:
        raise ConfigError(f"--speed {text}: allowed is 0 to {FASTEST:,}") from error


def _account(text: str) -> WiredAccount:
    user, _, signer = text.partition(":")
    return WiredAccount(user=user, signer=signer or user)


def _announce(plan: EmulatorPlan, server: WireServer) -> None:
    futures, spot = server.ports
    typer.echo(f"Futures  http://{plan.host}:{futures}  ws://{plan.host}:{futures}")
    typer.echo(f"Spot     http://{plan.host}:{spot}  ws://{plan.host}:{spot}")
    if not _is_loopback(plan.host):
        typer.echo(
            f"Warning  {plan.host} is no loopback address: everyone who reaches it controls time, prices and money"
            " through /admin, without a key",
            err=True,
        )
    for each in plan.accounts:
        typer.echo(f"Account  {each.user}  agent {each.signer}  {plain(plan.balance)} USDT at its opening")
        typer.echo(f"         V1 key {each.api_key}  secret {each.api_secret}")
        if each.signer.lower() in KEYS:
            typer.echo(f"         agent's private key {KEYS[each.signer.lower()]} (for this exchange only)")
    typer.echo("For a bot that is configured by its environment, with the first account:")
    for name, value in _environment(plan, futures, spot).items():
        typer.echo(f"export {name}={value}")


def _environment(plan: EmulatorPlan, futures: int, spot: int) -> dict[str, str]:
    """Return the environment of a client of this exchange; with the private key only for a default account."""
    host = LOCAL_NAMES.get(plan.host, f"[{plan.host}]" if ":" in plan.host else plan.host)
    account = plan.accounts[0]
    addresses = {
        "HEDGEROW_FUTURES_REST": f"http://{host}:{futures}",
        "HEDGEROW_SPOT_REST": f"http://{host}:{spot}",
        "HEDGEROW_FUTURES_MARKET_WS": f"ws://{host}:{futures}",
        "HEDGEROW_SPOT_MARKET_WS": f"ws://{host}:{spot}",
        "HEDGEROW_FUTURES_USER_WS": f"ws://{host}:{futures}",
        "HEDGEROW_SPOT_USER_WS": f"ws://{host}:{spot}",
        "HEDGEROW_CHAIN_ID": str(plan.chain_id),
        "API_USER": account.user,
        "API_SIGNER": account.signer,
    }
    key = KEYS.get(account.signer.lower())
    return addresses if key is None else addresses | {"API_PRIVATE_KEY": key}


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
