"""The guard between two cycles: what wakes the bot, how soon, and how seldom at most."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from hedgerow.dashboard.narration.wording import narrate
from hedgerow.domain.commands import PlaceOrder, TransferDirection
from hedgerow.domain.events import CommandIssued, ExternalFills, Wallet
from hedgerow.domain.instrument import Market, Side, TradingStatus
from hedgerow.domain.notifications import Notification, NotificationKind
from hedgerow.domain.position import Reason
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault
from hedgerow.emulator.inprocess.readings import AccountMutation, AccountReading
from hedgerow.engine.guard import LAG_SECONDS, LAGGING_SECONDS
from hedgerow.engine.notices import CycleBegan, CycleFailed, GuardAlarmed, HedgeUnseen, Notice
from hedgerow.strategy.decisions.alarms import GRACE
from hedgerow.strategy.observation import Reduce, TopUpMargin
from hedgerow.strategy.parameters import CapitalManagement, PositionManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.worlds import SYMBOL, ScriptedMarketData

EVENT = 0.51
"""Hours after the start: more than half a minute after a cycle, minutes before the next one."""
AT = OPENED + timedelta(hours=EVENT)
WITH_NEWS_SECONDS = 5.0
POLL_SECONDS = 30.0


def patient() -> StrategyParameters:
    """Return parameters that hold for long and never open twice with what one hedge frees."""
    return StrategyParameters(
        capital_management=CapitalManagement(min_capital_usd=Decimal("999.9")),
        position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=10_000),
    )


def seconds_to_order(harness: BotHarness, market: Market, since: datetime = AT) -> float:
    """Return how long after ``since`` the first order on a market was issued."""
    issued = (event for event in harness.logged(CommandIssued) if event.at >= since)
    orders = [e for e in issued if isinstance(e.command, PlaceOrder) and e.command.order.market is market]
    return (orders[0].at - since).total_seconds()


def liquidate(harness: BotHarness) -> None:
    harness.world.shock(SYMBOL, Decimal("2.2"))


def deleverage(share: str) -> Callable[[BotHarness], None]:
    def act(harness: BotHarness) -> None:
        harness.world.deleverage(SYMBOL, harness.hedge.pair.perp.floor_quantity(harness.short() * Decimal(share)))

    return act


def sell_by_hand(share: str) -> object:
    def act(harness: BotHarness) -> None:
        coins = harness.hedge.pair.spot.floor_quantity(harness.coins() * Decimal(share))
        harness.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, coins)

    return act


def play(harness: BotHarness, act: object, hours: float = 0.58) -> None:
    harness.run(hours, at={EVENT: act})  # type: ignore[dict-item] # an action of the farm
    assert [notice.error for notice in harness.notices_of(CycleFailed)] == []
    harness.check()


# --- how soon --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", [liquidate, deleverage("1")])
def test_with_news_the_coins_of_a_liquidated_short_are_sold_within_seconds(act: object) -> None:
    harness = BotHarness(parameters=patient(), notifications=True)
    play(harness, act)
    assert seconds_to_order(harness, Market.SPOT) < WITH_NEWS_SECONDS
    assert harness.reasons == [Reason.LIQUIDATED]
    booked = harness.logged(ExternalFills)
    assert all(fill.forced for event in booked for fill in event.fills)


def test_requests_that_travel_add_no_more_than_their_own_time() -> None:
    harness = BotHarness(parameters=patient(), notifications=True, latency_seconds=0.1)
    play(harness, liquidate)
    assert seconds_to_order(harness, Market.SPOT) < WITH_NEWS_SECONDS + 2
    assert harness.reasons == [Reason.LIQUIDATED]


@pytest.mark.parametrize("act", [liquidate, deleverage("1")])
def test_without_news_the_coins_of_a_liquidated_short_are_sold_within_the_poll(act: object) -> None:
    harness = BotHarness(parameters=patient(), poll_seconds=POLL_SECONDS)
    play(harness, act)
    assert seconds_to_order(harness, Market.SPOT) < POLL_SECONDS + WITH_NEWS_SECONDS
    assert harness.reasons == [Reason.LIQUIDATED]


@pytest.mark.parametrize("notifications", [True, False])
def test_a_partly_deleveraged_short_has_its_coins_trimmed(notifications: bool) -> None:  # noqa: FBT001 - parametrized
    harness = BotHarness(parameters=patient(), notifications=notifications, poll_seconds=POLL_SECONDS)
    play(harness, deleverage("0.06"))
    assert seconds_to_order(harness, Market.SPOT) < (0 if notifications else POLL_SECONDS) + WITH_NEWS_SECONDS
    assert harness.reasons == []
    harness.check_whole()


@pytest.mark.parametrize(("share", "market"), [("1", Market.PERP), ("0.06", Market.PERP)])
@pytest.mark.parametrize("notifications", [True, False])
def test_coins_sold_elsewhere_are_answered_on_the_short(share: str, market: Market, notifications: bool) -> None:  # noqa: FBT001 - parametrized
    harness = BotHarness(parameters=patient(), notifications=notifications, poll_seconds=POLL_SECONDS)
    play(harness, sell_by_hand(share))
    assert seconds_to_order(harness, market) < (0 if notifications else POLL_SECONDS) + WITH_NEWS_SECONDS + 1
    assert len(harness.notices_of(GuardAlarmed)) >= 1


def test_a_liquidation_by_prices_that_move_between_two_cycles_is_reported_at_its_time() -> None:
    market_data = ScriptedMarketData(step=timedelta(minutes=1))
    moved = OPENED + timedelta(minutes=32)
    market_data.set_prices(moved, 225)
    harness = BotHarness(market_data, parameters=patient(), notifications=True)
    harness.run(0.58)
    assert seconds_to_order(harness, Market.SPOT, moved) < WITH_NEWS_SECONDS
    assert harness.reasons == [Reason.LIQUIDATED]
    harness.check()


@pytest.mark.parametrize(
    ("act", "market"),
    [(liquidate, Market.SPOT), (deleverage("1"), Market.SPOT), (sell_by_hand("0.06"), Market.PERP)],
    ids=["liquidation", "deleveraging", "sale by hand"],
)
def test_an_account_that_lags_behind_its_news_is_looked_at_until_it_shows_them(act: object, market: Market) -> None:
    old = AccountReading(
        mutation=AccountMutation.STALE, after=AT - timedelta(seconds=5), until=AT + timedelta(seconds=50), noticed=False
    )
    harness = BotHarness(parameters=patient(), notifications=True, faults=FaultPlan(account_readings=(old,)))
    play(harness, act)
    assert 50 < seconds_to_order(harness, market) < 60 + LAG_SECONDS


class AtTheFirstCheck:
    """Acts once, when the first check begins."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act: Callable[[], None] | None = act

    def on_notice(self, notice: Notice) -> None:
        act = self._act if isinstance(notice, CycleBegan) else None
        if act is not None:
            self._act = None
            act()


def stale_at_the_start(seconds: float) -> tuple[BotHarness, datetime]:
    """Return a bot that holds a hedge and is stopped, and when; its account will be old for so long after the start."""
    stopped = OPENED + timedelta(hours=0.2)
    old = AccountReading(
        mutation=AccountMutation.STALE, after=stopped, until=stopped + timedelta(seconds=seconds), noticed=False
    )
    harness = BotHarness(parameters=patient(), notifications=True, faults=FaultPlan(account_readings=(old,)))
    harness.run(0.2)
    assert harness.clock.now() == stopped
    return harness, stopped


def test_a_forced_trade_reported_during_the_first_check_is_answered() -> None:
    harness, started = stale_at_the_start(50)
    acting = AtTheFirstCheck(lambda: deleverage("0.3")(harness))
    harness.run(0.07, observers=[acting])
    assert 50 < seconds_to_order(harness, Market.SPOT, started) < 50 + LAG_SECONDS + WITH_NEWS_SECONDS
    harness.check()


def test_a_leg_taken_before_the_start_that_the_first_readings_do_not_show_yet_is_seen_soon() -> None:
    harness, started = stale_at_the_start(5)
    deleverage("0.3")(harness)
    harness.run(0.07)
    assert 5 < seconds_to_order(harness, Market.SPOT, started) < GRACE.total_seconds() + WITH_NEWS_SECONDS
    harness.check()


def test_news_that_the_account_never_shows_are_looked_into_for_a_while_only() -> None:
    def record(harness: BotHarness) -> None:
        harness.world.transfer_by_hand(Decimal("0.5"), TransferDirection.PERP_TO_SPOT)

    counts: list[int] = []
    for act in (None, record):
        harness = BotHarness(parameters=patient(), notifications=True)
        reads = count_reads(harness)
        harness.run(3, at={EVENT: act} if act else {})
        counts.append(len(reads))
    assert 1 <= counts[1] - counts[0] <= 1 + LAGGING_SECONDS / LAG_SECONDS


# --- what else wakes -------------------------------------------------------------------------------------------------


def set_leverage(harness: BotHarness) -> None:
    harness.world.set_leverage(SYMBOL, 2)


def leave_trading(harness: BotHarness) -> None:
    harness.world.set_status(SYMBOL, TradingStatus.SETTLING)


def come_near(factor: str) -> object:
    def act(harness: BotHarness) -> None:
        harness.world.shock(SYMBOL, Decimal(factor))

    return act


def wakes(harness: BotHarness) -> list[float]:
    """Return after how many seconds from the event the guard began a cycle."""
    return [(notice.at - AT).total_seconds() for notice in harness.notices_of(GuardAlarmed)]


@pytest.mark.parametrize("act", [set_leverage, leave_trading, come_near("1.66"), come_near("1.7"), come_near("1.8")])
def test_what_endangers_the_hedge_wakes_the_bot_at_once(act: object) -> None:
    harness = BotHarness(parameters=patient(), notifications=True)
    play(harness, act)
    assert wakes(harness)[0] < 1


def test_a_changed_funding_interval_wakes_the_bot() -> None:
    market_data = ScriptedMarketData(step=timedelta(minutes=1))
    market_data.set_interval(OPENED + timedelta(minutes=32), 4)
    harness = BotHarness(market_data, parameters=patient(), notifications=True)
    harness.run(0.58)
    assert ["4 h" in notice.text for notice in harness.notices_of(GuardAlarmed)] == [True]
    harness.check_whole()


# --- what does not ---------------------------------------------------------------------------------------------------


def test_the_bots_own_orders_transfers_and_funding_never_wake_it() -> None:
    harness = BotHarness(notifications=True, latency_seconds=0.05)
    harness.run(30)
    assert harness.notices_of(GuardAlarmed) == []
    assert harness.ledger.totals.opened > 1
    harness.check()


def test_deposits_and_small_price_moves_do_not_wake() -> None:
    def deposit(harness: BotHarness) -> None:
        harness.world.deposit(Wallet.PERP, "USDT", Decimal(50))
        harness.world.shock(SYMBOL, Decimal("1.1"))

    harness = BotHarness(parameters=patient(), notifications=True)
    play(harness, deposit, hours=0.7)
    assert wakes(harness) == []


def test_nothing_held_nothing_is_polled() -> None:
    harness = BotHarness(usdt=10, perp=10, poll_seconds=POLL_SECONDS)
    reads = count_reads(harness)
    harness.run(1)
    assert len(reads) <= 2 * len(harness.notices_of(CycleBegan)) + 2


def count_reads(harness: BotHarness) -> list[datetime]:
    """Return a list that grows with every reading of the account."""
    reads: list[datetime] = []
    inner = harness.venue.account

    async def account() -> object:
        reads.append(harness.clock.now())
        return await inner()

    harness.venue.account = account  # type: ignore[method-assign, assignment] # counts what passes
    return reads


def test_with_news_nothing_is_polled() -> None:
    counts: list[int] = []
    for poll in (0.0, POLL_SECONDS):
        harness = BotHarness(parameters=patient(), notifications=True, poll_seconds=poll)
        reads = count_reads(harness)
        harness.run(3)
        counts.append(len(reads))
    assert counts[0] == counts[1]


# --- how seldom at most ----------------------------------------------------------------------------------------------


def test_an_alarm_that_nothing_can_be_done_about_wakes_once_a_minute_at_most() -> None:
    def stuck(harness: BotHarness) -> None:
        harness.world.set_status(SYMBOL, TradingStatus.CLOSED)
        harness.world.deleverage(SYMBOL, harness.short() * Decimal("0.2"))

    harness = BotHarness(parameters=patient(), notifications=True, poll_seconds=POLL_SECONDS)
    harness.run(0.8, at={EVENT: stuck})
    assert 1 <= len(wakes(harness)) <= 0.3 * 60 + 2


def test_two_wake_ups_are_never_closer_than_five_seconds() -> None:
    def again_and_again(harness: BotHarness) -> None:
        quantity = harness.market_data.pairs[0].perp.floor_quantity(harness.short() * Decimal("0.05"))
        if quantity:
            harness.world.deleverage(SYMBOL, quantity)

    harness = BotHarness(parameters=patient(), notifications=True)
    harness.run(0.7, at={EVENT + second / 3600: again_and_again for second in range(60)})
    found = wakes(harness)
    assert min(later - earlier for earlier, later in pairwise(found)) >= 5
    harness.check()


# --- an exchange that cannot be read ---------------------------------------------------------------------------------


def test_an_exchange_that_cannot_be_read_is_asked_soon_again_while_a_hedge_is_held() -> None:
    until = AT + timedelta(minutes=20)
    harness = BotHarness(
        parameters=patient(),
        notifications=True,
        faults=FaultPlan(reads=(ReadFault(read=Read.ACCOUNT, after=AT, until=until),)),
    )
    harness.run(1)
    back = [m.at for m in harness.notices_of(GuardAlarmed) if "read again" in m.text]
    assert len(back) == 1
    assert until <= back[0] <= until + timedelta(seconds=61)
    harness.check_whole()


# --- streams that fall silent ----------------------------------------------------------------------------------------


class Flaky:
    """The news of a farm's exchange, until its streams go silent."""

    def __init__(self, harness: BotHarness) -> None:
        self._harness = harness
        self.streaming = True

    def subscribe(self, observer: Callable[[Notification], None]) -> Callable[[], None]:
        return self._harness.venue.subscribe(lambda notifications: observer(notifications) if self.streaming else None)

    def follow(self, *symbols: str) -> None:
        self._harness.venue.follow(*symbols)


def flaky(harness: BotHarness) -> Flaky:
    """Put news that can fall silent in the place of a farm's own."""
    source = Flaky(harness)
    harness.notifications = source
    return source


def test_streams_that_fall_silent_are_replaced_by_polling_of_its_own_accord() -> None:
    harness = BotHarness(parameters=patient(), notifications=True, poll_seconds=POLL_SECONDS)
    source = flaky(harness)
    harness.run(0.2)
    source.streaming = False
    play(harness, liquidate)
    assert seconds_to_order(harness, Market.SPOT, AT + timedelta(hours=0.2)) < POLL_SECONDS + WITH_NEWS_SECONDS
    assert harness.reasons == [Reason.LIQUIDATED]


def test_silent_streams_are_polled_and_streams_that_are_received_again_are_not() -> None:
    harness = BotHarness(parameters=patient(), notifications=True, poll_seconds=POLL_SECONDS)
    source = flaky(harness)
    reads = count_reads(harness)

    def hush(_: BotHarness) -> None:
        source.streaming = False

    def speak(_: BotHarness) -> None:
        source.streaming = True

    harness.run(1, at={0.25: hush, 0.5: speak})
    minutes = [(at - OPENED).total_seconds() / 60 for at in reads]
    per_minute = [len([m for m in minutes if begin <= m < begin + 15]) / 15 for begin in (0, 15, 30, 45)]
    assert 2 <= per_minute[1] < 2.6
    assert max(per_minute[0], per_minute[2], per_minute[3]) < 0.8


def test_a_lost_stream_is_a_reason_to_look_at_once() -> None:
    harness = BotHarness(parameters=patient(), notifications=True, poll_seconds=POLL_SECONDS)
    reads = count_reads(harness)

    def lose(harness: BotHarness) -> None:
        harness.bot.guard.on_notification(Notification(at=harness.clock.now(), kind=NotificationKind.LOST))

    harness.run(0.52, at={EVENT: lose})
    assert any(timedelta() <= at - AT <= timedelta(seconds=1) for at in reads)
    assert wakes(harness) == []


# --- remedies, in their order ----------------------------------------------------------------------------------------


def distance(harness: BotHarness) -> float:
    """Return how far liquidation is from the mark on the exchange."""
    position = harness.world.account().positions[SYMBOL]
    assert position.liquidation_price is not None
    return float(position.liquidation_price / position.mark_price - 1)


def test_without_idle_usdt_a_part_of_both_legs_is_closed_and_becomes_margin() -> None:
    harness = BotHarness(parameters=patient(), notifications=True)
    harness.run(EVENT - 0.01)
    before = harness.hedge
    idle = harness.world.account().spot_usdt
    harness.world.deposit(Wallet.SPOT, "USDT", -idle)
    harness.run(0.2, at={0.15: come_near("1.73")})  # type: ignore[dict-item] # an action of the farm
    assert [type(decision) for decision in harness.decisions(Reduce)] == [Reduce]
    assert 0.28 < distance(harness) < 0.34
    assert harness.hedge.hedge_id == before.hedge_id
    assert 0.7 < harness.hedge.short / before.short < 0.95
    assert harness.hedge.entry_fees == before.entry_fees
    assert harness.hedge.entry_notional == before.entry_notional
    assert harness.reasons == []
    harness.check_whole()


def test_a_price_that_goes_on_rising_is_answered_by_one_remedy_after_the_other() -> None:
    market_data = ScriptedMarketData(step=timedelta(minutes=1))
    for minute in range(32, 150):
        market_data.set_prices(OPENED + timedelta(minutes=minute), 100 + minute - 31)
    harness = BotHarness(market_data, parameters=patient(), notifications=True)
    harness.run(2.5)
    kinds = [type(d) for d in (*harness.decisions(TopUpMargin), *harness.decisions(Reduce))]
    assert TopUpMargin in kinds
    assert Reduce in kinds
    assert harness.reasons == []
    assert not any(event.fills for event in harness.logged(ExternalFills)), "nothing was liquidated"
    assert distance(harness) > 0.2
    harness.check_whole()


# --- a hedge that cannot be seen -------------------------------------------------------------------------------------


@pytest.mark.parametrize("notifications", [True, False])
def test_a_held_hedge_that_cannot_be_seen_for_an_hour_is_an_error_and_again_each_hour(*, notifications: bool) -> None:
    outage = ReadFault(
        read=Read.ACCOUNT,
        fault=FaultKind.UNAUTHORIZED,
        after=OPENED + timedelta(hours=1),
        until=OPENED + timedelta(hours=3.5),
    )
    harness = BotHarness(parameters=patient(), faults=FaultPlan(reads=(outage,)), notifications=notifications)
    harness.run(6)
    reported = harness.notices_of(HedgeUnseen)
    assert [(notice.symbol, round(notice.seconds / 3600, 1)) for notice in reported] == [(SYMBOL, 1.0), (SYMBOL, 2.0)]
    assert all("key not permitted" in notice.why for notice in reported)
    said = narrate(reported[0])
    assert said[0].text.startswith(f"{SYMBOL} HAS NOT BEEN SEEN FOR 1.0 HOURS: ")


def test_an_account_that_cannot_be_read_while_nothing_is_held_is_no_such_error() -> None:
    outage = ReadFault(read=Read.ACCOUNT, after=OPENED, until=OPENED + timedelta(hours=3))
    harness = BotHarness(parameters=patient(), faults=FaultPlan(reads=(outage,)), notifications=True)
    harness.run(3)
    assert harness.notices_of(HedgeUnseen) == []
