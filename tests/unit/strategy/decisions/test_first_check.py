"""What would be done first is computed by the rules that do it: adopt, keep, close, open, or nothing."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.account import AccountView
from hedgerow.domain.events import HaltReason, HedgeAdopted
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.reducers import apply
from hedgerow.domain.ledger.state import Ledger, StandingHalt
from hedgerow.domain.position import Reason
from hedgerow.strategy.decisions.adoption import PositionHistory
from hedgerow.strategy.decisions.first_check import candidate_in, first_check
from hedgerow.strategy.decisions.held import decide_held
from hedgerow.strategy.decisions.verdicts import Adopt, ClosedExternally, NakedForeign, Nothing, Replaced, Unreadable
from hedgerow.strategy.evaluation.exits import kept_until
from hedgerow.strategy.observation import Close, Hold, HoldReason, Observation
from hedgerow.strategy.parameters import PositionManagement, SamePair, StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from support.views import (
    NOW,
    FixedMarket,
    account,
    fill,
    hedge,
    holding,
    ledger_of,
    listing,
    market_of,
    pair_of,
    short_of,
)

GUIDE = VolumeFarming(StrategyParameters())
PAYING = market_of(listing(pair=pair_of()))
COSTING = market_of(listing(pair=pair_of(), rate="-0.0002", predicted="-0.0002"))
BOTH = holding(short_of(quantity="10"), coins="10")
INTERVAL = timedelta(seconds=300)


def seen(
    market: FixedMarket | None = PAYING, view: AccountView | None = BOTH, at: timedelta = timedelta(0)
) -> Observation:
    return Observation(at=NOW + at, market=market, account=view)


def opened(hours: float) -> PositionHistory:
    at = NOW - timedelta(hours=hours)
    return PositionHistory(
        spot_fills=(replace(fill(Market.SPOT, Side.BUY, "10"), at=at),),
        perp_fills=(replace(fill(Market.PERP, Side.SELL, "10"), at=at),),
        payments=(),
    )


def reason_of(found: object, reason: HoldReason) -> str:
    assert isinstance(found, Hold)
    assert found.reason is reason
    return found.detail


# --- adopting --------------------------------------------------------------------------------------------------------


def test_a_sound_hedge_made_by_hand_is_adopted_and_held() -> None:
    both = holding(short_of(quantity="10", leverage=20), coins="10")
    found = first_check(Ledger(), seen(view=both), GUIDE, opened(hours=2))

    assert isinstance(found.verdict, Adopt)
    assert found.adopted is not None
    assert found.adopted.opened_at == NOW - timedelta(hours=2)
    reason_of(found.decision, HoldReason.HEALTHY)


@pytest.mark.parametrize(
    ("market", "hours", "why"), [(COSTING, 1, Reason.NEGATIVE_FUNDING), (PAYING, 30, Reason.MAX_AGE)]
)
def test_a_hedge_that_a_rule_would_close_is_not_said_to_be_held_for_good(
    market: FixedMarket, hours: float, why: Reason
) -> None:
    found = first_check(Ledger(), seen(market), GUIDE, opened(hours=hours))

    assert reason_of(found.decision, HoldReason.JUST_ADOPTED).startswith(f"{why}: ")


def test_an_unreadable_history_counts_from_now() -> None:
    found = first_check(Ledger(), seen(), GUIDE, None)

    assert found.adopted is not None
    assert not found.adopted.history_known
    assert found.adopted.opened_at == NOW


def test_a_position_that_replaced_the_tracked_one_is_adopted_instead() -> None:
    market = market_of(listing(pair=pair_of()), listing(pair=pair_of("BBBUSDT")))
    other = account(short_of("BBBUSDT", "5"), coins={"BBB": "5"})

    found = first_check(ledger_of(hedge("10")), seen(market, other), GUIDE)

    assert isinstance(found.verdict, Replaced)
    assert candidate_in(found.verdict) == found.verdict.candidate
    assert found.adopted is not None
    assert found.adopted.symbol == "BBBUSDT"


# --- everything else -------------------------------------------------------------------------------------------------


def test_what_is_held_is_judged_by_the_rules_of_every_check() -> None:
    found = first_check(ledger_of(hedge("10", hours=30)), seen(), GUIDE)

    assert isinstance(found.decision, Close)
    assert found.decision.reason is Reason.MAX_AGE
    assert candidate_in(found.verdict) is None


def test_a_flat_account_opens_the_best_pair() -> None:
    found = first_check(Ledger(), seen(view=account()), GUIDE)

    assert found.opens is not None
    assert found.opens.symbol == "AAAUSDT"


def test_a_flat_account_without_a_pair_that_passes_opens_nothing() -> None:
    found = first_check(Ledger(), seen(COSTING, account()), GUIDE)

    assert (found.verdict, found.decision, found.opens) == (Nothing(), None, None)


def test_halted_openings_are_named() -> None:
    halted = Ledger(halt=StandingHalt(since=NOW, reason=HaltReason.USER, detail="lunch"))

    assert reason_of(first_check(halted, seen(view=account()), GUIDE).decision, HoldReason.HALTED) == "lunch"


@pytest.mark.parametrize(
    ("ledger", "view", "verdict"),
    [
        (ledger_of(hedge("10")), account(), ClosedExternally),
        (Ledger(), account(short_of(quantity="10")), NakedForeign),
        (Ledger(), None, Unreadable),
    ],
)
def test_what_is_settled_before_any_rule_is_asked_decides_nothing(
    ledger: Ledger, view: AccountView | None, verdict: type
) -> None:
    found = first_check(ledger, seen(view=view), GUIDE)

    assert isinstance(found.verdict, verdict)
    assert (found.adopted, found.decision, found.opens) == (None, None, None)


# --- the rest after an adoption --------------------------------------------------------------------------------------


def adopted(*, hours: float = 30, market: FixedMarket = PAYING) -> Ledger:
    """Return a ledger that adopted a hedge now."""
    found = first_check(Ledger(), seen(market), GUIDE, opened(hours=hours))
    assert found.adopted is not None
    return apply(Ledger(), HedgeAdopted(at=NOW, hedge=found.adopted))


def test_an_adopted_hedge_is_not_closed_by_the_check_that_adopted_it() -> None:
    assert adopted().largest is not None

    text = reason_of(decide_held(seen(), adopted(), GUIDE), HoldReason.JUST_ADOPTED)

    assert text == "maximum age: 30.00 h, at most 24 h; kept until 2026-01-10 12:04:30 UTC"


def test_the_next_check_closes_it_also_when_it_begins_a_little_early() -> None:
    found = decide_held(seen(at=INTERVAL * 0.95), adopted(), GUIDE)

    assert isinstance(found, Close)
    assert found.reason is Reason.MAX_AGE


def test_an_emergency_does_not_wait_for_the_next_check() -> None:
    crashed = market_of(listing(pair=pair_of(), spot=("50", "50"), perp=("100", "100"), mark="75"))
    alone = holding(short_of(quantity="10"), coins="0")

    found = decide_held(seen(crashed, alone), adopted(), GUIDE)

    assert isinstance(found, Close)
    assert found.plan.urgent


def test_counters_that_restart_send_no_order_and_do_not_wait() -> None:
    rolling = VolumeFarming(
        StrategyParameters(
            position_management=PositionManagement(same_pair=SamePair.ROLL, fee_coverage_multiplier=0.01)
        )
    )
    paid = replace(adopted(hours=2).largest or hedge("10"), funding_received=Decimal(100), history_known=True)

    assert not isinstance(decide_held(seen(), ledger_of(paid), rolling), Hold)


def test_a_hedge_that_the_bot_opened_itself_has_no_such_rest() -> None:
    assert kept_until(hedge("10"), NOW, 300) is None


def test_reading_the_history_later_does_not_begin_the_rest_anew() -> None:
    first = adopted().largest
    assert first is not None
    again = apply(ledger_of(first), HedgeAdopted(at=NOW + INTERVAL, hedge=first)).largest
    assert again is not None
    assert again.adopted_at == NOW
