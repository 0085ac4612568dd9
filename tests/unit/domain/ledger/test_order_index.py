from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.events import DustKept, HedgeAdopted
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.instrument import Side
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import DustLot
from support.ledger_builder import SPOT_FEE, LedgerBuilder


def test_a_late_fee_of_the_opening_reaches_the_open_hedge_and_its_entry_fees() -> None:
    builder = LedgerBuilder().open_hedge()
    estimated = (Decimal(1000) + Decimal(1010)) * SPOT_FEE
    before = builder.ledger.largest
    assert before
    assert before.entry_fees == before.tally.fees == before.tally.fees_estimated == estimated
    builder.fee("s-1", Side.BUY, 10, 100, fee="0.003", asset="ABC", value="0.30")
    hedge = builder.fee("p-1", Side.SELL, 10, 101, fee="0.35").ledger.largest
    assert hedge
    assert hedge.entry_fees == hedge.tally.fees == Decimal("0.65")
    assert hedge.tally.fees_estimated == 0
    assert hedge.spot_quantity == Decimal("9.997")


def test_fees_of_closing_orders_are_not_entry_fees() -> None:
    builder = LedgerBuilder().open_hedge()
    entry = builder.ledger.largest
    builder.begin(ExecutionKind.CLOSE).trade("s-2", Side.SELL, 5, 110)
    assert entry
    assert builder.ledger.largest
    assert builder.ledger.largest.entry_fees == entry.entry_fees
    assert builder.ledger.largest.tally.fees > entry.tally.fees


def test_a_late_fee_after_the_close_changes_the_closed_hedge_and_the_totals() -> None:
    builder = LedgerBuilder().open_hedge().close_hedge()
    before = builder.ledger
    builder.fee("p-2", Side.BUY, 10, "110.5", fee="0.9")
    after = builder.ledger
    change = Decimal("0.9") - Decimal(1105) * SPOT_FEE
    assert after.closed[0].fees == before.closed[0].fees + change
    assert after.totals.fees == before.totals.fees + change
    assert after.totals.net_profit == after.closed[0].net_profit == before.totals.net_profit - change


@pytest.mark.parametrize("fee", ["0.003", "0.005"], ids=["smaller", "larger"])
def test_a_late_fee_in_coin_changes_what_was_kept_of_the_closed_hedge(fee: str) -> None:
    builder = LedgerBuilder().open_hedge().begin(ExecutionKind.CLOSE).trade("s-2", Side.SELL, 9, 110)
    before = builder.trade("p-2", Side.BUY, 10, 110).closed(residue="99.6").dust("0.996", "99.6").ledger
    ledger = builder.fee("s-1", Side.BUY, 10, 100, fee=fee, asset="ABC", value=str(Decimal(fee) * 100)).ledger
    left = 1 - Decimal(fee)
    assert [(lot.quantity, lot.cost) for lot in ledger.dust.values()] == [(left, left * 100)]
    assert ledger.owned("ABC") == left
    assert ledger.closed[0].residue_value == left * 100
    change = (Decimal(fee) - Decimal("0.004")) * 100
    assert before.totals.net_profit - ledger.totals.net_profit == change


def test_a_late_fee_in_coin_leaves_the_dust_of_another_coin_as_it_is() -> None:
    builder = LedgerBuilder().open_hedge().begin(ExecutionKind.CLOSE).trade("s-2", Side.SELL, 9, 110)
    builder.trade("p-2", Side.BUY, 10, 110).closed(residue="99.6").dust("0.996", "99.6")
    lost = DustLot(asset="XYZ", quantity=ZERO, cost=Decimal("0.1"))  # exchanged for less than one new coin
    builder.record(DustKept(at=builder.now, lot=lost))
    ledger = builder.fee("s-1", Side.BUY, 10, 100, fee="0.005", asset="ABC", value="0.5").ledger
    assert ledger.dust == {"ABC": DustLot(asset="ABC", quantity=Decimal("0.995"), cost=Decimal("99.5")), "XYZ": lost}


@pytest.mark.parametrize("fee", ["0.003", "0.005"], ids=["smaller", "larger"])
def test_a_late_fee_in_coin_leaves_dust_of_which_nothing_is_left_as_it_is(fee: str) -> None:
    builder = LedgerBuilder().open_hedge().begin(ExecutionKind.CLOSE).trade("s-2", Side.SELL, "9.996", 110)
    builder.trade("p-2", Side.BUY, 10, 110).closed().dust("0", "0.1")
    before = builder.ledger
    ledger = builder.fee("s-1", Side.BUY, 10, 100, fee=fee, asset="ABC", value=str(Decimal(fee) * 100)).ledger
    assert ledger.dust == before.dust
    assert ledger.closed[0].residue_value == 0


def test_a_fill_of_an_order_nobody_knows_changes_no_hedge() -> None:
    builder = LedgerBuilder().open_hedge().close_hedge()
    before = builder.ledger
    after = builder.ends("s-99", 5, 500).ledger
    assert (after.largest, after.closed, after.totals, after.orders) == (None, before.closed, before.totals, {})


def test_a_late_fill_of_an_open_hedges_old_order_reaches_it() -> None:
    builder = LedgerBuilder().begin().trade("s-1", Side.BUY, 10, 100)
    builder.issue("p-1", Side.SELL, 10, 101).ends("p-1").opened()
    assert builder.ledger.orders == {}
    builder.ends("p-1", 10, 1010)
    assert builder.ledger.largest
    assert builder.ledger.largest.short == 10


def test_an_order_of_a_hedge_that_does_not_exist_is_remembered_but_owned_by_none() -> None:
    stray = LedgerBuilder("h9").issue("s-1", Side.BUY, 1, 100).ledger
    assert list(stray.orders) == ["h9-s-1"]
    assert stray.foremost is None
    assert stray.owned("ABC") == ZERO


def test_an_entry_value_that_the_orders_did_not_report_comes_with_the_trades() -> None:
    builder = LedgerBuilder().begin().issue("s-1", Side.BUY, 10, 100).ends("s-1", 10)
    builder.issue("p-1", Side.SELL, 10, 100).ends("p-1", 10).opened()
    assert builder.ledger.largest
    assert builder.ledger.largest.entry_notional == 0
    builder.fee("s-1", Side.BUY, 10, 100, fee="0.003", asset="ABC", value="0.30")
    assert builder.ledger.largest.entry_notional == 1000


def test_the_entry_value_of_an_adopted_hedge_stays_as_it_was_found() -> None:
    builder = LedgerBuilder().open_hedge()
    found = builder.ledger.largest
    assert found
    builder.record(HedgeAdopted(at=found.opened_at, hedge=replace(found, adopted=True, entry_notional=Decimal(7))))
    builder.fee("s-1", Side.BUY, 10, 100, fee="0.003", asset="ABC", value="0.30")
    assert builder.ledger.largest
    assert builder.ledger.largest.entry_notional == 7
