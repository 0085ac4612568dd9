from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.instrument import Side
from hedgerow.domain.ledger.reducers import apply, fold
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.position import OrderRecord
from support.drawing import examples
from support.ledger_builder import START, LedgerBuilder
from support.strategies import any_event, any_ledger

IDEMPOTENT = (
    ev.OrderAccepted,
    ev.OrderProgressed,
    ev.OrderEnded,
    ev.OrderOutcomeUnknown,
    ev.FeeBooked,
    ev.ExternalFills,
    ev.FundsTransferred,
    ev.FundingReceived,
    ev.HedgeOpened,
    ev.HedgeClosed,
    ev.HedgeRolled,
    ev.DustSwept,
    ev.ExternalFlow,
    ev.StateImported,
    ev.Halted,
    ev.CommandIssued,
)
"""Events that may reach the log by more than one route."""
SLOW = settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])


def whole_log(random: Random, hedges: int = 3) -> list[ev.Event]:
    """Return a sensible log: hedges opened in slices, paid, rolled, closed with dust, or unwound."""
    events: list[ev.Event] = []
    now, left = START, Decimal(0)
    for number in range(hedges):
        builder = LedgerBuilder(f"h{number}", at=now)
        builder.begin()
        for part in range(1, random.randint(2, 4)):
            builder.trade(f"s-{part}", Side.BUY, random.randint(1, 9), random.randint(90, 110))
            trade_id = random.randint(1, 99)
            builder.fee(f"s-{part}", Side.BUY, 1, 100, fee="0.0005", asset="ABC", value="0.05", trade_id=trade_id)
        if random.random() < 0.3:
            builder.trade("s-8", Side.SELL, builder.ledger.owned("ABC"), 95).aborted()
        else:
            left = _whole_hedge(builder, random, left)
        events += builder.events
        now = builder.now + timedelta(minutes=random.randint(1, 600))
    return events


def _whole_hedge(builder: LedgerBuilder, random: Random, dust: Decimal) -> Decimal:
    short = int(builder.ledger.owned("ABC"))
    builder.trade("p-1", Side.SELL, short or 1, 101).opened()
    for number in range(random.randint(0, 4)):
        builder.wait(hours=random.randint(1, 8)).paid(random.randint(-3, 9), random.randint(1, 10**6) + number)
    if dust:
        builder.swept(dust, dust * 100)
    for number in range(10, 10 + random.choice([0, 0, 1, 2])):
        part = random.randint(0, short // 2)
        if part:
            short -= _reduced(builder, random, number, part)
    owned = builder.ledger.owned("ABC") + dust
    kept = random.choice([Decimal(0), Decimal("0.003")])
    builder.begin(ExecutionKind.CLOSE).trade("s-9", Side.SELL, owned - kept, random.randint(90, 110))
    builder.trade("p-9", Side.BUY, short or 1, random.randint(90, 110)).closed(residue=kept * 100)
    if kept:
        builder.dust(kept, kept * 100)
    return kept


def _reduced(builder: LedgerBuilder, random: Random, number: int, part: int) -> int:
    """Close a part of both legs of the hedge, and let a payment follow; returns the part."""
    builder.begin(ExecutionKind.REDUCE).trade(f"s-{number}", Side.SELL, part, random.randint(90, 110))
    builder.trade(f"p-{number}", Side.BUY, part, random.randint(90, 110)).repaired()
    builder.wait(hours=1).paid(random.randint(-3, 9), random.randint(2 * 10**6, 10**9))
    return part


@settings(SLOW, max_examples=examples(15))
@given(st.lists(any_event(), max_size=3), any_ledger())
def test_no_event_on_any_ledger_raises(events: Sequence[ev.Event], ledger: Ledger) -> None:
    after = fold(events, ledger)
    assert after.events == ledger.events + len(events)


@SLOW
@given(st.integers(0, 2**32))
def test_a_log_in_nonsense_order_does_not_raise(seed: int) -> None:
    random = Random(seed)
    events = whole_log(random) + whole_log(random, 1)
    random.shuffle(events)
    assert fold(events).events == len(events)


@SLOW
@given(st.integers(0, 2**32), st.floats(0, 1))
def test_folding_in_two_parts_gives_the_same_ledger(seed: int, share: float) -> None:
    events = whole_log(Random(seed))
    cut = int(share * len(events))
    assert fold(events[cut:], fold(events[:cut])) == fold(events)


@SLOW
@given(st.integers(0, 2**32))
def test_what_a_ledger_took_over_is_what_it_would_compute(seed: int) -> None:
    ledger, random = Ledger(), Random(seed)
    events = whole_log(random)
    shuffled = random.sample(events, len(events))
    for event in (*events, ev.CycleCompleted(at=START, number=1), *shuffled):
        asked = (ledger.open_hedges, ledger.orders_in_doubt)
        ledger = apply(ledger, event)
        anew = replace(ledger)
        assert (ledger.open_hedges, ledger.orders_in_doubt) == (anew.open_hedges, anew.orders_in_doubt), asked


@SLOW
@given(st.integers(0, 2**32))
def test_receiving_the_same_thing_twice_changes_nothing(seed: int) -> None:
    ledger = Ledger()
    for event in whole_log(Random(seed)):
        ledger = apply(ledger, event)
        if isinstance(event, IDEMPOTENT):
            again = apply(ledger, event)
            assert again.events == ledger.events + 1
            assert again.books == ledger.books
            assert (again.largest, again.opening, again.closed) == (ledger.largest, ledger.opening, ledger.closed)
            assert (again.totals, again.dust, again.orders) == (ledger.totals, ledger.dust, ledger.orders)


@SLOW
@given(st.integers(0, 2**32))
def test_equity_is_what_came_in_and_went_out_to_the_last_cent(seed: int) -> None:
    """Funding + basis - fees of everything that ended is the cash that moved plus the dust still kept, exactly."""
    ledger = fold(whole_log(Random(seed)))
    cash = sum((_cash(closed.hedge.orders) for closed in ledger.closed), Decimal(0))
    funding = sum((closed.funding for closed in ledger.closed), Decimal(0))
    kept = sum((lot.cost for lot in ledger.dust.values()), Decimal(0))
    assert ledger.totals.net_profit == cash + funding + kept
    assert ledger.totals.net_profit == sum((closed.net_profit for closed in ledger.closed), Decimal(0))
    assert ledger.owned("ABC") == sum((lot.quantity for lot in ledger.dust.values()), Decimal(0))


def _cash(orders: Sequence[OrderRecord]) -> Decimal:
    """Return the quote units that orders brought in; a fee in coin is no cash."""
    moved = (-r.request.side.sign * r.filled_notional for r in orders)
    fees = (r.booked_fee + r.estimated_fee - r.coin_fee_value for r in orders)
    return sum(moved, Decimal(0)) - sum(fees, Decimal(0))
