"""The bot crashes at every append and every venue call; the next session ends hedged or flat, and owes nothing.

Each scenario is played once undisturbed, which numbers its crash points. Then it is played once per point: torn down
there, started again on the same log and the same account, and judged at its end. Of crash points in a row that leave
the same log and the same account the first one is played: what follows is the same to the byte, as a test shows.
"""

from bisect import bisect_right
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from hedgerow.dashboard.bot_state import BotState, StateReport, bot_state
from hedgerow.domain.events import (
    Event,
    FundsTransferred,
    HedgeAborted,
    HedgeAdopted,
    HedgeClosed,
    HedgeOpened,
    HedgeRepaired,
)
from hedgerow.domain.execution import ExecutionLimits, ExecutionStyle
from hedgerow.domain.instrument import BasisPair, Market, Side
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.position import HedgedPosition
from hedgerow.emulator.core.error_codes import Code
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, SubmitFault
from hedgerow.strategy.parameters import FundingRateStrategy, PositionManagement, StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from support import shown
from support.crash_sites import Checkpoint, CrashPoint, CrashSite, RecordedPoints
from support.shown import ScreenObserver
from support.worlds import START, Listing, ScriptedMarketData, make_pair, make_world

WALLET = Decimal(400)
OWN = {"AAA": Decimal("1.5"), "BBB": Decimal(3)}
"""Coins that the user holds beside the bot's; they must be there at the end."""
BEGIN = START + timedelta(hours=1)


class CrashScenario(Struct, frozen=True, kw_only=True):
    """Something a bot does from a checkpoint on, and for how long it is watched."""

    begin: Checkpoint
    parameters: StrategyParameters
    faults: FaultPlan | None = None
    hours: float = 0.5


def parameters(
    *, coverage: float = 1000.0, better_hours: float = 4.0, style: ExecutionStyle = ExecutionStyle.TAKER
) -> StrategyParameters:
    # A hedge in four slices: a first one, a last one, and some between; in two where each of them fills in parts.
    fraction = Decimal("0.15") if style is ExecutionStyle.TAKER else Decimal("0.3")
    return StrategyParameters(
        execution=ExecutionLimits(max_naked_equity_fraction=fraction, style=style, maker_timeout_seconds=4),
        funding_rate_strategy=FundingRateStrategy(funding_ma_periods=1),
        position_management=PositionManagement(
            fee_coverage_multiplier=coverage,
            max_position_age_hours=1000.0,
            better_opportunity_min_hours=better_hours,
        ),
    )


def market_data() -> ScriptedMarketData:
    return ScriptedMarketData([Listing("AAAUSDT", rate="0.0006"), Listing("BBBUSDT", spot=20, rate="0.0003")])


def account(market: ScriptedMarketData, usdt: Decimal = WALLET, coins: dict[str, Decimal] = OWN) -> Checkpoint:
    world = make_world(market, usdt=2 * WALLET - usdt, perp=usdt, coins=coins, start=BEGIN)
    return Checkpoint(market_data=market, world=world.dump())


def opening() -> CrashScenario:
    return CrashScenario(begin=account(market_data(), usdt=Decimal(100)), parameters=parameters())


def held(market: ScriptedMarketData, hours: float, coins: dict[str, Decimal] = OWN) -> CrashSite:
    """Return a site whose bot has held its first hedge for so long."""
    crash_site = CrashSite(account(market, coins=coins), parameters())
    assert crash_site.live(BEGIN + timedelta(hours=hours))
    assert crash_site.ledger.largest is not None
    return crash_site


def closing() -> CrashScenario:
    # The next settlement, at 08:00, covers the fees; the same pair is opened again at once.
    return CrashScenario(begin=held(market_data(), 6.99).checkpoint(), parameters=parameters(coverage=0.05), hours=0.4)


def rotation() -> CrashScenario:
    market = market_data()
    market.set_rate(START + timedelta(hours=8), "0.0030", symbol="BBBUSDT")
    return CrashScenario(begin=held(market, 6.99).checkpoint(), parameters=parameters(), hours=0.4)


def trim() -> CrashScenario:
    crash_site = held(market_data(), 1)
    hedge = crash_site.ledger.largest
    assert hedge is not None
    crash_site.world.trade_by_hand(
        Market.PERP, hedge.symbol, Side.BUY, hedge.pair.perp.floor_quantity(hedge.short / 20)
    )
    return CrashScenario(begin=crash_site.checkpoint(), parameters=parameters(), hours=0.25)


def reduction() -> CrashScenario:
    # Liquidation is 16 % away: the idle rest of the capital becomes margin, then a part of both legs has to go.
    market = market_data()
    market.set_prices(BEGIN + timedelta(hours=1), 176)
    return CrashScenario(begin=held(market, 1).checkpoint(), parameters=parameters(), hours=0.3)


def adoption() -> CrashScenario:
    # 200 coins less a fee of 0.05 % are exactly the short: nothing of the purchase is left to the user.
    pair = make_pair("AAAUSDT", tick="0.0001", spot_taker="0.0005")
    market = ScriptedMarketData([Listing(pair, spot=1, rate="0.0006"), Listing("BBBUSDT", spot=20, rate="0.0003")])
    world = make_world(market, usdt=WALLET, perp=WALLET, coins={"BBB": OWN["BBB"]}, start=BEGIN)
    world.set_leverage("AAAUSDT", 1)
    world.trade_by_hand(Market.SPOT, "AAAUSDT", Side.BUY, Decimal(200))
    world.trade_by_hand(Market.PERP, "AAAUSDT", Side.SELL, Decimal("199.9"))
    world.advance(BEGIN + timedelta(hours=8))
    return CrashScenario(begin=Checkpoint(market_data=market, world=world.dump()), parameters=parameters(), hours=0.25)


def refused(nth: int) -> CrashScenario:
    fault = SubmitFault(
        fault=FaultKind.REJECT, command="place_order", market=Market.PERP, code=Code.SYMBOL_NOT_OPEN, nth=nth
    )
    return CrashScenario(
        begin=account(market_data()), parameters=parameters(), faults=FaultPlan(submits=(fault,)), hours=0.25
    )


def unwinding() -> CrashScenario:
    return refused(1)


def partial_unwinding() -> CrashScenario:
    return refused(3)


def lost_answers() -> CrashScenario:
    lost = tuple(
        SubmitFault(fault=outcome, market=market, nth=nth)
        for market, nth, outcome in (
            (Market.SPOT, 2, FaultKind.SILENT_AFTER),
            (Market.SPOT, 3, FaultKind.SILENT_BEFORE),
            (Market.PERP, 2, FaultKind.SILENT_AFTER),
            (Market.PERP, 4, FaultKind.SILENT_BEFORE),
        )
    )
    return CrashScenario(begin=account(market_data()), parameters=parameters(), faults=FaultPlan(submits=lost))


MAKER = ExecutionStyle.MAKER


def thin_market_data(first: BasisPair | str = "AAAUSDT", perp_depth: int | None = None) -> ScriptedMarketData:
    """Return markets in whose books an order is served within seconds, and that nobody enters from 7:00 on."""
    listings = [
        Listing(first, rate="0.0006", depth_notional=2500, perp_depth_notional=perp_depth),
        Listing("BBBUSDT", spot=20, rate="0.0003", depth_notional=2500),
    ]
    market = ScriptedMarketData(listings)
    for listing in listings:
        market.set_predicted(START, "0.0003", symbol=listing.pair.symbol)
        market.set_predicted(START + timedelta(hours=7), "-0.0001", symbol=listing.pair.symbol)
    return market


def resting_opening() -> CrashScenario:
    return CrashScenario(
        begin=account(thin_market_data(), usdt=Decimal(100)), parameters=parameters(style=MAKER), hours=0.2
    )


def resting_closing() -> CrashScenario:
    begin = held(thin_market_data(), 6.99).checkpoint()
    return CrashScenario(begin=begin, parameters=parameters(coverage=0.05, style=MAKER), hours=0.2)


def resting_lost_answers() -> CrashScenario:
    lost = tuple(
        SubmitFault(fault=outcome, command=command, nth=nth)
        for command, nth, outcome in (
            ("place_order", 1, FaultKind.SILENT_BEFORE),
            ("place_order", 2, FaultKind.SILENT_AFTER),
            ("cancel_order", 1, FaultKind.SILENT_AFTER),
            ("cancel_order", 2, FaultKind.SILENT_BEFORE),
            ("cancel_order", 4, FaultKind.NOT_SENT),
        )
    )
    return CrashScenario(
        begin=account(thin_market_data()), parameters=parameters(style=MAKER), faults=FaultPlan(submits=lost)
    )


def perp_leads(style: ExecutionStyle) -> CrashScenario:
    """An opening on a pair whose perpetual shows less than its spot."""
    market = thin_market_data(perp_depth=2000)
    return CrashScenario(begin=account(market, usdt=Decimal(100)), parameters=parameters(style=style), hours=0.2)


def perp_leads_refused(nth: int, style: ExecutionStyle) -> CrashScenario:
    """The coins are refused for good: the short is bought back."""
    fault = SubmitFault(
        fault=FaultKind.REJECT, command="place_order", market=Market.SPOT, code=Code.SYMBOL_NOT_OPEN, nth=nth
    )
    begin = account(thin_market_data(perp_depth=2000))
    return CrashScenario(begin=begin, parameters=parameters(style=style), faults=FaultPlan(submits=(fault,)), hours=0.2)


OPENINGS: dict[str, Callable[[ExecutionStyle], CrashScenario]] = {
    "the perpetual leads": perp_leads,
    "the perpetual leads and is unwound": partial(perp_leads_refused, 1),
    "the perpetual leads and is unwound in part": partial(perp_leads_refused, 2),
}


def disturbed(
    style: ExecutionStyle, act: Callable[[CrashSite, HedgedPosition], object], *, coverage: float
) -> CrashScenario:
    """Return a scenario that begins with a hedge, just after its owner has done something to it."""
    crash_site = held(thin_market_data(), 6.99, coins={"BBB": OWN["BBB"]})
    hedge = crash_site.ledger.largest
    assert hedge is not None
    act(crash_site, hedge)
    return CrashScenario(
        begin=crash_site.checkpoint(), parameters=parameters(coverage=coverage, style=style), hours=0.2
    )


def short_gone(style: ExecutionStyle) -> CrashScenario:
    def cover(crash_site: CrashSite, hedge: HedgedPosition) -> None:
        crash_site.world.trade_by_hand(Market.PERP, hedge.symbol, Side.BUY, hedge.short)

    return disturbed(style, cover, coverage=1000)


def coins_sold(style: ExecutionStyle) -> CrashScenario:
    def sell(crash_site: CrashSite, hedge: HedgedPosition) -> None:
        part = hedge.pair.spot.floor_quantity(hedge.spot_quantity * Decimal("0.4"))
        crash_site.world.trade_by_hand(Market.SPOT, hedge.symbol, Side.SELL, part)

    return disturbed(style, sell, coverage=1000)


def unequal(style: ExecutionStyle) -> CrashScenario:
    """Some of the short is gone: too little to be repaired, and more than an order must be worth."""

    def cover(crash_site: CrashSite, hedge: HedgedPosition) -> None:
        part = hedge.pair.perp.floor_quantity(hedge.short * Decimal("0.017"))
        crash_site.world.trade_by_hand(Market.PERP, hedge.symbol, Side.BUY, part)

    return disturbed(style, cover, coverage=0.05)


def dust(style: ExecutionStyle) -> CrashScenario:
    # Lots of 4 USDT: what is left of a fee in coin is less than an order may be.
    pair = make_pair("AAAUSDT", spot_lot="0.04", perp_lot="0.04")
    begin = held(thin_market_data(pair), 6.99).checkpoint()
    return CrashScenario(begin=begin, parameters=parameters(coverage=0.05, style=style), hours=0.2)


CLOSINGS: dict[str, Callable[[ExecutionStyle], CrashScenario]] = {
    "the short is gone": short_gone,
    "coins were sold": coins_sold,
    "unequal legs": unequal,
    "dust is left": dust,
}


ALONE = ("the short is gone", "coins were sold", "unequal legs")
"""Scenarios in which the owner has no coins of the kind that the bot holds."""


def in_style(make: Callable[[ExecutionStyle], CrashScenario], style: ExecutionStyle) -> Callable[[], CrashScenario]:
    return lambda: make(style)


SCENARIOS: dict[str, Callable[[], CrashScenario]] = {
    "opening": opening,
    "closing": closing,
    "rotation": rotation,
    "trim": trim,
    "reduction": reduction,
    "adoption": adoption,
    "unwinding": unwinding,
    "partial unwinding": partial_unwinding,
    "lost answers": lost_answers,
    "resting opening": resting_opening,
    "resting closing": resting_closing,
    "resting, lost answers": resting_lost_answers,
    **{f"{name}, {style}": in_style(make, style) for name, make in OPENINGS.items() for style in ExecutionStyle},
    **{f"{name}, {style}": in_style(make, style) for name, make in CLOSINGS.items() for style in ExecutionStyle},
}
EXPECTED: dict[str, set[type[Event]]] = {
    "opening": {HedgeOpened},
    "closing": {HedgeClosed, HedgeOpened},
    "rotation": {HedgeClosed, HedgeOpened},
    "trim": {HedgeRepaired},
    "reduction": {FundsTransferred, HedgeRepaired},
    "adoption": {HedgeAdopted},
    "unwinding": {HedgeAborted},
    "partial unwinding": {HedgeOpened},
    "lost answers": {HedgeOpened},
    "resting opening": {HedgeOpened},
    "resting closing": {HedgeClosed},
    "resting, lost answers": {HedgeOpened},
    **{
        f"{name}, {style}": {HedgeAborted if name.endswith("is unwound") else HedgeOpened}
        for name in OPENINGS
        for style in ExecutionStyle
    },
    **{f"{name}, {style}": {HedgeClosed} for name in CLOSINGS for style in ExecutionStyle},
}


def coins_of_user(name: str) -> dict[str, Decimal]:
    alone = name == "adoption" or name.rsplit(", ", 1)[0] in ALONE
    return {"BBB": OWN["BBB"]} if alone else OWN


class Variant(Struct, frozen=True, kw_only=True):
    """How the venue answers."""

    latency_seconds: float | None = None
    delayed_spot_ack: bool = False
    certain_after_seconds: float = 0.0
    down_hours: float = 0.0
    """How long after a crash the bot is started again."""


AT_ONCE = Variant()
SLOWLY = Variant(latency_seconds=0.15)
ACKNOWLEDGED_ONLY = Variant(delayed_spot_ack=True)
FAR_AND_VAGUE = Variant(latency_seconds=0.3, delayed_spot_ack=True, certain_after_seconds=8.0)
LONG_DOWN = Variant(down_hours=9.5)
"""A settlement of every pair passes meanwhile."""


def play(
    scenario: CrashScenario, variant: Variant, at: int | None = None, coins: dict[str, Decimal] | None = None
) -> tuple[CrashSite, CrashPoint]:
    """Play a scenario, with a crash at one point, after which the bot is started again; without ``at`` undisturbed.

    What screens would show meanwhile is held against the exchange where the user's ``coins`` are given.
    """
    crash_site = CrashSite(
        scenario.begin,
        scenario.parameters,
        faults=scenario.faults,
        latency_seconds=variant.latency_seconds,
        delayed_spot_ack=variant.delayed_spot_ack,
        certain_after_seconds=variant.certain_after_seconds,
    )
    end = crash_site.world.now + timedelta(hours=scenario.hours)
    crash_point = RecordedPoints(crash_site) if at is None else CrashPoint(at)
    screens = ScreenObserver(crash_site, VolumeFarming(scenario.parameters), coins or {})
    crash_site.observers += [screens] if coins is not None else []
    # What comes before the crash is that of the undisturbed run, and was judged there.
    screens.looks = at is None
    if not crash_site.live(end, crash_point):
        screens.looks = True
        screens.look(crash_site.ledger)
        crash_site.wait(variant.down_hours)
        assert crash_site.live(end + timedelta(hours=variant.down_hours))
    crash_site.failures += screens.wrongs if coins is not None else []
    return crash_site, crash_point


def judge(name: str, variant: Variant, *, every: int, distinct: bool = False) -> tuple[int, dict[str, list[str]]]:
    """Crash at every ``every``-th point; returns how many points there are, and what was wrong after which.

    With ``distinct`` a point is left out that leaves what an earlier one left.
    """
    scenario, coins = SCENARIOS[name](), coins_of_user(name)
    crash_site, undisturbed = play(scenario, variant, coins=coins)
    assert {type(event) for event in crash_site.log[len(scenario.begin.events) :]} >= EXPECTED[name]
    assert crash_site.wrongs(start_equity=2 * WALLET, coins=coins) == []
    points = undisturbed.passed
    wrong: dict[str, list[str]] = {}
    for at in _chosen(undisturbed, every) if distinct else range(0, len(points), every):
        crash_site, crash_point = play(scenario, variant, at, coins)
        assert crash_point.dead, f"point {at} of {len(points)} was never reached"
        assert crash_point.passed == points[: at + 1]
        found = crash_site.wrongs(start_equity=2 * WALLET, coins=coins)
        if found:
            wrong[f"{at} {points[at]}"] = found
    return len(points), wrong


def _chosen(undisturbed: CrashPoint, every: int) -> list[int]:
    """Return every ``every``-th point, or the first that leaves the same; each once."""
    assert isinstance(undisturbed, RecordedPoints)
    firsts = undisturbed.distinct
    chosen = {bisect_right(firsts, at) - 1 for at in range(0, len(undisturbed.passed), every)}
    return [firsts[number] for number in sorted(chosen)]


LEAST_POINTS = 40
"""Of the shortest scenario: fewer would mean that nothing crashes."""


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_bot_that_dies_at_any_point_comes_back_hedged_or_flat(name: str) -> None:
    points, wrong = judge(name, AT_ONCE, every=1, distinct=True)
    assert points >= LEAST_POINTS
    assert wrong == {}


@pytest.mark.parametrize("variant", [AT_ONCE, SLOWLY], ids=["at once", "slow"])
def test_crashes_that_leave_the_same_are_followed_by_the_same(variant: Variant) -> None:
    scenario = trim()
    _, undisturbed = play(scenario, variant)
    assert isinstance(undisturbed, RecordedPoints)
    firsts = undisturbed.distinct
    logs = [play(scenario, variant, at)[0].log for at in range(len(undisturbed.passed))]
    assert len(firsts) < len(logs)
    assert [at for at, log in enumerate(logs) if log != logs[firsts[bisect_right(firsts, at) - 1]]] == []


@pytest.mark.parametrize(
    "variant",
    [SLOWLY, ACKNOWLEDGED_ONLY, FAR_AND_VAGUE, LONG_DOWN],
    ids=["slow", "acknowledged", "vague", "long down"],
)
@pytest.mark.parametrize("name", SCENARIOS)
def test_it_does_so_on_a_slow_or_vague_venue_and_after_a_long_time_too(name: str, variant: Variant) -> None:
    points, wrong = judge(name, variant, every=9, distinct=True)
    assert points >= LEAST_POINTS
    assert wrong == {}


def test_every_kind_of_append_and_every_call_of_the_venue_is_a_crash_point() -> None:
    passed = {pass_point for name in SCENARIOS for pass_point in play(SCENARIOS[name](), AT_ONCE)[1].passed}
    calls = {f"{when} {call}" for when in ("before", "after") for call in CALLS}
    assert sorted(calls - passed) == []
    events = {
        event
        for pass_point in passed
        if " append " in pass_point
        for event in pass_point.split(" append ")[1].split("+")
    }
    assert sorted(APPENDED - events) == []


CALLS = (
    "account",
    "depth",
    "fills",
    "funding payments",
    "market",
    "open orders",
    "resolve",
    "submit ArmDeadMan",
    "submit CancelOrder",
    "submit PlaceOrder",
    "submit SetLeverage",
    "submit SetMarginType",
    "submit TransferFunds",
    "watch",
)
APPENDED = {
    "CommandIssued",
    "DeadManArmed",
    "ExecutionStarted",
    "ExecutionStepped",
    "ExternalFlow",
    "FeeBooked",
    "ExternalFills",
    "FundingReceived",
    "FundsTransferred",
    "HedgeAborted",
    "HedgeAdopted",
    "HedgeClosed",
    "HedgeOpened",
    "HedgeRepaired",
    "LeverageSet",
    "OrderAccepted",
    "OrderEnded",
    "OrderOutcomeUnknown",
    "OrderProgressed",
    "TargetDecided",
}


def test_a_second_crash_during_the_recovery_changes_nothing() -> None:
    scenario, coins = closing(), coins_of_user("closing")
    points = len(play(scenario, AT_ONCE)[1].passed)
    wrong: dict[str, list[str]] = {}
    for first in range(0, points, 23):
        for second in range(0, 60, 7):
            crash_site = CrashSite(scenario.begin, scenario.parameters)
            end = crash_site.world.now + timedelta(hours=scenario.hours)
            crash_site.live(end, CrashPoint(first))
            crash_site.live(end, CrashPoint(second))
            assert crash_site.live(end)
            if found := crash_site.wrongs(start_equity=2 * WALLET, coins=coins):
                wrong[f"{first}, {second}"] = found
    assert wrong == {}


def test_a_screen_that_shows_a_half_open_trade_as_hedged_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def lie(ledger: Ledger, *others: Any) -> StateReport:
        return replace(bot_state(ledger, *others), state=BotState.HEDGED)

    monkeypatch.setattr(shown, "bot_state", lie)
    crash_site, _ = play(opening(), AT_ONCE, 40, OWN)
    assert any(failure.startswith("shown as hedged while AAAUSDT has") for failure in crash_site.failures)
