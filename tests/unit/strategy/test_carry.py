from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from hedgerow.domain.position import Reason
from hedgerow.strategy.evaluation.exits import Exit
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import Carry, load_policy
from hedgerow.strategy.policy import Policy, settled_rates
from support.golden_cases import evaluation
from support.views import NOW, FixedMarket, listing, market_of, pair_of, prints

GUIDE = StrategyParameters()
DAILY = 3 * 365


def market(**rates: str) -> FixedMarket:
    """Return a market of pairs that have settled at one rate for 70 days."""
    listings = [listing(pair=pair_of(symbol), rate=rate, prints=210) for symbol, rate in rates.items()]
    return market_of(*listings)


def reviewed(policy: Carry, seen: FixedMarket, symbol: str = "AAAUSDT", **changes: Any) -> Exit | None:
    ranking = policy.rank(seen)
    changes = {"symbol": symbol, "at": NOW, "signal": ranking.held_signal(symbol), **changes}
    return policy.review(evaluation(**changes), ranking, seen)


def round_trip() -> float:
    pair = pair_of("AAAUSDT")
    return 2 * float(pair.spot.fees.taker + pair.perp.fees.taker)


def test_it_is_built_in_and_reads_three_half_lives() -> None:
    policy = load_policy("carry", replace(GUIDE, policy="carry", policy_settings={"half_life_days": Decimal(10)}))
    assert isinstance(policy, Carry)
    assert isinstance(policy, Policy)
    assert policy.parameters.policy == "carry"
    assert settled_rates(policy) == 90
    assert settled_rates(Carry(GUIDE, Carry.Settings(half_life_days=1.0))) == 30
    assert policy.capital(Decimal(1000), Decimal(900)) > 0


def test_an_old_rate_weighs_half_as_much_as_one_a_half_life_younger() -> None:
    seen = market(AAAUSDT="0.0001")
    old_and_new = prints("AAAUSDT", "0.0004", *["0.0001"] * 30)
    signal = (
        Carry(GUIDE, Carry.Settings(half_life_days=10.0))
        .rank(replace(seen, rates=replace(seen.rates, settled={"AAAUSDT": old_and_new})))
        .ordered[0]
    )
    weights = [0.5 ** (8 * age / 240) for age in range(31)]
    expected = (0.0001 * sum(weights[:30]) + 0.0004 * weights[30]) / sum(weights)
    assert signal.mean == pytest.approx(expected)
    assert signal.apr == pytest.approx(expected * DAILY)
    assert signal.stdev > 0


def test_a_pair_must_be_expected_to_pay_for_cash_costs_and_margin() -> None:
    policy = Carry(GUIDE)
    needed = 0.08 + 1.5 * round_trip() * 365 / 21
    for apr, refused in ((needed + 0.001, False), (needed - 0.001, True)):
        seen = market(AAAUSDT=f"{apr / DAILY:.10f}")
        found = policy.refusals(seen.pairs[0], policy.rank(seen), seen)
        assert bool(found) is refused


def test_too_little_history_is_no_signal_for_an_opening_but_judges_what_is_held() -> None:
    policy = Carry(GUIDE)
    few = market_of(listing(pair=pair_of("AAAUSDT"), rate="0.01", prints=29))
    ranking = policy.rank(few)
    assert ranking.ordered == ()
    assert ranking.missing["AAAUSDT"] == "29 of 30 settled rates"
    held = ranking.held_signal("AAAUSDT")
    assert held is not None
    assert held.periods == 29
    assert policy.refusals(few.pairs[0], ranking, few)
    none = replace(few, rates=replace(few.rates, settled={}))
    assert policy.rank(none).missing["AAAUSDT"] == "no settled rate"


def test_a_rate_that_is_not_listed_yet_keeps_a_pair_from_being_opened() -> None:
    seen = market(AAAUSDT="0.001")
    late = replace(seen, rates=replace(seen.rates, overdue={"AAAUSDT": NOW}))
    ranking = Carry(GUIDE).rank(late)
    assert ranking.ordered == ()
    assert "is not listed yet" in ranking.missing["AAAUSDT"]


def test_what_was_paid_and_how_old_it_is_end_nothing() -> None:
    seen = market(AAAUSDT="0.0001")
    held: dict[str, Any] = {
        "counted_hours": 9000.0,
        "age_hours": 9000.0,
        "coverage": 50.0,
        "funding_received": Decimal(500),
    }
    assert reviewed(Carry(GUIDE), seen, **held) is None


def test_it_leaves_for_cash_only_below_the_band_under_the_hurdle() -> None:
    lowest = 0.08 - 0.5 * round_trip() * 365 / 21
    assert reviewed(Carry(GUIDE), market(AAAUSDT=f"{(lowest + 0.001) / DAILY:.10f}")) is None
    left = reviewed(Carry(GUIDE), market(AAAUSDT=f"{(lowest - 0.001) / DAILY:.10f}"))
    assert left is not None
    assert left.reason is Reason.NEGATIVE_FUNDING
    assert left.target is None


def test_it_changes_to_a_pair_that_pays_for_the_change_and_no_earlier() -> None:
    gain = 1.5 * round_trip() * 365 / 21
    for more, changes in ((gain + 0.001, True), (gain - 0.001, False)):
        seen = market(AAAUSDT=f"{0.2 / DAILY:.10f}", BBBUSDT=f"{(0.2 + more) / DAILY:.10f}")
        left = reviewed(Carry(GUIDE), seen)
        assert (left is not None) is changes
        if left is not None:
            assert left.reason is Reason.BETTER_PAIR
            assert left.target is not None
            assert left.target.symbol == "BBBUSDT"
            assert left.target.expires_at == NOW + timedelta(hours=16)


def test_a_better_pair_that_may_not_be_entered_or_is_not_listed_is_no_reason_to_leave() -> None:
    seen = market(AAAUSDT="0.0002", BBBUSDT="0.0100")
    assert reviewed(Carry(GUIDE), replace(seen, volumes={})) is None
    policy = Carry(GUIDE)
    ranking = policy.rank(seen)
    signal = ranking.held_signal("AAAUSDT")
    alone = replace(seen, pairs=seen.pairs[:1])
    assert policy.review(evaluation(symbol="AAAUSDT", at=NOW, signal=signal), ranking, alone) is None


def test_without_a_signal_or_a_listing_nothing_is_decided() -> None:
    seen = market(AAAUSDT="-0.0010")
    assert reviewed(Carry(GUIDE), seen, signal=None) is None
    assert reviewed(Carry(GUIDE), replace(seen, pairs=())) is None


def test_the_ranking_is_kept_until_a_rate_settles() -> None:
    policy, seen = Carry(GUIDE), market(AAAUSDT="0.0001")
    first = policy.rank(seen)
    assert policy.rank(replace(seen, at=NOW + timedelta(minutes=5))) is first
    assert policy.rank(market(AAAUSDT="0.0002")) is not first
