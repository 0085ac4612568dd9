"""Checks that nothing is opened after an incident until the owner resumes."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from hedgerow.domain import events as ev
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.position import Reason
from hedgerow.emulator.core.world import World
from hedgerow.simulation.checks.invariants import Invariant

__all__ = ["Brake"]

INCIDENTS = {
    Reason.EMERGENCY_STOP: "an emergency stop",
    Reason.LEG_GONE: "a leg that was gone",
    Reason.LIQUIDATED: "a liquidation",
}
HEALTH = {Reason.HEALTH, Reason.IMBALANCE}
HEALTH_EXITS, HEALTH_WITHIN = 3, timedelta(days=1)
"""So many closings for bad health within so long are an incident, whatever the settings say."""
KNOWN_AFTER = timedelta(seconds=120)
"""A forced trade so lately may not be known yet."""


class Brake:
    """Knows since when openings must rest."""

    def __init__(self) -> None:
        self._allowed_at: datetime | None = None
        """When the owner allowed openings last."""
        self._stopped_for = ""
        self._health_exits: list[datetime] = []

    def note(self, before: Ledger, event: ev.Event, world: World, *, halts: bool) -> Iterator[tuple[Invariant, str]]:
        """Judge an event; ``halts`` = the settings want a halt after an incident."""
        if isinstance(event, ev.Lifted) and before.halt is not None and not before.halt.lifts_itself:
            self._allowed_at, self._stopped_for, self._health_exits = event.at, "", []
        elif isinstance(event, ev.HedgeClosed | ev.HedgeLost):
            if event.reason in HEALTH:
                lately = [at for at in self._health_exits if event.at - at < HEALTH_WITHIN]
                self._health_exits = [*lately, event.at]
            forced = self._forced(before, world, event.hedge_id)
            self._stopped_for = INCIDENTS.get(event.reason, forced or self._stopped_for)
        elif isinstance(event, ev.ExecutionStarted):
            opens = event.execution.kind is ExecutionKind.OPEN
            if opens and len(self._health_exits) >= HEALTH_EXITS:
                yield (
                    Invariant.BRAKE,
                    f"{event.execution.symbol} is opened after {HEALTH_EXITS} exits for bad health in a day",
                )
            if opens and halts and self._stopped_for:
                yield (
                    Invariant.BRAKE,
                    f"{event.execution.symbol} is opened after {self._stopped_for}; nobody allowed it",
                )

    def _forced(self, before: Ledger, world: World, hedge_id: str) -> str:
        """Return what the venue did to the hedge that has ended, since openings were allowed last."""
        hedge = before.open_hedge(hedge_id)
        if hedge is None:
            return ""
        since = max(hedge.begun_at, self._allowed_at or hedge.begun_at)
        fills = world.fills(Market.PERP, hedge.symbol, since)
        forced = any(fill.forced and fill.at < world.now - KNOWN_AFTER for fill in fills)
        return "a liquidation or an auto-deleveraging" if forced else ""
