"""The exchange exchanges a thousand old coins for a new one while a hedge of them is held."""

from datetime import timedelta
from decimal import Decimal

import pytest

from hedgerow.domain.events import ExecutionStarted, ExternalFills, Halted, HaltReason, HedgeClosed, HedgeRedenominated
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.instrument import BasisPair, Market, Side
from hedgerow.domain.ledger.books import books_difference
from hedgerow.domain.market import MarketView
from hedgerow.domain.position import Reason
from hedgerow.emulator.core.market_changes import PositionTreatment, Redenomination
from hedgerow.emulator.inprocess.faults import FaultPlan, LateReports, Read, ReadFault
from hedgerow.emulator.inprocess.readings import FalseMarketView
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.worlds import SYMBOL, Listing, ScriptedMarketData

PATIENT = StrategyParameters(
    position_management=PositionManagement(max_position_age_hours=87_600, fee_coverage_multiplier=1000)
)


def harness_of(*faults: ReadFault, coins: str = "0") -> BotHarness:
    own = {"AAA": Decimal(coins)}
    return BotHarness(
        ScriptedMarketData([Listing(SYMBOL)]), parameters=PATIENT, coins=own, faults=FaultPlan(reads=faults)
    )


def redenominated(harness: BotHarness, positions: PositionTreatment = PositionTreatment.CONVERTED) -> BotHarness:
    harness.run(0.5)
    harness.world.change_market(Redenomination(symbol=SYMBOL, positions=positions))
    return harness


@pytest.mark.parametrize("coins", ["0", "0.7", "100000"], ids=["none", "few", "many"])
def test_the_hedge_is_kept_in_new_coins_and_nothing_is_traded(coins: str) -> None:
    harness = redenominated(harness_of(coins=coins))
    before, orders = harness.ledger.largest, len(harness.venue.orders)
    harness.run(1.0)
    after = harness.ledger.largest
    assert before is not None
    assert after is not None
    assert [event.factor for event in harness.logged(HedgeRedenominated)] == [1000]
    assert (after.spot_quantity * 1000, after.short * 1000) == (before.spot_quantity, before.short)
    assert (len(harness.venue.orders), harness.logged(ExternalFills), harness.logged(Halted)) == (orders, [], [])
    assert books_difference(harness.ledger.books, harness.world.account()) == {}


def test_coins_exchanged_before_the_trades_of_the_opening_are_reported_are_not_called_sold() -> None:
    late = LateReports(seconds=120.0, after=OPENED, until=OPENED + timedelta(minutes=1))
    harness = BotHarness(
        ScriptedMarketData([Listing(SYMBOL)]), parameters=PATIENT, faults=FaultPlan(late=(late,)), notifications=True
    )
    harness.run(30 / 3600)
    assert harness.hedge.unsettled
    harness.world.change_market(Redenomination(symbol=SYMBOL))
    harness.run(1.0)
    assert harness.logged(ExternalFills) == []
    assert [event.factor for event in harness.logged(HedgeRedenominated)] == [1000]
    assert harness.ledger.halt is None
    assert books_difference(harness.ledger.books, harness.world.account()) == {}


def test_with_many_coins_of_the_owner_and_without_the_statement_none_of_them_are_sold() -> None:
    unread = ReadFault(read=Read.STATEMENT, after=OPENED, until=OPENED.replace(hour=OPENED.hour + 2))
    harness = redenominated(harness_of(unread, coins="100000"))
    orders = len(harness.venue.orders)
    harness.run(0.5)
    assert (len(harness.venue.orders), harness.logged(ExternalFills)) == (orders, [])


@pytest.mark.parametrize("covered_first", [True, False])
def test_a_part_of_the_short_that_the_owner_bought_back_is_booked_in_new_coins(*, covered_first: bool) -> None:
    harness = harness_of()
    harness.run(0.5)
    part, soon = Decimal(2), harness.world.now + timedelta(seconds=1)
    if covered_first:
        harness.world.trade_by_hand(Market.PERP, SYMBOL, Side.BUY, part)
        harness.world.change_market(Redenomination(symbol=SYMBOL, at=soon))
    else:
        harness.world.change_market(Redenomination(symbol=SYMBOL))
        harness.world.trade_by_hand(Market.PERP, SYMBOL, Side.BUY, part / 1000)
    harness.run(0.5)
    assert [event.factor for event in harness.logged(HedgeRedenominated)] == [1000]
    booked = [f for event in harness.logged(ExternalFills) for f in event.fills if f.market is Market.PERP]
    assert sum(fill.quantity for fill in booked) == part / 1000
    assert abs(sum(fill.notional for fill in booked) / part - 100) < 1, "at its price in old coins"
    assert books_difference(harness.ledger.books, harness.world.account()) == {}


def test_what_it_made_is_what_it_would_have_made_in_old_coins() -> None:
    made: list[Decimal] = []
    for exchanged in (False, True):
        harness = harness_of()
        harness.run(0.5)
        if exchanged:
            harness.world.change_market(Redenomination(symbol=SYMBOL))
        harness.run(0.5)
        harness.parameters = StrategyParameters(position_management=PositionManagement(max_position_age_hours=0.5))
        harness.run(0.2)
        made.append(harness.logged(HedgeClosed) and harness.ledger.closed[0].net_profit)  # type: ignore[arg-type]
    assert made[1] == pytest.approx(made[0], abs=Decimal("0.02"))


def test_a_short_that_is_settled_with_it_leaves_coins_that_are_sold() -> None:
    harness = redenominated(harness_of(), PositionTreatment.SETTLED)
    harness.run(0.5)
    assert [event.factor for event in harness.logged(HedgeRedenominated)] == [1000]
    assert [event.reason for event in harness.logged(HedgeClosed)] == [Reason.LIQUIDATED]
    assert abs(harness.ledger.closed[0].net_profit) < 2
    assert books_difference(harness.ledger.books, harness.world.account()) == {}


def test_without_the_statement_both_legs_are_in_doubt_and_nothing_is_traded() -> None:
    unread = ReadFault(read=Read.STATEMENT, after=OPENED, until=OPENED.replace(hour=OPENED.hour + 2))
    harness = redenominated(harness_of(unread))
    orders = len(harness.venue.orders)
    harness.run(0.5)
    assert len(harness.venue.orders) == orders
    assert (harness.logged(HedgeRedenominated), harness.logged(ExternalFills)) == ([], [])
    assert [event.reason for event in harness.logged(Halted)] == [HaltReason.ACCOUNT_IN_DOUBT]
    harness.run(3.0)
    assert [event.factor for event in harness.logged(HedgeRedenominated)] == [1000]
    assert harness.ledger.halt is None


def test_an_exchange_of_coins_that_price_and_short_do_not_show_leaves_both_legs_in_doubt() -> None:
    harness = redenominated(harness_of())
    harness.market_data.set_prices(harness.world.now, "1")
    orders = len(harness.venue.orders)
    harness.run(0.3)
    assert (len(harness.venue.orders), harness.logged(HedgeRedenominated)) == (orders, [])
    assert HaltReason.ACCOUNT_IN_DOUBT in [event.reason for event in harness.logged(Halted)]


class OldListing(FalseMarketView):
    """A market that lists one pair as it was some minutes ago."""

    def __init__(self, view: MarketView, listed: BasisPair) -> None:
        super().__init__(view)
        self._listed = listed

    def pair(self, symbol: str) -> BasisPair | None:
        return self._listed if symbol == self._listed.symbol else super().pair(symbol)


def test_a_closing_after_it_is_planned_on_the_listing_read_anew() -> None:
    harness = harness_of()
    (listed,) = harness.world.market_data.pairs
    harness.venue.shown = lambda view: OldListing(view, listed)
    redenominated(harness, PositionTreatment.SETTLED).run(0.2)
    begun = [
        event.execution for event in harness.logged(ExecutionStarted) if event.execution.kind is ExecutionKind.CLOSE
    ]
    assert [job.pair.spot.lot * 1000 for job in begun] == [listed.spot.lot]
    assert harness.coins() < listed.spot.lot / 1000 * 2
