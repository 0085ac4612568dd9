"""Forecast of the first check for ``doctor``: what it would adopt, hold, close or open, by the check's own rules."""

from datetime import datetime

from hedgerow.app.findings.account import ok, problem, unread, warning
from hedgerow.app.findings.keys import DoctorFinding
from hedgerow.domain.account import AccountView
from hedgerow.domain.errors import VenueError
from hedgerow.domain.formats import amount, percent, quantity
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.market import MarketView
from hedgerow.domain.position import HedgedPosition
from hedgerow.engine.accounting.position_history import read_history
from hedgerow.ports import Venue
from hedgerow.strategy.decisions.first_check import FirstCheck, candidate_in, first_actionable, first_check
from hedgerow.strategy.decisions.reconcile import reconcile
from hedgerow.strategy.decisions.verdicts import ClosedExternally, HalfOpen, InFlight, Unreadable, halt_for
from hedgerow.strategy.observation import Close, Decision, Hold, HoldReason, Observation, Reduce, TopUpMargin, Trim
from hedgerow.strategy.policy import Policy

__all__ = ["first_check_finding", "forecast"]

SUBJECT = "first check"
SECONDS_PER_HOUR = 3600


async def forecast(
    venue: Venue,
    ledger: Ledger | None,
    policy: Policy,
    read: tuple[MarketView | VenueError, AccountView | VenueError],
) -> DoctorFinding:
    """Return what the first check would do with what was ``read`` of market and account; changes nothing."""
    market, account = read
    if isinstance(account, VenueError):
        return unread(SUBJECT, account)
    known = ledger or Ledger()
    unreadable = (f"market: {market}",) if isinstance(market, VenueError) else ()
    view = None if isinstance(market, VenueError) else market
    observation = Observation(at=account.at, market=view, account=account, unread=unreadable)
    management = policy.parameters.position_management
    candidate = candidate_in(
        first_actionable(reconcile(known, account, view, management.adopt, management.max_positions))
    )
    history = None
    if candidate is not None:
        try:
            history = await read_history(venue, candidate, account.at)
        except VenueError:
            history = None  # the check adopts without it, and reads it again later
    found = first_check(known, observation, policy, history)
    return first_check_finding(found, at=account.at)


def first_check_finding(found: FirstCheck, *, at: datetime) -> DoctorFinding:
    """Return what the first check would do."""
    if found.adopted is not None:
        return _adopting(found.adopted, found.decision, at)
    if found.held is not None and found.decision is not None:
        return _holding(found.held.symbol, found.decision)
    if isinstance(found.decision, Hold):
        return ok(SUBJECT, f"opens nothing: {_because(found.decision)}")
    if found.opens is not None:
        apr = percent(found.opens.signal.apr)
        return ok(SUBJECT, f"opens {found.opens.symbol} at {apr} APR, if its books are deep enough")
    return _verdict(found)


def _adopting(hedge: HedgedPosition, decision: Decision | None, at: datetime) -> DoctorFinding:
    age = (at - hedge.opened_at).total_seconds() / SECONDS_PER_HOUR
    past = f"opened {age:.1f} h ago, {amount(hedge.funding_received)} of funding received"
    if not hedge.history_known:
        past = "its history cannot be read: age and funding count from now"
    what = f"adopts {hedge.symbol} ({quantity(hedge.short)} on both legs, {past})"
    if isinstance(decision, Hold) and decision.reason is HoldReason.HEALTHY:
        return ok(SUBJECT, f"{what} and holds it")
    fix = "change that setting, set adopt to never, or close the position manually"
    if isinstance(decision, Hold) and decision.reason is HoldReason.JUST_ADOPTED:
        why = decision.detail.rpartition(";")[0]
        return warning(
            SUBJECT, f"{what}, keeps it until the next one, and that one closes it: {why}", f"to keep it, {fix}"
        )
    return warning(SUBJECT, f"{what}, then {_action(decision)}", fix)


def _holding(symbol: str, decision: Decision) -> DoctorFinding:
    if isinstance(decision, Hold) and decision.reason is HoldReason.HEALTHY:
        return ok(SUBJECT, f"holds {symbol}: {decision.reason}")
    return warning(
        SUBJECT, f"{symbol}: {_action(decision)}", "this is what its rules ask for: hedgerow config shows them"
    )


def _action(decision: Decision | None) -> str:
    if isinstance(decision, Close):
        return f"closes it: {_with_detail(decision.reason, decision.detail)}"
    if isinstance(decision, Hold):
        return f"holds it: {_because(decision)}"
    if isinstance(decision, Trim):
        return f"trims the {decision.market} leg ({decision.detail})"
    if isinstance(decision, Reduce):
        return f"reduces both legs ({decision.detail})"
    if isinstance(decision, TopUpMargin):
        return f"moves USDT to the perpetual wallet ({decision.detail})"
    return "restarts its counters"


def _because(hold: Hold) -> str:
    return _with_detail(hold.reason, hold.detail)


def _with_detail(reason: str, detail: str) -> str:
    return f"{reason} ({detail})" if detail else reason


def _verdict(found: FirstCheck) -> DoctorFinding:
    """Return what follows from a verdict without a held hedge to judge; halts have their own finding."""
    halt, verdict = halt_for(found.verdict), found.verdict
    if halt is not None:
        return ok(SUBJECT, f"opens nothing: openings are halted, {halt.reason}")
    if isinstance(verdict, HalfOpen):
        text = f"closes what is left of {verdict.symbol}: its {verdict.market} leg is incomplete"
        return problem(SUBJECT, text, "start the bot now, or close the other leg manually: it is not hedged")
    if isinstance(verdict, ClosedExternally):
        return warning(
            SUBJECT, f"removes {verdict.symbol} from the log: it is no longer on the exchange", "hedgerow books"
        )
    if isinstance(verdict, InFlight):
        return ok(SUBJECT, "finishes the trade in flight first")
    if isinstance(verdict, Unreadable):
        return ok(SUBJECT, f"decides nothing: {verdict.what} unreadable")
    return ok(SUBJECT, "opens nothing: no pair passes every filter")
