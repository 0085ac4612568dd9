"""The recorder: what it makes of a run's events is what the ledger says, to the last digit."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from msgspec.structs import replace

from hedgerow.dashboard.report.page import html_page
from hedgerow.dashboard.report.recorder import RunEnd, RunRecorder
from hedgerow.dashboard.report.report import RunReport, as_json, report_lines
from hedgerow.domain import events as ev
from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.execution import ExecutionKind, ExecutionLimits, ExecutionPlan, ExecutionState, HedgeExecution
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.reducers import apply, fold
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.order import Fill, OrderRequest, OrderStatus
from hedgerow.domain.position import DustLot, Reason
from hedgerow.strategy.hedge_result import ExitPrices
from support.views import pair_of

START = datetime(2025, 5, 1, tzinfo=UTC)
PAIR = pair_of("AAAUSDT")
QUANTITY = Decimal(10)
_numbers = count(1)


def hour(number: float) -> datetime:
    return START + timedelta(hours=number)


def job(hedge_id: str, kind: ExecutionKind, at: datetime) -> HedgeExecution:
    return HedgeExecution(
        hedge_id=hedge_id,
        kind=kind,
        pair=PAIR,
        reason=Reason.BEST_OPPORTUNITY,
        plan=ExecutionPlan(spot_quantity=QUANTITY, perp_quantity=QUANTITY, slice_notional=Decimal(1000), entry_apr=0.2),
        limits=ExecutionLimits(),
        state=ExecutionState.LEADING,
        started_at=at,
        stage_since=at,
        worst_naked_seconds=1.5,
        worst_naked_notional=Decimal(200),
    )


def trade(hedge_id: str, market: Market, side: Side, price: str, at: datetime, *, fee: str = "1") -> list[ev.Event]:
    """One filled order and, last, its trade report."""
    number = next(_numbers)
    client_id, limit = f"{hedge_id}-{number}", Decimal(price)
    request = OrderRequest(
        client_id=client_id, market=market, symbol=PAIR.symbol, side=side, quantity=QUANTITY, price=limit
    )
    fill = Fill(
        market=market,
        symbol=PAIR.symbol,
        trade_id=number,
        order_id=number,
        client_id=client_id,
        side=side,
        quantity=QUANTITY,
        price=limit,
        fee=Decimal(fee),
        fee_asset="USDT",
        at=at,
    )
    return [
        ev.CommandIssued(at=at, command=PlaceOrder(hedge_id=hedge_id, order=request)),
        ev.OrderEnded(
            at=at,
            client_id=client_id,
            order_id=number,
            status=OrderStatus.FILLED,
            filled_quantity=QUANTITY,
            filled_notional=QUANTITY * limit,
        ),
        ev.FeeBooked(at=at, client_id=client_id, fill=fill, fee_quote=Decimal(fee)),
    ]


def opening(hedge_id: str, at: datetime) -> list[ev.Event]:
    started = job(hedge_id, ExecutionKind.OPEN, at)
    return [
        ev.ExecutionStarted(at=at, execution=started),
        *trade(hedge_id, Market.SPOT, Side.BUY, "100", at),
        *trade(hedge_id, Market.PERP, Side.SELL, "101", at),
        ev.ExecutionStepped(at=at, execution=started),
        ev.HedgeOpened(at=at, hedge_id=hedge_id),
    ]


def closing(hedge_id: str, at: datetime) -> list[ev.Event]:
    return [
        ev.ExecutionStarted(at=at, execution=job(hedge_id, ExecutionKind.CLOSE, at)),
        *trade(hedge_id, Market.SPOT, Side.SELL, "110", at),
        *trade(hedge_id, Market.PERP, Side.BUY, "110.5", at),
        ev.HedgeClosed(at=at, hedge_id=hedge_id, reason=Reason.MAX_AGE),
    ]


def payment(amount: str, at: datetime) -> ev.FundingReceived:
    paid = FundingPayment(symbol=PAIR.symbol, amount=Decimal(amount), tran_id=next(_numbers), at=at)
    return ev.FundingReceived(at=at, payment=paid)


def cycles(*hours: int) -> Iterator[ev.Event]:
    return (ev.CycleCompleted(at=hour(h), number=n) for n, h in enumerate(hours, start=1))


def run_of(events: Sequence[ev.Event], *, before: Ledger | None = None, **ended: Any) -> tuple[RunReport, Ledger]:
    ledger = before or Ledger()
    recorder = RunRecorder(title="A run", started_at=START, seed=3, sources={"AAAUSDT": "a tape"}, ledger=before)
    recorder.sample(START, Decimal(5000))
    for event in events:
        ledger = apply(ledger, event)
        recorder.record(event, ledger)
    recorder.sample(hour(48), Decimal(5010))
    end = RunEnd(at=hour(48), elapsed_seconds=0.5, events_sha256="ff", **ended)
    return recorder.finish(end), ledger


def test_a_closed_hedge_is_reported_with_all_its_parts() -> None:
    events = [*opening("a", hour(1)), payment("3", hour(8)), payment("2.5", hour(16)), *closing("a", hour(20))]
    report, ledger = run_of([*events, *cycles(21, 22)])
    (row,) = report.hedges
    assert (row.funding, row.fees, row.basis_pnl) == (Decimal("5.5"), Decimal(4), Decimal(5))
    assert (row.opened_at, row.closed_at, row.reason) == (hour(1), hour(20), "maximum age")
    assert (row.notional, row.entry_apr) == (Decimal(1000), 0.2)
    assert (report.funding_received, report.fees_paid, report.basis_pnl) == (Decimal("5.5"), Decimal(4), Decimal(5))
    assert report.net_profit == row.net_profit == ledger.totals.net_profit == Decimal("6.5")
    assert (report.cycles, report.positions_opened, report.positions_closed) == (2, 1, 1)
    assert (report.max_naked_seconds, report.max_naked_usd) == (1.5, Decimal(200))
    assert (report.equity_start, report.equity_end) == (Decimal(5000), Decimal(5010))
    assert report.books_difference == 0


def test_the_curves_rise_when_money_moves_and_reach_the_end() -> None:
    report, _ = run_of([*opening("a", hour(1)), payment("3", hour(8)), *closing("a", hour(20))])
    assert report.funding_curve == ((START, Decimal(0)), (hour(8), Decimal(3)), (hour(48), Decimal(3)))
    assert report.fees_curve == (
        (START, Decimal(0)),
        (hour(1), Decimal(2)),
        (hour(20), Decimal(4)),
        (hour(48), Decimal(4)),
    )


def test_what_arrives_after_the_closing_belongs_to_the_closed_hedge() -> None:
    *close, late_fee_owner, done = closing("a", hour(20))
    report, ledger = run_of([*opening("a", hour(1)), *close, done, late_fee_owner, payment("3", hour(16))])
    (row,) = report.hedges
    assert (row.fees, row.funding) == (Decimal(4), Decimal(3))
    assert report.net_profit == row.net_profit == ledger.totals.net_profit


def test_an_open_hedge_is_valued_at_the_prices_of_the_end() -> None:
    events = [*opening("a", hour(1)), payment("3", hour(8))]
    report, _ = run_of(events, prices=ExitPrices(spot=Decimal(120), perp=Decimal("120.2")))
    (row,) = report.hedges
    assert (row.closed_at, row.reason, row.basis_pnl) == (None, "still open", Decimal(8))
    assert report.net_profit == Decimal(3) + Decimal(8) - Decimal(2)
    assert report.notes == ()


def test_every_open_hedge_counts_in_the_headline() -> None:
    events = [*opening("a", hour(1)), *opening("b", hour(2)), payment("3", hour(8))]
    report, _ = run_of(events, prices=ExitPrices(spot=Decimal(120), perp=Decimal("120.2")))
    assert [row.basis_pnl for row in report.hedges] == [Decimal(8), Decimal(8)]
    assert report.basis_pnl == 16
    assert report.net_profit == sum(row.net_profit or 0 for row in report.hedges) == 3 + 16 - 4


def test_an_open_hedge_without_prices_makes_the_result_unknown_and_not_zero() -> None:
    report, _ = run_of(opening("a", hour(1)))
    assert (report.basis_pnl, report.net_profit, report.net_return) == (None, None, None)
    assert report.notes == ("AAAUSDT is still open and its prices could not be read: the result is unknown.",)
    assert "unknown" in "\n".join(report_lines(report))
    assert "unknown" in html_page(report)
    assert as_json(report)["net_profit"] is None


def test_the_hedges_and_the_gain_of_their_dust_add_up_to_the_headline() -> None:
    lot = DustLot(asset="AAA", quantity=Decimal("0.5"), cost=Decimal(55))
    *close, done = closing("a", hour(20))
    kept = [replace(done, residue_value=lot.cost), ev.DustKept(at=hour(20), lot=lot)]
    report, _ = run_of([*opening("a", hour(1)), *close, *kept], coins={"AAA": Decimal(90)})
    (row,) = report.hedges
    assert row.net_profit is not None
    assert report.dust_gain == Decimal("0.5") * 90 - 55 == Decimal(-10)
    assert report.net_profit == row.net_profit - 10
    assert "-$10.00 of it on kept dust" in "\n".join(report_lines(report))
    assert "Gain of kept dust" in html_page(report)
    assert as_json(report)["dust_gain"] == "-10"


def test_dust_without_a_price_makes_the_result_unknown() -> None:
    lot = DustLot(asset="AAA", quantity=Decimal("0.5"), cost=Decimal(55))
    report, _ = run_of([*opening("a", hour(1)), *closing("a", hour(20)), ev.DustKept(at=hour(20), lot=lot)])
    assert (report.dust_gain, report.net_profit) == (None, None)
    assert report.notes == ("A price of kept dust could not be read: the result is unknown.",)


def test_more_hedges_than_the_ledger_keeps_are_all_reported() -> None:
    events = [
        event for n in range(24) for event in (*opening(f"h{n}", hour(2 * n)), *closing(f"h{n}", hour(2 * n + 1)))
    ]
    report, ledger = run_of(events)
    assert len(ledger.closed) < len(report.hedges) == report.positions_closed == 24
    assert [row.hedge_id for row in report.hedges] == [f"h{n}" for n in range(24)]
    assert sum(row.net_profit or 0 for row in report.hedges) == report.net_profit


def test_an_opening_that_was_unwound_costs_but_counts_as_no_position() -> None:
    aborted = ev.HedgeAborted(at=hour(2), hedge_id="a", reason=Reason.UNWOUND, detail="margin")
    events = [
        ev.ExecutionStarted(at=hour(1), execution=job("a", ExecutionKind.OPEN, hour(1))),
        *trade("a", Market.SPOT, Side.BUY, "100", hour(1)),
        *trade("a", Market.SPOT, Side.SELL, "99", hour(2)),
        aborted,
    ]
    report, _ = run_of(events)
    assert (report.positions_opened, report.positions_closed) == (0, 0)
    assert report.net_profit == Decimal(-12)
    assert [row.reason for row in report.hedges] == ["second leg failed, first leg unwound"]


def test_a_run_that_goes_on_from_a_ledger_reports_only_itself() -> None:
    earlier = [*opening("a", hour(-20)), payment("9", hour(-16)), *closing("a", hour(-1)), *cycles(-1)]
    before = fold(earlier)
    after = [*opening("b", hour(1)), payment("3", hour(8)), *closing("b", hour(20))]
    report, _ = run_of([*after, ev.CycleCompleted(at=hour(21), number=2)], before=before)
    assert [row.hedge_id for row in report.hedges] == ["b"]
    assert (report.funding_received, report.fees_paid, report.basis_pnl) == (Decimal(3), Decimal(4), Decimal(5))
    assert (report.cycles, report.positions_opened, report.positions_closed) == (1, 1, 1)


def test_the_books_difference_is_the_sum_of_sizes() -> None:
    recorder = RunRecorder(title="t", started_at=START)
    lines = {"perp:USDT": Decimal("-0.25"), "spot:BTC": Decimal("0.5")}
    end = RunEnd(at=START, elapsed_seconds=0, events_sha256="", books_lines=lines)
    report = recorder.finish(end)
    assert (report.books_difference, report.books_lines) == (Decimal("0.75"), lines)
    assert (report.equity, report.hedges, report.net_profit) == ((), (), Decimal(0))
