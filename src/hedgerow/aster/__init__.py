"""Aster DEX: a thin typed client (``AsterClient``) and, over it, the account as a ``ports.Venue`` (``AsterVenue``).

Both get their transport, clock and randomness as arguments; ``http.transport`` has the transport over sockets.
Whatever goes wrong is a ``VenueError`` of ``hedgerow.domain.errors``.
"""

from hedgerow.aster.client import AsterClient, KlineSeries
from hedgerow.aster.credentials import Credentials
from hedgerow.aster.endpoints import MAINNET, TESTNET, Hosts
from hedgerow.aster.venue import AsterVenue

__all__ = ["MAINNET", "TESTNET", "AsterClient", "AsterVenue", "Credentials", "Hosts", "KlineSeries"]
