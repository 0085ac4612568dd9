"""What would follow from changed settings is said rule by rule, and nothing is said that would not change."""

from datetime import timedelta
from decimal import Decimal

from hedgerow.dashboard.settings_lines import NOTHING, foreseen_lines
from hedgerow.domain.events import SettingChange
from hedgerow.domain.position import Reason
from hedgerow.strategy.decisions.consequences import Consequence, ForeseenExit, NextStep
from hedgerow.strategy.decisions.distances import ExitDistance, ExitUnit
from hedgerow.strategy.settings_changes import (
    DecisionForeseen,
    EntryForeseen,
    ForeseenSettings,
    HedgeForeseen,
)
from support.views import NOW

CHANGES = (SettingChange(name="a.b", before="1", after="2"),)
HOLD = DecisionForeseen(action="hold", reason="healthy")


def rule(threshold: float, left: float, reason: Reason = Reason.MAX_AGE) -> ForeseenExit:
    distance = ExitDistance(rule=reason, unit=ExitUnit.HOURS, value=5.0, threshold=threshold, left=left)
    return ForeseenExit(distance=distance, consequence=Consequence(step=NextStep.ROTATE, pair="BBBUSDT"))


def lines(then: DecisionForeseen, now: ForeseenExit, after: ForeseenExit) -> tuple[str, ...]:
    hedge = HedgeForeseen(
        hedge_id="h",
        symbol="AAAUSDT",
        now=HOLD,
        then=then,
        exits_now=(now,),
        exits_then=(after, rule(9, 1.0, Reason.HEALTH)),
    )
    return foreseen_lines(ForeseenSettings(at=NOW, changes=CHANGES, hedges=(hedge,)))


def test_a_rule_that_would_hold_at_once_is_said_with_what_follows() -> None:
    close = DecisionForeseen(action="close", reason="age", detail="5 h")
    decided, age = lines(close, rule(24, 0.8), rule(4, 0.0))
    assert decided == "AAAUSDT: the next check would decide close (age: 5 h); now it decides hold (healthy)."
    would = "AAAUSDT: age 5.0 h of 4.0 h, now of 24.0 h: it would hold at once"
    assert age == f"{would}. When it holds: closed, then BBBUSDT is opened."
    assert lines(HOLD, rule(4, 0.0), rule(24, 0.8))[0].startswith(
        "AAAUSDT: age 5.0 h of 24.0 h, now of 4.0 h: it would no longer hold."
    )
    assert lines(HOLD, rule(9, 1.0), rule(9, 1.0)) == (NOTHING,)


def test_pairs_that_would_pass_or_be_refused_are_named() -> None:
    pairs = (
        EntryForeseen(symbol="AAAUSDT", now=(), then=("APR 10.00% below 15.00%",)),
        *(EntryForeseen(symbol=f"{n}USDT", now=("spread",), then=()) for n in "BCDEFG"),
        EntryForeseen(symbol="ZUSDT", now=("x",), then=("y",)),
    )
    found = ForeseenSettings(
        at=NOW + timedelta(),
        changes=CHANGES,
        pairs=pairs,
        blocked_now="held: AAAUSDT",
        opens_now="",
        opens_then="BUSDT",
        leg_now=Decimal(100),
        leg_then=Decimal(50),
        halts="daily loss",
    )
    assert foreseen_lines(found) == (
        "6 of 8 pairs would pass the entry rules; 1 do now.",
        "They would pass: BUSDT, CUSDT, DUSDT, EUSDT, FUSDT and 1 more.",
        "They would be refused: AAAUSDT (APR 10.00% below 15.00%).",
        "Openings would be possible; now: held: AAAUSDT.",
        "Opened next: BUSDT; now: no pair.",
        "One leg of the next hedge: $50.00; now: $100.00.",
        "Openings would be halted: daily loss.",
    )
    blocked = foreseen_lines(ForeseenSettings(at=NOW, changes=CHANGES, blocked_then="capital: too little"))
    assert blocked == ("Nothing would be opened: capital: too little.",)


def test_what_could_not_be_read_is_said_instead_of_no_consequence() -> None:
    found = ForeseenSettings(at=NOW, changes=CHANGES, missing=("account",))
    assert foreseen_lines(found) == ("What would follow is not known: account could not be read.",)
