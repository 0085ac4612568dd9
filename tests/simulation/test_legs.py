"""What the judge takes for the work of others when the legs of a hedge differ, and how little that excuses."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.app.simulation.run import play_whole
from hedgerow.domain import events as ev
from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.reducers import apply
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.order import TimeInForce
from hedgerow.domain.position import DustLot
from hedgerow.emulator.core.market_changes import Redenomination, TickerCollision
from hedgerow.simulation.causes import Cause
from hedgerow.simulation.checks.invariants import Exposure, Invariant, check_exposure
from hedgerow.simulation.faults.alterations import Alteration, AlterationKind
from hedgerow.simulation.generators.execution_style import Style
from hedgerow.simulation.generators.scenarios import draw_plan
from support.judging import LegHarness
from support.toy_venue import new_job
from support.views import NOW, hedge, ledger_of
from support.worlds import SYMBOL, make_pair

PAIR = make_pair()


def hedged(coins: str = "10.004", short: str = "10") -> LegHarness:
    """Return a hedge of ten coins after the fee in coin."""
    made = LegHarness().buys(coins).shorts(short).holds(ledger_of(hedge("10", pair=PAIR)))
    assert made.look() == []
    assert made.legs.exposed == {}
    return made


def knows(harness: LegHarness) -> LegHarness:
    """Let the log have what others took."""
    harness.legs.logged(ev.ExternalFills(at=NOW, hedge_id="h1", fills=(), cause="by hand"))
    return harness


def exposed(harness: LegHarness) -> Exposure:
    list(harness.legs.look())
    return harness.legs.exposed[SYMBOL]


# --- taken by others -------------------------------------------------------------------------------------------------


def test_a_leg_that_was_taken_is_excused_until_it_is_put_right() -> None:
    harness = knows(hedged().advance_time(60).owner_sells("4"))
    assert exposed(harness).taken
    assert exposed(harness.advance_time(10).covers("1.5")).taken
    assert exposed(harness.advance_time(10)).causes == {Cause.TAKEN}
    harness.covers("2.5").look()
    assert harness.legs.exposed == {}
    assert harness.legs.naked.seconds == 0
    assert harness.legs.naked.taken_seconds == 20


def test_what_was_put_right_of_a_taken_leg_excuses_no_exposure_of_the_bots_own() -> None:
    harness = knows(hedged().advance_time(60).owner_sells("4").advance_time(5)).covers("3")
    assert exposed(harness).taken
    found = exposed(harness.advance_time(5).sells("3"))
    assert (found.quantity.quantize(Decimal("0.1")), found.taken) == (Decimal("-4.0"), False)
    assert harness.advance_time(21).look() == [Invariant.DELTA]


def test_the_other_sign_of_what_was_taken_is_the_bots_own() -> None:
    harness = hedged().advance_time(60).deleverages("4")
    assert exposed(harness).taken
    assert not exposed(harness.sells("8")).taken


def test_what_was_taken_and_is_not_in_the_log_stays_taken_though_the_legs_match_by_chance() -> None:
    harness = hedged().advance_time(60).sells("4").deleverages("4")
    harness.look()
    assert harness.legs.exposed == {}
    assert exposed(harness.advance_time(5).covers("4")).taken
    assert exposed(knows(harness).sells("2")).taken
    assert not exposed(harness.buys("4")).taken


@pytest.mark.parametrize(("seconds", "condemned"), [(15, False), (25, True)])
def test_coins_that_a_resting_slice_bought_are_naked_since_then_and_not_since_the_owner_sold(
    seconds: int, *, condemned: bool
) -> None:
    harness = hedged().advance_time(60)
    opening = replace(new_job(ExecutionKind.OPEN, pair=PAIR, spot="20", perp="20"), state=ExecutionState.RESTING)
    harness.holds(ledger_of(hedge("10", pair=PAIR), execution=replace(opening, naked_alarmed=True)))
    assert exposed(harness.owner_sells("1")).taken
    assert not exposed(harness.advance_time(40).buys("3")).taken
    assert (Invariant.BOUND in harness.advance_time(seconds).look()) is condemned


def test_an_act_that_touches_no_leg_excuses_none() -> None:
    harness = hedged().advance_time(60).buys("3").deposits("1000")
    assert not exposed(harness).taken
    assert harness.advance_time(21).look() == [Invariant.DELTA]


def test_what_is_taken_while_a_leg_is_naked_counts_apart_from_it() -> None:
    harness = hedged().advance_time(60).buys("3").advance_time(4)
    begun = exposed(harness).own_begun
    found = exposed(harness.deleverages("5"))
    assert (found.taken, found.taken_quantity, found.own_begun) == (False, Decimal(5), begun)
    harness.advance_time(1).look()
    assert harness.legs.naked.notional < 310


def test_too_little_to_trade_that_was_taken_stays_taken_when_the_price_rises() -> None:
    harness = hedged("1.001", "1").advance_time(60).deleverages("0.08")
    harness.look()
    assert harness.legs.exposed == {}, "less than two smallest orders"
    harness.market_data.set_prices(harness.now, "300")
    harness.advance_time(60).deposits("1")
    assert exposed(harness).taken
    assert exposed(harness).taken_quantity == Decimal("0.08")


def test_a_hedge_that_is_gone_leaves_nothing_that_excuses_the_next_one() -> None:
    harness = hedged().advance_time(60).owner_sells("4")
    assert exposed(harness).taken
    knows(harness).sells("5.9").covers("10").holds(Ledger())
    assert harness.look() == []
    assert not exposed(harness.advance_time(60).shorts("4")).taken


def test_a_liquidation_that_nobody_announced_is_taken_once() -> None:
    harness = hedged("50.021", "50").advance_time(3600)
    harness.market_data.set_prices(harness.now, "3000")
    harness.advance_time(5)
    found = exposed(harness)
    assert found.taken
    assert found.taken_quantity > 49
    knows(harness).sells("50").look()
    assert harness.legs.exposed == {}
    assert not exposed(harness.advance_time(60).buys("50")).taken


def test_a_liquidation_at_the_very_time_at_which_legs_were_seen_to_match_is_taken() -> None:
    harness = hedged("50.021", "50").advance_time(3600)
    harness.deposits("1").look()
    harness.world.shock(SYMBOL, Decimal(30))
    harness.advance_time(0).look()
    assert exposed(harness).begun == harness.now
    assert exposed(harness).taken
    assert exposed(harness).taken_quantity > 49


def test_a_leg_naked_over_a_death_is_worth_what_it_is_when_a_bot_can_see_it_again() -> None:
    harness = hedged().advance_time(60).buys("5")
    harness.legs.died()
    harness.look()
    harness.market_data.set_prices(harness.now, "50")
    harness.advance_time(600).legs.revived()
    harness.advance_time(1).look()
    assert harness.legs.naked.notional == pytest.approx(250, abs=1)


def test_a_leg_is_naked_for_no_longer_because_the_exchange_was_not_asked_when_the_next_bot_came() -> None:
    harness = hedged().advance_time(60).buys("5").advance_time(10)
    begun = exposed(harness).begun
    harness.exchange.unasked_seconds = 20.0
    harness.legs.died()
    harness.legs.revived()
    harness.exchange.unasked_seconds = 0.0
    found = exposed(harness.advance_time(20))
    assert (found.begun, found.own_begun) == (begun, begun)


@pytest.mark.parametrize(("taken", "violated"), [("0", True), ("10", False), ("5", True)])
def test_a_slice_too_large_is_judged_without_what_others_took(taken: str, *, violated: bool) -> None:
    job = replace(new_job(ExecutionKind.CLOSE, pair=PAIR, spot="30", perp="30"), state=ExecutionState.FOLLOWING)
    job = replace(job, naked_alarmed=True, plan=replace(job.plan, slice_notional=Decimal(500)))
    found = Exposure(
        symbol=SYMBOL,
        quantity=Decimal(15),
        notional=Decimal(1500),
        begun=NOW,
        own_begun=NOW,
        since=NOW,
        state_since=NOW,
        taken=False,
        taken_quantity=Decimal(taken),
    )
    rules = [rule for rule, _ in check_exposure(found, Ledger(execution=job), NOW, patience=0.0)]
    assert rules == ([Invariant.SIZE] if violated else [])


@pytest.mark.parametrize(("minutes", "violated"), [(15, False), (17, True)])
def test_coins_may_wait_a_quarter_of_an_hour_for_a_price_that_the_index_supports(
    minutes: int, *, violated: bool
) -> None:
    harness = hedged().advance_time(60)
    harness.world.change_market(TickerCollision(symbol=SYMBOL, price=Decimal(300)))
    harness.deleverages("10").look()
    found: list[Invariant] = []
    for _ in range(minutes):
        found += harness.advance_time(60).look()
    assert (Invariant.EXPLAINED in found) is violated


@pytest.mark.parametrize(
    ("began", "sold", "lasts", "violated"),
    [
        pytest.param(-60, True, 3600, False, id="a short is naked while the perpetual is another coin's"),
        pytest.param(-60, True, 60, True, id="and after it"),
        pytest.param(1, True, 3600, True, id="the job saw the other coin's price first"),
        pytest.param(-60, False, 3600, True, id="coins are naked, and spot is as it was"),
    ],
)
def test_a_naked_closing_may_wait_for_its_own_prices_while_its_perpetual_is_another_coins(
    began: int, *, sold: bool, lasts: int, violated: bool
) -> None:
    harness = hedged().advance_time(60)
    job = new_job(ExecutionKind.CLOSE, pair=PAIR, spot="10", perp="10")
    started = harness.now + timedelta(seconds=began)
    harness.holds(
        ledger_of(hedge("10", pair=PAIR), execution=replace(job, started_at=started, state=ExecutionState.NAKED))
    )
    (harness.sells if sold else harness.covers)("9.99")
    harness.world.change_market(TickerCollision(symbol=SYMBOL, price=Decimal(5), seconds=float(lasts)))
    harness.legs.relabelled(SYMBOL, harness.now + timedelta(seconds=lasts))
    found: list[Invariant] = []
    for _ in range(20):
        found += harness.advance_time(60).look()
    assert (Invariant.EXPLAINED in found) is violated


def test_a_resting_order_that_a_wick_fills_is_no_trade_of_the_owner() -> None:
    plan = draw_plan(1, 0.5, style=Style.MAKER, faults=False)
    _, log, world = play_whole(plan)
    orders = [e.command.order for e in log if isinstance(e, ev.CommandIssued) and isinstance(e.command, PlaceOrder)]
    resting = next(order for order in orders if order.time_in_force is TimeInForce.GTX)
    accepted = next(e.at for e in log if isinstance(e, ev.OrderAccepted) and e.client_id == resting.client_id)
    wick = Alteration(
        at=accepted + timedelta(milliseconds=10),
        kind=AlterationKind.WICK_DOWN,
        market=Market.SPOT,
        seconds=60.0,
        pair=[pair.symbol for pair in world.market_data.pairs].index(resting.symbol),
    )
    result, log, _ = play_whole(replace(plan, drawn_faults=(wick,)))
    filled = next(e for e in log if isinstance(e, ev.OrderEnded) and e.client_id == resting.client_id)
    assert (resting.market, resting.side, filled.at) == (Market.SPOT, Side.BUY, wick.at)
    assert filled.filled_quantity == resting.quantity
    assert result.violation is None


# --- dust ------------------------------------------------------------------------------------------------------------


def closing(coins: str, short: str, *, planned: str) -> LegHarness:
    """Return a closing at work on legs that differ by nearly all that may be left alone."""
    harness = hedged(coins, short)
    job = new_job(ExecutionKind.CLOSE, pair=PAIR, spot=planned, perp=short)
    return harness.holds(ledger_of(hedge("10", pair=PAIR, swept_quantity=Decimal("0.08")), execution=job))


def sweep() -> ev.Event:
    return ev.DustSwept(at=NOW, hedge_id="h1", lot=DustLot(asset="AAA", quantity=Decimal("0.08"), cost=Decimal(8)))


def test_dust_that_a_closing_is_about_to_sell_makes_no_hedge_naked() -> None:
    harness = closing("10.19", "10", planned="10.26")
    harness.legs.logged(sweep())
    harness.buys("0.08").look()
    assert harness.legs.exposed == {}


def test_dust_of_an_earlier_job_excuses_no_coins_whose_short_is_missing() -> None:
    harness = closing("10.19", "10", planned="10.26")
    harness.legs.logged(sweep())
    harness.legs.logged(ev.HedgeOpened(at=NOW, hedge_id="h1"))
    harness.buys("0.08").look()
    assert SYMBOL in harness.legs.exposed


def test_dust_excuses_no_more_coins_than_were_swept() -> None:
    harness = closing("10.19", "10", planned="10.5")
    harness.legs.logged(sweep())
    harness.buys("0.2").look()
    assert SYMBOL in harness.legs.exposed


def kept(harness: LegHarness, quantity: str, *, beside: str = "0") -> LegHarness:
    """Let the bot keep coins as dust of a hedge that has ended, ``beside`` those that it keeps already."""
    lot = DustLot(asset="AAA", quantity=Decimal(quantity), cost=Decimal(1))
    whole = replace(lot, quantity=lot.quantity + Decimal(beside))
    harness.holds(Ledger(dust={"AAA": whole})).legs.logged(ev.DustKept(at=NOW, lot=lot))
    return harness


@pytest.mark.parametrize("price", ["100", "900"])
def test_dust_that_was_too_little_for_an_order_stays_dust_when_its_price_rises(price: str) -> None:
    harness = kept(LegHarness().buys("0.08"), "0.08")
    harness.market_data.set_prices(harness.now, price)
    harness.advance_time(60).look()
    assert harness.legs.exposed == {}


@pytest.mark.parametrize("price", ["100", "900"])
def test_coins_worth_an_order_are_no_dust_by_being_called_so(price: str) -> None:
    harness = kept(LegHarness().buys("0.3"), "0.3")
    harness.market_data.set_prices(harness.now, price)
    harness.advance_time(60).look()
    assert list(harness.legs.exposed) == [SYMBOL]


@pytest.mark.parametrize(("quantity", "exposed_symbols"), [("0.00008", []), ("0.0005", [SYMBOL])])
def test_coins_worth_an_order_are_no_dust_of_a_redenominated_coin(quantity: str, exposed_symbols: list[str]) -> None:
    harness = LegHarness()
    harness.world.change_market(Redenomination(symbol=SYMBOL, factor=Decimal(1000)))
    kept(harness.advance_time(60).buys(quantity), quantity).advance_time(60).look()
    assert list(harness.legs.exposed) == exposed_symbols


def test_dust_that_the_log_still_counts_in_old_coins_makes_no_redenominated_hedge_naked() -> None:
    harness = kept(LegHarness().buys("2.03").shorts("2.05"), "0.04")
    assert harness.look() == []
    harness.world.change_market(Redenomination(symbol=SYMBOL, factor=Decimal(1000)))
    harness.legs.redenominated(PAIR, Decimal(1000))
    harness.advance_time(1).look()
    assert harness.legs.exposed == {}
    assert exposed(harness.sells("0.00013")).quantity < 0


def test_dust_that_the_owner_sold_makes_no_coins_too_few() -> None:
    harness = kept(LegHarness().buys("0.08"), "0.08").owner_sells("0.079")
    harness.market_data.set_prices(harness.now, "900")
    harness.advance_time(60).look()
    assert harness.legs.exposed == {}
    assert exposed(harness.shorts("0.08")).quantity < 0


def test_coins_bought_beside_dust_whose_price_rose_are_no_dust() -> None:
    harness = kept(LegHarness().buys("0.08"), "0.08")
    harness.market_data.set_prices(harness.now, "900")
    harness.advance_time(60).buys("0.03").look()
    assert list(harness.legs.exposed) == [SYMBOL]


def test_dust_that_one_job_after_the_other_left_is_no_part_of_what_a_later_one_makes_naked() -> None:
    harness = LegHarness().buys("0.135")
    for number in range(3):
        kept(harness, "0.045", beside=str(Decimal("0.045") * number))
    found = exposed(harness.advance_time(60).buys("0.12"))
    assert found.quantity.quantize(Decimal("0.001")) == Decimal("0.120")


def test_parts_worth_an_order_each_are_no_dust_by_being_kept_one_after_the_other() -> None:
    harness = LegHarness().buys("0.36")
    for number in range(4):
        kept(harness, "0.09", beside=str(Decimal("0.09") * number))
    assert exposed(harness.advance_time(60)).quantity > Decimal("0.1")


def test_dust_that_was_swept_excuses_nothing_later() -> None:
    harness = kept(LegHarness().buys("0.08"), "0.08")
    harness.legs.logged(sweep())
    harness.market_data.set_prices(harness.now, "900")
    harness.advance_time(60).look()
    assert list(harness.legs.exposed) == [SYMBOL]


@pytest.mark.parametrize(("owners_factor", "exposed_symbols"), [(10**7, []), (10**9, [SYMBOL])])
def test_less_than_the_smallest_amount_of_a_balance_is_no_leg_of_a_redenominated_coin(
    owners_factor: int, exposed_symbols: list[str]
) -> None:
    harness = LegHarness(coins="0.254", price="3600")
    harness.world.change_market(Redenomination(symbol=SYMBOL, factor=Decimal(10**7)))
    harness.legs.redenominated(PAIR, Decimal(owners_factor))  # 2.54e-8 are the owner's; the balance has eight decimals
    harness.look()
    assert list(harness.legs.exposed) == exposed_symbols


def test_a_closing_that_is_naked_while_its_perpetual_is_another_coins_at_the_end_of_a_run_ends_with_the_collision() -> (
    None
):
    plan = replace(draw_plan(1, 1.0, style=Style.TAKER, faults=False), days=0.2)
    _, log, world = play_whole(plan)
    began = next(e for e in log if isinstance(e, ev.ExecutionStarted) and e.execution.kind is ExecutionKind.CLOSE)
    sold = next(e for e in log if isinstance(e, ev.OrderEnded) and e.at >= began.at and "-s-" in e.client_id)
    number = [pair.symbol for pair in world.market_data.pairs].index(began.execution.symbol)
    for_good = Alteration(at=sold.at, kind=AlterationKind.COLLISION_DOWN, market=Market.PERP, seconds=1e6, pair=number)
    result, _, world = play_whole(replace(plan, drawn_faults=(for_good,)))
    assert result.max_naked_seconds > (plan.end - sold.at).total_seconds() - 60
    assert result.violation is None
    assert world.account().positions == {}


@pytest.mark.parametrize("recounted", [False, True], ids=["the log is in old coins still", "the log is in new coins"])
@pytest.mark.parametrize(("bought", "exposed_symbols"), [("0", []), ("0.0003", [SYMBOL])])
def test_dust_of_a_redenominated_coin_is_a_thousandth_before_the_log_has_it(
    bought: str, exposed_symbols: list[str], *, recounted: bool
) -> None:
    held = hedge("4", pair=PAIR)
    dust = {"AAA": DustLot(asset="AAA", quantity=Decimal("0.001"), cost=Decimal("0.1"))}
    harness = LegHarness().buys("4").shorts("4").holds(replace(ledger_of(held), dust=dust))
    assert harness.look() == []
    harness.world.change_market(Redenomination(symbol=SYMBOL, factor=Decimal(1000)))
    harness.legs.redenominated(PAIR, Decimal(1000))
    if bought != "0":
        harness.buys(bought)
    if recounted:
        event = ev.HedgeRedenominated(at=harness.now, hedge_id=held.hedge_id, factor=Decimal(1000))
        harness.holds(apply(harness.legs.ledger, event))
    harness.look()
    assert list(harness.legs.exposed) == exposed_symbols
