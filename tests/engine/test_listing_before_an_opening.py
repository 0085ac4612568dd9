"""A pair that was listed as trading minutes ago: the listing is read anew before anything of it is ordered."""

from typing import Any

from msgspec.structs import replace

from hedgerow.domain.errors import VenueError
from hedgerow.domain.events import ExecutionStarted
from hedgerow.domain.instrument import BasisPair, TradingStatus
from hedgerow.engine.notices import NoOpportunity
from support.bot_harness import BotHarness


def harness_whose_listing(answer: Any) -> BotHarness:
    harness = BotHarness()
    read = harness.venue.pair

    async def pair(symbol: str, *, fresh: bool = False) -> BasisPair:
        found = await read(symbol, fresh=fresh)
        return answer(found) if fresh else found

    harness.venue.pair = pair  # type: ignore[method-assign]
    return harness


def closed(pair: BasisPair) -> BasisPair:
    return replace(pair, perp=replace(pair.perp, status=TradingStatus.SETTLING))


def unreadable(_: BasisPair) -> BasisPair:
    raise VenueError("HTTP 502")


def why(harness: BotHarness) -> str:
    return next(notice.why for notice in harness.notices if isinstance(notice, NoOpportunity))


def test_a_market_that_closed_since_the_listing_was_read_is_not_tried() -> None:
    harness = harness_whose_listing(closed)
    harness.run(0.5)
    assert harness.logged(ExecutionStarted) == []
    assert "it does not trade on both markets: spot TRADING, perpetual SETTLING" in why(harness)


def test_a_listing_that_cannot_be_read_opens_nothing() -> None:
    harness = harness_whose_listing(unreadable)
    harness.run(0.5)
    assert harness.logged(ExecutionStarted) == []
    assert "its listing cannot be read: HTTP 502" in why(harness)


def test_an_opening_goes_by_the_grids_of_the_newest_listing() -> None:
    harness = harness_whose_listing(lambda pair: replace(pair, spot=replace(pair.spot, lot=pair.spot.lot * 10)))
    harness.run(0.5)
    job = harness.logged(ExecutionStarted)[0].execution
    assert job.pair.spot.lot == harness.market_data.pairs[0].spot.lot * 10
