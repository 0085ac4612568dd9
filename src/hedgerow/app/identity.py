"""Finds out which bot a home's command is about: mode, network, account, configuration, version, cap."""

from pathlib import Path

from msgspec.structs import replace

from hedgerow import __version__
from hedgerow.app.venues.environment import Environment
from hedgerow.app.venues.select import environment_of
from hedgerow.aster import MAINNET, TESTNET, Hosts
from hedgerow.config import Home, HomeMode, Settings
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.run_identity import EMULATED_ACCOUNT, GENERATED_MARKET, RunIdentity, RunMode, shortened
from hedgerow.strategy.parameters import StrategyParameters

__all__ = ["history_identity", "identity_of", "network_name", "unkept_identity"]

MODES = {
    HomeMode.LIVE: RunMode.LIVE,
    HomeMode.PAPER: RunMode.PAPER,
    HomeMode.DRY_RUN: RunMode.DRY_RUN,
    HomeMode.DEMO: RunMode.DEMO,
}
MARKET_HISTORY = "market history"
GENERATED = frozenset({HomeMode.PAPER, HomeMode.DEMO})
NAMED = {"mainnet": MAINNET, "testnet": TESTNET}


def identity_of(home: Home, settings: Settings) -> RunIdentity:
    """Return who trades what in ``home``; never raises: what cannot be found out (a broken ``.env``) is None."""
    network, account = _where(home)
    capital = settings.parameters.capital_management
    return RunIdentity(
        mode=MODES[home.mode],
        network=network,
        account=account,
        home=str(home.folder.absolute()),
        config_file=str(settings.source.absolute()) if settings.source else None,
        preset=str(settings.preset) if settings.preset else None,
        version=__version__,
        capital_fraction=capital.capital_fraction,
        max_capital_usd=capital.max_capital_usd,
    )


def unkept_identity(mode: RunMode, parameters: StrategyParameters) -> RunIdentity:
    """Return the identity of bots that play on generated markets and leave no home behind."""
    capital = parameters.capital_management
    return RunIdentity(
        mode=mode,
        network=GENERATED_MARKET,
        account=EMULATED_ACCOUNT,
        home=None,
        config_file=None,
        version=__version__,
        capital_fraction=capital.capital_fraction,
        max_capital_usd=capital.max_capital_usd,
    )


def history_identity(parameters: StrategyParameters, config: Path | None = None) -> RunIdentity:
    """Return the identity of a policy that is played over market history."""
    identity = unkept_identity(RunMode.BACKTEST, parameters)
    file = None if config is None else str(config.resolve())
    return replace(identity, network=MARKET_HISTORY, config_file=file)


def network_name(hosts: Hosts) -> str:
    """Return ``mainnet``, ``testnet`` or where the exchange listens, with every single address that was changed."""
    for name, usual in NAMED.items():
        if hosts == usual:
            return name
        if hosts.futures_rest == usual.futures_rest:
            changed = [f for f in hosts.__struct_fields__ if getattr(hosts, f) != getattr(usual, f)]
            return f"{name}, but {', '.join(f'{field} {getattr(hosts, field)}' for field in changed)}"
    return hosts.futures_rest


def _where(home: Home) -> tuple[str | None, str | None]:
    """Return network and account."""
    if home.mode in GENERATED:
        return GENERATED_MARKET, EMULATED_ACCOUNT
    try:
        environment = environment_of(home)
    except ConfigError:
        return None, EMULATED_ACCOUNT if home.mode is HomeMode.DRY_RUN else None
    account = EMULATED_ACCOUNT if home.mode is HomeMode.DRY_RUN else _account(environment)
    try:
        return network_name(environment.hosts()), account
    except ConfigError:
        return None, account


def _account(environment: Environment) -> str | None:
    try:
        credentials = environment.credentials()
    except ConfigError:
        return None
    return "none" if credentials is None else shortened(credentials.account)
