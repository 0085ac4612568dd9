"""Halts openings after incidents, while the legs of a hedge follow different prices, and when money is missing."""

from decimal import Decimal
from typing import Final

from hedgerow.domain import events as ev
from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.instrument import Market
from hedgerow.domain.market import MarketView
from hedgerow.engine.accounting.equity import equity_of
from hedgerow.engine.in_force import PolicyInForce
from hedgerow.engine.journal import Journal
from hedgerow.strategy.decisions.brakes import brake_of, is_halted_for, unexplained_loss
from hedgerow.strategy.evaluation.exits import PROFIT_ORDER, REASONS
from hedgerow.strategy.evidence.underlying import divergence, is_one_price
from hedgerow.strategy.observation import HaltOpenings, Observation

__all__ = ["Brakes"]

_FOR_PROFIT: Final = frozenset(REASONS[code] for code in PROFIT_ORDER)


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
            or self._legs_apart(observation.market)
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
        elif halt is None and self._legs_together(observation.market):
            await self._journal.record(ev.Lifted(at=observation.at, detail="the two legs follow one price again"))

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

    def _legs_apart(self, market: MarketView | None) -> HaltOpenings | None:
        """Return a halt once two checks in a row saw the legs of a hedge at prices of different things."""
        seen = [(hedge, divergence(hedge.symbol, market)) for hedge in self._journal.ledger.open_hedges]
        apart = [(hedge, text) for hedge, text in seen if text is not None]
        before, self._apart = self._apart, frozenset(hedge.hedge_id for hedge, _ in apart)
        twice = [f"{hedge.symbol}: {text}" for hedge, text in apart if hedge.hedge_id in before]
        if not twice:
            return None
        name = " SYMBOL" if len(seen) > 1 else ""
        advice = f"nothing is sold because of it; `hedgerow close{name}` leaves the position"
        return HaltOpenings(reason=ev.HaltReason.LEGS_DIFFER, detail=f"{'; '.join(twice)}; {advice}")

    def _legs_together(self, market: MarketView | None) -> bool:
        """Return whether a halt because of legs that differ ends: two checks in a row saw one price again.

        So does one check that closed the hedge for profit: it closes none while its legs differ.
        """
        ledger = self._journal.ledger
        hedges, halt = ledger.open_hedges, ledger.halt
        halted = halt is not None and halt.reason is ev.HaltReason.LEGS_DIFFER
        one = frozenset(each.hedge_id for each in hedges if halted and is_one_price(each.symbol, market))
        before, self._together = self._together, one
        if hedges:
            return all(hedge.hedge_id in before & one for hedge in hedges)
        ended = ledger.closed[-1] if ledger.closed else None
        if halt is None or not halted or ended is None:
            return False
        return ended.reason in _FOR_PROFIT and ended.closed_at >= halt.since
