"""A market of the size of today: its counts, its mix of funding intervals, delisted and unpaired perpetuals."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from hedgerow.domain.errors import MarketClosed
from hedgerow.domain.instrument import Market, Side, TradingStatus
from hedgerow.emulator import GeneratedMarketData, World
from hedgerow.emulator.markets.universe import Universe, universe
from support.orders import order
from support.wire import WireClient, make_wired

START = datetime(2026, 9, 19, tzinfo=UTC)
HOUR = timedelta(hours=1)
SPOT, PERP = Market.SPOT, Market.PERP


def market_data_of(count: int) -> GeneratedMarketData:
    return GeneratedMarketData(1, START, characters=universe(count))


def wired(count: int) -> WireClient:
    return make_wired(market_data_of(count))


def symbols(client: WireClient, market: Market, path: str) -> set[str]:
    ask = client.perp if market is PERP else client.spot
    reply = ask("GET", path).json
    return {row["symbol"] for row in (reply["symbols"] if isinstance(reply, dict) else reply)}


@pytest.mark.parametrize("count", [450, Universe.SEPTEMBER_2026.perpetuals, 750, 1000])
def test_any_count_has_the_shares_of_the_month(count: int) -> None:
    made = universe(count)
    assert len({each.symbol for each in made}) == count
    hours = Counter(each.intervals[0][1] for each in made)
    assert 0.05 < hours[1] / count < 0.07
    assert 0.01 < hours[2] / count < 0.02
    assert 0.64 < hours[4] / count < 0.69
    assert 0.24 < hours[8] / count < 0.29
    assert 0.7 < sum(each.status is TradingStatus.TRADING for each in made) / count < 0.77
    assert 0.38 < sum(each.has_spot for each in made) / count < 0.45


def test_the_month_has_as_many_pairs_as_were_counted() -> None:
    made = universe()
    assert len(made) == 602
    assert sum(each.has_spot for each in made) == 254
    assert abs(sum(each.status is TradingStatus.TRADING for each in made) - 448) < 3


def test_a_perpetual_without_a_coin_is_listed_on_the_futures_market_alone() -> None:
    client = wired(60)
    perps, coins = symbols(client, PERP, "exchangeInfo"), symbols(client, SPOT, "exchangeInfo")
    assert len(perps) == 60
    assert coins < perps
    assert symbols(client, SPOT, "ticker/bookTicker") == coins
    assert symbols(client, PERP, "ticker/bookTicker") == perps
    alone = min(perps - coins)
    assert client.spot("GET", "depth", symbol=alone).code == -1121
    assert client.perp("GET", "depth", symbol=alone).status == 200


def test_a_perpetual_without_a_coin_is_no_pair() -> None:
    market_data = market_data_of(60)
    world = World(market_data, start=START, spot={"USDT": Decimal(1000)}, perp=Decimal(1000))
    view = world.market(3)
    paired = {pair.symbol for pair in view.pairs}
    alone = next(each.symbol for each in universe(60) if not each.has_spot and each.status is TradingStatus.TRADING)
    assert paired == {each.symbol for each in universe(60) if each.has_spot}
    assert view.pair(alone) is None
    assert world.pair(alone) is None
    assert view.mark(alone) is not None
    with pytest.raises(MarketClosed):
        world.place(order(SPOT, Side.BUY, "1", "1", symbol=alone))


def test_a_delisted_perpetual_settles_no_more_and_has_no_price() -> None:
    market_data = market_data_of(60)
    gone = next(each for each in universe(60) if each.status is TradingStatus.SETTLING)
    assert gone.delisted_since_day is not None
    ended = START + timedelta(days=gone.delisted_since_day)
    assert market_data.settled(gone.symbol, ended, START + 48 * HOUR) == ()
    newest = market_data.newest_settled(gone.symbol, START, 5)
    assert len(newest) == 5
    assert newest[-1].at <= ended
    assert market_data.prices(gone.symbol, START) is None
    assert market_data.prices(gone.symbol, ended - HOUR) is not None
    assert market_data.predicted(gone.symbol, START) is None
    assert market_data.volume(gone.symbol, START) == 0
    client = make_wired(market_data)
    row = client.perp("GET", "premiumIndex", symbol=gone.symbol).json
    assert (row["nextFundingTime"], Decimal(row["markPrice"])) == (0, Decimal(0))
    listed = {row["symbol"]: row["status"] for row in client.perp("GET", "exchangeInfo").json["symbols"]}
    assert listed[gone.symbol] == "SETTLING"
    (info,) = client.perp("GET", "fundingInfo", symbol=gone.symbol).json
    assert info["fundingIntervalHours"] == gone.intervals[0][1]


def test_every_interval_settles_at_its_own_hours() -> None:
    market_data = market_data_of(300)
    for each in universe(300):
        if each.delisted_since_day is None:
            hours = each.intervals[0][1]
            stamps = [rate.at for rate in market_data.settled(each.symbol, START, START + 8 * HOUR)]
            assert len(stamps) in {8 // hours, 8}, each.symbol


def test_the_first_pairs_are_those_of_the_small_market() -> None:
    assert universe(3) == universe(602)[:3]
    assert [each.base for each in universe(3)] == ["BTC", "ETH", "BNB"]
    with pytest.raises(ValueError, match="at least one pair"):
        universe(0)
