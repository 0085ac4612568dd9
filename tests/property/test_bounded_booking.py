"""Years of bookings: the ledger stays as small as its horizon, and equals one that forgets nothing."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hedgerow.domain import events as ev
from hedgerow.domain.commands import PlaceOrder, TransferDirection
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.instrument import Side
from hedgerow.domain.ledger.books import Books
from hedgerow.domain.ledger.reducers import KEPT_CLOSED, apply, fold
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.position import HedgedPosition, Tally
from hedgerow.store.codec import encode_ledger
from support.drawing import examples
from support.ledger_builder import START, LedgerBuilder

WHOLE_LOGS = settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.too_slow])
BOOKINGS = (ev.FeeBooked, ev.FundingReceived, ev.ExternalFlow, ev.FundsTransferred)


def whole_log(random: Random, hedges: int) -> list[ev.Event]:
    """Return a log in which every row has an id of its own; the books agree at the end of each hedge."""
    events: list[ev.Event] = [_flow(START, "opening:spot:USDT", "1000", ev.FlowKind.OPENING)]
    now = START + timedelta(minutes=1)
    for number in range(hedges):
        builder = LedgerBuilder(f"h{number}", at=now)
        _hedge(builder, random, 1000 * (number + 1))
        builder.record(_flow(builder.now, f"deposit-{number}", str(random.randint(1, 99)), ev.FlowKind.DEPOSIT))
        builder.record(_moved(builder.now, f"t{number}", random.randint(1, 99)))
        builder.wait(hours=1)
        builder.record(ev.CycleCompleted(at=builder.now, number=number + 1, statement_from=builder.now))
        events += builder.events
        now = builder.now + timedelta(hours=random.randint(1, 30))
    return events


def _hedge(builder: LedgerBuilder, random: Random, first_id: int) -> None:
    builder.begin()
    for part in range(random.randint(1, 4)):
        quantity, price = random.randint(1, 9), random.randint(90, 110)
        builder.trade(f"s-{part}", Side.BUY, quantity, price)
        builder.fee(
            f"s-{part}", Side.BUY, quantity, price, fee="0.0005", asset="ABC", value="0.05", trade_id=first_id + part
        )
    short = int(builder.ledger.owned("ABC"))
    builder.trade("p-1", Side.SELL, short or 1, 101).fee(
        "p-1", Side.SELL, short or 1, 101, fee="0.1", trade_id=first_id
    )
    builder.opened()
    for number in range(random.randint(0, 5)):
        builder.wait(hours=8).paid(random.randint(-3, 9), first_id + number)
    builder.begin(ExecutionKind.CLOSE)
    owned = builder.ledger.owned("ABC")
    builder.trade("s-9", Side.SELL, owned, 99).fee("s-9", Side.SELL, owned, 99, fee="0.1", trade_id=first_id + 9)
    builder.trade("p-9", Side.BUY, short or 1, 98).fee(
        "p-9", Side.BUY, short or 1, 98, fee="0.1", pnl=3, trade_id=first_id + 9
    )
    builder.closed()


def _flow(at: datetime, row_id: str, amount: str, kind: ev.FlowKind) -> ev.ExternalFlow:
    return ev.ExternalFlow(at=at, row_id=row_id, wallet=ev.Wallet.SPOT, asset="USDT", amount=Decimal(amount), kind=kind)


def _moved(at: datetime, transfer_id: str, amount: int) -> ev.FundsTransferred:
    return ev.FundsTransferred(
        at=at, transfer_id=transfer_id, amount=Decimal(amount), direction=TransferDirection.SPOT_TO_PERP
    )


def reference_books(events: Iterable[ev.Event]) -> Books:
    """Book every row once, by an id that is never forgotten."""
    books, seen = Books(), set[str]()
    for event in events:
        match event:
            case ev.FeeBooked(fill=fill) if fill.key not in seen:
                seen.add(fill.key)
                books = books.with_fill(fill, base="ABC")
            case ev.FundingReceived(payment=payment) if f"f{payment.tran_id}" not in seen:
                seen.add(f"f{payment.tran_id}")
                books = books.with_funding(payment)
            case ev.FundsTransferred() if event.transfer_id not in seen:
                seen.add(event.transfer_id)
                books = books.with_transfer(event)
            case ev.ExternalFlow() if event.row_id not in seen:
                seen.add(event.row_id)
                books = books.with_flow(event)
            case _:
                pass
    return books


def check_sums(hedge: HedgedPosition) -> None:
    summed = Tally.of(hedge.orders, swept_quantity=hedge.swept_quantity, swept_cost=hedge.swept_cost)
    assert hedge.tally == hedge.settled.plus(summed)


@WHOLE_LOGS
@given(st.integers(0, 2**32))
def test_sums_that_are_kept_equal_sums_over_all_orders(seed: int) -> None:
    ledger = Ledger()
    for event in whole_log(Random(seed), 4):
        ledger = apply(ledger, event)
        for hedge in (ledger.largest, ledger.opening):
            if hedge is not None:
                check_sums(hedge)
                assert hedge.tally == Tally.of(hedge.orders)
    for closed in ledger.closed:
        check_sums(closed.hedge)


@WHOLE_LOGS
@given(st.integers(0, 2**32))
def test_a_ledger_with_horizons_equals_one_that_forgets_nothing(seed: int) -> None:
    events = whole_log(Random(seed), 25)
    ledger = fold(events)
    assert ledger.books == reference_books(events)
    assert ledger.totals.closed == 25
    cash = ledger.books.line(ev.Wallet.PERP, "USDT").funding
    assert ledger.totals.funding == cash


@WHOLE_LOGS
@given(st.integers(0, 2**32))
def test_rows_read_again_are_not_booked_twice_however_old_they_are(seed: int) -> None:
    events = whole_log(Random(seed), 25)
    ledger = fold(events)
    again = fold([event for event in events if isinstance(event, BOOKINGS)], ledger)
    assert again.books == ledger.books
    assert again.totals == ledger.totals
    assert (again.closed, again.funding_seen, again.trades_seen) == (
        ledger.closed,
        ledger.funding_seen,
        ledger.trades_seen,
    )


def test_a_ledger_does_not_grow_with_its_log() -> None:
    sizes: list[int] = []
    for hedges in (40, 160):
        ledger = fold(whole_log(Random(1), hedges))
        sizes.append(len(encode_ledger(ledger)))
        assert len(ledger.rows_seen) <= 20
        assert len(ledger.trades_seen) <= 10 * (KEPT_CLOSED + 2)
        assert len(ledger.funding_seen) <= 36 * 24
        assert sum(1 for closed in ledger.closed if closed.hedge.orders) <= 4
        assert len(ledger.log_marks) <= 8
        assert ledger.recent_from > ledger.events / 2
    assert sizes[1] <= 1.1 * sizes[0]


def test_a_closed_hedge_without_its_orders_keeps_its_figures_and_takes_late_funding() -> None:
    events = whole_log(Random(2), 20)
    ledger = fold(events)
    old = ledger.closed[0]
    assert old.hedge.orders == ()
    commands = (event for event in events if isinstance(event, ev.CommandIssued))
    orders = [c for c in commands if isinstance(c.command, PlaceOrder) and c.command.hedge_id == old.hedge_id]
    assert old.hedge.begun_at == orders[0].at
    stamp = old.closed_at - timedelta(minutes=30)
    late = LedgerBuilder(old.hedge_id, at=ledger.funding_until or START).paid(5, 10**9, stamp).events
    after = fold(late, ledger)
    assert after.closed[0].net_profit == old.net_profit + 5
    assert after.totals.net_profit == ledger.totals.net_profit + 5
