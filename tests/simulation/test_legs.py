"""What the judge takes for the work of others when the legs of a hedge differ, and how little that excuses."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.position import DustLot
from hedgerow.emulator.core.market_changes import Redenomination, TickerCollision
from hedgerow.simulation.causes import Cause
from hedgerow.simulation.checks.invariants import Exposure, Invariant, check_exposure
from support.judging import LegScene
from support.toy_venue import new_job
from support.views import NOW, hedge, ledger_of
from support.worlds import SYMBOL, make_pair

PAIR = make_pair()


def hedged(coins: str = "10.004", short: str = "10") -> LegScene:
    """Return a hedge of ten coins after the fee in coin."""
    made = LegScene().buys(coins).shorts(short).holds(ledger_of(hedge("10", pair=PAIR)))
    assert made.look() == []
    assert made.legs.exposed == {}
    return made


def knows(scene: LegScene) -> LegScene:
    """Let the log have what others took."""
    scene.legs.logged(ev.ExternalFills(at=NOW, hedge_id="h1", fills=(), cause="by hand"))
    return scene


def exposed(scene: LegScene) -> Exposure:
    list(scene.legs.look())
    return scene.legs.exposed[SYMBOL]


# --- taken by others -------------------------------------------------------------------------------------------------


def test_a_leg_that_was_taken_is_excused_until_it_is_put_right() -> None:
    scene = knows(hedged().advance_time(60).owner_sells("4"))
    assert exposed(scene).taken
    assert exposed(scene.advance_time(10).covers("1.5")).taken
    assert exposed(scene.advance_time(10)).causes == {Cause.TAKEN}
    scene.covers("2.5").look()
    assert scene.legs.exposed == {}
    assert scene.legs.naked.seconds == 0
    assert scene.legs.naked.taken_seconds == 20


def test_what_was_put_right_of_a_taken_leg_excuses_no_exposure_of_the_bots_own() -> None:
    scene = knows(hedged().advance_time(60).owner_sells("4").advance_time(5)).covers("3")
    assert exposed(scene).taken
    found = exposed(scene.advance_time(5).sells("3"))
    assert (found.quantity.quantize(Decimal("0.1")), found.taken) == (Decimal("-4.0"), False)
    assert scene.advance_time(21).look() == [Invariant.DELTA]


def test_the_other_sign_of_what_was_taken_is_the_bots_own() -> None:
    scene = hedged().advance_time(60).deleverages("4")
    assert exposed(scene).taken
    assert not exposed(scene.sells("8")).taken


def test_what_was_taken_and_is_not_in_the_log_stays_taken_though_the_legs_match_by_chance() -> None:
    scene = hedged().advance_time(60).sells("4").deleverages("4")
    scene.look()
    assert scene.legs.exposed == {}
    assert exposed(scene.advance_time(5).covers("4")).taken
    assert exposed(knows(scene).sells("2")).taken
    assert not exposed(scene.buys("4")).taken


def test_an_act_that_touches_no_leg_excuses_none() -> None:
    scene = hedged().advance_time(60).buys("3").deposits("1000")
    assert not exposed(scene).taken
    assert scene.advance_time(21).look() == [Invariant.DELTA]


def test_what_is_taken_while_a_leg_is_naked_counts_apart_from_it() -> None:
    scene = hedged().advance_time(60).buys("3").advance_time(4)
    begun = exposed(scene).own_begun
    found = exposed(scene.deleverages("5"))
    assert (found.taken, found.taken_quantity, found.own_begun) == (False, Decimal(5), begun)
    scene.advance_time(1).look()
    assert scene.legs.naked.notional < 310


def test_too_little_to_trade_that_was_taken_stays_taken_when_the_price_rises() -> None:
    scene = hedged("1.001", "1").advance_time(60).deleverages("0.08")
    scene.look()
    assert scene.legs.exposed == {}, "less than two smallest orders"
    scene.market_data.set_prices(scene.now, "300")
    scene.advance_time(60).deposits("1")
    assert exposed(scene).taken
    assert exposed(scene).taken_quantity == Decimal("0.08")


def test_a_hedge_that_is_gone_leaves_nothing_that_excuses_the_next_one() -> None:
    scene = hedged().advance_time(60).owner_sells("4")
    assert exposed(scene).taken
    knows(scene).sells("5.9").covers("10").holds(Ledger())
    assert scene.look() == []
    assert not exposed(scene.advance_time(60).shorts("4")).taken


def test_a_liquidation_that_nobody_announced_is_taken_once() -> None:
    scene = hedged("50.021", "50").advance_time(3600)
    scene.market_data.set_prices(scene.now, "3000")
    scene.advance_time(5)
    found = exposed(scene)
    assert found.taken
    assert found.taken_quantity > 49
    knows(scene).sells("50").look()
    assert scene.legs.exposed == {}
    assert not exposed(scene.advance_time(60).buys("50")).taken


def test_a_liquidation_at_the_very_moment_at_which_legs_were_seen_to_match_is_taken() -> None:
    scene = hedged("50.021", "50").advance_time(3600)
    scene.deposits("1").look()
    scene.world.shock(SYMBOL, Decimal(30))
    scene.advance_time(0).look()
    assert exposed(scene).begun == scene.now
    assert exposed(scene).taken
    assert exposed(scene).taken_quantity > 49


def test_a_leg_naked_over_a_death_is_worth_what_it_is_when_a_bot_can_see_it_again() -> None:
    scene = hedged().advance_time(60).buys("5")
    scene.legs.died()
    scene.look()
    scene.market_data.set_prices(scene.now, "50")
    scene.advance_time(600).legs.revived()
    scene.advance_time(1).look()
    assert scene.legs.naked.notional == pytest.approx(250, abs=1)


@pytest.mark.parametrize(("taken", "guilty"), [("0", True), ("10", False), ("5", True)])
def test_a_slice_too_large_is_judged_without_what_others_took(taken: str, *, guilty: bool) -> None:
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
    assert rules == ([Invariant.SIZE] if guilty else [])


@pytest.mark.parametrize(("minutes", "guilty"), [(15, False), (17, True)])
def test_coins_may_wait_a_quarter_of_an_hour_for_a_price_that_the_index_supports(minutes: int, *, guilty: bool) -> None:
    scene = hedged().advance_time(60)
    scene.world.change_market(TickerCollision(symbol=SYMBOL, price=Decimal(300)))
    scene.deleverages("10").look()
    found: list[Invariant] = []
    for _ in range(minutes):
        found += scene.advance_time(60).look()
    assert (Invariant.EXPLAINED in found) is guilty


# --- dust ------------------------------------------------------------------------------------------------------------


def closing(coins: str, short: str, *, planned: str) -> LegScene:
    """Return a closing at work on legs that differ by nearly all that may be left alone."""
    scene = hedged(coins, short)
    job = new_job(ExecutionKind.CLOSE, pair=PAIR, spot=planned, perp=short)
    return scene.holds(ledger_of(hedge("10", pair=PAIR, swept_quantity=Decimal("0.08")), execution=job))


def sweep() -> ev.Event:
    return ev.DustSwept(at=NOW, hedge_id="h1", lot=DustLot(asset="AAA", quantity=Decimal("0.08"), cost=Decimal(8)))


def test_dust_that_a_closing_is_about_to_sell_makes_no_hedge_naked() -> None:
    scene = closing("10.19", "10", planned="10.26")
    scene.legs.logged(sweep())
    scene.buys("0.08").look()
    assert scene.legs.exposed == {}


def test_dust_of_an_earlier_job_excuses_no_coins_whose_short_is_missing() -> None:
    scene = closing("10.19", "10", planned="10.26")
    scene.legs.logged(sweep())
    scene.legs.logged(ev.HedgeOpened(at=NOW, hedge_id="h1"))
    scene.buys("0.08").look()
    assert SYMBOL in scene.legs.exposed


def test_dust_excuses_no_more_coins_than_were_swept() -> None:
    scene = closing("10.19", "10", planned="10.5")
    scene.legs.logged(sweep())
    scene.buys("0.2").look()
    assert SYMBOL in scene.legs.exposed


@pytest.mark.parametrize(("owners_factor", "exposed_symbols"), [(10**7, []), (10**9, [SYMBOL])])
def test_less_than_the_smallest_amount_of_a_balance_is_no_leg_of_a_redenominated_coin(
    owners_factor: int, exposed_symbols: list[str]
) -> None:
    scene = LegScene(coins="0.254", price="3600")
    scene.world.change_market(Redenomination(symbol=SYMBOL, factor=Decimal(10**7)))
    scene.legs.redenominated(PAIR, Decimal(owners_factor))  # 2.54e-8 are the owner's; the balance has eight decimals
    scene.look()
    assert list(scene.legs.exposed) == exposed_symbols
