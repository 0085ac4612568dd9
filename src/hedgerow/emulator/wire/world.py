"""A world whose parts the wire may read."""

from hedgerow.emulator.account import Account
from hedgerow.emulator.world import World

__all__ = ["AccountWorld"]


class AccountWorld(World):
    """A world whose parts the wire may read."""

    @property
    def parts(self) -> Account:
        """Wallets, desk, journal and marketplace."""
        return self._account
