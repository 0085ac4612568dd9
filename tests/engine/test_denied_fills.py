"""Orders that a reply calls dead with nothing filled, though they filled, while their trades cannot be read."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.account import AccountView
from hedgerow.domain.events import Event, ExecutionStarted, FeeBooked, HedgeClosed, HedgeOpened, OrderEnded
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.instrument import Market
from hedgerow.domain.operator_requests import HaltRequested
from hedgerow.domain.order import OrderStatus
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, SubmitFault
from hedgerow.engine.notices import CycleFailed
from support.bot_harness import OPENED, BotHarness
from support.misreported_orders import AGED, PATIENT, doubts, kinds, misreported_opening, nothing_of, unread_trades
from support.worlds import Listing, ScriptedMarketData

CLOSING = OPENED + timedelta(minutes=18)


def opening(leg: str, *, blind_seconds: float) -> BotHarness:
    """Return a bot that is to open, whose first order of a leg is denied, and whose trades cannot be read so long."""
    market_data = ScriptedMarketData([Listing(rate="0.0004")])
    return misreported_opening(market_data, leg, nothing_of, blind_seconds=blind_seconds)


def closing(leg: str, *, blind_seconds: float) -> BotHarness:
    """Return a halted bot that is to close its hedge, whose first order of a leg is denied, as in ``opening``."""
    bot = BotHarness(faults=FaultPlan(reads=(unread_trades(CLOSING, blind_seconds),)))
    bot.run(0.3)
    bot.ask(HaltRequested())
    bot.parameters = AGED
    bot.venue.expire_one(leg, nothing_of)
    return bot


@pytest.mark.parametrize("blind_seconds", [5, 130, 400])
@pytest.mark.parametrize("leg", ["s", "p"])
def test_an_opening_takes_a_denied_fill_that_the_account_shows(leg: str, blind_seconds: float) -> None:
    bot = opening(leg, blind_seconds=blind_seconds)
    bot.run(0.3)
    bot.check_whole()
    assert kinds(bot) == [ExecutionKind.OPEN], "nothing was bought or sold twice"
    assert bot.ledger.max_naked_seconds < 10
    assert bot.notices_of(CycleFailed) == []
    assert bot.hedge.fills_priced, "its price came with its trades"


@pytest.mark.parametrize("blind_seconds", [5, 130, 400])
@pytest.mark.parametrize("leg", ["s", "p"])
def test_a_closing_takes_a_denied_fill_that_the_account_shows(leg: str, blind_seconds: float) -> None:
    bot = closing(leg, blind_seconds=blind_seconds)
    bot.run(0.3)
    (closed,) = bot.logged(HedgeClosed)
    assert closed.at - CLOSING < timedelta(minutes=1)
    bot.check_flat()
    assert kinds(bot) == [ExecutionKind.OPEN, ExecutionKind.CLOSE]
    assert bot.ledger.max_naked_seconds < 10


def old_account(bot: BotHarness, until: timedelta) -> None:
    """Let the account show what it showed at its first reading until then."""
    first: list[AccountView] = []

    def shown(view: AccountView) -> AccountView:
        first.append(view)
        return replace(first[0], at=view.at) if view.at < OPENED + until else view

    bot.venue.rewritten = shown


@pytest.mark.parametrize(
    ("leg", "answer"),
    [
        pytest.param("s", ExecutionKind.CLOSE, id="coins"),
        pytest.param("p", ExecutionKind.TRIM, id="short"),
    ],
)
def test_an_end_that_the_account_does_not_show_otherwise_is_doubted_until_trades_can_be_read(
    leg: str, answer: ExecutionKind
) -> None:
    bot = opening(leg, blind_seconds=130)
    old_account(bot, timedelta(seconds=20))
    bot.run(0.05)
    (doubt,) = doubts(bot)
    assert "is said to have ended with 0 filled" in doubt
    assert kinds(bot) == [ExecutionKind.OPEN, answer]
    matched = bot.logged(ExecutionStarted)[1].at
    assert matched - OPENED < timedelta(seconds=190), "within a minute of the first trades that could be read"
    bot.check()


@pytest.mark.parametrize("leg", list(Market))
def test_an_order_that_filled_nothing_indeed_is_confirmed_by_its_trades_once_for_all(leg: Market) -> None:
    nothing = SubmitFault(fault=FaultKind.PARTIAL, command="place_order", market=leg, fraction=Decimal(0))
    plan = FaultPlan(submits=(nothing,), reads=(unread_trades(OPENED, 130),))
    market_data = ScriptedMarketData([Listing(rate="0.0004")])
    bot = BotHarness(market_data, usdt=1000, perp=1000, parameters=PATIENT, faults=plan)
    bot.run(0.3)
    bot.check_whole()
    assert kinds(bot) == [ExecutionKind.OPEN]
    ends = [event for event in bot.logged(OrderEnded) if not event.filled_quantity]
    assert [event.unconfirmed for event in ends] == [True, False]
    assert bot.ledger.orders_in_doubt == ()
    assert bot.ledger.totals.cycles < 20, "checks have their usual distance again"


def test_an_opening_that_ended_flat_with_an_unconfirmed_end_is_doubted_too() -> None:
    plan = FaultPlan(reads=(unread_trades(OPENED, 300),))
    market_data = ScriptedMarketData([Listing(rate="0.0004")])
    bot = BotHarness(market_data, usdt=1000, perp=1000, parameters=PATIENT, faults=plan)
    old_account(bot, timedelta(seconds=45))

    def denied(event: Event) -> Event:
        if isinstance(event, OrderEnded) and bot.clock.now() < OPENED + timedelta(seconds=40):
            return replace(event, status=OrderStatus.EXPIRED, filled_quantity=Decimal(0), filled_notional=Decimal(0))
        return event

    bot.venue.reported = denied
    bot.run(0.4)
    assert doubts(bot)
    assert all(event.at > OPENED + timedelta(seconds=300) for event in bot.logged(HedgeOpened))
    assert bot.logged(FeeBooked)
