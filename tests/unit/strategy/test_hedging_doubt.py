"""The two-leg machine with orders that nobody knows and that may land all the same."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.commands import CancelOrder
from hedgerow.domain.errors import InvariantBroken
from hedgerow.domain.execution import ExecutionKind, ExecutionLimits, ExecutionState, ExecutionStyle
from hedgerow.domain.instrument import Market, Side, TradingStatus
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import OrderStatus, RejectKind
from hedgerow.strategy.hedging import machine as hedging
from hedgerow.strategy.hedging.cells import doubted
from hedgerow.strategy.hedging.orders import MOST_DOUBTFUL, at_risk, look_up_doubtful
from hedgerow.strategy.hedging.quality import quality_of
from support.hedging_harness import HedgingHarness, closing, following, leading, reject_forever
from support.toy_venue import new_job

CLOSE, OPEN, TRIM = ExecutionKind.CLOSE, ExecutionKind.OPEN, ExecutionKind.TRIM
IN_DOUBT, RESOLVING, NAKED = ExecutionState.IN_DOUBT, ExecutionState.RESOLVING, ExecutionState.NAKED
UNWINDING, CANCELLING = ExecutionState.UNWINDING, ExecutionState.CANCELLING
HEDGED, FLAT = ExecutionState.HEDGED, ExecutionState.FLAT


def doubt(harness: HedgingHarness) -> HedgingHarness:
    """Lose the order at work, and let a look-up say that it is not there and may still land."""
    harness.unknown()
    assert harness.job.state is RESOLVING
    assert harness.job.working
    return harness.receive(
        ev.OrderOutcomeUnknown(
            at=harness.now,
            client_id=harness.job.working.order.client_id,
            detail="absent",
            may_land_until=harness.now + timedelta(seconds=65),
        )
    )


def settle(harness: HedgingHarness, *, lands: bool) -> HedgingHarness:
    """Let the look-up under way find the oldest doubtful order filled, or absent for good."""
    assert harness.taken.resolve
    order = harness.job.doubtful[0].command.order
    assert harness.taken.resolve == order
    filled = order.quantity if lands else Decimal(0)
    return harness.receive(
        ev.OrderEnded(
            at=harness.now,
            client_id=order.client_id,
            order_id=3,
            status=OrderStatus.FILLED if lands else OrderStatus.REJECTED,
            filled_quantity=filled,
            filled_notional=filled * order.price,
        )
    )


def test_a_second_leg_in_doubt_is_replaced_at_once_and_counted_as_exposure() -> None:
    harness = doubt(following())
    assert (harness.order.market, harness.order.side, harness.order.client_id) == (Market.PERP, Side.SELL, "h1-p-2")
    assert [d.command.order.client_id for d in harness.job.doubtful] == ["h1-p-1"]
    harness.fills()
    assert harness.job.state is IN_DOUBT, "no further slice is led"
    assert at_risk(harness.job) > Decimal("3.9")


def test_a_replacement_in_doubt_is_not_replaced_again() -> None:
    harness = doubt(doubt(following()))
    assert harness.job.state is IN_DOUBT
    assert harness.command is None
    assert len(harness.job.doubtful) == 2
    assert at_risk(harness.job) <= Decimal("3.999")


def test_no_third_buy_back_is_sent_where_coins_without_a_short_were_sold_first() -> None:
    harness = HedgingHarness(new_job(CLOSE, spot="14", perp="8")).after(0).fills().fills()
    assert (harness.job.spot.filled, harness.order.market) == (Decimal(10), Market.PERP)
    assert harness.order.quantity == 4
    doubt(doubt(harness))
    assert (harness.job.state, harness.command) == (IN_DOUBT, None)
    assert at_risk(harness.job) == 4, "six coins were too many at first, and are sold"
    assert settle(settle(harness, lands=True), lands=True).order.market is Market.SPOT
    assert at_risk(harness.job) == 4


def test_a_rest_of_one_lot_is_not_replaced_without_end_while_every_answer_is_lost() -> None:
    job = new_job(CLOSE, spot="10", perp="10", slice_notional="2000", whole_short=True)
    harness = HedgingHarness(job).after(0).fills().fills().fills().fills("1.99")
    assert harness.order.quantity == Decimal("0.01")
    sent = 0
    while harness.job.working and sent < MOST_DOUBTFUL + 1:
        sent += 1
        doubt(harness)
    assert (sent, harness.job.state) == (2, IN_DOUBT)


def test_only_so_many_orders_are_in_doubt_at_once() -> None:
    harness = doubt(doubt(following()))
    many = replace(harness.job, doubtful=harness.job.doubtful[:1] * MOST_DOUBTFUL, state=ExecutionState.FOLLOWING)
    harness.job = replace(many, spot=replace(many.spot, filled=many.spot.filled + 100))
    assert harness.after(1).command is None
    assert harness.job.state is IN_DOUBT


def test_an_order_that_can_land_no_more_is_looked_up_before_a_naked_leg_is_tried_again() -> None:
    harness = doubt(closing().fills()).rejects(RejectKind.PERMISSION)
    assert harness.job.state is NAKED
    first = harness.job.doubtful[0]
    while not harness.taken.resolve:
        assert harness.now < first.until
        harness.after(5)
        if harness.job.working:
            harness.rejects(RejectKind.PERMISSION)
    assert (harness.taken.resolve, harness.command) == (first.command.order, None)
    assert harness.now - first.until < timedelta(seconds=6)


def test_an_order_that_can_land_no_more_is_looked_up_before_a_leg_follows() -> None:
    harness = doubt(following()).after(0)
    first = harness.job.doubtful[0]
    harness.job = replace(harness.job, working=None, state=ExecutionState.FOLLOWING)
    assert harness.after(66).taken.resolve == first.command.order


@pytest.mark.parametrize("lands", [True, False])
def test_an_order_that_fills_beside_its_replacement_is_taken_back(lands: bool) -> None:  # noqa: FBT001 - a case
    harness = doubt(following()).fills()
    settle(harness, lands=lands)
    if lands:
        assert harness.job.state is UNWINDING
        assert (harness.order.market, harness.order.side, harness.order.reduce_only) == (Market.PERP, Side.BUY, True)
        harness.fills()
        assert harness.job.exposure < Decimal("0.02")
        assert quality_of(harness.job, harness.now).perp is not None
    while not harness.job.state.ended:
        harness.fills() if harness.job.working else harness.after(1)
    assert harness.job.state is HEDGED
    assert abs(harness.job.exposure) < Decimal("0.02")
    assert harness.job.net_perp == 10, "opened to its planned size"


def lost(harness: HedgingHarness) -> HedgingHarness:
    """Lose the answers of both orders that one attempt sends, until the first of them is certain."""
    doubt(doubt(harness)).after(66)
    assert harness.job.state is IN_DOUBT
    return settle(harness, lands=False)


@pytest.mark.parametrize(("begin", "given_up"), [(following, UNWINDING), (lambda: closing().fills(), NAKED)])
def test_a_leg_whose_orders_are_lost_in_two_attempts_is_given_up(
    begin: Callable[[], HedgingHarness], given_up: ExecutionState
) -> None:
    harness = lost(begin())
    settle(harness, lands=False)
    assert (harness.job.state, harness.order.market) == (ExecutionState.FOLLOWING, Market.PERP), "one more attempt"
    lost(harness)
    assert given_up in {harness.job.state, harness.job.resume}


def test_a_sale_that_is_lost_after_its_leg_was_given_up_is_no_reason_to_follow_again() -> None:
    harness = lost(settle(lost(following()), lands=False))
    settle(harness, lands=False)
    assert (harness.job.state, harness.order.market, harness.order.side) == (UNWINDING, Market.SPOT, Side.SELL)
    doubt(harness).after(66)
    settle(harness, lands=False)
    assert harness.job.state is NAKED


def test_coins_that_follow_twice_are_sold_again() -> None:
    harness = HedgingHarness(new_job(OPEN, lead=Market.PERP)).after(0).prepared().prepared().fills()
    assert harness.order.market is Market.SPOT
    settle(doubt(harness).fills(), lands=True)
    assert (harness.order.market, harness.order.side) == (Market.SPOT, Side.SELL)
    assert harness.fills().job.exposure < Decimal("0.01")


def test_a_first_leg_in_doubt_waits_until_it_is_certain() -> None:
    harness = doubt(leading())
    assert (harness.job.state, harness.command) == (IN_DOUBT, None)
    assert at_risk(harness.job) > 3
    settle(harness, lands=False)
    assert (harness.order.market, harness.order.client_id) == (Market.SPOT, "h1-s-2")


def test_coins_whose_sale_is_in_doubt_are_not_sold_twice() -> None:
    harness = doubt(following().rejects(RejectKind.PERMISSION))
    assert (harness.job.state, harness.command) == (IN_DOUBT, None)
    settle(harness, lands=True)
    assert harness.job.state is FLAT


def test_a_short_that_is_bought_back_twice_has_its_coins_sold() -> None:
    harness = closing(urgent=True).fills()
    settle(doubt(harness).fills(), lands=True)
    assert harness.job.perp.filled > harness.job.spot.filled
    sold = harness.job.spot.filled
    while not harness.job.state.ended:
        harness.fills() if harness.job.working else harness.after(1)
    assert harness.job.state is FLAT
    assert harness.job.spot.filled == harness.job.plan.spot_quantity > sold


def test_coins_that_lost_their_short_are_sold_although_no_slice_is_led_any_more() -> None:
    harness = closing().fills()
    harness = settle(doubt(harness).fills(), lands=False)
    job = replace(
        harness.job,
        lead_done=True,
        working=None,
        state=ExecutionState.FOLLOWING,
        perp=replace(harness.job.perp, filled=harness.job.spot.filled + 3),
    )
    harness.job = job
    harness.after(0)
    assert (harness.job.state, harness.order.market, harness.order.side) == (UNWINDING, Market.SPOT, Side.SELL)
    for _ in range(40):
        harness.rejects(RejectKind.PERMISSION) if harness.job.working else harness.after(2)
        if harness.job.state is NAKED:
            break
    assert harness.job.state is NAKED
    while not harness.job.working:
        harness.after(5)
    assert (harness.order.market, harness.order.side) == (Market.SPOT, Side.SELL)


def test_doubtful_orders_are_looked_up_in_turns_with_pauses() -> None:
    harness = doubt(doubt(following()))
    first, second = (d.command.order.client_id for d in harness.job.doubtful)
    for client_id in (first, second, first):
        assert harness.taken.resolve
        assert harness.taken.resolve.client_id == client_id
        harness.receive(ev.OrderOutcomeUnknown(at=harness.now, client_id=client_id, detail="busy"))
        assert harness.taken.pause_seconds > 0
        harness.after(harness.taken.pause_seconds)


def test_a_naked_leg_in_doubt_goes_back_to_being_tried() -> None:
    harness = closing().fills().rejects(RejectKind.PERMISSION)
    assert harness.job.state is NAKED
    harness.after(5)
    doubt(harness)
    assert harness.order.client_id == "h1-p-3", "a second order for the same is sent at once"
    doubt(harness)
    assert harness.job.state is IN_DOUBT
    settle(harness, lands=True)
    settle(harness, lands=False)
    while not harness.job.state.ended:
        harness.fills() if harness.job.working else harness.after(5)
    assert harness.job.exposure == 0


def test_a_trim_in_doubt_goes_on_as_a_trim() -> None:
    harness = HedgingHarness(new_job(TRIM, spot="2", perp="0")).after(0)
    doubt(harness)
    assert harness.job.state is IN_DOUBT
    assert settle(harness, lands=True).job.state is HEDGED


def test_a_resting_order_that_lands_late_is_taken_out_of_its_book() -> None:
    limits = ExecutionLimits(style=ExecutionStyle.MAKER, max_resting_loss_usd=Decimal(10000))
    harness = HedgingHarness(new_job(OPEN, limits=limits)).after(0).prepared().prepared()
    assert harness.job.state is ExecutionState.RESTING
    doubt(harness)
    assert harness.job.state is IN_DOUBT
    client_id = harness.job.doubtful[0].command.order.client_id
    harness.receive(ev.OrderAccepted(at=harness.now, client_id=client_id, order_id=9))
    assert (harness.job.state, harness.job.doubtful) == (CANCELLING, ())
    assert isinstance(harness.command, CancelOrder)


def test_an_order_of_this_time_that_is_still_at_work_is_looked_up_to_its_end() -> None:
    harness = doubt(following()).fills()
    client_id = harness.job.doubtful[0].command.order.client_id
    harness.receive(ev.OrderAccepted(at=harness.now, client_id=client_id, order_id=9))
    assert (harness.job.state, harness.job.doubtful) == (RESOLVING, ())
    assert harness.taken.resolve
    assert harness.taken.resolve.client_id == client_id
    assert harness.fills().job.state is UNWINDING


def test_nothing_is_doubted_without_an_order() -> None:
    harness = leading()
    with pytest.raises(InvariantBroken, match="no order is doubtful"):
        look_up_doubtful(harness.job)
    with pytest.raises(InvariantBroken, match="no order at work to doubt"):
        doubted(harness.job, None, harness.around)


def test_a_job_that_may_still_be_filled_does_not_end_and_survives_a_restart() -> None:
    harness = doubt(following())
    for _ in range(3):
        assert not harness.job.state.ended
        harness.after(1) if not harness.job.working else harness.fills()
    assert hedging.signal_of(harness.job, None) is hedging.Signal.TICK


def test_a_short_that_filled_twice_in_a_market_that_closed_is_covered_with_planned_coins() -> None:
    harness = doubt(following()).fills()
    settle(harness, lands=True)
    assert (harness.job.state, harness.order.side) == (UNWINDING, Side.BUY)
    pair = harness.job.pair
    harness.pair = replace(pair, perp=replace(pair.perp, status=TradingStatus.CLOSED))
    reject_forever(harness, RejectKind.PERMISSION, 40)
    assert harness.job.state is NAKED
    while not (harness.job.working and harness.job.working.order.market is Market.SPOT):
        harness.rejects(RejectKind.PERMISSION) if harness.job.working else harness.after(5)
    assert (harness.job.working.order.side, harness.job.working.order.quantity) == (Side.BUY, Decimal("3.985"))
    assert harness.fills().job.state is HEDGED
    assert 0 <= harness.job.exposure < Decimal("0.01")


def test_more_coins_than_planned_are_not_bought_for_a_short_that_filled_twice() -> None:
    harness = doubt(following(slice_notional="2000")).fills()
    settle(harness, lands=True)
    pair = harness.job.pair
    harness.pair = replace(pair, perp=replace(pair.perp, status=TradingStatus.CLOSED))
    reject_forever(harness, RejectKind.PERMISSION, 40)
    assert harness.job.state is NAKED
    for _ in range(4):
        harness.rejects(RejectKind.PERMISSION) if harness.job.working else harness.after(60)
        assert not harness.job.working or harness.job.working.order.market is Market.PERP


@pytest.mark.parametrize(("whole", "sent"), [(True, MOST_DOUBTFUL), (False, 2)])
def test_the_last_of_a_whole_short_is_bought_back_though_two_orders_for_it_are_lost(whole: bool, sent: int) -> None:  # noqa: FBT001 - a case
    job = new_job(CLOSE, spot="10", slice_notional="2000", whole_short=whole)
    harness = HedgingHarness(job).after(0).fills().fills().fills()
    assert (harness.order.market, harness.order.quantity) == (Market.PERP, Decimal(2))
    for _ in range(sent):
        assert harness.job.working
        doubt(harness)
    assert (harness.job.state, len(harness.job.doubtful), harness.command) == (IN_DOUBT, sent, None)
    assert at_risk(harness.job) == 2
    for number in range(sent):
        settle(harness, lands=number == 0)
    while not harness.job.state.ended:
        harness.fills() if harness.job.working else harness.after(1)
    assert (harness.job.state, harness.job.exposure) == (FLAT, ZERO)


@pytest.mark.parametrize("looked", [lambda lost: lost.unknown().unknown(), doubt], ids=["look-up lost", "absent"])
def test_the_first_order_of_a_job_counts_as_naked_while_its_outcome_is_unknown_and_no_book_can_be_read(
    looked: Callable[[HedgingHarness], HedgingHarness],
) -> None:
    harness = closing()
    harness.age = 3600.0
    harness.now += timedelta(seconds=10)
    looked_at = harness.now
    assert looked(harness).job.traded_price is None
    harness.after(50)
    assert (harness.job.naked_since, harness.job.naked_alarmed) == (looked_at, True)
    assert harness.job.worst_naked_seconds == 50
    assert harness.job.worst_naked_notional > 0
