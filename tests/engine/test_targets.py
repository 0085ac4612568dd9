"""A hedge is closed for a better pair only where that pair could be opened with the money that the closing frees."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedgerow.domain.account import OpenOrder
from hedgerow.domain.errors import VenueError
from hedgerow.domain.events import ExecutionStarted
from hedgerow.domain.operator_requests import HaltRequested
from hedgerow.domain.position import Reason
from hedgerow.engine.notices import Warned
from hedgerow.strategy.parameters import CapitalManagement, PositionManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness, WatchedVenue
from support.worlds import Listing, ScriptedMarketData

A, B, C, D = "AAAUSDT", "BBBUSDT", "CCCUSDT", "DDDUSDT"
PAYING = "0.002"


def settings(slots: int = 1, **capital: Any) -> StrategyParameters:
    """Return settings by which a hedge ends for a better pair only."""
    return StrategyParameters(
        position_management=PositionManagement(
            fee_coverage_multiplier=1000, max_position_age_hours=87_600, max_positions=slots
        ),
        capital_management=CapitalManagement(**capital),
    )


def bot(parameters: StrategyParameters, *better: Listing, usdt: int = 1000) -> BotHarness:
    listings = [Listing(A, spot=100, rate="0.0004"), Listing(B, spot=120, rate="0.0003"), *better]
    return BotHarness(ScriptedMarketData(listings), parameters=parameters, usdt=usdt, perp=usdt)


def traded(found: BotHarness) -> list[str]:
    return [f"{event.execution.kind} {event.execution.symbol}" for event in found.logged(ExecutionStarted)]


def refusals(found: BotHarness) -> list[str]:
    return [notice.text for notice in found.notices_of(Warned) if "is not closed for" in notice.text]


def test_a_better_pair_whose_books_are_too_thin_is_none() -> None:
    found = bot(settings(), Listing(C, spot=80, rate=PAYING, depth_notional=400))
    found.run(14)
    assert traded(found) == [f"open {A}"]
    (said,) = refusals(found)
    assert said.startswith(f"{A} is not closed for {C}, which could not be opened: spot book shows ")


def test_those_behind_pairs_that_cannot_be_opened_have_their_turn() -> None:
    thin = [Listing(f"T{number}USDT", spot=80, rate=PAYING, depth_notional=400) for number in range(5)]
    found = bot(settings(), *thin, Listing(D, spot=50, rate="0.0001"))
    found.market_data.set_rate(OPENED + timedelta(hours=1), "0.01", symbol=D)
    found.run(16)
    assert traded(found) == [f"open {A}", f"close {A}", f"open {D}"]
    assert len([text for text in refusals(found) if text.startswith(A)]) == len(thin)
    assert found.reasons == [Reason.BETTER_PAIR]


def test_the_hedge_that_pays_least_makes_room_although_three_pairs_cannot_take_its_place() -> None:
    thin = [f"T{number}USDT" for number in range(3)]
    listings = [Listing(symbol, spot=80, rate="0.0001", depth_notional=400) for symbol in thin]
    found = bot(settings(2), *listings, Listing(D, spot=50, rate="0.0001"))
    for symbol in (D, *thin):
        found.market_data.set_rate(OPENED + timedelta(hours=1), "0.008" if symbol == D else "0.009", symbol=symbol)
    found.run(16)
    assert traded(found) == [f"open {A}", f"open {B}", f"close {B}", f"open {D}"]


@pytest.mark.parametrize(
    ("slots", "capital"),
    [
        (1, {"max_position_usd": Decimal(100)}),
        (2, {"max_capital_usd": Decimal(200)}),
        (2, {"max_position_equity": Decimal("0.01")}),
        (2, {"reserve_usd": Decimal(9800)}),
    ],
)
def test_a_better_pair_of_which_a_position_cannot_hold_one_lot_is_none(slots: int, capital: dict[str, Decimal]) -> None:
    found = bot(settings(slots, **capital), Listing(C, spot=8000, rate=PAYING), usdt=5000)
    found.run(14)
    assert traded(found) == [f"open {symbol}" for symbol in (A, B)[:slots]]
    (said,) = refusals(found)
    worst = (A, B)[slots - 1]
    assert said.startswith(f"{worst} is not closed for {C}, which could not be opened: ")


class OrdersOfOthers(WatchedVenue):
    """Shows an order of somebody else on one pair, or cannot read its orders."""

    unreadable = False

    async def open_orders(self, symbol: str) -> tuple[OpenOrder, ...]:
        if symbol != C:
            return await super().open_orders(symbol)
        if self.unreadable:
            raise VenueError("down")
        return (OpenOrder(symbol=symbol, client_id="mine", order_id=1),)


class OrdersUnread(OrdersOfOthers):
    unreadable = True


@pytest.mark.parametrize("kind", [OrdersOfOthers, OrdersUnread])
def test_a_better_pair_with_orders_of_others_is_none(kind: type[WatchedVenue]) -> None:
    data = ScriptedMarketData([Listing(A, spot=100, rate="0.0004"), Listing(C, spot=80, rate=PAYING)])
    found = BotHarness(data, parameters=settings(), usdt=1000, perp=1000, venue_kind=kind)
    found.run(9)
    assert traded(found) == [f"open {A}"]


def test_a_better_pair_is_taken_once_its_books_carry_it() -> None:
    found = bot(settings(), Listing(C, spot=80, rate=PAYING, depth_notional=400))
    found.run(5)
    assert traded(found) == [f"open {A}"]
    found.market_data.set_liquidity(half_spread_bps=1, depth_notional=100_000, symbol=C)
    found.run(1)
    assert traded(found) == [f"open {A}", f"close {A}", f"open {C}"]


def test_a_pair_that_cannot_be_opened_keeps_no_other_exit_from_closing() -> None:
    data = ScriptedMarketData(
        [Listing(A, spot=100, rate="0.0004"), Listing(C, spot=80, rate=PAYING, depth_notional=400)]
    )
    found = BotHarness(data, parameters=settings(), usdt=1000, perp=1000)
    found.run(0.2)
    data.set_rate(OPENED + timedelta(hours=1), "-0.02", symbol=A)
    found.run(9)
    assert found.reasons == [Reason.NEGATIVE_FUNDING]
    assert traded(found) == [f"open {A}", f"close {A}"]


def test_while_openings_are_halted_a_better_pair_still_ends_a_hedge() -> None:
    found = bot(settings(), Listing(C, spot=80, rate="0.0001"))
    found.market_data.set_rate(OPENED + timedelta(hours=1), "0.02", symbol=C)
    found.run(0.2)
    found.ask(HaltRequested())
    found.run(9)
    assert traded(found) == [f"open {A}", f"close {A}"]
