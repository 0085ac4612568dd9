"""How long a pair rests after it ended badly."""

from datetime import timedelta

import pytest

from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.state import Cooldown, Ledger, Target
from hedgerow.domain.position import Reason
from hedgerow.strategy.decisions.cooldowns import ends_at
from hedgerow.strategy.decisions.entry import plan_opening, shortlist
from hedgerow.strategy.decisions.held import decide_held
from hedgerow.strategy.decisions.scan import scan
from hedgerow.strategy.observation import Close, Hold, Observation, Open, Refusal, RefusalKind
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from support.views import NOW, account, depth, hedge, ledger_of, listing, market_of, pair_of, short_of

GUIDE = VolumeFarming(StrategyParameters())
TWO = market_of(listing(pair=pair_of(), rate="0.0009"), listing(pair=pair_of("BBBUSDT"), rate="0.0003"))
FLAT = Observation(at=NOW, market=TWO, account=account())


def resting(reason: Reason, *, tries: int = 1, hours_ago: float = 0.0) -> Ledger:
    since = NOW - timedelta(hours=hours_ago)
    return Ledger(cooldowns={"AAAUSDT": Cooldown(since=since, reason=reason, count=tries, detail="why")})


@pytest.mark.parametrize(
    ("reason", "tries", "rests_hours"),
    [
        (Reason.UNWOUND, 1, 1),
        (Reason.UNWOUND, 2, 2),
        (Reason.UNWOUND, 9, 24),
        (Reason.REFUSED, 1, 0.25),
        (Reason.REFUSED, 3, 1),
        (Reason.HEALTH, 2, 2),
        (Reason.EMERGENCY_STOP, 1, 4),
        (Reason.EMERGENCY_STOP, 1_000_000, 24),
    ],
)
def test_a_pair_that_ended_badly_rests_longer_each_time_and_a_day_at_most(
    reason: Reason, tries: int, rests_hours: float
) -> None:
    best = next(shortlist(FLAT, Ledger(), GUIDE))
    books = (depth(Market.SPOT, quantity="1000"), depth(Market.PERP, quantity="1000"))

    def found(hours_ago: float) -> Open | Refusal:
        known = resting(reason, tries=tries, hours_ago=hours_ago)
        return plan_opening(best, *books, FLAT, known, GUIDE)

    early = found(rests_hours - 0.1)
    assert isinstance(early, Refusal)
    assert early.kind is RefusalKind.COOLDOWN
    assert early.detail.startswith(f"rests until 2026-01-10 12:06 UTC: {reason} (why)")
    assert isinstance(found(rests_hours), Open)


def test_the_next_pair_is_offered_while_the_best_one_rests() -> None:
    assert [found.symbol for found in shortlist(FLAT, resting(Reason.REFUSED), GUIDE)] == ["BBBUSDT"]
    assert [found.symbol for found in shortlist(FLAT, Ledger(), GUIDE)] == ["AAAUSDT", "BBBUSDT"]


def test_a_scan_says_that_a_pair_rests_until_when_and_why() -> None:
    rows = {row.pair.symbol: row for row in scan(TWO, GUIDE, resting(Reason.REFUSED, tries=2)).rows}
    assert [refusal.detail for refusal in rows["AAAUSDT"].refusals] == [
        "rests until 2026-01-10 12:30 UTC: refused before any fill (why), 2 times in a row"
    ]
    assert rows["BBBUSDT"].eligible


def test_a_position_is_not_left_for_a_pair_that_rests() -> None:
    seen = Observation(at=NOW, market=TWO, account=account(short_of("BBBUSDT"), coins={"BBB": "1"}))
    held = hedge("1", pair=pair_of("BBBUSDT"), hours=10)
    left = decide_held(seen, ledger_of(held), GUIDE)
    assert isinstance(left, Close)
    assert left.target == Target(symbol="AAAUSDT", expires_at=NOW + timedelta(hours=16))
    for known in (
        resting(Reason.UNWOUND),
        resting(Reason.HEALTH),
        resting(Reason.REFUSED, hours_ago=1000),
    ):
        assert isinstance(decide_held(seen, ledger_of(held, cooldowns=known.cooldowns), GUIDE), Hold)
    over = resting(Reason.HEALTH, hours_ago=1000).cooldowns
    assert isinstance(decide_held(seen, ledger_of(held, cooldowns=over), GUIDE), Close)


def test_a_better_pair_behind_one_that_refuses_is_found() -> None:
    third = listing(pair=pair_of("CCCUSDT"), rate="0.0006")
    market = market_of(listing(pair=pair_of(), rate="0.0009"), listing(pair=pair_of("BBBUSDT"), rate="0.0003"), third)
    seen = Observation(at=NOW, market=market, account=account(short_of("BBBUSDT"), coins={"BBB": "1"}))
    held = hedge("1", pair=pair_of("BBBUSDT"), hours=10)
    left = decide_held(seen, ledger_of(held, cooldowns=resting(Reason.REFUSED).cooldowns), GUIDE)
    assert isinstance(left, Close)
    assert left.target is not None
    assert left.target.symbol == "CCCUSDT"


def test_a_cooldown_doubles_and_never_grows_beyond_a_day() -> None:
    lengths = [ends_at(Cooldown(since=NOW, reason=Reason.REFUSED, count=n)) - NOW for n in (1, 2, 3, 8, 500)]
    assert lengths == [timedelta(minutes=15), timedelta(minutes=30), timedelta(hours=1), *[timedelta(days=1)] * 2]
