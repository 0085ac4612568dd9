"""Reads market and account together; what the account leaves out is confirmed by a second source, or in doubt."""

from hedgerow.domain.account import AccountView
from hedgerow.domain.money import ZERO, plain
from hedgerow.engine.execution.order_resolution import AccountEvidence, second_position
from hedgerow.engine.in_force import PolicyInForce
from hedgerow.engine.journal import Journal
from hedgerow.engine.observation import observe, observe_settled
from hedgerow.ports import Clock, Venue
from hedgerow.strategy.observation import Observation
from hedgerow.strategy.policy import Policy, settled_rates

__all__ = ["ObservationReader"]


class ObservationReader:
    """The one way in which the engine reads what it decides on."""

    def __init__(
        self, *, venue: Venue, clock: Clock, journal: Journal, evidence: AccountEvidence, in_force: PolicyInForce
    ) -> None:
        """The policy ``in_force`` says how many settled funding rates of each pair are read."""
        self._venue = venue
        self._clock = clock
        self._journal = journal
        self._evidence = evidence
        self._in_force = in_force

    @property
    def _periods(self) -> int:
        return settled_rates(self._in_force.policy)

    async def read(self, policy: Policy | None = None) -> Observation:
        """Read once, without waiting for an account that lags; as many rates as ``policy`` needs as well."""
        periods = self._periods if policy is None else max(self._periods, settled_rates(policy))
        return await self._evidence.examined(await observe(self._venue, self._clock, periods))

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
