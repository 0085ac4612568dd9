"""What holding and cash would have made, against sums written out by hand."""

from datetime import timedelta
from decimal import Decimal

import pytest

from hedgerow.dashboard.report.alternatives import Hold, cash_interest, hold
from hedgerow.domain.instrument import BasisPair
from support.worlds import START, Listing, ScriptedMarketData, make_pair

PAIR: BasisPair = make_pair(spot_taker="0.0004", perp_taker="0.00035")
BEGAN = START + timedelta(hours=1)
DAY = timedelta(days=1)


def market(**changes: object) -> ScriptedMarketData:
    return ScriptedMarketData([Listing(PAIR, spot=100, rate="0.0003", half_spread_bps=10, **changes)])  # type: ignore[arg-type]


def held(data: ScriptedMarketData, *, leg: int = 1001, wallet: int = 2000, days: int = 1) -> Hold:
    found = hold(data, PAIR, leg=Decimal(leg), wallet=Decimal(wallet), since=BEGAN, until=BEGAN + days * DAY)
    assert found is not None
    return found


def test_a_hedge_that_is_kept_pays_its_entry_and_gets_every_settlement() -> None:
    # 1001 / 100.1 = 10 coins at 100.1, sold short at 99.9; three settlements of 0.03 % of 1,000.
    found = held(market())
    assert found.notional == Decimal(1001)
    assert found.fees == 10 * (Decimal("100.1") * Decimal("0.0004") + Decimal("99.9") * Decimal("0.00035"))
    assert found.funding == 3 * 1000 * Decimal("0.0003")
    assert found.basis == 10 * (Decimal("-0.1") + Decimal("-0.1"))
    assert found.net_profit == found.funding + found.basis - found.fees
    assert found.margin_gone_at is None


def test_funding_is_charged_on_the_mark_of_its_settlement_and_a_gap_keeps_the_last_one() -> None:
    data = market()
    data.set_prices(BEGAN + timedelta(hours=1), 200)
    data.set_gap(BEGAN + timedelta(hours=8))
    data.set_prices(BEGAN + timedelta(hours=22), 100)
    assert held(data, wallet=100_000).funding == 10 * Decimal("0.0003") * (200 + 200 + 100)


def test_negative_funding_is_paid() -> None:
    data = market()
    data.set_rate(START, "-0.001")
    assert held(data).funding == -3 * 1000 * Decimal("0.001")


def test_a_price_that_doubles_takes_the_margin_of_a_hedge_nobody_looks_after() -> None:
    data = market()
    data.set_prices(BEGAN + timedelta(hours=9), 201)
    found = held(data, wallet=1000)
    assert found.margin_gone_at is not None
    assert BEGAN + timedelta(hours=9) < found.margin_gone_at <= BEGAN + timedelta(hours=17)
    assert held(data, wallet=2000).margin_gone_at is None


def test_without_a_price_at_either_end_nothing_is_compared() -> None:
    for at in (BEGAN, BEGAN + DAY):
        data = market()
        data.set_gap(at)
        assert hold(data, PAIR, leg=Decimal(1000), wallet=Decimal(1000), since=BEGAN, until=BEGAN + DAY) is None


def test_money_for_no_lot_holds_nothing() -> None:
    tiny = PAIR.perp.lot * 50
    assert hold(market(), PAIR, leg=tiny, wallet=Decimal(1000), since=BEGAN, until=BEGAN + DAY) is None


def test_cash_earns_four_percent_a_year_without_compounding() -> None:
    assert cash_interest(Decimal(2000), timedelta(days=365)) == 80
    assert cash_interest(Decimal(2000), timedelta(days=730)) == 160
    assert cash_interest(Decimal(2000), timedelta(days=14)) == pytest.approx(Decimal("3.0685"), abs=Decimal("0.0001"))
