"""The two-leg machine with orders that nobody knows and that may land all the same."""

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
from hedgerow.strategy.hedging.orders import MOST_DOUBTFUL, at_risk, in_doubt
from hedgerow.strategy.hedging.quality import quality_of
from support.hedging_harness import Scene, closing, following, leading, reject_forever
from support.toy_venue import new_job

CLOSE, OPEN, TRIM = ExecutionKind.CLOSE, ExecutionKind.OPEN, ExecutionKind.TRIM
IN_DOUBT, RESOLVING, NAKED = ExecutionState.IN_DOUBT, ExecutionState.RESOLVING, ExecutionState.NAKED
UNWINDING, CANCELLING = ExecutionState.UNWINDING, ExecutionState.CANCELLING
HEDGED, FLAT = ExecutionState.HEDGED, ExecutionState.FLAT


def doubt(scene: Scene) -> Scene:
    """Lose the order at work, and let a look-up say that it is not there and may still land."""
    scene.unknown()
    assert scene.job.state is RESOLVING
    assert scene.job.working
    return scene.receive(
        ev.OrderOutcomeUnknown(
            at=scene.now,
            client_id=scene.job.working.order.client_id,
            detail="absent",
            may_land_until=scene.now + timedelta(seconds=65),
        )
    )


def settle(scene: Scene, *, lands: bool) -> Scene:
    """Let the look-up under way find the oldest doubtful order filled, or absent for good."""
    assert scene.taken.resolve
    order = scene.job.doubtful[0].command.order
    assert scene.taken.resolve == order
    filled = order.quantity if lands else Decimal(0)
    return scene.receive(
        ev.OrderEnded(
            at=scene.now,
            client_id=order.client_id,
            order_id=3,
            status=OrderStatus.FILLED if lands else OrderStatus.REJECTED,
            filled_quantity=filled,
            filled_notional=filled * order.price,
        )
    )


def test_a_second_leg_in_doubt_is_replaced_at_once_and_counted_as_exposure() -> None:
    scene = doubt(following())
    assert (scene.order.market, scene.order.side, scene.order.client_id) == (Market.PERP, Side.SELL, "h1-p-2")
    assert [d.command.order.client_id for d in scene.job.doubtful] == ["h1-p-1"]
    scene.fills()
    assert scene.job.state is IN_DOUBT, "no further slice is led"
    assert at_risk(scene.job) > Decimal("3.9")


def test_a_replacement_in_doubt_is_not_replaced_again() -> None:
    scene = doubt(doubt(following()))
    assert scene.job.state is IN_DOUBT
    assert scene.command is None
    assert len(scene.job.doubtful) == 2
    assert at_risk(scene.job) <= Decimal("3.999")


def test_no_third_buy_back_is_sent_where_coins_without_a_short_were_sold_first() -> None:
    scene = Scene(new_job(CLOSE, spot="14", perp="8")).after(0).fills().fills()
    assert (scene.job.spot.filled, scene.order.market) == (Decimal(10), Market.PERP)
    assert scene.order.quantity == 4
    doubt(doubt(scene))
    assert (scene.job.state, scene.command) == (IN_DOUBT, None)
    assert at_risk(scene.job) == 4, "six coins were too many at first, and are sold"
    assert settle(settle(scene, lands=True), lands=True).order.market is Market.SPOT
    assert at_risk(scene.job) == 4


def test_a_rest_of_one_lot_is_not_replaced_without_end_while_every_answer_is_lost() -> None:
    job = new_job(CLOSE, spot="10", perp="10", slice_notional="2000", whole_short=True)
    scene = Scene(job).after(0).fills().fills().fills().fills("1.99")
    assert scene.order.quantity == Decimal("0.01")
    sent = 0
    while scene.job.working and sent < MOST_DOUBTFUL + 1:
        sent += 1
        doubt(scene)
    assert (sent, scene.job.state) == (2, IN_DOUBT)


def test_only_so_many_orders_are_in_doubt_at_once() -> None:
    scene = doubt(doubt(following()))
    many = replace(scene.job, doubtful=scene.job.doubtful[:1] * MOST_DOUBTFUL, state=ExecutionState.FOLLOWING)
    scene.job = replace(many, spot=replace(many.spot, filled=many.spot.filled + 100))
    assert scene.after(1).command is None
    assert scene.job.state is IN_DOUBT


def test_an_order_that_can_land_no_more_is_looked_up_before_a_naked_leg_is_tried_again() -> None:
    scene = doubt(closing().fills()).rejects(RejectKind.PERMISSION)
    assert scene.job.state is NAKED
    first = scene.job.doubtful[0]
    while not scene.taken.resolve:
        assert scene.now < first.until
        scene.after(5)
        if scene.job.working:
            scene.rejects(RejectKind.PERMISSION)
    assert (scene.taken.resolve, scene.command) == (first.command.order, None)
    assert scene.now - first.until < timedelta(seconds=6)


def test_an_order_that_can_land_no_more_is_looked_up_before_a_leg_follows() -> None:
    scene = doubt(following()).after(0)
    first = scene.job.doubtful[0]
    scene.job = replace(scene.job, working=None, state=ExecutionState.FOLLOWING)
    assert scene.after(66).taken.resolve == first.command.order


@pytest.mark.parametrize("lands", [True, False])
def test_an_order_that_fills_beside_its_replacement_is_taken_back(lands: bool) -> None:  # noqa: FBT001 - a case
    scene = doubt(following()).fills()
    settle(scene, lands=lands)
    if lands:
        assert scene.job.state is UNWINDING
        assert (scene.order.market, scene.order.side, scene.order.reduce_only) == (Market.PERP, Side.BUY, True)
        scene.fills()
        assert scene.job.exposure < Decimal("0.02")
        assert quality_of(scene.job, scene.now).perp is not None
    while not scene.job.state.ended:
        scene.fills() if scene.job.working else scene.after(1)
    assert scene.job.state is HEDGED
    assert abs(scene.job.exposure) < Decimal("0.02")
    assert scene.job.net_perp == 10, "opened to its planned size"


def test_coins_that_follow_twice_are_sold_again() -> None:
    scene = Scene(new_job(OPEN, lead=Market.PERP)).after(0).prepared().prepared().fills()
    assert scene.order.market is Market.SPOT
    settle(doubt(scene).fills(), lands=True)
    assert (scene.order.market, scene.order.side) == (Market.SPOT, Side.SELL)
    assert scene.fills().job.exposure < Decimal("0.01")


def test_a_first_leg_in_doubt_waits_until_it_is_certain() -> None:
    scene = doubt(leading())
    assert (scene.job.state, scene.command) == (IN_DOUBT, None)
    assert at_risk(scene.job) > 3
    settle(scene, lands=False)
    assert (scene.order.market, scene.order.client_id) == (Market.SPOT, "h1-s-2")


def test_coins_whose_sale_is_in_doubt_are_not_sold_twice() -> None:
    scene = doubt(following().rejects(RejectKind.PERMISSION))
    assert (scene.job.state, scene.command) == (IN_DOUBT, None)
    settle(scene, lands=True)
    assert scene.job.state is FLAT


def test_a_short_that_is_bought_back_twice_has_its_coins_sold() -> None:
    scene = closing(urgent=True).fills()
    settle(doubt(scene).fills(), lands=True)
    assert scene.job.perp.filled > scene.job.spot.filled
    sold = scene.job.spot.filled
    while not scene.job.state.ended:
        scene.fills() if scene.job.working else scene.after(1)
    assert scene.job.state is FLAT
    assert scene.job.spot.filled == scene.job.plan.spot_quantity > sold


def test_coins_that_lost_their_short_are_sold_although_no_slice_is_led_any_more() -> None:
    scene = closing().fills()
    scene = settle(doubt(scene).fills(), lands=False)
    job = replace(
        scene.job,
        lead_done=True,
        working=None,
        state=ExecutionState.FOLLOWING,
        perp=replace(scene.job.perp, filled=scene.job.spot.filled + 3),
    )
    scene.job = job
    scene.after(0)
    assert (scene.job.state, scene.order.market, scene.order.side) == (UNWINDING, Market.SPOT, Side.SELL)
    for _ in range(40):
        scene.rejects(RejectKind.PERMISSION) if scene.job.working else scene.after(2)
        if scene.job.state is NAKED:
            break
    assert scene.job.state is NAKED
    while not scene.job.working:
        scene.after(5)
    assert (scene.order.market, scene.order.side) == (Market.SPOT, Side.SELL)


def test_doubtful_orders_are_looked_up_in_turns_with_pauses() -> None:
    scene = doubt(doubt(following()))
    first, second = (d.command.order.client_id for d in scene.job.doubtful)
    for client_id in (first, second, first):
        assert scene.taken.resolve
        assert scene.taken.resolve.client_id == client_id
        scene.receive(ev.OrderOutcomeUnknown(at=scene.now, client_id=client_id, detail="busy"))
        assert scene.taken.pause_seconds > 0
        scene.after(scene.taken.pause_seconds)


def test_a_naked_leg_in_doubt_goes_back_to_being_tried() -> None:
    scene = closing().fills().rejects(RejectKind.PERMISSION)
    assert scene.job.state is NAKED
    scene.after(5)
    doubt(scene)
    assert scene.order.client_id == "h1-p-3", "a second order for the same is sent at once"
    doubt(scene)
    assert scene.job.state is IN_DOUBT
    settle(scene, lands=True)
    settle(scene, lands=False)
    while not scene.job.state.ended:
        scene.fills() if scene.job.working else scene.after(5)
    assert scene.job.exposure == 0


def test_a_trim_in_doubt_goes_on_as_a_trim() -> None:
    scene = Scene(new_job(TRIM, spot="2", perp="0")).after(0)
    doubt(scene)
    assert scene.job.state is IN_DOUBT
    assert settle(scene, lands=True).job.state is HEDGED


def test_a_resting_order_that_lands_late_is_taken_out_of_its_book() -> None:
    limits = ExecutionLimits(style=ExecutionStyle.MAKER, max_resting_loss_usd=Decimal(10000))
    scene = Scene(new_job(OPEN, limits=limits)).after(0).prepared().prepared()
    assert scene.job.state is ExecutionState.RESTING
    doubt(scene)
    assert scene.job.state is IN_DOUBT
    client_id = scene.job.doubtful[0].command.order.client_id
    scene.receive(ev.OrderAccepted(at=scene.now, client_id=client_id, order_id=9))
    assert (scene.job.state, scene.job.doubtful) == (CANCELLING, ())
    assert isinstance(scene.command, CancelOrder)


def test_an_order_of_the_moment_that_is_still_at_work_is_looked_up_to_its_end() -> None:
    scene = doubt(following()).fills()
    client_id = scene.job.doubtful[0].command.order.client_id
    scene.receive(ev.OrderAccepted(at=scene.now, client_id=client_id, order_id=9))
    assert (scene.job.state, scene.job.doubtful) == (RESOLVING, ())
    assert scene.taken.resolve
    assert scene.taken.resolve.client_id == client_id
    assert scene.fills().job.state is UNWINDING


def test_nothing_is_doubted_without_an_order() -> None:
    scene = leading()
    with pytest.raises(InvariantBroken, match="no order is doubtful"):
        in_doubt(scene.job)
    with pytest.raises(InvariantBroken, match="no order at work to doubt"):
        doubted(scene.job, None, scene.around)


def test_a_job_that_may_still_be_filled_does_not_end_and_survives_a_restart() -> None:
    scene = doubt(following())
    for _ in range(3):
        assert not scene.job.state.ended
        scene.after(1) if not scene.job.working else scene.fills()
    assert hedging.signal_of(scene.job, None) is hedging.Signal.TICK


def test_a_short_that_filled_twice_in_a_market_that_closed_is_covered_with_planned_coins() -> None:
    scene = doubt(following()).fills()
    settle(scene, lands=True)
    assert (scene.job.state, scene.order.side) == (UNWINDING, Side.BUY)
    pair = scene.job.pair
    scene.pair = replace(pair, perp=replace(pair.perp, status=TradingStatus.CLOSED))
    reject_forever(scene, RejectKind.PERMISSION, 40)
    assert scene.job.state is NAKED
    while not (scene.job.working and scene.job.working.order.market is Market.SPOT):
        scene.rejects(RejectKind.PERMISSION) if scene.job.working else scene.after(5)
    assert (scene.job.working.order.side, scene.job.working.order.quantity) == (Side.BUY, Decimal("3.985"))
    assert scene.fills().job.state is HEDGED
    assert 0 <= scene.job.exposure < Decimal("0.01")


def test_more_coins_than_planned_are_not_bought_for_a_short_that_filled_twice() -> None:
    scene = doubt(following(slice_notional="2000")).fills()
    settle(scene, lands=True)
    pair = scene.job.pair
    scene.pair = replace(pair, perp=replace(pair.perp, status=TradingStatus.CLOSED))
    reject_forever(scene, RejectKind.PERMISSION, 40)
    assert scene.job.state is NAKED
    for _ in range(4):
        scene.rejects(RejectKind.PERMISSION) if scene.job.working else scene.after(60)
        assert not scene.job.working or scene.job.working.order.market is Market.PERP


@pytest.mark.parametrize(("whole", "sent"), [(True, MOST_DOUBTFUL), (False, 2)])
def test_the_last_of_a_whole_short_is_bought_back_though_two_orders_for_it_are_lost(whole: bool, sent: int) -> None:  # noqa: FBT001 - a case
    job = new_job(CLOSE, spot="10", slice_notional="2000", whole_short=whole)
    scene = Scene(job).after(0).fills().fills().fills()
    assert (scene.order.market, scene.order.quantity) == (Market.PERP, Decimal(2))
    for _ in range(sent):
        assert scene.job.working
        doubt(scene)
    assert (scene.job.state, len(scene.job.doubtful), scene.command) == (IN_DOUBT, sent, None)
    assert at_risk(scene.job) == 2
    for number in range(sent):
        settle(scene, lands=number == 0)
    while not scene.job.state.ended:
        scene.fills() if scene.job.working else scene.after(1)
    assert (scene.job.state, scene.job.exposure) == (FLAT, ZERO)
