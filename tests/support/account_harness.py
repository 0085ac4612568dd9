"""One account of the scripted venue, read and commanded through the live client."""

from collections.abc import Coroutine
from decimal import Decimal
from typing import Any, TypeVar

from hedgerow.aster import AsterVenue
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.commands import TransferDirection, TransferFunds
from support.scripted_aster import NOW, ScriptedAster, make_venue

__all__ = ["MOVE", "TRANSFER", "AccountHarness"]

MOVE = TransferFunds(transfer_id="h-t", amount=Decimal("250.5"), direction=TransferDirection.SPOT_TO_PERP)
TRANSFER = "POST /fapi/v3/asset/wallet/transfer"

Result = TypeVar("Result")


class AccountHarness:
    def __init__(self) -> None:
        self.aster = ScriptedAster()
        self.clock = VirtualClock(NOW)
        self.venue: AsterVenue = make_venue(self.aster, self.clock)

    def run(self, main: Coroutine[Any, Any, Result]) -> Result:
        return run_virtual(self.clock, main)

    def submit(self, command: Any) -> Any:
        (event,) = self.run(self.venue.submit(command))
        return event
