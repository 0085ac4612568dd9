"""Profit and equity that are not what the account shows."""

from datetime import timedelta
from decimal import Decimal

from hedgerow.domain.events import Wallet
from hedgerow.domain.instrument import Side
from hedgerow.domain.operator_requests import CloseRequested
from hedgerow.domain.order import OrderRequest, TimeInForce
from hedgerow.engine.notices import EquityRead
from support.bot_harness import BotHarness
from support.crash_sites import equity_change
from support.regressions import PERP, SPOT, assert_sound, settings
from support.worlds import START, SYMBOL, Listing, ScriptedMarketData


def test_profit_is_funding_and_basis_less_all_fees_as_the_account_shows_it() -> None:
    """Did: funding less an estimated entry fee; no exit fee, no basis, no slippage, and a fee model twice too high."""
    market_data = ScriptedMarketData([Listing(SYMBOL, spot=100, perp="100.1", rate="0.0006")])
    market_data.set_prices(START + timedelta(hours=9), 97, "96.9")
    harness = BotHarness(market_data, parameters=settings())
    before = Decimal(1000)
    harness.run(12)
    assert harness.ask(CloseRequested()).done
    assert_sound(harness)
    totals, fills = (
        harness.ledger.totals,
        [*harness.world.fills(SPOT, SYMBOL, START), *harness.world.fills(PERP, SYMBOL, START)],
    )
    assert totals.fees == sum((fill.fee_in_quote("AAA", "USDT") for fill in fills), Decimal(0))
    assert totals.funding == sum((payment.amount for payment in harness.world.funding_payments(START)), Decimal(0)) > 0
    assert totals.net_profit == totals.funding + totals.basis_pnl - totals.fees
    dust = sum((lot.quantity * 97 - lot.cost for lot in harness.ledger.dust.values()), Decimal(0))
    assert abs(equity_change(harness.world, before, {}) - totals.net_profit - dust) < Decimal("1e-9")


def test_equity_counts_what_is_locked_and_the_books_every_coin() -> None:
    """Did: showed $1,000 of $1,600: locked balances and other stable coins dropped out; any deposit was a profit."""
    harness = BotHarness(usdt=700, perp=500, coins={"USDF": Decimal(300), "USDC": Decimal(100)}, parameters=settings())
    resting = OrderRequest(
        client_id="mine",
        market=SPOT,
        symbol=SYMBOL,
        side=Side.BUY,
        quantity=Decimal(4),
        price=Decimal(50),
        time_in_force=TimeInForce.GTX,
    )
    harness.world.place(resting)
    harness.run(0.05)
    assert harness.notices_of(EquityRead)[0].equity == 1200
    books = harness.ledger.books
    assert [books.line(Wallet.SPOT, asset).balance for asset in ("USDT", "USDF", "USDC")] == [700, 300, 100]
    harness.wait(0.1)
    harness.world.deposit(Wallet.SPOT, "USDT", Decimal(250))
    harness.run(0.2)
    assert harness.ledger.books.line(Wallet.SPOT, "USDT").external == 250
    assert harness.ledger.total_profit_loss == 0
    assert_sound(harness)
