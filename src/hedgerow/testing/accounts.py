"""Accounts of a local Aster, with everything that a client needs to sign for them."""

from coincurve import PrivateKey
from msgspec import Struct

from hedgerow.app.commands.emulator_server import DEFAULT_ACCOUNTS, WiredAccount
from hedgerow.aster.credentials import address_of
from hedgerow.domain.errors import ConfigError

__all__ = ["AsterAccount", "account_of", "numbered_accounts"]

SPLIT_USER = DEFAULT_ACCOUNTS[0].user
"""Main wallet of the first account; its agent is the address of the private key 1."""


class AsterAccount(Struct, frozen=True, kw_only=True):
    """One account: for a local exchange only, since everybody knows its key."""

    user: str
    """Address of the main wallet."""
    signer: str
    """Address of the agent that signs; the main wallet itself where one key is all there is."""
    private_key: str
    """The agent's key: ``0x`` and 64 hexadecimal digits."""

    @property
    def api_key(self) -> str:
        """Key of the old kind (V1)."""
        return self.wired.api_key

    @property
    def api_secret(self) -> str:
        """Secret of that key."""
        return self.wired.api_secret

    @property
    def wired(self) -> WiredAccount:
        """The account as the exchange is opened with it."""
        return WiredAccount(user=self.user, signer=self.signer)


def account_of(private_key: str | int, user: str | None = None) -> AsterAccount:
    """Return the account that a key signs for: the one named, or the key's own.

    Raises:
        ConfigError: it is no private key.
    """
    try:
        number = private_key if isinstance(private_key, int) else int(private_key, 16)
        signer = address_of(PrivateKey.from_int(number))
    except (ValueError, OverflowError) as error:
        raise ConfigError("a private key is a positive number of at most 64 hexadecimal digits") from error
    return AsterAccount(user=user or signer, signer=signer, private_key=f"0x{number:064x}")


def numbered_accounts(count: int) -> tuple[AsterAccount, ...]:
    """Return the accounts of the private keys 1, 2, ...; the first has a main wallet beside its agent."""
    return tuple(account_of(number, SPLIT_USER if number == 1 else None) for number in range(1, count + 1))
