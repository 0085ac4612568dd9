"""Which halt an incident asks for, and how much money may be missing."""

from decimal import Decimal

import pytest

from hedgerow.domain.events import HaltReason
from hedgerow.domain.ledger.state import SELF_LIFTING, Incident, Ledger, StandingHalt
from hedgerow.strategy import observation
from hedgerow.strategy.decisions.brakes import brake_of, is_halted_for, unexplained_loss
from hedgerow.strategy.parameters import AfterEmergency, RiskManagement
from support.views import NOW

WHATEVER_IS_SET = (HaltReason.UNEXPLAINED_LOSS, HaltReason.REPEATED_HEALTH_EXITS)
ALL = [HaltReason.EMERGENCY, HaltReason.LIQUIDATION, HaltReason.LEG_GONE, *WHATEVER_IS_SET]
REST = RiskManagement(after_emergency=AfterEmergency.REST)


def after(reason: HaltReason) -> Ledger:
    return Ledger(incident=Incident(at=NOW, symbol="AAAUSDT", reason=reason, detail="what happened"))


@pytest.mark.parametrize("reason", ALL)
def test_an_incident_halts_and_says_what_happened_where_and_what_to_do(reason: HaltReason) -> None:
    halt = brake_of(after(reason), RiskManagement())
    assert halt is not None
    assert halt.reason is reason
    assert halt.detail.startswith("AAAUSDT at 2026-01-10 12:00:00 UTC, what happened: ")
    assert halt.detail.endswith("`hedgerow resume`")
    assert (brake_of(after(reason), REST) is None) == (reason not in WHATEVER_IS_SET)
    assert brake_of(Ledger(), RiskManagement()) is None


def wanted(reason: HaltReason) -> observation.HaltOpenings:
    return observation.HaltOpenings(reason=reason, detail="")


def test_a_halt_that_lifts_itself_does_not_stand_for_another_one() -> None:
    for reason in HaltReason:
        present = Ledger(halt=StandingHalt(since=NOW, reason=reason, detail=""))
        assert is_halted_for(present, wanted(HaltReason.DAILY_LOSS)) is (reason not in SELF_LIFTING)
        assert is_halted_for(present, wanted(reason))
    assert not is_halted_for(Ledger(), wanted(HaltReason.EMERGENCY))


def test_an_incident_takes_the_place_of_a_halt_by_hand_and_not_of_another_incident() -> None:
    by_hand = Ledger(halt=StandingHalt(since=NOW, reason=HaltReason.USER, detail="lunch"))
    for reason in ALL:
        assert not is_halted_for(by_hand, wanted(reason))
    for reason in (*ALL, HaltReason.ANOTHER_BOT):
        assert is_halted_for(
            Ledger(halt=StandingHalt(since=NOW, reason=reason, detail="")), wanted(HaltReason.EMERGENCY)
        )


@pytest.mark.parametrize(
    ("differences", "equity", "lost"),
    [
        ({"spot:USDT": "-1"}, "100", None),
        ({"spot:USDT": "-1.5"}, "100", "1.50"),
        ({"spot:USDT": "-1.5"}, "10000", None),
        ({"spot:USDT": "-20", "perp:USDT": "20"}, "100", None),
        ({"spot:AAA": "-0.1"}, "100", "10.00"),
        ({"spot:OWNERS": "-1000"}, "100", None),
        ({"spot:USDT": "50"}, "100", None),
        ({"spot:USDT": "-5"}, None, "5.00"),
    ],
)
def test_only_money_that_is_missing_halts(differences: dict[str, str], equity: str | None, lost: str | None) -> None:
    found = unexplained_loss(
        {key: Decimal(value) for key, value in differences.items()},
        {"AAA": Decimal(100)},
        None if equity is None else Decimal(equity),
    )
    assert (found is None) == (lost is None)
    assert found is None or f"${lost} less than the books" in found.detail


def test_missing_money_that_a_person_has_seen_halts_nothing_and_more_of_it_does() -> None:
    def lost(amount: str, accepted: str) -> bool:
        return unexplained_loss({"spot:USDT": Decimal(amount)}, {}, Decimal(100), Decimal(accepted)) is not None

    assert lost("-20", "0")
    assert not lost("-20", "20")
    assert lost("-22", "20")
