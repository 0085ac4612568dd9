"""A wired exchange behind real sockets: its server runs in a thread of its own, as it would in another process."""

from datetime import timedelta
from typing import Self

from hedgerow.aster.endpoints import Hosts
from hedgerow.emulator.wire.protocol.signing import MAINNET
from hedgerow.emulator.wire.venue import WireVenue
from hedgerow.testing.server_thread import ExchangeThread

__all__ = ["HOST", "ServedExchange"]

HOST = "127.0.0.1"


class ServedExchange(ExchangeThread):
    """Serves a venue on two free ports until it is closed."""

    def __init__(self, venue: WireVenue) -> None:
        super().__init__(venue, HOST)
        self.venue = venue

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def hosts(self) -> Hosts:
        """The addresses, as the live client takes them."""
        futures, spot = (f"{HOST}:{port}" for port in self.ports)
        return Hosts(
            futures_rest=f"http://{futures}",
            spot_rest=f"http://{spot}",
            futures_market_ws=f"ws://{futures}",
            spot_market_ws=f"ws://{spot}",
            futures_user_ws=f"ws://{futures}",
            spot_user_ws=f"ws://{spot}",
            chain_id=MAINNET,
        )

    def advance_time(self, seconds: float) -> None:
        """Let time pass on the exchange, and what falls due happen."""

        def jump() -> None:
            # One step to a stamp rounded by a hair must still reach it: an exchange counts microseconds.
            self.venue.clock.jump(max(seconds, timedelta(microseconds=1).total_seconds()))
            self.venue.tick()

        self.ask(jump)
