"""The guide, decided: each entry filter refuses by itself and says why; nothing else kept the pair closed."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.instrument import BasisPair, Market, Side, TradingStatus
from hedgerow.domain.order import OrderRequest, TimeInForce
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault
from hedgerow.engine.notices import Decided, NoOpportunity, ReadFailed
from hedgerow.strategy.observation import Hold, HoldReason
from hedgerow.strategy.parameters import FundingRateStrategy, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.worlds import START, SYMBOL, Listing, ScriptedMarketData, make_pair

Change = Callable[[BotHarness], object]


def _listed(pair: BasisPair) -> ScriptedMarketData:
    return ScriptedMarketData([Listing(pair)])


FILTERS: dict[str, tuple[Change, Change, str]] = {
    "spot not trading": (
        lambda f: f.world.set_status(SYMBOL, TradingStatus.CLOSED, (Market.SPOT,)),
        lambda f: f.world.set_status(SYMBOL, TradingStatus.TRADING),
        "spot CLOSE",
    ),
    "perpetual not trading": (
        lambda f: f.world.set_status(SYMBOL, TradingStatus.CLOSED, (Market.PERP,)),
        lambda f: f.world.set_status(SYMBOL, TradingStatus.TRADING),
        "perpetual CLOSE",
    ),
    "one-sided spot book": (
        lambda f: f.market_data.set_missing_sides(START, {Market.SPOT: Side.SELL}),
        lambda f: f.market_data.set_missing_sides(START, {}),
        "spot book one-sided",
    ),
    "one-sided perpetual book": (
        lambda f: f.market_data.set_missing_sides(START, {Market.PERP: Side.BUY}),
        lambda f: f.market_data.set_missing_sides(START, {}),
        "perp book one-sided",
    ),
    "unreadable books": (
        lambda f: f.market_data.set_gap(START),
        lambda f: f.market_data.set_prices(START, 100),
        "book unreadable",
    ),
    "negative predicted rate": (
        lambda f: f.market_data.set_predicted(START, "-0.0001"),
        lambda f: f.market_data.set_predicted(START, "0.0001"),
        "predicted rate -0.0100% is not positive",
    ),
    "unreadable predicted rate": (
        lambda f: f.market_data.set_predicted(START, None),
        lambda f: f.market_data.set_predicted(START, "0.0001"),
        "predicted rate unreadable",
    ),
    "volume too small": (
        lambda f: f.market_data.set_volume(4_999_999),
        lambda f: f.market_data.set_volume(5_000_000),
        "24 h volume $4,999,999 below $5,000,000",
    ),
    "spot spread too wide": (
        lambda f: f.market_data.set_liquidity(half_spread_bps=8, depth_notional=100_000),
        lambda f: f.market_data.set_liquidity(half_spread_bps=7, depth_notional=100_000),
        "spot spread 16.0 bp above 15",
    ),
    "perpetual at too large a discount": (
        lambda f: f.market_data.set_prices(START, 100, "99.80"),
        lambda f: f.market_data.set_prices(START, 100, "99.90"),
        "bp below spot ask, at most 15",
    ),
    "too little depth": (
        lambda f: f.market_data.set_liquidity(half_spread_bps=1, depth_notional=400),
        lambda f: f.market_data.set_liquidity(half_spread_bps=1, depth_notional=1_000),
        "within 10 bp",
    ),
}


@pytest.mark.parametrize("name", FILTERS)
def test_an_entry_filter_refuses_by_itself_until_it_passes(name: str) -> None:
    refuse, allow, words = FILTERS[name]
    harness = BotHarness()
    refuse(harness)
    harness.run(0.2)
    harness.check_flat()
    assert harness.venue.orders == []
    assert words in harness.notices_of(NoOpportunity)[-1].why
    allow(harness)
    harness.run(0.2)
    harness.check_whole()


@pytest.mark.parametrize(("rate", "words"), [("-0.0001", "is not positive"), ("0.00013", "APR 14.2")])
def test_a_signal_that_is_too_low_refuses_until_a_better_rate_settled(rate: str, words: str) -> None:
    market_data = ScriptedMarketData([Listing(rate=rate)])
    market_data.set_rate(OPENED, "0.0003")
    market_data.set_predicted(START, "0.0003")
    harness = BotHarness(
        market_data, parameters=StrategyParameters(funding_rate_strategy=FundingRateStrategy(funding_ma_periods=1))
    )
    harness.run(6)
    assert words in harness.notices_of(NoOpportunity)[-1].why
    assert harness.venue.orders == []
    harness.run(1.5)
    harness.check_whole()


def test_a_premium_of_the_perpetual_is_no_reason_to_refuse() -> None:
    market_data = ScriptedMarketData()
    market_data.set_prices(START, 100, "101")
    harness = BotHarness(market_data)
    harness.run(0.2)
    harness.check_whole()


def test_an_instrument_for_trials_is_never_opened() -> None:
    harness = BotHarness(_listed(make_pair("TESTAAAUSDT")))
    harness.run(0.2)
    assert "an instrument for trials" in harness.notices_of(NoOpportunity)[-1].why
    assert harness.venue.orders == []


def test_a_pair_of_another_quote_asset_is_never_opened() -> None:
    pair = make_pair()
    harness = BotHarness(
        _listed(BasisPair(spot=replace(pair.spot, quote="USDC"), perp=replace(pair.perp, quote="USDC")))
    )
    harness.run(0.2)
    assert "quoted in USDC" in harness.notices_of(NoOpportunity)[-1].why
    assert harness.venue.orders == []


def test_a_foreign_position_on_the_symbol_keeps_it_closed_and_the_next_best_is_taken() -> None:
    market_data = ScriptedMarketData([Listing(rate="0.0009"), Listing("BBBUSDT", rate="0.0003")])
    harness = BotHarness(market_data)
    harness.world.trade_by_hand(Market.PERP, SYMBOL, Side.BUY, Decimal(1))
    harness.run(0.2)
    assert harness.hedge.symbol == "BBBUSDT"
    assert harness.world.account().position_quantity(SYMBOL) == 1
    harness.check()


def test_an_open_order_of_somebody_else_on_the_symbol_keeps_it_closed() -> None:
    harness = BotHarness()
    harness.world.place(
        OrderRequest(
            client_id="web_resting",
            market=Market.SPOT,
            symbol=SYMBOL,
            side=Side.BUY,
            quantity=Decimal(1),
            price=Decimal(50),
            time_in_force=TimeInForce.GTC,
        )
    )
    harness.run(0.2)
    assert "not the bot's" in harness.notices_of(NoOpportunity)[-1].why
    assert harness.venue.orders == []
    harness.world.cancel(Market.SPOT, SYMBOL, "web_resting")
    harness.run(0.2)
    harness.check_whole()


@pytest.mark.parametrize(("mode", "words"), [("one_way", "hedge mode is on"), ("single_asset", "multi-assets mode")])
def test_an_account_mode_that_does_not_fit_opens_nothing(mode: str, words: str) -> None:
    harness = BotHarness()
    harness.world.set_modes(**{mode: False})
    harness.run(0.2)
    held = [hold for hold in harness.decisions(Hold) if hold.reason is HoldReason.ACCOUNT_MODE]
    assert words in held[0].detail
    harness.check_flat()
    harness.world.set_modes(**{mode: True})
    harness.run(0.2)
    harness.check_whole()


@pytest.mark.parametrize("read", [Read.MARKET, Read.ACCOUNT, Read.DEPTH])
def test_nothing_is_opened_on_what_could_not_be_read(read: Read) -> None:
    fault = ReadFault(read=read, after=OPENED, until=OPENED + (OPENED - START) / 2)
    harness = BotHarness(faults=FaultPlan(reads=(fault,)))
    harness.run(0.45)
    assert harness.venue.orders == []
    if read is Read.DEPTH:
        assert "depth unreadable" in harness.notices_of(NoOpportunity)[0].why
    else:
        assert read.value in str(harness.notices_of(ReadFailed)[0].missing)
        assert {type(said.decision) for said in harness.notices_of(Decided)} == {Hold}
    harness.run(0.3)
    harness.check_whole()
