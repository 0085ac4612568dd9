"""An exchange in memory: markets, books, wallets, orders, funding and faults under a clock of your own.

``World`` is the state; ``EmulatedVenue`` is the in-process door to it (a ``ports.Venue``). A ``Tape`` says what the
market did: ``GeneratedTape`` draws one from a seed.
"""

from hedgerow.emulator.core.snapshot import WorldOptions, WorldState
from hedgerow.emulator.core.world import World
from hedgerow.emulator.inprocess.faults import FaultPlan
from hedgerow.emulator.inprocess.venue import EmulatedVenue
from hedgerow.emulator.latency import LatencyModel
from hedgerow.emulator.markets.generated import GeneratedTape

__all__ = ["EmulatedVenue", "FaultPlan", "GeneratedTape", "LatencyModel", "World", "WorldOptions", "WorldState"]
