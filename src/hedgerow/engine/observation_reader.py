"""Reads market and account together; what the account leaves out is confirmed by a second source, or in doubt."""

from hedgerow.domain.account import AccountView
from hedgerow.domain.money import ZERO, plain
from hedgerow.engine.execution.order_resolution import AccountEvidence, second_position
from hedgerow.engine.journal import Journal
from hedgerow.engine.observation import observe, observe_settled
from hedgerow.ports import Clock, Venue
from hedgerow.strategy.observation import Observation

__all__ = ["ObservationReader"]


class ObservationReader:
    """The one way in which the engine reads what it decides on."""

    def __init__(
        self, *, venue: Venue, clock: Clock, journal: Journal, evidence: AccountEvidence, periods: int
    ) -> None:
        """``periods`` is how many settled funding rates of each pair are averaged."""
        self._venue = venue
        self._clock = clock
        self._journal = journal
        self._evidence = evidence
        self._periods = periods

    async def read(self) -> Observation:
        """Read once, without waiting for an account that lags."""
        return await self._evidence.examined(await observe(self._venue, self._clock, self._periods))

    async def read_settled(self) -> Observation:
        """Read until the account shows the bot's own last trades, or has had the time to."""
        read = await observe_settled(self._venue, self._clock, self._periods, self._journal.ledger)
        return await self._evidence.examined(read)

    async def contradiction(self, symbols: tuple[str, ...], account: AccountView) -> str | None:
        """Return what a second endpoint says against the account's positions; None = they agree."""
        for symbol in symbols:
            row, refused = await second_position(self._venue, symbol)
            shown = None if symbol in account.unreadable_positions else account.position_quantity(symbol)
            known = ZERO if row is None and refused else None if row is None else row.quantity
            if shown is None or shown != known:
                first = "leaves it out" if shown is None else f"shows {plain(shown)}"
                second = "cannot be read" if known is None else f"shows {plain(known)}"
                return f"{symbol}: the account's reply {first}, positionRisk {second}"
        return None
