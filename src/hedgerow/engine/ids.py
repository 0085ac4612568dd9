"""Ids of hedges and transfers: the time in milliseconds, base 32, and four random characters.

Never reused, even across stores; ``LONGEST_CLIENT_ID`` characters of ``[a-z0-9-]`` with the leg and attempt added.
"""

import random
from datetime import datetime, timedelta

from hedgerow.domain.errors import ConfigError
from hedgerow.domain.funding import EPOCH
from hedgerow.ports import Clock, VenueRules

__all__ = ["LONGEST_CLIENT_ID", "IdSource"]

ALPHABET = "0123456789abcdefghijklmnopqrstuv"
SALT_LENGTH = 4
LONGEST_CLIENT_ID = 20
"""Of an order: the hedge's 13 characters, the leg, and up to 9,999 attempts."""


class IdSource:
    """Gives ids that no other run has given."""

    def __init__(self, clock: Clock, randomness: random.Random, rules: VenueRules) -> None:
        """Raise ``ConfigError`` where the venue's client ids have no room for those of this bot."""
        if rules.max_client_id_length < LONGEST_CLIENT_ID:
            raise ConfigError(
                f"the venue accepts client ids of at most {rules.max_client_id_length} characters; "
                f"{LONGEST_CLIENT_ID} are needed"
            )
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
