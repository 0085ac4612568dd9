"""What a hedge made, by hand-made figures."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.funding import FundingSignal
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.state import ImportedState, Totals
from hedgerow.domain.market import Depth, Level
from hedgerow.domain.position import ClosedHedge, DustLot, HedgedPosition, OrderRecord, Reason, Tally
from hedgerow.strategy.evidence.prices import Prices, prices_of
from hedgerow.strategy.hedge_result import (
    ExitPrices,
    HedgeResult,
    coin_prices,
    dust_gain,
    exit_prices,
    result_of,
    result_of_ended,
    strategy_result,
)
from support.views import NOW, fill, hedge, instrument, ledger_of, listing, market_of, pair_of

D = Decimal
EVEN = ExitPrices(spot=D(100), perp=D(100), sale=D("99.5"), purchase=D("100.2"))
SIGNAL = FundingSignal(symbol="AAAUSDT", mean=0.0002, stdev=0.0, apr=0.219, periods=10, interval_hours=8)


def moved(spot: str, perp: str) -> HedgeResult:
    """Return the result of one coin bought and shorted at 100, valued at these prices."""
    prices = ExitPrices(spot=D(spot), perp=D(perp), sale=D(spot) - 1, purchase=D(perp) + 2)
    return result_of(hedge(fees="0.15", funding="0.40"), prices, SIGNAL, NOW)


def test_each_leg_is_valued_at_its_own_price() -> None:
    result = moved("103", "102")
    assert (result.spot_pnl, result.perp_pnl, result.basis) == (D(3), D(-2), D(1))
    assert (result.symbol, result.at) == ("AAAUSDT", NOW)


def test_the_fees_and_the_spread_of_closing_are_not_in_the_net_so_far() -> None:
    result = moved("103", "102")
    assert result.net_so_far == D("0.40") + D(1) - D("0.15")
    # 0.1 % of the coins and 0.05 % of the short; sold 1 below and bought 2 above the middle.
    assert result.exit_fees == D("0.103") + D("0.051")
    assert result.exit_spread == D(3)
    assert result.exit_cost == D("3.154")
    assert result.net_if_closed == D("1.25") - D("3.154")


def test_the_example_of_the_documentation_is_computed_so() -> None:
    market = market_of(listing(pair=pair_of(), spot=("102.5", "103.5"), perp=("101.5", "102.5")))
    held = hedge(fees="0.15", funding="0.40")
    result = result_of(held, exit_prices(held, prices_of("AAAUSDT", market, None), market), SIGNAL, NOW)
    assert (result.spot_pnl, result.perp_pnl, result.net_so_far) == (D(3), D(-2), D("1.25"))
    assert (result.exit_fees, result.exit_spread, result.net_if_closed) == (D("0.154"), D(1), D("0.096"))
    assert result.net_on_notional == pytest.approx(0.00096)
    assert result.net_on_capital == pytest.approx(0.00048)


def test_shares_are_of_one_leg_and_of_both() -> None:
    result = moved("103", "102")
    assert (result.entry_notional, result.committed_capital) == (D(100), D(200))
    assert result.net_on_notional == pytest.approx(-0.01904)
    assert result.net_on_capital == pytest.approx(-0.00952)


def test_a_hedge_without_a_notional_has_no_share() -> None:
    result = result_of(hedge(entry_notional=D(0), tally=Tally(), orders=()), EVEN, SIGNAL, NOW)
    assert result.net_so_far == 0
    assert result.net_on_notional is None
    assert result.net_on_capital is None


def test_the_commissions_of_today_are_expected_and_not_those_of_the_opening() -> None:
    costly = instrument(Market.SPOT)
    costly = replace(costly, fees=replace(costly.fees, taker=D("0.01")))
    result = result_of(hedge(), EVEN, None, NOW, listed=pair_of(spot=costly))
    assert result.exit_fees == D(1) + D("0.05")


@pytest.mark.parametrize(
    ("gone", "known"),
    [("spot", "perp_pnl"), ("perp", "spot_pnl")],
)
def test_a_leg_without_a_price_is_unknown_and_so_is_every_sum(gone: str, known: str) -> None:
    result = result_of(hedge(), replace(EVEN, **{gone: None}), SIGNAL, NOW)
    assert getattr(result, known) == 0
    assert getattr(result, f"{gone}_pnl") is None
    assert (result.basis, result.net_so_far, result.exit_fees, result.exit_cost, result.net_if_closed) == (None,) * 5
    assert result.net_on_notional is None


@pytest.mark.parametrize("gone", ["sale", "purchase"])
def test_a_book_that_takes_nothing_makes_closing_now_unknown_and_not_free(gone: str) -> None:
    result = result_of(hedge(), replace(EVEN, **{gone: None}), SIGNAL, NOW)
    assert result.net_so_far == D("-0.15")
    assert result.exit_fees == D("0.15")
    assert (result.exit_spread, result.exit_cost, result.net_if_closed) == (None, None, None)


def test_a_leg_that_is_not_held_needs_no_price() -> None:
    half = hedge()
    bought = half.orders[:1]
    result = result_of(
        replace(half, orders=bought, tally=Tally.of(bought)), replace(EVEN, perp=None, purchase=None), SIGNAL, NOW
    )
    assert (result.spot_pnl, result.perp_pnl, result.exit_spread) == (D(0), D(0), D("0.5"))


def test_a_fill_whose_price_is_not_known_makes_the_profit_unknown_and_not_the_cost_of_closing() -> None:
    priced = hedge()
    orders = tuple(replace(record, filled_notional=D(0)) for record in priced.orders)
    result = result_of(replace(priced, orders=orders), EVEN, SIGNAL, NOW)
    assert (result.spot_pnl, result.perp_pnl, result.net_so_far, result.net_if_closed) == (None,) * 4
    assert result.exit_cost == D("0.15") + D("0.7")


def test_a_hedge_that_is_being_opened_is_a_share_of_what_was_bought() -> None:
    result = result_of(hedge(entry_notional=D(0)), EVEN, None, NOW)
    assert result.entry_notional == D(100)


# --- when it has paid for itself -------------------------------------------------------------------------------------


def break_even(deficit: str, **changes: object) -> object:
    """Return after how many hours a hedge that would close at a loss of ``deficit`` is even; one coin at 100."""
    prices = replace(EVEN, sale=D(100), purchase=D(100))
    held = hedge(fees="0", funding=str(D("0.15") - D(deficit)))
    at = result_of(held, prices, replace(SIGNAL, **changes), NOW).break_even_at
    return None if at is None else (at - NOW) / timedelta(hours=1)


def test_it_is_even_at_the_settlement_whose_payment_makes_it_so() -> None:
    # NOW is 12:00, settlements are at 16:00, 0:00, 8:00; each pays 0.02.
    assert break_even("0.02") == 4
    assert break_even("0.021") == 12
    assert break_even("0.06") == 20


@pytest.mark.parametrize("deficit", ["0", "-1"])
def test_what_is_even_already_has_no_break_even_ahead(deficit: str) -> None:
    assert break_even(deficit) is None


@pytest.mark.parametrize("mean", [0.0, -0.0002, float("nan"), 1e-320, 1e-9])
def test_a_signal_that_does_not_pay_in_ten_years_never_breaks_even(mean: float) -> None:
    assert break_even("0.02", mean=mean) is None


def test_without_a_signal_or_a_result_no_break_even_is_claimed() -> None:
    assert result_of(hedge(), EVEN, None, NOW).break_even_at is None
    assert result_of(hedge(), replace(EVEN, sale=None), SIGNAL, NOW).break_even_at is None


# --- prices ----------------------------------------------------------------------------------------------------------


def test_quotes_are_taken_at_the_touch() -> None:
    market = market_of(listing(pair=pair_of(), spot=("99", "101"), perp=("99.5", "100.7")))
    seen = prices_of("AAAUSDT", market, None)
    assert exit_prices(hedge(), seen, market) == ExitPrices(
        spot=D(100), perp=D("100.1"), sale=D(99), purchase=D("100.7")
    )


def test_an_empty_book_is_valued_at_the_nearest_price_and_cannot_be_sold_into() -> None:
    market = market_of(listing(pair=pair_of(), spot=None, perp=("99", None), mark="101", index="102"))
    seen = prices_of("AAAUSDT", market, None)
    assert exit_prices(hedge(), seen, market) == ExitPrices(spot=D(102), perp=D(101), sale=None, purchase=None)


def test_without_a_market_nothing_is_known() -> None:
    nothing = ExitPrices(spot=None, perp=None, sale=None, purchase=None)
    seen = Prices(spot=None, perp=None, mark=None, index=None)
    assert exit_prices(hedge(), seen, None) == nothing
    assert exit_prices(hedge(), seen, None, (None, None)) == nothing


def test_books_are_taken_level_by_level() -> None:
    spot = _book(Market.SPOT, ("99", "0.4"), ("98", "5"))
    perp = _book(Market.PERP, ("99", "5"), ("98", "5"))
    seen = Prices(spot=spot.mid, perp=perp.mid, mark=None, index=None)
    prices = exit_prices(hedge(), seen, None, (spot, perp))
    assert prices.sale == D("98.4")
    assert prices.purchase == D(101)


def _book(market: Market, *bids: tuple[str, str]) -> Depth:
    """Return a book that is the same on both sides of 100."""
    levels = [Level(D(price), D(quantity)) for price, quantity in bids]
    asks = [Level(200 - level.price, level.quantity) for level in levels]
    return Depth(market=market, symbol="AAAUSDT", bids=levels, asks=asks, at=NOW)


# --- ended hedges, dust, and all together ----------------------------------------------------------------------------


def _ended(**changes: object) -> ClosedHedge:
    held = hedge(fees="0.15", funding="0.40")
    legs = ((Market.SPOT, Side.SELL, "0.9", "110"), (Market.PERP, Side.BUY, "1", "109"))
    sold = tuple(
        OrderRecord.of_fill(
            fill(market, side, quantity, price=price, trade_id=9), hedge_id="h1", base="AAA", fee_quote=D("0.1")
        )
        for market, side, quantity, price in legs
    )
    orders = (*held.orders, *sold)
    closed = replace(held, orders=orders, tally=Tally.of(orders), **changes)
    return ClosedHedge(hedge=closed, closed_at=NOW, reason=Reason.USER, residue_value=D(11))


def test_an_ended_hedge_costs_nothing_to_close_and_counts_its_dust() -> None:
    closed = _ended()
    result = result_of_ended(closed)
    assert (result.spot_pnl, result.perp_pnl) == (D(99) + D(11) - D(100), D(-9))
    assert result.net_so_far == result.net_if_closed == closed.net_profit == D("0.40") + D(1) - D("0.35")
    assert (result.exit_cost, result.break_even_at, result.entry_notional) == (D(0), None, D(100))


def test_an_attempt_that_was_undone_is_a_share_of_what_was_bought() -> None:
    assert result_of_ended(_ended(entry_notional=D(0))).entry_notional == D(100)


def test_dust_gains_what_its_price_gained_since_it_was_kept() -> None:
    lots = {"AAA": DustLot(asset="AAA", quantity=D("0.1"), cost=D(11)), "BBB": _lot("BBB")}
    assert dust_gain(lots, {"AAA": D(120), "BBB": D(1)}) == D(1) + D(-1)
    assert dust_gain(lots, {"AAA": D(120)}) is None
    assert dust_gain({}, {}) == 0


def test_dust_has_the_price_that_a_held_hedge_of_the_coin_is_valued_at() -> None:
    market = market_of(
        listing(pair=pair_of("AAAUSDT"), spot=("99", "101")),
        listing(pair=pair_of("BBBUSDT"), spot=(None, "7"), index="6.5"),
    )
    lots = {asset: _lot(asset) for asset in ("AAA", "BBB", "CCC")}
    assert coin_prices(lots, market) == {"AAA": D(100), "BBB": D("6.5")}


def _lot(asset: str) -> DustLot:
    return DustLot(asset=asset, quantity=D(1), cost=D(2))


def test_the_whole_is_what_ended_what_is_held_and_what_the_dust_gained() -> None:
    totals = Totals(funding=D(5), basis_pnl=D(-1), fees=D(2))
    ledger = ledger_of(
        hedge(), totals=totals, dust={"BBB": _lot("BBB")}, imported=ImportedState(total_profit_loss=D(10))
    )
    held = result_of(hedge(), EVEN, SIGNAL, NOW)
    whole = strategy_result(ledger, held, {"BBB": D(3)})
    assert whole.net_so_far == D(2) + D("-0.15") + D(1)
    assert whole.net_if_closed == D(2) + D("-0.15") - D("0.85") + D(1)
    assert whole.cumulative == D(12)


def test_the_whole_is_unknown_while_a_part_of_it_is() -> None:
    ledger = ledger_of(hedge(), dust={"BBB": _lot("BBB")})
    held = result_of(hedge(), EVEN, SIGNAL, NOW)
    whole = strategy_result(ledger, held)
    assert (whole.net_so_far, whole.dust_gain, whole.unpriced) == (None, None, ("BBB",))
    unknown = result_of(hedge(), replace(EVEN, sale=None), SIGNAL, NOW)
    assert strategy_result(ledger, unknown, {"BBB": D(3)}).net_if_closed is None


def test_dust_without_a_price_is_left_out_by_name_and_the_rest_is_known() -> None:
    dust = {"BBB": _lot("BBB"), "CCC": _lot("CCC")}
    whole = strategy_result(ledger_of(None, totals=Totals(funding=D(5)), dust=dust), None, {"CCC": D(3)})
    assert (whole.net_if_closed, whole.unpriced) == (None, ("BBB",))
    known = whole.without_unpriced_dust()
    assert (known.net_so_far, known.net_if_closed, known.dust_gain) == (D(6), D(6), D(1))
    priced = strategy_result(ledger_of(None, dust=dust), None, {"BBB": D(2), "CCC": D(3)})
    assert (priced.unpriced, priced.without_unpriced_dust().net_if_closed) == ((), priced.net_if_closed)


def test_with_nothing_held_the_whole_is_what_ended() -> None:
    whole = strategy_result(ledger_of(None, totals=Totals(funding=D(5))), None)
    assert (whole.net_so_far, whole.net_if_closed) == (D(5), D(5))


def test_a_hedge_is_priced_with_its_own_quantities() -> None:
    held: HedgedPosition = hedge("2")
    assert result_of(held, EVEN, None, NOW).exit_spread == D(1) + D("0.4")
