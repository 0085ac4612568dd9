"""What events leave behind for future openings."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from hedgerow.domain import events as ev
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.reducers import apply, fold
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.order import ForcedTrade
from hedgerow.domain.position import Reason
from support.views import NOW, fill, hedge, ledger_of, opening_of

HELD = ledger_of(hedge("10"))
SYMBOL = "AAAUSDT"


def closed(reason: Reason, ledger: Ledger = HELD, hedge_id: str = "h1") -> Ledger:
    return apply(ledger, ev.HedgeClosed(at=NOW, hedge_id=hedge_id, reason=reason))


def test_an_emergency_and_a_lost_leg_are_incidents_and_other_endings_are_none() -> None:
    for reason in Reason:
        found = closed(reason).incident
        wanted = {
            Reason.EMERGENCY_STOP: ev.HaltReason.EMERGENCY,
            Reason.LEG_GONE: ev.HaltReason.LEG_GONE,
            Reason.LIQUIDATED: ev.HaltReason.LIQUIDATION,
        }
        assert (None if found is None else found.reason) == wanted.get(reason)
    assert closed(Reason.EMERGENCY_STOP, hedge_id="other") == apply(
        HELD, ev.HedgeClosed(at=NOW, hedge_id="other", reason=Reason.USER)
    )


def test_bad_endings_are_counted_and_a_good_one_ends_the_count() -> None:
    ledger = closed(Reason.HEALTH)
    assert (ledger.cooldowns[SYMBOL].count, ledger.cooldowns[SYMBOL].reason) == (1, Reason.HEALTH)
    again = closed(Reason.IMBALANCE, ledger_of(HELD.largest, cooldowns=ledger.cooldowns))
    assert again.cooldowns[SYMBOL].count == 2
    assert closed(Reason.MAX_AGE, ledger_of(HELD.largest, cooldowns=again.cooldowns)).cooldowns == {}
    lost = apply(HELD, ev.HedgeLost(at=NOW, hedge_id="h1", reason=Reason.CLOSED_EXTERNALLY))
    assert lost.cooldowns[SYMBOL].reason is Reason.CLOSED_EXTERNALLY
    assert lost.incident is None


def test_an_opening_that_failed_is_forgotten_once_one_succeeds_and_a_bad_health_is_not() -> None:
    opening = opening_of(hedge("10"))
    aborted = ev.HedgeAborted(at=NOW, hedge_id="h1", reason=Reason.REFUSED, detail="-2010")
    failed = apply(opening, aborted)
    assert failed.cooldowns[SYMBOL].detail == "-2010"
    opened = ev.HedgeOpened(at=NOW, hedge_id="h1")
    assert apply(opening_of(hedge("10"), cooldowns=failed.cooldowns), opened).cooldowns == {}
    sick = closed(Reason.HEALTH).cooldowns
    assert apply(opening_of(hedge("10"), cooldowns=sick), opened).cooldowns == sick
    assert apply(opening_of(hedge("10")), opened).cooldowns == {}
    for stray in (aborted, opened):
        assert apply(Ledger(), stray).cooldowns == {}


def exits(*hours: float, reason: Reason = Reason.HEALTH, ledger: Ledger = HELD) -> Ledger:
    """Return the ledger after positions were closed so many hours after the first."""
    for each in hours:
        ledger = ledger_of(HELD.largest, health_exits=ledger.health_exits, incident=ledger.incident)
        ledger = apply(ledger, ev.HedgeClosed(at=NOW + timedelta(hours=each), hedge_id="h1", reason=reason))
    return ledger


def test_the_third_exit_for_bad_health_within_a_day_is_an_incident() -> None:
    assert exits(0, 10).incident is None
    third = exits(0, 10, 23.9)
    assert third.incident is not None
    assert third.incident.reason is ev.HaltReason.REPEATED_HEALTH_EXITS
    assert third.incident.detail == "health, 3 such exits within a day"
    assert exits(0, 10, 23, reason=Reason.IMBALANCE).incident is not None
    assert exits(0, 10, 24).incident is None
    assert exits(0, 10, 24, 33.9).incident is not None
    assert exits(0, 1, 2, reason=Reason.MAX_AGE).health_exits == ()


def test_exits_for_bad_health_are_counted_anew_after_a_person_resumed() -> None:
    halted = apply(exits(0, 1, 2), ev.Halted(at=NOW, reason=ev.HaltReason.REPEATED_HEALTH_EXITS, detail=""))
    resumed = apply(halted, ev.Lifted(at=NOW, detail="by hand"))
    assert (resumed.incident, resumed.health_exits) == (None, ())
    assert exits(3, 4, ledger=resumed).incident is None


def test_forced_trades_and_changes_without_a_trade_are_incidents_and_trades_by_hand_are_none() -> None:
    def elsewhere(*, late: bool = False, **changes: Any) -> ev.ExternalFills:
        trade = fill(Market.PERP, Side.BUY, "2", **{"trade_id": 77, **changes})
        return ev.ExternalFills(at=NOW, hedge_id="h1", fills=(trade,), cause="half open", late=late)

    forced = apply(HELD, elsewhere(forced_trade=ForcedTrade.AUTO_DELEVERAGING))
    assert forced.incident is not None
    assert (forced.incident.reason, forced.incident.detail) == (
        ev.HaltReason.LIQUIDATION,
        "auto-deleveraging: perp BUY 2",
    )
    assumed = apply(HELD, elsewhere(trade_id=-5))
    assert assumed.incident is not None
    assert assumed.incident.reason is ev.HaltReason.UNEXPLAINED_LOSS
    moved = fill(Market.SPOT, Side.SELL, "2", trade_id=-5)
    away = ev.ExternalFills(at=NOW, hedge_id="h1", fills=(moved,), cause="half open")
    assert apply(HELD, away).incident is None, "coins may be moved without a trade"
    assert apply(HELD, elsewhere()).incident is None
    assert apply(HELD, elsewhere(late=True, trade_id=-5)).incident is None
    assert apply(Ledger(), elsewhere(forced_trade=ForcedTrade.AUTO_DELEVERAGING)).incident is None
    assert apply(forced, elsewhere(forced_trade=ForcedTrade.AUTO_DELEVERAGING)).incident == forced.incident
    first = closed(Reason.LEG_GONE, forced)
    assert first.incident == forced.incident, "the first one is what happened"


def test_an_incident_ends_when_a_person_lifts_it() -> None:
    lifted = fold([ev.Lifted(at=NOW, detail="by hand")], closed(Reason.EMERGENCY_STOP))
    assert lifted.incident is None
    assert lifted.cooldowns != {}


def test_missing_money_is_accepted_by_the_person_who_resumes() -> None:
    halted = ev.Halted(at=NOW, reason=ev.HaltReason.UNEXPLAINED_LOSS, detail="", amount=Decimal(20))
    seen = fold([halted, ev.Lifted(at=NOW, detail="by hand")])
    assert seen.accepted_loss == 20
    again = ev.Halted(at=NOW, reason=ev.HaltReason.USER, detail="")
    assert fold([again, ev.Lifted(at=NOW, detail="by hand")], seen).accepted_loss == 20


def test_a_halt_that_lifts_itself_ends_no_incident() -> None:
    doubt = ev.Halted(at=NOW, reason=ev.HaltReason.ACCOUNT_IN_DOUBT, detail="")
    after = fold([doubt, ev.Lifted(at=NOW, detail="")], closed(Reason.EMERGENCY_STOP))
    assert after.halt is None
    assert after.incident is not None


def test_a_deferred_exit_is_remembered_until_its_hedge_ends_or_its_reason_goes() -> None:
    until = NOW + timedelta(hours=8)
    waits = ev.ExitDeferred(at=NOW, hedge_id="h1", reason=Reason.MAX_AGE, detail="wide", until=until)
    waiting = apply(HELD, waits)
    deferral = waiting.deferrals["h1"]
    assert (deferral.since, deferral.until) == (NOW, until)
    assert apply(Ledger(), waits).deferrals == {}
    assert closed(Reason.MAX_AGE, waiting).deferrals == {}
    assert apply(waiting, ev.ExitDeferralEnded(at=NOW, hedge_id="h1")).deferrals == {}
