"""A bot on a venue with other rules than Aster's needs nothing but another adapter."""

from decimal import Decimal

import pytest

from hedgerow.domain.errors import ConfigError
from hedgerow.domain.events import ExternalFills
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.position import Reason
from hedgerow.strategy.parameters import FundingRateStrategy, PositionManagement, StrategyParameters
from support.bot_harness import BotHarness
from support.other_venue import OtherVenue
from support.worlds import SYMBOL, Listing, ScriptedMarketData, make_pair

CALM = StrategyParameters(
    funding_rate_strategy=FundingRateStrategy(min_funding_apr=5.0),
    position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=87_600),
)


def harness_of(kind: type[OtherVenue] = OtherVenue) -> BotHarness:
    market_data = ScriptedMarketData([Listing(make_pair(fee_in_quote=True))])
    return BotHarness(market_data, usdt=1000, perp=1000, venue_kind=kind)


def test_coins_are_bought_without_a_surplus_where_their_fee_is_taken_in_quote_units() -> None:
    harness = harness_of()
    harness.run(0.5)
    hedge = harness.hedge
    bought = sum(
        (record.filled_quantity for record in hedge.orders if record.request.market is Market.SPOT), Decimal(0)
    )
    assert hedge.spot_quantity == bought == hedge.short
    assert harness.coins() == bought
    assert hedge.tally.coin_fee_value == 0
    assert hedge.tally.fees > 0
    assert {fill.fee_asset for fill in harness.world.fills(Market.SPOT, SYMBOL, hedge.begun_at)} == {"USDT"}
    harness.check_whole()


def test_a_liquidation_is_recognised_whatever_the_venue_calls_its_orders() -> None:
    harness = harness_of()
    harness.run(0.5)
    harness.parameters = CALM
    harness.world.shock(SYMBOL, Decimal("2.3"))
    harness.run(0.5)
    forced = [fill for event in harness.logged(ExternalFills) for fill in event.fills if fill.forced]
    assert forced
    assert all(fill.client_id.startswith("SYS#") and fill.side is Side.BUY for fill in forced)
    assert harness.reasons == [Reason.LIQUIDATED]
    harness.check_flat()


def test_a_bot_whose_client_ids_are_too_long_for_the_venue_does_not_start() -> None:
    class Narrow(OtherVenue):
        longest = 12

    with pytest.raises(ConfigError, match="at most 12 characters; 20 are needed"):
        harness_of(Narrow).run(0.5)
