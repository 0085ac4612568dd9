"""Halts openings after incidents, while the legs of a hedge follow different prices, and when money is missing."""

from decimal import Decimal

from hedgerow.domain import events as ev
from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.instrument import Market
from hedgerow.domain.market import MarketView
from hedgerow.engine.accounting.equity import equity_of
from hedgerow.engine.in_force import PolicyInForce
from hedgerow.engine.journal import Journal
from hedgerow.strategy.decisions.brakes import brake_of, is_halted_for, unexplained_loss
from hedgerow.strategy.evidence.underlying import divergence_of, is_one_price
from hedgerow.strategy.observation import HaltOpenings, Observation

__all__ = ["Brakes"]


class Brakes:
    """Records halts; what they follow from is in the log, but for the last reading of prices that differed."""

    def __init__(self, journal: Journal, in_force: PolicyInForce) -> None:
        self._journal = journal
        self._in_force = in_force
        self._apart: frozenset[str] = frozenset()
        """The hedges whose legs followed different prices at the last check."""
        self._together: frozenset[str] = frozenset()
        """The hedges whose legs followed one price at the last check."""

    async def check(self, observation: Observation, differences: dict[str, Decimal]) -> None:
        """Halt openings where an incident, missing money or prices ask for it; ``differences`` are of the books."""
        halt = (
            brake_of(self._journal.ledger, self._in_force.policy.parameters.risk_management)
            or self._missing_money(observation, differences)
            or self._legs_apart(observation)
        )
        ledger = self._journal.ledger
        if halt is not None and not is_halted_for(ledger, halt):
            present = ledger.halt
            before = (
                f"; halted before: {present.reason} ({present.detail})" if present and not present.lifts_itself else ""
            )
            detail = f"{halt.detail}{before}"
            # An incident may have come to light after the reading began: a halt is no older than its cause.
            at = max(observation.at, ledger.incident.at) if ledger.incident else observation.at
            await self._journal.record(ev.Halted(at=at, reason=halt.reason, detail=detail, amount=halt.amount))
            return
        why = self._legs_together(observation.market) if halt is None else None
        if why is not None:
            await self._journal.record(ev.Lifted(at=observation.at, detail=why))

    def _missing_money(self, observation: Observation, differences: dict[str, Decimal]) -> HaltOpenings | None:
        market = observation.market
        if not differences or market is None:
            return None
        ledger, prices = self._journal.ledger, dict[str, Decimal]()
        for asset in {*ledger.dust, *(hedge.pair.base for hedge in ledger.hedges.values())}:
            quote = market.quote(Market.SPOT, f"{asset}{QUOTE_ASSET}")
            if quote is not None and quote.mid is not None:
                prices[asset] = quote.mid
        equity = equity_of(ledger, observation.account, market)
        return unexplained_loss(differences, prices, equity, ledger.accepted_loss)

    def _legs_apart(self, observation: Observation) -> HaltOpenings | None:
        """Return a halt once two checks in a row saw the legs of a hedge at prices of different things."""
        hedges = self._journal.ledger.open_hedges
        seen = [(hedge, divergence_of(observation.prices(hedge.symbol))) for hedge in hedges]
        apart = [(hedge, text) for hedge, text in seen if text is not None]
        before, self._apart = self._apart, frozenset(hedge.hedge_id for hedge, _ in apart)
        if not apart:
            return None
        twice = [f"{hedge.symbol}: {text}" for hedge, text in apart if hedge.hedge_id in before]
        if not twice:
            return None
        name = " SYMBOL" if len(seen) > 1 else ""
        advice = f"nothing is sold because of it; `hedgerow close{name}` leaves the position"
        return HaltOpenings(reason=ev.HaltReason.LEGS_DIFFER, detail=f"{'; '.join(twice)}; {advice}")

    def _legs_together(self, market: MarketView | None) -> str | None:
        """Return why a halt because of legs that differ ends; None = it stays.

        Two checks in a row saw one price again, or no hedge is left: the prices that differed decide nothing more, and
        keep their pair from being opened. A person who closes it halts openings by that.
        """
        hedges, halt = self._journal.ledger.open_hedges, self._journal.ledger.halt
        if halt is None or halt.reason is not ev.HaltReason.LEGS_DIFFER:
            self._together = frozenset()
            return None
        one = frozenset(each.hedge_id for each in hedges if is_one_price(each.symbol, market))
        before, self._together = self._together, one
        if not hedges:
            return "the position whose legs differed is gone"
        together = all(hedge.hedge_id in before & one for hedge in hedges)
        return "the two legs follow one price again" if together else None
