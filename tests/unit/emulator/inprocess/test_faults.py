"""The venue's door with faults, latency and the other things that only a door has."""

from collections.abc import Coroutine
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any, TypeVar

import msgspec
import pytest

from hedgerow.aster.rules import is_before_execution
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.commands import CancelOrder, Command, SetLeverage, TransferDirection, TransferFunds
from hedgerow.domain.errors import RateLimited, Unauthorized, VenueError
from hedgerow.domain.events import (
    CommandRefused,
    Event,
    OrderAccepted,
    OrderEnded,
    OrderOutcomeUnknown,
    TransferOutcomeUnknown,
)
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import OrderStatus, RejectKind
from hedgerow.emulator import EmulatedVenue, FaultPlan, LatencyModel, World
from hedgerow.emulator.fault_kinds import IN_PROCESS, ON_THE_WIRE, FaultKind
from hedgerow.emulator.inprocess.faults import (
    LaggingBalances,
    Read,
    ReadFault,
    StaleBooks,
    SubmitFault,
    VenueFault,
    drawn_plan,
)
from support.orders import ended, order, place
from support.worlds import START, SYMBOL, ScriptedMarketData, make_venue, make_world

SPOT, PERP, BUY, SELL = Market.SPOT, Market.PERP, Side.BUY, Side.SELL
D = Decimal
Result = TypeVar("Result")


def venue_with(*faults: SubmitFault | ReadFault, **arguments: Any) -> EmulatedVenue:
    submits = tuple(fault for fault in faults if isinstance(fault, SubmitFault))
    reads = tuple(fault for fault in faults if isinstance(fault, ReadFault))
    return make_venue(faults=FaultPlan(submits=submits, reads=reads), **arguments)


def wait(venue: EmulatedVenue, main: Coroutine[Any, Any, Result]) -> Result:
    assert isinstance(venue.clock, VirtualClock)
    return run_virtual(venue.clock, main)


def run(venue: EmulatedVenue, command: Command) -> tuple[Event, ...]:
    return wait(venue, venue.submit(command))


def test_a_kind_of_fault_that_no_transport_knows_or_that_is_used_elsewhere_is_refused() -> None:
    assert {*IN_PROCESS, *ON_THE_WIRE} == set(FaultKind)
    until = START + timedelta(hours=1)
    with pytest.raises(ValueError, match=r"^fault 418: allowed here is reject, not_sent, silent_before, "):
        SubmitFault(fault=FaultKind.BANNED)
    with pytest.raises(ValueError, match=r"^fault partial: allowed here is silent_before, 429, unauthorized$"):
        ReadFault(read=Read.ACCOUNT, fault=FaultKind.PARTIAL)
    with pytest.raises(ValueError, match=r"^fault reject: allowed here is 418, 429_orders, "):
        VenueFault(fault=FaultKind.REJECT, after=START, until=until)


def test_a_lost_order_that_was_executed_is_found_by_resolving() -> None:
    venue = venue_with(SubmitFault(fault=FaultKind.SILENT_AFTER))
    request = order(SPOT, BUY, "1", "100.1")
    (unknown,) = run(venue, place(request))
    assert isinstance(unknown, OrderOutcomeUnknown)
    assert venue.world.account().coin("AAA").free > 0
    assert ended(wait(venue, venue.resolve(request))).filled_quantity == 1


def test_a_lost_order_that_never_arrived_stays_unknown_until_it_can_no_longer_arrive() -> None:
    venue = venue_with(SubmitFault(fault=FaultKind.SILENT_BEFORE), certain_after_seconds=60.0)
    request = order(SPOT, BUY, "1", "100.1")
    clock = venue.clock
    assert isinstance(clock, VirtualClock)

    async def script() -> None:
        (lost,) = await venue.submit(place(request))
        (unsure,) = await venue.resolve(request)
        assert isinstance(lost, OrderOutcomeUnknown)
        assert isinstance(unsure, OrderOutcomeUnknown)
        await clock.sleep(60)
        absent = ended(await venue.resolve(request))
        assert (absent.order_id, absent.filled_quantity) == (None, D(0))
        assert (await venue.account()).coin("AAA").total == 0

    run_virtual(clock, script())


def test_a_refusal_carries_the_code_of_the_plan() -> None:
    venue = venue_with(SubmitFault(fault=FaultKind.REJECT, code=-2019, market=PERP))
    assert ended(run(venue, place(order(SPOT, BUY, "1", "100.1")))).status is OrderStatus.FILLED
    refused = ended(run(venue, place(order(PERP, SELL, "1", "99.9"))))
    assert (refused.code, refused.reject) == (-2019, RejectKind.MARGIN)
    assert ended(run(venue, place(order(PERP, SELL, "1", "99.9")))).status is OrderStatus.FILLED


def test_a_request_that_never_left_ends_with_nothing() -> None:
    venue = venue_with(SubmitFault(fault=FaultKind.NOT_SENT))
    end = ended(run(venue, place(order(SPOT, BUY, "1", "100.1"))))
    assert (end.status, end.order_id, end.code) == (OrderStatus.REJECTED, None, None)


@pytest.mark.parametrize(
    ("outcome", "filled"), [(FaultKind.PARTIAL, D("2.5")), (FaultKind.ABSORB, D(0))], ids=["partial", "absorb"]
)
def test_an_order_may_get_less_than_the_book_has(outcome: FaultKind, filled: Decimal) -> None:
    venue = venue_with(SubmitFault(fault=outcome, fraction=D("0.25")))
    end = ended(run(venue, place(order(SPOT, BUY, "10", "100.1"))))
    assert (end.status, end.filled_quantity) == (OrderStatus.EXPIRED, filled)


def test_a_fault_counts_only_what_its_filters_let_through() -> None:
    venue = venue_with(SubmitFault(fault=FaultKind.REJECT, nth=2, times=2, market=SPOT, side=BUY))
    seen = [
        ended(run(venue, place(order(market, side, "0.5" if side is SELL else "1", price)))).status
        is OrderStatus.REJECTED
        for market, side, price in [
            (SPOT, BUY, "100.1"),
            (PERP, SELL, "99.9"),
            (SPOT, BUY, "100.1"),
            (SPOT, SELL, "99.9"),
            (SPOT, BUY, "100.1"),
            (SPOT, BUY, "100.1"),
        ]
    ]
    assert seen == [False, False, True, False, True, False]


def test_commands_that_are_no_orders_can_be_lost_too() -> None:
    venue = venue_with(
        SubmitFault(fault=FaultKind.SILENT_AFTER, command="transfer_funds"),
        SubmitFault(fault=FaultKind.SILENT_BEFORE, command="set_leverage"),
    )
    move = TransferFunds(transfer_id="m", amount=D(10), direction=TransferDirection.SPOT_TO_PERP)
    (unknown,) = run(venue, move)
    assert isinstance(unknown, TransferOutcomeUnknown)
    assert venue.world.account().perp.balance == 10_010
    run(venue, move)
    assert venue.world.account().perp.balance == 10_010
    (refused,) = run(venue, SetLeverage(symbol=SYMBOL, leverage=1))
    assert isinstance(refused, CommandRefused)
    assert refused.code == -1007


def test_a_lost_or_unsent_cancel_says_so() -> None:
    venue = venue_with(SubmitFault(fault=FaultKind.SILENT_BEFORE), SubmitFault(fault=FaultKind.NOT_SENT, nth=2))
    cancel = CancelOrder(market=SPOT, symbol=SYMBOL, client_id="any")
    (unknown,) = run(venue, cancel)
    assert isinstance(unknown, OrderOutcomeUnknown)
    assert unknown.client_id == "any"
    (unsent,) = run(venue, cancel)
    assert isinstance(unsent, CommandRefused)
    assert "never left" in unsent.detail


def test_plans_add_up_and_the_first_that_applies_wins() -> None:
    plan = FaultPlan(submits=(SubmitFault(fault=FaultKind.ABSORB),)) + FaultPlan(
        submits=(SubmitFault(fault=FaultKind.REJECT),), lagging=LaggingBalances(seconds=2)
    )
    assert plan.lagging == LaggingBalances(seconds=2)
    venue = make_venue(faults=plan)
    assert ended(run(venue, place(order(SPOT, BUY, "1", "100.1")))).status is OrderStatus.EXPIRED


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (FaultKind.SILENT_BEFORE, VenueError),
        (FaultKind.RATE_LIMITED, RateLimited),
        (FaultKind.UNAUTHORIZED, Unauthorized),
    ],
)
def test_a_read_fails_by_count_and_only_that_read(error: FaultKind, raised: type[VenueError]) -> None:
    venue = venue_with(ReadFault(read=Read.ACCOUNT, fault=error, nth=2))

    async def script() -> None:
        await venue.account()
        await venue.market(1)
        with pytest.raises(raised):
            await venue.account()
        await venue.account()

    wait(venue, script())


def test_a_read_fails_during_a_window() -> None:
    venue = venue_with(
        ReadFault(read=Read.MARKET, after=START + timedelta(seconds=10), until=START + timedelta(seconds=20))
    )

    async def script() -> list[bool]:
        failed = []
        for _ in range(4):
            try:
                await venue.market(1)
            except VenueError:
                failed.append(True)
            else:
                failed.append(False)
            await venue.clock.sleep(9)
        return failed

    assert wait(venue, script()) == [False, False, True, False]


def test_a_look_up_that_fails_leaves_an_order_unknown() -> None:
    venue = venue_with(ReadFault(read=Read.RESOLVE))
    request = order(SPOT, BUY, "1", "100.1")
    run(venue, place(request))
    (unknown,) = wait(venue, venue.resolve(request))
    assert isinstance(unknown, OrderOutcomeUnknown)


def test_stale_books_show_an_old_time_and_old_prices_while_the_mark_moves() -> None:
    market_data = ScriptedMarketData()
    market_data.set_prices(START + timedelta(minutes=5), "90")
    window = StaleBooks(after=START + timedelta(seconds=30), until=START + timedelta(minutes=10))
    venue = make_venue(make_world(market_data), faults=FaultPlan(stale_books=(window,)))

    async def script() -> None:
        await venue.clock.sleep(400)
        view = await venue.market(1)
        quote, mark, depth = view.quote(SPOT, SYMBOL), view.mark(SYMBOL), await venue.depth(SPOT, SYMBOL)
        assert quote is not None
        assert mark is not None
        assert quote.at == depth.at == START + timedelta(seconds=30)
        assert quote.bid == D("99.99")
        assert (mark.mark, mark.at) == (D(90), START + timedelta(seconds=400))
        await venue.clock.sleep(400)
        assert (await venue.depth(SPOT, SYMBOL)).bids[0].price < 91

    wait(venue, script())


def test_lagging_balances_show_the_account_before_the_last_trades() -> None:
    venue = make_venue(faults=FaultPlan(lagging=LaggingBalances(seconds=3)))

    async def script() -> list[tuple[Decimal, bool]]:
        seen: list[tuple[Decimal, bool]] = []
        assert venue.behind_until is None
        await venue.submit(place(order(SPOT, BUY, "1", "100.1")))
        for pause in (0, 2, 2):
            await venue.clock.sleep(pause)
            account = await venue.account()
            assert account.at == venue.clock.now()
            seen.append((account.coin("AAA").total, venue.behind_until == START + timedelta(seconds=3)))
        return seen

    assert wait(venue, script()) == [(0, True), (0, True), (D("0.9996"), False)]


def test_a_delayed_acknowledgement_leaves_the_result_to_be_looked_up() -> None:
    venue = make_venue(delayed_spot_ack=True)
    request = order(SPOT, BUY, "1", "100.1")
    assert [type(event) for event in run(venue, place(request))] == [OrderAccepted]
    assert ended(wait(venue, venue.resolve(request))).filled_quantity == 1
    perp = run(venue, place(order(PERP, SELL, "1", "99.9")))
    assert [type(event) for event in perp] == [OrderAccepted, OrderEnded]


def test_latency_passes_before_and_after_a_command_and_is_the_same_for_a_seed() -> None:
    def elapsed(seed: int) -> tuple[float, float]:
        venue = make_venue(latency=LatencyModel(median_seconds=0.1), random=Random(seed))

        async def script() -> tuple[float, float]:
            (_, end) = await venue.submit(place(order(SPOT, BUY, "1", "100.1")))
            return (end.at - START).total_seconds(), venue.clock.monotonic()

        return wait(venue, script())

    there, back = elapsed(1)
    assert 0 < there < back
    assert elapsed(1) == (there, back)
    assert elapsed(2) != (there, back)


def test_a_latency_needs_a_source_of_randomness() -> None:
    with pytest.raises(ValueError, match="random"):
        make_venue(latency=LatencyModel(median_seconds=0.1))


def test_a_latency_is_never_negative() -> None:
    with pytest.raises(ValueError, match="not negative"):
        LatencyModel(median_seconds=-0.1)


def test_without_latency_no_time_passes() -> None:
    venue = make_venue()
    run(venue, place(order(SPOT, BUY, "1", "100.1")))
    assert venue.clock.monotonic() == 0


def test_each_change_is_reported_once_before_the_answer() -> None:
    reported: list[int] = []
    venue = make_venue(on_change=lambda world: reported.append(world.revision))

    async def script() -> None:
        await venue.account()
        assert reported == []
        await venue.submit(place(order(PERP, SELL, "1", "99.9")))
        await venue.account()
        assert len(reported) == 1
        await venue.clock.sleep(8 * 3600)
        await venue.account()
        assert len(reported) == 2

    wait(venue, script())


def test_a_drawn_plan_is_the_same_for_a_seed_and_survives_encoding() -> None:
    def drawn(seed: int) -> FaultPlan:
        return drawn_plan(Random(seed), start=START, span=timedelta(days=1), count=12)

    plan = drawn(3)
    assert plan == drawn(3)
    assert plan != drawn(4)
    assert len(plan.submits) + len(plan.reads) == 12
    assert msgspec.json.decode(msgspec.json.encode(plan), type=FaultPlan) == plan


def test_the_world_is_the_one_the_venue_was_given() -> None:
    world: World = make_world()
    assert make_venue(world).world is world
    assert make_venue(world, name="paper").name == "paper"


@pytest.mark.parametrize("code", [-1003, -2014, -2015])
def test_a_refused_key_or_nonce_says_nothing_about_an_earlier_transfer_of_the_same_id(code: int) -> None:
    transfer = TransferFunds(transfer_id="t1", amount=D(5), direction=TransferDirection.SPOT_TO_PERP)
    (refused,) = run(venue_with(SubmitFault(fault=FaultKind.REJECT, command="transfer_funds", code=code)), transfer)
    assert isinstance(refused, CommandRefused)
    assert refused.before_execution is True
    assert is_before_execution(code) is True


def test_nonces_that_are_refused_for_a_while_say_nothing_about_an_earlier_transfer() -> None:
    nonces = VenueFault(fault=FaultKind.NONCE_EXPIRED, after=START, until=START + timedelta(days=1))
    venue = make_venue(faults=FaultPlan(venue_faults=(nonces,)))
    transfer = TransferFunds(transfer_id="t1", amount=D(5), direction=TransferDirection.SPOT_TO_PERP)
    assert [getattr(event, "before_execution", None) for event in run(venue, transfer)] == [True]
