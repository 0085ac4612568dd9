"""A trade that waits, leads or rests while another hedge cannot wait: it is set aside, and taken up again."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from hedgerow.domain.commands import CancelOrder, PlaceOrder
from hedgerow.domain.events import (
    CommandIssued,
    Event,
    ExecutionStarted,
    ExecutionSuspended,
    ExecutionTakenUp,
    FundsTransferred,
    HedgeOpened,
)
from hedgerow.domain.execution import ExecutionKind, ExecutionLimits, ExecutionState, ExecutionStyle
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.reducers import apply, fold
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.operator_requests import CloseAllRequested, CloseRequested
from hedgerow.domain.position import Reason
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, PairRefusal, Read, ReadFault, Refused, SubmitFault
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from support.bot_harness import BotHarness
from support.crash_sites import Checkpoint, CrashPoint, CrashSite
from support.worlds import START, Listing, ScriptedMarketData

A, B, C = "AAAUSDT", "BBBUSDT", "CCCUSDT"
WALLET = Decimal(900)
OPEN_BY = START + timedelta(hours=1, minutes=12)
"""When three hedges are held."""
CRASHES = 60


def calm(slots: int = 3, execution: ExecutionLimits | None = None) -> StrategyParameters:
    return StrategyParameters(
        execution=execution or ExecutionLimits(),
        position_management=PositionManagement(
            fee_coverage_multiplier=1000,
            max_position_age_hours=87_600,
            better_opportunity_apr=90.0,
            max_positions=slots,
        ),
    )


def market() -> ScriptedMarketData:
    listed = enumerate(((A, "0.0006"), (B, "0.0005"), (C, "0.0004")))
    return ScriptedMarketData([Listing(name, spot=100 + 20 * at, rate=rate) for at, (name, rate) in listed])


def closed_perpetual(*symbols: str, until: datetime | None = None) -> FaultPlan:
    """Return that the perpetuals of some pairs take no orders once three hedges are held."""
    return FaultPlan(
        refusals=tuple(
            PairRefusal(code=-2010, symbol=each, market=Market.PERP, refused=Refused.ORDERS, after=OPEN_BY, until=until)
            for each in symbols
        )
    )


def three_held(faults: FaultPlan, data: ScriptedMarketData | None = None, usdt: Decimal = WALLET) -> BotHarness:
    bot = BotHarness(data or market(), parameters=calm(), usdt=usdt, perp=WALLET, faults=faults)
    bot.run(0.2)
    assert {hedge.symbol for hedge in bot.ledger.open_hedges} == {A, B, C}
    return bot


def naked_b(
    faults: FaultPlan | None = None, data: ScriptedMarketData | None = None, usdt: Decimal = WALLET
) -> BotHarness:
    """Return a bot that closes B and cannot buy back its short."""
    bot = three_held(faults or closed_perpetual(B), data, usdt)
    assert not bot.ask(CloseRequested(symbol=B)).done
    job = bot.ledger.execution
    assert job is not None
    assert (job.symbol, job.state) == (B, ExecutionState.NAKED)
    return bot


def lose_short(bot: BotHarness, symbol: str) -> None:
    hedge = bot.ledger.held(symbol)
    assert hedge is not None
    bot.world.trade_by_hand(Market.PERP, symbol, Side.BUY, hedge.short)


def first_order(bot: BotHarness, symbol: str, market: Market, after: datetime) -> datetime:
    """Return when the first order of a leg was sent after a time."""
    commands = (e for e in bot.logged(CommandIssued) if e.at >= after and isinstance(e.command, PlaceOrder))
    orders = ((e.at, e.command.order) for e in commands if isinstance(e.command, PlaceOrder))
    return next(at for at, order in orders if (order.symbol, order.market) == (symbol, market))


def check_matched(bot: BotHarness) -> None:
    """Check that every hedge is whole, by the log and on the exchange, and that the books agree."""
    bot.check()
    for hedge in bot.ledger.open_hedges:
        assert bot.world.account().short(hedge.symbol) == hedge.short
        assert abs(hedge.spot_quantity - hedge.short) <= hedge.pair.lot_step


def check_log(log: list[Event] | tuple[Event, ...], end: Ledger) -> None:
    """Check that the fold goes on from every event, that one job is at work at most, and that no job is lost."""
    ledger = Ledger()
    for index, event in enumerate(log):
        if index % 7 == 0:
            assert fold(log[index:], ledger) == end
        before, ledger = ledger, apply(ledger, event)
        if isinstance(event, ExecutionStarted):
            assert before.execution is None
        if isinstance(event, ExecutionSuspended | ExecutionTakenUp):
            assert {job.hedge_id for job in before.jobs} == {job.hedge_id for job in ledger.jobs}
        assert sum(job.hedge_id not in ledger.suspended for job in ledger.jobs) <= 1
    assert ledger == end


def test_a_leg_that_is_lost_is_closed_while_another_trade_waits_naked() -> None:
    bot = naked_b()
    lost_at = bot.world.now
    lose_short(bot, A)
    bot.run(0.3)
    assert bot.reasons == [Reason.LEG_GONE]
    assert first_order(bot, A, Market.SPOT, lost_at) - lost_at <= timedelta(seconds=70)
    job = bot.ledger.execution
    assert job is not None
    assert job.symbol == B
    assert not bot.ledger.suspended
    tries = [e for e in bot.logged(CommandIssued) if e.at > lost_at and isinstance(e.command, PlaceOrder)]
    assert sum(e.command.hedge_id == job.hedge_id for e in tries if isinstance(e.command, PlaceOrder)) > 10
    check_log(bot.log, bot.ledger)


def test_it_goes_on_being_tried_and_ends_flat_once_its_market_opens() -> None:
    bot = naked_b(closed_perpetual(B, until=OPEN_BY + timedelta(minutes=10)))
    lose_short(bot, A)
    bot.run(0.5)
    assert bot.reasons == [Reason.LEG_GONE]
    assert not bot.ledger.jobs
    assert {hedge.symbol for hedge in bot.ledger.open_hedges} == {B, C}
    check_matched(bot)
    bot.check()


def test_two_trades_that_wait_naked_are_tried_by_turns_and_a_third_hedge_is_still_closed() -> None:
    bot = naked_b(closed_perpetual(B, C, until=OPEN_BY + timedelta(minutes=30)))
    for symbol in (A, C):
        hedge = bot.ledger.held(symbol)
        assert hedge is not None
    coins = bot.ledger.owned("CCC").quantize(Decimal("0.001"), "ROUND_DOWN")
    bot.world.trade_by_hand(Market.SPOT, C, Side.SELL, coins)
    bot.run(0.1)
    assert {job.symbol for job in bot.ledger.jobs} == {B, C}
    since = bot.world.now
    lose_short(bot, A)
    bot.run(0.2)
    assert Reason.LEG_GONE in bot.reasons
    for symbol in (B, C):
        hedge = bot.ledger.held(symbol)
        assert hedge is not None
        placed = (e for e in bot.logged(CommandIssued) if e.at > since and isinstance(e.command, PlaceOrder))
        assert sum(isinstance(e.command, PlaceOrder) and e.command.hedge_id == hedge.hedge_id for e in placed) > 3
    check_log(bot.log, bot.ledger)
    bot.run(0.6)
    assert {hedge.symbol for hedge in bot.ledger.open_hedges} == {B}
    assert not bot.ledger.jobs
    check_matched(bot)


def test_margin_is_moved_for_the_others_while_a_trade_waits_naked() -> None:
    data = market()
    for at, symbol in enumerate((A, C)):
        base = Decimal(100 + 40 * at)
        for step in range(1, 7):
            data.set_prices(OPEN_BY + timedelta(minutes=4 * step), base * (1 + Decimal("0.17") * step), symbol=symbol)
    bot = naked_b(data=data, usdt=Decimal(1300))
    since = bot.world.now
    bot.run(0.6)
    moved = [e for e in bot.logged(FundsTransferred) if e.at > since]
    assert moved
    assert Reason.LIQUIDATED not in bot.reasons
    assert bot.ledger.transfer is None
    check_log(bot.log, bot.ledger)


def test_a_transfer_whose_outcome_is_unknown_is_asked_for_while_a_trade_waits_naked() -> None:
    data = market()
    for at, symbol in enumerate((A, C)):
        data.set_prices(OPEN_BY + timedelta(minutes=4), Decimal(100 + 40 * at) * 2, symbol=symbol)
    lost = SubmitFault(fault=FaultKind.SILENT_AFTER, command="transfer_funds", times=2, nth=1)
    bot = naked_b(closed_perpetual(B) + FaultPlan(submits=(lost,)), data=data, usdt=Decimal(1300))
    bot.run(0.6)
    assert bot.logged(FundsTransferred)
    assert bot.ledger.transfer is None


def test_a_trade_of_unknown_outcome_does_not_keep_a_lost_leg_waiting() -> None:
    lost = SubmitFault(fault=FaultKind.SILENT_BEFORE, market=Market.PERP, side=Side.BUY, symbol=B, times=1)
    blind = ReadFault(read=Read.RESOLVE, after=OPEN_BY, until=OPEN_BY + timedelta(minutes=15))
    bot = three_held(FaultPlan(submits=(lost,), reads=(blind,)))
    lost_leg = list[datetime]()

    def lose(harness: BotHarness) -> None:
        job = harness.ledger.execution
        if not lost_leg and job is not None and job.state is ExecutionState.RESOLVING:
            lost_leg.append(harness.world.now)
            lose_short(harness, A)

    hedge = bot.ledger.held(B)
    assert hedge is not None
    coins = hedge.pair.spot.floor_quantity(hedge.spot_quantity)
    bot.world.trade_by_hand(Market.SPOT, B, Side.SELL, coins)
    bot.run(0.7, at={step / 360: lose for step in range(1, 180)})
    assert lost_leg
    assert first_order(bot, A, Market.SPOT, lost_leg[0]) - lost_leg[0] <= timedelta(seconds=70)
    assert sorted(bot.reasons) == [Reason.LEG_GONE, Reason.LEG_GONE]
    assert not bot.ledger.jobs
    bot.check()
    check_log(bot.log, bot.ledger)


def test_nothing_is_set_aside_while_the_others_are_well() -> None:
    bot = naked_b()
    bot.run(0.3)
    assert not bot.logged(ExecutionSuspended)
    assert {hedge.symbol for hedge in bot.ledger.open_hedges} == {A, B, C}


def test_a_hedge_that_cannot_be_traded_either_is_tried_once_a_minute() -> None:
    refused = PairRefusal(code=-2010, symbol=A, market=Market.SPOT, refused=Refused.ORDERS, after=OPEN_BY)
    bot = naked_b(closed_perpetual(B) + FaultPlan(refusals=(refused,)))
    lose_short(bot, A)
    bot.run(0.25)
    begun = [e for e in bot.logged(ExecutionStarted) if e.execution.symbol == A]
    assert 3 < len(begun[1:]) <= 16


def test_all_that_can_be_closed_are_closed_beside_one_that_waits() -> None:
    bot = naked_b()
    answer = bot.ask(CloseAllRequested())
    assert not answer.done
    assert {hedge.symbol for hedge in bot.ledger.open_hedges} == {B}
    assert bot.ledger.execution is not None
    assert not bot.ledger.suspended
    bot.check()


@pytest.mark.parametrize(
    ("sales", "hours", "said"),
    [
        (10, 0.5, ""),
        (10_000, 0.5, "BBBUSDT could not be closed: nothing was closed: refused with -2010"),
        (10_000, 24, "BBBUSDT could not be closed: its opening is not finished: refused with -2010"),
    ],
    ids=["made whole, then closed", "made whole", "still waiting"],
)
def test_closing_all_says_what_became_of_an_opening_that_waited(sales: int, hours: float, said: str) -> None:
    """The short of B is refused for so many hours, so many sales of its coins as well."""
    after, until = START + timedelta(hours=1), START + timedelta(hours=1 + hours, seconds=60)
    faults = FaultPlan(
        refusals=(
            PairRefusal(code=-2010, symbol=B, market=Market.PERP, refused=Refused.ORDERS, after=after, until=until),
        ),
        submits=(
            SubmitFault(
                fault=FaultKind.REJECT,
                command="place_order",
                market=Market.SPOT,
                side=Side.SELL,
                symbol=B,
                times=sales,
                code=-2010,
            ),
        ),
    )
    bot = BotHarness(market(), parameters=calm(), usdt=WALLET, perp=WALLET, faults=faults, latency_seconds=2.0)
    bot.run(0.2)
    job = bot.ledger.execution
    assert job is not None
    assert (job.symbol, job.kind, job.state) == (B, ExecutionKind.OPEN, ExecutionState.NAKED)
    bot.wait((START + timedelta(hours=1.5) - bot.clock.now()).total_seconds() / 3600)
    answer = bot.ask(CloseAllRequested())
    assert answer.done == (not said)
    assert said in answer.text
    assert "only a part" not in answer.text
    assert {hedge.symbol for hedge in bot.ledger.hedges.values()} == ({B} if said else set())
    bot.check()


def test_one_is_closed_by_name_beside_one_that_waits() -> None:
    bot = naked_b()
    assert bot.ask(CloseRequested(symbol=C)).done
    assert not bot.ask(CloseRequested(symbol=B)).done
    assert {hedge.symbol for hedge in bot.ledger.open_hedges} == {A, B}
    assert bot.ledger.execution is not None
    bot.check()


def test_one_hedge_alone_is_never_set_aside() -> None:
    bot = BotHarness(market(), parameters=calm(1), usdt=WALLET, perp=WALLET, faults=closed_perpetual(A))
    bot.run(0.2)
    assert not bot.ask(CloseRequested(symbol=A)).done
    bot.run(0.5)
    assert not bot.logged(ExecutionSuspended)
    assert not bot.logged(ExecutionTakenUp)


# --- trades that lead ------------------------------------------------------------------------------------------------

SOON = timedelta(seconds=25)
"""Until the first order of a hedge in danger: a look every 5 s, a second reading, what rests is cancelled."""
SMALL_SLICES = ExecutionLimits(max_order_usd=Decimal(12))
PATIENT_MAKER = ExecutionLimits(style=ExecutionStyle.MAKER, maker_timeout_seconds=45.0)


def interrupted(
    state: ExecutionState,
    kind: ExecutionKind,
    limits: ExecutionLimits,
    faults: FaultPlan | None = None,
    certain_after_seconds: float = 0.0,
    *,
    delayed_spot_ack: bool = False,
) -> tuple[BotHarness, datetime]:
    """Return a bot that lost the short of A while a job of B was in a state, and when it lost it."""
    bot = BotHarness(
        market(),
        parameters=calm(2, limits),
        usdt=WALLET,
        perp=WALLET,
        latency_seconds=0.3,
        faults=faults,
        certain_after_seconds=certain_after_seconds,
        delayed_spot_ack=delayed_spot_ack,
    )
    lost = list[datetime]()

    def lose(harness: BotHarness) -> None:
        job = harness.ledger.execution
        if not lost and job is not None and (job.symbol, job.state, job.kind) == (B, state, kind):
            lost.append(harness.world.now)
            lose_short(harness, A)

    if kind is ExecutionKind.CLOSE:
        bot.run(0.4)
        hedge = bot.ledger.held(B)
        assert hedge is not None
        bot.world.trade_by_hand(Market.PERP, B, Side.BUY, hedge.pair.perp.floor_quantity(hedge.short / 2))
    bot.run(0.5, at={step / 3600: lose for step in range(1, 1500)})
    assert lost, f"no job of {B} was {state}"
    return bot, lost[0]


@pytest.mark.parametrize(
    ("state", "limits"),
    [(ExecutionState.RESTING, PATIENT_MAKER), (ExecutionState.LEADING, SMALL_SLICES)],
)
def test_an_opening_gives_way_to_a_lost_leg_and_keeps_what_it_has_hedged(
    state: ExecutionState, limits: ExecutionLimits
) -> None:
    bot, lost_at = interrupted(state, ExecutionKind.OPEN, limits)
    assert first_order(bot, A, Market.SPOT, lost_at) - lost_at <= SOON
    assert bot.reasons == (
        [Reason.LEG_GONE, Reason.OTHER_HEDGE] if state is ExecutionState.RESTING else [Reason.LEG_GONE]
    )
    assert B not in bot.ledger.cooldowns
    [suspended] = bot.logged(ExecutionSuspended)
    opening = next(e.execution for e in bot.logged(ExecutionStarted) if e.execution.symbol == B)
    assert suspended.hedge_id == opening.hedge_id
    placed = [e for e in bot.logged(CommandIssued) if e.at > suspended.at and isinstance(e.command, PlaceOrder)]
    leads = (e.command.order for e in placed if isinstance(e.command, PlaceOrder))
    assert not any((order.symbol, order.market, order.side) == (B, Market.SPOT, Side.BUY) for order in leads)
    if state is ExecutionState.RESTING:
        assert [e.command.symbol for e in bot.logged(CommandIssued) if isinstance(e.command, CancelOrder)][-1] == B
    hedge = bot.ledger.held(B)
    assert (hedge is not None) is bool(hedge and any(e.hedge_id == hedge.hedge_id for e in bot.logged(HedgeOpened)))
    assert not bot.ledger.jobs
    check_matched(bot)
    check_log(bot.log, bot.ledger)


def test_an_order_in_doubt_does_not_keep_a_lost_leg_waiting() -> None:
    lost = SubmitFault(fault=FaultKind.SILENT_BEFORE, market=Market.PERP, side=Side.SELL, symbol=B, times=1)
    bot, lost_at = interrupted(
        ExecutionState.IN_DOUBT, ExecutionKind.OPEN, ExecutionLimits(), FaultPlan(submits=(lost,)), 40.0
    )
    assert first_order(bot, A, Market.SPOT, lost_at) - lost_at <= SOON
    assert bot.reasons == [Reason.LEG_GONE]
    assert bot.logged(ExecutionSuspended)
    assert not bot.ledger.jobs
    check_matched(bot)
    check_log(bot.log, bot.ledger)


@pytest.mark.parametrize("kind", [ExecutionKind.OPEN, ExecutionKind.CLOSE])
def test_an_order_whose_outcome_is_about_to_be_known_is_hedged_before_a_lost_leg(kind: ExecutionKind) -> None:
    bot, lost_at = interrupted(ExecutionState.LEADING, kind, SMALL_SLICES, delayed_spot_ack=True)
    assert first_order(bot, A, Market.SPOT, lost_at) - lost_at <= SOON
    ledger = Ledger()
    for event in bot.log:
        if isinstance(event, ExecutionSuspended):
            assert ledger.execution
            assert ledger.execution.state is ExecutionState.LEADING
        ledger = apply(ledger, event)


def test_a_closing_between_two_slices_is_gone_on_with_after_a_lost_leg() -> None:
    bot, lost_at = interrupted(ExecutionState.LEADING, ExecutionKind.CLOSE, SMALL_SLICES)
    assert first_order(bot, A, Market.SPOT, lost_at) - lost_at <= SOON
    assert len(bot.logged(ExecutionSuspended)) >= 1
    assert Reason.LEG_GONE in bot.reasons
    assert not bot.ledger.hedges
    bot.check()
    check_log(bot.log, bot.ledger)


# --- crashes ---------------------------------------------------------------------------------------------------------


def waiting_and_lost() -> Checkpoint:
    bot = naked_b()
    lose_short(bot, A)
    return Checkpoint(market_data=bot.market_data, world=bot.world.dump(), events=tuple(bot.log), ledger=bot.ledger)


def play(begin: Checkpoint, at: int | None) -> tuple[CrashSite, CrashPoint]:
    faults = closed_perpetual(B, until=OPEN_BY + timedelta(minutes=4))
    crash_site, crash_point = CrashSite(begin, calm(), faults=faults), CrashPoint(at)
    end = crash_site.world.now + timedelta(hours=0.25)
    if not crash_site.live(end, crash_point):
        assert crash_site.live(end)
    return crash_site, crash_point


@pytest.mark.slow
def test_a_bot_that_dies_while_a_trade_is_set_aside_ends_hedged_or_flat() -> None:
    start = waiting_and_lost()
    crash_site, undisturbed = play(start, None)
    assert crash_site.logged(ExecutionSuspended)
    assert crash_site.wrongs(start_equity=2 * WALLET, coins={}) == []
    points = len(undisturbed.passed)
    for at in range(0, points, -(-points // CRASHES)):
        crash_site, crash_point = play(start, at)
        assert crash_point.dead
        assert crash_site.wrongs(start_equity=2 * WALLET, coins={}) == [], f"{at} {undisturbed.passed[at]}"
