"""An exchange in memory: markets, books, wallets, orders, funding and faults under a clock of your own.

``World`` is the state; ``EmulatedVenue`` is the in-process ``ports.Venue`` over it. A ``MarketData`` says what the
market did: ``GeneratedMarketData`` draws one from a seed.
"""

from hedgerow.emulator.core.snapshot import WorldOptions, WorldState
from hedgerow.emulator.core.world import World
from hedgerow.emulator.inprocess.faults import FaultPlan
from hedgerow.emulator.inprocess.venue import EmulatedVenue
from hedgerow.emulator.latency import LatencyModel
from hedgerow.emulator.markets.generated import GeneratedMarketData

__all__ = ["EmulatedVenue", "FaultPlan", "GeneratedMarketData", "LatencyModel", "World", "WorldOptions", "WorldState"]
