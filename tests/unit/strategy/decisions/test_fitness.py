"""Which positions found on the venue may not be adopted as they are."""

from typing import Any

import pytest

from hedgerow.domain.account import MarginType
from hedgerow.domain.events import HaltReason
from hedgerow.domain.ledger.state import Ledger
from hedgerow.strategy.decisions.fitness import unfit
from hedgerow.strategy.decisions.reconcile import candidate_of, reconcile
from hedgerow.strategy.decisions.verdicts import Adopt, NotAdopted, halt_for
from support.views import account, listing, market_of, pair_of, short_of, sole


@pytest.mark.parametrize(
    ("position", "modes", "listed", "word"),
    [
        ({}, {}, {}, None),
        ({"leverage": 20}, {}, {}, None),
        ({}, {"one_way": False}, {}, "hedge mode"),
        ({}, {"single_asset": False}, {}, "multi-assets mode"),
        ({"margin_type": MarginType.ISOLATED}, {}, {}, "isolated"),
        ({}, {}, {"index": "110"}, "may not be one coin"),
        ({}, {}, {"mark": None}, "may not be one coin"),
        ({}, {}, {"perp": ("110", "110")}, "may not be one coin"),
        ({}, {}, {"index": "104"}, None),
    ],
)
def test_a_position_that_is_not_fit_is_not_adopted_and_halts_openings(
    position: dict[str, Any], modes: dict[str, Any], listed: dict[str, Any], word: str | None
) -> None:
    seen = account(short_of(**position), coins={"AAA": "1"}, **modes)
    market = market_of(listing(**{"pair": pair_of(), **listed}))
    found = candidate_of("AAAUSDT", Ledger(), seen, market)
    assert found is not None
    why = unfit(found, seen, market)
    verdict = sole(reconcile(Ledger(), seen, market))
    if word is None:
        assert (why, verdict) == (None, Adopt(candidate=found))
        return
    assert why is not None
    assert word in why
    assert verdict == NotAdopted(candidate=found, unfit=why)
    halt = halt_for(verdict)
    assert halt is not None
    assert (halt.reason, halt.symbols) == (HaltReason.UNFIT_POSITION, ("AAAUSDT",))
    assert "hedgerow close AAAUSDT" in halt.detail
