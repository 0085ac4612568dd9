"""Profit and loss of one hedge, leg by leg."""

from decimal import Decimal

from hedgerow.dashboard.books.statement import read_statement
from hedgerow.strategy.hedge_result import ExitPrices, HedgeResult
from support.ledger_builder import LedgerBuilder


def only(builder: LedgerBuilder, spot: str = "110", perp: str = "110.5") -> HedgeResult:
    prices = {"ABCUSDT": ExitPrices(spot=Decimal(spot), perp=Decimal(perp))}
    (found,) = read_statement(builder.events, prices).hedges
    return found.result


def test_a_short_that_was_bought_back_higher_has_lost() -> None:
    found = only(LedgerBuilder().open_hedge().close_hedge())
    assert found.perp_pnl == 10 * (101 - Decimal("110.5"))
    assert found.spot_pnl is not None
    assert found.spot_pnl > 0
    assert found.basis == found.spot_pnl + found.perp_pnl


def test_an_open_short_is_valued_at_the_perpetuals_price() -> None:
    assert only(LedgerBuilder().open_hedge()).perp_pnl == 10 * (101 - Decimal("110.5"))
    assert only(LedgerBuilder().open_hedge(), perp="99").perp_pnl == 10 * (101 - 99)
