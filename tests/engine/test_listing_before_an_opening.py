"""A pair that was listed as trading minutes ago: the listing is read anew before anything of it is ordered."""

from typing import Any

from msgspec.structs import replace

from hedgerow.domain.errors import VenueError
from hedgerow.domain.events import ExecutionStarted
from hedgerow.domain.instrument import BasisPair, TradingStatus
from hedgerow.engine.notices import NoOpportunity
from support.bot_harness import Farm


def farm_whose_listing(answer: Any) -> Farm:
    farm = Farm()
    read = farm.venue.pair

    async def pair(symbol: str, *, fresh: bool = False) -> BasisPair:
        found = await read(symbol, fresh=fresh)
        return answer(found) if fresh else found

    farm.venue.pair = pair  # type: ignore[method-assign]
    return farm


def closed(pair: BasisPair) -> BasisPair:
    return replace(pair, perp=replace(pair.perp, status=TradingStatus.SETTLING))


def unreadable(_: BasisPair) -> BasisPair:
    raise VenueError("HTTP 502")


def why(farm: Farm) -> str:
    return next(moment.why for moment in farm.moments if isinstance(moment, NoOpportunity))


def test_a_market_that_closed_since_the_listing_was_read_is_not_tried() -> None:
    farm = farm_whose_listing(closed)
    farm.run(0.5)
    assert farm.logged(ExecutionStarted) == []
    assert "it does not trade on both markets: spot TRADING, perpetual SETTLING" in why(farm)


def test_a_listing_that_cannot_be_read_opens_nothing() -> None:
    farm = farm_whose_listing(unreadable)
    farm.run(0.5)
    assert farm.logged(ExecutionStarted) == []
    assert "its listing cannot be read: HTTP 502" in why(farm)


def test_an_opening_goes_by_the_grids_of_the_newest_listing() -> None:
    farm = farm_whose_listing(lambda pair: replace(pair, spot=replace(pair.spot, lot=pair.spot.lot * 10)))
    farm.run(0.5)
    job = farm.logged(ExecutionStarted)[0].execution
    assert job.pair.spot.lot == farm.tape.pairs[0].spot.lot * 10
