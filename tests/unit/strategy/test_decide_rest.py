"""How long a pair rests after its openings were unwound."""

from datetime import timedelta

import pytest

from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger import Ledger
from hedgerow.domain.position import ClosedHedge, Reason
from hedgerow.strategy.observation import Observation, Open, Refusal, RefusalKind
from hedgerow.strategy.openings import plan_opening, shortlist
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from support.views import NOW, account, depth, hedge, listing, market_of, pair_of

GUIDE = VolumeFarming(StrategyParameters())
FLAT = Observation(at=NOW, market=market_of(listing(pair=pair_of())), account=account())


@pytest.mark.parametrize(("tries", "rests_hours"), [(1, 1), (2, 2), (9, 24)])
def test_a_pair_rests_after_openings_that_were_unwound_and_longer_each_time(tries: int, rests_hours: int) -> None:
    best = next(shortlist(FLAT, Ledger(), GUIDE))
    books = (depth(Market.SPOT, quantity="1000"), depth(Market.PERP, quantity="1000"))

    def found(hours_ago: float) -> Open | Refusal:
        ended = NOW - timedelta(hours=hours_ago)
        failed = ClosedHedge(hedge=hedge(pair=best.pair), closed_at=ended, reason=Reason.UNWOUND)
        return plan_opening(best, *books, FLAT, Ledger(closed=(failed,) * tries), GUIDE)

    early = found(rests_hours - 0.5)
    assert isinstance(early, Refusal)
    assert (early.kind, early.detail[:34]) == (RefusalKind.BLOCKED, "its last opening had to be unwound")
    assert isinstance(found(rests_hours + 0.5), Open)
