from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.commands import SetLeverage, TransferDirection, TransferFunds
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.reducers import KEPT_CLOSED, apply, fold
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.order import Fill, ForcedTrade, OrderStatus
from hedgerow.domain.position import OrderRecord, Reason
from support.ledger_builder import SPOT_FEE, START, LedgerBuilder

SETTLED = datetime(2026, 1, 5, 16, tzinfo=UTC)


def record_of(ledger: Ledger, client_id: str) -> OrderRecord:
    return ledger.orders[client_id]


# --- commands and orders ---------------------------------------------------------------------------------------------


def test_an_intent_is_known_before_anything_happened_to_it() -> None:
    record = record_of(LedgerBuilder().begin().issue("s-1", Side.BUY, 10, 100).ledger, "h1-s-1")
    assert (record.status, record.filled_quantity, record.unknown) == (OrderStatus.NEW, Decimal(0), False)


def test_an_intent_that_is_logged_again_forgets_nothing() -> None:
    builder = LedgerBuilder().begin().trade("s-1", Side.BUY, 10, 100)
    assert builder.issue("s-1", Side.BUY, 10, 100).ledger.owned("ABC") == Decimal("9.996")


def progressed(quantity: int, notional: int) -> ev.OrderProgressed:
    return ev.OrderProgressed(
        at=START,
        client_id="h1-s-1",
        order_id=4,
        filled_quantity=Decimal(quantity),
        filled_notional=Decimal(notional),
    )


def test_cumulative_fills_are_a_maximum_whether_reported_twice_or_out_of_order() -> None:
    builder = LedgerBuilder().begin().issue("s-1", Side.BUY, 10, 100)
    builder.record(ev.OrderAccepted(at=START, client_id="h1-s-1", order_id=4))
    builder.record(progressed(6, 600), progressed(6, 600), progressed(2, 200))
    record = record_of(builder.ledger, "h1-s-1")
    assert (record.filled_quantity, record.filled_notional) == (Decimal(6), Decimal(600))
    assert (record.status, record.order_id) == (OrderStatus.PARTIALLY_FILLED, 4)
    builder.ends("s-1", 10, 1000).record(progressed(6, 600))
    assert record_of(builder.ledger, "h1-s-1").status is OrderStatus.FILLED
    assert record_of(builder.ledger, "h1-s-1").filled_quantity == 10


def test_an_end_without_an_order_id_keeps_the_known_one() -> None:
    builder = LedgerBuilder().begin().issue("s-1", Side.BUY, 10, 100).record(progressed(0, 0))
    ended = ev.OrderEnded(at=START, client_id="h1-s-1", order_id=None, status=OrderStatus.EXPIRED)
    assert record_of(builder.record(ended).ledger, "h1-s-1").order_id == 4


@pytest.mark.parametrize(
    "found",
    [
        progressed(1, 100),
        ev.OrderAccepted(at=START, client_id="h1-s-1", order_id=4),
        ev.OrderEnded(at=START, client_id="h1-s-1", order_id=4, status=OrderStatus.CANCELED),
    ],
    ids=["filling", "at work", "ended"],
)
def test_an_outcome_is_unknown_until_the_order_is_found(found: ev.Event) -> None:
    unknown = ev.OrderOutcomeUnknown(at=START, client_id="h1-s-1", detail="timeout")
    builder = LedgerBuilder().begin().issue("s-1", Side.BUY, 10, 100).record(unknown)
    assert record_of(builder.ledger, "h1-s-1").unknown
    assert not record_of(builder.record(found).ledger, "h1-s-1").unknown


def test_an_outcome_that_is_known_does_not_become_unknown_after_its_end() -> None:
    unknown = ev.OrderOutcomeUnknown(at=START, client_id="h1-s-1", detail="timeout")
    builder = LedgerBuilder().begin().issue("s-1", Side.BUY, 10, 100).record(unknown, progressed(1, 100))
    assert not record_of(builder.ends("s-1", 1, 100).ledger, "h1-s-1").unknown
    assert not record_of(builder.record(unknown).ledger, "h1-s-1").unknown


def test_a_trade_report_proves_a_fill_that_nobody_reported() -> None:
    builder = LedgerBuilder().begin().issue("s-1", Side.BUY, 10, 100).ends("s-1")
    builder.fee("s-1", Side.BUY, 4, 100, fee="0.0016", asset="ABC", value="0.16")
    assert builder.ledger.owned("ABC") == Decimal("3.9984")


def test_a_fee_is_booked_once_per_trade_id_of_its_market() -> None:
    builder = LedgerBuilder().open_hedge()
    for _ in range(2):
        builder.fee("s-1", Side.BUY, 10, 100, fee="0.3", trade_id=7)
        builder.fee("p-1", Side.SELL, 10, 101, fee="0.2", trade_id=7)
    assert builder.ledger.largest
    assert builder.ledger.largest.tally.fees == Decimal("0.5")


def test_a_refused_or_done_transfer_is_no_longer_pending() -> None:
    transfer = TransferFunds(transfer_id="t1", amount=Decimal(5), direction=TransferDirection.SPOT_TO_PERP)
    builder = LedgerBuilder().record(ev.CommandIssued(at=START, command=transfer))
    assert builder.ledger.transfer == transfer
    refused = ev.CommandRefused(at=START, command=transfer, code=-1000, detail="no")
    done = ev.FundsTransferred(at=START, transfer_id="t1", amount=Decimal(5), direction=transfer.direction)
    assert apply(builder.ledger, refused).transfer is None
    assert apply(builder.ledger, done).transfer is None
    leverage = SetLeverage(symbol="ABCUSDT", leverage=1)
    other = ev.CommandRefused(at=START, command=leverage, code=-1, detail="no")
    assert apply(builder.ledger, other).transfer == transfer
    assert apply(builder.ledger, ev.CommandIssued(at=START, command=leverage)).transfer == transfer


def test_a_transfer_in_doubt_is_settled_by_what_is_said_about_the_account_and_by_nothing_else() -> None:
    transfer = TransferFunds(transfer_id="t1", amount=Decimal(5), direction=TransferDirection.SPOT_TO_PERP)
    unknown = ev.TransferOutcomeUnknown(at=START, transfer_id="t1", detail="timeout")
    again = ev.CommandIssued(at=START, command=transfer)
    ledger = LedgerBuilder().record(again, unknown, again).ledger
    assert (ledger.transfer, ledger.transfer_doubtful) == (transfer, True)

    def refused(*, before_execution: bool | UnsetType = UNSET) -> Ledger:
        refusal = ev.CommandRefused(at=START, command=transfer, code=-7, detail="no", before_execution=before_execution)
        return apply(ledger, refusal)

    same = replace(ledger, events=ledger.events + 1)
    assert refused(before_execution=True) == same, "the first sending may have been executed"
    assert (refused().transfer, refused().transfer_doubtful) == (None, False)
    done = ev.FundsTransferred(at=START, transfer_id="t1", amount=Decimal(5), direction=transfer.direction)
    for settled in (apply(ledger, done), apply(apply(ledger, done), done)):
        assert (settled.transfer, settled.transfer_doubtful) == (None, False)
    assert not LedgerBuilder().record(unknown).ledger.transfer_doubtful, "of a transfer that nobody waits for"
    other = replace(transfer, transfer_id="t2")
    assert not apply(ledger, ev.CommandIssued(at=START, command=other)).transfer_doubtful


# --- funding ---------------------------------------------------------------------------------------------------------


def test_funding_is_booked_once_per_transaction() -> None:
    ledger = LedgerBuilder().open_hedge().paid(3, 17).paid(3, 17).paid("-1", 18).ledger
    assert ledger.largest
    assert (ledger.largest.funding_received, ledger.largest.funding_payments) == (Decimal(2), 2)


def test_two_symbols_paid_at_one_instant_are_both_booked_and_kept_apart() -> None:
    ledger = LedgerBuilder().open_hedge().paid(3, 1, SETTLED).paid(5, 2, SETTLED, symbol="XYZUSDT").ledger
    assert ledger.largest
    assert ledger.largest.funding_received == 3
    assert ledger.unattributed_funding == 5
    assert ledger.funding_until == SETTLED


def test_funding_that_arrives_late_belongs_to_the_hedge_that_was_held_at_its_stamp() -> None:
    first = LedgerBuilder("h1").open_hedge().wait(hours=5).close_hedge()
    second = LedgerBuilder("h2", at=first.now + timedelta(minutes=5)).open_hedge()
    ledger = fold([*first.events, *second.events])
    late = LedgerBuilder("h2", at=second.now).paid(7, 1, SETTLED).events[0]
    after = apply(ledger, late)
    assert after.closed[0].funding == 7
    assert after.totals.funding == 7
    assert after.largest
    assert after.largest.funding_received == 0


def test_funding_of_a_settlement_in_the_middle_of_the_opening_belongs_to_the_hedge() -> None:
    builder = LedgerBuilder(at=SETTLED - timedelta(minutes=2)).begin().trade("s-1", Side.BUY, 10, 100)
    builder.trade("p-1", Side.SELL, 10, 101).wait(minutes=5).opened().paid(2, 1, SETTLED)
    assert builder.ledger.largest
    assert builder.ledger.largest.opened_at > SETTLED
    assert builder.ledger.largest.funding_received == 2


def test_funding_while_the_hedge_is_still_being_opened_is_kept_for_it() -> None:
    builder = (
        LedgerBuilder().begin().trade("s-1", Side.BUY, 10, 100).paid(2, 1).trade("p-1", Side.SELL, 10, 101).opened()
    )
    assert builder.ledger.largest
    assert builder.ledger.largest.funding_received == 2


def test_a_settlement_charged_off_its_stamp_prefers_the_hedge_that_really_held_it() -> None:
    first = LedgerBuilder("h1", at=SETTLED - timedelta(hours=1)).open_hedge().wait(minutes=59).close_hedge()
    closed_at = first.ledger.closed[0].closed_at
    second = LedgerBuilder("h2", at=first.now).open_hedge()
    before = [*first.events, *second.events]
    inside = LedgerBuilder(at=second.now).paid(1, 1, closed_at - timedelta(seconds=1)).events[0]
    assert fold([*before, inside]).closed[0].funding == 1
    jitter = LedgerBuilder(at=second.now).paid(1, 2, closed_at + timedelta(seconds=14)).events[0]
    alone = fold([*first.events, jitter])
    assert alone.closed[0].funding == 1
    beyond = LedgerBuilder(at=second.now).paid(1, 3, closed_at + timedelta(seconds=16)).events[0]
    assert fold([*first.events, beyond]).unattributed_funding == 1


def test_funding_before_any_hedge_is_nobodys() -> None:
    ledger = LedgerBuilder().paid(9, 1).ledger
    assert ledger.unattributed_funding == 9
    assert ledger.books.line(ev.Wallet.PERP, "USDT").funding == 9


# --- the life of a hedge ---------------------------------------------------------------------------------------------


def test_net_profit_is_the_cash_that_came_in_exactly() -> None:
    builder = LedgerBuilder().open_hedge()
    builder.fee("s-1", Side.BUY, 10, 100, fee="0.004", asset="ABC", value="0.400")
    builder.fee("p-1", Side.SELL, 10, 101, fee="0.3535")
    builder.paid("1.2345", 1).begin(ExecutionKind.CLOSE)
    builder.trade("s-2", Side.SELL, "9.996", 110).trade("p-2", Side.BUY, 10, "110.5")
    builder.fee("s-2", Side.SELL, "9.996", 110, fee="0.43")
    builder.fee("p-2", Side.BUY, 10, "110.5", fee="0.38")
    closed = builder.closed().ledger.closed[0]
    cash = -1000 + Decimal("9.996") * 110 - Decimal("0.43") + 1010 - 1105 - Decimal("0.3535") - Decimal("0.38")
    assert closed.net_profit == cash + Decimal("1.2345")
    assert closed.fees == Decimal("0.400") + Decimal("0.3535") + Decimal("0.43") + Decimal("0.38")
    assert closed.basis_pnl == 10 * (Decimal(101) - 100) - 10 * (Decimal("110.5") - 110) - Decimal("0.004") * 10
    assert builder.ledger.totals.net_profit == closed.net_profit
    assert (builder.ledger.totals.opened, builder.ledger.totals.closed) == (1, 1)


@pytest.mark.parametrize(("days", "reduced"), [(1, False), (3, True)])
def test_a_closed_hedge_without_its_orders_has_made_what_it_made(*, days: int, reduced: bool) -> None:
    first = LedgerBuilder("h1").open_hedge()
    first.fee("s-1", Side.BUY, 10, 100, fee="0.4").fee("p-1", Side.SELL, 10, 101, fee="0.3535").close_hedge()
    first.fee("s-2", Side.SELL, 10, 110, fee="0.43").fee("p-2", Side.BUY, 10, "110.5", fee="0.38")
    (whole,) = first.ledger.closed
    assert whole.hedge.orders
    second = LedgerBuilder("h2", at=first.now + timedelta(days=days)).open_hedge().close_hedge()
    kept = fold([*first.events, *second.events]).closed[0]
    assert (kept.hedge.orders == ()) is reduced
    assert (kept.net_profit, kept.fees, kept.basis_pnl) == (whole.net_profit, whole.fees, whole.basis_pnl)
    assert kept.hedge.spot_quantity == whole.hedge.spot_quantity


def test_a_closed_hedge_keeps_its_orders_while_a_fee_of_it_is_not_booked() -> None:
    first = LedgerBuilder("h1").open_hedge().close_hedge()
    second = LedgerBuilder("h2", at=first.now + timedelta(days=3)).open_hedge().close_hedge()
    assert fold([*first.events, *second.events]).closed[0].hedge.orders


def test_fees_in_coin_and_in_a_third_asset_on_one_order_are_each_counted_once() -> None:
    builder = LedgerBuilder().begin().trade("s-1", Side.BUY, 10, 100)
    builder.fee("s-1", Side.BUY, 5, 100, fee="0.002", asset="ABC", value="0.20")
    builder.fee("s-1", Side.BUY, 5, 100, fee="0.0003", asset="BNB", value="0.18")
    opening = builder.ledger.opening
    assert opening
    assert opening.spot_quantity == Decimal("9.998")
    assert opening.tally.price_pnl(Decimal(100), Decimal(100)) - opening.tally.fees == Decimal("-0.38")


def test_dust_leaves_one_hedge_at_its_value_and_enters_a_later_one_at_the_same() -> None:
    first = LedgerBuilder("h1").open_hedge().begin(ExecutionKind.CLOSE)
    first.trade("s-2", Side.SELL, "9.99", 110).trade("p-2", Side.BUY, 10, "110.5")
    left = first.ledger.owned("ABC")
    assert left == Decimal("0.006")
    first.closed(residue=left * 110).dust(left, left * 110)
    assert first.ledger.owned("ABC") == left
    second = LedgerBuilder("h2", at=first.now + timedelta(hours=1)).open_hedge()
    second.swept(left, left * 110).begin(ExecutionKind.CLOSE)
    ledger = fold([*first.events, *second.events])
    assert ledger.dust == {}
    assert ledger.owned("ABC") == Decimal("9.996") + left
    second.trade("s-2", Side.SELL, Decimal("9.996") + left, 120).trade("p-2", Side.BUY, 10, 121).closed()
    ledger = fold([*first.events, *second.events])
    cash = (
        -2 * 1000
        + Decimal("9.99") * 110
        + Decimal("10.002") * 120
        + 2 * 1010
        - 1105
        - 1210
        - SPOT_FEE * (2 * 1010 + Decimal("9.99") * 110 + 1105 + Decimal("10.002") * 120 + 1210)
    )
    assert ledger.totals.net_profit == cash
    assert ledger.owned("ABC") == 0


def test_dust_of_one_coin_adds_up() -> None:
    ledger = LedgerBuilder().dust("0.01", 1).dust("0.02", 2).ledger
    assert (ledger.dust["ABC"].quantity, ledger.dust["ABC"].cost) == (Decimal("0.03"), Decimal(3))


@pytest.mark.parametrize("case", ["no dust", "another hedge", "no hedge"])
def test_dust_that_is_not_there_cannot_be_swept(case: str) -> None:
    builder = LedgerBuilder() if case == "no hedge" else LedgerBuilder().open_hedge()
    if case != "no dust":
        builder.dust("0.5", 50)
    builder.hedge_id = "h7" if case == "another hedge" else builder.hedge_id
    before = builder.ledger
    after = builder.swept("0.5", 50).ledger
    assert (after.largest, after.dust) == (before.largest, before.dust)


def test_an_opening_that_was_partly_unwound_is_as_large_as_what_is_left() -> None:
    builder = LedgerBuilder().begin().trade("s-1", Side.BUY, 10, 100).trade("p-1", Side.SELL, 6, 101)
    builder.trade("s-2", Side.SELL, 4, 100).opened()
    assert builder.ledger.largest
    assert builder.ledger.largest.entry_notional == 600
    assert builder.ledger.largest.entry_fees == (1000 + 606 + 400) * SPOT_FEE


def test_an_opening_that_was_unwound_ends_as_a_loss_that_is_not_forgotten() -> None:
    builder = LedgerBuilder().begin().trade("s-1", Side.BUY, 10, 100).trade("s-2", Side.SELL, "9.99", 99)
    ledger = builder.aborted(residue=Decimal("0.006") * 99).dust("0.006", "0.594").ledger
    assert ledger.foremost is None
    assert ledger.execution is None
    assert (ledger.totals.aborted, ledger.totals.opened) == (1, 0)
    assert ledger.totals.net_profit == -1000 + Decimal("9.99") * 99 - Decimal("9.99") * 99 * SPOT_FEE + Decimal("0.594")


def test_an_opening_without_a_fill_leaves_only_a_count() -> None:
    ledger = LedgerBuilder().begin().aborted().ledger
    assert ledger.closed == ()
    assert (ledger.totals.aborted, ledger.totals.net_profit) == (1, Decimal(0))


def test_a_hedge_closed_elsewhere_is_booked_with_the_trades_that_closed_it_each_once() -> None:
    builder = LedgerBuilder().open_hedge()
    report = LedgerBuilder().fee("p-9", Side.BUY, 10, 150, fee=1, pnl=-490, trade_id=70).events[0]
    assert isinstance(report, ev.FeeBooked)
    forced = replace(report.fill, client_id="liquidation", forced_trade=ForcedTrade.LIQUIDATION)
    by_hand = replace(
        report.fill, trade_id=71, client_id="web", market=Market.SPOT, side=Side.SELL, quantity=Decimal("9.996")
    )
    elsewhere = ev.ExternalFills(at=builder.now, hedge_id="h1", fills=(forced, by_hand), cause="liquidation")
    builder.record(elsewhere, elsewhere)
    assert builder.ledger.largest
    assert (builder.ledger.largest.short, builder.ledger.owned("ABC")) == (Decimal(0), Decimal(0))
    assert builder.ledger.books.line(ev.Wallet.PERP, "USDT").trades == -490
    assert builder.ledger.books.line(ev.Wallet.SPOT, "ABC").trades == 0, "a sale by hand is a row of the statement"
    builder.record(ev.HedgeLost(at=builder.now, hedge_id="h1", reason=Reason.CLOSED_EXTERNALLY))
    assert builder.ledger.largest is None
    assert builder.ledger.closed[0].reason is Reason.CLOSED_EXTERNALLY
    assert builder.ledger.closed[0].basis_pnl == -1000 + Decimal("0.4") + Decimal("9.996") * 150 + 1010 - 1500


def stand_in(side: Side, quantity: str, price: str) -> Fill:
    return Fill(
        market=Market.SPOT if side is Side.SELL else Market.PERP,
        symbol="ABCUSDT",
        trade_id=-5,
        order_id=0,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee=Decimal(0),
        fee_asset="USDT",
        at=START,
    )


@pytest.mark.parametrize("closed", [False, True])
def test_late_trades_take_the_place_of_what_was_assumed_in_a_hedge_that_may_be_closed(*, closed: bool) -> None:
    builder = LedgerBuilder().open_hedge()
    assumed = (stand_in(Side.BUY, "10", "150"), stand_in(Side.SELL, "9.996", "150"))
    builder.record(ev.ExternalFills(at=builder.now, hedge_id="h1", fills=assumed, cause="no trades"))
    if closed:
        builder.record(ev.HedgeLost(at=builder.now, hedge_id="h1", reason=Reason.CLOSED_EXTERNALLY))
    before = builder.ledger
    buy, sell = (replace(fill, trade_id=70 + n, price=Decimal(140)) for n, fill in enumerate(assumed))
    forced, part = replace(buy, forced_trade=ForcedTrade.LIQUIDATION), replace(sell, quantity=Decimal("4.996"))
    late = ev.ExternalFills(at=builder.now, hedge_id="h1", fills=(forced, part), cause="read late", late=True)
    ledger = builder.record(late, late).ledger
    hedge = ledger.closed[0].hedge if closed else ledger.largest
    assert hedge
    assert (hedge.short, hedge.spot_quantity) == (Decimal(0), Decimal(0))
    assert hedge.tally.spot_sold == Decimal("4.996") * 140 + 5 * 150, "no trade was found for five of the coins"
    assert hedge.tally.perp_bought == 1400
    changed = Decimal(10) * 10 - Decimal("4.996") * 10
    assert ledger.totals.basis_pnl - before.totals.basis_pnl == (changed if closed else 0)


@pytest.mark.parametrize(("sold", "left"), [("0.4", "0.596"), ("0.996", None), ("1.2", None)])
def test_coins_kept_of_a_hedge_that_others_sold_leave_the_dust_and_the_result_at_what_they_were_kept_at(
    sold: str, left: str | None
) -> None:
    builder = LedgerBuilder().open_hedge().begin(ExecutionKind.CLOSE).trade("s-2", Side.SELL, 9, 110)
    before = builder.trade("p-2", Side.BUY, 10, 110).closed(residue="99.6").dust("0.996", "99.6").ledger
    gone = ev.ExternalFills(at=builder.now, hedge_id="h1", fills=(stand_in(Side.SELL, sold, "120"),), cause="gone")
    ledger = builder.record(gone, gone).ledger
    kept = min(Decimal(sold), Decimal("0.996"))
    assert {asset: (lot.quantity, lot.cost) for asset, lot in ledger.dust.items()} == (
        {} if left is None else {"ABC": (Decimal(left), Decimal(left) * 100)}
    )
    assert ledger.closed[0].residue_value == Decimal("99.6") - kept * 100
    assert ledger.totals.net_profit - before.totals.net_profit == Decimal(sold) * 120 - kept * 100


def test_a_hedge_that_ended_without_dust_has_none_to_lose() -> None:
    builder = LedgerBuilder().open_hedge().close_hedge()
    gone = ev.ExternalFills(at=builder.now, hedge_id="h1", fills=(stand_in(Side.SELL, "1", "120"),), cause="gone")
    assert builder.ledger.closed[0].residue_value == builder.record(gone).ledger.closed[0].residue_value == 0


def test_a_repair_ends_the_job_and_keeps_the_hedge() -> None:
    builder = LedgerBuilder().open_hedge().begin(ExecutionKind.TRIM).trade("s-2", Side.SELL, 1, 100)
    ledger = builder.repaired().ledger
    assert ledger.execution is None
    assert ledger.owned("ABC") == Decimal("8.996")


def test_b1_a_roll_restarts_the_counters_without_an_order() -> None:
    builder = LedgerBuilder().open_hedge().paid(3, 1).wait(hours=24)
    rolled_at = builder.now
    builder.record(ev.HedgeRolled(at=rolled_at, hedge_id="h1")).paid(2, 2)
    hedge = builder.ledger.largest
    assert hedge
    assert (hedge.funding_received, hedge.funding_counted) == (Decimal(5), Decimal(2))
    assert (hedge.counted_from, hedge.opened_at < rolled_at) == (rolled_at, True)
    assert len(hedge.orders) == 2


def test_an_adopted_hedge_is_counted_once_and_its_history_is_never_booked_twice() -> None:
    found = LedgerBuilder("x1").open_hedge().ledger.largest
    assert found
    payment = LedgerBuilder().paid(4, 9, START - timedelta(days=8)).events[0]
    late = LedgerBuilder().paid(5, 10, START + timedelta(minutes=1)).events[0]
    assert isinstance(payment, ev.FundingReceived)
    assert isinstance(late, ev.FundingReceived)
    fill_report = LedgerBuilder().fee("s-1", Side.BUY, 10, 100, fee="0.4", trade_id=31).events[0]
    assert isinstance(fill_report, ev.FeeBooked)
    own = OrderRecord.of_fill(fill_report.fill, hedge_id="x1", base="ABC", fee_quote=Decimal("0.4"))
    adopted = replace(found, adopted=True, orders=(own,), funding_received=Decimal(9), funding_payments=2)
    event = ev.HedgeAdopted(at=START + timedelta(hours=1), hedge=adopted, payments=(payment.payment, late.payment))
    opening = ev.Halted(at=START, reason=ev.HaltReason.USER, detail="the log begins")
    ledger = fold([opening, event, event, payment, late, fill_report])
    assert ledger.totals.opened == 1
    assert ledger.largest
    assert (ledger.largest.funding_received, ledger.largest.tally.fees) == (Decimal(9), Decimal("0.4"))
    assert ledger.owned("ABC") == 10
    assert ledger.books.line(ev.Wallet.PERP, "USDT").funding == 5, "what came before the log is in the opening balance"


@pytest.mark.parametrize("kind", ["opened", "closed", "lost", "rolled", "aborted", "elsewhere"])
def test_news_of_another_hedge_leaves_ours_alone(kind: str) -> None:
    builder = LedgerBuilder().open_hedge()
    hedge = builder.ledger.largest
    news: dict[str, ev.Event] = {
        "opened": ev.HedgeOpened(at=START, hedge_id="h9"),
        "closed": ev.HedgeClosed(at=START, hedge_id="h9", reason=Reason.USER),
        "lost": ev.HedgeLost(at=START, hedge_id="h9", reason=Reason.USER),
        "rolled": ev.HedgeRolled(at=START, hedge_id="h9"),
        "aborted": ev.HedgeAborted(at=START, hedge_id="h9", reason=Reason.REFUSED, detail=""),
        "elsewhere": ev.ExternalFills(at=START, hedge_id="h9", fills=(), cause=""),
    }
    ledger = builder.record(news[kind]).ledger
    assert ledger.largest == hedge
    assert ledger.totals.closed == 0


def test_only_the_newest_closed_hedges_are_kept_whole_and_none_is_lost_from_the_totals() -> None:
    events: list[ev.Event] = []
    for number in range(KEPT_CLOSED + 2):
        events += LedgerBuilder(f"h{number}", at=START + timedelta(days=number)).open_hedge().close_hedge().events
    ledger = fold(events)
    assert [c.hedge_id for c in ledger.closed] == [f"h{n}" for n in range(2, KEPT_CLOSED + 2)]
    assert ledger.totals.closed == KEPT_CLOSED + 2


# --- standing orders -------------------------------------------------------------------------------------------------


def test_halts_targets_and_cycles_are_remembered() -> None:
    builder = LedgerBuilder().record(
        ev.Halted(at=START, reason=ev.HaltReason.NAKED, detail="why"),
        ev.TargetDecided(at=START, symbol="XYZUSDT", expires_at=SETTLED),
        ev.CycleCompleted(at=START, number=41),
    )
    ledger = builder.ledger
    assert ledger.halt
    assert (ledger.halt.since, ledger.halt.reason, ledger.halt.detail) == (START, ev.HaltReason.NAKED, "why")
    assert ledger.target
    assert (ledger.target.symbol, ledger.target.expires_at) == ("XYZUSDT", SETTLED)
    assert ledger.totals.cycles == 41
    assert builder.record(ev.Lifted(at=START, detail="")).ledger.halt is None
    assert builder.begin().ledger.target is None, "an opening uses the target up"


def test_a_closing_keeps_the_target_it_was_decided_for() -> None:
    builder = LedgerBuilder().open_hedge().record(ev.TargetDecided(at=START, symbol="XYZUSDT", expires_at=SETTLED))
    assert builder.begin(ExecutionKind.CLOSE).ledger.target


def test_the_worst_naked_time_of_any_job_is_remembered() -> None:
    builder = LedgerBuilder().begin()
    job = builder.ledger.execution
    assert job
    worse = replace(job, worst_naked_seconds=7.5, worst_naked_notional=Decimal(300))
    builder.record(ev.ExecutionStepped(at=START, execution=worse), ev.ExecutionStepped(at=START, execution=job))
    assert (builder.ledger.max_naked_seconds, builder.ledger.max_naked_notional) == (7.5, Decimal(300))
    assert builder.ledger.execution == job


def test_events_are_counted_from_the_first_one_on() -> None:
    alarm = ev.NakedAlarmed(at=START, hedge_id="h1", exposure=Decimal(1), notional=Decimal(1), seconds=6.0)
    later = ev.MarginTypeSet(at=SETTLED, symbol="ABCUSDT")
    ledger = fold([alarm, later])
    assert (ledger.events, ledger.started_at) == (2, START)
    assert fold([ev.LeverageSet(at=SETTLED, symbol="ABCUSDT", leverage=1)], ledger).events == 3


def test_the_request_behind_the_newest_settings_is_remembered() -> None:
    change = ev.SettingChange(name="position_management.max_positions", before="1", after="2")
    changed = ev.SettingsChanged(at=START, user="owner", changes=(change,), request_id="r")
    assert LedgerBuilder().record(changed).ledger.settings_request == "r"


def test_settings_are_known_as_they_were_logged_last_and_a_start_leaves_the_request_as_it_was() -> None:
    age, most = "position_management.max_position_age_hours", "position_management.max_positions"
    asked = ev.SettingsChanged(
        at=START,
        user="owner",
        changes=tuple(ev.SettingChange(name=name, before="1", after="2") for name in (age, most)),
        request_id="r",
    )
    found = replace(asked, user="", changes=(ev.SettingChange(name=most, before="2", after="3"),), request_id="")
    ledger = LedgerBuilder().record(asked, found).ledger
    assert ledger.settings == {age: "2", most: "3"}
    assert ledger.settings_request == "r"
