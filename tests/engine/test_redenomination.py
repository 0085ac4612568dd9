"""The exchange exchanges a thousand old coins for a new one while a hedge of them is held."""

from decimal import Decimal

import pytest

from hedgerow.domain.events import FillsElsewhere, Halted, HaltReason, HedgeClosed, HedgeRedenominated
from hedgerow.domain.ledger.books import books_difference
from hedgerow.domain.position import Reason
from hedgerow.emulator.core.market_changes import PositionTreatment, Redenomination
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from support.bot_harness import OPENED, Farm
from support.worlds import SYMBOL, Listing, ScriptedTape

PATIENT = StrategyParameters(
    position_management=PositionManagement(max_position_age_hours=1e5, fee_coverage_multiplier=1e6)
)


def farm_of(*faults: ReadFault, coins: str = "0") -> Farm:
    own = {"AAA": Decimal(coins)}
    return Farm(ScriptedTape([Listing(SYMBOL)]), parameters=PATIENT, coins=own, faults=FaultPlan(reads=faults))


def redenominated(farm: Farm, positions: PositionTreatment = PositionTreatment.CONVERTED) -> Farm:
    farm.run(0.5)
    farm.world.change_market(Redenomination(symbol=SYMBOL, positions=positions))
    return farm


@pytest.mark.parametrize("coins", ["0", "0.7"])
def test_the_hedge_is_kept_in_new_coins_and_nothing_is_traded(coins: str) -> None:
    farm = redenominated(farm_of(coins=coins))
    before, orders = farm.ledger.hedge, len(farm.venue.orders)
    farm.run(1.0)
    after = farm.ledger.hedge
    assert before is not None
    assert after is not None
    assert [event.factor for event in farm.logged(HedgeRedenominated)] == [1000]
    assert (after.spot_quantity * 1000, after.short * 1000) == (before.spot_quantity, before.short)
    assert (len(farm.venue.orders), farm.logged(FillsElsewhere), farm.logged(Halted)) == (orders, [], [])
    assert books_difference(farm.ledger.books, farm.world.account()) == {}


def test_what_it_made_is_what_it_would_have_made_in_old_coins() -> None:
    made: list[Decimal] = []
    for exchanged in (False, True):
        farm = farm_of()
        farm.run(0.5)
        if exchanged:
            farm.world.change_market(Redenomination(symbol=SYMBOL))
        farm.run(0.5)
        farm.parameters = StrategyParameters(position_management=PositionManagement(max_position_age_hours=0.5))
        farm.run(0.2)
        made.append(farm.logged(HedgeClosed) and farm.ledger.closed[0].net_profit)  # type: ignore[arg-type]
    assert made[1] == pytest.approx(made[0], abs=Decimal("0.02"))


def test_a_short_that_is_settled_with_it_leaves_coins_that_are_sold() -> None:
    farm = redenominated(farm_of(), PositionTreatment.SETTLED)
    farm.run(0.5)
    assert [event.factor for event in farm.logged(HedgeRedenominated)] == [1000]
    assert [event.reason for event in farm.logged(HedgeClosed)] == [Reason.LIQUIDATED]
    assert abs(farm.ledger.closed[0].net_profit) < 2
    assert books_difference(farm.ledger.books, farm.world.account()) == {}


def test_without_the_statement_both_legs_are_in_doubt_and_nothing_is_traded() -> None:
    unread = ReadFault(read=Read.STATEMENT, after=OPENED, until=OPENED.replace(hour=OPENED.hour + 2))
    farm = redenominated(farm_of(unread))
    orders = len(farm.venue.orders)
    farm.run(0.5)
    assert len(farm.venue.orders) == orders
    assert (farm.logged(HedgeRedenominated), farm.logged(FillsElsewhere)) == ([], [])
    assert [event.reason for event in farm.logged(Halted)] == [HaltReason.ACCOUNT_IN_DOUBT]
    farm.run(3.0)
    assert [event.factor for event in farm.logged(HedgeRedenominated)] == [1000]
    assert farm.ledger.halt is None


def test_an_exchange_of_coins_that_price_and_short_do_not_show_leaves_both_legs_in_doubt() -> None:
    farm = redenominated(farm_of())
    farm.tape.set_prices(farm.world.now, "1")
    orders = len(farm.venue.orders)
    farm.run(0.3)
    assert (len(farm.venue.orders), farm.logged(HedgeRedenominated)) == (orders, [])
    assert HaltReason.ACCOUNT_IN_DOUBT in [event.reason for event in farm.logged(Halted)]
