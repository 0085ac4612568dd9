"""Orders that were sent, got no reply, and arrive later."""

from contextlib import suppress
from datetime import datetime, timedelta

from hedgerow.domain.errors import Rejected
from hedgerow.domain.order import OrderRequest
from hedgerow.emulator.core.world import World

__all__ = ["LateOrders"]


class LateOrders:
    """What is still on its way to a world; each order lands at its own time, before anything later happens there."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._due: list[tuple[datetime, OrderRequest]] = []

    def expect(self, request: OrderRequest, delay_seconds: float, nonce_life: timedelta) -> None:
        """Let an order land after a delay; with its nonce dead by then it never does (docs/aster-api.md 3)."""
        delay = timedelta(seconds=delay_seconds)
        if delay < nonce_life:
            self._due.append((self._world.now + delay, request))

    def land(self, until: datetime) -> None:
        """Execute each order due by ``until`` at its own time; a refusal is not reported."""
        if not self._due:
            return
        due = sorted((entry for entry in self._due if entry[0] <= until), key=lambda entry: entry[0])
        self._due = [entry for entry in self._due if entry[0] > until]
        for at, request in due:
            self._world.advance(at)
            with suppress(Rejected):
                self._world.place(request)
