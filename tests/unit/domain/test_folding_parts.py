"""A hedge of which a part was closed: what that part made stays in the hedge, and its rest goes on."""

from decimal import Decimal

from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.instrument import Side
from support.ledger_builder import LedgerBuilder


def test_a_partial_exit_realises_its_basis_and_fees_in_the_hedge_it_was_taken_from() -> None:
    builder = LedgerBuilder().open_hedge().wait(hours=8).paid(3, 1)
    entry_fees = builder.ledger.largest.entry_fees if builder.ledger.largest else None
    builder.begin(ExecutionKind.REDUCE).trade("s-2", Side.SELL, 4, 160).trade("p-2", Side.BUY, 4, 162).repaired()
    hedge = builder.wait(hours=8).paid(2, 2).ledger.largest
    assert hedge
    assert (hedge.spot_quantity, hedge.short) == (Decimal("5.996"), Decimal(6))
    assert (hedge.funding_received, hedge.funding_payments) == (Decimal(5), 2)
    assert (hedge.entry_notional, hedge.entry_fees) == (Decimal(1000), entry_fees)
    assert builder.ledger.totals.closed == 0
    builder.begin(ExecutionKind.CLOSE).trade("s-3", Side.SELL, "5.996", 110).trade("p-3", Side.BUY, 6, 110).closed()
    (whole,) = builder.ledger.closed
    spot = 4 * 160 + Decimal("5.996") * 110 - 1000 + whole.hedge.tally.coin_fee_value
    assert whole.basis_pnl == spot + 1010 - 4 * 162 - 6 * 110
    assert whole.net_profit == 5 + whole.basis_pnl - whole.fees
