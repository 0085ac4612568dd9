"""Settings and account modes that are ignored, and markets that stop trading."""

from decimal import Decimal

import pytest

from hedgerow.config import decode_config
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.events import (
    HedgeOpened,
    Wallet,
)
from hedgerow.domain.instrument import Market, TradingStatus
from support.bot_harness import BotHarness
from support.regressions import assert_sound, settings, two_pairs
from support.worlds import START, SYMBOL, Listing, ScriptedMarketData


def opened(market_data: ScriptedMarketData, **sections: dict[str, int]) -> bool:
    harness = BotHarness(market_data, parameters=settings(**sections), latency_seconds=0.05)
    harness.run(0.5)
    assert_sound(harness)
    return harness.ledger.largest is not None


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b'{"funding_rate_strategy": {"min_funding_apr": 60}', "config.json"),
        (b'{"position_management": {"fee_coverage_multiplier": 0}}', "fee_coverage_multiplier"),
        (b'{"position_management": {"loop_interval_seconds": "fast"}}', "loop_interval_seconds"),
        (b'{"risk_management": {"emergency_stop_loss_pct": 10}}', "emergency_stop_loss_pct"),
        (b'{"leverage_settings": {"leverage": 3}}', "leverage"),
        (b'{"position_management": {"max_age_hours": 5}}', "max_age_hours"),
    ],
)
def test_a_configuration_that_cannot_be_followed_stops_the_bot(content: bytes, named: str) -> None:
    """Did: traded on defaults (15 % for the user's 60 %), divided by zero in every check, ignored the stop's key."""
    with pytest.raises(ConfigError, match=named) as error:
        decode_config(content, name="config.json")
    assert "\n" not in str(error.value)


def test_thresholds_are_the_users() -> None:
    """Does: has $250M of volume and 0.15 % of spread in its source."""
    thin = {"volume": 900_000, "half_spread_bps": 12}
    assert not opened(ScriptedMarketData([Listing(SYMBOL, rate="0.0006", **thin)]))
    asked = {"min_volume_usd": 500_000, "max_spread_bps": 30, "max_entry_discount_bps": 30}
    assert opened(ScriptedMarketData([Listing(SYMBOL, rate="0.0006", **thin)]), funding_rate_strategy=asked)


@pytest.mark.parametrize("modes", [{"one_way": False}, {"single_asset": False}])
def test_hedge_mode_and_multi_asset_mode_are_noticed_before_anything_is_sent(modes: dict[str, bool]) -> None:
    """Did: sent both legs; the perpetual's was refused for its position side, and the coins stayed naked."""
    harness = BotHarness(parameters=settings())
    harness.world.set_modes(**modes)
    harness.run(0.5)
    assert_sound(harness)
    assert harness.venue.orders == []
    harness.world.set_modes(one_way=True, single_asset=True)
    harness.run(0.5)
    harness.check_whole()


@pytest.mark.parametrize("market", list(Market))
def test_a_market_that_stops_trading_is_noticed_while_the_bot_runs(market: Market) -> None:
    """Did: read exchangeInfo once in its life, and went on with what had been delisted since."""
    market_data = two_pairs()
    market_data.set_predicted(START, "0.0006")
    market_data.set_predicted(START, "0.0003", symbol="BBBUSDT")
    harness = BotHarness(market_data, parameters=settings(capital_management={"min_capital_usd": 2000}))

    def change(there: BotHarness) -> None:
        there.world.set_status(SYMBOL, TradingStatus.SETTLING, (market,))
        there.world.deposit(Wallet.SPOT, "USDT", Decimal(3000))

    harness.run(2, at={1.0: change})
    assert_sound(harness)
    assert [event.hedge_id for event in harness.logged(HedgeOpened)] == [harness.hedge.hedge_id]
    assert harness.hedge.symbol == "BBBUSDT"
