from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from hedgerow.domain.account import AccountView, Balance, PerpPosition
from hedgerow.domain.instrument import BasisPair, Market, TradingStatus
from hedgerow.domain.market import MarketView
from hedgerow.domain.position import HedgedPosition
from hedgerow.strategy.evaluation.health import health_of, legs_of, margin_wanted, residue_tolerance
from hedgerow.strategy.observation import FindingKind, HealthLevel, HealthReport, Observation
from support.views import NOW, account, hedge, holding, instrument, listing, market_of, pair_of, short_of

PRICE = Decimal(100)
OPEN_MARKET = market_of(listing(pair=pair_of()))
TEN = hedge("10")


def report(
    seen: AccountView | None, *, market: MarketView | None = OPEN_MARKET, held: HedgedPosition = TEN
) -> HealthReport:
    return health_of(held, Observation(at=NOW, market=market, account=seen), PRICE)


def legs(coins: str = "10", short: str = "10", **changes: Any) -> AccountView:
    return holding(short_of(quantity=short, **changes), coins=coins)


def kinds(found: HealthReport) -> list[FindingKind]:
    return [finding.kind for finding in found.findings]


def test_a_whole_hedge_is_healthy() -> None:
    found = report(legs())
    assert found.healthy
    assert (found.level, found.imbalance) == (HealthLevel.OK, 0.0)
    assert found.liquidation_distance == pytest.approx(0.98)
    assert found.text == ""


@pytest.mark.parametrize(
    ("coins", "short", "level"),
    [
        ("9.8", "10", HealthLevel.OK),
        ("9.79", "10", HealthLevel.REPAIR),
        ("9", "10", HealthLevel.REPAIR),
        ("8.99", "10", HealthLevel.CLOSE),
        ("10", "9.8", HealthLevel.OK),
        ("10", "9.79", HealthLevel.REPAIR),
        ("10", "8.99", HealthLevel.CLOSE),
    ],
)
def test_imbalance_is_held_repaired_or_closed(coins: str, short: str, level: HealthLevel) -> None:
    found = report(legs(coins, short))
    assert found.level is level
    assert found.healthy == (level is HealthLevel.OK)
    assert kinds(found) == ([] if level is HealthLevel.OK else [FindingKind.IMBALANCE])


def test_the_larger_leg_is_trimmed_on_its_lot() -> None:
    more_spot, more_short = report(legs("10", "9.5006")), report(legs("9.5", "10"))
    assert (more_spot.trim_market, more_spot.trim_quantity) == (Market.SPOT, Decimal("0.499"))
    assert (more_short.trim_market, more_short.trim_quantity) == (Market.PERP, Decimal("0.500"))


def test_a_short_surplus_below_the_spot_minimum_is_repaired_because_the_perpetual_can_trade_it() -> None:
    one = hedge("1")
    assert residue_tolerance(one.pair, PRICE) == Decimal("0.05")
    found = report(legs("0.96", "1"), held=one)
    assert (found.level, found.trim_market, found.trim_quantity) == (HealthLevel.REPAIR, Market.PERP, Decimal("0.040"))
    assert report(legs("1", "0.96"), held=one).healthy, "as many coins too many cannot be sold"


def test_coins_locked_in_an_order_are_still_held() -> None:
    locked = {"AAA": Balance(asset="AAA", free=Decimal(4), locked=Decimal(6))}
    seen = replace(legs(), spot=locked)
    assert legs_of(TEN, seen).spot == 10
    assert report(seen).healthy


def test_a5_the_users_own_coins_beside_a_hedge_never_count() -> None:
    assert report(legs("2000", "10")).healthy
    assert legs_of(TEN, legs("2000", "12")).spot == 10
    assert legs_of(TEN, legs("2000", "12")).short == 10


@pytest.mark.parametrize(("coins", "short", "text"), [("0", "10", "the spot leg"), ("10", "0", "the short leg")])
def test_a_leg_that_is_gone_is_closed(coins: str, short: str, text: str) -> None:
    found = report(legs(coins, short))
    assert (found.level, kinds(found)) == (HealthLevel.CLOSE, [FindingKind.LEG_GONE])
    assert text in found.text


def test_a_position_that_vanished_is_a_gone_leg() -> None:
    assert kinds(report(account(coins={"AAA": "10"}))) == [FindingKind.LEG_GONE]


@pytest.mark.parametrize(("liquidation", "level"), [("115", HealthLevel.OK), ("114.99", HealthLevel.CRITICAL)])
def test_liquidation_within_15_percent_of_the_mark_is_critical(liquidation: str, level: HealthLevel) -> None:
    found = report(legs(liquidation_price=Decimal(liquidation)))
    assert found.level is level
    assert kinds(found) == ([] if level is HealthLevel.OK else [FindingKind.LIQUIDATION])


def test_a_liquidation_price_out_of_reach_is_no_finding() -> None:
    found = report(legs(liquidation_price=None))
    assert found.healthy
    assert found.liquidation_distance is None


def test_leverage_that_is_not_one_is_critical() -> None:
    found = report(legs(leverage=5))
    assert (found.level, found.text) == (HealthLevel.CRITICAL, "leverage is 5x, not 1x")


@pytest.mark.parametrize("market", list(Market))
def test_a_symbol_that_leaves_trading_is_critical(market: Market) -> None:
    closing = replace(pair_of().instrument(market), status=TradingStatus.SETTLING)
    pair = pair_of(spot=closing) if market is Market.SPOT else pair_of(perp=closing)
    found = report(legs(), market=market_of(listing(pair=pair)))
    assert (found.level, kinds(found)) == (HealthLevel.CRITICAL, [FindingKind.NOT_TRADING])


def test_a_symbol_that_no_list_shows_is_unknown_and_no_reason_to_trade() -> None:
    found = report(legs(), market=market_of())
    assert (found.level, found.findings) == (HealthLevel.OK, ())
    assert found.unknown == (f"market: {pair_of().symbol} is not on the list of both markets",)


def unlisted_on(market: Market) -> BasisPair:
    gone = replace(pair_of().instrument(market), status=TradingStatus.UNLISTED)
    return pair_of(spot=gone) if market is Market.SPOT else pair_of(perp=gone)


@pytest.mark.parametrize("market", list(Market))
def test_a_symbol_that_a_list_leaves_out_and_its_market_quotes_is_no_reason_to_trade(market: Market) -> None:
    found = report(legs(), market=market_of(listing(pair=unlisted_on(market))))
    assert (found.level, found.findings) == (HealthLevel.OK, ())
    assert found.unknown == (f"market: {pair_of().symbol} is missing from the {market} list and quoted all the same",)


@pytest.mark.parametrize("market", list(Market))
@pytest.mark.parametrize("status", [TradingStatus.SETTLING, TradingStatus.CLOSED])
def test_a_delisted_pair_is_not_healthy_because_one_of_its_markets_goes_on_quoting_it(
    market: Market, status: TradingStatus
) -> None:
    left = unlisted_on(market)
    stopped = {other.value: replace(left.instrument(other), status=status) for other in Market if other is not market}
    found = report(legs(), market=market_of(listing(pair=replace(left, **stopped))))
    assert (found.level, kinds(found), found.unknown) == (HealthLevel.CRITICAL, [FindingKind.NOT_TRADING], ())


@pytest.mark.parametrize("market", list(Market))
@pytest.mark.parametrize("quote", [None, ("100", None)])
def test_a_symbol_that_its_market_neither_lists_nor_quotes_leaves_trading(
    market: Market, quote: tuple[str, str | None] | None
) -> None:
    pair = unlisted_on(market)
    shown = listing(pair=pair, spot=quote) if market is Market.SPOT else listing(pair=pair, perp=quote)
    found = report(legs(), market=market_of(shown))
    assert (found.level, kinds(found)) == (HealthLevel.CRITICAL, [FindingKind.NOT_TRADING])


def test_an_unreadable_account_is_never_healthy_and_no_reason_to_trade() -> None:
    found = report(None)
    assert (found.level, found.healthy, found.findings) == (HealthLevel.OK, False, ())
    assert "liquidation distance" in found.unknown[0]


def test_an_unreadable_market_is_never_healthy_and_no_reason_to_trade() -> None:
    found = report(legs(), market=None)
    assert (found.level, found.healthy, found.unknown) == (HealthLevel.OK, False, ("market: trading status",))


def test_a_delisting_is_seen_without_the_account() -> None:
    settling = replace(pair_of().perp, status=TradingStatus.SETTLING)
    assert report(None, market=market_of(listing(pair=pair_of(perp=settling)))).level is HealthLevel.CRITICAL


def test_a_residue_that_can_be_neither_hedged_nor_sold_is_no_imbalance() -> None:
    small = hedge("0.4")
    assert report(legs("0.4", "0.351"), held=small).healthy
    assert report(legs("0.4", "0.349"), held=small).level is HealthLevel.CLOSE
    assert residue_tolerance(pair_of(), PRICE) == Decimal("0.05")
    assert residue_tolerance(pair_of(), None) == Decimal("0.001")


def test_a_common_lot_may_be_larger_than_the_minimum_notional() -> None:
    coarse = pair_of(perp=instrument(Market.PERP, lot=Decimal(1)))
    assert residue_tolerance(coarse, PRICE) == 1


@pytest.mark.parametrize(
    ("position", "wanted"),
    [
        (short_of(quantity="10", liquidation_price=Decimal(125)), None),
        (short_of(quantity="10", liquidation_price=Decimal(120)), Decimal(100)),
        (short_of(quantity="10", liquidation_price=None), None),
        (short_of(quantity="0"), None),
        (short_of(quantity="10", mark_price=Decimal(0)), None),
    ],
)
def test_margin_is_wanted_when_liquidation_is_nearer_than_a_quarter(
    position: PerpPosition, wanted: Decimal | None
) -> None:
    assert margin_wanted(TEN, account(position)) == wanted
    assert margin_wanted(TEN, account()) is None


def test_a_trading_status_in_doubt_is_unknown_and_no_finding() -> None:
    leaving = market_of(listing(pair=pair_of(perp=instrument(Market.PERP, status=TradingStatus.SETTLING))))
    doubt = "market: the listing shows it settling, and cannot be read again"
    seen = Observation(at=NOW, market=leaving, account=legs(), listing_doubts={TEN.symbol: doubt})
    found = health_of(TEN, seen, PRICE)
    assert (found.level, found.unknown) == (HealthLevel.OK, (doubt,))
    of_another = replace(seen, listing_doubts={"BBBUSDT": doubt})
    assert health_of(TEN, of_another, PRICE).level is HealthLevel.CRITICAL
