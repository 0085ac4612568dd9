"""Ids of hedges and transfers: the time in milliseconds, base 32, and four random characters.

Never reused, even across stores; at most 36 characters of ``[A-Za-z0-9_-]`` with the leg and attempt added.
"""

import random
from datetime import datetime, timedelta

from hedgerow.domain.funding import EPOCH
from hedgerow.ports import Clock

__all__ = ["IdSource"]

ALPHABET = "0123456789abcdefghijklmnopqrstuv"
SALT_LENGTH = 4


class IdSource:
    """Gives ids that no other run has given."""

    def __init__(self, clock: Clock, randomness: random.Random) -> None:
        self._clock = clock
        self._random = randomness

    def next(self) -> str:
        """Return a new id of 13 characters."""
        salt = "".join(self._random.choice(ALPHABET) for _ in range(SALT_LENGTH))
        return _base32(_milliseconds(self._clock.now())) + salt


def _milliseconds(at: datetime) -> int:
    return (at - EPOCH) // timedelta(milliseconds=1)


def _base32(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 32)
        digits = ALPHABET[digit] + digits
    return digits or ALPHABET[0]
