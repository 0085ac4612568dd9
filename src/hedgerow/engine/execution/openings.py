"""What is asked of the venue about a pair right before it is opened, and before a hedge is closed for it."""

from decimal import Decimal

from msgspec.structs import replace

from hedgerow.domain.errors import VenueError
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.position import HedgedPosition
from hedgerow.engine.in_force import PolicyInForce
from hedgerow.engine.journal import Journal
from hedgerow.engine.notices import OpeningRefused, Warned
from hedgerow.engine.observation import read_books
from hedgerow.ports import Clock, Venue
from hedgerow.strategy.decisions.entry import openings_blocked, plan_opening
from hedgerow.strategy.decisions.review import Review, reviews, target_of
from hedgerow.strategy.evaluation.switching import after_closing, opportunity_of
from hedgerow.strategy.observation import HoldReason, Observation, Open, Opportunity
from hedgerow.strategy.policy import Policy

__all__ = ["CANDIDATES", "Openings"]

CANDIDATES = 3
"""How many pairs are tried in one check, best first, when a better one cannot be opened."""
REFUSED_SECONDS = 900.0
"""A hedge is not closed for a pair that could not be opened so long ago, and the venue is not asked about it."""


class Openings:
    """Says how a pair is opened, or why it is not; keeps which pairs no hedge is closed for."""

    def __init__(self, *, venue: Venue, clock: Clock, journal: Journal, in_force: PolicyInForce) -> None:
        self._venue = venue
        self._clock = clock
        self._journal = journal
        self._in_force = in_force
        self._left = CANDIDATES
        """How many more pairs may be refused in the present check, before a hedge is closed for none."""
        self._refused: dict[str, float] = {}
        """When a pair could not be opened in place of a hedge, by the monotonic clock, by symbol."""

    @property
    def _policy(self) -> Policy:
        return self._in_force.policy

    async def planned(self, opportunity: Opportunity, observation: Observation, ledger: Ledger) -> Open | str:
        """Return how a pair is opened on its listing and its books as they are now, or why it is not."""
        for market in Market:
            seconds = self._venue.blocked_seconds(market)
            if seconds > 0:
                return f"the exchange refuses every {market} order for {seconds:.0f} s"
        try:
            orders = await self._venue.open_orders(opportunity.symbol)
        except VenueError as unreadable:
            return f"its open orders cannot be read: {unreadable}"
        if orders:
            return f"{len(orders)} open order(s) on the symbol are not the bot's"
        listed = await self._listed_now(opportunity)
        return listed if isinstance(listed, str) else await self._on_its_books(listed, observation, ledger)

    async def reviewed(self, observation: Observation, done: frozenset[str] = frozenset()) -> tuple[Review, ...]:
        """Return what is to be done about each open hedge but those ``done``, the most dangerous first.

        The first one closes for no pair that could not be opened then: closing pays half of a round trip, and opening
        the same pair again the other half. Such a pair takes the place of no other hedge either, and the order is that
        of the decisions without it: a rotation closes the hedge that pays least. Nothing is ``done`` when a check
        begins, which may ask about so many pairs.
        """
        if not done:
            self._left = CANDIDATES
        while True:
            unreachable = self._unreachable(observation)
            found = reviews(observation, self._journal.ledger, self._policy, done, unreachable)
            target = target_of(found[0].decision) if found else None
            if target is None:
                return found
            why = await self._refusal(found[0].hedge, target, observation)
            if why is None:
                return found
            self._left -= 1
            self._keep(found[0].hedge, target, why)

    def _unreachable(self, observation: Observation) -> frozenset[str]:
        """Return the pairs that no hedge is closed for: all of them once a check has asked about as many as it may."""
        if self._left <= 0 and observation.market is not None:
            return frozenset(signal.symbol for signal in self._policy.rank(observation.market).ordered)
        if not self._refused:
            return frozenset()
        now = self._clock.monotonic()
        return frozenset(symbol for symbol, at in self._refused.items() if now - at < REFUSED_SECONDS)

    async def _refusal(self, hedge: HedgedPosition, symbol: str, observation: Observation) -> str | None:
        """Return why a pair could not be opened once a hedge was closed; None = it could, or no pair could.

        What blocks openings of all pairs (a halt, an account's mode) is no reason of this one.
        """
        seen, ledger = after_closing(hedge, observation, self._journal.ledger)
        blocked = openings_blocked(seen, ledger, self._policy)
        if blocked is not None:
            return blocked.detail if blocked.reason in {HoldReason.CAPITAL, HoldReason.HELD} else None
        market = observation.market
        opportunity = opportunity_of(symbol, self._policy.rank(market), market) if market else None
        plan = await self.planned(opportunity, seen, ledger) if opportunity else None
        return plan if isinstance(plan, str) else None

    def _keep(self, hedge: HedgedPosition, symbol: str, why: str) -> None:
        """Remember a refusal and report it; the first one of a pair is logged."""
        now = self._clock.now()
        refused = OpeningRefused(at=now, held=hedge.symbol, symbol=symbol, why=why, seconds=REFUSED_SECONDS)
        if symbol not in self._refused:
            self._journal.say(Warned(at=now, text=refused.text))
        self._journal.say(refused)
        self._refused[symbol] = self._clock.monotonic()

    async def _on_its_books(self, opportunity: Opportunity, observation: Observation, ledger: Ledger) -> Open | str:
        spot, perp = await read_books(self._venue, opportunity.symbol)
        held_open: Decimal | None = None
        if self._policy.parameters.capital_management.max_position_open_interest is not None:
            try:
                held_open = await self._venue.open_interest(opportunity.symbol)
            except VenueError as unreadable:
                return f"its open interest cannot be read: {unreadable}"
        plan = plan_opening(opportunity, spot, perp, observation, ledger, self._policy, open_interest=held_open)
        return plan if isinstance(plan, Open) else plan.detail

    async def _listed_now(self, opportunity: Opportunity) -> Opportunity | str:
        """Return an opportunity with its pair as it is listed now, or why it is not opened.

        The listing that it was chosen by may be minutes old: a market that has closed since then is not tried.
        """
        try:
            pair = await self._venue.pair(opportunity.symbol, fresh=True)
        except VenueError as unreadable:
            return f"its listing cannot be read: {unreadable}"
        if not pair.tradable:
            return f"it does not trade on both markets: spot {pair.spot.status}, perpetual {pair.perp.status}"
        return replace(opportunity, pair=pair)
