"""How the live venue reads the market: few requests, slow things on timers, history only after settlements."""

from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from hedgerow.aster import AsterVenue
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.errors import VenueError
from hedgerow.domain.instrument import Market, TradingStatus
from support.scripted_aster import (
    HTML_500,
    NOW,
    SYMBOL,
    ScriptedAster,
    error,
    futures_symbol,
    make_venue,
    millis,
    perp_account,
    reply,
    spot_symbol,
)

Result = TypeVar("Result")
SPOT, PERP = Market.SPOT, Market.PERP
HISTORY = "GET /fapi/v3/fundingRate"


class VenueHarness:
    def __init__(self) -> None:
        self.aster = ScriptedAster()
        self.clock = VirtualClock(NOW)
        self.venue: AsterVenue = make_venue(self.aster, self.clock)

    def run(self, main: Coroutine[Any, Any, Result]) -> Result:
        return run_virtual(self.clock, main)

    def view(self, periods: int = 3) -> Any:
        self.aster.forget()
        return self.run(self.venue.market(periods))


@pytest.fixture
def harness() -> VenueHarness:
    return VenueHarness()


def rate_row(at: datetime, rate: str = "0.0004", symbol: str = SYMBOL) -> dict[str, Any]:
    return {"symbol": symbol, "fundingTime": millis(at), "fundingRate": rate}


def test_a_pair_has_the_venues_grids_and_the_accounts_own_fees(harness: VenueHarness) -> None:
    pair = harness.view().pair(SYMBOL)
    assert (pair.spot.tick, pair.spot.lot, pair.spot.min_notional) == (Decimal("0.01"), Decimal("0.001"), 5)
    assert (pair.perp.lot, pair.perp.max_quantity, pair.perp.min_notional) == (Decimal("0.01"), 1000, 5)
    assert (pair.perp.price_down, pair.perp.price_up) == (Decimal("0.95"), Decimal("1.05"))
    assert pair.spot.fees.taker == pair.perp.fees.taker == Decimal("0.00032")
    assert pair.tradable


@pytest.mark.parametrize("reverse", [False, True])
def test_the_larger_of_two_minimum_notionals_counts(harness: VenueHarness, *, reverse: bool) -> None:
    row = spot_symbol()
    row["filters"] += [{"filterType": "MIN_NOTIONAL", "minNotional": "12"}]
    row["filters"] = row["filters"][::-1] if reverse else row["filters"]
    harness.aster.on("GET /api/v3/exchangeInfo", {"rateLimits": [], "symbols": [row]})
    assert harness.view().pair(SYMBOL).spot.min_notional == 12


def test_marks_books_estimates_and_volumes_are_values(harness: VenueHarness) -> None:
    view = harness.view()
    assert view.at == NOW
    assert view.quote(SPOT, SYMBOL).bid == Decimal("99.99")
    assert view.quote(SPOT, SYMBOL).at == NOW
    assert (view.mark(SYMBOL).mark, view.mark(SYMBOL).index) == (100, Decimal("99.9"))
    predicted = view.predicted(SYMBOL)
    assert (predicted.rate, predicted.interval_hours, predicted.settled) == (Decimal("0.0002"), 8, False)
    assert predicted.at == NOW + timedelta(hours=4)
    assert view.volume(SYMBOL) == 50_000_000
    assert view.pair("ZZZUSDT") is view.quote(SPOT, "ZZZUSDT") is view.mark("ZZZUSDT") is None


def test_settled_rates_stand_at_their_full_hours(harness: VenueHarness) -> None:
    rates = harness.view().rates.newest(SYMBOL, 10)
    assert [rate.at for rate in rates] == [NOW - timedelta(hours=hours) for hours in (20, 12, 4)]
    assert {(rate.rate, rate.interval_hours, rate.settled) for rate in rates} == {(Decimal("0.0003"), 8, True)}


def test_a_second_look_takes_three_requests_in_one_round_trip(harness: VenueHarness) -> None:
    first = harness.view()
    harness.clock.advance_time(60)
    second = harness.view()
    assert Counter(harness.aster.routes) == {
        "GET /fapi/v3/premiumIndex": 1,
        "GET /fapi/v3/ticker/bookTicker": 1,
        "GET /api/v3/ticker/bookTicker": 1,
    }
    assert second.rates is first.rates
    assert second.pair(SYMBOL) is first.pair(SYMBOL)


def test_history_is_read_once_per_symbol_and_then_for_all_after_a_settlement(harness: VenueHarness) -> None:
    first = harness.view()
    assert harness.aster.sent(HISTORY) == [{"symbol": SYMBOL, "limit": "4"}]
    harness.clock.advance_time(4 * 3600 + 5)
    harness.aster.on(HISTORY, [])
    late = harness.view()
    assert late.rates is first.rates, "the row is not there yet"
    assert "symbol" not in harness.aster.sent(HISTORY)[0]
    harness.view()
    assert harness.aster.sent(HISTORY) == [], "asked again only after a while"
    harness.clock.advance_time(31)
    harness.aster.on(HISTORY, [rate_row(NOW + timedelta(hours=4, milliseconds=12)), rate_row(NOW, symbol="ZZZUSDT")])
    settled = harness.view()
    assert settled.rates is not first.rates
    assert settled.rates.newest(SYMBOL, 1)[0].at == NOW + timedelta(hours=4)
    assert len(settled.rates.newest(SYMBOL, 10)) == 4
    harness.clock.advance_time(3600)
    assert harness.view().rates is settled.rates
    assert harness.aster.sent(HISTORY) == []


def test_a_settlement_that_leaves_no_row_is_asked_for_with_growing_pauses_and_then_once_per_settlement(
    harness: VenueHarness,
) -> None:
    harness.view()
    harness.aster.on(HISTORY, [])
    asked: list[int] = []
    for _ in range(3):
        asked.append(0)
        for _ in range(8 * 12):
            harness.clock.advance_time(300)
            harness.view()
            asked[-1] += len(harness.aster.sent(HISTORY))
    assert 3 <= asked[0] <= 15
    assert asked[1] <= 10
    assert asked[2] == 1


def test_more_periods_than_were_read_are_read(harness: VenueHarness) -> None:
    harness.view(3)
    harness.view(50)
    assert harness.aster.sent(HISTORY) == [{"symbol": SYMBOL, "limit": "51"}]


def test_each_rate_carries_the_interval_it_covers(harness: VenueHarness) -> None:
    hours = (-24, -16, -8, -4, 0)
    harness.aster.on(HISTORY, [rate_row(NOW + timedelta(hours=hour)) for hour in hours])
    harness.aster.on("GET /fapi/v3/fundingInfo", [{"symbol": SYMBOL, "fundingIntervalHours": 4}])
    view = harness.view(5)
    assert [rate.interval_hours for rate in view.rates.newest(SYMBOL, 5)] == [8, 8, 8, 4, 4]
    assert view.predicted(SYMBOL).interval_hours == 4


def test_a_missing_interval_is_taken_from_the_settled_rates(harness: VenueHarness) -> None:
    harness.aster.on(HISTORY, [rate_row(NOW + timedelta(hours=hour)) for hour in (-8, -4, 0)])
    harness.aster.on("GET /fapi/v3/fundingInfo", [{"symbol": SYMBOL, "fundingIntervalHours": None}])
    harness.view()
    assert harness.view().predicted(SYMBOL).interval_hours == 4


def test_what_only_some_pairs_need_may_be_unreadable(harness: VenueHarness) -> None:
    harness.aster.on("GET /fapi/v3/ticker/24hr", HTML_500)
    harness.aster.on("GET /fapi/v3/commissionRate", error(-2015))
    view = harness.view()
    assert view.volume(SYMBOL) is None
    assert view.pair(SYMBOL).perp.fees.taker == Decimal("0.00035"), "documented base fee"
    assert view.pair(SYMBOL).spot.fees.taker == Decimal("0.00032")


@pytest.mark.parametrize(
    "route", ["GET /fapi/v3/premiumIndex", "GET /api/v3/ticker/bookTicker", "GET /api/v3/exchangeInfo", HISTORY]
)
def test_without_its_main_parts_the_market_is_unreadable(harness: VenueHarness, route: str) -> None:
    harness.aster.on(route, HTML_500)
    with pytest.raises(VenueError):
        harness.view()


def test_a_row_that_cannot_be_read_hides_only_itself(harness: VenueHarness) -> None:
    good = {"symbol": SYMBOL, "bidPrice": "0", "bidQty": "0", "askPrice": "100.01", "askQty": "6"}
    harness.aster.on("GET /api/v3/ticker/bookTicker", [{"symbol": "BAD", "bidPrice": ""}, good])
    view = harness.view()
    assert view.quote(SPOT, SYMBOL).bid is None, "an empty side is no price of zero"
    assert view.quote(SPOT, "BAD") is None


def test_symbols_that_make_no_pair_are_not_listed(harness: VenueHarness) -> None:
    futures = [
        futures_symbol(),
        futures_symbol("BBBUSDT", status="SETTLING"),
        futures_symbol("CCCUSDT", filters=[]),
        futures_symbol("DDDUSDT"),
        futures_symbol("EEEUSDT", baseAsset="OTHER"),
        futures_symbol("FFFUSDT", status="SOMETHING_NEW"),
        {"symbol": "BROKEN"},
    ]
    spot = [spot_symbol(f"{base * 3}USDT") for base in "ABCEF"]
    harness.aster.on("GET /fapi/v3/exchangeInfo", {"symbols": futures})
    harness.aster.on("GET /api/v3/exchangeInfo", {"symbols": spot})
    view = harness.view()
    assert {pair.symbol: pair.perp.status for pair in view.pairs} == {
        "AAAUSDT": TradingStatus.TRADING,
        "BBBUSDT": TradingStatus.SETTLING,
    }


def test_a_pair_is_read_again_only_when_it_has_to_be_fresh(harness: VenueHarness) -> None:
    harness.view()
    changed = futures_symbol()
    next(row for row in changed["filters"] if row["filterType"] == "PRICE_FILTER")["tickSize"] = "0.5"
    harness.aster.on("GET /fapi/v3/exchangeInfo", reply({"rateLimits": [], "symbols": [changed]}))
    assert harness.run(harness.venue.pair(SYMBOL)).perp.tick == Decimal("0.01")
    assert harness.run(harness.venue.pair(SYMBOL, fresh=True)).perp.tick == Decimal("0.5")
    assert harness.run(harness.venue.pair(SYMBOL)).perp.tick == Decimal("0.5")
    assert harness.view().pair(SYMBOL).perp.tick == Decimal("0.5")


def test_a_fresh_pair_is_not_the_old_one_when_the_listing_cannot_be_read(harness: VenueHarness) -> None:
    harness.view()
    harness.aster.on("GET /api/v3/exchangeInfo", HTML_500)
    with pytest.raises(VenueError):
        harness.run(harness.venue.pair(SYMBOL, fresh=True))
    assert harness.run(harness.venue.pair(SYMBOL)).spot.tick == Decimal("0.01"), "what was known stays known"


def test_coins_whose_perpetual_vanished_are_sold_on_the_present_grid(harness: VenueHarness) -> None:
    harness.view()
    coarser = spot_symbol()
    next(row for row in coarser["filters"] if row["filterType"] == "LOT_SIZE")["stepSize"] = "0.1"
    harness.aster.on("GET /fapi/v3/exchangeInfo", {"rateLimits": [], "symbols": [futures_symbol("BBBUSDT")]})
    harness.aster.on("GET /api/v3/exchangeInfo", reply({"rateLimits": [], "symbols": [coarser]}))
    with pytest.raises(VenueError, match="no row of it that can be read"):
        harness.run(harness.venue.pair(SYMBOL, fresh=True))
    harness.clock.advance_time(121)
    pair = harness.run(harness.venue.pair(SYMBOL, fresh=True))
    assert (pair.spot.lot, pair.spot.status) == (Decimal("0.1"), TradingStatus.TRADING)
    assert pair.perp.status is TradingStatus.UNLISTED
    harness.aster.on("GET /api/v3/exchangeInfo", {"rateLimits": [], "symbols": [spot_symbol("BBBUSDT")]})
    with pytest.raises(VenueError, match="no row of it that can be read"):
        harness.run(harness.venue.pair(SYMBOL, fresh=True))
    harness.clock.advance_time(121)
    with pytest.raises(VenueError, match="lists no such pair"):
        harness.run(harness.venue.pair(SYMBOL, fresh=True))


def test_a_pair_that_vanishes_from_the_listing_stays_closed(harness: VenueHarness) -> None:
    harness.view()
    harness.clock.advance_time(601)
    harness.aster.on("GET /api/v3/exchangeInfo", {"symbols": [spot_symbol("BBBUSDT")]})
    assert harness.view().pair(SYMBOL).tradable, "one reply without it delists nothing"
    harness.clock.advance_time(121)
    pair = harness.view().pair(SYMBOL)
    assert pair.spot.status is TradingStatus.UNLISTED
    assert not pair.tradable


def test_a_held_pair_whose_spot_market_is_gone_from_the_list_is_shown_closed(harness: VenueHarness) -> None:
    harness.aster.on("GET /api/v3/exchangeInfo", {"symbols": []})
    held = {"positionAmt": "-1", "entryPrice": "100", "leverage": "1"}
    harness.aster.on("GET /fapi/v3/accountWithJoinMargin", perp_account(held))
    assert harness.view().pair(SYMBOL) is None
    harness.run(harness.venue.account())
    pair = harness.view().pair(SYMBOL)
    assert (pair.spot.status, pair.perp.status) == (TradingStatus.UNLISTED, TradingStatus.TRADING)


def test_the_exact_fees_of_what_matters_are_read_and_kept_for_a_day(harness: VenueHarness) -> None:
    names = ("AAAUSDT", "BBBUSDT")
    harness.aster.on("GET /fapi/v3/exchangeInfo", {"symbols": [futures_symbol(name) for name in names]})
    harness.aster.on("GET /api/v3/exchangeInfo", {"symbols": [spot_symbol(name) for name in names]})
    view = harness.view()
    assert view.pair("BBBUSDT").perp.fees == view.pair("AAAUSDT").perp.fees, "the first pair's stand for all"
    harness.run(harness.venue.depth(PERP, "BBBUSDT"))
    harness.aster.on("GET /fapi/v3/commissionRate", {"makerCommissionRate": "0", "takerCommissionRate": "0.00025"})
    view = harness.view()
    assert harness.aster.sent("GET /fapi/v3/commissionRate")[0]["symbol"] == "BBBUSDT"
    assert view.pair("BBBUSDT").perp.fees.taker == Decimal("0.00025")
    assert view.pair("AAAUSDT").perp.fees.taker == Decimal("0.00032")
    harness.clock.advance_time(3600)
    harness.view()
    assert harness.aster.sent("GET /fapi/v3/commissionRate") == []
    harness.clock.advance_time(86_400)
    harness.view()
    assert len(harness.aster.sent("GET /fapi/v3/commissionRate")) == 2


def test_depth_is_best_first(harness: VenueHarness) -> None:
    depth = harness.run(harness.venue.depth(SPOT, SYMBOL))
    assert (depth.bids[0].price, depth.asks[0].quantity, depth.at) == (Decimal("99.99"), Decimal(6), NOW)
    harness.aster.on("GET /api/v3/depth", error(-1121, "Invalid symbol."))
    with pytest.raises(VenueError, match="Invalid symbol"):
        harness.run(harness.venue.depth(SPOT, "ZZZUSDT"))


def test_a_first_listing_that_lacks_what_has_mark_and_books_is_read_again_within_a_minute_and_then_seldom(
    harness: VenueHarness,
) -> None:
    reads: list[float] = []

    def listed(_: dict[str, str]) -> dict[str, Any]:
        reads.append(harness.clock.monotonic())
        return {"rateLimits": [], "symbols": [futures_symbol("BBBUSDT")] if len(reads) < 6 else [futures_symbol()]}

    harness.aster.on("GET /fapi/v3/exchangeInfo", listed)
    began = harness.clock.monotonic()

    async def hour() -> None:
        await harness.venue.market(1)
        with suppress(TimeoutError):
            async with harness.clock.timeout(3600):
                await harness.venue.keep_up()

    harness.run(hour())
    ages = [round(at - began) for at in reads]
    assert ages[:6] == [0, 40, 80, 120, 280, 680], "each pause is twice the one before, and ends 80 s early at most"
    assert ages[7] - ages[6] > 500, "as often as ever"
    assert harness.view().pair(SYMBOL).tradable
