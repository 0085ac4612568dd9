"""An exchange in memory: markets, books, wallets, orders, funding and faults under a clock of your own.

``World`` is the state; ``EmulatedVenue`` is the in-process door to it (a ``ports.Venue``). A ``Tape`` says what the
market did: ``GeneratedTape`` draws one from a seed.
"""

from hedgerow.emulator.faults import FaultPlan
from hedgerow.emulator.latency import LatencyModel
from hedgerow.emulator.markets import GeneratedTape
from hedgerow.emulator.state import WorldOptions, WorldState
from hedgerow.emulator.venue import EmulatedVenue
from hedgerow.emulator.world import World

__all__ = ["EmulatedVenue", "FaultPlan", "GeneratedTape", "LatencyModel", "World", "WorldOptions", "WorldState"]
