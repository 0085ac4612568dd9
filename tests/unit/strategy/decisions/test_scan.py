from hedgerow.strategy.decisions.scan import scan
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from support.views import listing, market_of, pair_of

GUIDE = VolumeFarming(StrategyParameters())


def test_a_scan_shows_every_pair_the_best_first_and_the_ineligible_with_their_reasons() -> None:
    market = market_of(
        listing(pair=pair_of("NEWUSDT"), prints=3),
        listing(pair=pair_of("LOWUSDT"), rate="0.0001"),
        listing(pair=pair_of("AAAUSDT"), rate="0.0003"),
        listing(pair=pair_of("BBBUSDT"), rate="0.0009", volume="1"),
    )
    found = scan(market, GUIDE)
    assert [row.pair.symbol for row in found.rows] == ["BBBUSDT", "AAAUSDT", "LOWUSDT", "NEWUSDT"]
    assert [[r.kind.value for r in row.refusals] for row in found.rows] == [
        ["volume"],
        [],
        ["funding APR"],
        ["signal"],
    ]
    assert found.best is not None
    assert found.best.pair.symbol == "AAAUSDT"
    newest = found.rows[-1]
    assert newest.signal is not None
    assert newest.refusals[0].detail == "3 of 10 settled rates"
    assert newest.predicted is not None


def test_a_scan_without_an_eligible_pair_has_no_best() -> None:
    assert scan(market_of(listing(pair=pair_of(), volume=None)), GUIDE).best is None
