"""Which bot this is and whose money it trades: mode, network, account, home, configuration, cap, version."""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from hedgerow.domain.formats import full_amount
from hedgerow.domain.money import plain

__all__ = ["EMULATED_ACCOUNT", "GENERATED_MARKET", "RunIdentity", "RunMode", "shortened"]

EMULATED_ACCOUNT = "emulated"
"""``account`` where no account of an exchange is traded."""
GENERATED_MARKET = "generated market"
"""``network`` where no exchange is asked."""
SHOWN_START, SHOWN_END = 6, 4
"""Characters of a shortened account, as wallets show an address: 0x1234...cdef."""


class RunMode(StrEnum):
    """Whether money is at stake."""

    LIVE = "LIVE"
    """Real orders on the account of the credentials."""
    DRY_RUN = "DRY RUN"
    """The live market, an emulated account, no order sent."""
    PAPER = "PAPER"
    """A generated market and an emulated account."""
    DEMO = "DEMO"
    """As paper, on a virtual clock."""
    SIMULATION = "SIMULATION"
    """Many runs under random faults."""
    BACKTEST = "BACKTEST"
    """A policy over market history."""


class RunIdentity(Struct, frozen=True, kw_only=True):
    """The facts that identify a bot; None = could not be found out."""

    mode: RunMode
    network: str | None
    """``mainnet``, ``testnet``, the address of an emulator, or ``GENERATED_MARKET``."""
    account: str | None
    """Shortened; ``EMULATED_ACCOUNT`` where no real one is traded, ``none`` without credentials."""
    home: str | None
    """Absolute path of the home folder; None where nothing is kept."""
    config_file: str | None
    """Absolute path of the configuration in force; None = the guide's defaults, or those of ``preset``."""
    preset: str | None = None
    """Name of the preset that was asked for instead of a configuration."""
    version: str
    capital_fraction: Decimal
    """Part of the smaller wallet that one leg may use."""
    max_capital_usd: Decimal | None
    """Most that both legs together may use, quote units; None = no limit."""

    @property
    def config_text(self) -> str:
        """The configuration in force, in words."""
        if self.preset is not None:
            return f"none, the preset {self.preset}"
        return self.config_file or "none, the guide's defaults"

    @property
    def cap_text(self) -> str:
        """The capital that may be used, in words."""
        part = f"{plain(self.capital_fraction * 100)}% of the smaller wallet a leg"
        if self.max_capital_usd is None:
            return f"none, up to {part}"
        return f"{full_amount(self.max_capital_usd)} for both legs together, at most {part}"


def shortened(account: str) -> str:
    """Return an account as wallets show it: its first and last characters, enough to recognise it."""
    if len(account) <= SHOWN_START + SHOWN_END:
        return account
    return f"{account[:SHOWN_START]}...{account[-SHOWN_END:]}"
