"""Naked time is counted from the fill: over a crash, over trades of others, and whatever is done to the wall clock."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
from msgspec.structs import replace

from _exchange import naked_seconds
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.dashboard.narration.wording import narrate
from hedgerow.domain.commands import Command
from hedgerow.domain.events import CommandIssued, Event, HedgeOpened, NakedAlarmed, OrderEnded
from hedgerow.domain.execution import ExecutionLimits
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.market import Depth
from hedgerow.domain.position import Reason
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, SubmitFault
from hedgerow.emulator.latency import LatencyModel
from hedgerow.engine.notices import CycleFailed
from hedgerow.engine.notices import Stopped as LastMoment
from hedgerow.ports import Store
from hedgerow.strategy.parameters import (
    FundingRateStrategy,
    PositionManagement,
    StrategyParameters,
)
from support.bot_harness import OPENED, BotHarness, WatchedStore, WatchedVenue
from support.worlds import SYMBOL

AWAY_SECONDS = 60.0
CALM = StrategyParameters(
    funding_rate_strategy=FundingRateStrategy(min_funding_apr=5.0),
    position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=87_600),
)


class Stopped(BaseException):
    """The process is gone."""


class DyingStore(WatchedStore):
    """A store whose process dies before, or after, the first append of a kind of event that names a leg."""

    def __init__(self, inner: Store, kind: type[Event], leg: str, *, after: bool) -> None:
        super().__init__(inner)
        self._dies_at = kind, leg, after
        self.dead = False

    async def append(self, events: Sequence[Event], *, durable: bool) -> None:
        kind, leg, after = self._dies_at
        hit = any(isinstance(event, kind) and leg in _client_id(event) for event in events)
        if self.dead or (hit and not after):
            self.dead = True
            raise Stopped
        await super().append(events, durable=durable)
        if hit:
            self.dead = True
            raise Stopped


def _client_id(event: Event) -> str:
    order = getattr(getattr(event, "command", None), "order", None)
    return order.client_id if order else getattr(event, "client_id", "")


def crashed(kind: type[Event], leg: str, *, after: bool) -> BotHarness:
    """Return a farm whose bot died at one append of its opening and was started again a minute later."""
    harness = BotHarness(latency_seconds=0.05)

    async def first_session() -> None:
        bot = harness.wire(store_of=lambda inner: DyingStore(inner, kind, leg, after=after))
        with pytest.raises(Stopped):
            await bot.runner.run()

    run_virtual(harness.clock, first_session())
    harness.wait(AWAY_SECONDS / 3600)
    harness.run(0.1)
    return harness


def really_naked(harness: BotHarness) -> float:
    """Return the longest time for which the legs on the exchange differed, as the kill campaign measures it."""
    return naked_seconds([fill for market in Market for fill in harness.world.fills(market, SYMBOL, OPENED)])


@pytest.mark.parametrize(
    ("kind", "leg", "after"),
    [
        (OrderEnded, "-s-2", True),
        (OrderEnded, "-s-2", False),
        (CommandIssued, "-p-2", False),
        (CommandIssued, "-p-2", True),
    ],
    ids=["after the fill", "before the fill is logged", "before the hedging order", "after its intent"],
)
def test_a_leg_that_stood_naked_while_no_bot_ran_is_counted_and_alarmed(
    kind: type[Event], leg: str, *, after: bool
) -> None:
    harness = crashed(kind, leg, after=after)
    truth = really_naked(harness)
    assert truth >= AWAY_SECONDS
    assert harness.ledger.max_naked_seconds == pytest.approx(truth, abs=0.5)
    quality = harness.hedge.opening_quality
    assert quality is not None
    assert quality.worst_naked_seconds == pytest.approx(truth, abs=0.5)
    assert harness.logged(NakedAlarmed)[0].seconds >= AWAY_SECONDS
    harness.check_whole()


def test_a_leg_that_was_hedged_before_the_bot_stopped_is_not_counted_while_it_was_away() -> None:
    harness = crashed(OrderEnded, "-p-2", after=True)
    assert really_naked(harness) < 1
    assert harness.ledger.max_naked_seconds < 1
    assert harness.logged(NakedAlarmed) == []
    harness.check_whole()


# --- trades of others ------------------------------------------------------------------------------------------------


def sell_coins(harness: BotHarness) -> None:
    quantity = harness.hedge.pair.spot.floor_quantity(harness.coins())
    harness.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, quantity)


def deleverage(harness: BotHarness) -> None:
    harness.world.deleverage(SYMBOL, harness.hedge.short)


def part_of_the_short(harness: BotHarness) -> None:
    harness.world.deleverage(SYMBOL, harness.hedge.pair.perp.floor_quantity(harness.hedge.short * Decimal("0.06")))


@pytest.mark.parametrize("act", [sell_coins, deleverage, part_of_the_short])
def test_a_leg_taken_by_others_counts_as_naked_from_its_trade_on(act: object) -> None:
    harness = BotHarness()
    harness.run(0.5)
    harness.parameters = CALM
    act(harness)  # type: ignore[operator] # one of three functions above
    taken = harness.world.now
    harness.wait(0.1)
    harness.run(0.05)
    answered = [fill.at for market in Market for fill in harness.world.fills(market, SYMBOL, taken) if fill.at > taken]
    truth = (max(answered) - taken).total_seconds()
    assert truth > 360
    assert harness.ledger.max_naked_seconds == pytest.approx(truth, abs=1)
    assert harness.logged(NakedAlarmed)[0].seconds > 360
    assert harness.logged(NakedAlarmed)[0].exposure > 0
    if act is not part_of_the_short:
        quality = harness.ledger.closed[-1].quality
        assert quality is not None
        assert quality.worst_naked_seconds == pytest.approx(truth, abs=1)


def half_of_the_coins(harness: BotHarness) -> None:
    quantity = harness.hedge.pair.spot.floor_quantity(harness.coins() / 2)
    harness.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, quantity)


def test_half_of_the_coins_sold_by_others_counts_as_naked_though_both_legs_are_closed_after_it() -> None:
    harness = BotHarness()
    harness.run(0.5)
    harness.parameters = CALM
    half_of_the_coins(harness)
    taken = harness.world.now
    harness.wait(0.1)
    harness.run(0.05)
    assert harness.ledger.max_naked_seconds > (harness.ledger.closed[-1].closed_at - taken).total_seconds() - 5


def test_legs_closed_by_hand_one_after_the_other_were_naked_between_them() -> None:
    harness = BotHarness()
    harness.run(0.5)
    harness.parameters = CALM
    sell_coins(harness)
    harness.wait(0.1)
    harness.world.trade_by_hand(Market.PERP, SYMBOL, Side.BUY, harness.hedge.short)
    harness.wait(0.1)
    ledger = harness.run(0.05)
    assert harness.reasons[0] is Reason.CLOSED_EXTERNALLY
    assert ledger.max_naked_seconds == pytest.approx(360, abs=1)
    said = [line.text for line in narrate(harness.notices_of(LastMoment)[-1])]
    assert f"  Longest naked exposure: 360.0 s (largest ${ledger.max_naked_notional:.2f})" in said


# --- the wall clock --------------------------------------------------------------------------------------------------


class SetClock(VirtualClock):
    """A clock whose wall time is set once, in the middle of a run; its monotonic time is not."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self.jump = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.jump

    def right(self) -> "RightClock":
        return RightClock(self)


class RightClock:
    """The same clock, never set."""

    def __init__(self, clock: SetClock) -> None:
        self._clock = clock
        self.monotonic, self.sleep, self.timeout = clock.monotonic, clock.sleep, clock.timeout

    def now(self) -> datetime:
        return VirtualClock.now(self._clock)


class SetVenue(WatchedVenue):
    """An exchange whose time is right, read by a client that stamps books by the clock of its own machine."""

    def __init__(
        self, harness: BotHarness, clock: SetClock, faults: FaultPlan, *, after_orders: int, jump: timedelta
    ) -> None:
        latency = LatencyModel(median_seconds=0.05)
        super().__init__(harness.world, clock.right(), latency=latency, random=Random(1), faults=faults)
        self._set = clock
        self._after_orders, self._jump = after_orders, jump

    async def depth(self, market: Market, symbol: str) -> Depth:
        return replace(await super().depth(market, symbol), at=self._set.now())

    async def submit(self, command: Command) -> tuple[Event, ...]:
        events = await super().submit(command)
        if len(self.orders) == self._after_orders:
            self._set.jump = self._jump
        return events


def set_after(orders: int, jump: timedelta, *refused: SubmitFault, limits: ExecutionLimits | None = None) -> BotHarness:
    """Return a farm whose wall clock is set by ``jump`` once so many orders were answered."""
    harness = BotHarness(parameters=StrategyParameters(execution=limits or ExecutionLimits()))
    clock = SetClock(harness.world.now)
    harness.clock = clock
    harness.venue = SetVenue(harness, clock, FaultPlan(submits=refused), after_orders=orders, jump=jump)
    harness.run(0.05)
    assert harness.notices_of(CycleFailed) == []
    return harness


JUMPS = pytest.mark.parametrize("jump", [timedelta(hours=5), timedelta(hours=-5)], ids=["forward", "back"])


@JUMPS
@pytest.mark.parametrize("orders", [1, 2, 3, 4])
def test_a_wall_clock_that_is_set_while_a_leg_is_open_makes_no_time_out_due(jump: timedelta, orders: int) -> None:
    harness = set_after(orders, jump)
    assert len(harness.logged(HedgeOpened)) == 1
    assert harness.ledger.max_naked_seconds < 5
    assert harness.logged(NakedAlarmed) == []


@JUMPS
def test_a_follower_that_fails_is_unwound_in_its_time_although_the_wall_clock_is_set(jump: timedelta) -> None:
    refused = SubmitFault(fault=FaultKind.REJECT, market=Market.PERP, code=-4131, times=500)
    harness = set_after(3, jump, refused, limits=ExecutionLimits(flatten_after_seconds=20))
    assert harness.reasons[0] is Reason.UNWOUND
    assert 15 < harness.ledger.max_naked_seconds < 40
