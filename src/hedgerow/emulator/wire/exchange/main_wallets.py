"""Addresses of main wallets: an EVM address in any case, or the base58 address of a wallet on Solana.

Accounts of both kinds trade through an agent with an EVM key and an EIP-712 signature (docs/aster-api.md section 15).
"""

from hedgerow.emulator.wire.protocol.signing import is_address

__all__ = ["account_name", "is_main_wallet"]

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
SOLANA_BYTES = 32
LONGEST_BASE58 = 44


def is_main_wallet(text: str) -> bool:
    """Return whether a text has the form of a main wallet's address."""
    return is_address(text) or _is_solana(text)


def account_name(user: str) -> str:
    """Return the name under which the exchange knows an account: EVM addresses differ by their digits alone."""
    return user.lower() if is_address(user) else user


def _is_solana(text: str) -> bool:
    if not 0 < len(text) <= LONGEST_BASE58 or any(letter not in BASE58 for letter in text):
        return False
    number = 0
    for letter in text:
        number = number * len(BASE58) + BASE58.index(letter)
    zeros = len(text) - len(text.lstrip(BASE58[0]))
    return zeros + (number.bit_length() + 7) // 8 == SOLANA_BYTES
