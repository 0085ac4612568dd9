"""What the account and the strategy are worth."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.dashboard.books.report import BooksReport, VenueSide
from hedgerow.dashboard.books.statement import read_statement
from hedgerow.strategy.hedge_result import ExitPrices
from support.ledger_builder import START, LedgerBuilder
from support.views import account, short_of


@pytest.mark.parametrize(("price", "pnl"), [("110", -100), ("90", 100)], ids=["prices rose", "prices fell"])
def test_a_short_loses_what_prices_gain(price: str, pnl: int) -> None:
    now = ExitPrices(spot=Decimal(price), perp=Decimal(price))
    held = account(short_of("ABCUSDT", "10", mark_price=Decimal(price)), usdt="500", perp="700", coins={"ABC": "10"})
    statement = read_statement(LedgerBuilder().open_hedge().events, {"ABCUSDT": now})
    side = VenueSide(name="exchange", at=START + timedelta(hours=1), account=held, lines=(), prices={"ABCUSDT": now})
    report = BooksReport(statement=statement, hedges=statement.hedges, wallets=(), venue=side)
    assert report.account_value == 500 + 700 + pnl + 10 * Decimal(price)
    unpriced = replace(report, venue=replace(side, prices={}))
    assert unpriced.account_value is None, "coins without a price"
    own = statement.ledger.owned("ABC")
    assert report.equity == 500 + 700 + pnl + own * Decimal(price)
