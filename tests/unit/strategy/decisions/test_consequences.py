"""What would follow of a rule: as the bot would do it now, and nothing is made up for a policy that does not say."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from hedgerow.domain.events import HaltReason
from hedgerow.domain.ledger.state import Cooldown, Ledger, StandingHalt
from hedgerow.domain.market import MarketView
from hedgerow.domain.position import Reason
from hedgerow.strategy.decisions.consequences import (
    Consequence,
    ForeseenExit,
    Foresight,
    NextStep,
    Prospects,
    StageAction,
    foreseen_exits,
    prospects_of,
)
from hedgerow.strategy.decisions.distances import ExitDistance, ExitUnit
from hedgerow.strategy.evaluation.ranking import Ranking
from hedgerow.strategy.observation import Evaluation, HealthLevel, HealthReport
from hedgerow.strategy.parameters import (
    AfterEmergency,
    FundingRateStrategy,
    PositionManagement,
    RiskManagement,
    SamePair,
    StrategyParameters,
)
from hedgerow.strategy.policies import VolumeFarming
from support.golden_cases import AT, evaluation, signal
from support.views import NOW, FixedMarket, hedge, ledger_of, listing, market_of, pair_of

ONE_RATE = FundingRateStrategy(funding_ma_periods=1)
HEALTH = HealthReport(level=HealthLevel.OK, imbalance=0.0, liquidation_distance=0.6)
OTHER = Prospects(best_other=signal("ETHUSDT", apr=0.3))
BEST = replace(OTHER, still_best=True)
HALTED = Ledger(halt=StandingHalt(since=AT, reason=HaltReason.USER, detail="asked"))


def market(**volumes: str) -> FixedMarket:
    """Return AAA, BBB, CCC, the first the most attractive; one with no volume does not pass."""
    rates = {"AAA": "0.003", "BBB": "0.002", "CCC": "0.001"}
    return market_of(
        *(
            listing(pair=pair_of(f"{base}USDT"), rate=rate, predicted=rate, volume=volumes.get(base, "9000000"))
            for base, rate in rates.items()
        )
    )


def policy(**changes: Any) -> VolumeFarming:
    return VolumeFarming(StrategyParameters(funding_rate_strategy=ONE_RATE, **changes))


def foresight(prospects: Prospects = OTHER, ledger: Ledger | None = None, **changes: Any) -> Foresight:
    return foreseen_exits(policy(**changes), market(), evaluation(), HEALTH, prospects, ledger or Ledger())


def follows(rule: Reason, *given: Any, **changes: Any) -> Consequence | None:
    return next(each for each in foresight(*given, **changes).exits if each.distance.rule is rule).consequence


@pytest.mark.parametrize(
    ("held", "volumes", "other", "still_best"),
    [
        ("AAAUSDT", {}, "BBBUSDT", True),
        ("BBBUSDT", {}, "AAAUSDT", False),
        ("AAAUSDT", {"BBB": "1"}, "CCCUSDT", True),
        ("AAAUSDT", {"AAA": "1"}, "BBBUSDT", False),
        ("AAAUSDT", {"BBB": "1", "CCC": "1"}, None, True),
    ],
)
def test_what_may_be_opened_instead_passes_the_entry_filters(
    held: str, volumes: dict[str, str], other: str | None, *, still_best: bool
) -> None:
    found = prospects_of(policy(), market(**volumes), held, Ledger())
    assert (found.best_other.symbol if found.best_other else None, found.still_best) == (other, still_best)


def test_a_pair_that_another_hedge_holds_or_that_rests_is_not_opened_instead() -> None:
    taken = ledger_of(hedge("10", pair=pair_of("BBBUSDT")))
    found = prospects_of(policy(), market(), "AAAUSDT", taken)
    assert found.best_other is not None
    assert found.best_other.symbol == "CCCUSDT"
    rests = Ledger(cooldowns={"BBBUSDT": Cooldown(since=NOW - timedelta(minutes=1), reason=Reason.HEALTH, count=1)})
    found = prospects_of(policy(), market(), "AAAUSDT", rests)
    assert found.best_other is not None
    assert found.best_other.symbol == "CCCUSDT"


def test_a_pair_that_could_not_be_opened_is_not_opened_instead_and_a_held_one_stays() -> None:
    found = prospects_of(policy(), market(), "AAAUSDT", Ledger(), {"AAAUSDT", "BBBUSDT"})
    assert found.still_best
    assert found.best_other is not None
    assert found.best_other.symbol == "CCCUSDT"


def test_a_pair_that_is_no_longer_listed_is_not_opened() -> None:
    unlisted = market()
    gone = replace(unlisted, pairs=unlisted.pairs[1:])
    assert prospects_of(_Keeps(policy(), unlisted), gone, "CCCUSDT", Ledger()).best_other is not None


class _Keeps(VolumeFarming):
    """A policy that ranks a market of before."""

    def __init__(self, other: VolumeFarming, before: MarketView) -> None:
        super().__init__(other.parameters)
        self._before = before

    def rank(self, market: MarketView) -> Ranking:  # noqa: ARG002 - that is the point
        return super().rank(self._before)


@pytest.mark.parametrize(
    ("rule", "prospects", "changes", "expected"),
    [
        (Reason.FEES_COVERED, BEST, {}, Consequence(step=NextStep.REOPEN)),
        (
            Reason.FEES_COVERED,
            BEST,
            {"position_management": PositionManagement(same_pair=SamePair.ROLL)},
            Consequence(step=NextStep.ROLL),
        ),
        (
            Reason.FEES_COVERED,
            OTHER,
            {"position_management": PositionManagement(same_pair=SamePair.ROLL)},
            Consequence(step=NextStep.ROTATE, pair="ETHUSDT"),
        ),
        (Reason.MAX_AGE, BEST, {}, Consequence(step=NextStep.REOPEN)),
        (Reason.MAX_AGE, Prospects(), {}, Consequence(step=NextStep.CLOSE)),
        (Reason.BETTER_PAIR, BEST, {}, Consequence(step=NextStep.ROTATE, pair="ETHUSDT")),
        (Reason.NEGATIVE_FUNDING, BEST, {}, Consequence(step=NextStep.ROTATE, pair="ETHUSDT")),
        (Reason.LIQUIDATION_NEAR, OTHER, {}, Consequence(step=NextStep.ROTATE, pair="ETHUSDT")),
        (Reason.EMERGENCY_STOP, OTHER, {}, Consequence(step=NextStep.CLOSE, halts=True)),
        (
            Reason.EMERGENCY_STOP,
            OTHER,
            {"risk_management": RiskManagement(after_emergency=AfterEmergency.REST)},
            Consequence(step=NextStep.ROTATE, pair="ETHUSDT"),
        ),
    ],
)
def test_what_would_follow_is_what_the_settings_say(
    rule: Reason, prospects: Prospects, changes: dict[str, Any], expected: Consequence
) -> None:
    assert follows(rule, prospects, **changes) == expected


def test_nothing_is_opened_after_an_exit_while_openings_are_halted() -> None:
    assert follows(Reason.MAX_AGE, BEST, HALTED) == Consequence(step=NextStep.CLOSE)
    roll = {"position_management": PositionManagement(same_pair=SamePair.ROLL)}
    assert follows(Reason.FEES_COVERED, BEST, HALTED, **roll) == Consequence(step=NextStep.ROLL)


def test_what_is_done_on_the_way_to_a_safety_rule_is_named_with_its_limit() -> None:
    stages = {each.distance.rule: each.stages for each in foresight().exits}
    assert [(each.threshold, each.action) for each in stages[Reason.LIQUIDATION_NEAR]] == [
        (0.25, StageAction.TOP_UP),
        (0.20, StageAction.REDUCE),
        (0.15, StageAction.CLOSE),
    ]
    assert [each.threshold for each in stages[Reason.IMBALANCE]] == [0.02, 0.10]
    assert stages[Reason.MAX_AGE] == ()


def test_a_policy_that_does_not_foresee_its_exits_is_said_not_to() -> None:
    found = foresight(policy="mine.Policy")
    assert not found.profit_rules_known
    assert {each.distance.rule for each in found.exits} == {
        Reason.EMERGENCY_STOP,
        Reason.LIQUIDATION_NEAR,
        Reason.IMBALANCE,
    }
    assert foresight().profit_rules_known


class _Foresees(VolumeFarming):
    """A policy with one rule of its own."""

    def foreseen_exits(self, evaluation: Evaluation, ranking: Ranking, market: MarketView) -> Sequence[ForeseenExit]:
        assert (len(ranking.ordered), len(market.pairs)) == (3, 3)
        own = ExitDistance(rule=Reason.MAX_AGE, unit=ExitUnit.HOURS, value=1.0, threshold=2.0, left=0.5)
        unseen = replace(own, value=None, left=None)
        return [ForeseenExit(distance=unseen), ForeseenExit(distance=replace(own, value=evaluation.age_hours))]


def test_the_rules_of_a_policy_of_ones_own_stand_among_those_of_safety() -> None:
    parameters = StrategyParameters(funding_rate_strategy=ONE_RATE, policy="mine.Policy")
    found = foreseen_exits(_Foresees(parameters), market(), evaluation(), HEALTH, OTHER, Ledger())
    assert found.profit_rules_known
    assert found.exits[0].distance.rule is Reason.MAX_AGE
    assert found.exits[0].consequence is None
    assert found.exits[-1].distance.left is None
