"""Credentials, hosts and proxy from the environment and from the ``.env`` file of the home."""

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

from hedgerow.aster import MAINNET, TESTNET, Credentials, Hosts
from hedgerow.aster.http.proxy import PROXY_VARIABLES, Proxy, proxy_of
from hedgerow.clock import ANSWER_SECONDS
from hedgerow.domain.errors import ConfigError
from hedgerow.notify.variables import NOTIFY_VARIABLES, SECRET_VARIABLES
from hedgerow.small_files import read_small_file

__all__ = [
    "AGENT_KEYS",
    "BOT_NAME",
    "DATABASE",
    "LARGEST_FILE",
    "NAMES",
    "Environment",
    "parse_variables",
    "read_environment",
]

AGENT_KEYS = ("API_USER", "API_SIGNER", "API_PRIVATE_KEY")
"""What an agent signs with; the way that is recommended."""
CREDENTIALS = (*AGENT_KEYS, "APIV1_PUBLIC_KEY", "APIV1_PRIVATE_KEY")
NETWORK = "HEDGEROW_NETWORK"
LOCKSTEP_PATIENCE = "HEDGEROW_LOCKSTEP_PATIENCE"
DATABASE = "HEDGEROW_DATABASE"
"""Address of the database that holds the bot's log; read before anything of the exchange."""
BOT_NAME = "HEDGEROW_BOT"
OWN_PREFIX = "HEDGEROW_"
OURS = ("API_", "APIV1_", OWN_PREFIX)
"""Prefix of all variables that are read here, except those of a proxy."""
TEST_DATA = "HEDGEROW_DATA"
"""Read by the tests alone: where their market data are."""
NAMES = (
    *(NETWORK, LOCKSTEP_PATIENCE, TEST_DATA, DATABASE, BOT_NAME),
    *(name for name in PROXY_VARIABLES if name.startswith(OWN_PREFIX)),
    *(f"{OWN_PREFIX}{name.upper()}" for name in Hosts.__struct_fields__),
    *NOTIFY_VARIABLES,
)
"""All variables whose names begin with ``OWN_PREFIX``."""
ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
QUOTED = re.compile(r"""(?:"([^"]*)"|'([^']*)')\s*(?:#.*)?""")
LARGEST_FILE = 2**20
"""Bytes of a file of variables."""
OTHERS_MAY_READ = 0o044


class Environment:
    """Variables by name; no text of it shows a value."""

    __slots__ = ("_values", "warnings")

    def __init__(self, values: Mapping[str, str], warnings: tuple[str, ...] = ()) -> None:
        self._values = dict(values)
        self.warnings = warnings
        """What its owner should fix."""

    @property
    def has_credentials(self) -> bool:
        """Whether any variable of the credentials is set."""
        return any(self._values.get(name, "").strip() for name in CREDENTIALS)

    @property
    def mistakes(self) -> tuple[str, ...]:
        """One line per mistake in the credentials, without any value; empty = they can be used."""
        return Credentials.mistakes(self._values)

    def credentials(self) -> Credentials | None:
        """Return the credentials; None when there are none at all.

        Raises:
            ConfigError: there are some, and they cannot be used.
        """
        return Credentials.from_environment(self._values) if self.has_credentials else None

    def hosts(self) -> Hosts:
        """Return the addresses of the exchange: ``HEDGEROW_NETWORK``, with single ones replaced.

        Raises:
            ConfigError: a value is no address, no network, or no chain id.
        """
        return _network(self._values.get(NETWORK, "").strip()).overridden(self._values)

    def text(self, name: str) -> str:
        """Return the value of a variable of ours, without blanks around it; empty when it is not set."""
        return self._values.get(name, "").strip()

    def proxy(self) -> Proxy | None:
        """Return the proxy that leads to the exchange: ``HEDGEROW_PROXY``, else ``HTTPS_PROXY``; None = none.

        Raises:
            ConfigError: a value is no address of a proxy.
        """
        return proxy_of(self._values)

    def lockstep_patience(self) -> float:
        """Return ``HEDGEROW_LOCKSTEP_PATIENCE``: real seconds an answer may take before lockstep lets time-outs run.

        Raises:
            ConfigError: it is no positive number.
        """
        text = self._values.get(LOCKSTEP_PATIENCE, "").strip()
        try:
            seconds = float(text) if text else ANSWER_SECONDS
        except ValueError:
            seconds = 0.0
        if not 0 < seconds < float("inf"):
            raise ConfigError(f"{LOCKSTEP_PATIENCE} {text}: allowed is a positive number of seconds")
        return seconds

    @property
    def notify_variables(self) -> dict[str, str]:
        """The variables of alerts by name, secrets among them: for ``notify_settings`` alone."""
        return {name: self._values[name] for name in NOTIFY_VARIABLES if name in self._values}

    def __repr__(self) -> str:
        return f"Environment({', '.join(sorted(self._values))})"


def read_environment(file: Path, variables: Mapping[str, str] | None = None) -> Environment:
    """Return the variables of the process over those of a file, which need not be there.

    Raises:
        ConfigError: the file cannot be read, or is no list of ``NAME=value``.
    """
    given = os.environ if variables is None else variables
    found, warnings = _file(file)
    values = {**found, **{name: value for name, value in given.items() if value}}
    known = {name: value for name, value in values.items() if name.startswith(OURS) or name in PROXY_VARIABLES}
    return Environment(known, (*warnings, *_unknown(known)))


def _unknown(values: Mapping[str, str]) -> tuple[str, ...]:
    """Return one line for each variable that looks like one of ours and is not read by anything."""
    strange = sorted(name for name in values if name.startswith(OWN_PREFIX) and name not in NAMES)
    return tuple(
        f"{name} is no variable of Hedgerow, and is not read: the nearest one is"
        f" {get_close_matches(name, NAMES, n=1, cutoff=0.0)[0]}"
        for name in strange
    )


def parse_variables(text: str, name: str) -> dict[str, str]:
    """Return ``NAME=value`` lines as a mapping: quotes are taken off, comments and blank lines skipped.

    Raises:
        ConfigError: a line is something else; the message has its number, not its content.
    """
    found: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        assignment = ASSIGNMENT.fullmatch(line)
        value = None if assignment is None else _value(assignment[2])
        if assignment is None or value is None:
            raise ConfigError(f"{name} line {number}: allowed are NAME=value, quotes around the value, and # comments")
        found[assignment[1]] = value
    return found


def _value(text: str) -> str | None:
    if text[:1] in {'"', "'"}:
        quoted = QUOTED.fullmatch(text)
        return None if quoted is None else quoted[1] or quoted[2] or ""
    return "" if text.startswith("#") else re.split(r"\s+#", text, maxsplit=1)[0].strip()


def _file(path: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    try:
        mode, text = path.stat().st_mode, read_small_file(path, largest=LARGEST_FILE).decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return {}, ()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8 text'}") from None
    values = parse_variables(text, str(path))
    exposed = mode & OTHERS_MAY_READ and any(values.get(name) for name in (*CREDENTIALS, *SECRET_VARIABLES, DATABASE))
    return values, (f"{path} holds credentials and can be read by others: chmod 600 {path}",) if exposed else ()


def _network(text: str) -> Hosts:
    if text.lower() in {"", "mainnet"}:
        return MAINNET
    if text.lower() == "testnet":
        return TESTNET
    try:
        return _local(text)
    except ValueError:
        raise ConfigError(
            f"{NETWORK} {text}: allowed are mainnet, testnet, or an emulator such as http://127.0.0.1:8900"
        ) from None


def _local(address: str) -> Hosts:
    """Return the hosts of an emulator: futures at its address, spot on the next port."""
    parts = urlsplit(address.rstrip("/"))
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port is None or parts.path:
        raise ValueError(address)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    rest = [f"{parts.scheme}://{host}:{port}" for port in (parts.port, parts.port + 1)]
    streams = [place.replace("http", "ws", 1) for place in rest]
    return Hosts(
        futures_rest=rest[0],
        spot_rest=rest[1],
        futures_market_ws=streams[0],
        spot_market_ws=streams[1],
        futures_user_ws=streams[0],
        spot_user_ws=streams[1],
        chain_id=MAINNET.chain_id,
    )
