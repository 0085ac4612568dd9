"""Changed settings are foreseen by the rules that will decide; what is not safe while a hedge is held is refused."""

from datetime import timedelta
from decimal import Decimal

from msgspec.structs import replace

from hedgerow.domain.events import HaltReason, SettingChange
from hedgerow.domain.ledger.state import Incident, Ledger, StandingHalt, TradingDay
from hedgerow.domain.position import Reason
from hedgerow.strategy.observation import Observation
from hedgerow.strategy.parameters import (
    AfterEmergency,
    CapitalManagement,
    FundingRateStrategy,
    PositionManagement,
    RiskManagement,
    StrategyParameters,
)
from hedgerow.strategy.policies import VolumeFarming
from hedgerow.strategy.settings_changes import (
    NOT_WHILE_HELD,
    ForeseenSettings,
    changes_since,
    foresee_settings,
    refusal_of_changes,
)
from support.views import NOW, account, hedge, holding, ledger_of, listing, market_of, pair_of, short_of

NOW_FORCED = StrategyParameters(funding_rate_strategy=FundingRateStrategy(funding_ma_periods=1))
MARKET = market_of(
    listing(pair=pair_of("AAAUSDT"), rate="0.003", predicted="0.003", volume="9000000"),
    listing(pair=pair_of("BBBUSDT"), rate="0.0002", predicted="0.0002", volume="9000000"),
)
SEEN = Observation(at=NOW, market=MARKET, account=account())
HELD = ledger_of(hedge("10"))


def foreseen(ledger: Ledger | None = None, seen: Observation = SEEN, **changes: object) -> ForeseenSettings:
    then = VolumeFarming(replace(NOW_FORCED, **changes))
    change = SettingChange(name="a.b", before="1", after="2")
    return foresee_settings([change], VolumeFarming(NOW_FORCED), then, seen, ledger or Ledger())


def test_a_setting_that_changes_what_the_stop_measures_waits_until_nothing_is_held() -> None:
    changes = [SettingChange(name="a.b", before="1", after="2")]
    changes += [SettingChange(name=name, before="pair", after="perp_leg") for name in NOT_WHILE_HELD]
    refusal = refusal_of_changes(changes, HELD)
    assert refusal is not None
    assert refusal.startswith("risk_management.stop_on is not changed while AAAUSDT is held: ")
    assert refusal_of_changes(changes, Ledger()) is None
    assert refusal_of_changes(changes[:1], HELD) is None


def test_what_was_logged_last_is_known_better_than_what_was_published_and_what_is_not_known_did_not_change() -> None:
    published = {"same": "1", "published": "1", "logged": "1", "gone": "1"}
    logged = {"logged": "2", "logged alone": "2"}
    now = {"same": "1", "published": "3", "logged": "1", "logged alone": "3", "new": "3"}
    assert changes_since(published, logged, now) == (
        SettingChange(name="published", before="1", after="3"),
        SettingChange(name="logged", before="2", after="1"),
        SettingChange(name="logged alone", before="2", after="3"),
    )
    assert changes_since(published, {}, published) == ()


def test_every_entry_rule_is_judged_by_the_settings_as_they_would_be() -> None:
    stricter = FundingRateStrategy(funding_ma_periods=1, min_funding_apr=9.0)
    found = foreseen(funding_rate_strategy=stricter)
    assert (found.opens_now, found.opens_then) == ("AAAUSDT", "")
    first = found.pairs[0]
    assert (first.symbol, first.now) == ("AAAUSDT", ())
    assert first.then[0].startswith("APR ")
    poor = foreseen(capital_management=CapitalManagement(min_capital_usd=Decimal(10**6), max_capital_usd=None))
    assert (poor.blocked_now, poor.leg_then) == ("", Decimal(0))
    assert "at least $1000000" in poor.blocked_then.replace(",", "")


def test_what_a_held_hedge_would_do_at_the_next_check_is_decided_by_the_rules_themselves() -> None:
    seen = replace(SEEN, account=holding(short_of(quantity="10"), coins="10"))
    found = foreseen(
        ledger_of(hedge("10", hours=5.0)), seen, position_management=PositionManagement(max_position_age_hours=4)
    )
    (judged,) = found.hedges
    assert (judged.symbol, judged.now.action, judged.then.action) == ("AAAUSDT", "hold", "close")
    assert judged.then.reason == Reason.MAX_AGE
    ages = [
        next(each.distance for each in exits if each.distance.rule is Reason.MAX_AGE)
        for exits in (judged.exits_now, judged.exits_then)
    ]
    assert [(each.threshold, each.left == 0) for each in ages] == [(24.0, False), (4.0, True)]


def test_what_could_not_be_read_leaves_the_consequences_unknown() -> None:
    found = foreseen(seen=replace(SEEN, account=None))
    assert (found.missing, found.hedges, found.pairs, found.leg_now) == (("account",), (), (), None)
    assert found.changes


def test_a_halt_that_only_the_changed_settings_ask_for_is_foreseen() -> None:
    incident = Incident(at=NOW, symbol="AAAUSDT", reason=HaltReason.EMERGENCY, detail="-11 %")
    rested = replace(NOW_FORCED, risk_management=RiskManagement(after_emergency=AfterEmergency.REST))
    stopped = foresee_settings([], VolumeFarming(rested), VolumeFarming(NOW_FORCED), SEEN, Ledger(incident=incident))
    assert stopped.halts.startswith("the emergency stop closed a position: AAAUSDT")
    day = TradingDay(begun_at=NOW - timedelta(minutes=1), result=Decimal(9), equity=Decimal(1000))
    limited = RiskManagement(daily_loss_limit_usd=Decimal(5))
    assert "$9.00 lost today" in foreseen(Ledger(day=day), risk_management=limited).halts
    assert foreseen(Ledger(day=day), risk_management=RiskManagement(daily_loss_limit_usd=Decimal(10))).halts == ""
    assert foreseen(risk_management=limited).halts == ""
    halted = Ledger(day=day, halt=StandingHalt(since=NOW, reason=HaltReason.USER, detail="asked"))
    assert foreseen(halted, risk_management=limited).halts == ""
