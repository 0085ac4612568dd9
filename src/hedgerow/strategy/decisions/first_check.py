"""What the first check of a bot would do, by the rules of the check itself."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.account import AccountView
from hedgerow.domain.events import HedgeAdopted
from hedgerow.domain.ledger.reducers import apply
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.position import HedgedPosition
from hedgerow.strategy.decisions.adoption import PositionHistory, adoption
from hedgerow.strategy.decisions.entry import openings_blocked, shortlist
from hedgerow.strategy.decisions.held import decide_held
from hedgerow.strategy.decisions.reconcile import reconcile
from hedgerow.strategy.decisions.review import reviews
from hedgerow.strategy.decisions.verdicts import Adopt, Candidate, Consistent, Nothing, Replaced, Verdict
from hedgerow.strategy.observation import Decision, Observation, Opportunity
from hedgerow.strategy.policy import Policy

__all__ = ["FirstCheck", "candidate_in", "first_actionable", "first_check"]


class FirstCheck(Struct, frozen=True, kw_only=True):
    """The verdict on what is there, and what would be done about it."""

    verdict: Verdict
    adopted: HedgedPosition | None = None
    """The hedge that would be adopted, with its age, fees and funding."""
    held: HedgedPosition | None = None
    """Of the open hedges, the one that is decided about first."""
    decision: Decision | None = None
    """About the hedge that is held then; of a flat account why nothing is opened; None = nothing is decided."""
    opens: Opportunity | None = None
    """What would be opened, if its books are deep enough."""


def first_actionable(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the first verdict that asks for something; else the first one."""
    return next((each for each in verdicts if not isinstance(each, Consistent | Nothing)), verdicts[0])


def candidate_in(verdict: Verdict) -> Candidate | None:
    """Return what a verdict would adopt."""
    return verdict.candidate if isinstance(verdict, Adopt | Replaced) else None


def first_check(
    ledger: Ledger, observation: Observation, policy: Policy, history: PositionHistory | None = None
) -> FirstCheck:
    """Return what the first check would do; ``history`` is that of the position it would adopt, None = unreadable."""
    account, mode = observation.account, policy.parameters.position_management.adopt
    slots = policy.parameters.position_management.max_positions
    verdict = first_actionable(reconcile(ledger, account, observation.market, mode, slots))
    candidate = candidate_in(verdict)
    if account is not None and candidate is not None:
        hedge = _adopted(candidate, history, observation, policy)
        # A position that another one replaces is let go of first.
        free = replace(ledger, hedges={}) if isinstance(verdict, Replaced) else ledger
        held = apply(free, HedgeAdopted(at=observation.at, hedge=hedge))
        adopted, seen = held.hedges[hedge.hedge_id], _at_one_time_leverage(observation, account, hedge.symbol)
        return FirstCheck(verdict=verdict, adopted=adopted, decision=decide_held(seen, held, policy, hedge=adopted))
    if isinstance(verdict, Consistent):
        first = reviews(observation, ledger, policy)[0]
        return FirstCheck(verdict=verdict, held=first.hedge, decision=first.decision)
    if not isinstance(verdict, Nothing):
        return FirstCheck(verdict=verdict)
    blocked = openings_blocked(observation, ledger, policy)
    if blocked is not None:
        return FirstCheck(verdict=verdict, decision=blocked)
    return FirstCheck(verdict=verdict, opens=next(shortlist(observation, ledger, policy), None))


def _at_one_time_leverage(observation: Observation, account: AccountView, symbol: str) -> Observation:
    """Return the observation as it is once the leverage was set to 1, which comes before an adoption."""
    positions = {**account.positions, symbol: replace(account.positions[symbol], leverage=1)}
    return replace(observation, account=replace(account, positions=positions))


def _adopted(
    candidate: Candidate, history: PositionHistory | None, observation: Observation, policy: Policy
) -> HedgedPosition:
    signal = policy.rank(observation.market).held_signal(candidate.symbol) if observation.market else None
    return adoption(candidate, history, hedge_id="first-check", at=observation.at, signal=signal)
